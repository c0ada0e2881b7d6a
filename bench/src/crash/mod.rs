//! Kills a market, or its database, at random and at every named step of placing and cancelling an order, and looks each time whether what was
//! promised is kept. The market is one of its own, in a directory of its own, with the sandbox as its payment service provider.

mod evidence;
mod play;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use self::play::{Deed, Play};
use self::world::World;
use crate::demo::Dice;

/// Buyers at once while it is killed at random.
const CROWD: u64 = 6;
/// A random moment lies within so many milliseconds.
const EARLIEST_MS: u32 = 300;
const SPAN_MS: u32 = 2500;
/// How long a step may take to be reached.
const REACHED_WITHIN: Duration = Duration::from_secs(60);
const ASK_EVERY: Duration = Duration::from_millis(20);

/// The effects, what sets each off, and the moments of each at which the process dies.
const EFFECTS: &[(&str, Deed)] = &[
    ("orders.reserve", Deed::Buys),
    ("orders.authorise", Deed::Buys),
    ("orders.commit", Deed::Buys),
    ("orders.capture", Deed::Buys),
    ("orders.void", Deed::GivesUpTheChallenge),
    ("orders.release", Deed::CancelsBeforePaying),
    ("orders.restock", Deed::BuysWithACardThatCannotBeCaptured),
    ("orders.refund", Deed::CancelsMeanwhile),
    ("orders.cancel-stop", Deed::BuysAndCancels),
    ("orders.cancel-restock", Deed::BuysAndCancels),
    ("orders.cancel-refund", Deed::BuysAndCancels),
    ("orders.return-restock", Deed::SendsBack),
    ("orders.return-refund", Deed::SendsBack),
    ("payments.authorise", Deed::Buys),
    ("payments.capture", Deed::Buys),
    ("payments.cancel", Deed::GivesUpTheChallenge),
    ("payments.refund", Deed::BuysAndCancels),
];
const MOMENTS: [&str; 3] = ["wanted", "answered", "stored"];

pub(crate) async fn run(rounds: u32, steps: &[String]) -> anyhow::Result<()> {
    let all = EFFECTS.iter().flat_map(|(effect, deed)| MOMENTS.map(|moment| (format!("{effect}.{moment}"), *deed)));
    let chosen: Vec<(String, Deed)> = all.filter(|(step, _)| steps.is_empty() || steps.contains(step)).collect();
    ensure!(
        steps.is_empty() || chosen.len() == steps.len(),
        "not all of these are steps: {}; an example is orders.capture.answered",
        steps.join(", ")
    );
    println!(
        "claim: killed {rounds} times at random and once at each of {} steps, the market keeps what it promised and does nothing twice",
        chosen.len()
    );
    let mut world = World::open().await?;
    let mut play = Arc::new(Play::open(&world).await?);
    let mut dice = Dice(u64::from(std::process::id()));
    for round in 1..=rounds {
        let what = at_random(&mut world, &play, &mut dice, round).await.with_context(|| format!("round {round}"))?;
        finish(&world, &mut play, &format!("{round:>3}  {what}")).await?;
    }
    for (step, deed) in &chosen {
        let what = at_step(&mut world, &play, step, *deed).await.with_context(|| format!("at {step}"))?;
        finish(&world, &mut play, &what).await?;
    }
    evidence::books_hold(&world, &play).await?;
    world.remove()?;
    println!("holds: {rounds} random kills, {} steps", chosen.len());
    Ok(())
}

/// Looks at what is left after a kill, and says so.
async fn finish(world: &World, play: &mut Arc<Play>, what: &str) -> anyhow::Result<()> {
    let alone = Arc::get_mut(play).context("buyers are still at it")?;
    evidence::sign_in(alone).await?;
    println!("  {what}: {}", evidence::holds(world, play).await.context(what.to_owned())?);
    Ok(())
}

async fn at_random(world: &mut World, play: &Arc<Play>, dice: &mut Dice, round: u32) -> anyhow::Result<String> {
    let stop = Arc::new(AtomicBool::new(false));
    let crowd = play.crowd(CROWD, u64::from(round), &stop);
    let moment = Duration::from_millis(u64::from(EARLIEST_MS + dice.below(SPAN_MS)));
    tokio::time::sleep(moment).await;
    let (what, away) = match round % 3 {
        1 => ("MarketHub", world.kill().await?),
        2 => ("PostgreSQL", world.kill_database().await?),
        _ => ("both", world.kill_both().await?),
    };
    stop.store(true, Ordering::SeqCst);
    for one in crowd {
        one.await?;
    }
    Ok(format!("{what} killed after {} ms, back after {:.1} s", moment.as_millis(), away.as_secs_f64()))
}

/// Has the market die at a step, which it must reach.
async fn at_step(world: &mut World, play: &Arc<Play>, step: &str, deed: Deed) -> anyhow::Result<String> {
    world.restart_to_die(step).await?;
    world.psp_behaves(&deed.faults()).await?;
    let begin = Instant::now();
    let mut said = String::from("nothing failed");
    while !world.is_dead() {
        ensure!(begin.elapsed() < REACHED_WITHIN, "it was not reached within {REACHED_WITHIN:?}; {said}");
        // The deed ends with the market; what it says is of interest only while the market lives.
        if let Ok(Err(error)) = tokio::time::timeout(REACHED_WITHIN, play.does(deed)).await {
            said = format!("{error:#}");
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
    let away = world.restart(None).await?;
    Ok(format!("MarketHub died at {step}, back after {:.1} s", away.as_secs_f64()))
}

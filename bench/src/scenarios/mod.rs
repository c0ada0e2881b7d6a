//! The scenarios: what one operation is, and how often it is asked for unless told.

mod ask;
mod behave;
mod browse;
mod buy;
mod change;
mod freshness;
pub(crate) mod hot_sku;
mod import;
mod mix;

use std::future::Future;
use std::time::Duration;

use crate::engine::{self, Plan};
use crate::http::Http;
use crate::report::Report;
use crate::{BenchArgs, Scenario, statements};

/// Searches asked per second unless told.
const SEARCHES_PER_SECOND: u32 = 100;

pub(crate) async fn run(args: &BenchArgs) -> anyhow::Result<Report> {
    let http = Http::new(&args.url);
    match args.scenario {
        Scenario::Page => browse::page(args, &http).await,
        Scenario::Search => ask::search(args, &http).await,
        Scenario::Api => mix::run(args, &http).await,
        Scenario::Cart => buy::cart(args, &http).await,
        Scenario::Checkout => buy::checkout(args, &http).await,
        Scenario::HotSku => hot_sku::run(args.buyers, args.pieces, &http).await,
        Scenario::Import => import::run(args, &http).await,
        Scenario::Behaviour => behave::run(args, &http).await,
        Scenario::Freshness => freshness::run(args, &http).await,
        Scenario::Events => change::run(args, &http).await,
    }
}

/// An open-loop run of one operation at the asked rate, or the scenario's own.
async fn open_loop<F, Fut>(name: &'static str, what: String, own_rate: u32, args: &BenchArgs, http: &Http, operation: F) -> anyhow::Result<Report>
where
    F: Fn(u64) -> Fut,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let plan = Plan {
        rate: args.rate.unwrap_or(own_rate).max(1),
        warm_up: Duration::from_secs(args.warm_up.into()),
        measured: Duration::from_secs(args.seconds.max(1).into()),
        in_flight: args.in_flight,
    };
    eprintln!("bench {name}: {what}; {}/s for {} s after {} s of warm-up …", plan.rate, plan.measured.as_secs(), plan.warm_up.as_secs());
    let before = statements::read(http).await;
    let outcome = engine::run(plan, operation).await?;
    let after = statements::read(http).await;
    // The counters include the warm-up, so they are scaled to the part that was measured.
    let share = plan.measured.as_secs_f64() / (plan.warm_up + plan.measured).as_secs_f64();
    let before = statements::Counters {
        statements: before.statements.zip(after.statements).map(|(before, after)| after - (after - before) * share),
        ..before
    };
    Ok(Report { name, what, rate: Some(plan.rate), outcome, before, after, figures: Vec::new(), faults: Vec::new() })
}

/// The `number`-th of a list, round and round; an odd stride visits all of it in no obvious order.
fn pick<T>(list: &[T], number: u64) -> anyhow::Result<&T> {
    let length = u64::try_from(list.len())?.max(1);
    let at = usize::try_from(number.wrapping_mul(7919) % length)?;
    list.get(at).ok_or_else(|| anyhow::anyhow!("there is nothing to ask for"))
}

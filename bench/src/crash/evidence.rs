//! What must hold when everything has come to rest after a crash, read from all sides: buyers, sellers, the provider, the books.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};

use super::play::{PIECES, Play};
use super::world::World;
use crate::http::{Caller, text};
use crate::prove;

/// The stated deadline of recovery, and what refunds and news need after it, on a machine that is busy with other things.
const AT_REST_WITHIN: Duration = Duration::from_secs(90);
const ASK_EVERY: Duration = Duration::from_millis(250);
/// What an order waits for when it waits for its buyer; the operator gives up on those. All others must come to rest by themselves.
const BUYERS_TURN: [&str; 2] = ["redirect", "retry"];
const BOUGHT: [&str; 9] =
    ["paid", "processing", "packed", "shipped", "completed", "return_requested", "return_approved", "return_received", "refunded"];
/// A payment in one of these waits for somebody.
const LIMBO: [&str; 5] = ["created", "authorising", "action_required", "authorised", "unknown"];
/// A request that was not answered is given up for lost after two minutes, and asked about with growing pauses.
const OUT_OF_LIMBO_WITHIN: Duration = Duration::from_secs(360);

/// All orders, as the operator sees them.
struct Seen {
    states: BTreeMap<String, String>,
    buyers_turn: Vec<String>,
    /// Pieces of each shop that are sold and not cancelled.
    pieces: BTreeMap<String, i64>,
    kept_minor: i64,
    refunds_open: usize,
}

/// Waits until it holds, looked at from all sides; one line for people. Money and goods move while they are counted, so what differs must go on to
/// differ.
pub(super) async fn holds(world: &World, play: &Play) -> anyhow::Result<String> {
    let begin = Instant::now();
    loop {
        match looked_at(world, play).await {
            Ok(seen) => return Ok(format!("holds after {:.1} s; {seen}", begin.elapsed().as_secs_f64())),
            Err(error) if begin.elapsed() > AT_REST_WITHIN => return Err(error),
            Err(_) => tokio::time::sleep(ASK_EVERY).await,
        }
    }
}

async fn looked_at(world: &World, play: &Play) -> anyhow::Result<String> {
    let seen = at_rest(play).await?;
    let lost: Vec<String> = play.acknowledged().into_iter().filter(|order| !seen.is_bought(order)).collect();
    ensure!(lost.is_empty(), "orders that buyers were told are bought are not: {}", lost.join(", "));
    for (seller, item) in &play.sellers {
        let stock = play.http.get(&format!("/v1/stock?variant_id={}", item.variant_id), seller).await?;
        let count = |name: &str| stock.pointer(&format!("/stocks/0/{name}")).and_then(Value::as_i64).unwrap_or_default();
        let gone = seen.pieces.get(&item.tenant_id).copied().unwrap_or_default();
        ensure!(count("reserved") == 0, "{}: {} pieces are held for nobody", item.title, count("reserved"));
        ensure!(count("available") == PIECES - gone, "{}: {} are on the shelf, {gone} of {PIECES} are sold", item.title, count("available"));
    }
    let charges = charges(world).await?;
    ensure!(charges.held == 0, "the provider still holds {} payments that nobody will take", charges.held);
    ensure!(charges.twice.is_empty(), "charged twice: {}", charges.twice.join(", "));
    ensure!(charges.kept_minor == seen.kept_minor, "the provider kept {} cents, the orders are worth {}", charges.kept_minor, seen.kept_minor);
    let bought = seen.states.values().filter(|state| BOUGHT.contains(&state.as_str())).count();
    Ok(format!(
        "{} orders, {bought} bought, {} promised, none lost; {} cents taken and owed",
        seen.states.len(),
        play.acknowledged().len(),
        charges.kept_minor
    ))
}

/// The books, at the end of all rounds.
pub(super) async fn books_hold(world: &World, play: &Play) -> anyhow::Result<()> {
    println!("claim: no payment waits for anybody");
    println!("  none after {:.1} s", out_of_limbo(play).await?.as_secs_f64());
    prove::stock(&play.http).await?;
    prove::ledger(&play.http).await?;
    println!("claim: the audit log is whole");
    println!("  {}", world.command(&["audit", "verify"], "")?.replace('\n', "\n  "));
    Ok(())
}

async fn out_of_limbo(play: &Play) -> anyhow::Result<Duration> {
    let begin = Instant::now();
    loop {
        let mut waiting = Vec::new();
        for state in LIMBO {
            let page = play.http.get(&format!("/v1/payments?limit=100&state={state}"), &play.operator).await?;
            let found = page.pointer("/payments").and_then(Value::as_array).cloned().unwrap_or_default();
            waiting.extend(found.iter().filter_map(|payment| Some(format!("{} {state}", text(payment, "/payment_id").ok()?))));
        }
        if waiting.is_empty() {
            return Ok(begin.elapsed());
        }
        ensure!(begin.elapsed() < OUT_OF_LIMBO_WITHIN, "payments still wait after {OUT_OF_LIMBO_WITHIN:?}: {}", waiting.join(", "));
        tokio::time::sleep(ASK_EVERY).await;
    }
}

async fn at_rest(play: &Play) -> anyhow::Result<Seen> {
    let begin = Instant::now();
    loop {
        let seen = look(play).await?;
        for order in &seen.buyers_turn {
            // Its buyer may just be paying; then there is nothing to give up.
            let _given_up = play.http.post(&format!("/v1/orders/{order}/cancel"), &play.operator, &json!({ "reason": "left open" })).await;
        }
        let open: Vec<String> = seen.states.iter().filter(|(_, state)| !is_at_rest(state)).map(|(order, state)| format!("{order} {state}")).collect();
        if open.is_empty() && seen.refunds_open == 0 && nothing_held(play).await? {
            return Ok(seen);
        }
        let left = format!("{}; {} refunds are open", open.join(", "), seen.refunds_open);
        ensure!(begin.elapsed() < AT_REST_WITHIN, "not everything has ended within {AT_REST_WITHIN:?}: {left}");
        tokio::time::sleep(ASK_EVERY).await;
    }
}

fn is_at_rest(state: &str) -> bool {
    state == "cancelled" || BOUGHT.contains(&state)
}

async fn nothing_held(play: &Play) -> anyhow::Result<bool> {
    for (seller, item) in &play.sellers {
        let stock = play.http.get(&format!("/v1/stock?variant_id={}", item.variant_id), seller).await?;
        if stock.pointer("/stocks/0/reserved").and_then(Value::as_i64) != Some(0) {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Seen {
    fn is_bought(&self, order: &str) -> bool {
        self.states.get(order).is_some_and(|state| BOUGHT.contains(&state.as_str()))
    }

    fn note(&mut self, order: &Value) -> anyhow::Result<()> {
        let state = text(order, "/state")?;
        let amount = |value: &Value, at: &str| value.pointer(at).and_then(Value::as_i64).unwrap_or_default();
        let bought = BOUGHT.contains(&state.as_str());
        for part in order.pointer("/sub_orders").and_then(Value::as_array).into_iter().flatten() {
            self.refunds_open += usize::from(text(part, "/refund_state").is_ok_and(|state| state == "pending"));
            let list = |at: &str| part.pointer(at).and_then(Value::as_array).cloned().unwrap_or_default();
            let returns = list("/returns");
            self.refunds_open += returns.iter().filter(|back| text(back, "/state").is_ok_and(|state| state == "received")).count();
            if bought {
                let sold: i64 = list("/items").iter().map(|item| amount(item, "/quantity") - amount(item, "/cancelled_quantity")).sum();
                let lines = returns.iter().filter_map(|back| back.pointer("/lines")?.as_array()).flatten();
                let restocked: i64 = lines.map(|line| amount(line, "/restocked")).sum();
                *self.pieces.entry(text(part, "/tenant_id")?).or_default() += sold - restocked;
                self.kept_minor += amount(part, "/totals/total/amount_minor") - amount(part, "/refunded/amount_minor");
            }
        }
        let id = text(order, "/order_id")?;
        if text(order, "/next_action/kind").is_ok_and(|kind| BUYERS_TURN.contains(&kind.as_str())) {
            self.buyers_turn.push(id.clone());
        }
        self.states.insert(id, state);
        Ok(())
    }
}

async fn look(play: &Play) -> anyhow::Result<Seen> {
    let mut seen = Seen { states: BTreeMap::new(), buyers_turn: Vec::new(), pieces: BTreeMap::new(), kept_minor: 0, refunds_open: 0 };
    let mut cursor = String::new();
    loop {
        let page = play.http.get(&format!("/v1/operator/orders?limit=100&cursor={cursor}"), &play.operator).await?;
        for order in page.pointer("/orders").and_then(Value::as_array).into_iter().flatten() {
            seen.note(order)?;
        }
        cursor = text(&page, "/next_cursor").unwrap_or_default();
        if cursor.is_empty() {
            return Ok(seen);
        }
    }
}

/// What the provider holds and keeps.
struct Charges {
    held: usize,
    kept_minor: i64,
    /// Orders for which money was kept more than once.
    twice: Vec<String>,
}

async fn charges(world: &World) -> anyhow::Result<Charges> {
    let mut charges = Charges { held: 0, kept_minor: 0, twice: Vec::new() };
    let mut kept: BTreeMap<String, usize> = BTreeMap::new();
    for payment in world.psp_payments().await? {
        let amount = |name: &str| payment.get(name).and_then(Value::as_i64).unwrap_or_default();
        let net = amount("captured_minor") - amount("refunded_minor");
        charges.kept_minor += net;
        charges.held += usize::from(matches!(text(&payment, "/status")?.as_str(), "authorised" | "requires_action"));
        if net > 0 {
            // Each attempt to pay has a reference of its own; the order's number is in the description.
            *kept.entry(text(&payment, "/description")?).or_default() += 1;
        }
    }
    charges.twice = kept.into_iter().filter(|(_, times)| *times > 1).map(|(order, _)| order).collect();
    Ok(charges)
}

/// The operator's access runs out while rounds go on.
pub(super) async fn sign_in(play: &mut Play) -> anyhow::Result<()> {
    let session = crate::demo::sign_in(&play.http, crate::demo::OPERATOR).await?;
    play.operator = Caller { token: session.token, ..Caller::default() };
    Ok(())
}

//! Orders of the demo: bought and paid through the API, some accepted, shipped and delivered by their sellers.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

use super::{BUYER, Dice, account, progress};
use crate::http::{Caller, Http, text};
use crate::market;

/// Demo buyers and how many orders each has.
const BUYERS: usize = 8;
const ORDERS_EACH: usize = 15;
/// How long a seller waits for a new order to reach the shop's list.
const REACHES_SELLER: Duration = Duration::from_secs(5);

/// Places the orders that are missing; how many.
pub(super) async fn play(http: &Http, operator: &Caller, sellers: &[Caller]) -> anyhow::Result<usize> {
    let by_tenant: BTreeMap<&str, &Caller> = sellers.iter().filter_map(|seller| Some((seller.tenant.as_deref()?, seller))).collect();
    let mut placed = 0;
    let mut baskets = Vec::new();
    for number in 1..=BUYERS {
        let email = if number == 1 { BUYER.to_owned() } else { format!("buyer-{number}@demo.example") };
        let buyer = account(http, operator, &email, &format!("Demo Buyer {number}")).await?;
        let there = http.get("/v1/orders?limit=100", &buyer).await?;
        let there = there.pointer("/orders").and_then(Value::as_array).map_or(0, Vec::len);
        if there < ORDERS_EACH && baskets.is_empty() {
            let mut goods = Vec::new();
            for tenant in by_tenant.keys() {
                goods.extend(market::sellables_of(http, tenant).await?);
            }
            baskets = market::baskets(&goods)?;
        }
        for order in there..ORDERS_EACH {
            let mut dice = Dice(u64::try_from(number * 10_000 + order)?);
            place(http, (&buyer, &email), &by_tenant, &baskets, &mut dice).await.with_context(|| format!("order {order} of {email}"))?;
            placed += 1;
            progress("orders", placed, BUYERS * ORDERS_EACH);
        }
    }
    Ok(placed)
}

async fn place(
    http: &Http,
    (buyer, email): (&Caller, &str),
    sellers: &BTreeMap<&str, &Caller>,
    baskets: &[[market::Sellable; 3]],
    dice: &mut Dice,
) -> anyhow::Result<()> {
    let basket = dice.one_of(baskets).context("the market has nothing to buy")?;
    let take = usize::try_from(1 + dice.below(3))?;
    let items: Vec<&market::Sellable> = basket.iter().take(take).collect();
    let order = market::buy(http, buyer, email, &items, false).await?;
    let parts = order.pointer("/order/sub_orders").and_then(Value::as_array).cloned().unwrap_or_default();
    for part in parts {
        let (id, tenant) = (text(&part, "/sub_order_id")?, text(&part, "/tenant_id")?);
        if let Some(seller) = sellers.get(tenant.as_str()) {
            fulfil(http, seller, &id, dice.below(10)).await?;
        }
    }
    Ok(())
}

/// How far the seller takes the part: of ten, two wait, two are accepted, two shipped, four delivered.
async fn fulfil(http: &Http, seller: &Caller, part: &str, luck: u32) -> anyhow::Result<()> {
    if luck < 2 {
        return Ok(());
    }
    let at = accept(http, seller, part).await?;
    if luck < 4 {
        return Ok(());
    }
    let shipped = ship(http, seller, part, &at).await?;
    if luck < 6 {
        return Ok(());
    }
    arrive(http, seller, &shipped).await
}

/// The seller takes the part all the way to the buyer.
pub(crate) async fn deliver(http: &Http, seller: &Caller, part: &str) -> anyhow::Result<()> {
    let at = accept(http, seller, part).await?;
    let shipped = ship(http, seller, part, &at).await?;
    arrive(http, seller, &shipped).await
}

/// Accepts the part as soon as it has reached the seller; its address.
async fn accept(http: &Http, seller: &Caller, part: &str) -> anyhow::Result<String> {
    let at = format!("/v1/seller/fulfillment-orders/{part}");
    reached(http, seller, &at).await?;
    http.post(&format!("{at}/accept"), seller, &json!({})).await?;
    Ok(at)
}

async fn ship(http: &Http, seller: &Caller, part: &str, at: &str) -> anyhow::Result<Value> {
    http.post(&format!("{at}/pack"), seller, &json!({})).await?;
    let number = format!("DP{}", part.get(4..16).unwrap_or("0"));
    http.post(&format!("{at}/ship"), seller, &json!({ "carrier": "Demo Post", "tracking_number": number })).await
}

async fn arrive(http: &Http, seller: &Caller, shipped: &Value) -> anyhow::Result<()> {
    let shipments = shipped.pointer("/fulfillment_order/shipments").and_then(Value::as_array).cloned().unwrap_or_default();
    for shipment in shipments {
        let id = text(&shipment, "/shipment_id")?;
        http.post(&format!("/v1/seller/shipments/{id}/deliver"), seller, &json!({})).await?;
    }
    Ok(())
}

/// Waits until the order has reached the seller.
async fn reached(http: &Http, seller: &Caller, at: &str) -> anyhow::Result<()> {
    let seen = async {
        while http.get(at, seller).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(REACHES_SELLER, seen).await.with_context(|| format!("{at} did not reach the seller within {REACHES_SELLER:?}"))
}

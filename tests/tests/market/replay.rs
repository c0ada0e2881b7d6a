//! Events are delivered at least once and take effect once: every service hears the whole past again, and nothing happens twice.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::harness::{Buyer, Market, Seller, eventually, list, number, text};

/// The audit log writes down what it hears; it relies on its cursor, which moves with every entry.
const HEARS_ONCE: &str = "admin";

/// What an answer says of itself, not of the market.
const HOW_LONG: &str = "took_ms";

#[tokio::test(flavor = "multi_thread")]
async fn hearing_everything_again_changes_nothing() {
    let mut market = Market::open().await;
    let seller = market.seller("anna").await;
    let goods = seller.sells("Stoneware Mug", 1200, 10).await;
    let buyer = market.buyer("ada").await;
    let mut parts = Vec::new();
    for pieces in [1, 2, 3] {
        let placed = buyer.buys(&[(&goods, pieces)], "tok_visa").await;
        buyer.sees(&text(&placed, "/order/order_id"), &["confirmed", "paid", "processing"]).await;
        parts.push(text(&placed, "/order/sub_orders/0/sub_order_id"));
    }
    seller.sends(&parts[0]).await;
    seller.post(&format!("/v1/sub-orders/{}/cancel", parts[1]), &json!({ "reason": "broken" })).await;
    seller.told_to_send(&parts[2]).await;
    eventually("the cancelled pieces to be back", async || (seller.stock(&goods).await == (6, 0)).then_some(())).await;
    let before = settled(&market, &seller, &buyer).await;

    market.kill();
    forget_what_was_heard(&market).await;
    market.restart().await;
    let after = settled(&market, &seller, &buyer).await;
    let differences: Vec<String> = before.iter().zip(&after).flat_map(|((path, before), (_, after))| differences(path, before, after)).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    market.stock_is_sound().await;
    market.ledger_is_sound().await;
    market.audit_is_intact().await;
}

/// Sets every cursor back to the beginning of the log it follows.
async fn forget_what_was_heard(market: &Market) {
    let mut database = market.database().await;
    let query = "select table_schema::text from information_schema.tables where table_name = 'event_cursor' and table_schema <> $1";
    let services: Vec<String> = sqlx::query_scalar(query).bind(HEARS_ONCE).fetch_all(&mut database).await.unwrap();
    let mut cursors = 0;
    for service in services {
        let forget = format!("update {service}.event_cursor set transaction = '0', number = 0");
        cursors += sqlx::query(AssertSqlSafe(forget)).execute(&mut database).await.unwrap().rows_affected();
    }
    assert!(cursors > 10, "only {cursors} logs are followed");
}

/// Where two answers are not the same.
fn differences(at: &str, before: &Value, after: &Value) -> Vec<String> {
    match (before, after) {
        (Value::Object(one), Value::Object(other)) => {
            let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            names
                .into_iter()
                .filter(|name| *name != HOW_LONG)
                .flat_map(|name| differences(&format!("{at}/{name}"), &before[name], &after[name]))
                .collect()
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            (0..one.len()).flat_map(|index| differences(&format!("{at}/{index}"), &one[index], &other[index])).collect()
        }
        _ if before == after => Vec::new(),
        _ => vec![format!("{at}: {before} became {after}")],
    }
}

/// What all sides see once every service has heard everything, each with the path it was read from.
async fn settled(market: &Market, seller: &Seller, buyer: &Buyer) -> Vec<(&'static str, Value)> {
    eventually("every service to be level", async || {
        let health = market.http.get("/v1/admin/health", &market.operator).await;
        let consumers: Vec<Value> = list(&health, "/services").iter().flat_map(|service| list(service, "/consumers")).collect();
        assert!(consumers.iter().all(|consumer| number(consumer, "/dead_letters") == 0), "{health}");
        (!consumers.is_empty() && consumers.iter().all(|consumer| number(consumer, "/behind") == 0)).then_some(())
    })
    .await;
    // What the last effects set off has happened too.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut seen = Vec::new();
    for path in [
        "/v1/stock",
        "/v1/stock/journal?limit=100",
        "/v1/seller/sub-orders",
        "/v1/seller/fulfillment-orders",
        "/v1/seller/balance",
        "/v1/warehouses",
        "/v1/seller/shipping-methods",
    ] {
        seen.push((path, seller.get(path).await));
    }
    for path in ["/v1/orders", "/v1/me/messages?limit=100", "/v1/cart"] {
        seen.push((path, buyer.get(path).await));
    }
    for path in ["/v1/messages?limit=100", "/v1/payments?limit=100", "/v1/ledger/trial-balance", "/v1/search?query=mug", "/v1/operator/orders"] {
        seen.push((path, market.http.get(path, &market.operator).await));
    }
    seen
}

//! Two hundred buyers press "pay" at the same moment, and something they depend on fails: the database restarts, the payment service provider is slow,
//! down or lies. Everybody gets an answer they can act on, pressing again does no harm, and in the end each order has goods and
//! money or neither.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Buyer, Goods, Market, Seller, eventually, list, number, text};

const BUYERS: usize = 200;
const PIECES: i64 = 1000;
const BOUGHT: &[&str] = &["confirmed", "paid", "processing"];
/// Nobody waits longer for an answer, whatever has failed, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(45);
/// Longer than the checkout waits for the provider.
const SLOW_MS: u64 = 4000;
/// How often a buyer who was sent away comes back.
const COMES_BACK: usize = 60;

#[tokio::test(flavor = "multi_thread")]
async fn the_database_restarts() {
    let storm = Storm::gather().await;
    let answers = storm
        .breaks(async |market| {
            tokio::time::sleep(Duration::from_millis(300)).await;
            market.kill_database();
        })
        .await;
    storm.passes("the database restarts", answers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_is_slow() {
    let storm = Storm::gather().await;
    storm.market.sandbox.behaves(&json!({ "delay_ms": SLOW_MS })).await;
    let answers = storm.breaks(async |_| {}).await;
    storm.passes("the provider is slow", answers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_is_down() {
    let storm = Storm::gather().await;
    storm.market.sandbox.behaves(&json!({ "down": true })).await;
    let answers = storm.breaks(async |_| {}).await;
    storm.passes("the provider is down", answers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_lies() {
    let storm = Storm::gather().await;
    let lies =
        json!({ "timeout_after_success_percent": 30, "duplicate_webhooks_percent": 50, "reorder_webhooks_percent": 50, "drop_webhooks_percent": 30 });
    storm.market.sandbox.behaves(&lies).await;
    let answers = storm.breaks(async |_| {}).await;
    storm.passes("the provider lies", answers).await;
}

struct Storm {
    market: Market,
    seller: Seller,
    goods: Goods,
    ready: Vec<(Buyer, String)>,
}

/// What one buyer saw: HTTP status and reason, or the order's state; after how long.
struct Seen {
    what: String,
    after: Duration,
}

impl Storm {
    async fn gather() -> Self {
        let market = Market::open().await;
        let seller = market.seller("anna").await;
        let goods = seller.sells("Stoneware Mug", 1200, PIECES).await;
        let mut ready = Vec::new();
        for number in 0..BUYERS {
            let mut buyer = market.guest().await;
            buyer.email = format!("guest-{number}@buyers.example");
            if number == 0 {
                buyer.puts_into_cart(&goods, 1).await;
            }
            let checkout = buyer.checkout(&[(&goods, 1)]).await;
            ready.push((buyer, checkout));
        }
        Self { market, seller, goods, ready }
    }

    /// Everybody pays at once, while `event` happens.
    async fn breaks(&self, event: impl AsyncFnOnce(&Market)) -> Vec<Seen> {
        let paying: Vec<_> =
            self.ready.iter().cloned().map(|(buyer, checkout)| tokio::spawn(async move { press(&buyer, &checkout).await })).collect();
        event(&self.market).await;
        let mut answers = Vec::new();
        for one in paying {
            answers.push(one.await.unwrap());
        }
        answers
    }

    async fn passes(self, what: &str, answers: Vec<Seen>) {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for seen in &answers {
            *counts.entry(&seen.what).or_default() += 1;
        }
        let slowest = answers.iter().map(|seen| seen.after).max().unwrap_or_default();
        println!("{what}: of {BUYERS} buyers {counts:?}; the slowest answer took {slowest:?}");
        assert!(slowest < PATIENCE, "{slowest:?}");
        // An answer that nobody can act on is an internal error, or none.
        assert!(counts.keys().all(|what| !what.starts_with("500") && !what.starts_with("no answer")), "{counts:?}");

        self.market.sandbox.behaves(&json!({})).await;
        // Whoever was sent away, or whose payment did not go through, pays again.
        let again: Vec<_> =
            self.ready.iter().cloned().map(|(buyer, checkout)| tokio::spawn(async move { insists(&buyer, &checkout).await })).collect();
        let mut orders = Vec::new();
        for one in again {
            orders.push(one.await.unwrap());
        }
        for ((buyer, _), order) in self.ready.iter().zip(&orders) {
            buyer.sees(order, BOUGHT).await;
        }
        orders.sort();
        orders.dedup();
        assert_eq!(orders.len(), BUYERS, "a checkout becomes one order");
        let left = PIECES - i64::try_from(BUYERS).unwrap();
        eventually("a piece for each and none held", async || (self.seller.stock(&self.goods).await == (left, 0)).then_some(())).await;
        self.everybody_is_charged_once().await;
        self.market.stock_is_sound().await;
        self.market.ledger_is_sound().await;
        self.market.audit_is_intact().await;
    }

    /// The provider keeps each order's money once, and holds nothing else.
    async fn everybody_is_charged_once(&self) {
        let price = eventually("all money to be taken", async || {
            let mut latest = BTreeMap::<String, Value>::new();
            for event in self.market.sandbox.events().await {
                latest.insert(text(&event, "/payment/id"), event["payment"].clone());
            }
            let mut kept = BTreeMap::<String, i64>::new();
            for payment in latest.values() {
                *kept.entry(text(payment, "/description")).or_default() += number(payment, "/captured_minor") - number(payment, "/refunded_minor");
            }
            kept.retain(|_, kept| *kept > 0);
            let held = latest.values().any(|payment| text(payment, "/status") == "authorised");
            (kept.len() == BUYERS && !held).then(|| kept.into_values().collect::<Vec<_>>())
        })
        .await;
        assert!(price.windows(2).all(|pair| pair[0] == pair[1]), "everybody bought the same: {price:?}");
    }
}

async fn press(buyer: &Buyer, checkout: &str) -> Seen {
    let begin = Instant::now();
    let answer = buyer.asks("POST", &format!("/v1/checkouts/{checkout}/place"), &json!({ "payment_method": "tok_visa" })).await;
    let what = match answer {
        Ok(answer) if answer.status == 200 => format!("order {}", text(&answer.json, "/order/state")),
        Ok(answer) => format!("{} {}", answer.status, answer.json.get("reason").and_then(Value::as_str).unwrap_or_default()),
        Err(error) => format!("no answer: {error}"),
    };
    Seen { what, after: begin.elapsed() }
}

/// Presses until there is an order, and pays it with another card if the first did not go through; the order.
async fn insists(buyer: &Buyer, checkout: &str) -> String {
    for _ in 0..COMES_BACK {
        let answer = buyer.asks("POST", &format!("/v1/checkouts/{checkout}/place"), &json!({ "payment_method": "tok_visa" })).await;
        if let Ok(placed) = answer.as_ref()
            && placed.status == 200
        {
            let order = text(&placed.json, "/order/order_id");
            let state = text(&placed.json, "/order/state");
            if BOUGHT.contains(&state.as_str()) {
                return order;
            }
            if state == "payment_failed" {
                // Another answer may have come in between.
                let _paid = buyer.tries(&format!("/v1/orders/{order}/payments"), &json!({ "payment_method": "tok_mastercard" })).await;
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("a buyer never got an order: {:?}", list(&buyer.get("/v1/orders").await, "/orders"));
}

//! Power cuts at random moments, during an import and a stream of purchases: what was acknowledged is there, nothing is paid or sold
//! twice, and what was under way is finished.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Buyer, Goods, Market, Seller, address, attempt, directory, eventually, list, number, text};

const PIECES: i64 = 5000;
const ROWS: usize = 3000;
const ROUNDS: usize = 4;
/// Buyers at once.
const CROWD: usize = 6;
const BOUGHT: &[&str] = &["confirmed", "paid", "processing"];

/// From the buyers' side: order ids they were told.
type Acknowledged = Arc<Mutex<Vec<String>>>;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_and_nothing_happens_twice() {
    let mut market = Market::open().await;
    let seller = market.seller("anna").await;
    let goods = seller.sells("Stoneware Mug", 1200, PIECES).await;
    let buyer = market.buyer("ada").await;
    buyer.puts_into_cart(&goods, 1).await;

    let upload = text(&seller.upload("feed.csv", feed()).await, "/upload/upload_id");
    let mapping = json!({ "columns": { "sku": "sku", "title": "title", "price": "price" }, "constants": { "currency": "USD", "stock": "3" } });
    let import = seller.import(&upload, &mapping).await;

    let acknowledged = Acknowledged::default();
    for round in 0..ROUNDS {
        let moment = Duration::from_millis(500 + RandomState::new().build_hasher().finish() % 3000);
        println!("round {round}: cut after {moment:?}");
        let stop = Arc::new(AtomicBool::new(false));
        let crowd: Vec<_> =
            (0..CROWD).map(|_| tokio::spawn(buy_on(buyer.clone(), goods.clone(), Arc::clone(&acknowledged), Arc::clone(&stop)))).collect();
        tokio::time::sleep(moment).await;
        if round == ROUNDS - 1 {
            market.kill_database();
            eventually("orders to be taken again after the database died", async || {
                let before = acknowledged.lock().unwrap().len();
                tokio::time::sleep(Duration::from_millis(500)).await;
                (acknowledged.lock().unwrap().len() > before).then_some(())
            })
            .await;
            stop.store(true, Ordering::SeqCst);
        } else {
            market.kill();
            stop.store(true, Ordering::SeqCst);
            market.restart().await;
        }
        for one in crowd {
            one.await.unwrap();
        }
    }
    let acknowledged = acknowledged.lock().unwrap().clone();
    assert!(!acknowledged.is_empty(), "nobody bought anything");
    println!("{} orders were acknowledged", acknowledged.len());

    for order in &acknowledged {
        buyer.sees(order, BOUGHT).await;
    }
    nothing_is_held(&market, &goods, &seller).await;
    bought_is_what_is_gone(&buyer, &seller, &goods).await;
    nothing_is_charged_twice(&market).await;
    let done = seller.imported(&import).await;
    let sum = ["/created", "/updated", "/unchanged", "/rejected"].iter().map(|count| number(&done, count)).sum::<i64>();
    assert_eq!((sum, number(&done, "/rejected")), (i64::try_from(ROWS).unwrap(), 0), "{done}");
    market.stock_is_sound().await;
    market.ledger_is_sound().await;
    market.audit_is_intact().await;
}

fn feed() -> Vec<u8> {
    let mut feed = String::from("sku,title,price\n");
    for row in 0..ROWS {
        feed.push_str(&format!("row-{row},Thing number {row},{}.{:02}\n", 1 + row % 90, row % 100));
    }
    feed.into_bytes()
}

/// Buys again and again until told to stop; failures are what this test is about.
async fn buy_on(buyer: Buyer, goods: Goods, acknowledged: Acknowledged, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::SeqCst) {
        if let Some(order) = buy(&buyer, &goods).await {
            acknowledged.lock().unwrap().push(order);
        } else {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn buy(buyer: &Buyer, goods: &Goods) -> Option<String> {
    let item = json!({ "tenant_id": goods.tenant, "variant_id": goods.variant, "quantity": 1 });
    let checkout = buyer.tries("/v1/checkouts", &json!({ "items": [item], "email": buyer.email, "shipping_address": address() })).await?;
    let checkout = checkout.pointer("/checkout/checkout_id")?.as_str()?.to_owned();
    let placed = buyer.tries(&format!("/v1/checkouts/{checkout}/place"), &json!({ "payment_method": "tok_visa" })).await?;
    placed.pointer("/order/order_id")?.as_str().map(str::to_owned)
}

/// Purchases that were cut in the middle are finished or given up, and hold nothing.
async fn nothing_is_held(market: &Market, goods: &Goods, seller: &Seller) {
    eventually("every hold to be used or given back", async || (seller.stock(goods).await.1 == 0).then_some(())).await;
    market.stock_is_sound().await;
}

/// Every piece that has left belongs to an order that was bought; an order cut between the two is finished soon.
async fn bought_is_what_is_gone(buyer: &Buyer, seller: &Seller, goods: &Goods) {
    eventually("as many orders bought as pieces gone", async || {
        let gone = PIECES - seller.stock(goods).await.0;
        let states = states_of_orders(buyer).await;
        let bought: i64 = BOUGHT.iter().filter_map(|state| states.get(*state)).sum();
        if bought != gone {
            println!("{gone} pieces are gone, orders are {states:?}");
        }
        (bought == gone).then_some(())
    })
    .await;
}

/// How many of the buyer's orders are in each state.
async fn states_of_orders(buyer: &Buyer) -> BTreeMap<String, i64> {
    let (mut states, mut cursor) = (BTreeMap::new(), String::new());
    loop {
        let page = buyer.get(&format!("/v1/orders?limit=100&cursor={cursor}")).await;
        for order in list(&page, "/orders") {
            *states.entry(text(&order, "/state")).or_default() += 1;
        }
        cursor = text(&page, "/next_cursor");
        if cursor.is_empty() {
            return states;
        }
    }
}

/// The provider was asked for each order's money once: no two of its payments carry the same of our references, or one order's id.
async fn nothing_is_charged_twice(market: &Market) {
    let (mut charges, mut cursor) = (BTreeMap::<String, usize>::new(), String::new());
    let mut references = BTreeMap::<String, usize>::new();
    loop {
        let page = market.http.get(&format!("/v1/payments?limit=100&cursor={cursor}"), &market.operator).await;
        for payment in list(&page, "/payments") {
            if matches!(text(&payment, "/state").as_str(), "authorised" | "partially_captured" | "captured") {
                *charges.entry(text(&payment, "/order_id")).or_default() += 1;
                *references.entry(text(&payment, "/payment_id")).or_default() += 1;
            }
        }
        cursor = text(&page, "/next_cursor");
        if cursor.is_empty() {
            break;
        }
    }
    let twice: Vec<_> = charges.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");

    // What the provider remembers, last news of each of its payments.
    let mut latest = BTreeMap::<String, Value>::new();
    for event in market.sandbox.events().await {
        latest.insert(text(&event, "/payment/id"), event["payment"].clone());
    }
    let mut taken = BTreeMap::<String, usize>::new();
    for payment in latest.values().filter(|payment| matches!(text(payment, "/status").as_str(), "authorised" | "captured")) {
        *taken.entry(text(payment, "/reference")).or_default() += 1;
    }
    let twice: Vec<_> = taken.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "charged twice by the provider: {twice:?}");
    let unknown: Vec<_> = taken.keys().filter(|reference| !references.contains_key(*reference)).collect();
    assert!(unknown.is_empty(), "the provider holds money that the market knows nothing of: {unknown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_market_serves_what_it_can() {
    let mut market = Market::split().await;
    let seller = market.seller("anna").await;
    let goods = seller.sells("Stoneware Mug", 1200, 10).await;
    let buyer = market.buyer("ada").await;
    buyer.puts_into_cart(&goods, 1).await;
    let order = text(&buyer.buys(&[(&goods, 1)], "tok_visa").await, "/order/order_id");
    buyer.sees(&order, BOUGHT).await;

    market.kill_second();
    // Looking, filling carts and keeping shop go on; buying says when to come back.
    assert!(!list(&buyer.get("/v1/search?query=mug").await, "/hits").is_empty());
    buyer.puts_into_cart(&goods, 1).await;
    seller.stocks(&goods, 20).await;
    let refused = market.http.refused("GET", &format!("/v1/orders/{order}"), &buyer.caller, &Value::Null, 503).await;
    assert!(!text(&refused.json, "/reason").is_empty(), "{}", refused.json);
    market.http.refused("POST", "/v1/checkouts", &buyer.caller, &json!({ "email": buyer.email }), 503).await;

    market.restart_second().await;
    buyer.sees(&order, BOUGHT).await;
    let order = text(&buyer.buys(&[(&goods, 2)], "tok_visa").await, "/order/order_id");
    buyer.sees(&order, BOUGHT).await;
    eventually("two of twenty to be sold", async || (seller.stock(&goods).await == (18, 0)).then_some(())).await;
    market.stock_is_sound().await;
    market.ledger_is_sound().await;
}

/// The long proof is for an operator's evening; here a few of its rounds.
#[tokio::test(flavor = "multi_thread")]
async fn a_short_round_of_the_proof_holds() {
    let dir = directory();
    let config = dir.path().join("prove.toml");
    std::fs::write(&config, "").unwrap();
    let steps = "orders.capture.answered,payments.refund.stored";
    let arguments: Vec<String> = ["prove", "crash", "--rounds", "2", "--steps", steps].map(str::to_owned).into();
    let proof = tokio::task::spawn_blocking(move || attempt(&config, &arguments, &[], None)).await.unwrap();
    let (said, complained) = (String::from_utf8_lossy(&proof.stdout).into_owned(), String::from_utf8_lossy(&proof.stderr).into_owned());
    println!("{said}");
    assert!(proof.status.success(), "{said}\n{complained}");
    assert!(said.contains("holds: 2 random kills, 2 steps"), "{said}");
}

//! Every way a card can behave: an order is paid once or not at all, and stock and ledger agree with it.

use serde_json::{Value, json};

use crate::harness::{Buyer, Goods, Market, eventually, list, number, text};

const BOUGHT: &[&str] = &["confirmed", "paid", "processing"];

#[tokio::test(flavor = "multi_thread")]
async fn every_card_pays_once_or_not_at_all() {
    let market = Market::open().await;
    let seller = market.seller("anna").await;
    let goods = seller.sells("Stoneware Mug", 1200, 100).await;
    let buyer = market.buyer("ada").await;
    let mut sold = 0;

    // Cards that succeed whatever their provider's answers and webhooks do on the way.
    for card in
        ["tok_visa", "tok_answers_later", "tok_times_out", "tok_duplicate_webhooks", "tok_reordered_webhooks", "tok_delayed", "tok_webhook_first"]
    {
        let order = text(&buyer.buys(&[(&goods, 1)], card).await, "/order/order_id");
        buyer.sees(&order, BOUGHT).await;
        charged_once(&market, &order).await;
        sold += 1;
    }
    declined_then_paid(&market, &buyer, &goods, "tok_declined").await;
    declined_then_paid(&market, &buyer, &goods, "tok_insufficient_funds").await;
    declined_then_paid(&market, &buyer, &goods, "tok_declines_later").await;
    challenged(&market, &buyer, &goods).await;
    sold += 5;

    eventually("what was sold to have left the stock", async || (seller.stock(&goods).await == (100 - sold, 0)).then_some(())).await;
    market.stock_is_sound().await;
    market.ledger_is_sound().await;
}

/// One payment of the order's total, of which nothing was given back, in the market's books and in the provider's.
async fn charged_once(market: &Market, order: &str) {
    let payments = market.payments(order).await;
    let good: Vec<&Value> =
        payments.iter().filter(|payment| matches!(text(payment, "/state").as_str(), "authorised" | "partially_captured" | "captured")).collect();
    assert_eq!(good.len(), 1, "{payments:?}");
    let (captured, refunded) = market.charged(order).await;
    assert!(captured <= number(good[0], "/amount/amount_minor") && refunded == 0, "{captured} {refunded} {payments:?}");
}

/// A refusal leaves the order open for another card; the goods stay held meanwhile.
async fn declined_then_paid(market: &Market, buyer: &Buyer, goods: &Goods, card: &str) {
    let order = text(&buyer.buys(&[(goods, 1)], card).await, "/order/order_id");
    let failed = buyer.sees(&order, &["payment_failed"]).await;
    assert_eq!(text(&failed, "/next_action/kind"), "retry", "{failed}");
    assert_eq!(market.charged(&order).await, (0, 0));
    buyer.post(&format!("/v1/orders/{order}/payments"), &json!({ "payment_method": "tok_mastercard" })).await;
    buyer.sees(&order, BOUGHT).await;
    charged_once(market, &order).await;
}

/// The bank asks the buyer: approved it is paid; rejected it fails and can be tried again.
async fn challenged(market: &Market, buyer: &Buyer, goods: &Goods) {
    for decision in ["approve", "reject"] {
        let placed = buyer.buys(&[(goods, 1)], "tok_three_d_secure").await;
        let order = text(&placed, "/order/order_id");
        assert_eq!(text(&placed, "/next_action/kind"), "redirect", "{placed}");
        assert_eq!(market.charged(&order).await, (0, 0));
        market.sandbox.answer_challenge(&text(&placed, "/next_action/url"), decision).await;
        if decision == "reject" {
            buyer.sees(&order, &["payment_failed"]).await;
            buyer.post(&format!("/v1/orders/{order}/payments"), &json!({ "payment_method": "tok_visa" })).await;
        }
        buyer.sees(&order, BOUGHT).await;
        charged_once(market, &order).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_placed_again_is_the_same_order() {
    let market = Market::open().await;
    let seller = market.seller("anna").await;
    let goods = seller.sells("Stoneware Mug", 1200, 10).await;
    let buyer = market.buyer("ada").await;
    let checkout = buyer.checkout(&[(&goods, 2)]).await;

    // A browser that gave up waiting asks again, several times at once.
    let asked = (0..4).map(|_| {
        let (buyer, checkout) = (buyer.clone(), checkout.clone());
        tokio::spawn(async move { buyer.places(&checkout, "tok_visa").await })
    });
    let mut orders = Vec::new();
    for answer in asked.collect::<Vec<_>>() {
        orders.push(text(&answer.await.unwrap(), "/order/order_id"));
    }
    orders.dedup();
    assert_eq!(orders.len(), 1, "{orders:?}");
    buyer.sees(&orders[0], BOUGHT).await;
    charged_once(&market, &orders[0]).await;
    assert_eq!(list(&buyer.get("/v1/orders").await, "/orders").len(), 1);
    eventually("two of ten to be sold", async || (seller.stock(&goods).await == (8, 0)).then_some(())).await;
    market.ledger_is_sound().await;
}

//! One purchase from three sellers, from the first look to the last parcel, with the money and the goods counted after each step.

use serde_json::{Value, json};

use crate::harness::{Buyer, Goods, Market, Seller, address, eventually, list, number, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_of_three_sellers_is_bought_sent_and_partly_cancelled() {
    tell(&Market::open().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_happens_when_the_services_are_in_two_processes() {
    tell(&Market::split().await).await;
}

/// A shop with its goods.
struct Shop {
    seller: Seller,
    goods: Goods,
}

async fn tell(market: &Market) {
    let mut shops = Vec::new();
    for (name, title, cents, pieces) in [("anna", "Stoneware Mug", 1200, 10), ("ben", "Copper Lamp", 3000, 5), ("cleo", "Olive Soap", 400, 50)] {
        let seller = market.seller(name).await;
        let goods = seller.sells(title, cents, pieces).await;
        shops.push(Shop { seller, goods });
    }
    let [anna, ben, cleo] = <[Shop; 3]>::try_from(shops).unwrap_or_else(|_| panic!("three shops"));
    can_be_found(market, "mug", &anna.goods).await;

    let mut buyer = market.guest().await;
    let order = buys_of_all(&mut buyer, &anna, &ben, &cleo).await;
    let order_id = text(&order, "/order_id");
    let paid = number(&order, "/totals/total/amount_minor");
    sound(market).await;
    assert_eq!((anna.seller.stock(&anna.goods).await.0, ben.seller.stock(&ben.goods).await.0, cleo.seller.stock(&cleo.goods).await.0), (8, 4, 47));

    let parts = each_sees_its_own(market, &order, [&anna.seller, &ben.seller, &cleo.seller]).await;
    let [of_anna, of_ben, of_cleo] = parts;

    let shipment = anna.seller.sends(&of_anna).await;
    part_becomes(&buyer, &order_id, &of_anna, &["shipped"]).await;
    sound(market).await;

    // Ben cannot deliver: his part is cancelled and paid back to the cent, and nobody else notices.
    let share = number(&part(&order, &of_ben), "/totals/total/amount_minor");
    ben.seller.post(&format!("/v1/sub-orders/{of_ben}/cancel"), &json!({ "reason": "out of stock after all" })).await;
    eventually("the refund of one share", async || {
        let told = buyer.order(&order_id).await;
        (told.pointer("/refunded/amount_minor").and_then(Value::as_i64) == Some(share)).then_some(())
    })
    .await;
    assert_eq!(text(&part(&buyer.order(&order_id).await, &of_anna), "/state"), "shipped");
    eventually("the lamp to be back in stock", async || (ben.seller.stock(&ben.goods).await == (5, 0)).then_some(())).await;
    sound(market).await;

    cleo.seller.sends(&of_cleo).await;
    part_becomes(&buyer, &order_id, &of_cleo, &["shipped"]).await;
    anna.seller.post(&format!("/v1/seller/shipments/{shipment}/deliver"), &json!({})).await;
    part_becomes(&buyer, &order_id, &of_anna, &["delivered", "completed"]).await;

    // In the end the provider took everything but Ben's share, once.
    eventually("the provider to have taken the money of what was sent", async || {
        let (captured, refunded) = market.charged(&order_id).await;
        assert!(captured <= paid, "took {captured} of {paid}");
        (captured - refunded == paid - share).then_some(())
    })
    .await;
    assert_eq!(market.payments(&order_id).await.len(), 1);
    sound(market).await;
    everybody_is_told(market, &buyer, &order).await;
    selling_out_is_seen(market, &cleo).await;
    market.audit_is_intact().await;
}

async fn sound(market: &Market) {
    market.stock_is_sound().await;
    market.ledger_is_sound().await;
}

async fn can_be_found(market: &Market, query: &str, goods: &Goods) {
    eventually("the goods in the search", async || {
        let found = market.http.get(&format!("/v1/search?query={query}"), &market.operator).await;
        list(&found, "/hits").iter().any(|hit| text(hit, "/product_id") == goods.product).then_some(())
    })
    .await;
}

/// As a guest fills a cart, makes an account on the way to the till, and pays; the placed order, paid.
async fn buys_of_all(buyer: &mut Buyer, anna: &Shop, ben: &Shop, cleo: &Shop) -> Value {
    for (shop, pieces) in [(anna, 2), (ben, 1), (cleo, 3)] {
        buyer.puts_into_cart(&shop.goods, pieces).await;
    }
    let before = buyer.get("/v1/cart").await;
    assert_eq!((list(&before, "/cart/groups").len(), number(&before, "/cart/item_count")), (3, 6));
    buyer.sign_up("ada").await;
    let after = buyer.get("/v1/cart").await;
    assert_eq!((list(&after, "/cart/groups").len(), number(&after, "/cart/item_count")), (3, 6), "signing up keeps the cart");

    let checkout = buyer.post("/v1/checkouts", &json!({ "email": buyer.email })).await;
    assert_eq!(checkout["checkout"]["missing"], json!(["shipping_address"]));
    let id = text(&checkout, "/checkout/checkout_id");
    let express = text(&list(&anna.seller.get("/v1/seller/shipping-methods").await, "/methods")[1], "/shipping_method_id");
    let choice = json!([{ "tenant_id": anna.seller.tenant, "shipping_method_id": express }]);
    let at = format!("/v1/checkouts/{id}");
    buyer.patch(&at, &json!({ "shipping_address": address() })).await;
    let checkout = buyer.patch(&at, &json!({ "shipping_methods": choice })).await;
    assert_eq!(checkout["checkout"]["missing"], json!([]), "{checkout}");
    let placed = buyer.places(&id, "tok_visa").await;
    let order = placed["order"].clone();
    assert!(!text(&order, "/number").is_empty() && list(&order, "/sub_orders").len() == 3, "{order}");
    let sum: i64 = list(&order, "/sub_orders").iter().map(|part| number(part, "/totals/total/amount_minor")).sum();
    assert_eq!(number(&order, "/totals/total/amount_minor"), sum, "the order is the sum of its parts");
    assert_eq!(number(&order, "/totals/items/amount_minor"), 2 * 1200 + 3000 + 3 * 400);
    eventually("what was ordered to have left the cart", async || (number(&buyer.get("/v1/cart").await, "/cart/item_count") == 0).then_some(()))
        .await;
    buyer.sees(&text(&order, "/order_id"), &["confirmed", "paid", "processing"]).await
}

/// Every seller has exactly one part, the own one, and cannot see another's.
async fn each_sees_its_own(market: &Market, order: &Value, sellers: [&Seller; 3]) -> [String; 3] {
    let mut parts = Vec::new();
    for seller in sellers {
        let mine = eventually("the order to reach the shop", async || seller.sub_orders().await.into_iter().next()).await;
        assert_eq!(seller.sub_orders().await.len(), 1);
        assert_eq!(text(&mine, "/tenant_id"), seller.tenant);
        assert_eq!(text(&mine, "/order_id"), text(order, "/order_id"));
        let id = text(&mine, "/sub_order_id");
        for other in sellers.iter().filter(|other| other.tenant != seller.tenant) {
            market.http.refused("GET", &format!("/v1/seller/sub-orders/{id}"), &other.caller, &Value::Null, 404).await;
            market.http.refused("POST", &format!("/v1/sub-orders/{id}/cancel"), &other.caller, &json!({}), 404).await;
        }
        parts.push(id);
    }
    parts.try_into().unwrap_or_else(|_| panic!("three parts"))
}

fn part(order: &Value, id: &str) -> Value {
    list(order, "/sub_orders").into_iter().find(|part| text(part, "/sub_order_id") == id).unwrap_or_else(|| panic!("no part {id} of {order}"))
}

async fn part_becomes(buyer: &Buyer, order: &str, id: &str, states: &[&str]) {
    eventually(&format!("part {id} to be {states:?}"), async || {
        let state = text(&part(&buyer.order(order).await, id), "/state");
        states.contains(&state.as_str()).then_some(())
    })
    .await;
}

async fn everybody_is_told(market: &Market, buyer: &Buyer, order: &Value) {
    let mark = text(order, "/number");
    for recipient in [buyer.email.as_str(), "anna@sellers.example", "ben@sellers.example", "cleo@sellers.example"] {
        eventually(&format!("a message to {recipient} about order {mark}"), async || {
            let sent = market.http.get(&format!("/v1/messages?limit=100&recipient={recipient}"), &market.operator).await;
            list(&sent, "/messages").iter().any(|message| message.to_string().contains(&mark)).then_some(())
        })
        .await;
    }
    assert!(!list(&buyer.get("/v1/me/messages").await, "/messages").is_empty(), "buyers have their messages on their pages too");
}

async fn selling_out_is_seen(market: &Market, shop: &Shop) {
    can_be_found(market, "soap&available_only=true", &shop.goods).await;
    shop.seller.stocks(&shop.goods, 0).await;
    eventually("sold-out goods to leave the search for what is available", async || {
        let found = market.http.get("/v1/search?query=soap&available_only=true", &market.operator).await;
        list(&found, "/hits").is_empty().then_some(())
    })
    .await;
}

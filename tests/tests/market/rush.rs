//! More buyers than pieces, all at the same moment: exactly what there is gets sold, and everybody gets an answer.

use serde_json::json;

use crate::harness::{Market, eventually, text};

const BUYERS: usize = 60;
const PIECES: i64 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_rush_sells_what_there_is_and_no_more() {
    let market = Market::open().await;
    let seller = market.seller("anna").await;
    let goods = seller.sells("Stoneware Mug", 1200, PIECES).await;
    let mut ready = Vec::new();
    for number in 0..BUYERS {
        let mut buyer = market.guest().await;
        buyer.email = format!("guest-{number}@buyers.example");
        buyer.puts_into_cart(&goods, 1).await;
        let checkout = buyer.checkout(&[(&goods, 1)]).await;
        ready.push((buyer, checkout));
    }
    let rush = ready.into_iter().map(|(buyer, checkout)| {
        let http = market.http.clone();
        tokio::spawn(async move {
            let at = format!("/v1/checkouts/{checkout}/place");
            (http.ask("POST", &at, &buyer.caller, &json!({ "payment_method": "tok_visa" })).await.unwrap(), buyer)
        })
    });
    let (mut sold, mut refused) = (0, 0);
    for answer in rush.collect::<Vec<_>>() {
        let (answer, buyer) = answer.await.unwrap();
        if answer.status == 200 {
            sold += 1;
            buyer.sees(&text(&answer.json, "/order/order_id"), &["confirmed", "paid", "processing"]).await;
        } else {
            refused += 1;
            assert_eq!(text(&answer.json, "/reason"), "NOT_ENOUGH_STOCK", "{} {}", answer.status, answer.json);
        }
    }
    assert_eq!((sold, refused), (PIECES, i64::try_from(BUYERS).unwrap() - PIECES));
    eventually("an empty shelf that holds nothing", async || (seller.stock(&goods).await == (0, 0)).then_some(())).await;
    market.stock_is_sound().await;
    market.ledger_is_sound().await;
}

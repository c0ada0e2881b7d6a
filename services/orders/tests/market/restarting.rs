//! A process that ends while an order is being placed leaves nothing half-done.

use std::time::Duration;

use api_orders::{GetCheckoutRequest, OrderState};
use api_payments::PaymentState;

use crate::stand::Stand;

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_a_process_left_is_finished_by_the_next_one() {
    let mut stand = Stand::open().await;
    let shop = stand.shop("Anna", 1_000, 100).await;
    let buyer = stand.market.buyer();
    let mut sold = 0;
    for milliseconds in [0, 2, 4, 7, 11, 16, 24, 40] {
        let checkout = stand.checkout(&buyer, &[(&shop, 1)]).await;
        let mut orders = stand.orders();
        let place = buyer.request(api_orders::PlaceOrderRequest {
            checkout_id: checkout.checkout_id.clone(),
            payment_method: "tok_visa".to_owned(),
            return_url: String::new(),
            save_payment_method: false,
        });
        let placing = tokio::spawn(async move { orders.place_order(place).await });
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        stand = stand.restarted().await;
        let answered = placing.await.unwrap();
        let get = GetCheckoutRequest { checkout_id: checkout.checkout_id.clone() };
        let order_id = stand.orders().get_checkout(buyer.request(get)).await.unwrap().into_inner().checkout.unwrap().order_id;
        if order_id.is_empty() {
            assert!(answered.is_err(), "an order that was acknowledged is there");
            continue;
        }
        // Whatever the buyer was told, the order is finished without another word from them.
        stand.becomes(&buyer, &order_id, OrderState::Paid).await;
        let payments = stand.payments_of(&order_id).await;
        assert_eq!(payments.iter().map(api_payments::Payment::state).collect::<Vec<_>>(), [PaymentState::Captured]);
        sold += 1;
    }
    assert!(sold > 0, "at least the slowest restart left an order");
    assert_eq!(stand.stock(&shop).await, (100 - sold, 0));
    stand.market.settle().await;
    stand.all_adds_up().await;
    stand.close().await;
}

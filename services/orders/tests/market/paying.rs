//! What can happen between the order and the money.

use api_orders::{
    CancelOrderRequest, ListOrdersRequest, NextActionKind, Order, OrderState, RetryPaymentRequest, RetryPaymentResponse, UpdateCheckoutRequest,
};
use api_payments::PaymentState;
use kit_rpc::Ctx;
use tonic::Status;

use crate::stand::{Stand, reason};

async fn retry(stand: &Stand, ctx: &Ctx, order: &Order, card: &str) -> Result<RetryPaymentResponse, Status> {
    let request = RetryPaymentRequest { order_id: order.order_id.clone(), payment_method: card.to_owned(), ..RetryPaymentRequest::default() };
    Ok(stand.orders().retry_payment(ctx.request(request)).await?.into_inner())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_card_keeps_order_and_stock_for_another_one() {
    let stand = Stand::open().await;
    let shop = stand.shop("Anna", 1_000, 5).await;
    let buyer = stand.market.buyer();
    let placed = stand.buy(&buyer, &[(&shop, 2)], "tok_declined").await;
    let order = placed.order.unwrap();
    assert_eq!(order.state(), OrderState::PaymentFailed);
    let next = placed.next_action.unwrap();
    assert_eq!(next.kind(), NextActionKind::Retry);
    assert!(!next.message.is_empty() && order.pay_until.is_some());
    assert_eq!(stand.stock(&shop).await, (3, 2), "the goods stay reserved");
    assert_eq!(retry(&stand, &buyer, &order, "tok_insufficient_funds").await.unwrap().order.unwrap().state(), OrderState::PaymentFailed);
    let paid = retry(&stand, &buyer, &order, "tok_visa").await.unwrap().order.unwrap();
    assert_eq!((paid.state(), paid.number), (OrderState::Paid, order.number.clone()));
    assert_eq!(stand.stock(&shop).await, (3, 0));
    assert_eq!(reason(retry(&stand, &buyer, &order, "tok_visa").await), "NOTHING_TO_PAY");
    assert_eq!(reason(retry(&stand, &stand.market.buyer(), &order, "tok_visa").await), "ORDER_NOT_FOUND");
    let captured = stand.payments_of(&order.order_id).await.into_iter().filter(|payment| payment.state() == PaymentState::Captured).count();
    assert_eq!(captured, 1);
    stand.all_adds_up().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_is_answered_at_the_bank_and_the_order_goes_on_by_webhook() {
    let stand = Stand::open().await;
    let shop = stand.shop("Anna", 1_000, 5).await;
    let buyer = stand.market.buyer();
    for (decision, state, left) in [("approve", OrderState::Paid, (4, 0)), ("reject", OrderState::PaymentFailed, (3, 1))] {
        let placed = stand.buy(&buyer, &[(&shop, 1)], "tok_three_d_secure").await;
        let (order, next) = (placed.order.unwrap(), placed.next_action.unwrap());
        assert_eq!((order.state(), next.kind()), (OrderState::PaymentPending, NextActionKind::Redirect));
        stand.http.post(&next.url).form(&[("decision", decision)]).send().await.unwrap();
        stand.becomes(&buyer, &order.order_id, state).await;
        assert_eq!(stand.stock(&shop).await, left);
    }
    stand.all_adds_up().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_late_or_not_at_all_still_ends_as_one_paid_order() {
    let stand = Stand::open().await;
    let shop = stand.shop("Anna", 1_000, 50).await;
    let buyer = stand.market.buyer();
    for card in ["tok_answers_later", "tok_times_out", "tok_delayed", "tok_webhook_first", "tok_duplicate_webhooks"] {
        let order = stand.buy(&buyer, &[(&shop, 1)], card).await.order.unwrap();
        let paid = stand.becomes(&buyer, &order.order_id, OrderState::Paid).await;
        let payments = stand.payments_of(&order.order_id).await;
        assert_eq!((payments.len(), payments[0].captured.clone()), (1, paid.totals.unwrap().total), "{card}");
    }
    let order = stand.buy(&buyer, &[(&shop, 1)], "tok_declines_later").await.order.unwrap();
    stand.becomes(&buyer, &order.order_id, OrderState::PaymentFailed).await;
    assert_eq!(stand.stock(&shop).await, (44, 1));
    stand.market.settle().await;
    stand.all_adds_up().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_nobody_pays_gives_its_goods_back() {
    let stand = Stand::open().await;
    let shop = stand.shop("Anna", 1_000, 5).await;
    let buyer = stand.market.buyer();
    let waiting = stand.buy(&buyer, &[(&shop, 1)], "tok_three_d_secure").await;
    let declined = stand.buy(&buyer, &[(&shop, 1)], "tok_declined").await.order.unwrap();
    let order = waiting.order.unwrap();
    stand.market.clock.advance(chrono::Duration::minutes(16));
    for id in [&order.order_id, &declined.order_id] {
        let cancelled = stand.becomes(&buyer, id, OrderState::Cancelled).await;
        assert!(!cancelled.cancel_reason.is_empty());
    }
    // The buyer approves when it is too late: nothing is kept.
    let _too_late = stand.http.post(&waiting.next_action.unwrap().url).form(&[("decision", "approve")]).send().await.unwrap();
    stand.market.run_job("orders", "recover_orders").await;
    stand.market.settle().await;
    assert_eq!(stand.stock(&shop).await, (5, 0));
    for payment in stand.payments_of(&order.order_id).await {
        assert!(matches!(payment.state(), PaymentState::Voided | PaymentState::Failed), "{payment:?}");
    }
    assert_eq!(reason(retry(&stand, &buyer, &declined, "tok_visa").await), "NOTHING_TO_PAY");
    let mine = stand.orders().list_orders(buyer.request(ListOrdersRequest::default())).await.unwrap().into_inner().orders;
    assert_eq!(mine.len(), 2);
    stand.all_adds_up().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_that_ran_out_or_was_placed_is_not_placed_again() {
    let stand = Stand::open().await;
    let shop = stand.shop("Anna", 1_000, 5).await;
    let buyer = stand.market.buyer();
    let checkout = stand.checkout(&buyer, &[(&shop, 1)]).await;
    stand.market.clock.advance(chrono::Duration::minutes(61));
    assert_eq!(reason(stand.place(&buyer, &checkout, "tok_visa").await), "CHECKOUT_EXPIRED");
    let change = |id: &str| UpdateCheckoutRequest {
        checkout_id: id.to_owned(),
        email: Some("new@example.com".to_owned()),
        ..UpdateCheckoutRequest::default()
    };
    assert_eq!(reason(stand.orders().update_checkout(buyer.request(change(&checkout.checkout_id))).await), "CHECKOUT_EXPIRED");
    assert_eq!(stand.stock(&shop).await, (5, 0));

    // A cancelled order stays the checkout's order: placing again shows it and charges nothing.
    let checkout = stand.checkout(&buyer, &[(&shop, 1)]).await;
    let order = stand.place(&buyer, &checkout, "tok_declined").await.unwrap().order.unwrap();
    assert_eq!(reason(stand.orders().update_checkout(buyer.request(change(&checkout.checkout_id))).await), "CHECKOUT_PLACED");
    let cancel = CancelOrderRequest { order_id: order.order_id.clone(), ..CancelOrderRequest::default() };
    stand.orders().cancel_order(buyer.request(cancel)).await.unwrap();
    let again = stand.place(&buyer, &checkout, "tok_visa").await.unwrap();
    assert_eq!((again.order.unwrap().state(), again.next_action.unwrap().kind()), (OrderState::Cancelled, NextActionKind::None));
    assert_eq!(reason(retry(&stand, &buyer, &order, "tok_visa").await), "NOTHING_TO_PAY");
    stand.market.settle().await;
    assert_eq!(stand.stock(&shop).await, (5, 0));
    assert!(stand.payments_of(&order.order_id).await.iter().all(|payment| payment.state() == PaymentState::Failed));
    stand.all_adds_up().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_who_changes_the_card_during_a_challenge_pays_once() {
    let stand = Stand::open().await;
    let shop = stand.shop("Anna", 1_000, 5).await;
    let buyer = stand.market.buyer();
    let placed = stand.buy(&buyer, &[(&shop, 1)], "tok_three_d_secure").await;
    let order = placed.order.unwrap();
    assert_eq!(retry(&stand, &buyer, &order, "tok_visa").await.unwrap().order.unwrap().state(), OrderState::Paid);
    let _late = stand.http.post(&placed.next_action.unwrap().url).form(&[("decision", "approve")]).send().await.unwrap();
    stand.market.settle().await;
    let captured = stand.payments_of(&order.order_id).await.into_iter().filter(|payment| payment.state() == PaymentState::Captured).count();
    assert_eq!(captured, 1);
    assert_eq!(stand.order(&buyer, &order.order_id).await.state(), OrderState::Paid);
    stand.all_adds_up().await;
    stand.close().await;
}

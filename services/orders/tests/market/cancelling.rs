//! Cancelling a part or all of an order.

use api_orders::{CancelOrderRequest, CancelSubOrderRequest, Order, OrderState, RefundState, SubOrder};
use api_payments::PaymentState;
use kit_rpc::Ctx;
use tonic::Status;

use crate::stand::{Stand, part_of, reason};

async fn cancel_part(stand: &Stand, ctx: &Ctx, sub_order_id: &str, reason: &str) -> Result<SubOrder, Status> {
    let request = CancelSubOrderRequest { sub_order_id: sub_order_id.to_owned(), reason: reason.to_owned() };
    Ok(stand.orders().cancel_sub_order(ctx.request(request)).await?.into_inner().sub_order.unwrap())
}

async fn cancel(stand: &Stand, ctx: &Ctx, order: &Order) -> Result<Order, Status> {
    let request = CancelOrderRequest { order_id: order.order_id.clone(), ..CancelOrderRequest::default() };
    Ok(stand.orders().cancel_order(ctx.request(request)).await?.into_inner().order.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_seller_cancels_and_the_others_go_on() {
    let stand = Stand::open().await;
    let (anna, ben) = (stand.shop("Anna", 1_000, 5).await, stand.shop("Ben", 2_000, 5).await);
    let buyer = stand.market.buyer();
    let order = stand.buy(&buyer, &[(&anna, 1), (&ben, 2)], "tok_visa").await.order.unwrap();
    stand.market.settle().await;
    let part = part_of(&order, &ben);
    assert_eq!(reason(cancel_part(&stand, &anna.seller, &part.sub_order_id, "not mine").await), "ORDER_NOT_FOUND");
    assert_eq!(reason(cancel_part(&stand, &stand.market.buyer(), &part.sub_order_id, "").await), "ORDER_NOT_FOUND");
    assert_eq!(reason(cancel_part(&stand, &ben.seller, &part.sub_order_id, " ").await), "INVALID_REQUEST");
    let cancelled = cancel_part(&stand, &ben.seller, &part.sub_order_id, "It broke in the store").await.unwrap();
    assert_eq!((cancelled.state(), cancelled.refund_state(), cancelled.cancelled_by.as_str()), (OrderState::Cancelled, RefundState::Done, "seller"));
    let share = part.totals.as_ref().unwrap().total.clone();
    assert_eq!(cancelled.refunded, share);
    assert_eq!((stand.stock(&anna).await, stand.stock(&ben).await), ((4, 0), (5, 0)));
    let after = stand.order(&buyer, &order.order_id).await;
    assert_eq!((after.state(), after.refunded), (OrderState::Paid, share.clone()));
    let again = cancel_part(&stand, &ben.seller, &part.sub_order_id, "again").await.unwrap();
    assert_eq!(again.refunded, share, "the same answer, no second refund");
    let payment = &stand.payments_of(&order.order_id).await[0];
    assert_eq!((payment.state(), payment.refunded.clone()), (PaymentState::PartiallyRefunded, share));
    stand.all_adds_up().await;
    // The buyer cancels the rest.
    assert_eq!(reason(cancel(&stand, &stand.market.buyer(), &order).await), "ORDER_NOT_FOUND");
    let over = cancel(&stand, &buyer, &order).await.unwrap();
    assert_eq!((over.state(), over.refunded), (OrderState::Cancelled, over.totals.unwrap().total));
    assert_eq!(stand.stock(&anna).await, (5, 0));
    stand.market.settle().await;
    stand.all_adds_up().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_waits_for_its_payment_can_be_called_off() {
    let stand = Stand::open().await;
    let shop = stand.shop("Anna", 1_000, 5).await;
    let buyer = stand.market.buyer();
    for card in ["tok_three_d_secure", "tok_declined", "tok_answers_later"] {
        let order = stand.buy(&buyer, &[(&shop, 1)], card).await.order.unwrap();
        let cancelled = cancel(&stand, &buyer, &order).await.unwrap();
        assert_eq!(cancelled.state(), OrderState::Cancelled, "{card}");
        assert_eq!(stand.stock(&shop).await, (5, 0), "{card}");
        for _ in 0..100 {
            let payments = stand.payments_of(&order.order_id).await;
            if payments.iter().all(|payment| matches!(payment.state(), PaymentState::Voided | PaymentState::Failed)) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let payments = stand.payments_of(&order.order_id).await;
        assert!(payments.iter().all(|payment| matches!(payment.state(), PaymentState::Voided | PaymentState::Failed)), "{card}: {payments:?}");
    }
    stand.all_adds_up().await;
    stand.close().await;
}

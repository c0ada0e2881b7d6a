//! Commission belongs to the order that was placed, not to the terms of the day.

use api_payments::Payment;
use api_tenants::tenants_client::TenantsClient;
use api_tenants::{Plan, SetPlanRequest};

use crate::stand::{Stand, part_of};

fn commission(payment: &Payment) -> i64 {
    payment.splits[0].commission.as_ref().unwrap().amount_minor
}

#[tokio::test(flavor = "multi_thread")]
async fn commission_is_frozen_at_placement_and_later_rate_changes_alter_nothing() {
    let stand = Stand::open().await;
    let shop = stand.shop("Anna", 1_000, 10).await;
    let buyer = stand.market.buyer();
    // Placed under the old rate of 12 %, paid under the new one: the first card was declined.
    let placed = stand.buy(&buyer, &[(&shop, 2)], "tok_declined").await.order.unwrap();
    let change = SetPlanRequest { tenant_id: shop.tenant.to_string(), plan: Plan::Pro.into(), commission_bps: Some(5_000) };
    let operator = stand.market.operator(&["tenants.write"]);
    TenantsClient::new(stand.market.link("tenants")).set_plan(operator.request(change)).await.unwrap();
    let retry = api_orders::RetryPaymentRequest {
        order_id: placed.order_id.clone(),
        payment_method: "tok_visa".to_owned(),
        ..api_orders::RetryPaymentRequest::default()
    };
    stand.orders().retry_payment(buyer.request(retry)).await.unwrap();
    let paid = stand.payments_of(&placed.order_id).await.into_iter().find(|payment| payment.captured.as_ref().unwrap().amount_minor > 0).unwrap();
    assert_eq!(commission(&paid), 240);
    // A cancellation gives back by what was frozen too, and the books agree.
    let cancel =
        api_orders::CancelSubOrderRequest { sub_order_id: part_of(&placed, &shop).sub_order_id.clone(), reason: "changed my mind".to_owned() };
    stand.orders().cancel_sub_order(buyer.request(cancel)).await.unwrap();
    let next = stand.buy(&buyer, &[(&shop, 1)], "tok_visa").await.order.unwrap();
    assert_eq!(commission(&stand.payments_of(&next.order_id).await[0]), 500, "the next order is under the new rate");
    stand.all_adds_up().await;
    stand.close().await;
}

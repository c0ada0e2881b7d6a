//! Cases that markets get wrong, each under its name. The list of all of them is docs/cases.md.

use std::collections::BTreeMap;

use api_fulfillment::{AcceptFulfillmentOrderRequest, MarkDeliveredRequest, ShipFulfillmentOrderRequest, ShipmentLine};
use api_orders::{CancelItemsRequest, KeptLine, Order, OrderState};
use api_payments::AccountKind;

use crate::changing::owed;
use crate::stand::{Stand, part_of};

fn shipping_of(order: &Order) -> i64 {
    order.totals.as_ref().unwrap().shipping.as_ref().unwrap().amount_minor
}

#[tokio::test(flavor = "multi_thread")]
async fn delivery_is_not_charged_twice_when_a_parcel_is_split() {
    let stand = Stand::open().await;
    let shop = stand.shop("Anna", 1_000, 10).await;
    let buyer = stand.market.buyer();
    let order = stand.buy(&buyer, &[(&shop, 3)], "tok_visa").await.order.unwrap();
    let part = &order.sub_orders[0];
    assert!(shipping_of(&order) > 0);
    stand.market.settle().await;
    let sub_order_id = part.sub_order_id.clone();
    let accept = AcceptFulfillmentOrderRequest { sub_order_id: sub_order_id.clone() };
    stand.fulfillment().accept_fulfillment_order(shop.seller.request(accept)).await.unwrap();
    for number in ["1Z1", "1Z2", "1Z3"] {
        let lines = vec![ShipmentLine { item_id: part.items[0].item_id.clone(), quantity: 1 }];
        let ship = ShipFulfillmentOrderRequest {
            sub_order_id: sub_order_id.clone(),
            carrier: "UPS".to_owned(),
            tracking_number: number.to_owned(),
            lines,
            ..Default::default()
        };
        let sent = stand.fulfillment().ship_fulfillment_order(shop.seller.request(ship)).await.unwrap().into_inner();
        stand.fulfillment().mark_delivered(shop.seller.request(MarkDeliveredRequest { shipment_id: sent.shipment_id })).await.unwrap();
    }
    stand.market.settle().await;
    let now = stand.order(&buyer, &order.order_id).await;
    assert_eq!((now.state(), now.sub_orders[0].shipments.len(), now.totals.clone()), (OrderState::Completed, 3, order.totals.clone()));
    let payments = stand.payments_of(&order.order_id).await;
    assert_eq!((payments.len(), payments[0].captured.clone()), (1, order.totals.as_ref().unwrap().total.clone()));
    let owed = owed(&stand, &order, part).await;
    assert_eq!(owed.get(&AccountKind::TenantShipping), Some(&shipping_of(&order)), "once for three parcels");
    stand.all_adds_up().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_reserved_divides_with_the_line() {
    let stand = Stand::open().await;
    let shop = stand.shop("Anna", 333, 10).await;
    let buyer = stand.market.buyer();
    let order = stand.buy(&buyer, &[(&shop, 7)], "tok_visa").await.order.unwrap();
    let part = &order.sub_orders[0];
    for (kept, on_the_shelf) in [(5, 5), (2, 8), (1, 9)] {
        let lines = vec![KeptLine { item_id: part.items[0].item_id.clone(), quantity: kept }];
        let request = CancelItemsRequest { sub_order_id: part.sub_order_id.clone(), lines, ..Default::default() };
        stand.orders().cancel_items(buyer.request(request)).await.unwrap();
        assert_eq!(stand.stock(&shop).await, (on_the_shelf, 0));
        stand.all_adds_up().await;
    }
    stand.close().await;
}

/// How often each event was told of each part (or of the order).
async fn told(stand: &Stand, order: &Order) -> BTreeMap<(String, Option<uuid::Uuid>), i64> {
    let id: api_orders::OrderId = order.order_id.parse().unwrap();
    let rows: Vec<(String, Option<uuid::Uuid>, i64)> =
        sqlx::query_as("select kind, tenant, count(*) from orders.event_log where key = $1 group by kind, tenant")
            .bind(id.uuid())
            .fetch_all(&mut stand.market.owner().await)
            .await
            .unwrap();
    rows.into_iter().map(|(kind, tenant, count)| ((kind, tenant), count)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn paid_is_told_once_per_sub_order_also_when_one_payment_covers_many() {
    let stand = Stand::open().await;
    let shops = [stand.shop("Anna", 1_000, 5).await, stand.shop("Ben", 2_000, 5).await, stand.shop("Cleo", 3_000, 5).await];
    let buyer = stand.market.buyer();
    for card in ["tok_visa", "tok_duplicate_webhooks", "tok_webhook_first", "tok_times_out"] {
        let order = stand.buy(&buyer, &shops.each_ref().map(|shop| (shop, 1)), card).await.order.unwrap();
        stand.becomes(&buyer, &order.order_id, OrderState::Paid).await;
        // A repeated webhook comes after its delay.
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
        stand.market.settle().await;
        assert_eq!(stand.payments_of(&order.order_id).await.len(), 1, "{card}");
        let told = told(&stand, &order).await;
        assert_eq!(told.get(&("order_paid".to_owned(), None)), Some(&1), "{card}: {told:?}");
        for shop in &shops {
            assert_eq!(told.get(&("sub_order_confirmed".to_owned(), Some(shop.tenant.uuid()))), Some(&1), "{card}: {told:?}");
        }
    }
    stand.all_adds_up().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_one_seller_basket_takes_the_same_path() {
    let stand = Stand::open().await;
    let shops = [stand.shop("Anna", 1_000, 5).await, stand.shop("Ben", 2_000, 5).await];
    let buyer = stand.market.buyer();
    let mut paths = Vec::new();
    for shops in [&shops[..1], &shops[..]] {
        let wanted: Vec<_> = shops.iter().map(|shop| (shop, 1)).collect();
        let order = stand.buy(&buyer, &wanted, "tok_visa").await.order.unwrap();
        stand.market.settle().await;
        let now = stand.order(&buyer, &order.order_id).await;
        let payment = stand.payments_of(&order.order_id).await.remove(0);
        assert_eq!((now.sub_orders.len(), payment.splits.len()), (shops.len(), shops.len()), "a part and a share for each seller");
        assert!(shops.iter().all(|shop| part_of(&now, shop).state() == OrderState::Paid && part_of(&now, shop).number.starts_with(&now.number)));
        let of_order: Vec<String> = now.timeline.iter().map(|entry| entry.kind.clone()).collect();
        let kinds: Vec<(String, bool)> = told(&stand, &order).await.into_keys().map(|(kind, tenant)| (kind, tenant.is_some())).collect();
        let kinds: std::collections::BTreeSet<_> = kinds.into_iter().collect();
        paths.push((of_order, kinds));
    }
    assert_eq!(paths[0], paths[1]);
    stand.close().await;
}

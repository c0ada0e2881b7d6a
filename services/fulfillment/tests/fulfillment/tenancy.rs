//! A seller's orders, shipments and methods are there for nobody else; lists show a seller's own.

use api_fulfillment::{
    DeleteShippingMethodRequest, FulfillmentState, GetPackingSlipRequest, ListFulfillmentOrdersRequest, ListShippingMethodsRequest, ShipmentState,
    UpdateShippingMethodRequest,
};

use crate::methods::{create, flat, methods};
use crate::stand::{Shop, Stand, fields, reason};

/// (ids, the cursor of the next page).
async fn page(stand: &Stand, shop: &Shop, limit: u32, cursor: &str, state: FulfillmentState) -> (Vec<String>, String) {
    let list = ListFulfillmentOrdersRequest { limit, cursor: cursor.to_owned(), state: state.into() };
    let page = stand.client().list_fulfillment_orders(shop.seller.request(list)).await.unwrap().into_inner();
    (page.fulfillment_orders.into_iter().map(|order| order.sub_order_id).collect(), page.next_cursor)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_anothers_does_not_exist() {
    let stand = Stand::open().await;
    let (anna, ben) = (stand.shop(), stand.shop());
    let part = stand.accepted(&anna, &[("Mug", 2)]).await;
    let shipped = stand.ship(&anna, &part, "1Z1", vec![]).await.unwrap();
    let method = create(&stand, &anna, flat("Courier", 500)).await.unwrap();
    let before = stand.get(&anna, &part).await.unwrap();

    for refused in [stand.get(&ben, &part).await, stand.accept(&ben, &part).await, stand.pack(&ben, &part).await] {
        assert_eq!(reason(refused), "FULFILLMENT_NOT_FOUND");
    }
    assert_eq!(reason(stand.ship(&ben, &part, "1Z1", vec![]).await), "FULFILLMENT_NOT_FOUND");
    let slip = GetPackingSlipRequest { sub_order_id: part.sub_order_id.clone() };
    assert_eq!(reason(stand.client().get_packing_slip(ben.seller.request(slip)).await), "FULFILLMENT_NOT_FOUND");
    assert_eq!(reason(stand.track(&ben, &shipped.shipment_id, ShipmentState::InTransit, "Nowhere").await), "SHIPMENT_NOT_FOUND");
    assert_eq!(reason(stand.deliver(&ben, &shipped.shipment_id).await), "SHIPMENT_NOT_FOUND");
    let id = method.shipping_method_id.clone();
    let update = UpdateShippingMethodRequest { shipping_method_id: id.clone(), terms: Some(flat("Mine", 1)), if_version: None };
    assert_eq!(reason(stand.client().update_shipping_method(ben.seller.request(update)).await), "METHOD_NOT_FOUND");
    let delete = DeleteShippingMethodRequest { shipping_method_id: id };
    assert_eq!(reason(stand.client().delete_shipping_method(ben.seller.request(delete)).await), "METHOD_NOT_FOUND");
    assert_eq!(page(&stand, &ben, 0, "", FulfillmentState::Unspecified).await, (vec![], String::new()));
    assert!(methods(&stand, &ben).await.is_empty());
    assert_eq!((stand.get(&anna, &part).await.unwrap(), methods(&stand, &anna).await), (before, vec![method]));
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_is_not_writing_and_buyers_do_neither() {
    let stand = Stand::open().await;
    let anna = stand.shop();
    let part = stand.confirmed(&anna, &[("Mug", 1)]).await;
    let reader = Shop { tenant: anna.tenant, seller: stand.market.seller(anna.tenant, &["fulfillment.read"]) };
    assert_eq!(stand.state(&reader, &part).await, FulfillmentState::Open);
    assert_eq!(reason(stand.accept(&reader, &part).await), "FORBIDDEN");
    assert_eq!(reason(create(&stand, &reader, flat("Courier", 500)).await), "FORBIDDEN");
    let elsewhere = Shop { tenant: anna.tenant, seller: stand.market.seller(anna.tenant, &["catalog.write"]) };
    assert_eq!(reason(stand.get(&elsewhere, &part).await), "FORBIDDEN");
    for outsider in [stand.market.nobody(), stand.market.buyer(), stand.market.operator(&["orders.read"])] {
        let list = ListShippingMethodsRequest {};
        assert!(stand.client().list_shipping_methods(outsider.request(list)).await.is_err(), "{outsider:?}");
    }
    assert_eq!(stand.state(&anna, &part).await, FulfillmentState::Open);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_newest_first_page_by_page_and_by_state() {
    let stand = Stand::open().await;
    let (anna, ben) = (stand.shop(), stand.shop());
    let mut parts = Vec::new();
    for _ in 0..5 {
        stand.market.clock.advance(chrono::Duration::seconds(1));
        parts.push(stand.confirmed(&anna, &[("Mug", 1)]).await);
        stand.confirmed(&ben, &[("Lamp", 1)]).await;
    }
    stand.accept(&anna, &parts[1]).await.unwrap();
    let newest_first: Vec<String> = parts.iter().rev().map(|part| part.sub_order_id.clone()).collect();
    let any = FulfillmentState::Unspecified;
    let (mut seen, mut cursor) = page(&stand, &anna, 2, "", any).await;
    while !cursor.is_empty() {
        let (more, next) = page(&stand, &anna, 2, &cursor, any).await;
        assert!(more.len() <= 2);
        seen.extend(more);
        cursor = next;
    }
    assert_eq!(seen, newest_first);
    assert_eq!(page(&stand, &anna, 0, "", any).await, (newest_first, String::new()));
    assert_eq!(page(&stand, &anna, 0, "", FulfillmentState::Accepted).await.0, [parts[1].sub_order_id.clone()]);
    assert!(page(&stand, &anna, 0, "", FulfillmentState::Stopped).await.0.is_empty());
    let garbled = ListFulfillmentOrdersRequest { cursor: "next, please".to_owned(), ..ListFulfillmentOrdersRequest::default() };
    assert_eq!(fields(stand.client().list_fulfillment_orders(anna.seller.request(garbled)).await), ["cursor"]);
}

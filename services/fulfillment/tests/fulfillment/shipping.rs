//! From the seller's shelf to the buyer's door.

use api_fulfillment::{FulfillmentState, GetPackingSlipRequest, ShipFulfillmentOrderRequest, ShipmentState};
use api_orders::SubOrder;
use kit_core::Code;
use kit_rpc::{disposition, problem_of, timestamp};

use crate::stand::{Shop, Stand, address, fields, pieces, reason};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_goes_from_the_shelf_to_the_door() {
    let stand = Stand::open().await;
    let shop = stand.shop();
    let part = stand.confirmed(&shop, &[("Mug", 2), ("Lamp", 1)]).await;
    let order = stand.get(&shop, &part).await.unwrap();
    let now = stand.market.clock.now();
    assert_eq!((order.state(), &order.order_id, &order.number), (FulfillmentState::Open, &part.order_id, &part.number));
    assert_eq!((order.created_at, order.due_at), (Some(timestamp(now)), Some(timestamp(now + chrono::Duration::hours(48)))));
    assert_eq!((order.ship_to.clone().unwrap(), order.shipping_method.as_str()), (address(), "Standard"));
    let lines: Vec<_> = order.lines.iter().map(|line| (line.title.as_str(), line.sku.as_str(), line.quantity, line.shipped)).collect();
    assert_eq!(lines, [("Mug", "MUG", 2, 0), ("Lamp", "LAMP", 1, 0)]);

    assert_eq!(stand.accept(&shop, &part).await.unwrap().state(), FulfillmentState::Accepted);
    assert_eq!(stand.pack(&shop, &part).await.unwrap().state(), FulfillmentState::Packed);
    stand.market.clock.advance(chrono::Duration::hours(1));
    let shipped = stand.ship(&shop, &part, "1Z1", vec![]).await.unwrap();
    let order = shipped.fulfillment_order.unwrap();
    assert_eq!((order.state(), order.lines.iter().map(|line| line.shipped).collect::<Vec<_>>()), (FulfillmentState::Shipped, vec![2, 1]));
    let shipment = &order.shipments[0];
    assert_eq!((shipment.state(), shipment.carrier.as_str(), shipment.tracking_number.as_str()), (ShipmentState::Shipped, "UPS", "1Z1"));
    assert_eq!(shipment.shipped_at, Some(timestamp(now + chrono::Duration::hours(1))));

    // The first try fails at the door, the second does not.
    let way = [
        (ShipmentState::InTransit, "Chicago"),
        (ShipmentState::OutForDelivery, "Springfield"),
        (ShipmentState::DeliveryFailed, "Springfield"),
        (ShipmentState::OutForDelivery, "Springfield"),
    ];
    for (state, place) in way {
        stand.market.clock.advance(chrono::Duration::hours(1));
        let order = stand.track(&shop, &shipped.shipment_id, state, place).await.unwrap();
        assert_eq!((order.state(), order.shipments[0].state()), (FulfillmentState::Shipped, state));
    }
    stand.market.clock.advance(chrono::Duration::hours(1));
    let order = stand.deliver(&shop, &shipped.shipment_id).await.unwrap();
    let shipment = &order.shipments[0];
    assert_eq!((order.state(), shipment.state()), (FulfillmentState::Delivered, ShipmentState::Delivered));
    assert_eq!(shipment.delivered_at, Some(timestamp(now + chrono::Duration::hours(6))));
    let events: Vec<_> = shipment.events.iter().map(|event| (event.state(), event.place.as_str())).collect();
    let expected: Vec<_> = [(ShipmentState::Shipped, "")].into_iter().chain(way).chain([(ShipmentState::Delivered, "")]).collect();
    assert_eq!(events, expected);
    assert!(shipment.events.is_sorted_by_key(|event| event.at.map(|at| at.seconds)));
    let told = stand.kinds(&part).await;
    assert_eq!(told, ["accepted", "packed", "all shipped", "tracking", "tracking", "tracking", "tracking", "all delivered"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_leaves_in_several_parcels_and_arrives_with_the_last() {
    let stand = Stand::open().await;
    let shop = stand.shop();
    let part = stand.accepted(&shop, &[("Mug", 3), ("Lamp", 1)]).await;
    let first = stand.ship(&shop, &part, "1Z1", vec![pieces(&part, 0, 1)]).await.unwrap();
    let order = first.fulfillment_order.unwrap();
    assert_eq!((order.state(), order.lines[0].shipped, order.lines[1].shipped), (FulfillmentState::PartlyShipped, 1, 0));

    // More than is left, said in one line or in two; an item of another order; no pieces at all.
    assert_eq!(reason(stand.ship(&shop, &part, "1Z2", vec![pieces(&part, 0, 3)]).await), "TOO_MANY_PIECES");
    assert_eq!(reason(stand.ship(&shop, &part, "1Z2", vec![pieces(&part, 0, 2), pieces(&part, 0, 1)]).await), "TOO_MANY_PIECES");
    let other = stand.confirmed(&shop, &[("Vase", 1)]).await;
    assert_eq!(fields(stand.ship(&shop, &part, "1Z2", vec![pieces(&other, 0, 1)]).await), ["lines"]);
    assert_eq!(reason(stand.ship(&shop, &part, "1Z2", vec![pieces(&part, 0, 0)]).await), "INVALID_REQUEST");
    let order = stand.get(&shop, &part).await.unwrap();
    assert_eq!((order.shipments.len(), order.lines[0].shipped), (1, 1), "what was refused changed nothing");

    // It has arrived, but the order has not.
    assert_eq!(stand.deliver(&shop, &first.shipment_id).await.unwrap().state(), FulfillmentState::PartlyShipped);
    let second = stand.ship(&shop, &part, "1Z2", vec![pieces(&part, 1, 1), pieces(&part, 0, 1)]).await.unwrap();
    let third = stand.ship(&shop, &part, "1Z3", vec![]).await.unwrap();
    let order = third.fulfillment_order.unwrap();
    assert_eq!((order.state(), order.shipments.len()), (FulfillmentState::Shipped, 3));
    let left_last: Vec<_> = order.shipments.last().unwrap().lines.iter().map(|line| (&line.item_id, line.quantity)).collect();
    assert_eq!(left_last, [(&part.items[0].item_id, 1)]);
    assert_eq!(reason(stand.ship(&shop, &part, "1Z4", vec![]).await), "NOTHING_LEFT");
    assert_eq!(stand.deliver(&shop, &third.shipment_id).await.unwrap().state(), FulfillmentState::Shipped);
    assert_eq!(stand.deliver(&shop, &second.shipment_id).await.unwrap().state(), FulfillmentState::Delivered);
    let told = stand.kinds(&part).await;
    assert_eq!(told, ["accepted", "shipped", "delivered", "shipped", "all shipped", "delivered", "all delivered"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_asked_again_happens_once() {
    let stand = Stand::open().await;
    let shop = stand.shop();
    let part = stand.part(&shop, &[("Mug", 2)]);
    for _ in 0..2 {
        stand.confirm(&part).await;
    }
    for _ in 0..2 {
        stand.accept(&shop, &part).await.unwrap();
    }
    for _ in 0..2 {
        stand.pack(&shop, &part).await.unwrap();
    }
    assert_eq!(stand.accept(&shop, &part).await.unwrap().state(), FulfillmentState::Packed, "it was accepted before");
    // A tracking number names a parcel: the same one again is the same parcel, however the request looks.
    let shipped = stand.ship(&shop, &part, "1Z1", vec![pieces(&part, 0, 1)]).await.unwrap();
    for lines in [vec![pieces(&part, 0, 1)], vec![]] {
        let again = stand.ship(&shop, &part, " 1Z1 ", lines).await.unwrap();
        assert_eq!((again.shipment_id, again.fulfillment_order), (shipped.shipment_id.clone(), shipped.fulfillment_order.clone()));
    }
    stand.ship(&shop, &part, "1Z2", vec![]).await.unwrap();
    let delivered = stand.deliver(&shop, &shipped.shipment_id).await.unwrap();
    stand.market.clock.advance(chrono::Duration::hours(1));
    assert_eq!(stand.deliver(&shop, &shipped.shipment_id).await.unwrap().shipments, delivered.shipments);
    // Confirmed once more, late: nothing begins anew.
    stand.confirm(&part).await;
    assert_eq!(stand.state(&shop, &part).await, FulfillmentState::Shipped);
    assert_eq!(stand.kinds(&part).await, ["accepted", "packed", "shipped", "all shipped", "delivered"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn moves_out_of_turn_are_refused_and_change_nothing() {
    let stand = Stand::open().await;
    let shop = stand.shop();
    let part = stand.confirmed(&shop, &[("Mug", 1)]).await;
    let check = async |refused: String, part: &SubOrder, state: FulfillmentState| {
        assert_eq!((refused.as_str(), stand.state(&shop, part).await), ("ILLEGAL_MOVE", state));
    };
    check(reason(stand.pack(&shop, &part).await), &part, FulfillmentState::Open).await;
    let too_early = stand.ship(&shop, &part, "1Z1", vec![]).await.unwrap_err();
    assert_eq!(problem_of(&too_early).code, Code::Conflict);
    assert_eq!(problem_of(&too_early).message, "an order that is not accepted yet cannot be shipped");

    stand.accept(&shop, &part).await.unwrap();
    let shipped = stand.ship(&shop, &part, "1Z1", vec![]).await.unwrap();
    for state in [ShipmentState::Shipped, ShipmentState::Delivered] {
        assert_eq!(fields(stand.track(&shop, &shipped.shipment_id, state, "").await), ["state"], "{state:?} has an operation of its own");
    }
    stand.deliver(&shop, &shipped.shipment_id).await.unwrap();
    check(reason(stand.track(&shop, &shipped.shipment_id, ShipmentState::InTransit, "").await), &part, FulfillmentState::Delivered).await;

    let bad_link = ShipFulfillmentOrderRequest {
        sub_order_id: stand.accepted(&shop, &[("Mug", 1)]).await.sub_order_id,
        carrier: "UPS".to_owned(),
        tracking_number: "1Z1".to_owned(),
        tracking_url: "javascript:alert(1)".to_owned(),
        ..ShipFulfillmentOrderRequest::default()
    };
    assert_eq!(fields(stand.client().ship_fulfillment_order(shop.seller.request(bad_link.clone())).await), ["tracking_url"]);
    let good_link = ShipFulfillmentOrderRequest { tracking_url: "https://carrier.example/1Z1".to_owned(), ..bad_link };
    let order = stand.client().ship_fulfillment_order(shop.seller.request(good_link)).await.unwrap().into_inner().fulfillment_order.unwrap();
    assert_eq!(order.shipments[0].tracking_url, "https://carrier.example/1Z1", "another order may use the number, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shipment_keeps_its_newest_tracking_events_and_due_times_follow_the_settings() {
    let stand = Stand::open_with("max_tracking_events = 3\nhandling_hours = 5\n").await;
    let shop = stand.shop();
    let part = stand.accepted(&shop, &[("Mug", 1)]).await;
    let shipped = stand.ship(&shop, &part, "1Z1", vec![]).await.unwrap();
    let due = stand.market.clock.now() + chrono::Duration::hours(5);
    assert_eq!(shipped.fulfillment_order.unwrap().due_at, Some(timestamp(due)));
    for place in ["Chicago", "Joliet", "Peoria", "Springfield"] {
        stand.track(&shop, &shipped.shipment_id, ShipmentState::InTransit, place).await.unwrap();
    }
    let order = stand.get(&shop, &part).await.unwrap();
    let places: Vec<_> = order.shipments[0].events.iter().map(|event| event.place.as_str()).collect();
    assert_eq!(places, ["Joliet", "Peoria", "Springfield"]);
}

async fn slip(stand: &Stand, shop: &Shop, part: &SubOrder) -> (String, Vec<u8>) {
    let get = GetPackingSlipRequest { sub_order_id: part.sub_order_id.clone() };
    let answer = stand.client().get_packing_slip(shop.seller.request(get)).await.unwrap();
    let name = disposition(answer.metadata()).unwrap().to_str().unwrap().to_owned();
    let file = answer.into_inner();
    assert_eq!(file.content_type, "application/pdf");
    (name, file.data.to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_packing_slip_is_a_pdf_of_this_order() {
    let stand = Stand::open().await;
    let shop = stand.shop();
    let (one, other) = (stand.confirmed(&shop, &[("Mug", 2)]).await, stand.confirmed(&shop, &[("Mug", 3)]).await);
    let (name, pdf) = slip(&stand, &shop, &one).await;
    assert!(name.contains("packing-slip-MH-2026-7K3F-9QXD-1.pdf"), "{name}");
    assert!(pdf.starts_with(b"%PDF-") && pdf.len() > 1_000);
    assert_eq!(slip(&stand, &shop, &one).await.1, pdf, "the same order, the same slip");
    assert_ne!(slip(&stand, &shop, &other).await.1, pdf, "more pieces, another slip");
}

//! From the seller's shelf to the buyer's door.

use api_fulfillment::{
    AcceptFulfillmentOrderRequest, AddTrackingEventRequest, GetFulfillmentOrderRequest, GetPackingSlipRequest, MarkDeliveredRequest,
    PackFulfillmentOrderRequest, ShipFulfillmentOrderRequest, ShipFulfillmentOrderResponse, ShipmentLine, ShipmentState,
};
use api_orders::{CancelSubOrderRequest, ExportSubOrdersRequest, GetSubOrderRequest, Order, OrderState};
use tonic::Status;

use crate::stand::{Shop, Stand, part_of, reason};

async fn accept(stand: &Stand, shop: &Shop, sub: &str) {
    let request = AcceptFulfillmentOrderRequest { sub_order_id: sub.to_owned() };
    stand.fulfillment().accept_fulfillment_order(shop.seller.request(request)).await.unwrap();
}

async fn ship(stand: &Stand, shop: &Shop, sub: &str, number: &str, lines: Vec<ShipmentLine>) -> Result<ShipFulfillmentOrderResponse, Status> {
    let request = ShipFulfillmentOrderRequest {
        sub_order_id: sub.to_owned(),
        carrier: "UPS".to_owned(),
        tracking_number: number.to_owned(),
        tracking_url: String::new(),
        lines,
    };
    Ok(stand.fulfillment().ship_fulfillment_order(shop.seller.request(request)).await?.into_inner())
}

async fn deliver(stand: &Stand, shop: &Shop, shipment_id: &str) {
    stand.fulfillment().mark_delivered(shop.seller.request(MarkDeliveredRequest { shipment_id: shipment_id.to_owned() })).await.unwrap();
}

fn kinds(order: &Order) -> Vec<&str> {
    order.timeline.iter().map(|entry| entry.kind.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_seller_ships_its_part_and_the_order_completes_when_all_have_arrived() {
    let stand = Stand::open().await;
    let (anna, ben) = (stand.shop("Anna", 1_000, 5).await, stand.shop("Ben", 2_000, 5).await);
    let buyer = stand.market.buyer();
    let order = stand.buy(&buyer, &[(&anna, 2), (&ben, 1)], "tok_visa").await.order.unwrap();
    stand.market.settle().await;
    let (of_anna, of_ben) = (part_of(&order, &anna).sub_order_id.clone(), part_of(&order, &ben).sub_order_id.clone());

    let foreign = GetFulfillmentOrderRequest { sub_order_id: of_anna.clone() };
    assert_eq!(reason(stand.fulfillment().get_fulfillment_order(ben.seller.request(foreign)).await), "FULFILLMENT_NOT_FOUND");
    assert_eq!(
        reason(stand.orders().get_sub_order(ben.seller.request(GetSubOrderRequest { sub_order_id: of_anna.clone() })).await),
        "ORDER_NOT_FOUND"
    );
    assert_eq!(reason(ship(&stand, &anna, &of_anna, "1Z1", vec![]).await), "ILLEGAL_MOVE");

    accept(&stand, &anna, &of_anna).await;
    stand.market.settle().await;
    let now = stand.order(&buyer, &order.order_id).await;
    assert_eq!(
        (now.state(), part_of(&now, &anna).state(), part_of(&now, &ben).state()),
        (OrderState::Processing, OrderState::Processing, OrderState::Paid)
    );
    let slip = GetPackingSlipRequest { sub_order_id: of_anna.clone() };
    assert!(stand.fulfillment().get_packing_slip(anna.seller.request(slip)).await.unwrap().into_inner().data.starts_with(b"%PDF-"));
    stand.fulfillment().pack_fulfillment_order(anna.seller.request(PackFulfillmentOrderRequest { sub_order_id: of_anna.clone() })).await.unwrap();

    // Anna sends one piece, then the other; the same tracking number again is the same parcel.
    let item_id = part_of(&order, &anna).items[0].item_id.clone();
    let one = |quantity| vec![ShipmentLine { item_id: item_id.clone(), quantity }];
    assert_eq!(reason(ship(&stand, &anna, &of_anna, "1Z1", one(3)).await), "TOO_MANY_PIECES");
    let first = ship(&stand, &anna, &of_anna, "1Z1", one(1)).await.unwrap();
    assert_eq!(ship(&stand, &anna, &of_anna, "1Z1", one(1)).await.unwrap().shipment_id, first.shipment_id);
    let second = ship(&stand, &anna, &of_anna, "1Z2", vec![]).await.unwrap();
    assert_eq!(reason(ship(&stand, &anna, &of_anna, "1Z3", vec![]).await), "NOTHING_LEFT");
    let news = AddTrackingEventRequest {
        shipment_id: second.shipment_id.clone(),
        state: ShipmentState::InTransit.into(),
        place: "Chicago".to_owned(),
        message: "Left the depot".to_owned(),
    };
    stand.fulfillment().add_tracking_event(anna.seller.request(news)).await.unwrap();
    stand.market.settle().await;
    let now = stand.order(&buyer, &order.order_id).await;
    assert_eq!((now.state(), part_of(&now, &anna).state()), (OrderState::Processing, OrderState::Shipped));
    let shipments = &part_of(&now, &anna).shipments;
    assert_eq!((shipments.len(), shipments[1].events.last().unwrap().place.as_str()), (2, "Chicago"));

    accept(&stand, &ben, &of_ben).await;
    let third = ship(&stand, &ben, &of_ben, "1Z9", vec![]).await.unwrap();
    for (shop, shipment) in [(&anna, &first), (&anna, &second), (&ben, &third)] {
        deliver(&stand, shop, &shipment.shipment_id).await;
        deliver(&stand, shop, &shipment.shipment_id).await;
    }
    stand.market.settle().await;
    let done = stand.order(&buyer, &order.order_id).await;
    assert_eq!(done.state(), OrderState::Completed);
    assert!(done.sub_orders.iter().all(|sub| sub.state() == OrderState::Delivered));
    let told = kinds(&done);
    for kind in ["accepted", "packed", "partly_shipped", "shipped", "tracking", "partly_delivered", "delivered", "completed"] {
        assert!(told.contains(&kind), "{kind} is missing in {told:?}");
    }
    let csv = stand.orders().export_sub_orders(anna.seller.request(ExportSubOrdersRequest::default())).await.unwrap().into_inner().data;
    let csv = String::from_utf8(csv.to_vec()).unwrap();
    assert!(csv.lines().count() == 2 && csv.contains("Thing of Anna") && !csv.contains("Thing of Ben"), "{csv}");
    stand.all_adds_up().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shipping_and_cancelling_at_once_have_one_winner() {
    let stand = Stand::open().await;
    let shop = stand.shop("Anna", 1_000, 50).await;
    let buyer = stand.market.buyer();
    let (mut shipped, mut cancelled) = (0, 0);
    for round in 0..10 {
        let order = stand.buy(&buyer, &[(&shop, 1)], "tok_visa").await.order.unwrap();
        stand.market.settle().await;
        let sub = order.sub_orders[0].sub_order_id.clone();
        accept(&stand, &shop, &sub).await;
        let mut orders = stand.orders();
        let cancel = orders.cancel_sub_order(buyer.request(CancelSubOrderRequest { sub_order_id: sub.clone(), reason: String::new() }));
        let number = format!("1Z{round}");
        let (cancel, ship) = tokio::join!(cancel, ship(&stand, &shop, &sub, &number, vec![]));
        assert!(cancel.is_ok() != ship.is_ok(), "one wins: {cancel:?} {ship:?}");
        stand.market.settle().await;
        let now = stand.order(&buyer, &order.order_id).await;
        if ship.is_ok() {
            shipped += 1;
            assert_eq!(reason(cancel), "NOT_CANCELLABLE");
            assert_eq!((now.state(), now.refunded.unwrap().amount_minor), (OrderState::Shipped, 0));
        } else {
            cancelled += 1;
            assert_eq!((now.state(), now.refunded), (OrderState::Cancelled, now.totals.unwrap().total));
        }
    }
    assert_eq!(stand.stock(&shop).await, (50 - shipped, 0));
    assert_eq!(shipped + cancelled, 10);
    stand.all_adds_up().await;
    stand.close().await;
}

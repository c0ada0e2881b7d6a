//! Orders takes back what has not left: all of it, some pieces; or sends it elsewhere.

use api_fulfillment::fulfillment_event::Body;
use api_fulfillment::{CutFulfillmentRequest, FulfillmentState, ReaddressFulfillmentRequest, ShipmentLine, StopFulfillmentRequest};
use api_orders::{CancellationId, SubOrder};
use kit_rpc::Ctx;
use kit_rpc::proto::Address;
use tonic::Status;

use crate::stand::{Stand, address, fields, pieces, reason};

async fn stop(stand: &Stand, ctx: &Ctx, part: &SubOrder) -> Result<(), Status> {
    let stop = StopFulfillmentRequest { tenant_id: part.tenant_id.clone(), sub_order_id: part.sub_order_id.clone(), order_id: part.order_id.clone() };
    stand.client().stop_fulfillment(ctx.request(stop)).await.map(|_| ())
}

async fn cut(stand: &Stand, ctx: &Ctx, part: &SubOrder, cancellation: CancellationId, lines: Vec<ShipmentLine>) -> Result<(), Status> {
    let cut = CutFulfillmentRequest {
        tenant_id: part.tenant_id.clone(),
        sub_order_id: part.sub_order_id.clone(),
        cancellation_id: cancellation.to_string(),
        lines,
    };
    stand.client().cut_fulfillment(ctx.request(cut)).await.map(|_| ())
}

/// Answers the version of the order with this address.
async fn readdress(stand: &Stand, ctx: &Ctx, part: &SubOrder, line1: &str) -> Result<u32, Status> {
    let readdress = ReaddressFulfillmentRequest {
        tenant_id: part.tenant_id.clone(),
        sub_order_id: part.sub_order_id.clone(),
        ship_to: Some(Address { line1: line1.to_owned(), ..address() }),
    };
    Ok(stand.client().readdress_fulfillment(ctx.request(readdress)).await?.into_inner().version)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_stopped_before_its_first_piece_leaves_and_not_after() {
    let stand = Stand::open().await;
    let (shop, service) = (stand.shop(), stand.market.service());
    let part = stand.accepted(&shop, &[("Mug", 2)]).await;
    for _ in 0..2 {
        stop(&stand, &service, &part).await.unwrap();
    }
    assert_eq!(stand.state(&shop, &part).await, FulfillmentState::Stopped);
    for refused in [stand.accept(&shop, &part).await, stand.pack(&shop, &part).await] {
        assert_eq!(reason(refused), "ILLEGAL_MOVE");
    }
    assert_eq!(reason(stand.ship(&shop, &part, "1Z1", vec![]).await), "ILLEGAL_MOVE");
    assert_eq!(stand.kinds(&part).await, ["accepted", "stopped"]);

    let part = stand.accepted(&shop, &[("Mug", 2)]).await;
    stand.ship(&shop, &part, "1Z1", vec![pieces(&part, 0, 1)]).await.unwrap();
    assert_eq!(reason(stop(&stand, &service, &part).await), "ALREADY_SHIPPED");
    assert_eq!(stand.state(&shop, &part).await, FulfillmentState::PartlyShipped);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_stopped_before_it_arrived_never_begins() {
    let stand = Stand::open().await;
    let shop = stand.shop();
    let part = stand.part(&shop, &[("Mug", 2)]);
    stop(&stand, &stand.market.service(), &part).await.unwrap();
    stand.confirm(&part).await;
    assert_eq!(reason(stand.get(&shop, &part).await), "FULFILLMENT_NOT_FOUND");
    assert_eq!(reason(stand.accept(&shop, &part).await), "FULFILLMENT_NOT_FOUND");
    assert_eq!(reason(stand.ship(&shop, &part, "1Z1", vec![]).await), "FULFILLMENT_NOT_FOUND");
    assert_eq!(stand.kinds(&part).await, ["stopped"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn shipping_and_stopping_at_once_have_one_winner() {
    let stand = Stand::open().await;
    let (shop, service) = (stand.shop(), stand.market.service());
    for _ in 0..12 {
        let part = stand.accepted(&shop, &[("Mug", 1)]).await;
        let (shipped, stopped) = tokio::join!(stand.ship(&shop, &part, "1Z1", vec![]), stop(&stand, &service, &part));
        let winner = if shipped.is_ok() { FulfillmentState::Shipped } else { FulfillmentState::Stopped };
        assert!(shipped.is_ok() != stopped.is_ok(), "one wins: {shipped:?} {stopped:?}");
        assert_eq!(stand.state(&shop, &part).await, winner);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_are_cut_once_for_each_cancellation_and_only_while_they_are_here() {
    let stand = Stand::open().await;
    let (shop, service) = (stand.shop(), stand.market.service());
    let part = stand.part(&shop, &[("Mug", 4), ("Lamp", 1)]);
    let (first, second, third) = (stand.market.ids.next(), stand.market.ids.next(), stand.market.ids.next());
    assert_eq!(reason(cut(&stand, &service, &part, first, vec![pieces(&part, 0, 1)]).await), "FULFILLMENT_NOT_FOUND", "not here yet");
    stand.confirm(&part).await;
    for _ in 0..2 {
        cut(&stand, &service, &part, first, vec![pieces(&part, 0, 1)]).await.unwrap();
        let order = stand.get(&shop, &part).await.unwrap();
        assert_eq!((order.lines[0].quantity, order.lines[1].quantity, order.state()), (3, 1, FulfillmentState::Open));
    }
    stand.accept(&shop, &part).await.unwrap();
    let shipped = stand.ship(&shop, &part, "1Z1", vec![pieces(&part, 0, 2)]).await.unwrap();
    assert_eq!(reason(cut(&stand, &service, &part, second, vec![pieces(&part, 0, 2)]).await), "ALREADY_SHIPPED", "one of them has left");
    let foreign = stand.part(&shop, &[("Vase", 1)]);
    assert_eq!(fields(cut(&stand, &service, &part, second, vec![pieces(&foreign, 0, 1)]).await), ["lines"]);
    stand.deliver(&shop, &shipped.shipment_id).await.unwrap();

    // With the last piece that had not left, all that was shipped is all there is, and it has arrived.
    cut(&stand, &service, &part, second, vec![pieces(&part, 0, 1)]).await.unwrap();
    assert_eq!(stand.state(&shop, &part).await, FulfillmentState::PartlyShipped);
    cut(&stand, &service, &part, third, vec![pieces(&part, 1, 1)]).await.unwrap();
    assert_eq!(stand.state(&shop, &part).await, FulfillmentState::Delivered);
    assert_eq!(reason(cut(&stand, &service, &part, stand.market.ids.next(), vec![pieces(&part, 0, 1)]).await), "ALREADY_SHIPPED");
    assert_eq!(stand.kinds(&part).await, ["cut", "accepted", "shipped", "delivered", "cut", "cut"]);
    let ends: Vec<_> =
        stand.told(&part).await.into_iter().filter_map(|told| if let Body::FulfillmentCut(cut) = told { Some(cut) } else { None }).collect();
    assert_eq!(ends.iter().map(|cut| (cut.all_shipped, cut.all_delivered)).collect::<Vec<_>>(), [(false, false), (false, false), (true, true)]);

    let part = stand.confirmed(&shop, &[("Mug", 1)]).await;
    cut(&stand, &service, &part, stand.market.ids.next(), vec![pieces(&part, 0, 1)]).await.unwrap();
    assert_eq!(stand.state(&shop, &part).await, FulfillmentState::Stopped, "nothing of it is left, and nothing has left");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_changes_until_it_is_packed() {
    let stand = Stand::open().await;
    let (shop, service) = (stand.shop(), stand.market.service());
    let part = stand.part(&shop, &[("Mug", 1)]);
    assert_eq!(reason(readdress(&stand, &service, &part, "2 Side Street").await), "FULFILLMENT_NOT_FOUND", "not here yet");
    stand.confirm(&part).await;
    let first = readdress(&stand, &service, &part, "2 Side Street").await.unwrap();
    assert_eq!(readdress(&stand, &service, &part, "2 Side Street").await.unwrap(), first, "the same address is no change");
    stand.accept(&shop, &part).await.unwrap();
    assert!(readdress(&stand, &service, &part, "3 Back Lane").await.unwrap() > first);
    let order = stand.pack(&shop, &part).await.unwrap();
    assert_eq!(order.ship_to.unwrap().line1, "3 Back Lane");
    assert_eq!(reason(readdress(&stand, &service, &part, "4 High Road").await), "ALREADY_PACKED");
    readdress(&stand, &service, &part, "3 Back Lane").await.unwrap();
    assert_eq!(stand.kinds(&part).await, ["readdressed", "accepted", "readdressed", "packed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_services_take_back() {
    let stand = Stand::open().await;
    let shop = stand.shop();
    let part = stand.accepted(&shop, &[("Mug", 2)]).await;
    for outsider in [stand.market.nobody(), stand.market.buyer(), shop.seller.clone(), stand.market.operator(&["orders.write"])] {
        assert!(stop(&stand, &outsider, &part).await.is_err(), "{outsider:?}");
        assert!(cut(&stand, &outsider, &part, stand.market.ids.next(), vec![pieces(&part, 0, 1)]).await.is_err(), "{outsider:?}");
        assert!(readdress(&stand, &outsider, &part, "2 Side Street").await.is_err(), "{outsider:?}");
    }
    assert_eq!(stand.kinds(&part).await, ["accepted"]);
}

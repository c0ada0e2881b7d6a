//! Fewer pieces and another address while an order is under way: the money exact, the shelf and the parcel right.

use std::collections::BTreeMap;

use api_fulfillment::{
    AcceptFulfillmentOrderRequest, FulfillmentOrder, FulfillmentState, GetFulfillmentOrderRequest, MarkDeliveredRequest, PackFulfillmentOrderRequest,
    ShipFulfillmentOrderRequest, ShipFulfillmentOrderResponse, ShipmentLine,
};
use api_orders::{
    CancelItemsRequest, CancelOrderRequest, ChangeShippingAddressRequest, GetSubOrderRequest, KeptLine, ListSubOrdersRequest, Order, OrderState,
    RefundState, SubOrder,
};
use api_payments::payments_client::PaymentsClient;
use api_payments::{AccountKind, ListLedgerRequest};
use kit_rpc::Ctx;
use kit_rpc::proto::Address;
use tonic::Status;

use crate::stand::{Shop, Stand, address, part_of, reason, usd};

async fn keep(stand: &Stand, ctx: &Ctx, part: &SubOrder, quantity: u32, reason: &str) -> Result<SubOrder, Status> {
    let lines = vec![KeptLine { item_id: part.items[0].item_id.clone(), quantity }];
    let request = CancelItemsRequest { sub_order_id: part.sub_order_id.clone(), lines, reason: reason.to_owned(), preview: false };
    Ok(stand.orders().cancel_items(ctx.request(request)).await?.into_inner().sub_order.unwrap())
}

async fn work(stand: &Stand, shop: &Shop, part: &SubOrder) -> FulfillmentOrder {
    let request = GetFulfillmentOrderRequest { sub_order_id: part.sub_order_id.clone() };
    stand.fulfillment().get_fulfillment_order(shop.seller.request(request)).await.unwrap().into_inner().fulfillment_order.unwrap()
}

async fn accept(stand: &Stand, shop: &Shop, part: &SubOrder) {
    let request = AcceptFulfillmentOrderRequest { sub_order_id: part.sub_order_id.clone() };
    stand.fulfillment().accept_fulfillment_order(shop.seller.request(request)).await.unwrap();
}

async fn ship(stand: &Stand, shop: &Shop, part: &SubOrder, number: &str, quantity: u32) -> Result<ShipFulfillmentOrderResponse, Status> {
    let request = ShipFulfillmentOrderRequest {
        sub_order_id: part.sub_order_id.clone(),
        carrier: "UPS".to_owned(),
        tracking_number: number.to_owned(),
        lines: vec![ShipmentLine { item_id: part.items[0].item_id.clone(), quantity }],
        ..ShipFulfillmentOrderRequest::default()
    };
    Ok(stand.fulfillment().ship_fulfillment_order(shop.seller.request(request)).await?.into_inner())
}

/// What the ledger holds of a part, by account; what is owed counts as more.
pub(crate) async fn owed(stand: &Stand, order: &Order, part: &SubOrder) -> BTreeMap<AccountKind, i64> {
    let operator = stand.market.operator(&["payments.read"]);
    let request = ListLedgerRequest { order_id: order.order_id.clone(), limit: 100, ..ListLedgerRequest::default() };
    let entries = PaymentsClient::new(stand.market.link("payments")).list_ledger(operator.request(request)).await.unwrap().into_inner().entries;
    let mut owed = BTreeMap::new();
    for posting in entries.iter().flat_map(|entry| &entry.postings).filter(|posting| posting.sub_order_id == part.sub_order_id) {
        *owed.entry(posting.account()).or_insert(0) -= posting.amount.as_ref().unwrap().amount_minor;
    }
    owed
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_go_back_with_their_exact_share_until_nothing_is_left() {
    let stand = Stand::open().await;
    let (anna, ben) = (stand.shop("Anna", 999, 10).await, stand.shop("Ben", 2_000, 5).await);
    let buyer = stand.market.buyer();
    let order = stand.buy(&buyer, &[(&anna, 3), (&ben, 1)], "tok_visa").await.order.unwrap();
    let part = part_of(&order, &anna);
    let shipping = part.totals.as_ref().unwrap().shipping.as_ref().unwrap().amount_minor;
    assert!(shipping > 0, "the part pays for shipping");
    let lines = vec![KeptLine { item_id: part.items[0].item_id.clone(), quantity: 1 }];
    let preview = CancelItemsRequest { sub_order_id: part.sub_order_id.clone(), lines, preview: true, ..Default::default() };
    let previewed = stand.orders().cancel_items(buyer.request(preview)).await.unwrap().into_inner();
    assert_eq!((previewed.preview.unwrap().amount, previewed.sub_order.unwrap().items[0].cancelled_quantity), (Some(usd(1_998)), 0));
    assert_eq!(reason(keep(&stand, &buyer, part, 3, "").await), "NOTHING_TO_CANCEL");
    // Right after the order, before the seller's side has heard of it.
    let fewer = keep(&stand, &buyer, part, 2, "").await.unwrap();
    assert_eq!((fewer.state(), fewer.refund_state(), fewer.refunded.clone()), (OrderState::Paid, RefundState::Done, Some(usd(999))));
    assert_eq!((fewer.items[0].quantity, fewer.items[0].cancelled_quantity), (3, 1));
    assert!(fewer.cancellations[0].stopped && !fewer.cancellations[0].whole);
    assert_eq!(stand.stock(&anna).await, (8, 0));
    stand.market.settle().await;
    assert_eq!(work(&stand, &anna, part).await.lines[0].quantity, 2);
    assert_eq!(keep(&stand, &buyer, part, 2, "").await.unwrap().refunded, Some(usd(999)), "asked again, nothing more");

    assert_eq!(reason(keep(&stand, &ben.seller, part, 1, "not mine").await), "ORDER_NOT_FOUND");
    assert_eq!(reason(keep(&stand, &stand.market.buyer(), part, 1, "").await), "ORDER_NOT_FOUND");
    assert_eq!(reason(keep(&stand, &anna.seller, part, 1, " ").await), "INVALID_REQUEST");
    let more = keep(&stand, &buyer, part, 3, "").await.unwrap_err();
    assert_eq!(kit_rpc::problem_of(&more).violations[0].field, "lines[0].quantity");

    let whole = stand.market.seller(anna.tenant, &["orders.read"]);
    let shown = async || {
        let request = GetSubOrderRequest { sub_order_id: part.sub_order_id.clone() };
        stand.orders().get_sub_order(whole.request(request)).await.unwrap().into_inner().sub_order.unwrap()
    };
    let placed = shown().await;
    let commission = placed.commission.unwrap().amount_minor;
    let returned = placed.commission_returned.unwrap().amount_minor;
    assert_eq!(returned, (commission + 1) / 3, "a third of the commission, to the cent");
    let list = stand.orders().list_sub_orders(whole.request(ListSubOrdersRequest::default())).await.unwrap().into_inner().sub_orders;
    let listed = list.iter().find(|listed| listed.sub_order_id == part.sub_order_id).unwrap();
    assert_eq!(listed.commission_returned, Some(usd(returned)), "a list tells the same as the part itself");
    assert_eq!(listed.cancellations.len(), 1);
    let left = owed(&stand, &order, part).await;
    assert_eq!(left[&AccountKind::PlatformCommission], commission - returned);
    assert_eq!(left[&AccountKind::TenantPayable], 2 * 999 - (commission - returned));
    assert_eq!(left[&AccountKind::TenantShipping], shipping, "shipping stays as long as something is shipped");

    let seller_cancels = keep(&stand, &anna.seller, part, 1, "One broke").await.unwrap();
    assert_eq!(seller_cancels.cancellations[1].cancelled_by, "seller");
    let last = keep(&stand, &buyer, part, 0, "").await.unwrap();
    assert_eq!((last.state(), last.refunded.clone()), (OrderState::Cancelled, part.totals.as_ref().unwrap().total.clone()));
    assert!(last.cancellations[2].whole);
    assert_eq!(keep(&stand, &buyer, part, 0, "").await.unwrap().refunded, last.refunded, "asked again, nothing more");
    assert!(owed(&stand, &order, part).await.values().all(|owed| *owed == 0), "everything of the part went back");
    assert_eq!(work(&stand, &anna, part).await.state(), FulfillmentState::Stopped);
    assert_eq!((stand.stock(&anna).await, stand.stock(&ben).await), ((10, 0), (4, 0)));
    let now = stand.order(&buyer, &order.order_id).await;
    assert_eq!((now.state(), now.refunded), (OrderState::Paid, last.refunded));
    let told: Vec<&str> = now.timeline.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(told.iter().filter(|kind| **kind == "items_cancelled").count(), 2);
    assert_eq!(told.iter().filter(|kind| **kind == "refunded").count(), 3);
    stand.market.settle().await;
    stand.all_adds_up().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_left_is_not_cancelled_and_the_rest_ends_the_part() {
    let stand = Stand::open().await;
    let shop = stand.shop("Anna", 1_000, 10).await;
    let buyer = stand.market.buyer();
    let order = stand.buy(&buyer, &[(&shop, 3)], "tok_visa").await.order.unwrap();
    let part = &order.sub_orders[0];
    stand.market.settle().await;
    accept(&stand, &shop, part).await;
    let sent = ship(&stand, &shop, part, "1Z1", 1).await.unwrap();
    stand.market.settle().await;
    assert_eq!(reason(keep(&stand, &buyer, part, 0, "").await), "NOT_CANCELLABLE");
    let now = stand.order(&buyer, &order.order_id).await;
    assert_eq!((now.sub_orders[0].items[0].cancelled_quantity, now.refunded), (0, Some(usd(0))), "nothing of it happened");
    let rest = keep(&stand, &buyer, part, 1, "").await.unwrap();
    assert_eq!(rest.refunded, Some(usd(2_000)), "without the shipping of the parcel that is on its way");
    stand.market.settle().await;
    assert_eq!(stand.order(&buyer, &order.order_id).await.state(), OrderState::Shipped, "nothing else is to be sent");
    assert_eq!(reason(keep(&stand, &buyer, part, 0, "").await), "NOT_CANCELLABLE");
    stand.fulfillment().mark_delivered(shop.seller.request(MarkDeliveredRequest { shipment_id: sent.shipment_id })).await.unwrap();
    stand.market.settle().await;
    assert_eq!(stand.order(&buyer, &order.order_id).await.state(), OrderState::Completed);
    assert_eq!(stand.stock(&shop).await, (9, 0));
    stand.all_adds_up().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn buyer_and_seller_at_once_never_send_and_refund_the_same_piece() {
    let stand = Stand::open().await;
    let shop = stand.shop("Anna", 1_000, 100).await;
    let buyer = stand.market.buyer();
    let mut sold = 0;
    for round in 0_u32..6 {
        let order = stand.buy(&buyer, &[(&shop, 4)], "tok_visa").await.order.unwrap();
        let part = &order.sub_orders[0];
        stand.market.settle().await;
        accept(&stand, &shop, part).await;
        let number = format!("1Z{round}");
        let ((three, one), sent) = tokio::join!(
            async { tokio::join!(keep(&stand, &buyer, part, 3, ""), keep(&stand, &shop.seller, part, 1, "out of them")) },
            ship(&stand, &shop, part, &number, 3)
        );
        for refused in [three.err(), one.err()].into_iter().flatten() {
            let why = kit_rpc::problem_of(&refused).reason;
            assert!(["NOT_CANCELLABLE", "INVALID_REQUEST"].contains(&why.as_str()), "{refused:?}");
        }
        stand.market.settle().await;
        let now = stand.order(&buyer, &order.order_id).await;
        let cancelled = i64::from(now.sub_orders[0].items[0].cancelled_quantity);
        let shipped = if sent.is_ok() { 3 } else { 0 };
        assert!(shipped + cancelled <= 4, "{now:#?}");
        assert_eq!(now.refunded, Some(usd(cancelled * 1_000)));
        sold += 4 - cancelled;
        assert_eq!(stand.stock(&shop).await, (100 - sold, 0));
    }
    stand.all_adds_up().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_and_then_the_whole_order_add_up() {
    let stand = Stand::open().await;
    let (anna, ben) = (stand.shop("Anna", 333, 10).await, stand.shop("Ben", 77, 50).await);
    let buyer = stand.market.buyer();
    let order = stand.buy(&buyer, &[(&anna, 5), (&ben, 13)], "tok_visa").await.order.unwrap();
    for (shop, quantity) in [(&ben, 11), (&anna, 4), (&ben, 6), (&anna, 1), (&ben, 5)] {
        keep(&stand, &buyer, part_of(&order, shop), quantity, "").await.unwrap();
        stand.all_adds_up().await;
    }
    let request = CancelOrderRequest { order_id: order.order_id.clone(), ..CancelOrderRequest::default() };
    stand.orders().cancel_order(buyer.request(request)).await.unwrap();
    let over = stand.all_is_refunded(&buyer, &order).await;
    assert_eq!(over.state(), OrderState::Cancelled);
    for part in &order.sub_orders {
        assert!(owed(&stand, &order, part).await.values().all(|owed| *owed == 0));
    }
    assert_eq!((stand.stock(&anna).await, stand.stock(&ben).await), ((10, 0), (50, 0)));
    stand.market.settle().await;
    stand.all_adds_up().await;
    stand.close().await;
}

async fn send_to(stand: &Stand, ctx: &Ctx, order: &Order, to: Address) -> Result<Order, Status> {
    let request = ChangeShippingAddressRequest { order_id: order.order_id.clone(), shipping_address: Some(to) };
    Ok(stand.orders().change_shipping_address(ctx.request(request)).await?.into_inner().order.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_goes_elsewhere_until_it_is_packed() {
    let stand = Stand::open().await;
    let (anna, ben) = (stand.shop("Anna", 1_000, 5).await, stand.shop("Ben", 2_000, 5).await);
    let buyer = stand.market.buyer();
    let to = |line1: &str| Address { line1: line1.to_owned(), ..address() };
    let waiting = stand.buy(&buyer, &[(&anna, 1)], "tok_declined").await.order.unwrap();
    let moved = send_to(&stand, &buyer, &waiting, to("2 Side Street")).await.unwrap();
    assert_eq!(moved.shipping_address.unwrap().line1, "2 Side Street", "before it is paid");

    let order = stand.buy(&buyer, &[(&anna, 1), (&ben, 1)], "tok_visa").await.order.unwrap();
    let (of_anna, of_ben) = (part_of(&order, &anna), part_of(&order, &ben));
    assert_eq!(reason(send_to(&stand, &stand.market.buyer(), &order, to("x")).await), "ORDER_NOT_FOUND");
    assert_eq!(
        reason(send_to(&stand, &buyer, &order, Address { country: "GB".to_owned(), postal_code: "SW1A 1AA".to_owned(), ..to("x") }).await),
        "ADDRESS_FIXED"
    );
    assert_eq!(reason(send_to(&stand, &buyer, &order, Address { postal_code: "no".to_owned(), ..to("x") }).await), "INVALID_REQUEST");
    let moved = send_to(&stand, &buyer, &order, to("3 Side Street")).await.unwrap();
    assert_eq!(moved.shipping_address.unwrap().line1, "3 Side Street");
    stand.market.settle().await;
    for (shop, part) in [(&anna, of_anna), (&ben, of_ben)] {
        assert_eq!(work(&stand, shop, part).await.ship_to.unwrap().line1, "3 Side Street");
    }
    // Anna packs; from now on only Ben's part moves.
    accept(&stand, &anna, of_anna).await;
    let pack = PackFulfillmentOrderRequest { sub_order_id: of_anna.sub_order_id.clone() };
    stand.fulfillment().pack_fulfillment_order(anna.seller.request(pack)).await.unwrap();
    let moved = send_to(&stand, &buyer, &order, to("4 Side Street")).await.unwrap();
    assert_eq!(moved.shipping_address.as_ref().unwrap().line1, "3 Side Street");
    assert_eq!(part_of(&moved, &ben).shipping_address.as_ref().unwrap().line1, "4 Side Street");
    assert!(part_of(&moved, &anna).shipping_address.is_none());
    send_to(&stand, &buyer, &order, to("5 Side Street")).await.unwrap();
    send_to(&stand, &buyer, &order, to("4 Side Street")).await.unwrap();
    stand.market.settle().await;
    let now = stand.order(&buyer, &order.order_id).await;
    assert_eq!(part_of(&now, &ben).shipping_address.as_ref().unwrap().line1, "4 Side Street", "late news does not undo newer news");
    assert_eq!(work(&stand, &anna, of_anna).await.ship_to.unwrap().line1, "3 Side Street");
    keep(&stand, &buyer, of_ben, 0, "").await.unwrap();
    assert_eq!(reason(send_to(&stand, &buyer, &order, to("6 Side Street")).await), "ADDRESS_FIXED");
    stand.market.settle().await;
    stand.close().await;
}

//! What orders tell: events for other services and live pages, entries of the timeline for people.

use api_orders as api;
use api_orders::order_event::Body;
use kit_core::{TenantId, Time};
use kit_db::Event;
use kit_rpc::timestamp;
use prost::Message;

use crate::returns::ReturnState;
use crate::saga::machine::{Tell, Why};
use crate::store::rows::{ShipmentDoc, WholeOrder};
use crate::store::{CancellationRow, ItemRow, OrderRow, ReturnRow, SubRow, TimelineRow};
use crate::view::{self, Reader};

/// An event with its order as the key, so that whoever watches the order sees it.
pub(crate) fn event(order: &OrderRow, tenant: Option<TenantId>, body: Body) -> Event {
    let kind = match &body {
        Body::OrderPlaced(_) => "order_placed",
        Body::OrderPaid(_) => "order_paid",
        Body::SubOrderConfirmed(_) => "sub_order_confirmed",
        Body::SubOrderProgressed(_) => "sub_order_progressed",
        Body::SubOrderCancelled(_) => "sub_order_cancelled",
        Body::OrderPaymentPending(_) => "order_payment_pending",
        Body::OrderPaymentFailed(_) => "order_payment_failed",
        Body::OrderCancelled(_) => "order_cancelled",
        Body::OrderCompleted(_) => "order_completed",
        Body::SubOrderRefunded(_) => "sub_order_refunded",
        Body::SubOrderRefundFailed(_) => "sub_order_refund_failed",
        Body::ItemsCancelled(_) => "items_cancelled",
        Body::SubOrderReaddressed(_) => "sub_order_readdressed",
        Body::ReturnRequested(_) => "return_requested",
        Body::ReturnApproved(_) => "return_approved",
        Body::ReturnRefused(_) => "return_refused",
        Body::ReturnWithdrawn(_) => "return_withdrawn",
        Body::ReturnSent(_) => "return_sent",
        Body::ReturnReceived(_) => "return_received",
        Body::ReturnRefunded(_) => "return_refunded",
        Body::ReturnExpired(_) => "return_expired",
    };
    Event { key: order.order_id, tenant, kind, payload: api::OrderEvent { body: Some(body) }.encode_to_vec(), change: None }
}

/// Who cancelled, and what people read about it.
pub(crate) fn cancelled_because(why: Why, note: &str) -> (&'static str, String) {
    let told = |plain: &str| if note.is_empty() { plain.to_owned() } else { note.to_owned() };
    match why {
        Why::OutOfStock => ("market", told("It is no longer in stock")),
        Why::StockLost => ("market", "The goods were not paid in time and went to someone else".to_owned()),
        Why::Unpaid => ("market", "It was not paid in time".to_owned()),
        Why::CaptureRefused => ("market", "The bank did not release the payment".to_owned()),
        Why::Buyer => ("buyer", told("Cancelled by the buyer")),
        Why::Operator => ("operator", told("Cancelled by the marketplace")),
    }
}

/// The events of what the saga told. Parts and lines must be loaded for `Confirmed` and `Paid`.
pub(crate) fn events_of(whole: &WholeOrder, tell: &Tell) -> Vec<Event> {
    let order = &whole.order;
    let of_order = |body| vec![event(order, None, body)];
    let reference = Some(view::order_ref(order));
    match tell {
        Tell::Reserved => Vec::new(),
        Tell::PaymentPending => of_order(Body::OrderPaymentPending(api::OrderPaymentPending { r#ref: reference })),
        Tell::PaymentFailed { message } => of_order(Body::OrderPaymentFailed(api::OrderPaymentFailed {
            r#ref: reference,
            reason: message.clone(),
            pay_until: order.saga.pay_until().map(timestamp),
        })),
        Tell::Confirmed => of_order(Body::OrderPlaced(api::OrderPlaced {
            r#ref: reference,
            order: Some(view::order(whole, &[], Reader::Market)),
            from_cart: order.from_cart,
        })),
        Tell::Paid => paid(whole, reference),
        Tell::Cancelled { why, note } => {
            // An order that never held stock is not shown to anybody, so there is nobody to tell.
            let (by, reason) = cancelled_because(*why, note);
            let shown = order.reserved_at.is_some();
            let body = Body::OrderCancelled(api::OrderCancelled { r#ref: reference, reason, cancelled_by: by.to_owned() });
            if shown { of_order(body) } else { Vec::new() }
        }
        Tell::MoneyReturned => whole.subs.iter().map(|sub| refunded(order, sub, &refund_of_payment(order), sub.total_minor)).collect(),
        Tell::MoneyStuck => {
            let failed = |sub| refund_failed(order, sub, &refund_of_payment(order), sub.total_minor, "the PSP refused it");
            whole.subs.iter().map(failed).collect()
        }
    }
}

fn refund_of_payment(order: &OrderRow) -> String {
    order.saga.last_attempt().map(|attempt| attempt.refund_id.to_string()).unwrap_or_default()
}

fn paid(whole: &WholeOrder, reference: Option<api::OrderRef>) -> Vec<Event> {
    let order = &whole.order;
    let amount = Some(kit_rpc::proto::Money { amount_minor: order.total_minor, currency: order.currency.clone() });
    let payment_id = order.saga.last_attempt().map(|attempt| attempt.payment_id.to_string()).unwrap_or_default();
    let mut events = vec![event(order, None, Body::OrderPaid(api::OrderPaid { r#ref: reference.clone(), payment_id, amount }))];
    for sub in &whole.subs {
        let items: Vec<&ItemRow> = whole.items.iter().filter(|item| item.sub_order_id == sub.sub_order_id).collect();
        let sub_order = Some(view::sub_order(sub, &items, Reader::Market));
        events.push(event(
            order,
            Some(sub.tenant_id.into()),
            Body::SubOrderConfirmed(api::SubOrderConfirmed { r#ref: reference.clone(), sub_order }),
        ));
    }
    events
}

/// The entry of the timeline of what the saga told.
pub(crate) fn entry_of(order: &OrderRow, tell: &Tell, now: Time, actor: &str) -> TimelineRow {
    let (kind, message) = match tell {
        Tell::Reserved => ("reserved", "The goods are reserved".to_owned()),
        Tell::PaymentPending => ("payment_pending", "Waiting for the payment".to_owned()),
        Tell::PaymentFailed { message } => ("payment_failed", if message.is_empty() { "The payment failed".to_owned() } else { message.clone() }),
        Tell::Confirmed => ("confirmed", "The order is confirmed".to_owned()),
        Tell::Paid => ("paid", "The payment arrived".to_owned()),
        Tell::Cancelled { why, note } => ("cancelled", cancelled_because(*why, note).1),
        Tell::MoneyReturned => ("refunded", "The payment was returned".to_owned()),
        Tell::MoneyStuck => ("refund_failed", "The payment could not be returned; we are looking at it".to_owned()),
    };
    order.timeline(now, kind, message, actor)
}

pub(crate) fn progressed(order: &OrderRow, sub: &SubRow, previous: crate::model::OrderState, shipment: Option<&ShipmentDoc>) -> Event {
    let body = api::SubOrderProgressed {
        r#ref: Some(view::order_ref(order)),
        tenant_id: TenantId::from(sub.tenant_id).to_string(),
        sub_order_id: api::SubOrderId::from(sub.sub_order_id).to_string(),
        state: view::state(sub.state()).into(),
        previous_state: view::state(previous).into(),
        shipment: shipment.map(view::shipment),
        store_name: sub.store_name.clone(),
    };
    event(order, Some(sub.tenant_id.into()), Body::SubOrderProgressed(body))
}

pub(crate) fn sub_cancelled(order: &OrderRow, sub: &SubRow, cancellation: &CancellationRow, items: &[ItemRow]) -> Event {
    let body = api::SubOrderCancelled {
        r#ref: Some(view::order_ref(order)),
        tenant_id: TenantId::from(sub.tenant_id).to_string(),
        sub_order_id: api::SubOrderId::from(sub.sub_order_id).to_string(),
        reason: sub.cancel_reason.clone(),
        cancelled_by: sub.cancelled_by.clone(),
        refund_due: refund_due(sub, cancellation),
        store_name: sub.store_name.clone(),
        items: cancelled_items(sub, cancellation, items),
    };
    event(order, Some(sub.tenant_id.into()), Body::SubOrderCancelled(body))
}

/// Some pieces of a part are cancelled; the rest goes on.
pub(crate) fn items_cancelled(order: &OrderRow, sub: &SubRow, cancellation: &CancellationRow, items: &[ItemRow]) -> Event {
    let body = api::ItemsCancelled {
        r#ref: Some(view::order_ref(order)),
        tenant_id: TenantId::from(sub.tenant_id).to_string(),
        sub_order_id: api::SubOrderId::from(sub.sub_order_id).to_string(),
        cancellation_id: api::CancellationId::from(cancellation.cancellation_id).to_string(),
        reason: cancellation.reason.clone(),
        cancelled_by: cancellation.cancelled_by.clone(),
        refund_due: refund_due(sub, cancellation),
        store_name: sub.store_name.clone(),
        items: cancelled_items(sub, cancellation, items),
    };
    event(order, Some(sub.tenant_id.into()), Body::ItemsCancelled(body))
}

fn refund_due(sub: &SubRow, cancellation: &CancellationRow) -> Option<kit_rpc::proto::Money> {
    Some(kit_rpc::proto::Money { amount_minor: cancellation.amount_minor, currency: sub.currency.clone() })
}

/// The lines of a cancellation, with its pieces as their quantity and its share as their sum.
fn cancelled_items(sub: &SubRow, cancellation: &CancellationRow, items: &[ItemRow]) -> Vec<api::Item> {
    let money = |minor| Some(kit_rpc::proto::Money { amount_minor: minor, currency: sub.currency.clone() });
    let shown = cancellation.lines.iter().filter_map(|line| {
        let item = items.iter().find(|item| item.item_id == line.item_id)?;
        let mut shown = view::item(item, &sub.currency, None);
        shown.quantity = line.quantity;
        shown.line_total = money(line.share.goods);
        shown.discount = money(line.share.discount);
        shown.tax = money(line.share.tax);
        Some(shown)
    });
    shown.collect()
}

/// What the timeline calls the step a return has just made.
pub(crate) fn return_kind(row: &ReturnRow) -> &'static str {
    match row.state() {
        ReturnState::Requested => "return_requested",
        ReturnState::Approved => "return_approved",
        ReturnState::Refused => "return_refused",
        ReturnState::Withdrawn => "return_withdrawn",
        ReturnState::Sent => "return_sent",
        ReturnState::Received => "return_received",
        ReturnState::Refunded => "return_refunded",
        ReturnState::Expired => "return_expired",
    }
}

/// A return came to be or moved on.
pub(crate) fn return_moved(order: &OrderRow, row: &ReturnRow, shown: api::Return) -> Event {
    let moved = api::ReturnMoved { r#ref: Some(view::order_ref(order)), r#return: Some(shown) };
    let body = match row.state() {
        ReturnState::Requested => Body::ReturnRequested(moved),
        ReturnState::Approved => Body::ReturnApproved(moved),
        ReturnState::Refused => Body::ReturnRefused(moved),
        ReturnState::Withdrawn => Body::ReturnWithdrawn(moved),
        ReturnState::Sent => Body::ReturnSent(moved),
        ReturnState::Received => Body::ReturnReceived(moved),
        ReturnState::Refunded => Body::ReturnRefunded(moved),
        ReturnState::Expired => Body::ReturnExpired(moved),
    };
    event(order, Some(row.tenant_id.into()), body)
}

/// A part goes to another address.
pub(crate) fn readdressed(order: &OrderRow, sub: &SubRow) -> Event {
    let body = api::SubOrderReaddressed {
        r#ref: Some(view::order_ref(order)),
        tenant_id: TenantId::from(sub.tenant_id).to_string(),
        sub_order_id: api::SubOrderId::from(sub.sub_order_id).to_string(),
        store_name: sub.store_name.clone(),
        shipping_address: Some(sub.ship_to.0.clone().into()),
    };
    event(order, Some(sub.tenant_id.into()), Body::SubOrderReaddressed(body))
}

pub(crate) fn refunded(order: &OrderRow, sub: &SubRow, refund_id: &str, amount_minor: i64) -> Event {
    let body = api::SubOrderRefunded {
        r#ref: Some(view::order_ref(order)),
        tenant_id: TenantId::from(sub.tenant_id).to_string(),
        sub_order_id: api::SubOrderId::from(sub.sub_order_id).to_string(),
        refund_id: refund_id.to_owned(),
        amount: Some(kit_rpc::proto::Money { amount_minor, currency: sub.currency.clone() }),
    };
    event(order, Some(sub.tenant_id.into()), Body::SubOrderRefunded(body))
}

pub(crate) fn refund_failed(order: &OrderRow, sub: &SubRow, refund_id: &str, amount_minor: i64, reason: &str) -> Event {
    let body = api::SubOrderRefundFailed {
        r#ref: Some(view::order_ref(order)),
        tenant_id: TenantId::from(sub.tenant_id).to_string(),
        sub_order_id: api::SubOrderId::from(sub.sub_order_id).to_string(),
        refund_id: refund_id.to_owned(),
        amount: Some(kit_rpc::proto::Money { amount_minor, currency: sub.currency.clone() }),
        reason: reason.to_owned(),
    };
    event(order, Some(sub.tenant_id.into()), Body::SubOrderRefundFailed(body))
}

pub(crate) fn completed(order: &OrderRow, subs: &[SubRow]) -> Event {
    let tenant_ids =
        subs.iter().filter(|sub| sub.state() != crate::model::OrderState::Cancelled).map(|sub| TenantId::from(sub.tenant_id).to_string());
    event(order, None, Body::OrderCompleted(api::OrderCompleted { r#ref: Some(view::order_ref(order)), tenant_ids: tenant_ids.collect() }))
}

/// Every part was cancelled, one by one.
pub(crate) fn all_cancelled(order: &OrderRow) -> Event {
    let body =
        api::OrderCancelled { r#ref: Some(view::order_ref(order)), reason: order.cancel_reason.clone(), cancelled_by: order.cancelled_by.clone() };
    event(order, None, Body::OrderCancelled(body))
}

//! Rows as contracts show them.

use std::collections::HashMap;

use api_orders as api;
use chrono::{DateTime, Utc};
use kit_core::{Currency, Money};
use kit_rpc::{proto, timestamp};
use uuid::Uuid;

use crate::error::Error;
use crate::model::{Draft, DraftPart, Line, OrderState, Totals};
use crate::return_view;
use crate::returns::ReturnState;
use crate::saga::machine::Next;
use crate::store::checkouts::CheckoutRow;
use crate::store::rows::{ShipmentDoc, TrackingDoc, WholeOrder};
use crate::store::{CancellationRow, ItemRow, OrderRow, ReturnRow, SubRow, TimelineRow};

/// Who reads: commission is between the seller and the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    Buyer,
    /// The seller, an operator, a service.
    Market,
}

fn money(minor: i64, currency: &str) -> proto::Money {
    proto::Money { amount_minor: minor, currency: currency.to_owned() }
}

fn count(number: i32) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

pub(crate) fn order(whole: &WholeOrder, timeline: &[TimelineRow], reader: Reader) -> api::Order {
    let mut items: HashMap<Uuid, Vec<&ItemRow>> = HashMap::new();
    for item in &whole.items {
        items.entry(item.sub_order_id).or_default().push(item);
    }
    let subs = whole.subs.iter().map(|sub| {
        let mut view = sub_order(sub, items.get(&sub.sub_order_id).map_or(&[][..], Vec::as_slice), reader);
        if sub.state() == OrderState::Created {
            view.state = state(whole.order.state()).into();
        }
        if reader == Reader::Buyer {
            view.shipping_address = view.shipping_address.filter(|_| sub.ship_to != whole.order.shipping_address);
            view.email.clear();
        }
        view.cancellations = cancellations_of(sub, &whole.cancellations);
        view.returns = returns_of(sub, &whole.returns, &whole.items, reader);
        view.commission_returned = commission_returned(sub, &whole.cancellations, &whole.returns, reader);
        view
    });
    let row = &whole.order;
    let open = matches!(row.state(), OrderState::Created | OrderState::Reserved | OrderState::PaymentPending | OrderState::PaymentFailed);
    let currency = row.currency.as_str();
    api::Order {
        order_id: api::OrderId::from(row.order_id).to_string(),
        number: row.number.clone(),
        state: state(row.state()).into(),
        buyer_id: kit_core::UserId::from(row.buyer_id).to_string(),
        email: row.email.clone(),
        shipping_address: Some(row.shipping_address.0.clone().into()),
        billing_address: Some(row.billing_address.0.clone().into()),
        sub_orders: subs.collect(),
        totals: Some(totals_of_row(currency, row.items_minor, row.tax_minor, row.shipping_minor, row.discount_minor, row.total_minor)),
        refunded: Some(money(row.refunded_minor, currency)),
        timeline: timeline.iter().map(timeline_entry).collect(),
        placed_at: Some(timestamp(row.placed_at)),
        updated_at: Some(timestamp(row.updated_at)),
        next_action: open.then(|| next_action(row)),
        pay_until: row.saga.pay_until().filter(|_| open).map(timestamp),
        cancel_reason: row.cancel_reason.clone(),
        version: count(row.version),
        payment_id: row.saga.last_attempt().map(|attempt| attempt.payment_id.to_string()).unwrap_or_default(),
    }
}

/// What the buyer has to do now.
pub(crate) fn next_action(row: &OrderRow) -> api::NextAction {
    use api::NextActionKind::{None, Redirect, Retry, Wait};
    let (kind, url, message) = match row.saga.next_action() {
        Next::Nothing => (None, String::new(), String::new()),
        Next::GoTo(url) => (Redirect, url, "Confirm the payment on your bank's page".to_owned()),
        Next::Wait => (Wait, String::new(), "The payment is on its way".to_owned()),
        Next::PayAgain(message) => (Retry, String::new(), message),
    };
    api::NextAction { kind: kind.into(), url, message }
}

pub(crate) fn sub_order(row: &SubRow, items: &[&ItemRow], reader: Reader) -> api::SubOrder {
    let currency = row.currency.as_str();
    let commission_bps = (reader == Reader::Market).then(|| count(row.commission_bps));
    let days = |days: i32| row.placed_at.checked_add_signed(chrono::Duration::days(i64::from(days))).map(timestamp);
    api::SubOrder {
        sub_order_id: api::SubOrderId::from(row.sub_order_id).to_string(),
        order_id: api::OrderId::from(row.order_id).to_string(),
        number: row.number.clone(),
        tenant_id: kit_core::TenantId::from(row.tenant_id).to_string(),
        store_name: row.store_name.clone(),
        state: state(row.state()).into(),
        items: items.iter().map(|item_row| item(item_row, currency, commission_bps)).collect(),
        totals: Some(totals_of_row(currency, row.items_minor, row.tax_minor, row.shipping_minor, row.discount_minor, row.total_minor)),
        commission: (reader == Reader::Market).then(|| money(row.commission_minor, currency)),
        shipping_method: row.shipping_method.clone(),
        deliver_from: days(row.min_days),
        deliver_by: days(row.max_days),
        shipments: row.shipments.iter().map(shipment).collect(),
        cancel_reason: row.cancel_reason.clone(),
        cancelled_by: row.cancelled_by.clone(),
        refund_state: refund_state(&row.refund_state).into(),
        refunded: Some(money(row.refunded_minor, currency)),
        placed_at: Some(timestamp(row.placed_at)),
        shipping_address: Some(row.ship_to.0.clone().into()),
        email: row.email.clone(),
        timeline: Vec::new(),
        version: count(row.version),
        cancellations: Vec::new(),
        commission_returned: None,
        returns: Vec::new(),
        returnable_until: row.returnable_until.map(timestamp),
    }
}

/// A part with what was cancelled of it and came back; rows of other parts are left out.
pub(crate) fn part(row: &SubRow, items: &[ItemRow], cancellations: &[CancellationRow], returns: &[ReturnRow], reader: Reader) -> api::SubOrder {
    let own: Vec<_> = items.iter().filter(|item| item.sub_order_id == row.sub_order_id).collect();
    let mut shown = sub_order(row, &own, reader);
    shown.cancellations = cancellations_of(row, cancellations);
    shown.returns = returns_of(row, returns, items, reader);
    shown.commission_returned = commission_returned(row, cancellations, returns, reader);
    shown
}

fn commission_returned(row: &SubRow, cancellations: &[CancellationRow], returns: &[ReturnRow], reader: Reader) -> Option<proto::Money> {
    let done = cancellations.iter().filter(|known| known.sub_order_id == row.sub_order_id && known.is_done());
    let back = returns.iter().filter(|known| known.sub_order_id == row.sub_order_id && known.state() == ReturnState::Refunded);
    let sum = done.map(|known| known.commission_minor).chain(back.map(|known| known.commission_minor)).sum();
    (reader == Reader::Market).then(|| money(sum, &row.currency))
}

fn returns_of(row: &SubRow, returns: &[ReturnRow], items: &[ItemRow], reader: Reader) -> Vec<api::Return> {
    let own = returns.iter().filter(|known| known.sub_order_id == row.sub_order_id);
    own.map(|known| return_view::shown(known, row, items, reader)).collect()
}

fn cancellations_of(row: &SubRow, cancellations: &[CancellationRow]) -> Vec<api::Cancellation> {
    let own = cancellations.iter().filter(|known| known.sub_order_id == row.sub_order_id && !known.came_too_late());
    own.map(|known| cancellation(known, &row.currency)).collect()
}

pub(crate) fn cancellation(row: &CancellationRow, currency: &str) -> api::Cancellation {
    let line = |line: &crate::share::Taken| api::CancelledLine { item_id: api::ItemId::from(line.item_id).to_string(), quantity: line.quantity };
    api::Cancellation {
        cancellation_id: api::CancellationId::from(row.cancellation_id).to_string(),
        lines: row.lines.iter().map(line).collect(),
        whole: row.whole,
        amount: Some(money(row.amount_minor, currency)),
        refund_state: refund_state(&row.refund_state).into(),
        reason: row.reason.clone(),
        cancelled_by: row.cancelled_by.clone(),
        created_at: Some(timestamp(row.created_at)),
        stopped: row.is_done(),
    }
}

pub(crate) fn item(row: &ItemRow, currency: &str, commission_bps: Option<u32>) -> api::Item {
    api::Item {
        item_id: api::ItemId::from(row.item_id).to_string(),
        product_id: api_catalog::ProductId::from(row.product_id).to_string(),
        variant_id: api_catalog::VariantId::from(row.variant_id).to_string(),
        title: row.title.clone(),
        options: row.options.clone(),
        sku: row.sku.clone(),
        brand: row.brand.clone(),
        image_url: row.image_url.clone(),
        quantity: count(row.quantity),
        unit_price: Some(money(row.unit_minor, currency)),
        line_total: Some(money(row.line_minor, currency)),
        discount: Some(money(row.discount_minor, currency)),
        tax: Some(money(row.tax_minor, currency)),
        tax_rate_bps: count(row.tax_rate_bps),
        commission_bps: commission_bps.unwrap_or_default(),
        commission: commission_bps.map(|_| money(row.commission_minor, currency)),
        weight_grams: count(row.weight_grams),
        cancelled_quantity: count(row.cancelled),
        returned_quantity: count(row.returned),
    }
}

pub(crate) fn timeline_entry(row: &TimelineRow) -> api::TimelineEntry {
    api::TimelineEntry {
        at: Some(timestamp(row.at)),
        sub_order_id: row.sub_order_id.map(|id| api::SubOrderId::from(id).to_string()).unwrap_or_default(),
        kind: row.kind.clone(),
        message: row.message.clone(),
    }
}

pub(crate) fn shipment(doc: &ShipmentDoc) -> api::Shipment {
    api::Shipment {
        shipment_id: doc.shipment_id.clone(),
        carrier: doc.carrier.clone(),
        tracking_number: doc.tracking_number.clone(),
        tracking_url: doc.tracking_url.clone(),
        state: doc.state.clone(),
        pieces: doc.pieces.iter().map(|(item_id, quantity)| api::ShippedPiece { item_id: item_id.clone(), quantity: *quantity }).collect(),
        events: doc.events.iter().map(tracking_event).collect(),
        shipped_at: doc.shipped_at.map(timestamp),
        delivered_at: doc.delivered_at.map(timestamp),
    }
}

fn tracking_event(doc: &TrackingDoc) -> api::TrackingEvent {
    api::TrackingEvent { at: Some(timestamp(doc.at)), state: doc.state.clone(), place: doc.place.clone(), message: doc.message.clone() }
}

/// What events carry of an order, enough to write to the buyer.
pub(crate) fn order_ref(row: &OrderRow) -> api::OrderRef {
    api::OrderRef {
        order_id: api::OrderId::from(row.order_id).to_string(),
        number: row.number.clone(),
        buyer_id: kit_core::UserId::from(row.buyer_id).to_string(),
        email: row.email.clone(),
        name: row.shipping_address.name.clone(),
        access_token: row.access_token.clone(),
    }
}

pub(crate) fn checkout(row: &CheckoutRow) -> Result<api::Checkout, Error> {
    let draft: &Draft = &row.draft;
    Ok(api::Checkout {
        checkout_id: api::CheckoutId::from(row.checkout_id).to_string(),
        email: draft.email.clone(),
        shipping_address: draft.shipping_address.clone().map(Into::into),
        billing_address: draft.billing_address.clone().map(Into::into),
        parts: draft.parts.iter().map(checkout_part).collect::<Result<_, _>>()?,
        totals: Some(totals(draft.totals()?)),
        expires_at: Some(timestamp(row.expires_at)),
        missing: draft.missing(),
        order_id: if row.placed { api::OrderId::from(row.order_id).to_string() } else { String::new() },
    })
}

fn checkout_part(part: &DraftPart) -> Result<api::CheckoutPart, Error> {
    let currency = part.currency()?;
    let options = part.options.iter().map(|option| api::ShippingOption {
        shipping_method_id: option.method.to_string(),
        name: option.name.clone(),
        price: Some(Money::new(option.price_minor, currency).into()),
        min_days: option.min_days,
        max_days: option.max_days,
    });
    Ok(api::CheckoutPart {
        tenant_id: part.tenant_id.to_string(),
        store_name: part.store_name.clone(),
        items: part.lines.iter().map(checkout_item).collect::<Result<_, _>>()?,
        shipping_options: options.collect(),
        shipping_method_id: part.chosen.map(|chosen| chosen.to_string()).unwrap_or_default(),
        totals: Some(totals(part.totals()?)),
    })
}

fn checkout_item(line: &Line) -> Result<api::Item, Error> {
    let zero = Money::zero(line.currency.parse::<Currency>()?);
    Ok(api::Item {
        product_id: api_catalog::ProductId::from(line.product_id).to_string(),
        variant_id: api_catalog::VariantId::from(line.variant_id).to_string(),
        title: line.title.clone(),
        options: line.options.clone(),
        sku: line.sku.clone(),
        brand: line.brand.clone(),
        image_url: line.image_url.clone(),
        quantity: line.quantity,
        unit_price: Some(line.unit()?.into()),
        line_total: Some(line.total()?.into()),
        discount: Some(zero.into()),
        tax: Some(zero.into()),
        weight_grams: line.weight_grams,
        ..api::Item::default()
    })
}

fn totals(totals: Totals) -> api::Totals {
    api::Totals {
        items: Some(totals.items.into()),
        tax: Some(totals.tax.into()),
        shipping: Some(totals.shipping.into()),
        discount: Some(totals.discount.into()),
        total: Some(totals.total.into()),
        tax_included: Some(Money::zero(totals.total.currency).into()),
    }
}

fn totals_of_row(currency: &str, items: i64, tax: i64, shipping: i64, discount: i64, total: i64) -> api::Totals {
    api::Totals {
        items: Some(money(items, currency)),
        tax: Some(money(tax, currency)),
        shipping: Some(money(shipping, currency)),
        discount: Some(money(discount, currency)),
        total: Some(money(total, currency)),
        tax_included: Some(money(0, currency)),
    }
}

pub(crate) const fn state(state: OrderState) -> api::OrderState {
    match state {
        OrderState::Created => api::OrderState::Created,
        OrderState::Reserved => api::OrderState::Reserved,
        OrderState::PaymentPending => api::OrderState::PaymentPending,
        OrderState::PaymentFailed => api::OrderState::PaymentFailed,
        OrderState::Confirmed => api::OrderState::Confirmed,
        OrderState::Paid => api::OrderState::Paid,
        OrderState::Processing => api::OrderState::Processing,
        OrderState::Packed => api::OrderState::Packed,
        OrderState::Shipped => api::OrderState::Shipped,
        OrderState::Delivered => api::OrderState::Delivered,
        OrderState::Completed => api::OrderState::Completed,
        OrderState::Cancelled => api::OrderState::Cancelled,
        OrderState::ReturnRequested => api::OrderState::ReturnRequested,
        OrderState::ReturnApproved => api::OrderState::ReturnApproved,
        OrderState::ReturnReceived => api::OrderState::ReturnReceived,
        OrderState::Refunded => api::OrderState::Refunded,
    }
}

/// The filter of a list: the state as SQL keeps it; none when it is not set.
pub(crate) fn state_filter(number: i32) -> Result<Option<&'static str>, Error> {
    let wanted = api::OrderState::try_from(number).map_err(|_| Error::invalid("state", "is not a known state"))?;
    let name = wanted.as_str_name().strip_prefix("ORDER_STATE_").unwrap_or_default().to_lowercase();
    Ok((wanted != api::OrderState::Unspecified).then(|| OrderState::of(&name).as_str()))
}

pub(crate) fn refund_state(text: &str) -> api::RefundState {
    match text {
        "pending" => api::RefundState::Pending,
        "done" => api::RefundState::Done,
        "failed" => api::RefundState::Failed,
        _ => api::RefundState::None,
    }
}

/// A shipment as fulfillment tells of it.
pub(crate) fn shipment_doc(shipment: &api_fulfillment::Shipment) -> ShipmentDoc {
    let at = |time: &Option<prost_types::Timestamp>| time.as_ref().map(kit_rpc::time);
    let events = shipment.events.iter().map(|event| TrackingDoc {
        at: at(&event.at).unwrap_or_else(DateTime::<Utc>::default),
        state: shipment_state(event.state()),
        place: event.place.clone(),
        message: event.message.clone(),
    });
    ShipmentDoc {
        shipment_id: shipment.shipment_id.clone(),
        carrier: shipment.carrier.clone(),
        tracking_number: shipment.tracking_number.clone(),
        tracking_url: shipment.tracking_url.clone(),
        state: shipment_state(shipment.state()),
        pieces: shipment.lines.iter().map(|line| (line.item_id.clone(), line.quantity)).collect(),
        events: events.collect(),
        shipped_at: at(&shipment.shipped_at),
        delivered_at: at(&shipment.delivered_at),
    }
}

fn shipment_state(state: api_fulfillment::ShipmentState) -> String {
    state.as_str_name().strip_prefix("SHIPMENT_STATE_").unwrap_or_default().to_lowercase()
}

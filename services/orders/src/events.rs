//! What orders hears: payments that go on after the buyer's request has ended, stock that was lost, sellers' progress, guests who turned
//! out to be users. Facts about payments and stock go to the saga, which ignores what it knows.

use std::collections::HashMap;

use api_fulfillment::fulfillment_event::Body as FulfillmentBody;
use api_identity::identity_event::Body as IdentityBody;
use api_inventory::inventory_event::Body as InventoryBody;
use api_orders::{OrderId, SubOrderId};
use api_payments::PaymentId;
use api_payments::payments_event::Body as PaymentsBody;
use kit_core::UserId;
use kit_db::{LoggedEvent, log};
use kit_rpc::Ctx;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::model::{OrderState, state_of_parts};
use crate::saga::cancel::CancelInput;
use crate::saga::machine::{Fact, Input, Saga};
use crate::saga::part::{self, PartInput};
use crate::service::Orders;
use crate::store::rows::ShipmentDoc;
use crate::store::{SubRow, cancellations, orders, returns};
use crate::tell;
use crate::view;

/// The request that caused the event goes on under its id.
fn ctx_of(event: &LoggedEvent) -> Ctx {
    Ctx::service("orders", &event.request_id)
}

/// What an event of payments says of an order.
struct Heard {
    ctx: Ctx,
    order: OrderId,
    payment_id: PaymentId,
    fact: Fact,
    /// For facts about refunds: which.
    refund_id: Option<String>,
}

fn heard_of(event: &LoggedEvent) -> Result<Option<Heard>, Error> {
    let body = event.decode::<api_payments::PaymentsEvent>().map_err(Error::unreadable)?.body;
    let (order_id, payment_id, fact, refund_id) = match body {
        Some(PaymentsBody::PaymentAuthorized(e)) => (e.order_id, e.payment_id, Fact::Authorised, None),
        Some(PaymentsBody::PaymentActionRequired(e)) => (e.order_id, e.payment_id, Fact::Pending { url: e.next_action_url }, None),
        Some(PaymentsBody::PaymentFailed(e)) => (e.order_id, e.payment_id, Fact::Declined { message: e.failure_message }, None),
        Some(PaymentsBody::PaymentCaptured(e)) => (e.order_id, e.payment_id, Fact::Captured, None),
        Some(PaymentsBody::CaptureFailed(e)) => (e.order_id, e.payment_id, Fact::CaptureRefused, None),
        Some(PaymentsBody::PaymentVoided(e)) => (e.order_id, e.payment_id, Fact::Voided, None),
        Some(PaymentsBody::RefundSucceeded(e)) => (e.order_id, e.payment_id, Fact::Refunded, Some(e.refund_id)),
        Some(PaymentsBody::RefundFailed(e)) => (e.order_id, e.payment_id, Fact::RefundRefused, Some(e.refund_id)),
        // Payouts and disputes are between the market, its sellers and the PSP; the order stays as it is.
        _ => return Ok(None),
    };
    let (Ok(order), Ok(payment_id)) = (order_id.parse(), payment_id.parse()) else { return Ok(None) };
    Ok(Some(Heard { ctx: ctx_of(event), order, payment_id, fact, refund_id }))
}

/// Most events tell what the buyer's own request has learned already; a run of those costs one read.
pub(crate) async fn on_payments(orders: Orders, db: &mut PgConnection, events: Vec<LoggedEvent>) -> Result<(), Error> {
    let mut heard = Vec::with_capacity(events.len());
    for event in &events {
        heard.extend(heard_of(event)?);
    }
    let ids: Vec<Uuid> = heard.iter().map(|heard| heard.order.uuid()).collect();
    let mut sagas: HashMap<Uuid, Saga> = orders::sagas_of(&mut *db, &ids).await?.into_iter().collect();
    for heard in heard {
        let Some(saga) = sagas.get_mut(&heard.order.uuid()) else { continue };
        if let Some(refund_id) = &heard.refund_id
            && let Some(cancellation) = cancellations::of_refund(&mut *db, heard.order, refund_id).await?
        {
            let input = if heard.fact == Fact::Refunded { CancelInput::Refunded } else { CancelInput::RefundRefused };
            orders.note_cancel(&mut *db, &heard.ctx, heard.order, cancellation, input).await?;
            continue;
        }
        if let Some(refund_id) = &heard.refund_id
            && let Some(returned) = returns::of_refund(&mut *db, heard.order, refund_id).await?
        {
            let input = if heard.fact == Fact::Refunded { CancelInput::Refunded } else { CancelInput::RefundRefused };
            orders.note_return(&mut *db, &heard.ctx, returned, input).await?;
            continue;
        }
        note_fact(&orders, saga, heard).await?;
    }
    Ok(())
}

/// Notes a fact in a transaction of its own, because driving on must see it committed; hearing it again changes nothing.
async fn note_fact(orders: &Orders, saga: &mut Saga, heard: Heard) -> Result<(), Error> {
    let Heard { ctx, order, payment_id, fact, .. } = heard;
    let input = Input::Payment { payment_id, fact };
    let mut tried = saga.clone();
    let _tells = tried.apply(&input, orders.clock.now());
    if tried == *saga {
        return Ok(());
    }
    let row = orders.advance(&ctx, order, input).await?;
    if !row.saga.commands().is_empty() {
        orders.drive_soon(&ctx, order);
    }
    *saga = row.saga.0;
    Ok(())
}

pub(crate) async fn on_inventory(orders: Orders, db: &mut PgConnection, event: LoggedEvent) -> Result<(), Error> {
    // Stock changes are many and not ours: they are not even decoded.
    if event.kind != "reservation_expired" {
        return Ok(());
    }
    let ctx = ctx_of(&event);
    let Some(InventoryBody::ReservationExpired(expired)) = event.decode::<api_inventory::InventoryEvent>().map_err(Error::unreadable)?.body else {
        return Ok(());
    };
    let Ok(id) = expired.reservation_id.parse::<OrderId>() else { return Ok(()) };
    if matches!(orders::get_order(db, id).await, Err(Error::OrderNotFound)) {
        return Ok(());
    }
    let row = orders.advance(&ctx, id, Input::HoldExpired).await?;
    if !row.saga.commands().is_empty() {
        orders.drive_soon(&ctx, id);
    }
    Ok(())
}

pub(crate) async fn on_identity(db: &mut PgConnection, event: LoggedEvent) -> Result<(), Error> {
    if event.kind != "guest_merged" {
        return Ok(());
    }
    let Some(IdentityBody::GuestMerged(merged)) = event.decode::<api_identity::IdentityEvent>().map_err(Error::unreadable)?.body else {
        return Ok(());
    };
    let (Ok(guest), Ok(user)) = (merged.guest_id.parse::<UserId>(), merged.user_id.parse::<UserId>()) else { return Ok(()) };
    orders::hand_over(db, guest, user).await
}

/// What a seller or a carrier did with a part.
struct Progress {
    sub_order_id: String,
    /// Where the part is now; none when only a shipment changed.
    to: Option<OrderState>,
    shipment: Option<ShipmentDoc>,
    kind: &'static str,
    message: String,
}

pub(crate) async fn on_fulfillment(orders: Orders, db: &mut PgConnection, event: LoggedEvent) -> Result<(), Error> {
    let Some(body) = event.decode::<api_fulfillment::FulfillmentEvent>().map_err(Error::unreadable)?.body else { return Ok(()) };
    let body = match body {
        FulfillmentBody::FulfillmentReaddressed(told) => {
            let Ok(id) = told.sub_order_id.parse() else { return Ok(()) };
            return orders.note_address(db, &ctx_of(&event), id, told.ship_to.unwrap_or_default().into(), told.version).await;
        }
        body => body,
    };
    let Some(progress) = progress_of(body) else { return Ok(()) };
    let Ok(sub_id) = progress.sub_order_id.parse::<SubOrderId>() else { return Ok(()) };
    let order_id = match orders::order_of_sub(&mut *db, sub_id).await {
        Ok(id) => id,
        Err(Error::OrderNotFound) => return Ok(()),
        Err(error) => return Err(error),
    };
    let now = orders.clock.now();
    let ctx = ctx_of(&event);
    let mut order = orders::lock_orders(&mut *db, &[order_id.uuid()]).await?.pop().ok_or(Error::OrderNotFound)?;
    let mut sub = orders::lock_sub(&mut *db, sub_id).await?;
    let previous = sub.state();
    let to = progress.to.and_then(|to| part::step(previous, PartInput::Progressed(to)));
    let shipment = progress.shipment.as_ref().filter(|shipment| shipment.is_news_to(&sub.shipments));
    if to.is_none() && shipment.is_none() {
        return Ok(());
    }
    if let Some(to) = to {
        to.as_str().clone_into(&mut sub.state);
        if to == OrderState::Delivered {
            let policy = returns::policy_at(&mut *db, sub.tenant_id.into(), sub.placed_at).await?;
            let days = orders.policy_or_default(policy).window_days;
            sub.returnable_until = Some(event.at + chrono::Duration::days(i64::from(days)));
        }
    }
    if let Some(shipment) = shipment {
        sub.shipments.retain(|known| known.shipment_id != shipment.shipment_id);
        sub.shipments.push(shipment.clone());
    }
    sub.updated_at = now;
    let mut events = vec![tell::progressed(&order, &sub, previous, progress.shipment.as_ref())];
    let mut entries = vec![sub.timeline(event.at, progress.kind, progress.message, &event.actor)];
    let mut parts = orders::subs_of(&mut *db, &[order.order_id]).await?;
    for part in parts.iter_mut().filter(|part| part.sub_order_id == sub.sub_order_id) {
        *part = sub.clone();
    }
    let state = state_of_parts(&parts.iter().map(SubRow::state).collect::<Vec<_>>());
    if state == OrderState::Completed && order.state() != OrderState::Completed {
        events.push(tell::completed(&order, &parts));
        entries.push(order.timeline(now, "completed", "Everything has arrived".to_owned(), "service:orders"));
    }
    if order.saga.is_paid() {
        state.as_str().clone_into(&mut order.state);
    }
    order.updated_at = now;
    orders::save_sub(&mut *db, &sub).await?;
    orders::save_orders(&mut *db, &[&order]).await?;
    orders::add_timeline(&mut *db, &entries).await?;
    log::append_all(&mut *db, &ctx, now, events).await?;
    Ok(())
}

fn progress_of(body: FulfillmentBody) -> Option<Progress> {
    let shipped = |shipment: &Option<api_fulfillment::Shipment>| shipment.as_ref().map(view::shipment_doc);
    Some(match body {
        FulfillmentBody::FulfillmentAccepted(e) => Progress {
            sub_order_id: e.sub_order_id,
            to: Some(OrderState::Processing),
            shipment: None,
            kind: "accepted",
            message: "The seller is preparing the items".to_owned(),
        },
        FulfillmentBody::FulfillmentPacked(e) => Progress {
            sub_order_id: e.sub_order_id,
            to: Some(OrderState::Packed),
            shipment: None,
            kind: "packed",
            message: "The items are packed".to_owned(),
        },
        FulfillmentBody::ShipmentShipped(e) => {
            let shipment = shipped(&e.shipment);
            let by = shipment.as_ref().map(|doc| format!(" with {} ({})", doc.carrier, doc.tracking_number)).unwrap_or_default();
            let what = if e.all_shipped { "Shipped" } else { "Partly shipped" };
            Progress {
                sub_order_id: e.sub_order_id,
                to: e.all_shipped.then_some(OrderState::Shipped),
                shipment,
                kind: if e.all_shipped { "shipped" } else { "partly_shipped" },
                message: format!("{what}{by}"),
            }
        }
        FulfillmentBody::TrackingUpdated(e) => {
            let shipment = shipped(&e.shipment);
            let last = shipment.as_ref().and_then(|doc| doc.events.last());
            let words = last.map(|event| [event.message.as_str(), event.place.as_str()]).unwrap_or_default();
            let told = words.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ");
            let message = if told.is_empty() { "News from the carrier".to_owned() } else { told };
            Progress { sub_order_id: e.sub_order_id, to: None, shipment, kind: "tracking", message }
        }
        FulfillmentBody::ShipmentDelivered(e) => Progress {
            sub_order_id: e.sub_order_id,
            to: e.all_delivered.then_some(OrderState::Delivered),
            shipment: shipped(&e.shipment),
            kind: if e.all_delivered { "delivered" } else { "partly_delivered" },
            message: if e.all_delivered { "Delivered".to_owned() } else { "Part of it was delivered".to_owned() },
        },
        // What was taken out we know; that the rest is complete with it we do not.
        FulfillmentBody::FulfillmentCut(e) if e.all_shipped => Progress {
            sub_order_id: e.sub_order_id,
            to: Some(if e.all_delivered { OrderState::Delivered } else { OrderState::Shipped }),
            shipment: None,
            kind: if e.all_delivered { "delivered" } else { "shipped" },
            message: "Nothing else is to be sent".to_owned(),
        },
        // Our own doing.
        FulfillmentBody::FulfillmentCut(_) | FulfillmentBody::FulfillmentStopped(_) | FulfillmentBody::FulfillmentReaddressed(_) => return None,
    })
}

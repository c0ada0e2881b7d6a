//! What is told and heard: behaviour into the own log, purchases out of that of orders, guests who turned out to be users.

use std::collections::BTreeMap;

use api_analytics::{AnalyticsEvent, BehaviourEvent, BehaviourKind, BehaviourRecorded, SubjectForgotten, SubjectId, analytics_event};
use api_identity::identity_event;
use api_orders::order_event;
use kit_core::{Time, UserId};
use kit_db::{Event, LoggedEvent, log};
use kit_rpc::Ctx;
use prost::Message;
use sqlx::PgConnection;

use crate::error::Error;
use crate::model::Pepper;
use crate::store;

/// The log names no person, no address and no outside request: entries are the service's own.
pub(crate) fn author() -> Ctx {
    Ctx::service("analytics", "behaviour")
}

pub(crate) fn recorded(subject: SubjectId, events: Vec<BehaviourEvent>) -> Event {
    let told = BehaviourRecorded { subject_id: subject.to_string(), events };
    event(subject, "behaviour_recorded", analytics_event::Body::BehaviourRecorded(told))
}

pub(crate) fn forgotten(subject: SubjectId) -> Event {
    let told = SubjectForgotten { subject_id: subject.to_string() };
    event(subject, "subject_forgotten", analytics_event::Body::SubjectForgotten(told))
}

fn event(subject: SubjectId, kind: &'static str, body: analytics_event::Body) -> Event {
    Event { key: subject.uuid(), tenant: None, kind, payload: AnalyticsEvent { body: Some(body) }.encode_to_vec(), change: None }
}

pub(crate) async fn hear_identity(db: &mut PgConnection, event: LoggedEvent) -> Result<(), Error> {
    if event.kind != "guest_merged" {
        return Ok(());
    }
    let told = event.decode::<api_identity::IdentityEvent>().map_err(Error::unreadable)?.body;
    let Some(identity_event::Body::GuestMerged(merged)) = told else { return Ok(()) };
    let guest: UserId = merged.guest_id.parse().map_err(Error::unreadable)?;
    let user: UserId = merged.user_id.parse().map_err(Error::unreadable)?;
    store::merge_guest(db, guest, user).await
}

/// What was bought, by the buyer's subject; by a subject of its own when the buyer is not recorded, because which goods are bought
/// together tells nothing of a person.
pub(crate) async fn hear_orders(db: &mut PgConnection, pepper: &Pepper, event: LoggedEvent, now: Time) -> Result<(), Error> {
    if event.kind != "order_placed" {
        return Ok(());
    }
    let told = event.decode::<api_orders::OrderEvent>().map_err(Error::unreadable)?.body;
    let Some(order_event::Body::OrderPlaced(placed)) = told else { return Ok(()) };
    let Some(order) = placed.order else { return Ok(()) };
    let bought: Vec<BehaviourEvent> = order.sub_orders.iter().flat_map(|part| &part.items).map(|item| bought(&item.product_id, event.at)).collect();
    if bought.is_empty() {
        return Ok(());
    }
    let buyer: UserId = order.buyer_id.parse().map_err(Error::unreadable)?;
    let known = store::choice(&mut *db, buyer).await?.and_then(|choice| choice.subject());
    let subject = known.unwrap_or_else(|| pepper.basket(&order.order_id));
    store::count(&mut *db, minute(now), &counts(&bought)).await?;
    log::append(db, &author(), now, recorded(subject, bought)).await?;
    Ok(())
}

fn bought(product_id: &str, at: Time) -> BehaviourEvent {
    BehaviourEvent {
        kind: BehaviourKind::Purchase.into(),
        product_id: product_id.to_owned(),
        occurred_at: Some(kit_rpc::timestamp(at)),
        ..Default::default()
    }
}

/// How many events of each kind.
pub(crate) type Counts = BTreeMap<i16, i64>;

pub(crate) fn counts<'e>(events: impl IntoIterator<Item = &'e BehaviourEvent>) -> Counts {
    let mut counts = Counts::new();
    for event in events {
        *counts.entry(i16::try_from(event.kind).unwrap_or_default()).or_default() += 1;
    }
    counts
}

pub(crate) fn minute(now: Time) -> Time {
    Time::from_timestamp(now.timestamp().div_euclid(60) * 60, 0).unwrap_or(now)
}

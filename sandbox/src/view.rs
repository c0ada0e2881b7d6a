//! How payments and events look from outside, as JSON.

use std::sync::Arc;

use serde::Serialize;

use crate::dispute::{Dispute, DisputeStatus};
use crate::error::Error;
use crate::journal::EventHead;
use crate::model::{Booking, BookingKind, Failure, MovementKind, MovementStatus, Payment, Status};
use crate::settings::Settings;
use crate::webhooks::Event;

/// A payment as the API shows it.
#[derive(Serialize)]
struct View<'a> {
    id: &'a str,
    reference: &'a str,
    status: Status,
    amount_minor: i64,
    captured_minor: i64,
    refunded_minor: i64,
    currency: &'a str,
    description: &'a str,
    version: u32,
    created: i64,
    next_action_url: Option<String>,
    failure: Option<&'a Failure>,
    card: Option<CardView<'a>>,
    saved_method: Option<&'a str>,
    captures: Vec<MovementView<'a>>,
    refunds: Vec<MovementView<'a>>,
    disputes: Vec<DisputeView<'a>>,
}

#[derive(Serialize)]
struct DisputeView<'a> {
    id: &'a str,
    reason: &'a str,
    status: DisputeStatus,
    amount_minor: i64,
    fee_minor: i64,
    fee_tax_minor: i64,
    evidence_due: i64,
}

/// A movement on the merchant's balance, as the report lists it.
#[derive(Debug, Serialize)]
pub(crate) struct ReportLine {
    number: u64,
    kind: BookingKind,
    payment: String,
    payment_reference: String,
    reference: String,
    amount_minor: i64,
    fee_minor: i64,
    fee_tax_minor: i64,
    net_minor: i64,
    currency: String,
    created: i64,
}

impl ReportLine {
    pub(crate) fn of(number: u64, payment: &Payment, booking: &Booking) -> Self {
        Self {
            number,
            kind: booking.kind,
            payment: payment.id.clone(),
            payment_reference: payment.reference.clone(),
            reference: booking.reference.clone(),
            amount_minor: booking.amount_minor,
            fee_minor: booking.fee_minor,
            fee_tax_minor: booking.fee_tax_minor,
            net_minor: booking.amount_minor - booking.fee_minor - booking.fee_tax_minor,
            currency: payment.currency.clone(),
            created: booking.at_ms / 1_000,
        }
    }
}

#[derive(Serialize)]
struct CardView<'a> {
    brand: &'a str,
    last4: &'a str,
    exp_month: u32,
    exp_year: u32,
}

#[derive(Serialize)]
struct MovementView<'a> {
    id: &'a str,
    reference: &'a str,
    amount_minor: i64,
    status: MovementStatus,
    fee_minor: i64,
    fee_tax_minor: i64,
    failure: Option<&'a Failure>,
}

fn view_of<'a>(settings: &Settings, payment: &'a Payment) -> View<'a> {
    let movements = |kind| {
        let of_kind = payment.movements.iter().filter(move |movement| movement.kind == kind);
        let shown = of_kind.map(|m| MovementView {
            id: &m.id,
            reference: &m.reference,
            amount_minor: m.amount_minor,
            status: m.status,
            fee_minor: m.fee_minor,
            fee_tax_minor: m.fee_tax_minor,
            failure: m.failure.as_ref(),
        });
        shown.collect()
    };
    View {
        id: &payment.id,
        reference: &payment.reference,
        status: payment.status,
        amount_minor: payment.amount_minor,
        captured_minor: payment.captured_minor,
        refunded_minor: payment.refunded_minor,
        currency: &payment.currency,
        description: &payment.description,
        version: payment.version,
        created: payment.created_ms / 1_000,
        next_action_url: (payment.status == Status::RequiresAction).then(|| format!("{}/challenge/{}", settings.public_url, payment.id)),
        failure: payment.failure.as_ref(),
        card: payment.card.as_ref().map(|card| CardView {
            brand: &card.brand,
            last4: &card.last4,
            exp_month: card.exp_month,
            exp_year: card.exp_year,
        }),
        saved_method: payment.saved_method.as_deref(),
        captures: movements(MovementKind::Capture),
        refunds: movements(MovementKind::Refund),
        disputes: payment.disputes.iter().map(dispute_view).collect(),
    }
}

fn dispute_view(dispute: &Dispute) -> DisputeView<'_> {
    DisputeView {
        id: &dispute.id,
        reason: &dispute.reason,
        status: dispute.status,
        amount_minor: dispute.amount_minor,
        fee_minor: dispute.fee_minor,
        fee_tax_minor: dispute.fee_tax_minor,
        evidence_due: dispute.due_ms / 1_000,
    }
}

/// A payment as JSON.
pub(crate) fn view(settings: &Settings, payment: &Payment) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(&view_of(settings, payment)).map_err(|_| Error::Journal)
}

/// An event as it is sent and listed.
pub(crate) fn event_of(settings: &Settings, head: &EventHead, payment: &Payment) -> Option<Arc<Event>> {
    #[derive(Serialize)]
    struct Body<'a> {
        id: &'a str,
        r#type: &'a str,
        created: i64,
        payment: View<'a>,
    }
    let body = Body { id: &head.id, r#type: &head.word, created: head.created_ms / 1_000, payment: view_of(settings, payment) };
    let body = serde_json::to_vec(&body).ok()?;
    Some(Arc::new(Event { id: head.id.clone(), body }))
}

//! What payments tells: one event per fact, with everything a listener needs.

use api_payments as api;
use api_payments::payments_event::Body;
use kit_db::Event;
use prost::Message;

use crate::model::{Fact, Failure, Movement, Payment};
use crate::translate::{amounts, card_summary};

/// The event of a fact.
pub(crate) fn of(payment: &Payment, fact: &Fact) -> Event {
    let (kind, body) = body(payment, fact);
    let payload = api::PaymentsEvent { body: Some(body) }.encode_to_vec();
    Event { key: payment.id.uuid(), tenant: None, kind, payload, change: None }
}

fn body(payment: &Payment, fact: &Fact) -> (&'static str, Body) {
    let (payment_id, order_id, buyer_id) = (payment.id.to_string(), payment.order.to_string(), payment.buyer.to_string());
    let money = |minor| Some(payment.money(minor).into());
    match fact {
        Fact::Authorised => {
            let (amount, method) = (money(payment.amount_minor), card_summary(&payment.card));
            (
                "payment_authorized",
                Body::PaymentAuthorized(api::PaymentAuthorized { payment_id, order_id, buyer_id, amount, psp: payment.psp.clone(), method }),
            )
        }
        Fact::ActionRequired => {
            let (amount, next_action_url) = (money(payment.amount_minor), payment.next_action_url.clone().unwrap_or_default());
            (
                "payment_action_required",
                Body::PaymentActionRequired(api::PaymentActionRequired { payment_id, order_id, buyer_id, amount, next_action_url }),
            )
        }
        Fact::Failed => {
            let (failure_code, failure_message) = told(payment.failure.as_ref());
            let amount = money(payment.amount_minor);
            ("payment_failed", Body::PaymentFailed(api::PaymentFailed { payment_id, order_id, buyer_id, amount, failure_code, failure_message }))
        }
        Fact::Captured(settled) => {
            let movement = &settled.movement;
            let event = api::PaymentCaptured {
                payment_id,
                order_id,
                buyer_id,
                capture_id: capture_id(movement),
                amount: money(movement.amount_minor()),
                parts: amounts(payment, movement),
                captured_total: money(payment.captured_minor()),
                complete: payment.captured_minor() == payment.amount_minor,
            };
            ("payment_captured", Body::PaymentCaptured(event))
        }
        Fact::CaptureFailed(movement) => {
            let (failure_code, failure_message) = told(movement.failure.as_ref());
            let (capture_id, amount) = (capture_id(movement), money(movement.amount_minor()));
            ("capture_failed", Body::CaptureFailed(api::CaptureFailed { payment_id, order_id, capture_id, amount, failure_code, failure_message }))
        }
        Fact::Voided(minor) => ("payment_voided", Body::PaymentVoided(api::PaymentVoided { payment_id, order_id, buyer_id, amount: money(*minor) })),
        Fact::Refunded(settled) => {
            let movement = &settled.movement;
            let event = api::RefundSucceeded {
                payment_id,
                order_id,
                buyer_id,
                refund_id: refund_id(movement),
                amount: money(movement.amount_minor()),
                parts: amounts(payment, movement),
                reason: movement.reason.clone(),
                refunded_total: money(payment.refunded_minor()),
            };
            ("refund_succeeded", Body::RefundSucceeded(event))
        }
        Fact::RefundFailed(movement) => {
            let (failure_code, failure_message) = told(movement.failure.as_ref());
            let (refund_id, amount, parts) = (refund_id(movement), money(movement.amount_minor()), amounts(payment, movement));
            (
                "refund_failed",
                Body::RefundFailed(api::RefundFailed { payment_id, order_id, buyer_id, refund_id, amount, parts, failure_code, failure_message }),
            )
        }
    }
}

fn capture_id(movement: &Movement) -> String {
    api::CaptureId::from(movement.id).to_string()
}

fn refund_id(movement: &Movement) -> String {
    api::RefundId::from(movement.id).to_string()
}

/// (code, message) of a failure.
pub(crate) fn told(failure: Option<&Failure>) -> (String, String) {
    failure.map(|failure| (failure.code.clone(), failure.message.clone())).unwrap_or_default()
}

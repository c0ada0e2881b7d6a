//! What payments tells: one event per fact, with everything a listener needs.

use api_payments as api;
use api_payments::payments_event::Body;
use kit_core::TenantId;
use kit_db::Event;
use prost::Message;
use uuid::Uuid;

use crate::model::{Dispute, Fact, Failure, Movement, Parts, Payment, Payout, PayoutFact, Portion};
use crate::settlement_view;
use crate::store::reports::Item;
use crate::translate::{amounts, card_summary};

/// The event of a fact.
pub(crate) fn of(payment: &Payment, fact: &Fact) -> Event {
    let (kind, body) = body(payment, fact);
    event(payment.id.uuid(), None, kind, body)
}

pub(crate) fn event(key: Uuid, tenant: Option<TenantId>, kind: &'static str, body: Body) -> Event {
    Event { key, tenant, kind, payload: api::PaymentsEvent { body: Some(body) }.encode_to_vec(), change: None }
}

/// The event of a step of a payout; none: it was begun.
pub(crate) fn of_payout(payout: &Payout, fact: Option<PayoutFact>) -> Event {
    let told = Some(settlement_view::payout(payout));
    let (kind, body) = match fact {
        None => ("payout_created", Body::PayoutCreated(api::PayoutCreated { payout: told })),
        Some(PayoutFact::Paid) => ("payout_paid", Body::PayoutPaid(api::PayoutPaid { payout: told })),
        Some(PayoutFact::Failed) => ("payout_failed", Body::PayoutFailed(api::PayoutFailed { payout: told })),
        Some(PayoutFact::Returned) => ("payout_returned", Body::PayoutReturned(api::PayoutReturned { payout: told })),
    };
    event(payout.id.uuid(), Some(payout.tenant), kind, body)
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
        Fact::DisputeOpened(dispute) => {
            let (parts, dispute) = (disputed(payment, dispute), Some(settlement_view::dispute(payment, dispute)));
            ("dispute_opened", Body::DisputeOpened(api::DisputeOpened { dispute, parts }))
        }
        Fact::DisputeAnswered(dispute) => {
            ("dispute_answered", Body::DisputeAnswered(api::DisputeAnswered { dispute: Some(settlement_view::dispute(payment, dispute)) }))
        }
        Fact::DisputeClosed(dispute) => {
            let (parts, dispute) = (disputed(payment, dispute), Some(settlement_view::dispute(payment, dispute)));
            ("dispute_closed", Body::DisputeClosed(api::DisputeClosed { dispute, parts }))
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

pub(crate) fn payout_account_changed(tenant: TenantId, account: api::PayoutAccount) -> Event {
    let body = Body::PayoutAccountChanged(api::PayoutAccountChanged { tenant_id: tenant.to_string(), payout_account: Some(account) });
    event(tenant.uuid(), Some(tenant), "payout_account_changed", body)
}

pub(crate) fn open_item_resolved(item: &Item, entry: Option<api::EntryId>) -> Event {
    let entry_id = entry.map(|id| id.to_string()).unwrap_or_default();
    let body = Body::OpenItemResolved(api::OpenItemResolved { item: Some(settlement_view::open_item(item)), entry_id });
    event(item.item_id, None, "open_item_resolved", body)
}

/// What a dispute takes of each sub-order.
fn disputed(payment: &Payment, dispute: &Dispute) -> Vec<api::SubOrderAmount> {
    let amount = |(portion, _): &(Portion, Parts)| api::SubOrderAmount {
        sub_order_id: portion.sub_order.to_string(),
        amount: Some(payment.money(portion.amount_minor).into()),
        ..api::SubOrderAmount::default()
    };
    dispute.divided.iter().map(amount).collect()
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

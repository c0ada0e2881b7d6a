//! Stripe's objects, as far as they are read here, and what they say together about a payment.

use std::collections::HashMap;

use kit_core::{Currency, Money, Time};
use serde::Deserialize;

use crate::model::{CardSummary, DisputeState, Failure, Fee, MovementState, SeenDispute, SeenMovement, SeenStatus, Sighting};

#[derive(Deserialize)]
pub(super) struct List<T> {
    pub(super) data: Vec<T>,
    #[serde(default)]
    pub(super) has_more: bool,
}

/// A PaymentIntent with its latest charge expanded.
#[derive(Deserialize)]
pub(super) struct Intent {
    pub(super) id: String,
    amount: i64,
    #[serde(default)]
    amount_received: i64,
    currency: String,
    status: Status,
    #[serde(default)]
    metadata: HashMap<String, String>,
    next_action: Option<NextAction>,
    last_payment_error: Option<LastError>,
    pub(super) latest_charge: Option<Charge>,
    customer: Option<String>,
    payment_method: Option<String>,
    setup_future_usage: Option<String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Status {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresAction,
    Processing,
    RequiresCapture,
    Succeeded,
    Canceled,
}

#[derive(Deserialize)]
struct NextAction {
    redirect_to_url: Option<RedirectToUrl>,
}

#[derive(Deserialize)]
struct RedirectToUrl {
    url: String,
}

#[derive(Deserialize)]
struct LastError {
    code: Option<String>,
    decline_code: Option<String>,
    message: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Charge {
    #[serde(default)]
    pub(super) amount_refunded: i64,
    #[serde(default)]
    pub(super) disputed: bool,
    payment_method_details: Option<MethodDetails>,
    balance_transaction: Option<BalanceTransaction>,
}

#[derive(Deserialize)]
struct MethodDetails {
    card: Option<Card>,
}

#[derive(Deserialize)]
struct Card {
    brand: Option<String>,
    last4: Option<String>,
    exp_month: Option<u32>,
    exp_year: Option<u32>,
    multicapture: Option<Multicapture>,
}

#[derive(Deserialize)]
struct Multicapture {
    status: String,
}

#[derive(Deserialize)]
struct BalanceTransaction {
    #[serde(default)]
    fee_details: Vec<FeeDetail>,
}

#[derive(Deserialize)]
pub(super) struct FeeDetail {
    amount: i64,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
pub(super) struct Refund {
    amount: i64,
    status: Option<String>,
    failure_reason: Option<String>,
    #[serde(default)]
    metadata: HashMap<String, String>,
}

#[derive(Deserialize)]
pub(super) struct Dispute {
    id: String,
    amount: i64,
    reason: String,
    status: String,
    #[serde(default)]
    balance_transactions: Vec<DisputeTransaction>,
    evidence_details: Option<EvidenceDetails>,
}

#[derive(Deserialize)]
struct DisputeTransaction {
    #[serde(default)]
    fee: i64,
}

#[derive(Deserialize)]
struct EvidenceDetails {
    due_by: Option<i64>,
}

/// Fees apart from the tax on them.
pub(super) fn fee_of(details: &[FeeDetail]) -> Fee {
    let sum = |tax: bool| details.iter().filter(|detail| (detail.kind == "tax") == tax).map(|detail| detail.amount).sum();
    Fee { net_minor: sum(false), tax_minor: sum(true) }
}

impl Intent {
    /// Whether what is left stays held after a capture.
    pub(super) fn can_capture_again(&self) -> bool {
        let card = self.latest_charge.as_ref().and_then(|charge| charge.payment_method_details.as_ref()).and_then(|details| details.card.as_ref());
        card.and_then(|card| card.multicapture.as_ref()).is_some_and(|multicapture| multicapture.status == "available")
    }

    /// Our captures, (id, amount), as their metadata has them.
    pub(super) fn captures(&self) -> Vec<(String, i64)> {
        let ours = self.metadata.iter().filter(|(name, _)| name.starts_with("cap_"));
        let mut captures: Vec<(String, i64)> = ours.filter_map(|(name, amount)| Some((name.clone(), amount.parse().ok()?))).collect();
        captures.sort();
        captures
    }

    fn seen_status(&self) -> SeenStatus {
        match self.status {
            Status::RequiresPaymentMethod if self.last_payment_error.is_some() => SeenStatus::Failed,
            Status::RequiresPaymentMethod | Status::RequiresConfirmation | Status::Processing => SeenStatus::Processing,
            Status::RequiresAction => SeenStatus::ActionRequired,
            Status::RequiresCapture => SeenStatus::Authorised,
            Status::Succeeded => SeenStatus::Captured,
            Status::Canceled => SeenStatus::Cancelled,
        }
    }

    pub(super) fn sighting(self, refunds: Vec<Refund>, disputes: Vec<Dispute>) -> Result<Sighting, String> {
        let currency: Currency = self.currency.to_uppercase().parse().map_err(|error| format!("{error}"))?;
        let captures = self.captures();
        let captured: i64 = captures.iter().map(|(_, amount)| amount).sum();
        if captured != self.amount_received {
            return Err(format!("Stripe received {} for {}, and its metadata says {captured}", self.amount_received, self.id));
        }
        let status = self.seen_status();
        let details = self.latest_charge.as_ref().and_then(|charge| charge.balance_transaction.as_ref());
        let fee = details.map(|transaction| fee_of(&transaction.fee_details)).unwrap_or_default();
        // Stripe tells fees of the charge as a whole; they are booked with its first capture.
        let seen_capture = |(place, (reference, amount_minor)): (usize, (String, i64))| SeenMovement {
            reference,
            state: MovementState::Succeeded,
            amount_minor,
            fee: if place == 0 { fee } else { Fee::default() },
            failure: None,
        };
        let refunds: Vec<SeenMovement> = refunds.into_iter().filter_map(Refund::seen).collect();
        let disputes: Vec<SeenDispute> = disputes.into_iter().filter_map(Dispute::seen).collect();
        let card = self.latest_charge.as_ref().and_then(|charge| charge.payment_method_details.as_ref()).and_then(|details| details.card.as_ref());
        let kept = self.setup_future_usage.is_some() && matches!(status, SeenStatus::Authorised | SeenStatus::Captured);
        let saved_token =
            self.customer.as_ref().zip(self.payment_method.as_ref()).filter(|_| kept).map(|(customer, method)| format!("{customer}:{method}"));
        Ok(Sighting {
            version: version(status, captures.len(), &refunds, &disputes),
            reference: self.id,
            status,
            amount: Money::new(self.amount, currency),
            captures: captures.into_iter().enumerate().map(seen_capture).collect(),
            refunds,
            disputes,
            failure: self.last_payment_error.map(|error| Failure {
                code: error.decline_code.or(error.code).unwrap_or_else(|| "declined".to_owned()),
                message: error.message.unwrap_or_else(|| "The card was declined.".to_owned()),
            }),
            next_action_url: self.next_action.and_then(|action| action.redirect_to_url).map(|redirect| redirect.url),
            card: card.map(|card| CardSummary {
                brand: card.brand.clone().unwrap_or_default(),
                last4: card.last4.clone().unwrap_or_default(),
                exp_month: card.exp_month.unwrap_or_default(),
                exp_year: card.exp_year.unwrap_or_default(),
            }),
            saved_token,
        })
    }
}

/// Stripe numbers no versions. What happens to a payment only ever goes forward, so how far everything is, added up, grows with it.
pub(super) fn version(status: SeenStatus, captures: usize, refunds: &[SeenMovement], disputes: &[SeenDispute]) -> i64 {
    let status = match status {
        SeenStatus::ActionRequired => 1,
        SeenStatus::Processing => 2,
        SeenStatus::Authorised => 4,
        SeenStatus::Captured => 5,
        SeenStatus::Failed | SeenStatus::Cancelled => 6,
    };
    let refunds: i64 = refunds.iter().map(|refund| if refund.state == MovementState::Pending { 1 } else { 2 }).sum();
    let disputes: i64 = disputes
        .iter()
        .map(|dispute| match dispute.state {
            DisputeState::NeedsResponse => 1,
            DisputeState::UnderReview => 2,
            DisputeState::Won | DisputeState::Lost => 3,
        })
        .sum();
    status + i64::try_from(captures).unwrap_or(i64::MAX / 2) * 2 + refunds + disputes
}

impl Refund {
    /// None for what we did not ask for, as the release of what was not captured.
    fn seen(self) -> Option<SeenMovement> {
        let reference = self.metadata.get("refund_id")?.clone();
        let state = match self.status.as_deref() {
            Some("succeeded") => MovementState::Succeeded,
            Some("failed" | "canceled") => MovementState::Failed,
            _ => MovementState::Pending,
        };
        let code = self.failure_reason.unwrap_or_else(|| "refund_failed".to_owned());
        let failure = (state == MovementState::Failed).then(|| Failure { code, message: "The refund did not reach the buyer.".to_owned() });
        Some(SeenMovement { reference, state, amount_minor: self.amount, fee: Fee::default(), failure })
    }
}

impl Dispute {
    /// None for an inquiry, which takes no money.
    fn seen(self) -> Option<SeenDispute> {
        let state = match self.status.as_str() {
            "needs_response" => DisputeState::NeedsResponse,
            "under_review" => DisputeState::UnderReview,
            "won" => DisputeState::Won,
            "lost" => DisputeState::Lost,
            _ => return None,
        };
        Some(SeenDispute {
            reference: self.id,
            reason: self.reason,
            state,
            amount_minor: self.amount,
            fee: Fee { net_minor: self.balance_transactions.iter().map(|transaction| transaction.fee.max(0)).sum(), tax_minor: 0 },
            evidence_due_at: self.evidence_details.and_then(|details| details.due_by).and_then(|due| Time::from_timestamp(due, 0)),
        })
    }
}

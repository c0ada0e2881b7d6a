//! Razorpay's order with the payments that were tried for it and their refunds, and what they say together about a payment of ours.

use serde::Deserialize;
use serde_json::Value;

use crate::model::{CardSummary, Failure, Fee, MovementState, Payment, SeenMovement, SeenStatus, Sighting};
use crate::psp::PspError;

#[derive(Deserialize)]
pub(super) struct Items<T> {
    pub(super) items: Vec<T>,
}

#[derive(Deserialize)]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) amount: i64,
    currency: String,
    #[serde(default)]
    pub(super) created_at: i64,
}

/// A payment that was tried for an order; at most one succeeds.
#[derive(Deserialize)]
pub(super) struct Tried {
    pub(super) id: String,
    status: String,
    amount: i64,
    #[serde(default)]
    pub(super) amount_refunded: i64,
    /// Tells a payment that was taken and given back from one that was never taken.
    #[serde(default)]
    captured: Option<bool>,
    method: Option<String>,
    /// Tax included.
    fee: Option<i64>,
    tax: Option<i64>,
    error_code: Option<String>,
    error_reason: Option<String>,
    error_description: Option<String>,
    #[serde(default)]
    created_at: i64,
}

#[derive(Deserialize)]
pub(super) struct Refund {
    amount: i64,
    status: String,
    /// An object, or an empty list when there are none.
    #[serde(default)]
    notes: Value,
}

pub(super) struct Record {
    pub(super) order: Order,
    pub(super) tried: Vec<Tried>,
    pub(super) refunds: Vec<Refund>,
}

impl Tried {
    pub(super) fn is_created(&self) -> bool {
        self.status == "created"
    }

    pub(super) fn is_captured(&self) -> bool {
        self.status == "captured" || (self.status == "refunded" && self.captured == Some(true))
    }

    /// How much a payment says about the order; the last one tried among equals.
    fn weight(&self) -> (u8, i64, &str) {
        let said = match self.status.as_str() {
            "captured" | "refunded" => 3,
            "authorized" => 2,
            "created" => 1,
            _ => 0,
        };
        (said, self.created_at, &self.id)
    }

    fn failure(&self) -> Failure {
        let code = self.error_reason.clone().or_else(|| self.error_code.clone()).unwrap_or_else(|| "payment_failed".to_owned());
        Failure { code: code.to_lowercase(), message: self.error_description.clone().unwrap_or_else(|| "The payment failed.".to_owned()) }
    }
}

impl Refund {
    fn seen(&self) -> Option<SeenMovement> {
        let reference = self.notes.get("refund_id")?.as_str()?.to_owned();
        let state = match self.status.as_str() {
            "processed" => MovementState::Succeeded,
            "failed" => MovementState::Failed,
            _ => MovementState::Pending,
        };
        let failure = Failure { code: "refund_failed".to_owned(), message: "The refund did not reach the buyer.".to_owned() };
        let failure = (state == MovementState::Failed).then_some(failure);
        Some(SeenMovement { reference, state, amount_minor: self.amount, fee: Fee::default(), failure })
    }
}

impl Record {
    /// The payment that counts of those tried.
    pub(super) fn main(&self) -> Option<&Tried> {
        self.tried.iter().max_by(|one, other| one.weight().cmp(&other.weight()))
    }

    fn status(&self, payment: &Payment) -> SeenStatus {
        let Some(tried) = self.main() else { return if payment.void_requested { SeenStatus::Cancelled } else { SeenStatus::Processing } };
        match tried.status.as_str() {
            _ if tried.is_captured() => SeenStatus::Captured,
            "authorized" => SeenStatus::Authorised,
            // Never taken, and given back.
            "refunded" => SeenStatus::Cancelled,
            "failed" => SeenStatus::Failed,
            // The buyer has agreed to nothing yet; should they still, it is not captured and goes back.
            _ if payment.void_requested => SeenStatus::Cancelled,
            _ => SeenStatus::ActionRequired,
        }
    }

    pub(super) fn sighting(self, payment: &Payment) -> Result<Sighting, PspError> {
        if self.order.currency != payment.currency.as_str() {
            return Err(PspError::Unknown(format!("Razorpay's order {} is in {}", self.order.id, self.order.currency)));
        }
        let status = self.status(payment);
        let refunds: Vec<SeenMovement> = self.refunds.iter().filter_map(Refund::seen).collect();
        let moved: i64 = refunds.iter().map(|refund| if refund.state == MovementState::Pending { 1 } else { 2 }).sum();
        let main = self.main();
        // The one capture there can be is of the whole; it is ours of that amount.
        let capture = main.filter(|tried| tried.is_captured()).and_then(|tried| {
            let ours = payment.captures.iter().find(|capture| capture.state != MovementState::Failed && capture.amount_minor() == tried.amount)?;
            let tax_minor = tried.tax.unwrap_or_default();
            Some(SeenMovement {
                reference: format!("cap_{}", ours.id.simple()),
                state: MovementState::Succeeded,
                amount_minor: tried.amount,
                fee: Fee { net_minor: tried.fee.unwrap_or_default() - tax_minor, tax_minor },
                failure: None,
            })
        });
        Ok(Sighting {
            version: version(status) + moved,
            status,
            amount: payment.money(self.order.amount),
            captures: capture.into_iter().collect(),
            refunds,
            disputes: Vec::new(),
            failure: main.filter(|_| status == SeenStatus::Failed).map(Tried::failure),
            next_action_url: payment.next_action_url.clone(),
            card: main.and_then(|tried| tried.method.clone()).map(|brand| CardSummary { brand, ..CardSummary::default() }),
            saved_token: None,
            reference: self.order.id,
        })
    }
}

/// Razorpay numbers no versions; how far a payment is grows with every change.
fn version(status: SeenStatus) -> i64 {
    match status {
        SeenStatus::Processing => 1,
        SeenStatus::ActionRequired => 2,
        SeenStatus::Failed => 3,
        SeenStatus::Authorised => 4,
        SeenStatus::Captured => 5,
        SeenStatus::Cancelled => 6,
    }
}

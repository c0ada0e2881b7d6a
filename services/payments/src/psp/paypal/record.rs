//! PayPal's order with its authorisation, captures and refunds, and what they say together about a payment.

use std::collections::BTreeMap;

use kit_core::{Currency, Money};
use serde::Deserialize;

use crate::model::{CardSummary, Failure, Fee, MovementState, Payment, SeenMovement, SeenStatus, Sighting};
use crate::psp::PspError;

#[derive(Deserialize)]
pub(super) struct Order {
    id: String,
    status: String,
    #[serde(default)]
    purchase_units: Vec<PurchaseUnit>,
    #[serde(default)]
    links: Vec<Link>,
}

#[derive(Deserialize)]
struct PurchaseUnit {
    #[serde(default)]
    payments: Payments,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Payments {
    authorizations: Vec<Authorization>,
    captures: Vec<Capture>,
    refunds: Vec<Refund>,
}

#[derive(Deserialize)]
pub(super) struct Authorization {
    pub(super) id: String,
    status: String,
}

#[derive(Deserialize)]
struct Capture {
    id: String,
    status: String,
    amount: Amount,
    #[serde(default)]
    invoice_id: String,
    seller_receivable_breakdown: Option<Receivable>,
}

#[derive(Deserialize)]
struct Receivable {
    paypal_fee: Option<Amount>,
}

#[derive(Deserialize)]
struct Refund {
    status: String,
    amount: Amount,
    #[serde(default)]
    custom_id: String,
    #[serde(default)]
    links: Vec<Link>,
}

#[derive(Deserialize)]
struct Amount {
    currency_code: String,
    value: String,
}

#[derive(Deserialize)]
struct Link {
    href: String,
    rel: String,
}

impl Amount {
    fn minor(&self) -> Result<i64, PspError> {
        let unreadable = |error: &dyn std::fmt::Display| PspError::Unknown(format!("an amount of PayPal cannot be read: {error}"));
        let currency: Currency = self.currency_code.parse().map_err(|error| unreadable(&error))?;
        Ok(Money::parse_decimal(&self.value, currency).map_err(|error| unreadable(&error))?.minor)
    }
}

impl Capture {
    fn state(&self) -> MovementState {
        match self.status.as_str() {
            "COMPLETED" | "PARTIALLY_REFUNDED" | "REFUNDED" => MovementState::Succeeded,
            "DECLINED" | "FAILED" => MovementState::Failed,
            _ => MovementState::Pending,
        }
    }

    fn seen(&self) -> Result<SeenMovement, PspError> {
        let fee = self.seller_receivable_breakdown.as_ref().and_then(|receivable| receivable.paypal_fee.as_ref());
        let state = self.state();
        Ok(SeenMovement {
            reference: self.invoice_id.clone(),
            state,
            amount_minor: self.amount.minor()?,
            fee: Fee { net_minor: fee.map(Amount::minor).transpose()?.unwrap_or_default(), tax_minor: 0 },
            failure: (state == MovementState::Failed).then(|| failed("capture_declined", "PayPal declined to take the money.")),
        })
    }
}

impl Refund {
    fn is_of(&self, capture: &Capture) -> bool {
        self.links.iter().any(|link| link.rel == "up" && link.href.ends_with(&format!("/captures/{}", capture.id)))
    }

    fn state(&self) -> MovementState {
        match self.status.as_str() {
            "COMPLETED" => MovementState::Succeeded,
            "FAILED" | "CANCELLED" => MovementState::Failed,
            _ => MovementState::Pending,
        }
    }
}

impl Order {
    fn payments(&self) -> Option<&Payments> {
        self.purchase_units.first().map(|unit| &unit.payments)
    }

    pub(super) fn authorization(&self) -> Option<&Authorization> {
        self.payments()?.authorizations.last()
    }

    /// The buyer agreed, and nothing is held yet.
    pub(super) fn is_approved(&self) -> bool {
        self.status == "APPROVED" && self.authorization().is_none()
    }

    fn status(&self, payment: &Payment) -> SeenStatus {
        match (self.authorization().map(|authorization| authorization.status.as_str()), self.status.as_str()) {
            (Some("CREATED" | "PARTIALLY_CAPTURED"), _) => SeenStatus::Authorised,
            (Some("CAPTURED"), _) => SeenStatus::Captured,
            (Some("VOIDED" | "EXPIRED"), _) | (None, "VOIDED") => SeenStatus::Cancelled,
            (Some("DENIED"), _) => SeenStatus::Failed,
            // Nothing is held before we ask for it, and we shall not.
            (None, _) if payment.void_requested || !payment.is_open() => SeenStatus::Cancelled,
            (None, "CREATED" | "SAVED" | "PAYER_ACTION_REQUIRED") => SeenStatus::ActionRequired,
            _ => SeenStatus::Processing,
        }
    }

    pub(super) fn sighting(self, payment: &Payment) -> Result<Sighting, PspError> {
        let status = self.status(payment);
        let none = Payments::default();
        let known = self.payments().unwrap_or(&none);
        let captures = known.captures.iter().map(Capture::seen).collect::<Result<Vec<_>, _>>()?;
        let refunds = refunds(&known.refunds)?;
        let settled = |state| if state == MovementState::Pending { 1 } else { 2 };
        let moved: i64 = captures.iter().map(|capture| 2 * settled(capture.state)).chain(refunds.iter().map(|refund| settled(refund.state))).sum();
        let consent = |link: &&Link| matches!(link.rel.as_str(), "approve" | "payer-action");
        Ok(Sighting {
            version: version(status) + moved + i64::try_from(known.refunds.len()).unwrap_or_default(),
            status,
            amount: payment.money(payment.amount_minor),
            next_action_url: self.links.iter().find(consent).map(|link| link.href.clone()).or_else(|| payment.next_action_url.clone()),
            captures,
            refunds,
            disputes: Vec::new(),
            failure: (status == SeenStatus::Failed).then(|| failed("authorization_denied", "PayPal declined the payment.")),
            card: Some(CardSummary { brand: "paypal".to_owned(), ..CardSummary::default() }),
            saved_token: None,
            reference: self.id,
        })
    }

    /// As it stands when we shall never have it authorised.
    pub(super) fn given_up(self, payment: &Payment) -> Result<Sighting, PspError> {
        let seen = self.sighting(payment)?;
        Ok(Sighting { status: SeenStatus::Cancelled, version: version(SeenStatus::Cancelled), ..seen })
    }

    /// What of a refund is still to be asked for: (capture, minor units), the oldest capture first.
    pub(super) fn refundable(&self, id: &str, amount_minor: i64) -> Result<Vec<(String, i64)>, PspError> {
        let none = Payments::default();
        let known = self.payments().unwrap_or(&none);
        let sum = |of: &dyn Fn(&&Refund) -> bool| known.refunds.iter().filter(of).map(|refund| refund.amount.minor()).sum::<Result<i64, _>>();
        let mut left = amount_minor - sum(&|refund| refund.custom_id == id)?;
        let mut parts = Vec::new();
        for capture in known.captures.iter().filter(|capture| capture.state() == MovementState::Succeeded) {
            let gone = sum(&|refund| refund.is_of(capture) && refund.state() != MovementState::Failed)?;
            let part = left.min(capture.amount.minor()? - gone);
            if part > 0 {
                parts.push((capture.id.clone(), part));
                left -= part;
            }
        }
        if left > 0 { Err(PspError::Refused(failed("nothing_left", "PayPal has not that much left to give back."))) } else { Ok(parts) }
    }
}

/// Refunds under our ids; the parts of one are one.
fn refunds(known: &[Refund]) -> Result<Vec<SeenMovement>, PspError> {
    let mut ours: BTreeMap<&str, SeenMovement> = BTreeMap::new();
    for refund in known.iter().filter(|refund| refund.custom_id.starts_with("rfn_")) {
        let (state, minor) = (refund.state(), refund.amount.minor()?);
        let failure = (state == MovementState::Failed).then(|| failed("refund_failed", "The refund did not reach the buyer."));
        ours.entry(refund.custom_id.as_str())
            .and_modify(|whole| {
                whole.amount_minor += minor;
                if state != MovementState::Succeeded {
                    whole.state = state;
                    whole.failure.clone_from(&failure);
                }
            })
            .or_insert_with(|| SeenMovement {
                reference: refund.custom_id.clone(),
                state,
                amount_minor: minor,
                fee: Fee::default(),
                failure: failure.clone(),
            });
    }
    Ok(ours.into_values().collect())
}

/// Nobody approved it in time, and PayPal does not know it any more.
pub(super) fn expired(payment: &Payment, reference: &str) -> Sighting {
    Sighting {
        reference: reference.to_owned(),
        version: version(SeenStatus::Failed),
        status: SeenStatus::Failed,
        amount: payment.money(payment.amount_minor),
        captures: Vec::new(),
        refunds: Vec::new(),
        disputes: Vec::new(),
        failure: Some(failed("order_expired", "The payment was not approved at PayPal in time.")),
        next_action_url: None,
        card: None,
        saved_token: None,
    }
}

/// PayPal numbers no versions; how far a payment is grows with every change.
fn version(status: SeenStatus) -> i64 {
    match status {
        SeenStatus::ActionRequired => 1,
        SeenStatus::Processing => 2,
        SeenStatus::Failed => 3,
        SeenStatus::Authorised => 4,
        SeenStatus::Captured => 5,
        SeenStatus::Cancelled => 6,
    }
}

pub(super) fn version_of_refusal() -> i64 {
    version(SeenStatus::Failed)
}

fn failed(code: &str, message: &str) -> Failure {
    Failure { code: code.to_owned(), message: message.to_owned() }
}

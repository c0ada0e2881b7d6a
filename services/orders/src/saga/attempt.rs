//! One attempt to pay, and how facts about its money change what is known of it. Facts may come twice, late or out of order: what is
//! final stays, and what is known better than the fact tells is kept.

use api_payments::{CaptureId, PaymentId, RefundId};
use serde::{Deserialize, Serialize};

use super::machine::Tell;

/// One attempt to pay. Its ids are made before anything is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Attempt {
    pub(crate) payment_id: PaymentId,
    pub(crate) capture_id: CaptureId,
    pub(crate) refund_id: RefundId,
    /// The PSP's token, never a card number.
    pub(crate) method: String,
    pub(crate) return_url: String,
    /// The buyer wants to pay with it again.
    #[serde(default)]
    pub(crate) save_method: bool,
    pub(super) money: Money,
    pub(super) failure: String,
}

/// How the money of an attempt stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Money {
    /// Not asked for yet.
    New,
    /// Asked for; whether payments heard it is not known.
    Asked,
    /// Payments has it in hand; the buyer or the bank has to act.
    Pending {
        url: String,
    },
    Authorised,
    /// Asked to be captured; the answer is not known.
    Capturing,
    Captured,
    /// Asked to be given up; the answer is not known.
    Voiding,
    /// Asked to be given back; the answer is not known.
    Refunding,
    /// No money is held. Final.
    Declined,
    /// Given up. Final.
    Voided,
    /// Given back. Final.
    Refunded,
    /// The PSP refuses to give it back; an operator is told. Final here.
    RefundRefused,
}

/// What became known of one payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fact {
    /// Waits for the buyer (at the address) or for the bank (no address).
    Pending {
        url: String,
    },
    Authorised,
    Declined {
        message: String,
    },
    Captured,
    CaptureRefused,
    Voided,
    Refunded,
    RefundRefused,
}

impl Attempt {
    pub(crate) const fn new(payment_id: PaymentId, capture_id: CaptureId, refund_id: RefundId, method: String, return_url: String) -> Self {
        Self { payment_id, capture_id, refund_id, method, return_url, save_method: false, money: Money::New, failure: String::new() }
    }

    pub(crate) const fn saving(mut self, save_method: bool) -> Self {
        self.save_method = save_method;
        self
    }

    /// Nothing can happen to its money any more.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self.money, Money::Declined | Money::Voided | Money::Refunded | Money::RefundRefused)
    }

    pub(super) fn note(&mut self, fact: &Fact, tells: &mut Vec<Tell>) {
        self.money = match (&self.money, fact) {
            (Money::Asked | Money::Pending { .. }, Fact::Pending { url }) => {
                if self.money == Money::Asked {
                    tells.push(Tell::PaymentPending);
                }
                Money::Pending { url: url.clone() }
            }
            (Money::Asked | Money::Pending { .. }, Fact::Authorised) => Money::Authorised,
            (Money::Asked | Money::Pending { .. }, Fact::Declined { message }) => {
                self.failure.clone_from(message);
                tells.push(Tell::PaymentFailed { message: message.clone() });
                Money::Declined
            }
            (Money::Voiding, Fact::Declined { .. }) => Money::Voided,
            (Money::Asked | Money::Pending { .. } | Money::Authorised | Money::Capturing | Money::Voiding, Fact::Captured) => Money::Captured,
            (Money::Capturing, Fact::CaptureRefused) => Money::Authorised,
            (Money::Asked | Money::Pending { .. } | Money::Authorised | Money::Capturing | Money::Voiding, Fact::Voided) => Money::Voided,
            (Money::Captured | Money::Refunding, Fact::Refunded) => {
                tells.push(Tell::MoneyReturned);
                Money::Refunded
            }
            (Money::Refunding, Fact::RefundRefused) => {
                tells.push(Tell::MoneyStuck);
                Money::RefundRefused
            }
            (unchanged, _late_or_repeated) => unchanged.clone(),
        };
    }
}

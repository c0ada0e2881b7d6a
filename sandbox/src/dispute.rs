//! Disputes: a cardholder takes a payment back through their bank. The amount and a fee leave the merchant's balance at once; evidence
//! decides whether the amount comes back. Pure.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::model::{BookingKind, EventWord, Payment, millis};
use crate::settings::{Fees, Timings};

/// Evidence with this word in it loses; any other wins.
const LOSING_EVIDENCE: &str = "losing_evidence";
/// What a card that disputes its payments gives as the reason.
pub(crate) const USUAL_REASON: &str = "product_not_received";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DisputeStatus {
    NeedsResponse,
    UnderReview,
    Won,
    Lost,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Dispute {
    pub(crate) id: String,
    pub(crate) reason: String,
    pub(crate) status: DisputeStatus,
    pub(crate) amount_minor: i64,
    pub(crate) fee_minor: i64,
    pub(crate) fee_tax_minor: i64,
    pub(crate) evidence: String,
    /// Until when evidence is taken, then until when it is looked at.
    pub(crate) due_ms: i64,
}

impl Dispute {
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.status, DisputeStatus::NeedsResponse | DisputeStatus::UnderReview)
    }
}

impl Fees {
    /// (fee, tax on it) of a capture, rounded half up.
    pub(crate) fn of_capture(&self, amount_minor: i64) -> (i64, i64) {
        self.taxed(share(amount_minor, self.capture_bps) + self.capture_fixed_minor)
    }

    fn of_dispute(&self) -> (i64, i64) {
        self.taxed(self.dispute_minor)
    }

    fn taxed(&self, fee_minor: i64) -> (i64, i64) {
        (fee_minor, share(fee_minor, self.tax_bps))
    }
}

fn share(minor: i64, bps: u32) -> i64 {
    (minor * i64::from(bps) + 5_000) / 10_000
}

impl Payment {
    /// What disputes that are open or lost have taken.
    pub(crate) fn disputed_minor(&self) -> i64 {
        self.disputes.iter().filter(|dispute| dispute.status != DisputeStatus::Won).map(|dispute| dispute.amount_minor).sum()
    }

    /// The cardholder takes back all that is left, or a part.
    pub(crate) fn dispute(
        &mut self,
        id: String,
        reason: String,
        asked_minor: Option<i64>,
        now_ms: i64,
        fees: &Fees,
        timings: &Timings,
    ) -> Result<EventWord, Error> {
        let left = self.captured_minor - self.refunded_minor - self.disputed_minor();
        let amount_minor = asked_minor.unwrap_or(left);
        if amount_minor <= 0 || amount_minor > left {
            return Err(Error::TooLarge { left, what: "disputed" });
        }
        let (fee_minor, fee_tax_minor) = fees.of_dispute();
        self.version += 1;
        self.book(BookingKind::Dispute, id.clone(), -amount_minor, (fee_minor, fee_tax_minor));
        let due_ms = now_ms.saturating_add(millis(timings.evidence));
        self.disputes.push(Dispute {
            id,
            reason,
            status: DisputeStatus::NeedsResponse,
            amount_minor,
            fee_minor,
            fee_tax_minor,
            evidence: String::new(),
            due_ms,
        });
        self.wake_for_disputes(now_ms);
        Ok("dispute.opened")
    }

    /// The merchant's side of the story; empty: none, the dispute is accepted and lost.
    pub(crate) fn answer_dispute(&mut self, id: &str, evidence: String, now_ms: i64, timings: &Timings) -> Result<EventWord, Error> {
        let found = self.disputes.iter_mut().find(|dispute| dispute.id == id).ok_or(Error::NotFound("dispute"))?;
        if found.status != DisputeStatus::NeedsResponse {
            return Err(Error::WrongState("answered", "answered again"));
        }
        found.due_ms = if evidence.is_empty() { now_ms } else { now_ms.saturating_add(millis(timings.later)) };
        found.status = DisputeStatus::UnderReview;
        found.evidence = evidence;
        self.version += 1;
        self.wake_for_disputes(now_ms);
        Ok("dispute.under_review")
    }

    /// Closes disputes whose time has come.
    pub(crate) fn settle_disputes(&mut self, now_ms: i64) -> Option<EventWord> {
        let mut word = None;
        let mut returned = Vec::new();
        for dispute in self.disputes.iter_mut().filter(|dispute| dispute.is_open() && dispute.due_ms <= now_ms) {
            let won = !dispute.evidence.is_empty() && !dispute.evidence.contains(LOSING_EVIDENCE);
            dispute.status = if won { DisputeStatus::Won } else { DisputeStatus::Lost };
            word = Some(if won { "dispute.won" } else { "dispute.lost" });
            if won {
                returned.push((dispute.id.clone(), dispute.amount_minor));
            }
        }
        for (id, amount_minor) in returned {
            self.book(BookingKind::DisputeReversal, id, amount_minor, (0, 0));
        }
        word
    }

    /// Lets the payment be looked at when the next of its disputes is due.
    pub(crate) fn wake_for_disputes(&mut self, now_ms: i64) {
        let next = self.disputes.iter().filter(|dispute| dispute.is_open()).map(|dispute| dispute.due_ms.max(now_ms)).min();
        self.due_ms = [self.due_ms, next].into_iter().flatten().min();
    }
}

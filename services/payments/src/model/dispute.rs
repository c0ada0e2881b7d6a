//! Disputes: a cardholder takes a payment back through their bank. What a dispute takes leaves the sub-orders' shares at once, like a
//! refund that the PSP made by itself, and comes back when it is won.

use kit_core::{Currency, Money, MoneyError, Time, allocate};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::movement::{pending, reserved};
use super::{Fact, Parts, Payment, Portion, Sighting, Split};
use crate::error::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DisputeState {
    NeedsResponse,
    UnderReview,
    Won,
    Lost,
}

/// A dispute in the PSP's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeenDispute {
    pub(crate) reference: String,
    pub(crate) reason: String,
    pub(crate) state: DisputeState,
    pub(crate) amount_minor: i64,
    pub(crate) fee: Fee,
    pub(crate) evidence_due_at: Option<Time>,
}

/// What a PSP keeps for its work, and the tax on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fee {
    pub(crate) net_minor: i64,
    pub(crate) tax_minor: i64,
}

impl Fee {
    pub(crate) fn total(self) -> i64 {
        self.net_minor + self.tax_minor
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Dispute {
    pub(crate) id: Uuid,
    /// The PSP's own id.
    pub(crate) reference: String,
    pub(crate) reason: String,
    pub(crate) state: DisputeState,
    pub(crate) amount_minor: i64,
    pub(crate) fee: Fee,
    /// What it takes of each sub-order.
    pub(crate) divided: Vec<(Portion, Parts)>,
    pub(crate) evidence_due_at: Option<Time>,
    pub(crate) opened_at: Time,
    pub(crate) closed_at: Option<Time>,
}

impl DisputeState {
    const ALL: [(Self, &'static str); 4] =
        [(Self::NeedsResponse, "needs_response"), (Self::UnderReview, "under_review"), (Self::Won, "won"), (Self::Lost, "lost")];

    pub(crate) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(state, _)| *state == self).map_or("lost", |(_, word)| word)
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(state, _)| *state)
    }

    fn is_closed(self) -> bool {
        matches!(self, Self::Won | Self::Lost)
    }
}

impl Dispute {
    /// The fee, divided over the sub-orders it took from, in proportion.
    pub(crate) fn fee_of_each(&self, currency: Currency) -> Result<Vec<(Portion, i64)>, MoneyError> {
        let weights: Vec<u64> = self.divided.iter().map(|(portion, _)| portion.amount_minor.unsigned_abs()).collect();
        let shares = allocate(Money::new(self.fee.net_minor, currency), &weights)?;
        Ok(self.divided.iter().zip(shares).map(|((portion, _), share)| (*portion, share.minor)).collect())
    }
}

/// Our id of a PSP's dispute follows from its own, so that seeing it twice cannot make two.
pub(crate) fn dispute_id(psp: &str, reference: &str) -> Uuid {
    let digest = Sha256::digest(format!("{psp}/{reference}"));
    let bytes = digest.iter().take(16).fold(0_u128, |number, byte| (number << 8) | u128::from(*byte));
    uuid::Builder::from_custom_bytes(bytes.to_be_bytes()).into_uuid()
}

impl Payment {
    /// Opens what is new, and closes what the PSP has closed.
    pub(super) fn observe_disputes(&mut self, seen: &Sighting, now: Time) -> Result<Vec<Fact>, Error> {
        let mut facts = Vec::new();
        for seen in &seen.disputes {
            let known = self.disputes.iter().position(|dispute| dispute.reference == seen.reference);
            let index = match known {
                Some(index) => index,
                None => {
                    let opened = self.open_dispute(seen, now)?;
                    facts.push(Fact::DisputeOpened(opened.clone()));
                    self.disputes.push(opened);
                    self.disputes.len() - 1
                }
            };
            facts.extend(self.advance_dispute(index, seen, now));
        }
        Ok(facts)
    }

    fn open_dispute(&mut self, seen: &super::SeenDispute, now: Time) -> Result<Dispute, Error> {
        let left = |split: &Split| split.left().total();
        let unreserved = |split: &Split| left(split) - pending(&self.refunds, split.sub_order);
        let sum = |of: &dyn Fn(&Split) -> i64| self.splits.iter().map(of).sum::<i64>();
        if seen.amount_minor <= 0 || seen.amount_minor > sum(&left) {
            return Err(Error::AmountDiffers(seen.reference.clone()));
        }
        // Refunds under way keep what they have reserved, unless the dispute leaves nothing for them: then the PSP refuses them.
        let of: &dyn Fn(&Split) -> i64 = if seen.amount_minor <= sum(&unreserved) { &unreserved } else { &left };
        let weights: Vec<u64> = self.splits.iter().map(|split| u64::try_from(of(split)).unwrap_or_default()).collect();
        let shares = allocate(self.money(seen.amount_minor), &weights)?;
        let (currency, mut divided) = (self.currency, Vec::new());
        for (split, share) in self.splits.iter_mut().zip(shares).filter(|(_, share)| share.minor > 0) {
            let portion = Portion { sub_order: split.sub_order, amount_minor: share.minor, made_of: None };
            divided.push((portion, split.dispute(share.minor, reserved(&self.refunds, split.sub_order), currency)?));
        }
        Ok(Dispute {
            id: dispute_id(&self.psp, &seen.reference),
            reference: seen.reference.clone(),
            reason: seen.reason.clone(),
            state: DisputeState::NeedsResponse,
            amount_minor: seen.amount_minor,
            fee: seen.fee,
            divided,
            evidence_due_at: seen.evidence_due_at,
            opened_at: now,
            closed_at: None,
        })
    }

    fn advance_dispute(&mut self, index: usize, seen: &super::SeenDispute, now: Time) -> Option<Fact> {
        let dispute = self.disputes.get_mut(index)?;
        if dispute.state.is_closed() || dispute.state == seen.state {
            return None;
        }
        dispute.state = seen.state;
        dispute.evidence_due_at = seen.evidence_due_at.filter(|_| seen.state == DisputeState::NeedsResponse);
        if !seen.state.is_closed() {
            return Some(Fact::DisputeAnswered(dispute.clone()));
        }
        dispute.closed_at = Some(now);
        let closed = dispute.clone();
        if closed.state == DisputeState::Won {
            for (portion, parts) in &closed.divided {
                if let Some(split) = self.splits.iter_mut().find(|split| split.sub_order == portion.sub_order) {
                    split.disputed = split.disputed.minus(*parts);
                }
            }
        }
        Some(Fact::DisputeClosed(closed))
    }
}

//! What must be asked of the PSP next, and when.

use api_payments::{CaptureId, RefundId};
use chrono::Duration;
use kit_core::Time;

use super::{Movement, Payment, Phase};

/// One question or order to the PSP. All of them can be repeated: each carries a key of ours, and the same key never moves money twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    Authorise,
    /// By our key, when we do not know the PSP's id and must not start anything.
    Find,
    Retrieve,
    Capture {
        id: CaptureId,
        amount_minor: i64,
    },
    Refund {
        id: RefundId,
        amount_minor: i64,
    },
    Cancel,
}

impl Ask {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Authorise => "authorise",
            Self::Find => "find",
            Self::Retrieve => "retrieve",
            Self::Capture { .. } => "capture",
            Self::Refund { .. } => "refund",
            Self::Cancel => "cancel",
        }
    }
}

/// How long after asking for the first time an answer is missing, when nobody said that it would come later.
const ANSWER_MISSING: Duration = Duration::seconds(15);
/// First pauses before asking again; they double with every question that brings nothing new.
const AFTER_SILENCE: Duration = Duration::seconds(1);
const WHILE_PROCESSING: Duration = Duration::seconds(5);
const WHILE_BUYER_ACTS: Duration = Duration::seconds(20);
const LONGEST: Duration = Duration::minutes(5);
/// After so long a request that was not answered cannot arrive at the PSP any more.
pub(crate) const LOST_FOR_SURE: Duration = Duration::minutes(2);

/// PSPs know our keys at least so long: PayPal's orders six hours, Stripe a day.
pub(crate) const KEYS_LAST: Duration = Duration::hours(5);
/// A capture or refund that is older was asked for before.
pub(crate) const ASKED_JUST_NOW: Duration = Duration::seconds(30);

impl Payment {
    /// The PSP's word for a capture or refund that is older than a moment, and so was asked for before.
    pub(crate) fn asked_before(&self, ask: &Ask, moment: Time) -> Option<String> {
        let (movements, id, reference) = match ask {
            Ask::Capture { id, .. } => (&self.captures, id.uuid(), id.to_string()),
            Ask::Refund { id, .. } => (&self.refunds, id.uuid(), id.to_string()),
            _ => return None,
        };
        movements.iter().any(|movement| movement.id == id && movement.created_at < moment).then_some(reference)
    }

    /// What is open, the most urgent first. `None`: nothing is.
    pub(crate) fn next_ask(&self) -> Option<Ask> {
        if self.stray_hold {
            return Some(Ask::Cancel);
        }
        let unheard_of = self.psp_reference.is_none();
        match self.phase {
            Phase::Failed => return self.look.then_some(Ask::Retrieve),
            Phase::Created | Phase::Unknown if unheard_of && self.void_requested => return Some(Ask::Find),
            Phase::Created | Phase::Unknown if unheard_of => return Some(Ask::Authorise),
            _ => {}
        }
        let pending =
            |movements: &[Movement]| movements.iter().find(|movement| movement.is_pending()).map(|movement| (movement.id, movement.amount_minor()));
        if let Some((id, amount_minor)) = pending(&self.captures) {
            return Some(Ask::Capture { id: id.into(), amount_minor });
        }
        let holds = self.is_open() || (self.phase == Phase::Authorised && self.captured_minor() < self.amount_minor);
        if self.void_requested && holds {
            return Some(Ask::Cancel);
        }
        if let Some((id, amount_minor)) = pending(&self.refunds) {
            return Some(Ask::Refund { id: id.into(), amount_minor });
        }
        (self.is_open() || self.look).then_some(Ask::Retrieve)
    }

    /// Sets when the PSP is asked next. `progress`: something has just changed, so the pauses start anew.
    pub(super) fn plan(&mut self, progress: bool, now: Time) {
        self.updated_at = now;
        self.asks = if progress { 0 } else { self.asks.saturating_add(1) };
        let first = match (self.next_ask(), self.phase) {
            (None, _) => {
                self.next_ask_at = None;
                return;
            }
            _ if self.unanswered => AFTER_SILENCE,
            _ if self.look => Duration::zero(),
            (_, Phase::Authorising) => WHILE_PROCESSING,
            (_, Phase::ActionRequired) => WHILE_BUYER_ACTS,
            _ => ANSWER_MISSING,
        };
        let pause = first.checked_mul(2_i32.saturating_pow(self.asks.saturating_sub(1).min(10))).unwrap_or(LONGEST);
        self.next_ask_at = Some(now + pause.min(LONGEST));
    }

    /// A payment that was recorded just now and is about to be asked for.
    pub(crate) fn begin(&mut self, now: Time) {
        self.plan(true, now);
    }
}

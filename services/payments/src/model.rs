//! What a payment may become. Pure: the PSP's tidings and our wishes come in, facts come out.
//!
//! The one rule that keeps money safe: what the PSP holds or has moved is learned only from the PSP's own record of the payment
//! (a `Sighting`), whether it came as an answer, by webhook or by asking; all three pass `observe`, which ignores what it knows.

mod dispute;
mod movement;
mod next;
mod parts;
mod payout;
#[cfg(test)]
mod tests;

use api_orders::OrderId;
use api_payments::PaymentId;
use kit_core::{Currency, Money, Time, UserId};
use serde::{Deserialize, Serialize};

pub(crate) use dispute::{Dispute, DisputeState, Fee, SeenDispute, dispute_id};
pub(crate) use movement::{Movement, MovementState, Portion};
pub(crate) use next::{ASKED_JUST_NOW, Ask, KEYS_LAST, LOST_FOR_SURE};
pub(crate) use parts::{Parts, Split, SplitTerms};
pub(crate) use payout::{Payout, PayoutFact, PayoutState, Period, SeenTransfer, SeenTransferStatus, payable};

use crate::error::Error;

/// How far the authorisation is. What was captured and refunded is counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    Created,
    Authorising,
    ActionRequired,
    Authorised,
    Failed,
    Unknown,
    /// Nothing is held any more; what was captured before stays captured.
    Released,
}

/// Where the payment stands, as everybody outside sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum State {
    Created,
    Authorising,
    ActionRequired,
    Authorised,
    Failed,
    Unknown,
    PartiallyCaptured,
    Captured,
    PartiallyRefunded,
    Refunded,
    Voided,
}

/// Why something was refused: a stable word and a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// The card as people recognise it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CardSummary {
    pub(crate) brand: String,
    pub(crate) last4: String,
    pub(crate) exp_month: u32,
    pub(crate) exp_year: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Payment {
    pub(crate) id: PaymentId,
    pub(crate) order: OrderId,
    pub(crate) buyer: UserId,
    pub(crate) psp: String,
    pub(crate) phase: Phase,
    pub(crate) amount_minor: i64,
    #[serde(with = "currency_text")]
    pub(crate) currency: Currency,
    /// The PSP's token of the method; of no use to anybody without our keys.
    pub(crate) method_token: String,
    pub(crate) save_method: bool,
    pub(crate) return_url: String,
    pub(crate) description: String,
    pub(crate) splits: Vec<Split>,
    pub(crate) captures: Vec<Movement>,
    pub(crate) refunds: Vec<Movement>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) disputes: Vec<Dispute>,
    pub(crate) void_requested: bool,
    /// The PSP holds money for a payment that we have told is failed; it must be given up.
    pub(crate) stray_hold: bool,
    /// Other PSPs to try should this one surely not be reached, before anything was asked of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) fallbacks: Vec<String>,
    /// Who pays, for PSPs that want to know; forgotten as soon as it is known whether the amount is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) payer: Option<Payer>,
    /// The PSP has told that something happened, but not what: it is asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) look: bool,
    pub(crate) failure: Option<Failure>,
    pub(crate) psp_reference: Option<String>,
    pub(crate) psp_version: i64,
    pub(crate) next_action_url: Option<String>,
    pub(crate) card: CardSummary,
    pub(crate) saved_token: Option<String>,
    /// The last question to the PSP was not answered.
    pub(crate) unanswered: bool,
    /// Questions since something last changed, for the growing pause between them.
    pub(crate) asks: u32,
    pub(crate) next_ask_at: Option<Time>,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
}

/// Who pays, as a PSP may want to know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Payer {
    pub(crate) email: String,
    pub(crate) phone: String,
}

/// The PSP's record of a payment at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sighting {
    /// The PSP's own id.
    pub(crate) reference: String,
    /// Grows with every change at the PSP.
    pub(crate) version: i64,
    pub(crate) status: SeenStatus,
    pub(crate) amount: Money,
    pub(crate) captures: Vec<SeenMovement>,
    pub(crate) refunds: Vec<SeenMovement>,
    pub(crate) disputes: Vec<SeenDispute>,
    pub(crate) failure: Option<Failure>,
    pub(crate) next_action_url: Option<String>,
    pub(crate) card: Option<CardSummary>,
    pub(crate) saved_token: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SeenStatus {
    Processing,
    ActionRequired,
    Authorised,
    /// Captured, and nothing is held any more.
    Captured,
    Cancelled,
    Failed,
}

/// A capture or refund in the PSP's record, under our own id of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeenMovement {
    pub(crate) reference: String,
    pub(crate) state: MovementState,
    pub(crate) amount_minor: i64,
    /// What the PSP keeps of it.
    pub(crate) fee: Fee,
    pub(crate) failure: Option<Failure>,
}

/// What happened to a payment; each becomes an event, and those that moved money a ledger entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fact {
    Authorised,
    ActionRequired,
    Failed,
    Captured(Settled),
    CaptureFailed(Movement),
    /// This much is no longer held.
    Voided(i64),
    Refunded(Settled),
    RefundFailed(Movement),
    DisputeOpened(Dispute),
    /// Our evidence is with the PSP.
    DisputeAnswered(Dispute),
    /// Won or lost.
    DisputeClosed(Dispute),
}

/// A movement with what it meant for each split, for the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) movement: Movement,
    pub(crate) divided: Vec<(Portion, Parts)>,
}

impl Sighting {
    /// Whether the PSP knows a capture or refund of ours.
    pub(crate) fn has_moved(&self, reference: &str) -> bool {
        self.captures.iter().chain(&self.refunds).any(|movement| movement.reference == reference)
    }
}

impl Payment {
    pub(crate) fn captured_minor(&self) -> i64 {
        self.splits.iter().map(|split| split.captured.total()).sum()
    }

    pub(crate) fn refunded_minor(&self) -> i64 {
        self.splits.iter().map(|split| split.refunded.total()).sum()
    }

    pub(crate) fn money(&self, minor: i64) -> Money {
        Money::new(minor, self.currency)
    }

    pub(crate) fn state(&self) -> State {
        let (captured, refunded) = (self.captured_minor(), self.refunded_minor());
        let complete = captured == self.amount_minor || self.phase == Phase::Released;
        match self.phase {
            _ if refunded > 0 && refunded == captured && complete => State::Refunded,
            _ if refunded > 0 => State::PartiallyRefunded,
            _ if captured > 0 && complete => State::Captured,
            _ if captured > 0 => State::PartiallyCaptured,
            Phase::Created => State::Created,
            Phase::Authorising => State::Authorising,
            Phase::ActionRequired => State::ActionRequired,
            Phase::Authorised => State::Authorised,
            Phase::Failed => State::Failed,
            Phase::Unknown => State::Unknown,
            Phase::Released => State::Voided,
        }
    }

    /// Whether the PSP has yet to say if it holds the amount.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Created | Phase::Authorising | Phase::ActionRequired | Phase::Unknown)
    }

    /// Takes in the PSP's record. An older one than seen before changes nothing, and neither does the same one twice.
    pub(crate) fn observe(&mut self, seen: &Sighting, now: Time) -> Result<Vec<Fact>, Error> {
        if seen.version < self.psp_version {
            return Ok(Vec::new());
        }
        if seen.amount != self.money(self.amount_minor) || self.psp_reference.as_ref().is_some_and(|known| *known != seen.reference) {
            return Err(Error::NotThisPayment(self.id));
        }
        self.psp_reference = Some(seen.reference.clone());
        self.psp_version = seen.version;
        (self.unanswered, self.look) = (false, false);
        if let Some(card) = &seen.card {
            self.card = card.clone();
        }
        if self.save_method && self.saved_token.is_none() {
            self.saved_token.clone_from(&seen.saved_token);
        }
        let mut facts = Vec::new();
        facts.extend(self.observe_hold(seen));
        facts.extend(self.observe_movements(seen)?);
        facts.extend(self.observe_disputes(seen, now)?);
        facts.extend(self.observe_release(seen));
        self.forget_payer();
        self.plan(!facts.is_empty(), now);
        Ok(facts)
    }

    /// Whether the PSP holds the amount at all.
    fn observe_hold(&mut self, seen: &Sighting) -> Option<Fact> {
        let nothing_held = self.phase == Phase::Failed || (self.phase == Phase::Released && self.captured_minor() == 0);
        if nothing_held {
            // We have told that no money is held, and that must become true again.
            self.stray_hold = matches!(seen.status, SeenStatus::Authorised | SeenStatus::Processing | SeenStatus::ActionRequired);
            return None;
        }
        if !self.is_open() {
            return None;
        }
        self.next_action_url = None;
        match seen.status {
            SeenStatus::Processing => {
                self.phase = Phase::Authorising;
                None
            }
            SeenStatus::ActionRequired => {
                let news = self.phase != Phase::ActionRequired;
                self.phase = Phase::ActionRequired;
                self.next_action_url.clone_from(&seen.next_action_url);
                news.then_some(Fact::ActionRequired)
            }
            SeenStatus::Authorised | SeenStatus::Captured => {
                self.phase = Phase::Authorised;
                Some(Fact::Authorised)
            }
            SeenStatus::Failed => Some(self.fail(seen.failure.clone())),
            SeenStatus::Cancelled => {
                self.phase = Phase::Released;
                Some(Fact::Voided(self.amount_minor))
            }
        }
    }

    /// Whether the PSP has let go of what was not captured.
    fn observe_release(&mut self, seen: &Sighting) -> Option<Fact> {
        let released = matches!(seen.status, SeenStatus::Cancelled | SeenStatus::Failed | SeenStatus::Captured);
        let left = self.amount_minor - self.captured_minor();
        if self.phase != Phase::Authorised || !released || left == 0 {
            return None;
        }
        self.phase = Phase::Released;
        Some(Fact::Voided(left))
    }

    /// The PSP surely did not and will not do what it was asked.
    pub(crate) fn refused(&mut self, ask: &Ask, failure: Failure, now: Time) -> Vec<Fact> {
        let fact = match ask {
            Ask::Authorise if self.is_open() && self.void_requested => {
                self.phase = Phase::Released;
                Some(Fact::Voided(self.amount_minor))
            }
            Ask::Authorise if self.is_open() => Some(self.fail(Some(failure))),
            Ask::Capture { id, .. } => self.movement_failed(id.uuid(), failure),
            Ask::Refund { id, .. } => self.movement_failed(id.uuid(), failure),
            Ask::Authorise | Ask::Retrieve | Ask::Find | Ask::Cancel => None,
        };
        self.unanswered = fact.is_none();
        self.forget_payer();
        self.plan(fact.is_some(), now);
        fact.into_iter().collect()
    }

    /// Nobody answered: it may or may not have happened.
    pub(crate) fn silent(&mut self, now: Time) {
        if self.phase == Phase::Created {
            self.phase = Phase::Unknown;
        }
        self.unanswered = true;
        self.plan(false, now);
    }

    /// Something happened at the PSP that it must be asked about. While its first answer is awaited, that tells.
    pub(crate) fn request_look(&mut self, now: Time) {
        if self.phase != Phase::Created {
            self.look = true;
            self.plan(true, now);
        }
    }

    /// Goes to the next PSP: this one was surely never asked.
    pub(crate) fn reroute(&mut self, now: Time) {
        if self.phase == Phase::Created && self.psp_reference.is_none() && !self.fallbacks.is_empty() {
            self.psp = self.fallbacks.remove(0);
            self.plan(true, now);
        }
    }

    fn forget_payer(&mut self) {
        if !self.is_open() {
            self.payer = None;
        }
    }

    /// Asks that what is held and not captured be given up. `false`: nothing is held any more.
    pub(crate) fn request_void(&mut self, now: Time) -> Result<bool, Error> {
        match self.phase {
            Phase::Failed | Phase::Released => Ok(false),
            Phase::Authorised if self.captured_minor() == self.amount_minor => Err(Error::NotVoidable(self.id)),
            _ => {
                self.void_requested = true;
                self.plan(true, now);
                Ok(true)
            }
        }
    }

    fn fail(&mut self, failure: Option<Failure>) -> Fact {
        self.phase = Phase::Failed;
        self.failure = failure.or_else(|| Some(Failure { code: "declined".to_owned(), message: "The payment was declined.".to_owned() }));
        Fact::Failed
    }
}

impl State {
    /// As the database writes it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Authorising => "authorising",
            Self::ActionRequired => "action_required",
            Self::Authorised => "authorised",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::PartiallyCaptured => "partially_captured",
            Self::Captured => "captured",
            Self::PartiallyRefunded => "partially_refunded",
            Self::Refunded => "refunded",
            Self::Voided => "voided",
        }
    }
}

/// A currency as its code.
mod currency_text {
    use kit_core::Currency;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(currency: &Currency, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(currency)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Currency, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

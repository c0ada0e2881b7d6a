//! What a payment at the sandbox may become. Pure: time comes in, facts come out.

use serde::{Deserialize, Serialize};

use crate::cards::{Behaviour, Card};
use crate::dispute::{Dispute, USUAL_REASON};
use crate::error::Error;
use crate::settings::{Fees, MAX_MOVEMENTS, Timings};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    RequiresMethod,
    RequiresAction,
    Processing,
    Authorised,
    /// Everything that will be captured is captured.
    Captured,
    Cancelled,
    Failed,
}

impl Status {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::RequiresMethod => "requires_method",
            Self::RequiresAction => "requires_action",
            Self::Processing => "processing",
            Self::Authorised => "authorised",
            Self::Captured => "captured",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Failure {
    fn new(code: &str, message: &str) -> Self {
        Self { code: code.to_owned(), message: message.to_owned() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MovementKind {
    Capture,
    Refund,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MovementStatus {
    Pending,
    Succeeded,
    Failed,
}

/// One capture or refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Movement {
    pub(crate) id: String,
    pub(crate) kind: MovementKind,
    /// The Idempotency-Key it was asked for with.
    pub(crate) key: String,
    /// The merchant's own id of it.
    pub(crate) reference: String,
    pub(crate) amount_minor: i64,
    pub(crate) status: MovementStatus,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) failure: Option<Failure>,
    #[serde(default)]
    pub(crate) fee_minor: i64,
    #[serde(default)]
    pub(crate) fee_tax_minor: i64,
}

/// What a booking is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BookingKind {
    Capture,
    Refund,
    Dispute,
    /// A dispute that was won: its amount comes back, its fee does not.
    DisputeReversal,
}

/// A movement on the merchant's balance, as the report lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Booking {
    /// Its place in the report; 0 until it is booked.
    pub(crate) number: u64,
    pub(crate) kind: BookingKind,
    /// The merchant's own id of the capture or refund; ours of a dispute.
    pub(crate) reference: String,
    /// What the merchant gets (or gives, when negative), before fees.
    pub(crate) amount_minor: i64,
    pub(crate) fee_minor: i64,
    pub(crate) fee_tax_minor: i64,
    pub(crate) at_ms: i64,
}

/// A payment as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Payment {
    pub(crate) id: String,
    pub(crate) key: String,
    /// Tells another request under the same key from the same one sent again.
    pub(crate) fingerprint: u64,
    pub(crate) reference: String,
    pub(crate) amount_minor: i64,
    pub(crate) currency: String,
    pub(crate) description: String,
    pub(crate) return_url: String,
    pub(crate) status: Status,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) card: Option<Card>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) saved_method: Option<String>,
    pub(crate) captured_minor: i64,
    pub(crate) refunded_minor: i64,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) movements: Vec<Movement>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) failure: Option<Failure>,
    /// Counts changes, so that receivers of webhooks can tell an old one.
    pub(crate) version: u32,
    pub(crate) created_ms: i64,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) bookings: Vec<Booking>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) disputes: Vec<Dispute>,
    /// When it settles or expires by itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) due_ms: Option<i64>,
}

/// The word of an event: `payment.authorised`.
pub(crate) type EventWord = &'static str;

/// A request to capture or refund.
#[derive(Debug, Clone)]
pub(crate) struct MovementRequest {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) reference: String,
    /// None: all that is left.
    pub(crate) amount_minor: Option<i64>,
    /// For a capture: what is left afterwards is released.
    pub(crate) last: bool,
}

impl Payment {
    pub(crate) fn behaviour(&self) -> Behaviour {
        self.card.as_ref().map_or(Behaviour::Succeeds, |card| card.behaviour)
    }

    /// Charges a card. `declined_by_fault` overrides what the card would do.
    pub(crate) fn confirm(&mut self, card: Card, declined_by_fault: bool, now_ms: i64, timings: &Timings) -> Result<EventWord, Error> {
        if self.status != Status::RequiresMethod {
            return Err(Error::WrongState(self.status.word(), "confirmed"));
        }
        let behaviour = card.behaviour;
        self.card = Some(card);
        self.version += 1;
        if declined_by_fault {
            return Ok(self.fail("card_declined", "The card was declined."));
        }
        Ok(match behaviour {
            Behaviour::Declined => self.fail("card_declined", "The card was declined."),
            Behaviour::InsufficientFunds => self.fail("insufficient_funds", "The card has insufficient funds."),
            Behaviour::Expired => self.fail("expired_card", "The card has expired."),
            Behaviour::WrongCvc => self.fail("incorrect_cvc", "The security code is wrong."),
            Behaviour::Challenge => {
                self.status = Status::RequiresAction;
                self.due_ms = Some(now_ms.saturating_add(millis(timings.challenge)));
                "payment.requires_action"
            }
            Behaviour::AnswersLater | Behaviour::DeclinesLater => {
                self.status = Status::Processing;
                self.due_ms = Some(now_ms.saturating_add(millis(timings.later)));
                "payment.processing"
            }
            _ => self.authorise(),
        })
    }

    /// The buyer approved or rejected the 3-D Secure challenge. `None`: it was answered before.
    pub(crate) fn answer_challenge(&mut self, approved: bool) -> Option<EventWord> {
        if self.status != Status::RequiresAction {
            return None;
        }
        self.version += 1;
        self.due_ms = None;
        Some(if approved { self.authorise() } else { self.fail("authentication_failed", "The card's owner rejected the payment.") })
    }

    /// What happens by itself when its time comes: late answers, late refunds, challenges nobody answered.
    pub(crate) fn settle(&mut self, now_ms: i64, fees: &Fees, timings: &Timings) -> Option<EventWord> {
        self.due_ms.filter(|due| *due <= now_ms)?;
        self.due_ms = None;
        self.version += 1;
        let word = self.settle_what_is_due(now_ms, fees, timings);
        self.wake_for_disputes(now_ms);
        word
    }

    fn settle_what_is_due(&mut self, now_ms: i64, fees: &Fees, timings: &Timings) -> Option<EventWord> {
        match self.status {
            Status::Processing if self.behaviour() == Behaviour::DeclinesLater => Some(self.fail("card_declined", "The card was declined.")),
            Status::Processing => Some(self.authorise()),
            Status::RequiresAction => Some(self.fail("authentication_expired", "The payment was not approved in time.")),
            _ if self.behaviour() == Behaviour::Disputed && self.disputes.is_empty() => {
                let (id, reason) = (format!("dp_{}", self.id.trim_start_matches("pi_")), USUAL_REASON.to_owned());
                self.dispute(id, reason, None, now_ms, fees, timings).ok()
            }
            _ => {
                let refunded = self.settle_refunds();
                self.settle_disputes(now_ms).or(refunded)
            }
        }
    }

    fn settle_refunds(&mut self) -> Option<EventWord> {
        let mut settled = Vec::new();
        for movement in self.movements.iter_mut().filter(|movement| movement.status == MovementStatus::Pending) {
            movement.status = MovementStatus::Succeeded;
            settled.push((movement.reference.clone(), movement.amount_minor));
        }
        for (reference, amount_minor) in &settled {
            self.book(BookingKind::Refund, reference.clone(), -amount_minor, (0, 0));
        }
        (!settled.is_empty()).then_some("refund.succeeded")
    }

    /// Notes a movement on the balance; the world gives it its number and moment.
    pub(crate) fn book(&mut self, kind: BookingKind, reference: String, amount_minor: i64, (fee_minor, fee_tax_minor): (i64, i64)) {
        self.bookings.push(Booking { number: 0, kind, reference, amount_minor, fee_minor, fee_tax_minor, at_ms: 0 });
    }

    /// `now_ms`: from when a card that disputes its payments thinks about it.
    pub(crate) fn capture(&mut self, request: MovementRequest, now_ms: i64, fees: &Fees, timings: &Timings) -> Result<EventWord, Error> {
        let left = self.amount_minor - self.captured_minor;
        if self.status != Status::Authorised {
            return Err(Error::WrongState(self.status.word(), "captured"));
        }
        let amount_minor = amount_within(request.amount_minor, left, "captured")?;
        self.room_for_one_more()?;
        self.version += 1;
        let failure = (self.behaviour() == Behaviour::CaptureFails).then(|| Failure::new("capture_refused", "The card's bank refused the capture."));
        let succeeded = failure.is_none();
        let reference = request.reference.clone();
        self.add(MovementKind::Capture, request.id, request.key, request.reference, amount_minor, failure);
        if !succeeded {
            return Ok("capture.failed");
        }
        let fee = fees.of_capture(amount_minor);
        if let Some(movement) = self.movements.last_mut() {
            (movement.fee_minor, movement.fee_tax_minor) = fee;
        }
        self.book(BookingKind::Capture, reference, amount_minor, fee);
        self.captured_minor += amount_minor;
        if request.last || amount_minor == left {
            self.status = Status::Captured;
        }
        if self.behaviour() == Behaviour::Disputed {
            self.due_ms = Some(now_ms.saturating_add(millis(timings.later)));
        }
        Ok("payment.captured")
    }

    pub(crate) fn refund(&mut self, request: MovementRequest, now_ms: i64, timings: &Timings) -> Result<EventWord, Error> {
        let left = self.captured_minor - self.refunded_minor - self.disputed_minor();
        if self.captured_minor == 0 {
            return Err(Error::WrongState(self.status.word(), "refunded"));
        }
        let amount_minor = amount_within(request.amount_minor, left, "refunded")?;
        self.room_for_one_more()?;
        self.version += 1;
        let behaviour = self.behaviour();
        let failure = (behaviour == Behaviour::RefundFails).then(|| Failure::new("refund_refused", "The card's bank refused the refund."));
        let succeeded = failure.is_none();
        let reference = request.reference.clone();
        self.add(MovementKind::Refund, request.id, request.key, request.reference, amount_minor, failure);
        if !succeeded {
            return Ok("refund.failed");
        }
        // A pending refund counts at once, so that two of them can never give back more than was taken.
        self.refunded_minor += amount_minor;
        if behaviour == Behaviour::RefundsLater {
            if let Some(movement) = self.movements.last_mut() {
                movement.status = MovementStatus::Pending;
            }
            self.due_ms = Some(now_ms.saturating_add(millis(timings.later)));
            return Ok("refund.pending");
        }
        self.book(BookingKind::Refund, reference, -amount_minor, (0, 0));
        Ok("refund.succeeded")
    }

    /// Gives up what is not captured. `None`: there was nothing left to give up.
    pub(crate) fn cancel(&mut self) -> Result<Option<EventWord>, Error> {
        match self.status {
            Status::Cancelled => return Ok(None),
            Status::Captured | Status::Failed => return Err(Error::WrongState(self.status.word(), "cancelled")),
            Status::RequiresMethod | Status::RequiresAction | Status::Processing | Status::Authorised => {}
        }
        self.version += 1;
        if self.status != Status::Authorised {
            // What is due for an authorised payment is a late refund, which a cancellation of the rest does not stop.
            self.due_ms = None;
        }
        self.status = if self.captured_minor > 0 { Status::Captured } else { Status::Cancelled };
        Ok(Some("payment.cancelled"))
    }

    /// The capture or refund asked for with this key before; another amount under the same key is refused.
    pub(crate) fn asked_before(&self, kind: MovementKind, key: &str, amount_minor: Option<i64>) -> Result<bool, Error> {
        let before = self.movements.iter().find(|movement| movement.key == key);
        let same = |movement: &Movement| movement.kind == kind && amount_minor.is_none_or(|amount| amount == movement.amount_minor);
        match before {
            Some(movement) if !same(movement) => Err(Error::KeyReused),
            found => Ok(found.is_some()),
        }
    }

    fn add(&mut self, kind: MovementKind, id: String, key: String, reference: String, amount_minor: i64, failure: Option<Failure>) {
        let status = if failure.is_some() { MovementStatus::Failed } else { MovementStatus::Succeeded };
        self.movements.push(Movement { id, kind, key, reference, amount_minor, status, failure, fee_minor: 0, fee_tax_minor: 0 });
    }

    fn authorise(&mut self) -> EventWord {
        self.status = Status::Authorised;
        "payment.authorised"
    }

    fn fail(&mut self, code: &str, message: &str) -> EventWord {
        self.status = Status::Failed;
        self.failure = Some(Failure::new(code, message));
        "payment.failed"
    }

    fn room_for_one_more(&self) -> Result<(), Error> {
        if self.movements.len() < MAX_MOVEMENTS { Ok(()) } else { Err(Error::TooLarge { left: 0, what: "recorded on one payment" }) }
    }
}

fn amount_within(asked: Option<i64>, left: i64, what: &'static str) -> Result<i64, Error> {
    match asked {
        Some(amount) if amount <= 0 => Err(Error::invalid("amount_minor", "must be more than zero")),
        Some(amount) if amount > left => Err(Error::TooLarge { left, what }),
        None if left == 0 => Err(Error::TooLarge { left, what }),
        Some(amount) => Ok(amount),
        None => Ok(left),
    }
}

/// A duration as the journal writes moments: milliseconds.
pub(crate) fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cards::test_cards;

    fn payment(amount_minor: i64) -> Payment {
        serde_json::from_value(serde_json::json!({
            "id": "pi_1", "key": "k", "fingerprint": 0, "reference": "r", "amount_minor": amount_minor, "currency": "EUR", "description": "",
            "return_url": "", "status": "requires_method", "captured_minor": 0, "refunded_minor": 0, "version": 0, "created_ms": 0,
        }))
        .unwrap()
    }

    fn asked(amount_minor: Option<i64>, last: bool) -> MovementRequest {
        MovementRequest { id: "m".into(), key: "m".into(), reference: "m".into(), amount_minor, last }
    }

    #[test]
    fn a_challenge_nobody_answers_fails_when_its_time_has_passed() {
        let timings = Timings::default();
        let mut payment = payment(500);
        let card = Card::of(test_cards().iter().find(|card| card.behaviour == Behaviour::Challenge).unwrap(), 1, 2030);
        assert_eq!(payment.confirm(card, false, 0, &timings), Ok("payment.requires_action"));
        assert_eq!(payment.settle(millis(timings.challenge) - 1, &Fees::default(), &timings), None);
        assert_eq!(payment.settle(millis(timings.challenge), &Fees::default(), &timings), Some("payment.failed"));
        assert_eq!(payment.answer_challenge(true), None);
    }

    proptest! {
        #[test]
        fn whatever_is_asked_in_whatever_order_no_more_is_captured_than_authorised_nor_refunded_than_captured(
            card in 0..test_cards().len(),
            steps in proptest::collection::vec((0..8_u8, proptest::option::of(1..700_i64), any::<bool>()), 1..40),
        ) {
            let timings = Timings::default();
            let mut payment = payment(1000);
            let card = Card::of(&test_cards()[card], 1, 2030);
            for (now, (step, amount, last)) in steps.into_iter().enumerate() {
                let now = i64::try_from(now).unwrap() * 60_000;
                let before = payment.clone();
                let refused = match step {
                    0 => payment.confirm(card.clone(), false, now, &timings).is_err(),
                    1 => payment.capture(asked(amount, last), now, &Fees::default(), &timings).is_err(),
                    2 => payment.refund(asked(amount, last), now, &timings).is_err(),
                    3 => payment.cancel().is_err(),
                    4 => payment.settle(now, &Fees::default(), &timings).is_none() && payment.due_ms == before.due_ms,
                    5 => payment.dispute(format!("dp_{now}"), USUAL_REASON.to_owned(), amount, now, &Fees::default(), &timings).is_err(),
                    6 => match payment.disputes.last().map(|dispute| dispute.id.clone()) {
                        Some(id) => payment.answer_dispute(&id, if last { "proof" } else { "" }.to_owned(), now, &timings).is_err(),
                        None => true,
                    },
                    _ => payment.answer_challenge(last).is_none(),
                };
                prop_assert!(!refused || payment == before, "a refused step changes nothing");
                prop_assert!(payment.captured_minor <= payment.amount_minor);
                prop_assert!(payment.refunded_minor + payment.disputed_minor() <= payment.captured_minor);
                let pending: i64 = payment.movements.iter().filter(|m| m.kind == MovementKind::Refund && m.status == MovementStatus::Pending).map(|m| m.amount_minor).sum();
                let booked: i64 = payment.bookings.iter().map(|booking| booking.amount_minor).sum();
                prop_assert_eq!(booked, payment.captured_minor - payment.refunded_minor + pending - payment.disputed_minor(), "the report says what happened");
                let sum = |kind| payment.movements.iter().filter(|m| m.kind == kind && m.status != MovementStatus::Failed).map(|m| m.amount_minor).sum::<i64>();
                prop_assert_eq!(sum(MovementKind::Capture), payment.captured_minor);
                prop_assert_eq!(sum(MovementKind::Refund), payment.refunded_minor);
            }
        }
    }
}

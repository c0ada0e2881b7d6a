//! The decisions of placing an order: a pure state machine. An input says what is now known; the machine notes it and names what to
//! ask next. It does nothing itself and knows no time but what it is told.
//!
//! What it keeps true, whatever comes twice, late, out of order or not at all (see the property tests):
//! - money is captured only for a payment whose stock is committed, and of all attempts to pay at most one is captured;
//! - every other attempt ends declined, voided or refunded; nothing authorised is forgotten;
//! - stock that was held ends committed (order placed), released or restocked (order cancelled);
//! - an outside effect whose outcome is unknown is asked again under the same id until it is known; only what is known is undone.

use api_payments::PaymentId;
use kit_core::Time;
use serde::{Deserialize, Serialize};

use super::attempt::Money;
pub(crate) use super::attempt::{Attempt, Fact};
use crate::model::OrderState;

/// Grows when the stored form changes; older forms are then read by a match on it.
const FORM: u8 = 1;

/// How long an unknown outcome waits before it is asked again, at most.
const LONGEST_BACK_OFF_SECONDS: i64 = 60;

/// What is known of placing one order, and what is wanted. Stored as JSON with the order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Saga {
    form: u8,
    goal: Goal,
    hold: Hold,
    /// Until when the buyer can pay; known once stock is held.
    pay_until: Option<Time>,
    /// Every attempt to pay; the last is the one that counts.
    attempts: Vec<Attempt>,
    /// The furthest milestone that was told.
    reached: Milestone,
    /// Unknown outcomes in a row, for the back-off.
    tries: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Goal {
    Place,
    Cancel { why: Why, note: String },
}

/// Why an order is not placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Why {
    OutOfStock,
    /// The hold ran out before the payment came.
    StockLost,
    /// Nobody paid in time.
    Unpaid,
    /// The PSP refused to capture what it had authorised.
    CaptureRefused,
    Buyer,
    Operator,
}

/// How the stock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Hold {
    /// Asked to be held; the answer is not known.
    Asked,
    Held,
    /// Asked to be sold; the answer is not known.
    Committing,
    Committed,
    /// Asked to be given up; the answer is not known.
    Releasing,
    /// Asked to be taken back; the answer is not known.
    Restocking,
    /// Given up or taken back. Final.
    Free,
    /// There was too little of it. Final.
    Refused,
    /// It ran out. Final.
    Lost,
}

/// What became known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Input {
    Reserved {
        until: Time,
    },
    /// Some line has too few pieces; the note says which, for people.
    OutOfStock {
        note: String,
    },
    StockCommitted,
    StockLost,
    /// Inventory gave the hold up by itself.
    HoldExpired,
    Released,
    Restocked,
    Payment {
        payment_id: PaymentId,
        fact: Fact,
    },
    /// The buyer tries another method.
    Retry(Attempt),
    Cancel {
        why: Why,
        note: String,
    },
    /// What was asked last was not answered.
    Unknown,
    /// Time has passed.
    Woken,
}

/// What to ask of others. Attempts are named by their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Command {
    Reserve,
    Commit,
    Release,
    Restock,
    Authorise(usize),
    Capture(usize),
    Void(usize),
    Refund(usize),
}

impl Command {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Reserve => "reserve",
            Self::Commit => "commit",
            Self::Release => "release",
            Self::Restock => "restock",
            Self::Authorise(_) => "authorise",
            Self::Capture(_) => "capture",
            Self::Void(_) => "void",
            Self::Refund(_) => "refund",
        }
    }
}

/// What to tell the world, each milestone once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tell {
    Reserved,
    PaymentPending,
    PaymentFailed {
        message: String,
    },
    /// Payment authorised, stock committed.
    Confirmed,
    /// Money captured.
    Paid,
    Cancelled {
        why: Why,
        note: String,
    },
    /// Captured money of a cancelled order went back.
    MoneyReturned,
    MoneyStuck,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Milestone {
    Created,
    Reserved,
    Confirmed,
    Paid,
    Cancelled,
}

/// The order is not in a state that allows what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

/// What the buyer has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    Nothing,
    GoTo(String),
    Wait,
    PayAgain(String),
}

impl Saga {
    /// A new order: its stock is asked for first.
    pub(crate) fn new(attempt: Attempt) -> Self {
        Self { form: FORM, goal: Goal::Place, hold: Hold::Asked, pay_until: None, attempts: vec![attempt], reached: Milestone::Created, tries: 0 }
    }

    /// Notes what became known and decides what follows. What was known before, or comes too late to matter, changes nothing.
    pub(crate) fn apply(&mut self, input: &Input, now: Time) -> Result<Vec<Tell>, Refused> {
        let mut tells = Vec::new();
        let before = (self.goal.clone(), self.hold, self.attempts.clone());
        match input {
            Input::Reserved { until } => {
                if self.hold == Hold::Asked {
                    self.hold = Hold::Held;
                    self.pay_until = Some(*until);
                }
            }
            Input::OutOfStock { note } => {
                if self.hold == Hold::Asked {
                    self.hold = Hold::Refused;
                    self.call_off(Why::OutOfStock, note);
                }
            }
            Input::StockCommitted => self.move_hold(&[Hold::Committing], Hold::Committed),
            Input::StockLost => self.move_hold(&[Hold::Asked, Hold::Held, Hold::Committing, Hold::Releasing], Hold::Lost),
            Input::HoldExpired => self.move_hold(&[Hold::Asked, Hold::Held, Hold::Releasing], Hold::Lost),
            Input::Released => self.move_hold(&[Hold::Releasing], Hold::Free),
            Input::Restocked => self.move_hold(&[Hold::Restocking], Hold::Free),
            Input::Payment { payment_id, fact } => self.note_payment(*payment_id, fact, &mut tells),
            Input::Retry(attempt) => self.retry(attempt, now)?,
            Input::Cancel { why, note } => self.cancel(*why, note)?,
            Input::Unknown => self.tries = self.tries.saturating_add(1),
            Input::Woken => self.give_up_when_late(now),
        }
        self.decide();
        if before != (self.goal.clone(), self.hold, self.attempts.clone()) {
            self.tries = 0;
        }
        self.tell_milestones(&mut tells);
        Ok(tells)
    }

    /// What is to be asked now; each may be asked at any time and any number of times, because it carries the same id.
    pub(crate) fn commands(&self) -> Vec<Command> {
        let mut commands = Vec::new();
        match self.hold {
            Hold::Asked => commands.push(Command::Reserve),
            Hold::Committing => commands.push(Command::Commit),
            Hold::Releasing => commands.push(Command::Release),
            Hold::Restocking => commands.push(Command::Restock),
            Hold::Held | Hold::Committed | Hold::Free | Hold::Refused | Hold::Lost => {}
        }
        // The last attempt first: it is the one the buyer waits for.
        for (place, attempt) in self.attempts.iter().enumerate().rev() {
            match attempt.money {
                Money::Asked => commands.push(Command::Authorise(place)),
                Money::Capturing => commands.push(Command::Capture(place)),
                Money::Voiding => commands.push(Command::Void(place)),
                Money::Refunding => commands.push(Command::Refund(place)),
                _ => {}
            }
        }
        commands
    }

    /// When somebody should look at it again; none when all is done. `lease` is how long whoever is at work now is left alone.
    pub(crate) fn look_at(&self, now: Time, lease: chrono::Duration) -> Option<Time> {
        if self.is_over() {
            return None;
        }
        if self.commands().is_empty() {
            return Some(self.pay_until.unwrap_or(now).max(now));
        }
        let back_off = 1_i64.checked_shl(self.tries).unwrap_or(i64::MAX).min(LONGEST_BACK_OFF_SECONDS);
        Some(now + if self.tries == 0 { lease } else { chrono::Duration::seconds(back_off) })
    }

    /// Everything outside is as it shall stay.
    pub(crate) fn is_over(&self) -> bool {
        let last_captured = self.attempts.last().is_some_and(|last| last.money == Money::Captured);
        let earlier = self.attempts.split_last().map_or(&[][..], |(_, earlier)| earlier);
        match self.goal {
            Goal::Place => self.hold == Hold::Committed && last_captured && earlier.iter().all(Attempt::is_over),
            Goal::Cancel { .. } => matches!(self.hold, Hold::Free | Hold::Refused | Hold::Lost) && self.attempts.iter().all(Attempt::is_over),
        }
    }

    /// The order's state as people see it, until the sellers take over.
    pub(crate) fn state(&self) -> OrderState {
        if matches!(self.goal, Goal::Cancel { .. }) {
            return OrderState::Cancelled;
        }
        match (self.hold, self.attempts.last().map(|last| &last.money)) {
            (Hold::Asked, _) => OrderState::Created,
            (Hold::Committed, Some(Money::Captured)) => OrderState::Paid,
            (Hold::Committed, _) => OrderState::Confirmed,
            (_, Some(Money::Declined | Money::Voided)) => OrderState::PaymentFailed,
            (_, Some(Money::New | Money::Asked)) => OrderState::Reserved,
            _ => OrderState::PaymentPending,
        }
    }

    pub(crate) fn next_action(&self) -> Next {
        let Some(last) = self.attempts.last().filter(|_| self.goal == Goal::Place && self.hold != Hold::Committed) else {
            return Next::Nothing;
        };
        match &last.money {
            Money::Pending { url } if !url.is_empty() => Next::GoTo(url.clone()),
            Money::Declined | Money::Voided => Next::PayAgain(last.failure.clone()),
            _ => Next::Wait,
        }
    }

    pub(crate) fn attempt(&self, place: usize) -> Option<&Attempt> {
        self.attempts.get(place)
    }

    pub(crate) fn last_attempt(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    pub(crate) fn pay_until(&self) -> Option<Time> {
        self.pay_until
    }

    /// The stock was refused, so there never was anything to pay for; what is short, for people.
    pub(crate) fn out_of_stock(&self) -> Option<&str> {
        match &self.goal {
            Goal::Cancel { why: Why::OutOfStock, note } => Some(note),
            _ => None,
        }
    }

    /// The sellers have it: what follows happens part by part.
    pub(crate) fn is_paid(&self) -> bool {
        self.state() == OrderState::Paid
    }

    fn move_hold(&mut self, from: &[Hold], to: Hold) {
        if from.contains(&self.hold) {
            self.hold = to;
        }
    }

    fn note_payment(&mut self, payment_id: PaymentId, fact: &Fact, tells: &mut Vec<Tell>) {
        let last = self.attempts.len().saturating_sub(1);
        let Some((place, attempt)) = self.attempts.iter_mut().enumerate().find(|(_, attempt)| attempt.payment_id == payment_id) else {
            return;
        };
        let capturing = attempt.money == Money::Capturing;
        let mut told = Vec::new();
        attempt.note(fact, &mut told);
        // What happens to an attempt the buyer has given up, or to a cancelled order, is no news; money going back is.
        let news = place == last && self.goal == Goal::Place;
        tells.extend(told.into_iter().filter(|tell| news || matches!(tell, Tell::MoneyReturned | Tell::MoneyStuck)));
        if capturing && matches!(fact, Fact::CaptureRefused | Fact::Voided) {
            self.call_off(Why::CaptureRefused, "");
        }
    }

    fn retry(&mut self, attempt: &Attempt, now: Time) -> Result<(), Refused> {
        if self.attempts.iter().any(|known| known.payment_id == attempt.payment_id) {
            return Ok(());
        }
        let waiting = self.attempts.last().is_some_and(|last| matches!(last.money, Money::Declined | Money::Voided | Money::Pending { .. }));
        let in_time = self.pay_until.is_some_and(|until| now < until);
        if self.goal != Goal::Place || self.hold != Hold::Held || !waiting || !in_time {
            return Err(Refused);
        }
        self.attempts.push(attempt.clone());
        Ok(())
    }

    /// Until the money is captured and the sellers begin, the whole order can be called off.
    fn cancel(&mut self, why: Why, note: &str) -> Result<(), Refused> {
        if self.is_paid() {
            return Err(Refused);
        }
        self.call_off(why, note);
        Ok(())
    }

    /// The first reason counts.
    fn call_off(&mut self, why: Why, note: &str) {
        if self.goal == Goal::Place {
            self.goal = Goal::Cancel { why, note: note.to_owned() };
        }
    }

    fn give_up_when_late(&mut self, now: Time) {
        let late = self.pay_until.is_some_and(|until| now >= until);
        if self.hold == Hold::Held && late {
            self.call_off(Why::Unpaid, "");
        }
    }

    /// Turns what is known into what is wanted next. The want is stored with the knowledge, before it is acted on.
    fn decide(&mut self) {
        if self.hold == Hold::Lost {
            self.call_off(Why::StockLost, "");
        }
        let money_gone = self.attempts.last().is_some_and(|last| matches!(last.money, Money::Declined | Money::Voided));
        if self.hold == Hold::Committed && money_gone {
            self.call_off(Why::CaptureRefused, "");
        }
        match self.goal {
            Goal::Place => self.decide_to_place(),
            Goal::Cancel { .. } => self.decide_to_cancel(),
        }
    }

    fn decide_to_place(&mut self) {
        let Some((last, earlier)) = self.attempts.split_last_mut() else { return };
        for attempt in earlier {
            match attempt.money {
                Money::New => attempt.money = Money::Voided,
                Money::Pending { .. } | Money::Authorised => attempt.money = Money::Voiding,
                Money::Captured => attempt.money = Money::Refunding,
                _ => {}
            }
        }
        if self.hold == Hold::Held && last.money == Money::New {
            last.money = Money::Asked;
        }
        if self.hold == Hold::Held && matches!(last.money, Money::Authorised | Money::Captured) {
            self.hold = Hold::Committing;
        }
        if self.hold == Hold::Committed && last.money == Money::Authorised {
            last.money = Money::Capturing;
        }
    }

    fn decide_to_cancel(&mut self) {
        // While it is not known whether money was taken, the goods it would be taken for stay put.
        let capturing = self.attempts.iter().any(|attempt| attempt.money == Money::Capturing);
        match self.hold {
            Hold::Held => self.hold = Hold::Releasing,
            Hold::Committed if !capturing => self.hold = Hold::Restocking,
            _ => {}
        }
        for attempt in &mut self.attempts {
            match attempt.money {
                Money::New => attempt.money = Money::Voided,
                Money::Pending { .. } | Money::Authorised => attempt.money = Money::Voiding,
                Money::Captured => attempt.money = Money::Refunding,
                _ => {}
            }
        }
    }

    fn tell_milestones(&mut self, tells: &mut Vec<Tell>) {
        if let Goal::Cancel { why, note } = &self.goal {
            if self.reached < Milestone::Cancelled {
                tells.push(Tell::Cancelled { why: *why, note: note.clone() });
                self.reached = Milestone::Cancelled;
            }
            return;
        }
        let now = match self.state() {
            OrderState::Created => Milestone::Created,
            OrderState::Confirmed => Milestone::Confirmed,
            OrderState::Paid => Milestone::Paid,
            _ => Milestone::Reserved,
        };
        for (milestone, tell) in [(Milestone::Reserved, Tell::Reserved), (Milestone::Confirmed, Tell::Confirmed), (Milestone::Paid, Tell::Paid)] {
            if self.reached < milestone && milestone <= now {
                tells.push(tell);
            }
        }
        self.reached = self.reached.max(now);
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "machine_check.rs"]
mod check;

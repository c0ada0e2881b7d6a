//! What becomes of delivered pieces that a buyer does not want to keep: pure decisions.
//! Must stay true: a piece is under one return at a time and is taken back once; what is refunded for it is exactly its share, less what its seller
//! may deduct; a return moves forward only.

use kit_core::{Address, Currency, Time};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Error;
use crate::model::OrderState;
use crate::share::{Left, Remains, Share};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReturnState {
    Requested,
    Approved,
    Sent,
    Received,
    Refunded,
    Refused,
    Withdrawn,
    Expired,
}

impl ReturnState {
    const ALL: [(Self, &'static str); 8] = [
        (Self::Requested, "requested"),
        (Self::Approved, "approved"),
        (Self::Sent, "sent"),
        (Self::Received, "received"),
        (Self::Refunded, "refunded"),
        (Self::Refused, "refused"),
        (Self::Withdrawn, "withdrawn"),
        (Self::Expired, "expired"),
    ];

    pub(crate) fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(state, _)| *state == self).map_or("requested", |(_, text)| text)
    }

    /// Reads what SQL keeps; its check allows no other text.
    pub(crate) fn of(text: &str) -> Self {
        Self::ALL.iter().find(|(_, known)| *known == text).map_or(Self::Requested, |(state, _)| *state)
    }

    /// Its shares are taken out of the sub-order.
    pub(crate) const fn takes_money(self) -> bool {
        matches!(self, Self::Received | Self::Refunded)
    }

    /// `None`: it was decided so before.
    pub(crate) fn decide(self, approve: bool) -> Result<Option<Self>, Error> {
        match (self, approve) {
            (Self::Requested, true) => Ok(Some(Self::Approved)),
            (Self::Requested, false) => Ok(Some(Self::Refused)),
            (Self::Approved | Self::Sent | Self::Received | Self::Refunded, true) | (Self::Refused, false) => Ok(None),
            (_, true) => Err(Error::IllegalMove(self.as_str(), "approved")),
            (_, false) => Err(Error::IllegalMove(self.as_str(), "refused")),
        }
    }

    /// `None`: it was withdrawn before.
    pub(crate) fn withdraw(self) -> Result<Option<Self>, Error> {
        match self {
            Self::Requested | Self::Approved => Ok(Some(Self::Withdrawn)),
            Self::Withdrawn => Ok(None),
            _ => Err(Error::IllegalMove(self.as_str(), "withdrawn")),
        }
    }

    pub(crate) fn send(self) -> Result<Self, Error> {
        match self {
            Self::Approved | Self::Sent => Ok(Self::Sent),
            _ => Err(Error::IllegalMove(self.as_str(), "sent")),
        }
    }

    /// Whether goods may be looked at now; false: they were before.
    pub(crate) fn may_be_inspected(self) -> Result<bool, Error> {
        match self {
            Self::Approved | Self::Sent => Ok(true),
            Self::Received | Self::Refunded => Ok(false),
            _ => Err(Error::IllegalMove(self.as_str(), "received")),
        }
    }
}

/// Why a buyer gives something back.
pub(crate) const CHANGED_MIND: &str = "changed_mind";

/// One line of a return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReturnedLine {
    pub(crate) item_id: Uuid,
    pub(crate) quantity: u32,
    pub(crate) reason: String,
    /// Of the pieces, taken back.
    pub(crate) accepted: u32,
    /// Of those, sold again.
    pub(crate) restocked: u32,
    /// Of those that are taken back; before the inspection, of all. Of money without goods: what the line gives.
    pub(crate) share: Share,
}

/// What the buyer asks for.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) item_id: Uuid,
    pub(crate) quantity: u32,
    pub(crate) reason: String,
}

/// What the seller found in the parcel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finding {
    pub(crate) item_id: Uuid,
    pub(crate) accepted: u32,
    pub(crate) restocked: u32,
}

/// What a return comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) lines: Vec<ReturnedLine>,
    pub(crate) shipping: i64,
    pub(crate) deduction: i64,
    /// What goes back of goods, tax and commission, the deduction taken off.
    pub(crate) back: Share,
}

impl Outcome {
    pub(crate) fn amount(&self) -> i64 {
        self.back.paid() + self.shipping
    }
}

/// How a seller takes goods back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) window_days: u32,
    pub(crate) approve_at_once: bool,
    pub(crate) refund_shipping: bool,
    pub(crate) send_to: Option<Address>,
    pub(crate) instructions: String,
}

/// What of a sub-order can still come back.
#[derive(Debug)]
pub(crate) struct Returnable<'a> {
    /// What nothing was refunded for so far.
    pub(crate) remains: &'a Remains,
    /// Pieces under returns that are not decided yet.
    pub(crate) pending: Vec<(Uuid, u32)>,
    pub(crate) until: Option<Time>,
}

impl Returnable<'_> {
    /// Checks what the buyer asks for, and says what it comes to when all of it is taken back.
    pub(crate) fn ask(&self, wishes: &[Wish], policy: &Policy, now: Time) -> Result<Outcome, Error> {
        if !self.remains.state.has_arrived() {
            return Err(Error::NotReturnable("it has not arrived yet"));
        }
        if self.until.is_none_or(|until| now > until) {
            return Err(Error::NotReturnable("the time for it has passed"));
        }
        for (index, wish) in wishes.iter().enumerate() {
            let wrong = |field: &str, message: String| Err(Error::Invalid(vec![(format!("lines[{index}].{field}"), message)]));
            let Some(line) = self.remains.lines.iter().find(|line| line.item_id == wish.item_id) else {
                return wrong("item_id", "is not an item of this order".to_owned());
            };
            if wishes.iter().take(index).any(|earlier| earlier.item_id == wish.item_id) {
                return wrong("item_id", "is named twice".to_owned());
            }
            let free = line.quantity.saturating_sub(self.pending_of(wish.item_id));
            if wish.quantity == 0 || wish.quantity > free {
                return wrong("quantity", format!("{free} can be returned"));
            }
        }
        let lines = wishes.iter().map(|wish| ReturnedLine {
            item_id: wish.item_id,
            quantity: wish.quantity,
            reason: wish.reason.clone(),
            accepted: wish.quantity,
            restocked: 0,
            share: Share::default(),
        });
        self.remains.outcome(lines.collect(), policy, 0)
    }

    fn pending_of(&self, item: Uuid) -> u32 {
        self.pending.iter().filter(|(known, _)| *known == item).map(|(_, quantity)| quantity).sum()
    }
}

impl Remains {
    /// What lines come to with the pieces that are taken back of them. Shipping goes back with the last piece, when the fault was the seller's or
    /// the policy says so.
    fn outcome(&self, mut lines: Vec<ReturnedLine>, policy: &Policy, deduction: i64) -> Result<Outcome, Error> {
        let mut sum = Share::default();
        for line in &mut lines {
            let left = self.lines.iter().find(|left| left.item_id == line.item_id).filter(|left| left.quantity >= line.accepted);
            let left = left.ok_or(Error::NotReturnable("it was refunded before"))?;
            line.share = left.take(line.accepted, self.currency)?.share;
            sum = sum.plus(line.share);
        }
        if deduction > sum.paid() {
            return Err(Error::DeductionTooLarge(kit_core::Money::new(sum.paid(), self.currency)));
        }
        let accepted = |left: &Left| lines.iter().filter(|line| line.item_id == left.item_id).map(|line| line.accepted).sum::<u32>();
        let nothing_left = self.lines.iter().all(|left| left.quantity == accepted(left));
        let sellers_fault = lines.iter().all(|line| line.reason != CHANGED_MIND);
        let shipping = if nothing_left && (sellers_fault || policy.refund_shipping) { self.shipping } else { 0 };
        let back = sum.minus(held(sum, deduction, self.currency)?);
        Ok(Outcome { lines, shipping, deduction, back })
    }

    /// Decides an inspection. `None`: nothing is taken back.
    pub(crate) fn inspect(&self, asked: &[ReturnedLine], findings: &[Finding], policy: &Policy, deduction: i64) -> Result<Option<Outcome>, Error> {
        let mut lines = asked.to_vec();
        for line in &mut lines {
            (line.accepted, line.restocked) = (0, 0);
        }
        for (index, finding) in findings.iter().enumerate() {
            let wrong = |field: &str, message: String| Err(Error::Invalid(vec![(format!("lines[{index}].{field}"), message)]));
            let Some(line) = lines.iter_mut().find(|line| line.item_id == finding.item_id) else {
                return wrong("item_id", "is not an item of this return".to_owned());
            };
            if finding.accepted > line.quantity {
                return wrong("accepted", format!("{} were to come back", line.quantity));
            }
            if finding.restocked > finding.accepted {
                return wrong("restocked", format!("{} are taken back", finding.accepted));
            }
            (line.accepted, line.restocked) = (finding.accepted, finding.restocked);
        }
        if lines.iter().all(|line| line.accepted == 0) {
            return Ok(None);
        }
        self.outcome(lines, policy, deduction).map(Some)
    }
}

/// What a deduction keeps of a share.
pub(crate) fn held(sum: Share, deduction: i64, currency: Currency) -> Result<Share, Error> {
    if deduction == 0 { Ok(Share::default()) } else { Ok(sum.money(deduction, currency)?) }
}

/// The state of a part that has arrived, from its returns: what waits the longest way from its end shows.
pub(crate) fn state_of_part(returns: &[(ReturnState, bool)], all_gone: bool) -> OrderState {
    let has = |wanted: &[ReturnState]| returns.iter().any(|(state, without_goods)| !without_goods && wanted.contains(state));
    if has(&[ReturnState::Requested]) {
        OrderState::ReturnRequested
    } else if has(&[ReturnState::Approved, ReturnState::Sent]) {
        OrderState::ReturnApproved
    } else if has(&[ReturnState::Received]) {
        OrderState::ReturnReceived
    } else if all_gone && has(&[ReturnState::Refunded]) {
        OrderState::Refunded
    } else {
        OrderState::Delivered
    }
}

#[cfg(test)]
#[path = "returns_tests.rs"]
mod tests;

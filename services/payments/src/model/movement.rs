//! Captures and refunds: wished for by us, reserved at once, settled when the PSP says so.

use api_orders::SubOrderId;
use kit_core::Time;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Fact, Failure, Fee, Parts, Payment, Phase, SeenMovement, Settled, Sighting, Split};
use crate::config::MAX_MOVEMENTS;
use crate::error::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MovementState {
    Pending,
    Succeeded,
    Failed,
}

/// One capture or refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Movement {
    pub(crate) id: Uuid,
    pub(crate) state: MovementState,
    pub(crate) portions: Vec<Portion>,
    pub(crate) reason: String,
    pub(crate) failure: Option<Failure>,
    /// What the PSP kept of it.
    #[serde(default)]
    pub(crate) fee: Fee,
    pub(crate) created_at: Time,
}

/// What of a movement belongs to one sub-order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Portion {
    pub(crate) sub_order: SubOrderId,
    pub(crate) amount_minor: i64,
    /// What a refund is made of: as it was asked for, else its part of everything; fixed when it is reserved. None for captures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) made_of: Option<Parts>,
}

impl Portion {
    /// Whether `asked` wishes for this portion again.
    fn is_asked_by(&self, asked: &Self) -> bool {
        (self.sub_order, self.amount_minor) == (asked.sub_order, asked.amount_minor)
            && asked.made_of.is_none_or(|made_of| self.made_of == Some(made_of))
    }
}

impl Movement {
    pub(crate) fn amount_minor(&self) -> i64 {
        self.portions.iter().map(|portion| portion.amount_minor).sum()
    }

    fn of(&self, sub_order: SubOrderId) -> i64 {
        self.portions.iter().filter(|portion| portion.sub_order == sub_order).map(|portion| portion.amount_minor).sum()
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.state == MovementState::Pending
    }
}

impl Payment {
    /// Reserves a capture. No portions: all that is left. Asked again with the same id, it answers without doing anything.
    pub(crate) fn request_capture(&mut self, id: Uuid, portions: Vec<Portion>, now: Time) -> Result<(), Error> {
        if asked_before(&self.captures, id, &portions, Error::CaptureIdReused)? {
            return Ok(());
        }
        if self.phase != Phase::Authorised || self.void_requested {
            return Err(Error::NotCapturable(self.id, self.state()));
        }
        room_for_one_more(&self.captures)?;
        let left = |payment: &Self, split: &Split| split.whole.total() - split.captured.total() - pending(&payment.captures, split.sub_order);
        let portions = self.portions_within(portions, left, |sub_order, left| Error::CaptureTooLarge { sub_order, left })?;
        if portions.is_empty() {
            return Err(Error::NotCapturable(self.id, self.state()));
        }
        self.captures.push(Movement {
            id,
            state: MovementState::Pending,
            portions,
            reason: String::new(),
            failure: None,
            fee: Fee::default(),
            created_at: now,
        });
        self.plan(true, now);
        Ok(())
    }

    /// Reserves a refund, in the same way.
    pub(crate) fn request_refund(&mut self, id: Uuid, portions: Vec<Portion>, reason: String, now: Time) -> Result<(), Error> {
        if asked_before(&self.refunds, id, &portions, Error::RefundIdReused)? {
            return Ok(());
        }
        room_for_one_more(&self.refunds)?;
        let left = |payment: &Self, split: &Split| split.left().total() - pending(&payment.refunds, split.sub_order);
        if self.captured_minor() == 0 {
            return Err(Error::NotRefundable(self.id, self.state()));
        }
        let portions = self.portions_within(portions, left, |sub_order, left| Error::RefundTooLarge { sub_order, left })?;
        if portions.is_empty() {
            return Err(Error::NotRefundable(self.id, self.state()));
        }
        let portions = portions.into_iter().map(|portion| self.made_up(portion)).collect::<Result<_, _>>()?;
        self.refunds.push(Movement { id, state: MovementState::Pending, portions, reason, failure: None, fee: Fee::default(), created_at: now });
        self.plan(true, now);
        Ok(())
    }

    /// The portions asked for, or all that is left; each of a known sub-order, once, more than zero and within what is left.
    fn portions_within(
        &self,
        asked: Vec<Portion>,
        left: impl Fn(&Self, &Split) -> i64,
        too_large: impl Fn(SubOrderId, kit_core::Money) -> Error,
    ) -> Result<Vec<Portion>, Error> {
        if asked.is_empty() {
            let all = self.splits.iter().map(|split| Portion { sub_order: split.sub_order, amount_minor: left(self, split), made_of: None });
            return Ok(all.filter(|portion| portion.amount_minor > 0).collect());
        }
        for (index, portion) in asked.iter().enumerate() {
            let split = self.splits.iter().find(|split| split.sub_order == portion.sub_order).ok_or(Error::UnknownSubOrder(portion.sub_order))?;
            if asked.iter().take(index).any(|earlier| earlier.sub_order == portion.sub_order) {
                return Err(Error::wrong(format!("parts[{index}].sub_order_id"), "is named twice"));
            }
            if portion.made_of.is_some_and(|made_of| made_of.total() != portion.amount_minor) {
                return Err(Error::wrong(format!("parts[{index}].breakdown"), "must add up to the amount"));
            }
            if portion.amount_minor <= 0 {
                return Err(Error::wrong(format!("parts[{index}].amount"), "must be more than zero"));
            }
            let left = left(self, split);
            if portion.amount_minor > left {
                return Err(too_large(portion.sub_order, self.money(left)));
            }
        }
        Ok(asked)
    }

    /// Fixes what a refund is made of, out of what was captured and is neither given back nor reserved.
    fn made_up(&self, portion: Portion) -> Result<Portion, Error> {
        let split = self.splits.iter().find(|split| split.sub_order == portion.sub_order).ok_or(Error::UnknownSubOrder(portion.sub_order))?;
        let left = split.left().minus(reserved(&self.refunds, portion.sub_order));
        let made_of = match portion.made_of {
            Some(asked) if asked.is_within(left) => asked,
            Some(_) => return Err(Error::RefundTooLarge { sub_order: portion.sub_order, left: self.money(left.total()) }),
            None => left.take(portion.amount_minor, self.currency)?,
        };
        Ok(Portion { made_of: Some(made_of), ..portion })
    }

    /// Settles what is pending with us and no longer with the PSP.
    pub(super) fn observe_movements(&mut self, seen: &Sighting) -> Result<Vec<Fact>, Error> {
        let mut facts = Vec::new();
        for seen in &seen.captures {
            if let Some(movement) = settle(&mut self.captures, seen, "cap")? {
                facts.push(if movement.state == MovementState::Succeeded {
                    Fact::Captured(self.divide(movement, Split::capture)?)
                } else {
                    Fact::CaptureFailed(movement)
                });
            }
        }
        for seen in &seen.refunds {
            if let Some(movement) = settle(&mut self.refunds, seen, "rfn")? {
                facts.push(if movement.state == MovementState::Succeeded {
                    Fact::Refunded(self.divide(movement, Split::refund)?)
                } else {
                    Fact::RefundFailed(movement)
                });
            }
        }
        Ok(facts)
    }

    fn divide(&mut self, movement: Movement, take: fn(&mut Split, &Portion, kit_core::Currency) -> Result<Parts, Error>) -> Result<Settled, Error> {
        let currency = self.currency;
        let mut divided = Vec::with_capacity(movement.portions.len());
        for portion in &movement.portions {
            let split = self.splits.iter_mut().find(|split| split.sub_order == portion.sub_order).ok_or(Error::UnknownSubOrder(portion.sub_order))?;
            divided.push((*portion, take(split, portion, currency)?));
        }
        Ok(Settled { movement, divided })
    }

    /// The PSP surely did not do it.
    pub(super) fn movement_failed(&mut self, id: Uuid, failure: Failure) -> Option<Fact> {
        let failed = |movements: &mut Vec<Movement>| {
            let movement = movements.iter_mut().find(|movement| movement.id == id && movement.is_pending())?;
            movement.state = MovementState::Failed;
            movement.failure = Some(failure.clone());
            Some(movement.clone())
        };
        failed(&mut self.captures).map(Fact::CaptureFailed).or_else(|| failed(&mut self.refunds).map(Fact::RefundFailed))
    }
}

fn room_for_one_more(movements: &[Movement]) -> Result<(), Error> {
    if movements.len() < MAX_MOVEMENTS { Ok(()) } else { Err(Error::wrong("payment_id", "this payment has too many captures or refunds already")) }
}

/// What refunds under way have reserved of a sub-order.
pub(super) fn reserved(refunds: &[Movement], sub_order: SubOrderId) -> Parts {
    let portions = refunds.iter().filter(|refund| refund.is_pending()).flat_map(|refund| &refund.portions);
    portions.filter(|known| known.sub_order == sub_order).filter_map(|known| known.made_of).fold(Parts::default(), Parts::plus)
}

pub(super) fn pending(movements: &[Movement], sub_order: SubOrderId) -> i64 {
    movements.iter().filter(|movement| movement.is_pending()).map(|movement| movement.of(sub_order)).sum()
}

/// Whether a movement with this id exists; with other portions it is another wish under the same id, which is refused.
fn asked_before(movements: &[Movement], id: Uuid, portions: &[Portion], reused: fn(Uuid) -> Error) -> Result<bool, Error> {
    let same = |known: &[Portion]| known.len() == portions.len() && known.iter().zip(portions).all(|(known, asked)| known.is_asked_by(asked));
    match movements.iter().find(|movement| movement.id == id) {
        Some(movement) if !portions.is_empty() && !same(&movement.portions) => Err(reused(id)),
        found => Ok(found.is_some()),
    }
}

/// Ours that the PSP has settled just now. The amount must be the one that we asked for.
fn settle(movements: &mut [Movement], seen: &SeenMovement, prefix: &str) -> Result<Option<Movement>, Error> {
    let ours = |movement: &&mut Movement| movement.is_pending() && seen.reference == format!("{prefix}_{}", movement.id.simple());
    let Some(movement) = movements.iter_mut().find(ours) else { return Ok(None) };
    if seen.state == MovementState::Pending {
        return Ok(None);
    }
    if seen.amount_minor != movement.amount_minor() {
        return Err(Error::AmountDiffers(seen.reference.clone()));
    }
    movement.state = seen.state;
    movement.failure.clone_from(&seen.failure);
    movement.fee = seen.fee;
    Ok(Some(movement.clone()))
}

//! What a cancellation, a return or a refund takes out of a sub-order: pieces, and exactly their share of the money. Pure.
//! Must stay true: no share is negative; what was taken and what is left add up to what was placed, whatever was taken before, and
//! taking the rest takes everything.

use kit_core::{Currency, Money, MoneyError, allocate};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Error;
use crate::model::OrderState;

/// Amounts of one line, in minor units, none negative. The commission is part of the goods, not beside them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Share {
    pub(crate) goods: i64,
    pub(crate) discount: i64,
    pub(crate) tax: i64,
    pub(crate) commission: i64,
}

impl Share {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            goods: self.goods + other.goods,
            discount: self.discount + other.discount,
            tax: self.tax + other.tax,
            commission: self.commission + other.commission,
        }
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self {
            goods: self.goods - other.goods,
            discount: self.discount - other.discount,
            tax: self.tax - other.tax,
            commission: self.commission - other.commission,
        }
    }

    /// What the buyer paid for it.
    pub(crate) const fn paid(self) -> i64 {
        self.goods - self.discount + self.tax
    }

    /// What the seller keeps of it.
    pub(crate) const fn payable(self) -> i64 {
        self.goods - self.discount - self.commission
    }

    /// The share of `quantity` of the `left` pieces this is for. Because it is taken of what is left, any sequence stays exact. Discount is kept within the
    /// goods and commission within what is paid for them, here and in what is left, so that no rounding makes a seller owe for a piece.
    fn of(self, quantity: u32, left: u32, currency: Currency) -> Result<Self, MoneyError> {
        let weights = [u64::from(quantity), u64::from(left.saturating_sub(quantity))];
        let part = |minor| Ok::<_, MoneyError>(allocate(Money::new(minor, currency), &weights)?.first().map_or(0, |part| part.minor));
        let (goods, tax) = (part(self.goods)?, part(self.tax)?);
        let discount = within(part(self.discount)?, self.discount, goods, self.goods);
        let commission = within(part(self.commission)?, self.commission, goods - discount, self.goods - self.discount);
        Ok(Self { goods, discount, tax, commission })
    }

    /// `amount` out of what was paid for this: its seller, its commission and its tax give in proportion.
    pub(crate) fn money(self, amount: i64, currency: Currency) -> Result<Self, MoneyError> {
        let weights = [self.payable(), self.commission, self.tax].map(|part| u64::try_from(part).unwrap_or_default());
        match allocate(Money::new(amount, currency), &weights)?.as_slice() {
            [payable, commission, tax] => {
                Ok(Self { goods: payable.minor + commission.minor, discount: 0, tax: tax.minor, commission: commission.minor })
            }
            _ => Err(MoneyError::NoWeights),
        }
    }
}

/// `part` of `all`, moved as little as needed to fit into `room` and to let the rest fit into the rest of `rooms`.
fn within(part: i64, all: i64, room: i64, rooms: i64) -> i64 {
    part.max(all - (rooms - room)).min(room).min(all).max(0)
}

/// Pieces of one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Taken {
    pub(crate) item_id: Uuid,
    pub(crate) quantity: u32,
    pub(crate) share: Share,
}

/// What is left of one line.
#[derive(Debug, Clone)]
pub(crate) struct Left {
    pub(crate) item_id: Uuid,
    pub(crate) quantity: u32,
    pub(crate) share: Share,
}

impl Left {
    pub(crate) fn take(&self, quantity: u32, currency: Currency) -> Result<Taken, MoneyError> {
        Ok(Taken { item_id: self.item_id, quantity, share: self.share.of(quantity, self.quantity, currency)? })
    }
}

/// What is left of a sub-order.
#[derive(Debug, Clone)]
pub(crate) struct Remains {
    pub(crate) state: OrderState,
    pub(crate) currency: Currency,
    pub(crate) shipping: i64,
    pub(crate) lines: Vec<Left>,
    /// Something of it is with a carrier.
    pub(crate) shipped: bool,
}

/// How many of a line are still wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keep {
    pub(crate) item_id: Uuid,
    pub(crate) quantity: u32,
}

/// What is asked to be cancelled.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'a> {
    Everything,
    /// Lines that are not named stay as they are.
    Keeping(&'a [Keep]),
}

/// A cancellation, decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) whole: bool,
    pub(crate) lines: Vec<Taken>,
    pub(crate) shipping: i64,
}

impl Cut {
    fn share(&self) -> Share {
        self.lines.iter().fold(Share::default(), |sum, line| sum.plus(line.share))
    }

    /// What goes back to the buyer.
    pub(crate) fn amount(&self) -> i64 {
        self.share().paid() + self.shipping
    }

    pub(crate) fn commission(&self) -> i64 {
        self.share().commission
    }
}

impl Remains {
    /// Decides a cancellation. `None`: what is wanted is so already. Shipping goes back with the last piece, unless a parcel is on its way.
    pub(crate) fn cut(&self, wanted: Wanted<'_>) -> Result<Option<Cut>, Error> {
        let quantities: Vec<u32> = match wanted {
            Wanted::Everything => self.lines.iter().map(|line| line.quantity).collect(),
            Wanted::Keeping(keep) => self.surplus(keep)?,
        };
        if quantities.iter().all(|quantity| *quantity == 0) {
            return Ok(None);
        }
        if !self.state.is_cancellable() {
            return Err(Error::NotCancellable(why_not(self.state)));
        }
        let mut lines = Vec::new();
        for (line, quantity) in self.lines.iter().zip(&quantities).filter(|(_, quantity)| **quantity > 0) {
            lines.push(line.take(*quantity, self.currency)?);
        }
        let nothing_left = self.lines.iter().zip(&quantities).all(|(line, quantity)| line.quantity == *quantity);
        let whole = matches!(wanted, Wanted::Everything) || (nothing_left && !self.shipped);
        Ok(Some(Cut { whole, lines, shipping: if whole { self.shipping } else { 0 } }))
    }

    /// Decides to give `amount` back without any pieces: each line gives in proportion to what is left of it. `None`: there is not so much left.
    pub(crate) fn give(&self, amount: i64) -> Result<Option<Vec<Taken>>, MoneyError> {
        let paid: Vec<i64> = self.lines.iter().map(|line| line.share.paid()).collect();
        if amount <= 0 || amount > paid.iter().sum() {
            return Ok(None);
        }
        let weights: Vec<u64> = paid.iter().map(|paid| u64::try_from(*paid).unwrap_or_default()).collect();
        let parts = allocate(Money::new(amount, self.currency), &weights)?;
        let given = self.lines.iter().zip(parts).filter(|(_, part)| part.minor > 0);
        let given = given.map(|(line, part)| Ok(Taken { item_id: line.item_id, quantity: 0, share: line.share.money(part.minor, self.currency)? }));
        given.collect::<Result<Vec<_>, MoneyError>>().map(Some)
    }

    /// How many pieces of each line are no longer wanted.
    fn surplus(&self, keep: &[Keep]) -> Result<Vec<u32>, Error> {
        for (index, kept) in keep.iter().enumerate() {
            let wrong = |field: &str, message: String| Err(Error::Invalid(vec![(format!("lines[{index}].{field}"), message)]));
            let Some(line) = self.lines.iter().find(|line| line.item_id == kept.item_id) else {
                return wrong("item_id", "is not an item of this order".to_owned());
            };
            if keep.iter().take(index).any(|earlier| earlier.item_id == kept.item_id) {
                return wrong("item_id", "is named twice".to_owned());
            }
            if kept.quantity > line.quantity {
                return wrong("quantity", format!("can only become less; {} are ordered", line.quantity));
            }
        }
        let surplus = |line: &Left| keep.iter().find(|kept| kept.item_id == line.item_id).map_or(0, |kept| line.quantity - kept.quantity);
        Ok(self.lines.iter().map(surplus).collect())
    }
}

/// Why a part in this state cannot be cancelled, for people.
pub(crate) const fn why_not(state: OrderState) -> &'static str {
    match state {
        OrderState::Shipped | OrderState::Delivered | OrderState::Completed => "it has been shipped already",
        OrderState::Created => "its payment is being taken; try again in a moment",
        OrderState::Cancelled => "it is cancelled already",
        _ => "it cannot be cancelled any more",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn remains(lines: &[(u32, Share)], shipping: i64) -> Remains {
        let line = |(number, (quantity, share)): (u128, &(u32, Share))| Left { item_id: Uuid::from_u128(number), quantity: *quantity, share: *share };
        let lines = (0..).zip(lines).map(line).collect();
        Remains { state: OrderState::Paid, currency: Currency::USD, shipping, lines, shipped: false }
    }

    fn take(remains: &mut Remains, cut: &Cut, sign: i64) {
        remains.shipping -= sign * cut.shipping;
        for taken in &cut.lines {
            let line = remains.lines.iter_mut().find(|line| line.item_id == taken.item_id).unwrap();
            if sign > 0 {
                line.quantity -= taken.quantity;
                line.share = line.share.minus(taken.share);
            } else {
                line.quantity += taken.quantity;
                line.share = line.share.plus(taken.share);
            }
        }
    }

    fn none_negative(share: &Share) -> bool {
        [share.goods, share.discount, share.tax, share.commission, share.payable()].iter().all(|part| *part >= 0)
    }

    fn lines() -> impl Strategy<Value = Vec<(u32, Share)>> {
        let line = (1u32..9, 0i64..5_000, 0i64..100, 0i64..900, 0i64..=100).prop_map(|(quantity, unit, discount, tax, percent)| {
            let goods = unit * i64::from(quantity);
            let discount = discount.min(goods);
            (quantity, Share { goods, discount, tax, commission: (goods - discount) * percent / 100 })
        });
        prop::collection::vec(line, 1..5)
    }

    proptest! {
        #[test]
        fn any_sequence_of_cancellations_is_exact(lines in lines(), shipping in 0i64..2_000,
                steps in prop::collection::vec((0u128..5, 0u32..9, any::<bool>()), 0..25)) {
            let placed = remains(&lines, shipping);
            let mut now = placed.clone();
            let mut cuts: Vec<Cut> = Vec::new();
            for (item, quantity, came_too_late) in steps {
                let keep = [Keep { item_id: Uuid::from_u128(item), quantity }];
                let Ok(Some(cut)) = now.cut(Wanted::Keeping(&keep)) else { continue };
                prop_assert!(cut.lines.iter().all(|line| none_negative(&line.share)));
                take(&mut now, &cut, 1);
                prop_assert!(now.cut(Wanted::Keeping(&keep)).unwrap().is_none(), "asked again, nothing more");
                if came_too_late {
                    take(&mut now, &cut, -1);
                } else {
                    cuts.push(cut);
                }
                prop_assert!(now.lines.iter().all(|line| none_negative(&line.share)) && now.shipping >= 0);
            }
            if let Some(rest) = now.cut(Wanted::Everything).unwrap() {
                take(&mut now, &rest, 1);
                cuts.push(rest);
            }
            let paid: i64 = placed.lines.iter().map(|line| line.share.paid()).sum::<i64>() + shipping;
            prop_assert_eq!(cuts.iter().map(Cut::amount).sum::<i64>(), paid);
            prop_assert_eq!(cuts.iter().map(Cut::commission).sum::<i64>(), placed.lines.iter().map(|line| line.share.commission).sum::<i64>());
            prop_assert!(now.lines.iter().all(|line| line.quantity == 0 && line.share == Share::default()) && now.shipping == 0);
        }
    }

    proptest! {
        /// Cancellations, refunds of money alone, and returns with a deduction, in any order.
        #[test]
        fn any_history_of_cancel_partial_refund_and_return_is_exact(lines in lines(), shipping in 0i64..2_000,
                steps in prop::collection::vec((0u8..3, 0u128..5, 1u32..9, 0i64..6_000), 0..25)) {
            let placed = remains(&lines, shipping);
            let mut now = placed.clone();
            let (mut back, mut kept, mut commission) = (0, 0, 0);
            for (kind, index, quantity, amount) in steps {
                let taken = match kind {
                    0 => {
                        let keep = [Keep { item_id: Uuid::from_u128(index), quantity: quantity - 1 }];
                        let Ok(Some(cut)) = now.cut(Wanted::Keeping(&keep)) else { continue };
                        now.shipping -= cut.shipping;
                        back += cut.shipping;
                        cut.lines
                    }
                    1 => match now.give(amount).unwrap() {
                        Some(given) => {
                            prop_assert_eq!(given.iter().map(|line| line.share.paid()).sum::<i64>(), amount);
                            given
                        }
                        None => continue,
                    },
                    _ => {
                        let line = now.lines.iter().find(|line| line.item_id == Uuid::from_u128(index) && line.quantity >= quantity);
                        let Some(line) = line else { continue };
                        let taken = line.take(quantity, now.currency).unwrap();
                        let deduction = amount.min(taken.share.paid());
                        let held = taken.share.money(deduction, now.currency).unwrap();
                        prop_assert!(none_negative(&held) && held.paid() == deduction);
                        prop_assert!(held.commission <= taken.share.commission && held.tax <= taken.share.tax && held.payable() <= taken.share.payable());
                        kept += deduction;
                        back -= deduction;
                        vec![taken]
                    }
                };
                for taken in taken {
                    prop_assert!(none_negative(&taken.share), "{:?}", taken);
                    back += taken.share.paid();
                    commission += taken.share.commission;
                    let line = now.lines.iter_mut().find(|line| line.item_id == taken.item_id).unwrap();
                    line.quantity -= taken.quantity;
                    line.share = line.share.minus(taken.share);
                    prop_assert!(none_negative(&line.share), "{:?}", line);
                }
            }
            for line in &now.lines {
                prop_assert!(line.quantity > 0 || line.share.paid() == 0, "no pieces, no money");
            }
            let left: i64 = now.lines.iter().map(|line| line.share.paid()).sum::<i64>() + now.shipping;
            let paid: i64 = placed.lines.iter().map(|line| line.share.paid()).sum::<i64>() + shipping;
            prop_assert_eq!(back + kept + left, paid);
            let charged: i64 = placed.lines.iter().map(|line| line.share.commission).sum();
            prop_assert_eq!(commission + now.lines.iter().map(|line| line.share.commission).sum::<i64>(), charged);
        }
    }

    #[test]
    fn goods_of_whole_pieces_cost_what_they_cost_and_shipping_goes_back_with_the_last() {
        let share = Share { goods: 3_000, commission: 301, ..Share::default() };
        let mut now = remains(&[(3, share), (1, Share { goods: 500, commission: 50, ..share })], 499);
        let keep = |item, quantity| [Keep { item_id: Uuid::from_u128(item), quantity }];
        let two = now.cut(Wanted::Keeping(&keep(0, 1))).unwrap().unwrap();
        assert_eq!((two.amount(), two.commission(), two.whole), (2_000, 201, false));
        take(&mut now, &two, 1);
        assert!(now.cut(Wanted::Keeping(&keep(0, 2))).is_err(), "more than are left");
        assert!(now.cut(Wanted::Keeping(&keep(7, 0))).is_err(), "of another order");
        assert!(now.cut(Wanted::Keeping(&keep(0, 1))).unwrap().is_none());
        let lamp = now.cut(Wanted::Keeping(&keep(1, 0))).unwrap().unwrap();
        take(&mut now, &lamp, 1);
        let last = now.cut(Wanted::Keeping(&keep(0, 0))).unwrap().unwrap();
        assert_eq!((last.amount(), last.commission(), last.whole), (1_499, 100, true));
        now.shipped = true;
        assert!(!now.cut(Wanted::Keeping(&keep(0, 0))).unwrap().unwrap().whole, "a parcel is on its way: its shipping was used");
        now.state = OrderState::Shipped;
        assert!(now.cut(Wanted::Everything).is_err());
    }
}

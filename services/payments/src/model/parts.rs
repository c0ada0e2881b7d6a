//! How one sub-order's share of a payment is divided, exactly, however it is captured and given back.

use api_orders::SubOrderId;
use kit_core::{Currency, Money, MoneyError, TenantId, allocate};
use serde::{Deserialize, Serialize};

use super::Portion;
use crate::error::Error;

/// An amount by whom it is for, in minor units, none negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parts {
    /// The seller's: goods after commission.
    pub(crate) payable: i64,
    pub(crate) commission: i64,
    pub(crate) shipping: i64,
    pub(crate) tax: i64,
}

impl Parts {
    pub(crate) fn total(&self) -> i64 {
        self.payable + self.commission + self.shipping + self.tax
    }

    fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            payable: self.payable + other.payable,
            commission: self.commission + other.commission,
            shipping: self.shipping + other.shipping,
            tax: self.tax + other.tax,
        }
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self {
            payable: self.payable - other.payable,
            commission: self.commission - other.commission,
            shipping: self.shipping - other.shipping,
            tax: self.tax - other.tax,
        }
    }

    /// No part is negative and none is more than `left` has of it.
    pub(super) fn is_within(self, left: Self) -> bool {
        let fits = |part: i64, left: i64| (0..=left).contains(&part);
        fits(self.payable, left.payable) && fits(self.commission, left.commission) && fits(self.shipping, left.shipping) && fits(self.tax, left.tax)
    }

    /// `amount` of these parts, in proportion. Because each share is at most its part rounded up, and parts are whole, no part is
    /// ever overdrawn; and taking the whole amount takes every part whole. So any sequence of takings stays exact.
    pub(super) fn take(self, amount_minor: i64, currency: Currency) -> Result<Self, MoneyError> {
        let weights = [self.payable, self.commission, self.shipping, self.tax].map(|part| u64::try_from(part).unwrap_or_default());
        let shares = allocate(Money::new(amount_minor, currency), &weights)?;
        match shares.as_slice() {
            [payable, commission, shipping, tax] => {
                Ok(Self { payable: payable.minor, commission: commission.minor, shipping: shipping.minor, tax: tax.minor })
            }
            _ => Err(MoneyError::NoWeights),
        }
    }
}

/// What one sub-order gets, as agreed at placement; all in one currency, none negative.
#[derive(Debug, Clone)]
pub(crate) struct SplitTerms {
    pub(crate) sub_order: SubOrderId,
    pub(crate) tenant: TenantId,
    pub(crate) goods: Money,
    pub(crate) shipping: Money,
    pub(crate) tax: Money,
    pub(crate) commission_bps: u32,
    pub(crate) commission_fixed: Money,
}

/// One sub-order's share of the payment, frozen when the order was placed, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Split {
    pub(crate) sub_order: SubOrderId,
    pub(crate) tenant: TenantId,
    pub(crate) commission_bps: u32,
    pub(crate) whole: Parts,
    pub(crate) captured: Parts,
    pub(crate) refunded: Parts,
    /// What disputes that are open or lost have taken; almost always nothing, which is not written down.
    #[serde(default, skip_serializing_if = "Parts::is_zero")]
    pub(crate) disputed: Parts,
}

impl Split {
    /// Freezes the commission: a rate and a fixed part of the goods, never more than the goods.
    pub(crate) fn agreed(terms: &SplitTerms) -> Result<Self, MoneyError> {
        let wanted = terms.goods.share(terms.commission_bps)?.plus(terms.commission_fixed)?;
        let commission = wanted.minor.min(terms.goods.minor);
        let whole = Parts { payable: terms.goods.minor - commission, commission, shipping: terms.shipping.minor, tax: terms.tax.minor };
        Ok(Self {
            sub_order: terms.sub_order,
            tenant: terms.tenant,
            commission_bps: terms.commission_bps,
            whole,
            captured: Parts::default(),
            refunded: Parts::default(),
            disputed: Parts::default(),
        })
    }

    /// Records that this much was captured; answers how it divides.
    pub(crate) fn capture(&mut self, portion: &Portion, currency: Currency) -> Result<Parts, Error> {
        let amount_minor = portion.amount_minor;
        let left = self.whole.minus(self.captured);
        if amount_minor > left.total() {
            return Err(Error::CaptureTooLarge { sub_order: self.sub_order, left: Money::new(left.total(), currency) });
        }
        let taken = left.take(amount_minor, currency)?;
        self.captured = self.captured.plus(taken);
        Ok(taken)
    }

    /// What was captured and neither given back nor disputed.
    pub(crate) fn left(&self) -> Parts {
        self.captured.minus(self.refunded).minus(self.disputed)
    }

    /// Records that a dispute took this much; answers how it divides. What refunds have reserved is left to them where it can be.
    pub(crate) fn dispute(&mut self, amount_minor: i64, reserved: Parts, currency: Currency) -> Result<Parts, MoneyError> {
        let unreserved = self.left().minus(reserved);
        let enough = reserved.is_within(self.left()) && amount_minor <= unreserved.total();
        let taken = if enough { unreserved.take(amount_minor, currency)? } else { self.left().take(amount_minor, currency)? };
        self.disputed = self.disputed.plus(taken);
        Ok(taken)
    }

    /// Records that this much was given back; answers how it divides: as it was reserved.
    pub(crate) fn refund(&mut self, portion: &Portion, currency: Currency) -> Result<Parts, Error> {
        let amount_minor = portion.amount_minor;
        let left = self.left();
        if amount_minor > left.total() {
            return Err(Error::RefundTooLarge { sub_order: self.sub_order, left: Money::new(left.total(), currency) });
        }
        let taken = match portion.made_of.filter(|made_of| made_of.is_within(left)) {
            Some(made_of) => made_of,
            None => left.take(amount_minor, currency)?,
        };
        self.refunded = self.refunded.plus(taken);
        Ok(taken)
    }
}

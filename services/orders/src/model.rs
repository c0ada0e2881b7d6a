//! What an order is, and how it adds up: pure decisions.
//! Must stay true: items + tax + shipping − discount = total, for each part and for the order, and the order is the sum of its parts.

use std::collections::BTreeMap;

use api_fulfillment::ShippingMethodId;
use api_orders::{ItemId, OrderId, SubOrderId};
use kit_core::{Address, Currency, Money, MoneyError, TenantId, Time, UserId, allocate};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::commission::CommissionTerms;

/// The states of orders and sub-orders, in the order of their lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum OrderState {
    Created,
    Reserved,
    PaymentPending,
    PaymentFailed,
    Confirmed,
    Paid,
    Processing,
    Packed,
    Shipped,
    Delivered,
    Completed,
    Cancelled,
    ReturnRequested,
    ReturnApproved,
    ReturnReceived,
    Refunded,
}

impl OrderState {
    pub(crate) const ALL: [(Self, &'static str); 16] = [
        (Self::Created, "created"),
        (Self::Reserved, "reserved"),
        (Self::PaymentPending, "payment_pending"),
        (Self::PaymentFailed, "payment_failed"),
        (Self::Confirmed, "confirmed"),
        (Self::Paid, "paid"),
        (Self::Processing, "processing"),
        (Self::Packed, "packed"),
        (Self::Shipped, "shipped"),
        (Self::Delivered, "delivered"),
        (Self::Completed, "completed"),
        (Self::Cancelled, "cancelled"),
        (Self::ReturnRequested, "return_requested"),
        (Self::ReturnApproved, "return_approved"),
        (Self::ReturnReceived, "return_received"),
        (Self::Refunded, "refunded"),
    ];

    pub(crate) fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(state, _)| *state == self).map_or("created", |(_, text)| text)
    }

    /// Reads what SQL keeps; its check allows no other text.
    pub(crate) fn of(text: &str) -> Self {
        Self::ALL.iter().find(|(_, known)| *known == text).map_or(Self::Created, |(state, _)| *state)
    }

    /// Whether a sub-order in this state may move to `to` because its seller or carrier says so. Stages may be passed over
    /// (shipped without packing), never gone back.
    pub(crate) fn may_move_to(self, to: Self) -> bool {
        let on_its_way = matches!(self, Self::Paid | Self::Processing | Self::Packed | Self::Shipped);
        on_its_way && matches!(to, Self::Processing | Self::Packed | Self::Shipped | Self::Delivered) && self < to
    }

    /// Whether all that goes on of a part in this state has arrived, whatever came back since.
    pub(crate) const fn has_arrived(self) -> bool {
        matches!(self, Self::Delivered | Self::ReturnRequested | Self::ReturnApproved | Self::ReturnReceived | Self::Refunded)
    }

    /// Whether a part in this state can still be cancelled.
    pub(crate) const fn is_cancellable(self) -> bool {
        matches!(self, Self::Paid | Self::Processing | Self::Packed)
    }
}

/// The state of a paid order from those of its parts: as far as all that goes on has come; processing as soon as one has begun.
pub(crate) fn state_of_parts(parts: &[OrderState]) -> OrderState {
    let live: Vec<OrderState> = parts.iter().copied().filter(|state| *state != OrderState::Cancelled).collect();
    match (live.iter().min(), live.iter().max()) {
        (None, _) | (_, None) => OrderState::Cancelled,
        (Some(least), Some(most)) if *least == OrderState::Paid && *most > OrderState::Paid => OrderState::Processing,
        (Some(OrderState::Delivered), _) => OrderState::Completed,
        (Some(least), _) => *least,
    }
}

/// A checkout before it is an order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Draft {
    pub(crate) email: String,
    pub(crate) shipping_address: Option<Address>,
    pub(crate) billing_address: Option<Address>,
    pub(crate) parts: Vec<DraftPart>,
    pub(crate) from_cart: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct DraftPart {
    pub(crate) tenant_id: TenantId,
    pub(crate) store_name: String,
    pub(crate) lines: Vec<Line>,
    pub(crate) options: Vec<ShippingOption>,
    pub(crate) chosen: Option<ShippingMethodId>,
}

/// What is bought, with the product as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) product_id: Uuid,
    pub(crate) product_version: i32,
    pub(crate) variant_id: Uuid,
    pub(crate) title: String,
    pub(crate) options: String,
    pub(crate) sku: String,
    pub(crate) brand: String,
    pub(crate) category_id: String,
    #[serde(default)]
    pub(crate) category_code: String,
    pub(crate) tax_category: String,
    pub(crate) image_url: String,
    pub(crate) weight_grams: u32,
    pub(crate) quantity: u32,
    pub(crate) unit_minor: i64,
    pub(crate) currency: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ShippingOption {
    pub(crate) method: ShippingMethodId,
    pub(crate) name: String,
    pub(crate) price_minor: i64,
    pub(crate) min_days: u32,
    pub(crate) max_days: u32,
}

/// items + tax + shipping − discount = total. Prices include tax, so nothing is added for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) items: Money,
    pub(crate) tax: Money,
    pub(crate) shipping: Money,
    pub(crate) discount: Money,
    pub(crate) total: Money,
}

impl Totals {
    pub(crate) fn new(items: Money, tax: Money, shipping: Money, discount: Money) -> Result<Self, MoneyError> {
        let total = items.plus(tax)?.plus(shipping)?.minus(discount)?;
        Ok(Self { items, tax, shipping, discount, total })
    }

    pub(crate) fn sum(currency: Currency, parts: impl IntoIterator<Item = Self>) -> Result<Self, MoneyError> {
        let zero = Money::zero(currency);
        parts.into_iter().try_fold(Self { items: zero, tax: zero, shipping: zero, discount: zero, total: zero }, |sum, part| {
            Self::new(sum.items.plus(part.items)?, sum.tax.plus(part.tax)?, sum.shipping.plus(part.shipping)?, sum.discount.plus(part.discount)?)
        })
    }
}

impl Line {
    pub(crate) fn unit(&self) -> Result<Money, MoneyError> {
        Ok(Money::new(self.unit_minor, self.currency.parse()?))
    }

    pub(crate) fn total(&self) -> Result<Money, MoneyError> {
        self.unit()?.times(i64::from(self.quantity))
    }
}

impl DraftPart {
    pub(crate) fn currency(&self) -> Result<Currency, MoneyError> {
        self.lines.first().ok_or(MoneyError::NoWeights)?.currency.parse()
    }

    pub(crate) fn items(&self) -> Result<Money, MoneyError> {
        self.lines.iter().try_fold(Money::zero(self.currency()?), |sum, line| sum.plus(line.total()?))
    }

    pub(crate) fn weight_grams(&self) -> u64 {
        self.lines.iter().map(|line| u64::from(line.weight_grams) * u64::from(line.quantity)).sum()
    }

    pub(crate) fn shipping(&self) -> Option<&ShippingOption> {
        self.options.iter().find(|option| Some(option.method) == self.chosen)
    }

    pub(crate) fn totals(&self) -> Result<Totals, MoneyError> {
        let currency = self.currency()?;
        let shipping = Money::new(self.shipping().map_or(0, |option| option.price_minor), currency);
        Totals::new(self.items()?, Money::zero(currency), shipping, Money::zero(currency))
    }

    /// Offers these methods; a choice that is still offered stays, else the first (cheapest) is taken.
    pub(crate) fn offer(&mut self, options: Vec<ShippingOption>) {
        let kept = self.chosen.filter(|chosen| options.iter().any(|option| option.method == *chosen));
        self.chosen = kept.or_else(|| options.first().map(|option| option.method));
        self.options = options;
    }
}

impl Draft {
    /// What is missing before the order can be placed.
    pub(crate) fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if self.email.is_empty() {
            missing.push("email".to_owned());
        }
        if self.shipping_address.is_none() {
            missing.push("shipping_address".to_owned());
        }
        for part in self.parts.iter().filter(|part| self.shipping_address.is_some() && part.shipping().is_none()) {
            missing.push(format!("shipping_method:{}", part.tenant_id));
        }
        missing
    }

    pub(crate) fn totals(&self) -> Result<Totals, MoneyError> {
        let currency = self.parts.first().ok_or(MoneyError::NoWeights)?.currency()?;
        let parts = self.parts.iter().map(DraftPart::totals).collect::<Result<Vec<_>, _>>()?;
        Totals::sum(currency, parts)
    }

    /// Groups lines by seller, in the order in which the sellers first appear. All prices must be in one currency.
    pub(crate) fn group(lines: Vec<(TenantId, String, Line)>, from_cart: bool) -> Result<Self, MoneyError> {
        let mut parts: Vec<DraftPart> = Vec::new();
        let mut currency = None;
        for (tenant_id, store_name, line) in lines {
            let in_currency: Currency = line.currency.parse()?;
            let first = *currency.get_or_insert(in_currency);
            if first != in_currency {
                return Err(MoneyError::CurrencyMismatch(first, in_currency));
            }
            match parts.iter_mut().find(|part| part.tenant_id == tenant_id) {
                Some(part) => part.lines.push(line),
                None => parts.push(DraftPart { tenant_id, store_name, lines: vec![line], options: Vec::new(), chosen: None }),
            }
        }
        Ok(Self { parts, from_cart, ..Self::default() })
    }
}

/// An order with all its parts, complete, before anything outside has heard of it.
#[derive(Debug, Clone)]
pub(crate) struct NewOrder {
    pub(crate) id: OrderId,
    pub(crate) number: String,
    pub(crate) buyer: UserId,
    pub(crate) access_token: String,
    pub(crate) email: String,
    pub(crate) shipping_address: Address,
    pub(crate) billing_address: Address,
    pub(crate) from_cart: bool,
    pub(crate) totals: Totals,
    pub(crate) parts: Vec<NewPart>,
    pub(crate) placed_at: Time,
}

#[derive(Debug, Clone)]
pub(crate) struct NewPart {
    pub(crate) id: SubOrderId,
    pub(crate) tenant_id: TenantId,
    pub(crate) store_name: String,
    pub(crate) shipping: ShippingOption,
    pub(crate) totals: Totals,
    pub(crate) commission_bps: u32,
    pub(crate) commission: Money,
    pub(crate) items: Vec<NewItem>,
}

#[derive(Debug, Clone)]
pub(crate) struct NewItem {
    pub(crate) id: ItemId,
    pub(crate) line: Line,
    pub(crate) total: Money,
    pub(crate) commission: Money,
}

/// Who orders, under which ids.
pub(crate) struct Placing {
    pub(crate) id: OrderId,
    pub(crate) buyer: UserId,
    pub(crate) access_token: String,
    pub(crate) at: Time,
}

/// Turns a complete draft into an order, its commission frozen.
pub(crate) fn place(
    draft: &Draft,
    placing: &Placing,
    terms: &BTreeMap<TenantId, CommissionTerms>,
    mut next_id: impl FnMut() -> Uuid,
) -> Result<NewOrder, MoneyError> {
    let mut parts = Vec::with_capacity(draft.parts.len());
    for part in &draft.parts {
        let terms = terms.get(&part.tenant_id).cloned().unwrap_or_default();
        let totals = part.totals()?;
        let line_totals = part.lines.iter().map(Line::total).collect::<Result<Vec<_>, _>>()?;
        // What a discount takes off the lines is not the marketplace's to share in.
        let weights: Vec<u64> = line_totals.iter().map(|total| total.minor.unsigned_abs()).collect();
        let off = if totals.discount.is_zero() { vec![totals.discount; line_totals.len()] } else { allocate(totals.discount, &weights)? };
        let net = line_totals.iter().zip(off).map(|(total, off)| total.minus(off)).collect::<Result<Vec<_>, _>>()?;
        let shares = terms.commissions(&part.lines, &net, totals.items.currency)?;
        let commission = Money::sum(totals.items.currency, shares.iter().copied())?;
        let lines = part.lines.iter().zip(line_totals).zip(shares);
        let items = lines.map(|((line, total), commission)| NewItem { id: next_id().into(), line: line.clone(), total, commission }).collect();
        let shipping = part.shipping().cloned().ok_or(MoneyError::NoWeights)?;
        parts.push(NewPart {
            id: next_id().into(),
            tenant_id: part.tenant_id,
            store_name: part.store_name.clone(),
            shipping,
            totals,
            commission_bps: terms.bps,
            commission,
            items,
        });
    }
    let shipping_address = draft.shipping_address.clone().unwrap_or_default();
    Ok(NewOrder {
        id: placing.id,
        number: order_number(placing.id, placing.at, 0),
        buyer: placing.buyer,
        access_token: placing.access_token.clone(),
        email: draft.email.clone(),
        billing_address: draft.billing_address.clone().unwrap_or_else(|| shipping_address.clone()),
        shipping_address,
        from_cart: draft.from_cart,
        totals: draft.totals()?,
        parts,
        placed_at: placing.at,
    })
}

/// What a buyer is told of a line of which there is not enough.
pub(crate) fn short_of(title: &str, available: i64, wanted: i64) -> String {
    format!("only {available} of \"{title}\" can be had, {wanted} are wanted")
}

/// Letters and digits that people do not mix up when they read them to each other.
const READABLE: &[u8; 31] = b"23456789ABCDEFGHJKMNPQRSTUVWXYZ";

/// The number people use, as in `MH-2026-7K3F-9QXD`: made from the order's id, so that asking again makes the same; `salt` makes
/// another when it is taken (31⁸ numbers a year).
pub(crate) fn order_number(id: OrderId, at: Time, salt: u32) -> String {
    let hash = Sha256::new().chain_update(id.uuid().as_bytes()).chain_update(salt.to_be_bytes()).finalize();
    let mut rest = hash.iter().take(8).fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    let mut letters = String::with_capacity(9);
    for place in 0..8 {
        if place == 4 {
            letters.push('-');
        }
        let letter = usize::try_from(rest % 31).ok().and_then(|index| READABLE.get(index)).copied().unwrap_or(b'2');
        letters.push(char::from(letter));
        rest /= 31;
    }
    format!("MH-{}-{letters}", at.format("%Y"))
}

/// A secret for the link of a guest: 128 bits from two fresh ids, of which nobody outside sees the random parts.
pub(crate) fn access_token(first: Uuid, second: Uuid) -> String {
    let hash = Sha256::new().chain_update(first.as_bytes()).chain_update(second.as_bytes()).finalize();
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;

//! What a cart shows: pure decisions over its lines and what is known of the products now.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use kit_core::{Currency, Money, MoneyError, TenantId};
use uuid::Uuid;

/// The most pieces of one line.
pub(crate) const MAX_QUANTITY: u32 = 999;

/// A line as the cart keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) tenant: TenantId,
    pub(crate) variant: Uuid,
    pub(crate) quantity: u32,
    pub(crate) price_seen: Money,
    pub(crate) added_at: DateTime<Utc>,
}

/// What is known of a line's product now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Now {
    /// None when the product is gone or off sale.
    pub(crate) price: Option<Money>,
    pub(crate) available: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    PriceChanged {
        before: Money,
        now: Money,
    },
    /// Fewer pieces than wanted, or few at all.
    LowStock {
        left: i64,
    },
    OutOfStock,
    OffSale,
}

impl Notice {
    pub(crate) fn message(&self) -> String {
        match self {
            Self::PriceChanged { before, now } => {
                let way = if now.minor > before.minor { "up" } else { "down" };
                format!("The price went {way} from {before} to {now}")
            }
            Self::LowStock { left: 1 } => "Only 1 piece is left".to_owned(),
            Self::LowStock { left } => format!("Only {left} pieces are left"),
            Self::OutOfStock => "It is out of stock".to_owned(),
            Self::OffSale => "It is not sold any more".to_owned(),
        }
    }
}

/// What the buyer should know of a line before buying it.
pub(crate) fn notices(line: &Line, now: &Now, low_stock: i64) -> Vec<Notice> {
    let Some(price) = now.price else { return vec![Notice::OffSale] };
    let mut notices = Vec::new();
    if price != line.price_seen {
        notices.push(Notice::PriceChanged { before: line.price_seen, now: price });
    }
    if now.available <= 0 {
        notices.push(Notice::OutOfStock);
    } else if now.available < i64::from(line.quantity) || now.available <= low_stock {
        notices.push(Notice::LowStock { left: now.available });
    }
    notices
}

/// Whether the line can be bought as it stands.
pub(crate) fn can_be_bought(line: &Line, now: &Now) -> bool {
    now.price.is_some() && now.available >= i64::from(line.quantity)
}

/// What a line comes to at the present price.
pub(crate) fn line_total(line: &Line, now: &Now) -> Result<Money, MoneyError> {
    now.price.unwrap_or(line.price_seen).times(i64::from(line.quantity))
}

/// Goods and shipping in one currency; total = items + shipping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) items: Money,
    pub(crate) shipping: Money,
    pub(crate) total: Money,
}

/// Adds up what can be bought, per currency.
pub(crate) fn totals(items: &[Money], shipping: &[Money]) -> Result<Vec<Totals>, MoneyError> {
    let mut sums: BTreeMap<Currency, (Money, Money)> = BTreeMap::new();
    for amount in items {
        let zero = Money::zero(amount.currency);
        let sum = sums.entry(amount.currency).or_insert((zero, zero));
        sum.0 = sum.0.plus(*amount)?;
    }
    for amount in shipping {
        if let Some(sum) = sums.get_mut(&amount.currency) {
            sum.1 = sum.1.plus(*amount)?;
        }
    }
    sums.into_values().map(|(items, shipping)| Ok(Totals { items, shipping, total: items.plus(shipping)? })).collect()
}

/// Puts a guest's lines into a user's cart: quantities of the same variant add up, as far as a line may go; of new lines the newest
/// come first until the cart is full. The price seen is that of whoever saw it last.
pub(crate) fn merge(user: Vec<Line>, guest: Vec<Line>, max_lines: usize) -> Vec<Line> {
    let mut merged = user;
    let mut fresh = Vec::new();
    for line in guest {
        match merged.iter_mut().find(|known| known.variant == line.variant) {
            Some(known) => {
                known.quantity = known.quantity.saturating_add(line.quantity).min(MAX_QUANTITY);
                if line.added_at > known.added_at {
                    known.price_seen = line.price_seen;
                }
            }
            None => fresh.push(line),
        }
    }
    fresh.sort_by_key(|line| std::cmp::Reverse((line.added_at, line.variant)));
    fresh.truncate(max_lines.saturating_sub(merged.len()));
    merged.extend(fresh);
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(variant: u128, quantity: u32, price: i64, at: i64) -> Line {
        Line {
            tenant: Uuid::from_u128(1).into(),
            variant: Uuid::from_u128(variant),
            quantity,
            price_seen: Money::new(price, Currency::USD),
            added_at: DateTime::from_timestamp(at, 0).unwrap(),
        }
    }

    fn now(price: Option<i64>, available: i64) -> Now {
        Now { price: price.map(|minor| Money::new(minor, Currency::USD)), available }
    }

    #[test]
    fn a_buyer_is_told_what_changed() {
        let mug = line(1, 3, 1000, 0);
        assert_eq!(notices(&mug, &now(Some(1000), 100), 5), []);
        assert_eq!(notices(&mug, &now(Some(1200), 100), 5).first().unwrap().message(), "The price went up from 10.00 USD to 12.00 USD");
        assert_eq!(notices(&mug, &now(Some(1000), 4), 5), [Notice::LowStock { left: 4 }]);
        assert_eq!(notices(&mug, &now(Some(1000), 2), 0), [Notice::LowStock { left: 2 }]);
        assert_eq!(notices(&mug, &now(Some(1000), 0), 5), [Notice::OutOfStock]);
        assert_eq!(notices(&mug, &now(None, 50), 5), [Notice::OffSale]);
        assert!(can_be_bought(&mug, &now(Some(1), 3)) && !can_be_bought(&mug, &now(Some(1), 2)) && !can_be_bought(&mug, &now(None, 9)));
    }

    fn lines() -> impl Strategy<Value = Vec<Line>> {
        prop::collection::btree_map(0u128..150, (1u32..=999, 0i64..1000), 0..100)
            .prop_map(|lines| lines.into_iter().map(|(variant, (quantity, at))| line(variant, quantity, 100, at)).collect())
    }

    proptest! {
        #[test]
        fn merging_loses_nothing_a_cart_can_hold(user in lines(), guest in lines()) {
            let merged = merge(user.clone(), guest.clone(), 100);
            prop_assert!(merged.len() <= 100);
            let quantity = |lines: &[Line], variant: Uuid| lines.iter().find(|line| line.variant == variant).map_or(0, |line| line.quantity);
            for line in &user {
                let wanted = (line.quantity + quantity(&guest, line.variant)).min(MAX_QUANTITY);
                prop_assert_eq!(quantity(&merged, line.variant), wanted);
            }
            let variants: std::collections::BTreeSet<Uuid> = user.iter().chain(&guest).map(|line| line.variant).collect();
            prop_assert_eq!(merged.len(), variants.len().min(100));
            prop_assert_eq!(merge(merged.clone(), vec![], 100), merged, "merging nothing more changes nothing");
        }

        #[test]
        fn totals_add_up(items in prop::collection::vec(0i64..1_000_000, 1..50), shipping in prop::collection::vec(0i64..1000, 0..5)) {
            let usd = |amounts: &[i64]| amounts.iter().map(|minor| Money::new(*minor, Currency::USD)).collect::<Vec<_>>();
            let totals = totals(&usd(&items), &usd(&shipping)).unwrap();
            prop_assert_eq!(totals.len(), 1);
            prop_assert_eq!(totals[0].total.minor, items.iter().sum::<i64>() + shipping.iter().sum::<i64>());
        }
    }
}

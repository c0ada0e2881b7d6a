//! Things put into carts, many carts in one transaction.

use std::collections::{BTreeMap, HashMap};

use kit_core::UserId;
use kit_db::{Db, DbError, Scope};
use uuid::Uuid;

use crate::error::Error;
use crate::model::{Line, MAX_QUANTITY};
use crate::store;

/// What one buyer puts into the cart.
pub(crate) struct Adding {
    pub(crate) buyer: UserId,
    pub(crate) line: Line,
}

/// (pieces on the line, pieces in the cart), or why nothing was added.
pub(crate) type Added = Result<(u32, u32), Refusal>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    CartFull(usize),
    QuantityLimit,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::CartFull(max_lines) => Self::CartFull(max_lines),
            Refusal::QuantityLimit => Self::QuantityLimit,
        }
    }
}

/// Carts by buyer: pieces by variant.
type Carts = HashMap<Uuid, BTreeMap<Uuid, u32>>;

fn pieces(quantity: i32) -> u32 {
    u32::try_from(quantity).unwrap_or_default()
}

/// Decides one after the other, in the order they came, and writes what was accepted.
pub(crate) async fn add_all(db: Db, max_lines: usize, adding: Vec<Adding>) -> Result<Vec<Result<Added, DbError>>, DbError> {
    let mut buyers: Vec<Uuid> = adding.iter().map(|one| one.buyer.uuid()).collect();
    buyers.sort_unstable();
    buyers.dedup();
    let mut tx = db.begin(&Scope::Platform).await?;
    let mut carts = Carts::new();
    for (buyer, variant, quantity) in store::quantities(&mut tx, &buyers).await? {
        carts.entry(buyer).or_default().insert(variant, pieces(quantity));
    }
    let mut accepted: BTreeMap<(UserId, Uuid), Line> = BTreeMap::new();
    let mut answers: Vec<Added> = adding.iter().map(|one| decide(&mut carts, &mut accepted, max_lines, one)).collect();
    let lines: Vec<(UserId, Line)> = accepted.into_iter().map(|((buyer, _), line)| (buyer, line)).collect();
    let written = if lines.is_empty() { Vec::new() } else { store::add(&mut tx, &lines).await? };
    tx.commit().await?;
    // Another process may have filled the line meanwhile.
    let written: HashMap<(Uuid, Uuid), u32> = written.into_iter().map(|(buyer, variant, quantity)| ((buyer, variant), pieces(quantity))).collect();
    for (answer, one) in answers.iter_mut().zip(&adding) {
        if answer.is_ok() && !written.contains_key(&(one.buyer.uuid(), one.line.variant)) {
            *answer = Err(Refusal::QuantityLimit);
        }
    }
    Ok(answers.into_iter().map(Ok).collect())
}

fn decide(carts: &mut Carts, accepted: &mut BTreeMap<(UserId, Uuid), Line>, max_lines: usize, one: &Adding) -> Added {
    let cart = carts.entry(one.buyer.uuid()).or_default();
    let before = cart.get(&one.line.variant).copied();
    if before.is_none() && cart.len() >= max_lines {
        return Err(Refusal::CartFull(max_lines));
    }
    let quantity = before.unwrap_or_default().saturating_add(one.line.quantity);
    if quantity > MAX_QUANTITY {
        return Err(Refusal::QuantityLimit);
    }
    cart.insert(one.line.variant, quantity);
    let line = accepted.entry((one.buyer, one.line.variant)).or_insert_with(|| Line { quantity: 0, ..one.line.clone() });
    *line = Line { quantity: line.quantity.saturating_add(one.line.quantity), added_at: line.added_at, ..one.line.clone() };
    Ok((quantity, cart.values().copied().fold(0, u32::saturating_add)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit_core::Money;

    fn adding(buyer: u128, variant: u128, quantity: u32) -> Adding {
        let line = Line {
            tenant: Uuid::from_u128(9).into(),
            variant: Uuid::from_u128(variant),
            quantity,
            price_seen: Money::new(100, "USD".parse().unwrap()),
            added_at: chrono::DateTime::UNIX_EPOCH,
        };
        Adding { buyer: Uuid::from_u128(buyer).into(), line }
    }

    #[test]
    fn several_things_for_one_cart_are_decided_in_order() {
        let (mut carts, mut accepted) = (Carts::new(), BTreeMap::new());
        let asked = [(1, 7, 2), (1, 7, 3), (1, 8, 1), (1, 9, 1), (2, 9, 1), (1, 7, 990), (1, 7, 994), (1, 7, 4)];
        let told = asked.map(|(buyer, variant, quantity)| decide(&mut carts, &mut accepted, 2, &adding(buyer, variant, quantity)));
        let (full, many) = (Err(Refusal::CartFull(2)), Err(Refusal::QuantityLimit));
        assert_eq!(told, [Ok((2, 2)), Ok((5, 5)), Ok((1, 6)), full, Ok((1, 1)), Ok((995, 996)), many, Ok((999, 1000))]);
        let written: Vec<u32> = accepted.values().map(|line| line.quantity).collect();
        assert_eq!(written, [999, 1, 1], "what is written is the sum of what was accepted");
    }
}

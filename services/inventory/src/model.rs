//! The decisions about stock, pure: a `Shelf` is what a transaction has locked; operations are decided on it one after the other,
//! in order of arrival, and what changed is then written in one go.
//!
//! What stays true: no count falls below zero; pieces held = the sum of open holds; an operation does all it was asked or nothing.

use std::collections::{BTreeMap, BTreeSet};

use api_catalog::VariantId;
use api_inventory::{ReservationId, WarehouseId};
use kit_core::{TenantId, Time};

/// A variant as services name it to each other.
pub(crate) type Key = (TenantId, VariantId);
/// Where a restock was asked for and under which id.
pub(crate) type RestockKey = (TenantId, String);

/// The pieces of one variant in one warehouse.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) available: i64,
    pub(crate) reserved: i64,
    pub(crate) incoming: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) warehouse: WarehouseId,
    pub(crate) counts: Counts,
    /// The number of the newest journal entry.
    pub(crate) step: i64,
}

/// One variant: its rows in the order in which warehouses serve orders.
#[derive(Debug, Clone, Default)]
pub(crate) struct Item {
    pub(crate) rows: Vec<Row>,
    pub(crate) low_at: i64,
    /// What was available when the transaction began; `None` until something moves.
    pub(crate) available_before: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Receipt,
    Reservation,
    Sale,
    Release,
    Expiry,
    Return,
    Adjustment,
    Transfer,
    Damage,
    Incoming,
}

impl Kind {
    pub(crate) const ALL: [Self; 10] = [
        Self::Receipt,
        Self::Reservation,
        Self::Sale,
        Self::Release,
        Self::Expiry,
        Self::Return,
        Self::Adjustment,
        Self::Transfer,
        Self::Damage,
        Self::Incoming,
    ];

    /// As the journal table writes it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Receipt => "receipt",
            Self::Reservation => "reservation",
            Self::Sale => "sale",
            Self::Release => "release",
            Self::Expiry => "expiry",
            Self::Return => "return",
            Self::Adjustment => "adjustment",
            Self::Transfer => "transfer",
            Self::Damage => "damage",
            Self::Incoming => "incoming",
        }
    }
}

/// One journal entry to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Movement {
    pub(crate) key: Key,
    pub(crate) warehouse: WarehouseId,
    pub(crate) step: i64,
    pub(crate) kind: Kind,
    pub(crate) before: Counts,
    pub(crate) after: Counts,
    pub(crate) cause: Cause,
}

/// Why and by whom, as the journal keeps it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) reference: String,
    pub(crate) note: String,
    pub(crate) actor: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HoldState {
    Held,
    Sold,
    Released,
    Expired,
}

impl HoldState {
    pub(crate) const ALL: [Self; 4] = [Self::Held, Self::Sold, Self::Released, Self::Expired];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Sold => "sold",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }
}

/// What must be written of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pending {
    Nothing,
    Insert,
    Update,
}

/// Pieces of one variant in one warehouse that an order holds or has bought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) key: Key,
    pub(crate) warehouse: WarehouseId,
    pub(crate) quantity: i64,
    pub(crate) returned: i64,
    pub(crate) state: HoldState,
    pub(crate) expires_at: Time,
    pub(crate) pending: Pending,
}

impl Hold {
    fn becomes(&mut self, state: HoldState) {
        self.state = state;
        self.touch();
    }

    fn touch(&mut self) {
        if self.pending == Pending::Nothing {
            self.pending = Pending::Update;
        }
    }
}

/// One line of an order: how many of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) key: Key,
    pub(crate) quantity: i64,
}

/// What a seller's or an import's line says: so many pieces are physically there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) key: Key,
    pub(crate) warehouse: WarehouseId,
    pub(crate) quantity: i64,
    pub(crate) incoming: Option<i64>,
}

#[derive(Debug, Clone)]
pub(crate) enum Operation {
    Reserve {
        reservation: ReservationId,
        lines: Vec<Line>,
        expires_at: Time,
    },
    /// Only the holds of these tenants: a transaction sees one cell.
    Confirm {
        reservation: ReservationId,
        tenants: Vec<TenantId>,
    },
    /// `lines`: only these variants; empty: all.
    Release {
        reservation: ReservationId,
        tenants: Vec<TenantId>,
        lines: Vec<Key>,
    },
    /// Gives up what is past its time, of these variants.
    Expire {
        reservation: ReservationId,
        keys: Vec<Key>,
    },
    Restock {
        restock: String,
        reservation: ReservationId,
        lines: Vec<Line>,
        /// They came back and cannot be sold again.
        damaged: bool,
    },
    /// `exact`: refused when fewer than are reserved; otherwise none is available then.
    Set {
        counts: Vec<Count>,
        exact: bool,
        if_revision: Option<i64>,
    },
    Adjust {
        key: Key,
        warehouse: WarehouseId,
        delta: i64,
        kind: Kind,
        if_revision: Option<i64>,
    },
    Transfer {
        key: Key,
        from: WarehouseId,
        to: WarehouseId,
        quantity: i64,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Reserved {
        expires_at: Time,
    },
    Short(Vec<Short>),
    Confirmed,
    Released {
        pieces: i64,
    },
    /// What ran out of time, to be told.
    Expired(Vec<Line>),
    Restocked,
    /// Lines that changed something.
    Set {
        changed: usize,
    },
}

/// A line there are too few pieces for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Short {
    pub(crate) key: Key,
    pub(crate) wanted: i64,
    pub(crate) available: i64,
}

/// Why an operation was refused. Nothing of it was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("reservation {0} exists with other lines")]
    Differs(ReservationId),
    #[error("reservation {0} was given up before")]
    Closed(ReservationId),
    #[error("reservation {0} does not exist")]
    NotFound(ReservationId),
    #[error("pieces of reservation {0} are no longer held")]
    Lost(ReservationId),
    #[error("reservation {0} is confirmed: take pieces back with a restock")]
    Confirmed(ReservationId),
    #[error("more pieces than reservation {0} bought and still has")]
    ExceedsSale(ReservationId),
    #[error("fewer pieces than the {reserved} that are reserved")]
    BelowReserved { reserved: i64 },
    #[error("only {available} pieces are available there")]
    NotEnough { available: i64 },
    #[error("stock moved since it was read: it is at revision {revision}")]
    Moved { revision: i64 },
}

/// What one transaction has locked and read, and what is to be written of it.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    pub(crate) items: BTreeMap<Key, Item>,
    pub(crate) holds: BTreeMap<ReservationId, Vec<Hold>>,
    /// Restocks that were done before.
    pub(crate) restocks: BTreeSet<RestockKey>,
    /// Restocks done here, to be written.
    pub(crate) new_restocks: BTreeMap<RestockKey, ReservationId>,
    pub(crate) movements: Vec<Movement>,
}

impl Item {
    pub(crate) fn available(&self) -> i64 {
        self.rows.iter().map(|row| row.counts.available).sum()
    }

    /// Grows with every movement in any warehouse, because steps only grow and rows are only added.
    pub(crate) fn revision(&self) -> i64 {
        self.rows.iter().map(|row| row.step).sum()
    }

    pub(crate) fn totals(&self) -> Counts {
        self.rows.iter().fold(Counts::default(), |sum, row| Counts {
            available: sum.available + row.counts.available,
            reserved: sum.reserved + row.counts.reserved,
            incoming: sum.incoming + row.counts.incoming,
        })
    }

    /// Whether available pieces fell to the threshold in this transaction, having been above it.
    pub(crate) fn ran_low(&self) -> bool {
        self.available_before.is_some_and(|before| before > self.low_at && self.available() <= self.low_at)
    }
}

impl Shelf {
    /// Decides one operation and does it, or refuses it and changes nothing.
    pub(crate) fn apply(&mut self, operation: &Operation, cause: &Cause, now: Time) -> Result<Outcome, Refusal> {
        match operation {
            Operation::Reserve { reservation, lines, expires_at } => self.reserve(*reservation, lines, *expires_at, cause),
            Operation::Confirm { reservation, tenants } => self.confirm(*reservation, tenants, cause),
            Operation::Release { reservation, tenants, lines } => self.release(*reservation, tenants, lines, cause),
            Operation::Expire { reservation, keys } => Ok(self.expire(*reservation, keys, cause, now)),
            Operation::Restock { restock, reservation, lines, damaged } => self.restock(restock, *reservation, lines, *damaged, cause),
            Operation::Set { counts, exact, if_revision } => self.set(counts, *exact, *if_revision, cause),
            Operation::Adjust { key, warehouse, delta, kind, if_revision } => self.adjust(*key, *warehouse, *delta, *kind, *if_revision, cause),
            Operation::Transfer { key, from, to, quantity } => self.transfer(*key, *from, *to, *quantity, cause),
        }
    }

    fn reserve(&mut self, reservation: ReservationId, lines: &[Line], expires_at: Time, cause: &Cause) -> Result<Outcome, Refusal> {
        let wanted = merged(lines);
        if let Some(outcome) = self.reserved_before(reservation, &wanted) {
            return outcome;
        }
        let short: Vec<Short> = wanted
            .iter()
            .map(|(key, quantity)| Short { key: *key, wanted: *quantity, available: self.items.get(key).map_or(0, Item::available) })
            .filter(|line| line.available < line.wanted)
            .collect();
        if !short.is_empty() {
            return Ok(Outcome::Short(short));
        }
        for (key, quantity) in wanted {
            for (warehouse, taken) in self.pick(key, quantity) {
                self.shift(key, warehouse, Kind::Reservation, cause, |counts| Counts {
                    available: counts.available - taken,
                    reserved: counts.reserved + taken,
                    ..counts
                });
                let hold = Hold { key, warehouse, quantity: taken, returned: 0, state: HoldState::Held, expires_at, pending: Pending::Insert };
                self.holds.entry(reservation).or_default().push(hold);
            }
        }
        Ok(Outcome::Reserved { expires_at })
    }

    /// The answer when this reservation was made before: the same one for the same lines.
    fn reserved_before(&self, reservation: ReservationId, wanted: &BTreeMap<Key, i64>) -> Option<Result<Outcome, Refusal>> {
        let tenants: BTreeSet<TenantId> = wanted.keys().map(|key| key.0).collect();
        let holds: Vec<&Hold> = self.holds.get(&reservation)?.iter().filter(|hold| tenants.contains(&hold.key.0)).collect();
        let expires_at = holds.iter().map(|hold| hold.expires_at).max()?;
        let had = merged(&holds.iter().map(|hold| Line { key: hold.key, quantity: hold.quantity }).collect::<Vec<_>>());
        Some(if had != *wanted {
            Err(Refusal::Differs(reservation))
        } else if holds.iter().all(|hold| matches!(hold.state, HoldState::Held | HoldState::Sold)) {
            Ok(Outcome::Reserved { expires_at })
        } else {
            Err(Refusal::Closed(reservation))
        })
    }

    /// Which warehouses give how many pieces; there are enough.
    fn pick(&self, key: Key, quantity: i64) -> Vec<(WarehouseId, i64)> {
        let mut left = quantity;
        let mut picked = Vec::new();
        for row in self.items.get(&key).map(|item| item.rows.as_slice()).unwrap_or_default() {
            let taken = left.min(row.counts.available);
            if taken > 0 {
                picked.push((row.warehouse, taken));
                left -= taken;
            }
        }
        picked
    }

    fn confirm(&mut self, reservation: ReservationId, tenants: &[TenantId], cause: &Cause) -> Result<Outcome, Refusal> {
        let holds: Vec<Hold> = self.holds_of(reservation, tenants);
        if holds.is_empty() {
            return Err(Refusal::NotFound(reservation));
        }
        if holds.iter().any(|hold| matches!(hold.state, HoldState::Released | HoldState::Expired)) {
            return Err(Refusal::Lost(reservation));
        }
        for hold in holds.iter().filter(|hold| hold.state == HoldState::Held) {
            self.shift(hold.key, hold.warehouse, Kind::Sale, cause, |counts| Counts { reserved: counts.reserved - hold.quantity, ..counts });
            self.change_hold(reservation, hold, |hold| hold.becomes(HoldState::Sold));
        }
        Ok(Outcome::Confirmed)
    }

    fn release(&mut self, reservation: ReservationId, tenants: &[TenantId], lines: &[Key], cause: &Cause) -> Result<Outcome, Refusal> {
        let mut holds = self.holds_of(reservation, tenants);
        holds.retain(|hold| lines.is_empty() || lines.contains(&hold.key));
        if holds.iter().any(|hold| hold.state == HoldState::Sold && hold.returned < hold.quantity) {
            return Err(Refusal::Confirmed(reservation));
        }
        let held: Vec<Hold> = holds.into_iter().filter(|hold| hold.state == HoldState::Held).collect();
        let pieces = self.give_up(reservation, &held, Kind::Release, HoldState::Released, cause);
        Ok(Outcome::Released { pieces })
    }

    fn expire(&mut self, reservation: ReservationId, keys: &[Key], cause: &Cause, now: Time) -> Outcome {
        let mut due = self.holds.get(&reservation).cloned().unwrap_or_default();
        due.retain(|hold| hold.state == HoldState::Held && hold.expires_at <= now && keys.contains(&hold.key));
        self.give_up(reservation, &due, Kind::Expiry, HoldState::Expired, cause);
        let lines = merged(&due.iter().map(|hold| Line { key: hold.key, quantity: hold.quantity }).collect::<Vec<_>>());
        Outcome::Expired(lines.into_iter().map(|(key, quantity)| Line { key, quantity }).collect())
    }

    fn give_up(&mut self, reservation: ReservationId, held: &[Hold], kind: Kind, state: HoldState, cause: &Cause) -> i64 {
        for hold in held {
            let back = hold.quantity;
            self.shift(hold.key, hold.warehouse, kind, cause, |counts| Counts {
                available: counts.available + back,
                reserved: counts.reserved - back,
                ..counts
            });
            self.change_hold(reservation, hold, |hold| hold.becomes(state));
        }
        held.iter().map(|hold| hold.quantity).sum()
    }

    fn restock(&mut self, restock: &str, reservation: ReservationId, lines: &[Line], damaged: bool, cause: &Cause) -> Result<Outcome, Refusal> {
        let wanted = merged(lines);
        let tenants: BTreeSet<TenantId> = wanted.keys().map(|key| key.0).collect();
        let named: Vec<RestockKey> = tenants.iter().map(|tenant| (*tenant, restock.to_owned())).collect();
        if named.iter().any(|key| self.restocks.contains(key)) {
            return Ok(Outcome::Restocked);
        }
        let holds = self.holds_of(reservation, &tenants.into_iter().collect::<Vec<_>>());
        if holds.is_empty() {
            return Err(Refusal::NotFound(reservation));
        }
        let sold = |key: &Key| -> i64 {
            holds.iter().filter(|hold| hold.key == *key && hold.state == HoldState::Sold).map(|hold| hold.quantity - hold.returned).sum()
        };
        if wanted.iter().any(|(key, quantity)| sold(key) < *quantity) {
            return Err(Refusal::ExceedsSale(reservation));
        }
        for (key, quantity) in wanted {
            let mut left = quantity;
            for hold in holds.iter().filter(|hold| hold.key == key && hold.state == HoldState::Sold) {
                let back = left.min(hold.quantity - hold.returned);
                if back > 0 {
                    self.shift(key, hold.warehouse, Kind::Return, cause, |counts| Counts { available: counts.available + back, ..counts });
                    if damaged {
                        self.shift(key, hold.warehouse, Kind::Damage, cause, |counts| Counts { available: counts.available - back, ..counts });
                    }
                    self.change_hold(reservation, hold, |hold| {
                        hold.returned += back;
                        hold.touch();
                    });
                    left -= back;
                }
            }
        }
        for key in named {
            self.restocks.insert(key.clone());
            self.new_restocks.insert(key, reservation);
        }
        Ok(Outcome::Restocked)
    }

    fn set(&mut self, counts: &[Count], exact: bool, if_revision: Option<i64>, cause: &Cause) -> Result<Outcome, Refusal> {
        for count in counts {
            self.expect_revision(count.key, if_revision)?;
            let reserved = self.row(count.key, count.warehouse).map_or(0, |row| row.counts.reserved);
            if exact && count.quantity < reserved {
                return Err(Refusal::BelowReserved { reserved });
            }
        }
        let mut changed = 0;
        for count in counts {
            let Some(before) = self.row(count.key, count.warehouse).map(|row| row.counts) else { continue };
            let counted = Counts { available: (count.quantity - before.reserved).max(0), ..before };
            let announced = Counts { incoming: count.incoming.unwrap_or(before.incoming), ..counted };
            if counted != before {
                self.shift(count.key, count.warehouse, Kind::Adjustment, cause, |_| counted);
            }
            if announced != counted {
                self.shift(count.key, count.warehouse, Kind::Incoming, cause, |_| announced);
            }
            changed += usize::from(announced != before);
        }
        Ok(Outcome::Set { changed })
    }

    fn adjust(
        &mut self,
        key: Key,
        warehouse: WarehouseId,
        delta: i64,
        kind: Kind,
        if_revision: Option<i64>,
        cause: &Cause,
    ) -> Result<Outcome, Refusal> {
        self.expect_revision(key, if_revision)?;
        let available = self.row(key, warehouse).map_or(0, |row| row.counts.available);
        if available.checked_add(delta).is_none_or(|after| after < 0) {
            return Err(Refusal::NotEnough { available });
        }
        self.shift(key, warehouse, kind, cause, |counts| Counts { available: counts.available + delta, ..counts });
        Ok(Outcome::Set { changed: 1 })
    }

    fn transfer(&mut self, key: Key, from: WarehouseId, to: WarehouseId, quantity: i64, cause: &Cause) -> Result<Outcome, Refusal> {
        let available = self.row(key, from).map_or(0, |row| row.counts.available);
        if available < quantity {
            return Err(Refusal::NotEnough { available });
        }
        self.shift(key, from, Kind::Transfer, cause, |counts| Counts { available: counts.available - quantity, ..counts });
        self.shift(key, to, Kind::Transfer, cause, |counts| Counts { available: counts.available + quantity, ..counts });
        Ok(Outcome::Set { changed: 1 })
    }

    fn expect_revision(&self, key: Key, if_revision: Option<i64>) -> Result<(), Refusal> {
        let revision = self.items.get(&key).map_or(0, Item::revision);
        if if_revision.is_none_or(|expected| expected == revision) { Ok(()) } else { Err(Refusal::Moved { revision }) }
    }

    fn row(&self, key: Key, warehouse: WarehouseId) -> Option<&Row> {
        self.items.get(&key)?.rows.iter().find(|row| row.warehouse == warehouse)
    }

    fn holds_of(&self, reservation: ReservationId, tenants: &[TenantId]) -> Vec<Hold> {
        let holds = self.holds.get(&reservation).map(Vec::as_slice).unwrap_or_default();
        holds.iter().filter(|hold| tenants.contains(&hold.key.0)).cloned().collect()
    }

    fn change_hold(&mut self, reservation: ReservationId, which: &Hold, change: impl FnOnce(&mut Hold)) {
        let found = self
            .holds
            .get_mut(&reservation)
            .and_then(|holds| holds.iter_mut().find(|hold| hold.key == which.key && hold.warehouse == which.warehouse));
        if let Some(hold) = found {
            change(hold);
        }
    }

    /// The one place where pieces move: the row changes and the journal gets its entry.
    fn shift(&mut self, key: Key, warehouse: WarehouseId, kind: Kind, cause: &Cause, change: impl FnOnce(Counts) -> Counts) {
        let Some(item) = self.items.get_mut(&key) else { return };
        let available = item.available();
        let Some(row) = item.rows.iter_mut().find(|row| row.warehouse == warehouse) else { return };
        let before = row.counts;
        row.counts = change(before);
        row.step += 1;
        self.movements.push(Movement { key, warehouse, step: row.step, kind, before, after: row.counts, cause: cause.clone() });
        item.available_before.get_or_insert(available);
    }
}

/// Lines of one variant added up.
fn merged(lines: &[Line]) -> BTreeMap<Key, i64> {
    let mut sums = BTreeMap::new();
    for line in lines {
        *sums.entry(line.key).or_insert(0) += line.quantity;
    }
    sums
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;

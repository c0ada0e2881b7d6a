//! One transaction for many operations: lock what they name, decide them in order of arrival, write what changed, tell it once.
//! Every movement of stock, from the hot reservation to an import of thousands of lines, goes through here.

use std::collections::BTreeSet;

use api_inventory::{ReservationExpired, ReservationId, ReserveLine, StockChanged, StockRanLow, WarehouseId, inventory_event};
use kit_core::{TenantId, Time};
use kit_db::{Cell, DbError, Event, Scope, Tx, log};
use kit_rpc::Ctx;
use serde_json::json;

use super::Inventory;
use crate::error::Error;
use crate::events::event;
use crate::model::{Cause, Counts, Key, Line, Operation, Outcome, RestockKey, Shelf};
use crate::{labels, store};

/// An operation, by whom and why.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) ctx: Ctx,
    pub(crate) operation: Operation,
    pub(crate) cause: Cause,
}

impl Asked {
    pub(crate) fn new(ctx: &Ctx, operation: Operation, reference: String, note: String) -> Self {
        Self { cause: Cause { reference, note, actor: ctx.actor_text() }, ctx: ctx.clone(), operation }
    }
}

type Results = Vec<Result<Outcome, Error>>;

/// What the operations of one transaction name.
#[derive(Default)]
struct Named {
    keys: BTreeSet<Key>,
    new_rows: BTreeSet<(Key, WarehouseId)>,
    reservations: BTreeSet<ReservationId>,
    restocks: BTreeSet<RestockKey>,
    tenants: BTreeSet<TenantId>,
    /// Some operation names its variants only by its reservation.
    by_reservation: bool,
}

impl Named {
    fn of(asked: &[Asked]) -> Self {
        let mut named = Self::default();
        for asked in asked {
            named.add(&asked.operation);
        }
        named.tenants.extend(named.keys.iter().map(|key| key.0));
        named
    }

    fn add(&mut self, operation: &Operation) {
        match operation {
            Operation::Reserve { reservation, lines, .. } => {
                self.reservations.insert(*reservation);
                self.keys.extend(lines.iter().map(|line| line.key));
            }
            Operation::Confirm { reservation, tenants } | Operation::Release { reservation, tenants, .. } => {
                self.reservations.insert(*reservation);
                self.tenants.extend(tenants);
                self.by_reservation = true;
            }
            Operation::Expire { reservation, keys } => {
                self.reservations.insert(*reservation);
                self.keys.extend(keys);
            }
            Operation::Restock { restock, reservation, lines, .. } => {
                self.reservations.insert(*reservation);
                self.keys.extend(lines.iter().map(|line| line.key));
                self.restocks.extend(lines.iter().map(|line| (line.key.0, restock.clone())));
            }
            Operation::Set { counts, .. } => {
                self.keys.extend(counts.iter().map(|count| count.key));
                self.new_rows.extend(counts.iter().map(|count| (count.key, count.warehouse)));
            }
            Operation::Adjust { key, warehouse, .. } | Operation::Transfer { key, to: warehouse, .. } => {
                self.keys.insert(*key);
                self.new_rows.insert((*key, *warehouse));
            }
        }
    }
}

impl Inventory {
    /// Does all operations in one transaction of the cell; each has its own result. Tried again when the transaction met another
    /// one: every operation is either idempotent or was surely not done.
    pub(crate) async fn transact(&self, cell: &Cell, asked: &[Asked]) -> Result<Results, Error> {
        let mut tries = 1;
        loop {
            match self.try_transact(cell, asked).await {
                Err(Error::Db(error)) if tries < self.config.tries && met_another(&error) => tries += 1,
                done => return done,
            }
        }
    }

    async fn try_transact(&self, cell: &Cell, asked: &[Asked]) -> Result<Results, Error> {
        let now = self.clock.now();
        let mut named = Named::of(asked);
        let mut tx = cell.begin(&Scope::Tenants(named.tenants.iter().copied().collect())).await?;
        let mut shelf = take(&mut tx, &mut named).await?;
        let mut expired = self.expire_for_the_short(&mut tx, &mut shelf, asked, now).await?;
        let mut results = Results::with_capacity(asked.len());
        for asked in asked {
            let outcome = shelf.apply(&asked.operation, &asked.cause, now);
            if let (Ok(Outcome::Expired(lines)), Operation::Expire { reservation, .. }) = (&outcome, &asked.operation) {
                expired.push((*reservation, lines.clone()));
            }
            results.push(outcome.map_err(Error::Refused));
        }
        if shelf.movements.is_empty() && shelf.new_restocks.is_empty() {
            return Ok(results);
        }
        store::save(&mut tx, &shelf, &self.ids, now).await?;
        self.tell(&mut tx, &shelf, asked, &expired, now).await?;
        tx.commit().await?;
        Ok(results)
    }

    /// When reservations want more than there is, holds on those variants that are past their time are given up first.
    async fn expire_for_the_short(
        &self,
        tx: &mut Tx,
        shelf: &mut Shelf,
        asked: &[Asked],
        now: Time,
    ) -> Result<Vec<(ReservationId, Vec<Line>)>, Error> {
        let mut wanted = std::collections::BTreeMap::<Key, i64>::new();
        for asked in asked {
            if let Operation::Reserve { lines, .. } = &asked.operation {
                lines.iter().for_each(|line| *wanted.entry(line.key).or_default() += line.quantity);
            }
        }
        wanted.retain(|key, quantity| shelf.items.get(key).is_some_and(|item| item.available() < *quantity && item.totals().reserved > 0));
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let short: BTreeSet<Key> = wanted.into_keys().collect();
        let mut expired = Vec::new();
        for (reservation, due) in store::due_holds_on(tx, &short, now).await? {
            shelf.holds.entry(reservation).or_insert(due);
            let keys = short.iter().copied().collect();
            let cause = Cause { reference: reservation.to_string(), note: String::new(), actor: "service:inventory".to_owned() };
            if let Ok(Outcome::Expired(lines)) = shelf.apply(&Operation::Expire { reservation, keys }, &cause, now) {
                expired.push((reservation, lines));
            }
        }
        Ok(expired)
    }

    /// One event for each variant with its final state, one for each that ran low, one for each hold that ran out.
    async fn tell(&self, tx: &mut Tx, shelf: &Shelf, asked: &[Asked], expired: &[(ReservationId, Vec<Line>)], now: Time) -> Result<(), Error> {
        let mut events = Vec::new();
        let single = match asked {
            [one] => Some(one),
            _ => None,
        };
        let by_a_person = single.filter(|asked| asked.ctx.user().is_some());
        let mut low = BTreeSet::new();
        for (key, item) in shelf.items.iter().filter(|(_, item)| item.available_before.is_some()) {
            let totals = item.totals();
            let body = StockChanged {
                tenant_id: key.0.to_string(),
                variant_id: key.1.to_string(),
                available: totals.available,
                reserved: totals.reserved,
                incoming: totals.incoming,
                revision: item.revision(),
                low_at: item.low_at,
            };
            let change = by_a_person.and_then(|asked| change(shelf, *key, &asked.cause));
            events.push(Event { change, ..event(key.1.uuid(), Some(key.0), inventory_event::Body::StockChanged(body)) });
            if item.ran_low() {
                low.insert(*key);
            }
        }
        for (key, label) in labels::of(tx, &low).await? {
            let Some(item) = shelf.items.get(&key) else { continue };
            let (tenant_id, variant_id) = (key.0.to_string(), key.1.to_string());
            let body = StockRanLow { tenant_id, variant_id, available: item.available(), low_at: item.low_at, sku: label.sku, title: label.title };
            events.push(event(key.1.uuid(), Some(key.0), inventory_event::Body::StockRanLow(body)));
        }
        for (reservation, lines) in expired.iter().filter(|(_, lines)| !lines.is_empty()) {
            let lines = lines
                .iter()
                .map(|line| ReserveLine { tenant_id: line.key.0.to_string(), variant_id: line.key.1.to_string(), quantity: line.quantity })
                .collect();
            let body = ReservationExpired { reservation_id: reservation.to_string(), lines };
            events.push(event(reservation.uuid(), None, inventory_event::Body::ReservationExpired(body)));
        }
        // What many requests caused together is told by the service itself.
        let ctx = single.map_or_else(|| Ctx::service("inventory", "batch"), |asked| asked.ctx.clone());
        log::append_all(tx, &ctx, now, events).await?;
        Ok(())
    }
}

/// Locks and reads all that the operations need.
async fn take(tx: &mut Tx, named: &mut Named) -> Result<Shelf, Error> {
    if named.by_reservation {
        let holds = store::holds(tx, &named.reservations).await?;
        named.keys.extend(holds.values().flatten().map(|hold| hold.key));
    }
    store::make_rows(tx, &named.new_rows).await?;
    let items = store::lock(tx, &named.keys).await?;
    // Only now, under the lock, do the holds stand still.
    let holds = store::holds(tx, &named.reservations).await?;
    let restocks = store::restocks_done(tx, &named.restocks).await?;
    Ok(Shelf { items, holds, restocks, ..Shelf::default() })
}

/// Before and after of a variant, as the audit log shows a person's act.
fn change(shelf: &Shelf, key: Key, cause: &Cause) -> Option<serde_json::Value> {
    let mut moved = shelf.movements.iter().filter(|movement| movement.key == key);
    let first = moved.next()?;
    let last = moved.next_back().unwrap_or(first);
    let counts = |counts: Counts| json!({"available": counts.available, "reserved": counts.reserved, "incoming": counts.incoming});
    Some(json!({"before": counts(first.before), "after": counts(last.after), "kind": last.kind.word(), "note": cause.note}))
}

/// Deadlock, serialization failure, a broken connection: another try may well succeed.
fn met_another(error: &DbError) -> bool {
    matches!(error, DbError::Sql(_)) && error.is_passing()
}

//! Reserve, confirm, release, restock: what the checkout asks. Each goes to the cells of the tenants it names, cells in order of
//! their names; nearly always that is one cell and one batch.

use std::collections::BTreeMap;

use api_inventory::ReservationId;
use kit_core::{TenantId, Time};
use kit_db::Cell;
use kit_rpc::Ctx;

use super::Inventory;
use super::moving::Asked;
use crate::error::Error;
use crate::model::{Key, Line, Operation, Outcome, Refusal, Short};

pub(crate) enum Reserved {
    Until(Time),
    Short(Vec<Short>),
}

impl Inventory {
    pub(crate) async fn reserve(&self, ctx: &Ctx, reservation: ReservationId, lines: Vec<Line>, hold_seconds: u32) -> Result<Reserved, Error> {
        let seconds = if hold_seconds == 0 { self.config.hold_seconds } else { hold_seconds };
        let expires_at = self.clock.now() + chrono::Duration::seconds(i64::from(seconds));
        let by_cell = self.by_cell(lines, |line| line.key.0).await?;
        let mut held: Vec<(Cell, Vec<TenantId>)> = Vec::new();
        let mut until = expires_at;
        for (cell, lines) in by_cell.into_values() {
            let tenants: Vec<TenantId> = lines.iter().map(|line| line.key.0).collect();
            let asked = Asked::new(ctx, Operation::Reserve { reservation, lines, expires_at }, reservation.to_string(), String::new());
            match self.batched(&cell, asked).await {
                Ok(Outcome::Reserved { expires_at }) => {
                    until = until.min(expires_at);
                    held.push((cell, tenants));
                }
                Ok(Outcome::Short(short)) => {
                    self.give_back(ctx, reservation, held).await?;
                    return Ok(Reserved::Short(short));
                }
                // The other cells' holds are given back; should that fail as well, they run out by themselves.
                Err(error) => {
                    self.give_back(ctx, reservation, held).await?;
                    return Err(error);
                }
                Ok(other) => return Err(unexpected(&other)),
            }
        }
        Ok(Reserved::Until(until))
    }

    async fn give_back(&self, ctx: &Ctx, reservation: ReservationId, held: Vec<(Cell, Vec<TenantId>)>) -> Result<(), Error> {
        for (cell, tenants) in held {
            let operation = Operation::Release { reservation, tenants, lines: Vec::new() };
            self.batched(&cell, Asked::new(ctx, operation, reservation.to_string(), String::new())).await?;
        }
        Ok(())
    }

    /// Confirms in every cell, or in none: a cell whose pieces are lost makes the others take theirs back.
    pub(crate) async fn confirm(&self, ctx: &Ctx, reservation: ReservationId, tenants: Vec<TenantId>) -> Result<(), Error> {
        let mut confirmed: Vec<(Cell, Vec<TenantId>)> = Vec::new();
        for (cell, tenants) in self.by_cell(tenants, |tenant| *tenant).await?.into_values() {
            let operation = Operation::Confirm { reservation, tenants: tenants.clone() };
            let outcome = self.batched(&cell, Asked::new(ctx, operation, reservation.to_string(), String::new())).await;
            if let Err(error) = outcome {
                if matches!(error, Error::Refused(Refusal::Lost(_) | Refusal::NotFound(_))) {
                    self.take_back(ctx, reservation, confirmed).await?;
                }
                return Err(error);
            }
            confirmed.push((cell, tenants));
        }
        Ok(())
    }

    async fn take_back(&self, ctx: &Ctx, reservation: ReservationId, confirmed: Vec<(Cell, Vec<TenantId>)>) -> Result<(), Error> {
        for (cell, tenants) in confirmed {
            let lines = self.sold_lines(&cell, reservation, tenants).await?;
            if !lines.is_empty() {
                let operation = Operation::Restock { restock: format!("{reservation}:lost"), reservation, lines, damaged: false };
                self.batched(&cell, Asked::new(ctx, operation, reservation.to_string(), String::new())).await?;
            }
        }
        Ok(())
    }

    /// How many pieces became available again.
    pub(crate) async fn release(&self, ctx: &Ctx, reservation: ReservationId, mut tenants: Vec<TenantId>, lines: Vec<Key>) -> Result<i64, Error> {
        let mut released = 0;
        if !lines.is_empty() {
            tenants.retain(|tenant| lines.iter().any(|key| key.0 == *tenant));
        }
        for (cell, tenants) in self.by_cell(tenants, |tenant| *tenant).await?.into_values() {
            let operation = Operation::Release { reservation, tenants, lines: lines.clone() };
            match self.batched(&cell, Asked::new(ctx, operation, reservation.to_string(), String::new())).await? {
                Outcome::Released { pieces } => released += pieces,
                other => return Err(unexpected(&other)),
            }
        }
        Ok(released)
    }

    pub(crate) async fn restock(&self, ctx: &Ctx, restock: String, reservation: ReservationId, lines: Vec<Line>, damaged: bool) -> Result<(), Error> {
        for (cell, lines) in self.by_cell(lines, |line| line.key.0).await?.into_values() {
            let operation = Operation::Restock { restock: restock.clone(), reservation, lines, damaged };
            self.batched(&cell, Asked::new(ctx, operation, reservation.to_string(), restock.clone())).await?;
        }
        Ok(())
    }

    /// Things by the cell their tenant lives in, cells in order of name.
    pub(crate) async fn by_cell<T>(&self, things: Vec<T>, tenant: impl Fn(&T) -> TenantId) -> Result<BTreeMap<String, (Cell, Vec<T>)>, Error> {
        let mut cells: BTreeMap<String, (Cell, Vec<T>)> = BTreeMap::new();
        for thing in things {
            let cell = self.db.cell_of(tenant(&thing)).await?;
            cells.entry(cell.name().to_owned()).or_insert_with(|| (cell, Vec::new())).1.push(thing);
        }
        Ok(cells)
    }
}

fn unexpected(outcome: &Outcome) -> Error {
    Error::Unreadable(format!("an operation answered {outcome:?}"))
}

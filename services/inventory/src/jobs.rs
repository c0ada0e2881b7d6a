//! Background work: holds past their time are given up; holds that were given up long ago are forgotten.

use api_inventory::ReservationId;
use kit_db::{Cell, Scope};
use kit_rpc::Ctx;

use crate::error::Error;
use crate::flows::Inventory;
use crate::flows::moving::Asked;
use crate::model::{Hold, Key, Operation};
use crate::store;

impl Inventory {
    /// Gives up every hold that is past its time, in every cell.
    pub(crate) async fn expire_holds(&self) -> Result<(), Error> {
        for cell in self.db.cells().await? {
            while self.expire_some(&cell).await? {}
        }
        Ok(())
    }

    /// Whether there may be more.
    async fn expire_some(&self, cell: &Cell) -> Result<bool, Error> {
        let limit = self.config.expire_max_holds;
        let due = {
            let mut tx = cell.begin(&Scope::Platform).await?;
            store::due_holds(&mut tx, self.clock.now(), limit).await?
        };
        let found = due.values().map(Vec::len).sum::<usize>();
        if found == 0 {
            return Ok(false);
        }
        let ctx = Ctx::service("inventory", "job:expire_holds");
        let asked: Vec<Asked> = due.into_iter().map(|(reservation, holds)| expiry(&ctx, reservation, &holds)).collect();
        let results = self.transact(cell, &asked).await?;
        results.into_iter().try_for_each(|result| result.map(|_| ()))?;
        Ok(i64::try_from(found).is_ok_and(|found| found >= limit))
    }

    pub(crate) async fn forget_closed_holds(&self) -> Result<(), Error> {
        let before = self.clock.now() - chrono::Duration::days(i64::from(self.config.keep_closed_holds_days));
        for cell in self.db.cells().await? {
            let mut tx = cell.begin(&Scope::Platform).await?;
            store::forget_closed_holds(&mut tx, before).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

fn expiry(ctx: &Ctx, reservation: ReservationId, holds: &[Hold]) -> Asked {
    let keys: Vec<Key> = holds.iter().map(|hold| hold.key).collect();
    Asked::new(ctx, Operation::Expire { reservation, keys }, reservation.to_string(), String::new())
}

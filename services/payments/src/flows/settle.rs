//! Settlement: what was delivered and held becomes available to its seller, and what happens to it afterwards is taken along.

use std::collections::BTreeMap;

use api_orders::{OrderId, SubOrderId};
use kit_core::{Currency, TenantId, Time};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Payments;
use crate::config::MAX_RELEASED;
use crate::error::Error;
use crate::ledger::{Entry, Pending, settlement_entry};
use crate::store::settlement::{self, DuePart};
use crate::store::statements::{self, LineKind, NewLine};

/// The job that releases what is due.
pub(crate) const SETTLE: &str = "settle";

impl Payments {
    /// A sub-order was delivered whole: the hold begins.
    pub(crate) async fn delivered(
        &self,
        db: &mut PgConnection,
        sub_order: SubOrderId,
        tenant: TenantId,
        order: OrderId,
        at: Time,
    ) -> Result<(), Error> {
        settlement::insert_part(db, sub_order, tenant, order, at, at + self.settlement.hold()).await
    }

    /// The job: moves what is pending of due sub-orders to their sellers' accounts, some at a time.
    pub(crate) async fn settle(&self) -> Result<(), Error> {
        loop {
            let now = self.clock.now();
            let mut tx = self.begin().await?;
            let due = settlement::due(&mut tx, now, MAX_RELEASED).await?;
            if due.is_empty() {
                return Ok(());
            }
            let ids: Vec<Uuid> = due.iter().map(|part| part.sub_order_id).collect();
            let pending = settlement::pending(&mut tx, &ids).await?;
            let opened = self.release(&mut tx, &pending, &due, now).await?;
            settlement::mark_released(&mut tx, &ids, now).await?;
            tx.commit().await?;
            self.recorder.remember(opened);
        }
    }

    /// One entry per sub-order, one line each in its seller's statement; sellers are locked in the order of their ids.
    async fn release(&self, db: &mut PgConnection, pending: &[Pending], due: &[DuePart], now: Time) -> Result<Vec<Uuid>, Error> {
        let entries: Vec<Entry> = pending.iter().map(|pending| settlement_entry(self.ids.next(), pending, now)).collect();
        let opened = self.recorder.write(db, &entries).await?;
        let mut lines: BTreeMap<(TenantId, Currency), Vec<NewLine>> = BTreeMap::new();
        for (pending, entry) in pending.iter().zip(&entries).filter(|(pending, _)| pending.total_minor() != 0) {
            let released_before = due.iter().any(|part| part.sub_order_id == pending.sub_order.uuid() && part.released_at.is_some());
            let kind = if released_before && pending.total_minor() < 0 { LineKind::Reversal } else { LineKind::Sale };
            lines.entry((pending.tenant, pending.currency)).or_default().push(NewLine {
                kind,
                entry: entry.id,
                order: Some(pending.order),
                sub_order: Some(pending.sub_order),
                payout: None,
                amount_minor: pending.total_minor(),
            });
        }
        for ((tenant, currency), lines) in lines {
            let mut balance = statements::lock(db, tenant, currency).await?;
            statements::append(db, &mut balance, &lines, now).await?;
        }
        Ok(opened)
    }
}

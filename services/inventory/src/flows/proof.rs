//! Proves stock from its journal: sums every movement anew and compares, cell by cell.

use kit_core::TenantId;
use kit_db::Scope;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Inventory;
use crate::error::Error;

/// The most rows that are named when they do not agree.
const SHOWN: usize = 100;

#[derive(Debug, Default)]
pub(crate) struct Proof {
    pub(crate) rows: i64,
    pub(crate) entries: i64,
    pub(crate) mismatches: Vec<Mismatch>,
}

#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Mismatch {
    pub(crate) tenant_id: Uuid,
    pub(crate) variant_id: Uuid,
    pub(crate) warehouse_id: Uuid,
    pub(crate) finding: String,
}

impl Inventory {
    pub(crate) async fn prove_stock(&self, tenant: Option<TenantId>) -> Result<Proof, Error> {
        let cells = match tenant {
            Some(tenant) => vec![self.db.cell_of(tenant).await?],
            None => self.db.cells().await?,
        };
        let mut proof = Proof::default();
        for cell in cells {
            let mut tx = cell.begin(&tenant.map_or(Scope::Platform, Scope::Tenant)).await?;
            let (rows, entries) = counted(&mut tx).await?;
            proof.rows += rows;
            proof.entries += entries;
            proof.mismatches.extend(mismatches(&mut tx).await?);
        }
        proof.mismatches.truncate(SHOWN);
        Ok(proof)
    }
}

async fn counted(db: &mut PgConnection) -> Result<(i64, i64), Error> {
    Ok(sqlx::query_as("select (select count(*) from stock), (select count(*) from stock_journal)").fetch_one(db).await?)
}

/// One statement, so that it sees one moment. Three ways to disagree: a sum of movements that is not the count, a chain of entries that is broken, and reserved pieces that no
/// open hold holds.
async fn mismatches(db: &mut PgConnection) -> Result<Vec<Mismatch>, Error> {
    let found = sqlx::query_as(
        "with chained as (
            select tenant_id, variant_id, warehouse_id,
                   step = lag(step, 1, 0::bigint) over entry + 1
                   and available_before = lag(available_after, 1, 0::bigint) over entry
                   and reserved_before = lag(reserved_after, 1, 0::bigint) over entry
                   and incoming_before = lag(incoming_after, 1, 0::bigint) over entry as unbroken,
                   available_after - available_before as available, reserved_after - reserved_before as reserved,
                   incoming_after - incoming_before as incoming
            from stock_journal
            window entry as (partition by tenant_id, variant_id, warehouse_id order by step)
        ), summed as (
            select tenant_id, variant_id, warehouse_id, bool_and(unbroken) as unbroken, count(*) as steps,
                   sum(available) as available, sum(reserved) as reserved, sum(incoming) as incoming
            from chained group by 1, 2, 3
        ), held as (
            select tenant_id, variant_id, warehouse_id, sum(quantity) as pieces from stock_hold where state = 'held' group by 1, 2, 3
        ), judged as (
            select s.tenant_id, s.variant_id, s.warehouse_id,
                   case
                       when not coalesce(j.unbroken, true) then 'the chain of journal entries is broken'
                       when coalesce(j.steps, 0) <> s.step then format('%s journal entries for %s movements', coalesce(j.steps, 0), s.step)
                       when coalesce(j.available, 0) <> s.available then format('available is %s, the journal says %s', s.available, coalesce(j.available, 0))
                       when coalesce(j.reserved, 0) <> s.reserved then format('reserved is %s, the journal says %s', s.reserved, coalesce(j.reserved, 0))
                       when coalesce(j.incoming, 0) <> s.incoming then format('incoming is %s, the journal says %s', s.incoming, coalesce(j.incoming, 0))
                       when coalesce(h.pieces, 0) <> s.reserved then format('reserved is %s, open holds have %s', s.reserved, coalesce(h.pieces, 0))
                   end as finding
            from stock s
            left join summed j using (tenant_id, variant_id, warehouse_id)
            left join held h using (tenant_id, variant_id, warehouse_id)
        )
        select tenant_id, variant_id, warehouse_id, finding from judged where finding is not null limit 100",
    )
    .fetch_all(db)
    .await?;
    Ok(found)
}

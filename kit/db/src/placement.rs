//! Which tenant lives in which cell: a small table of the home database, held in memory by every process.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use kit_core::TenantId;
use sqlx::postgres::PgPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::DbError;
use crate::tail::{Hub, PLACEMENT_CHANGED};

/// How long another process may not know of a new placement, should the notification be lost.
const REFRESH: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(crate) struct Directory {
    known: RwLock<Known>,
    followed: AtomicBool,
}

#[derive(Default)]
struct Known {
    /// Dedicated cells by name, and whether each is reached by an address of its own.
    cells: BTreeMap<String, bool>,
    placements: HashMap<TenantId, String>,
}

impl Directory {
    pub(crate) fn cell_of(&self, tenant: TenantId) -> Option<String> {
        self.known().placements.get(&tenant).cloned()
    }

    pub(crate) fn cells(&self) -> Vec<String> {
        self.known().cells.keys().cloned().collect()
    }

    pub(crate) fn by_address(&self, cell: &str) -> Option<bool> {
        self.known().cells.get(cell).copied()
    }

    fn known(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the directory now, and again whenever it changes. The first service to come does it for all.
    pub(crate) async fn follow(self: &Arc<Self>, pool: &PgPool, hub: &Hub, stop: &CancellationToken) -> Result<(), sqlx::Error> {
        if self.followed.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        self.read(pool).await?;
        let (directory, pool, stop) = (Arc::clone(self), pool.clone(), stop.clone());
        let changed = hub.bell(PLACEMENT_CHANGED);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = changed.notified() => {}
                    () = tokio::time::sleep(REFRESH) => {}
                }
                if let Err(error) = directory.read(&pool).await {
                    tracing::debug!(%error, "the placement directory could not be read; the last one is kept");
                }
            }
        });
        Ok(())
    }

    async fn read(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let rows: Vec<(String, bool, Option<Uuid>)> =
            sqlx::query_as("select c.cell, c.by_address, p.tenant from kit_cell c left join kit_placement p using (cell)").fetch_all(pool).await?;
        let mut known = Known::default();
        for (cell, by_address, tenant) in rows {
            if let Some(tenant) = tenant {
                known.placements.insert(tenant.into(), cell.clone());
            }
            known.cells.insert(cell, by_address);
        }
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }

    pub(crate) async fn place(&self, pool: &PgPool, tenant: TenantId, cell: &str, by_address: bool) -> Result<(), DbError> {
        let mut tx = pool.begin().await?;
        sqlx::query("insert into kit_cell (cell, by_address) values ($1, $2) on conflict do nothing")
            .bind(cell)
            .bind(by_address)
            .execute(&mut *tx)
            .await?;
        sqlx::query("insert into kit_placement (tenant, cell) values ($1, $2) on conflict do nothing")
            .bind(tenant.uuid())
            .bind(cell)
            .execute(&mut *tx)
            .await?;
        let placed: String = sqlx::query_scalar("select cell from kit_placement where tenant = $1").bind(tenant.uuid()).fetch_one(&mut *tx).await?;
        sqlx::query("select pg_notify($1, '')").bind(PLACEMENT_CHANGED).execute(&mut *tx).await?;
        tx.commit().await?;
        self.read(pool).await?;
        if placed == cell { Ok(()) } else { Err(DbError::PlacedElsewhere(placed)) }
    }
}

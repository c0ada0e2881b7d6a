//! Reading stock and its journal.

use api_catalog::VariantId;
use api_inventory::{JournalId, ReservationId, WarehouseId};
use futures::stream::BoxStream;
use futures::{StreamExt, future, stream};
use kit_core::{TenantId, Time};
use kit_db::{Cell, Scope};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Inventory;
use crate::error::Error;
use crate::model::{Counts, HoldState, Key, Line};
use crate::store;

/// The stock of one variant as it is shown.
#[derive(Debug, Clone)]
pub(crate) struct StockView {
    pub(crate) key: Key,
    pub(crate) totals: Counts,
    pub(crate) low_at: i64,
    pub(crate) revision: i64,
    pub(crate) warehouses: Vec<(WarehouseId, Counts)>,
    pub(crate) sku: String,
    pub(crate) title: String,
}

#[derive(Default)]
pub(crate) struct StockFilter {
    pub(crate) after: Option<VariantId>,
    pub(crate) variant: Option<VariantId>,
    pub(crate) sku: Option<String>,
    pub(crate) low_only: bool,
    pub(crate) limit: i64,
}

#[derive(Default)]
pub(crate) struct JournalFilter {
    pub(crate) before: Option<JournalId>,
    pub(crate) variant: Option<VariantId>,
    pub(crate) sku: Option<String>,
    pub(crate) limit: i64,
}

#[derive(Debug, sqlx::FromRow)]
pub(crate) struct JournalRow {
    pub(crate) journal_id: Uuid,
    pub(crate) variant_id: Uuid,
    pub(crate) warehouse_id: Uuid,
    pub(crate) step: i64,
    pub(crate) kind: String,
    pub(crate) available_before: i64,
    pub(crate) available_after: i64,
    pub(crate) reserved_before: i64,
    pub(crate) reserved_after: i64,
    pub(crate) incoming_before: i64,
    pub(crate) incoming_after: i64,
    pub(crate) reference: String,
    pub(crate) note: String,
    pub(crate) actor: String,
    pub(crate) at: Time,
    pub(crate) sku: String,
}

impl Inventory {
    /// Stock of variants of any tenants, in the order asked, zeros where there is none.
    pub(crate) async fn get_stock(&self, keys: Vec<Key>) -> Result<Vec<StockView>, Error> {
        let mut found = std::collections::HashMap::with_capacity(keys.len());
        for (cell, keys) in self.by_cell(keys.clone(), |key| key.0).await?.into_values() {
            let tenants: std::collections::BTreeSet<TenantId> = keys.iter().map(|key| key.0).collect();
            let mut tx = cell.begin(&Scope::Tenants(tenants.into_iter().collect())).await?;
            for view in totals(&mut tx, &keys).await? {
                found.insert(view.key, view);
            }
        }
        let empty = |key| StockView {
            key,
            totals: Counts::default(),
            low_at: 0,
            revision: 0,
            warehouses: Vec::new(),
            sku: String::new(),
            title: String::new(),
        };
        Ok(keys.into_iter().map(|key| found.get(&key).cloned().unwrap_or_else(|| empty(key))).collect())
    }

    /// One variant of a tenant, with its warehouses.
    pub(crate) async fn stock_of(&self, tenant: TenantId, variant: VariantId) -> Result<StockView, Error> {
        let filter = StockFilter { variant: Some(variant), limit: 1, ..StockFilter::default() };
        self.list_stock(tenant, filter).await?.pop().ok_or(Error::VariantNotFound)
    }

    /// The stock of a variant now, and again after each of its events.
    pub(crate) async fn watch_stock(&self, tenant: TenantId, variant: VariantId) -> Result<BoxStream<'static, Result<StockView, Error>>, Error> {
        // Watched before it is read, so that no change falls between the two.
        let changes = self.db.watch(variant.uuid());
        let now = self.stock_of(tenant, variant).await?;
        let inventory = self.clone();
        let later = changes.then(move |_event| {
            let inventory = inventory.clone();
            async move { inventory.stock_of(tenant, variant).await }
        });
        Ok(stream::once(future::ready(Ok(now))).chain(later).take_until(self.stop.clone().cancelled_owned()).boxed())
    }

    pub(crate) async fn list_stock(&self, tenant: TenantId, filter: StockFilter) -> Result<Vec<StockView>, Error> {
        let mut tx = self.db.begin_for(tenant).await?;
        let rows: Vec<ListedRow> = sqlx::query_as(
            "select i.variant_id, i.sku, i.title, i.low_at, s.warehouse_id, coalesce(s.available, 0) as available,
                    coalesce(s.reserved, 0) as reserved, coalesce(s.incoming, 0) as incoming, coalesce(s.step, 0) as step
             from (
                select variant_id, sku, title, low_at from stock_item i
                where tenant_id = $1 and not removed and ($2::uuid is null or variant_id > $2) and ($3::uuid is null or variant_id = $3)
                  and ($4::text is null or sku = $4)
                  and (not $5 or i.low_at >= (select coalesce(sum(available), 0) from stock s where s.tenant_id = i.tenant_id and s.variant_id = i.variant_id))
                order by variant_id limit $6
             ) i
             left join stock s on s.tenant_id = $1 and s.variant_id = i.variant_id
             order by i.variant_id, s.warehouse_id",
        )
        .bind(tenant.uuid())
        .bind(filter.after.map(VariantId::uuid))
        .bind(filter.variant.map(VariantId::uuid))
        .bind(filter.sku)
        .bind(filter.low_only)
        .bind(filter.limit)
        .fetch_all(&mut *tx)
        .await?;
        let mut views: Vec<StockView> = Vec::new();
        for row in rows {
            row.add_to(tenant, &mut views);
        }
        Ok(views)
    }

    pub(crate) async fn list_journal(&self, tenant: TenantId, filter: JournalFilter) -> Result<Vec<JournalRow>, Error> {
        let mut tx = self.db.begin_for(tenant).await?;
        let rows = sqlx::query_as(
            "select j.journal_id, j.variant_id, j.warehouse_id, j.step, j.kind, j.available_before, j.available_after, j.reserved_before,
                    j.reserved_after, j.incoming_before, j.incoming_after, j.reference, j.note, j.actor, j.at, coalesce(i.sku, '') as sku
             from stock_journal j
             left join stock_item i on i.tenant_id = j.tenant_id and i.variant_id = j.variant_id
             where j.tenant_id = $1 and ($2::uuid is null or j.journal_id < $2) and ($3::uuid is null or j.variant_id = $3)
               and ($4::text is null or i.sku = $4)
             order by j.journal_id desc limit $5",
        )
        .bind(tenant.uuid())
        .bind(filter.before.map(JournalId::uuid))
        .bind(filter.variant.map(VariantId::uuid))
        .bind(filter.sku)
        .bind(filter.limit)
        .fetch_all(&mut *tx)
        .await?;
        Ok(rows)
    }

    /// What a reservation bought in one cell and has not given back.
    pub(crate) async fn sold_lines(&self, cell: &Cell, reservation: ReservationId, tenants: Vec<TenantId>) -> Result<Vec<Line>, Error> {
        let mut tx = cell.begin(&Scope::Tenants(tenants)).await?;
        let holds = store::holds(&mut tx, &std::iter::once(reservation).collect()).await?;
        let sold = holds.into_values().flatten().filter(|hold| hold.state == HoldState::Sold && hold.returned < hold.quantity);
        Ok(sold.map(|hold| Line { key: hold.key, quantity: hold.quantity - hold.returned }).collect())
    }
}

#[derive(sqlx::FromRow)]
struct TotalsRow {
    tenant_id: Uuid,
    variant_id: Uuid,
    available: i64,
    reserved: i64,
    incoming: i64,
    revision: i64,
    low_at: i64,
}

async fn totals(db: &mut PgConnection, keys: &[Key]) -> Result<Vec<StockView>, Error> {
    let (tenants, variants): (Vec<Uuid>, Vec<Uuid>) = keys.iter().map(|key| (key.0.uuid(), key.1.uuid())).unzip();
    let rows: Vec<TotalsRow> = sqlx::query_as(
        "select s.tenant_id, s.variant_id, sum(s.available)::bigint as available, sum(s.reserved)::bigint as reserved,
                sum(s.incoming)::bigint as incoming, sum(s.step)::bigint as revision, coalesce(min(i.low_at), 0)::bigint as low_at
         from (select distinct * from unnest($1::uuid[], $2::uuid[])) as k (tenant_id, variant_id)
         join stock s on s.tenant_id = k.tenant_id and s.variant_id = k.variant_id
         left join stock_item i on i.tenant_id = s.tenant_id and i.variant_id = s.variant_id
         group by s.tenant_id, s.variant_id",
    )
    .bind(tenants)
    .bind(variants)
    .fetch_all(db)
    .await?;
    let view = |row: TotalsRow| StockView {
        key: (row.tenant_id.into(), row.variant_id.into()),
        totals: Counts { available: row.available, reserved: row.reserved, incoming: row.incoming },
        low_at: row.low_at,
        revision: row.revision,
        warehouses: Vec::new(),
        sku: String::new(),
        title: String::new(),
    };
    Ok(rows.into_iter().map(view).collect())
}

#[derive(sqlx::FromRow)]
struct ListedRow {
    variant_id: Uuid,
    sku: String,
    title: String,
    low_at: i64,
    warehouse_id: Option<Uuid>,
    available: i64,
    reserved: i64,
    incoming: i64,
    step: i64,
}

impl ListedRow {
    /// Rows come sorted by variant: a new variant begins a new view.
    fn add_to(self, tenant: TenantId, views: &mut Vec<StockView>) {
        let key: Key = (tenant, self.variant_id.into());
        if views.last().is_none_or(|view| view.key != key) {
            views.push(StockView {
                key,
                totals: Counts::default(),
                low_at: self.low_at,
                revision: 0,
                warehouses: Vec::new(),
                sku: self.sku,
                title: self.title,
            });
        }
        if let (Some(view), Some(warehouse)) = (views.last_mut(), self.warehouse_id) {
            let counts = Counts { available: self.available, reserved: self.reserved, incoming: self.incoming };
            view.totals.available += counts.available;
            view.totals.reserved += counts.reserved;
            view.totals.incoming += counts.incoming;
            view.revision += self.step;
            view.warehouses.push((warehouse.into(), counts));
        }
    }
}

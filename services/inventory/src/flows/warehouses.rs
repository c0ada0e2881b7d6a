//! A tenant's warehouses. There is always one default from the moment one is needed.

use api_inventory::{WarehouseChanged, WarehouseId, inventory_event};
use kit_core::{Country, TenantId, Time};
use kit_db::{DbError, Tx, log};
use kit_rpc::Ctx;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Inventory;
use crate::error::Error;
use crate::events::event;

#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct WarehouseRow {
    pub(crate) warehouse_id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) country: String,
    pub(crate) postal_code: String,
    pub(crate) is_default: bool,
    pub(crate) version: i32,
    pub(crate) created_at: Time,
}

#[derive(Debug, Default)]
pub(crate) struct WarehouseChange {
    pub(crate) name: Option<String>,
    pub(crate) country: Option<String>,
    pub(crate) postal_code: Option<String>,
    pub(crate) make_default: bool,
    pub(crate) if_version: Option<u32>,
}

pub(crate) struct NewWarehouse {
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) country: String,
    pub(crate) postal_code: String,
    pub(crate) is_default: bool,
}

impl Inventory {
    pub(crate) async fn list_warehouses(&self, tenant: TenantId) -> Result<Vec<WarehouseRow>, Error> {
        self.default_warehouse(tenant).await?;
        let mut tx = self.db.begin_for(tenant).await?;
        all(&mut tx, tenant).await
    }

    pub(crate) async fn get_warehouse(&self, tenant: TenantId, warehouse: WarehouseId) -> Result<WarehouseRow, Error> {
        let mut tx = self.db.begin_for(tenant).await?;
        one(&mut tx, tenant, warehouse).await
    }

    pub(crate) async fn create_warehouse(&self, ctx: &Ctx, tenant: TenantId, new: NewWarehouse) -> Result<WarehouseRow, Error> {
        check_country(&new.country)?;
        self.default_warehouse(tenant).await?;
        let mut tx = self.db.begin_for(tenant).await?;
        let existing = i64::try_from(all(&mut tx, tenant).await?.len()).unwrap_or(i64::MAX);
        if existing >= self.config.warehouses_per_tenant {
            return Err(Error::TooManyWarehouses(self.config.warehouses_per_tenant));
        }
        if new.is_default {
            unmake_default(&mut tx, tenant).await?;
        }
        let code = new.code.clone();
        let row = WarehouseRow {
            warehouse_id: self.ids.uuid(),
            tenant_id: tenant.uuid(),
            code: new.code,
            name: new.name,
            country: new.country,
            postal_code: new.postal_code,
            is_default: new.is_default,
            version: 1,
            created_at: self.clock.now(),
        };
        insert(&mut tx, &row).await.map_err(|error| match error {
            Error::Db(error) if error.constraint_name() == Some("warehouse_code") => Error::WarehouseCodeTaken(code),
            other => other,
        })?;
        self.tell_warehouse(tx, ctx, &row, false).await?;
        Ok(row)
    }

    pub(crate) async fn update_warehouse(
        &self,
        ctx: &Ctx,
        tenant: TenantId,
        warehouse: WarehouseId,
        change: WarehouseChange,
    ) -> Result<WarehouseRow, Error> {
        if let Some(country) = &change.country {
            check_country(country)?;
        }
        if change.name.as_deref() == Some("") {
            return Err(Error::Invalid { field: "name", message: "must not be empty" });
        }
        let mut tx = self.db.begin_for(tenant).await?;
        let mut row = one(&mut tx, tenant, warehouse).await?;
        if change.if_version.is_some_and(|expected| i32::try_from(expected) != Ok(row.version)) {
            return Err(Error::StaleVersion(row.version));
        }
        if change.make_default && !row.is_default {
            unmake_default(&mut tx, tenant).await?;
            row.is_default = true;
        }
        row.name = change.name.unwrap_or(row.name);
        row.country = change.country.unwrap_or(row.country);
        row.postal_code = change.postal_code.unwrap_or(row.postal_code);
        row.version += 1;
        save(&mut tx, &row).await?;
        self.tell_warehouse(tx, ctx, &row, false).await?;
        Ok(row)
    }

    pub(crate) async fn delete_warehouse(&self, ctx: &Ctx, tenant: TenantId, warehouse: WarehouseId) -> Result<(), Error> {
        let mut tx = self.db.begin_for(tenant).await?;
        let row = one(&mut tx, tenant, warehouse).await?;
        if row.is_default {
            return Err(Error::WarehouseInUse);
        }
        let deleted = sqlx::query("delete from warehouse where warehouse_id = $1 and tenant_id = $2")
            .bind(warehouse.uuid())
            .bind(tenant.uuid())
            .execute(&mut *tx)
            .await;
        deleted
            .map_err(DbError::from)
            .map_err(|error| if error.constraint_name() == Some("stock_warehouse_id_fkey") { Error::WarehouseInUse } else { error.into() })?;
        self.tell_warehouse(tx, ctx, &row, true).await
    }

    async fn tell_warehouse(&self, mut tx: Tx, ctx: &Ctx, row: &WarehouseRow, removed: bool) -> Result<(), Error> {
        let tenant = TenantId::from(row.tenant_id);
        let body = WarehouseChanged { tenant_id: tenant.to_string(), warehouse: Some(row.into()), removed };
        let told = event(row.warehouse_id, Some(tenant), inventory_event::Body::WarehouseChanged(body));
        log::append(&mut tx, ctx, self.clock.now(), told).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The warehouse named, if it is the tenant's; otherwise the default one.
    pub(crate) async fn warehouse_or_default(&self, tenant: TenantId, named: Option<WarehouseId>) -> Result<WarehouseId, Error> {
        match named {
            Some(warehouse) => self.expect_warehouses(tenant, &[warehouse]).await.map(|()| warehouse),
            None => self.default_warehouse(tenant).await,
        }
    }

    pub(crate) async fn expect_warehouses(&self, tenant: TenantId, named: &[WarehouseId]) -> Result<(), Error> {
        let named: std::collections::BTreeSet<WarehouseId> = named.iter().copied().collect();
        if named.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.begin_for(tenant).await?;
        let found: i64 = sqlx::query_scalar("select count(*) from warehouse where tenant_id = $1 and warehouse_id = any($2)")
            .bind(tenant.uuid())
            .bind(named.iter().map(|id| id.uuid()).collect::<Vec<_>>())
            .fetch_one(&mut *tx)
            .await?;
        if usize::try_from(found) == Ok(named.len()) { Ok(()) } else { Err(Error::WarehouseNotFound) }
    }

    /// The tenant's default warehouse, made now if there is none.
    pub(crate) async fn default_warehouse(&self, tenant: TenantId) -> Result<WarehouseId, Error> {
        let mut tx = self.db.begin_for(tenant).await?;
        if let Some(found) = default_of(&mut tx, tenant).await? {
            return Ok(found);
        }
        sqlx::query(
            "insert into warehouse (warehouse_id, tenant_id, code, name, is_default, created_at) values ($1, $2, 'main', 'Main warehouse', true, $3)
             on conflict do nothing",
        )
        .bind(self.ids.uuid())
        .bind(tenant.uuid())
        .bind(self.clock.now())
        .execute(&mut *tx)
        .await?;
        let made = default_of(&mut tx, tenant).await?;
        tx.commit().await?;
        made.ok_or(Error::WarehouseNotFound)
    }
}

async fn default_of(db: &mut PgConnection, tenant: TenantId) -> Result<Option<WarehouseId>, Error> {
    let found: Option<Uuid> =
        sqlx::query_scalar("select warehouse_id from warehouse where tenant_id = $1 and is_default").bind(tenant.uuid()).fetch_optional(db).await?;
    Ok(found.map(WarehouseId::from))
}

async fn all(db: &mut PgConnection, tenant: TenantId) -> Result<Vec<WarehouseRow>, Error> {
    Ok(sqlx::query_as(
        "select warehouse_id, tenant_id, code, name, country, postal_code, is_default, version, created_at
         from warehouse where tenant_id = $1 order by is_default desc, code",
    )
    .bind(tenant.uuid())
    .fetch_all(db)
    .await?)
}

async fn one(db: &mut PgConnection, tenant: TenantId, warehouse: WarehouseId) -> Result<WarehouseRow, Error> {
    let row = sqlx::query_as(
        "select warehouse_id, tenant_id, code, name, country, postal_code, is_default, version, created_at
         from warehouse where tenant_id = $1 and warehouse_id = $2 for update",
    )
    .bind(tenant.uuid())
    .bind(warehouse.uuid())
    .fetch_optional(db)
    .await?;
    row.ok_or(Error::WarehouseNotFound)
}

async fn insert(db: &mut PgConnection, row: &WarehouseRow) -> Result<(), Error> {
    sqlx::query(
        "insert into warehouse (warehouse_id, tenant_id, code, name, country, postal_code, is_default, version, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(row.warehouse_id)
    .bind(row.tenant_id)
    .bind(&row.code)
    .bind(&row.name)
    .bind(&row.country)
    .bind(&row.postal_code)
    .bind(row.is_default)
    .bind(row.version)
    .bind(row.created_at)
    .execute(db)
    .await?;
    Ok(())
}

async fn save(db: &mut PgConnection, row: &WarehouseRow) -> Result<(), Error> {
    sqlx::query("update warehouse set name = $2, country = $3, postal_code = $4, is_default = $5, version = $6 where warehouse_id = $1")
        .bind(row.warehouse_id)
        .bind(&row.name)
        .bind(&row.country)
        .bind(&row.postal_code)
        .bind(row.is_default)
        .bind(row.version)
        .execute(db)
        .await?;
    Ok(())
}

async fn unmake_default(db: &mut PgConnection, tenant: TenantId) -> Result<(), Error> {
    sqlx::query("update warehouse set is_default = false, version = version + 1 where tenant_id = $1 and is_default")
        .bind(tenant.uuid())
        .execute(db)
        .await?;
    Ok(())
}

fn check_country(country: &str) -> Result<(), Error> {
    let told = country.is_empty() || Country::of(country).is_some();
    if told { Ok(()) } else { Err(Error::Invalid { field: "country", message: "must be an ISO 3166-1 alpha-2 code like DE" }) }
}

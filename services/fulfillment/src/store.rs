//! What the service remembers: one function per query. All in the tenant's cell.

use api_fulfillment::{ShipmentId, ShippingMethodId};
use api_orders::SubOrderId;
use chrono::{DateTime, Utc};
use kit_core::{Address, TenantId, Time};
use kit_db::DbError;
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::error::Error;
use crate::model::{Line, Pieces, State, Terms, Tracking, Work};

#[derive(Debug, Clone, FromRow)]
pub(crate) struct MethodRow {
    pub(crate) shipping_method_id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) currency: String,
    pub(crate) terms: Json<Terms>,
    pub(crate) withdrawn_at: Option<DateTime<Utc>>,
    pub(crate) version: i32,
}

#[derive(Debug, Clone, FromRow, serde::Serialize)]
pub(crate) struct OrderRow {
    pub(crate) sub_order_id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) order_id: Uuid,
    pub(crate) number: String,
    pub(crate) state: String,
    pub(crate) lines: Json<Vec<Line>>,
    pub(crate) ship_to: Json<Address>,
    pub(crate) shipping_method: String,
    /// The cancellations that took pieces out.
    pub(crate) cuts: Json<Vec<Uuid>>,
    pub(crate) version: i32,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) due_at: DateTime<Utc>,
}

impl OrderRow {
    pub(crate) fn work(&self) -> Work {
        Work { state: State::of(&self.state), lines: self.lines.0.clone() }
    }
}

#[derive(Debug, Clone, FromRow)]
pub(crate) struct ShipmentRow {
    pub(crate) shipment_id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) sub_order_id: Uuid,
    pub(crate) carrier: String,
    pub(crate) tracking_number: String,
    pub(crate) tracking_url: String,
    pub(crate) state: String,
    pub(crate) lines: Json<Vec<Pieces>>,
    pub(crate) events: Json<Vec<Tracking>>,
    pub(crate) shipped_at: DateTime<Utc>,
    pub(crate) delivered_at: Option<DateTime<Utc>>,
}

/// Every method the tenants ever had, withdrawn ones too.
pub(crate) async fn methods_of(db: &mut PgConnection, tenants: &[Uuid]) -> Result<Vec<MethodRow>, Error> {
    Ok(sqlx::query_as(
        "select shipping_method_id, tenant_id, currency, terms, withdrawn_at, version from shipping_method
         where tenant_id = any($1) order by tenant_id, shipping_method_id",
    )
    .bind(tenants)
    .fetch_all(db)
    .await?)
}

pub(crate) async fn insert_method(db: &mut PgConnection, row: &MethodRow, now: Time) -> Result<(), Error> {
    sqlx::query("insert into shipping_method (shipping_method_id, tenant_id, currency, terms, created_at) values ($1, $2, $3, $4, $5)")
        .bind(row.shipping_method_id)
        .bind(row.tenant_id)
        .bind(&row.currency)
        .bind(&row.terms)
        .bind(now)
        .execute(db)
        .await?;
    Ok(())
}

/// Keeps two seedings of one tenant from running at the same time, until the transaction ends.
pub(crate) async fn lock_seeding(db: &mut PgConnection, tenant: TenantId) -> Result<(), Error> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('shipping_method ' || $1, 0))").bind(tenant.to_string()).execute(db).await?;
    Ok(())
}

pub(crate) async fn lock_method(db: &mut PgConnection, tenant: TenantId, id: ShippingMethodId) -> Result<MethodRow, Error> {
    sqlx::query_as(
        "select shipping_method_id, tenant_id, currency, terms, withdrawn_at, version from shipping_method
         where shipping_method_id = $1 and tenant_id = $2 and withdrawn_at is null for update",
    )
    .bind(id.uuid())
    .bind(tenant.uuid())
    .fetch_optional(db)
    .await?
    .ok_or(Error::MethodNotFound)
}

pub(crate) async fn save_method(db: &mut PgConnection, row: &MethodRow) -> Result<(), Error> {
    sqlx::query("update shipping_method set currency = $2, terms = $3, withdrawn_at = $4, version = version + 1 where shipping_method_id = $1")
        .bind(row.shipping_method_id)
        .bind(&row.currency)
        .bind(&row.terms)
        .bind(row.withdrawn_at)
        .execute(db)
        .await?;
    Ok(())
}

/// Puts orders down, except those that are there already, stopped before they arrived, say.
pub(crate) async fn insert_orders(db: &mut PgConnection, rows: &[OrderRow], now: Time) -> Result<(), Error> {
    sqlx::query(
        "insert into fulfillment_order (sub_order_id, tenant_id, order_id, number, state, lines, ship_to, shipping_method, created_at, due_at, updated_at)
         select sub_order_id, tenant_id, order_id, number, state, lines, ship_to, shipping_method, created_at, due_at, $2
         from jsonb_to_recordset($1) as row (sub_order_id uuid, tenant_id uuid, order_id uuid, number text, state text, lines jsonb, ship_to jsonb,
            shipping_method text, created_at timestamptz, due_at timestamptz)
         on conflict (sub_order_id) do nothing",
    )
    .bind(serde_json::to_value(rows).map_err(Error::unreadable)?)
    .bind(now)
    .execute(db)
    .await?;
    Ok(())
}

/// Locks an order for the rest of the transaction: shipping and stopping wait for each other here.
pub(crate) async fn lock_order(db: &mut PgConnection, tenant: TenantId, id: SubOrderId) -> Result<OrderRow, Error> {
    sqlx::query_as(
        "select sub_order_id, tenant_id, order_id, number, state, lines, ship_to, shipping_method, cuts, version, created_at, due_at
         from fulfillment_order where sub_order_id = $1 and tenant_id = $2 for update",
    )
    .bind(id.uuid())
    .bind(tenant.uuid())
    .fetch_optional(db)
    .await?
    .ok_or(Error::NotFound)
}

pub(crate) async fn get_order(db: &mut PgConnection, tenant: TenantId, id: SubOrderId) -> Result<OrderRow, Error> {
    sqlx::query_as(
        "select sub_order_id, tenant_id, order_id, number, state, lines, ship_to, shipping_method, cuts, version, created_at, due_at
         from fulfillment_order where sub_order_id = $1 and tenant_id = $2",
    )
    .bind(id.uuid())
    .bind(tenant.uuid())
    .fetch_optional(db)
    .await?
    .ok_or(Error::NotFound)
}

pub(crate) async fn list_orders(
    db: &mut PgConnection,
    tenant: TenantId,
    state: Option<&str>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<OrderRow>, Error> {
    Ok(sqlx::query_as(
        "select sub_order_id, tenant_id, order_id, number, state, lines, ship_to, shipping_method, cuts, version, created_at, due_at
         from fulfillment_order
         where tenant_id = $1 and ($2::text is null or state = $2) and ($3::uuid is null or sub_order_id < $3) and lines <> '[]'
         order by sub_order_id desc limit $4",
    )
    .bind(tenant.uuid())
    .bind(state)
    .bind(after)
    .bind(limit)
    .fetch_all(db)
    .await?)
}

/// Writes the order and raises its version.
pub(crate) async fn save_order(db: &mut PgConnection, row: &mut OrderRow, now: Time) -> Result<(), Error> {
    let version = sqlx::query_scalar(
        "update fulfillment_order set state = $2, lines = $3, ship_to = $4, cuts = $5, updated_at = $6, version = version + 1
         where sub_order_id = $1 returning version",
    )
    .bind(row.sub_order_id)
    .bind(&row.state)
    .bind(&row.lines)
    .bind(&row.ship_to)
    .bind(&row.cuts)
    .bind(now)
    .fetch_optional(db)
    .await?;
    row.version = version.ok_or(Error::NotFound)?;
    Ok(())
}

/// The shipments of orders, the earliest first.
pub(crate) async fn shipments_of(db: &mut PgConnection, orders: &[Uuid]) -> Result<Vec<ShipmentRow>, Error> {
    Ok(sqlx::query_as("select * from shipment where sub_order_id = any($1) order by sub_order_id, shipped_at, shipment_id")
        .bind(orders)
        .fetch_all(db)
        .await?)
}

pub(crate) async fn insert_shipment(db: &mut PgConnection, row: &ShipmentRow) -> Result<(), Error> {
    sqlx::query(
        "insert into shipment (shipment_id, tenant_id, sub_order_id, carrier, tracking_number, tracking_url, state, lines, events, shipped_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(row.shipment_id)
    .bind(row.tenant_id)
    .bind(row.sub_order_id)
    .bind(&row.carrier)
    .bind(&row.tracking_number)
    .bind(&row.tracking_url)
    .bind(&row.state)
    .bind(&row.lines)
    .bind(&row.events)
    .bind(row.shipped_at)
    .execute(db)
    .await
    .map_err(DbError::from)?;
    Ok(())
}

/// Which order a shipment is of.
pub(crate) async fn order_of_shipment(db: &mut PgConnection, tenant: TenantId, id: ShipmentId) -> Result<SubOrderId, Error> {
    let found: Option<Uuid> = sqlx::query_scalar("select sub_order_id from shipment where shipment_id = $1 and tenant_id = $2")
        .bind(id.uuid())
        .bind(tenant.uuid())
        .fetch_optional(db)
        .await?;
    found.map(SubOrderId::from).ok_or(Error::ShipmentNotFound)
}

pub(crate) async fn save_shipment(db: &mut PgConnection, row: &ShipmentRow) -> Result<(), Error> {
    sqlx::query("update shipment set state = $2, events = $3, delivered_at = $4 where shipment_id = $1")
        .bind(row.shipment_id)
        .bind(&row.state)
        .bind(&row.events)
        .bind(row.delivered_at)
        .execute(db)
        .await?;
    Ok(())
}

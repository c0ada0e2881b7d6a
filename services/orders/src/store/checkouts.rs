//! Checkouts.

use api_orders::{CheckoutId, OrderId};
use chrono::{DateTime, Utc};
use kit_core::Time;
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::error::Error;
use crate::model::Draft;

#[derive(Debug, Clone, FromRow)]
pub(crate) struct CheckoutRow {
    pub(crate) checkout_id: Uuid,
    pub(crate) buyer_id: Uuid,
    pub(crate) order_id: Uuid,
    pub(crate) draft: Json<Draft>,
    pub(crate) expires_at: DateTime<Utc>,
    /// It became an order that got as far as holding stock.
    pub(crate) placed: bool,
    /// It became an order that was refused its stock; that order is over, and the next one needs another id.
    pub(crate) refused: bool,
}

pub(crate) async fn insert(db: &mut PgConnection, row: &CheckoutRow, now: Time) -> Result<(), Error> {
    sqlx::query("insert into checkout (checkout_id, buyer_id, order_id, draft, created_at, expires_at) values ($1, $2, $3, $4, $5, $6)")
        .bind(row.checkout_id)
        .bind(row.buyer_id)
        .bind(row.order_id)
        .bind(&row.draft)
        .bind(now)
        .bind(row.expires_at)
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn get(db: &mut PgConnection, id: CheckoutId) -> Result<CheckoutRow, Error> {
    sqlx::query_as(
        "select c.checkout_id, c.buyer_id, c.order_id, c.draft, c.expires_at,
            o.order_id is not null and (o.state <> 'cancelled' or o.reserved_at is not null) as placed,
            coalesce(o.state = 'cancelled' and o.reserved_at is null, false) as refused
         from checkout c left join buyer_order o on o.order_id = c.order_id
         where c.checkout_id = $1",
    )
    .bind(id.uuid())
    .fetch_optional(db)
    .await?
    .ok_or(Error::CheckoutNotFound)
}

pub(crate) async fn save_draft(db: &mut PgConnection, id: CheckoutId, draft: &Draft) -> Result<(), Error> {
    let written = sqlx::query("update checkout set draft = $2, version = version + 1 where checkout_id = $1")
        .bind(id.uuid())
        .bind(Json(draft))
        .execute(db)
        .await?;
    if written.rows_affected() == 1 { Ok(()) } else { Err(Error::CheckoutNotFound) }
}

/// Gives the checkout another order id, because the order under the old one was refused its stock and is over.
pub(crate) async fn renew_order_id(db: &mut PgConnection, id: CheckoutId, old: OrderId, new: OrderId) -> Result<(), Error> {
    sqlx::query("update checkout set order_id = $3 where checkout_id = $1 and order_id = $2")
        .bind(id.uuid())
        .bind(old.uuid())
        .bind(new.uuid())
        .execute(db)
        .await?;
    Ok(())
}

/// Forgets checkouts that expired before a moment.
pub(crate) async fn forget_expired(db: &mut PgConnection, before: Time) -> Result<u64, Error> {
    let gone = sqlx::query(
        "delete from checkout where checkout_id in (select checkout_id from checkout where expires_at < $1 order by expires_at limit 1000)",
    )
    .bind(before)
    .execute(db)
    .await?;
    Ok(gone.rows_affected())
}

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

pub(crate) async fn insert_all(db: &mut PgConnection, rows: &[(CheckoutRow, Time)]) -> Result<(), Error> {
    let column = |of: fn(&CheckoutRow) -> Uuid| rows.iter().map(|(row, _)| of(row)).collect::<Vec<_>>();
    sqlx::query(
        "insert into checkout (checkout_id, buyer_id, order_id, draft, created_at, expires_at)
         select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::jsonb[], $5::timestamptz[], $6::timestamptz[])",
    )
    .bind(column(|row| row.checkout_id))
    .bind(column(|row| row.buyer_id))
    .bind(column(|row| row.order_id))
    .bind(rows.iter().map(|(row, _)| &row.draft).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, at)| *at).collect::<Vec<_>>())
    .bind(rows.iter().map(|(row, _)| row.expires_at).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn get(db: &mut PgConnection, id: CheckoutId) -> Result<CheckoutRow, Error> {
    get_all(db, &[id]).await?.pop().ok_or(Error::CheckoutNotFound)
}

pub(crate) async fn get_all(db: &mut PgConnection, ids: &[CheckoutId]) -> Result<Vec<CheckoutRow>, Error> {
    let rows = sqlx::query_as(
        "select c.checkout_id, c.buyer_id, c.order_id, c.draft, c.expires_at,
            o.order_id is not null and (o.state <> 'cancelled' or o.reserved_at is not null) as placed,
            coalesce(o.state = 'cancelled' and o.reserved_at is null, false) as refused
         from checkout c left join buyer_order o on o.order_id = c.order_id
         where c.checkout_id = any($1)",
    );
    Ok(rows.bind(ids.iter().map(|id| id.uuid()).collect::<Vec<_>>()).fetch_all(db).await?)
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

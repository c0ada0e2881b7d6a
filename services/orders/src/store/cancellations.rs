//! What is cancelled of paid sub-orders. Lock the order, then the sub-order, before a cancellation.

use api_orders::{CancellationId, OrderId};
use chrono::{DateTime, Utc};
use kit_core::Time;
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::error::Error;
use crate::saga::cancel::CancelSaga;
use crate::share::Taken;

#[derive(Debug, Clone, FromRow)]
pub(crate) struct CancellationRow {
    pub(crate) cancellation_id: Uuid,
    pub(crate) order_id: Uuid,
    pub(crate) sub_order_id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) buyer_id: Uuid,
    pub(crate) whole: bool,
    pub(crate) lines: Json<Vec<Taken>>,
    pub(crate) shipping_minor: i64,
    pub(crate) amount_minor: i64,
    pub(crate) commission_minor: i64,
    pub(crate) reason: String,
    pub(crate) cancelled_by: String,
    pub(crate) state: String,
    pub(crate) refund_id: String,
    pub(crate) refund_state: String,
    pub(crate) saga: Json<CancelSaga>,
    pub(crate) look_at: Option<DateTime<Utc>>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

impl CancellationRow {
    /// The goods had left: nothing is cancelled.
    pub(crate) fn came_too_late(&self) -> bool {
        self.state == "too_late"
    }

    /// The goods are stopped; money may still be on its way.
    pub(crate) fn is_done(&self) -> bool {
        self.state == "done"
    }
}

pub(crate) async fn insert(db: &mut PgConnection, row: &CancellationRow) -> Result<(), Error> {
    sqlx::query(
        "insert into cancellation (cancellation_id, order_id, sub_order_id, tenant_id, buyer_id, whole, lines, shipping_minor, amount_minor,
            commission_minor, reason, cancelled_by, state, refund_id, refund_state, saga, look_at, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
    )
    .bind(row.cancellation_id)
    .bind(row.order_id)
    .bind(row.sub_order_id)
    .bind(row.tenant_id)
    .bind(row.buyer_id)
    .bind(row.whole)
    .bind(&row.lines)
    .bind(row.shipping_minor)
    .bind(row.amount_minor)
    .bind(row.commission_minor)
    .bind(&row.reason)
    .bind(&row.cancelled_by)
    .bind(&row.state)
    .bind(&row.refund_id)
    .bind(&row.refund_state)
    .bind(&row.saga)
    .bind(row.look_at)
    .bind(row.created_at)
    .bind(row.updated_at)
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn get(db: &mut PgConnection, id: CancellationId) -> Result<CancellationRow, Error> {
    sqlx::query_as("select * from cancellation where cancellation_id = $1").bind(id.uuid()).fetch_optional(db).await?.ok_or(Error::OrderNotFound)
}

pub(crate) async fn lock(db: &mut PgConnection, id: CancellationId) -> Result<CancellationRow, Error> {
    sqlx::query_as("select * from cancellation where cancellation_id = $1 for update")
        .bind(id.uuid())
        .fetch_optional(db)
        .await?
        .ok_or(Error::OrderNotFound)
}

/// All of some orders, the earliest first.
pub(crate) async fn of_orders(db: &mut PgConnection, orders: &[Uuid]) -> Result<Vec<CancellationRow>, Error> {
    Ok(sqlx::query_as("select * from cancellation where order_id = any($1) order by created_at, cancellation_id").bind(orders).fetch_all(db).await?)
}

/// The cancellation that made this refund.
pub(crate) async fn of_refund(db: &mut PgConnection, order: OrderId, refund_id: &str) -> Result<Option<CancellationId>, Error> {
    let found: Option<Uuid> = sqlx::query_scalar("select cancellation_id from cancellation where refund_id = $2 and order_id = $1")
        .bind(order.uuid())
        .bind(refund_id)
        .fetch_optional(db)
        .await?;
    Ok(found.map(CancellationId::from))
}

/// Saves what its saga may change, of a cancellation that is locked.
pub(crate) async fn save(db: &mut PgConnection, row: &CancellationRow) -> Result<(), Error> {
    let written =
        sqlx::query("update cancellation set state = $2, refund_state = $3, saga = $4, look_at = $5, updated_at = $6 where cancellation_id = $1")
            .bind(row.cancellation_id)
            .bind(&row.state)
            .bind(&row.refund_state)
            .bind(&row.saga)
            .bind(row.look_at)
            .bind(row.updated_at)
            .execute(db)
            .await?;
    if written.rows_affected() == 1 { Ok(()) } else { Err(Error::OrderNotFound) }
}

/// Counts pieces as cancelled, or no longer, when `sign` is -1. SQL keeps them within what was bought.
pub(crate) async fn count_pieces(db: &mut PgConnection, row: &CancellationRow, sign: i32) -> Result<(), Error> {
    sqlx::query(
        "update order_item i set cancelled = i.cancelled + $3 * t.quantity
         from unnest($4::uuid[], $5::integer[]) as t (item_id, quantity)
         where i.order_id = $1 and i.sub_order_id = $2 and i.item_id = t.item_id",
    )
    .bind(row.order_id)
    .bind(row.sub_order_id)
    .bind(sign)
    .bind(row.lines.iter().map(|line| line.item_id).collect::<Vec<_>>())
    .bind(row.lines.iter().map(|line| i32::try_from(line.quantity).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

/// Takes up what is due: pushes each into the future, so that no other process takes it up meanwhile.
pub(crate) async fn take_due(db: &mut PgConnection, now: Time, until: Time, limit: i64) -> Result<Vec<Uuid>, Error> {
    Ok(sqlx::query_scalar(
        "update cancellation set look_at = $2
         where cancellation_id in (select cancellation_id from cancellation where look_at <= $1 order by look_at limit $3 for update skip locked)
         returning cancellation_id",
    )
    .bind(now)
    .bind(until)
    .bind(limit)
    .fetch_all(db)
    .await?)
}

//! Returns, and the policies of sellers. Lock the order, then the sub-order, before a return.

use api_orders::{OrderId, ReturnId, SubOrderId};
use chrono::{DateTime, Utc};
use kit_core::{Address, TenantId, Time};
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::lists::Page;
use crate::error::Error;
use crate::returns::{Policy, ReturnState, ReturnedLine};
use crate::saga::cancel::CancelSaga;
use crate::share::Share;

#[derive(Debug, Clone, FromRow)]
pub(crate) struct ReturnRow {
    pub(crate) return_id: Uuid,
    pub(crate) order_id: Uuid,
    pub(crate) sub_order_id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) buyer_id: Uuid,
    pub(crate) position: i32,
    pub(crate) state: String,
    pub(crate) without_goods: bool,
    pub(crate) lines: Json<Vec<ReturnedLine>>,
    pub(crate) note: String,
    pub(crate) answer: String,
    pub(crate) answered_by: String,
    pub(crate) send_to: Option<Json<Address>>,
    pub(crate) instructions: String,
    pub(crate) carrier: String,
    pub(crate) tracking_number: String,
    pub(crate) shipping_minor: i64,
    pub(crate) deduction_minor: i64,
    pub(crate) amount_minor: i64,
    pub(crate) commission_minor: i64,
    pub(crate) refund_id: String,
    pub(crate) refund_state: String,
    pub(crate) saga: Json<CancelSaga>,
    pub(crate) due_at: Option<DateTime<Utc>>,
    pub(crate) look_at: Option<DateTime<Utc>>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

impl ReturnRow {
    pub(crate) fn state(&self) -> ReturnState {
        ReturnState::of(&self.state)
    }

    /// What its lines take out of the sub-order, a deduction included, because what is kept is not refunded again.
    pub(crate) fn taken(&self) -> Share {
        self.lines.iter().fold(Share::default(), |sum, line| sum.plus(line.share))
    }
}

pub(crate) async fn insert(db: &mut PgConnection, row: &ReturnRow) -> Result<(), Error> {
    sqlx::query(
        "insert into sub_order_return (return_id, order_id, sub_order_id, tenant_id, buyer_id, position, state, without_goods, lines, note, answer,
            answered_by, send_to, instructions, shipping_minor, amount_minor, commission_minor, refund_id, refund_state, saga, due_at, look_at,
            created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)",
    )
    .bind(row.return_id)
    .bind(row.order_id)
    .bind(row.sub_order_id)
    .bind(row.tenant_id)
    .bind(row.buyer_id)
    .bind(row.position)
    .bind(&row.state)
    .bind(row.without_goods)
    .bind(&row.lines)
    .bind(&row.note)
    .bind(&row.answer)
    .bind(&row.answered_by)
    .bind(&row.send_to)
    .bind(&row.instructions)
    .bind(row.shipping_minor)
    .bind(row.amount_minor)
    .bind(row.commission_minor)
    .bind(&row.refund_id)
    .bind(&row.refund_state)
    .bind(&row.saga)
    .bind(row.due_at)
    .bind(row.look_at)
    .bind(row.created_at)
    .bind(row.updated_at)
    .execute(db)
    .await?;
    Ok(())
}

/// Saves what may change, of a return that is locked.
pub(crate) async fn save(db: &mut PgConnection, row: &ReturnRow) -> Result<(), Error> {
    let written = sqlx::query(
        "update sub_order_return set state = $2, lines = $3, answer = $4, answered_by = $5, send_to = $6, instructions = $7, carrier = $8,
            tracking_number = $9, shipping_minor = $10, deduction_minor = $11, amount_minor = $12, commission_minor = $13, refund_state = $14, saga = $15,
            due_at = $16, look_at = $17, updated_at = $18
         where return_id = $1",
    )
    .bind(row.return_id)
    .bind(&row.state)
    .bind(&row.lines)
    .bind(&row.answer)
    .bind(&row.answered_by)
    .bind(&row.send_to)
    .bind(&row.instructions)
    .bind(&row.carrier)
    .bind(&row.tracking_number)
    .bind(row.shipping_minor)
    .bind(row.deduction_minor)
    .bind(row.amount_minor)
    .bind(row.commission_minor)
    .bind(&row.refund_state)
    .bind(&row.saga)
    .bind(row.due_at)
    .bind(row.look_at)
    .bind(row.updated_at)
    .execute(db)
    .await?;
    if written.rows_affected() == 1 { Ok(()) } else { Err(Error::ReturnNotFound) }
}

pub(crate) async fn get(db: &mut PgConnection, id: ReturnId) -> Result<ReturnRow, Error> {
    find(db, id).await?.ok_or(Error::ReturnNotFound)
}

pub(crate) async fn find(db: &mut PgConnection, id: ReturnId) -> Result<Option<ReturnRow>, Error> {
    Ok(sqlx::query_as("select * from sub_order_return where return_id = $1").bind(id.uuid()).fetch_optional(db).await?)
}

pub(crate) async fn lock(db: &mut PgConnection, id: ReturnId) -> Result<ReturnRow, Error> {
    sqlx::query_as("select * from sub_order_return where return_id = $1 for update")
        .bind(id.uuid())
        .fetch_optional(db)
        .await?
        .ok_or(Error::ReturnNotFound)
}

/// Those of orders, the earliest first.
pub(crate) async fn of_orders(db: &mut PgConnection, orders: &[Uuid]) -> Result<Vec<ReturnRow>, Error> {
    Ok(sqlx::query_as("select * from sub_order_return where order_id = any($1) order by order_id, sub_order_id, position")
        .bind(orders)
        .fetch_all(db)
        .await?)
}

/// The return that made this refund.
pub(crate) async fn of_refund(db: &mut PgConnection, order: OrderId, refund_id: &str) -> Result<Option<ReturnId>, Error> {
    let found: Option<Uuid> = sqlx::query_scalar("select return_id from sub_order_return where refund_id = $2 and order_id = $1")
        .bind(order.uuid())
        .bind(refund_id)
        .fetch_optional(db)
        .await?;
    Ok(found.map(ReturnId::from))
}

/// A page of returns, of one tenant or of all, newest first.
pub(crate) async fn list(db: &mut PgConnection, tenant: Option<TenantId>, state: Option<&str>, page: Page) -> Result<Vec<ReturnRow>, Error> {
    Ok(sqlx::query_as(
        "select * from sub_order_return
         where ($1::uuid is null or tenant_id = $1) and ($2::text is null or state = $2) and ($3::uuid is null or return_id < $3)
         order by return_id desc limit $4",
    )
    .bind(tenant.map(TenantId::uuid))
    .bind(state)
    .bind(page.after)
    .bind(page.limit)
    .fetch_all(db)
    .await?)
}

/// Counts pieces as under a return, or no longer, when they are negative. SQL keeps them within what was bought.
pub(crate) async fn count_pieces(db: &mut PgConnection, order: Uuid, sub_order: SubOrderId, pieces: &[(Uuid, i64)]) -> Result<(), Error> {
    sqlx::query(
        "update order_item i set returned = i.returned + t.quantity
         from unnest($3::uuid[], $4::bigint[]) as t (item_id, quantity)
         where i.order_id = $1 and i.sub_order_id = $2 and i.item_id = t.item_id",
    )
    .bind(order)
    .bind(sub_order.uuid())
    .bind(pieces.iter().map(|(item, _)| *item).collect::<Vec<_>>())
    .bind(pieces.iter().map(|(_, quantity)| *quantity).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

/// Takes up what is due: pushes each into the future, so that no other process takes it up meanwhile.
pub(crate) async fn take_due(db: &mut PgConnection, now: Time, until: Time, limit: i64) -> Result<Vec<Uuid>, Error> {
    Ok(sqlx::query_scalar(
        "update sub_order_return set look_at = $2
         where return_id in (select return_id from sub_order_return where look_at <= $1 order by look_at limit $3 for update skip locked)
         returning return_id",
    )
    .bind(now)
    .bind(until)
    .bind(limit)
    .fetch_all(db)
    .await?)
}

#[derive(FromRow)]
struct PolicyRow {
    window_days: i32,
    approve_at_once: bool,
    refund_shipping: bool,
    send_to: Option<Json<Address>>,
    instructions: String,
}

/// The policy of a seller that was in force at a time; none was set by then.
pub(crate) async fn policy_at(db: &mut PgConnection, tenant: TenantId, at: Time) -> Result<Option<Policy>, Error> {
    let found: Option<PolicyRow> = sqlx::query_as(
        "select window_days, approve_at_once, refund_shipping, send_to, instructions from return_policy
         where tenant_id = $1 and valid_from <= $2 order by valid_from desc limit 1",
    )
    .bind(tenant.uuid())
    .bind(at)
    .fetch_optional(db)
    .await?;
    Ok(found.map(|row| Policy {
        window_days: u32::try_from(row.window_days).unwrap_or_default(),
        approve_at_once: row.approve_at_once,
        refund_shipping: row.refund_shipping,
        send_to: row.send_to.map(|address| address.0),
        instructions: row.instructions,
    }))
}

pub(crate) async fn set_policy(db: &mut PgConnection, tenant: TenantId, policy: &Policy, by: &str, now: Time) -> Result<(), Error> {
    sqlx::query(
        "insert into return_policy (tenant_id, valid_from, window_days, approve_at_once, refund_shipping, send_to, instructions, set_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(tenant.uuid())
    .bind(now)
    .bind(i32::try_from(policy.window_days).unwrap_or(i32::MAX))
    .bind(policy.approve_at_once)
    .bind(policy.refund_shipping)
    .bind(policy.send_to.clone().map(Json))
    .bind(&policy.instructions)
    .bind(by)
    .execute(db)
    .await?;
    Ok(())
}

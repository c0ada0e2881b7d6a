//! Payouts: each is one row, read and written as a whole under its lock; the columns beside the body are for constraints and search.

use api_payments::PayoutId;
use kit_core::{Currency, TenantId, Time};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::Error;
use crate::model::{Payout, PayoutState};

/// A tenant that has something available and an account to send it to.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Candidate {
    pub(crate) tenant_id: Uuid,
    pub(crate) currency: String,
    pub(crate) plan: String,
}

/// Tenants with something available, after a tenant, in the order of their ids.
pub(crate) async fn candidates(db: &mut PgConnection, minimum_minor: i64, after: Uuid, limit: i64) -> Result<Vec<Candidate>, Error> {
    let rows = sqlx::query_as(
        "select balance.tenant_id, balance.currency::text as currency, payee.plan
         from seller_balance balance join payee on payee.tenant_id = balance.tenant_id
         where balance.available_minor > 0 and balance.available_minor >= $1 and balance.tenant_id > $2
             and payee.active and payee.bank is not null and payee.blocked_reason = ''
         order by balance.tenant_id, balance.currency limit $3",
    )
    .bind(minimum_minor)
    .bind(after)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(rows)
}

/// Where a payout stands in its seller's statement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// What was available before it.
    pub(crate) available_minor: i64,
    pub(crate) first_line: i64,
    pub(crate) last_line: i64,
}

/// Whether the period was paid before.
pub(crate) async fn is_paid(db: &mut PgConnection, tenant: TenantId, currency: Currency, period_end: Time) -> Result<bool, Error> {
    let found = sqlx::query_scalar("select exists (select from payout where tenant_id = $1 and currency = $2 and period_end = $3)")
        .bind(tenant.uuid())
        .bind(currency.to_string())
        .bind(period_end)
        .fetch_one(db)
        .await?;
    Ok(found)
}

/// The last line that a payout has settled; 0: none has.
pub(crate) async fn last_settled_line(db: &mut PgConnection, tenant: TenantId, currency: Currency) -> Result<i64, Error> {
    let found: Option<i64> = sqlx::query_scalar("select max(last_line) from payout where tenant_id = $1 and currency = $2")
        .bind(tenant.uuid())
        .bind(currency.to_string())
        .fetch_one(db)
        .await?;
    Ok(found.unwrap_or_default())
}

pub(crate) async fn insert(db: &mut PgConnection, payout: &Payout, span: Span) -> Result<(), Error> {
    sqlx::query(
        "insert into payout (payout_id, tenant_id, currency, period_start, period_end, amount_minor, available_minor, first_line, last_line, state,
             body, next_ask_at, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(payout.id.uuid())
    .bind(payout.tenant.uuid())
    .bind(payout.currency.to_string())
    .bind(payout.period.start)
    .bind(payout.period.end)
    .bind(payout.amount_minor)
    .bind(span.available_minor)
    .bind(span.first_line)
    .bind(span.last_line)
    .bind(payout.state.word())
    .bind(Json(payout))
    .bind(payout.next_ask_at)
    .bind(payout.created_at)
    .execute(db)
    .await?;
    Ok(())
}

/// Locks a payout for the rest of the transaction.
pub(crate) async fn lock(db: &mut PgConnection, id: PayoutId) -> Result<Payout, Error> {
    let row: Option<Json<Payout>> =
        sqlx::query_scalar("select body from payout where payout_id = $1 for update").bind(id.uuid()).fetch_optional(db).await?;
    row.map(|Json(payout)| payout).ok_or(Error::PayoutNotFound(id))
}

pub(crate) async fn save(db: &mut PgConnection, payout: &Payout) -> Result<(), Error> {
    sqlx::query("update payout set state = $2, body = $3, next_ask_at = $4 where payout_id = $1")
        .bind(payout.id.uuid())
        .bind(payout.state.word())
        .bind(Json(payout))
        .bind(payout.next_ask_at)
        .execute(db)
        .await?;
    Ok(())
}

/// Payouts the bank must be told or asked about, the longest overdue first.
pub(crate) async fn due(db: &mut PgConnection, now: Time, limit: i64) -> Result<Vec<Payout>, Error> {
    let rows: Vec<Json<Payout>> = sqlx::query_scalar("select body from payout where next_ask_at <= $1 order by next_ask_at limit $2")
        .bind(now)
        .bind(limit)
        .fetch_all(db)
        .await?;
    Ok(rows.into_iter().map(|Json(payout)| payout).collect())
}

/// A page of payouts, newest first.
pub(crate) async fn list(
    db: &mut PgConnection,
    tenant: Option<TenantId>,
    state: Option<PayoutState>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Payout>, Error> {
    let rows: Vec<Json<Payout>> = sqlx::query_scalar(
        "select body from payout
         where ($1::uuid is null or tenant_id = $1) and ($2::text is null or state = $2) and ($3::uuid is null or payout_id < $3)
         order by payout_id desc limit $4",
    )
    .bind(tenant.map(TenantId::uuid))
    .bind(state.map(PayoutState::word))
    .bind(before)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|Json(payout)| payout).collect())
}

#[derive(sqlx::FromRow)]
struct SpanRow {
    body: Json<Payout>,
    available_minor: i64,
    first_line: i64,
    last_line: i64,
}

/// A payout with its place in the statement.
pub(crate) async fn get(db: &mut PgConnection, id: PayoutId) -> Result<(Payout, Span), Error> {
    let row: Option<SpanRow> = sqlx::query_as("select body, available_minor, first_line, last_line from payout where payout_id = $1")
        .bind(id.uuid())
        .fetch_optional(db)
        .await?;
    let row = row.ok_or(Error::PayoutNotFound(id))?;
    Ok((row.body.0, Span { available_minor: row.available_minor, first_line: row.first_line, last_line: row.last_line }))
}

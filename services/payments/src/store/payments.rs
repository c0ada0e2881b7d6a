//! Payments: each is one row, read and written as a whole under its lock; the columns beside the body are for constraints and search.

use std::collections::HashMap;

use api_orders::OrderId;
use api_payments::PaymentId;
use kit_core::Time;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::Error;
use crate::model::{Payment, State};

#[derive(Default)]
struct Columns {
    ids: Vec<Uuid>,
    orders: Vec<Uuid>,
    buyers: Vec<Uuid>,
    psps: Vec<String>,
    references: Vec<Option<String>>,
    versions: Vec<i64>,
    states: Vec<&'static str>,
    amounts: Vec<i64>,
    captured: Vec<i64>,
    refunded: Vec<i64>,
    currencies: Vec<String>,
    bodies: Vec<Json<Payment>>,
    next_asks: Vec<Option<Time>>,
    created: Vec<Time>,
    updated: Vec<Time>,
}

impl Columns {
    fn of(payments: Vec<Payment>) -> Self {
        let mut columns = Self::default();
        for payment in payments {
            columns.ids.push(payment.id.uuid());
            columns.orders.push(payment.order.uuid());
            columns.buyers.push(payment.buyer.uuid());
            columns.psps.push(payment.psp.clone());
            columns.references.push(payment.psp_reference.clone());
            columns.versions.push(payment.psp_version);
            columns.states.push(payment.state().word());
            columns.amounts.push(payment.amount_minor);
            columns.captured.push(payment.captured_minor());
            columns.refunded.push(payment.refunded_minor());
            columns.currencies.push(payment.currency.to_string());
            columns.next_asks.push(payment.next_ask_at);
            columns.created.push(payment.created_at);
            columns.updated.push(payment.updated_at);
            columns.bodies.push(Json(payment));
        }
        columns
    }
}

/// Records payments that are new; answers which were.
pub(crate) async fn insert(db: &mut PgConnection, payments: Vec<Payment>) -> Result<Vec<Uuid>, Error> {
    let columns = Columns::of(payments);
    let inserted = sqlx::query_scalar(
        "insert into payment (payment_id, order_id, buyer_id, psp, psp_version, state, amount_minor, currency, body, next_ask_at, created_at, updated_at)
         select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::text[], $7::bigint[], $8::text[], $9::jsonb[],
             $10::timestamptz[], $11::timestamptz[], $12::timestamptz[])
         on conflict (payment_id) do nothing
         returning payment_id",
    )
    .bind(columns.ids)
    .bind(columns.orders)
    .bind(columns.buyers)
    .bind(columns.psps)
    .bind(columns.versions)
    .bind(columns.states)
    .bind(columns.amounts)
    .bind(columns.currencies)
    .bind(columns.bodies)
    .bind(columns.next_asks)
    .bind(columns.created)
    .bind(columns.updated)
    .fetch_all(db)
    .await?;
    Ok(inserted)
}

/// Locks payments for the rest of the transaction, in the order of their ids so that two batches cannot deadlock.
pub(crate) async fn lock(db: &mut PgConnection, ids: &[Uuid]) -> Result<HashMap<PaymentId, Payment>, Error> {
    let rows: Vec<Json<Payment>> =
        sqlx::query_scalar("select body from payment where payment_id = any($1) order by payment_id for update").bind(ids).fetch_all(db).await?;
    Ok(rows.into_iter().map(|Json(payment)| (payment.id, payment)).collect())
}

/// Writes payments that are locked.
pub(crate) async fn save(db: &mut PgConnection, payments: Vec<Payment>) -> Result<(), Error> {
    let columns = Columns::of(payments);
    sqlx::query(
        "update payment set psp = row.psp, psp_reference = row.psp_reference, psp_version = row.psp_version, state = row.state, captured_minor = row.captured_minor,
             refunded_minor = row.refunded_minor, body = row.body, next_ask_at = row.next_ask_at, updated_at = row.updated_at
         from unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::jsonb[], $8::timestamptz[], $9::timestamptz[], $10::text[])
             as row (payment_id, psp_reference, psp_version, state, captured_minor, refunded_minor, body, next_ask_at, updated_at, psp)
         where payment.payment_id = row.payment_id",
    )
    .bind(columns.ids)
    .bind(columns.references)
    .bind(columns.versions)
    .bind(columns.states)
    .bind(columns.captured)
    .bind(columns.refunded)
    .bind(columns.bodies)
    .bind(columns.next_asks)
    .bind(columns.updated)
    .bind(columns.psps)
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn get(db: &mut PgConnection, id: PaymentId) -> Result<Payment, Error> {
    let row: Option<Json<Payment>> = sqlx::query_scalar("select body from payment where payment_id = $1").bind(id.uuid()).fetch_optional(db).await?;
    row.map(|Json(payment)| payment).ok_or(Error::NotFound(id))
}

pub(crate) async fn get_all(db: &mut PgConnection, ids: &[Uuid]) -> Result<HashMap<PaymentId, Payment>, Error> {
    let rows: Vec<Json<Payment>> = sqlx::query_scalar("select body from payment where payment_id = any($1)").bind(ids).fetch_all(db).await?;
    Ok(rows.into_iter().map(|Json(payment)| (payment.id, payment)).collect())
}

/// Which version of the PSP's record we have seen of each payment.
pub(crate) async fn versions(db: &mut PgConnection, ids: &[Uuid]) -> Result<HashMap<PaymentId, i64>, Error> {
    let rows: Vec<(Uuid, i64)> =
        sqlx::query_as("select payment_id, psp_version from payment where payment_id = any($1)").bind(ids).fetch_all(db).await?;
    Ok(rows.into_iter().map(|(id, version)| (id.into(), version)).collect())
}

/// Payments by the name of a PSP and its own id of them.
pub(crate) async fn by_reference(db: &mut PgConnection, wanted: &[(&str, String)]) -> Result<HashMap<(String, String), PaymentId>, Error> {
    let rows: Vec<(String, String, Uuid)> = sqlx::query_as(
        "select psp, psp_reference, payment_id from payment
         where psp <> 'sandbox' and (psp, psp_reference) in (select * from unnest($1::text[], $2::text[]))",
    )
    .bind(wanted.iter().map(|(psp, _)| *psp).collect::<Vec<_>>())
    .bind(wanted.iter().map(|(_, reference)| reference.as_str()).collect::<Vec<_>>())
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|(psp, reference, id)| ((psp, reference), id.into())).collect())
}

/// Payments whose PSP must be asked, the longest overdue first.
pub(crate) async fn due(db: &mut PgConnection, now: Time, limit: i64) -> Result<Vec<PaymentId>, Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar("select payment_id from payment where next_ask_at <= $1 order by next_ask_at limit $2")
        .bind(now)
        .bind(limit)
        .fetch_all(db)
        .await?;
    Ok(ids.into_iter().map(Into::into).collect())
}

/// A page of payments, newest first.
pub(crate) async fn list(
    db: &mut PgConnection,
    order: Option<OrderId>,
    state: Option<State>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Payment>, Error> {
    let rows: Vec<Json<Payment>> = sqlx::query_scalar(
        "select body from payment
         where ($1::uuid is null or order_id = $1) and ($2::text is null or state = $2) and ($3::uuid is null or payment_id < $3)
         order by payment_id desc limit $4",
    )
    .bind(order.map(OrderId::uuid))
    .bind(state.map(State::word))
    .bind(before)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|Json(payment)| payment).collect())
}

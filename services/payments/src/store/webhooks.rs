//! Webhooks as they came: a delivery is kept raw, its events are known by the PSP's ids.

use kit_core::Time;
use sqlx::PgConnection;

use crate::error::Error;

/// A delivery that waits to be processed.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Delivery {
    pub(crate) number: i64,
    pub(crate) psp: String,
    pub(crate) body: Vec<u8>,
}

pub(crate) async fn insert_delivery(db: &mut PgConnection, psp: &str, body: &[u8], now: Time) -> Result<i64, Error> {
    let number = sqlx::query_scalar("insert into webhook_delivery (psp, body, received_at) values ($1, $2, $3) returning number")
        .bind(psp)
        .bind(body)
        .bind(now)
        .fetch_one(db)
        .await?;
    Ok(number)
}

/// Records the events of a delivery; answers how many had not come before.
pub(crate) async fn insert_events(db: &mut PgConnection, psp: &str, number: i64, event_ids: &[String]) -> Result<u64, Error> {
    let done = sqlx::query(
        "insert into webhook_event (psp, event_id, number) select $1, event_id, $2 from unnest($3::text[]) as row (event_id) order by event_id on conflict do nothing",
    )
    .bind(psp)
    .bind(number)
    .bind(event_ids)
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Deliveries to process, oldest first; those that another process is at are left to it.
pub(crate) async fn take(db: &mut PgConnection, limit: i64) -> Result<Vec<Delivery>, Error> {
    let rows =
        sqlx::query_as("select number, psp, body from webhook_delivery where processed_at is null order by number limit $1 for update skip locked")
            .bind(limit)
            .fetch_all(db)
            .await?;
    Ok(rows)
}

pub(crate) async fn mark_processed(db: &mut PgConnection, numbers: &[i64], now: Time) -> Result<(), Error> {
    sqlx::query("update webhook_delivery set processed_at = $2 where number = any($1)").bind(numbers).bind(now).execute(db).await?;
    Ok(())
}

/// Forgets deliveries processed before a moment, some at a time; answers how many.
pub(crate) async fn prune(db: &mut PgConnection, before: Time) -> Result<u64, Error> {
    let done = sqlx::query(
        "delete from webhook_delivery where number in
             (select number from webhook_delivery where received_at < $1 and processed_at is not null order by received_at limit 1000)",
    )
    .bind(before)
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

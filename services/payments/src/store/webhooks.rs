//! Webhooks as they came: a delivery is kept raw, its events are known by the PSP's ids.

use std::collections::HashSet;

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

/// A delivery as it arrives.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    pub(crate) psp: &'static str,
    pub(crate) body: Vec<u8>,
    pub(crate) event_ids: Vec<String>,
}

/// Stores those deliveries that bring an event which had not come before; answers how many new events each brings.
pub(crate) async fn insert(db: &mut PgConnection, arrived: &[Arrived], now: Time) -> Result<Vec<u64>, Error> {
    let events = || arrived.iter().flat_map(|one| one.event_ids.iter().map(|id| (one.psp, id.as_str())));
    let known: Vec<(String, String)> =
        sqlx::query_as("select psp, event_id from webhook_event where (psp, event_id) in (select * from unnest($1::text[], $2::text[]))")
            .bind(events().map(|(psp, _)| psp).collect::<Vec<_>>())
            .bind(events().map(|(_, id)| id).collect::<Vec<_>>())
            .fetch_all(&mut *db)
            .await?;
    let mut seen: HashSet<(&str, &str)> = known.iter().map(|(psp, id)| (psp.as_str(), id.as_str())).collect();
    let news: Vec<Vec<&str>> =
        arrived.iter().map(|one| one.event_ids.iter().map(String::as_str).filter(|id| seen.insert((one.psp, id))).collect()).collect();
    // A delivery with nothing new in it is not worth keeping.
    let kept: Vec<(&Arrived, &Vec<&str>)> = arrived.iter().zip(&news).filter(|(_, news)| !news.is_empty()).collect();
    let mut numbers: Vec<i64> = sqlx::query_scalar(
        "insert into webhook_delivery (psp, body, received_at)
         select psp, body, $3 from unnest($1::text[], $2::bytea[]) with ordinality as row (psp, body, place) order by place returning number",
    )
    .bind(kept.iter().map(|(one, _)| one.psp).collect::<Vec<_>>())
    .bind(kept.iter().map(|(one, _)| one.body.as_slice()).collect::<Vec<_>>())
    .bind(now)
    .fetch_all(&mut *db)
    .await?;
    // Numbers are given in the order of the rows.
    numbers.sort_unstable();
    let rows = || kept.iter().zip(&numbers).flat_map(|((one, news), number)| news.iter().map(|id| (one.psp, *id, *number)));
    sqlx::query(
        "insert into webhook_event (psp, event_id, number)
         select * from unnest($1::text[], $2::text[], $3::bigint[]) as row (psp, event_id, number) order by psp, event_id on conflict do nothing",
    )
    .bind(rows().map(|(psp, _, _)| psp).collect::<Vec<_>>())
    .bind(rows().map(|(_, id, _)| id).collect::<Vec<_>>())
    .bind(rows().map(|(_, _, number)| number).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(news.iter().map(|news| u64::try_from(news.len()).unwrap_or_default()).collect())
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

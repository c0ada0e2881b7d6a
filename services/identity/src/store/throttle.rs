//! How often something was tried lately.

use kit_core::Time;
use sqlx::PgConnection;

use crate::error::Error;
use crate::model::throttle::Record;

#[derive(sqlx::FromRow)]
struct Row {
    strikes: i32,
    last_at: Time,
    blocked_until: Option<Time>,
}

impl From<Row> for Record {
    fn from(row: Row) -> Self {
        Self { strikes: u32::try_from(row.strikes).unwrap_or_default(), last_at: row.last_at, blocked_until: row.blocked_until }
    }
}

/// What is known of these subjects; unknown ones are left out.
pub(crate) async fn read(db: &mut PgConnection, subjects: &[String]) -> Result<Vec<Record>, Error> {
    let rows: Vec<Row> =
        sqlx::query_as("select strikes, last_at, blocked_until from throttle where subject = any($1)").bind(subjects).fetch_all(db).await?;
    Ok(rows.into_iter().map(Record::from).collect())
}

/// Locks a subject, making it if need be.
pub(crate) async fn lock(db: &mut PgConnection, subject: &str, now: Time) -> Result<Record, Error> {
    let row: Row = sqlx::query_as(
        "insert into throttle (subject, strikes, last_at) values ($1, 0, $2)
         on conflict (subject) do update set strikes = throttle.strikes returning strikes, last_at, blocked_until",
    )
    .bind(subject)
    .bind(now)
    .fetch_one(db)
    .await?;
    Ok(row.into())
}

pub(crate) async fn save(db: &mut PgConnection, subject: &str, record: Record) -> Result<(), Error> {
    sqlx::query("update throttle set strikes = $2, last_at = $3, blocked_until = $4 where subject = $1")
        .bind(subject)
        .bind(i32::try_from(record.strikes).unwrap_or(i32::MAX))
        .bind(record.last_at)
        .bind(record.blocked_until)
        .execute(db)
        .await?;
    Ok(())
}

/// Forgives a subject.
pub(crate) async fn clear(db: &mut PgConnection, subject: &str) -> Result<(), Error> {
    sqlx::query("delete from throttle where subject = $1").bind(subject).execute(db).await?;
    Ok(())
}

/// Forgets what was quiet since before this moment.
pub(crate) async fn forget(db: &mut PgConnection, before: Time) -> Result<u64, Error> {
    Ok(sqlx::query("delete from throttle where last_at < $1").bind(before).execute(db).await?.rows_affected())
}

//! What the service remembers: one function per query.

use api_analytics::{BehaviourKind, SubjectId};
use kit_core::{Time, UserId};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::error::Error;
use crate::events::Counts;

/// What a person chose.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Choice {
    subject_id: Uuid,
    pub(crate) consented: bool,
    pub(crate) changed_at: Time,
}

impl Choice {
    /// The subject whose behaviour may be used.
    pub(crate) fn subject(&self) -> Option<SubjectId> {
        self.consented.then(|| self.subject_id.into())
    }
}

pub(crate) async fn pepper(db: &mut PgConnection) -> Result<Vec<u8>, Error> {
    Ok(sqlx::query_scalar("select secret from pepper").fetch_one(db).await?)
}

pub(crate) async fn choice(db: &mut PgConnection, user: UserId) -> Result<Option<Choice>, Error> {
    let query = sqlx::query_as("select subject_id, consented, changed_at from subject where user_id = $1");
    Ok(query.bind(user.uuid()).fetch_optional(db).await?)
}

/// Locks what the person chose for the rest of the transaction.
pub(crate) async fn lock_choice(db: &mut PgConnection, user: UserId) -> Result<Option<Choice>, Error> {
    let query = sqlx::query_as("select subject_id, consented, changed_at from subject where user_id = $1 for update");
    Ok(query.bind(user.uuid()).fetch_optional(db).await?)
}

pub(crate) async fn put_choice(db: &mut PgConnection, user: UserId, subject: SubjectId, consented: bool, now: Time) -> Result<(), Error> {
    sqlx::query(
        "insert into subject (user_id, subject_id, consented, changed_at) values ($1, $2, $3, $4)
         on conflict (user_id) do update set subject_id = excluded.subject_id, consented = excluded.consented, changed_at = excluded.changed_at",
    )
    .bind(user.uuid())
    .bind(subject.uuid())
    .bind(consented)
    .bind(now)
    .execute(db)
    .await?;
    Ok(())
}

/// The person takes over what the guest chose, unless the person has chosen before; the guest is forgotten.
pub(crate) async fn merge_guest(db: &mut PgConnection, guest: UserId, user: UserId) -> Result<(), Error> {
    sqlx::query(
        "with gone as (delete from subject where user_id = $1 returning subject_id, consented, changed_at)
         insert into subject (user_id, subject_id, consented, changed_at) select $2, subject_id, consented, changed_at from gone
         on conflict (user_id) do nothing",
    )
    .bind(guest.uuid())
    .bind(user.uuid())
    .execute(db)
    .await?;
    Ok(())
}

/// Adds to the counts of a minute, kinds in order.
pub(crate) async fn count(db: &mut PgConnection, minute: Time, counts: &Counts) -> Result<(), Error> {
    sqlx::query(
        "insert into intake (minute, kind, events) select $1, kind, events from unnest($2::smallint[], $3::bigint[]) as k (kind, events) order by kind
         on conflict (minute, kind) do update set events = intake.events + excluded.events",
    )
    .bind(minute)
    .bind(counts.keys().copied().collect::<Vec<_>>())
    .bind(counts.values().copied().collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

#[derive(Debug, FromRow)]
pub(crate) struct Minute {
    pub(crate) minute: Time,
    kind: i16,
    events: i64,
}

impl Minute {
    pub(crate) fn kind(&self) -> BehaviourKind {
        BehaviourKind::try_from(i32::from(self.kind)).unwrap_or_default()
    }

    pub(crate) fn events(&self) -> u64 {
        u64::try_from(self.events).unwrap_or_default()
    }
}

pub(crate) async fn minutes(db: &mut PgConnection, since: Time) -> Result<Vec<Minute>, Error> {
    let query = sqlx::query_as("select minute, kind, events from intake where minute >= $1 order by minute desc, kind");
    Ok(query.bind(since).fetch_all(db).await?)
}

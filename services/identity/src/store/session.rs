//! Sessions and their refresh tokens.

use std::net::IpAddr;

use api_identity::SessionId;
use kit_core::{Time, UserId};
use kit_db::DbError;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::model::EndCause;

pub(crate) struct NewSession {
    pub id: SessionId,
    pub user: UserId,
    pub token_hash: Vec<u8>,
    pub refresh_hash: Vec<u8>,
    pub device: String,
    pub address: String,
    pub now: Time,
    pub expires_at: Time,
}

pub(crate) async fn add_all(db: &mut PgConnection, sessions: &[NewSession]) -> Result<(), DbError> {
    let ids: Vec<Uuid> = sessions.iter().map(|session| session.id.uuid()).collect();
    let now: Vec<Time> = sessions.iter().map(|session| session.now).collect();
    sqlx::query(
        "insert into session (session_id, user_id, token_hash, device, address, created_at, last_used_at, expires_at)
         select session_id, user_id, token_hash, device, address, at, at, expires_at
         from unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[])
             as row (session_id, user_id, token_hash, device, address, at, expires_at)",
    )
    .bind(&ids)
    .bind(sessions.iter().map(|session| session.user.uuid()).collect::<Vec<_>>())
    .bind(sessions.iter().map(|session| session.token_hash.as_slice()).collect::<Vec<_>>())
    .bind(sessions.iter().map(|session| session.device.as_str()).collect::<Vec<_>>())
    .bind(sessions.iter().map(|session| session.address.as_str()).collect::<Vec<_>>())
    .bind(&now)
    .bind(sessions.iter().map(|session| session.expires_at).collect::<Vec<_>>())
    .execute(&mut *db)
    .await?;
    sqlx::query(
        "insert into refresh_token (token_hash, session_id, issued_at)
         select * from unnest($1::bytea[], $2::uuid[], $3::timestamptz[])",
    )
    .bind(sessions.iter().map(|session| session.refresh_hash.as_slice()).collect::<Vec<_>>())
    .bind(&ids)
    .bind(&now)
    .execute(db)
    .await?;
    Ok(())
}

/// A session as a request needs it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Live {
    pub user_id: Uuid,
    pub token_hash: Vec<u8>,
    pub expires_at: Time,
    pub last_used_at: Time,
}

/// A session that has neither ended nor expired.
pub(crate) async fn live(db: &mut PgConnection, id: SessionId, now: Time) -> Result<Option<Live>, Error> {
    let row = sqlx::query_as(
        "select user_id, token_hash, expires_at, last_used_at from session where session_id = $1 and ended_at is null and expires_at > $2",
    );
    Ok(row.bind(id.uuid()).bind(now).fetch_optional(db).await?)
}

/// Notes that a session is in use, which also keeps it from expiring.
pub(crate) async fn touch(db: &mut PgConnection, id: SessionId, now: Time, expires_at: Time) -> Result<(), Error> {
    sqlx::query("update session set last_used_at = $2, expires_at = $3 where session_id = $1 and ended_at is null")
        .bind(id.uuid())
        .bind(now)
        .bind(expires_at)
        .execute(db)
        .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
pub(crate) struct Listed {
    pub session_id: Uuid,
    pub device: String,
    pub address: String,
    pub created_at: Time,
    pub last_used_at: Time,
}

/// A person's open sessions, the last used first.
pub(crate) async fn list(db: &mut PgConnection, user: UserId, now: Time) -> Result<Vec<Listed>, Error> {
    let rows = sqlx::query_as(
        "select session_id, device, address, created_at, last_used_at from session
         where user_id = $1 and ended_at is null and expires_at > $2 order by last_used_at desc, session_id limit 200",
    );
    Ok(rows.bind(user.uuid()).bind(now).fetch_all(db).await?)
}

/// Ends one session of a person. False: there is no such open session.
pub(crate) async fn end(db: &mut PgConnection, id: SessionId, user: UserId, cause: EndCause, now: Time) -> Result<bool, Error> {
    let done = sqlx::query("update session set ended_at = $3, end_cause = $4 where session_id = $1 and user_id = $2 and ended_at is null")
        .bind(id.uuid())
        .bind(user.uuid())
        .bind(now)
        .bind(cause.text())
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends all sessions of a person but one, and answers which.
pub(crate) async fn end_all(
    db: &mut PgConnection,
    user: UserId,
    keep: Option<SessionId>,
    cause: EndCause,
    now: Time,
) -> Result<Vec<SessionId>, Error> {
    let ended: Vec<Uuid> = sqlx::query_scalar(
        "update session set ended_at = $3, end_cause = $4 where user_id = $1 and ended_at is null and session_id is distinct from $2 returning session_id",
    )
    .bind(user.uuid())
    .bind(keep.map(SessionId::uuid))
    .bind(now)
    .bind(cause.text())
    .fetch_all(db)
    .await?;
    Ok(ended.into_iter().map(SessionId::from).collect())
}

/// Whether a person has used this device or network address before (or has never signed in, in which case nothing is new).
pub(crate) async fn is_familiar(db: &mut PgConnection, user: UserId, device: &str, address: &str) -> Result<bool, Error> {
    Ok(sqlx::query_scalar("select coalesce(bool_or(device = $2 and (device <> '' or address = $3)), true) from session where user_id = $1")
        .bind(user.uuid())
        .bind(device)
        .bind(address)
        .fetch_one(db)
        .await?)
}

/// Whether a person is known to have signed in from this network address; nobody and no address are asked for alike, so that the
/// answer takes as long.
pub(crate) async fn is_from(db: &mut PgConnection, user: Option<UserId>, address: Option<IpAddr>) -> Result<bool, Error> {
    Ok(sqlx::query_scalar("select exists(select 1 from session where user_id = $1 and address = $2)")
        .bind(user.map(|user| user.uuid()))
        .bind(address.map(|address| address.to_string()))
        .fetch_one(db)
        .await?)
}

/// A refresh token and its session, both locked.
#[derive(sqlx::FromRow)]
pub(crate) struct Refreshable {
    pub session_id: Uuid,
    pub user_id: Uuid,
    pub used: bool,
    pub open: bool,
}

pub(crate) async fn lock_refresh_token(db: &mut PgConnection, hash: &[u8], now: Time) -> Result<Option<Refreshable>, Error> {
    let row = sqlx::query_as(
        "select s.session_id, s.user_id, t.used_at is not null as used, s.ended_at is null and s.expires_at > $2 as open
         from refresh_token t join session s using (session_id) where t.token_hash = $1 for update of s, t",
    );
    Ok(row.bind(hash).bind(now).fetch_optional(db).await?)
}

/// Puts new secrets in place of the used refresh token and of the session token.
pub(crate) async fn rotate(db: &mut PgConnection, used: &[u8], session: &NewSession) -> Result<(), Error> {
    sqlx::query(
        "with used as (update refresh_token set used_at = $5 where token_hash = $1),
              moved as (update session set token_hash = $3, last_used_at = $5, expires_at = $6 where session_id = $2)
         insert into refresh_token (token_hash, session_id, issued_at) values ($4, $2, $5)",
    )
    .bind(used)
    .bind(session.id.uuid())
    .bind(&session.token_hash)
    .bind(&session.refresh_hash)
    .bind(session.now)
    .bind(session.expires_at)
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets sessions that ended or expired before this moment, some at a time.
pub(crate) async fn forget_ended(db: &mut PgConnection, before: Time, limit: i64) -> Result<u64, Error> {
    let done = sqlx::query(
        "delete from session where session_id in (
            select session_id from session where expires_at < $1 or ended_at < $1 limit $2)",
    );
    Ok(done.bind(before).bind(limit).execute(db).await?.rows_affected())
}

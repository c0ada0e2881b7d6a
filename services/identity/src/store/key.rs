//! Signing keys.

use kit_core::Time;
use sqlx::PgConnection;

use crate::error::Error;

#[derive(sqlx::FromRow)]
pub(crate) struct Stored {
    pub key_id: String,
    pub secret: Vec<u8>,
    pub active_from: Time,
    pub created_at: Time,
}

/// All keys, the newest first.
pub(crate) async fn list(db: &mut PgConnection) -> Result<Vec<Stored>, Error> {
    Ok(sqlx::query_as("select key_id, secret, active_from, created_at from signing_key order by created_at desc, key_id").fetch_all(db).await?)
}

/// One process at a time decides about keys.
pub(crate) async fn lock(db: &mut PgConnection) -> Result<(), Error> {
    sqlx::query("select pg_advisory_xact_lock(hashtext('identity signing keys'))").execute(db).await?;
    Ok(())
}

pub(crate) async fn add(db: &mut PgConnection, key: &Stored) -> Result<(), Error> {
    sqlx::query("insert into signing_key (key_id, secret, active_from, created_at) values ($1, $2, $3, $4)")
        .bind(&key.key_id)
        .bind(&key.secret)
        .bind(key.active_from)
        .bind(key.created_at)
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn remove(db: &mut PgConnection, key_ids: &[String]) -> Result<(), Error> {
    sqlx::query("delete from signing_key where key_id = any($1)").bind(key_ids).execute(db).await?;
    Ok(())
}

//! Answers given to idempotent writes, so that a repeated request is answered and not repeated.

use chrono::Duration;
use kit_core::Time;

use crate::{Db, DbError};

/// What an idempotency key was used for before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Earlier {
    /// Nothing: the request is to be served, then `idempotency_answered` or `idempotency_abandoned` called.
    Nothing,
    /// The same request is being served right now.
    Running,
    /// The same request was answered with this.
    Answered(Vec<u8>),
    /// Another request.
    OtherRequest,
}

/// A request that is still marked as running after this long died with its process; the next one takes over.
const ABANDONED_AFTER_SECONDS: i64 = 60;

impl Db {
    /// Marks a request as running unless its key was used before. `caller` is whoever the key belongs to, `request_hash` tells
    /// requests apart.
    pub async fn idempotency_start(&self, caller: &str, key: &str, request_hash: &[u8], now: Time) -> Result<Earlier, DbError> {
        let started = sqlx::query(
            "insert into idempotency as known (caller, key, request_hash, started_at) values ($1, $2, $3, $4)
             on conflict (caller, key) do update set started_at = excluded.started_at
             where known.answer is null and known.request_hash = excluded.request_hash and known.started_at < $5",
        )
        .bind(caller)
        .bind(key)
        .bind(request_hash)
        .bind(now)
        .bind(now - Duration::seconds(ABANDONED_AFTER_SECONDS))
        .execute(self.pool())
        .await?;
        if started.rows_affected() == 1 {
            return Ok(Earlier::Nothing);
        }
        let known: Option<(Vec<u8>, Option<Vec<u8>>)> = sqlx::query_as("select request_hash, answer from idempotency where caller = $1 and key = $2")
            .bind(caller)
            .bind(key)
            .fetch_optional(self.pool())
            .await?;
        Ok(match known {
            Some((hash, _)) if hash != request_hash => Earlier::OtherRequest,
            Some((_, Some(answer))) => Earlier::Answered(answer),
            // Without a row, the request that ran was abandoned between the two statements; its key is free in a moment.
            Some((_, None)) | None => Earlier::Running,
        })
    }

    pub async fn idempotency_answered(&self, caller: &str, key: &str, answer: &[u8]) -> Result<(), DbError> {
        sqlx::query("update idempotency set answer = $3 where caller = $1 and key = $2")
            .bind(caller)
            .bind(key)
            .bind(answer)
            .execute(self.pool())
            .await?;
        Ok(())
    }

    /// Frees a key whose request failed in a way that may succeed when tried again.
    pub async fn idempotency_abandoned(&self, caller: &str, key: &str) -> Result<(), DbError> {
        sqlx::query("delete from idempotency where caller = $1 and key = $2 and answer is null").bind(caller).bind(key).execute(self.pool()).await?;
        Ok(())
    }

    /// Forgets answers older than `before`; answers how many.
    pub async fn idempotency_forget(&self, before: Time) -> Result<u64, DbError> {
        Ok(sqlx::query("delete from idempotency where started_at < $1").bind(before).execute(self.pool()).await?.rows_affected())
    }
}

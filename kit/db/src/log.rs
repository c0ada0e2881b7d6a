//! A service's own log of what happened, written in the transaction of the change.

use kit_core::Time;
use kit_rpc::Ctx;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use uuid::Uuid;

use crate::event::{Event, LoggedEvent, Position};
use crate::{DbError, tail};

/// Appends one event. Whoever follows the log is woken when the transaction has committed.
pub async fn append(db: &mut PgConnection, ctx: &Ctx, now: Time, event: Event) -> Result<(), DbError> {
    append_all(db, ctx, now, vec![event]).await
}

/// Appends several events of one request, in this order, in one statement.
pub async fn append_all(db: &mut PgConnection, ctx: &Ctx, now: Time, events: Vec<Event>) -> Result<(), DbError> {
    append_many(db, events.into_iter().map(|event| (ctx, event)), now).await
}

/// Appends the events of several requests that one batch serves, in one statement.
pub async fn append_many<'c>(db: &mut PgConnection, events: impl IntoIterator<Item = (&'c Ctx, Event)>, now: Time) -> Result<(), DbError> {
    let mut rows = Columns::default();
    for (ctx, event) in events {
        rows.push(ctx, event);
    }
    if rows.keys.is_empty() {
        return Ok(());
    }
    let log: Option<String> = sqlx::query_scalar(
        "with appended as (
            insert into event_log (key, tenant, kind, payload, change, at, request_id, actor, on_behalf_of, address)
            select key, tenant, kind, payload, change, $6, request_id, actor, on_behalf_of, address::inet
            from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bytea[], $5::jsonb[], $7::text[], $8::text[], $9::text[], $10::text[])
                with ordinality as row (key, tenant, kind, payload, change, request_id, actor, on_behalf_of, address, place)
            order by place
        )
        select current_database() || '/' || current_schema()",
    )
    .bind(rows.keys)
    .bind(rows.tenants)
    .bind(rows.kinds)
    .bind(rows.payloads)
    .bind(rows.changes)
    .bind(now)
    .bind(rows.request_ids)
    .bind(rows.actors)
    .bind(rows.on_behalf_of)
    .bind(rows.addresses)
    .fetch_one(db)
    .await?;
    tail::ring(log.as_deref().unwrap_or_default());
    Ok(())
}

#[derive(Default)]
struct Columns {
    keys: Vec<Uuid>,
    tenants: Vec<Option<Uuid>>,
    kinds: Vec<&'static str>,
    payloads: Vec<Vec<u8>>,
    changes: Vec<Option<serde_json::Value>>,
    request_ids: Vec<String>,
    actors: Vec<String>,
    on_behalf_of: Vec<Option<String>>,
    addresses: Vec<Option<String>>,
}

impl Columns {
    fn push(&mut self, ctx: &Ctx, event: Event) {
        self.keys.push(event.key);
        self.tenants.push(event.tenant.map(kit_core::TenantId::uuid));
        self.kinds.push(event.kind);
        self.payloads.push(event.payload);
        self.changes.push(event.change);
        self.request_ids.push(ctx.request_id.to_string());
        self.actors.push(ctx.actor_text());
        self.on_behalf_of.push(ctx.on_behalf_of.map(|user| user.to_string()));
        self.addresses.push(ctx.address.map(|address| address.to_string()));
    }
}

/// A row of a log, before it knows which log it is of.
pub(crate) struct Logged(pub(crate) LoggedEvent);

impl FromRow<'_, PgRow> for Logged {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let transaction: i64 = row.try_get("transaction")?;
        let address: Option<String> = row.try_get("address")?;
        Ok(Self(LoggedEvent {
            source: String::new(),
            cell: String::new(),
            position: Position { transaction: u64::try_from(transaction).unwrap_or_default(), number: row.try_get("number")? },
            key: row.try_get("key")?,
            tenant: row.try_get::<Option<Uuid>, _>("tenant")?.map(Into::into),
            kind: row.try_get("kind")?,
            payload: row.try_get::<Vec<u8>, _>("payload")?.into(),
            change: row.try_get("change")?,
            at: row.try_get("at")?,
            request_id: row.try_get("request_id")?,
            actor: row.try_get("actor")?,
            on_behalf_of: row.try_get("on_behalf_of")?,
            address: address.and_then(|text| text.parse().ok()),
        }))
    }
}

/// Events after a position, in order, none of a transaction that a running one may still precede.
pub(crate) async fn read(db: &mut PgConnection, after: Position, limit: i64) -> Result<Vec<Logged>, sqlx::Error> {
    sqlx::query_as(
        "select transaction::text::bigint as transaction, number, key, tenant, kind, payload, change, at, request_id, actor, on_behalf_of, host(address) as address
         from event_log
         where (transaction, number) > ($1::text::xid8, $2) and transaction < pg_snapshot_xmin(pg_current_snapshot())
         order by transaction, number
         limit $3",
    )
    .bind(after.transaction.to_string())
    .bind(after.number)
    .bind(limit)
    .fetch_all(db)
    .await
}

/// Where the log ends now, for those who only want what comes.
pub(crate) async fn end(db: &mut PgConnection) -> Result<Position, sqlx::Error> {
    let end: Option<(i64, i64)> = sqlx::query_as(
        "select transaction::text::bigint, number from event_log
         where transaction < pg_snapshot_xmin(pg_current_snapshot()) order by transaction desc, number desc limit 1",
    )
    .fetch_optional(db)
    .await?;
    Ok(end.map_or_else(Position::default, |(transaction, number)| Position { transaction: u64::try_from(transaction).unwrap_or_default(), number }))
}

/// How many committed events lie after a position, counted up to `limit`, those that readers do not see yet included.
pub(crate) async fn behind(db: &mut PgConnection, after: Position, limit: i64) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select count(*) from (select 1 from event_log where (transaction, number) > ($1::text::xid8, $2) limit $3) as later")
        .bind(after.transaction.to_string())
        .bind(after.number)
        .bind(limit)
        .fetch_one(db)
        .await
}

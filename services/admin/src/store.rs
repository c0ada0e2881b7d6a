//! The audit log in SQL.

use kit_core::{TenantId, Time};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::model::{Entry, Happening, Hash, Head};

#[derive(sqlx::FromRow)]
struct EntryRow {
    sequence: i64,
    audit_id: Uuid,
    at: Time,
    actor: String,
    on_behalf_of: String,
    address: String,
    service: String,
    kind: String,
    key: Uuid,
    tenant_id: Option<Uuid>,
    change: String,
    request_id: String,
    prev_hash: Vec<u8>,
    hash: Vec<u8>,
}

impl TryFrom<EntryRow> for Entry {
    type Error = Error;

    fn try_from(row: EntryRow) -> Result<Self, Error> {
        let what = Happening {
            at: row.at,
            actor: row.actor,
            on_behalf_of: row.on_behalf_of,
            address: row.address,
            service: row.service,
            kind: row.kind,
            key: row.key,
            tenant: row.tenant_id.map(TenantId::from),
            change: row.change,
            request_id: row.request_id,
        };
        Ok(Self { sequence: row.sequence, audit_id: row.audit_id, what, prev_hash: hash(row.prev_hash)?, hash: hash(row.hash)? })
    }
}

fn hash(bytes: Vec<u8>) -> Result<Hash, Error> {
    bytes.try_into().map_err(|_| Error::Corrupt("a hash of another length"))
}

/// Locks the end of the chain for the rest of the transaction.
pub(crate) async fn lock_head(db: &mut PgConnection) -> Result<Head, Error> {
    let (sequence, end): (i64, Vec<u8>) = sqlx::query_as("select sequence, hash from audit_head for update").fetch_one(db).await?;
    Ok(Head { sequence, hash: hash(end)? })
}

pub(crate) async fn save_head(db: &mut PgConnection, head: Head) -> Result<(), Error> {
    sqlx::query("update audit_head set sequence = $1, hash = $2").bind(head.sequence).bind(head.hash.as_slice()).execute(db).await?;
    Ok(())
}

/// The end of the chain, to compare what was verified with.
pub(crate) async fn head(db: &mut PgConnection) -> Result<Head, Error> {
    let (sequence, end): (i64, Vec<u8>) = sqlx::query_as("select sequence, hash from audit_head").fetch_one(db).await?;
    Ok(Head { sequence, hash: hash(end)? })
}

pub(crate) async fn insert(db: &mut PgConnection, entries: &[Entry]) -> Result<(), Error> {
    let query = sqlx::query(
        "insert into audit_entry (sequence, audit_id, at, actor, on_behalf_of, address, service, kind, key, tenant_id, change, request_id, prev_hash, hash)
         select * from unnest($1::bigint[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::uuid[],
                              $10::uuid[], $11::text[], $12::text[], $13::bytea[], $14::bytea[])",
    );
    let texts = |text: fn(&Entry) -> &String| -> Vec<&str> { entries.iter().map(|entry| text(entry).as_str()).collect() };
    query
        .bind(entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.audit_id).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.what.at).collect::<Vec<_>>())
        .bind(texts(|entry| &entry.what.actor))
        .bind(texts(|entry| &entry.what.on_behalf_of))
        .bind(texts(|entry| &entry.what.address))
        .bind(texts(|entry| &entry.what.service))
        .bind(texts(|entry| &entry.what.kind))
        .bind(entries.iter().map(|entry| entry.what.key).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.what.tenant.map(TenantId::uuid)).collect::<Vec<_>>())
        .bind(texts(|entry| &entry.what.change))
        .bind(texts(|entry| &entry.what.request_id))
        .bind(entries.iter().map(|entry| entry.prev_hash.as_slice()).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.hash.as_slice()).collect::<Vec<_>>())
        .execute(db)
        .await?;
    Ok(())
}

/// Adds to the hourly counts; hours, services and kinds in parallel lists.
pub(crate) async fn count(db: &mut PgConnection, entries: &[Entry]) -> Result<(), Error> {
    sqlx::query(
        "insert into audit_hour (hour, service, kind, count)
         select date_trunc('hour', at), service, kind, count(*) from unnest($1::timestamptz[], $2::text[], $3::text[]) as happened (at, service, kind)
         group by 1, 2, 3 order by 1, 2, 3
         on conflict (hour, service, kind) do update set count = audit_hour.count + excluded.count",
    )
    .bind(entries.iter().map(|entry| entry.what.at).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.what.service.as_str()).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.what.kind.as_str()).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

/// Counts by service and kind since a moment, to the hour, most often first.
pub(crate) async fn counts(db: &mut PgConnection, since: Time) -> Result<Vec<(String, String, i64)>, Error> {
    let query = sqlx::query_as(
        "select service, kind, sum(count)::bigint from audit_hour where hour >= date_trunc('hour', $1::timestamptz) group by service, kind order by 3 desc, 1, 2",
    );
    Ok(query.bind(since).fetch_all(db).await?)
}

/// Entries after a place in the chain, in its order.
pub(crate) async fn chain(db: &mut PgConnection, after: i64, limit: i64) -> Result<Vec<Entry>, Error> {
    let query = sqlx::query_as::<_, EntryRow>("select * from audit_entry where sequence > $1 order by sequence limit $2");
    query.bind(after).bind(limit).fetch_all(db).await?.into_iter().map(Entry::try_from).collect()
}

pub(crate) async fn entry(db: &mut PgConnection, sequence: i64) -> Result<Option<Entry>, Error> {
    let row = sqlx::query_as::<_, EntryRow>("select * from audit_entry where sequence = $1").bind(sequence).fetch_optional(db).await?;
    row.map(Entry::try_from).transpose()
}

/// What a list of entries asks for; `None`: any.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    pub(crate) before: Option<i64>,
    pub(crate) service: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) actor: Option<String>,
    pub(crate) tenant: Option<TenantId>,
    pub(crate) key: Option<Uuid>,
    pub(crate) since: Option<Time>,
    pub(crate) until: Option<Time>,
}

/// Entries that match, newest first.
pub(crate) async fn list(db: &mut PgConnection, filter: &Filter, limit: i64) -> Result<Vec<Entry>, Error> {
    let query = sqlx::query_as::<_, EntryRow>(
        "select * from audit_entry
         where ($1::bigint is null or sequence < $1) and ($2::text is null or service = $2) and ($3::text is null or kind = $3)
           and ($4::text is null or actor = $4 or on_behalf_of = $4) and ($5::uuid is null or tenant_id = $5) and ($6::uuid is null or key = $6)
           and ($7::timestamptz is null or at >= $7) and ($8::timestamptz is null or at < $8)
         order by sequence desc limit $9",
    );
    let query = query
        .bind(filter.before)
        .bind(&filter.service)
        .bind(&filter.kind)
        .bind(&filter.actor)
        .bind(filter.tenant.map(TenantId::uuid))
        .bind(filter.key);
    query.bind(filter.since).bind(filter.until).bind(limit).fetch_all(db).await?.into_iter().map(Entry::try_from).collect()
}

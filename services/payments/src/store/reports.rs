//! What PSPs and banks report, which entries of ours say the same, and where the two differ.

use api_payments::OpenItemId;
use kit_core::Time;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;

/// A line of a report, as it came. Amounts as the source has them: what our account with it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewLine {
    pub(crate) number: i64,
    /// The kind of our entry that says the same.
    pub(crate) kind: &'static str,
    /// Our id of what it is about, where the source knows it, else its own.
    pub(crate) reference: String,
    pub(crate) payment: Option<Uuid>,
    pub(crate) amount_minor: i64,
    pub(crate) fee_minor: i64,
    pub(crate) currency: String,
    pub(crate) booked_at: Time,
}

/// The last line that was fetched of a source.
pub(crate) async fn cursor(db: &mut PgConnection, source: &str) -> Result<i64, Error> {
    let found: Option<i64> =
        sqlx::query_scalar("select number from report_cursor where source = $1 for update").bind(source).fetch_optional(db).await?;
    Ok(found.unwrap_or_default())
}

/// Stores lines and moves the cursor behind them.
pub(crate) async fn insert_lines(db: &mut PgConnection, source: &str, lines: &[NewLine], after: i64, now: Time) -> Result<(), Error> {
    sqlx::query(
        "insert into report_line (source, number, kind, reference, payment_id, amount_minor, fee_minor, currency, booked_at)
         select $1, line.* from unnest($2::bigint[], $3::text[], $4::text[], $5::uuid[], $6::bigint[], $7::bigint[], $8::text[], $9::timestamptz[])
             as line (number, kind, reference, payment_id, amount_minor, fee_minor, currency, booked_at)
         on conflict do nothing",
    )
    .bind(source)
    .bind(lines.iter().map(|line| line.number).collect::<Vec<_>>())
    .bind(lines.iter().map(|line| line.kind).collect::<Vec<_>>())
    .bind(lines.iter().map(|line| line.reference.clone()).collect::<Vec<_>>())
    .bind(lines.iter().map(|line| line.payment).collect::<Vec<_>>())
    .bind(lines.iter().map(|line| line.amount_minor).collect::<Vec<_>>())
    .bind(lines.iter().map(|line| line.fee_minor).collect::<Vec<_>>())
    .bind(lines.iter().map(|line| line.currency.clone()).collect::<Vec<_>>())
    .bind(lines.iter().map(|line| line.booked_at).collect::<Vec<_>>())
    .execute(&mut *db)
    .await?;
    let last = lines.iter().map(|line| line.number).fold(after, i64::max);
    sqlx::query(
        "insert into report_cursor (source, number, fetched_at) values ($1, $2, $3)
         on conflict (source) do update set number = greatest(report_cursor.number, excluded.number), fetched_at = excluded.fetched_at",
    )
    .bind(source)
    .bind(last)
    .bind(now)
    .execute(db)
    .await?;
    Ok(())
}

/// Finds the entry of each line that has none yet: the same kind, about the same thing.
pub(crate) async fn match_entries(db: &mut PgConnection, source: &str) -> Result<u64, Error> {
    let done = sqlx::query(
        "update report_line line set entry_id = entry.entry_id from ledger_entry entry
         where line.source = $1 and line.entry_id is null and entry.kind = line.kind
             and entry.reference = substring(line.reference from '[0-9a-f]{32}$')::uuid
             and not exists (select from report_line other where other.entry_id = entry.entry_id)",
    )
    .bind(source)
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Payments that reported lines without an entry are about.
pub(crate) async fn payments_of_unmatched(db: &mut PgConnection, source: &str, limit: i64) -> Result<Vec<Uuid>, Error> {
    let rows = sqlx::query_scalar(
        "select distinct payment_id from report_line where source = $1 and entry_id is null and payment_id is not null order by payment_id limit $2",
    )
    .bind(source)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(rows)
}

/// Names the entry that an adjustment made for a line.
pub(crate) async fn settle_line(db: &mut PgConnection, source: &str, reference: &str, kind: &str, entry: Uuid) -> Result<(), Error> {
    sqlx::query("update report_line set entry_id = $4 where source = $1 and reference = $2 and kind = $3 and entry_id is null")
        .bind(source)
        .bind(reference)
        .bind(kind)
        .bind(entry)
        .execute(db)
        .await?;
    Ok(())
}

/// Opens an item for every difference that has none: lines without an entry, entries of our account with the source (older than the
/// grace that reports are given, younger than the first line: a source that reports nothing is not compared) without a line, and pairs
/// whose amounts differ.
pub(crate) async fn open_items(db: &mut PgConnection, source: &str, account: &str, reported_before: Time, now: Time) -> Result<u64, Error> {
    let done = sqlx::query(
        "with ours as (
             select entry.entry_id, entry.kind, entry.payment_id, entry.posted_at, account.currency, sum(posting.amount_minor)::bigint as minor
             from ledger_entry entry join ledger_posting posting on posting.entry_id = entry.entry_id
                 join ledger_account account on account.account_id = posting.account_id
             where account.kind = $2 and account.psp = $1 and entry.kind <> 'adjustment'
             group by entry.entry_id, entry.kind, entry.payment_id, entry.posted_at, account.currency
         ), found as (
             select 'not_in_ledger' as kind, line.reference, line.kind as about, line.payment_id, line.amount_minor - line.fee_minor as reported_minor,
                 0::bigint as booked_minor, line.currency
             from report_line line where line.source = $1 and line.entry_id is null
             union all
             select 'not_reported', 'led_' || replace(ours.entry_id::text, '-', ''), ours.kind, ours.payment_id, 0, ours.minor, ours.currency
             from ours where ours.posted_at < $3 and ours.posted_at >= (select min(line.booked_at) from report_line line where line.source = $1)
                 and ours.minor <> 0 and not exists (select from report_line line where line.entry_id = ours.entry_id)
             union all
             select 'amount_differs', line.reference, line.kind, line.payment_id, line.amount_minor - line.fee_minor, ours.minor, line.currency
             from report_line line join ours on ours.entry_id = line.entry_id
             where line.source = $1 and line.amount_minor - line.fee_minor <> ours.minor
         )
         insert into open_item (item_id, source, kind, reference, about, payment_id, reported_minor, booked_minor, currency, state, opened_at)
         select gen_random_uuid(), $1, kind, reference, about, payment_id, reported_minor, booked_minor, currency, 'open', $4 from found
         on conflict (source, kind, reference) do nothing",
    )
    .bind(source)
    .bind(account)
    .bind(reported_before)
    .bind(now)
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Clears items whose difference is gone: the entry or the line came after all.
pub(crate) async fn clear_items(db: &mut PgConnection, source: &str, now: Time) -> Result<u64, Error> {
    let done = sqlx::query(
        "update open_item item set state = 'cleared', closed_at = $2
         where item.source = $1 and item.state = 'open' and (
             (item.kind = 'not_in_ledger' and exists
                 (select from report_line line where line.source = $1 and line.reference = item.reference and line.kind = item.about and line.entry_id is not null))
             or (item.kind = 'not_reported' and exists
                 (select from report_line line where line.entry_id = substring(item.reference from '[0-9a-f]{32}$')::uuid)))",
    )
    .bind(source)
    .bind(now)
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// An open item as it is read back.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Item {
    pub(crate) item_id: Uuid,
    pub(crate) source: String,
    pub(crate) kind: String,
    pub(crate) reference: String,
    pub(crate) about: String,
    pub(crate) payment_id: Option<Uuid>,
    pub(crate) reported_minor: i64,
    pub(crate) booked_minor: i64,
    pub(crate) currency: String,
    pub(crate) state: String,
    pub(crate) note: String,
    pub(crate) worked_by: String,
    pub(crate) opened_at: Time,
    pub(crate) closed_at: Option<Time>,
}

pub(crate) async fn lock_item(db: &mut PgConnection, id: OpenItemId) -> Result<Item, Error> {
    let row = sqlx::query_as(
        "select item_id, source, kind, reference, about, payment_id, reported_minor, booked_minor, currency::text as currency, state, note, worked_by,
             opened_at, closed_at
         from open_item where item_id = $1 for update",
    )
    .bind(id.uuid())
    .fetch_optional(db)
    .await?;
    row.ok_or(Error::OpenItemNotFound(id))
}

pub(crate) async fn resolve_item(db: &mut PgConnection, item: &Item) -> Result<(), Error> {
    sqlx::query("update open_item set state = 'resolved', note = $2, worked_by = $3, closed_at = $4 where item_id = $1")
        .bind(item.item_id)
        .bind(&item.note)
        .bind(&item.worked_by)
        .bind(item.closed_at)
        .execute(db)
        .await?;
    Ok(())
}

/// A page of items, those opened last first.
pub(crate) async fn list_items(db: &mut PgConnection, state: Option<&str>, before: Option<Uuid>, limit: i64) -> Result<Vec<Item>, Error> {
    let rows = sqlx::query_as(
        "select item_id, source, kind, reference, about, payment_id, reported_minor, booked_minor, currency::text as currency, state, note, worked_by,
             opened_at, closed_at
         from open_item
         where ($1::text is null or state = $1) and ($2::uuid is null
             or (opened_at, item_id) < (select last.opened_at, last.item_id from open_item last where last.item_id = $2))
         order by opened_at desc, item_id desc limit $3",
    )
    .bind(state)
    .bind(before)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(rows)
}

/// How far a report has been read.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Progress {
    pub(crate) source: String,
    pub(crate) lines: i64,
    pub(crate) unmatched: i64,
    pub(crate) fetched_at: Time,
}

pub(crate) async fn progress(db: &mut PgConnection) -> Result<Vec<Progress>, Error> {
    let rows = sqlx::query_as(
        "select fetched.source, count(line.number) as lines, count(line.number) filter (where line.entry_id is null) as unmatched, fetched.fetched_at
         from report_cursor fetched left join report_line line on line.source = fetched.source
         group by fetched.source, fetched.fetched_at order by fetched.source",
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}

pub(crate) async fn count_open(db: &mut PgConnection) -> Result<i64, Error> {
    Ok(sqlx::query_scalar("select count(*) from open_item where state = 'open'").fetch_one(db).await?)
}

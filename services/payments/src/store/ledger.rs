//! The ledger's tables. Rows are only ever added; that every entry balances is the database's own rule.

use std::collections::BTreeMap;

use api_orders::{OrderId, SubOrderId};
use api_payments::PaymentId;
use kit_core::{Money, TenantId, Time};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::ledger::{Account, Entry};

/// Makes accounts that do not exist yet.
pub(crate) async fn open_accounts(db: &mut PgConnection, accounts: &[Account]) -> Result<(), Error> {
    sqlx::query(
        "insert into ledger_account (account_id, kind, tenant_id, psp, currency)
         select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[]) as row (account_id, kind, tenant_id, psp, currency)
         order by account_id on conflict do nothing",
    )
    .bind(accounts.iter().map(Account::id).collect::<Vec<_>>())
    .bind(accounts.iter().map(|account| account.kind.word()).collect::<Vec<_>>())
    .bind(accounts.iter().map(|account| account.tenant.map(TenantId::uuid)).collect::<Vec<_>>())
    .bind(accounts.iter().map(|account| account.psp.clone()).collect::<Vec<_>>())
    .bind(accounts.iter().map(|account| account.currency.to_string()).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn insert_entries(db: &mut PgConnection, entries: &[Entry]) -> Result<(), Error> {
    sqlx::query(
        "insert into ledger_entry (entry_id, kind, payment_id, order_id, reference, posted_at)
         select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::uuid[], $6::timestamptz[])",
    )
    .bind(entries.iter().map(|entry| entry.id.uuid()).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.kind.word()).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.payment.map(PaymentId::uuid)).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.order.map(OrderId::uuid)).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.reference).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.at).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn insert_postings(db: &mut PgConnection, entries: &[Entry]) -> Result<(), Error> {
    let lines = || entries.iter().flat_map(|entry| entry.postings.iter().zip(1_i32..).map(move |(posting, line)| (entry, posting, line)));
    sqlx::query(
        "insert into ledger_posting (entry_id, line, account_id, tenant_id, sub_order_id, amount_minor, currency)
         select * from unnest($1::uuid[], $2::integer[], $3::uuid[], $4::uuid[], $5::uuid[], $6::bigint[], $7::text[])",
    )
    .bind(lines().map(|(entry, _, _)| entry.id.uuid()).collect::<Vec<_>>())
    .bind(lines().map(|(_, _, line)| line).collect::<Vec<_>>())
    .bind(lines().map(|(_, posting, _)| posting.account.id()).collect::<Vec<_>>())
    .bind(lines().map(|(_, posting, _)| posting.account.tenant.map(TenantId::uuid)).collect::<Vec<_>>())
    .bind(lines().map(|(_, posting, _)| posting.sub_order.map(SubOrderId::uuid)).collect::<Vec<_>>())
    .bind(lines().map(|(_, posting, _)| posting.amount_minor).collect::<Vec<_>>())
    .bind(lines().map(|(_, posting, _)| posting.account.currency.to_string()).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

/// An entry with one of its postings, as they are read back.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Line {
    pub(crate) entry_id: Uuid,
    pub(crate) kind: String,
    pub(crate) payment_id: Option<Uuid>,
    pub(crate) order_id: Option<Uuid>,
    pub(crate) reference: Uuid,
    pub(crate) posted_at: Time,
    pub(crate) account: String,
    pub(crate) tenant_id: Option<Uuid>,
    pub(crate) psp: Option<String>,
    pub(crate) sub_order_id: Option<Uuid>,
    pub(crate) amount_minor: i64,
    pub(crate) currency: String,
}

/// The ids of a page of entries, newest first.
pub(crate) async fn page(db: &mut PgConnection, order: Option<OrderId>, before: Option<Uuid>, limit: i64) -> Result<Vec<Uuid>, Error> {
    let ids = sqlx::query_scalar(
        "select entry_id from ledger_entry
         where ($1::uuid is null or order_id = $1) and ($2::uuid is null or entry_id < $2) order by entry_id desc limit $3",
    )
    .bind(order.map(OrderId::uuid))
    .bind(before)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(ids)
}

/// The ids of a page of entries that touch accounts of a tenant, newest first.
pub(crate) async fn page_of_tenant(
    db: &mut PgConnection,
    tenant: TenantId,
    order: Option<OrderId>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Uuid>, Error> {
    let ids = sqlx::query_scalar(
        "select distinct posting.entry_id from ledger_posting posting join ledger_entry entry on entry.entry_id = posting.entry_id
         where posting.tenant_id = $1 and ($2::uuid is null or entry.order_id = $2) and ($3::uuid is null or posting.entry_id < $3)
         order by posting.entry_id desc limit $4",
    )
    .bind(tenant.uuid())
    .bind(order.map(OrderId::uuid))
    .bind(before)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(ids)
}

/// The postings of entries that the transaction may see, newest entry first.
pub(crate) async fn lines(db: &mut PgConnection, entries: &[Uuid]) -> Result<Vec<Line>, Error> {
    let rows = sqlx::query_as(
        "select entry.entry_id, entry.kind, entry.payment_id, entry.order_id, entry.reference, entry.posted_at, account.kind as account, account.tenant_id,
             account.psp, posting.sub_order_id, posting.amount_minor, posting.currency::text as currency
         from ledger_entry entry join ledger_posting posting on posting.entry_id = entry.entry_id
             join ledger_account account on account.account_id = posting.account_id
         where entry.entry_id = any($1) order by entry.entry_id desc, posting.line",
    )
    .bind(entries)
    .fetch_all(db)
    .await?;
    Ok(rows)
}

/// What an account adds up to.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Balance {
    pub(crate) account: String,
    pub(crate) tenant_id: Option<Uuid>,
    pub(crate) psp: Option<String>,
    pub(crate) currency: String,
    pub(crate) balance_minor: i64,
}

/// Every account that the transaction may see.
pub(crate) async fn balances(db: &mut PgConnection) -> Result<Vec<Balance>, Error> {
    let rows = sqlx::query_as(
        "select account.kind as account, account.tenant_id, account.psp, account.currency::text as currency, coalesce(posted.sum, 0)::bigint as balance_minor
         from ledger_account account
             left join (select account_id, sum(amount_minor) as sum from ledger_posting group by account_id) posted on posted.account_id = account.account_id
         order by account.currency, account.kind, account.psp, account.tenant_id",
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}

/// A tenant's own accounts; found by the index over its postings.
pub(crate) async fn balances_of_tenant(db: &mut PgConnection, tenant: TenantId) -> Result<Vec<Balance>, Error> {
    let rows = sqlx::query_as(
        "select account.kind as account, account.tenant_id, account.psp, account.currency::text as currency, sum(posting.amount_minor)::bigint as balance_minor
         from ledger_posting posting join ledger_account account on account.account_id = posting.account_id
         where posting.tenant_id = $1 group by account.account_id, account.kind, account.tenant_id, account.psp, account.currency order by account.currency, account.kind",
    )
    .bind(tenant.uuid())
    .fetch_all(db)
    .await?;
    Ok(rows)
}

/// Where the ledger's receivables and the payments' own sums differ, per PSP and currency, seen in one moment.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Difference {
    pub(crate) psp: String,
    pub(crate) currency: String,
    pub(crate) payments_minor: i64,
    pub(crate) ledger_minor: i64,
}

pub(crate) async fn differences(db: &mut PgConnection) -> Result<Vec<Difference>, Error> {
    let rows = sqlx::query_as(
        "with paid as (
             select psp, currency::text as currency, sum(captured_minor - refunded_minor)::bigint as minor from payment group by psp, currency
         ), posted as (
             select account.psp, account.currency::text as currency, sum(posting.amount_minor)::bigint as minor
             from ledger_posting posting join ledger_account account on account.account_id = posting.account_id
                 join ledger_entry entry on entry.entry_id = posting.entry_id
             where account.kind in ('psp_receivable', 'psp_fees', 'fee_tax') and entry.kind in ('capture', 'refund')
             group by account.psp, account.currency
         )
         select coalesce(paid.psp, posted.psp) as psp, coalesce(paid.currency, posted.currency) as currency,
             coalesce(paid.minor, 0) as payments_minor, coalesce(posted.minor, 0) as ledger_minor
         from paid full join posted on posted.psp = paid.psp and posted.currency = paid.currency
         where coalesce(paid.minor, 0) <> coalesce(posted.minor, 0)",
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}

/// Sums balances per currency.
pub(crate) fn sums(balances: &[Balance]) -> Result<Vec<Money>, Error> {
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for balance in balances {
        let sum = sums.entry(balance.currency.clone()).or_default();
        *sum = sum.checked_add(balance.balance_minor).ok_or(kit_core::MoneyError::Overflow)?;
    }
    sums.into_iter().map(|(currency, minor)| Ok(Money::new(minor, currency.parse()?))).collect()
}

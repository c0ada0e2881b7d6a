//! Sellers' accounts: what is available, and the lines that explain it. Whoever adds a line holds the lock of its account.

use api_orders::{OrderId, SubOrderId};
use api_payments::{EntryId, PayoutId};
use kit_core::{Currency, TenantId, Time};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;

/// A seller's account in one currency, locked.
#[derive(Debug, Clone)]
pub(crate) struct SellerBalance {
    pub(crate) tenant: TenantId,
    pub(crate) currency: Currency,
    pub(crate) lines: i64,
    pub(crate) available_minor: i64,
    pub(crate) last_at: Option<Time>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineKind {
    Sale,
    Reversal,
    Payout,
    PayoutFailed,
    PayoutReturned,
    Adjustment,
}

impl LineKind {
    pub(crate) const ALL: [(Self, &'static str); 6] = [
        (Self::Sale, "sale"),
        (Self::Reversal, "reversal"),
        (Self::Payout, "payout"),
        (Self::PayoutFailed, "payout_failed"),
        (Self::PayoutReturned, "payout_returned"),
        (Self::Adjustment, "adjustment"),
    ];

    pub(crate) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("adjustment", |(_, word)| word)
    }

    pub(crate) fn of_word(word: &str) -> Self {
        Self::ALL.iter().find(|(_, known)| *known == word).map_or(Self::Adjustment, |(kind, _)| *kind)
    }
}

/// A movement of what is available.
#[derive(Debug, Clone)]
pub(crate) struct NewLine {
    pub(crate) kind: LineKind,
    pub(crate) entry: EntryId,
    pub(crate) order: Option<OrderId>,
    pub(crate) sub_order: Option<SubOrderId>,
    pub(crate) payout: Option<PayoutId>,
    pub(crate) amount_minor: i64,
}

/// Locks a seller's account for the rest of the transaction; opens it when there is none.
pub(crate) async fn lock(db: &mut PgConnection, tenant: TenantId, currency: Currency) -> Result<SellerBalance, Error> {
    sqlx::query("insert into seller_balance (tenant_id, currency) values ($1, $2) on conflict do nothing")
        .bind(tenant.uuid())
        .bind(currency.to_string())
        .execute(&mut *db)
        .await?;
    let (lines, available_minor, last_at) =
        sqlx::query_as("select lines, available_minor, last_at from seller_balance where tenant_id = $1 and currency = $2 for update")
            .bind(tenant.uuid())
            .bind(currency.to_string())
            .fetch_one(db)
            .await?;
    Ok(SellerBalance { tenant, currency, lines, available_minor, last_at })
}

/// Adds lines to a locked account, in their order; answers the moment they stand at, never before the line before them.
pub(crate) async fn append(db: &mut PgConnection, balance: &mut SellerBalance, new: &[NewLine], now: Time) -> Result<Time, Error> {
    let at = balance.last_at.map_or(now, |last| last.max(now));
    let (mut numbers, mut balances) = (Vec::with_capacity(new.len()), Vec::with_capacity(new.len()));
    for line in new {
        balance.lines += 1;
        balance.available_minor = balance.available_minor.checked_add(line.amount_minor).ok_or(kit_core::MoneyError::Overflow)?;
        numbers.push(balance.lines);
        balances.push(balance.available_minor);
    }
    balance.last_at = Some(at);
    sqlx::query(
        "insert into statement_line (tenant_id, currency, number, kind, entry_id, order_id, sub_order_id, payout_id, amount_minor, balance_minor, at)
         select $1, $2, line.*, $3 from unnest($4::bigint[], $5::text[], $6::uuid[], $7::uuid[], $8::uuid[], $9::uuid[], $10::bigint[], $11::bigint[])
             as line (number, kind, entry_id, order_id, sub_order_id, payout_id, amount_minor, balance_minor)",
    )
    .bind(balance.tenant.uuid())
    .bind(balance.currency.to_string())
    .bind(at)
    .bind(numbers)
    .bind(new.iter().map(|line| line.kind.word()).collect::<Vec<_>>())
    .bind(new.iter().map(|line| line.entry.uuid()).collect::<Vec<_>>())
    .bind(new.iter().map(|line| line.order.map(OrderId::uuid)).collect::<Vec<_>>())
    .bind(new.iter().map(|line| line.sub_order.map(SubOrderId::uuid)).collect::<Vec<_>>())
    .bind(new.iter().map(|line| line.payout.map(PayoutId::uuid)).collect::<Vec<_>>())
    .bind(new.iter().map(|line| line.amount_minor).collect::<Vec<_>>())
    .bind(balances)
    .execute(&mut *db)
    .await?;
    sqlx::query("update seller_balance set lines = $3, available_minor = $4, last_at = $5 where tenant_id = $1 and currency = $2")
        .bind(balance.tenant.uuid())
        .bind(balance.currency.to_string())
        .bind(balance.lines)
        .bind(balance.available_minor)
        .bind(at)
        .execute(db)
        .await?;
    Ok(at)
}

/// What was available at a moment.
pub(crate) async fn available_at(db: &mut PgConnection, tenant: TenantId, currency: Currency, at: Time) -> Result<i64, Error> {
    let found: Option<i64> = sqlx::query_scalar(
        "select balance_minor from statement_line where tenant_id = $1 and currency = $2 and at < $3 order by at desc, number desc limit 1",
    )
    .bind(tenant.uuid())
    .bind(currency.to_string())
    .bind(at)
    .fetch_optional(db)
    .await?;
    Ok(found.unwrap_or_default())
}

/// A line as it is read back.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Line {
    pub(crate) number: i64,
    pub(crate) kind: String,
    pub(crate) entry_id: Uuid,
    pub(crate) order_id: Option<Uuid>,
    pub(crate) sub_order_id: Option<Uuid>,
    pub(crate) payout_id: Option<Uuid>,
    pub(crate) amount_minor: i64,
    pub(crate) balance_minor: i64,
    pub(crate) at: Time,
}

/// Lines by their numbers, both ends included.
pub(crate) async fn between(
    db: &mut PgConnection,
    tenant: TenantId,
    currency: Currency,
    first: i64,
    last: i64,
    limit: i64,
) -> Result<Vec<Line>, Error> {
    let rows = sqlx::query_as(
        "select number, kind, entry_id, order_id, sub_order_id, payout_id, amount_minor, balance_minor, at from statement_line
         where tenant_id = $1 and currency = $2 and number between $3 and $4 order by number limit $5",
    )
    .bind(tenant.uuid())
    .bind(currency.to_string())
    .bind(first)
    .bind(last)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(rows)
}

/// Lines of a span of time, its end excluded.
pub(crate) async fn during(
    db: &mut PgConnection,
    tenant: TenantId,
    currency: Currency,
    from: Time,
    to: Time,
    limit: i64,
) -> Result<Vec<Line>, Error> {
    let rows = sqlx::query_as(
        "select number, kind, entry_id, order_id, sub_order_id, payout_id, amount_minor, balance_minor, at from statement_line
         where tenant_id = $1 and currency = $2 and at >= $3 and at < $4 order by number limit $5",
    )
    .bind(tenant.uuid())
    .bind(currency.to_string())
    .bind(from)
    .bind(to)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(rows)
}

//! Sub-orders on their way to being available, and whom money is paid to.

use api_orders::{OrderId, SubOrderId};
use kit_core::{TenantId, Time};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::ledger::Pending;

/// Notes that a sub-order was delivered, and when its money becomes available. The first word counts.
pub(crate) async fn insert_part(
    db: &mut PgConnection,
    sub_order: SubOrderId,
    tenant: TenantId,
    order: OrderId,
    delivered_at: Time,
    release_at: Time,
) -> Result<(), Error> {
    sqlx::query(
        "insert into settlement_part (sub_order_id, tenant_id, order_id, delivered_at, release_at) values ($1, $2, $3, $4, $5)
         on conflict (sub_order_id) do nothing",
    )
    .bind(sub_order.uuid())
    .bind(tenant.uuid())
    .bind(order.uuid())
    .bind(delivered_at)
    .bind(release_at)
    .execute(db)
    .await?;
    Ok(())
}

/// Money of these sub-orders has moved: those that were released are to be looked at again.
pub(crate) async fn mark_stale(db: &mut PgConnection, sub_orders: &[Uuid]) -> Result<(), Error> {
    sqlx::query(
        "update settlement_part set stale = true where sub_order_id in
             (select sub_order_id from settlement_part where sub_order_id = any($1) order by sub_order_id for update)",
    )
    .bind(sub_orders)
    .execute(db)
    .await?;
    Ok(())
}

/// Marks released sub-orders whose pending accounts are not empty: money that was captured or moved after the release.
pub(crate) async fn mark_left_behind(db: &mut PgConnection) -> Result<(), Error> {
    sqlx::query(
        "update settlement_part set stale = true where not stale and sub_order_id in (
             select part.sub_order_id from settlement_part part
                 join ledger_entry entry on entry.order_id = part.order_id
                 join ledger_posting posting on posting.entry_id = entry.entry_id and posting.sub_order_id = part.sub_order_id
                 join ledger_account account on account.account_id = posting.account_id
             where part.released_at is not null and account.kind in ('tenant_payable', 'tenant_shipping')
             group by part.sub_order_id, posting.currency having sum(posting.amount_minor) <> 0)",
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A sub-order that is due, locked.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct DuePart {
    pub(crate) sub_order_id: Uuid,
    pub(crate) released_at: Option<Time>,
}

/// Locks sub-orders whose money is to be released, or moved on after that; those that another process is at are left to it.
pub(crate) async fn due(db: &mut PgConnection, now: Time, limit: i64) -> Result<Vec<DuePart>, Error> {
    let rows = sqlx::query_as(
        "select sub_order_id, released_at from settlement_part where (released_at is null and release_at <= $1) or (stale and released_at is not null)
         order by sub_order_id limit $2 for update skip locked",
    )
    .bind(now)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(rows)
}

#[derive(sqlx::FromRow)]
struct PendingRow {
    sub_order_id: Uuid,
    tenant_id: Uuid,
    order_id: Uuid,
    currency: String,
    payable_minor: i64,
    shipping_minor: i64,
}

/// What the pending accounts hold for sub-orders, in the order of tenants; nothing for nothing.
pub(crate) async fn pending(db: &mut PgConnection, sub_orders: &[Uuid]) -> Result<Vec<Pending>, Error> {
    let rows: Vec<PendingRow> = sqlx::query_as(
        "select part.sub_order_id, part.tenant_id, part.order_id, posting.currency::text as currency,
             -coalesce(sum(posting.amount_minor) filter (where account.kind = 'tenant_payable'), 0)::bigint as payable_minor,
             -coalesce(sum(posting.amount_minor) filter (where account.kind = 'tenant_shipping'), 0)::bigint as shipping_minor
         from settlement_part part
             join ledger_entry entry on entry.order_id = part.order_id
             join ledger_posting posting on posting.entry_id = entry.entry_id and posting.sub_order_id = part.sub_order_id
             join ledger_account account on account.account_id = posting.account_id
         where part.sub_order_id = any($1) and account.kind in ('tenant_payable', 'tenant_shipping')
         group by part.sub_order_id, part.tenant_id, part.order_id, posting.currency
         having sum(posting.amount_minor) filter (where account.kind = 'tenant_payable') <> 0
             or sum(posting.amount_minor) filter (where account.kind = 'tenant_shipping') <> 0
         order by part.tenant_id, posting.currency, part.sub_order_id",
    )
    .bind(sub_orders)
    .fetch_all(db)
    .await?;
    let read = |row: PendingRow| {
        Ok(Pending {
            sub_order: row.sub_order_id.into(),
            tenant: row.tenant_id.into(),
            order: row.order_id.into(),
            currency: row.currency.parse()?,
            payable_minor: row.payable_minor,
            shipping_minor: row.shipping_minor,
        })
    };
    rows.into_iter().map(read).collect()
}

pub(crate) async fn mark_released(db: &mut PgConnection, sub_orders: &[Uuid], now: Time) -> Result<(), Error> {
    sqlx::query("update settlement_part set released_at = coalesce(released_at, $2), stale = false where sub_order_id = any($1)")
        .bind(sub_orders)
        .bind(now)
        .execute(db)
        .await?;
    Ok(())
}

/// Whom money is paid to.
#[derive(Debug, Clone, Default, sqlx::FromRow)]
pub(crate) struct Payee {
    pub(crate) plan: String,
    pub(crate) active: bool,
    pub(crate) bank: Option<String>,
    pub(crate) beneficiary: Option<String>,
    pub(crate) holder: String,
    pub(crate) account_last4: String,
    pub(crate) account_since: Option<Time>,
    pub(crate) blocked_reason: String,
}

pub(crate) async fn payee(db: &mut PgConnection, tenant: TenantId) -> Result<Option<Payee>, Error> {
    let row = sqlx::query_as(
        "select plan, active, bank, beneficiary, holder, account_last4, account_since, blocked_reason from payee where tenant_id = $1",
    )
    .bind(tenant.uuid())
    .fetch_optional(db)
    .await?;
    Ok(row)
}

/// What tenants tell: the plan, and whether the tenant is active.
pub(crate) async fn put_standing(db: &mut PgConnection, tenant: TenantId, plan: &str, active: bool) -> Result<(), Error> {
    sqlx::query(
        "insert into payee (tenant_id, plan, active) values ($1, $2, $3)
         on conflict (tenant_id) do update set plan = excluded.plan, active = excluded.active",
    )
    .bind(tenant.uuid())
    .bind(plan)
    .bind(active)
    .execute(db)
    .await?;
    Ok(())
}

/// What the seller tells: another account, which ends a block.
pub(crate) async fn put_account(db: &mut PgConnection, tenant: TenantId, payee: &Payee) -> Result<(), Error> {
    sqlx::query(
        "insert into payee (tenant_id, bank, beneficiary, holder, account_last4, account_since) values ($1, $2, $3, $4, $5, $6)
         on conflict (tenant_id) do update set bank = excluded.bank, beneficiary = excluded.beneficiary, holder = excluded.holder,
             account_last4 = excluded.account_last4, account_since = excluded.account_since, blocked_reason = ''",
    )
    .bind(tenant.uuid())
    .bind(&payee.bank)
    .bind(&payee.beneficiary)
    .bind(&payee.holder)
    .bind(&payee.account_last4)
    .bind(payee.account_since)
    .execute(db)
    .await?;
    Ok(())
}

/// Nothing more goes to this account; another one may have been given meanwhile.
pub(crate) async fn block(db: &mut PgConnection, tenant: TenantId, beneficiary: &str, reason: &str) -> Result<(), Error> {
    sqlx::query("update payee set blocked_reason = $3 where tenant_id = $1 and beneficiary = $2")
        .bind(tenant.uuid())
        .bind(beneficiary)
        .bind(reason)
        .execute(db)
        .await?;
    Ok(())
}

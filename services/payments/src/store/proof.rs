//! The invariants of the books, each as a query that answers what contradicts it.

use kit_core::Time;
use sqlx::PgConnection;

use crate::error::Error;

/// How much there is to look at: entries, postings, payments, payouts, lines of statements, lines of reports.
pub(crate) async fn counts(db: &mut PgConnection) -> Result<[i64; 6], Error> {
    let (entries, postings, payments, payouts, lines, reported) = sqlx::query_as(
        "select (select count(*) from ledger_entry), (select count(*) from ledger_posting), (select count(*) from payment),
             (select count(*) from payout), (select count(*) from statement_line), (select count(*) from report_line)",
    )
    .fetch_one(db)
    .await?;
    Ok([entries, postings, payments, payouts, lines, reported])
}

pub(crate) async fn unbalanced_entries(db: &mut PgConnection) -> Result<Vec<String>, Error> {
    let rows = sqlx::query_scalar(
        "select 'entry ' || entry_id || ' sums to ' || sum(amount_minor) || ' ' || currency from ledger_posting
         group by entry_id, currency having sum(amount_minor) <> 0 limit 20",
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}

pub(crate) async fn currencies_that_do_not_sum_to_zero(db: &mut PgConnection) -> Result<Vec<String>, Error> {
    let rows = sqlx::query_scalar(
        "select 'all accounts in ' || currency || ' sum to ' || sum(amount_minor) from ledger_posting group by currency having sum(amount_minor) <> 0",
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}

/// Orders whose captures, refunds and disputes in the ledger are not those of their payments.
pub(crate) async fn orders_that_differ(db: &mut PgConnection) -> Result<Vec<String>, Error> {
    let rows = sqlx::query_scalar(
        "with paid as (
             select order_id, currency, sum(captured_minor - refunded_minor)::bigint as minor from payment group by order_id, currency
         ), posted as (
             select entry.order_id, posting.currency, sum(posting.amount_minor)::bigint as minor
             from ledger_entry entry join ledger_posting posting on posting.entry_id = entry.entry_id
                 join ledger_account account on account.account_id = posting.account_id
             where entry.kind in ('capture', 'refund') and account.kind in ('psp_receivable', 'psp_fees', 'fee_tax')
             group by entry.order_id, posting.currency
         )
         select 'order ' || coalesce(paid.order_id, posted.order_id) || ': payments say ' || coalesce(paid.minor, 0) || ', the ledger says '
             || coalesce(posted.minor, 0)
         from paid full join posted on posted.order_id = paid.order_id and posted.currency = paid.currency
         where coalesce(paid.minor, 0) <> coalesce(posted.minor, 0) limit 20",
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}

/// Orders of which what was captured is not what sellers, tax and the marketplace got of it, less what went back.
pub(crate) async fn orders_not_divided_whole(db: &mut PgConnection) -> Result<Vec<String>, Error> {
    let rows = sqlx::query_scalar(
        "select 'order ' || entry.order_id || ': received and given to do not meet by ' || sum(posting.amount_minor)
         from ledger_entry entry join ledger_posting posting on posting.entry_id = entry.entry_id
         where entry.order_id is not null
         group by entry.order_id, posting.currency having sum(posting.amount_minor) <> 0 limit 20",
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}

/// Sub-orders of which somebody gave back more than was taken: shares that are below zero.
pub(crate) async fn negative_shares(db: &mut PgConnection) -> Result<Vec<String>, Error> {
    let rows = sqlx::query_scalar(
        "select 'sub-order ' || posting.sub_order_id || ': ' || account.kind || ' is ' || -sum(posting.amount_minor)
         from ledger_entry entry join ledger_posting posting on posting.entry_id = entry.entry_id
             join ledger_account account on account.account_id = posting.account_id
         where entry.kind in ('capture', 'refund', 'dispute_opened', 'dispute_won') and posting.sub_order_id is not null
             and account.kind in ('tenant_payable', 'tenant_shipping', 'tax_payable', 'platform_commission')
         group by posting.sub_order_id, account.kind, posting.currency having sum(posting.amount_minor) > 0 limit 20",
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}

/// Sellers whose account's balance, last statement line and ledger account are not the same.
pub(crate) async fn statements_that_differ(db: &mut PgConnection) -> Result<Vec<String>, Error> {
    let rows = sqlx::query_scalar(
        "with posted as (
             select account.tenant_id, account.currency, -sum(posting.amount_minor)::bigint as minor
             from ledger_posting posting join ledger_account account on account.account_id = posting.account_id
             where account.kind = 'tenant_available' group by account.tenant_id, account.currency
         ), summed as (
             select tenant_id, currency, sum(amount_minor)::bigint as minor, count(*) as lines, max(number) as last from statement_line
             group by tenant_id, currency
         )
         select 'tenant ' || balance.tenant_id || ' ' || balance.currency || ': balance ' || balance.available_minor || ', statement '
             || coalesce(summed.minor, 0) || ', ledger ' || coalesce(posted.minor, 0)
         from seller_balance balance
             full join posted on posted.tenant_id = balance.tenant_id and posted.currency = balance.currency
             left join summed on summed.tenant_id = balance.tenant_id and summed.currency = balance.currency
         where coalesce(balance.available_minor, 0) <> coalesce(posted.minor, 0) or coalesce(balance.available_minor, 0) <> coalesce(summed.minor, 0)
             or coalesce(balance.lines, 0) <> coalesce(summed.lines, 0) or coalesce(balance.lines, 0) <> coalesce(summed.last, 0)
         limit 20",
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}

/// Payouts larger than what was available before them, or whose line does not say the same.
pub(crate) async fn payouts_beyond_available(db: &mut PgConnection) -> Result<Vec<String>, Error> {
    let rows = sqlx::query_scalar(
        "select 'payout ' || payout.payout_id || ': ' || payout.amount_minor || ' of ' || payout.available_minor || ' available, its line says '
             || coalesce(line.amount_minor::text, 'nothing')
         from payout left join statement_line line on line.tenant_id = payout.tenant_id and line.currency = payout.currency and line.number = payout.last_line
         where payout.amount_minor > payout.available_minor or line.payout_id is distinct from payout.payout_id
             or line.amount_minor <> -payout.amount_minor or line.balance_minor < 0 or line.balance_minor <> payout.available_minor - payout.amount_minor
         limit 20",
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}

/// Payouts whose entries are not those of their state.
pub(crate) async fn payouts_booked_otherwise(db: &mut PgConnection) -> Result<Vec<String>, Error> {
    let rows = sqlx::query_scalar(
        "with booked as (
             select payout.payout_id, payout.state, coalesce(array_agg(entry.kind order by entry.kind) filter (where entry.kind is not null), '{}') as kinds
             from payout left join ledger_entry entry on entry.reference = payout.payout_id and entry.kind like 'payout%'
             group by payout.payout_id, payout.state
         )
         select 'payout ' || payout_id || ' is ' || state || ' and booked as ' || array_to_string(kinds, ', ') from booked
         where kinds <> case state when 'paid' then array['payout', 'payout_paid'] when 'failed' then array['payout', 'payout_failed']
             when 'returned' then array['payout', 'payout_paid', 'payout_returned'] else array['payout'] end
         limit 20",
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}

/// Released sub-orders whose pending accounts are not empty although nothing waits to be moved on.
pub(crate) async fn left_behind(db: &mut PgConnection) -> Result<Vec<String>, Error> {
    let rows = sqlx::query_scalar(
        "select 'sub-order ' || part.sub_order_id || ' was released and still holds ' || -sum(posting.amount_minor)
         from settlement_part part
             join ledger_entry entry on entry.order_id = part.order_id
             join ledger_posting posting on posting.entry_id = entry.entry_id and posting.sub_order_id = part.sub_order_id
             join ledger_account account on account.account_id = posting.account_id
         where part.released_at is not null and not part.stale and account.kind in ('tenant_payable', 'tenant_shipping')
         group by part.sub_order_id, posting.currency having sum(posting.amount_minor) <> 0 limit 20",
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}

/// Sources whose report and our account with them differ by something that no open item tells of. Whatever is booked after the last
/// line that was fetched is not compared.
pub(crate) async fn reports_that_differ(db: &mut PgConnection) -> Result<Vec<String>, Error> {
    let rows = sqlx::query_scalar(
        "with reported as (
             select source, currency, sum(amount_minor - fee_minor)::bigint as minor from report_line group by source, currency
         ), booked as (
             select account.psp as source, account.currency, sum(posting.amount_minor)::bigint as minor
             from ledger_posting posting join ledger_account account on account.account_id = posting.account_id
                 join ledger_entry entry on entry.entry_id = posting.entry_id
             where account.kind in ('psp_receivable', 'bank') and (exists (select from report_line line where line.entry_id = entry.entry_id)
                 or (entry.kind = 'adjustment' and exists
                     (select from open_item item where item.item_id = entry.reference and item.kind = 'amount_differs')))
             group by account.psp, account.currency
         ), waiting as (
             select source, currency, sum(minor)::bigint as minor from (
                 select source, currency, amount_minor - fee_minor as minor from report_line where entry_id is null
                 union all
                 select source, currency, reported_minor - booked_minor from open_item where kind = 'amount_differs' and not exists
                     (select from ledger_entry entry where entry.kind = 'adjustment' and entry.reference = item_id)
             ) each group by source, currency
         )
         select reported.source || ' reports ' || reported.minor || ' ' || reported.currency || ', our account with it holds ' || coalesce(booked.minor, 0)
             || ', open items hold ' || coalesce(waiting.minor, 0)
         from reported left join booked on booked.source = reported.source and booked.currency = reported.currency
             left join waiting on waiting.source = reported.source and waiting.currency = reported.currency
         where reported.minor <> coalesce(booked.minor, 0) + coalesce(waiting.minor, 0)",
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}

/// What was reported and is neither in the ledger nor an item that somebody works on. Lines younger than the moment are given time.
pub(crate) async fn unexplained_lines(db: &mut PgConnection, fetched_before: Time) -> Result<Vec<String>, Error> {
    let rows = sqlx::query_scalar(
        "select line.source || ' line ' || line.number || ' (' || line.kind || ' ' || line.reference || ') is not in the ledger and no open item'
         from report_line line
         where line.entry_id is null and line.booked_at < $1
             and not exists (select from open_item item where item.source = line.source and item.reference = line.reference and item.about = line.kind)
         limit 20",
    )
    .bind(fetched_before)
    .fetch_all(db)
    .await?;
    Ok(rows)
}

/// Per currency: what was captured, what PSPs kept of it, what went back, and what sellers, tax and the marketplace have of it.
pub(crate) async fn where_the_money_is(db: &mut PgConnection) -> Result<Vec<String>, Error> {
    let rows = sqlx::query_scalar(
        "select account.currency || ': ' || account.kind || ' ' || sum(posting.amount_minor)
         from ledger_posting posting join ledger_account account on account.account_id = posting.account_id
         group by account.currency, account.kind order by account.currency, account.kind",
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}

/// Currencies in which what was captured is not owed to sellers + paid out to them + tax + commission + refunds + disputes; fees are
/// ours and counted on both sides.
pub(crate) async fn captured_and_not_accounted_for(db: &mut PgConnection) -> Result<Vec<String>, Error> {
    let rows = sqlx::query_scalar(
        "with captured as (
             select currency, sum(captured_minor)::bigint as captured, sum(refunded_minor)::bigint as refunded from payment group by currency
         ), disputed as (
             select currency, sum(amount_minor)::bigint as minor from dispute where state <> 'won' group by currency
         ), held as (
             select account.currency, -sum(posting.amount_minor)::bigint as minor
             from ledger_posting posting join ledger_account account on account.account_id = posting.account_id
                 join ledger_entry entry on entry.entry_id = posting.entry_id
             where (account.tenant_id is not null or account.kind = 'platform_commission') and entry.kind <> 'adjustment'
             group by account.currency
         ), paid_out as (
             select currency, sum(amount_minor)::bigint as minor from payout where state not in ('failed', 'returned') group by currency
         ), passed_on as (
             select posting.currency, -sum(posting.amount_minor)::bigint as minor
             from ledger_posting posting join ledger_account account on account.account_id = posting.account_id
                 join ledger_entry entry on entry.entry_id = posting.entry_id
             where entry.kind = 'dispute_lost' and account.kind = 'dispute_fees' group by posting.currency
         )
         select captured.currency || ': captured ' || captured.captured || ' less refunds ' || captured.refunded || ' and disputes '
             || coalesce(disputed.minor, 0) || ' is not held ' || coalesce(held.minor, 0) || ' + paid out ' || coalesce(paid_out.minor, 0)
             || ' + fees passed on ' || coalesce(passed_on.minor, 0)
         from captured left join disputed using (currency) left join held using (currency) left join paid_out using (currency)
             left join passed_on using (currency)
         where captured.captured - captured.refunded - coalesce(disputed.minor, 0)
             <> coalesce(held.minor, 0) + coalesce(paid_out.minor, 0) + coalesce(passed_on.minor, 0)",
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}

//! Settlement, payouts, statements, disputes and open items between the contract's messages and our own types.

use api_orders::{OrderId, SubOrderId};
use api_payments as api;
use api_payments::{DisputeId, EntryId, OpenItemId, PaymentId, PayoutId};
use chrono::{Days, NaiveDate, NaiveTime};
use kit_core::{Currency, Money, Time};
use kit_rpc::{parse, proto, timestamp, violation};
use tonic::Status;

use crate::flows::{Check, Span, Standing, Statement};
use crate::model::{Dispute, DisputeState, Payment, Payout, PayoutState};
use crate::store::disputes::DisputeRow;
use crate::store::reports::{Item, Progress};
use crate::store::settlement::Payee;
use crate::store::statements::{Line, LineKind};
use crate::translate;

fn money(minor: i64, currency: Currency) -> Option<proto::Money> {
    Some(Money::new(minor, currency).into())
}

pub(crate) fn payout(payout: &Payout) -> api::Payout {
    let state = match payout.state {
        PayoutState::Created => api::PayoutState::Created,
        PayoutState::Sent => api::PayoutState::Sent,
        PayoutState::Paid => api::PayoutState::Paid,
        PayoutState::Failed => api::PayoutState::Failed,
        PayoutState::Returned => api::PayoutState::Returned,
    };
    api::Payout {
        payout_id: payout.id.to_string(),
        tenant_id: payout.tenant.to_string(),
        state: state.into(),
        amount: money(payout.amount_minor, payout.currency),
        period_start: Some(timestamp(payout.period.start)),
        period_end: Some(timestamp(payout.period.end)),
        account_last4: payout.account_last4.clone(),
        bank: payout.bank.clone(),
        bank_reference: payout.bank_reference.clone().unwrap_or_default(),
        failure: payout.failure.clone(),
        created_at: Some(timestamp(payout.created_at)),
        updated_at: Some(timestamp(payout.updated_at)),
    }
}

/// The state a list is filtered by; unspecified: any.
pub(crate) fn wanted_payouts(state: api::PayoutState) -> Option<PayoutState> {
    match state {
        api::PayoutState::Unspecified => None,
        api::PayoutState::Created => Some(PayoutState::Created),
        api::PayoutState::Sent => Some(PayoutState::Sent),
        api::PayoutState::Paid => Some(PayoutState::Paid),
        api::PayoutState::Failed => Some(PayoutState::Failed),
        api::PayoutState::Returned => Some(PayoutState::Returned),
    }
}

pub(crate) fn payout_account(payee: &Payee) -> api::PayoutAccount {
    api::PayoutAccount {
        holder: payee.holder.clone(),
        last4: payee.account_last4.clone(),
        since: payee.account_since.map(timestamp),
        blocked_reason: payee.blocked_reason.clone(),
    }
}

pub(crate) fn standing(standing: &Standing) -> Result<api::GetBalanceResponse, crate::error::Error> {
    let account = standing.payee.as_ref().filter(|payee| payee.bank.is_some()).map(payout_account);
    Ok(api::GetBalanceResponse {
        balances: translate::owed(&standing.balances)?,
        payout_account: account,
        next_payout_at: standing.next_payout_at.map(timestamp),
        hold_minutes: standing.hold_minutes,
    })
}

/// What a statement is asked for: a payout, or a currency and two days.
pub(crate) fn span(payout_id: &str, currency: &str, from: &str, to: &str) -> Result<Span, Status> {
    if !payout_id.is_empty() {
        return Ok(Span::Payout(parse("payout_id", payout_id)?));
    }
    let currency = currency.parse().map_err(|_| violation("currency", "must be an ISO 4217 code, or payout_id be given"))?;
    let (from, last) = (day("from", from)?, day("to", to)?);
    let to = last.checked_add_days(Days::new(1)).ok_or_else(|| violation("to", "is too far away"))?;
    if last < from {
        return Err(violation("to", "must not be before from"));
    }
    let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
    Ok(Span::Time { currency, from: midnight(from), to: midnight(to) })
}

fn day(field: &str, text: &str) -> Result<NaiveDate, Status> {
    text.parse().map_err(|_| violation(field, "must be a day like 2026-11-21"))
}

pub(crate) fn statement(statement: &Statement) -> api::Statement {
    api::Statement {
        tenant_id: statement.tenant.to_string(),
        payout: statement.payout.as_ref().map(payout),
        from: Some(timestamp(statement.from)),
        to: Some(timestamp(statement.to)),
        opening: money(statement.opening_minor, statement.currency),
        closing: money(statement.closing_minor, statement.currency),
        lines: statement.lines.iter().map(|line| statement_line(line, statement.currency)).collect(),
    }
}

fn statement_line(line: &Line, currency: Currency) -> api::StatementLine {
    let kind = match LineKind::of_word(&line.kind) {
        LineKind::Sale => api::StatementLineKind::Sale,
        LineKind::Reversal => api::StatementLineKind::Reversal,
        LineKind::Payout => api::StatementLineKind::Payout,
        LineKind::PayoutFailed => api::StatementLineKind::PayoutFailed,
        LineKind::PayoutReturned => api::StatementLineKind::PayoutReturned,
        LineKind::Adjustment => api::StatementLineKind::Adjustment,
    };
    api::StatementLine {
        number: u64::try_from(line.number).unwrap_or_default(),
        kind: kind.into(),
        at: Some(timestamp(line.at)),
        amount: money(line.amount_minor, currency),
        balance: money(line.balance_minor, currency),
        entry_id: EntryId::from(line.entry_id).to_string(),
        order_id: line.order_id.map(|id| OrderId::from(id).to_string()).unwrap_or_default(),
        sub_order_id: line.sub_order_id.map(|id| SubOrderId::from(id).to_string()).unwrap_or_default(),
        payout_id: line.payout_id.map(|id| PayoutId::from(id).to_string()).unwrap_or_default(),
    }
}

fn dispute_state(state: Option<DisputeState>) -> i32 {
    let state = match state {
        Some(DisputeState::NeedsResponse) => api::DisputeState::NeedsResponse,
        Some(DisputeState::UnderReview) => api::DisputeState::UnderReview,
        Some(DisputeState::Won) => api::DisputeState::Won,
        Some(DisputeState::Lost) => api::DisputeState::Lost,
        None => api::DisputeState::Unspecified,
    };
    state.into()
}

/// The state a list is filtered by; unspecified: any.
pub(crate) fn wanted_disputes(state: api::DisputeState) -> Option<DisputeState> {
    match state {
        api::DisputeState::Unspecified => None,
        api::DisputeState::NeedsResponse => Some(DisputeState::NeedsResponse),
        api::DisputeState::UnderReview => Some(DisputeState::UnderReview),
        api::DisputeState::Won => Some(DisputeState::Won),
        api::DisputeState::Lost => Some(DisputeState::Lost),
    }
}

pub(crate) fn dispute(payment: &Payment, dispute: &Dispute) -> api::Dispute {
    api::Dispute {
        dispute_id: DisputeId::from(dispute.id).to_string(),
        payment_id: payment.id.to_string(),
        order_id: payment.order.to_string(),
        psp: payment.psp.clone(),
        psp_reference: dispute.reference.clone(),
        state: dispute_state(Some(dispute.state)),
        reason: dispute.reason.clone(),
        amount: money(dispute.amount_minor, payment.currency),
        fee: money(dispute.fee.total(), payment.currency),
        evidence_due_at: dispute.evidence_due_at.map(timestamp),
        opened_at: Some(timestamp(dispute.opened_at)),
        closed_at: dispute.closed_at.map(timestamp),
    }
}

pub(crate) fn dispute_row(row: &DisputeRow) -> api::Dispute {
    let amount = |amount_minor| Some(proto::Money { amount_minor, currency: row.currency.clone() });
    api::Dispute {
        dispute_id: DisputeId::from(row.dispute_id).to_string(),
        payment_id: PaymentId::from(row.payment_id).to_string(),
        order_id: OrderId::from(row.order_id).to_string(),
        psp: row.psp.clone(),
        psp_reference: row.psp_reference.clone(),
        state: dispute_state(DisputeState::of_word(&row.state)),
        reason: row.reason.clone(),
        amount: amount(row.amount_minor),
        fee: amount(row.fee_minor),
        evidence_due_at: row.evidence_due_at.map(timestamp),
        opened_at: Some(timestamp(row.opened_at)),
        closed_at: row.closed_at.map(timestamp),
    }
}

pub(crate) fn open_item(item: &Item) -> api::OpenItem {
    let kind = match item.kind.as_str() {
        "not_in_ledger" => api::OpenItemKind::NotInLedger,
        "not_reported" => api::OpenItemKind::NotReported,
        _ => api::OpenItemKind::AmountDiffers,
    };
    let state = match item.state.as_str() {
        "open" => api::OpenItemState::Open,
        "cleared" => api::OpenItemState::Cleared,
        _ => api::OpenItemState::Resolved,
    };
    let amount = |amount_minor| Some(proto::Money { amount_minor, currency: item.currency.clone() });
    api::OpenItem {
        item_id: OpenItemId::from(item.item_id).to_string(),
        source: item.source.clone(),
        kind: kind.into(),
        state: state.into(),
        reference: item.reference.clone(),
        about: item.about.clone(),
        payment_id: item.payment_id.map(|id| PaymentId::from(id).to_string()).unwrap_or_default(),
        reported: amount(item.reported_minor),
        booked: amount(item.booked_minor),
        note: item.note.clone(),
        worked_by: item.worked_by.clone(),
        opened_at: Some(timestamp(item.opened_at)),
        closed_at: item.closed_at.map(timestamp),
    }
}

/// The state a list is filtered by; unspecified: any.
pub(crate) fn wanted_items(state: api::OpenItemState) -> Option<&'static str> {
    match state {
        api::OpenItemState::Unspecified => None,
        api::OpenItemState::Open => Some("open"),
        api::OpenItemState::Resolved => Some("resolved"),
        api::OpenItemState::Cleared => Some("cleared"),
    }
}

pub(crate) fn progress(progress: &Progress) -> api::ReportProgress {
    api::ReportProgress {
        source: progress.source.clone(),
        lines: u64::try_from(progress.lines).unwrap_or_default(),
        unmatched: u64::try_from(progress.unmatched).unwrap_or_default(),
        fetched_at: Some(timestamp(progress.fetched_at)),
    }
}

pub(crate) fn proof(checks: Vec<Check>) -> api::ProveLedgerResponse {
    let holds = checks.iter().all(|check| check.holds);
    let check = |check: Check| api::Check { claim: check.claim.to_owned(), holds: check.holds, evidence: check.evidence };
    api::ProveLedgerResponse { holds, checks: checks.into_iter().map(check).collect() }
}

/// The moment a file's text shows.
pub(crate) fn minute(at: Time) -> String {
    at.format("%Y-%m-%d %H:%M").to_string()
}

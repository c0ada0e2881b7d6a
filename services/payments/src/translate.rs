//! Between the contract's messages and our own types.

use std::collections::BTreeMap;

use api_payments as api;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use kit_core::{Currency, Money, TenantId};
use kit_rpc::{parse, proto, required, timestamp, violation};
use tonic::Status;
use uuid::Uuid;

use crate::config::{DEFAULT_PAGE, MAX_PAGE};
use crate::error::Error;
use crate::events::told;
use crate::flows::{Authorisation, Proof};
use crate::ledger::{AccountKind, EntryKind};
use crate::model::{CardSummary, Movement, MovementState, Parts, Payer, Payment, Portion, Split, SplitTerms, State};
use crate::settlement_view;
use crate::store::ledger::{Balance, Line};
use crate::store::methods::Method;

pub(crate) fn authorisation(request: api::AuthorizeRequest) -> Result<Authorisation, Status> {
    let amount = money("amount", request.amount.as_ref())?;
    let splits = request.splits.iter().enumerate().map(|(index, split)| split_terms(index, split, amount.currency));
    Ok(Authorisation {
        payment: parse("payment_id", &request.payment_id)?,
        order: parse("order_id", &request.order_id)?,
        buyer: parse("buyer_id", &request.buyer_id)?,
        amount,
        splits: splits.collect::<Result<_, _>>()?,
        method_token: request.method_token,
        return_url: request.return_url,
        description: request.description,
        psp: request.psp,
        save_method: request.save_method,
        payer: Payer { email: request.payer_email, phone: request.payer_phone },
    })
}

fn split_terms(index: usize, split: &api::Split, currency: Currency) -> Result<SplitTerms, Status> {
    let field = |name: &str| format!("splits[{index}].{name}");
    let optional = |name: &str, amount: Option<&proto::Money>| amount.map_or(Ok(Money::zero(currency)), |amount| money(&field(name), Some(amount)));
    Ok(SplitTerms {
        sub_order: parse(&field("sub_order_id"), &split.sub_order_id)?,
        tenant: parse(&field("tenant_id"), &split.tenant_id)?,
        goods: money(&field("goods"), split.goods.as_ref())?,
        shipping: optional("shipping", split.shipping.as_ref())?,
        tax: optional("tax", split.tax.as_ref())?,
        commission_bps: split.commission_bps,
        commission_fixed: optional("commission_fixed", split.commission_fixed.as_ref())?,
    })
}

/// What a capture or refund wants per sub-order, in the payment's currency.
pub(crate) fn portions(parts: &[api::SubOrderAmount], currency: Currency) -> Result<Vec<Portion>, Status> {
    let portion = |(index, part): (usize, &api::SubOrderAmount)| {
        let amount = money(&format!("parts[{index}].amount"), part.amount.as_ref())?;
        if amount.currency != currency {
            return Err(violation(&format!("parts[{index}].amount.currency"), "must be the currency of the payment"));
        }
        let made_of = part.breakdown.as_ref().map(|breakdown| made_of(&format!("parts[{index}].breakdown"), breakdown, currency)).transpose()?;
        Ok(Portion { sub_order: parse(&format!("parts[{index}].sub_order_id"), &part.sub_order_id)?, amount_minor: amount.minor, made_of })
    };
    parts.iter().enumerate().map(portion).collect()
}

fn made_of(field: &str, breakdown: &api::Breakdown, currency: Currency) -> Result<Parts, Status> {
    let minor = |name: &str, amount: Option<&proto::Money>| match amount.map(|amount| money(&format!("{field}.{name}"), Some(amount))).transpose()? {
        None => Ok(0),
        Some(amount) if amount.currency == currency => Ok(amount.minor),
        Some(_) => Err(violation(&format!("{field}.{name}.currency"), "must be the currency of the payment")),
    };
    let commission = minor("commission", breakdown.commission.as_ref())?;
    let payable = minor("goods", breakdown.goods.as_ref())?.saturating_sub(commission);
    Ok(Parts { payable, commission, shipping: minor("shipping", breakdown.shipping.as_ref())?, tax: minor("tax", breakdown.tax.as_ref())? })
}

fn money(field: &str, amount: Option<&proto::Money>) -> Result<Money, Status> {
    let amount = required(field, amount)?;
    Money::try_from(amount).map_err(|error| violation(&format!("{field}.currency"), &error.to_string()))
}

pub(crate) fn payment(payment: &Payment) -> api::Payment {
    let money = |minor| Some(payment.money(minor).into());
    let (failure_code, failure_message) = told(payment.failure.as_ref());
    api::Payment {
        payment_id: payment.id.to_string(),
        order_id: payment.order.to_string(),
        buyer_id: payment.buyer.to_string(),
        state: state(payment.state()).into(),
        amount: money(payment.amount_minor),
        captured: money(payment.captured_minor()),
        refunded: money(payment.refunded_minor()),
        psp: payment.psp.clone(),
        psp_reference: payment.psp_reference.clone().unwrap_or_default(),
        next_action_url: payment.next_action_url.clone().unwrap_or_default(),
        failure_code,
        failure_message,
        void_requested: payment.void_requested,
        method: card_summary(&payment.card),
        splits: payment.splits.iter().map(|split| payment_split(payment, split)).collect(),
        captures: payment.captures.iter().map(|movement| capture(payment, movement)).collect(),
        refunds: payment.refunds.iter().map(|movement| refund(payment, movement)).collect(),
        disputes: payment.disputes.iter().map(|dispute| settlement_view::dispute(payment, dispute)).collect(),
        created_at: Some(timestamp(payment.created_at)),
        updated_at: Some(timestamp(payment.updated_at)),
    }
}

fn payment_split(payment: &Payment, split: &Split) -> api::PaymentSplit {
    let money = |minor| Some(payment.money(minor).into());
    api::PaymentSplit {
        sub_order_id: split.sub_order.to_string(),
        tenant_id: split.tenant.to_string(),
        goods: money(split.whole.payable + split.whole.commission),
        shipping: money(split.whole.shipping),
        tax: money(split.whole.tax),
        commission: money(split.whole.commission),
        total: money(split.whole.total()),
        captured: money(split.captured.total()),
        refunded: money(split.refunded.total()),
    }
}

pub(crate) fn capture(payment: &Payment, movement: &Movement) -> api::Capture {
    let (failure_code, failure_message) = told(movement.failure.as_ref());
    api::Capture {
        capture_id: api::CaptureId::from(movement.id).to_string(),
        state: movement_state(movement.state).into(),
        amount: Some(payment.money(movement.amount_minor()).into()),
        parts: amounts(payment, movement),
        failure_code,
        failure_message,
        created_at: Some(timestamp(movement.created_at)),
    }
}

pub(crate) fn refund(payment: &Payment, movement: &Movement) -> api::Refund {
    let (failure_code, failure_message) = told(movement.failure.as_ref());
    api::Refund {
        refund_id: api::RefundId::from(movement.id).to_string(),
        state: movement_state(movement.state).into(),
        amount: Some(payment.money(movement.amount_minor()).into()),
        parts: amounts(payment, movement),
        reason: movement.reason.clone(),
        failure_code,
        failure_message,
        created_at: Some(timestamp(movement.created_at)),
    }
}

pub(crate) fn amounts(payment: &Payment, movement: &Movement) -> Vec<api::SubOrderAmount> {
    let amount = |portion: &Portion| api::SubOrderAmount {
        sub_order_id: portion.sub_order.to_string(),
        amount: Some(payment.money(portion.amount_minor).into()),
        breakdown: portion.made_of.map(|parts| api::Breakdown {
            goods: Some(payment.money(parts.payable + parts.commission).into()),
            shipping: Some(payment.money(parts.shipping).into()),
            tax: Some(payment.money(parts.tax).into()),
            commission: Some(payment.money(parts.commission).into()),
        }),
    };
    movement.portions.iter().map(amount).collect()
}

pub(crate) fn card_summary(card: &CardSummary) -> Option<api::MethodSummary> {
    Some(api::MethodSummary { brand: card.brand.clone(), last4: card.last4.clone(), exp_month: card.exp_month, exp_year: card.exp_year })
}

pub(crate) fn method(method: &Method) -> api::PaymentMethod {
    api::PaymentMethod {
        method_id: method.id.to_string(),
        psp: method.psp.clone(),
        summary: card_summary(&method.card),
        created_at: Some(timestamp(method.created_at)),
    }
}

const STATES: [(State, api::PaymentState); 11] = [
    (State::Created, api::PaymentState::Created),
    (State::Authorising, api::PaymentState::Authorising),
    (State::ActionRequired, api::PaymentState::ActionRequired),
    (State::Authorised, api::PaymentState::Authorised),
    (State::Failed, api::PaymentState::Failed),
    (State::Unknown, api::PaymentState::Unknown),
    (State::PartiallyCaptured, api::PaymentState::PartiallyCaptured),
    (State::Captured, api::PaymentState::Captured),
    (State::PartiallyRefunded, api::PaymentState::PartiallyRefunded),
    (State::Refunded, api::PaymentState::Refunded),
    (State::Voided, api::PaymentState::Voided),
];

fn state(state: State) -> api::PaymentState {
    STATES.iter().find(|(ours, _)| *ours == state).map_or(api::PaymentState::Unspecified, |(_, theirs)| *theirs)
}

/// The state a list is filtered by; unspecified: any.
pub(crate) fn wanted_state(state: api::PaymentState) -> Option<State> {
    STATES.iter().find(|(_, theirs)| *theirs == state).map(|(ours, _)| *ours)
}

fn movement_state(state: MovementState) -> api::MovementState {
    match state {
        MovementState::Pending => api::MovementState::Pending,
        MovementState::Succeeded => api::MovementState::Succeeded,
        MovementState::Failed => api::MovementState::Failed,
    }
}

/// The page size a request wants.
pub(crate) fn page_size(limit: u32) -> i64 {
    i64::from(if limit == 0 { DEFAULT_PAGE } else { limit.min(MAX_PAGE) })
}

/// A cursor is the id of the last thing of its page.
pub(crate) fn cursor(last: Option<Uuid>) -> String {
    last.map(|id| BASE64.encode(id.as_bytes())).unwrap_or_default()
}

pub(crate) fn read_cursor(cursor: &str) -> Result<Option<Uuid>, Status> {
    if cursor.is_empty() {
        return Ok(None);
    }
    let id = BASE64.decode(cursor).ok().and_then(|bytes| Uuid::from_slice(&bytes).ok());
    id.map(Some).ok_or_else(|| violation("cursor", "is not a cursor of this list"))
}

/// An id that may be left out.
pub(crate) fn optional<T: std::str::FromStr>(field: &str, text: &str) -> Result<Option<T>, Status>
where
    T::Err: std::fmt::Display,
{
    if text.is_empty() { Ok(None) } else { parse(field, text).map(Some) }
}

fn account(word: &str) -> api::AccountKind {
    let Some(kind) = AccountKind::of_word(word) else { return api::AccountKind::Unspecified };
    match kind {
        AccountKind::PspReceivable => api::AccountKind::PspReceivable,
        AccountKind::TenantPayable => api::AccountKind::TenantPayable,
        AccountKind::TenantShipping => api::AccountKind::TenantShipping,
        AccountKind::TaxPayable => api::AccountKind::TaxPayable,
        AccountKind::PlatformCommission => api::AccountKind::PlatformCommission,
        AccountKind::TenantAvailable => api::AccountKind::TenantAvailable,
        AccountKind::PayoutClearing => api::AccountKind::PayoutClearing,
        AccountKind::Bank => api::AccountKind::Bank,
        AccountKind::PspFees => api::AccountKind::PspFees,
        AccountKind::FeeTax => api::AccountKind::FeeTax,
        AccountKind::DisputeFees => api::AccountKind::DisputeFees,
        AccountKind::Suspense => api::AccountKind::Suspense,
    }
}

/// An entry's kind, and what it records under the id that everybody else knows it by.
fn entry_kind(line: &Line) -> (api::EntryKind, String) {
    let of = |kind: api::EntryKind, reference: String| (kind, reference);
    let id = line.reference;
    let payout = || api::PayoutId::from(id).to_string();
    let dispute = || api::DisputeId::from(id).to_string();
    match EntryKind::of_word(&line.kind) {
        Some(EntryKind::Capture) => of(api::EntryKind::Capture, api::CaptureId::from(id).to_string()),
        Some(EntryKind::Refund) => of(api::EntryKind::Refund, api::RefundId::from(id).to_string()),
        Some(EntryKind::Settlement) => of(api::EntryKind::Settlement, api::EntryId::from(id).to_string()),
        Some(EntryKind::Payout) => of(api::EntryKind::Payout, payout()),
        Some(EntryKind::PayoutPaid) => of(api::EntryKind::PayoutPaid, payout()),
        Some(EntryKind::PayoutFailed) => of(api::EntryKind::PayoutFailed, payout()),
        Some(EntryKind::PayoutReturned) => of(api::EntryKind::PayoutReturned, payout()),
        Some(EntryKind::DisputeOpened) => of(api::EntryKind::DisputeOpened, dispute()),
        Some(EntryKind::DisputeWon) => of(api::EntryKind::DisputeWon, dispute()),
        Some(EntryKind::DisputeLost) => of(api::EntryKind::DisputeLost, dispute()),
        Some(EntryKind::Adjustment) => of(api::EntryKind::Adjustment, api::OpenItemId::from(id).to_string()),
        None => of(api::EntryKind::Unspecified, String::new()),
    }
}

fn tenant_text(tenant: Option<Uuid>) -> String {
    tenant.map(|id| TenantId::from(id).to_string()).unwrap_or_default()
}

/// Gathers lines, which come entry by entry, into entries.
pub(crate) fn entries(lines: Vec<Line>) -> Vec<api::LedgerEntry> {
    let mut entries: Vec<api::LedgerEntry> = Vec::new();
    for line in lines {
        let entry_id = api::EntryId::from(line.entry_id).to_string();
        let (kind, reference) = entry_kind(&line);
        let posting = api::Posting {
            account: account(&line.account).into(),
            tenant_id: tenant_text(line.tenant_id),
            psp: line.psp.unwrap_or_default(),
            sub_order_id: line.sub_order_id.map(|id| api_orders::SubOrderId::from(id).to_string()).unwrap_or_default(),
            amount: Some(proto::Money { amount_minor: line.amount_minor, currency: line.currency }),
        };
        match entries.last_mut().filter(|entry| entry.entry_id == entry_id) {
            Some(entry) => entry.postings.push(posting),
            None => {
                let order_id = line.order_id.map(|id| api_orders::OrderId::from(id).to_string()).unwrap_or_default();
                let payment_id = line.payment_id.map(|id| api::PaymentId::from(id).to_string()).unwrap_or_default();
                entries.push(api::LedgerEntry {
                    entry_id,
                    kind: kind.into(),
                    order_id,
                    payment_id,
                    reference,
                    at: Some(timestamp(line.posted_at)),
                    postings: vec![posting],
                });
            }
        }
    }
    entries
}

pub(crate) fn proof(proof: Proof) -> api::TrialBalanceResponse {
    let balance = |balance: &Balance| api::AccountBalance {
        account: account(&balance.account).into(),
        tenant_id: tenant_text(balance.tenant_id),
        psp: balance.psp.clone().unwrap_or_default(),
        balance: Some(proto::Money { amount_minor: balance.balance_minor, currency: balance.currency.clone() }),
    };
    api::TrialBalanceResponse {
        accounts: proof.balances.iter().map(balance).collect(),
        sums: proof.sums.into_iter().map(Into::into).collect(),
        balanced: proof.differences.is_empty(),
        differences: proof.differences,
    }
}

/// What a tenant is owed: its accounts are debts of ours, so credits count as more.
pub(crate) fn owed(balances: &[Balance]) -> Result<Vec<api::TenantBalance>, Error> {
    let mut owed: BTreeMap<&str, [i64; 4]> = BTreeMap::new();
    for balance in balances {
        let [payable, shipping, tax, available] = owed.entry(&balance.currency).or_default();
        match AccountKind::of_word(&balance.account) {
            Some(AccountKind::TenantPayable) => *payable -= balance.balance_minor,
            Some(AccountKind::TenantShipping) => *shipping -= balance.balance_minor,
            Some(AccountKind::TaxPayable) => *tax -= balance.balance_minor,
            Some(AccountKind::TenantAvailable) => *available -= balance.balance_minor,
            _ => {}
        }
    }
    let balance = |(currency, [payable, shipping, tax, available]): (&str, [i64; 4])| {
        let currency: Currency = currency.parse()?;
        let money = |minor| Some(Money::new(minor, currency).into());
        Ok(api::TenantBalance {
            payable: money(payable),
            shipping: money(shipping),
            tax: money(tax),
            total: money(payable + shipping + available),
            available: money(available),
        })
    };
    owed.into_iter().map(balance).collect()
}

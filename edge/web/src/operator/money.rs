//! Payments as the PSPs have them, and the ledger as the only truth about money.

use api_payments::{
    ListLedgerRequest, ListLedgerResponse, ListPaymentsRequest, ListPaymentsResponse, PaymentState, ProveLedgerRequest, ProveLedgerResponse,
    TrialBalanceRequest, TrialBalanceResponse,
};
use axum::extract::{Query, State};
use axum::response::IntoResponse;
use maud::{Markup, html};

use super::{ListQuery, console, filter, link, moment, staff, word};
use crate::failure::Page;
use crate::session::Here;
use crate::site::Web;
use crate::ui::{self, Tone, amount, badge, show};
use crate::visit::Visit;

const STATES: [(&str, &str); 7] = [
    ("action_required", "Waits for the buyer"),
    ("authorised", "Authorised"),
    ("captured", "Captured"),
    ("failed", "Failed"),
    ("unknown", "Unknown"),
    ("refunded", "Refunded"),
    ("voided", "Voided"),
];
const PAGE: u32 = 25;

pub(super) fn state_badge(state: PaymentState) -> Markup {
    let tone = match state {
        PaymentState::Captured | PaymentState::Authorised => Tone::Good,
        PaymentState::Failed => Tone::Bad,
        PaymentState::Unknown | PaymentState::ActionRequired => Tone::Warn,
        _ => Tone::Plain,
    };
    badge(tone, word(state.as_str_name(), "PAYMENT_STATE_"))
}

pub(super) fn text(money: Option<&kit_rpc::proto::Money>) -> String {
    amount(money).map(show::money).unwrap_or_default()
}

pub(crate) async fn payments(State(site): State<Web>, here: Here, Query(wanted): Query<ListQuery>) -> Page {
    staff(&here)?;
    let state = PaymentState::from_str_name(&format!("PAYMENT_STATE_{}", wanted.state.to_uppercase())).unwrap_or_default();
    let request = ListPaymentsRequest { limit: PAGE, cursor: wanted.cursor.clone(), order_id: wanted.query.clone(), state: state.into() };
    let found = site.payments.clone().list_payments(here.ctx.request(request)).await?.into_inner();
    Ok(view_payments(&here, &wanted, &found).into_response())
}

fn view_payments(visit: &Visit, wanted: &ListQuery, found: &ListPaymentsResponse) -> Markup {
    let body = html! {
        (filter("/operator/payments", "Order id (ord_…)", &wanted.query, &STATES, &wanted.state))
        div.card.flush {
            @if found.payments.is_empty() { (ui::empty("wallet", "No payments", "No payment matches what you asked for.", None)) } @else {
                table.table.cards {
                    thead { tr { th scope="col" { "Payment" } th scope="col" { "State" } th.num scope="col" { "Amount" } th.num scope="col" { "Captured" } th.num scope="col" { "Refunded" } th scope="col" { "PSP" } th scope="col" { "Made" } } }
                    tbody {
                        @for payment in &found.payments {
                            tr {
                                th scope="row" { a.mono.tiny href={ "/operator/payments/" (payment.payment_id) } { (payment.payment_id) } @if !payment.failure_message.is_empty() { div.tiny.bad-ink { (payment.failure_message) } } }
                                td data-label="State" { (state_badge(payment.state())) }
                                td.num data-label="Amount" { (text(payment.amount.as_ref())) }
                                td.num data-label="Captured" { (text(payment.captured.as_ref())) }
                                td.num data-label="Refunded" { (text(payment.refunded.as_ref())) }
                                td data-label="PSP" { (payment.psp) }
                                td data-label="Made" { (moment(payment.created_at.as_ref())) }
                            }
                        }
                    }
                }
            }
        }
        (ui::pager(None, (!found.next_cursor.is_empty()).then(|| link("/operator/payments", &[("query", &wanted.query), ("state", &wanted.state), ("cursor", &found.next_cursor)])).as_deref()))
    };
    console(visit, "/operator/payments", "Payments", "Every payment and how it stands with its payment service provider.", html! {}, body)
}

pub(crate) async fn ledger(State(site): State<Web>, here: Here, Query(wanted): Query<ListQuery>) -> Page {
    staff(&here)?;
    let mut payments = site.payments.clone();
    let balance = payments.trial_balance(here.ctx.request(TrialBalanceRequest {})).await?.into_inner();
    let proof = if wanted.kind == "proof" { Some(payments.prove_ledger(here.ctx.request(ProveLedgerRequest {})).await?.into_inner()) } else { None };
    let request = ListLedgerRequest { limit: PAGE, cursor: wanted.cursor.clone(), order_id: wanted.query.clone(), ..Default::default() };
    let entries = payments.list_ledger(here.ctx.request(request)).await?.into_inner();
    Ok(view_ledger(&here, &wanted, &balance, proof.as_ref(), &entries).into_response())
}

/// Every invariant with what was found.
fn checks(proof: &ProveLedgerResponse) -> Markup {
    html! {
        section.card.mb6 {
            header { h2 { "Proof" } (badge(if proof.holds { Tone::Good } else { Tone::Bad }, if proof.holds { "holds" } else { "does not hold" })) }
            ul.stack { @for check in &proof.checks {
                li { span.row.tight { (badge(if check.holds { Tone::Good } else { Tone::Bad }, if check.holds { "holds" } else { "broken" })) span { (check.claim) } }
                    @for evidence in &check.evidence { div.tiny.hush { (evidence) } } }
            } }
        }
    }
}

fn view_ledger(
    visit: &Visit,
    wanted: &ListQuery,
    balance: &TrialBalanceResponse,
    proof: Option<&ProveLedgerResponse>,
    entries: &ListLedgerResponse,
) -> Markup {
    let body = html! {
        div.mb6 {
            @if balance.balanced { (ui::notice(Tone::Good, "The ledger sums to zero in every currency.")) } @else {
                (ui::notice(Tone::Bad, html! { strong { "The ledger does not balance." } ul { @for difference in &balance.differences { li { (difference) } } } }))
            }
        }
        @if let Some(proof) = proof { (checks(proof)) }
        section.card.flush.mb6 {
            header { h2 { "Accounts" } }
            table.table.cards {
                thead { tr { th scope="col" { "Account" } th scope="col" { "Whose" } th.num scope="col" { "Balance" } } }
                tbody { @for account in &balance.accounts { tr { th scope="row" { (word(account.account().as_str_name(), "ACCOUNT_KIND_")) } td data-label="Whose" { span.mono.tiny { (account.tenant_id) (account.psp) } } td.num data-label="Balance" { (text(account.balance.as_ref())) } } } }
            }
        }
        section.card.flush {
            header { h2 { "Entries" } }
            @if entries.entries.is_empty() { (ui::empty("scale", "Nothing posted yet", "Entries appear with the first captured payment.", None)) }
            @for entry in &entries.entries {
                details.fold.card.soft {
                    summary { span.row.tight { (badge(Tone::Plain, word(entry.kind().as_str_name(), "ENTRY_KIND_"))) span.mono.tiny { (entry.entry_id) } (moment(entry.at.as_ref())) } }
                    table.table { thead { tr { th scope="col" { "Account" } th scope="col" { "Whose" } th.num scope="col" { "Amount" } } }
                        tbody { @for posting in &entry.postings { tr { th scope="row" { (word(posting.account().as_str_name(), "ACCOUNT_KIND_")) } td { span.mono.tiny { (posting.tenant_id) (posting.psp) } } td.num { (text(posting.amount.as_ref())) } } } }
                    }
                }
            }
        }
        (ui::pager(None, (!entries.next_cursor.is_empty()).then(|| link("/operator/ledger", &[("query", &wanted.query), ("cursor", &entries.next_cursor)])).as_deref()))
    };
    console(
        visit,
        "/operator/ledger",
        "Ledger",
        "Double entry: every movement of money, balanced and never changed.",
        html! { a.btn.outline href="/operator/ledger?kind=proof" { (ui::icon("shield-check")) "Prove it now" } },
        body,
    )
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::operator;
    use api_payments::{AccountBalance, AccountKind, Check, LedgerEntry, Payment, Posting};
    let money = |amount_minor| Some(kit_rpc::proto::Money { amount_minor, currency: "USD".to_owned() });
    let payment = Payment {
        payment_id: "pay_1".to_owned(),
        order_id: "ord_1".to_owned(),
        state: PaymentState::Captured.into(),
        amount: money(4497),
        captured: money(4497),
        psp: "sandbox".to_owned(),
        ..Default::default()
    };
    let failed = Payment { state: PaymentState::Failed.into(), failure_message: "the card was declined".to_owned(), ..payment.clone() };
    let account =
        AccountBalance { account: AccountKind::TenantPayable.into(), tenant_id: "ten_1".to_owned(), balance: money(-3518), ..Default::default() };
    let entry = LedgerEntry {
        entry_id: "led_1".to_owned(),
        postings: vec![Posting { account: AccountKind::PspReceivable.into(), psp: "sandbox".to_owned(), amount: money(4497), ..Default::default() }],
        ..Default::default()
    };
    let sound = TrialBalanceResponse { accounts: vec![account], balanced: true, ..Default::default() };
    let check = |claim: &str, holds| Check { claim: claim.to_owned(), holds, evidence: vec!["123 entries with 456 postings".to_owned()] };
    let proof =
        ProveLedgerResponse { holds: false, checks: vec![check("every entry is balanced", true), check("nothing released is left behind", false)] };
    let unsound = TrialBalanceResponse { differences: vec!["USD: 1 cent".to_owned()], ..Default::default() };
    vec![
        (
            "operator-payments",
            view_payments(&operator(), &ListQuery::default(), &ListPaymentsResponse { payments: vec![payment, failed], next_cursor: String::new() }),
        ),
        ("operator-payments-none", view_payments(&operator(), &ListQuery::default(), &ListPaymentsResponse::default())),
        (
            "operator-ledger",
            view_ledger(
                &operator(),
                &ListQuery::default(),
                &sound,
                Some(&proof),
                &ListLedgerResponse { entries: vec![entry], next_cursor: String::new() },
            ),
        ),
        ("operator-ledger-unbalanced", view_ledger(&operator(), &ListQuery::default(), &unsound, None, &ListLedgerResponse::default())),
    ]
}

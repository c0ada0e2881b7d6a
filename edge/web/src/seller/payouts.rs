//! What the shop was paid and where to, and the statements that explain it line by line.

use api_payments::{
    ExportStatementRequest, GetBalanceRequest, GetBalanceResponse, GetStatementRequest, ListPayoutsOfTenantRequest, ListPayoutsOfTenantResponse,
    Payout, PayoutAccount, PayoutState, SetPayoutAccountRequest, Statement, StatementLine, StatementLineKind,
};
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use chrono::Datelike;
use http::StatusCode;
use kit_rpc::problem_of;
use maud::{Markup, html};

use super::{desk, working};
use crate::failure::{Failure, Page};
use crate::portal::{ListQuery, download, link, moment, word};
use crate::session::{Here, Posted};
use crate::site::{Site, Web};
use crate::ui::form::{self, Form, Input};
use crate::ui::{self, Tone, amount, badge, show};
use crate::visit::Visit;

const PAGE: u32 = 25;

/// The span of a statement, as the address has it.
#[derive(Debug, Default, Clone, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Span {
    currency: String,
    from: String,
    to: String,
}

fn money(of: Option<&kit_rpc::proto::Money>) -> String {
    amount(of).map(show::money).unwrap_or_default()
}

pub(crate) fn payout_badge(state: PayoutState) -> Markup {
    let tone = match state {
        PayoutState::Paid => Tone::Good,
        PayoutState::Created | PayoutState::Sent => Tone::Info,
        PayoutState::Failed | PayoutState::Returned => Tone::Bad,
        PayoutState::Unspecified => Tone::Plain,
    };
    badge(tone, word(state.as_str_name(), "PAYOUT_STATE_"))
}

async fn load(site: &Site, visit: &Visit, cursor: String) -> Result<(GetBalanceResponse, ListPayoutsOfTenantResponse), Failure> {
    let mut payments = site.payments.clone();
    let standing = payments.get_balance(visit.ctx.request(GetBalanceRequest {})).await?.into_inner();
    let request = ListPayoutsOfTenantRequest { limit: PAGE, cursor };
    Ok((standing, payments.list_payouts_of_tenant(visit.ctx.request(request)).await?.into_inner()))
}

pub(crate) async fn list(State(site): State<Web>, here: Here, Query(wanted): Query<ListQuery>) -> Page {
    working(&here)?;
    let (standing, found) = load(&site, &here, wanted.cursor).await?;
    Ok(view(&here, &standing, &found, &Form::default()).into_response())
}

pub(crate) async fn set_account(State(site): State<Web>, here: Here, Posted(form): Posted) -> Page {
    working(&here)?;
    let request = SetPayoutAccountRequest { holder: form.text("holder"), iban: form.text("iban") };
    match site.payments.clone().set_payout_account(here.ctx.request(request)).await {
        Ok(_) => Ok(site.redirect("/seller/payouts", Tone::Good, "Your money goes to this account from now on.")),
        Err(status) => {
            let (standing, found) = load(&site, &here, String::new()).await?;
            let page = view(&here, &standing, &found, &form.rejected(&problem_of(&status)));
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

fn view(visit: &Visit, standing: &GetBalanceResponse, found: &ListPayoutsOfTenantResponse, form: &Form) -> Markup {
    let days = standing.hold_minutes / (24 * 60);
    let held = if days > 0 { format!("{days} days after delivery") } else { format!("{} minutes after delivery", standing.hold_minutes) };
    let body = html! {
        div.mb4 { (form.summary()) }
        @if let Some(account) = standing.payout_account.as_ref().filter(|account| !account.blocked_reason.is_empty()) {
            div.mb6 { (ui::notice(Tone::Bad, html! { strong { "The last payout did not arrive" } " (" (word(&account.blocked_reason, "")) "). Its money is on your balance again; give another account, and it is paid with the next one." })) }
        }
        @for balance in &standing.balances {
            div.stats.mb6 {
                div.stat { span.name { "Available" } span.value { (money(balance.available.as_ref())) } span.note { "paid out next" } }
                div.stat { span.name { "Pending" } span.value { (pending(balance)) } span.note { "available " (held) } }
                div.stat { span.name { "Next payout" } span.value { @match &standing.next_payout_at { Some(at) => (show::date(kit_rpc::time(at))), None => "–" } } span.note { "what is available by then" } }
            }
        }
        div.with-aside {
            div.stack.loose {
                section.card.flush {
                    header { h2 { "Payouts" } }
                    @if found.payouts.is_empty() { (ui::empty("banknote", "Nothing paid out yet", "The first payout comes at the end of the period in which something became available.", None)) } @else { (payouts(&found.payouts)) }
                }
            }
            aside {
                section.card.stack {
                    h2 { "Your bank account" }
                    @match &standing.payout_account { Some(account) => (account_facts(account)), None => p.hush { "None yet: nothing can be paid out." } }
                    @if visit.may("seller:payments.write") { (account_form(visit, form)) }
                }
                section.card.stack { h2 { "Statement of a period" } (span_form(visit, standing, &Span::default())) }
            }
        }
        (ui::pager(None, (!found.next_cursor.is_empty()).then(|| link("/seller/payouts", &[("cursor", &found.next_cursor)])).as_deref()))
    };
    desk(visit, "/seller/payouts", "Payouts", "What you are paid, when, and why exactly that much.", html! {}, body)
}

fn pending(balance: &api_payments::TenantBalance) -> String {
    let (payable, shipping) = (amount(balance.payable.as_ref()), amount(balance.shipping.as_ref()));
    payable.zip(shipping).and_then(|(payable, shipping)| payable.plus(shipping).ok()).map(show::money).unwrap_or_default()
}

fn account_facts(account: &PayoutAccount) -> Markup {
    html! { dl.facts { dt { "Holder" } dd { (account.holder) } dt { "Account" } dd.mono { "•••• " (account.last4) } dt { "Since" } dd { (moment(account.since.as_ref())) } } }
}

fn account_form(visit: &Visit, form: &Form) -> Markup {
    form::post(
        visit,
        "/seller/payout-account",
        html! { div.stack {
            (Input::text("holder", "Account holder").max_len(140).autocomplete("name").show(form))
            (Input::text("iban", "IBAN").max_len(42).placeholder("DE89 3704 0044 0532 0130 00").hint("Kept by the bank; we keep its last four places.").show(form))
            button.btn.block type="submit" { (ui::icon("banknote")) "Pay me here" }
        } },
    )
}

fn payouts(payouts: &[Payout]) -> Markup {
    html! {
        table.table.cards {
            thead { tr { th scope="col" { "Period" } th scope="col" { "State" } th scope="col" { "Account" } th.num scope="col" { "Amount" } } }
            tbody {
                @for payout in payouts {
                    tr {
                        th scope="row" { a href={ "/seller/payouts/" (payout.payout_id) } { (span(payout)) } @if !payout.failure.is_empty() { div.tiny.bad-ink { (word(&payout.failure, "")) } } }
                        td data-label="State" { (payout_badge(payout.state())) }
                        td.mono data-label="Account" { "•••• " (payout.account_last4) }
                        td.num data-label="Amount" { (money(payout.amount.as_ref())) }
                    }
                }
            }
        }
    }
}

/// "9 Nov 2026 – 16 Nov 2026".
pub(crate) fn span(payout: &Payout) -> Markup {
    html! {
        @if let (Some(start), Some(end)) = (&payout.period_start, &payout.period_end) { (show::date(kit_rpc::time(start))) " – " (show::date(kit_rpc::time(end))) }
    }
}

fn span_form(visit: &Visit, standing: &GetBalanceResponse, wanted: &Span) -> Markup {
    let currencies = standing.balances.iter().filter_map(|balance| Some(balance.total.as_ref()?.currency.clone()));
    let mut currencies: Vec<String> = currencies.collect();
    if currencies.is_empty() {
        currencies.push("USD".to_owned());
    }
    let today = visit.now.date_naive();
    let first = today.with_day(1).unwrap_or(today);
    let or = |given: &str, usual: String| if given.is_empty() { usual } else { given.to_owned() };
    let form = Form::default()
        .with("currency", or(&wanted.currency, currencies.first().cloned().unwrap_or_default()))
        .with("from", or(&wanted.from, first.to_string()))
        .with("to", or(&wanted.to, today.to_string()));
    html! {
        form.stack method="get" action="/seller/statement" {
            (Input::select("currency", "Currency", currencies.iter().map(|currency| (currency.clone(), currency.clone()))).show(&form))
            (Input::text("from", "From").kind("date").show(&form))
            (Input::text("to", "To").kind("date").show(&form))
            button.btn.outline.block type="submit" { (ui::icon("file-text")) "Show" }
        }
    }
}

pub(crate) async fn show(State(site): State<Web>, here: Here, Path(payout_id): Path<String>) -> Page {
    working(&here)?;
    let request = GetStatementRequest { payout_id, ..GetStatementRequest::default() };
    let statement = site.payments.clone().get_statement(here.ctx.request(request)).await?.into_inner().statement.unwrap_or_default();
    Ok(view_statement(&here, &statement, &Span::default()).into_response())
}

pub(crate) async fn statement(State(site): State<Web>, here: Here, Query(wanted): Query<Span>) -> Page {
    working(&here)?;
    let Span { currency, from, to } = wanted.clone();
    let request = GetStatementRequest { currency, from, to, payout_id: String::new() };
    let statement = site.payments.clone().get_statement(here.ctx.request(request)).await?.into_inner().statement.unwrap_or_default();
    Ok(view_statement(&here, &statement, &wanted).into_response())
}

/// A payout's statement as a file; the name's ending says which kind.
pub(crate) async fn payout_file(State(site): State<Web>, here: Here, Path((payout_id, file)): Path<(String, String)>) -> Page {
    working(&here)?;
    let format = format_of(&file)?;
    let request = ExportStatementRequest { payout_id: payout_id.clone(), format, ..ExportStatementRequest::default() };
    let found = site.payments.clone().export_statement(here.ctx.request(request)).await?;
    Ok(download(found))
}

pub(crate) async fn span_file(State(site): State<Web>, here: Here, Path(file): Path<String>, Query(wanted): Query<Span>) -> Page {
    working(&here)?;
    let Span { currency, from, to } = wanted;
    let request = ExportStatementRequest { payout_id: String::new(), currency, from, to, format: format_of(&file)? };
    let found = site.payments.clone().export_statement(here.ctx.request(request)).await?;
    Ok(download(found))
}

fn format_of(file: &str) -> Result<String, Failure> {
    file.strip_prefix("statement.").filter(|format| matches!(*format, "pdf" | "csv")).map(str::to_owned).ok_or_else(Failure::not_found)
}

fn view_statement(visit: &Visit, statement: &Statement, wanted: &Span) -> Markup {
    let address = |file: &str| match &statement.payout {
        Some(payout) => format!("/seller/payouts/{}/{file}", payout.payout_id),
        None => link(&format!("/seller/statement/{file}"), &[("currency", &wanted.currency), ("from", &wanted.from), ("to", &wanted.to)]),
    };
    let files = html! { div.row.tight {
        a.btn.outline href=(address("statement.pdf")) { (ui::icon("download")) "PDF" }
        a.btn.outline href=(address("statement.csv")) { (ui::icon("file-spreadsheet")) "CSV" }
    } };
    let here = match &statement.payout {
        Some(_) => "Payout".to_owned(),
        None => format!("{} to {}", wanted.from, wanted.to),
    };
    let body = html! {
        (ui::crumbs(&[("/seller/payouts".to_owned(), "Payouts".to_owned())], &here))
        @if let Some(payout) = &statement.payout {
            section.card.mb6 {
                dl.facts {
                    dt { "State" } dd { (payout_badge(payout.state())) @if !payout.failure.is_empty() { " " (word(&payout.failure, "")) } }
                    dt { "Amount" } dd { strong { (money(payout.amount.as_ref())) } }
                    dt { "Period" } dd { (span(payout)) }
                    dt { "To the account" } dd.mono { "•••• " (payout.account_last4) }
                    dt { "At the bank" } dd.mono.small { (if payout.bank_reference.is_empty() { "–" } else { payout.bank_reference.as_str() }) }
                }
            }
        }
        section.card.flush {
            header { h2 { "Lines" } }
            table.table.cards {
                thead { tr { th scope="col" { "What" } th scope="col" { "When" } th scope="col" { "From" } th.num scope="col" { "Amount" } th.num scope="col" { "Balance" } } }
                tbody {
                    tr { th scope="row" { "Opening balance" } td data-label="When" { (moment(statement.from.as_ref())) } td {} td {} td.num data-label="Balance" { (money(statement.opening.as_ref())) } }
                    @for line in &statement.lines { (statement_line(line)) }
                    tr { th scope="row" { strong { "Closing balance" } } td data-label="When" { (moment(statement.to.as_ref())) } td {} td {} td.num data-label="Balance" { strong { (money(statement.closing.as_ref())) } } }
                }
            }
        }
    };
    desk(visit, "/seller/payouts", "Statement", "Opening balance, every movement, closing balance.", files, body)
}

fn statement_line(line: &StatementLine) -> Markup {
    let (tone, what) = match line.kind() {
        StatementLineKind::Sale => (Tone::Good, "sale"),
        StatementLineKind::Reversal => (Tone::Warn, "taken back"),
        StatementLineKind::Payout => (Tone::Info, "payout"),
        StatementLineKind::PayoutFailed => (Tone::Bad, "payout failed"),
        StatementLineKind::PayoutReturned => (Tone::Bad, "payout returned"),
        StatementLineKind::Adjustment | StatementLineKind::Unspecified => (Tone::Plain, "adjustment"),
    };
    html! {
        tr {
            th scope="row" { (badge(tone, what)) }
            td data-label="When" { (moment(line.at.as_ref())) }
            td data-label="From" { div {
                @if !line.sub_order_id.is_empty() { a href={ "/seller/orders/" (line.sub_order_id) } { "order" } }
                @if !line.payout_id.is_empty() { a href={ "/seller/payouts/" (line.payout_id) } { "payout" } }
                p.mono.tiny.hush { (line.entry_id) }
            } }
            td.num data-label="Amount" { (money(line.amount.as_ref())) }
            td.num data-label="Balance" { (money(line.balance.as_ref())) }
        }
    }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::seller;
    let money = |amount_minor| Some(kit_rpc::proto::Money { amount_minor, currency: "USD".to_owned() });
    let at = |text: &str| Some(kit_rpc::timestamp(crate::visit::sample::time(text)));
    let paid = Payout {
        payout_id: "pyo_1".to_owned(),
        state: PayoutState::Paid.into(),
        amount: money(129_900),
        period_start: at("2026-11-09T00:00:00Z"),
        period_end: at("2026-11-16T00:00:00Z"),
        account_last4: "3000".to_owned(),
        bank_reference: "tr_0198f0d1".to_owned(),
        ..Default::default()
    };
    let returned = Payout { state: PayoutState::Returned.into(), failure: "account_cannot_receive".to_owned(), ..paid.clone() };
    let balance = api_payments::TenantBalance {
        payable: money(45_000),
        shipping: money(4_990),
        tax: money(0),
        total: money(179_890),
        available: money(129_900),
    };
    let account = PayoutAccount {
        holder: "Anna's Kitchen".to_owned(),
        last4: "3000".to_owned(),
        blocked_reason: "account_cannot_receive".to_owned(),
        since: at("2026-11-01T09:00:00Z"),
    };
    let standing = GetBalanceResponse {
        balances: vec![balance],
        payout_account: Some(account),
        next_payout_at: at("2026-11-23T00:00:00Z"),
        hold_minutes: 10_080,
    };
    let line = |number, kind: StatementLineKind, minor, balance, sub: &str, payout: &str| StatementLine {
        number,
        kind: kind.into(),
        at: at("2026-11-15T12:00:00Z"),
        amount: money(minor),
        balance: money(balance),
        entry_id: "led_0198f0d1000070008000000000000001".to_owned(),
        sub_order_id: sub.to_owned(),
        payout_id: payout.to_owned(),
        ..Default::default()
    };
    let statement = Statement {
        payout: Some(paid.clone()),
        from: at("2026-11-15T12:00:00Z"),
        to: at("2026-11-16T00:01:00Z"),
        opening: money(-3_600),
        closing: money(0),
        lines: vec![line(7, StatementLineKind::Sale, 133_500, 129_900, "sub_1", ""), line(8, StatementLineKind::Payout, -129_900, 0, "", "pyo_1")],
        ..Default::default()
    };
    let of_period = Statement { payout: None, lines: Vec::new(), ..statement.clone() };
    let span = Span { currency: "USD".to_owned(), from: "2026-11-01".to_owned(), to: "2026-11-21".to_owned() };
    let wrong = Form::default().wrong("iban", "is not an IBAN");
    vec![
        (
            "seller-payouts",
            view(&seller(), &standing, &ListPayoutsOfTenantResponse { payouts: vec![returned, paid], next_cursor: String::new() }, &Form::default()),
        ),
        ("seller-payouts-none", view(&seller(), &GetBalanceResponse::default(), &ListPayoutsOfTenantResponse::default(), &wrong)),
        ("seller-statement", view_statement(&seller(), &statement, &Span::default())),
        ("seller-statement-period", view_statement(&seller(), &of_period, &span)),
    ]
}

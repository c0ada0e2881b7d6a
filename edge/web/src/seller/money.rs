//! What the market owes the shop, and every line of the ledger behind it.

use api_payments::{
    AccountKind, EntryKind, GetBalanceRequest, LedgerEntry, ListLedgerOfTenantRequest, ListLedgerOfTenantResponse, Posting, TenantBalance,
};
use axum::extract::{Query, State};
use axum::response::IntoResponse;
use maud::{Markup, html};

use super::{desk, working};
use crate::failure::Page;
use crate::portal::{ListQuery, link, moment};
use crate::session::Here;
use crate::site::Web;
use crate::ui::{self, Tone, amount, badge, show};
use crate::visit::Visit;

const PAGE: u32 = 50;

pub(crate) async fn list(State(site): State<Web>, here: Here, Query(wanted): Query<ListQuery>) -> Page {
    working(&here)?;
    let mut payments = site.payments.clone();
    let balances = payments.get_balance(here.ctx.request(GetBalanceRequest {})).await?.into_inner().balances;
    let request = ListLedgerOfTenantRequest { limit: PAGE, cursor: wanted.cursor };
    let found = payments.list_ledger_of_tenant(here.ctx.request(request)).await?.into_inner();
    Ok(view(&here, &balances, &found).into_response())
}

fn account(kind: AccountKind) -> &'static str {
    match kind {
        AccountKind::TenantPayable => "Goods, after commission",
        AccountKind::TenantShipping => "Shipping",
        AccountKind::TaxPayable => "Tax",
        AccountKind::PlatformCommission => "Commission",
        AccountKind::TenantAvailable => "Available",
        AccountKind::PspReceivable => "Paid by the buyer",
        _ => "Other",
    }
}

fn view(visit: &Visit, balances: &[TenantBalance], found: &ListLedgerOfTenantResponse) -> Markup {
    let figure = |name: &str, money: Option<&kit_rpc::proto::Money>, note: &str| html! { @if let Some(money) = amount(money) { div.stat { span.name { (name) } span.value { (show::money(money)) } span.note { (note) } } } };
    let body = html! {
        @if balances.is_empty() { div.mb6 { (ui::notice(Tone::Info, "No money yet: it comes with the first order that is paid.")) } }
        @for balance in balances {
            div.stats.mb6 { (figure("Balance", balance.total.as_ref(), "the market owes you")) (figure("Available", balance.available.as_ref(), "paid out next")) (figure("Goods, pending", balance.payable.as_ref(), "after commission")) (figure("Shipping, pending", balance.shipping.as_ref(), "paid by buyers")) (figure("Tax", balance.tax.as_ref(), "collected")) }
        }
        section.card.flush {
            header { h2 { "Ledger" } }
            @if found.entries.is_empty() { (ui::empty("receipt", "Nothing booked yet", "Every payment and refund is booked here, line by line.", None)) } @else {
                table.table.cards {
                    thead { tr { th scope="col" { "What" } th scope="col" { "When" } th scope="col" { "Account" } th.num scope="col" { "Amount" } } }
                    tbody { @for entry in &found.entries { (lines(entry)) } }
                }
            }
        }
        (ui::pager(None, (!found.next_cursor.is_empty()).then(|| link("/seller/money", &[("cursor", &found.next_cursor)])).as_deref()))
    };
    desk(visit, "/seller/money", "Money", "What the market keeps for you, to the cent.", html! {}, body)
}

/// The ledger writes what is owed to the shop as a credit, which is negative; the shop reads what it gets as positive.
fn owed(posting: &Posting) -> String {
    amount(posting.amount.as_ref()).and_then(|money| money.negated().ok()).map(show::money).unwrap_or_default()
}

fn lines(entry: &LedgerEntry) -> Markup {
    let (tone, what) = match entry.kind() {
        EntryKind::Capture => (Tone::Good, "payment"),
        EntryKind::Refund => (Tone::Warn, "refund"),
        EntryKind::Settlement => (Tone::Info, "settlement"),
        EntryKind::Payout => (Tone::Info, "payout"),
        EntryKind::PayoutFailed | EntryKind::PayoutReturned => (Tone::Bad, "payout back"),
        EntryKind::DisputeOpened | EntryKind::DisputeLost => (Tone::Warn, "dispute"),
        EntryKind::DisputeWon => (Tone::Good, "dispute won"),
        EntryKind::PayoutPaid | EntryKind::Adjustment | EntryKind::Unspecified => (Tone::Plain, "other"),
    };
    html! {
        @for posting in &entry.postings {
            tr {
                th scope="row" { (badge(tone, what)) @if !posting.sub_order_id.is_empty() { " " a.small href={ "/seller/orders/" (posting.sub_order_id) } { "order" } } }
                td data-label="When" { (moment(entry.at.as_ref())) }
                td data-label="Account" { (account(posting.account())) }
                td.num data-label="Amount" { (owed(posting)) }
            }
        }
    }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::seller;
    let money = |amount_minor| Some(kit_rpc::proto::Money { amount_minor, currency: "USD".to_owned() });
    let posting = |account: AccountKind, amount_minor| Posting {
        account: account.into(),
        sub_order_id: "sub_1".to_owned(),
        amount: money(amount_minor),
        ..Default::default()
    };
    let capture = LedgerEntry {
        kind: EntryKind::Capture.into(),
        postings: vec![posting(AccountKind::TenantPayable, -3518), posting(AccountKind::TenantShipping, -499)],
        ..Default::default()
    };
    let refund = LedgerEntry { kind: EntryKind::Refund.into(), postings: vec![posting(AccountKind::TenantPayable, 3518)], ..Default::default() };
    let balance = TenantBalance { payable: money(129_900), shipping: money(4990), tax: money(0), total: money(144_890), available: money(10_000) };
    vec![
        ("seller-money", view(&seller(), &[balance], &ListLedgerOfTenantResponse { entries: vec![capture, refund], next_cursor: "n".to_owned() })),
        ("seller-money-none", view(&seller(), &[], &ListLedgerOfTenantResponse::default())),
    ]
}

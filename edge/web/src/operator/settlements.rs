//! Payouts to sellers, disputes with cardholders, and what PSPs and banks report otherwise than we have booked.

use api_payments::{
    AnswerDisputeRequest, Dispute, DisputeState, ListDisputesRequest, ListDisputesResponse, ListOpenItemsRequest, ListOpenItemsResponse,
    ListPayoutsRequest, ListPayoutsResponse, OpenItem, OpenItemKind, OpenItemState, PayoutState, ReconcileRequest, ResolveOpenItemRequest,
    RunSettlementRequest,
};
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use kit_rpc::problem_of;
use maud::{Markup, html};

use super::{ListQuery, console, filter, link, moment, staff, word};
use crate::failure::Page;
use crate::session::{Here, Posted};
use crate::site::Web;
use crate::ui::form::{self, Form};
use crate::ui::{self, Tone, amount, badge, show};
use crate::visit::Visit;

const PAGE: u32 = 25;
const PAYOUTS: [(&str, &str); 5] = [("created", "Created"), ("sent", "Sent"), ("paid", "Paid"), ("failed", "Failed"), ("returned", "Returned")];
const DISPUTES: [(&str, &str); 4] = [("needs_response", "Needs a response"), ("under_review", "Under review"), ("won", "Won"), ("lost", "Lost")];
const ITEMS: [(&str, &str); 3] = [("open", "Open"), ("resolved", "Resolved"), ("cleared", "Cleared by itself")];

fn text(money: Option<&kit_rpc::proto::Money>) -> String {
    amount(money).map(show::money).unwrap_or_default()
}

pub(crate) async fn payouts(State(site): State<Web>, here: Here, Query(wanted): Query<ListQuery>) -> Page {
    staff(&here)?;
    let state = PayoutState::from_str_name(&format!("PAYOUT_STATE_{}", wanted.state.to_uppercase())).unwrap_or_default();
    let request = ListPayoutsRequest { limit: PAGE, cursor: wanted.cursor.clone(), tenant_id: wanted.query.clone(), state: state.into() };
    let found = site.payments.clone().list_payouts(here.ctx.request(request)).await?.into_inner();
    Ok(view_payouts(&here, &wanted, &found).into_response())
}

pub(crate) async fn run(State(site): State<Web>, here: Here, Posted(_): Posted) -> Page {
    staff(&here)?;
    let begun = site.payments.clone().run_settlement(here.ctx.request(RunSettlementRequest {})).await?.into_inner().begun;
    let told =
        if begun == 0 { "Nothing more was due.".to_owned() } else { format!("{} begun.", show::counted(u64::from(begun), "payout", "payouts")) };
    Ok(site.redirect("/operator/settlements", Tone::Good, &told))
}

fn view_payouts(visit: &Visit, wanted: &ListQuery, found: &ListPayoutsResponse) -> Markup {
    let body = html! {
        (filter("/operator/settlements", "Tenant id (ten_…)", &wanted.query, &PAYOUTS, &wanted.state))
        div.card.flush {
            @if found.payouts.is_empty() { (ui::empty("banknote", "No payouts", "Payouts are made when a period ends and something is available.", None)) } @else {
                table.table.cards {
                    thead { tr { th scope="col" { "Payout" } th scope="col" { "State" } th scope="col" { "Period" } th scope="col" { "Tenant" } th scope="col" { "Bank" } th.num scope="col" { "Amount" } } }
                    tbody {
                        @for payout in &found.payouts {
                            tr {
                                th scope="row" { span.mono.tiny { (payout.payout_id) } @if !payout.failure.is_empty() { div.tiny.bad-ink { (word(&payout.failure, "")) } } }
                                td data-label="State" { (crate::seller::payout_badge(payout.state())) }
                                td data-label="Period" { (crate::seller::payout_span(payout)) }
                                td data-label="Tenant" { a.mono.tiny href={ "/operator/tenants/" (payout.tenant_id) } { (payout.tenant_id) } }
                                td data-label="Bank" { (payout.bank) div.mono.tiny.hush { (payout.bank_reference) } }
                                td.num data-label="Amount" { (text(payout.amount.as_ref())) }
                            }
                        }
                    }
                }
            }
        }
        (ui::pager(None, (!found.next_cursor.is_empty()).then(|| link("/operator/settlements", &[("query", &wanted.query), ("state", &wanted.state), ("cursor", &found.next_cursor)])).as_deref()))
    };
    let actions = html! { @if visit.may("operator:payments.write") { (form::post(visit, "/operator/settlements/run", html! { button.btn type="submit" { (ui::icon("play")) "Pay what is due" } })) } };
    console(visit, "/operator/settlements", "Settlements", "What sellers were paid, per period, and how it ended at the bank.", actions, body)
}

pub(crate) async fn disputes(State(site): State<Web>, here: Here, Query(wanted): Query<ListQuery>) -> Page {
    staff(&here)?;
    let state = DisputeState::from_str_name(&format!("DISPUTE_STATE_{}", wanted.state.to_uppercase())).unwrap_or_default();
    let request = ListDisputesRequest { limit: PAGE, cursor: wanted.cursor.clone(), state: state.into() };
    let found = site.payments.clone().list_disputes(here.ctx.request(request)).await?.into_inner();
    Ok(view_disputes(&here, &wanted, &found).into_response())
}

pub(crate) async fn answer(State(site): State<Web>, here: Here, Path(dispute_id): Path<String>, Posted(form): Posted) -> Page {
    staff(&here)?;
    let request = AnswerDisputeRequest { dispute_id, evidence: form.text("evidence") };
    Ok(match site.payments.clone().answer_dispute(here.ctx.request(request)).await {
        Ok(_) => site.redirect("/operator/disputes", Tone::Good, "The PSP has our side of the story."),
        Err(status) => site.redirect("/operator/disputes", Tone::Bad, &problem_of(&status).message),
    })
}

fn view_disputes(visit: &Visit, wanted: &ListQuery, found: &ListDisputesResponse) -> Markup {
    let body = html! {
        nav.tabs aria-label="State" { ul {
            li { a href="/operator/disputes" aria-current=[wanted.state.is_empty().then_some("page")] { "All" } }
            @for (state, label) in DISPUTES { li { a href=(link("/operator/disputes", &[("state", state)])) aria-current=[(state == wanted.state).then_some("page")] { (label) } } }
        } }
        @if found.disputes.is_empty() { div.card { (ui::empty("shield-check", "No disputes", "Nobody takes a payment back through their bank.", None)) } }
        div.stack.loose { @for dispute in &found.disputes { (dispute_card(visit, dispute)) } }
        (ui::pager(None, (!found.next_cursor.is_empty()).then(|| link("/operator/disputes", &[("state", &wanted.state), ("cursor", &found.next_cursor)])).as_deref()))
    };
    console(visit, "/operator/disputes", "Disputes", "Cardholders who take a payment back through their bank. Evidence decides.", html! {}, body)
}

fn dispute_card(visit: &Visit, dispute: &Dispute) -> Markup {
    let tone = match dispute.state() {
        DisputeState::NeedsResponse => Tone::Warn,
        DisputeState::UnderReview => Tone::Info,
        DisputeState::Won => Tone::Good,
        DisputeState::Lost => Tone::Bad,
        DisputeState::Unspecified => Tone::Plain,
    };
    let answers = dispute.state() == DisputeState::NeedsResponse && visit.may("operator:payments.write");
    html! {
        section.card {
            header { h2 { (text(dispute.amount.as_ref())) " " span.hush.small { (word(&dispute.reason, "")) } } (badge(tone, word(dispute.state().as_str_name(), "DISPUTE_STATE_"))) }
            dl.facts.mb4 {
                dt { "Order" } dd { a.mono.small href={ "/operator/orders/" (dispute.order_id) } { (dispute.order_id) } }
                dt { "At " (dispute.psp) } dd.mono.small { (dispute.psp_reference) }
                dt { "Fee" } dd { (text(dispute.fee.as_ref())) }
                dt { "Opened" } dd { (moment(dispute.opened_at.as_ref())) }
                @if dispute.evidence_due_at.is_some() { dt { "Answer until" } dd { (moment(dispute.evidence_due_at.as_ref())) } }
                @if dispute.closed_at.is_some() { dt { "Closed" } dd { (moment(dispute.closed_at.as_ref())) } }
            }
            @if answers {
                (form::post(visit, &format!("/operator/disputes/{}", dispute.dispute_id), html! { div.stack.mb4 {
                    (evidence(&dispute.dispute_id))
                    div.row.tight { button.btn type="submit" { (ui::icon("send")) "Send evidence" } }
                } }))
                (form::post(visit, &format!("/operator/disputes/{}", dispute.dispute_id), html! {
                    button.btn.danger.quiet.small type="submit" data-confirm="Accept the dispute? The money is gone then." { "Accept it" }
                }))
            }
        }
    }
}

/// The field stands on the page once per dispute, so its id is the dispute's.
fn evidence(dispute_id: &str) -> Markup {
    let id = format!("evidence-{dispute_id}");
    html! { div.field { label for=(id) { "Evidence" } textarea #(id) name="evidence" rows="4" required maxlength="20000" placeholder="Delivery note, tracking number, messages" {} } }
}

pub(crate) async fn items(State(site): State<Web>, here: Here, Query(wanted): Query<ListQuery>) -> Page {
    staff(&here)?;
    let state = OpenItemState::from_str_name(&format!("OPEN_ITEM_STATE_{}", wanted.state.to_uppercase())).unwrap_or_default();
    let request = ListOpenItemsRequest { limit: PAGE, cursor: wanted.cursor.clone(), state: state.into() };
    let found = site.payments.clone().list_open_items(here.ctx.request(request)).await?.into_inner();
    Ok(view_items(&here, &wanted, &found).into_response())
}

pub(crate) async fn reconcile(State(site): State<Web>, here: Here, Posted(_): Posted) -> Page {
    staff(&here)?;
    Ok(match site.payments.clone().reconcile(here.ctx.request(ReconcileRequest {})).await {
        Ok(found) => {
            let open = u64::from(found.into_inner().open);
            let told = if open == 0 {
                "The reports say what we have booked.".to_owned()
            } else {
                format!("{} open.", show::counted(open, "difference", "differences"))
            };
            site.redirect("/operator/open-items", if open == 0 { Tone::Good } else { Tone::Warn }, &told)
        }
        Err(status) => site.redirect("/operator/open-items", Tone::Bad, &problem_of(&status).message),
    })
}

pub(crate) async fn resolve(State(site): State<Web>, here: Here, Path(item_id): Path<String>, Posted(form): Posted) -> Page {
    staff(&here)?;
    let request = ResolveOpenItemRequest { item_id, note: form.text("note"), post: form.get("post") == "on" };
    Ok(match site.payments.clone().resolve_open_item(here.ctx.request(request)).await {
        Ok(_) => site.redirect("/operator/open-items", Tone::Good, "Resolved."),
        Err(status) => site.redirect("/operator/open-items", Tone::Bad, &problem_of(&status).message),
    })
}

fn view_items(visit: &Visit, wanted: &ListQuery, found: &ListOpenItemsResponse) -> Markup {
    let body = html! {
        @if !found.reports.is_empty() {
            div.stats.mb6 { @for report in &found.reports { div.stat { span.name { (word(&report.source, "")) } span.value { (show::count(report.lines)) } span.note { "lines reported, " (show::count(report.unmatched)) " not in our books; read " (moment(report.fetched_at.as_ref())) } } } }
        }
        nav.tabs aria-label="State" { ul {
            li { a href="/operator/open-items" aria-current=[wanted.state.is_empty().then_some("page")] { "All" } }
            @for (state, label) in ITEMS { li { a href=(link("/operator/open-items", &[("state", state)])) aria-current=[(state == wanted.state).then_some("page")] { (label) } } }
        } }
        @if found.items.is_empty() { div.card { (ui::empty("scale", "No differences", "What PSPs and banks report is what we have booked.", None)) } }
        div.stack.loose { @for item in &found.items { (item_card(visit, item)) } }
        (ui::pager(None, (!found.next_cursor.is_empty()).then(|| link("/operator/open-items", &[("state", &wanted.state), ("cursor", &found.next_cursor)])).as_deref()))
    };
    let actions = html! { @if visit.may("operator:payments.write") { (form::post(visit, "/operator/open-items/reconcile", html! { button.btn type="submit" { (ui::icon("refresh-cw")) "Compare now" } })) } };
    console(visit, "/operator/open-items", "Open items", "Where the books of PSPs and banks differ from ours.", actions, body)
}

fn item_card(visit: &Visit, item: &OpenItem) -> Markup {
    let what = match item.kind() {
        OpenItemKind::NotInLedger => "reported, not in our books",
        OpenItemKind::NotReported => "in our books, not reported",
        OpenItemKind::AmountDiffers => "the amounts differ",
        OpenItemKind::Unspecified => "differs",
    };
    let tone = if item.state() == OpenItemState::Open { Tone::Warn } else { Tone::Good };
    html! {
        section.card {
            header { h2 { (word(&item.source, "")) ": " (word(&item.about, "")) " " span.hush.small { (what) } } (badge(tone, word(item.state().as_str_name(), "OPEN_ITEM_STATE_"))) }
            dl.facts.mb4 {
                dt { "Reported" } dd { (text(item.reported.as_ref())) }
                dt { "Booked" } dd { (text(item.booked.as_ref())) }
                dt { "Reference" } dd.mono.small { (item.reference) }
                @if !item.payment_id.is_empty() { dt { "Payment" } dd.mono.small { (item.payment_id) } }
                dt { "Found" } dd { (moment(item.opened_at.as_ref())) }
                @if !item.note.is_empty() { dt { "Note" } dd { (item.note) } }
                @if item.closed_at.is_some() { dt { "Closed" } dd { (moment(item.closed_at.as_ref())) } }
            }
            @if item.state() == OpenItemState::Open && visit.may("operator:payments.write") {
                (form::post(visit, &format!("/operator/open-items/{}", item.item_id), html! { div.stack {
                    (note(&item.item_id))
                    (form::check(&Form::default(), "post", "Book the difference against the suspense account"))
                    div.row.tight { button.btn type="submit" { (ui::icon("check")) "Resolve" } }
                } }))
            }
        }
    }
}

/// The field stands on the page once per item, so its id is the item's.
fn note(item_id: &str) -> Markup {
    let id = format!("note-{item_id}");
    html! { div.field { label for=(id) { "What it was, and what was done" } textarea #(id) name="note" rows="3" required maxlength="1000" {} } }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::{operator, time};
    use api_payments::{Payout, ReportProgress};
    let money = |amount_minor| Some(kit_rpc::proto::Money { amount_minor, currency: "USD".to_owned() });
    let at = |text: &str| Some(kit_rpc::timestamp(time(text)));
    let paid = Payout {
        payout_id: "pyo_0198f0d1000070008000000000000001".to_owned(),
        tenant_id: "ten_0198f0d1000070008000000000000001".to_owned(),
        state: PayoutState::Paid.into(),
        amount: money(129_900),
        period_start: at("2026-11-09T00:00:00Z"),
        period_end: at("2026-11-16T00:00:00Z"),
        bank: "sandbox_bank".to_owned(),
        bank_reference: "tr_0198f0d1".to_owned(),
        ..Default::default()
    };
    let returned = Payout { state: PayoutState::Returned.into(), failure: "account_cannot_receive".to_owned(), ..paid.clone() };
    let dispute = Dispute {
        dispute_id: "dsp_1".to_owned(),
        order_id: "ord_1".to_owned(),
        psp: "sandbox".to_owned(),
        psp_reference: "dp_1".to_owned(),
        state: DisputeState::NeedsResponse.into(),
        reason: "product_not_received".to_owned(),
        amount: money(4_497),
        fee: money(1_785),
        opened_at: at("2026-11-20T09:00:00Z"),
        evidence_due_at: at("2026-11-27T09:00:00Z"),
        ..Default::default()
    };
    let lost = Dispute { dispute_id: "dsp_2".to_owned(), state: DisputeState::Lost.into(), closed_at: at("2026-11-21T09:00:00Z"), ..dispute.clone() };
    let item = OpenItem {
        item_id: "opn_1".to_owned(),
        source: "sandbox".to_owned(),
        kind: OpenItemKind::NotInLedger.into(),
        state: OpenItemState::Open.into(),
        reference: "by hand".to_owned(),
        about: "refund".to_owned(),
        payment_id: "pay_1".to_owned(),
        reported: money(-700),
        booked: money(0),
        opened_at: at("2026-11-21T09:00:00Z"),
        ..Default::default()
    };
    let resolved = OpenItem {
        item_id: "opn_2".to_owned(),
        state: OpenItemState::Resolved.into(),
        note: "refunded by hand in the PSP's console".to_owned(),
        closed_at: at("2026-11-21T10:00:00Z"),
        ..item.clone()
    };
    let report = ReportProgress { source: "sandbox".to_owned(), lines: 31_173, unmatched: 1, fetched_at: at("2026-11-21T10:00:00Z") };
    let (wanted, visit) = (ListQuery::default(), operator());
    vec![
        ("operator-settlements", view_payouts(&visit, &wanted, &ListPayoutsResponse { payouts: vec![returned, paid], next_cursor: "n".to_owned() })),
        ("operator-settlements-none", view_payouts(&visit, &wanted, &ListPayoutsResponse::default())),
        ("operator-disputes", view_disputes(&visit, &wanted, &ListDisputesResponse { disputes: vec![dispute, lost], next_cursor: String::new() })),
        ("operator-disputes-none", view_disputes(&visit, &wanted, &ListDisputesResponse::default())),
        (
            "operator-open-items",
            view_items(&visit, &wanted, &ListOpenItemsResponse { items: vec![item, resolved], reports: vec![report], next_cursor: String::new() }),
        ),
        ("operator-open-items-none", view_items(&visit, &wanted, &ListOpenItemsResponse::default())),
    ]
}

//! The audit log: who changed what, from where; and the proof that nobody changed the log.

use api_admin::{AuditEntry, ListAuditRequest, ListAuditResponse, VerifyAuditRequest, VerifyAuditResponse};
use axum::extract::{Query, State};
use axum::response::IntoResponse;
use maud::{Markup, html};

use super::{ListQuery, console, link, moment, staff, word};
use crate::failure::Page;
use crate::session::{Here, Posted};
use crate::site::Web;
use crate::ui::{self, Tone, form, show};
use crate::visit::Visit;

const PAGE: u32 = 50;

pub(crate) async fn list(State(site): State<Web>, here: Here, Query(wanted): Query<ListQuery>) -> Page {
    staff(&here)?;
    let request = ListAuditRequest {
        limit: PAGE,
        cursor: wanted.cursor.clone(),
        service: wanted.service.clone(),
        kind: wanted.kind.clone(),
        actor: wanted.actor.clone(),
        ..Default::default()
    };
    let found = site.admin.clone().list_audit(here.ctx.request(request)).await?.into_inner();
    Ok(view(&here, &wanted, &found, None).into_response())
}

/// Recomputes the chain of hashes and tells the result on the page; of a long log one part, and the way on.
pub(crate) async fn verify(State(site): State<Web>, here: Here, Posted(form): Posted) -> Page {
    staff(&here)?;
    let request = VerifyAuditRequest { after_sequence: form.get("after").parse().unwrap_or(0) };
    let verdict = site.admin.clone().verify_audit(here.ctx.request(request)).await?.into_inner();
    let newest = site.admin.clone().list_audit(here.ctx.request(ListAuditRequest { limit: PAGE, ..Default::default() })).await?.into_inner();
    Ok(view(&here, &ListQuery::default(), &newest, Some(&verdict)).into_response())
}

/// What was verified so far. Entries are numbered from 1 without gaps, so the last good number is how many were checked.
fn outcome(visit: &Visit, verdict: &VerifyAuditResponse) -> Markup {
    let checked = show::counted(u64::try_from(verdict.last_sequence).unwrap_or(0), "entry", "entries");
    let hash: String = verdict.last_hash.chars().take(16).collect();
    match (verdict.intact, verdict.complete) {
        (false, _) => ui::notice(Tone::Bad, html! { p { "Broken at entry " (verdict.broken_sequence) ": " (verdict.trouble) } }),
        (true, true) => ui::notice(Tone::Good, html! { p { "Intact: " (checked) " checked, the last hash is " (hash) "…" } }),
        (true, false) => ui::notice(
            Tone::Info,
            html! {
                p { (checked) " checked so far, all intact." }
                form method="post" action="/operator/audit" hx-post="/operator/audit" hx-trigger="load, submit" hx-target="#verdict" hx-select="#verdict" hx-swap="outerHTML" {
                    (form::csrf(visit)) input type="hidden" name="after" value=(verdict.last_sequence);
                    button.link type="submit" { "Go on" }
                }
            },
        ),
    }
}

fn view(visit: &Visit, wanted: &ListQuery, found: &ListAuditResponse, verdict: Option<&VerifyAuditResponse>) -> Markup {
    let field = |name: &'static str, label: &'static str, value: &str| html! { input.input type="search" name=(name) value=(value) placeholder=(label) aria-label=(label) maxlength="80"; };
    let check = form::post(visit, "/operator/audit", html! { button.btn.outline type="submit" { (ui::icon("shield-check")) "Verify the chain" } });
    let body = html! {
        div #verdict.mb4[verdict.is_some()] aria-live="polite" { @if let Some(verdict) = verdict { (outcome(visit, verdict)) } }
        form.row.mb4 method="get" action="/operator/audit" role="search" {
            (field("service", "Service", &wanted.service)) (field("kind", "Event", &wanted.kind)) (field("actor", "Who (usr_…)", &wanted.actor))
            button.btn.outline type="submit" { (ui::icon("search")) "Find" }
        }
        div.card.flush {
            @if found.entries.is_empty() { (ui::empty("history", "No entries", "Nothing in the log matches what you asked for.", None)) } @else {
                table.table.cards {
                    thead { tr { th scope="col" { "What" } th scope="col" { "About" } th scope="col" { "Who" } th scope="col" { "From" } th scope="col" { "When" } } }
                    tbody { @for entry in &found.entries { (row(entry)) } }
                }
            }
        }
        (ui::pager(None, (!found.next_cursor.is_empty()).then(|| link("/operator/audit", &[("service", &wanted.service), ("kind", &wanted.kind), ("actor", &wanted.actor), ("cursor", &found.next_cursor)])).as_deref()))
    };
    console(visit, "/operator/audit", "Audit log", "Every change by anyone, chained by hashes so that no entry can be altered unseen.", check, body)
}

fn row(entry: &AuditEntry) -> Markup {
    html! {
        tr {
            th scope="row" {
                (word(&entry.kind, "")) div.tiny.hush { (entry.service) " #" (entry.sequence) }
                @if !entry.change.is_empty() { details.tiny { summary { "What changed" } pre.mono { (entry.change) } } }
            }
            td data-label="About" { span.mono.tiny { (entry.key) @if !entry.tenant_id.is_empty() { br; (entry.tenant_id) } } }
            td data-label="Who" { span.mono.tiny { (entry.actor) @if !entry.on_behalf_of.is_empty() { br; "for " (entry.on_behalf_of) } } }
            td data-label="From" { span.mono.tiny.nowrap { (entry.address) } }
            td data-label="When" { (moment(entry.at.as_ref())) }
        }
    }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::operator;
    let entry = AuditEntry {
        sequence: 7,
        service: "tenants".to_owned(),
        kind: "tenant_approved".to_owned(),
        key: "0198f0d1".to_owned(),
        actor: "usr_1".to_owned(),
        change: r#"{"before":{"state":"applied"},"after":{"state":"active"}}"#.to_owned(),
        ..Default::default()
    };
    let part = VerifyAuditResponse { intact: true, checked: 3_000, last_sequence: 12_000, ..Default::default() };
    let whole = VerifyAuditResponse { complete: true, last_hash: "5feceb66ffc86f38d952786c".to_owned(), ..part.clone() };
    let broken = VerifyAuditResponse { intact: false, broken_sequence: 12_001, trouble: "its hash does not fit".to_owned(), ..whole.clone() };
    let listed = ListAuditResponse { entries: vec![entry], next_cursor: "n".to_owned() };
    let query = ListQuery::default();
    vec![
        ("operator-audit", view(&operator(), &query, &listed, None)),
        ("operator-audit-verifying", view(&operator(), &query, &listed, Some(&part))),
        ("operator-audit-intact", view(&operator(), &query, &listed, Some(&whole))),
        ("operator-audit-broken", view(&operator(), &query, &listed, Some(&broken))),
        ("operator-audit-none", view(&operator(), &query, &ListAuditResponse::default(), None)),
    ]
}

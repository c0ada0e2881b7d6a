//! The audit log: who changed what, from where; and the proof that nobody changed the log.

use api_admin::{AuditEntry, ListAuditRequest, ListAuditResponse, VerifyAuditRequest};
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
    Ok(view(&here, &wanted, &found).into_response())
}

/// Recomputes the chain of hashes and tells the result on the page.
pub(crate) async fn verify(State(site): State<Web>, here: Here, Posted(_): Posted) -> Page {
    staff(&here)?;
    let found = site.admin.clone().verify_audit(here.ctx.request(VerifyAuditRequest::default())).await?.into_inner();
    let checked = show::counted(u64::try_from(found.checked).unwrap_or(0), "entry", "entries");
    Ok(if found.intact {
        let hash: String = found.last_hash.chars().take(16).collect();
        site.redirect("/operator/audit", Tone::Good, &format!("Intact: {checked} checked, the last hash is {hash}…"))
    } else {
        site.redirect("/operator/audit", Tone::Bad, &format!("Broken at entry {}: {}", found.broken_sequence, found.trouble))
    })
}

fn view(visit: &Visit, wanted: &ListQuery, found: &ListAuditResponse) -> Markup {
    let field = |name: &'static str, label: &'static str, value: &str| html! { input.input type="search" name=(name) value=(value) placeholder=(label) aria-label=(label) maxlength="80"; };
    let check = form::post(visit, "/operator/audit", html! { button.btn.outline type="submit" { (ui::icon("shield-check")) "Verify the chain" } });
    let body = html! {
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
    vec![
        ("operator-audit", view(&operator(), &ListQuery::default(), &ListAuditResponse { entries: vec![entry], next_cursor: "n".to_owned() })),
        ("operator-audit-none", view(&operator(), &ListQuery::default(), &ListAuditResponse::default())),
    ]
}

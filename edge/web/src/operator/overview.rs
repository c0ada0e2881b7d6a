//! What happened in the market lately, and whether it is well.

use api_admin::{EventCount, GetOverviewRequest, GetOverviewResponse};
use api_tenants::{ListRequest, Tenant, TenantState};
use axum::extract::State;
use axum::response::IntoResponse;
use maud::{Markup, html};

use super::{console, staff, word};
use crate::failure::Page;
use crate::session::Here;
use crate::site::Web;
use crate::ui::{self, Tone, show};
use crate::visit::Visit;

/// The window of the figures.
const HOURS: u32 = 24;

pub(crate) async fn show(State(site): State<Web>, here: Here) -> Page {
    staff(&here)?;
    let overview = site.admin.clone().get_overview(here.ctx.request(GetOverviewRequest { hours: HOURS })).await?.into_inner();
    let request = ListRequest { limit: 5, state: TenantState::Applied.into(), ..Default::default() };
    let waiting =
        if here.may("operator:tenants.read") { site.tenants.clone().list(here.ctx.request(request)).await?.into_inner().tenants } else { Vec::new() };
    Ok(view(&here, &overview, &waiting).into_response())
}

fn view(visit: &Visit, overview: &GetOverviewResponse, waiting: &[Tenant]) -> Markup {
    let count =
        |kind: &str| overview.counts.iter().filter(|count| count.kind == kind).map(|count| u64::try_from(count.count).unwrap_or(0)).sum::<u64>();
    let stat = |address: &'static str, picture: &'static str, name: &'static str, value: String, note: &str| {
        html! { a.stat href=(address) { span.name { (ui::icon(picture)) (name) } span.value { (value) } span.note { (note) } } }
    };
    let well = overview.services_ready == overview.services_total && overview.dead_letters == 0;
    let body = html! {
        @if !well {
            div.mb6 { (ui::notice(Tone::Bad, html! { p { (show::counted(u64::from(overview.services_total - overview.services_ready), "service is", "services are")) " not ready, " (show::counted(u64::from(overview.dead_letters), "event is", "events are")) " stuck. " a href="/operator/health" { "Look at the health page" } } })) }
        }
        div.stats.mb6 {
            (stat("/operator/orders", "package", "Orders placed", show::count(count("order_placed")), "in the last 24 hours"))
            (stat("/operator/payments", "wallet", "Payments captured", show::count(count("payment_captured")), "in the last 24 hours"))
            (stat("/operator/users", "users", "Accounts opened", show::count(count("user_registered")), "in the last 24 hours"))
            (stat("/operator/audit", "history", "Audit entries", show::count(u64::try_from(overview.audit_entries).unwrap_or(0)), "in all"))
            (stat("/operator/health", "activity", "Services ready", format!("{} of {}", overview.services_ready, overview.services_total), if well { "all is well" } else { "look at this" }))
        }
        div.with-aside {
            section.card.flush { header { h2 { "What happened most" } } (busiest(&overview.counts)) }
            aside { section.card.stack { h2 { "Waiting for you" } (applications(waiting)) } }
        }
    };
    console(visit, "/operator", "Overview", "The last 24 hours of the market.", html! {}, body)
}

fn busiest(counts: &[EventCount]) -> Markup {
    let mut counts: Vec<&EventCount> = counts.iter().collect();
    counts.sort_by_key(|count| std::cmp::Reverse(count.count));
    let most = counts.first().map_or(1, |count| count.count.max(1));
    html! {
        @if counts.is_empty() { (ui::empty("activity", "A quiet day", "Nothing has happened in the last 24 hours.", None)) } @else {
            table.table.cards {
                thead { tr { th scope="col" { "Event" } th scope="col" { "Service" } th scope="col" { "Share" } th.num scope="col" { "Count" } } }
                tbody {
                    @for count in counts.iter().take(15) {
                        tr {
                            th scope="row" { (word(&count.kind, "")) }
                            td data-label="Service" { (count.service) }
                            td data-label="Share" { progress value=(count.count) max=(most) aria-label={ (count.count) " of " (most) } {} }
                            td.num data-label="Count" { (show::count(u64::try_from(count.count).unwrap_or(0))) }
                        }
                    }
                }
            }
        }
    }
}

fn applications(waiting: &[Tenant]) -> Markup {
    html! {
        @if waiting.is_empty() { p.hush { "No shop is waiting for approval." } }
        ul.divided {
            @for tenant in waiting {
                @let store = tenant.store.clone().unwrap_or_default();
                li { a href={ "/operator/tenants/" (tenant.tenant_id) } { (store.name) } p.small.hush { "applied " (super::moment(tenant.applied_at.as_ref())) } }
            }
        }
        a.btn.outline.small href="/operator/tenants?state=applied" { "All applications" }
    }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::operator;
    let count = |service: &str, kind: &str, count| EventCount { service: service.to_owned(), kind: kind.to_owned(), count };
    let busy = GetOverviewResponse {
        counts: vec![
            count("orders", "order_placed", 128),
            count("payments", "payment_captured", 121),
            count("catalog", "product_changed", 2041),
            count("identity", "user_registered", 48),
        ],
        audit_entries: 31_173,
        services_ready: 11,
        services_total: 11,
        dead_letters: 0,
    };
    let ill = GetOverviewResponse { services_ready: 9, dead_letters: 3, ..busy.clone() };
    vec![
        ("operator-overview", view(&operator(), &busy, &super::tenants::sample_tenants())),
        ("operator-overview-ill", view(&operator(), &ill, &[])),
        ("operator-overview-new", view(&operator(), &GetOverviewResponse { services_ready: 11, services_total: 11, ..Default::default() }, &[])),
    ]
}

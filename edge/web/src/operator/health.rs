//! How each service and its background work is doing, and the events that could not be applied.

use api_admin::{
    CallHealth, GetHealthRequest, GetHealthResponse, ListDeadLettersRequest, ListDeadLettersResponse, RetryDeadLetterRequest, ServiceHealth,
};
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use kit_rpc::problem_of;
use maud::{Markup, html};

use super::{console, moment, seconds_since, staff, word};
use crate::failure::Page;
use crate::session::{Here, Posted};
use crate::site::Web;
use crate::ui::{self, Tone, badge, form};
use crate::visit::Visit;

/// Dead letters shown at most; the API has them all.
const LETTERS: u32 = 50;

pub(crate) async fn show(State(site): State<Web>, here: Here) -> Page {
    staff(&here)?;
    let mut admin = site.admin.clone();
    let health = admin.get_health(here.ctx.request(GetHealthRequest {})).await?.into_inner();
    let request = ListDeadLettersRequest { service: String::new(), limit: LETTERS };
    let letters = admin.list_dead_letters(here.ctx.request(request)).await?.into_inner();
    Ok(view(&here, &health, &letters).into_response())
}

pub(crate) async fn retry(State(site): State<Web>, here: Here, Path((service, number)): Path<(String, i64)>, Posted(_): Posted) -> Page {
    staff(&here)?;
    match site.admin.clone().retry_dead_letter(here.ctx.request(RetryDeadLetterRequest { service, number })).await {
        Ok(_) => Ok(site.redirect("/operator/health", Tone::Good, "Applied.")),
        Err(status) => Ok(site.redirect("/operator/health", Tone::Bad, &problem_of(&status).message)),
    }
}

fn view(visit: &Visit, health: &GetHealthResponse, letters: &ListDeadLettersResponse) -> Markup {
    let body = html! {
        div.mb6 {
            @if health.healthy { (ui::notice(Tone::Good, "Every service is ready, no job is overdue, no event is stuck.")) } @else { (ui::notice(Tone::Bad, "Something needs you; it is marked below.")) }
        }
        div.stack.loose {
            @if !letters.dead_letters.is_empty() { (dead_letters(visit, letters)) }
            (calls(&health.services))
            @for service in &health.services { (service_view(visit, service)) }
        }
    };
    console(visit, "/operator/health", "Health", "Each service, the logs it follows and the jobs it runs.", html! {}, body)
}

/// How the calls of all services went, to be compared.
fn calls(services: &[ServiceHealth]) -> Markup {
    let slowest = services.iter().filter_map(|service| service.calls).map(|calls| calls.p99_micros).max().unwrap_or_default().max(1);
    let minutes = services.iter().filter_map(|service| service.calls).map(|calls| calls.window_seconds.div_ceil(60)).max().unwrap_or_default();
    html! {
        section.card.flush {
            header { h2 { "Calls of the last " (ui::show::counted(u64::from(minutes), "minute", "minutes")) } span.tiny.hush { "failed: on our side" } }
            table.table.cards {
                thead { tr { th scope="col" { "Service" } th.num scope="col" { "Calls" } th.num scope="col" { "Failed" } th.num scope="col" { "Half within" } th.num scope="col" { "99 % within" } th.num scope="col" { "Connections busy" } } }
                tbody {
                    @for (service, calls) in services.iter().filter_map(|service| Some((service, service.calls?))) {
                        tr {
                            th scope="row" { (service.service) }
                            td.num data-label="Calls" { (calls.calls) }
                            td.num data-label="Failed" { @if calls.failed > 0 { (badge(Tone::Bad, share(calls))) } @else { "0" } }
                            td.num data-label="Half within" { (duration(calls.p50_micros)) }
                            td.num data-label="99 % within" { (duration(calls.p99_micros)) " " meter.only-wide min="0" max=(slowest) value=(calls.p99_micros) aria-hidden="true" {} }
                            td.num data-label="Connections busy" { @for pool in &service.pools { div { @if pool.cell != "home" { (pool.cell) ": " } (pool.busy) " of " (pool.limit) } } }
                        }
                    }
                }
            }
        }
    }
}

/// Failed calls, as a count and as a share in tenths of a per cent.
fn share(calls: CallHealth) -> String {
    let tenths = calls.failed.saturating_mul(1000) / calls.calls.max(1);
    format!("{} · {}.{} %", calls.failed, tenths / 10, tenths % 10)
}

fn duration(micros: u64) -> String {
    match micros {
        0 => "–".to_owned(),
        1..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        10_000..1_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
    }
}

fn service_view(visit: &Visit, service: &ServiceHealth) -> Markup {
    let (tone, state) = match (service.reachable, service.ready) {
        (false, _) => (Tone::Bad, "not reachable"),
        (true, false) => (Tone::Bad, "not ready"),
        (true, true) => (Tone::Good, "ready"),
    };
    html! {
        section.card.flush {
            header { h2 { (service.service) } span.row.tight { @if service.reachable { span.tiny.hush { "answers in " (duration(service.answer_micros.into())) } } (badge(tone, state)) } }
            @if !service.trouble.is_empty() { footer { (ui::notice(Tone::Bad, &service.trouble)) } }
            @if !service.consumers.is_empty() || !service.jobs.is_empty() {
                table.table.cards {
                    thead { tr { th scope="col" { "Work" } th scope="col" { "State" } th scope="col" { "Last" } } }
                    tbody {
                        @for consumer in &service.consumers {
                            tr {
                                th scope="row" { "follows " (consumer.source) @if consumer.cell != "home" && !consumer.cell.is_empty() { " (" (consumer.cell) ")" } }
                                td data-label="State" { @if consumer.behind == 0 { (badge(Tone::Good, "level")) } @else { (badge(Tone::Warn, format!("{} behind", consumer.behind))) } @if consumer.dead_letters > 0 { " " (badge(Tone::Bad, format!("{} stuck", consumer.dead_letters))) } }
                                td data-label="Last" {}
                            }
                        }
                        @for job in &service.jobs {
                            tr {
                                th scope="row" { (word(&job.name, "")) div.tiny.hush { "every " (job.every_seconds) " s" } }
                                td data-label="State" { @if job.overdue { (badge(Tone::Bad, "overdue")) } @else { (badge(Tone::Good, "on time")) } @if !job.last_error.is_empty() { div.tiny.bad-ink { (job.last_error) } } }
                                td data-label="Last" { @if job.last_succeeded.is_some() { (seconds_since(visit.now, job.last_succeeded.as_ref())) " s ago" } @else { span.hush { "not yet" } } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn dead_letters(visit: &Visit, letters: &ListDeadLettersResponse) -> Markup {
    html! {
        section.card.flush {
            header { h2 { "Stuck events" } }
            table.table.cards {
                thead { tr { th scope="col" { "Event" } th scope="col" { "Why" } th.num scope="col" { "Tries" } th scope="col" { "Since" } th scope="col" { span.sr { "Try again" } } } }
                tbody {
                    @for letter in &letters.dead_letters {
                        tr {
                            th scope="row" { (word(&letter.kind, "")) div.tiny.hush { (letter.source) " → " (letter.service) } }
                            td data-label="Why" { (letter.error) }
                            td.num data-label="Tries" { (letter.attempts) }
                            td data-label="Since" { (moment(letter.failed_at.as_ref())) }
                            td { (form::post(visit, &format!("/operator/dead-letters/{}/{}/retry", letter.service, letter.number), html! { button.btn.outline.small type="submit" { (ui::icon("refresh-cw")) "Try again" } })) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::operator;
    use api_admin::{ConsumerHealth, DeadLetterEntry, JobHealth, PoolHealth};
    let calls = CallHealth { window_seconds: 300, calls: 1200, failed: 0, p50_micros: 312, p99_micros: 4200 };
    let pool = PoolHealth { cell: "home".to_owned(), busy: 2, limit: 12 };
    let consumer = ConsumerHealth { source: "catalog".to_owned(), cell: "home".to_owned(), behind: 0, dead_letters: 0 };
    let job = JobHealth { name: "expire_holds".to_owned(), every_seconds: 5, ..Default::default() };
    let well = ServiceHealth {
        service: "inventory".to_owned(),
        reachable: true,
        ready: true,
        answer_micros: 31,
        consumers: vec![consumer.clone()],
        jobs: vec![job.clone()],
        calls: Some(calls),
        pools: vec![pool.clone(), PoolHealth { cell: "lamps".to_owned(), ..pool.clone() }],
        ..Default::default()
    };
    let ill = ServiceHealth {
        service: "search".to_owned(),
        reachable: true,
        trouble: "the index cannot be written".to_owned(),
        consumers: vec![ConsumerHealth { behind: 12, dead_letters: 1, ..consumer }],
        jobs: vec![JobHealth { overdue: true, last_error: "disk full".to_owned(), ..job }],
        calls: Some(CallHealth { failed: 31, p99_micros: 1_250_000, ..calls }),
        pools: vec![PoolHealth { busy: 12, ..pool }],
        ..Default::default()
    };
    let letter = DeadLetterEntry {
        service: "search".to_owned(),
        number: 3,
        source: "catalog".to_owned(),
        kind: "product_changed".to_owned(),
        error: "title is missing".to_owned(),
        attempts: 5,
        ..Default::default()
    };
    vec![
        (
            "operator-health",
            view(&operator(), &GetHealthResponse { healthy: true, services: vec![well.clone()] }, &ListDeadLettersResponse::default()),
        ),
        (
            "operator-health-ill",
            view(
                &operator(),
                &GetHealthResponse { healthy: false, services: vec![well, ill] },
                &ListDeadLettersResponse { dead_letters: vec![letter] },
            ),
        ),
    ]
}

//! Translation between the contract and the flows: parse, call, map.

use std::sync::Arc;

use api_admin as api;
use api_admin::admin_server::Admin as Contract;
use kit_core::TenantId;
use kit_rpc::{Ctx, parse, status, time, timestamp, violation};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::flows::{Admin, Answer};
use crate::model::{Entry, hex};
use crate::store::Filter;

#[derive(Clone)]
pub(crate) struct Rpc(pub(crate) Arc<Admin>);

/// Rows of a page that names no limit.
const PAGE: u32 = 20;
/// Hours of an overview that names none.
const HOURS: u32 = 24;

fn given(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// A uuid with or without its prefix, with or without hyphens.
fn key(text: &str) -> Result<Option<Uuid>, Status> {
    let bare = text.rsplit('_').next().unwrap_or(text);
    if bare.is_empty() { Ok(None) } else { Uuid::try_parse(bare).map(Some).map_err(|_| violation("key", "is not an id")) }
}

fn limit(wanted: u32) -> u32 {
    if wanted == 0 { PAGE } else { wanted }
}

#[tonic::async_trait]
impl Contract for Rpc {
    async fn list_audit(&self, request: Request<api::ListAuditRequest>) -> Result<Response<api::ListAuditResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let r = request.into_inner();
        let limit = i64::from(limit(r.limit));
        let filter = Filter {
            before: if r.cursor.is_empty() { None } else { Some(r.cursor.parse().map_err(|_| violation("cursor", "is not one this list gave"))?) },
            service: given(r.service),
            kind: given(r.kind),
            actor: given(r.actor),
            tenant: if r.tenant_id.is_empty() { None } else { Some(parse::<TenantId>("tenant_id", &r.tenant_id)?) },
            key: key(&r.key)?,
            since: r.since.as_ref().map(time),
            until: r.until.as_ref().map(time),
        };
        let entries = self.0.list_audit(&ctx, &filter, limit).await.map_err(status)?;
        let more = i64::try_from(entries.len()).is_ok_and(|length| length == limit);
        let next_cursor = entries.last().filter(|_| more).map(|entry| entry.sequence.to_string()).unwrap_or_default();
        Ok(Response::new(api::ListAuditResponse { entries: entries.into_iter().map(show).collect(), next_cursor }))
    }

    async fn verify_audit(&self, request: Request<api::VerifyAuditRequest>) -> Result<Response<api::VerifyAuditResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let verdict = self.0.verify(&ctx, request.get_ref().after_sequence).await.map_err(status)?;
        let (broken_sequence, trouble) = verdict.broken.map(|(sequence, why)| (sequence, why.to_owned())).unwrap_or_default();
        let intact = verdict.broken.is_none();
        let (last_sequence, last_hash) = (verdict.end.sequence, hex(&verdict.end.hash));
        let (checked, complete) = (verdict.checked, verdict.complete);
        Ok(Response::new(api::VerifyAuditResponse { intact, checked, last_sequence, last_hash, broken_sequence, trouble, complete }))
    }

    async fn get_health(&self, request: Request<api::GetHealthRequest>) -> Result<Response<api::GetHealthResponse>, Status> {
        let services: Vec<_> = self.0.health(&Ctx::of(&request)?).await.map_err(status)?.into_iter().map(health).collect();
        let healthy = services.iter().all(|service| service.ready && service.dead_letters == 0 && !service.jobs.iter().any(|job| job.overdue));
        Ok(Response::new(api::GetHealthResponse { healthy, services }))
    }

    async fn list_dead_letters(&self, request: Request<api::ListDeadLettersRequest>) -> Result<Response<api::ListDeadLettersResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let r = request.into_inner();
        let letters = self.0.dead_letters(&ctx, &r.service, limit(r.limit)).await.map_err(status)?;
        Ok(Response::new(api::ListDeadLettersResponse {
            dead_letters: letters.into_iter().map(|(service, letter)| dead_letter(service, letter)).collect(),
        }))
    }

    async fn retry_dead_letter(&self, request: Request<api::RetryDeadLetterRequest>) -> Result<Response<api::RetryDeadLetterResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let r = request.into_inner();
        self.0.retry_dead_letter(&ctx, &r.service, r.number).await.map_err(status)?;
        Ok(Response::new(api::RetryDeadLetterResponse {}))
    }

    async fn get_overview(&self, request: Request<api::GetOverviewRequest>) -> Result<Response<api::GetOverviewResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let hours = if request.get_ref().hours == 0 { HOURS } else { request.get_ref().hours };
        let (counts, audit_entries) = self.0.overview(&ctx, hours).await.map_err(status)?;
        let services: Vec<_> = self.0.health(&ctx).await.map_err(status)?.into_iter().map(health).collect();
        Ok(Response::new(api::GetOverviewResponse {
            counts: counts.into_iter().map(|(service, kind, count)| api::EventCount { service, kind, count }).collect(),
            audit_entries,
            services_ready: number(services.iter().filter(|service| service.ready).count()),
            services_total: number(services.len()),
            dead_letters: services.iter().map(|service| service.dead_letters).sum(),
        }))
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn show(entry: Entry) -> api::AuditEntry {
    let what = entry.what;
    api::AuditEntry {
        audit_id: api::AuditId::from(entry.audit_id).to_string(),
        sequence: entry.sequence,
        at: Some(timestamp(what.at)),
        actor: what.actor,
        on_behalf_of: what.on_behalf_of,
        address: what.address,
        service: what.service,
        kind: what.kind,
        key: what.key.simple().to_string(),
        tenant_id: what.tenant.map(|tenant| tenant.to_string()).unwrap_or_default(),
        change: what.change,
        request_id: what.request_id,
        prev_hash: hex(&entry.prev_hash),
        hash: hex(&entry.hash),
    }
}

fn health(answer: Answer) -> api::ServiceHealth {
    let answer_micros = u32::try_from(answer.took.as_micros()).unwrap_or(u32::MAX);
    let service = answer.service.to_owned();
    match answer.status {
        Err(status) => api::ServiceHealth { service, trouble: status.message().to_owned(), answer_micros, ..Default::default() },
        Ok(status) => {
            let consumers = status.consumers.into_iter().map(|c| api::ConsumerHealth {
                source: c.source,
                cell: c.cell,
                behind: c.behind,
                dead_letters: c.dead_letters,
            });
            let consumers: Vec<_> = consumers.collect();
            let jobs = status.jobs.into_iter().map(|job| api::JobHealth {
                name: job.name,
                every_seconds: job.every_seconds,
                last_started: job.last_started,
                last_succeeded: job.last_succeeded,
                last_error: job.last_error,
                overdue: job.overdue,
            });
            let calls = status.calls.map(|calls| api::CallHealth {
                window_seconds: calls.window_seconds,
                calls: calls.calls,
                failed: calls.failed,
                p50_micros: calls.p50_micros,
                p99_micros: calls.p99_micros,
            });
            let pools = status.pools.into_iter().map(|pool| api::PoolHealth { cell: pool.cell, busy: pool.busy, limit: pool.limit });
            let dead_letters = consumers.iter().map(|consumer| consumer.dead_letters).sum();
            api::ServiceHealth {
                service,
                reachable: true,
                ready: status.ready,
                trouble: status.trouble,
                answer_micros,
                consumers,
                jobs: jobs.collect(),
                dead_letters,
                calls,
                pools: pools.collect(),
            }
        }
    }
}

fn dead_letter(service: &str, letter: kit_rpc::proto::DeadLetter) -> api::DeadLetterEntry {
    let event = letter.event.unwrap_or_default();
    api::DeadLetterEntry {
        service: service.to_owned(),
        number: letter.number,
        source: letter.source,
        cell: letter.cell,
        kind: event.kind,
        key: event.key,
        error: letter.error,
        attempts: letter.attempts,
        failed_at: letter.failed_at,
    }
}

//! What other services may ask about logs and background work, over the link. Served once per process for all its services.

use std::collections::BTreeMap;
use std::time::Duration;

use kit_rpc::proto::{self, event_log_server, upkeep_server};
use kit_rpc::{Ctx, status, violation};
use prost::Message;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::upkeep::Upkeep;
use crate::{Db, DbError, Position};

const MOST_EVENTS: u32 = 1000;
/// What one page of events may weigh; one event more always fits.
const MOST_BYTES: usize = 2 << 20;
const LONGEST_WAIT_MS: u32 = 8_000;
const LAG_LIMIT: i64 = 10_000;
const MOST_LETTERS: u32 = 500;

/// The logs of the services in this process.
#[derive(Clone)]
pub struct EventLogService {
    dbs: BTreeMap<&'static str, Db>,
    stop: CancellationToken,
}

impl EventLogService {
    /// Readers that wait for the next event are answered when `stop` is cancelled, so that they do not hold up a drain.
    pub fn new(dbs: impl IntoIterator<Item = Db>, stop: CancellationToken) -> Self {
        Self { dbs: dbs.into_iter().map(|db| (db.service(), db)).collect(), stop }
    }

    fn db(&self, service: &str) -> Result<&Db, Status> {
        self.dbs.get(service).ok_or_else(|| violation("service", "no such service in this process"))
    }
}

#[tonic::async_trait]
impl event_log_server::EventLog for EventLogService {
    async fn read(&self, request: Request<proto::ReadEventsRequest>) -> Result<Response<proto::ReadEventsResponse>, Status> {
        Ctx::of(&request)?.require_service()?;
        let request = request.into_inner();
        let cell = self.db(&request.service)?.cell(&request.cell).await.map_err(status)?;
        let after = request.after.map(Position::from).unwrap_or_default();
        let limit = usize::try_from(request.limit.clamp(1, MOST_EVENTS)).unwrap_or(1);
        let wait = Duration::from_millis(u64::from(request.wait_ms.min(LONGEST_WAIT_MS)));
        let read = self.stop.run_until_cancelled(cell.tail().read(after, limit, wait)).await;
        let events = read.unwrap_or_else(|| Ok(Vec::new())).map_err(DbError::from).map_err(status)?;
        let mut bytes = 0;
        let mut page = Vec::with_capacity(events.len());
        for event in events {
            if bytes > MOST_BYTES {
                break;
            }
            let event = event.to_proto();
            bytes += event.encoded_len();
            page.push(event);
        }
        Ok(Response::new(proto::ReadEventsResponse { events: page }))
    }

    async fn cells(&self, request: Request<proto::CellsRequest>) -> Result<Response<proto::CellsResponse>, Status> {
        Ctx::of(&request)?.require_service()?;
        let cells = self.db(&request.get_ref().service)?.cells().await.map_err(status)?;
        Ok(Response::new(proto::CellsResponse { cells: cells.iter().map(|cell| cell.name().to_owned()).collect() }))
    }

    async fn lag(&self, request: Request<proto::LagRequest>) -> Result<Response<proto::LagResponse>, Status> {
        Ctx::of(&request)?.require_service()?;
        let request = request.into_inner();
        let cell = self.db(&request.service)?.cell(&request.cell).await.map_err(status)?;
        let after = request.after.map(Position::from).unwrap_or_default();
        let behind = cell.tail().behind(after, LAG_LIMIT).await.map_err(DbError::from).map_err(status)?;
        Ok(Response::new(proto::LagResponse { behind: u32::try_from(behind).unwrap_or_default() }))
    }
}

/// The background work of the services in this process.
#[derive(Clone)]
pub struct UpkeepService(BTreeMap<&'static str, Upkeep>);

impl UpkeepService {
    pub fn new(upkeeps: impl IntoIterator<Item = Upkeep>) -> Self {
        Self(upkeeps.into_iter().map(|upkeep| (upkeep.service(), upkeep)).collect())
    }

    fn upkeep(&self, service: &str) -> Result<&Upkeep, Status> {
        self.0.get(service).ok_or_else(|| violation("service", "no such service in this process"))
    }
}

#[tonic::async_trait]
impl upkeep_server::Upkeep for UpkeepService {
    async fn status(&self, request: Request<proto::UpkeepStatusRequest>) -> Result<Response<proto::UpkeepStatusResponse>, Status> {
        Ctx::of(&request)?.require_service()?;
        let upkeep = self.upkeep(&request.get_ref().service)?;
        let (consumers, jobs) = match futures::try_join!(upkeep.consumer_states(), upkeep.job_states()) {
            Ok(states) => states,
            Err(error) => {
                let trouble = error.to_string();
                return Ok(Response::new(proto::UpkeepStatusResponse { ready: false, trouble, ..Default::default() }));
            }
        };
        let failing = consumers.iter().filter_map(|c| c.trouble.as_ref().map(|trouble| format!("following {}/{}: {trouble}", c.source, c.cell)));
        let overdue = jobs.iter().filter(|job| job.overdue).map(|job| format!("job {} is overdue", job.name));
        let trouble = failing.chain(overdue).collect::<Vec<_>>().join("; ");
        let consumers = consumers.into_iter().map(|state| proto::ConsumerStatus {
            source: state.source.to_owned(),
            cell: state.cell,
            position: Some(state.position.into()),
            behind: state.behind,
            dead_letters: state.dead_letters,
        });
        let jobs = jobs.into_iter().map(|state| proto::JobStatus {
            name: state.name.to_owned(),
            every_seconds: u32::try_from(state.every.as_secs().max(1)).unwrap_or(u32::MAX),
            last_started: state.last_started.map(kit_rpc::timestamp),
            last_succeeded: state.last_succeeded.map(kit_rpc::timestamp),
            last_error: state.last_error.unwrap_or_default(),
            overdue: state.overdue,
        });
        let (consumers, jobs) = (consumers.collect(), jobs.collect());
        let (calls, pools) = (Some(upkeep.traffic().told()), upkeep.pools().await.map_err(status)?);
        Ok(Response::new(proto::UpkeepStatusResponse { ready: trouble.is_empty(), trouble, consumers, jobs, calls, pools }))
    }

    async fn list_dead_letters(&self, request: Request<proto::ListDeadLettersRequest>) -> Result<Response<proto::ListDeadLettersResponse>, Status> {
        Ctx::of(&request)?.require_service()?;
        let request = request.into_inner();
        let limit = if request.limit == 0 { MOST_LETTERS } else { request.limit.min(MOST_LETTERS) };
        let dead_letters = self.upkeep(&request.service)?.dead_letters(limit).await.map_err(status)?;
        Ok(Response::new(proto::ListDeadLettersResponse { dead_letters }))
    }

    async fn retry_dead_letter(&self, request: Request<proto::RetryDeadLetterRequest>) -> Result<Response<proto::RetryDeadLetterResponse>, Status> {
        Ctx::of(&request)?.require_service()?;
        let request = request.into_inner();
        let outcome = self.upkeep(&request.service)?.retry_dead_letter(request.number).await.map_err(status)?;
        match outcome {
            Some(Ok(())) => Ok(Response::new(proto::RetryDeadLetterResponse {})),
            Some(Err(error)) => Err(Status::failed_precondition(format!("the event failed again: {error}"))),
            None => Err(Status::not_found("there is no such dead letter")),
        }
    }
}

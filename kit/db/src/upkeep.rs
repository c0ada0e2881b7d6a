//! A service's background work, its consumers and jobs: registered while the service starts, then run until it stops.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use kit_core::{Clock, Time};
use kit_rpc::{Link, Traffic, proto};
use prost::Message;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::follow::{Consumer, cursor};
use crate::{Cell, Db, DbError, Handler, Job, Position};

/// How often the state of pools and consumers goes to the metrics.
const RECORD_EVERY: Duration = Duration::from_secs(5);

/// How a consumer is doing in one cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerState {
    pub source: &'static str,
    pub cell: String,
    pub position: Position,
    /// Counted up to 10,000.
    pub behind: u32,
    pub dead_letters: u32,
    pub trouble: Option<String>,
}

/// How a job is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobState {
    pub name: &'static str,
    pub every: Duration,
    pub last_started: Option<Time>,
    pub last_succeeded: Option<Time>,
    pub last_error: Option<String>,
    /// It has not succeeded for three periods.
    pub overdue: bool,
}

/// One service's background work. Cheap to clone.
#[derive(Clone)]
pub struct Upkeep(Arc<Inner>);

struct Inner {
    db: Db,
    clock: Clock,
    stop: CancellationToken,
    tasks: TaskTracker,
    consumers: Mutex<Vec<Consumer>>,
    jobs: Mutex<Vec<Job>>,
    traffic: Arc<Traffic>,
}

impl Upkeep {
    pub fn new(db: Db, clock: Clock, stop: CancellationToken) -> Self {
        Self(Arc::new(Inner {
            db,
            clock,
            stop,
            tasks: TaskTracker::new(),
            consumers: Mutex::default(),
            jobs: Mutex::default(),
            traffic: Arc::default(),
        }))
    }

    pub fn service(&self) -> &'static str {
        self.0.db.service()
    }

    /// The calls of this service.
    pub fn traffic(&self) -> &Arc<Traffic> {
        &self.0.traffic
    }

    /// How busy its connections are.
    pub async fn pools(&self) -> Result<Vec<proto::PoolStatus>, DbError> {
        Ok(self.0.db.cells().await?.iter().map(Cell::pool_status).collect())
    }

    /// Follows another service's log (or its own), reached by `link`.
    pub fn follow(&self, source: &'static str, link: Link, handler: Handler) {
        let consumer = Consumer::new(self.0.db.clone(), source, link, handler, self.0.clock.clone());
        self.0.consumers.lock().unwrap_or_else(PoisonError::into_inner).push(consumer);
    }

    /// Runs a reconciler every `period` and when signalled.
    pub fn every(&self, name: &'static str, period: Duration, work: impl Fn() -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync + 'static) {
        self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner).push(Job::new(name, period, work));
    }

    /// Starts everything registered; called once, when the service answers calls.
    pub fn start(&self) {
        for consumer in self.consumers() {
            self.0.tasks.spawn(consumer.run(self.0.tasks.clone(), self.0.stop.clone()));
        }
        for job in self.jobs() {
            self.0.tasks.spawn(job.run(self.0.db.clone(), self.0.stop.clone()));
        }
        self.0.tasks.spawn(record(self.clone()));
        self.0.tasks.close();
    }

    /// Completes when everything has stopped, after `stop` was cancelled: what was being applied is finished first.
    pub async fn stopped(&self) {
        self.0.tasks.wait().await;
    }

    /// Runs a job soon. False: there is no such job.
    pub fn signal(&self, job: &str) -> bool {
        let job = self.job(job);
        job.as_ref().inspect(|job| job.signal()).is_some()
    }

    /// Runs a job and waits for its outcome; the error is the job's own, or that there is no such job.
    pub async fn run_now(&self, job: &str) -> Result<(), String> {
        match self.job(job) {
            Some(job) => job.run_now().await,
            None => Err(format!("{} has no job {job}", self.service())),
        }
    }

    pub async fn consumer_states(&self) -> Result<Vec<ConsumerState>, DbError> {
        let counted: Vec<(String, String, i64)> =
            sqlx::query_as("select source, cell, count(*) from dead_letter group by source, cell").fetch_all(self.0.db.pool()).await?;
        let mut states = Vec::new();
        for consumer in self.consumers() {
            let mut progress = consumer.progress();
            for cell in consumer.cells().await.unwrap_or_default() {
                progress.entry(cell).or_default();
            }
            for (cell, progress) in progress {
                let position = cursor(&self.0.db, consumer.source, &cell).await?;
                let lag = consumer.lag(&cell, position).await;
                let trouble = progress.trouble.or_else(|| lag.as_ref().err().map(|status| status.message().to_owned()));
                let dead =
                    counted.iter().find(|(source, of_cell, _)| source == consumer.source && *of_cell == cell).map_or(0, |(_, _, count)| *count);
                states.push(ConsumerState {
                    source: consumer.source,
                    cell,
                    position,
                    behind: lag.unwrap_or_default(),
                    dead_letters: u32::try_from(dead).unwrap_or(u32::MAX),
                    trouble,
                });
            }
        }
        Ok(states)
    }

    pub async fn job_states(&self) -> Result<Vec<JobState>, DbError> {
        let mut states = Vec::new();
        for job in self.jobs() {
            states.push(job.state(&self.0.db).await?);
        }
        Ok(states)
    }

    /// Applies a source's whole log again, in every cell, from its beginning.
    pub async fn replay(&self, source: &str) -> Result<(), DbError> {
        for consumer in self.consumers().iter().filter(|consumer| consumer.source == source) {
            consumer.replay().await?;
        }
        Ok(())
    }

    /// Events that could not be applied, the oldest first.
    pub async fn dead_letters(&self, limit: u32) -> Result<Vec<proto::DeadLetter>, DbError> {
        let rows: Vec<Letter> =
            sqlx::query_as("select number, source, cell, event, error, attempts, failed_at from dead_letter order by number limit $1")
                .bind(i64::from(limit))
                .fetch_all(self.0.db.pool())
                .await?;
        Ok(rows.into_iter().map(Letter::into_proto).collect())
    }

    /// Applies a dead letter again. `None`: there is none of this number; otherwise the outcome.
    pub async fn retry_dead_letter(&self, number: i64) -> Result<Option<Result<(), String>>, DbError> {
        for consumer in self.consumers() {
            if let Some(outcome) = consumer.revive(number).await? {
                return Ok(Some(outcome));
            }
        }
        Ok(None)
    }

    fn consumers(&self) -> Vec<Consumer> {
        self.0.consumers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn jobs(&self) -> Vec<Job> {
        self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn job(&self, name: &str) -> Option<Job> {
        self.jobs().into_iter().find(|job| job.name == name)
    }
}

async fn record(upkeep: Upkeep) {
    loop {
        if let Ok(cells) = upkeep.0.db.cells().await {
            cells.iter().for_each(Cell::record);
        }
        for consumer in upkeep.consumers() {
            for (cell, progress) in consumer.progress() {
                if let Ok(behind) = consumer.lag(&cell, progress.position).await {
                    metrics::gauge!("event_behind", "service" => upkeep.service(), "source" => consumer.source, "cell" => cell)
                        .set(f64::from(behind));
                }
            }
        }
        if upkeep.0.stop.run_until_cancelled(tokio::time::sleep(RECORD_EVERY)).await.is_none() {
            return;
        }
    }
}

#[derive(sqlx::FromRow)]
struct Letter {
    number: i64,
    source: String,
    cell: String,
    event: Vec<u8>,
    error: String,
    attempts: i32,
    failed_at: Time,
}

impl Letter {
    fn into_proto(self) -> proto::DeadLetter {
        proto::DeadLetter {
            number: self.number,
            source: self.source,
            cell: self.cell,
            event: proto::LoggedEvent::decode(self.event.as_slice()).ok(),
            error: self.error,
            attempts: u32::try_from(self.attempts).unwrap_or_default(),
            failed_at: Some(kit_rpc::timestamp(self.failed_at)),
        }
    }
}

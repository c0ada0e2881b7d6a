//! Jobs are reconcilers: run by a timer or a signal, without input, one runner at a time in the whole cluster.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_core::Time;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use crate::upkeep::JobState;
use crate::{Db, DbError};

/// A job is overdue when it has not succeeded for this many periods, though it may never have begun.
const OVERDUE_PERIODS: u32 = 3;
/// A job that fell due while no process ran waits this long, so that a process that starts answers first.
const CATCH_UP_AFTER: Duration = Duration::from_secs(1);

type Work = dyn Fn() -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync;

/// Who waits for the end of the run they asked for.
type Waiting = oneshot::Sender<Result<(), String>>;

/// One job of one service.
#[derive(Clone)]
pub struct Job {
    pub(crate) name: &'static str,
    pub(crate) period: Duration,
    work: Arc<Work>,
    signal: Arc<Notify>,
    waiting: Arc<std::sync::Mutex<Vec<Waiting>>>,
}

impl Job {
    pub(crate) fn new(
        name: &'static str,
        period: Duration,
        work: impl Fn() -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync + 'static,
    ) -> Self {
        Self { name, period: period.max(Duration::from_millis(1)), work: Arc::new(work), signal: Arc::default(), waiting: Arc::default() }
    }

    /// Runs it soon, whatever the timer says. Signals that come while it runs lead to one more run.
    pub(crate) fn signal(&self) {
        self.signal.notify_one();
    }

    /// Runs it and waits for the outcome.
    pub(crate) async fn run_now(&self) -> Result<(), String> {
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(answer);
        self.signal();
        answered.await.unwrap_or_else(|_| Err("the job is stopping".to_owned()))
    }

    pub(crate) async fn run(self, db: Db, stop: CancellationToken) {
        let mut wait = self.register(&db).await.unwrap_or_else(|error| {
            tracing::warn!(service = db.service(), job = self.name, %error, "the job could not be registered");
            self.period
        });
        loop {
            let signalled = tokio::select! {
                () = stop.cancelled() => return,
                () = self.signal.notified() => true,
                () = tokio::time::sleep(wait) => false,
            };
            wait = self.period;
            let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
            // A run that somebody waits for must not be left out because another process is at it.
            let outcome = loop {
                match self.run_once(&db, signalled).await {
                    Ok(None) if !waiting.is_empty() => tokio::time::sleep(Duration::from_millis(10)).await,
                    Ok(None) => break Ok(()),
                    Ok(Some(outcome)) => break outcome,
                    Err(error) => break Err(error.to_string()),
                }
            };
            if let Err(error) = &outcome {
                tracing::warn!(service = db.service(), job = self.name, error, "the job failed");
            }
            for answer in waiting {
                let _gone = answer.send(outcome.clone());
            }
        }
    }

    /// Makes the job known. Answers how long it still has until its next run: a period counts from the last run, whichever process it was in.
    async fn register(&self, db: &Db) -> Result<Duration, DbError> {
        let ran_ms: Option<i64> = sqlx::query_scalar(
            "insert into job_run (job, every_ms) values ($1, $2) on conflict (job) do update set every_ms = excluded.every_ms
             returning (extract(epoch from clock_timestamp() - last_started) * 1000)::bigint",
        )
        .bind(self.name)
        .bind(i64::try_from(self.period.as_millis()).unwrap_or(i64::MAX))
        .fetch_one(db.pool())
        .await?;
        let ran = ran_ms.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or_default()));
        Ok(ran.map_or(self.period, |ran| self.period.saturating_sub(ran).max(CATCH_UP_AFTER.min(self.period))))
    }

    /// One run, unless another process is running it or has run it in this period (`None`).
    async fn run_once(&self, db: &Db, signalled: bool) -> Result<Option<Result<(), String>>, DbError> {
        // The lock is the transaction's, so that it goes with the connection whatever happens to us. The transaction writes
        // nothing and therefore holds up no log; it may stay open as long as the job takes.
        let mut lock = db.pool().begin_with("begin; set local idle_in_transaction_session_timeout = 0").await?;
        let (mine, due): (bool, bool) = sqlx::query_as(
            "select pg_try_advisory_xact_lock(hashtext(current_schema()), hashtext($1)),
                coalesce((select last_started + make_interval(secs => every_ms / 1000.0 * 0.9) <= clock_timestamp() from job_run where job = $1), true)",
        )
        .bind(self.name)
        .fetch_one(&mut *lock)
        .await?;
        if !mine || !(due || signalled) {
            return Ok(None);
        }
        self.write(db, "update job_run set last_started = clock_timestamp(), runs = runs + 1 where job = $1 and $2::text is null", None).await?;
        let started = Instant::now();
        let outcome = AssertUnwindSafe(async { (self.work)().await }).catch_unwind().await;
        let outcome = match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(format!("{error:#}")),
            Err(_panic) => Err("the job panicked".to_owned()),
        };
        let told = if outcome.is_ok() { "ok" } else { "failed" };
        metrics::counter!("job_runs_total", "service" => db.service(), "job" => self.name, "outcome" => told).increment(1);
        metrics::histogram!("job_seconds", "service" => db.service(), "job" => self.name).record(started.elapsed().as_secs_f64());
        let statement = match &outcome {
            Ok(()) => "update job_run set last_succeeded = clock_timestamp(), last_error = $2 where job = $1",
            Err(_) => "update job_run set last_failed = clock_timestamp(), last_error = $2, failures = failures + 1 where job = $1",
        };
        self.write(db, statement, outcome.as_ref().err().map(String::as_str)).await?;
        lock.rollback().await?;
        Ok(Some(outcome))
    }

    /// Bookkeeping may be lost in a crash of the server, so it does not wait for the disk.
    async fn write(&self, db: &Db, statement: &'static str, error: Option<&str>) -> Result<(), DbError> {
        let mut tx = db.pool().begin_with("begin; set local synchronous_commit = off").await?;
        sqlx::query(statement).bind(self.name).bind(error).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }

    pub(crate) async fn state(&self, db: &Db) -> Result<JobState, DbError> {
        type Row = (Option<Time>, Option<Time>, Option<String>, bool);
        let row: Option<Row> = sqlx::query_as(
            "select last_started, last_succeeded, last_error,
                coalesce(last_succeeded, known_since) < clock_timestamp() - make_interval(secs => every_ms / 1000.0 * $2)
             from job_run where job = $1",
        )
        .bind(self.name)
        .bind(i64::from(OVERDUE_PERIODS))
        .fetch_optional(db.pool())
        .await?;
        let (last_started, last_succeeded, last_error, overdue) = row.unwrap_or_default();
        Ok(JobState { name: self.name, every: self.period, last_started, last_succeeded, last_error, overdue })
    }
}

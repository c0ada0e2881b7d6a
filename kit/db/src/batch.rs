//! Hot flows run as batches: concurrent requests are gathered while one transaction runs, and the next transaction
//! serves all of them. Nobody waits when the house is idle: the first request runs at once. Under load a batch rests as long as its
//! last run took, so that transactions become fewer and larger instead of eating the machine.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_core::{Code, Fault};
use tokio::sync::{mpsc, oneshot};

use crate::DbError;

const MAX_REST: Duration = Duration::from_millis(20);

/// How much a batch takes at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most items of one run.
    pub max_items: usize,
    /// How long a batch rests at most after a run that served several; a batch that serves one at a time never rests.
    pub max_rest: Duration,
    /// The most items waiting; one more is refused, so that a slow database cannot fill the memory.
    pub max_queue: usize,
    /// The name in the metrics.
    pub name: &'static str,
}

impl Limits {
    /// Up to `max_items` at once, a queue of 64 runs.
    pub const fn new(name: &'static str, max_items: usize) -> Self {
        Self { max_items, max_rest: MAX_REST, max_queue: max_items.saturating_mul(64), name }
    }
}

/// Why a batch could not answer by its own result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BatchFailed {
    #[error("too many requests are waiting")]
    Full,
    #[error("the batch is stopping")]
    Stopped,
    #[error("the batch panicked")]
    Panicked,
    #[error("the batch answered another number of items than it was given")]
    Miscounted,
}

impl Fault for BatchFailed {
    fn code(&self) -> Code {
        match self {
            Self::Full | Self::Stopped => Code::Unavailable,
            Self::Panicked | Self::Miscounted => Code::Internal,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Full => "OVERLOADED",
            Self::Stopped => "STOPPING",
            Self::Panicked | Self::Miscounted => "INTERNAL",
        }
    }
}

/// One stream of requests served by one transaction at a time. Cheap to clone; ends when the last clone is dropped, after
/// serving what was already accepted.
pub struct Batch<I, O, E> {
    queue: mpsc::Sender<Waiting<I, O, E>>,
}

struct Waiting<I, O, E> {
    item: I,
    answer: oneshot::Sender<Result<O, E>>,
}

impl<I, O, E> Clone for Batch<I, O, E> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

impl<I, O, E> Batch<I, O, E>
where
    I: Send + 'static,
    O: Send + 'static,
    E: Clone + From<DbError> + Send + 'static,
{
    /// Starts the batch. `run` is given items in order of arrival and answers one result per item, in that order, once they
    /// are committed; an error of the whole run is every caller's error.
    pub fn start<F>(limits: Limits, run: F) -> Self
    where
        F: Fn(Vec<I>) -> BoxFuture<'static, Result<Vec<Result<O, E>>, E>> + Send + Sync + 'static,
    {
        let (queue, waiting) = mpsc::channel(limits.max_queue.max(1));
        tokio::spawn(serve(limits, Arc::new(run), waiting));
        Self { queue }
    }

    /// Runs one item in the next batch; answers when that batch has committed. A caller that goes away does not undo its item.
    pub async fn run(&self, item: I) -> Result<O, E> {
        let (answer, answered) = oneshot::channel();
        self.queue.try_send(Waiting { item, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => DbError::from(BatchFailed::Full),
            mpsc::error::TrySendError::Closed(_) => DbError::from(BatchFailed::Stopped),
        })?;
        answered.await.unwrap_or_else(|_| Err(DbError::from(BatchFailed::Stopped).into()))
    }
}

type Run<I, O, E> = dyn Fn(Vec<I>) -> BoxFuture<'static, Result<Vec<Result<O, E>>, E>> + Send + Sync;

async fn serve<I, O, E>(limits: Limits, run: Arc<Run<I, O, E>>, mut waiting: mpsc::Receiver<Waiting<I, O, E>>)
where
    E: Clone + From<DbError>,
{
    let max_items = limits.max_items.max(1);
    let mut gathered = Vec::new();
    let mut rest = Duration::ZERO;
    while waiting.recv_many(&mut gathered, max_items).await > 0 {
        let until = tokio::time::Instant::now() + rest;
        while gathered.len() < max_items {
            let room = max_items - gathered.len();
            match tokio::time::timeout_at(until, waiting.recv_many(&mut gathered, room)).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        let (count, started) = (gathered.len(), Instant::now());
        run_once(limits.name, &*run, std::mem::take(&mut gathered)).await;
        rest = if count > 1 { started.elapsed().min(limits.max_rest) } else { Duration::ZERO };
    }
}

async fn run_once<I, O, E>(name: &'static str, run: &Run<I, O, E>, gathered: Vec<Waiting<I, O, E>>)
where
    E: Clone + From<DbError>,
{
    let count = gathered.len();
    let (items, answers): (Vec<I>, Vec<_>) = gathered.into_iter().map(|waiting| (waiting.item, waiting.answer)).unzip();
    let started = Instant::now();
    // The closure itself may panic before it returns its future, so the call is inside the guard too.
    let outcome = AssertUnwindSafe(async { run(items).await }).catch_unwind().await;
    metrics::histogram!("db_batch_seconds", "batch" => name).record(started.elapsed().as_secs_f64());
    metrics::histogram!("db_batch_items", "batch" => name).record(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
    let all = |error: E| vec_of_errors(&error, count);
    let results = match outcome {
        Ok(Ok(results)) if results.len() == count => results,
        Ok(Ok(_)) => all(DbError::from(BatchFailed::Miscounted).into()),
        Ok(Err(error)) => all(error),
        Err(_panic) => all(DbError::from(BatchFailed::Panicked).into()),
    };
    for (answer, result) in answers.into_iter().zip(results) {
        // A caller that went away does not hear; its item is committed all the same.
        let _gone = answer.send(result);
    }
}

fn vec_of_errors<O, E: Clone>(error: &E, count: usize) -> Vec<Result<O, E>> {
    std::iter::repeat_with(|| Err(error.clone())).take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Debug, Clone)]
    enum Error {
        Odd,
        Whole,
        Db(DbError),
    }
    impl From<DbError> for Error {
        fn from(error: DbError) -> Self {
            Self::Db(error)
        }
    }

    /// Doubles even numbers, refuses odd ones; 13 fails the whole run, 99 panics. Counts its runs.
    fn doubling(runs: Arc<AtomicUsize>) -> Batch<u32, u32, Error> {
        Batch::start(Limits::new("doubling", 100), move |items: Vec<u32>| {
            runs.fetch_add(1, Ordering::SeqCst);
            async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                assert!(!items.contains(&99), "asked to panic");
                if items.contains(&13) {
                    return Err(Error::Whole);
                }
                Ok(items.into_iter().map(|item| if item % 2 == 0 { Ok(item * 2) } else { Err(Error::Odd) }).collect())
            }
            .boxed()
        })
    }

    #[tokio::test]
    async fn gathers_while_a_run_is_in_flight_and_answers_each_caller() {
        let runs = Arc::new(AtomicUsize::new(0));
        let batch = doubling(runs.clone());
        let first = tokio::spawn({
            let batch = batch.clone();
            async move { batch.run(2).await }
        });
        tokio::time::sleep(Duration::from_millis(1)).await;
        let others: Vec<_> = (10..13)
            .chain(14..60)
            .map(|n| {
                let batch = batch.clone();
                tokio::spawn(async move { (n, batch.run(n).await) })
            })
            .collect();
        assert_eq!(first.await.unwrap().unwrap(), 4);
        for other in others {
            let (n, result) = other.await.unwrap();
            assert_eq!(result.ok(), (n % 2 == 0).then_some(n * 2));
        }
        assert_eq!(runs.load(Ordering::SeqCst), 2, "one run for the first, one for all who came meanwhile");
    }

    #[tokio::test]
    async fn a_batch_rests_after_a_run_in_company_and_never_alone() {
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        let rest = Duration::from_millis(300);
        let batch = Batch::<u32, u32, Error>::start(Limits { max_rest: rest, ..Limits::new("rests", 10) }, move |items| {
            counted.fetch_add(1, Ordering::SeqCst);
            async move {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Ok(items.into_iter().map(Ok).collect())
            }
            .boxed()
        });
        let started = Instant::now();
        batch.run(1).await.unwrap();
        batch.run(2).await.unwrap();
        assert!(started.elapsed() < Duration::from_millis(290), "alone, nobody waits: {:?}", started.elapsed());
        let (_a, _b, _c) = tokio::join!(batch.run(3), batch.run(4), batch.run(5));
        let started = Instant::now();
        batch.run(6).await.unwrap();
        assert!(started.elapsed() >= Duration::from_millis(190), "it rests as long as the last run took: {:?}", started.elapsed());
    }

    #[tokio::test]
    async fn errors_and_panics_reach_every_caller_and_the_batch_lives_on() {
        let batch = doubling(Arc::default());
        let (a, b) = tokio::join!(batch.run(13), batch.run(4));
        assert!(matches!((a, b), (Err(Error::Whole), Err(Error::Whole))));
        let (a, b) = tokio::join!(batch.run(99), batch.run(4));
        assert!(matches!(a, Err(Error::Db(DbError::Batch(BatchFailed::Panicked)))));
        assert!(b.is_err());
        assert_eq!(batch.run(8).await.unwrap(), 16);
    }

    #[tokio::test]
    async fn a_cancelled_caller_cancels_nobody_else() {
        let runs = Arc::new(AtomicUsize::new(0));
        let batch = doubling(runs.clone());
        let leaving = tokio::spawn({
            let batch = batch.clone();
            async move { batch.run(2).await }
        });
        let staying = tokio::spawn({
            let batch = batch.clone();
            async move { batch.run(4).await }
        });
        tokio::time::sleep(Duration::from_millis(5)).await;
        leaving.abort();
        assert_eq!(staying.await.unwrap().unwrap(), 8);
    }

    #[tokio::test]
    async fn a_full_queue_refuses_instead_of_growing() {
        let batch: Batch<u32, u32, Error> = Batch::start(Limits { max_queue: 1, ..Limits::new("slow", 1) }, |items| {
            async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok(items.into_iter().map(Ok).collect())
            }
            .boxed()
        });
        let running = tokio::spawn({
            let batch = batch.clone();
            async move { batch.run(1).await }
        });
        tokio::time::sleep(Duration::from_millis(1)).await;
        let queued = tokio::spawn({
            let batch = batch.clone();
            async move { batch.run(2).await }
        });
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(matches!(batch.run(3).await, Err(Error::Db(DbError::Batch(BatchFailed::Full)))));
        assert_eq!((running.await.unwrap().unwrap(), queued.await.unwrap().unwrap()), (1, 2));
    }
}

//! Consumers: read another service's log over the link, apply, and move the cursor in the transaction of the effect.
//!
//! Delivery is at least once; the effect is exactly once, because the cursor moves only together with it and only from the
//! place it was read at. An event that cannot be applied is retried with growing pauses and then laid among the dead letters.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_core::{Clock, Code, Fault};
use kit_rpc::proto::event_log_client::EventLogClient;
use kit_rpc::proto::{self, CellsRequest, LagRequest, ReadEventsRequest};
use kit_rpc::{Ctx, Link};
use prost::Message;
use sqlx::PgConnection;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Status;

use crate::{Db, DbError, LoggedEvent, Position, Scope};

/// Events applied in one transaction.
const BATCH: u32 = 200;
/// How long a read waits for the first event.
const WAIT: Duration = Duration::from_secs(5);
/// How often new cells are looked for.
const CELLS_EVERY: Duration = Duration::from_secs(2);
/// Tries of an event whose failure is its own, and of one that failed because something it needs was away.
const TRIES: u32 = 5;
const PATIENT_TRIES: u32 = 60;
/// How long a consumer rests at most after it applied several events at once.
const MAX_REST: Duration = Duration::from_millis(50);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Why an event was not applied.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    passing: bool,
    pub(crate) text: String,
}

impl Failure {
    fn of(error: &(impl Fault + ?Sized)) -> Self {
        Self { passing: matches!(error.code(), Code::Unavailable | Code::Timeout), text: error.to_string() }
    }
}

type Apply = dyn for<'c> Fn(&'c mut PgConnection, Vec<LoggedEvent>) -> BoxFuture<'c, Result<(), Failure>> + Send + Sync;

/// What a consumer does with events.
#[derive(Clone)]
pub struct Handler(Arc<Apply>);

impl Handler {
    /// Applies events one after the other, many in one transaction.
    pub fn each<E, F>(apply: F) -> Self
    where
        E: Fault + Send + 'static,
        F: for<'c> Fn(&'c mut PgConnection, LoggedEvent) -> BoxFuture<'c, Result<(), E>> + Send + Sync + 'static,
    {
        let apply = Arc::new(apply);
        Self(Arc::new(move |db, events| {
            let apply = Arc::clone(&apply);
            async move {
                for event in events {
                    apply(&mut *db, event).await.map_err(|error| Failure::of(&error))?;
                }
                Ok(())
            }
            .boxed()
        }))
    }

    /// Applies a run of events at once; must do the same as applying them one by one, because after a failure they are.
    pub fn batch<E, F>(apply: F) -> Self
    where
        E: Fault + Send + 'static,
        F: for<'c> Fn(&'c mut PgConnection, Vec<LoggedEvent>) -> BoxFuture<'c, Result<(), E>> + Send + Sync + 'static,
    {
        Self(Arc::new(move |db, events| {
            let applied = apply(db, events);
            async move { applied.await.map_err(|error| Failure::of(&error)) }.boxed()
        }))
    }

    /// A panic of the handler is a failure of the event, not of the process.
    pub(crate) async fn apply(&self, db: &mut PgConnection, events: Vec<LoggedEvent>) -> Result<(), Failure> {
        let applied = AssertUnwindSafe(async { (self.0)(db, events).await }).catch_unwind().await;
        applied.unwrap_or_else(|_panic| Err(Failure { passing: false, text: "the consumer panicked".to_owned() }))
    }
}

/// One service following the log of another, in all its cells.
#[derive(Clone)]
pub(crate) struct Consumer {
    pub(crate) source: &'static str,
    db: Db,
    pub(crate) handler: Handler,
    log: EventLogClient<Link>,
    clock: Clock,
    /// Told when cursors were set back: whoever waits at the end of a log reads its cursor again.
    rewound: Arc<watch::Sender<()>>,
    /// By cell: how far it is, and what it is failing at.
    progress: Arc<Mutex<BTreeMap<String, Progress>>>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    pub(crate) position: Position,
    pub(crate) trouble: Option<String>,
}

enum Stopped {
    /// Another process moved the cursor; read it again.
    Overtaken,
    Failed(Failure),
}

impl From<DbError> for Stopped {
    fn from(error: DbError) -> Self {
        Self::Failed(Failure::of(&error))
    }
}

impl From<sqlx::Error> for Stopped {
    fn from(error: sqlx::Error) -> Self {
        DbError::from(error).into()
    }
}

impl Consumer {
    pub(crate) fn new(db: Db, source: &'static str, link: Link, handler: Handler, clock: Clock) -> Self {
        let log = EventLogClient::new(link).max_decoding_message_size(64 << 20);
        Self { source, db, handler, log, clock, rewound: Arc::default(), progress: Arc::default() }
    }

    fn ctx(&self) -> Ctx {
        Ctx::service(self.db.service(), &format!("follow-{}", self.source))
    }

    pub(crate) fn progress(&self) -> BTreeMap<String, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Applies the source's whole log again, in every cell, from its beginning. Other processes find their cursors moved within `WAIT`.
    pub(crate) async fn replay(&self) -> Result<(), DbError> {
        sqlx::query("update event_cursor set transaction = '0', number = 0, moved_at = now() where source = $1")
            .bind(self.source)
            .execute(self.db.pool())
            .await?;
        self.rewound.send_replace(());
        Ok(())
    }

    /// Follows every cell of the source, those that come later too, until told to stop.
    pub(crate) async fn run(self, tasks: TaskTracker, stop: CancellationToken) {
        let mut followed = std::collections::BTreeSet::new();
        let mut pause = FIRST_PAUSE;
        loop {
            match self.cells().await {
                Ok(cells) => {
                    for cell in cells {
                        if followed.insert(cell.clone()) {
                            tasks.spawn(self.clone().follow(cell, stop.clone()));
                        }
                    }
                }
                Err(error) => tracing::debug!(source = self.source, error = error.message(), "the cells of a log are not known yet"),
            }
            // A source that starts a moment after us is found soon, one that is away is not pestered.
            pause = if followed.is_empty() { (pause * 2).min(CELLS_EVERY) } else { CELLS_EVERY };
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    pub(crate) async fn cells(&self) -> Result<Vec<String>, Status> {
        let request = self.ctx().request(CellsRequest { service: self.source.to_owned() });
        Ok(self.log.clone().cells(request).await?.into_inner().cells)
    }

    /// Events not applied yet, counted up to 10,000.
    pub(crate) async fn lag(&self, cell: &str, after: Position) -> Result<u32, Status> {
        let request = self.ctx().request(LagRequest { service: self.source.to_owned(), cell: cell.to_owned(), after: Some(after.into()) });
        Ok(self.log.clone().lag(request).await?.into_inner().behind)
    }

    async fn follow(self, cell: String, stop: CancellationToken) {
        let mut pause = FIRST_PAUSE;
        let mut position = None;
        let mut rewound = self.rewound.subscribe();
        while !stop.is_cancelled() {
            let stepped = match position {
                None => cursor(&self.db, self.source, &cell).await.map(Some).map_err(|error| Failure::of(&error)),
                // A read may be broken off at any moment; applying may not, so only the read listens to `stop`.
                Some(after) => {
                    let read = tokio::select! {
                        () = stop.cancelled() => return,
                        // We hold the sender, so waiting cannot fail.
                        _rewound = rewound.changed() => Ok(Vec::new()),
                        read = self.read(&cell, after) => read,
                    };
                    match read {
                        Ok(events) => Ok(self.apply_and_rest(&cell, after, events, &stop).await),
                        Err(failure) => Err(failure),
                    }
                }
            };
            let trouble = stepped.as_ref().err().map(|failure| failure.text.clone());
            match stepped {
                Ok(reached) => {
                    position = reached;
                    pause = FIRST_PAUSE;
                    self.note(&cell, position, None);
                }
                Err(_) => {
                    tracing::warn!(service = self.db.service(), source = self.source, cell, error = trouble, "the log cannot be followed for now");
                    self.note(&cell, None, trouble);
                    let _stopped = stop.run_until_cancelled(tokio::time::sleep(pause)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    fn note(&self, cell: &str, position: Option<Position>, trouble: Option<String>) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let of_cell = progress.entry(cell.to_owned()).or_default();
        of_cell.position = position.unwrap_or(of_cell.position);
        of_cell.trouble = trouble;
    }

    async fn read(&self, cell: &str, after: Position) -> Result<Vec<LoggedEvent>, Failure> {
        let request = ReadEventsRequest {
            service: self.source.to_owned(),
            cell: cell.to_owned(),
            after: Some(after.into()),
            limit: BATCH,
            wait_ms: u32::try_from(WAIT.as_millis()).unwrap_or_default(),
        };
        let answer = self.log.clone().read(self.ctx().request(request)).await;
        let answer = answer.map_err(|status| Failure { passing: true, text: status.message().to_owned() })?;
        let read = |event| LoggedEvent::from_proto(self.source, cell, event);
        let events: Option<Vec<LoggedEvent>> = answer.into_inner().events.into_iter().map(read).collect();
        events.ok_or_else(|| Failure { passing: true, text: "the log holds an event that cannot be read".to_owned() })
    }

    /// Several events at once mean that more are on their way: a rest as long as the work was lets them gather, as a batch does. One
    /// that came alone and a full run are not followed by a rest.
    async fn apply_and_rest(&self, cell: &str, from: Position, events: Vec<LoggedEvent>, stop: &CancellationToken) -> Option<Position> {
        let (begun, count) = (Instant::now(), events.len());
        let reached = self.apply(cell, from, events, stop).await;
        if count > 1 && u32::try_from(count).is_ok_and(|count| count < BATCH) {
            let _stopped = stop.run_until_cancelled(tokio::time::sleep(begun.elapsed().min(MAX_REST))).await;
        }
        reached
    }

    /// Applies a run of events: all in one transaction, and if that fails one by one. Answers the position reached, `None` when
    /// the cursor has to be read again.
    async fn apply(&self, cell: &str, from: Position, events: Vec<LoggedEvent>, stop: &CancellationToken) -> Option<Position> {
        // At the end of the log the cursor is read again: a replay may have set it back.
        let last = events.last()?.position;
        match self.apply_once(cell, from, last, &events).await {
            Ok(()) => return Some(last),
            Err(Stopped::Overtaken) => return None,
            Err(Stopped::Failed(failure)) => {
                tracing::debug!(source = self.source, error = failure.text, "a run of events failed; applying one by one")
            }
        }
        let mut position = from;
        for event in events {
            position = self.apply_stubbornly(cell, position, event, stop).await?;
        }
        Some(position)
    }

    async fn apply_stubbornly(&self, cell: &str, from: Position, event: LoggedEvent, stop: &CancellationToken) -> Option<Position> {
        let to = event.position;
        let (mut tried, mut pause) = (0, FIRST_PAUSE);
        loop {
            let failure = match self.apply_once(cell, from, to, std::slice::from_ref(&event)).await {
                Ok(()) => return Some(to),
                Err(Stopped::Overtaken) => return None,
                Err(Stopped::Failed(failure)) => failure,
            };
            tried += 1;
            self.note(cell, None, Some(format!("{} failed: {}", event.kind, failure.text)));
            if tried >= if failure.passing { PATIENT_TRIES } else { TRIES } {
                match self.bury(cell, from, &event, &failure, tried).await {
                    Ok(()) => return Some(to),
                    Err(Stopped::Overtaken) => return None,
                    // Even the dead letter could not be written, so the database is away: the event stays next in line.
                    Err(Stopped::Failed(failure)) => tracing::warn!(source = self.source, error = failure.text, "a dead letter could not be written"),
                }
            }
            stop.run_until_cancelled(tokio::time::sleep(pause)).await?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn apply_once(&self, cell: &str, from: Position, to: Position, events: &[LoggedEvent]) -> Result<(), Stopped> {
        let mut tx = self.db.begin(&Scope::Platform).await?;
        move_cursor(&mut tx, self.source, cell, from, to).await?;
        self.handler.apply(&mut tx, events.to_vec()).await.map_err(Stopped::Failed)?;
        tx.commit().await?;
        let labels = [("service", self.db.service()), ("source", self.source)];
        metrics::counter!("event_applied_total", &labels).increment(u64::try_from(events.len()).unwrap_or_default());
        if let Some(first) = events.first() {
            let delay = (self.clock.now() - first.at).to_std().unwrap_or_default();
            metrics::histogram!("event_delay_seconds", &labels).record(delay.as_secs_f64());
        }
        Ok(())
    }

    /// Lays an event among the dead letters and goes on behind it.
    async fn bury(&self, cell: &str, from: Position, event: &LoggedEvent, failure: &Failure, tried: u32) -> Result<(), Stopped> {
        let mut tx = self.db.begin(&Scope::Platform).await?;
        move_cursor(&mut tx, self.source, cell, from, event.position).await?;
        sqlx::query("insert into dead_letter (source, cell, kind, event, error, attempts) values ($1, $2, $3, $4, $5, $6)")
            .bind(self.source)
            .bind(cell)
            .bind(&event.kind)
            .bind(event.to_proto().encode_to_vec())
            .bind(&failure.text)
            .bind(i32::try_from(tried).unwrap_or(i32::MAX))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        metrics::counter!("event_dead_letters_total", "service" => self.db.service(), "source" => self.source).increment(1);
        tracing::error!(
            service = self.db.service(),
            source = self.source,
            cell,
            kind = event.kind,
            error = failure.text,
            "an event became a dead letter"
        );
        Ok(())
    }

    /// Applies a dead letter again and removes it; on failure it stays, with the new error. `Ok(None)`: there is no such letter.
    pub(crate) async fn revive(&self, number: i64) -> Result<Option<Result<(), String>>, DbError> {
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let letter: Option<(String, Vec<u8>)> = sqlx::query_as("delete from dead_letter where number = $1 and source = $2 returning cell, event")
            .bind(number)
            .bind(self.source)
            .fetch_optional(&mut *tx)
            .await?;
        let Some((cell, event)) = letter else {
            return Ok(None);
        };
        let event = proto::LoggedEvent::decode(event.as_slice()).ok().and_then(|event| LoggedEvent::from_proto(self.source, &cell, event));
        let event = event.ok_or_else(|| DbError::Unreadable(format!("dead letter {number}")))?;
        let failure = match self.handler.apply(&mut tx, vec![event]).await {
            Ok(()) => {
                tx.commit().await?;
                return Ok(Some(Ok(())));
            }
            Err(failure) => failure,
        };
        tx.rollback().await?;
        sqlx::query("update dead_letter set error = $2, attempts = attempts + 1, failed_at = now() where number = $1")
            .bind(number)
            .bind(&failure.text)
            .execute(self.db.pool())
            .await?;
        Ok(Some(Err(failure.text)))
    }
}

/// Where a consumer is, from the start of the log when it never ran.
pub(crate) async fn cursor(db: &Db, source: &str, cell: &str) -> Result<Position, DbError> {
    sqlx::query("insert into event_cursor (source, cell, transaction, number) values ($1, $2, '0', 0) on conflict do nothing")
        .bind(source)
        .bind(cell)
        .execute(db.pool())
        .await?;
    let (transaction, number): (i64, i64) =
        sqlx::query_as("select transaction::text::bigint, number from event_cursor where source = $1 and cell = $2")
            .bind(source)
            .bind(cell)
            .fetch_one(db.pool())
            .await?;
    Ok(Position { transaction: u64::try_from(transaction).unwrap_or_default(), number })
}

/// Moves the cursor, if it still is where we read it; the row stays locked until the end of the transaction.
async fn move_cursor(db: &mut PgConnection, source: &str, cell: &str, from: Position, to: Position) -> Result<(), Stopped> {
    let moved = sqlx::query(
        "update event_cursor set transaction = $5::text::xid8, number = $6, moved_at = now()
         where source = $1 and cell = $2 and transaction = $3::text::xid8 and number = $4",
    )
    .bind(source)
    .bind(cell)
    .bind(from.transaction.to_string())
    .bind(from.number)
    .bind(to.transaction.to_string())
    .bind(to.number)
    .execute(db)
    .await?;
    if moved.rows_affected() == 1 { Ok(()) } else { Err(Stopped::Overtaken) }
}

//! The live end of each log: one reader per log and process, which wakes consumers, answers them from memory, and feeds watchers.
//!
//! It is woken by appends of this process (`ring`), by notifications of other processes (one listening connection per database),
//! and looks by itself every 200 ms.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::event::{LoggedEvent, Position};
use crate::log;

pub(crate) const PLACEMENT_CHANGED: &str = "mh_placement";
const APPENDED: &str = "mh_log";

/// How often a log is looked at when nobody rang.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// After a ring the transaction still has to commit: the log is looked at after 1, 2, 4, … ms, up to this pause.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LAST_LOOK: Duration = Duration::from_millis(64);
/// Under load, the pause between two looks: long enough to gather, short enough to be live.
const PAUSE: Duration = Duration::from_millis(4);
/// Other processes are told at most this often.
const TELL_EVERY: Duration = Duration::from_millis(20);
const PAGE: i64 = 1000;
/// What is kept in memory of each log.
const KEPT_EVENTS: usize = 2048;
const KEPT_BYTES: usize = 2 << 20;
/// Events one watcher may be behind before it is cut off.
const WATCHER_QUEUE: usize = 64;

/// One bell per log ("database/schema") or other thing to wake for.
static BELLS: LazyLock<Mutex<HashMap<String, Arc<Notify>>>> = LazyLock::new(Mutex::default);

fn bell(name: &str) -> Arc<Notify> {
    Arc::clone(BELLS.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default())
}

/// Something was appended to the log of this name in this process; its transaction commits in a moment.
pub(crate) fn ring(log: &str) {
    let bell = BELLS.lock().unwrap_or_else(PoisonError::into_inner).get(log).cloned();
    if let Some(bell) = bell {
        bell.notify_one();
    }
}

/// The wake-ups that come from other processes through one database.
#[derive(Clone)]
pub(crate) struct Hub {
    database: Arc<str>,
}

impl Hub {
    pub(crate) fn new(database: &str, options: PgConnectOptions, stop: CancellationToken) -> Self {
        let database: Arc<str> = database.into();
        tokio::spawn(listen(Arc::clone(&database), options, stop));
        Self { database }
    }

    pub(crate) fn bell(&self, name: &str) -> Arc<Notify> {
        bell(&format!("{}/{name}", self.database))
    }
}

async fn listen(database: Arc<str>, options: PgConnectOptions, stop: CancellationToken) {
    let pool = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None).connect_lazy_with(options.application_name("wake-ups"));
    let listening = async {
        loop {
            let heard = async {
                let mut listener = PgListener::connect_with(&pool).await?;
                listener.listen_all([APPENDED, PLACEMENT_CHANGED]).await?;
                loop {
                    let heard = listener.recv().await?;
                    let name = if heard.channel() == APPENDED { heard.payload() } else { heard.channel() };
                    ring(&format!("{database}/{name}"));
                }
            };
            let ended: Result<(), sqlx::Error> = heard.await;
            tracing::debug!(?ended, "the wake-up connection ended; logs are still looked at by timer");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = listening => {}
    }
    pool.close().await;
}

/// The live end of one log.
#[derive(Clone)]
pub(crate) struct Tail(Arc<Shared>);

struct Shared {
    pool: PgPool,
    service: &'static str,
    cell: String,
    schema: String,
    rung: Arc<Notify>,
    /// The end of the log as far as we know; `None` until it was first looked at.
    seen: watch::Sender<Option<Position>>,
    kept: Mutex<Kept>,
    watchers: Mutex<Vec<Watchers>>,
}

/// The newest events of the log: everything after `floor`, once there is one.
#[derive(Default)]
struct Kept {
    floor: Option<Position>,
    events: VecDeque<Arc<LoggedEvent>>,
    bytes: usize,
}

impl Tail {
    pub(crate) fn start(service: &'static str, cell: &str, pool: PgPool, hub: &Hub, schema: &str, stop: CancellationToken) -> Self {
        let shared = Arc::new(Shared {
            pool,
            service,
            cell: cell.to_owned(),
            schema: schema.to_owned(),
            rung: hub.bell(schema),
            seen: watch::Sender::new(None),
            kept: Mutex::default(),
            watchers: Mutex::default(),
        });
        tokio::spawn(follow(Arc::downgrade(&shared), stop));
        Self(shared)
    }

    pub(crate) fn watched_by(&self, watchers: &Watchers) {
        self.0.watchers.lock().unwrap_or_else(PoisonError::into_inner).push(watchers.clone());
    }

    /// Waits until something new is seen at the end of the log.
    pub(crate) async fn next_change(&self) {
        // The sender lives as long as we do, so waiting cannot fail.
        let _changed = self.0.seen.subscribe().changed().await;
    }

    /// Events after a position, at most `limit`; waits up to `wait` for the first one.
    pub(crate) async fn read(&self, after: Position, limit: usize, wait: Duration) -> Result<Vec<Arc<LoggedEvent>>, sqlx::Error> {
        // Until the tail has first looked, `seen` is `None`, which no position is below: the reader waits for that look.
        let mut seen = self.0.seen.subscribe();
        let _timed_out = tokio::time::timeout(wait, seen.wait_for(|seen| Some(after) < *seen)).await.is_err();
        match self.kept(after, limit) {
            Some(events) => Ok(events),
            None => self.0.load(after, i64::try_from(limit).unwrap_or(PAGE)).await,
        }
    }

    pub(crate) async fn behind(&self, after: Position, limit: i64) -> Result<i64, sqlx::Error> {
        log::behind(&mut *self.0.pool.acquire().await?, after, limit).await
    }

    /// From memory, when memory reaches back far enough.
    fn kept(&self, after: Position, limit: usize) -> Option<Vec<Arc<LoggedEvent>>> {
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.floor.is_none_or(|floor| after < floor) {
            return None;
        }
        let from = kept.events.partition_point(|event| event.position <= after);
        Some(kept.events.iter().skip(from).take(limit).cloned().collect())
    }
}

impl Shared {
    async fn load(&self, after: Position, limit: i64) -> Result<Vec<Arc<LoggedEvent>>, sqlx::Error> {
        let rows = log::read(&mut *self.pool.acquire().await?, after, limit.clamp(1, PAGE)).await?;
        let named = |event: LoggedEvent| Arc::new(LoggedEvent { source: self.service.to_owned(), cell: self.cell.clone(), ..event });
        Ok(rows.into_iter().map(|row| named(row.0)).collect())
    }

    /// Takes notice of new events: keeps them, wakes readers, feeds watchers.
    fn publish(&self, events: Vec<Arc<LoggedEvent>>) {
        let Some(last) = events.last().map(|event| event.position) else {
            return;
        };
        {
            let watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
            for event in &events {
                watchers.iter().for_each(|watchers| watchers.tell(event));
            }
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            kept.bytes += event.payload.len() + event.kind.len() + 256;
            kept.events.push_back(event);
        }
        while kept.events.len() > KEPT_EVENTS || kept.bytes > KEPT_BYTES {
            let Some(oldest) = kept.events.pop_front() else { break };
            kept.bytes = kept.bytes.saturating_sub(oldest.payload.len() + oldest.kind.len() + 256);
            kept.floor = Some(oldest.position);
        }
        drop(kept);
        self.seen.send_replace(Some(last));
    }

    /// Tells other processes that follow this log. Outside any other transaction, because notifications are serialized.
    async fn tell_others(&self) {
        let told = sqlx::query("select pg_notify($1, $2)").bind(APPENDED).bind(&self.schema).execute(&self.pool).await;
        if let Err(error) = told {
            tracing::debug!(%error, "other processes could not be told; they look by timer");
        }
    }
}

async fn follow(shared: Weak<Shared>, stop: CancellationToken) {
    let mut position = loop {
        let Some(shared) = shared.upgrade() else { return };
        match end(&shared).await {
            Ok(end) => {
                shared.kept.lock().unwrap_or_else(PoisonError::into_inner).floor = Some(end);
                shared.seen.send_replace(Some(end));
                break end;
            }
            Err(error) => {
                tracing::debug!(service = shared.service, %error, "the end of the log could not be read yet");
                if stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_none() {
                    return;
                }
            }
        }
    };
    let mut pause = LAST_LOOK;
    let mut told = tokio::time::Instant::now();
    loop {
        let Some(shared) = shared.upgrade() else { return };
        let rung = Arc::clone(&shared.rung);
        let looked = shared.load(position, PAGE).await;
        let found = looked.as_ref().map_or(0, Vec::len);
        if let Ok(events) = looked {
            position = events.last().map_or(position, |event| event.position);
            shared.publish(events);
        }
        if found > 0 && told.elapsed() >= TELL_EVERY {
            told = tokio::time::Instant::now();
            shared.tell_others().await;
        }
        drop(shared);
        if found > 0 {
            if stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
                return;
            }
        } else if pause < LAST_LOOK {
            pause *= 2;
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = rung.notified() => {
                pause = FIRST_LOOK;
                tokio::time::sleep(FIRST_LOOK).await;
            }
            () = tokio::time::sleep(LOOK_EVERY) => pause = LAST_LOOK,
        }
    }
}

async fn end(shared: &Shared) -> Result<Position, sqlx::Error> {
    log::end(&mut *shared.pool.acquire().await?).await
}

/// Who watches which thing, over all cells of one service.
#[derive(Clone, Default)]
pub(crate) struct Watchers(Arc<Mutex<HashMap<Uuid, Vec<mpsc::Sender<LoggedEvent>>>>>);

impl Watchers {
    pub(crate) fn watch(&self, key: Uuid) -> Watch {
        let (sender, events) = mpsc::channel(WATCHER_QUEUE);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().push(sender);
        Watch { key, watchers: self.clone(), events }
    }

    fn tell(&self, event: &Arc<LoggedEvent>) {
        let mut watchers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_key) = watchers.get_mut(&event.key) {
            // One whose queue is full is dropped, which ends its stream.
            of_key.retain(|watcher| watcher.try_send((**event).clone()).is_ok());
        }
    }
}

/// A live stream of one thing's events.
pub(crate) struct Watch {
    key: Uuid,
    watchers: Watchers,
    events: mpsc::Receiver<LoggedEvent>,
}

impl Stream for Watch {
    type Item = LoggedEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<LoggedEvent>> {
        self.events.poll_recv(cx)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.events.close();
        let mut watchers = self.watchers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_key) = watchers.get_mut(&self.key) {
            of_key.retain(|watcher| !watcher.is_closed());
            if of_key.is_empty() {
                watchers.remove(&self.key);
            }
        }
    }
}

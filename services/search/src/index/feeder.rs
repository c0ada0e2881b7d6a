//! Keeps the index level with the listings: reads what changed, replaces documents, commits with the revision reached. A kill at any
//! moment loses nothing, because the next start goes on from the revision of the last commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kit_db::{Db, Scope};
use tantivy::{IndexWriter, Term};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::document::document;
use super::home::{Home, Live, commit};
use crate::config::Config;
use crate::error::Error;
use crate::model::Stored;
use crate::store::{self, Place};

/// After a failure, the pause before the next try.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// How often a process without the writer asks for it: the one that has it may have died.
const ASK_FOR_WRITER_EVERY: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(crate) struct Feeder {
    db: Db,
    home: Arc<Home>,
    config: Arc<Config>,
    /// A finished new index that the loop takes over.
    finished: Arc<Mutex<Option<(Live, Feed)>>>,
    rebuilding: Arc<AtomicBool>,
}

/// A writer and how far it is.
pub(crate) struct Feed {
    writer: IndexWriter,
    place: Place,
    /// The newest transaction that was read to its end.
    complete: i64,
    dirty: bool,
    committed_at: Instant,
}

impl Feed {
    fn of(writer: IndexWriter, revision: i64) -> Self {
        Self { writer, place: Place::after(revision), complete: revision, dirty: false, committed_at: Instant::now() }
    }
}

impl Feeder {
    pub(crate) fn new(db: Db, home: Arc<Home>, config: Arc<Config>) -> Self {
        Self { db, home, config, finished: Arc::default(), rebuilding: Arc::default() }
    }

    /// Follows the listings until told to stop.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let look_every = Duration::from_millis(self.config.look_every_ms.max(1));
        let mut feed: Option<Feed> = None;
        let mut ask_at = Instant::now();
        while !stop.is_cancelled() {
            let stepped = match feed.take() {
                Some(current) => self.step(current).await.map(|(current, more)| (Some(current), more)),
                None if Instant::now() >= ask_at => {
                    ask_at = Instant::now() + ASK_FOR_WRITER_EVERY;
                    self.take_writer().await.map(|taken| (taken, false))
                }
                None => self.home.follow().map(|()| (None, false)),
            };
            let pause = match stepped {
                Ok((kept, more)) => {
                    feed = kept;
                    if more { Duration::ZERO } else { look_every }
                }
                Err(error) => {
                    // The writer is dropped with what it had not committed; the next one goes on from the last commit.
                    tracing::warn!(%error, "the search index could not follow the listings for a moment");
                    ask_at = Instant::now();
                    PAUSE_AFTER_FAILURE
                }
            };
            let _stopped = stop.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
        if let Some(feed) = feed {
            let _committed = self.commit(feed).await;
        }
    }

    /// One page of changes; a commit when one is due. Whether there is more to read at once.
    async fn step(&self, mut feed: Feed) -> Result<(Feed, bool), Error> {
        if let Some((live, finished)) = self.finished.lock().await.take() {
            drop(feed);
            self.home.switch(live)?;
            self.rebuilding.store(false, Ordering::SeqCst);
            feed = finished;
        }
        let (mut feed, more) = self.read_page(feed).await?;
        let due = feed.committed_at.elapsed() >= Duration::from_millis(self.config.commit_every_ms);
        if feed.dirty && due {
            feed = self.commit(feed).await?;
            self.home.reload()?;
        }
        Ok((feed, more))
    }

    async fn take_writer(&self) -> Result<Option<Feed>, Error> {
        let live = self.home.live();
        let heap = self.config.writer_heap_bytes;
        let Some(writer) = blocking(move || live.writer(heap)).await? else { return Ok(None) };
        let mut revision = self.home.live().stored_revision()?;
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let (_, newest) = store::extent(&mut tx).await?;
        if revision > newest {
            // The database is older than the index, as after a restore: everything is read again.
            writer.delete_all_documents()?;
            revision = 0;
        }
        self.home.follow()?;
        Ok(Some(Feed::of(writer, revision)))
    }

    async fn read_page(&self, mut feed: Feed) -> Result<(Feed, bool), Error> {
        let limit = self.config.index_page;
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let page = store::changed_after(&mut tx, feed.place, limit).await?;
        drop(tx);
        let Some((last, _)) = page.last() else { return Ok((feed, false)) };
        let more = i64::try_from(page.len()).is_ok_and(|read| read >= limit);
        feed.place = *last;
        // A transaction at the end of a full page may go on in the next one.
        feed.complete = if more { last.revision - 1 } else { last.revision };
        feed.dirty = true;
        let home = Arc::clone(&self.home);
        let feed = blocking(move || {
            for (_, stored) in &page {
                replace(&home, &feed.writer, stored)?;
            }
            Ok(feed)
        })
        .await?;
        Ok((feed, more))
    }

    async fn commit(&self, mut feed: Feed) -> Result<Feed, Error> {
        blocking(move || {
            commit(&mut feed.writer, feed.complete)?;
            feed.dirty = false;
            feed.committed_at = Instant::now();
            Ok(feed)
        })
        .await
    }

    pub(crate) fn is_rebuilding(&self) -> bool {
        self.rebuilding.load(Ordering::SeqCst)
    }

    /// Builds a new index from the listings while the old one goes on; the loop switches when the new one is level.
    pub(crate) fn rebuild(&self) -> Result<(), Error> {
        if self.rebuilding.swap(true, Ordering::SeqCst) {
            return Err(Error::ReindexRunning);
        }
        let feeder = self.clone();
        tokio::spawn(async move {
            match feeder.build_next().await {
                Ok(finished) => *feeder.finished.lock().await = Some(finished),
                Err(error) => {
                    tracing::error!(%error, "the new search index could not be built; the old one stays");
                    feeder.rebuilding.store(false, Ordering::SeqCst);
                }
            }
        });
        Ok(())
    }

    async fn build_next(&self) -> Result<(Live, Feed), Error> {
        let home = Arc::clone(&self.home);
        let heap = self.config.writer_heap_bytes;
        let (live, writer) = blocking(move || {
            let live = home.begin_next()?;
            let writer = live.writer(heap)?.ok_or_else(|| Error::Index("the new index has a writer already".to_owned()))?;
            Ok((live, writer))
        })
        .await?;
        let mut feed = Feed::of(writer, 0);
        loop {
            let (next, more) = self.read_page(feed).await?;
            feed = next;
            if !more {
                return Ok((live, self.commit(feed).await?));
            }
        }
    }
}

/// The document of a listing as it is now; none when buyers may not see it.
fn replace(home: &Home, writer: &IndexWriter, stored: &Stored) -> Result<(), Error> {
    writer.delete_term(Term::from_field_text(home.fields.product, &stored.product.product_id));
    if stored.is_visible() {
        writer.add_document(document(&home.fields, stored)?)?;
    }
    Ok(())
}

/// Runs disk and processor work where it holds up nobody.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::Index(error.to_string()))?
}

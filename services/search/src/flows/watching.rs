//! What each process does in the background for its own memory: it learns which listings changed, keeps words, synonyms and popular
//! queries fresh, and writes down what was searched for.

use std::time::{Duration, Instant};

use kit_db::Scope;
use tokio_util::sync::CancellationToken;

use super::Search;
use crate::error::Error;
use crate::index::feeder::blocking;
use crate::query::spelling::Vocabulary;
use crate::store;

const VOCABULARY_EVERY: Duration = Duration::from_secs(2);
/// Words of a large index take longer to learn and are learned less often: at most one part in so many of the time goes there.
const VOCABULARY_RESTS: u32 = 40;
const SYNONYMS_EVERY: Duration = Duration::from_secs(2);
const POPULAR_EVERY: Duration = Duration::from_secs(20);
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// When something was done last; due at once the first time.
struct Timer(Option<Instant>);

impl Timer {
    fn is_due(&mut self, every: Duration) -> bool {
        let due = self.0.is_none_or(|last| last.elapsed() >= every);
        if due {
            self.0 = Some(Instant::now());
        }
        due
    }
}

/// Which state of the index the words were learned from, and how long that took.
#[derive(Debug, Default)]
struct Learned {
    generation: u64,
    took: Duration,
}

impl Search {
    /// Tells the caches which products changed, a moment after they did.
    pub(crate) async fn watch_changes(self, stop: CancellationToken) {
        let pause = Duration::from_millis(self.0.config.look_every_ms.max(1));
        let mut since = None;
        while !stop.is_cancelled() {
            match self.learn_changes(since).await {
                Ok(complete) => since = Some(complete),
                Err(error) => {
                    // What changed meanwhile is not known, so nothing kept is trusted.
                    tracing::warn!(%error, "changes of listings could not be read for a moment");
                    self.0.listings.invalidate_all();
                    since = None;
                }
            }
            let _stopped = stop.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
    }

    async fn learn_changes(&self, since: Option<i64>) -> Result<i64, Error> {
        let mut tx = self.0.db.begin(&Scope::Platform).await?;
        let (complete, changed) = store::products_changed_since(&mut tx, since.unwrap_or(i64::MAX)).await?;
        if since.is_none() {
            self.0.listings.invalidate_all();
        }
        for (product, revision) in changed {
            let product = product.into();
            let newest = self.0.changed.get(&product).unwrap_or_default().max(revision);
            self.0.changed.insert(product, newest);
        }
        Ok(complete)
    }

    /// Keeps words, synonyms and popular queries fresh and writes down queries.
    pub(crate) async fn keep_fresh(self, stop: CancellationToken) {
        let mut timers = [Timer(None), Timer(None), Timer(None)];
        let mut learned = Learned::default();
        let note_every = Duration::from_secs(self.0.config.note_queries_every_seconds.max(1));
        while !stop.is_cancelled() {
            let refreshed = self.refresh(&mut timers, &mut learned).await;
            let pause = match refreshed {
                Ok(()) => note_every,
                Err(error) => {
                    tracing::warn!(%error, "what search keeps in memory could not be refreshed for a moment");
                    PAUSE_AFTER_FAILURE
                }
            };
            let _stopped = stop.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
        let _written = self.write_noted().await;
    }

    async fn refresh(&self, timers: &mut [Timer; 3], learned: &mut Learned) -> Result<(), Error> {
        let [vocabulary, synonyms, popular] = timers;
        self.write_noted().await?;
        let generation = self.0.home.generation();
        if generation != learned.generation && vocabulary.is_due(VOCABULARY_EVERY.max(learned.took * VOCABULARY_RESTS)) {
            let begin = Instant::now();
            self.refresh_vocabulary().await?;
            *learned = Learned { generation, took: begin.elapsed() };
        }
        if synonyms.is_due(SYNONYMS_EVERY) {
            self.refresh_synonyms().await?;
        }
        if popular.is_due(POPULAR_EVERY) {
            self.refresh_popular().await?;
        }
        Ok(())
    }

    pub(crate) async fn refresh_vocabulary(&self) -> Result<(), Error> {
        let search = self.clone();
        let before = self.vocabulary();
        let vocabulary = blocking(move || Vocabulary::of(&search.0.home.live().searcher(), &search.0.home.fields, &before)).await?;
        self.set_vocabulary(vocabulary);
        Ok(())
    }

    async fn refresh_popular(&self) -> Result<(), Error> {
        let config = &self.0.config;
        let mut tx = self.0.db.begin(&Scope::Platform).await?;
        let popular = store::popular_queries(&mut tx, config.suggest_from_searches, config.suggested_queries).await?;
        self.set_popular(popular.into_iter().map(|(query, _)| query).collect());
        Ok(())
    }

    async fn write_noted(&self) -> Result<(), Error> {
        let noted = self.take_noted();
        if noted.is_empty() {
            return Ok(());
        }
        let mut tx = self.0.db.begin(&Scope::Platform).await?;
        store::note_queries(&mut tx, &noted, self.0.clock.now()).await?;
        tx.commit().await?;
        Ok(())
    }
}

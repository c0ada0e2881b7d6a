//! The stories: searching, suggesting, showing a listing, synonyms, and what is watched in the background.

pub(crate) mod comparing;
pub(crate) mod listing;
pub(crate) mod matching;
pub(crate) mod searching;
pub(crate) mod suggesting;
pub(crate) mod synonyms;
pub(crate) mod watching;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use api_catalog::ProductId;
use kit_core::{Clock, Ids};
use kit_db::Db;
use moka::sync::Cache;
use tantivy::index::SegmentId;
use tantivy::schema::Value;
use tantivy::{DocAddress, Searcher, TantivyDocument};
use tokio::sync::Semaphore;

use crate::config::Config;
use crate::error::Error;
use crate::index::document::Card;
use crate::index::feeder::Feeder;
use crate::index::home::Home;
use crate::query::columns::Opened;
use crate::query::facets::Hashed;
use crate::query::plan::Synonyms;
use crate::query::profile::Profile;
use crate::query::spelling::Vocabulary;
use listing::CachedListing;
use searching::Answer;

/// How long a changed product is remembered as changed; longer than any cached listing lives.
const CHANGED_FOR: Duration = Duration::from_secs(120);
const LISTING_FOR: Duration = Duration::from_secs(60);
/// How long a facet's value may go by its old name.
const NAMES_FOR: Duration = Duration::from_secs(30);

/// The service: what every flow needs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Search(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) config: Arc<Config>,
    pub(crate) home: Arc<Home>,
    pub(crate) feeder: Feeder,
    /// Answers by their question, good while the index does not change.
    pub(crate) answers: Cache<Vec<u8>, Answer>,
    /// Documents of a segment never change, so a card stays right as long as its segment exists.
    cards: Cache<(SegmentId, u32), Arc<Card>>,
    pub(crate) opened: Arc<Opened>,
    /// A card that tells what a facet's value is called.
    naming_cards: Cache<Hashed, Arc<Card>>,
    /// Names taken apart for comparison.
    pub(crate) profiles: Cache<(SegmentId, u32), Arc<Profile>>,
    pub(crate) listings: Cache<ProductId, CachedListing>,
    /// Products that changed lately, and in which transaction.
    pub(crate) changed: Cache<ProductId, i64>,
    vocabulary: RwLock<Arc<Vocabulary>>,
    synonyms: RwLock<Arc<Synonyms>>,
    popular: RwLock<Arc<Vec<String>>>,
    /// Queries to be written down: how often, how many found.
    noted: Mutex<BTreeMap<String, (i64, i64)>>,
    pub(crate) slots: Arc<Semaphore>,
}

impl Search {
    pub(crate) fn new(db: Db, clock: Clock, ids: Ids, config: Config, home: Home) -> Self {
        let config = Arc::new(config);
        let home = Arc::new(home);
        Self(Arc::new(Inner {
            feeder: Feeder::new(db.clone(), Arc::clone(&home), Arc::clone(&config)),
            answers: Cache::builder()
                .max_capacity(config.answer_cache_entries)
                .time_to_live(Duration::from_secs(config.answer_cache_seconds))
                .build(),
            cards: Cache::new(config.hit_cache_entries),
            opened: Arc::default(),
            naming_cards: Cache::builder().max_capacity(config.hit_cache_entries).time_to_live(NAMES_FOR).build(),
            profiles: Cache::new(config.hit_cache_entries),
            listings: Cache::builder().max_capacity(config.listing_cache_entries).time_to_live(LISTING_FOR).build(),
            changed: Cache::builder().time_to_live(CHANGED_FOR).build(),
            vocabulary: RwLock::default(),
            synonyms: RwLock::default(),
            popular: RwLock::default(),
            noted: Mutex::default(),
            slots: Arc::new(Semaphore::new(config.searches_at_once.max(1))),
            db,
            clock,
            ids,
            config,
            home,
        }))
    }

    pub(crate) fn vocabulary(&self) -> Arc<Vocabulary> {
        Arc::clone(&self.0.vocabulary.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn synonyms(&self) -> Arc<Synonyms> {
        Arc::clone(&self.0.synonyms.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Past queries that others made, the most popular first.
    pub(crate) fn popular(&self) -> Arc<Vec<String>> {
        Arc::clone(&self.0.popular.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_vocabulary(&self, vocabulary: Vocabulary) {
        if !Arc::ptr_eq(&self.vocabulary().lexicon, &vocabulary.lexicon) {
            self.0.profiles.invalidate_all();
            self.0.answers.invalidate_all();
        }
        *self.0.vocabulary.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(vocabulary);
    }

    pub(crate) fn set_synonyms(&self, synonyms: Synonyms) {
        *self.0.synonyms.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(synonyms);
        self.0.answers.invalidate_all();
    }

    pub(crate) fn set_popular(&self, popular: Vec<String>) {
        *self.0.popular.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(popular);
    }

    /// Remembers that a query was made and what it found, until it is written down.
    pub(crate) fn note(&self, query: &str, found: u64) {
        let tidy = crate::text::tidy_query(query);
        if !(2..=60).contains(&tidy.chars().count()) {
            return;
        }
        let mut noted = self.0.noted.lock().unwrap_or_else(PoisonError::into_inner);
        // A flood of different queries is not worth unbounded memory.
        if noted.len() < 10_000 || noted.contains_key(&tidy) {
            let entry = noted.entry(tidy).or_default();
            *entry = (entry.0 + 1, i64::try_from(found).unwrap_or(i64::MAX));
        }
    }

    pub(crate) fn take_noted(&self) -> BTreeMap<String, (i64, i64)> {
        std::mem::take(&mut *self.0.noted.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A card of a document that has the value, this one or another.
    pub(crate) fn naming_card(&self, searcher: &Searcher, value: Hashed, sample: DocAddress) -> Result<Arc<Card>, Error> {
        if let Some(card) = self.0.naming_cards.get(&value) {
            return Ok(card);
        }
        let card = self.card(searcher, sample)?;
        self.0.naming_cards.insert(value, Arc::clone(&card));
        Ok(card)
    }

    /// What is stored with a document.
    pub(crate) fn card(&self, searcher: &Searcher, address: DocAddress) -> Result<Arc<Card>, Error> {
        let segment = searcher.segment_reader(address.segment_ord).segment_id();
        if let Some(card) = self.0.cards.get(&(segment, address.doc_id)) {
            return Ok(card);
        }
        let document: TantivyDocument = searcher.doc(address)?;
        let bytes = document.get_first(self.0.home.fields.card).and_then(|value| value.as_bytes().map(<[u8]>::to_vec)).unwrap_or_default();
        let card: Card = prost::Message::decode(bytes.as_slice()).map_err(|error: prost::DecodeError| Error::Unreadable(error.to_string()))?;
        let card = Arc::new(card);
        self.0.cards.insert((segment, address.doc_id), Arc::clone(&card));
        Ok(card)
    }
}

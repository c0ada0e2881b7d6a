//! How many listings have a word or a run of letters, in memory: what is rare tells listings apart.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use tantivy::Searcher;
use tantivy::schema::Field;

use super::collect::Spread;
use crate::error::Error;
use crate::index::Fields;
use crate::text::{self, letters};

/// The share of listings that may come or go before rarities are counted again.
const HARDLY: f64 = 0.02;

type Frequencies = HashMap<u64, u32, BuildHasherDefault<Spread>>;

#[derive(Debug, Default)]
pub(crate) struct Lexicon {
    listings: f64,
    stems: Frequencies,
    grams: Frequencies,
}

impl Lexicon {
    pub(crate) fn of(searcher: &Searcher, fields: &Fields) -> Result<Self, Error> {
        Ok(Self {
            listings: counted(searcher),
            stems: frequencies(searcher, fields.name, text::hash)?,
            grams: frequencies(searcher, fields.grams, letters::gram)?,
        })
    }

    /// Whether rarities have hardly changed: there are about as many listings.
    pub(crate) fn is_about(&self, searcher: &Searcher) -> bool {
        let listings = counted(searcher);
        (self.listings - listings).abs() <= HARDLY * self.listings.min(listings)
    }

    /// How much a stem, by its hash, tells: the inverse document frequency of BM25.
    pub(crate) fn of_stem(&self, hash: u64) -> f64 {
        self.rarity(self.stems.get(&hash))
    }

    pub(crate) fn of_gram(&self, gram: letters::Gram) -> f64 {
        self.rarity(self.grams.get(&gram))
    }

    fn rarity(&self, found: Option<&u32>) -> f64 {
        let having = found.map_or(0.0, |found| f64::from(*found)).min(self.listings);
        inverse_frequency(having, self.listings)
    }
}

/// ln(1 + (N − n + ½) / (n + ½)), as BM25 has it.
pub(crate) fn inverse_frequency(having: f64, listings: f64) -> f64 {
    (1.0 + (listings - having + 0.5) / (having + 0.5)).ln()
}

fn counted(searcher: &Searcher) -> f64 {
    f64::from(u32::try_from(searcher.num_docs()).unwrap_or(u32::MAX))
}

fn frequencies(searcher: &Searcher, field: Field, key: impl Fn(&str) -> u64) -> Result<Frequencies, Error> {
    let mut counts = Frequencies::default();
    for segment in searcher.segment_readers() {
        let inverted = segment.inverted_index(field)?;
        let mut terms = inverted.terms().stream()?;
        while terms.advance() {
            if let Ok(word) = std::str::from_utf8(terms.key()) {
                *counts.entry(key(word)).or_default() += terms.value().doc_freq;
            }
        }
    }
    Ok(counts)
}

//! The numbers an operator may set under `[services.search]`.

use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// How often the index looks for changed listings.
    pub(crate) look_every_ms: u64,
    /// The longest changed listings wait for a commit of the index.
    pub(crate) commit_every_ms: u64,
    /// Listings read and indexed at a time.
    pub(crate) index_page: i64,
    /// What the index writer may keep in memory; Tantivy wants at least 15 MB.
    pub(crate) writer_heap_bytes: usize,
    /// Searches that run at the same time; more wait their turn.
    pub(crate) searches_at_once: usize,
    /// The longest an answer to a popular query is kept, while the index does not change.
    pub(crate) answer_cache_seconds: u64,
    pub(crate) answer_cache_entries: u64,
    pub(crate) hit_cache_entries: u64,
    pub(crate) listing_cache_entries: u64,
    /// Values shown of each facet.
    pub(crate) facet_values: usize,
    /// Attribute facets shown.
    pub(crate) attribute_facets: usize,
    /// Words of a query that are looked at.
    pub(crate) query_words: usize,
    /// How much less an out-of-stock listing scores.
    pub(crate) out_of_stock_factor: f32,
    /// How much more a brand-new listing scores; fades over `fresh_days`.
    pub(crate) freshness_bonus: f32,
    pub(crate) fresh_days: f32,
    /// How much more a listing scores that sells as well as any; less for those that sell less.
    pub(crate) popularity_bonus: f32,
    /// Pieces sold that make a listing sell as well as any.
    pub(crate) popular_pieces: f32,
    /// A query is suggested to others when it was made so often.
    pub(crate) suggest_from_searches: i64,
    /// Past queries kept in memory for suggestions.
    pub(crate) suggested_queries: i64,
    /// How often what was searched for is written down.
    pub(crate) note_queries_every_seconds: u64,
    /// Listings of two sellers are the same product when it is as sure as this, from 0 to 1.
    pub(crate) same_product_certainty: f64,
    /// The currency of price filters that name none.
    pub(crate) currency: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            look_every_ms: 100,
            commit_every_ms: 300,
            index_page: 500,
            writer_heap_bytes: 30_000_000,
            searches_at_once: 8,
            answer_cache_seconds: 10,
            answer_cache_entries: 2_000,
            hit_cache_entries: 20_000,
            listing_cache_entries: 20_000,
            facet_values: 30,
            attribute_facets: 10,
            query_words: 24,
            out_of_stock_factor: 0.8,
            freshness_bonus: 0.05,
            fresh_days: 60.0,
            popularity_bonus: 0.05,
            popular_pieces: 1_000.0,
            suggest_from_searches: 2,
            suggested_queries: 5_000,
            note_queries_every_seconds: 2,
            same_product_certainty: 0.5,
            currency: "USD".to_owned(),
        }
    }
}

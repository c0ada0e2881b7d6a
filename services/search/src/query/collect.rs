//! One walk over all matches: which pass every filter (counted, and the best of them kept), and which would pass but for one filter
//! (counted for that filter's facet). So facets are disjunctive and exact, and cost one pass.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::{DocAddress, DocId, Score, SegmentOrdinal, SegmentReader};

use super::columns::{Columns, Opened};
use super::cursor::After;
use super::rank::COMPARED;
use crate::index::document::key_of;

/// Upper edges of the price buckets in whole units of the currency; the last bucket has none.
pub(crate) const PRICE_EDGES: [u64; 9] = [10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Relevance,
    PriceUp,
    PriceDown,
    Newest,
    Popular,
}

/// What is asked beside the words, as column values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filters {
    pub(crate) brands: Vec<u64>,
    pub(crate) sellers: Vec<u64>,
    /// From and to, both inclusive, in minor units.
    pub(crate) price: Option<(u64, u64)>,
    pub(crate) available_only: bool,
    /// Values of each attribute asked for, by its key.
    pub(crate) attributes: Vec<(u64, Vec<u64>)>,
}

/// How relevance is made of the text's score.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weights {
    pub(crate) out_of_stock: f32,
    pub(crate) freshness: f32,
    pub(crate) fresh_seconds: f32,
    pub(crate) popularity: f32,
    /// Pieces sold that make a listing as popular as can be.
    pub(crate) popular_pieces: f32,
    /// Seconds since the epoch.
    pub(crate) now: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Collect {
    pub(crate) filters: Filters,
    pub(crate) sort: Sort,
    pub(crate) limit: usize,
    pub(crate) after: Option<After>,
    pub(crate) facets: bool,
    pub(crate) weights: Weights,
    /// The currency whose prices are filtered and counted, hashed, and one whole unit of it in minor units.
    pub(crate) currency: u64,
    pub(crate) unit: u64,
    pub(crate) opened: Arc<Opened>,
}

impl Weights {
    /// The words alone decide.
    pub(crate) const NONE: Self = Self { out_of_stock: 1.0, freshness: 0.0, fresh_seconds: 1.0, popularity: 0.0, popular_pieces: 1.0, now: 0 };
}

impl Collect {
    /// All matches, whatever their price, the best words first.
    pub(crate) fn everything(opened: Arc<Opened>) -> Self {
        let filters = Filters::default();
        Self { filters, sort: Sort::Relevance, limit: 0, after: None, facets: false, weights: Weights::NONE, currency: 0, unit: 1, opened }
    }

    /// As many as will be compared, from the first; the page is cut afterwards.
    pub(crate) fn with_candidates(self) -> Self {
        Self { limit: COMPARED + self.limit, after: None, ..self }
    }
}

/// A hit before it is shown. Better ones are greater.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Found {
    pub(crate) key: u64,
    pub(crate) id: u128,
    pub(crate) address: DocAddress,
    pub(crate) text: f32,
    pub(crate) availability: f32,
    pub(crate) freshness: f32,
    pub(crate) popularity: f32,
}

impl Eq for Found {}
impl PartialOrd for Found {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Found {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.key, Reverse(self.id)).cmp(&(other.key, Reverse(other.id)))
    }
}

impl Found {
    /// A listing that was not searched for.
    pub(crate) const fn at(address: DocAddress) -> Self {
        Self { key: 0, id: 0, address, text: 0.0, availability: 1.0, freshness: 1.0, popularity: 1.0 }
    }

    pub(crate) fn score(&self) -> f64 {
        f64::from(self.text) * self.factor()
    }

    /// What relevance is scaled by beside the words.
    pub(crate) fn factor(&self) -> f64 {
        f64::from(self.availability) * f64::from(self.freshness) * f64::from(self.popularity)
    }

    pub(crate) const fn is_compared(&self) -> bool {
        self.key & COMPARED_FIRST != 0
    }

    /// Puts a compared hit before all that were not, in the order of its score.
    pub(crate) fn compared(&mut self, score: f64) {
        // The bits of positive floats sort like the floats.
        self.key = COMPARED_FIRST | score.max(0.0).to_bits();
    }
}

/// Set in the keys of compared hits.
pub(crate) const COMPARED_FIRST: u64 = 1 << 63;

/// How often a value was found, and a document that has it, to learn its name from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    pub(crate) sample: DocAddress,
}

pub(crate) type Tallies = HashMap<u64, Tally, BuildHasherDefault<Spread>>;

/// Column values are hashes already, but packed letters are not: the multiplication spreads those too.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = value.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) brands: Tallies,
    pub(crate) categories: Tallies,
    pub(crate) sellers: Tallies,
    pub(crate) values: Tallies,
    pub(crate) available: u64,
    pub(crate) prices: [u64; PRICE_EDGES.len() + 1],
}

#[derive(Debug, Default)]
pub(crate) struct Collected {
    /// How many have the words, whatever the filters.
    pub(crate) seen: u64,
    pub(crate) total: u64,
    /// Best first.
    pub(crate) top: Vec<Found>,
    pub(crate) counts: Counts,
}

/// Filters a document fails, as bits; attributes from `ATTRIBUTE` up.
const BRAND: u64 = 1;
const SELLER: u64 = 2;
const PRICE: u64 = 4;
const AVAILABILITY: u64 = 8;
const ATTRIBUTE: u64 = 16;

pub(crate) struct Segment {
    collect: Collect,
    ordinal: SegmentOrdinal,
    columns: Arc<Columns>,
    best: BinaryHeap<Reverse<Found>>,
    seen: u64,
    total: u64,
    counts: Counts,
    price_edges: [u64; PRICE_EDGES.len()],
    offers: Offers,
    seen_values: Vec<u64>,
}

impl Collector for Collect {
    type Fruit = Collected;
    type Child = Segment;

    fn for_segment(&self, ordinal: SegmentOrdinal, segment: &SegmentReader) -> tantivy::Result<Segment> {
        Ok(Segment {
            ordinal,
            columns: self.opened.of(segment)?,
            best: BinaryHeap::with_capacity(self.limit + 1),
            seen: 0,
            total: 0,
            counts: Counts::default(),
            price_edges: PRICE_EDGES.map(|edge| edge.saturating_mul(self.unit)),
            offers: Offers::default(),
            seen_values: Vec::new(),
            collect: self.clone(),
        })
    }

    fn requires_scoring(&self) -> bool {
        self.sort == Sort::Relevance
    }

    fn merge_fruits(&self, segments: Vec<Collected>) -> tantivy::Result<Collected> {
        let mut all = Collected::default();
        for segment in segments {
            all.seen += segment.seen;
            all.total += segment.total;
            all.top.extend(segment.top);
            all.counts.add(segment.counts);
        }
        all.top.sort_unstable_by(|a, b| b.cmp(a));
        all.top.truncate(self.limit);
        Ok(all)
    }
}

/// What one variant says: which filters it fails beside those its listing fails, price and stock.
#[derive(Debug, Clone, Copy)]
struct Offer {
    failing: u64,
    /// The highest when it has none in the currency asked for.
    price: u64,
    counted: bool,
    available: bool,
}

/// The variants of one listing, kept from listing to listing so that nothing is allocated for each.
#[derive(Debug, Default)]
struct Offers {
    each: Vec<Offer>,
    /// Values of options, with the place of the variant that has them.
    options: Vec<(u64, usize)>,
    cheapest: u64,
    available: bool,
}

impl Offers {
    /// Whether some variant passes every filter but for those of `dimension`.
    fn pass_but_for(&self, dimension: u64) -> bool {
        self.each.iter().any(|offer| offer.failing & !dimension == 0)
    }
}

impl SegmentCollector for Segment {
    type Fruit = Collected;

    fn collect(&mut self, doc: DocId, score: Score) {
        self.seen += 1;
        let mut offers = std::mem::take(&mut self.offers);
        self.read_offers(doc, &mut offers);
        if self.collect.facets {
            self.count(doc, &offers);
        }
        if offers.pass_but_for(0) {
            self.total += 1;
            self.keep(doc, score, &offers);
        }
        self.offers = offers;
    }

    fn harvest(self) -> Collected {
        Collected { seen: self.seen, total: self.total, top: self.best.into_iter().map(|found| found.0).collect(), counts: self.counts }
    }
}

impl Segment {
    fn read_offers(&self, doc: DocId, offers: &mut Offers) {
        let filters = &self.collect.filters;
        offers.each.clear();
        offers.options.clear();
        (offers.cheapest, offers.available) = (u64::MAX, false);
        let wanted = !filters.attributes.is_empty() || self.collect.facets;
        if wanted {
            // Zero stands before the options of each variant.
            let mut variant = 0;
            for option in self.columns.options.values_for_doc(doc) {
                if option == 0 {
                    variant += 1;
                } else {
                    offers.options.push((option, variant - 1));
                }
            }
        }
        let failing = self.failing(doc);
        let lacking = self.lacking(doc);
        let counted = self.columns.currency.first(doc) == Some(self.collect.currency);
        let (from, to) = filters.price.unwrap_or((0, u64::MAX));
        for (place, variant) in self.columns.variants.values_for_doc(doc).enumerate() {
            let (price, available) = (variant >> 1, variant & 1 == 1);
            let mut failing = failing | self.lacked_by(lacking, place, &offers.options);
            if filters.price.is_some() && !(counted && (from..=to).contains(&price)) {
                failing |= PRICE;
            }
            if filters.available_only && !available {
                failing |= AVAILABILITY;
            }
            offers.cheapest = offers.cheapest.min(price);
            offers.available |= available;
            offers.each.push(Offer { failing, price, counted, available });
        }
    }

    /// The filters that the listing fails whatever its variants.
    fn failing(&self, doc: DocId) -> u64 {
        let filters = &self.collect.filters;
        let mut failing = 0;
        if !filters.brands.is_empty() && !self.columns.brand.first(doc).is_some_and(|brand| filters.brands.contains(&brand)) {
            failing |= BRAND;
        }
        if !filters.sellers.is_empty() && !self.columns.seller.first(doc).is_some_and(|seller| filters.sellers.contains(&seller)) {
            failing |= SELLER;
        }
        failing
    }

    /// The attribute filters that no attribute of the listing meets: a variant's options must.
    fn lacking(&self, doc: DocId) -> u64 {
        let mut lacking = 0;
        for (place, (_, wanted)) in self.collect.filters.attributes.iter().enumerate() {
            if !self.columns.values.values_for_doc(doc).any(|value| wanted.contains(&value)) {
                lacking |= ATTRIBUTE << place;
            }
        }
        lacking
    }

    fn lacked_by(&self, lacking: u64, variant: usize, options: &[(u64, usize)]) -> u64 {
        let mut lacked = lacking;
        if lacking != 0 {
            for (place, (_, wanted)) in self.collect.filters.attributes.iter().enumerate() {
                if options.iter().any(|(option, of)| *of == variant && wanted.contains(option)) {
                    lacked &= !(ATTRIBUTE << place);
                }
            }
        }
        lacked
    }

    fn count(&mut self, doc: DocId, offers: &Offers) {
        // Two failed filters: no single facet value would show it.
        if !offers.each.iter().any(|offer| offer.failing & offer.failing.wrapping_sub(1) == 0) {
            return;
        }
        let sample = DocAddress::new(self.ordinal, doc);
        let passes = offers.pass_but_for(0);
        if passes || offers.pass_but_for(BRAND) {
            self.columns.brand.first(doc).into_iter().for_each(|brand| self.counts.brands.tally(brand, sample));
        }
        if passes || offers.pass_but_for(SELLER) {
            self.columns.seller.first(doc).into_iter().for_each(|seller| self.counts.sellers.tally(seller, sample));
        }
        if passes {
            self.columns.categories.values_for_doc(doc).for_each(|category| self.counts.categories.tally(category, sample));
        }
        if offers.each.iter().any(|offer| offer.available && offer.failing & !AVAILABILITY == 0) {
            self.counts.available += 1;
        }
        let mut buckets = 0_u32;
        for offer in offers.each.iter().filter(|offer| offer.counted && offer.failing & !PRICE == 0) {
            buckets |= 1 << self.price_edges.partition_point(|edge| *edge <= offer.price);
        }
        for (bucket, count) in self.counts.prices.iter_mut().enumerate() {
            *count += u64::from(buckets >> bucket & 1);
        }
        self.count_values(doc, offers, sample);
    }

    /// A value is counted once for a listing that has it, as an attribute of its own or an option of a variant that would be found.
    fn count_values(&mut self, doc: DocId, offers: &Offers, sample: DocAddress) {
        self.seen_values.clear();
        for value in self.columns.values.values_for_doc(doc) {
            if offers.pass_but_for(self.dimension_of(value)) {
                self.seen_values.push(value);
            }
        }
        for (value, variant) in &offers.options {
            let dimension = self.dimension_of(*value);
            if offers.each.get(*variant).is_some_and(|offer| offer.failing & !dimension == 0) {
                self.seen_values.push(*value);
            }
        }
        self.seen_values.sort_unstable();
        self.seen_values.dedup();
        for value in &self.seen_values {
            self.counts.values.tally(*value, sample);
        }
    }

    /// The filter that a value belongs to; none is zero.
    fn dimension_of(&self, value: u64) -> u64 {
        let place = self.collect.filters.attributes.iter().position(|(key, _)| *key == key_of(value));
        place.map_or(0, |place| ATTRIBUTE << place)
    }

    fn keep(&mut self, doc: DocId, score: Score, offers: &Offers) {
        let weights = self.collect.weights;
        let (mut availability, mut freshness, mut popularity) = (1.0, 1.0, 1.0);
        let key = match self.collect.sort {
            Sort::PriceUp => u64::MAX - offers.cheapest,
            Sort::PriceDown => offers.cheapest,
            Sort::Newest => self.columns.listed.first(doc).unwrap_or_default(),
            Sort::Popular => self.columns.sold.first(doc).unwrap_or_default(),
            Sort::Relevance => {
                availability = if offers.available { 1.0 } else { weights.out_of_stock };
                freshness = weights.freshness_of(self.columns.listed.first(doc).unwrap_or_default());
                popularity = weights.popularity_of(self.columns.sold.first(doc).unwrap_or_default());
                // The bits of positive floats sort like the floats.
                u64::from((score * availability * freshness * popularity).max(0.0).to_bits())
            }
        };
        let full = self.best.len() >= self.collect.limit;
        if full && self.best.peek().is_some_and(|worst| key < worst.0.key) {
            return;
        }
        let id =
            u128::from(self.columns.id_high.first(doc).unwrap_or_default()) << 64 | u128::from(self.columns.id_low.first(doc).unwrap_or_default());
        let found = Found { key, id, address: DocAddress::new(self.ordinal, doc), text: score, availability, freshness, popularity };
        let beyond = self.collect.after.is_none_or(|after| (key, Reverse(id)) < (after.key, Reverse(after.id)));
        if beyond {
            self.best.push(Reverse(found));
            if full {
                self.best.pop();
            }
        }
    }
}

impl Weights {
    fn freshness_of(&self, listed: u64) -> f32 {
        let seconds = u32::try_from(self.now.saturating_sub(listed)).unwrap_or(u32::MAX);
        let days_over_half_life = f64::from(seconds) / f64::from(self.fresh_seconds.max(1.0));
        let fading = (-days_over_half_life).exp();
        1.0 + self.freshness * narrowed(fading)
    }
}

impl Weights {
    /// Each tenfold of pieces counts the same, up to as many as make a listing as popular as can be.
    fn popularity_of(&self, sold: u64) -> f32 {
        let sold = f64::from(u32::try_from(sold).unwrap_or(u32::MAX));
        let popular = sold.ln_1p() / f64::from(self.popular_pieces.max(1.0)).ln_1p();
        1.0 + self.popularity * narrowed(popular.min(1.0))
    }
}

/// A fraction between 0 and 1 as the index's own kind of number.
#[expect(clippy::as_conversions, reason = "there is no other way from f64 to f32, and the value is between 0 and 1")]
const fn narrowed(fraction: f64) -> f32 {
    fraction as f32
}

trait Tallying {
    fn tally(&mut self, value: u64, sample: DocAddress);
}

impl Tallying for Tallies {
    fn tally(&mut self, value: u64, sample: DocAddress) {
        self.entry(value).or_insert(Tally { count: 0, sample }).count += 1;
    }
}

impl Counts {
    fn add(&mut self, other: Self) {
        let into = |mine: &mut Tallies, theirs: Tallies| {
            for (value, tally) in theirs {
                mine.entry(value).or_insert(Tally { count: 0, ..tally }).count += tally.count;
            }
        };
        into(&mut self.brands, other.brands);
        into(&mut self.categories, other.categories);
        into(&mut self.sellers, other.sellers);
        into(&mut self.values, other.values);
        self.available += other.available;
        for (mine, theirs) in self.prices.iter_mut().zip(other.prices) {
            *mine += theirs;
        }
    }
}

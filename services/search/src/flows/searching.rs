//! One search: read the words, walk the matches, name the facets; relax when nothing has all the words.

use std::sync::Arc;
use std::time::Instant;

use api_search as api;
use kit_core::Currency;
use prost::Message;
use tantivy::query::{ConstScoreQuery, Query, TermQuery};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocAddress, Searcher, Term};

use super::Search;
use super::comparing::{Asked, put_in_order};
use crate::error::Error;
use crate::index::document::{Card, brand_hash, key_hash, value_hash};
use crate::index::feeder::blocking;
use crate::query::collect::{Collect, Filters, Found, Sort, Tally, Weights};
use crate::query::cursor::After;
use crate::query::facets::{Hashed, Naming, Selected};
use crate::query::known::Known;
use crate::query::plan::{Plan, Reader};
use crate::query::rank::compares;
use crate::query::spelling::Spelling;
use crate::query::stream::Stream;
use crate::query::walk::{Walk, Walked};
use crate::query::wishes::{self, Wish};
use crate::text;

const DEFAULT_LIMIT: usize = 20;
/// A query that finds at most this many may have a spelling that finds more.
const FEW: u64 = 2;
/// How much commoner another spelling must be to be suggested.
const MUCH_COMMONER: u32 = 20;

/// A kept answer and the state of the index it is about.
#[derive(Clone)]
pub(crate) struct Answer {
    generation: u64,
    response: Arc<api::SearchResponse>,
}

impl Search {
    pub(crate) async fn search(&self, request: api::SearchRequest) -> Result<Arc<api::SearchResponse>, Error> {
        let started = Instant::now();
        let question = request.encode_to_vec();
        let generation = self.0.home.generation();
        if let Some(kept) = self.0.answers.get(&question).filter(|kept| kept.generation == generation) {
            self.note_first_page(&request, kept.response.total);
            return Ok(kept.response);
        }
        let slot = Arc::clone(&self.0.slots).acquire_owned().await.map_err(|_| Error::Index("searching has ended".to_owned()))?;
        let search = self.clone();
        let asked = request.clone();
        let mut response = blocking(move || {
            let _slot = slot;
            search.answer(&asked)
        })
        .await?;
        response.took_ms = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
        metrics::histogram!("search_seconds").record(started.elapsed().as_secs_f64());
        self.note_first_page(&request, response.total);
        let response = Arc::new(response);
        self.0.answers.insert(question, Answer { generation, response: Arc::clone(&response) });
        Ok(response)
    }

    fn note_first_page(&self, request: &api::SearchRequest, total: u64) {
        if request.cursor.is_empty() && !request.query.trim().is_empty() {
            self.note(&request.query, total);
        }
    }

    /// Limits said among the words are taken as limits; when nothing meets them, they were words after all.
    fn answer(&self, request: &api::SearchRequest) -> Result<api::SearchResponse, Error> {
        let (meant, understood) = understood(request, self.currency(request)?, &self.vocabulary().known);
        let literal = understood.is_empty() || After::read(&request.cursor).is_some_and(|after| after.question == question(request));
        if !literal {
            let answer = self.answer_to(&meant)?;
            if answer.total > 0 {
                return Ok(api::SearchResponse { understood, ..answer });
            }
        }
        self.answer_to(request)
    }

    fn answer_to(&self, request: &api::SearchRequest) -> Result<api::SearchResponse, Error> {
        let attributes = attributes(&request.attributes)?;
        let searcher = self.0.home.live().searcher();
        let (vocabulary, synonyms) = (self.vocabulary(), self.synonyms());
        let reader = Reader {
            searcher: &searcher,
            fields: &self.0.home.fields,
            spelling: &vocabulary.spelling,
            synonyms: &synonyms,
            max_words: self.0.config.query_words,
        };
        let plan = reader.plan(&request.query);
        let question = question(request);
        let after = after(&request.cursor, question)?;
        let asked = Asked::of(&request.query, &plan, &vocabulary.lexicon);
        let collect = self.collect(request, &attributes, after)?;
        let comparing = collect.sort == Sort::Relevance && compares(asked.words) && after.is_none_or(After::is_compared);
        let collect = if comparing { collect.with_candidates() } else { collect };
        let conditions = self.conditions(request);
        let walk = Walk { searcher: &searcher, plan: &plan, conditions: &conditions };
        let (step, mut walked) = walk.relaxing(&collect, after.map(|after| after.step))?;
        if comparing {
            let likenesses = self.likenesses(&searcher, &asked, &walked.found.top)?;
            put_in_order(&asked, &mut walked.found.top, &likenesses);
            walked.found.top.retain(|found| after.is_none_or(|after| after.precedes(found)));
        }
        let page = Page { searcher: &searcher, plan: &plan, asked: comparing.then_some(&asked), walked, step, question };
        self.shown(request, &attributes, &collect, &vocabulary.spelling, page)
    }

    fn shown(
        &self,
        request: &api::SearchRequest,
        attributes: &[(String, String)],
        collect: &Collect,
        spelling: &Spelling,
        page: Page<'_>,
    ) -> Result<api::SearchResponse, Error> {
        let Page { searcher, plan, asked, walked: Walked { mut found, complete }, step, question } = page;
        let relaxed = found.total > 0 && !complete;
        let wanted = limit(request.limit);
        let more = found.top.len() > wanted;
        found.top.truncate(wanted);
        let last = found.top.last().filter(|_| more);
        let next_cursor = last.map(|last| After { key: last.key, id: last.id, step, question }.write());
        let dropped_words = match found.top.first() {
            // What the best hit does not have.
            Some(best) if relaxed => matches(searcher, plan, best)?.into_iter().filter(|(_, score)| score.is_none()).map(|(word, _)| word).collect(),
            _ => Vec::new(),
        };
        let explained = Some((plan, asked)).filter(|_| request.explain);
        let hits = found.top.iter().map(|hit| self.hit(searcher, hit, collect.sort, explained)).collect::<Result<_, _>>()?;
        let facets = if request.facets { self.naming(request, attributes, collect, searcher).facets(&found.counts)? } else { Vec::new() };
        let corrected = plan.corrected().filter(|_| found.total > 0);
        let did_you_mean = corrected.clone().or_else(|| if found.total <= FEW { commoner(&request.query, spelling) } else { None });
        Ok(api::SearchResponse {
            hits,
            total: found.total,
            next_cursor: next_cursor.unwrap_or_default(),
            facets,
            relaxed,
            dropped_words,
            did_you_mean: did_you_mean.unwrap_or_default(),
            corrected: corrected.is_some(),
            took_ms: 0,
            understood: Vec::new(),
        })
    }

    fn hit(&self, searcher: &Searcher, found: &Found, sort: Sort, explained: Option<(&Plan, Option<&Asked<'_>>)>) -> Result<api::Hit, Error> {
        let mut hit = self.card(searcher, found.address)?.hit.clone().unwrap_or_default();
        if sort != Sort::Relevance {
            return Ok(hit);
        }
        hit.score = found.score();
        if let Some((plan, asked)) = explained {
            let words = matches(searcher, plan, found)?;
            let told = words.into_iter().map(|(word, score)| score.map_or_else(|| format!("{word} not found"), |score| format!("{word} {score:.2}")));
            let part = |name: &str, value: f64, detail: String| api::ScorePart { name: name.to_owned(), value, detail };
            hit.explanation = vec![
                part("text", f64::from(found.text), told.collect::<Vec<_>>().join(", ")),
                part("availability", f64::from(found.availability), "1 when some variant can be bought now".to_owned()),
                part("freshness", f64::from(found.freshness), "fades from the day it was listed".to_owned()),
                part("popularity", f64::from(found.popularity), "grows with the pieces sold".to_owned()),
            ];
            if let Some(asked) = asked.filter(|_| found.is_compared())
                && let Some(like) = self.likenesses(searcher, asked, std::slice::from_ref(found))?.first()
            {
                let parts = like.parts().into_iter().filter(|(_, value)| *value != 0.0).map(|(name, value)| format!("{name} {value:.2}"));
                hit.explanation.push(part("likeness", like.total(), parts.collect::<Vec<_>>().join(", ")));
            }
        }
        Ok(hit)
    }

    fn naming<'a>(
        &'a self,
        request: &'a api::SearchRequest,
        attributes: &'a [(String, String)],
        collect: &Collect,
        searcher: &'a Searcher,
    ) -> Naming<'a, impl Fn(Hashed, &Tally) -> Result<Arc<Card>, Error> + 'a> {
        Naming {
            card: move |value: Hashed, tally: &Tally| self.naming_card(searcher, value, tally.sample),
            selected: Selected {
                brands: &request.brands,
                sellers: &request.seller_ids,
                category: &request.category_id,
                attributes,
                available_only: request.available_only,
                price: collect.filters.price,
            },
            values: self.0.config.facet_values,
            attributes: self.0.config.attribute_facets,
            unit: collect.unit,
        }
    }

    /// Conditions that every match meets, so that only those are walked: the category and the store.
    fn conditions(&self, request: &api::SearchRequest) -> Vec<Box<dyn Query>> {
        let fields = &self.0.home.fields;
        let term = |field, id: &String| -> Option<Box<dyn Query>> {
            let term = (!id.is_empty()).then(|| TermQuery::new(Term::from_field_u64(field, text::hash(id)), IndexRecordOption::Basic));
            term.map(|term| -> Box<dyn Query> { Box::new(ConstScoreQuery::new(Box::new(term), 0.0)) })
        };
        term(fields.categories, &request.category_id).into_iter().chain(term(fields.seller, &request.tenant_id)).collect()
    }

    fn currency(&self, request: &api::SearchRequest) -> Result<Currency, Error> {
        let named = if request.currency.is_empty() { &self.0.config.currency } else { &request.currency };
        named.parse().map_err(|_| Error::Invalid { field: "currency", message: "must be an ISO 4217 code like USD" })
    }

    fn collect(&self, request: &api::SearchRequest, attributes: &[(String, String)], after: Option<After>) -> Result<Collect, Error> {
        let config = &self.0.config;
        let currency = self.currency(request)?;
        let mut by_key: Vec<(u64, Vec<u64>)> = Vec::new();
        for (key, value) in attributes {
            let (key, value) = (key_hash(key), value_hash(key, value));
            match by_key.iter_mut().find(|(known, _)| *known == key) {
                Some((_, values)) => values.push(value),
                None => by_key.push((key, vec![value])),
            }
        }
        let filters = Filters {
            brands: request.brands.iter().map(|brand| brand_hash(brand)).collect(),
            sellers: request.seller_ids.iter().map(|seller| text::hash(seller)).collect(),
            price: price_range(request)?,
            available_only: request.available_only,
            attributes: by_key,
        };
        let weights = Weights {
            out_of_stock: config.out_of_stock_factor,
            freshness: config.freshness_bonus,
            fresh_seconds: config.fresh_days * 86_400.0,
            popularity: config.popularity_bonus,
            popular_pieces: config.popular_pieces,
            now: u64::try_from(self.0.clock.now().timestamp()).unwrap_or_default(),
        };
        // One more than shown tells whether there is another page.
        let limit = limit(request.limit) + 1;
        let unit = 10_u64.pow(u32::from(currency.decimals()));
        Ok(Collect {
            filters,
            sort: sort(request),
            limit,
            after,
            facets: request.facets,
            weights,
            currency: text::hash(currency.as_str()),
            unit,
            opened: Arc::clone(&self.0.opened),
        })
    }
}

/// The request with the limits that its words say, and what they were. Limits that are set already are not said over.
fn understood(request: &api::SearchRequest, currency: Currency, known: &Known) -> (api::SearchRequest, Vec<api::Understood>) {
    let (query, said) = wishes::read(&request.query, currency, known);
    let mut meant = api::SearchRequest { query, ..request.clone() };
    let priced = request.price_min_minor.is_some() || request.price_max_minor.is_some();
    let mut understood = Vec::new();
    for said in said {
        let mut told = api::Understood { words: said.words, ..Default::default() };
        match said.wish {
            Wish::AtMost(minor) => told.price_max_minor = Some(minor),
            Wish::AtLeast(minor) => told.price_min_minor = Some(minor),
            Wish::Between(low, high) => (told.price_min_minor, told.price_max_minor) = (Some(low), Some(high)),
            Wish::InStock => told.available_only = true,
            Wish::Cheapest => told.set_sort(api::SortOrder::PriceAsc),
            Wish::Newest => told.set_sort(api::SortOrder::Newest),
            Wish::Popular => told.set_sort(api::SortOrder::Popular),
            Wish::Brand(brand) => told.brand = brand,
            Wish::Choice(choice) => told.attribute = format!("{}={}", choice.key, choice.value),
        }
        if !priced {
            meant.price_min_minor = told.price_min_minor.or(meant.price_min_minor);
            meant.price_max_minor = told.price_max_minor.or(meant.price_max_minor);
        }
        meant.available_only |= told.available_only;
        // What is filtered by already is not narrowed by words as well.
        if request.brands.is_empty() {
            meant.brands.extend(Some(told.brand.clone()).filter(|brand| !brand.is_empty()));
        }
        let key = |attribute: &str| attribute.split_once('=').map(|(key, _)| key.to_owned());
        if !request.attributes.iter().any(|attribute| key(attribute) == key(&told.attribute)) {
            meant.attributes.extend(Some(told.attribute.clone()).filter(|attribute| !attribute.is_empty()));
        }
        if meant.sort() == api::SortOrder::Unspecified {
            meant.sort = told.sort;
        }
        understood.push(told);
    }
    if matches!((meant.price_min_minor, meant.price_max_minor), (Some(min), Some(max)) if min > max) {
        return (request.clone(), Vec::new());
    }
    (meant, understood)
}

/// What was found, before it is shown.
struct Page<'a> {
    searcher: &'a Searcher,
    plan: &'a Plan,
    /// The query as hits were compared with it, if they were.
    asked: Option<&'a Asked<'a>>,
    walked: Walked,
    step: u32,
    question: u64,
}

/// The words of the query, and what each adds to the score of a hit that has it.
fn matches(searcher: &Searcher, plan: &Plan, hit: &Found) -> Result<Vec<(String, Option<f32>)>, Error> {
    let mut words = Vec::with_capacity(plan.clauses.len());
    for clause in &plan.clauses {
        let DocAddress { segment_ord, doc_id } = hit.address;
        let mut stream =
            Stream::open(&clause.ways, clause.mass, usize::try_from(segment_ord).unwrap_or_default(), searcher.segment_reader(segment_ord))?;
        stream.seek(doc_id);
        words.push((clause.shown.clone(), (stream.doc() == doc_id).then(|| stream.score())));
    }
    Ok(words)
}

/// The query with rare words replaced by much commoner ones that look alike.
fn commoner(query: &str, spelling: &Spelling) -> Option<String> {
    let mut changed = false;
    let words: Vec<String> = text::words(query)
        .into_iter()
        .map(|word| {
            let enough = spelling.count(&word.text).max(1).saturating_mul(MUCH_COMMONER);
            let better =
                spelling.corrections(&word.text, 1).first().filter(|better| spelling.count(better) >= enough).map(|better| (*better).to_owned());
            changed |= better.is_some();
            better.unwrap_or(word.text)
        })
        .collect();
    changed.then(|| words.join(" "))
}

fn limit(asked: u32) -> usize {
    usize::try_from(asked).ok().filter(|limit| *limit > 0).unwrap_or(DEFAULT_LIMIT).min(100)
}

fn sort(request: &api::SearchRequest) -> Sort {
    match request.sort() {
        api::SortOrder::PriceAsc => Sort::PriceUp,
        api::SortOrder::PriceDesc => Sort::PriceDown,
        api::SortOrder::Newest => Sort::Newest,
        api::SortOrder::Popular => Sort::Popular,
        api::SortOrder::Relevance => Sort::Relevance,
        api::SortOrder::Unspecified if request.query.trim().is_empty() => Sort::Newest,
        api::SortOrder::Unspecified => Sort::Relevance,
    }
}

fn price_range(request: &api::SearchRequest) -> Result<Option<(u64, u64)>, Error> {
    let bound = |bound: Option<i64>, field| {
        bound.map(|minor| u64::try_from(minor).map_err(|_| Error::Invalid { field, message: "must not be negative" })).transpose()
    };
    let from = bound(request.price_min_minor, "price_min_minor")?;
    let to = bound(request.price_max_minor, "price_max_minor")?;
    match (from, to) {
        (None, None) => Ok(None),
        (from, to) => {
            let range = (from.unwrap_or(0), to.unwrap_or(u64::MAX));
            if range.0 <= range.1 {
                Ok(Some(range))
            } else {
                Err(Error::Invalid { field: "price_max_minor", message: "must not be less than price_min_minor" })
            }
        }
    }
}

fn attributes(asked: &[String]) -> Result<Vec<(String, String)>, Error> {
    let pair = |text: &String| {
        text.split_once('=').filter(|(key, value)| !key.is_empty() && !value.is_empty()).map(|(key, value)| (key.to_owned(), value.to_owned()))
    };
    asked.iter().map(|text| pair(text).ok_or(Error::Invalid { field: "attributes", message: "must be key=value" })).collect()
}

/// What a cursor belongs to: everything but the page.
fn question(request: &api::SearchRequest) -> u64 {
    let question = api::SearchRequest { cursor: String::new(), limit: 0, facets: false, explain: false, ..request.clone() };
    question.encode_to_vec().iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

fn after(cursor: &str, question: u64) -> Result<Option<After>, Error> {
    if cursor.is_empty() {
        return Ok(None);
    }
    let read = After::read(cursor).filter(|after| after.question == question);
    read.map(Some).ok_or(Error::Invalid { field: "cursor", message: "belongs to another search; leave it out to begin again" })
}

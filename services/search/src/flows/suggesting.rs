//! Completes what is being typed: what others searched for, products, categories, brands.

use std::sync::Arc;

use api_search as api;
use tantivy::Term;
use tantivy::query::{BooleanQuery, ConstScoreQuery, DisjunctionMaxQuery, Occur, Query, TermQuery};
use tantivy::schema::IndexRecordOption;

use super::Search;
use crate::error::Error;
use crate::index::feeder::blocking;
use crate::query::collect::{Collect, Tallies, Weights};
use crate::query::plan::Reader;
use crate::text::{self, Word};

const DEFAULT_LIMIT: usize = 8;
/// Words that what is typed last may become.
const COMPLETIONS: usize = 30;
/// The most of each kind, so that no kind crowds out the others.
const QUERIES: usize = 4;
const CATEGORIES: usize = 2;
const BRANDS: usize = 2;

impl Search {
    pub(crate) async fn suggest(&self, request: api::SuggestRequest) -> Result<api::SuggestResponse, Error> {
        let limit = usize::try_from(request.limit).ok().filter(|limit| *limit > 0).unwrap_or(DEFAULT_LIMIT).min(20);
        let mut suggestions = self.queries(&request.query, QUERIES.min(limit));
        let slot = Arc::clone(&self.0.slots).acquire_owned().await.map_err(|_| Error::Index("searching has ended".to_owned()))?;
        let search = self.clone();
        let found = blocking(move || {
            let _slot = slot;
            search.things(&request, limit)
        })
        .await?;
        suggestions.extend(found);
        suggestions.truncate(limit);
        Ok(api::SuggestResponse { suggestions })
    }

    /// What others searched for that begins so; then what has a later word that does.
    fn queries(&self, typed: &str, limit: usize) -> Vec<api::Suggestion> {
        let typed = text::tidy_query(typed);
        let popular = self.popular();
        let later = format!(" {typed}");
        let begins = popular.iter().filter(|query| query.starts_with(&typed) && **query != typed);
        let contains = popular.iter().filter(|query| !query.starts_with(&typed) && query.contains(&later));
        let suggestion = |query: &String| api::Suggestion { kind: api::SuggestionKind::Query.into(), text: query.clone(), ..Default::default() };
        begins.chain(contains).take(limit).map(suggestion).collect()
    }

    fn things(&self, request: &api::SuggestRequest, limit: usize) -> Result<Vec<api::Suggestion>, Error> {
        let searcher = self.0.home.live().searcher();
        let (vocabulary, synonyms) = (self.vocabulary(), self.synonyms());
        let spelling = &vocabulary.spelling;
        let fields = &self.0.home.fields;
        let reader = Reader { searcher: &searcher, fields, spelling, synonyms: &synonyms, max_words: self.0.config.query_words };
        let words: Vec<Word> = text::words(&request.query);
        let Some((typed, before)) = words.split_last() else { return Ok(Vec::new()) };
        let mut parts: Vec<(Occur, Box<dyn Query>)> =
            before.iter().filter(|word| !word.is_stop()).filter_map(|word| reader.word(&word.text)).map(|query| (Occur::Must, query)).collect();
        let completions: Vec<Box<dyn Query>> =
            spelling.beginning_with(&typed.text, COMPLETIONS).into_iter().filter_map(|word| reader.word(word)).collect();
        if completions.is_empty() {
            return Ok(Vec::new());
        }
        parts.push((Occur::Must, Box::new(DisjunctionMaxQuery::new(completions))));
        if !request.tenant_id.is_empty() {
            let seller = TermQuery::new(Term::from_field_u64(fields.seller, text::hash(&request.tenant_id)), IndexRecordOption::Basic);
            parts.push((Occur::Must, Box::new(ConstScoreQuery::new(Box::new(seller), 0.0))));
        }
        let weights = Weights { out_of_stock: self.0.config.out_of_stock_factor, ..Weights::NONE };
        let collect = Collect { limit, facets: true, weights, ..Collect::everything(Arc::clone(&self.0.opened)) };
        let found = searcher.search(&BooleanQuery::new(parts), &collect)?;
        let mut suggestions = self.categories(&searcher, &found.counts.categories, &typed.text)?;
        suggestions.extend(self.brands(&searcher, &found.counts.brands, &typed.text)?);
        for hit in &found.top {
            let card = self.card(&searcher, hit.address)?;
            let Some(hit) = &card.hit else { continue };
            suggestions.push(api::Suggestion {
                kind: api::SuggestionKind::Product.into(),
                text: hit.title.clone(),
                id: hit.product_id.clone(),
                media_hash: hit.media_hash.clone(),
                slug: hit.slug.clone(),
            });
        }
        Ok(suggestions)
    }

    fn categories(&self, searcher: &tantivy::Searcher, tallies: &Tallies, typed: &str) -> Result<Vec<api::Suggestion>, Error> {
        let mut found = Vec::new();
        for (hash, tally) in tallies {
            let card = self.card(searcher, tally.sample)?;
            let path = card.hit.as_ref().map(|hit| hit.category_path.as_slice()).unwrap_or_default();
            let named = card.category_ids.iter().zip(path).find(|(id, _)| text::hash(id) == *hash).filter(|(_, name)| begins(name, typed));
            found.extend(named.map(|(id, name)| (tally.count, name.clone(), id.clone())));
        }
        Ok(most(found, CATEGORIES, api::SuggestionKind::Category))
    }

    fn brands(&self, searcher: &tantivy::Searcher, tallies: &Tallies, typed: &str) -> Result<Vec<api::Suggestion>, Error> {
        let mut found = Vec::new();
        for tally in tallies.values() {
            let card = self.card(searcher, tally.sample)?;
            let brand = card.hit.as_ref().map(|hit| hit.brand.clone()).unwrap_or_default();
            if begins(&brand, typed) {
                found.push((tally.count, brand, String::new()));
            }
        }
        Ok(most(found, BRANDS, api::SuggestionKind::Brand))
    }
}

/// Whether some word of a name begins so.
fn begins(name: &str, typed: &str) -> bool {
    text::words(name).iter().any(|word| word.text.starts_with(typed))
}

fn most(mut found: Vec<(u64, String, String)>, limit: usize, kind: api::SuggestionKind) -> Vec<api::Suggestion> {
    found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    found.into_iter().take(limit).map(|(_, text, id)| api::Suggestion { kind: kind.into(), text, id, ..Default::default() }).collect()
}

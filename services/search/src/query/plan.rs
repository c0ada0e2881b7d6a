//! Reads a query: which words must match, in which spellings, fields and weights.

use std::collections::BTreeMap;

use tantivy::query::{AllQuery, BooleanQuery, BoostQuery, ConstScoreQuery, DisjunctionMaxQuery, Occur, PhraseQuery, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{Searcher, Term};

use super::spelling::Spelling;
use crate::index::Fields;
use crate::text::{self, Word};

/// What a match in a field is worth. Model numbers identify, titles describe, descriptions ramble.
const TITLE: f32 = 3.0;
const BRAND: f32 = 2.0;
const CODE: f32 = 5.0;
const CATEGORY: f32 = 1.2;
const ATTRIBUTES: f32 = 1.0;
const DESCRIPTION: f32 = 0.5;
const SYNONYM: f32 = 0.8;
const COMPLETION: f32 = 0.5;
const CORRECTION: f32 = 0.3;
const PHRASE: f32 = 1.5;
/// How much a second field that matches adds to the best one.
const TIE: f32 = 0.2;

const COMPLETIONS: usize = 12;
const CORRECTIONS: usize = 3;
const SHORTEST_COMPLETED: usize = 3;

/// The operator's synonyms: term → what is searched for as well.
pub(crate) type Synonyms = BTreeMap<String, Vec<String>>;

/// What reading a query needs to know.
pub(crate) struct Reader<'a> {
    pub(crate) searcher: &'a Searcher,
    pub(crate) fields: &'a Fields,
    pub(crate) spelling: &'a Spelling,
    pub(crate) synonyms: &'a Synonyms,
    pub(crate) max_words: usize,
}

/// One thing a listing must have: a word, or several written together ("k-39324").
pub(crate) struct Clause {
    /// As the buyer wrote it.
    pub(crate) shown: String,
    pub(crate) query: Box<dyn Query>,
    /// The likeliest spelling, when nothing has the word as written.
    pub(crate) corrected: Option<String>,
}

/// A query, read.
pub(crate) struct Plan {
    pub(crate) clauses: Vec<Clause>,
    /// Rewards words that stand together in the title.
    phrase: Option<Box<dyn Query>>,
}

/// Neighbouring words that are written together.
struct Unit {
    words: Vec<Word>,
}

impl Unit {
    fn shown(&self) -> String {
        self.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join("-")
    }
}

impl Reader<'_> {
    pub(crate) fn plan(&self, query: &str) -> Plan {
        let units = self.units(query);
        let clauses = (0..units.len()).filter_map(|place| self.clause(&units, place)).collect();
        Plan { clauses, phrase: self.phrase(&units) }
    }

    /// Stop words are left out unless there is nothing else.
    fn units(&self, query: &str) -> Vec<Unit> {
        let words = text::words(query);
        let only_stops = words.iter().all(Word::is_stop);
        let mut units: Vec<Unit> = Vec::new();
        for word in words.into_iter().filter(|word| only_stops || !word.is_stop()).take(self.max_words) {
            match units.last_mut() {
                Some(unit) if word.glued => unit.words.push(word),
                _ => units.push(Unit { words: vec![word] }),
            }
        }
        units
    }

    fn clause(&self, units: &[Unit], place: usize) -> Option<Clause> {
        let unit = units.get(place)?;
        let shown = unit.shown();
        let mut ways = Vec::new();
        ways.extend(self.all_of(unit.words.iter().map(|word| word.text.as_str())));
        ways.extend(self.codes(units, place));
        for (first, count) in [(place, 1), (place, 2), (place.wrapping_sub(1), 2)] {
            let Some(part) = first.checked_add(count).and_then(|end| units.get(first..end)) else { continue };
            ways.extend(self.synonyms_of(part));
        }
        let mut corrected = None;
        if ways.is_empty() {
            let last = place + 1 == units.len();
            (ways, corrected) = self.guesses(unit, last);
        }
        let query: Box<dyn Query> = Box::new(DisjunctionMaxQuery::with_tie_breaker(ways, TIE));
        Some(Clause { shown, query, corrected })
    }

    /// For a word that no listing has: what it may begin, and what it may have been meant to be.
    fn guesses(&self, unit: &Unit, last: bool) -> (Vec<Box<dyn Query>>, Option<String>) {
        let [word] = unit.words.as_slice() else { return (Vec::new(), None) };
        if last && word.text.len() >= SHORTEST_COMPLETED {
            let completions: Vec<Box<dyn Query>> = self
                .spelling
                .beginning_with(&word.text, COMPLETIONS)
                .into_iter()
                .filter_map(|word| self.all_of(std::iter::once(word)))
                .map(|query| boosted(query, COMPLETION))
                .collect();
            if !completions.is_empty() {
                return (completions, None);
            }
        }
        let corrections = self.spelling.corrections(&word.text, CORRECTIONS);
        let best = corrections.first().map(|word| (*word).to_owned());
        (corrections.into_iter().filter_map(|word| self.all_of(std::iter::once(word))).map(|query| boosted(query, CORRECTION)).collect(), best)
    }

    /// Listings that have all these words, each in any field; `None` when some word is in none.
    fn all_of<'w>(&self, words: impl Iterator<Item = &'w str>) -> Option<Box<dyn Query>> {
        let mut each = words.map(|word| self.word(word)).collect::<Option<Vec<_>>>()?;
        if each.len() > 1 { Some(Box::new(BooleanQuery::intersection(each))) } else { each.pop() }
    }

    pub(crate) fn word(&self, word: &str) -> Option<Box<dyn Query>> {
        let stem = text::stem(word);
        let fields = &self.fields;
        let weights = [
            (fields.title, TITLE),
            (fields.brand, BRAND),
            (fields.category, CATEGORY),
            (fields.attributes, ATTRIBUTES),
            (fields.description, DESCRIPTION),
        ];
        let ways: Vec<Box<dyn Query>> = weights.into_iter().filter_map(|(field, weight)| self.term(field, &stem, weight)).collect();
        match ways.len() {
            0 => None,
            _ => Some(Box::new(DisjunctionMaxQuery::with_tie_breaker(ways, TIE))),
        }
    }

    fn term(&self, field: Field, text: &str, weight: f32) -> Option<Box<dyn Query>> {
        let term = Term::from_field_text(field, text);
        let exists = self.searcher.doc_freq(&term).unwrap_or_default() > 0;
        let option = if field == self.fields.codes { IndexRecordOption::Basic } else { IndexRecordOption::WithFreqs };
        exists.then(|| boosted(Box::new(TermQuery::new(term, option)), weight))
    }

    /// The unit as a model number, alone and together with its neighbours.
    fn codes(&self, units: &[Unit], place: usize) -> Vec<Box<dyn Query>> {
        let spans = [(place, place + 1), (place, place + 2), (place.saturating_sub(1), place + 1), (place.saturating_sub(1), place + 2)];
        let mut codes: Vec<String> = Vec::new();
        for (first, end) in spans {
            let part: Vec<Word> = units.get(first..end).unwrap_or_default().iter().flat_map(|unit| unit.words.clone()).collect();
            codes.extend(text::code(&part));
        }
        codes.sort_unstable();
        codes.dedup();
        codes.iter().filter_map(|code| self.term(self.fields.codes, code, CODE)).collect()
    }

    fn synonyms_of(&self, part: &[Unit]) -> Vec<Box<dyn Query>> {
        let term = part.iter().flat_map(|unit| unit.words.iter().map(|word| word.text.as_str())).collect::<Vec<_>>().join(" ");
        let synonyms = self.synonyms.get(&term).map(Vec::as_slice).unwrap_or_default();
        let query = |synonym: &String| self.all_of(text::words(synonym).iter().map(|word| word.text.as_str()));
        synonyms.iter().filter_map(query).map(|query| boosted(query, SYNONYM)).collect()
    }

    fn phrase(&self, units: &[Unit]) -> Option<Box<dyn Query>> {
        let stems: Vec<Term> =
            units.iter().flat_map(|unit| &unit.words).map(|word| Term::from_field_text(self.fields.title, &text::stem(&word.text))).collect();
        let mut distinct = stems.clone();
        distinct.sort();
        distinct.dedup();
        let told = (2..=4).contains(&stems.len()) && distinct.len() == stems.len();
        told.then(|| boosted(Box::new(PhraseQuery::new(stems)), PHRASE))
    }
}

impl Plan {
    /// Listings that match at least `required` of the clauses, under these conditions.
    pub(crate) fn query(&self, required: usize, conditions: &[Term]) -> Box<dyn Query> {
        let mut parts: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        for term in conditions {
            let passes = TermQuery::new(term.clone(), IndexRecordOption::Basic);
            parts.push((Occur::Must, Box::new(ConstScoreQuery::new(Box::new(passes), 0.0))));
        }
        let each = || self.clauses.iter().map(|clause| clause.query.box_clone());
        if self.clauses.is_empty() {
            parts.push((Occur::Must, Box::new(AllQuery)));
        } else if required >= self.clauses.len() {
            parts.extend(each().map(|query| (Occur::Must, query)));
        } else {
            parts.push((Occur::Must, Box::new(BooleanQuery::union_with_minimum_required_clauses(each().collect(), required.max(1)))));
        }
        parts.extend(self.phrase.as_ref().map(|phrase| (Occur::Should, phrase.box_clone())));
        Box::new(BooleanQuery::new(parts))
    }

    /// How many clauses must match, from all of them down, until something is found.
    pub(crate) fn relaxations(&self) -> Vec<usize> {
        let all = self.clauses.len();
        let mut steps = vec![all, all.saturating_sub(1), (all * 3).div_ceil(4), all.div_ceil(2), all.div_ceil(3), 1];
        steps.retain(|step| *step >= 1);
        steps.dedup();
        if steps.is_empty() { vec![0] } else { steps }
    }

    /// The query as it was probably meant; none when every word is known.
    pub(crate) fn corrected(&self) -> Option<String> {
        self.clauses.iter().any(|clause| clause.corrected.is_some()).then(|| {
            let words = self.clauses.iter().map(|clause| clause.corrected.as_deref().unwrap_or(&clause.shown));
            words.collect::<Vec<_>>().join(" ")
        })
    }
}

fn boosted(query: Box<dyn Query>, weight: f32) -> Box<dyn Query> {
    Box::new(BoostQuery::new(query, weight))
}

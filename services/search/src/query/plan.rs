//! Reads a query: which words there are, in which spellings, fields and weights.

use std::collections::BTreeMap;

use tantivy::query::{BooleanQuery, BoostQuery, ConstScoreQuery, EnableScoring, PhraseQuery, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{Searcher, Term};

use super::lexicon::inverse_frequency;
use super::profile;
use super::spelling::Spelling;
use super::stream::{Found, Way};
use crate::index::Fields;
use crate::text::{self, Word, noun};

/// What a match in a field is worth. Names identify, descriptions ramble; a model number adds to the words it is written in.
const NAME: f32 = 1.0;
const DETAILS: f32 = 0.4;
const DESCRIPTION: f32 = 0.2;
const CODE: f32 = 0.5;
const SYNONYM: f32 = 0.8;
const TOGETHER: f32 = 0.9;
const COMPLETION: f32 = 0.5;
const CORRECTION: f32 = 0.5;
/// Added when the words stand together in the name, and when the query names what the thing is.
const PHRASE: f32 = 0.5;
const HEAD: f32 = 3.0;
/// Added for a model number in a wordy query.
const MODEL: f32 = 3.0;

/// How much a guess counts of what the word itself would.
const GUESS_MASS: f64 = 0.3;
/// Longer queries are names of things, not kinds of things.
const LONGEST_KIND: usize = 3;
const LONGEST_PHRASE: usize = 4;
const CODE_WORDS: usize = 3;
const COMPLETIONS: usize = 12;
const CORRECTIONS: usize = 3;
const SHORTEST_COMPLETED: usize = 3;
const SHORTEST_DIVIDED: usize = 7;

/// The operator's synonyms: the stems of the term → what is searched for as well.
pub(crate) type Synonyms = BTreeMap<String, Vec<String>>;

/// What reading a query needs to know.
pub(crate) struct Reader<'a> {
    pub(crate) searcher: &'a Searcher,
    pub(crate) fields: &'a Fields,
    pub(crate) spelling: &'a Spelling,
    pub(crate) synonyms: &'a Synonyms,
    pub(crate) max_words: usize,
}

/// A word of the query and all that counts as having it.
pub(crate) struct Clause {
    /// As the buyer wrote it.
    pub(crate) shown: String,
    /// It was written together with the word before.
    glued: bool,
    pub(crate) ways: Vec<Way>,
    /// How much the word tells: the rarer, the more. Zero when no listing has it.
    pub(crate) mass: f64,
    /// The likeliest spelling, when nothing has the word as written.
    pub(crate) corrected: Option<String>,
}

/// A query, read.
pub(crate) struct Plan {
    /// Distinct words.
    pub(crate) clauses: Vec<Clause>,
    /// What is not asked for but rewarded: words that stand together, and what the thing is.
    pub(crate) extras: Vec<Way>,
}

/// Ways to have a word and how many listings use the commonest of them.
#[derive(Default)]
struct Ways {
    each: Vec<Way>,
    listings: u64,
}

impl Reader<'_> {
    pub(crate) fn plan(&self, query: &str) -> Plan {
        let words = self.words(query);
        let mut clauses: Vec<Clause> = Vec::new();
        for place in 0..words.len() {
            let Some(clause) = self.clause(&words, place) else { continue };
            match clauses.iter_mut().find(|known| known.shown == clause.shown) {
                // A word that is said twice is meant twice.
                Some(known) => known.ways.extend(clause.ways),
                None => clauses.push(clause),
            }
        }
        let mut extras = Ways::default();
        for extra in self.phrase(&words).into_iter().chain(self.head(query, clauses.len())) {
            self.several(extra, 0, &mut extras);
        }
        if clauses.len() > LONGEST_KIND {
            self.models(&words, &mut extras);
        }
        Plan { clauses, extras: extras.each }
    }

    /// Stop words are left out unless there is nothing else.
    fn words(&self, query: &str) -> Vec<Word> {
        let words = text::words(query);
        let only_stops = words.iter().all(Word::is_stop);
        words.into_iter().filter(|word| only_stops || !word.is_stop()).take(self.max_words).collect()
    }

    fn clause(&self, words: &[Word], place: usize) -> Option<Clause> {
        let word = words.get(place)?;
        let mut ways = Ways::default();
        self.fields_with(&word.text, 1.0, &mut ways);
        self.codes(words, place, &mut ways);
        self.together(words, place, &mut ways);
        for (first, count) in [(place, 1), (place, 2), (place.wrapping_sub(1), 2)] {
            let Some(part) = first.checked_add(count).and_then(|end| words.get(first..end)) else { continue };
            self.synonyms_of(part, &mut ways);
        }
        self.divided(word, &mut ways);
        let mut corrected = None;
        let mut certainty = 1.0;
        if ways.each.is_empty() {
            (ways, corrected) = self.guesses(&word.text, place + 1 == words.len());
            certainty = GUESS_MASS;
        }
        let mass = if ways.each.is_empty() { 0.0 } else { certainty * self.rarity(ways.listings) };
        Some(Clause { shown: word.text.clone(), glued: word.glued, ways: ways.each, mass, corrected })
    }

    fn rarity(&self, listings: u64) -> f64 {
        let counted = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        let all = counted(self.searcher.num_docs());
        inverse_frequency(counted(listings).min(all), all)
    }

    /// For a word that no listing has: two words it may be, what it may begin, and what it may have been meant to be.
    fn guesses(&self, word: &str, last: bool) -> (Ways, Option<String>) {
        if let Some((first, second)) = self.spelling.apart(word) {
            let mut ways = Ways::default();
            self.all_of(&[first, second], TOGETHER, u64::from(self.spelling.count(first)), &mut ways);
            return (ways, None);
        }
        if last && word.len() >= SHORTEST_COMPLETED {
            let completions = self.guessed(&self.spelling.beginning_with(word, COMPLETIONS), COMPLETION);
            if !completions.each.is_empty() {
                return (completions, None);
            }
        }
        let corrections = self.spelling.corrections(word, CORRECTIONS);
        (self.guessed(&corrections, CORRECTION), corrections.first().map(|word| (*word).to_owned()))
    }

    fn guessed(&self, words: &[&str], weight: f32) -> Ways {
        let mut ways = Ways::default();
        for word in words {
            self.fields_with_guess(word, weight, u64::from(self.spelling.count(word)), &mut ways);
        }
        ways
    }

    /// A word that stands for another counts as often as listings are named so.
    fn fields_with_guess(&self, word: &str, weight: f32, listings: u64, ways: &mut Ways) {
        let mut found = Ways::default();
        self.fields_with(word, weight, &mut found);
        if !found.each.is_empty() {
            ways.each.extend(found.each);
            ways.listings = ways.listings.max(listings);
        }
    }

    /// Listings that have all these words, each in any field; none when some word is in no listing.
    fn all_of(&self, words: &[&str], weight: f32, listings: u64, ways: &mut Ways) {
        if let [word] = words {
            return self.fields_with_guess(word, weight, listings, ways);
        }
        if let Some(each) = words.iter().map(|word| self.word(word)).collect::<Option<Vec<_>>>() {
            self.several(boosted(Box::new(BooleanQuery::intersection(each)), weight), listings, ways);
        }
    }

    /// Listings that have the word in any field, for queries put together elsewhere; `None` when there are none.
    pub(crate) fn word(&self, word: &str) -> Option<Box<dyn Query>> {
        let stem = text::stem(word);
        let terms = fields_of_words(self.fields).map(|(field, weight)| (Term::from_field_text(field, &stem), weight));
        let found = terms.into_iter().filter(|(term, _)| self.searcher.doc_freq(term).is_ok_and(|listings| listings > 0));
        let each: Vec<Box<dyn Query>> =
            found.map(|(term, weight)| boosted(Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs)), weight)).collect();
        (!each.is_empty()).then(|| -> Box<dyn Query> { Box::new(BooleanQuery::union(each)) })
    }

    fn fields_with(&self, word: &str, boost: f32, ways: &mut Ways) {
        let stem = text::stem(word);
        for (field, weight) in fields_of_words(self.fields) {
            self.term(field, &stem, weight * boost, ways);
        }
    }

    fn term(&self, field: Field, text: &str, weight: f32, ways: &mut Ways) {
        let counted = field != self.fields.codes;
        // A word that cannot be looked up is not found.
        let found = Found::of(self.searcher, &Term::from_field_text(field, text), counted, weight).ok().flatten();
        if let Some(found) = found {
            ways.listings = ways.listings.max(found.listings);
            ways.each.push(Way::Term(Box::new(found)));
        }
    }

    fn several(&self, query: Box<dyn Query>, listings: u64, ways: &mut Ways) {
        if let Ok(weight) = query.weight(EnableScoring::enabled_from_searcher(self.searcher)) {
            ways.listings = ways.listings.max(listings);
            ways.each.push(Way::Several(weight));
        }
    }

    /// The word as a model number, alone and together with its neighbours.
    fn codes(&self, words: &[Word], place: usize, ways: &mut Ways) {
        let mut codes: Vec<String> = Vec::new();
        for count in 1..=CODE_WORDS {
            for first in (place + 1).saturating_sub(count)..=place {
                codes.extend(words.get(first..first + count).and_then(text::code));
            }
        }
        codes.sort_unstable();
        codes.dedup();
        codes.iter().for_each(|code| self.term(self.fields.codes, code, CODE, ways));
    }

    /// Two words that listings write as one: "video studio" is "videostudio".
    fn together(&self, words: &[Word], place: usize, ways: &mut Ways) {
        for first in [place.wrapping_sub(1), place] {
            let pair = first.checked_add(2).and_then(|end| words.get(first..end));
            let Some([one, two]) = pair else { continue };
            if one.text.len() + two.text.len() >= SHORTEST_COMPLETED * 2 {
                self.term(self.fields.name, &text::stem(&format!("{}{}", one.text, two.text)), TOGETHER, ways);
            }
        }
    }

    /// A word that listings write as two as well: "antivirus" is "anti-virus".
    fn divided(&self, word: &Word, ways: &mut Ways) {
        let whole = !ways.each.is_empty() && word.text.len() >= SHORTEST_DIVIDED && word.text.bytes().all(|b| b.is_ascii_alphabetic());
        if let Some((first, second)) = self.spelling.apart(&word.text).filter(|_| whole) {
            let terms = [first, second].map(|part| Term::from_field_text(self.fields.name, &text::stem(part)));
            self.several(boosted(Box::new(PhraseQuery::new(terms.to_vec())), TOGETHER), 0, ways);
        }
    }

    fn synonyms_of(&self, part: &[Word], ways: &mut Ways) {
        let term = part.iter().map(|word| text::stem(&word.text)).collect::<Vec<_>>().join(" ");
        for synonym in self.synonyms.get(&term).map(Vec::as_slice).unwrap_or_default() {
            let words = text::words(synonym);
            let listings = words.iter().map(|word| u64::from(self.spelling.count(&word.text))).min().unwrap_or_default();
            self.all_of(&words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>(), SYNONYM, listings, ways);
        }
    }

    fn phrase(&self, words: &[Word]) -> Option<Box<dyn Query>> {
        let stems: Vec<Term> = words.iter().map(|word| Term::from_field_text(self.fields.name, &text::stem(&word.text))).collect();
        let mut distinct = stems.clone();
        distinct.sort();
        distinct.dedup();
        let told = (2..=LONGEST_PHRASE).contains(&stems.len()) && distinct.len() == stems.len();
        told.then(|| boosted(Box::new(PhraseQuery::new(stems)), PHRASE))
    }

    /// What has a model number of the query is worth comparing, however little else it has.
    fn models(&self, words: &[Word], extras: &mut Ways) {
        for word in words.iter().filter(|word| profile::is_model(&word.text)) {
            text::code(std::slice::from_ref(word)).iter().for_each(|code| self.term(self.fields.codes, code, MODEL, extras));
        }
    }

    /// "laptop case" asks for cases.
    fn head(&self, query: &str, words: usize) -> Option<Box<dyn Query>> {
        let head = noun::head(query).filter(|_| words <= LONGEST_KIND)?;
        let term = TermQuery::new(Term::from_field_text(self.fields.head, &head), IndexRecordOption::Basic);
        Some(Box::new(ConstScoreQuery::new(Box::new(term), HEAD)))
    }
}

impl Plan {
    /// What all words together tell.
    pub(crate) fn mass(&self) -> f64 {
        self.clauses.iter().map(|clause| clause.mass).sum()
    }

    /// Whether some listing has each of the words.
    pub(crate) fn is_known(&self) -> bool {
        self.clauses.iter().all(|clause| clause.mass > 0.0)
    }

    /// The shares of the best listing's words that others must have, to be tried in this order until something is found. Terse
    /// queries ask for kinds of things and mean each word; wordy ones are names of things, spelled by whoever sells them.
    pub(crate) fn shares(&self) -> Vec<f64> {
        match self.clauses.len() {
            0 | 1 => vec![1.0],
            2 => vec![1.0, 0.4, 0.0],
            3 => vec![0.7, 0.3, 0.0],
            4 => vec![0.6, 0.3, 0.0],
            _ => vec![0.25, 0.1, 0.0],
        }
    }

    /// The query as it was probably meant; none when every word is known.
    pub(crate) fn corrected(&self) -> Option<String> {
        let corrected = self.clauses.iter().any(|clause| clause.corrected.is_some());
        corrected.then(|| {
            let mut meant = String::new();
            for clause in &self.clauses {
                if !meant.is_empty() {
                    meant.push(if clause.glued { '-' } else { ' ' });
                }
                meant.push_str(clause.corrected.as_deref().unwrap_or(&clause.shown));
            }
            meant
        })
    }
}

/// The fields that words are looked for in, and what having one there is worth.
const fn fields_of_words(fields: &Fields) -> [(Field, f32); 3] {
    [(fields.name, NAME), (fields.details, DETAILS), (fields.description, DESCRIPTION)]
}

fn boosted(query: Box<dyn Query>, weight: f32) -> Box<dyn Query> {
    Box::new(BoostQuery::new(query, weight))
}

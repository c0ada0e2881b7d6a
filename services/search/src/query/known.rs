//! Brands and choices that listings have, to know them in queries: "red", "from Sony", "size XL". Made from the index's own dictionary.

use std::collections::HashMap;

use tantivy::Searcher;

use crate::error::Error;
use crate::index::Fields;
use crate::index::document::KNOWN_SEPARATOR;
use crate::text;

const BRAND: &str = "brand";
/// Keys whose values say what they are: nobody says "colour red".
const COLORS: [&str; 2] = ["color", "colour"];
/// The same of sizes, but only for values that are nothing else.
const SIZES: [&str; 3] = ["size", "shoe_size", "clothing_size"];
const PLAIN_SIZES: [&str; 9] = ["xxs", "xs", "xl", "xxl", "xxxl", "2xl", "3xl", "4xl", "5xl"];

/// A choice as filters name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) key: String,
    pub(crate) value: String,
}

/// Values by their words. Of several spellings the commonest.
#[derive(Debug, Default)]
pub(crate) struct Known {
    brands: HashMap<String, (String, u32)>,
    plain: HashMap<String, (Choice, u32)>,
    /// With the words of their key before: "size m".
    named: HashMap<String, (Choice, u32)>,
}

impl Known {
    pub(crate) fn of(searcher: &Searcher, fields: &Fields) -> Result<Self, Error> {
        let mut known = Self::default();
        for segment in searcher.segment_readers() {
            let inverted = segment.inverted_index(fields.known)?;
            let mut terms = inverted.terms().stream()?;
            while terms.advance() {
                let listings = terms.value().doc_freq;
                if let Some((key, value)) = std::str::from_utf8(terms.key()).ok().and_then(|term| term.split_once(KNOWN_SEPARATOR)) {
                    known.add(key, value, listings);
                }
            }
        }
        Ok(known)
    }

    pub(crate) fn add(&mut self, key: &str, value: &str, listings: u32) {
        let words = spoken(value);
        if words.is_empty() {
            return;
        }
        if key == BRAND {
            prefer(&mut self.brands, words, value.to_owned(), listings);
            return;
        }
        let choice = Choice { key: key.to_owned(), value: value.to_owned() };
        if COLORS.contains(&key) || (SIZES.contains(&key) && PLAIN_SIZES.contains(&words.as_str())) {
            prefer(&mut self.plain, words.clone(), choice.clone(), listings);
        }
        prefer(&mut self.named, format!("{} {words}", key.replace('_', " ")), choice, listings);
    }

    pub(crate) fn brand(&self, words: &[&str]) -> Option<&str> {
        self.brands.get(&spoken(&words.join(" "))).map(|(brand, _)| brand.as_str())
    }

    /// A choice that says itself what it is.
    pub(crate) fn plain(&self, words: &[&str]) -> Option<&Choice> {
        self.plain.get(&spoken(&words.join(" "))).map(|(choice, _)| choice)
    }

    /// A choice with its key before.
    pub(crate) fn named(&self, words: &[&str]) -> Option<&Choice> {
        self.named.get(&spoken(&words.join(" "))).map(|(choice, _)| choice)
    }
}

fn prefer<T>(values: &mut HashMap<String, (T, u32)>, words: String, value: T, listings: u32) {
    let seen = values.get(&words).map_or(0, |(_, seen)| *seen);
    if listings > seen {
        values.insert(words, (value, listings));
    }
}

fn spoken(text: &str) -> String {
    text::words(text).into_iter().map(|word| word.text).collect::<Vec<_>>().join(" ")
}

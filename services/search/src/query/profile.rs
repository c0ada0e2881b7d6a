//! What a name says, taken apart for comparison: words, runs of letters, model numbers, measures, brand.

use super::lexicon::Lexicon;
use crate::index::document::Card;
use crate::text::letters::{Gram, grams, squeezed};
use crate::text::{self, noun, units};

/// Longer numbers are model numbers, not sizes or versions.
const LONGEST_NUMBER: usize = 6;
/// The shortest model number that is told apart from a size.
const SHORTEST_CODE: usize = 4;
/// Digits alone are a model number from here.
const SHORTEST_DIGITS: usize = 5;

/// Stems of words that make a thing another one than its plain namesake.
const QUALIFIERS: [&str; 17] = [
    "compatible",
    "remanufactured",
    "refurbished",
    "renewed",
    "replacement",
    "generic",
    "used",
    "upgrade",
    "upsell",
    "academic",
    "educational",
    "education",
    "student",
    "refill",
    "oem",
    "case",
    "bundle",
];

/// What things are made for, each with its names.
const PLATFORMS: [&[&str]; 3] = [&["mac", "macintosh", "osx", "macos"], &["win", "windows", "pc", "vista", "xp"], &["linux"]];

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stem {
    pub(crate) hash: u64,
    pub(crate) text: Box<str>,
    pub(crate) rarity: f64,
    pub(crate) number: bool,
}

#[derive(Debug)]
pub(crate) struct Profile {
    /// Distinct, by hash.
    pub(crate) stems: Vec<Stem>,
    pub(crate) rarity: f64,
    /// Distinct, in order, with their rarity.
    pub(crate) grams: Vec<(Gram, f64)>,
    pub(crate) gram_rarity: f64,
    /// The length of the vector of rarities.
    pub(crate) gram_length: f64,
    /// Hashes of model numbers in every reading, in order.
    pub(crate) codes: Vec<u64>,
    /// Those with letters and digits.
    pub(crate) mixed_codes: Vec<Box<str>>,
    /// Hashes of words that are model numbers as they stand.
    pub(crate) whole_codes: Vec<u64>,
    /// Unit and number.
    pub(crate) measures: Vec<(&'static str, Box<str>)>,
    /// Hashes of the brand's stems.
    pub(crate) brand: Vec<u64>,
    pub(crate) qualifiers: Vec<u64>,
    pub(crate) squeezed: Box<str>,
    /// Bits of the platforms it names.
    pub(crate) platforms: u8,
    /// The hash of what it says the thing is.
    pub(crate) head: Option<u64>,
}

impl Profile {
    pub(crate) fn of_card(card: &Card, lexicon: &Lexicon) -> Self {
        Self::of(&card.name(), card.hit.as_ref().map_or("", |hit| &hit.brand), lexicon)
    }

    pub(crate) fn of(name: &str, brand: &str, lexicon: &Lexicon) -> Self {
        let words = text::words(name);
        let mut stems: Vec<Stem> = words.iter().filter(|word| !word.is_stop()).map(|word| stem(&word.text, lexicon)).collect();
        stems.sort_unstable_by_key(|stem| stem.hash);
        stems.dedup_by_key(|stem| stem.hash);
        let squeezed = squeezed(&words);
        let mut runs = grams(&squeezed);
        runs.sort_unstable();
        runs.dedup();
        let grams: Vec<(Gram, f64)> = runs.into_iter().map(|gram| (gram, lexicon.of_gram(gram))).collect();
        let all_codes = text::codes_in(&words);
        let mut codes: Vec<u64> = all_codes.iter().filter(|code| is_long(code)).map(|code| text::hash(code)).collect();
        codes.sort_unstable();
        let whole = words.iter().filter(|word| is_model(&word.text));
        let qualifying = QUALIFIERS.iter().filter(|qualifier| words.iter().any(|word| word.text == **qualifier));
        Self {
            rarity: stems.iter().map(|stem| stem.rarity).sum(),
            gram_rarity: grams.iter().map(|(_, rarity)| rarity).sum(),
            gram_length: grams.iter().map(|(_, rarity)| rarity * rarity).sum::<f64>().sqrt(),
            mixed_codes: all_codes.iter().filter(|code| is_mixed(code)).map(|code| code.as_str().into()).collect(),
            whole_codes: whole.map(|word| text::hash(&word.text.replace('.', ""))).collect(),
            measures: words.iter().filter_map(|word| units::measure(&word.text)).map(|(number, unit)| (unit, number.into())).collect(),
            brand: text::words(brand).iter().map(|word| text::hash(&text::stem(&word.text))).collect(),
            qualifiers: qualifying.map(|qualifier| text::hash(qualifier)).collect(),
            squeezed: squeezed.into(),
            platforms: words.iter().map(|word| platform(&word.text)).fold(0, |platforms, one| platforms | one),
            head: noun::head(name).map(|head| text::hash(&head)),
            stems,
            grams,
            codes,
        }
    }

    pub(crate) fn has_stem(&self, hash: u64) -> bool {
        self.stems.binary_search_by_key(&hash, |stem| stem.hash).is_ok()
    }

    pub(crate) fn has_code(&self, hash: u64) -> bool {
        self.codes.binary_search(&hash).is_ok()
    }
}

fn platform(word: &str) -> u8 {
    PLATFORMS.iter().zip(0..).find(|(names, _)| names.contains(&word)).map_or(0, |(_, bit)| 1 << bit)
}

fn stem(word: &str, lexicon: &Lexicon) -> Stem {
    let stem = text::stem(word);
    let hash = text::hash(&stem);
    let number = stem.len() <= LONGEST_NUMBER && stem.starts_with(|c: char| c.is_ascii_digit());
    Stem { hash, rarity: lexicon.of_stem(hash), number, text: stem.into() }
}

/// A word that is a model number as it stands.
pub(crate) fn is_model(word: &str) -> bool {
    is_mixed(word) || is_digits(word)
}

fn is_long(code: &str) -> bool {
    code.len() >= SHORTEST_CODE && units::measure(code).is_none()
}

fn is_mixed(code: &str) -> bool {
    is_long(code) && code.bytes().any(|b| b.is_ascii_alphabetic()) && code.bytes().any(|b| b.is_ascii_digit())
}

fn is_digits(word: &str) -> bool {
    word.len() >= SHORTEST_DIGITS && word.bytes().all(|b| b.is_ascii_digit())
}

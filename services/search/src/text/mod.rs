//! How text becomes words, the same for what is indexed and what is asked: folded, stemmed, units joined to their numbers, and
//! model numbers told apart from their spelling. Pure.

pub(crate) mod letters;
pub(crate) mod noun;
pub(crate) mod units;

use rust_stemmers::{Algorithm, Stemmer};
use tantivy::tokenizer::{AsciiFoldingFilter, RawTokenizer, TextAnalyzer, TokenStream};
use units::{unit, with_one_unit};

/// Words longer than this are noise (addresses, keys) and are cut.
const LONGEST_WORD: usize = 40;
/// The shortest and longest joined model number.
const CODE_LENGTHS: std::ops::RangeInclusive<usize> = 3..=32;
/// How many words a model number may be written in.
const CODE_WORDS: usize = 3;

/// Announce the number of a version and are left out before one: "v8", "ver. 8.0" and "8" are one.
const VERSION_MARKS: [&str; 4] = ["v", "ver", "vers", "version"];

/// English words that carry no meaning in a query.
const STOP_WORDS: [&str; 33] = [
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "from", "if", "in", "into", "is", "it", "its", "no", "not", "of", "on", "or",
    "such", "that", "the", "their", "then", "there", "these", "this", "to", "was", "with",
];

/// A word as it stands in a text: folded to lower-case ASCII where possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) text: String,
    /// It follows the word before with only a hyphen, slash or the like between.
    pub(crate) glued: bool,
}

impl Word {
    fn has_digit(&self) -> bool {
        self.text.bytes().any(|b| b.is_ascii_digit())
    }

    fn is_number(&self) -> bool {
        self.text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    }

    pub(crate) fn is_stop(&self) -> bool {
        STOP_WORDS.contains(&self.text.as_str())
    }
}

/// Lower case, without accents where ASCII has the letter.
pub(crate) fn fold(text: &str) -> String {
    let lower = text.to_lowercase();
    if lower.is_ascii() {
        return lower;
    }
    let mut analyzer = TextAnalyzer::builder(RawTokenizer::default()).filter(AsciiFoldingFilter).build();
    let mut stream = analyzer.token_stream(&lower);
    let folded = stream.next().map(|token| token.text.clone());
    drop(stream);
    folded.unwrap_or(lower)
}

/// The words of a text in order, units joined to their numbers: "8 GB" and "8gb" are both "8gb".
pub(crate) fn words(text: &str) -> Vec<Word> {
    join_units(split(&fold(text)))
}

fn split(folded: &str) -> Vec<Word> {
    let mut found: Vec<Word> = Vec::new();
    let mut word = String::new();
    let mut glued = false;
    let mut chars = folded.chars().peekable();
    while let Some(c) = chars.next() {
        let after_digit = word.ends_with(|c: char| c.is_ascii_digit());
        let before_digit = chars.peek().is_some_and(char::is_ascii_digit);
        if c.is_alphanumeric() || (c == '.' && after_digit && before_digit) {
            if word.len() < LONGEST_WORD {
                word.push(c);
            }
            continue;
        }
        // An apostrophe belongs to its word ("kid's" is "kids"); a comma inside digits only groups them.
        if matches!(c, '\'' | '\u{2019}') && !word.is_empty() && !after_digit || (c == ',' && after_digit && before_digit) {
            continue;
        }
        if !word.is_empty() {
            found.push(Word { text: std::mem::take(&mut word), glued });
            glued = false;
        }
        if matches!(c, '"' | '\u{201d}' | '\u{2033}') && after_digit {
            found.push(Word { text: "inch".to_owned(), glued: true });
        } else {
            glued = matches!(c, '-' | '/' | '.' | '_' | '\u{2010}'..='\u{2015}');
        }
    }
    if !word.is_empty() {
        found.push(Word { text: word, glued });
    }
    found
}

fn join_units(found: Vec<Word>) -> Vec<Word> {
    let mut joined: Vec<Word> = Vec::with_capacity(found.len());
    for mut word in found {
        whole_version(&mut word.text);
        match joined.last_mut() {
            Some(before) if before.is_number() && unit(&word.text).is_some() => before.text.push_str(unit(&word.text).unwrap_or_default()),
            Some(before) if VERSION_MARKS.contains(&before.text.as_str()) && word.is_number() => before.text = word.text,
            _ => joined.push(Word { text: with_one_unit(&word.text).unwrap_or(word.text), glued: word.glued }),
        }
    }
    joined
}

/// "8.0", "v8.0" and "v8" → "8".
fn whole_version(word: &mut String) {
    let number = VERSION_MARKS.iter().rev().find_map(|mark| word.strip_prefix(mark)).unwrap_or(word);
    if number.starts_with(|c: char| c.is_ascii_digit()) && number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        let mut number = number;
        while let Some(shorter) = number.strip_suffix(".0") {
            number = shorter;
        }
        *word = number.to_owned();
    }
}

/// Stems English words; words with digits stay as they are.
pub(crate) fn stem(word: &str) -> String {
    if word.bytes().any(|b| b.is_ascii_digit()) || !word.is_ascii() {
        return word.to_owned();
    }
    thread_local! {
        static ENGLISH: Stemmer = Stemmer::create(Algorithm::English);
    }
    ENGLISH.with(|stemmer| stemmer.stem(word).into_owned())
}

/// The stems of a text, separated by spaces, as text fields are indexed.
pub(crate) fn stems(text: &str) -> String {
    spaced(words(text).iter().map(|word| stem(&word.text)))
}

/// The words of a text as they are written, for completing and correcting what is typed.
pub(crate) fn surfaces(text: &str) -> String {
    spaced(words(text).into_iter().filter(|word| !word.is_stop()).map(|word| word.text))
}

/// Every reading of a text as model numbers: "K-39324 US" is k39324us, k39324 and 39324us.
pub(crate) fn codes(text: &str) -> Vec<String> {
    codes_in(&words(text))
}

/// The same of words in order.
pub(crate) fn codes_in(words: &[Word]) -> Vec<String> {
    let mut codes = Vec::new();
    for first in 0..words.len() {
        for count in 1..=CODE_WORDS {
            let Some(part) = words.get(first..first + count) else { break };
            if let Some(code) = code(part) {
                codes.push(code);
            }
        }
    }
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// Words written together as one model number; `None` when they cannot be one: no digit, a word of prose in between, a wrong length.
pub(crate) fn code(part: &[Word]) -> Option<String> {
    let joined: String = part.iter().flat_map(|word| word.text.chars().filter(|c| *c != '.')).collect();
    let prose = |word: &Word| !word.has_digit() && (word.is_stop() || word.text.len() > 5);
    let coded = part.iter().any(Word::has_digit) && CODE_LENGTHS.contains(&joined.len());
    let one_word = part.len() == 1;
    (coded && (one_word || !part.iter().any(prose))).then_some(joined)
}

/// A short, stable number for a text; kept in the index, so it must never change.
/// FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/) with the finaliser of MurmurHash3, which spreads short texts.
pub(crate) fn hash(text: &str) -> u64 {
    let mut hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// Text without HTML tags and the commonest entities.
pub(crate) fn without_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' if inside => {
                inside = false;
                text.push(' ');
            }
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text.replace("&amp;", "&").replace("&nbsp;", " ").replace("&quot;", "\"").replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">")
}

/// A query as it is remembered and suggested: folded words with single spaces.
pub(crate) fn tidy_query(query: &str) -> String {
    spaced(query.to_lowercase().split_whitespace().map(str::to_owned))
}

fn spaced(words: impl Iterator<Item = String>) -> String {
    words.fold(String::new(), |mut all, word| {
        if !all.is_empty() {
            all.push(' ');
        }
        all.push_str(&word);
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(text: &str) -> Vec<String> {
        words(text).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn units_join_their_numbers() {
        for spelling in ["8 GB", "8GB", "8 gigabytes", "8-gb"] {
            assert_eq!(texts(spelling), ["8gb"], "{spelling}");
        }
        assert_eq!(texts("15.6\" screen"), ["15.6inch", "screen"]);
        assert_eq!(texts("Pro v8.0, ver. 8, Version 8.0.0"), ["pro", "8", "8", "8"]);
        assert_eq!(texts("Kid's 1,500 Watts Über-Heater"), ["kids", "1500w", "uber", "heater"]);
    }

    #[test]
    fn a_model_number_has_many_spellings_and_one_code() {
        for spelling in ["K39324US", "k-39324 us", "K 39324-US", "k/39324/us"] {
            assert!(codes(spelling).contains(&"k39324us".to_owned()), "{spelling}: {:?}", codes(spelling));
        }
        assert!(codes("wireless mouse").is_empty());
    }

    #[test]
    fn english_is_stemmed_and_numbers_are_not() {
        assert_eq!(stems("Wireless Headphones, locks 8gb"), "wireless headphon lock 8gb");
        assert_eq!(stem("headphones"), stem("headphone"));
    }

    #[test]
    fn tags_are_not_words() {
        assert_eq!(texts(&without_tags("<p>Red&nbsp;mug</p><p>&amp; saucer</p>")), ["red", "mug", "saucer"]);
    }

    proptest! {
        #[test]
        fn any_text_gives_tidy_words(text in ".{0,200}") {
            for word in words(&text) {
                prop_assert!(!word.text.is_empty() && !word.text.contains(char::is_whitespace));
            }
            let again = stems(&text);
            prop_assert!(!again.contains("  "));
        }
    }
}

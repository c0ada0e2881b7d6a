//! The words of the index in memory, to complete and correct what is typed. Rebuilt now and then from the index's own dictionary.

use std::collections::BTreeMap;

use tantivy::Searcher;
use tantivy::schema::Field;

use super::known::Known;
use super::lexicon::Lexicon;
use crate::error::Error;
use crate::index::Fields;

/// Words shorter than this are not corrected; longer ones may have one error, long ones two.
const SHORTEST_CORRECTED: usize = 4;
const TWO_ERRORS_FROM: usize = 8;
/// Words with digits are model numbers, where one error makes another product; only long ones are corrected.
const SHORTEST_CORRECTED_CODE: usize = 6;
const SHORTEST_PART: usize = 3;

/// What is known of the index's words.
#[derive(Debug, Default)]
pub(crate) struct Vocabulary {
    pub(crate) spelling: Spelling,
    pub(crate) lexicon: Lexicon,
    pub(crate) known: Known,
}

impl Vocabulary {
    pub(crate) fn of(searcher: &Searcher, fields: &Fields) -> Result<Self, Error> {
        Ok(Self { spelling: Spelling::of(searcher, fields.words)?, lexicon: Lexicon::of(searcher, fields)?, known: Known::of(searcher, fields)? })
    }
}

/// A dictionary, sorted; with each word the number of listings that have it.
#[derive(Debug, Default)]
pub(crate) struct Spelling {
    words: Vec<(Box<str>, u32)>,
}

impl Spelling {
    pub(crate) fn of(searcher: &Searcher, field: Field) -> Result<Self, Error> {
        let mut counts: BTreeMap<Box<str>, u32> = BTreeMap::new();
        for segment in searcher.segment_readers() {
            let inverted = segment.inverted_index(field)?;
            let mut terms = inverted.terms().stream()?;
            while terms.advance() {
                if let Ok(word) = std::str::from_utf8(terms.key()) {
                    *counts.entry(word.into()).or_default() += terms.value().doc_freq;
                }
            }
        }
        Ok(Self { words: counts.into_iter().collect() })
    }

    #[cfg(test)]
    pub(crate) fn from_words(words: &[(&str, u32)]) -> Self {
        let counts: BTreeMap<Box<str>, u32> = words.iter().map(|(word, count)| ((*word).into(), *count)).collect();
        Self { words: counts.into_iter().collect() }
    }

    /// How many listings have exactly this word.
    pub(crate) fn count(&self, word: &str) -> u32 {
        let found = self.words.binary_search_by(|(known, _)| (**known).cmp(word));
        found.ok().and_then(|place| self.words.get(place)).map_or(0, |(_, count)| *count)
    }

    /// The two words that a word is made of, the likeliest division: both parts are words of their own.
    pub(crate) fn apart<'w>(&self, word: &'w str) -> Option<(&'w str, &'w str)> {
        let divisions = (SHORTEST_PART..word.len().saturating_sub(SHORTEST_PART - 1)).filter_map(|place| word.split_at_checked(place));
        let known = divisions.map(|(first, second)| (self.count(first).min(self.count(second)), (first, second)));
        known.filter(|(count, _)| *count > 0).max_by_key(|(count, _)| *count).map(|(_, parts)| parts)
    }

    /// Words that begin so, the commonest first.
    pub(crate) fn beginning_with(&self, prefix: &str, limit: usize) -> Vec<&str> {
        let from = self.words.partition_point(|(word, _)| (**word) < *prefix);
        let mut found: Vec<&(Box<str>, u32)> = self.words.iter().skip(from).take_while(|(word, _)| word.starts_with(prefix)).collect();
        found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        found.into_iter().take(limit).map(|(word, _)| &**word).collect()
    }

    /// The most likely words meant by a misspelled one: fewest errors first, then the commonest.
    pub(crate) fn corrections(&self, word: &str, limit: usize) -> Vec<&str> {
        let length = word.chars().count();
        let coded = word.bytes().any(|b| b.is_ascii_digit());
        if length < if coded { SHORTEST_CORRECTED_CODE } else { SHORTEST_CORRECTED } {
            return Vec::new();
        }
        let most = if length >= TWO_ERRORS_FROM && !coded { 2 } else { 1 };
        let wanted: Vec<char> = word.chars().collect();
        let mut found: Vec<(usize, u32, &str)> = Vec::new();
        let mut room = Vec::new();
        for (known, count) in &self.words {
            // Bytes bound characters from above, which is enough to skip most words cheaply.
            if known.len() + most < length || known.len() > (length + most) * 4 {
                continue;
            }
            if let Some(errors) = errors_between(&wanted, known, most, &mut room).filter(|errors| *errors > 0) {
                found.push((errors, *count, known));
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)).then(a.2.cmp(b.2)));
        found.into_iter().take(limit).map(|(_, _, word)| word).collect()
    }
}

/// Insertions, deletions, replacements and swaps of neighbours between two words (optimal string alignment); `None` above `most`.
fn errors_between(a: &[char], b: &str, most: usize, room: &mut Vec<usize>) -> Option<usize> {
    let b: Vec<char> = b.chars().collect();
    if a.len().abs_diff(b.len()) > most {
        return None;
    }
    let width = b.len() + 1;
    room.clear();
    room.extend(0..width);
    let at = |room: &[usize], place: usize| room.get(place).copied().unwrap_or(usize::MAX / 2);
    for (i, left) in a.iter().enumerate() {
        let row = (i + 1) * width;
        room.push(i + 1);
        let mut best = i + 1;
        for (j, right) in b.iter().enumerate() {
            let above = row - width + j;
            let mut errors = (at(room, above) + usize::from(left != right)).min(at(room, above + 1) + 1).min(at(room, row + j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(right) && b.get(j - 1) == Some(left);
            if swapped {
                errors = errors.min(at(room, row - 2 * width + j - 1) + 1);
            }
            best = best.min(errors);
            room.push(errors);
        }
        if best > most {
            return None;
        }
    }
    room.last().copied().filter(|errors| *errors <= most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn errors(a: &str, b: &str) -> Option<usize> {
        errors_between(&a.chars().collect::<Vec<_>>(), b, 2, &mut Vec::new())
    }

    #[test]
    fn errors_are_counted_as_people_make_them() {
        assert_eq!(errors("kensignton", "kensington"), Some(1));
        assert_eq!(errors("headfones", "headphones"), Some(2));
        assert_eq!(errors("mouse", "mouse"), Some(0));
        assert_eq!(errors("mouse", "keyboard"), None);
    }

    #[test]
    fn corrections_prefer_few_errors_then_common_words() {
        let spelling = Spelling::from_words(&[("lock", 9), ("look", 2), ("luck", 1), ("headphones", 5)]);
        assert_eq!(spelling.corrections("lack", 5), ["lock", "luck"]);
        assert_eq!(spelling.corrections("hedphones", 5), ["headphones"]);
        assert!(spelling.corrections("abc", 5).is_empty());
        assert_eq!(spelling.beginning_with("l", 2), ["lock", "look"]);
        assert_eq!((spelling.count("lock"), spelling.count("loc")), (9, 0));
    }

    proptest! {
        #[test]
        fn errors_are_the_same_both_ways(a in "[a-d]{1,8}", b in "[a-d]{1,8}") {
            prop_assert_eq!(errors(&a, &b), errors(&b, &a));
        }
    }
}

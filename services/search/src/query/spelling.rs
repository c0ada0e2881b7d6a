//! The words of the index in memory, to complete and correct what is typed. Rebuilt now and then from the index's own dictionary.

use std::cmp::Reverse;
#[cfg(test)]
use std::collections::BTreeMap;
use std::collections::BinaryHeap;
use std::sync::Arc;

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
    pub(crate) lexicon: Arc<Lexicon>,
    pub(crate) known: Known,
}

impl Vocabulary {
    /// What was known `before` is kept as far as it still holds.
    pub(crate) fn of(searcher: &Searcher, fields: &Fields, before: &Self) -> Result<Self, Error> {
        let lexicon = if before.lexicon.is_about(searcher) { Arc::clone(&before.lexicon) } else { Arc::new(Lexicon::of(searcher, fields)?) };
        Ok(Self { spelling: Spelling::of(searcher, fields.words)?, lexicon, known: Known::of(searcher, fields)? })
    }
}

/// A dictionary, sorted; with each word the number of listings that have it.
#[derive(Debug, Default)]
pub(crate) struct Spelling {
    words: Vec<(Box<str>, u32)>,
}

impl Spelling {
    pub(crate) fn of(searcher: &Searcher, field: Field) -> Result<Self, Error> {
        let segments = searcher.segment_readers().iter().map(|segment| segment.inverted_index(field)).collect::<Result<Vec<_>, _>>()?;
        let mut streams = segments.iter().map(|inverted| inverted.terms().stream()).collect::<Result<Vec<_>, _>>()?;
        // The streams by their next word, in order.
        let mut next: BinaryHeap<Reverse<(Box<[u8]>, usize)>> = BinaryHeap::new();
        for (place, stream) in streams.iter_mut().enumerate() {
            next.extend(stream.advance().then(|| Reverse((stream.key().into(), place))));
        }
        let mut words: Vec<(Box<str>, u32)> = Vec::new();
        while let Some(Reverse((word, place))) = next.pop() {
            let Some(stream) = streams.get_mut(place) else { continue };
            let count = stream.value().doc_freq;
            next.extend(stream.advance().then(|| Reverse((stream.key().into(), place))));
            match words.last_mut() {
                Some((known, counted)) if known.as_bytes() == &*word => *counted += count,
                _ => words.extend(std::str::from_utf8(&word).ok().map(|word| (word.into(), count))),
            }
        }
        Ok(Self { words })
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
        let mut table = Table::of(&wanted);
        let mut found: Vec<(usize, u32, &str)> = Vec::new();
        let mut rest = self.words.as_slice();
        while let Some(((known, count), others)) = rest.split_first() {
            match table.errors(known, most) {
                Ok(errors) => {
                    found.extend((1..=most).contains(&errors).then_some((errors, *count, &**known)));
                    rest = others;
                }
                Err(hopeless) => rest = others.get(beginning_with(others, hopeless)..).unwrap_or_default(),
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)).then(a.2.cmp(b.2)));
        found.into_iter().take(limit).map(|(_, _, word)| word).collect()
    }
}

/// How many of sorted words begin so, from the first on.
fn beginning_with(words: &[(Box<str>, u32)], prefix: &str) -> usize {
    let begins = |place: usize| words.get(place).is_some_and(|(word, _)| word.starts_with(prefix));
    let mut reach = 1;
    while begins(reach - 1) {
        reach *= 2;
    }
    let (from, to) = (reach / 2, reach.min(words.len()));
    from + words.get(from..to).unwrap_or_default().partition_point(|(word, _)| word.starts_with(prefix))
}

/// Insertions, deletions, replacements and swaps of neighbours between a word and known ones (optimal string alignment). A row for each
/// letter of the known word; words that begin alike share rows, so going through them in order costs little for each.
struct Table<'a> {
    wanted: &'a [char],
    letters: Vec<char>,
    cells: Vec<usize>,
}

impl<'a> Table<'a> {
    fn of(wanted: &'a [char]) -> Self {
        Self { wanted, letters: Vec::new(), cells: (0..=wanted.len()).collect() }
    }

    /// The errors between them, which may be more than `most`; or a beginning of the known word that no word within `most` has.
    fn errors<'k>(&mut self, known: &'k str, most: usize) -> Result<usize, &'k str> {
        let same = known.chars().zip(&self.letters).take_while(|(letter, before)| letter == *before).count();
        self.letters.truncate(same);
        self.cells.truncate((same + 1) * self.width());
        for (start, letter) in known.char_indices().skip(same) {
            if self.add(letter) > most {
                return Err(known.get(..start + letter.len_utf8()).unwrap_or(known));
            }
        }
        Ok(self.cells.last().copied().unwrap_or_default())
    }

    const fn width(&self) -> usize {
        self.wanted.len() + 1
    }

    /// Adds the row of a letter; the fewest errors in it, which no later row goes below.
    fn add(&mut self, letter: char) -> usize {
        let (width, row) = (self.width(), self.cells.len());
        let before = self.letters.last().copied();
        let first = self.letters.len() + 1;
        self.letters.push(letter);
        self.cells.push(first);
        let mut best = first;
        let mut left: Option<char> = None;
        for (column, wanted) in self.wanted.iter().enumerate() {
            let at = |cell: usize| self.cells.get(cell).copied().unwrap_or(usize::MAX / 2);
            let above = row - width + column;
            let mut errors = (at(above) + usize::from(letter != *wanted)).min(at(above + 1) + 1).min(at(row + column) + 1);
            if before == Some(*wanted) && left == Some(letter) {
                errors = errors.min(at(row - 2 * width + column - 1) + 1);
            }
            best = best.min(errors);
            left = Some(*wanted);
            self.cells.push(errors);
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn errors(a: &str, b: &str) -> Option<usize> {
        Table::of(&a.chars().collect::<Vec<_>>()).errors(b, 2).ok().filter(|errors| *errors <= 2)
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

        #[test]
        fn skipping_what_begins_wrong_misses_nothing(word in "[a-d]{4,9}", known in proptest::collection::btree_set("[a-d]{1,9}", 0..60)) {
            let most = if word.len() >= TWO_ERRORS_FROM { 2 } else { 1 };
            let known: Vec<(&str, u32)> = known.iter().map(|word| (word.as_str(), 1)).collect();
            let mut one_by_one: Vec<&str> = known.iter().map(|(known, _)| *known).collect();
            one_by_one.retain(|known| errors(&word, known).is_some_and(|errors| (1..=most).contains(&errors)));
            let spelling = Spelling::from_words(&known);
            let mut found = spelling.corrections(&word, usize::MAX);
            found.sort_unstable();
            prop_assert_eq!(found, one_by_one);
        }
    }
}

//! Puts the best matches of a long query in order. BM25 finds the candidates; here each is compared with the query as a name with a name:
//! shared words and letters both ways, model numbers, measures that contradict, brands, words that make it another thing. The
//! weights were learned on pairs of offers of the same product in different shops (a softmax over the candidates of each query).

use super::profile::{Profile, Stem};

/// Candidates compared; the others follow as BM25 has them.
pub(crate) const COMPARED: usize = 60;

/// Queries of so many words are ranked by BM25 alone, and of so many by comparison alone.
const TERSE: f64 = 2.0;
const WORDY: f64 = 4.0;

/// Lifts likenesses above zero, so that availability and freshness scale them as they scale BM25.
const LIFT: f64 = 10.0;

/// Two model numbers that begin the same for this share of the longer one may be variants of one.
const KINDRED: f64 = 0.7;
const SHORTEST_KINDRED: usize = 4;

/// How many things are compared.
pub(crate) const PARTS: usize = 20;

/// What a candidate has in common with the query, each about between 0 and 1.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Likeness {
    /// BM25 relative to the best candidate's.
    pub(crate) text: f64,
    /// The shares of the rarity of words: of the query's, of the name's.
    pub(crate) of_query: f64,
    pub(crate) of_name: f64,
    /// The same of runs of letters, and the cosine.
    pub(crate) of_query_letters: f64,
    pub(crate) of_name_letters: f64,
    pub(crate) letters: f64,
    /// The share of the query's model numbers that the name has.
    pub(crate) codes: f64,
    /// Both have model numbers and they are others.
    pub(crate) other_code: f64,
    /// Units that both measure in, with other numbers.
    pub(crate) other_measures: f64,
    /// The name has a brand that the query does not.
    pub(crate) other_brand: f64,
    /// Numbers that only the query or only the name has.
    pub(crate) query_numbers: f64,
    pub(crate) name_numbers: f64,
    /// What the description has of what the name lacks.
    pub(crate) described: f64,
    /// Words that make it another thing.
    pub(crate) qualified: f64,
    /// What the name has written together.
    pub(crate) inside: f64,
    pub(crate) length: f64,
    /// Words that make the query another thing.
    pub(crate) unqualified: f64,
    /// Both are for a platform and for none in common.
    pub(crate) other_platform: f64,
    /// The query has the name's brand.
    pub(crate) same_brand: f64,
    /// Both say that they are the same kind of thing.
    pub(crate) same_head: f64,
}

const WEIGHTS: Likeness = Likeness {
    text: 1.7,
    of_query: 5.3,
    of_name: 2.1,
    of_query_letters: 2.2,
    of_name_letters: -1.6,
    letters: 7.3,
    codes: 5.2,
    other_code: -1.6,
    other_measures: -0.7,
    other_brand: 0.3,
    query_numbers: -3.8,
    name_numbers: -1.25,
    described: 9.0,
    qualified: -1.6,
    inside: 10.5,
    length: 2.0,
    unqualified: 0.2,
    other_platform: -7.0,
    same_brand: 3.3,
    same_head: -0.2,
};

impl Likeness {
    /// Compares a query with a name. `described` says for each of the query's stems whether the description has it.
    pub(crate) fn between(query: &Profile, name: &Profile, text: f64, described: &[bool]) -> Self {
        let mut like = Self { text, length: counted(name.stems.len()).ln_1p() / 5.0, ..Self::default() };
        let words = 1.0 / query.rarity.max(f64::MIN_POSITIVE);
        let mut shared = 0.0;
        for (stem, described) in query.stems.iter().zip(described) {
            if name.has_stem(stem.hash) {
                shared += stem.rarity;
            } else if *described {
                like.described += stem.rarity * words;
            } else {
                like.inside += if is_inside(stem, name) { stem.rarity * words } else { 0.0 };
                like.query_numbers += if stem.number { stem.rarity * words } else { 0.0 };
            }
        }
        like.of_query = shared * words;
        let of_name = 1.0 / name.rarity.max(f64::MIN_POSITIVE);
        like.of_name = shared * of_name;
        let unshared_numbers = name.stems.iter().filter(|stem| stem.number && !query.has_stem(stem.hash));
        like.name_numbers = unshared_numbers.map(|stem| stem.rarity).sum::<f64>() * of_name;
        like.compare_letters(query, name);
        like.compare_codes(query, name);
        like.other_brand = f64::from(!name.brand.is_empty() && !name.brand.iter().any(|brand| query.has_stem(*brand)));
        like.other_measures = contradictions(query, name);
        like.unqualified = counted(query.qualifiers.iter().filter(|qualifier| !name.qualifiers.contains(qualifier)).count());
        like.other_platform = f64::from(query.platforms != 0 && name.platforms != 0 && query.platforms & name.platforms == 0);
        like.same_brand = f64::from(!name.brand.is_empty() && name.brand.iter().all(|brand| query.has_stem(*brand)));
        like.same_head = f64::from(query.head.is_some() && query.head == name.head);
        like.qualified = counted(name.qualifiers.iter().filter(|qualifier| !query.qualifiers.contains(qualifier)).count());
        like
    }

    fn compare_letters(&mut self, query: &Profile, name: &Profile) {
        let (mut shared, mut product) = (0.0, 0.0);
        let mut others = name.grams.iter().peekable();
        for (gram, rarity) in &query.grams {
            while others.next_if(|(other, _)| other < gram).is_some() {}
            if others.peek().is_some_and(|(other, _)| other == gram) {
                shared += rarity;
                product += rarity * rarity;
            }
        }
        self.of_query_letters = shared / query.gram_rarity.max(f64::MIN_POSITIVE);
        self.of_name_letters = shared / name.gram_rarity.max(f64::MIN_POSITIVE);
        self.letters = product / (query.gram_length * name.gram_length).max(f64::MIN_POSITIVE);
    }

    fn compare_codes(&mut self, query: &Profile, name: &Profile) {
        let whole = &query.whole_codes;
        if !whole.is_empty() {
            self.codes = counted(whole.iter().filter(|code| name.has_code(**code)).count()) / counted(whole.len());
        }
        let both = !query.mixed_codes.is_empty() && !name.mixed_codes.is_empty();
        let same = || query.codes.iter().any(|code| name.has_code(*code));
        let kindred = || query.mixed_codes.iter().any(|code| name.mixed_codes.iter().any(|other| are_kindred(code, other)));
        self.other_code = f64::from(both && !same() && !kindred());
    }

    pub(crate) fn total(&self) -> f64 {
        let parts = self.parts();
        parts.iter().zip(WEIGHTS.parts()).map(|((_, value), (_, weight))| value * weight).sum()
    }

    pub(crate) const fn parts(&self) -> [(&'static str, f64); PARTS] {
        [
            ("text", self.text),
            ("words of the query", self.of_query),
            ("words of the name", self.of_name),
            ("letters of the query", self.of_query_letters),
            ("letters of the name", self.of_name_letters),
            ("letters", self.letters),
            ("model number", self.codes),
            ("another model number", self.other_code),
            ("another measure", self.other_measures),
            ("another brand", self.other_brand),
            ("numbers missing", self.query_numbers),
            ("numbers more", self.name_numbers),
            ("described", self.described),
            ("another kind", self.qualified),
            ("written together", self.inside),
            ("length", self.length),
            ("not that kind", self.unqualified),
            ("another platform", self.other_platform),
            ("brand", self.same_brand),
            ("kind", self.same_head),
        ]
    }
}

/// The score of a candidate: BM25 for a terse query, likeness for a wordy one, and a mixture between.
pub(crate) fn blended(words: usize, text: f64, likeness: f64) -> f64 {
    let wordy = ((counted(words) - TERSE) / (WORDY - TERSE)).clamp(0.0, 1.0);
    wordy * (likeness + LIFT).max(0.0) + (1.0 - wordy) * text
}

/// Whether a query of so many words is ranked by comparison at all.
pub(crate) fn compares(words: usize) -> bool {
    counted(words) > TERSE
}

fn is_inside(stem: &Stem, name: &Profile) -> bool {
    stem.text.len() > 3 && name.squeezed.contains(&*stem.text)
}

fn are_kindred(code: &str, other: &str) -> bool {
    let same = code.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    same >= SHORTEST_KINDRED && counted(same) >= KINDRED * counted(code.len().max(other.len()))
}

/// Units in which both measure without any number in common.
fn contradictions(query: &Profile, name: &Profile) -> f64 {
    let mut units: Vec<&str> = query.measures.iter().map(|(unit, _)| *unit).collect();
    units.sort_unstable();
    units.dedup();
    let measures_in = |profile: &Profile, unit: &str| profile.measures.iter().any(|(other, _)| *other == unit);
    let agrees = |unit: &str| query.measures.iter().any(|measure| measure.0 == unit && name.measures.contains(measure));
    counted(units.iter().filter(|unit| measures_in(name, unit) && !agrees(unit)).count())
}

fn counted(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

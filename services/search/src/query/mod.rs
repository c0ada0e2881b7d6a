//! From what a buyer typed to what is found: `plan` reads the words, `walk` visits the listings that have enough of them (`stream` those of each word), `collect`
//! keeps hits and counts facets, `rank` puts the best in order, `facets` names what was counted, `spelling` completes and corrects, `wishes`
//! reads limits among the words.

pub(crate) mod collect;
pub(crate) mod columns;
pub(crate) mod cursor;
pub(crate) mod facets;
pub(crate) mod known;
pub(crate) mod lexicon;
pub(crate) mod plan;
pub(crate) mod profile;
pub(crate) mod rank;
pub(crate) mod same;
pub(crate) mod spelling;
pub(crate) mod stream;
pub(crate) mod walk;
pub(crate) mod wishes;

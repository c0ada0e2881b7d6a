//! From what a buyer typed to what is found: `plan` reads the words, `collect` walks the matches once for hits and facets,
//! `facets` names what was counted, `spelling` completes and corrects.

pub(crate) mod collect;
pub(crate) mod cursor;
pub(crate) mod facets;
pub(crate) mod plan;
pub(crate) mod spelling;

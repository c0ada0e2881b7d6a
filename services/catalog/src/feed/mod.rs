//! Sellers' feeds: what a file is, its rows, and what each row means under a mapping. Pure; nothing here reads or writes.

pub(crate) mod file;
pub(crate) mod mapping;
pub(crate) mod merge;
pub(crate) mod plan;
pub(crate) mod taxonomy;

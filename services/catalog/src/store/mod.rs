//! What the catalog remembers: one function for each query.

pub(crate) mod imports;
pub(crate) mod media;
pub(crate) mod products;
pub(crate) mod taxonomy;

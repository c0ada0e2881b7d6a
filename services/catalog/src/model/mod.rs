//! What the catalog decides, without reading or writing anything.

pub(crate) mod amount;
pub(crate) mod category;
pub(crate) mod diff;
pub(crate) mod edit;
pub(crate) mod gtin;
pub(crate) mod measure;
pub(crate) mod picture;
pub(crate) mod product;
pub(crate) mod richtext;

//! The catalog through its contract, on a real database, with the services it calls.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test tells by panicking")]

mod categories;
mod imports;
mod market;
mod media;
mod products;
mod real_feeds;

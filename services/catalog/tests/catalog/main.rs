//! The catalog through its contract, on a real database, with the services it calls.

mod categories;
mod imports;
mod market;
mod media;
mod products;
mod real_feeds;

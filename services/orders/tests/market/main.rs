//! Orders with everything they need: real catalog, inventory, cart, fulfillment, payments, and the sandbox PSP over HTTP.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test tells by panicking")]

mod cancelling;
mod cases;
mod changing;
mod commission;
mod guests;
mod paying;
mod placing;
mod restarting;
mod returning;
mod shipping;
mod stand;

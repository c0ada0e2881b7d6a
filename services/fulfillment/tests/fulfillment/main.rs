//! Fulfillment through its contract, on a real database: shipping methods and their prices, orders from the shelf to the door.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test tells by panicking")]

mod changing;
mod methods;
mod shipping;
mod stand;
mod tenancy;

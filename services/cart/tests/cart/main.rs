//! Carts through their contract, on a real database, with the services they ask: real catalog, inventory, fulfillment, tenants, identity.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test tells by panicking")]

mod changing;
mod owning;
mod showing;
mod stand;

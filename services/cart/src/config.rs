//! The section `[services.cart]` of the configuration.

use serde::Deserialize;

/// Every limit of the service, by name.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// The most lines of a cart.
    pub(crate) max_lines: usize,
    /// From how many pieces down the buyer is told that stock is low.
    pub(crate) low_stock: i64,
    /// How long stores' names are remembered.
    pub(crate) stores_seconds: u32,
    /// The most carts of one transaction.
    pub(crate) batch_carts: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_lines: 100, low_stock: 5, stores_seconds: 30, batch_carts: 256 }
    }
}

//! The section `[services.orders]` of the configuration.

use serde::Deserialize;

/// Every limit of the service, by name.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// How long goods are held for a buyer who has not paid yet.
    pub(crate) stock_hold_minutes: u32,
    /// How long a checkout can be placed after it was begun.
    pub(crate) checkout_minutes: u32,
    /// How long the process that is placing an order is left alone before the recovery job takes over. With `recovery_seconds` the stated
    /// deadline: an order that a dead process left is taken up within the sum of the two.
    pub(crate) lease_seconds: u32,
    /// How often the recovery job looks for orders to take up.
    pub(crate) recovery_seconds: u32,
    /// How many orders the recovery job takes up at once.
    pub(crate) recovery_orders: u32,
    /// How long a seller's terms (commission, holiday) are remembered.
    pub(crate) terms_seconds: u32,
    /// How long one call to another service may take while an order is driven.
    pub(crate) call_seconds: u32,
    /// The most orders written by one transaction.
    pub(crate) batch_orders: usize,
    /// The most lines of a checkout.
    pub(crate) max_lines: usize,
    /// The most rows of an export.
    pub(crate) export_rows: u32,
    /// How many days a seller has to answer a return before the market approves it.
    pub(crate) return_answer_days: u32,
    /// How many days a buyer has to send approved goods back.
    pub(crate) return_send_days: u32,
    /// How many days after it was sent a seller has to look at a return before the market refunds it.
    pub(crate) return_inspect_days: u32,
    /// The shortest return window a seller may set.
    pub(crate) least_return_days: u32,
    /// The window of sellers who set none.
    pub(crate) default_return_days: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            stock_hold_minutes: 15,
            checkout_minutes: 60,
            lease_seconds: 20,
            recovery_seconds: 5,
            recovery_orders: 200,
            terms_seconds: 10,
            call_seconds: 20,
            batch_orders: 128,
            max_lines: 100,
            export_rows: 50_000,
            return_answer_days: 3,
            return_send_days: 14,
            return_inspect_days: 14,
            least_return_days: 14,
            default_return_days: 30,
        }
    }
}

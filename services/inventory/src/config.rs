//! The numbers an operator may set under `[services.inventory]`.

use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// How long pieces are held when the caller does not say.
    pub(crate) hold_seconds: u32,
    /// The most requests that one transaction serves.
    pub(crate) batch_max_requests: usize,
    /// How often holds past their time are given up. A reservation that is short looks for them itself, at once.
    pub(crate) expire_every_seconds: u64,
    /// The most holds given up in one transaction.
    pub(crate) expire_max_holds: i64,
    /// Closed holds (released, expired) are forgotten after this.
    pub(crate) keep_closed_holds_days: u32,
    pub(crate) warehouses_per_tenant: i64,
    /// How often a transaction that met another one is tried again.
    pub(crate) tries: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hold_seconds: 600,
            batch_max_requests: 500,
            expire_every_seconds: 2,
            expire_max_holds: 1000,
            keep_closed_holds_days: 7,
            warehouses_per_tenant: 100,
            tries: 3,
        }
    }
}

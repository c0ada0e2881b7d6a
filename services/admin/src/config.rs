//! Limits of the admin service.

use serde::Deserialize;

/// Section `[services.admin]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Entries read at a time while the chain is verified.
    pub(crate) verify_page: u32,
    /// After this long a verification answers with what it has, in milliseconds.
    pub(crate) verify_millis: u64,
    /// How long a service may take to answer how it is, in milliseconds.
    pub(crate) health_timeout_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { verify_page: 1_000, verify_millis: 3_000, health_timeout_ms: 2_000 }
    }
}

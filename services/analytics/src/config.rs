//! The section `[services.analytics]` of the configuration.

use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// How old an event may be when it is told, and how far ahead of our clock its sender's may be.
    pub(crate) oldest_event_days: u32,
    pub(crate) clock_skew_minutes: u32,
    /// How long a person's consent and subject are remembered; a withdrawal elsewhere is known after that time.
    pub(crate) subjects_seconds: u64,
    pub(crate) subjects_entries: u64,
    /// Requests written in one transaction.
    pub(crate) batch_requests: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { oldest_event_days: 7, clock_skew_minutes: 5, subjects_seconds: 10, subjects_entries: 100_000, batch_requests: 256 }
    }
}

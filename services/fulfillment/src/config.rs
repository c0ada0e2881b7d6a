//! The section `[services.fulfillment]` of the configuration.

use serde::Deserialize;

/// Every limit of the service, by name.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// How long a seller has to ship, for the due time that sellers see.
    pub(crate) handling_hours: u32,
    /// The most shipping methods of a tenant.
    pub(crate) max_methods: i64,
    /// The most tracking events of a shipment; the oldest go first.
    pub(crate) max_tracking_events: usize,
    /// How long a tenant's methods are remembered for quotes.
    pub(crate) methods_seconds: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { handling_hours: 48, max_methods: 50, max_tracking_events: 100, methods_seconds: 5 }
    }
}

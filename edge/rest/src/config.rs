//! The limits and habits of the REST edge, section `[rest]` of the configuration.

use std::net::IpAddr;

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Browsers' pages from these origins may use the API; `*`: any.
    pub cors_origins: Vec<String>,
    /// The largest JSON body.
    pub json_body_bytes: usize,
    /// The largest raw body (uploads, images) where the contract states none.
    pub raw_body_bytes: usize,
    /// How long a request may take; uploads of files have ten times as long.
    pub request_timeout_seconds: u64,
    /// Requests a second from one address, on average and at once; 0: no limit.
    pub address_per_second: u32,
    pub address_burst: u32,
    /// Requests a second of one account, on average and at once; 0: no limit.
    pub account_per_second: u32,
    pub account_burst: u32,
    /// How often a stream says that it is alive.
    pub heartbeat_seconds: u64,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cors_origins: Vec::new(),
            json_body_bytes: 1 << 20,
            raw_body_bytes: 64 << 20,
            request_timeout_seconds: 10,
            address_per_second: 100,
            address_burst: 500,
            account_per_second: 100,
            account_burst: 500,
            heartbeat_seconds: 15,
            trusted_proxies: Vec::new(),
        }
    }
}

//! The section `[services.payments]` of the configuration, and every limit of this service.

use std::time::Duration;

use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// The PSP that is used when a payment names none.
    pub(crate) default_psp: String,
    /// Our own sandbox PSP; `enabled = false` turns it off.
    pub(crate) sandbox: SandboxConfig,
    pub(crate) guard: GuardConfig,
    /// How often payments with something open are looked for.
    pub(crate) reconcile_every_ms: u64,
    /// How often the whole ledger is proved.
    pub(crate) prove_every_seconds: u64,
    /// How long processed webhooks are kept.
    pub(crate) keep_webhooks_days: u32,
}

/// Where the sandbox is and our account there.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SandboxConfig {
    pub(crate) enabled: bool,
    /// How this process reaches it.
    pub(crate) url: String,
    /// How browsers reach it; empty: the same.
    pub(crate) public_url: String,
    pub(crate) secret_key: String,
    pub(crate) publishable_key: String,
    pub(crate) webhook_secret: String,
}

/// What protects us from a PSP that is slow or away, per PSP.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GuardConfig {
    /// How long one request may take.
    pub(crate) timeout_ms: u64,
    /// Requests under way at once.
    pub(crate) max_concurrent: usize,
    /// How long a request may wait for its turn.
    pub(crate) max_wait_ms: u64,
    /// Failures in a row after which the PSP is left alone.
    pub(crate) failures_to_open: u32,
    /// For how long.
    pub(crate) open_ms: u64,
    /// Tries of a request that surely was not carried out.
    pub(crate) tries: u32,
    /// The pause before the second try; doubles, with jitter.
    pub(crate) pause_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            default_psp: "sandbox".to_owned(),
            sandbox: SandboxConfig::default(),
            guard: GuardConfig::default(),
            reconcile_every_ms: 1_000,
            prove_every_seconds: 300,
            keep_webhooks_days: 30,
        }
    }
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            url: "http://127.0.0.1:8082".to_owned(),
            public_url: String::new(),
            secret_key: "sk_sandbox".to_owned(),
            publishable_key: "pk_sandbox".to_owned(),
            webhook_secret: "whsec_sandbox".to_owned(),
        }
    }
}

impl Default for GuardConfig {
    fn default() -> Self {
        Self { timeout_ms: 4_000, max_concurrent: 256, max_wait_ms: 500, failures_to_open: 10, open_ms: 3_000, tries: 3, pause_ms: 50 }
    }
}

impl GuardConfig {
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

/// Payments recorded in one transaction.
pub(crate) const MAX_BATCH: usize = 256;
/// Payments asked about in one run of the reconciler, and at once.
pub(crate) const MAX_RECONCILED: i64 = 500;
pub(crate) const RECONCILED_AT_ONCE: usize = 16;
/// Questions to the PSP that one request may lead to: authorise, then cancel what was voided meanwhile, and the like.
pub(crate) const MAX_ASKS: usize = 4;
/// Webhook deliveries processed in one transaction.
pub(crate) const MAX_DELIVERIES: i64 = 50;
/// Events one delivery may carry.
pub(crate) const MAX_EVENTS: usize = 1_000;
/// How old a webhook's signature may be.
pub(crate) const SIGNATURE_VALID: chrono::Duration = chrono::Duration::minutes(5);
/// Captures of one payment, and refunds.
pub(crate) const MAX_MOVEMENTS: usize = 1_000;
/// No payment is larger, in minor units; keeps every sum far from overflow.
pub(crate) const MAX_AMOUNT_MINOR: i64 = 1_000_000_000_000;
/// Entries and payments in one page.
pub(crate) const DEFAULT_PAGE: u32 = 20;
pub(crate) const MAX_PAGE: u32 = 100;
/// Saved methods of one buyer.
pub(crate) const MAX_METHODS: i64 = 50;

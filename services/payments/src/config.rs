//! The section `[services.payments]` of the configuration, and every limit of this service.

use std::time::Duration;

use kit_core::TenantId;
use serde::Deserialize;

use crate::psp::MethodKind;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// The PSP that is used when a payment names none.
    pub(crate) default_psp: String,
    /// Our own sandbox PSP; `enabled = false` turns it off.
    pub(crate) sandbox: SandboxConfig,
    /// Other PSPs; each is used when its section is enabled and has its keys.
    pub(crate) stripe: StripeConfig,
    pub(crate) paypal: PaypalConfig,
    pub(crate) razorpay: RazorpayConfig,
    /// Which PSPs payments go to, the first rule that fits; none: every PSP that offers the method, the default one first.
    pub(crate) routes: Vec<Route>,
    /// The sandbox bank, from which sellers are paid; `enabled = false` turns it off, and nothing is paid out.
    pub(crate) bank: BankConfig,
    pub(crate) settlement: SettlementConfig,
    pub(crate) guard: GuardConfig,
    /// How often payments with something open are looked for.
    pub(crate) reconcile_every_ms: u64,
    /// How often the whole ledger is proved.
    pub(crate) prove_every_seconds: u64,
    /// How long processed webhooks are kept, and how often older ones are forgotten.
    pub(crate) keep_webhooks_days: u32,
    pub(crate) prune_webhooks_every_seconds: u64,
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

/// A rule about which PSPs payments go to. What is left out fits everything.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Route {
    pub(crate) methods: Vec<MethodKind>,
    /// By code, as in "EUR".
    pub(crate) currencies: Vec<String>,
    /// From this amount, and below that one, in minor units.
    pub(crate) from_minor: Option<i64>,
    pub(crate) below_minor: Option<i64>,
    /// Only payments to these sellers and no others.
    pub(crate) tenants: Vec<TenantId>,
    /// In the order in which they are tried.
    pub(crate) psps: Vec<String>,
}

/// Our account at Stripe. The webhook is `/v1/webhooks/stripe` of the market.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StripeConfig {
    pub(crate) enabled: bool,
    pub(crate) url: String,
    /// The version of its API that answers are read as.
    pub(crate) api_version: String,
    /// Its script for the card fields, which the browser loads from Stripe.
    pub(crate) script_url: String,
    pub(crate) secret_key: String,
    pub(crate) publishable_key: String,
    pub(crate) webhook_secret: String,
}

/// Our account at PayPal. The webhook is `/v1/webhooks/paypal` of the market.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PaypalConfig {
    pub(crate) enabled: bool,
    pub(crate) url: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    /// PayPal's id of our webhook, which its signatures cover.
    pub(crate) webhook_id: String,
}

/// Our account at Razorpay, with its S2S payments switched on. The webhook is `/v1/webhooks/razorpay` of the market.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RazorpayConfig {
    pub(crate) enabled: bool,
    pub(crate) url: String,
    pub(crate) key_id: String,
    pub(crate) key_secret: String,
    pub(crate) webhook_secret: String,
}

/// Where the sandbox bank is and our account there.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BankConfig {
    pub(crate) enabled: bool,
    pub(crate) url: String,
    pub(crate) secret_key: String,
    pub(crate) webhook_secret: String,
    /// How long one request may take.
    pub(crate) timeout_ms: u64,
}

/// When sellers' money becomes available, and when it is paid out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SettlementConfig {
    /// From delivery until a sub-order's money is available.
    pub(crate) hold_minutes: u32,
    /// The length of the period that is paid out as one, by plan. Periods begin on Monday at midnight (UTC).
    pub(crate) free_every_minutes: u32,
    pub(crate) pro_every_minutes: u32,
    pub(crate) enterprise_every_minutes: u32,
    /// Less than this is carried forward, in minor units.
    pub(crate) minimum_minor: i64,
    /// How often what is due is released and paid out.
    pub(crate) settle_every_seconds: u64,
    /// How often banks are asked about payouts under way.
    pub(crate) ask_banks_every_seconds: u64,
    /// How often the reports of PSPs and banks are fetched and compared.
    pub(crate) reconcile_every_seconds: u64,
    /// How long a report may take to tell of what we have booked.
    pub(crate) report_grace_minutes: u32,
}

impl Default for BankConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            url: "http://127.0.0.1:8082".to_owned(),
            secret_key: "bk_sandbox".to_owned(),
            webhook_secret: "whsec_sandbox_bank".to_owned(),
            timeout_ms: 10_000,
        }
    }
}

impl Default for SettlementConfig {
    fn default() -> Self {
        const DAY: u32 = 24 * 60;
        Self {
            hold_minutes: 7 * DAY,
            free_every_minutes: 7 * DAY,
            pro_every_minutes: DAY,
            enterprise_every_minutes: DAY,
            minimum_minor: 100,
            settle_every_seconds: 60,
            ask_banks_every_seconds: 5,
            reconcile_every_seconds: 60 * 60,
            report_grace_minutes: 60,
        }
    }
}

impl SettlementConfig {
    /// The length of a period on a plan.
    pub(crate) fn period_minutes(&self, plan: &str) -> u32 {
        match plan {
            "pro" => self.pro_every_minutes,
            "enterprise" => self.enterprise_every_minutes,
            _ => self.free_every_minutes,
        }
    }

    pub(crate) fn hold(&self) -> chrono::Duration {
        chrono::Duration::minutes(i64::from(self.hold_minutes))
    }

    pub(crate) fn report_grace(&self) -> chrono::Duration {
        chrono::Duration::minutes(i64::from(self.report_grace_minutes))
    }
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
            stripe: StripeConfig::default(),
            paypal: PaypalConfig::default(),
            razorpay: RazorpayConfig::default(),
            routes: Vec::new(),
            bank: BankConfig::default(),
            settlement: SettlementConfig::default(),
            guard: GuardConfig::default(),
            reconcile_every_ms: 1_000,
            prove_every_seconds: 300,
            keep_webhooks_days: 30,
            prune_webhooks_every_seconds: 60 * 60,
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

impl Default for StripeConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            url: "https://api.stripe.com".to_owned(),
            api_version: "2025-03-31.basil".to_owned(),
            script_url: "https://js.stripe.com/v3/".to_owned(),
            secret_key: String::new(),
            publishable_key: String::new(),
            webhook_secret: String::new(),
        }
    }
}

impl Default for PaypalConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            url: "https://api-m.paypal.com".to_owned(),
            client_id: String::new(),
            client_secret: String::new(),
            webhook_id: String::new(),
        }
    }
}

impl Default for RazorpayConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            url: "https://api.razorpay.com".to_owned(),
            key_id: String::new(),
            key_secret: String::new(),
            webhook_secret: String::new(),
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
/// Sub-orders released in one transaction.
pub(crate) const MAX_RELEASED: i64 = 200;
/// Tenants looked at together for payouts, and payouts the bank is asked about in one run.
pub(crate) const MAX_CANDIDATES: i64 = 500;
pub(crate) const MAX_PAYOUTS_ASKED: i64 = 500;
/// Lines of a statement.
pub(crate) const MAX_STATEMENT_LINES: i64 = 10_000;
/// Lines of a report fetched at once, pages in one run, and payments looked at again for lines that fit nothing.
pub(crate) const REPORT_PAGE: usize = 500;
pub(crate) const MAX_REPORT_PAGES: usize = 2_000;
pub(crate) const MAX_LOOKED_AT_AGAIN: i64 = 200;

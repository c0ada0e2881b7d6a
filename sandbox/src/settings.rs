//! Everything the sandbox can be told, with its defaults; every limit is here.

use std::path::PathBuf;
use std::time::Duration;

use kit_core::Clock;
use url::Url;

/// One merchant account at the sandbox, and where the sandbox lives.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The origin of the sandbox's own pages, as browsers reach it: `http://127.0.0.1:8082`.
    pub public_url: String,
    /// Authenticates the merchant's server (`Authorization: Bearer …`).
    pub secret_key: String,
    /// Names the merchant in the browser's card form.
    pub publishable_key: String,
    /// Where webhooks go; none: events can only be listed.
    pub webhook_url: Option<String>,
    /// Signs webhooks.
    pub webhook_secret: String,
    /// Origins a browser may be sent back to, as in `http://127.0.0.1:8080`. One on the own machine stands for all names of that machine.
    pub return_origins: Vec<String>,
    /// Holds the journal.
    pub data_dir: PathBuf,
    pub timings: Timings,
    pub clock: Clock,
    pub fees: Fees,
    /// The sandbox bank, which lives at the same address.
    pub bank: BankSettings,
    /// The contract servers of other PSPs, at the same address under `/paypal` and `/razorpay`.
    pub contracts: ContractSettings,
}

/// A merchant account at each contract server.
#[derive(Debug, Clone)]
pub struct ContractSettings {
    pub paypal_client_id: String,
    pub paypal_client_secret: String,
    pub paypal_webhook_id: String,
    pub paypal_webhook_url: Option<String>,
    pub razorpay_key_id: String,
    pub razorpay_key_secret: String,
    pub razorpay_webhook_secret: String,
    pub razorpay_webhook_url: Option<String>,
}

impl Default for ContractSettings {
    fn default() -> Self {
        Self {
            paypal_client_id: "paypal_client".to_owned(),
            paypal_client_secret: "paypal_secret".to_owned(),
            paypal_webhook_id: "WH-SANDBOX".to_owned(),
            paypal_webhook_url: None,
            razorpay_key_id: "rzp_test_sandbox".to_owned(),
            razorpay_key_secret: "rzp_secret".to_owned(),
            razorpay_webhook_secret: "rzp_whsec".to_owned(),
            razorpay_webhook_url: None,
        }
    }
}

/// What the PSP takes for its work, and the tax on it.
#[derive(Debug, Clone)]
pub struct Fees {
    /// Of every capture, in basis points, and a fixed part in minor units.
    pub capture_bps: u32,
    pub capture_fixed_minor: i64,
    /// For every dispute.
    pub dispute_minor: i64,
    /// The tax on all fees.
    pub tax_bps: u32,
}

impl Default for Fees {
    fn default() -> Self {
        Self { capture_bps: 140, capture_fixed_minor: 25, dispute_minor: 1_500, tax_bps: 1_900 }
    }
}

/// The merchant's account at the sandbox bank.
#[derive(Debug, Clone)]
pub struct BankSettings {
    /// Authenticates the merchant's server (`Authorization: Bearer …`).
    pub secret_key: String,
    /// Where webhooks go; none: transfers can only be looked up.
    pub webhook_url: Option<String>,
    /// Signs webhooks.
    pub webhook_secret: String,
}

impl Default for BankSettings {
    fn default() -> Self {
        Self { secret_key: "bk_sandbox".to_owned(), webhook_url: None, webhook_secret: "whsec_sandbox_bank".to_owned() }
    }
}

impl Settings {
    /// Brings the URLs into one form, and registers `localhost` beside `127.0.0.1`: browsers are sent to either.
    pub(crate) fn normal(mut self) -> Self {
        self.public_url = self.public_url.trim_end_matches('/').to_owned();
        let origins = self.return_origins.iter().filter_map(|origin| Url::parse(origin).ok());
        let named = origins.flat_map(|url| {
            let own_machine = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
            let aliases: &[&str] = if own_machine { &["localhost", "127.0.0.1", "[::1]"] } else { &[] };
            let with_host = |host: &&str| {
                let mut alias = url.clone();
                alias.set_host(Some(host)).ok().map(|()| alias.origin().ascii_serialization())
            };
            std::iter::once(url.origin().ascii_serialization()).chain(aliases.iter().filter_map(with_host)).collect::<Vec<_>>()
        });
        self.return_origins = named.collect();
        self.return_origins.sort();
        self.return_origins.dedup();
        self
    }
}

/// How long things take; tests shorten them.
#[derive(Debug, Clone)]
pub struct Timings {
    /// How long an asynchronous card takes to answer.
    pub later: Duration,
    /// How long the answer of a call that "times out" is held back.
    pub hang: Duration,
    /// How long a "delayed" card's answers take.
    pub delay: Duration,
    /// How much later a "delayed" or reordered webhook is sent.
    pub webhook_delay: Duration,
    /// How long a buyer has for a 3-D Secure challenge.
    pub challenge: Duration,
    /// How long a token of the card form can be used.
    pub token: Duration,
    /// The pause before a failed webhook is sent again; doubles each time.
    pub retry: Duration,
    /// How long evidence against a dispute is taken.
    pub evidence: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            later: Duration::from_secs(3),
            hang: Duration::from_secs(30),
            delay: Duration::from_secs(2),
            webhook_delay: Duration::from_secs(4),
            challenge: Duration::from_secs(15 * 60),
            token: Duration::from_secs(60 * 60),
            retry: Duration::from_secs(1),
            evidence: Duration::from_secs(7 * 24 * 60 * 60),
        }
    }
}

/// Characters of the evidence against a dispute.
pub(crate) const MAX_EVIDENCE: usize = 20_000;
/// Lines of a report in one answer.
pub(crate) const MAX_REPORT_LINES: usize = 1_000;
/// Payments in one answer.
pub(crate) const MAX_LISTED_PAYMENTS: usize = 1_000;
/// Bytes of a request body.
pub(crate) const MAX_BODY_BYTES: usize = 64 * 1024;
/// Events kept for listing, in memory; older ones and those of earlier processes show only in their payments.
pub(crate) const MAX_LISTED_EVENTS: usize = 5_000;
/// Captures and refunds one payment can have.
pub(crate) const MAX_MOVEMENTS: usize = 1_000;
/// Events in one webhook request.
pub(crate) const MAX_EVENTS_PER_DELIVERY: usize = 100;
/// Webhook requests under way at once.
pub(crate) const MAX_DELIVERIES: usize = 4;
/// Events waiting for delivery; beyond it they are dropped, and the merchant has to ask.
pub(crate) const MAX_WAITING_EVENTS: usize = 200_000;
/// How often one delivery is tried: with doubling pauses from one second to five minutes, about half a day.
pub(crate) const MAX_ATTEMPTS: u32 = 150;
/// The longest pause between two tries.
pub(crate) const MAX_RETRY: Duration = Duration::from_secs(5 * 60);
/// How long the merchant may take to answer a webhook.
pub(crate) const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(10);

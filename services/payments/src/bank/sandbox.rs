//! The adapter to our sandbox bank: its HTTP API and its webhooks, as the sandbox's README tells them.

use std::collections::HashMap;
use std::time::Duration;

use api_payments::PayoutId;
use futures::FutureExt;
use futures::future::BoxFuture;
use kit_core::Time;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{Bank, BankAnswer, BankError, BankNotice, Beneficiary};
use crate::config::{BankConfig, MAX_EVENTS};
use crate::error::Error;
use crate::model::{Payout, SeenTransfer, SeenTransferStatus};
use crate::psp::signature;
use crate::store::reports::NewLine;

const NAME: &str = "sandbox_bank";

pub(crate) struct SandboxBank {
    config: BankConfig,
    client: reqwest::Client,
}

impl SandboxBank {
    pub(crate) fn new(config: &BankConfig) -> anyhow::Result<Self> {
        let url = url::Url::parse(&config.url).map_err(|error| anyhow::anyhow!("services.payments.bank.url: {error}"))?;
        anyhow::ensure!(matches!(url.scheme(), "http" | "https"), "services.payments.bank.url: must begin with http:// or https://");
        let mut config = config.clone();
        config.url = config.url.trim_end_matches('/').to_owned();
        let client = reqwest::Client::builder().timeout(Duration::from_millis(config.timeout_ms)).tcp_nodelay(true).no_proxy().build()?;
        Ok(Self { config, client })
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}/bank/v1{path}", self.config.url)).bearer_auth(&self.config.secret_key)
    }
}

impl Bank for SandboxBank {
    fn name(&self) -> &'static str {
        NAME
    }

    fn register<'a>(&'a self, holder: &'a str, iban: &'a str) -> BoxFuture<'a, Result<Beneficiary, BankError>> {
        let request = self.request(Method::POST, "/beneficiaries").json(&json!({"holder": holder, "iban": iban}));
        async move {
            let made: BeneficiaryBody = answered(request).await?;
            Ok(Beneficiary { id: made.id, last4: made.last4 })
        }
        .boxed()
    }

    fn transfer<'a>(&'a self, payout: &'a Payout) -> BankAnswer<'a> {
        let body = json!({
            "beneficiary": payout.beneficiary,
            "amount_minor": payout.amount_minor,
            "currency": payout.currency.as_str(),
            "purpose": format!("MarketHub payout until {}", payout.period.end.format("%Y-%m-%d %H:%M")),
        });
        let request = self.request(Method::POST, "/transfers").header("idempotency-key", payout.id.to_string()).json(&body);
        async move { Ok(answered::<TransferBody>(request).await?.seen()) }.boxed()
    }

    fn find(&self, payout: PayoutId) -> BankAnswer<'_> {
        let request = self.request(Method::GET, &format!("/transfers?idempotency_key={payout}"));
        async move { Ok(answered::<TransferBody>(request).await?.seen()) }.boxed()
    }

    fn verify(&self, headers: &HashMap<String, String>, body: &[u8], now: Time) -> Result<(), Error> {
        signature::verify(signature::SANDBOX, &self.config.webhook_secret, headers, body, now)
    }

    fn read(&self, body: &[u8]) -> Result<Vec<BankNotice>, Error> {
        let delivery: Delivery = serde_json::from_slice(body).map_err(|error| Error::WebhookUnreadable(error.to_string()))?;
        if delivery.events.len() > MAX_EVENTS {
            return Err(Error::WebhookUnreadable(format!("it carries more than {MAX_EVENTS} events")));
        }
        let notice = |event: Event| BankNotice { event_id: event.id, payout: event.transfer.reference.parse().ok(), seen: event.transfer.seen() };
        Ok(delivery.events.into_iter().map(notice).collect())
    }

    fn report(&self, after: i64, limit: usize) -> BoxFuture<'_, Result<Vec<NewLine>, BankError>> {
        let request = self.request(Method::GET, &format!("/statement?after={after}&limit={limit}"));
        async move {
            let statement: Statement = answered(request).await?;
            statement.lines.into_iter().map(StatementLine::reported).collect()
        }
        .boxed()
    }
}

/// Sends a request and sorts what comes back by what it says about having been carried out.
async fn answered<T: DeserializeOwned>(request: reqwest::RequestBuilder) -> Result<T, BankError> {
    let unknown = |error: reqwest::Error| BankError::Unknown(error.to_string());
    let answer = request.send().await.map_err(unknown)?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(unknown)?;
    match status {
        _ if status.is_success() => serde_json::from_slice(&body).map_err(|error| BankError::Unknown(format!("the answer cannot be read: {error}"))),
        StatusCode::NOT_FOUND => Err(BankError::NotFound),
        // Our key is not accepted or we ask too much: nothing about the transfer itself.
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => {
            Err(BankError::Unknown(format!("the bank answered {status}")))
        }
        _ if status.is_client_error() => {
            let refusal: Refusal = serde_json::from_slice(&body).unwrap_or_default();
            Err(BankError::Refused(refusal.error.message))
        }
        _ => Err(BankError::Unknown(format!("the bank answered {status}"))),
    }
}

#[derive(Deserialize, Default)]
struct Refusal {
    error: RefusalBody,
}

#[derive(Deserialize, Default)]
struct RefusalBody {
    message: String,
}

#[derive(Deserialize)]
struct BeneficiaryBody {
    id: String,
    last4: String,
}

#[derive(Deserialize)]
struct Delivery {
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    id: String,
    transfer: TransferBody,
}

#[derive(Deserialize)]
struct TransferBody {
    id: String,
    reference: String,
    amount_minor: i64,
    status: SeenTransferStatus,
    reason: String,
    version: i64,
}

impl TransferBody {
    fn seen(self) -> SeenTransfer {
        SeenTransfer { reference: self.id, version: self.version, status: self.status, amount_minor: self.amount_minor, reason: self.reason }
    }
}

#[derive(Deserialize)]
struct Statement {
    lines: Vec<StatementLine>,
}

#[derive(Deserialize)]
struct StatementLine {
    number: i64,
    reference: String,
    kind: LineKind,
    amount_minor: i64,
    currency: String,
    created: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum LineKind {
    Transfer,
    Return,
}

impl StatementLine {
    fn reported(self) -> Result<NewLine, BankError> {
        let booked_at = Time::from_timestamp(self.created, 0).ok_or_else(|| BankError::Unknown("a line without a readable moment".to_owned()))?;
        Ok(NewLine {
            number: self.number,
            kind: match self.kind {
                LineKind::Transfer => "payout_paid",
                LineKind::Return => "payout_returned",
            },
            reference: self.reference,
            payment: None,
            amount_minor: self.amount_minor,
            fee_minor: 0,
            currency: self.currency,
            booked_at,
        })
    }
}

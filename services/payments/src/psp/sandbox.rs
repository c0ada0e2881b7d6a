//! The adapter to our sandbox PSP: its HTTP API and its webhooks, as its README tells them.

use std::collections::HashMap;

use api_payments::{CaptureId, PaymentId, RefundId};
use futures::FutureExt;
use futures::future::BoxFuture;
use hmac::{Hmac, Mac};
use kit_core::{Currency, Money, Time};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Notice, Offer, Psp, PspAnswer, PspError};
use crate::config::{GuardConfig, MAX_EVENTS, SIGNATURE_VALID, SandboxConfig};
use crate::error::Error;
use crate::model::{CardSummary, Failure, MovementState, Payment, SeenMovement, SeenStatus, Sighting};

pub(crate) const NAME: &str = "sandbox";
const SIGNATURE_HEADER: &str = "sandbox-signature";
/// Cards to try, and what they do.
const TEST_CARDS: &[(&str, &str)] = &[
    ("4242 4242 4242 4242", "succeeds"),
    ("4000 0000 0000 3220", "asks for 3-D Secure"),
    ("4000 0000 0000 0002", "is declined"),
    ("4000 0000 0000 9995", "is declined for insufficient funds"),
    ("4000 0000 0000 0077", "is answered later, only by webhook"),
    ("4000 0000 0000 0119", "succeeds, but the answer never arrives"),
];

pub(crate) struct Sandbox {
    config: SandboxConfig,
    client: reqwest::Client,
}

impl Sandbox {
    pub(crate) fn new(config: &SandboxConfig, limits: &GuardConfig) -> anyhow::Result<Self> {
        let url = url::Url::parse(&config.url).map_err(|error| anyhow::anyhow!("services.payments.sandbox.url: {error}"))?;
        anyhow::ensure!(matches!(url.scheme(), "http" | "https"), "services.payments.sandbox.url: must begin with http:// or https://");
        let mut config = config.clone();
        config.url = config.url.trim_end_matches('/').to_owned();
        if config.public_url.is_empty() {
            config.public_url.clone_from(&config.url);
        }
        let client = reqwest::Client::builder()
            .timeout(limits.timeout())
            .pool_max_idle_per_host(limits.max_concurrent)
            .tcp_nodelay(true)
            .no_proxy()
            .build()?;
        Ok(Self { config, client })
    }

    fn post(&self, path: &str, key: &str, body: &Value) -> PspAnswer<'_> {
        let request = self.request(Method::POST, path).header("idempotency-key", key).json(body);
        sighting(request).boxed()
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.config.url)).bearer_auth(&self.config.secret_key)
    }
}

impl Psp for Sandbox {
    fn authorise<'a>(&'a self, payment: &'a Payment) -> PspAnswer<'a> {
        let key = payment.id.to_string();
        let body = json!({
            "reference": key,
            "amount_minor": payment.amount_minor,
            "currency": payment.currency.as_str(),
            "token": payment.method_token,
            "return_url": payment.return_url,
            "description": payment.description,
            "save_method": payment.save_method,
        });
        self.post("/v1/payments", &key, &body)
    }

    fn find(&self, payment: PaymentId) -> PspAnswer<'_> {
        sighting(self.request(Method::GET, &format!("/v1/payments?idempotency_key={payment}"))).boxed()
    }

    fn retrieve<'a>(&'a self, reference: &'a str) -> PspAnswer<'a> {
        sighting(self.request(Method::GET, &format!("/v1/payments/{reference}"))).boxed()
    }

    fn capture<'a>(&'a self, reference: &'a str, id: CaptureId, amount_minor: i64) -> PspAnswer<'a> {
        let key = id.to_string();
        self.post(&format!("/v1/payments/{reference}/capture"), &key, &json!({"reference": key, "amount_minor": amount_minor}))
    }

    fn refund<'a>(&'a self, reference: &'a str, id: RefundId, amount_minor: i64) -> PspAnswer<'a> {
        let key = id.to_string();
        self.post(&format!("/v1/payments/{reference}/refunds"), &key, &json!({"reference": key, "amount_minor": amount_minor}))
    }

    fn cancel<'a>(&'a self, reference: &'a str) -> PspAnswer<'a> {
        sighting(self.request(Method::POST, &format!("/v1/payments/{reference}/cancel"))).boxed()
    }

    fn forget_method<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<(), PspError>> {
        let request = self.request(Method::DELETE, &format!("/v1/methods/{token}"));
        async move {
            match answered(request).await {
                Ok(_) | Err(PspError::NotFound) => Ok(()),
                Err(error) => Err(error),
            }
        }
        .boxed()
    }

    fn verify(&self, headers: &HashMap<String, String>, body: &[u8], now: Time) -> Result<(), Error> {
        let header = headers.get(SIGNATURE_HEADER).ok_or(Error::SignatureInvalid)?;
        let (moment, signature) = header.strip_prefix("t=").and_then(|rest| rest.split_once(",v1=")).ok_or(Error::SignatureInvalid)?;
        let sent_at = moment.parse().ok().and_then(|seconds| Time::from_timestamp(seconds, 0)).ok_or(Error::SignatureInvalid)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(self.config.webhook_secret.as_bytes()).map_err(|_| Error::SignatureInvalid)?;
        mac.update(moment.as_bytes());
        mac.update(b".");
        mac.update(body);
        mac.verify_slice(&unhex(signature).ok_or(Error::SignatureInvalid)?).map_err(|_| Error::SignatureInvalid)?;
        if (now - sent_at).abs() <= SIGNATURE_VALID { Ok(()) } else { Err(Error::SignatureInvalid) }
    }

    fn read(&self, body: &[u8]) -> Result<Vec<Notice>, Error> {
        let delivery: Delivery = serde_json::from_slice(body).map_err(|error| Error::WebhookUnreadable(error.to_string()))?;
        if delivery.events.len() > MAX_EVENTS {
            return Err(Error::WebhookUnreadable(format!("it carries more than {MAX_EVENTS} events")));
        }
        let notice = |event: Event| {
            let payment = event.payment.reference.parse().ok();
            let sighting = event.payment.sighting().map_err(Error::WebhookUnreadable)?;
            Ok(Notice { event_id: event.id, payment, sighting })
        };
        delivery.events.into_iter().map(notice).collect()
    }

    fn offer(&self) -> Offer {
        let origin = url::Url::parse(&self.config.public_url).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
        Offer {
            name: "Card (sandbox)".to_owned(),
            tokenisation_url: format!("{}/v1/tokens", self.config.public_url),
            publishable_key: self.config.publishable_key.clone(),
            origin,
            test_cards: TEST_CARDS.to_vec(),
        }
    }
}

/// Sends a request whose answer is the record of a payment.
async fn sighting(request: reqwest::RequestBuilder) -> Result<Sighting, PspError> {
    let body = answered(request).await?;
    let record: Record = serde_json::from_slice(&body).map_err(|error| PspError::Unknown(format!("the answer cannot be read: {error}")))?;
    record.sighting().map_err(PspError::Unknown)
}

/// Sends a request and sorts what comes back by what it says about having been carried out.
async fn answered(request: reqwest::RequestBuilder) -> Result<Vec<u8>, PspError> {
    let answer = request.send().await.map_err(|error| {
        // A connection that was never made carried nothing; everything else may have.
        if error.is_connect() || error.is_builder() { PspError::NotDone(error.to_string()) } else { PspError::Unknown(error.to_string()) }
    })?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(|error| PspError::Unknown(error.to_string()))?.to_vec();
    match status {
        _ if status.is_success() => Ok(body),
        StatusCode::NOT_FOUND => Err(PspError::NotFound),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(PspError::NotDone("the PSP does not accept our key".to_owned())),
        StatusCode::TOO_MANY_REQUESTS => Err(PspError::NotDone("the PSP says that these are too many requests".to_owned())),
        _ if status.is_client_error() => {
            let refusal: Refusal = serde_json::from_slice(&body).unwrap_or_default();
            Err(PspError::Refused(Failure { code: refusal.error.code, message: refusal.error.message }))
        }
        _ => Err(PspError::Unknown(format!("the PSP answered {status}"))),
    }
}

#[derive(Deserialize)]
struct Delivery {
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    id: String,
    payment: Record,
}

#[derive(Deserialize, Default)]
struct Refusal {
    error: FailureBody,
}

#[derive(Deserialize, Default)]
struct FailureBody {
    code: String,
    message: String,
}

impl From<FailureBody> for Failure {
    fn from(body: FailureBody) -> Self {
        Self { code: body.code, message: body.message }
    }
}

#[derive(Deserialize)]
struct Record {
    id: String,
    reference: String,
    status: Status,
    amount_minor: i64,
    currency: String,
    version: i64,
    next_action_url: Option<String>,
    failure: Option<FailureBody>,
    card: Option<CardSummary>,
    saved_method: Option<String>,
    captures: Vec<MovementBody>,
    refunds: Vec<MovementBody>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    RequiresMethod,
    RequiresAction,
    Processing,
    Authorised,
    Captured,
    Cancelled,
    Failed,
}

#[derive(Deserialize)]
struct MovementBody {
    reference: String,
    amount_minor: i64,
    status: MovementState,
    failure: Option<FailureBody>,
}

impl Record {
    fn sighting(self) -> Result<Sighting, String> {
        let currency: Currency = self.currency.parse().map_err(|error| format!("{error}"))?;
        let movements = |list: Vec<MovementBody>| {
            let seen = |m: MovementBody| SeenMovement {
                reference: m.reference,
                state: m.status,
                amount_minor: m.amount_minor,
                failure: m.failure.map(Into::into),
            };
            list.into_iter().map(seen).collect()
        };
        Ok(Sighting {
            reference: self.id,
            version: self.version,
            status: match self.status {
                Status::RequiresMethod | Status::Processing => SeenStatus::Processing,
                Status::RequiresAction => SeenStatus::ActionRequired,
                Status::Authorised => SeenStatus::Authorised,
                Status::Captured => SeenStatus::Captured,
                Status::Cancelled => SeenStatus::Cancelled,
                Status::Failed => SeenStatus::Failed,
            },
            amount: Money::new(self.amount_minor, currency),
            captures: movements(self.captures),
            refunds: movements(self.refunds),
            failure: self.failure.map(Into::into),
            next_action_url: self.next_action_url,
            card: self.card,
            saved_token: self.saved_method,
        })
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    digits
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(high * 16 + low).ok(),
            _ => None,
        })
        .collect()
}

//! The adapter to our sandbox PSP: its HTTP API and its webhooks, as its README tells them.

use std::collections::HashMap;
use std::future::ready;

use api_payments::{CaptureId, DisputeId, PaymentId, RefundId};
use futures::FutureExt;
use futures::future::BoxFuture;
use kit_core::{Currency, Money, Time};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Collect, Detail, MethodKind, Notice, Offer, Psp, PspAnswer, PspError, Way, http, signature};
use crate::config::{GuardConfig, MAX_EVENTS, SandboxConfig};
use crate::error::Error;
use crate::model::{CardSummary, DisputeState, Failure, Fee, MovementState, Payment, SeenDispute, SeenMovement, SeenStatus, Sighting, dispute_id};
use crate::store::reports::NewLine;

pub(crate) const NAME: &str = "sandbox";
/// Cards to try, and what they do.
const TEST_CARDS: &[(&str, &str)] = &[
    ("4242 4242 4242 4242", "succeeds"),
    ("4000 0000 0000 3220", "asks for 3-D Secure"),
    ("4000 0000 0000 0002", "is declined"),
    ("4000 0000 0000 9995", "is declined for insufficient funds"),
    ("4000 0000 0000 0077", "is answered later, only by webhook"),
    ("4000 0000 0000 0119", "succeeds, but the answer never arrives"),
];

const BANKS: &[(&str, &str)] = &[("first", "First Sandbox Bank"), ("second", "Second Sandbox Bank")];
const WALLETS: &[(&str, &str)] = &[("purse", "Sandbox Purse")];

pub(crate) struct Sandbox {
    config: SandboxConfig,
    client: reqwest::Client,
}

impl Sandbox {
    pub(crate) fn new(config: &SandboxConfig, limits: &GuardConfig) -> anyhow::Result<Self> {
        let mut config = config.clone();
        config.url = http::base_url("sandbox.url", &config.url)?;
        if config.public_url.is_empty() {
            config.public_url.clone_from(&config.url);
        }
        let client = http::client(limits)?;
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
            "token": token_of(&payment.method_token),
            "return_url": payment.return_url,
            "description": payment.description,
            "save_method": payment.save_method,
        });
        self.post("/v1/payments", &key, &body)
    }

    fn find<'a>(&'a self, payment: &'a Payment) -> PspAnswer<'a> {
        sighting(self.request(Method::GET, &format!("/v1/payments?idempotency_key={}", payment.id))).boxed()
    }

    fn retrieve<'a>(&'a self, _payment: &'a Payment, reference: &'a str) -> PspAnswer<'a> {
        sighting(self.request(Method::GET, &format!("/v1/payments/{reference}"))).boxed()
    }

    fn capture<'a>(&'a self, _payment: &'a Payment, reference: &'a str, id: CaptureId, amount_minor: i64) -> PspAnswer<'a> {
        let key = id.to_string();
        self.post(&format!("/v1/payments/{reference}/capture"), &key, &json!({"reference": key, "amount_minor": amount_minor}))
    }

    fn refund<'a>(&'a self, _payment: &'a Payment, reference: &'a str, id: RefundId, amount_minor: i64) -> PspAnswer<'a> {
        let key = id.to_string();
        self.post(&format!("/v1/payments/{reference}/refunds"), &key, &json!({"reference": key, "amount_minor": amount_minor}))
    }

    fn cancel<'a>(&'a self, _payment: &'a Payment, reference: &'a str) -> PspAnswer<'a> {
        sighting(self.request(Method::POST, &format!("/v1/payments/{reference}/cancel"))).boxed()
    }

    fn forget_method<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<(), PspError>> {
        let request = self.request(Method::DELETE, &format!("/v1/methods/{token}"));
        async move {
            match http::answered(request, refusal).await {
                Ok(_) | Err(PspError::NotFound) => Ok(()),
                Err(error) => Err(error),
            }
        }
        .boxed()
    }

    fn answer_dispute<'a>(&'a self, _payment: &'a Payment, reference: &'a str, dispute: &'a str, evidence: &'a str) -> PspAnswer<'a> {
        let path = format!("/v1/payments/{reference}/disputes/{dispute}/evidence");
        sighting(self.request(Method::POST, &path).json(&json!({"evidence": evidence}))).boxed()
    }

    fn report(&self, after: i64, limit: usize) -> BoxFuture<'_, Result<Vec<NewLine>, PspError>> {
        let request = self.request(Method::GET, &format!("/v1/report?after={after}&limit={limit}"));
        async move {
            let report: Report = http::json(request, refusal).await?;
            report.lines.into_iter().map(ReportLine::reported).collect()
        }
        .boxed()
    }

    fn verify<'a>(&'a self, headers: &'a HashMap<String, String>, body: &'a [u8], now: Time) -> BoxFuture<'a, Result<(), Error>> {
        ready(signature::verify(signature::SANDBOX, &self.config.webhook_secret, headers, body, now)).boxed()
    }

    fn read(&self, _headers: &HashMap<String, String>, body: &[u8]) -> Result<Vec<Notice>, Error> {
        let delivery: Delivery = serde_json::from_slice(body).map_err(|error| Error::WebhookUnreadable(error.to_string()))?;
        if delivery.events.len() > MAX_EVENTS {
            return Err(Error::WebhookUnreadable(format!("it carries more than {MAX_EVENTS} events")));
        }
        let notice = |event: Event| {
            let payment = event.payment.reference.parse().ok();
            let sighting = event.payment.sighting().map_err(Error::WebhookUnreadable)?;
            Ok(Notice { event_id: event.id, payment, reference: None, sighting: Some(sighting) })
        };
        delivery.events.into_iter().map(notice).collect()
    }

    fn offer(&self) -> Offer {
        let origin = url::Url::parse(&self.config.public_url).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
        let card = Collect::Form { tokenisation_url: format!("{}/v1/tokens", self.config.public_url), test_cards: TEST_CARDS };
        let redirect = |kind, name, detail| Way { kind, name, collect: Collect::Redirect(detail), saves: false };
        Offer {
            publishable_key: self.config.publishable_key.clone(),
            origins: vec![origin],
            currencies: &[],
            ways: vec![
                Way { kind: MethodKind::Card, name: "Card (sandbox)", collect: card, saves: true },
                redirect(MethodKind::Upi, "UPI (sandbox)", Detail::None),
                redirect(MethodKind::NetBanking, "Net banking (sandbox)", Detail::OneOf("Bank", BANKS)),
                redirect(MethodKind::Wallet, "Wallet (sandbox)", Detail::OneOf("Wallet", WALLETS)),
            ],
        }
    }
}

/// The sandbox's own token of a method that needs no form: its word without what was chosen with it.
fn token_of(method: &str) -> &str {
    match method.split(':').next() {
        Some("upi") => "tok_upi",
        Some("net_banking") => "tok_net_banking",
        Some("wallet") => "tok_wallet",
        _ => method,
    }
}

/// Sends a request whose answer is the record of a payment.
async fn sighting(request: reqwest::RequestBuilder) -> Result<Sighting, PspError> {
    http::json::<Record>(request, refusal).await?.sighting().map_err(PspError::Unknown)
}

fn refusal(body: &[u8]) -> Failure {
    let refusal: Refusal = serde_json::from_slice(body).unwrap_or_default();
    Failure { code: refusal.error.code, message: refusal.error.message }
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
    disputes: Vec<DisputeBody>,
}

#[derive(Deserialize)]
struct DisputeBody {
    id: String,
    reason: String,
    status: DisputeState,
    amount_minor: i64,
    fee_minor: i64,
    fee_tax_minor: i64,
    evidence_due: i64,
}

#[derive(Deserialize)]
struct Report {
    lines: Vec<ReportLine>,
}

#[derive(Deserialize)]
struct ReportLine {
    number: i64,
    kind: ReportKind,
    payment_reference: String,
    reference: String,
    amount_minor: i64,
    fee_minor: i64,
    fee_tax_minor: i64,
    currency: String,
    created: i64,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum ReportKind {
    Capture,
    Refund,
    Dispute,
    DisputeReversal,
}

impl ReportLine {
    fn reported(self) -> Result<NewLine, PspError> {
        let booked_at = Time::from_timestamp(self.created, 0).ok_or_else(|| PspError::Unknown("a line without a readable moment".to_owned()))?;
        // A dispute is known to us under an id made from the PSP's.
        let dispute = |reference: &str| DisputeId::from(dispute_id(NAME, reference)).to_string();
        let (kind, reference) = match self.kind {
            ReportKind::Capture => ("capture", self.reference),
            ReportKind::Refund => ("refund", self.reference),
            ReportKind::Dispute => ("dispute_opened", dispute(&self.reference)),
            ReportKind::DisputeReversal => ("dispute_won", dispute(&self.reference)),
        };
        Ok(NewLine {
            number: self.number,
            kind,
            reference,
            payment: self.payment_reference.parse().ok().map(PaymentId::uuid),
            amount_minor: self.amount_minor,
            fee_minor: self.fee_minor + self.fee_tax_minor,
            currency: self.currency,
            booked_at,
        })
    }
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
    fee_minor: i64,
    fee_tax_minor: i64,
    failure: Option<FailureBody>,
}

impl DisputeBody {
    fn seen(self) -> SeenDispute {
        SeenDispute {
            reference: self.id,
            reason: self.reason,
            state: self.status,
            amount_minor: self.amount_minor,
            fee: Fee { net_minor: self.fee_minor, tax_minor: self.fee_tax_minor },
            evidence_due_at: Time::from_timestamp(self.evidence_due, 0),
        }
    }
}

impl Record {
    fn sighting(self) -> Result<Sighting, String> {
        let currency: Currency = self.currency.parse().map_err(|error| format!("{error}"))?;
        let movements = |list: Vec<MovementBody>| {
            let seen = |m: MovementBody| SeenMovement {
                reference: m.reference,
                state: m.status,
                amount_minor: m.amount_minor,
                fee: Fee { net_minor: m.fee_minor, tax_minor: m.fee_tax_minor },
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
            disputes: self.disputes.into_iter().map(DisputeBody::seen).collect(),
            failure: self.failure.map(Into::into),
            next_action_url: self.next_action_url,
            card: self.card,
            saved_token: self.saved_method,
        })
    }
}

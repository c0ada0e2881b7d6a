//! The adapter to Razorpay: Orders, and server-to-server payments by UPI, net banking and wallets, after its reference
//! (https://razorpay.com/docs/api, https://razorpay.com/docs/payments/payment-gateway/s2s-integration/json/v2).
//!
//! Our payment is an order of theirs (its receipt is our id) with the payments that were tried for it. Cards would bring card numbers
//! here, so they are not offered. Razorpay takes an authorised amount whole or not at all, and knows no void: what is not captured goes
//! back to the buyer by itself.

mod record;

use std::collections::HashMap;
use std::future::ready;

use api_payments::{CaptureId, RefundId};
use futures::FutureExt;
use futures::future::BoxFuture;
use kit_core::Time;
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use self::record::{Items, Order, Record, Tried};
use super::{Collect, Detail, MethodKind, Notice, Offer, Psp, PspAnswer, PspError, Way, http, signature};
use crate::config::{GuardConfig, RazorpayConfig};
use crate::error::Error;
use crate::model::{Failure, Payment, Sighting};

pub(crate) const NAME: &str = "razorpay";
/// How long a payment waits for its capture before Razorpay gives it back; late captures must fit in.
const UNCAPTURED_MINUTES: u32 = 3 * 24 * 60;
/// Some of what Razorpay's documentation lists; an account may have more.
const BANKS: &[(&str, &str)] = &[
    ("HDFC", "HDFC Bank"),
    ("ICIC", "ICICI Bank"),
    ("SBIN", "State Bank of India"),
    ("UTIB", "Axis Bank"),
    ("KKBK", "Kotak Mahindra Bank"),
    ("PUNB_R", "Punjab National Bank"),
];
const WALLETS: &[(&str, &str)] =
    &[("mobikwik", "MobiKwik"), ("airtelmoney", "Airtel Payments Bank"), ("olamoney", "Ola Money"), ("jiomoney", "JioMoney")];

pub(crate) struct Razorpay {
    config: RazorpayConfig,
    client: reqwest::Client,
}

impl Razorpay {
    pub(crate) fn new(config: &RazorpayConfig, limits: &GuardConfig) -> anyhow::Result<Self> {
        let mut config = config.clone();
        config.url = http::base_url("razorpay.url", &config.url)?;
        http::required("razorpay.key_id", &config.key_id)?;
        http::required("razorpay.key_secret", &config.key_secret)?;
        http::required("razorpay.webhook_secret", &config.webhook_secret)?;
        Ok(Self { config, client: http::client(limits)? })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.config.url)).basic_auth(&self.config.key_id, Some(&self.config.key_secret))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, PspError> {
        http::json(self.request(Method::GET, path), refusal).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, PspError> {
        http::json(self.request(Method::POST, path).json(body), refusal).await
    }

    /// The order that was made for a payment, by its receipt.
    async fn order_of(&self, payment: &Payment) -> Result<Option<Order>, PspError> {
        let found: Items<Order> = self.get(&format!("/v1/orders?receipt={}", payment.id)).await?;
        // Were two ever made, the first one counts everywhere.
        Ok(found.items.into_iter().min_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id))))
    }

    async fn record(&self, order: Order) -> Result<Record, PspError> {
        let tried: Items<Tried> = self.get(&format!("/v1/orders/{}/payments", order.id)).await?;
        let mut record = Record { order, tried: tried.items, refunds: Vec::new() };
        if let Some(tried) = record.main().filter(|tried| tried.amount_refunded > 0 || tried.is_captured()) {
            record.refunds = self.get::<Items<record::Refund>>(&format!("/v1/payments/{}/refunds?count=100", tried.id)).await?.items;
        }
        Ok(record)
    }

    async fn retrieved(&self, payment: &Payment, reference: &str) -> Result<Sighting, PspError> {
        let order = self.get(&format!("/v1/orders/{reference}")).await?;
        self.record(order).await?.sighting(payment)
    }

    async fn authorised(&self, payment: &Payment) -> Result<Sighting, PspError> {
        let id = payment.id.to_string();
        let notes = json!({"payment_id": id, "order_id": payment.order.to_string()});
        let order = match self.order_of(payment).await? {
            Some(order) => order,
            None => {
                let options = json!({"manual_expiry_period": UNCAPTURED_MINUTES, "refund_speed": "normal"});
                let body = json!({
                    "amount": payment.amount_minor,
                    "currency": payment.currency.as_str(),
                    "receipt": id,
                    "notes": notes,
                    "payment": {"capture": "manual", "capture_options": options},
                });
                self.post("/v1/orders", &body).await?
            }
        };
        let record = self.record(order).await?;
        // A payment that the buyer was never sent to cannot be completed; any other is the one.
        if record.main().is_some_and(|tried| !tried.is_created()) {
            return record.sighting(payment);
        }
        let payer = payment.payer.clone().unwrap_or_default();
        let mut body = json!({
            "amount": payment.amount_minor,
            "currency": payment.currency.as_str(),
            "order_id": record.order.id,
            "email": payer.email,
            "contact": payer.phone,
            "notes": notes,
            "callback_url": payment.return_url,
        });
        let (method, chosen) = payment.method_token.split_once(':').unwrap_or((&payment.method_token, ""));
        let fields = match method {
            "upi" => json!({"method": "upi", "upi": {"flow": "intent"}}),
            "net_banking" => json!({"method": "netbanking", "bank": chosen}),
            "wallet" => json!({"method": "wallet", "wallet": chosen}),
            _ => return Err(PspError::Refused(failed("method_not_offered", "Razorpay is not offered for this method."))),
        };
        if let (Some(body), Value::Object(fields)) = (body.as_object_mut(), fields) {
            body.extend(fields);
        }
        let begun: Begun = self.post("/v1/payments/create/json", &body).await?;
        let next = begun.next.into_iter().find(|next| matches!(next.action.as_str(), "redirect" | "intent" | "authenticate")).map(|next| next.url);
        let reference = record.order.id.clone();
        Ok(Sighting { next_action_url: next, ..self.retrieved(payment, &reference).await? })
    }

    /// Razorpay takes the authorised amount whole; a second time is refused, and then its record says that it is taken.
    async fn captured(&self, payment: &Payment, reference: &str, amount_minor: i64) -> Result<Sighting, PspError> {
        let order = self.get(&format!("/v1/orders/{reference}")).await?;
        let record = self.record(order).await?;
        let Some(tried) = record.main() else { return Err(PspError::Refused(failed("not_authorised", "Razorpay holds nothing for this payment."))) };
        if tried.is_captured() {
            return record.sighting(payment);
        }
        let body = json!({"amount": amount_minor, "currency": payment.currency.as_str()});
        let answer: Result<Value, PspError> = self.post(&format!("/v1/payments/{}/capture", tried.id), &body).await;
        match (answer, self.retrieved(payment, reference).await) {
            (_, Ok(seen)) if !seen.captures.is_empty() => Ok(seen),
            (Err(error), _) | (Ok(_), Err(error)) => Err(error),
            (Ok(_), Ok(seen)) => Ok(seen),
        }
    }

    async fn refunded(&self, payment: &Payment, reference: &str, id: RefundId, amount_minor: i64) -> Result<Sighting, PspError> {
        let order = self.get(&format!("/v1/orders/{reference}")).await?;
        let record = self.record(order).await?;
        let Some(tried) = record.main() else { return Err(PspError::Refused(failed("not_captured", "Razorpay has taken nothing."))) };
        let id = id.to_string();
        let body = json!({
            "amount": amount_minor,
            "speed": "normal",
            "receipt": id,
            "notes": {"refund_id": id, "payment_id": payment.id.to_string()},
        });
        let request = self.request(Method::POST, &format!("/v1/payments/{}/refund", tried.id)).header("x-refund-idempotency", &id).json(&body);
        http::json::<Value>(request, refusal).await?;
        self.retrieved(payment, reference).await
    }
}

impl Psp for Razorpay {
    fn authorise<'a>(&'a self, payment: &'a Payment) -> PspAnswer<'a> {
        self.authorised(payment).boxed()
    }

    fn find<'a>(&'a self, payment: &'a Payment) -> PspAnswer<'a> {
        async move {
            let order = self.order_of(payment).await?.ok_or(PspError::NotFound)?;
            self.record(order).await?.sighting(payment)
        }
        .boxed()
    }

    fn retrieve<'a>(&'a self, payment: &'a Payment, reference: &'a str) -> PspAnswer<'a> {
        self.retrieved(payment, reference).boxed()
    }

    fn capture<'a>(&'a self, payment: &'a Payment, reference: &'a str, _id: CaptureId, amount_minor: i64) -> PspAnswer<'a> {
        self.captured(payment, reference, amount_minor).boxed()
    }

    fn refund<'a>(&'a self, payment: &'a Payment, reference: &'a str, id: RefundId, amount_minor: i64) -> PspAnswer<'a> {
        self.refunded(payment, reference, id, amount_minor).boxed()
    }

    /// There is nothing to ask for: it goes back by itself, and until then the record says that it is held.
    fn cancel<'a>(&'a self, payment: &'a Payment, reference: &'a str) -> PspAnswer<'a> {
        self.retrieved(payment, reference).boxed()
    }

    fn verify<'a>(&'a self, headers: &'a HashMap<String, String>, body: &'a [u8], _now: Time) -> BoxFuture<'a, Result<(), Error>> {
        let given = headers.get("x-razorpay-signature").is_some_and(|given| signature::fits(&self.config.webhook_secret, &[body], given));
        ready(if given { Ok(()) } else { Err(Error::SignatureInvalid) }).boxed()
    }

    fn read(&self, headers: &HashMap<String, String>, body: &[u8]) -> Result<Vec<Notice>, Error> {
        let event: Event = serde_json::from_slice(body).map_err(|error| Error::WebhookUnreadable(error.to_string()))?;
        let of = |entity: &str, field: &str| event.payload.pointer(&format!("/{entity}/entity/{field}")).and_then(Value::as_str).map(str::to_owned);
        let noted = |entity: &str| of(entity, "notes/payment_id").and_then(|id| id.parse().ok());
        let payment = noted("payment").or_else(|| noted("refund")).or_else(|| noted("order"));
        let event_id = headers.get("x-razorpay-event-id").cloned().unwrap_or_else(|| format!("{:x}", Sha256::digest(body)));
        Ok(vec![Notice { event_id, payment, reference: of("payment", "order_id").or_else(|| of("order", "id")), sighting: None }])
    }

    fn offer(&self) -> Offer {
        let origin = url::Url::parse(&self.config.url).map(|url| url.origin().ascii_serialization()).ok();
        let way = |kind, name, detail| Way { kind, name, collect: Collect::Redirect(detail), saves: false };
        Offer {
            publishable_key: String::new(),
            origins: origin.into_iter().collect(),
            currencies: &["INR"],
            ways: vec![
                way(MethodKind::Upi, "UPI", Detail::None),
                way(MethodKind::NetBanking, "Net banking", Detail::OneOf("Bank", BANKS)),
                way(MethodKind::Wallet, "Wallet", Detail::OneOf("Wallet", WALLETS)),
            ],
        }
    }
}

fn failed(code: &str, message: &str) -> Failure {
    Failure { code: code.to_owned(), message: message.to_owned() }
}

fn refusal(body: &[u8]) -> Failure {
    let Refusal { error } = serde_json::from_slice(body).unwrap_or_default();
    let code = error.reason.or(error.code).unwrap_or_else(|| "refused".to_owned());
    Failure { code: code.to_lowercase(), message: error.description.unwrap_or_else(|| "The payment service provider refused.".to_owned()) }
}

#[derive(Deserialize, Default)]
struct Refusal {
    error: RefusalBody,
}

#[derive(Deserialize, Default)]
struct RefusalBody {
    code: Option<String>,
    description: Option<String>,
    reason: Option<String>,
}

/// A payment that was begun, and where the buyer goes on.
#[derive(Deserialize)]
struct Begun {
    #[serde(default)]
    next: Vec<Next>,
}

#[derive(Deserialize)]
struct Next {
    action: String,
    url: String,
}

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    payload: Value,
}

//! The adapter to PayPal: Orders v2 with intent AUTHORIZE and Payments v2, after its reference (https://developer.paypal.com/api/rest).
//!
//! The buyer approves an order on PayPal's pages; only then do we have it authorised, which is when PayPal holds the amount. Captures carry
//! our id as invoice_id, refunds as custom_id. Webhooks only say where to look; PayPal itself is asked whether they are its own.

mod record;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use api_payments::{CaptureId, RefundId};
use futures::FutureExt;
use futures::future::BoxFuture;
use kit_core::{Clock, Money, Time};
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use self::record::{Authorization, Order};
use super::{Collect, Detail, MethodKind, Notice, Offer, Psp, PspAnswer, PspError, Way, http};
use crate::config::{GuardConfig, PaypalConfig};
use crate::error::Error;
use crate::model::{Failure, Payment, SeenStatus, Sighting};

pub(crate) const NAME: &str = "paypal";
/// What PayPal accounts can be paid in (https://developer.paypal.com/api/rest/reference/currency-codes/).
const CURRENCIES: &[&str] = &[
    "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "ILS", "JPY", "MXN", "MYR", "NOK", "NZD", "PHP", "PLN", "SEK", "SGD",
    "THB", "USD",
];
/// A token is renewed so long before it ends.
const RENEWED_BEFORE: chrono::Duration = chrono::Duration::seconds(60);

pub(crate) struct Paypal {
    config: PaypalConfig,
    client: reqwest::Client,
    clock: Clock,
    token: Mutex<Option<(Arc<str>, Time)>>,
}

impl Paypal {
    pub(crate) fn new(config: &PaypalConfig, limits: &GuardConfig, clock: Clock) -> anyhow::Result<Self> {
        let mut config = config.clone();
        config.url = http::base_url("paypal.url", &config.url)?;
        http::required("paypal.client_id", &config.client_id)?;
        http::required("paypal.client_secret", &config.client_secret)?;
        http::required("paypal.webhook_id", &config.webhook_id)?;
        Ok(Self { config, client: http::client(limits)?, clock, token: Mutex::default() })
    }

    /// PayPal's access token, fetched when there is none or it ends soon.
    async fn access_token(&self) -> Result<Arc<str>, PspError> {
        let now = self.clock.now();
        let held = self.held().clone();
        if let Some((token, _)) = held.filter(|(_, until)| *until > now) {
            return Ok(token);
        }
        let request = self
            .client
            .post(format!("{}/v1/oauth2/token", self.config.url))
            .basic_auth(&self.config.client_id, Some(&self.config.client_secret))
            .form(&[("grant_type", "client_credentials")]);
        // Nothing was begun yet, whatever came of it.
        let fetched: Result<AccessToken, PspError> = http::json(request, refusal).await;
        let fetched = fetched.map_err(|error| PspError::NotDone(format!("PayPal gave no access token: {error:?}")))?;
        let token: Arc<str> = fetched.access_token.into();
        *self.held() = Some((Arc::clone(&token), now + chrono::Duration::seconds(fetched.expires_in) - RENEWED_BEFORE));
        Ok(token)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<(Arc<str>, Time)>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, PspError> {
        let token = self.access_token().await?;
        let request = self.client.request(method, format!("{}{path}", self.config.url));
        Ok(request.bearer_auth(token).header("prefer", "return=representation"))
    }

    async fn sent(&self, request: RequestBuilder) -> Result<Vec<u8>, PspError> {
        let answer = http::answered(request, refusal).await;
        if matches!(answer, Err(PspError::NotDone(_))) {
            // The token may have been taken back.
            *self.held() = None;
        }
        answer
    }

    async fn post(&self, path: &str, key: &str, body: &Value) -> Result<Vec<u8>, PspError> {
        let request = self.request(Method::POST, path).await?.header("paypal-request-id", key).json(body);
        self.sent(request).await
    }

    async fn order(&self, reference: &str) -> Result<Order, PspError> {
        let request = self.request(Method::GET, &format!("/v2/checkout/orders/{reference}")).await?;
        read(&self.sent(request).await?)
    }

    /// Creates the order, or answers the one that was created under the same key. It holds no money before it is authorised.
    async fn created(&self, payment: &Payment) -> Result<Sighting, PspError> {
        let id = payment.id.to_string();
        let body = json!({
            "intent": "AUTHORIZE",
            "purchase_units": [{
                "reference_id": "default",
                "custom_id": id,
                "invoice_id": id,
                "description": payment.description.chars().take(127).collect::<String>(),
                "amount": amount(payment, payment.amount_minor),
            }],
            "payment_source": {"paypal": {"experience_context": {
                "return_url": payment.return_url,
                "cancel_url": payment.return_url,
                "user_action": "PAY_NOW",
                "shipping_preference": "NO_SHIPPING",
            }}},
        });
        let order: Order = read(&self.post("/v2/checkout/orders", &id, &body).await?)?;
        order.sighting(payment)
    }

    /// How the order stands; one that the buyer has approved is authorised now, unless nobody wants that any more.
    async fn retrieved(&self, payment: &Payment, reference: &str) -> Result<Sighting, PspError> {
        let order = match self.order(reference).await {
            Ok(order) => order,
            // Orders that nobody approves are forgotten after a while.
            Err(PspError::NotFound) if payment.is_open() => return Ok(record::expired(payment, reference)),
            Err(error) => return Err(error),
        };
        if !order.is_approved() || !payment.is_open() || payment.void_requested {
            return order.sighting(payment);
        }
        let path = format!("/v2/checkout/orders/{reference}/authorize");
        match self.post(&path, &format!("authorize-{}", payment.id), &json!({})).await {
            Ok(body) => read::<Order>(&body)?.sighting(payment),
            Err(PspError::Refused(failure)) => {
                let seen = order.sighting(payment)?;
                Ok(Sighting { status: SeenStatus::Failed, version: record::version_of_refusal(), failure: Some(failure), ..seen })
            }
            Err(error) => Err(error),
        }
    }

    async fn captured(&self, payment: &Payment, reference: &str, id: CaptureId, amount_minor: i64) -> Result<Sighting, PspError> {
        let order = self.order(reference).await?;
        let authorization = held(&order)?.id.clone();
        let id = id.to_string();
        let last = payment.captured_minor() + amount_minor >= payment.amount_minor;
        let body = json!({"amount": amount(payment, amount_minor), "invoice_id": id, "final_capture": last});
        self.post(&format!("/v2/payments/authorizations/{authorization}/capture"), &id, &body).await?;
        self.order(reference).await?.sighting(payment)
    }

    /// A refund is of one capture; one of ours that is larger than what is left of the first goes on with the next.
    async fn refunded(&self, payment: &Payment, reference: &str, id: RefundId, amount_minor: i64) -> Result<Sighting, PspError> {
        let order = self.order(reference).await?;
        let id = id.to_string();
        for (capture, minor) in order.refundable(&id, amount_minor)? {
            let body = json!({"amount": amount(payment, minor), "custom_id": id});
            self.post(&format!("/v2/payments/captures/{capture}/refund"), &format!("{id}-{capture}"), &body).await?;
        }
        self.order(reference).await?.sighting(payment)
    }

    async fn cancelled(&self, payment: &Payment, reference: &str) -> Result<Sighting, PspError> {
        let order = self.order(reference).await?;
        let Some(authorization) = order.authorization() else { return order.given_up(payment) };
        let request = self.request(Method::POST, &format!("/v2/payments/authorizations/{}/void", authorization.id)).await?;
        self.sent(request.header("paypal-request-id", format!("void-{}", payment.id)).json(&json!({}))).await?;
        self.order(reference).await?.sighting(payment)
    }

    /// PayPal's word on whether a delivery is its own.
    async fn verified(&self, headers: &HashMap<String, String>, body: &[u8]) -> Result<(), Error> {
        let header = |name: &str| headers.get(name).ok_or(Error::SignatureInvalid);
        let event = std::str::from_utf8(body).map_err(|error| Error::WebhookUnreadable(error.to_string()))?;
        serde_json::from_str::<serde::de::IgnoredAny>(event).map_err(|error| Error::WebhookUnreadable(error.to_string()))?;
        let signed = json!({
            "auth_algo": header("paypal-auth-algo")?,
            "cert_url": header("paypal-cert-url")?,
            "transmission_id": header("paypal-transmission-id")?,
            "transmission_sig": header("paypal-transmission-sig")?,
            "transmission_time": header("paypal-transmission-time")?,
            "webhook_id": self.config.webhook_id,
        });
        // The event goes back as it came, byte for byte: the signature covers them.
        let fields = signed.to_string();
        let body = format!("{},\"webhook_event\":{event}}}", fields.trim_end_matches('}'));
        let request = self.request(Method::POST, "/v1/notifications/verify-webhook-signature").await.map_err(|_| Error::PspUnavailable)?;
        let answer = self.sent(request.header("content-type", "application/json").body(body)).await;
        let answer = answer.and_then(|answer| read::<Verification>(&answer));
        match answer {
            Ok(answer) if answer.verification_status == "SUCCESS" => Ok(()),
            Ok(_) | Err(PspError::Refused(_)) => Err(Error::SignatureInvalid),
            Err(_) => Err(Error::PspUnavailable),
        }
    }
}

impl Psp for Paypal {
    fn authorise<'a>(&'a self, payment: &'a Payment) -> PspAnswer<'a> {
        self.created(payment).boxed()
    }

    /// PayPal finds no order by our key, but creates none twice under it, and an order that nobody approves holds nothing.
    fn find<'a>(&'a self, payment: &'a Payment) -> PspAnswer<'a> {
        self.created(payment).boxed()
    }

    fn retrieve<'a>(&'a self, payment: &'a Payment, reference: &'a str) -> PspAnswer<'a> {
        self.retrieved(payment, reference).boxed()
    }

    fn capture<'a>(&'a self, payment: &'a Payment, reference: &'a str, id: CaptureId, amount_minor: i64) -> PspAnswer<'a> {
        self.captured(payment, reference, id, amount_minor).boxed()
    }

    fn refund<'a>(&'a self, payment: &'a Payment, reference: &'a str, id: RefundId, amount_minor: i64) -> PspAnswer<'a> {
        self.refunded(payment, reference, id, amount_minor).boxed()
    }

    fn cancel<'a>(&'a self, payment: &'a Payment, reference: &'a str) -> PspAnswer<'a> {
        self.cancelled(payment, reference).boxed()
    }

    fn verify<'a>(&'a self, headers: &'a HashMap<String, String>, body: &'a [u8], _now: Time) -> BoxFuture<'a, Result<(), Error>> {
        self.verified(headers, body).boxed()
    }

    fn read(&self, _headers: &HashMap<String, String>, body: &[u8]) -> Result<Vec<Notice>, Error> {
        let event: Event = serde_json::from_slice(body).map_err(|error| Error::WebhookUnreadable(error.to_string()))?;
        let told = |path: &str| event.resource.pointer(path).and_then(Value::as_str);
        let named = told("/purchase_units/0/custom_id").or_else(|| told("/custom_id")).and_then(|id| id.parse().ok());
        // Of a refund, custom_id is ours of the refund; the order is among the related ids.
        let related = told("/supplementary_data/related_ids/order_id").map(str::to_owned);
        Ok(vec![Notice { event_id: event.id, payment: named, reference: related, sighting: None }])
    }

    fn offer(&self) -> Offer {
        // Buyers approve on www.paypal.com what is created at api-m.paypal.com.
        let pages = self.config.url.replace("://api-m.", "://www.");
        let origin = url::Url::parse(&pages).map(|url| url.origin().ascii_serialization()).ok();
        Offer {
            publishable_key: String::new(),
            origins: origin.into_iter().collect(),
            currencies: CURRENCIES,
            ways: vec![Way { kind: MethodKind::Paypal, name: "PayPal", collect: Collect::Redirect(Detail::None), saves: false }],
        }
    }
}

fn held(order: &Order) -> Result<&Authorization, PspError> {
    let none = || Failure { code: "not_authorised".to_owned(), message: "PayPal holds nothing for this payment.".to_owned() };
    order.authorization().ok_or_else(|| PspError::Refused(none()))
}

fn amount(payment: &Payment, minor: i64) -> Value {
    let money: Money = payment.money(minor);
    json!({"currency_code": payment.currency.as_str(), "value": money.decimal()})
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, PspError> {
    serde_json::from_slice(body).map_err(|error| PspError::Unknown(format!("the answer cannot be read: {error}")))
}

/// The first detail says more than the name of the error, where there is one.
fn refusal(body: &[u8]) -> Failure {
    let Refusal { name, message, details } = serde_json::from_slice(body).unwrap_or_default();
    let detail = details.into_iter().next().unwrap_or_default();
    let or = |first: String, second: String| if first.is_empty() { second } else { first };
    Failure { code: or(detail.issue, name).to_lowercase(), message: or(detail.description, message) }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Refusal {
    name: String,
    message: String,
    details: Vec<RefusalDetail>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RefusalDetail {
    issue: String,
    description: String,
}

#[derive(Deserialize)]
struct AccessToken {
    access_token: String,
    expires_in: i64,
}

#[derive(Deserialize)]
struct Verification {
    verification_status: String,
}

#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(default)]
    resource: Value,
}

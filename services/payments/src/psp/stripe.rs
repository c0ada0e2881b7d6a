//! The adapter to Stripe: PaymentIntents with manual capture, confirmed by us, after its API reference (https://docs.stripe.com/api).
//!
//! Which capture and refund of ours moved what is in Stripe's own record: captures as metadata of the PaymentIntent ("cap_…" = amount),
//! refunds in their metadata. Webhooks only say where to look; the record is then retrieved.

mod record;
mod report;

use std::collections::HashMap;
use std::future::ready;

use api_payments::{CaptureId, RefundId};
use futures::FutureExt;
use futures::future::BoxFuture;
use kit_core::Time;
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use self::record::{Dispute, Intent, List, Refund};
use super::{Collect, MethodKind, Notice, Offer, Psp, PspAnswer, PspError, Way, http, signature};
use crate::config::{GuardConfig, StripeConfig};
use crate::error::Error;
use crate::model::{Failure, Payment, Sighting};
use crate::store::reports::NewLine;

pub(crate) const NAME: &str = "stripe";
/// Where Stripe sends buyers for 3-D Secure.
const CHALLENGES: &str = "https://hooks.stripe.com";
const EXPAND: (&str, &str) = ("expand[]", "latest_charge.balance_transaction");

type Form = Vec<(String, String)>;

pub(crate) struct Stripe {
    config: StripeConfig,
    client: reqwest::Client,
}

impl Stripe {
    pub(crate) fn new(config: &StripeConfig, limits: &GuardConfig) -> anyhow::Result<Self> {
        let mut config = config.clone();
        config.url = http::base_url("stripe.url", &config.url)?;
        http::required("stripe.secret_key", &config.secret_key)?;
        http::required("stripe.publishable_key", &config.publishable_key)?;
        http::required("stripe.webhook_secret", &config.webhook_secret)?;
        Ok(Self { config, client: http::client(limits)? })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.config.url));
        request.bearer_auth(&self.config.secret_key).header("stripe-version", &self.config.api_version)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, PspError> {
        http::json(self.request(Method::GET, path).query(query), refusal).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, key: &str, form: &Form) -> Result<T, PspError> {
        http::json(self.request(Method::POST, path).header("idempotency-key", key).form(form), refusal).await
    }

    /// The record of a payment, with its refunds and disputes where it has any.
    async fn whole(&self, intent: Intent) -> Result<Sighting, PspError> {
        let of_intent = [("payment_intent", intent.id.as_str()), ("limit", "100")];
        let (mut refunds, mut disputes) = (Vec::new(), Vec::new());
        if intent.latest_charge.as_ref().is_some_and(|charge| charge.amount_refunded > 0) {
            refunds = self.get::<List<Refund>>("/v1/refunds", &of_intent).await?.data;
        }
        if intent.latest_charge.as_ref().is_some_and(|charge| charge.disputed) {
            disputes = self.get::<List<Dispute>>("/v1/disputes", &of_intent).await?.data;
        }
        intent.sighting(refunds, disputes).map_err(PspError::Unknown)
    }

    async fn intent(&self, reference: &str) -> Result<Intent, PspError> {
        self.get(&format!("/v1/payment_intents/{reference}"), &[EXPAND]).await
    }

    async fn authorised(&self, payment: &Payment) -> Result<Sighting, PspError> {
        let key = payment.id.to_string();
        let (mut customer, method) = match payment.method_token.split_once(':') {
            Some((customer, method)) => (Some(customer.to_owned()), method),
            None => (None, payment.method_token.as_str()),
        };
        let mut form = form(&[
            ("amount", &payment.amount_minor.to_string()),
            ("currency", &payment.currency.as_str().to_lowercase()),
            ("payment_method", method),
            ("payment_method_types[]", "card"),
            ("payment_method_options[card][request_multicapture]", "if_available"),
            ("capture_method", "manual"),
            ("confirm", "true"),
            ("return_url", &payment.return_url),
            ("description", &payment.description),
            ("metadata[payment_id]", &key),
            ("metadata[order_id]", &payment.order.to_string()),
            EXPAND,
        ]);
        if payment.save_method && customer.is_none() {
            let made: Made =
                self.post("/v1/customers", &format!("customer-{key}"), &self::form(&[("metadata[buyer_id]", &payment.buyer.to_string())])).await?;
            customer = Some(made.id);
            form.push(("setup_future_usage".to_owned(), "on_session".to_owned()));
        }
        form.extend(customer.map(|customer| ("customer".to_owned(), customer)));
        form.retain(|(_, value)| !value.is_empty());
        self.whole(self.post("/v1/payment_intents", &key, &form).await?).await
    }

    /// A part leaves the rest held where the card allows several captures; where it does not, Stripe lets go of the rest.
    async fn captured(&self, payment: &Payment, reference: &str, id: CaptureId, amount_minor: i64) -> Result<Sighting, PspError> {
        let id = id.to_string();
        let amount = amount_minor.to_string();
        let mut form = form(&[("amount_to_capture", &amount), (&format!("metadata[{id}]"), &amount), EXPAND]);
        if payment.captured_minor() + amount_minor < payment.amount_minor && self.intent(reference).await?.can_capture_again() {
            form.push(("final_capture".to_owned(), "false".to_owned()));
        }
        let intent = self.post(&format!("/v1/payment_intents/{reference}/capture"), &id, &form).await?;
        self.whole(intent).await
    }

    async fn refunded(&self, payment: &Payment, reference: &str, id: RefundId, amount_minor: i64) -> Result<Sighting, PspError> {
        let id = id.to_string();
        let form = form(&[
            ("payment_intent", reference),
            ("amount", &amount_minor.to_string()),
            ("metadata[refund_id]", &id),
            ("metadata[payment_id]", &payment.id.to_string()),
        ]);
        let _made: Made = self.post("/v1/refunds", &id, &form).await?;
        self.whole(self.intent(reference).await?).await
    }
}

impl Psp for Stripe {
    fn authorise<'a>(&'a self, payment: &'a Payment) -> PspAnswer<'a> {
        self.authorised(payment).boxed()
    }

    /// Stripe's search may be a minute behind, which is less than we wait before believing that there is nothing.
    fn find<'a>(&'a self, payment: &'a Payment) -> PspAnswer<'a> {
        async move {
            let query = format!("metadata['payment_id']:'{}'", payment.id);
            let found: List<Made> = self.get("/v1/payment_intents/search", &[("query", &query)]).await?;
            match found.data.first() {
                Some(found) => self.whole(self.intent(&found.id).await?).await,
                None => Err(PspError::NotFound),
            }
        }
        .boxed()
    }

    fn retrieve<'a>(&'a self, _payment: &'a Payment, reference: &'a str) -> PspAnswer<'a> {
        async move { self.whole(self.intent(reference).await?).await }.boxed()
    }

    fn capture<'a>(&'a self, payment: &'a Payment, reference: &'a str, id: CaptureId, amount_minor: i64) -> PspAnswer<'a> {
        self.captured(payment, reference, id, amount_minor).boxed()
    }

    fn refund<'a>(&'a self, payment: &'a Payment, reference: &'a str, id: RefundId, amount_minor: i64) -> PspAnswer<'a> {
        self.refunded(payment, reference, id, amount_minor).boxed()
    }

    fn cancel<'a>(&'a self, payment: &'a Payment, reference: &'a str) -> PspAnswer<'a> {
        async move {
            let key = format!("cancel-{}-{}", payment.id, payment.captured_minor());
            let intent = self.post(&format!("/v1/payment_intents/{reference}/cancel"), &key, &form(&[EXPAND])).await?;
            self.whole(intent).await
        }
        .boxed()
    }

    fn forget_method<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<(), PspError>> {
        async move {
            let method = token.split_once(':').map_or(token, |(_, method)| method);
            match http::answered(self.request(Method::POST, &format!("/v1/payment_methods/{method}/detach")), refusal).await {
                Ok(_) | Err(PspError::NotFound) => Ok(()),
                Err(error) => Err(error),
            }
        }
        .boxed()
    }

    fn answer_dispute<'a>(&'a self, payment: &'a Payment, reference: &'a str, dispute: &'a str, evidence: &'a str) -> PspAnswer<'a> {
        async move {
            let (path, form) = if evidence.is_empty() {
                (format!("/v1/disputes/{dispute}/close"), Form::new())
            } else {
                (format!("/v1/disputes/{dispute}"), form(&[("evidence[uncategorized_text]", evidence), ("submit", "true")]))
            };
            let _answered: Made = self.post(&path, &format!("answer-{}-{dispute}", payment.id), &form).await?;
            self.whole(self.intent(reference).await?).await
        }
        .boxed()
    }

    fn report(&self, after: i64, limit: usize) -> BoxFuture<'_, Result<Vec<NewLine>, PspError>> {
        self.lines(after, limit).boxed()
    }

    fn verify<'a>(&'a self, headers: &'a HashMap<String, String>, body: &'a [u8], now: Time) -> BoxFuture<'a, Result<(), Error>> {
        ready(signature::verify(signature::STRIPE, &self.config.webhook_secret, headers, body, now)).boxed()
    }

    fn read(&self, _headers: &HashMap<String, String>, body: &[u8]) -> Result<Vec<Notice>, Error> {
        let event: Event = serde_json::from_slice(body).map_err(|error| Error::WebhookUnreadable(error.to_string()))?;
        let about = event.data.object;
        let payment = about.metadata.get("payment_id").and_then(|id| id.parse().ok());
        let reference = if about.object == "payment_intent" { Some(about.id) } else { about.payment_intent };
        Ok(vec![Notice { event_id: event.id, payment, reference, sighting: None }])
    }

    fn offer(&self) -> Offer {
        let origin = |url: &str| url::Url::parse(url).map(|url| url.origin().ascii_serialization()).ok();
        let origins = [origin(&self.config.script_url), origin(&self.config.url), Some(CHALLENGES.to_owned())];
        Offer {
            publishable_key: self.config.publishable_key.clone(),
            origins: origins.into_iter().flatten().collect(),
            currencies: &[],
            ways: vec![Way { kind: MethodKind::Card, name: "Card", collect: Collect::Script { url: self.config.script_url.clone() }, saves: true }],
        }
    }
}

fn form(fields: &[(&str, &str)]) -> Form {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// An error's `decline_code` says more than its `code`, where there is one.
fn refusal(body: &[u8]) -> Failure {
    let Refusal { error } = serde_json::from_slice(body).unwrap_or_default();
    let code = error.decline_code.or(error.code).or(error.kind).unwrap_or_else(|| "refused".to_owned());
    Failure { code, message: error.message.unwrap_or_else(|| "The payment service provider refused.".to_owned()) }
}

#[derive(Deserialize, Default)]
struct Refusal {
    error: RefusalBody,
}

#[derive(Deserialize, Default)]
struct RefusalBody {
    code: Option<String>,
    decline_code: Option<String>,
    message: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Anything that was made, of which only the id matters.
#[derive(Deserialize)]
struct Made {
    id: String,
}

#[derive(Deserialize)]
struct Event {
    id: String,
    data: EventData,
}

#[derive(Deserialize)]
struct EventData {
    object: EventObject,
}

#[derive(Deserialize)]
struct EventObject {
    #[serde(default)]
    id: String,
    #[serde(default)]
    object: String,
    #[serde(default)]
    metadata: HashMap<String, String>,
    payment_intent: Option<String>,
}

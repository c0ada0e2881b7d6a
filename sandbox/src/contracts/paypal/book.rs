//! What the contract server of PayPal keeps, and how it changes.

use std::collections::HashMap;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use kit_core::{Currency, Ids, Money};
use serde_json::{Value, json};
use url::Url;

use crate::contracts::capitals;

/// PayPal's fee of a capture: 2.49 % and 0.35.
const FEE_BPS: u32 = 249;
const FEE_FIXED_MINOR: i64 = 35;

/// An error as PayPal words it.
pub(super) struct Problem {
    status: StatusCode,
    name: &'static str,
    issue: &'static str,
}

impl Problem {
    pub(super) fn malformed(issue: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, name: "INVALID_REQUEST", issue }
    }

    fn unprocessable(issue: &'static str) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, name: "UNPROCESSABLE_ENTITY", issue }
    }

    fn not_found() -> Self {
        Self { status: StatusCode::NOT_FOUND, name: "RESOURCE_NOT_FOUND", issue: "INVALID_RESOURCE_ID" }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let description = self.issue.replace('_', " ").to_lowercase();
        let body = json!({
            "name": self.name, "message": "The requested action could not be performed.", "debug_id": "f0f0f0f0f0f0f",
            "details": [{"issue": self.issue, "description": description}],
        });
        (self.status, Json(body)).into_response()
    }
}

/// An event to be sent.
pub(super) struct Told {
    pub(super) event_type: &'static str,
    pub(super) resource_type: &'static str,
    pub(super) resource: Value,
}

struct Order {
    id: String,
    status: &'static str,
    unit: Value,
    amount: Money,
    return_url: String,
    cancel_url: String,
    instrument_declines: bool,
    authorization: Option<Authorization>,
    captures: Vec<Capture>,
    created: String,
}

struct Authorization {
    id: String,
    status: &'static str,
}

struct Capture {
    id: String,
    amount: Money,
    invoice_id: Value,
    last: bool,
    refunds: Vec<Refund>,
}

struct Refund {
    id: String,
    amount: Money,
    custom_id: Value,
}

type Key = (String, String);

pub(super) struct Book {
    url: String,
    ids: Ids,
    orders: HashMap<String, Order>,
    answers: HashMap<Key, Value>,
}

fn money(value: &Value) -> Option<Money> {
    let currency: Currency = value.get("currency_code")?.as_str()?.parse().ok()?;
    Money::parse_decimal(value.get("value")?.as_str()?, currency).ok().filter(|money| money.minor > 0)
}

fn amount(money: Money) -> Value {
    json!({"currency_code": money.currency.as_str(), "value": money.decimal()})
}

fn total(currency: Currency, amounts: impl Iterator<Item = Money>) -> Money {
    Money::new(amounts.map(|money| money.minor).sum(), currency)
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

impl Capture {
    fn refunded(&self) -> Money {
        total(self.amount.currency, self.refunds.iter().map(|refund| refund.amount))
    }

    fn view(&self, url: &str, order: &Order) -> Value {
        let status = match self.refunded().minor {
            0 => "COMPLETED",
            refunded if refunded < self.amount.minor => "PARTIALLY_REFUNDED",
            _ => "REFUNDED",
        };
        let fee = self.amount.share(FEE_BPS).map_or(0, |share| share.minor) + FEE_FIXED_MINOR;
        let fee = Money::new(fee.min(self.amount.minor), self.amount.currency);
        let net = Money::new(self.amount.minor - fee.minor, self.amount.currency);
        json!({
            "id": self.id, "status": status, "amount": amount(self.amount), "final_capture": self.last,
            "invoice_id": self.invoice_id, "custom_id": order.unit.get("custom_id"),
            "seller_receivable_breakdown": {"gross_amount": amount(self.amount), "paypal_fee": amount(fee), "net_amount": amount(net)},
            "supplementary_data": {"related_ids": {"order_id": order.id}},
            "links": [{"href": format!("{url}/v2/payments/captures/{}", self.id), "rel": "self", "method": "GET"}],
        })
    }
}

impl Refund {
    fn view(&self, url: &str, capture: &Capture, order: &Order) -> Value {
        json!({
            "id": self.id, "status": "COMPLETED", "amount": amount(self.amount), "custom_id": self.custom_id,
            "supplementary_data": {"related_ids": {"order_id": order.id, "capture_id": capture.id}},
            "links": [
                {"href": format!("{url}/v2/payments/refunds/{}", self.id), "rel": "self", "method": "GET"},
                {"href": format!("{url}/v2/payments/captures/{}", capture.id), "rel": "up", "method": "GET"},
            ],
        })
    }
}

impl Order {
    fn captured(&self) -> Money {
        total(self.amount.currency, self.captures.iter().map(|capture| capture.amount))
    }

    fn authorization(&self, url: &str) -> Option<Value> {
        let authorization = self.authorization.as_ref()?;
        Some(json!({
            "id": authorization.id, "status": authorization.status, "amount": amount(self.amount),
            "custom_id": self.unit.get("custom_id"), "invoice_id": self.unit.get("invoice_id"),
            "supplementary_data": {"related_ids": {"order_id": self.id}},
            "links": [{"href": format!("{url}/v2/payments/authorizations/{}", authorization.id), "rel": "self", "method": "GET"}],
        }))
    }

    fn view(&self, url: &str) -> Value {
        let mut unit = self.unit.clone();
        if let (Some(unit), Some(authorization)) = (unit.as_object_mut(), self.authorization(url)) {
            let refunds = self.captures.iter().flat_map(|capture| capture.refunds.iter().map(|refund| refund.view(url, capture, self)));
            let payments = json!({
                "authorizations": [authorization],
                "captures": self.captures.iter().map(|capture| capture.view(url, self)).collect::<Vec<_>>(),
                "refunds": refunds.collect::<Vec<_>>(),
            });
            unit.insert("payments".to_owned(), payments);
        }
        let mut links = vec![json!({"href": format!("{url}/v2/checkout/orders/{}", self.id), "rel": "self", "method": "GET"})];
        if self.status == "PAYER_ACTION_REQUIRED" {
            links.push(json!({"href": format!("{url}/checkoutnow?token={}", self.id), "rel": "payer-action", "method": "GET"}));
        }
        json!({
            "id": self.id, "intent": "AUTHORIZE", "status": self.status, "create_time": self.created, "purchase_units": [unit],
            "payment_source": {"paypal": {}}, "links": links,
        })
    }
}

impl Book {
    pub(super) fn new(url: &str, ids: Ids) -> Self {
        Self { url: url.to_owned(), ids, orders: HashMap::new(), answers: HashMap::new() }
    }

    /// The answer to a request of this key; requests without a key are never the same.
    pub(super) fn answered(&self, key: &Key) -> Option<Value> {
        self.answers.get(key).filter(|_| !key.1.is_empty()).cloned()
    }

    pub(super) fn remember(&mut self, key: Key, answer: &Value) {
        self.answers.insert(key, answer.clone());
    }

    pub(super) fn view(&self, id: &str) -> Result<Value, Problem> {
        Ok(self.orders.get(id).ok_or_else(Problem::not_found)?.view(&self.url))
    }

    pub(super) fn create(&mut self, asked: &Value, now: &str) -> Result<Value, Problem> {
        if text(asked, "/intent") != "AUTHORIZE" {
            return Err(Problem::malformed("INVALID_PARAMETER_VALUE"));
        }
        let unit = asked.pointer("/purchase_units/0").cloned().ok_or_else(|| Problem::malformed("MISSING_REQUIRED_PARAMETER"))?;
        let amount = unit.get("amount").and_then(money).ok_or_else(|| Problem::unprocessable("CANNOT_BE_ZERO_OR_NEGATIVE"))?;
        let order = Order {
            id: capitals(&self.ids, 17),
            status: "PAYER_ACTION_REQUIRED",
            amount,
            return_url: text(asked, "/payment_source/paypal/experience_context/return_url").to_owned(),
            cancel_url: text(asked, "/payment_source/paypal/experience_context/cancel_url").to_owned(),
            unit,
            instrument_declines: false,
            authorization: None,
            captures: Vec::new(),
            created: now.to_owned(),
        };
        let view = order.view(&self.url);
        self.orders.insert(order.id.clone(), order);
        Ok(view)
    }

    /// What the buyer is asked about an order: amount and description.
    pub(super) fn waiting(&self, id: &str) -> Option<(String, String)> {
        let order = self.orders.get(id).filter(|order| order.status == "PAYER_ACTION_REQUIRED")?;
        Some((order.amount.to_string(), text(&order.unit, "/description").to_owned()))
    }

    /// The buyer's decision; answers where the browser goes.
    pub(super) fn decide(&mut self, id: &str, decision: &str) -> Option<(String, Vec<Told>)> {
        let order = self.orders.get_mut(id).filter(|order| order.status == "PAYER_ACTION_REQUIRED")?;
        let back = |url: &str, payer: Option<&str>| {
            let mut url = Url::parse(url).ok()?;
            url.query_pairs_mut().append_pair("token", id).extend_pairs(payer.map(|payer| ("PayerID", payer)));
            Some(String::from(url))
        };
        if decision == "cancel" {
            return Some((back(&order.cancel_url, None)?, Vec::new()));
        }
        order.status = "APPROVED";
        order.instrument_declines = decision == "decline";
        let told = Told { event_type: "CHECKOUT.ORDER.APPROVED", resource_type: "checkout-order", resource: order.view(&self.url) };
        Some((back(&order.return_url, Some("SANDBOXPAYER"))?, vec![told]))
    }

    pub(super) fn authorize(&mut self, id: &str, _now: &str) -> Result<(Value, Vec<Told>), Problem> {
        let order = self.orders.get_mut(id).ok_or_else(Problem::not_found)?;
        match order.status {
            "APPROVED" if order.instrument_declines => return Err(Problem::unprocessable("INSTRUMENT_DECLINED")),
            "APPROVED" => {}
            "COMPLETED" => return Err(Problem::unprocessable("ORDER_ALREADY_AUTHORIZED")),
            _ => return Err(Problem::unprocessable("ORDER_NOT_APPROVED")),
        }
        order.status = "COMPLETED";
        order.authorization = Some(Authorization { id: capitals(&self.ids, 17), status: "CREATED" });
        let resource = order.authorization(&self.url).unwrap_or_default();
        Ok((order.view(&self.url), vec![Told { event_type: "PAYMENT.AUTHORIZATION.CREATED", resource_type: "authorization", resource }]))
    }

    fn authorized(&mut self, id: &str) -> Result<&mut Order, Problem> {
        let of = |order: &&mut Order| order.authorization.as_ref().is_some_and(|authorization| authorization.id == id);
        self.orders.values_mut().find(of).ok_or_else(Problem::not_found)
    }

    pub(super) fn capture(&mut self, id: &str, asked: &Value, _now: &str) -> Result<(Value, Vec<Told>), Problem> {
        let (url, own) = (self.url.clone(), capitals(&self.ids, 17));
        let order = self.authorized(id)?;
        let left = Money::new(order.amount.minor - order.captured().minor, order.amount.currency);
        let amount = asked.get("amount").map_or(Some(left), money).ok_or_else(|| Problem::malformed("INVALID_PARAMETER_VALUE"))?;
        match order.authorization.as_ref().map(|authorization| authorization.status) {
            Some("VOIDED") => return Err(Problem::unprocessable("AUTHORIZATION_VOIDED")),
            Some("CAPTURED") => return Err(Problem::unprocessable("AUTHORIZATION_ALREADY_CAPTURED")),
            _ if amount.currency != left.currency => return Err(Problem::unprocessable("AUTH_CAPTURE_CURRENCY_MISMATCH")),
            _ if amount.minor > left.minor => return Err(Problem::unprocessable("MAX_CAPTURE_AMOUNT_EXCEEDED")),
            _ => {}
        }
        let last = asked.get("final_capture").and_then(Value::as_bool).unwrap_or_default();
        let invoice_id = asked.get("invoice_id").cloned().unwrap_or_default();
        order.captures.push(Capture { id: own, amount, invoice_id, last, refunds: Vec::new() });
        let closed = last || amount.minor == left.minor;
        if let Some(authorization) = &mut order.authorization {
            authorization.status = if closed { "CAPTURED" } else { "PARTIALLY_CAPTURED" };
        }
        let view = order.captures.last().map(|capture| capture.view(&url, order)).unwrap_or_default();
        Ok((view.clone(), vec![Told { event_type: "PAYMENT.CAPTURE.COMPLETED", resource_type: "capture", resource: view }]))
    }

    pub(super) fn void(&mut self, id: &str, _now: &str) -> Result<(Value, Vec<Told>), Problem> {
        let url = self.url.clone();
        let order = self.authorized(id)?;
        match order.authorization.as_mut() {
            Some(authorization) if authorization.status == "CAPTURED" => return Err(Problem::unprocessable("PREVIOUSLY_CAPTURED")),
            Some(authorization) if authorization.status == "VOIDED" => return Err(Problem::unprocessable("PREVIOUSLY_VOIDED")),
            Some(authorization) => authorization.status = "VOIDED",
            None => return Err(Problem::not_found()),
        }
        let view = order.authorization(&url).unwrap_or_default();
        Ok((view.clone(), vec![Told { event_type: "PAYMENT.AUTHORIZATION.VOIDED", resource_type: "authorization", resource: view }]))
    }

    pub(super) fn refund(&mut self, id: &str, asked: &Value, _now: &str) -> Result<(Value, Vec<Told>), Problem> {
        let (url, own) = (self.url.clone(), capitals(&self.ids, 17));
        let of = |order: &&mut Order| order.captures.iter().any(|capture| capture.id == id);
        let order = self.orders.values_mut().find(of).ok_or_else(Problem::not_found)?;
        let capture = order.captures.iter_mut().find(|capture| capture.id == id).ok_or_else(Problem::not_found)?;
        let left = Money::new(capture.amount.minor - capture.refunded().minor, capture.amount.currency);
        let amount = asked.get("amount").map_or(Some(left), money).ok_or_else(|| Problem::malformed("INVALID_PARAMETER_VALUE"))?;
        match left.minor {
            0 => return Err(Problem::unprocessable("CAPTURE_FULLY_REFUNDED")),
            _ if amount.currency != left.currency => return Err(Problem::unprocessable("REFUND_CAPTURE_CURRENCY_MISMATCH")),
            left if amount.minor > left => return Err(Problem::unprocessable("REFUND_AMOUNT_EXCEEDED")),
            _ => {}
        }
        capture.refunds.push(Refund { id: own, amount, custom_id: asked.get("custom_id").cloned().unwrap_or_default() });
        let capture = order.captures.iter().find(|capture| capture.id == id);
        let view = capture.and_then(|capture| Some(capture.refunds.last()?.view(&url, capture, order))).unwrap_or_default();
        Ok((view.clone(), vec![Told { event_type: "PAYMENT.CAPTURE.REFUNDED", resource_type: "refund", resource: view }]))
    }
}

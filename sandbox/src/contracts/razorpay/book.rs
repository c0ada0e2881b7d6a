//! What the contract server of Razorpay keeps, and how it changes.

use std::collections::HashMap;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use kit_core::{Currency, Ids, Money};
use serde_json::{Value, json};

use crate::contracts::capitals;

/// Razorpay's fee of a capture: 2 %, and 18 % tax on it.
const FEE_PERCENT: i64 = 2;
const TAX_PERCENT: i64 = 18;

/// An error as Razorpay words it.
pub(super) struct Problem {
    status: StatusCode,
    description: &'static str,
}

impl Problem {
    pub(super) fn of(status: StatusCode, description: &'static str) -> Self {
        Self { status, description }
    }

    pub(super) fn bad(description: &'static str) -> Self {
        Self::of(StatusCode::BAD_REQUEST, description)
    }

    /// Razorpay answers 400 for an id that it does not know.
    fn unknown() -> Self {
        Self::bad("The id provided does not exist")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let error = json!({
            "code": "BAD_REQUEST_ERROR", "description": self.description, "source": "business", "step": "payment_initiation",
            "reason": "input_validation_failed", "metadata": {},
        });
        (self.status, Json(json!({"error": error}))).into_response()
    }
}

/// An event to be sent.
pub(super) struct Told {
    pub(super) event: &'static str,
    pub(super) payload: Value,
}

struct Order {
    id: String,
    amount: i64,
    currency: String,
    receipt: Value,
    notes: Value,
    attempts: u32,
    created_at: i64,
}

struct Payment {
    id: String,
    order: String,
    amount: i64,
    currency: String,
    status: &'static str,
    captured: bool,
    method: String,
    bank: Value,
    wallet: Value,
    email: Value,
    contact: Value,
    notes: Value,
    callback_url: String,
    refunds: Vec<Refund>,
    created_at: i64,
}

struct Refund {
    id: String,
    amount: i64,
    receipt: Value,
    notes: Value,
    created_at: i64,
}

pub(super) struct Book {
    ids: Ids,
    orders: Vec<Order>,
    payments: Vec<Payment>,
    /// Refunds by key, with what was asked for.
    keys: HashMap<String, (Value, Value)>,
}

fn items(entities: Vec<Value>) -> Value {
    json!({"entity": "collection", "count": entities.len(), "items": entities})
}

fn field(asked: &Value, name: &str) -> Value {
    asked.get(name).cloned().unwrap_or_default()
}

fn text(asked: &Value, name: &str) -> String {
    asked.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

impl Order {
    fn view(&self, payments: &[Payment]) -> Value {
        let paid: i64 = payments.iter().filter(|payment| payment.order == self.id && payment.captured).map(|payment| payment.amount).sum();
        let status = if paid >= self.amount {
            "paid"
        } else if self.attempts > 0 {
            "attempted"
        } else {
            "created"
        };
        json!({
            "id": self.id, "entity": "order", "amount": self.amount, "amount_paid": paid, "amount_due": self.amount - paid,
            "currency": self.currency, "receipt": self.receipt, "status": status, "attempts": self.attempts, "notes": self.notes,
            "created_at": self.created_at,
        })
    }
}

impl Payment {
    fn refunded(&self) -> i64 {
        self.refunds.iter().map(|refund| refund.amount).sum()
    }

    fn view(&self) -> Value {
        let fee = self.amount * FEE_PERCENT / 100;
        let tax = fee * TAX_PERCENT / 100;
        let told = |failed: &str| if self.status == "failed" { json!(failed) } else { Value::Null };
        let refund_status = match self.refunded() {
            0 => Value::Null,
            refunded if refunded < self.amount => json!("partial"),
            _ => json!("full"),
        };
        json!({
            "id": self.id, "entity": "payment", "amount": self.amount, "currency": self.currency, "status": self.status, "order_id": self.order,
            "method": self.method, "amount_refunded": self.refunded(), "refund_status": refund_status, "captured": self.captured,
            "bank": self.bank, "wallet": self.wallet, "email": self.email, "contact": self.contact, "notes": self.notes,
            "fee": self.captured.then_some(fee + tax), "tax": self.captured.then_some(tax), "error_code": told("BAD_REQUEST_ERROR"),
            "error_description": told("Your payment has been cancelled. Try again or complete the payment later."),
            "error_reason": told("payment_cancelled"), "created_at": self.created_at,
        })
    }

    fn told(&self, event: &'static str) -> Told {
        Told { event, payload: json!({"payment": {"entity": self.view()}}) }
    }
}

impl Refund {
    fn view(&self, payment: &Payment) -> Value {
        json!({
            "id": self.id, "entity": "refund", "amount": self.amount, "currency": payment.currency, "payment_id": payment.id,
            "notes": self.notes, "receipt": self.receipt, "status": "processed", "speed_processed": "normal", "speed_requested": "normal",
            "created_at": self.created_at,
        })
    }
}

impl Book {
    pub(super) fn new(ids: Ids) -> Self {
        Self { ids, orders: Vec::new(), payments: Vec::new(), keys: HashMap::new() }
    }

    fn id(&self, prefix: &str) -> String {
        format!("{prefix}_{}", capitals(&self.ids, 14))
    }

    pub(super) fn create_order(&mut self, asked: &Value, now: i64) -> Result<Value, Problem> {
        let amount = asked.get("amount").and_then(Value::as_i64).filter(|amount| *amount >= 100);
        let order = Order {
            id: self.id("order"),
            amount: amount.ok_or_else(|| Problem::bad("Order amount less than minimum amount allowed"))?,
            currency: text(asked, "currency"),
            receipt: field(asked, "receipt"),
            notes: field(asked, "notes"),
            attempts: 0,
            created_at: now,
        };
        if order.currency.len() != 3 {
            return Err(Problem::bad("The currency should be 3 characters"));
        }
        if order.receipt.as_str().is_some_and(|receipt| receipt.len() > 40) {
            return Err(Problem::bad("The receipt may not be greater than 40 characters."));
        }
        let view = order.view(&self.payments);
        self.orders.push(order);
        Ok(view)
    }

    pub(super) fn orders(&self, receipt: &str) -> Value {
        let wanted = self.orders.iter().filter(|order| receipt.is_empty() || order.receipt.as_str() == Some(receipt));
        items(wanted.map(|order| order.view(&self.payments)).collect())
    }

    pub(super) fn order(&self, id: &str) -> Result<Value, Problem> {
        let order = self.orders.iter().find(|order| order.id == id).ok_or_else(Problem::unknown)?;
        Ok(order.view(&self.payments))
    }

    pub(super) fn payments_of(&self, order: &str) -> Value {
        items(self.payments.iter().filter(|payment| payment.order == order).map(Payment::view).collect())
    }

    /// Answers the payment's id and method.
    pub(super) fn create_payment(&mut self, asked: &Value, now: i64) -> Result<(String, String), Problem> {
        let (order_id, own) = (text(asked, "order_id"), self.id("pay"));
        let order = self.orders.iter_mut().find(|order| order.id == order_id).ok_or_else(Problem::unknown)?;
        if asked.get("amount").and_then(Value::as_i64) != Some(order.amount) || text(asked, "currency") != order.currency {
            return Err(Problem::bad("Your payment amount is different from your order amount. To pay successfully, please try using right amount."));
        }
        if text(asked, "email").is_empty() || text(asked, "contact").is_empty() {
            return Err(Problem::bad("The email and contact fields are required."));
        }
        let method = text(asked, "method");
        let chosen = match method.as_str() {
            "netbanking" => !text(asked, "bank").is_empty(),
            "wallet" => !text(asked, "wallet").is_empty(),
            "upi" => asked.pointer("/upi/flow").and_then(Value::as_str) == Some("intent"),
            _ => false,
        };
        if !chosen {
            return Err(Problem::bad("The selected method is invalid."));
        }
        if self.payments.iter().any(|payment| payment.order == order_id && matches!(payment.status, "authorized" | "captured" | "refunded")) {
            return Err(Problem::bad("Order is already paid"));
        }
        order.attempts += 1;
        let payment = Payment {
            id: own,
            order: order_id,
            amount: order.amount,
            currency: order.currency.clone(),
            status: "created",
            captured: false,
            method: method.clone(),
            bank: field(asked, "bank"),
            wallet: field(asked, "wallet"),
            email: field(asked, "email"),
            contact: field(asked, "contact"),
            notes: field(asked, "notes"),
            callback_url: text(asked, "callback_url"),
            refunds: Vec::new(),
            created_at: now,
        };
        let made = (payment.id.clone(), method);
        self.payments.push(payment);
        Ok(made)
    }

    /// What the buyer is asked about a payment: amount and method.
    pub(super) fn waiting(&self, id: &str) -> Option<(String, String)> {
        let payment = self.payments.iter().find(|payment| payment.id == id && payment.status == "created")?;
        let currency: Currency = payment.currency.parse().ok()?;
        Some((Money::new(payment.amount, currency).to_string(), payment.method.clone()))
    }

    /// The buyer's decision; answers where the browser goes, and the order.
    pub(super) fn decide(&mut self, id: &str, approved: bool) -> Option<(String, String, Vec<Told>)> {
        let payment = self.payments.iter_mut().find(|payment| payment.id == id && payment.status == "created")?;
        payment.status = if approved { "authorized" } else { "failed" };
        let told = payment.told(if approved { "payment.authorized" } else { "payment.failed" });
        let callback = if payment.method == "upi" { String::new() } else { payment.callback_url.clone() };
        Some((callback, payment.order.clone(), vec![told]))
    }

    fn payment(&mut self, id: &str) -> Result<&mut Payment, Problem> {
        self.payments.iter_mut().find(|payment| payment.id == id).ok_or_else(Problem::unknown)
    }

    pub(super) fn capture(&mut self, id: &str, asked: &Value) -> Result<(Value, Vec<Told>), Problem> {
        let payment = self.payment(id)?;
        if payment.captured {
            return Err(Problem::bad("This payment has already been captured"));
        }
        if payment.status != "authorized" {
            return Err(Problem::bad("Only payments which have been authorized and not yet captured can be captured"));
        }
        if asked.get("amount").and_then(Value::as_i64) != Some(payment.amount) {
            return Err(Problem::bad("Capture amount must be equal to the amount authorized"));
        }
        payment.status = "captured";
        payment.captured = true;
        Ok((payment.view(), vec![payment.told("payment.captured")]))
    }

    pub(super) fn refund(&mut self, id: &str, key: &str, asked: &Value, now: i64) -> Result<(Value, Vec<Told>), Problem> {
        if let Some((before, answer)) = self.keys.get(key).filter(|_| !key.is_empty()) {
            let same = if before == asked { Ok((answer.clone(), Vec::new())) } else { Err(()) };
            return same.map_err(|()| Problem::bad("Different request body for the same idempotency key"));
        }
        let own = self.id("rfnd");
        let payment = self.payment(id)?;
        if !payment.captured {
            return Err(Problem::bad("The payment status should be captured for action to be taken"));
        }
        let left = payment.amount - payment.refunded();
        let amount = asked.get("amount").and_then(Value::as_i64).unwrap_or(left);
        if left == 0 {
            return Err(Problem::bad("The payment has been fully refunded already"));
        }
        if amount < 1 || amount > left {
            return Err(Problem::bad("The total refund amount is greater than the refund payment amount"));
        }
        let refund = Refund { id: own, amount, receipt: field(asked, "receipt"), notes: field(asked, "notes"), created_at: now };
        let view = refund.view(payment);
        payment.refunds.push(refund);
        if payment.refunded() == payment.amount {
            payment.status = "refunded";
        }
        let payload = json!({"refund": {"entity": view}, "payment": {"entity": payment.view()}});
        self.keys.insert(key.to_owned(), (asked.clone(), view.clone()));
        Ok((view, vec![Told { event: "refund.processed", payload }]))
    }

    pub(super) fn refunds_of(&self, id: &str) -> Value {
        let payment = self.payments.iter().find(|payment| payment.id == id);
        items(payment.map(|payment| payment.refunds.iter().map(|refund| refund.view(payment)).collect()).unwrap_or_default())
    }

    /// A payment that nobody captured in time goes back to the buyer.
    pub(super) fn lapse(&mut self, order: &str, now: i64) -> Result<(Value, Vec<Told>), Problem> {
        let own = self.id("rfnd");
        let waiting = |payment: &&mut Payment| payment.order == order && payment.status == "authorized";
        let payment = self.payments.iter_mut().find(waiting).ok_or_else(Problem::unknown)?;
        payment.status = "refunded";
        payment.refunds.push(Refund { id: own, amount: payment.amount, receipt: Value::Null, notes: json!([]), created_at: now });
        let refund = payment.refunds.last().map(|refund| refund.view(payment));
        let payload = json!({"refund": {"entity": refund}, "payment": {"entity": payment.view()}});
        Ok((payment.view(), vec![Told { event: "refund.processed", payload }]))
    }
}

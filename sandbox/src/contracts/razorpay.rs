//! Razorpay's Orders, server-to-server payments, captures and refunds, after its API reference. `book.rs` is what it keeps.

mod book;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use kit_core::{Clock, Ids};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use self::book::{Book, Problem, Told};
use super::{Hooks, capitals};
use crate::pages;
use crate::settings::{ContractSettings, Settings};
use crate::signature::hmac;

struct Razorpay {
    account: ContractSettings,
    url: String,
    clock: Clock,
    ids: Ids,
    hooks: Hooks,
    book: Mutex<Book>,
}

type Shared = State<Arc<Razorpay>>;

pub(super) fn router(settings: &Settings) -> Router {
    let account = settings.contracts.clone();
    let hooks = Hooks::new(account.razorpay_webhook_url.clone(), settings.timings.retry);
    let url = format!("{}/razorpay", settings.public_url);
    let ids = Ids::new(settings.clock.clone());
    let book = Mutex::new(Book::new(ids.clone()));
    let razorpay = Razorpay { account, hooks, clock: settings.clock.clone(), ids, book, url };
    Router::new()
        .route("/v1/orders", post(create_order).get(orders))
        .route("/v1/orders/{id}", get(order))
        .route("/v1/orders/{id}/payments", get(payments_of_order))
        .route("/v1/payments/create/json", post(create_payment))
        .route("/v1/payments/{id}/capture", post(capture))
        .route("/v1/payments/{id}/refund", post(refund))
        .route("/v1/payments/{id}/refunds", get(refunds))
        .route("/v1/payments/{id}/authorize", get(ask).post(decide))
        // Not of Razorpay: what its calendar does with a payment that was never captured.
        .route("/_lapse/{id}", post(lapse))
        .with_state(Arc::new(razorpay))
}

impl Razorpay {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, told: Vec<Told>) {
        let now = self.clock.now().timestamp();
        for Told { event, payload } in told {
            let contains: Vec<String> = payload.as_object().map(|payload| payload.keys().cloned().collect()).unwrap_or_default();
            let body =
                json!({"entity": "event", "account_id": "acc_Sandbox", "event": event, "contains": contains, "payload": payload, "created_at": now})
                    .to_string();
            let signature = hmac(&self.account.razorpay_webhook_secret, &[body.as_bytes()]);
            self.hooks.send(vec![("x-razorpay-signature", signature), ("x-razorpay-event-id", capitals(&self.ids, 14))], body);
        }
    }

    /// Lets in whoever has the key.
    fn carry_out(
        &self,
        headers: &HeaderMap,
        body: &Bytes,
        work: impl FnOnce(&mut Book, &Value, i64) -> Result<(Value, Vec<Told>), Problem>,
    ) -> Response {
        let credentials = format!("{}:{}", self.account.razorpay_key_id, self.account.razorpay_key_secret);
        let right = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(credentials));
        if headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) != Some(right.as_str()) {
            return Problem::of(StatusCode::UNAUTHORIZED, "Authentication failed").into_response();
        }
        let Ok(body) = serde_json::from_slice::<Value>(if body.is_empty() { b"{}" } else { body }) else {
            return Problem::bad("The request body is not valid JSON").into_response();
        };
        let done = work(&mut self.book(), &body, self.clock.now().timestamp());
        match done {
            Ok((answer, told)) => {
                self.tell(told);
                Json(answer).into_response()
            }
            Err(problem) => problem.into_response(),
        }
    }
}

async fn create_order(State(razorpay): Shared, headers: HeaderMap, body: Bytes) -> Response {
    razorpay.carry_out(&headers, &body, |book, asked, now| Ok((book.create_order(asked, now)?, Vec::new())))
}

#[derive(Deserialize)]
struct ByReceipt {
    #[serde(default)]
    receipt: String,
}

async fn orders(State(razorpay): Shared, Query(wanted): Query<ByReceipt>, headers: HeaderMap) -> Response {
    razorpay.carry_out(&headers, &Bytes::new(), |book, _, _| Ok((book.orders(&wanted.receipt), Vec::new())))
}

async fn order(State(razorpay): Shared, Path(id): Path<String>, headers: HeaderMap) -> Response {
    razorpay.carry_out(&headers, &Bytes::new(), |book, _, _| Ok((book.order(&id)?, Vec::new())))
}

async fn payments_of_order(State(razorpay): Shared, Path(id): Path<String>, headers: HeaderMap) -> Response {
    razorpay.carry_out(&headers, &Bytes::new(), |book, _, _| Ok((book.payments_of(&id), Vec::new())))
}

async fn create_payment(State(razorpay): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let url = razorpay.url.clone();
    razorpay.carry_out(&headers, &body, |book, asked, now| {
        let (id, method) = book.create_payment(asked, now)?;
        let page = format!("{url}/v1/payments/{id}/authorize");
        let next = match method.as_str() {
            // The link opens the buyer's UPI app; here the app is a page.
            "upi" => json!([{"action": "intent", "url": format!("upi://pay?pa=sandbox@razorpay&tr={id}")}, {"action": "poll", "url": page}]),
            _ => json!([{"action": "redirect", "url": page}]),
        };
        Ok((json!({"razorpay_payment_id": id, "next": next}), Vec::new()))
    })
}

async fn capture(State(razorpay): Shared, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    razorpay.carry_out(&headers, &body, |book, asked, _| book.capture(&id, asked))
}

async fn refund(State(razorpay): Shared, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let key = headers.get("x-refund-idempotency").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    razorpay.carry_out(&headers, &body, |book, asked, now| book.refund(&id, &key, asked, now))
}

async fn refunds(State(razorpay): Shared, Path(id): Path<String>, headers: HeaderMap) -> Response {
    razorpay.carry_out(&headers, &Bytes::new(), |book, _, _| Ok((book.refunds_of(&id), Vec::new())))
}

async fn lapse(State(razorpay): Shared, Path(id): Path<String>, headers: HeaderMap) -> Response {
    razorpay.carry_out(&headers, &Bytes::new(), |book, _, now| book.lapse(&id, now))
}

/// The page of the buyer's bank, wallet or UPI app.
async fn ask(State(razorpay): Shared, Path(id): Path<String>) -> Response {
    match razorpay.book().waiting(&id) {
        Some((amount, method)) => bank(&amount, &method).into_response(),
        None => (StatusCode::NOT_FOUND, pages::refusal("this payment is not waiting for you")).into_response(),
    }
}

fn bank(amount: &str, method: &str) -> Markup {
    pages::page(
        "Your bank (contract server)",
        &html! {
            h1 { "Confirm your payment" }
            p { "This is no bank: it is a contract server that answers as Razorpay's documentation says." }
            dl {
                div { dt { "Amount" } dd { (amount) } }
                div { dt { "With" } dd { (method) } }
            }
            form method="post" class="choice" {
                button type="submit" name="decision" value="approve" class="primary" { "Success" }
                button type="submit" name="decision" value="reject" { "Failure" }
            }
        },
    )
}

#[derive(Deserialize)]
struct Decision {
    decision: String,
}

/// The browser goes back by a form that posts itself, with a signature over the order and the payment.
async fn decide(State(razorpay): Shared, Path(id): Path<String>, Form(form): Form<Decision>) -> Response {
    let decided = razorpay.book().decide(&id, form.decision == "approve");
    let Some((callback, order, told)) = decided else {
        return (StatusCode::NOT_FOUND, pages::refusal("this payment is not waiting for you")).into_response();
    };
    razorpay.tell(told);
    if callback.is_empty() {
        return pages::page("Done", &html! { h1 { "Done" } p { "Go back to the shop: it is told." } }).into_response();
    }
    let signature = hmac(&razorpay.account.razorpay_key_secret, &[order.as_bytes(), b"|", id.as_bytes()]);
    let back = html! {
        h1 { "Done" }
        form method="post" action=(callback) class="choice" {
            input type="hidden" name="razorpay_payment_id" value=(id);
            input type="hidden" name="razorpay_order_id" value=(order);
            input type="hidden" name="razorpay_signature" value=(signature);
            button type="submit" class="primary" { "Back to the shop" }
        }
    };
    pages::page("Back to the shop", &back).into_response()
}

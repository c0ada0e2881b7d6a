//! PayPal's Orders v2 and Payments v2, after the OpenAPI documents that PayPal publishes. `book.rs` is what it keeps.

mod book;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use kit_core::{Clock, Ids};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use self::book::{Book, Problem, Told};
use super::{Hooks, capitals, rfc3339};
use crate::pages;
use crate::settings::{ContractSettings, Settings};
use crate::signature::hmac;

const TOKEN_SECONDS: i64 = 32_400;

struct Paypal {
    account: ContractSettings,
    /// Where this server is, without a slash at the end.
    url: String,
    clock: Clock,
    ids: Ids,
    hooks: Hooks,
    book: Mutex<Book>,
}

type Shared = State<Arc<Paypal>>;

pub(super) fn router(settings: &Settings) -> Router {
    let account = settings.contracts.clone();
    let hooks = Hooks::new(account.paypal_webhook_url.clone(), settings.timings.retry);
    let url = format!("{}/paypal", settings.public_url);
    let ids = Ids::new(settings.clock.clone());
    let book = Mutex::new(Book::new(&url, ids.clone()));
    let paypal = Paypal { account, hooks, clock: settings.clock.clone(), ids, book, url };
    Router::new()
        .route("/v1/oauth2/token", post(token))
        .route("/v1/notifications/verify-webhook-signature", post(verify))
        .route("/v2/checkout/orders", post(create))
        .route("/v2/checkout/orders/{id}", get(order))
        .route("/v2/checkout/orders/{id}/authorize", post(authorize))
        .route("/v2/payments/authorizations/{id}/capture", post(capture))
        .route("/v2/payments/authorizations/{id}/void", post(void))
        .route("/v2/payments/captures/{id}/refund", post(refund))
        .route("/checkoutnow", get(ask).post(decide))
        .with_state(Arc::new(paypal))
}

impl Paypal {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn access_token(&self) -> String {
        hmac(&self.account.paypal_client_secret, &[self.account.paypal_client_id.as_bytes()])
    }

    fn signature(&self, id: &str, time: &str, event: &str) -> String {
        let parts: [&[u8]; 4] = [id.as_bytes(), time.as_bytes(), self.account.paypal_webhook_id.as_bytes(), event.as_bytes()];
        base64::engine::general_purpose::STANDARD.encode(hmac(&self.account.paypal_client_secret, &parts))
    }

    fn tell(&self, told: Vec<Told>) {
        for Told { event_type, resource_type, resource } in told {
            let (id, time) = (format!("WH-{}-{}", capitals(&self.ids, 17), capitals(&self.ids, 17)), rfc3339(&self.clock));
            let event = json!({
                "id": id, "event_version": "1.0", "create_time": time, "resource_type": resource_type, "event_type": event_type,
                "summary": event_type, "resource": resource, "links": [],
            })
            .to_string();
            let transmission = self.ids.uuid().to_string();
            let headers = vec![
                ("paypal-transmission-sig", self.signature(&transmission, &time, &event)),
                ("paypal-transmission-id", transmission),
                ("paypal-transmission-time", time),
                ("paypal-cert-url", format!("{}/v1/notifications/certs/CERT-SANDBOX", self.url)),
                ("paypal-auth-algo", "SHA256withRSA".to_owned()),
            ];
            self.hooks.send(headers, event);
        }
    }

    /// Lets in whoever has the token; answers a repeated PayPal-Request-Id as the first time; tells what happened.
    fn carry_out(
        &self,
        path: &str,
        headers: &HeaderMap,
        body: &Bytes,
        work: impl FnOnce(&mut Book, &Value, &str) -> Result<(Value, Vec<Told>), Problem>,
    ) -> Response {
        let given = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if given("authorization") != format!("Bearer {}", self.access_token()) {
            let problem = json!({"error": "invalid_token", "error_description": "Token signature verification failed"});
            return (StatusCode::UNAUTHORIZED, Json(problem)).into_response();
        }
        let Ok(body) = serde_json::from_slice::<Value>(if body.is_empty() { b"{}" } else { body }) else {
            return Problem::malformed("MALFORMED_REQUEST_JSON").into_response();
        };
        let key = (path.to_owned(), given("paypal-request-id").to_owned());
        let mut book = self.book();
        if let Some(answer) = book.answered(&key) {
            return (StatusCode::OK, Json(answer)).into_response();
        }
        match work(&mut book, &body, &rfc3339(&self.clock)) {
            Ok((answer, told)) => {
                book.remember(key, &answer);
                drop(book);
                self.tell(told);
                (StatusCode::CREATED, Json(answer)).into_response()
            }
            Err(problem) => problem.into_response(),
        }
    }
}

async fn token(State(paypal): Shared, headers: HeaderMap) -> Response {
    let credentials = format!("{}:{}", paypal.account.paypal_client_id, paypal.account.paypal_client_secret);
    let right = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(credentials));
    if headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) != Some(right.as_str()) {
        let problem = json!({"error": "invalid_client", "error_description": "Client Authentication failed"});
        return (StatusCode::UNAUTHORIZED, Json(problem)).into_response();
    }
    let answer = json!({"access_token": paypal.access_token(), "token_type": "Bearer", "app_id": "APP-SANDBOX", "expires_in": TOKEN_SECONDS});
    Json(answer).into_response()
}

/// Whether a delivery is one of ours. The real one signs with RSA; which algorithm it is, only PayPal knows when it is asked like this.
async fn verify(State(paypal): Shared, body: Bytes) -> Response {
    #[derive(Deserialize)]
    struct Asked<'a> {
        transmission_id: String,
        transmission_time: String,
        transmission_sig: String,
        webhook_id: String,
        #[serde(borrow)]
        webhook_event: &'a serde_json::value::RawValue,
    }
    let Ok(asked) = serde_json::from_slice::<Asked<'_>>(&body) else { return Problem::malformed("MALFORMED_REQUEST_JSON").into_response() };
    let right = asked.webhook_id == paypal.account.paypal_webhook_id
        && asked.transmission_sig == paypal.signature(&asked.transmission_id, &asked.transmission_time, asked.webhook_event.get());
    Json(json!({"verification_status": if right { "SUCCESS" } else { "FAILURE" }})).into_response()
}

async fn create(State(paypal): Shared, headers: HeaderMap, body: Bytes) -> Response {
    paypal.carry_out("orders", &headers, &body, |book, asked, now| Ok((book.create(asked, now)?, Vec::new())))
}

async fn order(State(paypal): Shared, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let right = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) == Some(&format!("Bearer {}", paypal.access_token()));
    if !right {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match paypal.book().view(&id) {
        Ok(order) => Json(order).into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn authorize(State(paypal): Shared, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    paypal.carry_out(&format!("authorize/{id}"), &headers, &body, |book, _, now| book.authorize(&id, now))
}

async fn capture(State(paypal): Shared, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    paypal.carry_out(&format!("capture/{id}"), &headers, &body, |book, asked, now| book.capture(&id, asked, now))
}

async fn void(State(paypal): Shared, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    paypal.carry_out(&format!("void/{id}"), &headers, &body, |book, _, now| book.void(&id, now))
}

async fn refund(State(paypal): Shared, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    paypal.carry_out(&format!("refund/{id}"), &headers, &body, |book, asked, now| book.refund(&id, asked, now))
}

#[derive(Deserialize)]
struct Asked {
    token: String,
}

/// PayPal's page, where the buyer agrees.
async fn ask(State(paypal): Shared, Query(asked): Query<Asked>) -> Response {
    let waiting = paypal.book().waiting(&asked.token);
    match waiting {
        Some((amount, description)) => consent(&amount, &description).into_response(),
        None => (StatusCode::NOT_FOUND, pages::refusal("this order is not waiting for you")).into_response(),
    }
}

fn consent(amount: &str, description: &str) -> Markup {
    pages::page(
        "Pay with PayPal (contract server)",
        &html! {
            h1 { "Pay with your PayPal account" }
            p { "This is not PayPal: it is a contract server that answers as PayPal's documentation says." }
            dl {
                div { dt { "Amount" } dd { (amount) } }
                div { dt { "For" } dd { (description) } }
            }
            form method="post" class="choice" {
                button type="submit" name="decision" value="approve" class="primary" { "Complete Purchase" }
                button type="submit" name="decision" value="decline" { "Pay with a card that is declined" }
                button type="submit" name="decision" value="cancel" { "Cancel and return" }
            }
        },
    )
}

#[derive(Deserialize)]
struct Decision {
    decision: String,
}

async fn decide(State(paypal): Shared, Query(asked): Query<Asked>, Form(form): Form<Decision>) -> Response {
    let decided = paypal.book().decide(&asked.token, &form.decision);
    let Some((back, told)) = decided else {
        return (StatusCode::NOT_FOUND, pages::refusal("this order is not waiting for you")).into_response();
    };
    paypal.tell(told);
    Redirect::to(&back).into_response()
}

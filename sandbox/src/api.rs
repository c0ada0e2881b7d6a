//! The HTTP side: routes, keys, and translation of requests to the world and back.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use kit_core::Currency;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::dispute::USUAL_REASON;
use crate::error::Error;
use crate::faults::Faults;
use crate::journal::Record;
use crate::model::{MovementKind, MovementRequest};
use crate::pages;
use crate::settings::{MAX_BODY_BYTES, MAX_EVIDENCE, MAX_LISTED_PAYMENTS, MAX_REPORT_LINES};
use crate::tokens::{allowed_return, tokenise};
use crate::world::{Answer, Charge, NewPayment, World};

pub(crate) type Shared = State<Arc<World>>;

pub(crate) fn router(world: Arc<World>) -> Router {
    let merchant = Router::new()
        .route("/v1/payments", post(create).get(find_or_list))
        .route("/v1/payments/{id}", get(find))
        .route("/v1/payments/{id}/confirm", post(confirm))
        .route("/v1/payments/{id}/capture", post(capture))
        .route("/v1/payments/{id}/cancel", post(cancel))
        .route("/v1/payments/{id}/refunds", post(refund))
        .route("/v1/payments/{id}/disputes", post(dispute))
        .route("/v1/payments/{id}/disputes/{dispute}/evidence", post(answer_dispute))
        .route("/v1/report", get(report))
        .route("/v1/methods/{id}", delete(delete_method))
        .route("/v1/events", get(events));
    let faulty = merchant
        .layer(middleware::from_fn_with_state(Arc::clone(&world), with_secret_key))
        .route("/v1/tokens", post(tokenise))
        .route("/challenge/{id}", get(pages::challenge).post(pages::answer_challenge))
        .layer(middleware::from_fn_with_state(Arc::clone(&world), with_faults));
    let control = Router::new()
        .route("/v1/faults", get(read_faults).put(set_faults).delete(clear_faults))
        .layer(middleware::from_fn_with_state(Arc::clone(&world), with_secret_key));
    faulty
        .merge(control)
        .route("/", get(pages::index))
        .route("/style.css", get(pages::style))
        .route("/healthz", get(|| async { "ok" }))
        .layer(middleware::from_fn_with_state(Arc::clone(&world), with_headers))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(world)
}

/// Lets only the merchant's server in.
async fn with_secret_key(State(world): Shared, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    // Digests are compared, so that the time taken tells nothing about the key.
    let right = given.is_some_and(|given| Sha256::digest(given) == Sha256::digest(&world.settings.secret_key));
    if right { next.run(request).await } else { Error::Unauthenticated.into_response() }
}

/// Applies the faults that concern every call.
async fn with_faults(State(world): Shared, request: Request, next: Next) -> Response {
    let (down, delay_ms) = {
        let inner = world.lock();
        (inner.faults.down, inner.faults.delay_ms)
    };
    if down {
        return Error::Down.into_response();
    }
    let answer = next.run(request).await;
    if delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
    }
    answer
}

/// Pages run no script, load nothing from elsewhere, and may only be left towards the merchant.
async fn with_headers(State(world): Shared, request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    let policy = format!(
        "default-src 'none'; style-src 'self'; form-action 'self' {}; frame-ancestors 'none'; base-uri 'none'",
        world.settings.return_origins.join(" ")
    );
    let headers = answer.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    answer
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateBody {
    reference: String,
    amount_minor: i64,
    currency: String,
    /// With a token the payment is confirmed at once.
    token: Option<String>,
    #[serde(default)]
    return_url: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    save_method: bool,
}

async fn create(State(world): Shared, headers: HeaderMap, body: Bytes) -> Result<Response, Error> {
    let key = idempotency_key(&headers)?;
    let request: CreateBody = read(&body)?;
    text_within("reference", &request.reference, 1, 200)?;
    text_within("description", &request.description, 0, 200)?;
    if request.amount_minor <= 0 {
        return Err(Error::invalid("amount_minor", "must be more than zero"));
    }
    let currency: Currency = request.currency.parse().map_err(|_| Error::invalid("currency", "is not an ISO 4217 code"))?;
    if !request.return_url.is_empty() {
        allowed_return(&world.settings, &request.return_url)?;
    }
    let charge = request.token.map(|token| Charge { token, save_method: request.save_method });
    let new = NewPayment {
        key,
        fingerprint: fingerprint(&body),
        reference: request.reference,
        amount_minor: request.amount_minor,
        currency: currency.to_string(),
        description: request.description,
        return_url: request.return_url,
    };
    answer(world.create(new, charge)?).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfirmBody {
    token: String,
    #[serde(default)]
    save_method: bool,
}

async fn confirm(State(world): Shared, Path(id): Path<String>, body: Bytes) -> Result<Response, Error> {
    let request: ConfirmBody = read(&body)?;
    answer(world.confirm(&id, Charge { token: request.token, save_method: request.save_method })?).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MovementBody {
    #[serde(default)]
    reference: String,
    amount_minor: Option<i64>,
    /// Captures only: release what is left.
    #[serde(default)]
    last: bool,
}

async fn capture(State(world): Shared, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Result<Response, Error> {
    transfer(&world, &id, MovementKind::Capture, &headers, &body).await
}

async fn refund(State(world): Shared, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Result<Response, Error> {
    transfer(&world, &id, MovementKind::Refund, &headers, &body).await
}

async fn transfer(world: &Arc<World>, id: &str, kind: MovementKind, headers: &HeaderMap, body: &Bytes) -> Result<Response, Error> {
    let key = idempotency_key(headers)?;
    let request: MovementBody = read(body)?;
    text_within("reference", &request.reference, 0, 200)?;
    let prefix = if kind == MovementKind::Capture { "ch" } else { "re" };
    let request =
        MovementRequest { id: world.new_id(prefix), key, reference: request.reference, amount_minor: request.amount_minor, last: request.last };
    answer(world.transfer(id, kind, request)?).await
}

async fn cancel(State(world): Shared, Path(id): Path<String>) -> Result<Response, Error> {
    answer(world.cancel(&id)?).await
}

async fn find(State(world): Shared, Path(id): Path<String>) -> Result<Response, Error> {
    answer(world.find(&id)?).await
}

#[derive(Deserialize)]
struct FindQuery {
    idempotency_key: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

async fn find_or_list(State(world): Shared, Query(query): Query<FindQuery>) -> Result<Response, Error> {
    match query.idempotency_key {
        Some(key) => answer(world.find_by_key(&key)?).await,
        None => {
            let found = world.list(&query.after.unwrap_or_default(), query.limit.unwrap_or(100).clamp(1, MAX_LISTED_PAYMENTS))?;
            Ok(json(list_of("payments", found.iter().map(Vec::as_slice))))
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DisputeBody {
    amount_minor: Option<i64>,
    #[serde(default)]
    reason: String,
}

/// On demand: the cardholder disputes a payment now.
async fn dispute(State(world): Shared, Path(id): Path<String>, body: Bytes) -> Result<Response, Error> {
    let request: DisputeBody = read(&body)?;
    text_within("reason", &request.reason, 0, 100)?;
    let reason = if request.reason.is_empty() { USUAL_REASON.to_owned() } else { request.reason };
    answer(world.dispute(&id, reason, request.amount_minor)?).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EvidenceBody {
    evidence: String,
}

async fn answer_dispute(State(world): Shared, Path((id, dispute)): Path<(String, String)>, body: Bytes) -> Result<Response, Error> {
    let request: EvidenceBody = read(&body)?;
    if request.evidence.chars().count() > MAX_EVIDENCE {
        return Err(Error::invalid("evidence", format!("must have at most {MAX_EVIDENCE} characters")));
    }
    answer(world.answer_dispute(&id, &dispute, request.evidence)?).await
}

#[derive(Deserialize)]
struct ReportQuery {
    after: Option<u64>,
    limit: Option<usize>,
}

async fn report(State(world): Shared, Query(query): Query<ReportQuery>) -> axum::Json<serde_json::Value> {
    let lines = world.report(query.after.unwrap_or_default(), query.limit.unwrap_or(100).clamp(1, MAX_REPORT_LINES));
    axum::Json(serde_json::json!({"lines": lines}))
}

async fn delete_method(State(world): Shared, Path(id): Path<String>) -> Result<StatusCode, Error> {
    let known = world.lock().methods.remove(&id);
    known.ok_or(Error::NotFound("method"))?;
    world.note(&Record::MethodDeleted(id));
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct EventsQuery {
    after: Option<String>,
    limit: Option<usize>,
}

async fn events(State(world): Shared, Query(query): Query<EventsQuery>) -> Response {
    let found = world.events(query.after.as_deref(), query.limit.unwrap_or(100).clamp(1, 1_000));
    json(list_of("events", found.iter().map(|event| event.body.as_slice())))
}

/// An object with one list of what already is JSON.
fn list_of<'a>(name: &str, items: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut body = format!("{{\"{name}\":[").into_bytes();
    for (index, item) in items.enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(item);
    }
    body.extend_from_slice(b"]}");
    body
}

async fn read_faults(State(world): Shared) -> axum::Json<Faults> {
    axum::Json(world.lock().faults.clone())
}

async fn set_faults(State(world): Shared, body: Bytes) -> Result<axum::Json<Faults>, Error> {
    let faults = read::<Faults>(&body)?.checked()?;
    world.lock().faults = faults.clone();
    Ok(axum::Json(faults))
}

async fn clear_faults(State(world): Shared) -> axum::Json<Faults> {
    world.lock().faults = Faults::default();
    axum::Json(Faults::default())
}

async fn answer(answer: Answer) -> Result<Response, Error> {
    Ok(json(answer.ready().await?))
}

fn json(body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| Error::invalid("body", format!("is not the JSON this takes: {error}")))
}

pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<String, Error> {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or_default();
    text_within("Idempotency-Key", key, 1, 200)?;
    Ok(key.to_owned())
}

pub(crate) fn text_within(field: &'static str, text: &str, min: usize, max: usize) -> Result<(), Error> {
    let fits = (min..=max).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(Error::invalid(field, format!("must have {min} to {max} characters, none of them control characters"))) }
}

/// Tells requests under one key apart.
fn fingerprint(body: &[u8]) -> u64 {
    Sha256::digest(body).iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

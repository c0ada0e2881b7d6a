//! The bank's HTTP side: beneficiaries, transfers and the account's statement, under `/bank/v1`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use kit_core::Currency;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::book::{Bank, NewTransfer};
use super::model::{Transfer, is_iban};
use crate::api::{idempotency_key, read, text_within};
use crate::error::Error;
use crate::settings::MAX_REPORT_LINES;

type Shared = State<Arc<Bank>>;

pub(crate) fn router(bank: Arc<Bank>) -> Router {
    Router::new()
        .route("/bank/v1/beneficiaries", post(add_beneficiary))
        .route("/bank/v1/transfers", post(transfer).get(find_by_key))
        .route("/bank/v1/transfers/{id}", get(find))
        .route("/bank/v1/transfers/{id}/return", post(give_back))
        .route("/bank/v1/statement", get(statement))
        .layer(middleware::from_fn_with_state(Arc::clone(&bank), with_secret_key))
        .with_state(bank)
}

/// Lets only the account's owner in.
async fn with_secret_key(State(bank): Shared, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    // Digests are compared, so that the time taken tells nothing about the key.
    let right = given.is_some_and(|given| Sha256::digest(given) == Sha256::digest(&bank.settings.secret_key));
    if right { next.run(request).await } else { Error::Unauthenticated.into_response() }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BeneficiaryBody {
    holder: String,
    iban: String,
}

async fn add_beneficiary(State(bank): Shared, body: Bytes) -> Result<Json<Value>, Error> {
    let request: BeneficiaryBody = read(&body)?;
    text_within("holder", &request.holder, 1, 140)?;
    let iban: String = request.iban.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_uppercase();
    if !is_iban(&iban) {
        return Err(Error::invalid("iban", "is not an IBAN: its check digits do not fit"));
    }
    let made = bank.add_beneficiary(request.holder, iban).await?;
    Ok(Json(json!({"id": made.id, "holder": made.holder, "last4": made.iban.get(made.iban.len().saturating_sub(4)..).unwrap_or_default()})))
}

async fn transfer(State(bank): Shared, headers: HeaderMap, body: Bytes) -> Result<Json<Value>, Error> {
    let key = idempotency_key(&headers)?;
    let wanted: NewTransfer = read(&body)?;
    text_within("purpose", &wanted.purpose, 0, 140)?;
    if wanted.amount_minor <= 0 {
        return Err(Error::invalid("amount_minor", "must be more than zero"));
    }
    let _known: Currency = wanted.currency.parse().map_err(|_| Error::invalid("currency", "is not an ISO 4217 code"))?;
    Ok(Json(view(&bank.transfer(key, wanted)?.ready().await?)))
}

async fn find(State(bank): Shared, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    Ok(Json(view(&bank.find(&id)?)))
}

#[derive(Deserialize)]
struct FindQuery {
    idempotency_key: String,
}

async fn find_by_key(State(bank): Shared, Query(query): Query<FindQuery>) -> Result<Json<Value>, Error> {
    Ok(Json(view(&bank.find_by_key(&query.idempotency_key)?)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReturnBody {
    reason: String,
}

/// On demand: the beneficiary's bank sends the money back.
async fn give_back(State(bank): Shared, Path(id): Path<String>, body: Bytes) -> Result<Json<Value>, Error> {
    let request: ReturnBody = read(&body)?;
    text_within("reason", &request.reason, 1, 100)?;
    Ok(Json(view(&bank.give_back(&id, &request.reason)?.ready().await?)))
}

#[derive(Deserialize)]
struct StatementQuery {
    after: Option<u64>,
    limit: Option<usize>,
}

async fn statement(State(bank): Shared, Query(query): Query<StatementQuery>) -> Json<Value> {
    let lines = bank.statement(query.after.unwrap_or_default(), query.limit.unwrap_or(100).clamp(1, MAX_REPORT_LINES));
    Json(json!({"lines": lines}))
}

/// A transfer as the API and webhooks show it.
pub(crate) fn view(transfer: &Transfer) -> Value {
    json!({
        "id": transfer.id,
        "reference": transfer.reference,
        "beneficiary": transfer.beneficiary,
        "amount_minor": transfer.amount_minor,
        "currency": transfer.currency,
        "status": transfer.status,
        "reason": transfer.reason,
        "version": transfer.version,
        "created": transfer.created_ms / 1_000,
    })
}

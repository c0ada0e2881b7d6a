//! One request's way through the edge: find the operation, say who asks, keep to the limits, translate, call, translate back.

use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::header::ALLOW;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use kit_core::UserId;
use kit_rpc::Ctx;

use crate::limits::Left;
use crate::operation::{Body, Operation, Output};
use crate::problem::Problem;
use crate::request::{Parts, message, read_body};
use crate::routes::Found;
use crate::{Rest, call, response};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const IDEMPOTENCY_KEY: &str = "idempotency-key";
const LONGEST_KEY: usize = 255;
/// Uploads get this many times the time of other requests.
const UPLOAD_PATIENCE: u32 = 10;

pub(crate) async fn serve(State(rest): State<Arc<Rest>>, request: Request) -> Response {
    let started = Instant::now();
    let request_id = request_id(&rest, request.headers());
    let address = address(&rest, &request);
    let path = request.uri().path().to_owned();
    let found = rest.routes.find(request.method(), &path);
    let (name, answer) = match found {
        Found::Operation(operation, captured) => {
            let operation = Arc::clone(operation);
            let name = operation.name.clone();
            let answering = AssertUnwindSafe(answer(Arc::clone(&rest), operation, captured, &request_id, address, request)).catch_unwind();
            let answer = answering.await.unwrap_or_else(|_panic| {
                tracing::error!(request_id, "the REST edge panicked");
                Answer { limit: None, result: Err(Problem::from(tonic::Status::internal("panic"))) }
            });
            (name, answer)
        }
        Found::OtherMethods(methods) => ("none".to_owned(), other_method(request.method(), &methods, &request_id)),
        Found::Nothing => {
            let detail = format!("there is no operation {} {path}; see /docs", request.method());
            ("none".to_owned(), Answer { limit: None, result: Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "NO_SUCH_OPERATION", detail)) })
        }
    };
    let mut response = answer.result.unwrap_or_else(|problem| problem.into_response(&request_id));
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        headers.insert(REQUEST_ID, id);
    }
    if let Some(left) = answer.limit {
        headers.insert("x-ratelimit-limit", left.limit.into());
        headers.insert("x-ratelimit-remaining", left.remaining.into());
        headers.insert("x-ratelimit-reset", left.reset_seconds.into());
    }
    let seconds = started.elapsed().as_secs_f64();
    metrics::counter!("http_requests_total", "operation" => name.clone(), "status" => response.status().as_str().to_owned()).increment(1);
    metrics::histogram!("http_seconds", "operation" => name.clone()).record(seconds);
    tracing::debug!(request_id, operation = name, status = response.status().as_u16(), seconds, "answered");
    response
}

struct Answer {
    limit: Option<Left>,
    result: Result<Response, Problem>,
}

fn other_method(asked: &Method, methods: &[String], request_id: &str) -> Answer {
    let allow = methods.join(", ");
    let mut response = if asked == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        let detail = format!("this path answers to {allow}, not to {asked}");
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "invalid", "METHOD_NOT_ALLOWED", detail).into_response(request_id)
    };
    if let Ok(allow) = HeaderValue::from_str(&allow) {
        response.headers_mut().insert(ALLOW, allow);
    }
    Answer { limit: None, result: Ok(response) }
}

async fn answer(
    rest: Arc<Rest>,
    operation: Arc<Operation>,
    captured: Vec<String>,
    request_id: &str,
    address: Option<IpAddr>,
    request: Request,
) -> Answer {
    let now = Instant::now();
    let by_address = address.and_then(|address| rest.by_address.take(address, now));
    if let Some(problem) = exceeded(by_address) {
        return Answer { limit: by_address, result: Err(problem) };
    }
    let patience = if matches!(operation.body, Body::Raw { .. }) { UPLOAD_PATIENCE } else { 1 };
    let timeout = Duration::from_secs(rest.config.request_timeout_seconds) * patience;
    let ctx = Ctx { address, deadline: Some(now + timeout), ..Ctx::anonymous(request_id) };
    let ctx = match rest.authenticator.identify(ctx, request.headers()).await {
        Ok(ctx) => ctx,
        Err(status) => return Answer { limit: by_address, result: Err(status.into()) },
    };
    let by_account = ctx.user().and_then(|user: UserId| rest.by_account.take(user, now));
    let limit = by_account.or(by_address);
    if let Some(problem) = exceeded(by_account) {
        return Answer { limit, result: Err(problem) };
    }
    let result = match tokio::time::timeout(timeout, proceed(rest, operation, captured, ctx, request)).await {
        Ok(result) => result,
        Err(_) => Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, "timeout", "TIMEOUT", "the request took too long")),
    };
    Answer { limit, result }
}

fn exceeded(left: Option<Left>) -> Option<Problem> {
    let seconds = left?.retry_after_seconds?;
    let detail = format!("too many requests; come back in {seconds} s");
    Some(Problem { retry_after_seconds: seconds, ..Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many", "RATE_LIMITED", detail) })
}

async fn proceed(rest: Arc<Rest>, operation: Arc<Operation>, captured: Vec<String>, mut ctx: Ctx, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    if operation.verb != Method::GET {
        ctx.idempotency_key = idempotency_key(&head.headers)?;
    }
    let body = read_body(&operation, &rest.config, body).await?;
    let parts = Parts { captured: &captured, query: head.uri.query().unwrap_or_default(), headers: &head.headers, body };
    let message = message(&rest.contracts.schema, &operation, &parts)?;
    let link = rest.links.get(operation.service).cloned().ok_or_else(|| tonic::Status::unavailable("the service is not part of this market"))?;
    if let Output::Events(shape) = operation.output {
        // What is said over hours has no deadline; it ends when the caller goes.
        let ctx = Ctx { deadline: None, ..ctx };
        let messages = call::stream(link, operation.grpc_path.clone(), &ctx, message).await?;
        return Ok(response::events(rest, shape, ctx.request_id.to_string(), messages));
    }
    let answer = call::unary(link, operation.grpc_path.clone(), &ctx, message).await?;
    response::unary(&rest.contracts.schema, &operation, &ctx, &head.headers, &answer)
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<Arc<str>>, Problem> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    match key.to_str() {
        Ok(key) if (1..=LONGEST_KEY).contains(&key.len()) => Ok(Some(key.into())),
        _ => Err(Problem::violation("Idempotency-Key", format!("must have 1 to {LONGEST_KEY} visible characters"))),
    }
}

/// The caller's id of the request when it is a plain word, else a new one.
fn request_id(rest: &Rest, headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let plain = |id: &&str| (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    given.filter(plain).map_or_else(|| format!("req_{}", rest.ids.uuid().simple()), ToOwned::to_owned)
}

/// Where the request came from; proxies we trust are believed about whom they speak for.
fn address(rest: &Rest, request: &Request) -> Option<IpAddr> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    if !peer.is_some_and(|peer| rest.config.trusted_proxies.contains(&peer)) {
        return peer;
    }
    let forwarded = request.headers().get("x-forwarded-for").and_then(|value| value.to_str().ok());
    let hops = forwarded.into_iter().flat_map(|hops| hops.split(',')).filter_map(|hop| hop.trim().parse().ok());
    let hops: Vec<IpAddr> = hops.collect();
    hops.into_iter().rev().find(|hop| !rest.config.trusted_proxies.contains(hop)).or(peer)
}

//! From the bytes of an answer to an HTTP response: JSON with its ETag, raw bytes, or a stream of server-sent events.

use std::convert::Infallible;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use kit_rpc::Ctx;
use kit_rpc::proto::google_api::HttpBody;
use prost::Message;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use crate::operation::{Operation, Output};
use crate::problem::Problem;
use crate::schema::Schema;
use crate::{Rest, to_json};

fn unreadable() -> Problem {
    Problem::from(Status::internal("the service's answer cannot be read"))
}

pub(crate) fn unary(
    schema: &Schema,
    operation: &Operation,
    ctx: &Ctx,
    headers: &HeaderMap,
    answer: &tonic::Response<Bytes>,
) -> Result<Response, Problem> {
    let (name, answer) = (kit_rpc::disposition(answer.metadata()), answer.get_ref());
    let (body, content_type, version) = match operation.output {
        Output::Json(shape) | Output::Events(shape) => {
            let mut json = Vec::with_capacity(answer.len() * 3 + 64);
            to_json::write(schema, shape, answer, &mut json).map_err(|_| unreadable())?;
            let version = operation.version.as_ref().and_then(|path| to_json::number_at(answer, path));
            (Bytes::from(json), HeaderValue::from_static("application/json"), version)
        }
        Output::Raw => {
            let body = HttpBody::decode(answer.clone()).map_err(|_| unreadable())?;
            let content_type = HeaderValue::from_str(&body.content_type).ok().filter(|value| !value.is_empty());
            (body.data, content_type.unwrap_or(HeaderValue::from_static("application/octet-stream")), None)
        }
    };
    let get = operation.verb == Method::GET;
    let tag = etag(version, &body);
    if get && matches_any(headers, &tag) {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        decorate(operation, ctx, response.headers_mut(), &tag);
        return Ok(response);
    }
    let mut response = Response::new(axum::body::Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    if let Some(name) = name {
        response.headers_mut().insert(CONTENT_DISPOSITION, name);
    }
    if get || version.is_some() {
        decorate(operation, ctx, response.headers_mut(), &tag);
    }
    if !get {
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(response)
}

/// The version, for `If-Match`, and a fingerprint of all that is shown, for `If-None-Match`.
fn etag(version: Option<u64>, body: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(body);
    let print = hasher.finish();
    match version {
        Some(version) => format!("\"{version}-{print:016x}\""),
        None => format!("W/\"{print:016x}\""),
    }
}

fn matches_any(headers: &HeaderMap, tag: &str) -> bool {
    let plain = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let mut named = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    named.any(|named| named.trim() == "*" || plain(named) == plain(tag))
}

/// What is anyone's may be kept but is asked for again; what is named by its hash is kept for good; the rest is nobody else's.
fn decorate(operation: &Operation, ctx: &Ctx, headers: &mut HeaderMap, tag: &str) {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(ETAG, tag);
    }
    let cache = match (operation.immutable, operation.access.anonymous && ctx.user().is_none()) {
        (true, _) => "public, max-age=31536000, immutable",
        (false, true) => "public, no-cache",
        (false, false) => "private, no-cache",
    };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    if !operation.immutable {
        headers.append(http::header::VARY, HeaderValue::from_static("authorization, x-tenant-id"));
    }
}

/// Messages as server-sent events, until the service ends, an error ends it, or the process drains.
pub(crate) fn events(rest: Arc<Rest>, shape: usize, request_id: String, messages: Streaming<Bytes>) -> Response {
    let heartbeat = Duration::from_secs(rest.config.heartbeat_seconds.max(1));
    let stop = rest.stop.clone();
    let told = messages.map(move |message| Ok::<_, Infallible>(event(&rest.contracts.schema, shape, &request_id, message)));
    let keep_alive = KeepAlive::new().interval(heartbeat).text("still here");
    let mut response = Sse::new(until(told, stop)).keep_alive(keep_alive).into_response();
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

fn until<S: Stream>(stream: S, stop: CancellationToken) -> impl Stream<Item = S::Item> {
    stream.take_until(async move { stop.cancelled().await })
}

fn event(schema: &Schema, shape: usize, request_id: &str, message: Result<Bytes, Status>) -> Event {
    let problem = match message {
        Ok(message) => {
            let mut json = Vec::new();
            let text = to_json::write(schema, shape, &message, &mut json).ok().and_then(|()| String::from_utf8(json).ok());
            match text {
                Some(text) => return Event::default().data(text),
                None => unreadable(),
            }
        }
        Err(status) => Problem::from(status),
    };
    Event::default().event("problem").data(problem.json(request_id).to_string())
}

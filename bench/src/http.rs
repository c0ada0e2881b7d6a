//! A small HTTP client over kept connections: JSON in, JSON out, errors with the server's own words.

use std::time::Duration;

use anyhow::{Context, bail};
use http::header::RETRY_AFTER;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::Value;

/// How long one request may take before it counts as failed.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// How often a patient client comes back.
const PATIENCE: u32 = 60;

#[derive(Clone)]
pub(crate) struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
    /// Comes back when it was told to, as often as that.
    patience: u32,
}

/// Who asks, and the headers that go with it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller {
    pub token: Option<String>,
    pub tenant: Option<String>,
    /// The idempotency key: what is asked again under it happens once.
    pub once: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub retry_after: Option<Duration>,
    pub body: Bytes,
}

impl Http {
    pub(crate) fn new(base: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(Duration::from_secs(60)).build(connector);
        Self { client, base: base.trim_end_matches('/').to_owned(), patience: 0 }
    }

    /// A client that waits when it is told to come back (HTTP 429 and 503), instead of taking it for an answer.
    pub(crate) fn patient(self) -> Self {
        Self { patience: PATIENCE, ..self }
    }

    /// Sends a request and returns whatever came back.
    pub(crate) async fn send(&self, method: Method, path: &str, caller: &Caller, content_type: &str, body: Bytes) -> anyhow::Result<Answer> {
        for _ in 0..self.patience {
            let answer = self.send_once(method.clone(), path, caller, content_type, body.clone()).await?;
            match answer.retry_after {
                Some(pause) if matches!(answer.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) => {
                    tokio::time::sleep(pause).await;
                }
                _ => return Ok(answer),
            }
        }
        self.send_once(method, path, caller, content_type, body).await
    }

    async fn send_once(&self, method: Method, path: &str, caller: &Caller, content_type: &str, body: Bytes) -> anyhow::Result<Answer> {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        let mut request = Request::builder().method(method.clone()).uri(url);
        if let Some(token) = &caller.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(tenant) = &caller.tenant {
            request = request.header("x-tenant-id", tenant);
        }
        if let Some(once) = &caller.once {
            request = request.header("idempotency-key", once);
        }
        if !body.is_empty() {
            request = request.header("content-type", content_type);
        }
        let exchange = async {
            let response = self.client.request(request.body(Full::new(body))?).await.with_context(|| format!("{method} {path}"))?;
            let status = response.status();
            let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            let retry_after = seconds.map(Duration::from_secs);
            let body = response.into_body().collect().await?.to_bytes();
            anyhow::Ok(Answer { status, retry_after, body })
        };
        tokio::time::timeout(REQUEST_TIMEOUT, exchange).await.map_err(|_| anyhow::anyhow!("{method} {path}: no answer within {REQUEST_TIMEOUT:?}"))?
    }

    pub(crate) async fn get(&self, path: &str, caller: &Caller) -> anyhow::Result<Value> {
        self.send(Method::GET, path, caller, "", Bytes::new()).await?.json(path)
    }

    pub(crate) async fn post(&self, path: &str, caller: &Caller, body: &Value) -> anyhow::Result<Value> {
        self.send(Method::POST, path, caller, "application/json", Bytes::from(serde_json::to_vec(body)?)).await?.json(path)
    }
}

impl Answer {
    pub(crate) fn ok(self, path: &str) -> anyhow::Result<Bytes> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        let told: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let reason = told.get("reason").and_then(Value::as_str).unwrap_or_default();
        let detail = told.get("detail").and_then(Value::as_str).unwrap_or_default();
        bail!("{path}: HTTP {} {reason} {detail}", self.status.as_u16())
    }

    fn json(self, path: &str) -> anyhow::Result<Value> {
        Ok(serde_json::from_slice(&self.ok(path)?)?)
    }
}

/// A text inside an answer, or an error that names where it was expected.
pub(crate) fn text(value: &Value, pointer: &str) -> anyhow::Result<String> {
    value.pointer(pointer).and_then(Value::as_str).map(str::to_owned).with_context(|| format!("the answer has no text at {pointer}: {value}"))
}

/// A query as it stands in an address.
pub(crate) fn encoded(query: &str) -> String {
    let byte = |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    query.bytes().map(byte).collect()
}

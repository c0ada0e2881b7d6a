//! A relay before a PSP: it loses answers, or is down, whoever is behind it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

use super::localstripe::Gaps;

/// Longer than the market waits.
const LOST: Duration = Duration::from_secs(6);

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// Everything is carried out, and no answer arrives.
    pub(crate) answers_lost: bool,
    /// 503, and nothing is carried out.
    pub(crate) down: bool,
    /// Webhooks that come never, or three times.
    pub(crate) webhooks_lost: bool,
    pub(crate) webhooks_tripled: bool,
}

#[derive(Clone)]
pub(crate) struct Relay {
    pub(crate) url: String,
    pub(crate) faults: Arc<Mutex<Faults>>,
    upstream: String,
    http: reqwest::Client,
    /// What localstripe lacks is supplied on the way.
    gaps: Option<Arc<Gaps>>,
}

/// What goes through a relay.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// With the query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

pub(crate) type Answer = (StatusCode, Bytes);

impl Relay {
    pub(crate) async fn before(upstream: String, faults: Arc<Mutex<Faults>>, gaps: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let gaps = gaps.then(|| Arc::new(Gaps::new(&url)));
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let relay = Self { url, faults, upstream, http, gaps };
        let app = axum::Router::new().fallback(relayed).with_state(relay.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        relay
    }

    pub(crate) async fn forward(&self, call: &Call) -> Answer {
        let mut request = self.http.request(call.method.clone(), format!("{}{}", self.upstream, call.path)).body(call.body.clone());
        for (name, value) in &call.headers {
            if !matches!(*name, header::HOST | header::CONTENT_LENGTH) {
                request = request.header(name, value);
            }
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.bytes().await.unwrap())
    }
}

async fn relayed(State(relay): State<Relay>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let faults = *relay.faults.lock().unwrap();
    if faults.down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let call = Call { method, path: uri.path_and_query().unwrap().to_string(), headers, body };
    // What was asked for is carried out whether or not anybody still waits for the answer.
    let (carried, gaps) = (relay.clone(), relay.gaps.clone());
    let work = tokio::spawn(async move {
        match gaps {
            Some(gaps) => gaps.supplied(&carried, call).await,
            None => carried.forward(&call).await,
        }
    });
    let (status, body) = work.await.unwrap();
    if faults.answers_lost {
        tokio::time::sleep(LOST).await;
    }
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

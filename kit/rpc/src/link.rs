//! A link is how one service reaches another: the generated client over a `Link`, in process or over gRPC, same code.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tonic::body::Body;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tower::Service;

use crate::Ctx;
use crate::ctx::{CTX_HEADER, CtxKey, MAC_HEADER};

/// One way to a service. Cheap to clone; exists before the service does.
#[derive(Clone)]
pub enum Link {
    /// In this process; filled in when the service has started.
    Local(Arc<OnceLock<tonic::service::Routes>>),
    /// In another process.
    Remote { channel: Channel, key: CtxKey },
}

impl Link {
    pub fn local() -> Self {
        Self::Local(Arc::default())
    }

    pub fn remote(channel: Channel, key: CtxKey) -> Self {
        Self::Remote { channel, key }
    }

    /// Fills in a local link; a second time is ignored.
    pub fn serve(&self, routes: tonic::service::Routes) {
        if let Self::Local(slot) = self {
            let _first_wins = slot.set(routes);
        }
    }
}

impl Service<http::Request<Body>> for Link {
    type Response = http::Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Status>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        match self {
            Self::Local(_) => Poll::Ready(Ok(())),
            Self::Remote { channel, .. } => channel.poll_ready(cx).map_err(|error| unreachable_service(&error)),
        }
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        match self {
            Self::Local(slot) => match slot.get() {
                Some(routes) => local_call(routes.clone(), request).boxed(),
                None => std::future::ready(Err(Status::unavailable("the service has not started yet"))).boxed(),
            },
            Self::Remote { channel, key } => {
                if let Some((ctx, mac)) = request.extensions().get::<Ctx>().and_then(|ctx| ctx.seal(key)) {
                    for (name, value) in [(CTX_HEADER, ctx), (MAC_HEADER, mac)] {
                        if let Ok(value) = value.parse() {
                            request.headers_mut().insert(name, value);
                        }
                    }
                }
                let answer = channel.call(request);
                async move { answer.await.map_err(|error| unreachable_service(&error)) }.boxed()
            }
        }
    }
}

/// Honours `grpc-timeout` and contains panics, which the transport does for remote calls.
async fn local_call(mut routes: tonic::service::Routes, request: http::Request<Body>) -> Result<http::Response<Body>, Status> {
    let timeout = request.headers().get("grpc-timeout").and_then(|value| grpc_timeout(value.to_str().ok()?));
    let call = AssertUnwindSafe(async move { routes.call(request).await }).catch_unwind();
    let answer = match timeout {
        Some(limit) => tokio::time::timeout(limit, call).await.map_err(|_| Status::deadline_exceeded("the deadline passed"))?,
        None => call.await,
    };
    match answer {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(never)) => match never {},
        Err(_panic) => Err(Status::internal("the service panicked")),
    }
}

/// The text of a `grpc-timeout` header: at most eight digits and a unit.
pub fn grpc_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(amount.saturating_mul(3600)),
        "M" => Duration::from_secs(amount.saturating_mul(60)),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

fn unreachable_service(error: &dyn std::error::Error) -> Status {
    let passed = error.source().is_some_and(|cause| cause.to_string().contains("timeout"));
    if passed { Status::new(Code::DeadlineExceeded, "the deadline passed") } else { Status::unavailable("the service cannot be reached") }
}

/// The links one service may use: those its module row declares, no others.
#[derive(Clone)]
pub struct Links {
    owner: &'static str,
    allowed: Arc<BTreeSet<&'static str>>,
    all: Arc<BTreeMap<&'static str, Link>>,
}

#[derive(Debug, thiserror::Error)]
#[error("{owner} does not declare that it calls {wanted}")]
pub struct UndeclaredCall {
    owner: &'static str,
    wanted: String,
}

impl Links {
    pub fn new(owner: &'static str, allowed: &[&'static str], all: Arc<BTreeMap<&'static str, Link>>) -> Self {
        Self { owner, allowed: Arc::new(allowed.iter().copied().collect()), all }
    }

    /// The link to a declared service or to the owner itself, to put the generated client over: `OrdersClient::new(links.to("orders")?)`.
    pub fn to(&self, service: &str) -> Result<Link, UndeclaredCall> {
        let link = self.all.get(service).filter(|_| service == self.owner || self.allowed.contains(service));
        link.cloned().ok_or_else(|| UndeclaredCall { owner: self.owner, wanted: service.to_owned() })
    }
}

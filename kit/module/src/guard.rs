//! The layers around every service, the same for local and remote callers: who may call, is the request in order, was it
//! answered before, by when, what if it panics, how did it go. They work on bytes and the contract, so no service repeats them.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full, Limited};
use kit_core::Clock;
use kit_db::Db;
use kit_rpc::{Ctx, Traffic, denied};
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::{Code, Status};
use tracing::Instrument;

use crate::replay;
use crate::table::{Method, Table};

/// No request is larger, whatever a service allows its own.
const LARGEST_REQUEST_BYTES: usize = 160 << 20;
/// A gRPC frame: one byte of flags, four of length.
const FRAME_HEADER: usize = 5;

/// What the layers share for one service.
#[derive(Clone)]
pub(crate) struct Layers {
    pub(crate) table: Arc<Table>,
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) traffic: Arc<Traffic>,
}

/// A service's generated server with the layers around it.
#[derive(Clone)]
pub(crate) struct Guard<S> {
    inner: S,
    layers: Layers,
}

impl<S> Guard<S> {
    pub(crate) fn new(inner: S, layers: Layers) -> Self {
        Self { inner, layers }
    }
}

impl<S: NamedService> NamedService for Guard<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> tower::Service<http::Request<Body>> for Guard<S>
where
    S: tower::Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let inner = self.inner.clone();
        match self.layers.table.method(request.uri().path()) {
            Some(method) => serve(inner, self.layers.clone(), method, request).map(Ok).boxed(),
            // The generated server answers that there is no such operation.
            None => run(inner, request).map(Ok).boxed(),
        }
    }
}

async fn serve<S>(inner: S, layers: Layers, method: Arc<Method>, mut request: http::Request<Body>) -> http::Response<Body>
where
    S: tower::Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
{
    let started = Instant::now();
    let timeout = request.headers().get("grpc-timeout").and_then(|value| kit_rpc::grpc_timeout(value.to_str().ok()?));
    let Some(ctx) = request.extensions_mut().get_mut::<Ctx>() else {
        return Status::internal("the call carries no context").into_http();
    };
    let by = timeout.map(|timeout| started + timeout);
    ctx.deadline = match (ctx.deadline, by) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    // A key is for the call it came with; the calls that a flow makes in turn are not the same request.
    let key = ctx.idempotency_key.take();
    let traffic = Arc::clone(&layers.traffic);
    let ctx = ctx.clone();
    let span = tracing::info_span!("rpc", method = method.name, request_id = &*ctx.request_id);
    let response = async {
        match admitted(&ctx, &method, request).await {
            Err(status) => status.into_http(),
            Ok((request, message)) => {
                let keyed = key.zip(message).and_then(|(key, message)| Some((replay::caller(&ctx, &method, &message)?, key, message)));
                match keyed {
                    Some((caller, key, message)) => {
                        let replay = replay::Replay::new(&layers, &method, caller, &key, &message);
                        replay.answer(run(inner, request)).await
                    }
                    None => run(inner, request).await,
                }
            }
        }
    }
    .instrument(span.clone())
    .await;
    span.in_scope(|| record(&traffic, &method, &ctx, started, &response));
    response
}

/// The request may be made by this caller and is in order. Answers it with its message, read once.
async fn admitted(ctx: &Ctx, method: &Method, request: http::Request<Body>) -> Result<(http::Request<Body>, Option<Bytes>), Status> {
    method.admit(ctx)?;
    if !method.unary_request {
        return Ok((request, None));
    }
    let (head, body) = request.into_parts();
    let frame = match Limited::new(body, LARGEST_REQUEST_BYTES).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(_) => return Err(denied(Code::InvalidArgument, "REQUEST_TOO_LARGE", "the request is too large or was broken off")),
    };
    let message = message_of(&frame)?;
    method.check(ctx, &message)?;
    Ok((http::Request::from_parts(head, Body::new(Full::new(frame))), Some(message)))
}

/// The one message of a unary request.
fn message_of(frame: &Bytes) -> Result<Bytes, Status> {
    let malformed = || denied(Code::InvalidArgument, "MALFORMED_MESSAGE", "the request is not one gRPC message");
    match frame.first_chunk::<FRAME_HEADER>() {
        Some([0, length @ ..]) => {
            let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| malformed())?;
            if frame.len() == FRAME_HEADER + length { Ok(frame.slice(FRAME_HEADER..)) } else { Err(malformed()) }
        }
        Some(_) => Err(Status::unimplemented("compressed messages are not supported")),
        None => Err(malformed()),
    }
}

/// The service itself; a panic of it is this call's failure and nobody else's.
async fn run<S>(mut inner: S, request: http::Request<Body>) -> http::Response<Body>
where
    S: tower::Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
{
    match AssertUnwindSafe(async move { inner.call(request).await }).catch_unwind().await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_panic) => {
            tracing::error!("the operation panicked");
            denied(Code::Internal, "INTERNAL", "something went wrong on our side; it has been logged").into_http()
        }
    }
}

fn record(traffic: &Traffic, method: &Method, ctx: &Ctx, started: Instant, response: &http::Response<Body>) {
    let took = started.elapsed();
    let seconds = took.as_secs_f64();
    method.requests.increment(1);
    method.seconds.record(seconds);
    // Errors arrive in the headers: the generated servers send trailers only after a message.
    let refusal = Status::from_header_map(response.headers()).filter(|status| status.code() != Code::Ok);
    traffic.note(took, refusal.as_ref().map_or(Code::Ok, Status::code));
    if let Some(status) = refusal {
        let problem = kit_rpc::problem_of(&status);
        metrics::counter!("rpc_errors_total", "method" => method.name.clone(), "code" => format!("{:?}", problem.code)).increment(1);
        if status.code() == Code::Internal {
            tracing::error!(seconds, actor = ctx.actor_text(), error = status.message(), "failed");
        } else {
            tracing::debug!(seconds, actor = ctx.actor_text(), reason = problem.reason, error = status.message(), "refused");
        }
    } else {
        tracing::debug!(seconds, actor = ctx.actor_text(), "served");
    }
}

//! The gRPC listener: every service of this process, for programs outside (bearer tokens) and for our other processes (a context
//! under the cluster's key), with reflection and health.

use std::net::IpAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Context as _;
use edge_rest::Authenticator;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::HeaderMap;
use kit_core::Ids;
use kit_rpc::{Ctx, CtxKey};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::transport::server::TcpConnectInfo;
use tonic::{Code, Status};

use crate::market::Market;
use crate::modules::Plan;

const KEEPALIVE: Duration = Duration::from_secs(30);

/// Serves until `stop`, then finishes calls under way.
pub(crate) async fn serve(
    market: &Market,
    plan: &Plan,
    listener: TcpListener,
    stop: CancellationToken,
) -> anyhow::Result<impl Future<Output = anyhow::Result<()>> + use<>> {
    let reflection = || {
        let kit = tonic_reflection::server::Builder::configure().register_encoded_file_descriptor_set(kit_rpc::proto::DESCRIPTORS);
        let with_health = kit.register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
        plan.here.iter().fold(with_health, |all, module| all.register_encoded_file_descriptor_set(module.descriptors))
    };
    // Some libraries ask by the old name still.
    let (now, before) = (reflection().build_v1(), reflection().build_v1alpha());
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
    let routes = market.house.routes().add_service(health);
    let routes = routes
        .add_service(now.context("the contracts cannot be reflected")?)
        .add_service(before.context("the contracts cannot be reflected")?)
        .prepare();
    let identity = market.house.links().to("identity").ok();
    let doorkeeper = Doorkeeper { authenticator: identity.map(Authenticator::new), key: market.key.clone(), ids: market.ids.clone() };
    // Around the routes and not one of them: added as a service it would be asked only for its own name.
    let gate = tower::layer::layer_fn(move |inner| Gate { inner, doorkeeper: doorkeeper.clone() });
    let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = tonic::transport::Server::builder().http2_keepalive_interval(Some(KEEPALIVE)).layer(gate).add_routes(routes);
    Ok(async move {
        let drained = async move {
            stop.cancelled().await;
            reporter.set_service_status("", tonic_health::ServingStatus::NotServing).await;
        };
        server.serve_with_incoming_shutdown(incoming, drained).await.context("the gRPC listener failed")
    })
}

/// Gives every call its context before the services see it.
#[derive(Clone)]
struct Gate<S> {
    inner: S,
    doorkeeper: Doorkeeper,
}

impl<S> tower::Service<http::Request<Body>> for Gate<S>
where
    S: tower::Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<http::Response<Body>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        // The clone that was made ready does the call; the fresh one waits for its turn.
        let fresh = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        let doorkeeper = self.doorkeeper.clone();
        async move {
            let address = request.extensions().get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr).map(|at| at.ip());
            let headers = request.headers().clone();
            match doorkeeper.context(&headers, address).await {
                Ok(ctx) => {
                    request.extensions_mut().insert(ctx);
                    inner.call(request).await
                }
                Err(status) => Ok(status.into_http()),
            }
        }
        .boxed()
    }
}

/// Says in whose name a call is made.
#[derive(Clone)]
struct Doorkeeper {
    authenticator: Option<Authenticator>,
    key: CtxKey,
    ids: Ids,
}

impl Doorkeeper {
    async fn context(&self, headers: &HeaderMap, address: Option<IpAddr>) -> Result<Ctx, Status> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(ctx) = text(kit_rpc::CTX_HEADER) {
            let mac = text(kit_rpc::MAC_HEADER).unwrap_or_default();
            let foreign = || kit_rpc::denied(Code::Unauthenticated, "CONTEXT_INVALID", "the call's context is not under this market's key");
            return Ctx::unseal(ctx, mac, &self.key).ok_or_else(foreign);
        }
        let id = text("x-request-id")
            .filter(|id| (1..=64).contains(&id.len()))
            .map_or_else(|| format!("req_{}", self.ids.uuid().simple()), ToOwned::to_owned);
        let ctx = Ctx { address, idempotency_key: text("idempotency-key").map(Into::into), ..Ctx::anonymous(&id) };
        match &self.authenticator {
            Some(authenticator) => authenticator.identify(ctx, headers).await,
            None => Ok(ctx),
        }
    }
}

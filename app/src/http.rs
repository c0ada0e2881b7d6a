//! The HTTP listener: pages and REST where every service can be reached, health and figures always.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use kit_db::Storage;
use kit_rpc::proto::UpkeepStatusRequest;
use kit_rpc::proto::upkeep_client::UpkeepClient;
use kit_rpc::{Ctx, Links};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::figures;
use crate::lingering;
use crate::market::Market;
use crate::modules::{self, Plan};
use crate::settings::Settings;

/// A service that does not say within this time how it is, is not ready.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Clone)]
struct Health {
    links: Links,
    here: Vec<&'static str>,
    storage: Storage,
    figures: PrometheusHandle,
    stop: CancellationToken,
}

pub(crate) fn router(settings: &Settings, market: &Market, plan: &Plan, figures: PrometheusHandle) -> anyhow::Result<Router> {
    let house = &market.house;
    let health = Health { links: house.links(), here: house.here().to_vec(), storage: house.storage().clone(), figures, stop: house.stopping() };
    let router =
        Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(ready)).route("/metrics", get(metrics)).with_state(health);
    if !plan.reaches_all() {
        tracing::info!("not every service can be reached from here: only health and figures are served over HTTP");
        return Ok(router);
    }
    let rest = edge_rest::router(edge_rest::Settings {
        config: settings.rest.clone(),
        contracts: modules::contracts(),
        links: house.links(),
        ids: market.ids.clone(),
        stop: house.stopping(),
        public_url: settings.http.public_url(),
        grpc_address: settings.grpc.listen.to_string(),
    })?;
    let pages = edge_web::router(settings.web()?, &house.links(), market.clock.clone(), market.ids.clone(), house.stopping())?;
    Ok(router.merge(rest).fallback_service(pages).layer(axum::middleware::from_fn(lingering::read_to_the_end)))
}

/// Serves until `stop`, then finishes requests under way.
pub(crate) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) -> anyhow::Result<()> {
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        // Small answers must not wait for more to send; a socket that refuses is merely slower.
        let _slower = stream.set_nodelay(true);
    });
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await.context("the HTTP listener failed")
}

async fn metrics(State(health): State<Health>) -> String {
    figures::page(&health.figures, &health.storage).await
}

/// Ready: every service here answers from its database and the process is not stopping. Work that is behind is told, but is no
/// reason to send requests elsewhere.
async fn ready(State(health): State<Health>) -> Response {
    let states = futures::future::join_all(health.here.iter().map(|name| state(&health, name))).await;
    let mut reasons: Vec<String> = states.iter().filter_map(|state| state.as_ref().err().cloned()).collect();
    if health.stop.is_cancelled() {
        reasons.push("the process is stopping".to_owned());
    }
    let behind: Vec<String> = states.into_iter().filter_map(|state| state.ok().flatten()).collect();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": reasons.is_empty(), "reasons": reasons, "behind": behind }))).into_response()
}

/// `Ok(Some(…))`: it answers, with some trouble in the background.
async fn state(health: &Health, name: &'static str) -> Result<Option<String>, String> {
    let link = health.links.to(name).map_err(|error| error.to_string())?;
    let request = Ctx::service("health", "readyz").request(UpkeepStatusRequest { service: name.to_owned() });
    match tokio::time::timeout(PATIENCE, UpkeepClient::new(link).status(request)).await {
        Err(_) => Err(format!("{name} does not answer within {} s", PATIENCE.as_secs())),
        Ok(Err(status)) => Err(format!("{name}: {}", status.message())),
        Ok(Ok(answer)) => {
            let answer = answer.into_inner();
            // Without its consumers and jobs the service could not even ask its database.
            if answer.ready {
                Ok(None)
            } else if answer.consumers.is_empty() && answer.jobs.is_empty() {
                Err(format!("{name}: {}", answer.trouble))
            } else {
                Ok(Some(format!("{name}: {}", answer.trouble)))
            }
        }
    }
}

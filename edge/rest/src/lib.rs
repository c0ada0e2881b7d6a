//! The REST edge: serves every operation that a contract gives an HTTP path, by reading the contract. There is no handler, no
//! request type and no line of OpenAPI written by hand for any of them.

mod auth;
mod call;
mod comments;
mod config;
mod docs;
mod gateway;
mod limits;
mod openapi;
mod operation;
mod problem;
mod request;
mod response;
mod routes;
mod schema;
mod to_json;
mod to_wire;

pub use auth::Authenticator;
pub use config::Config;
pub use openapi::Document;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::routing::any;
use http::{HeaderName, HeaderValue, Method};
use kit_core::{Ids, UserId};
use kit_rpc::{Link, Links};
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::limits::Limits;
use crate::operation::Contracts;
use crate::routes::Routes;

/// What the edge needs to serve.
pub struct Settings {
    pub config: Config,
    /// (service, its contract's descriptors)
    pub contracts: Vec<(&'static str, &'static [u8])>,
    /// Links to all those services and to identity.
    pub links: Links,
    pub ids: Ids,
    /// Cancelled when the process drains: streams end.
    pub stop: CancellationToken,
    pub public_url: String,
    /// Where the same operations are served over gRPC, for the documentation.
    pub grpc_address: String,
}

/// The edge's state, shared by all requests.
pub(crate) struct Rest {
    config: Config,
    contracts: Contracts,
    routes: Routes,
    links: BTreeMap<&'static str, Link>,
    authenticator: Authenticator,
    by_address: Limits<IpAddr>,
    by_account: Limits<UserId>,
    ids: Ids,
    stop: CancellationToken,
}

/// The OpenAPI document of these contracts.
pub fn document(contracts: &[(&'static str, &'static [u8])], public_url: &str, grpc_address: &str) -> anyhow::Result<Document> {
    Ok(openapi::document(&Contracts::read(contracts)?, public_url, grpc_address))
}

/// `/v1/…`, the well-known paths, `/openapi.json` and `/docs`. Has no fallback: what it does not know is for others.
pub fn router(settings: Settings) -> anyhow::Result<Router> {
    let contracts = Contracts::read(&settings.contracts)?;
    let mut routes = Routes::default();
    for operation in &contracts.operations {
        routes.add(Arc::clone(operation))?;
    }
    let mut links = BTreeMap::new();
    for (service, _) in &settings.contracts {
        links.insert(*service, settings.links.to(service)?);
    }
    let document = openapi::document(&contracts, &settings.public_url, &settings.grpc_address);
    let elsewhere: Vec<String> =
        contracts.operations.iter().map(|operation| operation.path.clone()).filter(|path| !path.starts_with("/v1/")).collect();
    let config = settings.config;
    let cors = cors(&config)?;
    let rest = Arc::new(Rest {
        authenticator: Authenticator::new(settings.links.to("identity")?),
        by_address: Limits::new(config.address_per_second, config.address_burst),
        by_account: Limits::new(config.account_per_second, config.account_burst),
        config,
        contracts,
        routes,
        links,
        ids: settings.ids,
        stop: settings.stop,
    });
    let mut router = Router::new().route("/v1/{*path}", any(gateway::serve));
    for path in elsewhere {
        router = router.route(&path, any(gateway::serve));
    }
    let documents = docs::routes(document);
    Ok(router.with_state(rest).merge(documents).layer(CompressionLayer::new()).layer(cors))
}

fn cors(config: &Config) -> anyhow::Result<CorsLayer> {
    let exposed = ["content-disposition", "etag", "x-request-id", "retry-after", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"];
    let allowed = ["authorization", "content-type", "idempotency-key", "if-match", "if-none-match", "x-request-id", "x-tenant-id"];
    let origins = if config.cors_origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        let origins: Result<Vec<HeaderValue>, _> = config.cors_origins.iter().map(|origin| origin.parse::<HeaderValue>()).collect();
        AllowOrigin::list(origins.context("rest.cors_origins names something that is not an origin")?)
    };
    Ok(CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(allowed.map(HeaderName::from_static))
        .expose_headers(exposed.map(HeaderName::from_static))
        .max_age(std::time::Duration::from_secs(3600)))
}

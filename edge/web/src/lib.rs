//! The pages of MarketHub: shop, seller portal, operator console. Server-rendered, whole without a script, better with one.
//!
//! A page is a context struct with samples and a function from it to markup; a handler fills the context from services over links
//! and renders it. This crate holds no table and no rule of the business: what may be done, services decide.

mod assets;
mod behaviour;
mod buyer;
mod failure;
#[cfg(test)]
mod gallery;
mod multipart;
mod offered;
mod operator;
mod portal;
mod returned;
mod security;
mod seller;
mod session;
mod site;
mod ui;
mod visit;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use kit_core::{Clock, Ids};
use kit_rpc::Links;
use tokio_util::sync::CancellationToken;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

pub use site::Settings;

use crate::failure::Failure;
use crate::site::Site;

/// The services whose links [`router`] needs; the owner of the `Links` must declare them.
pub const CALLS: &[&str] = &[
    "identity",
    "tenants",
    "catalog",
    "inventory",
    "search",
    "analytics",
    "recommendations",
    "cart",
    "orders",
    "payments",
    "fulfillment",
    "notifications",
    "admin",
];

/// All pages and their assets. Live parts of pages end when `stop` is cancelled. Everything it does not know answers with the page for 404, so it goes last, behind REST.
pub fn router(settings: Settings, links: &Links, clock: Clock, ids: Ids, stop: CancellationToken) -> anyhow::Result<Router> {
    let site = Arc::new(Site::new(settings, links, clock, ids, stop)?);
    let pages = Router::new()
        .merge(buyer::routes())
        .merge(seller::routes())
        .merge(operator::routes())
        .fallback(async || Failure::not_found())
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&site), session::visit))
        // Pages are made per request: the cheap level costs a fraction of what rendering does and saves most of the bytes.
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest));
    let router = Router::new().route("/assets/{name}", get(assets::serve)).merge(pages).with_state(site);
    Ok(router)
}

/// How long one page may take altogether; every call on its behalf carries what is left of it.
const PAGE_DEADLINE: Duration = Duration::from_secs(8);

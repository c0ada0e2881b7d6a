//! The shop: what buyers and guests see.

mod cart;
mod home;
mod product;
mod query;
mod results;
#[cfg(test)]
mod sample;
mod search;
mod store;

use axum::Router;
use axum::routing::{get, post};

use crate::site::Web;

pub(crate) fn routes() -> Router<Web> {
    Router::new()
        .route("/", get(home::show))
        .route("/search", get(search::show))
        .route("/suggest", get(search::suggest))
        .route("/c/{id}", get(search::show_category))
        .route("/p/{word}/{id}", get(product::show))
        .route("/more/{tenant_id}/{product_id}", get(product::more_of_shop))
        .route("/stores", get(store::list))
        .route("/s/{slug}", get(store::show))
        .route("/cart", get(cart::show))
        .route("/cart/items", post(cart::add))
        .route("/cart/items/{variant_id}", post(cart::update))
        .route("/cart/items/{variant_id}/remove", post(cart::remove))
}

/// Every page with each of its samples, by a name of its own.
#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, maud::Markup)> {
    [home::samples(), search::samples(), product::samples(), store::samples(), cart::samples()].into_iter().flatten().collect()
}

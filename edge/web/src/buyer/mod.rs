//! The shop: what buyers and guests see.

mod home;
#[cfg(test)]
mod sample;

use axum::Router;
use axum::routing::get;

use crate::site::Web;

pub(crate) fn routes() -> Router<Web> {
    Router::new().route("/", get(home::show))
}

/// Every page with each of its samples, by a name of its own.
#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, maud::Markup)> {
    [home::samples()].into_iter().flatten().collect()
}

//! The operator console.

use axum::Router;

use crate::site::Web;

pub(crate) fn routes() -> Router<Web> {
    Router::new()
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, maud::Markup)> {
    Vec::new()
}

//! The seller portal: products, feeds, stock, orders, shipping, staff, store and money of one tenant.

mod imports;
mod orders;

use axum::Router;
use axum::routing::{get, post};
use maud::{Markup, Render, html};

use crate::failure::Failure;
use crate::site::Web;
use crate::ui::{self, Area, Head};
use crate::visit::Visit;

pub(crate) fn routes() -> Router<Web> {
    Router::new()
        .route("/seller/orders", get(orders::list))
        .route("/seller/orders/export.csv", get(orders::export))
        .route("/seller/orders/{sub_order_id}", get(orders::show))
        .route("/seller/orders/{sub_order_id}/slip.pdf", get(orders::slip))
        .route("/seller/orders/{sub_order_id}/{act}", post(orders::act))
        .route("/seller/shipments/{sub_order_id}/{shipment_id}/{act}", post(orders::shipment))
        .route("/seller/imports", get(imports::list).post(imports::upload))
        .route("/seller/imports/file/{upload_id}", get(imports::map).post(imports::decide))
        .route("/seller/imports/{import_id}", get(imports::show))
        .route("/seller/imports/{import_id}/live", get(imports::live))
        .route("/seller/imports/{import_id}/errors.csv", get(imports::errors))
        .route("/seller/imports/{import_id}/cancel", post(imports::cancel))
        .route("/seller/export/{file}", get(imports::export))
}

/// The entries of the navigation, each with the permission that shows it.
const ENTRIES: [(&str, &str, &str, &str, &str); 2] =
    [("", "/seller/orders", "package", "Orders", "orders.read"), ("Catalog", "/seller/imports", "file-spreadsheet", "Feeds", "catalog.read")];

/// Only people who work for a tenant get past here; each service checks the permission of the operation itself.
fn working(visit: &Visit) -> Result<(), Failure> {
    if !visit.viewer.signed_in {
        return Err(Failure { code: kit_core::Code::Unauthenticated, message: String::new() });
    }
    if visit.tenant().is_some() { Ok(()) } else { Err(Failure::forbidden("you do not work for a shop yet; apply for one from your account")) }
}

/// A page of the portal: its address in the navigation, its title, what it is about, what can be done at the top right.
fn desk(visit: &Visit, current: &str, title: &str, about: &str, actions: impl Render, body: impl Render) -> Markup {
    let allowed = ENTRIES.iter().filter(|(.., permission)| visit.may(&format!("seller:{permission}")));
    let entries = allowed.map(|(group, address, icon, label, _)| (*group, *address, *icon, *label)).collect();
    let area = Area { name: "Seller portal", home: "/seller", entries, current, extra: None };
    let head = Head { title, scripts: &["live.js", "upload.js"], ..Head::default() };
    let content = html! {
        div.page-head { div { h1 { (title) } @if !about.is_empty() { p { (about) } } } (actions) }
        (body)
    };
    ui::portal(visit, &head, &area, content)
}

/// A file a service made, as a download.
fn download(file: kit_rpc::proto::google_api::HttpBody, name: &str) -> axum::response::Response {
    use axum::response::IntoResponse;
    let disposition = format!("attachment; filename=\"{name}\"");
    ([(http::header::CONTENT_TYPE, file.content_type), (http::header::CONTENT_DISPOSITION, disposition)], file.data).into_response()
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    [orders::samples(), imports::samples()].into_iter().flatten().collect()
}

//! The seller portal: products, feeds, stock, orders, shipping, staff, store and money of one tenant.

mod history;
mod imports;
mod money;
mod orders;
mod overview;
mod payouts;
mod product_form;
mod products;
pub(crate) mod returns;
mod shipping;
mod staff;
mod stock;
mod store;
mod warehouses;

use api_tenants::GetMineRequest;
use axum::Router;
use axum::routing::{get, post};
use kit_core::Currency;
use maud::{Markup, Render, html};

use crate::failure::Failure;
use crate::site::{Site, Web};
use crate::ui::{self, Area, Head};
use crate::visit::Visit;

pub(crate) fn routes() -> Router<Web> {
    Router::new()
        .route("/seller", get(overview::show))
        .route("/seller/switch", post(overview::switch))
        .route("/seller/orders", get(orders::list))
        .route("/seller/orders/export.csv", get(orders::export))
        .route("/seller/orders/{sub_order_id}", get(orders::show))
        .route("/seller/orders/{sub_order_id}/slip.pdf", get(orders::slip))
        .route("/seller/orders/{sub_order_id}/invoice.pdf", get(orders::invoice))
        .route("/seller/orders/{sub_order_id}/{act}", post(orders::act))
        .route("/seller/returns", get(returns::list))
        .route("/seller/returns/{return_id}", get(returns::show))
        .route("/seller/returns/{return_id}/label", get(returns::label))
        .route("/seller/returns/{return_id}/{act}", post(returns::act))
        .route("/seller/return-policy", get(returns::show_policy).post(returns::save_policy))
        .route("/seller/shipments/{sub_order_id}/{shipment_id}/{act}", post(orders::shipment))
        .route("/seller/products", get(products::list))
        .route("/seller/products/new", get(products::new).post(products::create))
        .route("/seller/products/{product_id}", get(products::show).post(products::save))
        .route("/seller/products/{product_id}/pictures", post(products::add_pictures))
        .route("/seller/products/{product_id}/media/{media_id}/{act}", post(products::picture))
        .route("/seller/products/{product_id}/versions", get(history::list))
        .route("/seller/products/{product_id}/versions/{version}", get(history::show))
        .route("/seller/products/{product_id}/versions/{version}/roll-back", post(history::roll_back))
        .route("/seller/products/{product_id}/{act}", post(products::act))
        .route("/seller/stock", get(stock::list))
        .route("/seller/stock/{variant_id}", get(stock::show))
        .route("/seller/stock/{variant_id}/{act}", post(stock::act))
        .route("/seller/warehouses", get(warehouses::list))
        .route("/seller/warehouses/new", get(warehouses::new).post(warehouses::create))
        .route("/seller/warehouses/{warehouse_id}", get(warehouses::show).post(warehouses::save))
        .route("/seller/warehouses/{warehouse_id}/delete", post(warehouses::delete))
        .route("/seller/shipping", get(shipping::list))
        .route("/seller/shipping/new", get(shipping::new).post(shipping::create))
        .route("/seller/shipping/{shipping_method_id}", get(shipping::show).post(shipping::save))
        .route("/seller/shipping/{shipping_method_id}/delete", post(shipping::delete))
        .route("/seller/store", get(store::show).post(store::save))
        .route("/seller/store/holiday", post(store::holiday))
        .route("/seller/store/logo", post(store::logo))
        .route("/seller/staff", get(staff::list).post(staff::invite))
        .route("/seller/staff/withdraw", post(staff::withdraw))
        .route("/seller/staff/{user_id}/{act}", post(staff::act))
        .route("/seller/money", get(money::list))
        .route("/seller/payouts", get(payouts::list))
        .route("/seller/payouts/{payout_id}", get(payouts::show))
        .route("/seller/payouts/{payout_id}/{file}", get(payouts::payout_file))
        .route("/seller/payout-account", post(payouts::set_account))
        .route("/seller/statement", get(payouts::statement))
        .route("/seller/statement/{file}", get(payouts::span_file))
        .route("/seller/imports", get(imports::list).post(imports::upload))
        .route("/seller/imports/file/{upload_id}", get(imports::map).post(imports::decide))
        .route("/seller/imports/{import_id}", get(imports::show))
        .route("/seller/imports/{import_id}/live", get(imports::live))
        .route("/seller/imports/{import_id}/errors.csv", get(imports::errors))
        .route("/seller/imports/{import_id}/cancel", post(imports::cancel))
        .route("/seller/export/{file}", get(imports::export))
}

pub(crate) use orders::refundable;
pub(crate) use payouts::{payout_badge, span as payout_span};

/// The entries of the navigation, each with the permission that shows it.
const ENTRIES: [(&str, &str, &str, &str, &str); 12] = [
    ("", "/seller", "house", "Overview", "store.read"),
    ("Sell", "/seller/orders", "package", "Orders", "orders.read"),
    ("", "/seller/returns", "rotate-ccw", "Returns", "orders.read"),
    ("", "/seller/shipping", "truck", "Shipping", "fulfillment.read"),
    ("Catalog", "/seller/products", "tag", "Products", "catalog.read"),
    ("", "/seller/stock", "boxes", "Stock", "inventory.read"),
    ("", "/seller/warehouses", "warehouse", "Warehouses", "inventory.read"),
    ("", "/seller/imports", "file-spreadsheet", "Feeds", "catalog.read"),
    ("Shop", "/seller/store", "store", "Store", "store.read"),
    ("", "/seller/staff", "users", "Staff", "store.read"),
    ("Money", "/seller/money", "wallet", "Balance", "payments.read"),
    ("", "/seller/payouts", "banknote", "Payouts", "payments.read"),
];

/// Only people who work for a tenant get past here; each service checks the permission of the operation itself.
fn working(visit: &Visit) -> Result<(), Failure> {
    if !visit.viewer.signed_in {
        return Err(Failure { code: kit_core::Code::Unauthenticated, message: String::new() });
    }
    if visit.tenant().is_some() { Ok(()) } else { Err(Failure::forbidden("you do not work for a shop yet; apply for one from your account")) }
}

/// The currency the shop's prices are in.
async fn shop_currency(site: &Site, visit: &Visit) -> Result<Currency, Failure> {
    let tenant = site.tenants.clone().get_mine(visit.ctx.request(GetMineRequest {})).await?.into_inner().tenant.unwrap_or_default();
    Ok(tenant.store.and_then(|store| store.currency.parse().ok()).unwrap_or(Currency::USD))
}

/// A page of the portal: its address in the navigation, its title, what it is about, what can be done at the top right.
fn desk(visit: &Visit, current: &str, title: &str, about: &str, actions: impl Render, body: impl Render) -> Markup {
    let allowed = ENTRIES.iter().filter(|(.., permission)| visit.may(&format!("seller:{permission}")));
    let entries = allowed.map(|(group, address, icon, label, _)| (*group, *address, *icon, *label)).collect();
    let several = visit.viewer.tenants.len() > 1;
    let extra = several.then(|| html! { a.top-link href="/seller#shops" { (ui::icon("refresh-cw")) span.label { "Switch shop" } } });
    let area = Area { name: "Seller portal", home: "/seller", entries, current, extra };
    let head = Head { title, scripts: &["live.js", "upload.js"], ..Head::default() };
    let content = html! {
        div.page-head { div { h1 { (title) } @if !about.is_empty() { p { (about) } } } (actions) }
        (body)
    };
    ui::portal(visit, &head, &area, content)
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    let sell = [
        overview::samples(),
        orders::samples(),
        returns::samples(),
        shipping::samples(),
        products::samples(),
        history::samples(),
        stock::samples(),
        warehouses::samples(),
        imports::samples(),
    ];
    sell.into_iter().chain([store::samples(), staff::samples(), money::samples(), payouts::samples()]).flatten().collect()
}

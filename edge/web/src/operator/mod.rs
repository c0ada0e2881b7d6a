//! The operator console: tenants, orders, money, categories, messages, the audit log and the health of the market.

mod attributes;
mod audit;
mod categories;
mod category;
mod experiments;
mod health;
mod messages;
mod money;
mod orders;
mod overview;
mod payment;
mod person;
mod psps;
mod recommendations;
mod returns;
mod review;
mod search;
mod settlements;
mod templates;
mod tenants;
mod terms;
mod users;

use axum::Router;
use axum::routing::{get, post};
use maud::{Markup, Render, html};

use crate::failure::Failure;
use crate::portal::{ListQuery, filter, link, moment, seconds_since, word};
use crate::site::Web;
use crate::ui::{self, Area, Head};
use crate::visit::Visit;

pub(crate) fn routes() -> Router<Web> {
    Router::new()
        .route("/operator", get(overview::show))
        .route("/operator/tenants", get(tenants::list))
        .route("/operator/tenants/{tenant_id}", get(tenants::show))
        .route("/operator/tenants/{tenant_id}/{act}", post(tenants::act))
        .route("/operator/orders", get(orders::list))
        .route("/operator/orders/{order_id}", get(orders::show))
        .route("/operator/orders/{order_id}/cancel", post(orders::cancel))
        .route("/operator/returns", get(returns::list))
        .route("/operator/returns/{return_id}", get(returns::show))
        .route("/operator/returns/{return_id}/{act}", post(returns::act))
        .route("/operator/orders/{order_id}/parts/{sub_order_id}/refund", post(orders::refund))
        .route("/operator/payments", get(money::payments))
        .route("/operator/payments/{payment_id}", get(payment::show))
        .route("/operator/payments/{payment_id}/resolve", post(payment::resolve))
        .route("/operator/psps", get(psps::show))
        .route("/operator/ledger", get(money::ledger))
        .route("/operator/settlements", get(settlements::payouts))
        .route("/operator/settlements/run", post(settlements::run))
        .route("/operator/disputes", get(settlements::disputes))
        .route("/operator/disputes/{dispute_id}", post(settlements::answer))
        .route("/operator/open-items", get(settlements::items))
        .route("/operator/open-items/reconcile", post(settlements::reconcile))
        .route("/operator/open-items/{item_id}", post(settlements::resolve))
        .route("/operator/taxonomy/{part}", get(categories::export))
        .route("/operator/categories", get(categories::list).post(categories::load))
        .route("/operator/review", get(review::list))
        .route("/operator/review/{tenant_id}/{product_id}/{act}", post(review::act))
        .route("/operator/categories/new", get(category::new).post(category::create))
        .route("/operator/categories/{category}", get(category::show).post(category::save))
        .route("/operator/categories/{category}/attributes", post(category::set_attributes))
        .route("/operator/categories/{category}/delete", post(category::delete))
        .route("/operator/attributes", get(attributes::list))
        .route("/operator/attributes/one", get(attributes::show).post(attributes::save))
        .route("/operator/recommendations", get(recommendations::show).post(recommendations::train))
        .route("/operator/recommendations/{model_id}/publish", post(recommendations::publish))
        .route("/operator/experiments", get(experiments::show).post(experiments::start))
        .route("/operator/experiments/{experiment_id}/stop", post(experiments::stop))
        .route("/operator/search", get(search::show))
        .route("/operator/search/synonyms", post(search::save))
        .route("/operator/search/synonyms/forget", post(search::forget))
        .route("/operator/search/rebuild", post(search::rebuild))
        .route("/operator/users", get(users::list))
        .route("/operator/users/{user_id}", get(person::show))
        .route("/operator/users/{user_id}/{act}", post(person::act))
        .route("/operator/messages", get(messages::list))
        .route("/operator/messages/{message_id}", get(messages::show))
        .route("/operator/templates", get(templates::list))
        .route("/operator/templates/{name}", get(templates::show))
        .route("/operator/templates/{name}/html", get(templates::html))
        .route("/operator/audit", get(audit::list).post(audit::verify))
        .route("/operator/health", get(health::show))
        .route("/operator/dead-letters/{service}/{number}/retry", post(health::retry))
}

/// The entries of the navigation, each with the permission that shows it.
const ENTRIES: [(&str, &str, &str, &str, &str); 19] = [
    ("", "/operator", "layout-grid", "Overview", "health.read"),
    ("Market", "/operator/tenants", "store", "Tenants", "tenants.read"),
    ("", "/operator/orders", "package", "Orders", "orders.read"),
    ("", "/operator/returns", "rotate-ccw", "Returns", "orders.read"),
    ("", "/operator/review", "badge-check", "Product review", "catalog.write"),
    ("", "/operator/categories", "folder-tree", "Categories", "catalog.write"),
    ("", "/operator/recommendations", "sparkles", "Recommendations", "recommendations.write"),
    ("", "/operator/experiments", "chart-line", "Experiments", "recommendations.write"),
    ("", "/operator/search", "search", "Search", "search.write"),
    ("", "/operator/users", "users", "People", "users.read"),
    ("Money", "/operator/payments", "wallet", "Payments", "payments.read"),
    ("", "/operator/psps", "credit-card", "Providers", "payments.read"),
    ("", "/operator/ledger", "scale", "Ledger", "payments.read"),
    ("", "/operator/settlements", "banknote", "Settlements", "payments.read"),
    ("", "/operator/disputes", "shield-check", "Disputes", "payments.read"),
    ("", "/operator/open-items", "list", "Open items", "payments.read"),
    ("Running it", "/operator/health", "activity", "Health", "health.read"),
    ("", "/operator/audit", "history", "Audit log", "audit.read"),
    ("", "/operator/messages", "inbox", "Messages", "notifications.read"),
];

/// Only the marketplace's own staff get past here; each service checks the permission of the operation itself.
fn staff(visit: &Visit) -> Result<(), Failure> {
    if !visit.viewer.signed_in {
        return Err(Failure { code: kit_core::Code::Unauthenticated, message: String::new() });
    }
    if visit.is_operator() { Ok(()) } else { Err(Failure::forbidden("the operator console is for the staff of the market")) }
}

/// A page of the console: its address in the navigation, its title, what it is about, what can be done at the top right.
fn console(visit: &Visit, current: &str, title: &str, about: &str, actions: impl Render, body: impl Render) -> Markup {
    let allowed = ENTRIES.iter().filter(|(.., permission)| visit.may(&format!("operator:{permission}")));
    let entries = allowed.map(|(group, address, icon, label, _)| (*group, *address, *icon, *label)).collect();
    let area = Area { name: "Operator console", home: "/operator", entries, current, extra: None };
    let head = Head { title, scripts: &["live.js", "upload.js"], ..Head::default() };
    let content = html! {
        div.page-head { div { h1 { (title) } @if !about.is_empty() { p { (about) } } } (actions) }
        (body)
    };
    ui::portal(visit, &head, &area, content)
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    [
        overview::samples(),
        tenants::samples(),
        orders::samples(),
        returns::samples(),
        money::samples(),
        payment::samples(),
        psps::samples(),
        settlements::samples(),
        review::samples(),
        categories::samples(),
        category::samples(),
        attributes::samples(),
        recommendations::samples(),
        experiments::samples(),
        search::samples(),
        users::samples(),
        person::samples(),
        messages::samples(),
        templates::samples(),
        audit::samples(),
        health::samples(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

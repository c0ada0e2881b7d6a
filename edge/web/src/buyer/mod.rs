//! The shop: what buyers and guests see.

pub(crate) mod account;
pub(crate) mod address;
mod cart;
mod change;
mod checkout;
mod checkout_pages;
mod files;
mod home;
mod live;
pub(crate) mod messages;
mod notices;
mod order;
pub(crate) mod order_pages;
mod paying;
mod paying_pages;
mod privacy;
mod product;
mod query;
mod results;
mod returning;
#[cfg(test)]
pub(crate) mod sample;
mod search;
mod sell;
mod shelves;
mod sign;
mod store;

use axum::Router;
use axum::routing::{get, post};

pub(crate) use change::{kept_fields, kept_lines, left, may_shrink};
pub(crate) use live::Followed;
pub(crate) use order_pages::timeline;

use crate::site::Web;

pub(crate) fn routes() -> Router<Web> {
    Router::new().merge(browse()).merge(buy()).merge(you()).merge(files())
}

fn browse() -> Router<Web> {
    Router::new()
        .route("/", get(home::show))
        .route("/search", get(search::show))
        .route("/suggest", get(search::suggest))
        .route("/c/{id}", get(search::show_category))
        .route("/p/{word}/{id}", get(product::show))
        .route("/p/{word}/{id}/live", get(live::product))
        .route("/same/{product_id}", get(product::same_elsewhere))
        .route("/more/{tenant_id}/{product_id}", get(product::more_of_shop))
        .route("/shelves/product/{product_id}", get(shelves::of_product))
        .route("/shelves/cart", get(shelves::of_cart))
        .route("/shelves/order/{order_id}", get(shelves::of_order))
        .route("/stores", get(store::list))
        .route("/s/{slug}", get(store::show))
}

fn buy() -> Router<Web> {
    Router::new()
        .route("/cart", get(cart::show))
        .route("/cart/ships-to", post(cart::ship_to))
        .route("/cart/items", post(cart::add))
        .route("/cart/items/{variant_id}", post(cart::update))
        .route("/cart/items/{variant_id}/remove", post(cart::remove))
        .route("/checkout", get(checkout::begin))
        .route("/checkout/guest", post(checkout::begin_as_guest))
        .route("/checkout/{id}/address", get(checkout::show_address).post(checkout::set_address))
        .route("/checkout/{id}/shipping", get(checkout::show_shipping).post(checkout::set_shipping))
        .route("/checkout/{id}/payment", get(checkout::show_payment))
        .route("/checkout/{id}/review", get(checkout::show_review))
        .route("/checkout/{id}/place", post(checkout::place))
        .route("/checkout/{id}/return", get(checkout::returned).post(checkout::sent_back))
        .route("/orders", get(order::list))
        .route("/orders/{id}", get(order::show).post(order::sent_back))
        .route("/orders/{id}/live", get(order::live))
        .route("/orders/{id}/invoice", get(order::invoice))
        .route("/orders/{id}/cancel", post(order::cancel))
        .route("/orders/{id}/parts/{sub_order_id}/cancel", post(order::cancel_part))
        .route("/orders/{id}/parts/{sub_order_id}/items", get(change::show_items).post(change::set_items))
        .route("/orders/{id}/parts/{sub_order_id}/return", get(returning::show_request).post(returning::request))
        .route("/returns/{return_id}", get(returning::show))
        .route("/returns/{return_id}/label", get(returning::label))
        .route("/returns/{return_id}/{act}", post(returning::act))
        .route("/orders/{id}/address", get(change::show_address).post(change::set_address))
        .route("/orders/{id}/pay", get(order::show_pay).post(order::pay))
        .route("/track/{number}", get(order::track))
}

fn you() -> Router<Web> {
    Router::new()
        .route("/sign-in", get(sign::show_in).post(sign::sign_in))
        .route("/sign-up", get(sign::show_up).post(sign::sign_up))
        .route("/sign-out", post(sign::sign_out))
        .route("/forgot", get(sign::show_forgot).post(sign::forgot))
        .route("/reset", get(sign::show_reset).post(sign::reset))
        .route("/verify", get(sign::show_verify).post(sign::verify))
        .route("/verify/resend", post(sign::resend))
        .route("/account", get(account::show))
        .route("/account/profile", get(account::show_profile).post(account::update_profile))
        .route("/account/notifications", get(notices::show).post(notices::choose))
        .route("/account/password", post(account::change_password))
        .route("/account/addresses", get(account::show_addresses))
        .route("/account/addresses/new", get(account::show_new_address).post(account::add_address))
        .route("/account/addresses/{id}", get(account::show_address).post(account::update_address))
        .route("/account/addresses/{id}/delete", post(account::delete_address))
        .route("/account/payment-methods", get(paying::show_kept))
        .route("/account/payment-methods/{id}/delete", post(paying::forget))
        .route("/account/sessions", get(account::show_sessions))
        .route("/account/sessions/{id}/revoke", post(account::revoke_session))
        .route("/privacy", get(privacy::show).post(privacy::choose))
        .route("/messages", get(messages::list))
        .route("/messages/{id}", get(messages::show))
        .route("/sell", get(sell::show))
        .route("/sell/apply", get(sell::show_apply).post(sell::apply))
        .route("/sell/applications/{tenant_id}", get(sell::show_resubmit).post(sell::resubmit))
        .route("/invite", get(sell::show_invite).post(sell::accept_invite))
}

fn files() -> Router<Web> {
    Router::new()
        .route("/theme", post(files::set_theme))
        .route("/robots.txt", get(files::robots))
        .route("/sitemap.xml", get(files::sitemap))
        .route("/manifest.webmanifest", get(files::manifest))
        .route("/sw.js", get(files::service_worker))
        .route("/offline", get(files::offline))
        .route("/favicon.ico", get(files::favicon))
}

/// Every page with each of its samples, by a name of its own.
#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, maud::Markup)> {
    let all = [
        home::samples(),
        search::samples(),
        product::samples(),
        shelves::samples(),
        privacy::samples(),
        store::samples(),
        cart::samples(),
        checkout_pages::samples(),
        order_pages::samples(),
        change::samples(),
        returning::samples(),
        sign::samples(),
        account::samples(),
        paying_pages::samples(),
        messages::samples(),
        notices::samples(),
        sell::samples(),
        files::samples(),
    ];
    all.into_iter().flatten().collect()
}

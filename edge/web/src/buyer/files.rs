//! What browsers, search engines and phones ask for beside pages; and the switch of colours.

use api_search::{SearchRequest, SortOrder};
use api_tenants::ListStoresRequest;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderValue, header};
use maud::{Markup, html};
use serde_json::json;

use crate::assets;
use crate::failure::Page;
use crate::session::{Here, Posted, safe_next, with_cookies};
use crate::site::Web;
use crate::ui::{self, Head};
use crate::visit::{Theme, Visit};

fn file(kind: &'static str, content: String) -> Response {
    let mut response = content.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    response
}

pub(crate) async fn robots(State(site): State<Web>) -> Response {
    let quiet =
        ["/account", "/cart", "/checkout", "/messages", "/orders", "/track", "/seller", "/operator", "/sign-in", "/sign-up", "/suggest", "/v1"];
    let rules: String = quiet.iter().map(|path| format!("Disallow: {path}\n")).collect();
    file("text/plain; charset=utf-8", format!("User-agent: *\n{rules}Sitemap: {}/sitemap.xml\n", site.public_url))
}

/// Listings told to search engines: the newest; the others are found through categories.
const SITEMAP_LISTINGS: u32 = 100;

pub(crate) async fn sitemap(State(site): State<Web>, here: Here) -> Page {
    let newest = SearchRequest { sort: SortOrder::Newest.into(), limit: SITEMAP_LISTINGS, ..Default::default() };
    let stores = ListStoresRequest { limit: 100, ..Default::default() };
    let (mut search, mut tenants) = (site.search.clone(), site.tenants.clone());
    let (found, stores) = tokio::join!(search.search(here.ctx.request(newest)), tenants.list_stores(here.ctx.request(stores)));
    let mut paths: Vec<String> = ["/", "/search", "/stores", "/sell"].map(str::to_owned).into();
    paths.extend(here.categories.iter().map(|category| format!("/c/{}", category.id)));
    paths.extend(stores?.into_inner().stores.into_iter().filter_map(|open| Some(format!("/s/{}", open.store?.slug))));
    paths.extend(found?.into_inner().hits.iter().map(|hit| ui::product_url(&hit.product_id, &hit.slug)));
    let urls = html! { @for path in &paths { url { loc { (site.public_url) (path) } } } };
    let text =
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">{}</urlset>\n", urls.0);
    Ok(file("application/xml", text))
}

pub(crate) async fn manifest() -> Response {
    let icon = |name: &str, sizes: &str, kind: &str| json!({ "src": assets::url(name), "sizes": sizes, "type": kind, "purpose": "any maskable" });
    let manifest = json!({
        "name": "MarketHub", "short_name": "MarketHub", "start_url": "/", "scope": "/", "display": "standalone",
        "background_color": "#faf9f6", "theme_color": "#0b5d4b",
        "icons": [icon("icon-192.png", "192x192", "image/png"), icon("icon-512.png", "512x512", "image/png"), icon("favicon.svg", "any", "image/svg+xml")],
    });
    file("application/manifest+json", manifest.to_string())
}

/// Keeps style, scripts and icons, and shows a page of its own when there is no network. Pages themselves are never kept: they show
/// prices and stock.
pub(crate) async fn service_worker() -> Response {
    let kept: Vec<&str> = ["app.css", "app.js", "htmx.js", "icons.svg"].map(assets::url).into();
    let version = assets::url("app.css");
    let script = format!(
        "const kept = {};\nconst name = {version:?};\n{}",
        serde_json::Value::from([kept, vec!["/offline"]].concat()),
        include_str!("../../assets/js/sw.js")
    );
    let mut response = file("text/javascript; charset=utf-8", script);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

pub(crate) async fn offline(here: Here) -> Page {
    Ok(view_offline(&here).into_response())
}

pub(crate) fn view_offline(visit: &Visit) -> Markup {
    // Shown to anyone on this device later, so it says nothing about who is signed in.
    let nobody = Visit { viewer: Default::default(), cart_count: 0, csrf: String::new(), flash: None, ..visit.clone() };
    let head = Head { title: "You are offline", ..Head::default() };
    let body = html! {
        div.oops {
            (ui::empty_drawing("globe"))
            h1 { "You are offline" }
            p { "The market needs a connection to show prices and stock as they are. Your cart is safe; come back when you have a signal." }
            a.btn href="" { "Try again" }
        }
    };
    ui::page(&nobody, &head, body)
}

/// Some programs ask for it whatever the page says.
pub(crate) async fn favicon() -> Redirect {
    Redirect::permanent(assets::url("icon-192.png"))
}

pub(crate) async fn set_theme(State(site): State<Web>, Posted(form): Posted) -> Page {
    let back = Redirect::to(safe_next(form.get("next"), "/")).into_response();
    Ok(with_cookies(back, [site.theme_cookie(&Theme::parse(form.get("theme")))]))
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    vec![("offline", view_offline(&crate::visit::sample::buyer()))]
}

//! A shop's own page, and all shops.

use api_tenants::{GetStoreRequest, ListStoresRequest, ListStoresResponse, PublicStore};
use axum::extract::{Path, Query as UrlQuery, RawQuery, State};
use axum::response::IntoResponse;
use maud::{Markup, html};
use serde::Deserialize;

use crate::buyer::home::store_card;
use crate::buyer::query::Query;
use crate::buyer::results::{self, Results};
use crate::failure::{Failure, Page};
use crate::session::Here;
use crate::site::Web;
use crate::ui::{self, Head, Tone, icon, show};
use crate::visit::Visit;

pub(crate) struct StorePage {
    pub(crate) open: PublicStore,
    pub(crate) results: Results,
}

pub(crate) async fn show(State(site): State<Web>, here: Here, Path(slug): Path<String>, RawQuery(raw): RawQuery) -> Page {
    let query = Query::parse(&format!("/s/{slug}"), raw.as_deref());
    let open = site.tenants.clone().get_store(here.ctx.request(GetStoreRequest { slug })).await?.into_inner().store.ok_or_else(Failure::not_found)?;
    let mut request = query.request(site.settings.currency);
    request.tenant_id.clone_from(&open.tenant_id);
    let found = site.search.clone().search(here.ctx.request(request)).await?.into_inner();
    Ok(view(&here, &StorePage { open, results: Results { query, currency: site.settings.currency, found, hidden: &["seller"] } }).into_response())
}

pub(crate) fn view(visit: &Visit, page: &StorePage) -> Markup {
    let store = page.open.store.clone().unwrap_or_default();
    let canonical = format!("/s/{}", store.slug);
    let head = Head { title: &store.name, description: &store.description, canonical: &canonical, tab: "search", ..Head::default() };
    ui::page(
        visit,
        &head,
        html! {
            header class={ "store-head " (ui::hue_of(&store.name)) } {
                (ui::avatar(&store.name, "shop big"))
                div.grow {
                    h1 { (store.name) }
                    @if let Some(since) = &page.open.since {
                        p.small.soft-ink.mt2 {
                            "In the market since " (show::date(kit_rpc::time(since)))
                            @if !store.country.is_empty() { " · ships from " (store.country) }
                        }
                    }
                }
                form.search-in action=(canonical) method="get" role="search" aria-label="This shop" {
                    label.sr for="in-shop" { "Search in this shop" }
                    input.input #in-shop type="search" name="q" value=(page.results.query.words) placeholder="Search in this shop" autocomplete="off";
                    button.btn.square type="submit" aria-label="Search in this shop" { (icon("search")) }
                }
            }
            @if store.holiday {
                div.mb6 {
                    (ui::notice(Tone::Warn, if store.holiday_message.is_empty() { "This shop is on holiday; nothing can be ordered right now." } else { &store.holiday_message }))
                }
            }
            @if !store.description.is_empty() { p.prose.mb6 { (store.description) } }
            (results::view(&page.results))
            @if !(store.returns_policy.is_empty() && store.shipping_policy.is_empty()) {
                section.section.grid.two {
                    @if !store.shipping_policy.is_empty() { div.card { h2.mb2 { "Shipping" } p.letter.soft-ink { (store.shipping_policy) } } }
                    @if !store.returns_policy.is_empty() { div.card { h2.mb2 { "Returns" } p.letter.soft-ink { (store.returns_policy) } } }
                }
            }
        },
    )
}

#[derive(Deserialize)]
pub(crate) struct Cursor {
    #[serde(default)]
    pub(crate) cursor: String,
}

/// Shops per page.
const STORES: u32 = 60;

pub(crate) async fn list(State(site): State<Web>, here: Here, UrlQuery(at): UrlQuery<Cursor>) -> Page {
    let request = ListStoresRequest { limit: STORES, cursor: at.cursor.clone() };
    let stores = site.tenants.clone().list_stores(here.ctx.request(request)).await?.into_inner();
    Ok(view_list(&here, &stores, !at.cursor.is_empty()).into_response())
}

pub(crate) fn view_list(visit: &Visit, stores: &ListStoresResponse, later: bool) -> Markup {
    let next = (!stores.next_cursor.is_empty()).then(|| format!("/stores?cursor={}", stores.next_cursor));
    let head = Head { title: "All shops", description: "Every shop in the market.", canonical: "/stores", tab: "search", ..Head::default() };
    ui::page(
        visit,
        &head,
        html! {
            div.page-head { div { h1 { "All shops" } p { "Each is run by its own people, with its own stock and its own parcels." } } }
            @if stores.stores.is_empty() {
                (ui::empty("store", "No shop is open yet", "Be the first one.", Some(("/sell", "Open a shop"))))
            } @else {
                h2.sr { "Shops" }
                ul.store-grid { @for store in &stores.stores { li { (store_card(store)) } } }
                (ui::pager(later.then_some("/stores"), next.as_deref()))
            }
        },
    )
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::buyer::sample::{LONG, facets, hits, stores};
    use crate::visit::sample;
    use api_search::SearchResponse;
    let mut open = stores().remove(2);
    if let Some(store) = &mut open.store {
        store.shipping_policy = "We pack on weekdays and ship within two days.\nOversize parcels go by freight.".to_owned();
        store.returns_policy = LONG.to_owned();
        store.holiday = true;
        store.country = "GB".to_owned();
    }
    let results = |found| Results { query: Query::parse("/s/desk-co", None), currency: kit_core::Currency::USD, found, hidden: &["seller"] };
    let found = SearchResponse { total: 412, hits: hits(), facets: facets(), ..SearchResponse::default() };
    vec![
        ("store", view(&sample::nobody(), &StorePage { open: open.clone(), results: results(found) })),
        ("store-empty", view(&sample::buyer(), &StorePage { open, results: results(SearchResponse::default()) })),
        ("stores", view_list(&sample::nobody(), &ListStoresResponse { stores: stores(), next_cursor: "x".to_owned() }, true)),
        ("stores-empty", view_list(&sample::nobody(), &ListStoresResponse::default(), false)),
    ]
}

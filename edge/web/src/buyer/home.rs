//! The front door: search, categories, what is new, the shops.

use std::collections::HashMap;

use api_recommendations::Placement;
use api_search::{Hit, SearchRequest, SortOrder};
use api_tenants::{ListStoresRequest, PublicStore};
use axum::extract::State;
use axum::response::IntoResponse;
use maud::{Markup, html};

use crate::buyer::shelves::Shelves;
use crate::buyer::{privacy, shelves};
use crate::failure::Page;
use crate::session::Here;
use crate::site::Web;
use crate::ui::{self, Head, show};
use crate::visit::Visit;

#[derive(Debug, Default)]
pub(crate) struct Home {
    pub(crate) newest: Vec<Hit>,
    pub(crate) stores: Vec<PublicStore>,
    /// All listings in the market.
    pub(crate) listings: u64,
    pub(crate) shelves: Shelves,
}

/// A shop that brings a whole feed at once must not fill the page: what is shown is chosen from more, in turn by shop.
const NEWEST: u32 = 100;
const SHOWN: usize = 26;
const STORES: u32 = 12;

pub(crate) async fn show(State(site): State<Web>, here: Here) -> Page {
    let newest = SearchRequest { sort: SortOrder::Newest.into(), limit: NEWEST, ..Default::default() };
    let stores = ListStoresRequest { limit: STORES, ..Default::default() };
    let (mut search, mut tenants) = (site.search.clone(), site.tenants.clone());
    let (found, stores, shelves) = tokio::join!(
        search.search(here.ctx.request(newest)),
        tenants.list_stores(here.ctx.request(stores)),
        site.shelves(&here, Placement::Home, Vec::new()),
    );
    // The front door opens even when part of the market is away; what is missing is left out.
    let found = found.map(tonic::Response::into_inner).unwrap_or_default();
    let stores = stores.map(tonic::Response::into_inner).unwrap_or_default();
    let page = Home { newest: in_turn(found.hits), listings: found.total, stores: stores.stores, shelves };
    Ok(view(&here, &page).into_response())
}

/// The newest of each shop, then the second newest of each, and so on.
fn in_turn(hits: Vec<Hit>) -> Vec<Hit> {
    let mut turns: HashMap<String, usize> = HashMap::new();
    let mut ranked: Vec<(usize, Hit)> = Vec::with_capacity(hits.len());
    for hit in hits {
        let turn = turns.entry(hit.tenant_id.clone()).or_default();
        ranked.push((*turn, hit));
        *turn += 1;
    }
    ranked.sort_by_key(|(turn, _)| *turn);
    ranked.into_iter().map(|(_, hit)| hit).take(SHOWN).collect()
}

pub(crate) fn view(visit: &Visit, home: &Home) -> Markup {
    let head = Head {
        description: "Search many independent shops at once, pay once, and each seller ships its own part.",
        canonical: "/",
        tab: "home",
        ..Head::default()
    };
    let (mosaic, rest) = home.newest.split_at(home.newest.len().min(10));
    let shelf = if rest.is_empty() { mosaic } else { rest };
    ui::page(
        visit,
        &head,
        html! {
            section.hero {
                div {
                    h1 { "One cart." br; em { "Every shop." } }
                    p.lead {
                        "Independent sellers, side by side. Put things from any of them into one cart, pay once, and follow each parcel to your door."
                    }
                    p.facts-line {
                        @if home.listings > 0 { span { b { (show::count(home.listings)) } " products" } }
                        span { b { "One" } " payment" }
                        span { b { "Live" } " tracking per seller" }
                    }
                    div.row.mt6 { a.btn.large href="/search" { "Browse everything" } a.btn.large.outline href="/stores" { "Meet the shops" } }
                }
                @if !mosaic.is_empty() {
                    ul.mosaic {
                        @for hit in mosaic {
                            li {
                                a href=(ui::product_url(&hit.product_id, &hit.slug)) aria-label=(hit.title) {
                                    (ui::picture(&hit.media_hash, "", &hit.title, ui::IN_GRID))
                                }
                            }
                        }
                    }
                }
            }
            @if !visit.categories.is_empty() {
                section.section {
                    div.section-head { h2 { "Departments" } }
                    ul.category-grid { @for category in visit.categories.iter() { li { (category_tile(&category.id, &category.name)) } } }
                }
            }
            (shelves::view(&home.shelves))
            @if !home.shelves.personalised && visit.visitor.is_empty() && !home.newest.is_empty() { (privacy::offer(visit)) }
            (ui::shelf("New in the market", Some("/search?sort=newest"), shelf))
            @if !home.stores.is_empty() {
                section.section {
                    div.section-head { h2 { "Shops to know" } a href="/stores" { "All shops" } }
                    ul.store-grid { @for store in &home.stores { li { (store_card(store)) } } }
                }
            }
            @if home.newest.is_empty() {
                section.section {
                    (ui::empty("store", "The stalls are still going up", "No shop has put anything on its shelves yet. Come back soon, or open the first one.", None))
                }
            }
            section.section.band {
                div { h2 { "Bring your own shelf" } p { "Upload the feed you already have, map its columns once, and sell next to everybody else." } }
                a.btn.large href="/sell" { "Open a shop" }
            }
        },
    )
}

pub(crate) fn category_tile(id: &str, name: &str) -> Markup {
    html! { a class={ "category-tile " (ui::hue_of(name)) } href={ "/c/" (id) } { span.swatch aria-hidden="true" {} span { (name) } } }
}

pub(crate) fn store_card(open: &PublicStore) -> Markup {
    let Some(store) = &open.store else { return Markup::default() };
    html! {
        article.store-card {
            (ui::avatar(&store.name, "shop"))
            div { h3 { a href={ "/s/" (store.slug) } { (store.name) } } p.clamp-2 { (store.description) } }
        }
    }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample;
    let full = Home {
        newest: super::sample::hits().into_iter().cycle().take(24).collect(),
        stores: super::sample::stores(),
        listings: 31_173,
        shelves: shelves::sample(),
    };
    vec![
        ("home", view(&sample::nobody(), &full)),
        ("home-signed-in", view(&sample::seller(), &full)),
        ("home-empty", view(&Visit { categories: std::sync::Arc::default(), ..sample::nobody() }, &Home::default())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shops_take_turns_and_their_newest_comes_first() {
        let hit = |tenant: &str, title: &str| Hit { tenant_id: tenant.to_owned(), title: title.to_owned(), ..Hit::default() };
        let hits = vec![hit("a", "a1"), hit("a", "a2"), hit("a", "a3"), hit("b", "b1"), hit("c", "c1"), hit("b", "b2")];
        let titles: Vec<String> = in_turn(hits).into_iter().map(|hit| hit.title).collect();
        assert_eq!(titles, ["a1", "b1", "c1", "a2", "b2", "a3"]);
    }
}

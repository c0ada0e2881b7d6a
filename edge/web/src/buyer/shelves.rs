//! Shelves of recommendations, each product with the reason it stands there. Pages ask for them when the reader comes near, so that no page waits.

use std::collections::HashMap;

use api_cart::GetCartRequest;
use api_orders::GetOrderRequest;
use api_recommendations::{GetShelvesRequest, Placement, ReasonKind, Recommendation, ShelfKind};
use api_search::{GetListingsRequest, Hit, Listing};
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use maud::{Markup, html};

use crate::failure::{Failure, Page};
use crate::session::Here;
use crate::site::{Site, Web};
use crate::ui;
use crate::visit::Visit;

const SHELF: u32 = 12;
/// search answers for so many listings at once.
const LISTINGS: usize = 100;

/// A product on a shelf.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    hit: Hit,
    score: f64,
    why: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    kind: ShelfKind,
    standing: Vec<Standing>,
}

/// The shelves of a page.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shelves {
    shelves: Vec<Shelf>,
    /// Where a product was opened from, for analytics: "shelf:home".
    source: &'static str,
    pub(crate) personalised: bool,
}

impl Site {
    /// None when recommendations are away: a page is whole without them.
    pub(crate) async fn shelves(&self, here: &Visit, placement: Placement, product_ids: Vec<String>) -> Shelves {
        let request = GetShelvesRequest { placement: placement.into(), product_ids, visitor_id: here.visitor.clone(), limit: SHELF };
        let Ok(answer) = self.recommendations.clone().get_shelves(here.ctx.request(request)).await else { return Shelves::default() };
        let answer = answer.into_inner();
        let mut wanted: Vec<String> =
            answer.shelves.iter().flat_map(|shelf| &shelf.items).flat_map(|item| [&item.product_id, &item.because_product_id]).cloned().collect();
        wanted.retain(|id| !id.is_empty());
        wanted.sort_unstable();
        wanted.dedup();
        let mut listings = HashMap::new();
        for product_ids in wanted.chunks(LISTINGS) {
            let request = GetListingsRequest { product_ids: product_ids.to_vec() };
            let Ok(found) = self.search.clone().get_listings(here.ctx.request(request)).await else { return Shelves::default() };
            listings.extend(found.into_inner().listings.into_iter().map(|listing| (listing.product_id.clone(), listing)));
        }
        let shelf = |shelf: api_recommendations::Shelf| {
            let standing = shelf.items.iter().filter_map(|item| standing(item, &listings)).collect();
            Shelf { kind: shelf.kind(), standing }
        };
        Shelves { shelves: answer.shelves.into_iter().map(shelf).collect(), source: source(placement), personalised: answer.personalised }
    }
}

const fn source(placement: Placement) -> &'static str {
    match placement {
        Placement::Home | Placement::Unspecified => "shelf:home",
        Placement::Product => "shelf:product",
        Placement::Cart => "shelf:cart",
        Placement::Order => "shelf:order",
    }
}

fn standing(item: &Recommendation, listings: &HashMap<String, Listing>) -> Option<Standing> {
    let because = listings.get(&item.because_product_id).map(|listing| listing.title.as_str());
    Some(Standing { hit: hit(listings.get(&item.product_id)?), score: item.score, why: why(item.reason(), because) })
}

fn why(reason: ReasonKind, because: Option<&str>) -> String {
    match (reason, because) {
        (ReasonKind::AlsoViewed, Some(title)) => format!("Looked at with {title}"),
        (ReasonKind::AlsoBought, Some(title)) => format!("Bought with {title}"),
        (ReasonKind::Similar, Some(title)) => format!("Like {title}"),
        (ReasonKind::Popular, _) => "Popular now".to_owned(),
        _ => String::new(),
    }
}

/// A listing as a card shows it.
fn hit(listing: &Listing) -> Hit {
    let store = listing.store.clone().unwrap_or_default();
    let cheapest = listing.variants.iter().filter(|variant| variant.price == listing.price_from).find_map(|variant| variant.list_price.clone());
    Hit {
        product_id: listing.product_id.clone(),
        tenant_id: listing.tenant_id.clone(),
        title: listing.title.clone(),
        brand: listing.brand.clone(),
        store_name: store.name,
        store_slug: store.slug,
        media_hash: listing.media.first().map(|media| media.hash.clone()).unwrap_or_default(),
        price_from: listing.price_from.clone(),
        price_to: listing.price_to.clone(),
        list_price: cheapest,
        stock_state: listing.stock_state,
        variant_count: u32::try_from(listing.variants.len()).unwrap_or_default(),
        slug: listing.slug.clone(),
        ..Hit::default()
    }
}

pub(crate) async fn of_product(State(site): State<Web>, here: Here, Path(product_id): Path<String>) -> Page {
    Ok(view(&site.shelves(&here, Placement::Product, vec![product_id]).await).into_response())
}

pub(crate) async fn of_cart(State(site): State<Web>, here: Here) -> Page {
    let mut products = Vec::new();
    if here.ctx.user().is_some() {
        let cart = site.cart.clone().get_cart(here.ctx.request(GetCartRequest { country: String::new() })).await?.into_inner().cart;
        products = cart.unwrap_or_default().groups.into_iter().flat_map(|group| group.lines).map(|line| line.product_id).collect();
    }
    Ok(view(&site.shelves(&here, Placement::Cart, products).await).into_response())
}

pub(crate) async fn of_order(State(site): State<Web>, here: Here, Path(order_id): Path<String>) -> Page {
    let request = GetOrderRequest { order_id, access_token: String::new() };
    let order = site.orders.clone().get_order(here.ctx.request(request)).await?.into_inner().order.ok_or_else(Failure::not_found)?;
    let products = order.sub_orders.into_iter().flat_map(|part| part.items).map(|item| item.product_id).collect();
    Ok(view(&site.shelves(&here, Placement::Order, products).await).into_response())
}

/// Where shelves will stand, once the reader comes near.
pub(crate) fn later(address: &str) -> Markup {
    html! { div hx-get={ "/shelves/" (address) } hx-trigger="revealed" hx-swap="outerHTML" {} }
}

pub(crate) fn view(shelves: &Shelves) -> Markup {
    html! { @for shelf in &shelves.shelves { (shelf_view(shelf, shelves.source)) } }
}

const fn title(kind: ShelfKind) -> &'static str {
    match kind {
        ShelfKind::ForYou => "For you",
        ShelfKind::RecentlyViewed => "Recently viewed",
        ShelfKind::Similar => "Similar products",
        ShelfKind::AlsoBought => "Often bought together",
        ShelfKind::AlsoViewed => "Others also looked at",
        ShelfKind::Popular | ShelfKind::Unspecified => "Popular now",
    }
}

/// The title says it for all; a card says more only where its own reason differs.
fn shelf_view(shelf: &Shelf, source: &str) -> Markup {
    let tells = shelf.kind == ShelfKind::ForYou;
    html! {
        @if !shelf.standing.is_empty() {
            section.section {
                div.section-head { h2 { (title(shelf.kind)) } @if tells { a href="/privacy" { "Why these?" } } }
                ul.shelf {
                    @for standing in &shelf.standing {
                        li data-score=(format!("{:.3}", standing.score)) {
                            (ui::product_card_on(&standing.hit, source, if tells { &standing.why } else { "" }))
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
pub(crate) fn sample() -> Shelves {
    let standing =
        |why: &str| -> Vec<Standing> { super::sample::hits().into_iter().map(|hit| Standing { hit, score: 0.7, why: why.to_owned() }).collect() };
    Shelves {
        shelves: vec![
            Shelf { kind: ShelfKind::ForYou, standing: standing("Looked at with Desk lamp, brass") },
            Shelf { kind: ShelfKind::RecentlyViewed, standing: standing("") },
            Shelf { kind: ShelfKind::Popular, standing: standing("Popular now") },
        ],
        source: "shelf:home",
        personalised: true,
    }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::buyer;
    let page = |shelves: &Shelves| {
        let head = ui::Head { title: "Shelves", ..ui::Head::default() };
        ui::page(&buyer(), &head, html! { h1 { "Shelves" } (view(shelves)) (later("cart")) })
    };
    let all = [ShelfKind::Similar, ShelfKind::AlsoBought, ShelfKind::AlsoViewed];
    let product = Shelves {
        shelves: all
            .into_iter()
            .map(|kind| Shelf { kind, standing: sample().shelves.into_iter().flat_map(|shelf| shelf.standing).take(8).collect() })
            .collect(),
        source: "shelf:product",
        personalised: false,
    };
    vec![("shelves-home", page(&sample())), ("shelves-product", page(&product)), ("shelves-none", page(&Shelves::default()))]
}

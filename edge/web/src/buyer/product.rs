//! A product: pictures, choice, price, stock, seller, and what it is.

use api_search::{GetListingRequest, Hit, ListSameProductsRequest, Listing, ListingVariant, SearchRequest, StockState};
use axum::extract::{Path, Query as UrlQuery, State};
use axum::response::IntoResponse;
use kit_core::Money;
use maud::{Markup, PreEscaped, html};
use serde::Deserialize;
use serde_json::json;

use crate::behaviour;
use crate::buyer::shelves;
use crate::failure::Page;
use crate::session::Here;
use crate::site::Web;
use crate::ui::{self, Head, Shot, amount, form, icon, show};
use crate::visit::Visit;

pub(crate) struct ProductPage {
    pub(crate) listing: Listing,
    /// The variant shown.
    pub(crate) chosen: usize,
    pub(crate) elsewhere: Vec<Hit>,
    pub(crate) more_of_shop: Vec<Hit>,
}

#[derive(Deserialize)]
pub(crate) struct Choice {
    #[serde(default)]
    v: String,
    /// The shelf it was opened from.
    #[serde(default)]
    from: String,
}

/// Pieces shown as "only n left".
const FEW: i64 = 10;
const MORE_OF_SHOP: u32 = 12;
const ELSEWHERE: &str = "Probably the same, from other sellers";
/// A page says so only when it is quite sure.
const QUITE_SURE: f64 = 0.8;

/// The word in the address is not looked at: a renamed product keeps its old links.
pub(crate) async fn show(State(site): State<Web>, here: Here, Path((_word, id)): Path<(String, String)>, UrlQuery(choice): UrlQuery<Choice>) -> Page {
    let listing = site.search.clone().get_listing(here.ctx.request(GetListingRequest { product_id: id })).await?.into_inner();
    site.note(&here, behaviour::opened(&listing.product_id, &choice.from));
    let chosen = listing.variants.iter().position(|variant| variant.variant_id == choice.v);
    let chosen = chosen.or_else(|| listing.variants.iter().position(|variant| variant.available > 0)).unwrap_or(0);
    Ok(view(&here, &ProductPage { listing, chosen, elsewhere: Vec::new(), more_of_shop: Vec::new() }).into_response())
}

/// More of the same shop, fetched when the reader comes near it: the product itself does not wait for it.
pub(crate) async fn more_of_shop(State(site): State<Web>, here: Here, Path((tenant_id, product_id)): Path<(String, String)>) -> Page {
    let request = SearchRequest { tenant_id, limit: MORE_OF_SHOP, available_only: true, ..Default::default() };
    let mut hits = site.search.clone().search(here.ctx.request(request)).await?.into_inner().hits;
    hits.retain(|hit| hit.product_id != product_id);
    Ok(ui::shelf("More from this shop", None, &hits).into_response())
}

/// The same thing in other shops, the cheapest first.
pub(crate) async fn same_elsewhere(State(site): State<Web>, here: Here, Path(product_id): Path<String>) -> Page {
    let request = ListSameProductsRequest { product_id, least_certainty: Some(QUITE_SURE), ..Default::default() };
    let found = site.search.clone().list_same_products(here.ctx.request(request)).await?.into_inner().products;
    let mut hits: Vec<Hit> = found.into_iter().filter_map(|same| same.hit).collect();
    hits.sort_by_key(|hit| hit.price_from.as_ref().map_or(i64::MAX, |price| price.amount_minor));
    Ok(elsewhere(&hits).into_response())
}

fn elsewhere(hits: &[Hit]) -> Markup {
    ui::shelf(ELSEWHERE, None, hits)
}

const STAGE: Shot = Shot { sizes: "(max-width: 60rem) 100vw, 42rem", eager: true };
const STAGE_LATER: Shot = Shot { eager: false, ..STAGE };

pub(crate) fn view(visit: &Visit, page: &ProductPage) -> Markup {
    let listing = &page.listing;
    let variant = listing.variants.get(page.chosen);
    let address = ui::product_url(&listing.product_id, &listing.slug);
    let description = plain(&listing.description);
    let top = listing.categories.first().map_or("", |step| step.category_id.as_str());
    let head = Head {
        title: &listing.title,
        description: &description,
        canonical: &address,
        json_ld: Some(structured(visit, listing, &address)),
        category: top,
        tab: "search",
        class: "has-dock",
        scripts: &["live.js"],
        ..Head::default()
    };
    let way: Vec<(String, String)> = listing.categories.iter().map(|step| (format!("/c/{}", step.category_id), step.name.clone())).collect();
    ui::page(
        visit,
        &head,
        html! {
            (ui::crumbs(&way, &listing.title))
            div.product {
                (gallery(listing, variant))
                (buy_box(visit, page, &address))
            }
            @if page.elsewhere.is_empty() {
                div hx-get={ "/same/" (listing.product_id) } hx-trigger="revealed" hx-swap="outerHTML" {}
            } @else { (elsewhere(&page.elsewhere)) }
            div.detail-grid {
                @if !listing.description.is_empty() {
                    // Sanitised by the catalog before it was ever stored.
                    section { h2.mb4 { "About it" } div.prose { (PreEscaped(&listing.description)) } }
                }
                (facts(listing, variant))
            }
            (shelves::later(&format!("product/{}", listing.product_id)))
            @if page.more_of_shop.is_empty() {
                div hx-get={ "/more/" (listing.tenant_id) "/" (listing.product_id) } hx-trigger="revealed" hx-swap="outerHTML" {}
            } @else { (ui::shelf("More from this shop", None, &page.more_of_shop)) }
        },
    )
}

fn gallery(listing: &Listing, variant: Option<&ListingVariant>) -> Markup {
    let own = variant.map(|variant| variant.media.as_slice()).unwrap_or_default();
    let pictures: Vec<_> = own.iter().chain(listing.media.iter().filter(|media| own.iter().all(|other| other.hash != media.hash))).collect();
    html! {
        div.gallery {
            @if pictures.is_empty() {
                (ui::picture("", "", &listing.title, STAGE))
            } @else {
                ul.stage aria-label="Pictures" tabindex="0" {
                    @for (index, media) in pictures.iter().enumerate() {
                        @let alt = if media.alt.is_empty() { &listing.title } else { &media.alt };
                        li id={ "picture-" (index) } { (ui::picture(&media.hash, alt, &listing.title, if index == 0 { STAGE } else { STAGE_LATER })) }
                    }
                }
                @if pictures.len() > 1 {
                    div.thumbs {
                        @for (index, media) in pictures.iter().enumerate() {
                            a href={ "#picture-" (index) } aria-label={ "Picture " (index + 1) } aria-current=[(index == 0).then_some("true")] {
                                (ui::picture(&media.hash, "", &listing.title, ui::IN_ROW))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn buy_box(visit: &Visit, page: &ProductPage, address: &str) -> Markup {
    let variant = page.listing.variants.get(page.chosen).map_or("", |variant| variant.variant_id.as_str());
    let live = format!("{address}/live?v={variant}&r={}", page.listing.revision);
    html! { div.buy.stack.loose data-live=(live) { (buying(visit, page)) } }
}

/// The part that follows price and stock while the page is open.
pub(crate) fn buying(visit: &Visit, page: &ProductPage) -> Markup {
    let listing = &page.listing;
    let variant = listing.variants.get(page.chosen);
    let store = listing.store.as_ref();
    let price = variant.and_then(|variant| amount(variant.price.as_ref()));
    let before = variant.and_then(|variant| amount(variant.list_price.as_ref()));
    let buyable = variant.is_some_and(|variant| variant.available > 0);
    let most = variant.map_or(1, |variant| variant.available.clamp(1, 999));
    html! {
        div {
            @if !listing.brand.is_empty() {
                p.brand-line {
                    a href={ "/search?" (url::form_urlencoded::Serializer::new(String::new()).append_pair("brand", &listing.brand).finish()) } {
                        (listing.brand)
                    }
                }
            }
            h1 { (listing.title) }
            p.headline {
                (ui::price_range(price, None, before))
                @if let Some(saved) = saving(price, before) { (ui::badge(ui::Tone::Good, html! { "Save " (show::money(saved)) })) }
            }
            p.tiny.hush { "Price includes tax. Shipping is added per shop at checkout." }
        }
        (options(page))
        div.stack {
            (stock_line(variant))
            form #buy method="post" action="/cart/items" hx-post="/cart/items" hx-swap="none" {
                (form::csrf(visit))
                input type="hidden" name="tenant_id" value=(listing.tenant_id);
                input type="hidden" name="product_id" value=(listing.product_id);
                input type="hidden" name="variant_id" value=[variant.map(|variant| variant.variant_id.as_str())];
                div.add {
                    div.stepper {
                        button.js-only type="button" data-step="-1" aria-label="One less" { (icon("minus")) }
                        input #quantity type="text" inputmode="numeric" name="quantity" value="1" min="1" max=(most) aria-label="Quantity" autocomplete="off" maxlength="3";
                        button.js-only type="button" data-step="1" aria-label="One more" { (icon("plus")) }
                    }
                    button.btn.large type="submit" disabled[!buyable] {
                        (icon("shopping-cart"))
                        @if buyable { "Add to cart" } @else { "Sold out" }
                    }
                }
            }
        }
        @if let Some(store) = store {
            a.seller-box href={ "/s/" (store.slug) } {
                (ui::avatar(&store.name, "shop"))
                span.grow { span.tiny.hush { "Sold and shipped by" } br; span.strong { (store.name) } }
                (icon("chevron-right"))
            }
        }
        ul.promises {
            li { (icon("package")) "Each shop ships its own part, tracked live" }
            li { (icon("rotate-ccw")) "Cancel any part until it ships; its money comes back" }
            li { (icon("lock")) "Card data never touches the market" }
        }
        div.dock {
            span.strong { @if let Some(price) = price { (show::price(price)) } }
            button.btn type="submit" form="buy" disabled[!buyable] { @if buyable { "Add to cart" } @else { "Sold out" } }
        }
    }
}

fn saving(price: Option<Money>, before: Option<Money>) -> Option<Money> {
    let saved = before?.minus(price?).ok()?;
    (saved.minor > 0).then_some(saved)
}

fn stock_line(variant: Option<&ListingVariant>) -> Markup {
    let Some(variant) = variant else { return html! { p.stock-line.bad-ink { "Not for sale right now" } } };
    html! {
        @match variant.stock_state() {
            StockState::OutOfStock => p.stock-line.bad-ink { "Out of stock" },
            StockState::Low => p.stock-line.warn-ink { @if variant.available <= FEW { "Only " (variant.available) " left" } @else { "Few left" } },
            StockState::InStock | StockState::Unspecified => p.stock-line.good-ink { "In stock" },
        }
    }
}

/// One value of one option: where choosing it leads, whether it is chosen, whether it can be had.
struct Value<'a> {
    text: &'a str,
    variant: &'a ListingVariant,
    chosen: bool,
}

/// For each option name its values; choosing one keeps as much of the rest of the choice as exists.
fn option_groups<'a>(variants: &'a [ListingVariant], chosen: &'a ListingVariant) -> Vec<(&'a str, Vec<Value<'a>>)> {
    let mut groups: Vec<(&str, Vec<Value>)> = Vec::new();
    for option in &chosen.options {
        let mut values: Vec<Value> = Vec::new();
        for candidate in variants {
            let Some(own) = candidate.options.iter().find(|own| own.name == option.name) else { continue };
            let likeness =
                |variant: &ListingVariant| (variant.options.iter().filter(|own| chosen.options.contains(own)).count(), variant.available > 0);
            match values.iter_mut().find(|value| value.text == own.value) {
                Some(known) if likeness(candidate) > likeness(known.variant) => known.variant = candidate,
                Some(_) => {}
                None => values.push(Value { text: &own.value, variant: candidate, chosen: own.value == option.value }),
            }
        }
        groups.push((&option.name, values));
    }
    groups
}

fn options(page: &ProductPage) -> Markup {
    let variants = &page.listing.variants;
    let Some(chosen) = variants.get(page.chosen).filter(|_| variants.len() > 1) else { return Markup::default() };
    let address = ui::product_url(&page.listing.product_id, &page.listing.slug);
    html! {
        div.stack {
            @for (name, values) in option_groups(variants, chosen) {
                fieldset.options-group {
                    legend { (name) ": " span { @for value in values.iter().filter(|value| value.chosen) { (value.text) } } }
                    div.option-list {
                        @for value in &values {
                            a.option.gone[value.variant.available <= 0] href={ (address) "?v=" (value.variant.variant_id) } aria-current=[value.chosen.then_some("true")] {
                                (value.text) @if value.variant.available <= 0 { span.sr { ", sold out" } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn facts(listing: &Listing, variant: Option<&ListingVariant>) -> Markup {
    html! {
        section {
            h2.mb4 { "Details" }
            dl.facts.lines {
                @for attribute in &listing.attributes {
                    dt { (attribute.name) }
                    dd { (attribute.values.join(", ")) @if !attribute.unit.is_empty() { " " (attribute.unit) } }
                }
                @if let Some(variant) = variant {
                    dt { "SKU" } dd.mono { (variant.sku) }
                    @if !variant.gtin.is_empty() { dt { "GTIN" } dd.mono { (variant.gtin) } }
                }
            }
        }
    }
}

/// The first words of a description without its markup, for search engines.
fn plain(html: &str) -> String {
    let mut out = String::new();
    let mut in_tag = false;
    for c in html.chars() {
        match c {
            '<' => in_tag = true,
            '>' => {
                in_tag = false;
                out.push(' ');
            }
            c if !in_tag => out.push(c),
            _ => {}
        }
        if out.len() > 200 {
            break;
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// schema.org Product with its offers.
fn structured(visit: &Visit, listing: &Listing, address: &str) -> serde_json::Value {
    let base = &*visit.public_url;
    let offers: Vec<_> = listing
        .variants
        .iter()
        .filter_map(|variant| {
            let price = amount(variant.price.as_ref())?;
            let stock = if variant.available > 0 { "https://schema.org/InStock" } else { "https://schema.org/OutOfStock" };
            Some(json!({
                "@type": "Offer", "sku": variant.sku, "price": price.decimal(), "priceCurrency": price.currency.as_str(), "availability": stock,
                "url": format!("{base}{address}?v={}", variant.variant_id),
                "seller": { "@type": "Organization", "name": listing.store.as_ref().map(|store| store.name.as_str()) },
            }))
        })
        .collect();
    let pictures: Vec<_> = listing.media.iter().map(|media| format!("{base}{}", ui::media_url(&media.hash, 1280))).collect();
    json!({
        "@context": "https://schema.org", "@type": "Product", "name": listing.title, "description": plain(&listing.description),
        "brand": { "@type": "Brand", "name": listing.brand }, "image": pictures, "offers": offers,
    })
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::buyer::sample::{LONG, hits, listing};
    use crate::visit::sample;
    let page = |listing: Listing, chosen| ProductPage { listing, chosen, elsewhere: hits(), more_of_shop: hits() };
    let mut with_pictures = listing();
    with_pictures.media =
        ["aa", "bb", "cc"].into_iter().map(|hash| api_search::ListingMedia { hash: hash.to_owned(), ..Default::default() }).collect();
    let mut sold_out = listing();
    for variant in &mut sold_out.variants {
        variant.available = 0;
        variant.stock_state = StockState::OutOfStock.into();
    }
    sold_out.title = LONG.to_owned();
    let bare = Listing { title: "x".to_owned(), product_id: "prd_1".to_owned(), ..Listing::default() };
    vec![
        ("product", view(&sample::nobody(), &page(listing(), 1))),
        ("product-pictures", view(&sample::buyer(), &page(with_pictures, 0))),
        ("product-sold-out", view(&sample::nobody(), &page(sold_out, 0))),
        ("product-bare", view(&sample::nobody(), &ProductPage { listing: bare, chosen: 0, elsewhere: Vec::new(), more_of_shop: Vec::new() })),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buyer::sample::listing;

    #[test]
    fn choosing_one_option_keeps_the_other() {
        let listing = listing();
        let chosen = listing.variants.iter().find(|variant| variant.options[0].value == "Black" && variant.options[1].value == "Over-ear").unwrap();
        let groups = option_groups(&listing.variants, chosen);
        let white = groups[0].1.iter().find(|value| value.text == "White").unwrap();
        assert_eq!(white.variant.options[1].value, "Over-ear");
        assert!(!white.chosen);
    }

    #[test]
    fn markup_does_not_reach_the_description() {
        assert_eq!(plain("<p>Warm &amp; soft</p><ul><li>wool</li></ul>"), "Warm &amp; soft wool");
    }
}

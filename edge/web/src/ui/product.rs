//! Products as lists and pages show them: picture, price, card.

use api_search::{Hit, StockState};
use kit_core::Money;
use maud::{Markup, html};

use crate::ui::{hue_of, icon, show};

/// Widths that the media service keeps, and that a list, a shelf or a page can need.
const WIDTHS: [u32; 5] = [160, 320, 640, 960, 1280];

pub(crate) fn media_url(media: &str, width: u32) -> String {
    format!("/v1/media/{media}/{width}.webp")
}

/// How a picture is asked for: the space it fills (`sizes`), and whether it is in view at once.
#[derive(Clone, Copy)]
pub(crate) struct Shot {
    pub(crate) sizes: &'static str,
    pub(crate) eager: bool,
}

pub(crate) const IN_GRID: Shot = Shot { sizes: "(max-width: 34rem) 45vw, (max-width: 60rem) 30vw, 15rem", eager: false };
pub(crate) const IN_ROW: Shot = Shot { sizes: "6rem", eager: false };

/// A square picture; a drawing of its own colour where there is none. The space is reserved before anything loads.
pub(crate) fn picture(media: &str, alt: &str, seed: &str, shot: Shot) -> Markup {
    if media.is_empty() {
        return blank(seed);
    }
    let srcset: Vec<String> = WIDTHS.iter().map(|width| format!("{} {width}w", media_url(media, *width))).collect();
    html! {
        span.picture {
            img src=(media_url(media, 640)) srcset=(srcset.join(", ")) sizes=(shot.sizes) width="640" height="640" alt=(alt)
                loading=(if shot.eager { "eager" } else { "lazy" }) decoding="async" fetchpriority=[shot.eager.then_some("high")];
        }
    }
}

/// A picture whose address a service gave in full.
pub(crate) fn picture_at(address: &str, alt: &str, seed: &str) -> Markup {
    if address.is_empty() {
        return blank(seed);
    }
    html! { span.picture { img src=(address) width="160" height="160" alt=(alt) loading="lazy" decoding="async"; } }
}

/// Six plain compositions, chosen by the text, so that a shelf without pictures is still worth looking at.
fn blank(seed: &str) -> Markup {
    let composition = seed.bytes().fold(3_u32, |sum, byte| sum.wrapping_mul(33).wrapping_add(u32::from(byte))) % 6;
    html! {
        span class={ "picture blank " (hue_of(seed)) } {
            svg viewBox="0 0 120 120" aria-hidden="true" focusable="false" preserveAspectRatio="xMidYMid slice" {
                @match composition {
                    0 => { circle.a cx="60" cy="60" r="34" {} path.b d="M60 26a34 34 0 0 1 0 68z" {} circle.w cx="60" cy="60" r="11" {} }
                    1 => { rect.a x="30" y="30" width="60" height="60" rx="6" {} path.b d="M30 90a60 60 0 0 1 60-60v54a6 6 0 0 1-6 6z" {} circle.c cx="46" cy="46" r="8" {} }
                    2 => { path.a d="M28 88V58a32 32 0 0 1 64 0v30z" {} path.b d="M60 88V58a16 16 0 0 1 32 0v30z" {} rect.c x="28" y="88" width="64" height="5" rx="2.5" {} }
                    3 => { circle.a cx="47" cy="49" r="23" {} circle.b cx="73" cy="49" r="23" {} path.c d="M60 68a23 23 0 0 1 0-38 23 23 0 0 1 0 38z" {} rect.w x="34" y="84" width="52" height="6" rx="3" {} }
                    4 => { path.a d="M60 26l34 20v34L60 100 26 80V46z" {} path.b d="M60 63l34-17v34L60 100z" {} path.c d="M60 26l34 20-34 17-34-17z" {} }
                    _ => { rect.a x="36" y="24" width="48" height="72" rx="24" {} path.b d="M36 60h48v12a24 24 0 0 1-48 0z" {} circle.w cx="60" cy="48" r="9" {} }
                }
            }
        }
    }
}

/// A service's amount; one in a currency we do not know is not shown rather than shown wrong.
pub(crate) fn amount(money: Option<&kit_rpc::proto::Money>) -> Option<Money> {
    money.and_then(|money| Money::try_from(money).ok())
}

/// "$19.99", "from $19.99", with what it cost before struck through.
pub(crate) fn price_range(from: Option<Money>, to: Option<Money>, before: Option<Money>) -> Markup {
    html! {
        @if let Some(from) = from {
            @if to.is_some_and(|to| to.minor > from.minor) { span.from { "from " } }
            (show::price(from))
            @if let Some(before) = before.filter(|before| before.minor > from.minor) { " " s.was { span.sr { "before " } (show::money(before)) } }
        } @else { span.hush { "No price" } }
    }
}

pub(crate) fn product_url(product_id: &str, slug: &str) -> String {
    // The word is for people and search engines; only the id counts.
    let word = if slug.is_empty() { "product" } else { slug };
    format!("/p/{word}/{product_id}")
}

/// A listing in a grid or on a shelf; the whole card is the link.
pub(crate) fn product_card(hit: &Hit) -> Markup {
    card(hit, &product_url(&hit.product_id, &hit.slug), "")
}

/// A listing on a shelf of recommendations, which the link names, with the reason it stands there.
pub(crate) fn product_card_on(hit: &Hit, source: &str, why: &str) -> Markup {
    card(hit, &format!("{}?from={source}", product_url(&hit.product_id, &hit.slug)), why)
}

fn card(hit: &Hit, address: &str, why: &str) -> Markup {
    let (from, to) = (amount(hit.price_from.as_ref()), amount(hit.price_to.as_ref()));
    let stock = hit.stock_state();
    html! {
        article.product-card.gone[stock == StockState::OutOfStock] {
            (picture(&hit.media_hash, "", &hit.title, IN_GRID))
            div.body {
                h3 { a href=(address) { span.clamp-2 { (hit.title) } } }
                p.cost { (price_range(from, to, amount(hit.list_price.as_ref()))) }
                p.by {
                    (icon("store")) span.clamp-1 { (hit.store_name) }
                }
                @if !why.is_empty() { p.why.clamp-2 { (why) } }
                @match stock {
                    StockState::Low => p.stock.low { "Only a few left" },
                    StockState::OutOfStock => p.stock { "Sold out" },
                    StockState::InStock | StockState::Unspecified => {},
                }
            }
        }
    }
}

/// A row of cards to swipe or scroll through, with its title and the way to all of them.
pub(crate) fn shelf(title: &str, all: Option<&str>, hits: &[Hit]) -> Markup {
    html! {
        @if !hits.is_empty() {
            section.section {
                div.section-head {
                    h2 { (title) }
                    @if let Some(all) = all { a href=(all) { "See all" span.sr { " of " (title) } } }
                }
                ul.shelf { @for hit in hits { li { (product_card(hit)) } } }
            }
        }
    }
}

pub(crate) fn product_grid(hits: &[Hit]) -> Markup {
    html! { ul.product-grid { @for hit in hits { li { (product_card(hit)) } } } }
}

//! Made-up listings, carts and orders for rendering pages without a service.

use api_search::{Hit, StockState};
use api_tenants::{PublicStore, Store};
use kit_rpc::proto::Money;

pub(crate) const LONG: &str = "Extraordinarily long product title with Donaudampfschifffahrtsgesellschaftskapitän, 24-bit/192 kHz support, detachable cable, carrying case & three-year warranty – second edition (2026)";

pub(crate) fn usd(minor: i64) -> Option<Money> {
    Some(Money { amount_minor: minor, currency: "USD".to_owned() })
}

pub(crate) fn hits() -> Vec<Hit> {
    let things = [
        ("Stoneware mug, speckled white", "Anna's Pottery", 2400, StockState::InStock),
        ("Wireless over-ear headphones with noise cancelling", "Nordic Audio", 19_900, StockState::Low),
        ("Linen table runner", "Weft & Warp", 3850, StockState::InStock),
        ("Kensington ClickSafe keyed laptop lock", "Desk & Co", 4999, StockState::InStock),
        ("Walnut desk lamp", "Lamplight", 12_900, StockState::InStock),
        ("Enamel camping pot, 2 l", "Trailhead Outfitters", 3400, StockState::OutOfStock),
        ("Merino travel blanket", "Weft & Warp", 8900, StockState::InStock),
        ("USB-C dock with 11 ports", "Desk & Co", 15_999, StockState::Low),
        (LONG, "The Very Long Named Emporium of Fine and Curious Goods", 129_900, StockState::InStock),
        ("Cast-iron teapot", "Anna's Pottery", 6400, StockState::InStock),
    ];
    let hit = |(index, (title, store, price, stock)): (usize, (&str, &str, i64, StockState))| Hit {
        product_id: format!("prd_{index:032x}"),
        tenant_id: format!("ten_{index:032x}"),
        title: title.to_owned(),
        brand: "Kensington".to_owned(),
        store_name: store.to_owned(),
        store_slug: "desk-co".to_owned(),
        price_from: usd(price),
        price_to: usd(if index % 4 == 1 { price + 4000 } else { price }),
        list_price: if index % 3 == 0 { usd(price + 1000) } else { None },
        stock_state: stock.into(),
        variant_count: 1,
        variant_id: format!("var_{index:032x}"),
        ..Hit::default()
    };
    things.into_iter().enumerate().map(hit).collect()
}

pub(crate) fn stores() -> Vec<PublicStore> {
    let shops = [
        ("Anna's Pottery", "Stoneware and porcelain, thrown and glazed by hand in Stoke."),
        ("Nordic Audio", "Headphones, speakers and the cables between them."),
        ("Desk & Co", "Everything a desk needs, from docks to locks."),
        ("Weft & Warp", "Linen, wool and cotton, woven slowly."),
        ("The Very Long Named Emporium of Fine and Curious Goods", LONG),
        ("Lamplight", ""),
    ];
    let shop = |(name, description): (&str, &str)| PublicStore {
        tenant_id: "ten_0198f0d1000070008000000000000001".to_owned(),
        store: Some(Store { name: name.to_owned(), slug: "desk-co".to_owned(), description: description.to_owned(), ..Store::default() }),
        since: Some(kit_rpc::timestamp(crate::visit::sample::time("2025-03-01T00:00:00Z"))),
    };
    shops.into_iter().map(shop).collect()
}

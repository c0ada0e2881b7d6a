//! Made-up listings, carts and orders for rendering pages without a service.

use api_cart::{CartContents, CartLine, CartTotals, Notice, NoticeKind, SellerGroup, ShippingEstimate};
use api_identity::Country;
use api_orders::{
    Cancellation, CancelledLine, Checkout, CheckoutPart, Item, Order, OrderState, RefundState, Shipment, ShippingOption, SubOrder, TimelineEntry,
    Totals, TrackingEvent,
};
use api_payments::{MethodSummary, PaymentChoice, PaymentMethod, PaymentMethodKind, PaymentOption, TestCard};

use crate::buyer::paying::Means;
use api_search::{Crumb, Facet, FacetValue, Hit, Listing, ListingAttribute, ListingOption, ListingStore, ListingVariant, StockState};
use api_tenants::{PublicStore, Store};
use kit_rpc::proto::{Address, Money};

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

pub(crate) fn facets() -> Vec<Facet> {
    let value = |value: &str, label: &str, count| FacetValue { value: value.to_owned(), label: label.to_owned(), count, ..FacetValue::default() };
    let bucket =
        |from_minor, to_minor, label: &str, count| FacetValue { label: label.to_owned(), count, from_minor, to_minor, ..FacetValue::default() };
    let facet = |field: &str, label: &str, values| Facet { field: field.to_owned(), label: label.to_owned(), values };
    vec![
        facet(
            "category",
            "Category",
            vec![
                value("cat_00000000000000000000000000000001", "Headphones", 210),
                value("cat_00000000000000000000000000000002", "Cables & adapters", 42),
            ],
        ),
        facet("availability", "Availability", vec![value("true", "In stock", 301)]),
        facet(
            "brand",
            "Brand",
            ["Sony", "Kensington", "Bose", "Sennheiser", "JBL", LONG]
                .into_iter()
                .zip([120, 64, 31, 20, 4, 1])
                .map(|(name, count)| value(name, name, count))
                .collect(),
        ),
        facet(
            "price",
            "Price",
            vec![bucket(0, 2500, "Under $25", 52), bucket(2500, 10_000, "$25 to $100", 148), bucket(10_000, 0, "$100 and over", 90)],
        ),
        facet(
            "seller",
            "Shop",
            vec![value("ten_00000000000000000000000000000001", "Nordic Audio", 80), value("ten_00000000000000000000000000000002", "Desk & Co", 77)],
        ),
        facet("attribute:color", "Colour", vec![value("Black", "Black", 120), value("White", "White", 40)]),
    ]
}

pub(crate) fn listing() -> Listing {
    let option = |name: &str, value: &str| ListingOption { name: name.to_owned(), value: value.to_owned() };
    let combinations = [
        ("Black", "Over-ear", 19_900, 12),
        ("Black", "On-ear", 15_900, 3),
        ("White", "Over-ear", 19_900, 40),
        ("White", "On-ear", 15_900, 0),
        ("Forest green", "Over-ear", 20_900, 8),
    ];
    let variant = |(index, (colour, shape, price, available)): (usize, (&str, &str, i64, i64))| ListingVariant {
        variant_id: format!("var_{index:032x}"),
        sku: format!("NA-900-{index}"),
        gtin: "4006381333931".to_owned(),
        options: vec![option("Colour", colour), option("Shape", shape)],
        price: usd(price),
        list_price: usd(price + 3000),
        available,
        stock_state: if available == 0 {
            StockState::OutOfStock
        } else if available < 10 {
            StockState::Low
        } else {
            StockState::InStock
        }
        .into(),
        media: Vec::new(),
    };
    let attribute = |name: &str, value: &str, unit: &str| ListingAttribute {
        name: name.to_owned(),
        values: vec![value.to_owned()],
        unit: unit.to_owned(),
        ..ListingAttribute::default()
    };
    Listing {
        product_id: "prd_00000000000000000000000000000001".to_owned(),
        tenant_id: "ten_00000000000000000000000000000001".to_owned(),
        slug: "wireless-headphones".to_owned(),
        title: "Wireless headphones with active noise cancelling, 40 h battery".to_owned(),
        description: "<p>Closed-back headphones that stay comfortable for a whole flight. Two microphones listen outwards and two inwards, so the world goes quiet without the pressure some people feel.</p><ul><li>40 hours on one charge</li><li>Multipoint Bluetooth 5.3</li><li>Replaceable ear pads and battery</li></ul>".to_owned(),
        brand: "Nordic Audio".to_owned(),
        categories: vec![Crumb { category_id: "cat_00000000000000000000000000000000".to_owned(), name: "Electronics".to_owned() }, Crumb { category_id: "cat_00000000000000000000000000000001".to_owned(), name: "Headphones".to_owned() }],
        attributes: vec![attribute("Battery life", "40", "h"), attribute("Weight", "265", "g"), attribute("Driver", "Dynamic, 40 mm", ""), attribute("Warranty", "3 years", "")],
        variants: combinations.into_iter().enumerate().map(variant).collect(),
        store: Some(ListingStore { tenant_id: "ten_00000000000000000000000000000001".to_owned(), name: "Nordic Audio".to_owned(), slug: "nordic-audio".to_owned() }),
        price_from: usd(15_900),
        price_to: usd(20_900),
        stock_state: StockState::InStock.into(),
        ..Listing::default()
    }
}

pub(crate) fn cart() -> CartContents {
    let line = |title: &str, options: &str, price: i64, quantity: u32| CartLine {
        variant_id: format!("var_{:032x}", title.len()),
        product_id: "prd_00000000000000000000000000000001".to_owned(),
        title: title.to_owned(),
        options: options.to_owned(),
        quantity,
        unit_price: usd(price),
        line_total: usd(price * i64::from(quantity)),
        available: 5,
        ..CartLine::default()
    };
    let group = |store: &str, lines: Vec<CartLine>, subtotal| SellerGroup {
        tenant_id: format!("ten_{:032x}", store.len()),
        store_name: store.to_owned(),
        store_slug: "desk-co".to_owned(),
        lines,
        subtotal: usd(subtotal),
        shipping: Some(ShippingEstimate { price: usd(490), method: "Standard".to_owned(), min_days: 2, max_days: 4 }),
    };
    let mut lamp = line(LONG, "", 12_900, 1);
    lamp.notices = vec![Notice { kind: NoticeKind::PriceChanged.into(), message: "The price went down from $139.00 to $129.00".to_owned() }];
    CartContents {
        groups: vec![
            group(
                "Nordic Audio",
                vec![line("Wireless headphones with active noise cancelling", "Colour: Black, Shape: Over-ear", 19_900, 1)],
                19_900,
            ),
            group("Desk & Co", vec![line("Kensington ClickSafe keyed laptop lock", "", 4999, 2), lamp], 22_898),
        ],
        item_count: 4,
        totals: vec![CartTotals { items: usd(42_798), shipping: usd(980), tax: usd(0), discount: usd(0), total: usd(43_778) }],
        ready_for_checkout: true,
    }
}

pub(crate) fn address() -> Address {
    Address {
        name: "Ann Smith".to_owned(),
        line1: "1 Market Street".to_owned(),
        city: "San Francisco".to_owned(),
        subdivision: "CA".to_owned(),
        postal_code: "94103".to_owned(),
        country: "US".to_owned(),
        ..Address::default()
    }
}

pub(crate) fn countries() -> Vec<Country> {
    [("DE", "Germany"), ("GB", "United Kingdom"), ("US", "United States")]
        .into_iter()
        .map(|(code, name)| Country { code: code.to_owned(), name: name.to_owned(), ..Country::default() })
        .collect()
}

fn totals(items: i64, shipping: i64) -> Option<Totals> {
    Some(Totals {
        items: usd(items),
        tax: usd(0),
        shipping: usd(shipping),
        discount: usd(0),
        total: usd(items + shipping),
        tax_included: usd(items / 12),
    })
}

fn item(title: &str, price: i64, quantity: u32) -> Item {
    Item {
        item_id: format!("itm_{:032x}", title.len()),
        title: title.to_owned(),
        quantity,
        unit_price: usd(price),
        line_total: usd(price * i64::from(quantity)),
        ..Item::default()
    }
}

pub(crate) fn checkout() -> Checkout {
    let option = |id: u32, name: &str, price: i64, min_days, max_days| ShippingOption {
        shipping_method_id: format!("smt_{id:032x}"),
        name: name.to_owned(),
        price: usd(price),
        min_days,
        max_days,
    };
    let part = |store: &str, items: Vec<Item>, sum| CheckoutPart {
        tenant_id: format!("ten_{:032x}", store.len()),
        store_name: store.to_owned(),
        items,
        shipping_options: vec![option(1, "Standard", 490, 3, 5), option(2, "Express", 1290, 1, 1), option(3, "Pick-up point", 0, 4, 4)],
        shipping_method_id: format!("smt_{:032x}", 1),
        totals: totals(sum, 490),
    };
    Checkout {
        checkout_id: "chk_00000000000000000000000000000001".to_owned(),
        email: "ann@example.com".to_owned(),
        shipping_address: Some(address()),
        parts: vec![
            part("Nordic Audio", vec![item("Wireless headphones with active noise cancelling", 19_900, 1)], 19_900),
            part("Desk & Co", vec![item("Kensington ClickSafe keyed laptop lock", 4999, 2), item(LONG, 12_900, 1)], 22_898),
        ],
        totals: totals(42_798, 980),
        ..Checkout::default()
    }
}

pub(crate) fn means() -> Means {
    let card = |number: &str, effect: &str| TestCard { number: number.to_owned(), effect: effect.to_owned() };
    let form = PaymentOption {
        psp: "sandbox".to_owned(),
        name: "Card (sandbox)".to_owned(),
        tokenisation_url: "http://127.0.0.1:8082/v1/tokens/form".to_owned(),
        publishable_key: "pk_sandbox".to_owned(),
        origin: "http://127.0.0.1:8082".to_owned(),
        origins: vec!["http://127.0.0.1:8082".to_owned()],
        test_cards: vec![
            card("4242424242424242", "succeeds"),
            card("4000000000000002", "is declined"),
            card("4000002500003155", "asks for 3-D Secure"),
        ],
        method: PaymentMethodKind::Card.into(),
        can_be_saved: true,
        ..PaymentOption::default()
    };
    let other = |kind: PaymentMethodKind, name: &str, token: &str| PaymentOption {
        psp: "razorpay".to_owned(),
        name: name.to_owned(),
        token: token.to_owned(),
        method: kind.into(),
        ..PaymentOption::default()
    };
    let bank = |code: &str, name: &str| PaymentChoice { code: code.to_owned(), name: name.to_owned() };
    let banks = PaymentOption {
        choice: "Bank".to_owned(),
        choices: vec![bank("HDFC", "HDFC Bank"), bank("SBIN", "State Bank of India")],
        ..other(PaymentMethodKind::NetBanking, "Net banking", "net_banking")
    };
    let kept = |id: &str, brand: &str, last4: &str| PaymentMethod {
        method_id: id.to_owned(),
        psp: "sandbox".to_owned(),
        summary: Some(MethodSummary { brand: brand.to_owned(), last4: last4.to_owned(), exp_month: 4, exp_year: 2031 }),
        created_at: Some(kit_rpc::timestamp(crate::visit::sample::time("2026-02-03T10:00:00Z"))),
    };
    Means {
        options: vec![form, other(PaymentMethodKind::Paypal, "PayPal", "paypal"), other(PaymentMethodKind::Upi, "UPI", "upi"), banks],
        kept: vec![kept("pmd_1", "visa", "4242"), kept("pmd_2", "mastercard", "4444")],
    }
}

pub(crate) fn order() -> Order {
    let at = |text: &str| Some(kit_rpc::timestamp(crate::visit::sample::time(text)));
    let entry = |text: &str, kind: &str, message: &str| TimelineEntry {
        at: at(text),
        kind: kind.to_owned(),
        message: message.to_owned(),
        ..TimelineEntry::default()
    };
    let tracked = |text: &str, state: &str, place: &str, message: &str| TrackingEvent {
        at: at(text),
        state: state.to_owned(),
        place: place.to_owned(),
        message: message.to_owned(),
    };
    let shipment = Shipment {
        carrier: "Parcel Post".to_owned(),
        tracking_number: "PP 0042 7781 22".to_owned(),
        tracking_url: "https://example.com/track".to_owned(),
        state: "in_transit".to_owned(),
        events: vec![
            tracked("2026-11-21T08:00:00Z", "shipped", "Stockholm", "Handed to the carrier"),
            tracked("2026-11-21T19:10:00Z", "in_transit", "Hamburg", "Sorted in the parcel centre"),
        ],
        ..Shipment::default()
    };
    let part = |id: u32, store: &str, state: OrderState, items: Vec<Item>, sum| SubOrder {
        sub_order_id: format!("sub_{id:032x}"),
        store_name: store.to_owned(),
        state: state.into(),
        items,
        totals: totals(sum, 490),
        shipping_method: "Standard".to_owned(),
        deliver_from: at("2026-11-24T00:00:00Z"),
        deliver_by: at("2026-11-27T00:00:00Z"),
        ..SubOrder::default()
    };
    let shipped = SubOrder {
        shipments: vec![shipment],
        ..part(1, "Nordic Audio", OrderState::Shipped, vec![item("Wireless headphones with active noise cancelling", 19_900, 1)], 19_900)
    };
    let cancelled = SubOrder {
        cancelled_by: "seller".to_owned(),
        cancel_reason: "The last one was damaged in our stockroom".to_owned(),
        refund_state: RefundState::Done.into(),
        refunded: usd(13_390),
        ..part(3, "Lamplight", OrderState::Cancelled, vec![item(LONG, 12_900, 1)], 12_900)
    };
    let lock = Item { cancelled_quantity: 1, ..item("Kensington ClickSafe keyed laptop lock", 4_999, 3) };
    let one_less = Cancellation {
        lines: vec![CancelledLine { item_id: lock.item_id.clone(), quantity: 1 }],
        amount: usd(4_999),
        refund_state: RefundState::Done.into(),
        cancelled_by: "buyer".to_owned(),
        stopped: true,
        ..Cancellation::default()
    };
    let reduced = SubOrder { cancellations: vec![one_less], ..part(2, "Desk & Co", OrderState::Processing, vec![lock], 14_997) };
    Order {
        order_id: "ord_00000000000000000000000000000001".to_owned(),
        number: "MH-2026-7K3F-9QXD".to_owned(),
        state: OrderState::Processing.into(),
        email: "ann@example.com".to_owned(),
        shipping_address: Some(address()),
        sub_orders: vec![shipped, reduced, cancelled],
        totals: totals(47_797, 1470),
        refunded: usd(18_389),
        timeline: vec![
            entry("2026-11-20T10:00:00Z", "created", "Order placed"),
            entry("2026-11-20T10:00:02Z", "paid", "Paid by card"),
            entry("2026-11-20T12:00:00Z", "cancelled", "Lamplight cancelled its part"),
        ],
        placed_at: at("2026-11-20T10:00:00Z"),
        ..Order::default()
    }
}

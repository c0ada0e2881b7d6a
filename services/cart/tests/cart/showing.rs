//! What a cart tells: by seller, in sums, with what has changed since things were put in.

use api_cart::{CartContents, CartTotals, NoticeKind};
use api_catalog::{ActivateProductRequest, DeactivateProductRequest, DeleteProductRequest};
use api_fulfillment::{CreateShippingMethodRequest, DeleteShippingMethodRequest, ListShippingMethodsRequest, RateKind, RateTier, ShippingTerms};
use api_tenants::UpdateStoreRequest;
use kit_rpc::proto::Money;

use crate::stand::{Shop, Stand, groups, notices, usd};

fn minor(money: Option<&Money>) -> Option<i64> {
    money.map(|money| money.amount_minor)
}

/// (goods, shipping, total) in minor units.
fn sums(totals: &CartTotals) -> [i64; 3] {
    [&totals.items, &totals.shipping, &totals.total].map(|money| minor(money.as_ref()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn things_stand_by_seller_and_the_sums_are_exact() {
    let stand = Stand::open().await;
    let (anna, ben) = (stand.shop("Anna", 1_999, 50).await, stand.shop("Ben", 250, 50).await);
    let guest = stand.market.guest();
    stand.add(&guest, &ben, 4).await.unwrap();
    stand.market.clock.advance(chrono::Duration::seconds(1));
    stand.add(&guest, &anna, 3).await.unwrap();
    let cart = stand.cart(&guest).await;
    assert_eq!(groups(&cart), [("Ben", 4), ("Anna", 3)], "in the order they came");
    assert_eq!((cart.item_count, cart.ready_for_checkout, cart.totals.len()), (7, true, 1));
    let subtotals: Vec<_> = cart.groups.iter().map(|group| minor(group.subtotal.as_ref()).unwrap()).collect();
    assert_eq!((subtotals, sums(&cart.totals[0])), (vec![1_000, 5_997], [6_997, 0, 6_997]));
    let line = &cart.groups[1].lines[0];
    assert_eq!(
        [line.title.as_str(), &line.options, &line.sku, &line.tenant_id, &line.variant_id, &line.product_id],
        ["Thing of Anna", "Size: L", "THING", &anna.tenant.to_string(), &anna.variant, &anna.product]
    );
    assert_eq!((line.unit_price.clone(), line.line_total.clone(), line.available), (Some(usd(1_999)), Some(usd(5_997)), 50));
    assert!(line.notices.is_empty() && cart.groups.iter().all(|group| group.shipping.is_none()), "no country, no estimate");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_price_counts_and_is_told_until_the_buyer_adds_again() {
    let stand = Stand::open().await;
    let anna = stand.shop("Anna", 1_200, 50).await;
    let buyer = stand.market.buyer();
    stand.add(&buyer, &anna, 2).await.unwrap();
    for (price, message) in [(1_500, "The price went up from 12.00 USD to 15.00 USD"), (900, "The price went down from 12.00 USD to 9.00 USD")] {
        stand.reprice(&anna, price).await;
        let cart = stand.cart(&buyer).await;
        let line = &cart.groups[0].lines[0];
        assert_eq!(notices(line), [(NoticeKind::PriceChanged, message)]);
        assert_eq!((line.unit_price.clone(), line.price_seen.clone()), (Some(usd(price)), Some(usd(1_200))));
        assert_eq!((sums(&cart.totals[0]), cart.ready_for_checkout), ([2 * price, 0, 2 * price], true));
    }
    stand.add(&buyer, &anna, 1).await.unwrap();
    let line = stand.line(&buyer).await;
    assert_eq!((line.notices.len(), line.price_seen), (0, Some(usd(900))), "the buyer has seen the price now");
}

#[tokio::test(flavor = "multi_thread")]
async fn scarce_and_missing_pieces_are_told_and_only_what_is_there_can_be_bought() {
    let stand = Stand::open().await;
    let (anna, ben) = (stand.shop("Anna", 1_000, 6).await, stand.shop("Ben", 300, 50).await);
    let buyer = stand.market.buyer();
    stand.add(&buyer, &anna, 4).await.unwrap();
    stand.add(&buyer, &ben, 1).await.unwrap();
    let low = NoticeKind::LowStock;
    // Pieces on the shelf, what the buyer is told, and what all comes to.
    let steps = [
        (6, vec![], true, 4_300),
        (5, vec![(low, "Only 5 pieces are left")], true, 4_300),
        (3, vec![(low, "Only 3 pieces are left")], false, 300),
        (1, vec![(low, "Only 1 piece is left")], false, 300),
        (0, vec![(NoticeKind::Unavailable, "It is out of stock")], false, 300),
        (7, vec![], true, 4_300),
    ];
    for (pieces, told, ready, total) in steps {
        stand.stock_up(&anna, pieces).await;
        let cart = stand.cart(&buyer).await;
        let line = cart.groups.iter().flat_map(|group| &group.lines).find(|line| line.variant_id == anna.variant).unwrap();
        assert_eq!((notices(line), i64::from(line.available)), (told, pieces));
        assert_eq!((cart.ready_for_checkout, sums(&cart.totals[0])[2]), (ready, total), "{pieces} pieces");
        assert_eq!(cart.item_count, 5, "the cart keeps what was asked for");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_stays_visible_and_can_be_taken_out() {
    let stand = Stand::open().await;
    let (anna, ben) = (stand.shop("Anna", 1_000, 50).await, stand.shop("Ben", 300, 50).await);
    let buyer = stand.market.buyer();
    stand.add(&buyer, &anna, 2).await.unwrap();
    let off_sale = [(NoticeKind::Unavailable, "It is not sold any more")];

    let off = DeactivateProductRequest { product_id: anna.product.clone(), if_version: 0 };
    stand.catalog().deactivate_product(anna.seller.request(off)).await.unwrap();
    let cart = stand.cart(&buyer).await;
    assert_eq!((notices(&cart.groups[0].lines[0]), cart.ready_for_checkout, cart.totals.len()), (off_sale.to_vec(), false, 0));
    let on = ActivateProductRequest { product_id: anna.product.clone(), if_version: 0 };
    stand.catalog().activate_product(anna.seller.request(on)).await.unwrap();
    assert!(stand.cart(&buyer).await.ready_for_checkout);

    let holiday = |holiday| UpdateStoreRequest { holiday: Some(holiday), ..UpdateStoreRequest::default() };
    stand.tenants().update_store(anna.seller.request(holiday(true))).await.unwrap();
    assert!(!stand.cart(&buyer).await.ready_for_checkout, "a shop on holiday sells nothing");
    stand.tenants().update_store(anna.seller.request(holiday(false))).await.unwrap();
    assert!(stand.cart(&buyer).await.ready_for_checkout);

    let delete = DeleteProductRequest { product_id: anna.product.clone(), if_version: 0 };
    stand.catalog().delete_product(anna.seller.request(delete)).await.unwrap();
    stand.market.settle().await;
    stand.add(&buyer, &ben, 1).await.unwrap();
    let cart = stand.cart(&buyer).await;
    let gone = cart.groups.iter().flat_map(|group| &group.lines).find(|line| line.variant_id == anna.variant).unwrap();
    assert_eq!((gone.quantity, notices(gone), gone.unit_price.clone()), (2, off_sale.to_vec(), Some(usd(1_000))));
    assert_eq!((cart.ready_for_checkout, sums(&cart.totals[0])), (false, [300, 0, 300]), "it is in no sum");
    assert_eq!(stand.set(&buyer, &anna, 0).await.unwrap(), 1);
    assert!(stand.cart(&buyer).await.ready_for_checkout);
}

#[tokio::test(flavor = "multi_thread")]
async fn shipping_is_estimated_for_the_country_by_seller() {
    let stand = Stand::open().await;
    let (anna, ben) = (stand.shop("Anna", 1_000, 50).await, stand.shop("Ben", 2_000, 50).await);
    only_ships(&stand, &anna, &by_weight()).await;
    let flat = ShippingTerms {
        name: "Courier".to_owned(),
        rate: RateKind::Flat.into(),
        currency: "USD".to_owned(),
        flat_minor: 700,
        free_above_minor: Some(4_000),
        min_days: 1,
        max_days: 3,
        ..ShippingTerms::default()
    };
    only_ships(&stand, &ben, &flat).await;
    let buyer = stand.market.buyer();
    stand.add(&buyer, &anna, 1).await.unwrap();
    stand.add(&buyer, &ben, 1).await.unwrap();
    let of = |cart: &CartContents, shop: &Shop| {
        let tenant = shop.tenant.to_string();
        let group = cart.groups.iter().find(|group| group.tenant_id == tenant).unwrap();
        group.shipping.as_ref().map(|estimate| (estimate.method.clone(), estimate.price.clone().unwrap().amount_minor, estimate.max_days))
    };
    // Half a kilogram, then one and a half: the next tier; two of Ben's things reach his free shipping.
    let cart = stand.cart_for(&buyer, "US").await;
    assert_eq!((of(&cart, &anna), of(&cart, &ben)), (Some(("Post".to_owned(), 300, 5)), Some(("Courier".to_owned(), 700, 3))));
    assert_eq!(sums(&cart.totals[0]), [3_000, 1_000, 4_000]);
    stand.set(&buyer, &anna, 3).await.unwrap();
    stand.set(&buyer, &ben, 2).await.unwrap();
    let cart = stand.cart_for(&buyer, "us").await;
    assert_eq!((of(&cart, &anna), of(&cart, &ben)), (Some(("Post".to_owned(), 900, 5)), Some(("Courier".to_owned(), 0, 3))));
    assert_eq!(sums(&cart.totals[0]), [7_000, 900, 7_900]);
    // Anna ships to the United States alone, and nothing heavier than two kilograms.
    assert_eq!(of(&stand.cart_for(&buyer, "DE").await, &anna), None);
    stand.set(&buyer, &anna, 5).await.unwrap();
    let cart = stand.cart_for(&buyer, "US").await;
    assert_eq!((of(&cart, &anna), sums(&cart.totals[0])), (None, [9_000, 0, 9_000]));
}

fn by_weight() -> ShippingTerms {
    ShippingTerms {
        name: "Post".to_owned(),
        rate: RateKind::ByWeight.into(),
        currency: "USD".to_owned(),
        tiers: vec![RateTier { up_to: 1_000, price_minor: 300 }, RateTier { up_to: 2_000, price_minor: 900 }],
        countries: vec!["US".to_owned()],
        min_days: 2,
        max_days: 5,
        ..ShippingTerms::default()
    }
}

/// The shop ships in this way and no other.
async fn only_ships(stand: &Stand, shop: &Shop, terms: &ShippingTerms) {
    let mut fulfillment = stand.fulfillment();
    let known = fulfillment.list_shipping_methods(shop.seller.request(ListShippingMethodsRequest {})).await.unwrap().into_inner().methods;
    assert!(!known.is_empty(), "a new store can ship at once");
    for method in known {
        let delete = DeleteShippingMethodRequest { shipping_method_id: method.shipping_method_id };
        fulfillment.delete_shipping_method(shop.seller.request(delete)).await.unwrap();
    }
    let create = CreateShippingMethodRequest { terms: Some(terms.clone()) };
    fulfillment.create_shipping_method(shop.seller.request(create)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_currencies_are_summed_apart_and_not_bought_together() {
    let stand = Stand::open().await;
    let (anna, emil) = (stand.shop("Anna", 1_000, 50).await, stand.shop_in("EUR", "Emil", 2_000, 50).await);
    let buyer = stand.market.buyer();
    stand.add(&buyer, &anna, 1).await.unwrap();
    stand.add(&buyer, &emil, 2).await.unwrap();
    let cart = stand.cart(&buyer).await;
    let totals: Vec<_> = cart.totals.iter().map(|totals| totals.total.clone().unwrap()).map(|total| (total.currency, total.amount_minor)).collect();
    assert_eq!((totals, cart.ready_for_checkout), (vec![("EUR".to_owned(), 4_000), ("USD".to_owned(), 1_000)], false));
    stand.set(&buyer, &emil, 0).await.unwrap();
    assert!(stand.cart(&buyer).await.ready_for_checkout);
}

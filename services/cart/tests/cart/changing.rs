//! Putting things in and taking them out, within their bounds.

use api_cart::{AddItemRequest, ClearCartRequest, RemoveItemRequest};
use api_catalog::{DeactivateProductRequest, VariantKind};
use api_orders::{Item, Order, OrderEvent, OrderPlaced, SubOrder, order_event};
use kit_core::{Code, Ids, UserId};
use kit_db::{Event, Scope, log};
use kit_rpc::{Ctx, problem_of};
use prost::Message;

use crate::stand::{Shop, Stand, groups, reason};

fn unknown(ids: &Ids) -> String {
    ids.next::<VariantKind>().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn quantities_add_up_to_their_limit_and_no_further() {
    let stand = Stand::open().await;
    let (anna, ben) = (stand.shop("Anna", 1_000, 5).await, stand.shop("Ben", 2_000, 5).await);
    let buyer = stand.market.buyer();
    assert_eq!(stand.add(&buyer, &anna, 2).await.unwrap(), (2, 2));
    assert_eq!(stand.add(&buyer, &anna, 3).await.unwrap(), (5, 5));
    let one = AddItemRequest { tenant_id: ben.tenant.to_string(), variant_id: ben.variant.clone(), quantity: None };
    let added = stand.carts().add_item(buyer.request(one)).await.unwrap().into_inner();
    assert_eq!((added.quantity, added.item_count), (1, 6), "one when nobody says how many");

    assert_eq!(reason(stand.add(&buyer, &anna, 995).await), "QUANTITY_LIMIT");
    assert_eq!(stand.add(&buyer, &anna, 994).await.unwrap(), (999, 1_000), "999 of one thing is the limit itself");
    for wrong in [0, 1_000] {
        assert_eq!(reason(stand.add(&buyer, &ben, wrong).await), "INVALID_REQUEST", "{wrong} pieces");
    }
    assert_eq!(reason(stand.set(&buyer, &ben, 1_000).await), "INVALID_REQUEST");
    assert_eq!(groups(&stand.cart(&buyer).await), [("Anna", 999), ("Ben", 1)], "what was refused changed nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_is_set_and_taken_out() {
    let stand = Stand::open().await;
    let (anna, ben) = (stand.shop("Anna", 1_000, 50).await, stand.shop("Ben", 2_000, 50).await);
    let buyer = stand.market.buyer();
    stand.add(&buyer, &anna, 2).await.unwrap();
    stand.add(&buyer, &ben, 1).await.unwrap();
    for _ in 0..2 {
        assert_eq!(stand.set(&buyer, &anna, 7).await.unwrap(), 8);
    }
    assert_eq!(stand.set(&buyer, &anna, 0).await.unwrap(), 1);
    assert_eq!(reason(stand.set(&buyer, &anna, 3).await), "LINE_NOT_FOUND");
    assert_eq!(reason(stand.set(&buyer, &anna, 0).await), "LINE_NOT_FOUND");
    assert_eq!(groups(&stand.cart(&buyer).await), [("Ben", 1)]);
    for _ in 0..2 {
        let remove = RemoveItemRequest { variant_id: ben.variant.clone() };
        assert_eq!(stand.carts().remove_item(buyer.request(remove)).await.unwrap().into_inner().item_count, 0, "what is not there is no error");
    }
    stand.add(&buyer, &anna, 1).await.unwrap();
    stand.add(&buyer, &ben, 1).await.unwrap();
    stand.carts().clear_cart(buyer.request(ClearCartRequest {})).await.unwrap();
    let cart = stand.cart(&buyer).await;
    assert_eq!((cart.groups.len(), cart.item_count, cart.totals.len(), cart.ready_for_checkout), (0, 0, 0, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_sold_does_not_get_in() {
    let stand = Stand::open().await;
    let (anna, ben) = (stand.shop("Anna", 1_000, 50).await, stand.shop("Ben", 2_000, 50).await);
    let buyer = stand.market.buyer();
    let add = |shop: &Shop, variant: &str| AddItemRequest { tenant_id: shop.tenant.to_string(), variant_id: variant.to_owned(), quantity: Some(1) };
    let unknown = add(&anna, &unknown(&stand.market.ids));
    assert_eq!(reason(stand.carts().add_item(buyer.request(unknown)).await), "VARIANT_NOT_FOUND");
    let of_another_shop = add(&anna, &ben.variant);
    assert_eq!(reason(stand.carts().add_item(buyer.request(of_another_shop)).await), "VARIANT_NOT_FOUND");
    let garbled = stand.carts().add_item(buyer.request(add(&anna, "prd_1"))).await.unwrap_err();
    let problem = problem_of(&garbled);
    assert_eq!((problem.code, problem.violations[0].field.as_str()), (Code::Invalid, "variant_id"));

    let withdraw = DeactivateProductRequest { product_id: anna.product.clone(), if_version: 0 };
    stand.catalog().deactivate_product(anna.seller.request(withdraw)).await.unwrap();
    assert_eq!(reason(stand.add(&buyer, &anna, 1).await), "VARIANT_UNAVAILABLE");
    assert_eq!(stand.cart(&buyer).await.item_count, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_cart_takes_more_of_what_is_in_it_and_nothing_else() {
    let stand = Stand::open_with("max_lines = 2\n").await;
    let shops = [stand.shop("Anna", 1_000, 9).await, stand.shop("Ben", 2_000, 9).await, stand.shop("Cleo", 3_000, 9).await];
    let buyer = stand.market.buyer();
    stand.add(&buyer, &shops[0], 1).await.unwrap();
    stand.add(&buyer, &shops[1], 1).await.unwrap();
    assert_eq!(reason(stand.add(&buyer, &shops[2], 1).await), "CART_FULL");
    assert_eq!(stand.add(&buyer, &shops[1], 1).await.unwrap(), (2, 3));
    stand.set(&buyer, &shops[0], 0).await.unwrap();
    assert_eq!(stand.add(&buyer, &shops[2], 1).await.unwrap(), (1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_addition_sent_twice_under_one_key_is_made_once() {
    let stand = Stand::open().await;
    let anna = stand.shop("Anna", 1_000, 50).await;
    let keyed = Ctx { idempotency_key: Some("once".into()), ..stand.market.buyer() };
    for _ in 0..3 {
        assert_eq!(stand.add(&keyed, &anna, 2).await.unwrap(), (2, 2));
    }
    assert_eq!(reason(stand.add(&keyed, &anna, 3).await), "IDEMPOTENCY_KEY_REUSED");
    let again = Ctx { idempotency_key: Some("twice".into()), ..keyed.clone() };
    assert_eq!(stand.add(&again, &anna, 2).await.unwrap(), (4, 4));
    let other = Ctx { idempotency_key: Some("once".into()), ..stand.market.buyer() };
    assert_eq!(stand.add(&other, &anna, 1).await.unwrap(), (1, 1), "keys are each buyer's own");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clicks_at_once_are_all_counted_and_none_beyond_the_limit() {
    let stand = Stand::open().await;
    let anna = stand.shop("Anna", 1_000, 50).await;
    let buyer = stand.market.buyer();
    let clicks = futures::future::join_all((0..12).map(|_| stand.add(&buyer, &anna, 100))).await;
    let (counted, refused): (Vec<_>, Vec<_>) = clicks.into_iter().partition(Result::is_ok);
    assert_eq!((counted.len(), refused.len()), (9, 3));
    assert!(refused.into_iter().all(|answer| reason(answer) == "QUANTITY_LIMIT"));
    assert_eq!(stand.line(&buyer).await.quantity, 900);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_ordered_from_the_cart_leaves_it_and_what_came_since_stays() {
    let stand = Stand::open().await;
    let (anna, ben) = (stand.shop("Anna", 1_000, 50).await, stand.shop("Ben", 2_000, 50).await);
    let buyer = stand.market.buyer();
    stand.add(&buyer, &anna, 5).await.unwrap();
    stand.add(&buyer, &ben, 1).await.unwrap();
    place(&stand, buyer.user().unwrap(), &[(&anna, 2)], false).await;
    assert_eq!(groups(&stand.cart(&buyer).await), [("Anna", 5), ("Ben", 1)], "an order that was not made from the cart");
    place(&stand, buyer.user().unwrap(), &[(&anna, 2), (&ben, 1)], true).await;
    assert_eq!(groups(&stand.cart(&buyer).await), [("Anna", 3)]);
    place(&stand, buyer.user().unwrap(), &[(&anna, 9)], true).await;
    assert_eq!(stand.cart(&buyer).await.item_count, 0);
}

/// Orders tells that these were ordered.
async fn place(stand: &Stand, buyer: UserId, bought: &[(&Shop, u32)], from_cart: bool) {
    let part = |(shop, quantity): &(&Shop, u32)| SubOrder {
        tenant_id: shop.tenant.to_string(),
        items: vec![Item { variant_id: shop.variant.clone(), quantity: *quantity, ..Item::default() }],
        ..SubOrder::default()
    };
    let order = Order { buyer_id: buyer.to_string(), sub_orders: bought.iter().map(part).collect(), ..Order::default() };
    let placed = OrderPlaced { order: Some(order), from_cart, ..OrderPlaced::default() };
    let payload = OrderEvent { body: Some(order_event::Body::OrderPlaced(placed)) }.encode_to_vec();
    let db = stand.market.house.storage().db(service_orders::MODULE.schema()).await.unwrap();
    let mut tx = db.begin(&Scope::Platform).await.unwrap();
    let event = Event { key: stand.market.ids.uuid(), tenant: None, kind: "order_placed", payload, change: None };
    log::append(&mut tx, &stand.market.service(), stand.market.clock.now(), event).await.unwrap();
    tx.commit().await.unwrap();
    stand.market.settle().await;
}

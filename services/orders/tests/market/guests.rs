//! A guest who turns out to be a user keeps cart and orders.

use api_cart::{ClearCartRequest, NoticeKind, RemoveItemRequest, UpdateItemRequest};
use api_identity::identity_client::IdentityClient;
use api_identity::{SignInRequest, SignUpRequest, StartGuestRequest};
use api_orders::ListOrdersRequest;
use kit_rpc::{Actor, Ctx};

use crate::stand::{Stand, reason};

const PASSWORD: &str = "seven blue kettles";

#[tokio::test(flavor = "multi_thread")]
async fn signing_up_keeps_the_cart_and_signing_in_merges_it() {
    let stand = Stand::open().await;
    let (anna, ben) = (stand.shop("Anna", 1_000, 50).await, stand.shop("Ben", 2_000, 50).await);
    let mut identity = IdentityClient::new(stand.market.link("identity"));

    // A guest who signs up keeps the id, and so the cart.
    let started = identity.start_guest(stand.market.nobody().request(StartGuestRequest::default())).await.unwrap().into_inner().session.unwrap();
    let id = started.user.unwrap().user_id.parse().unwrap();
    let guest = Ctx { actor: Actor::Guest(id), ..stand.market.guest() };
    stand.add_to_cart(&guest, &anna, 2).await;
    let sign_up =
        SignUpRequest { email: "bea@example.com".to_owned(), password: PASSWORD.to_owned(), name: "Bea".to_owned(), ..SignUpRequest::default() };
    let signed_up = identity.sign_up(guest.request(sign_up)).await.unwrap().into_inner().session.unwrap();
    assert_eq!(signed_up.user.unwrap().user_id, id.to_string());
    let bea = stand.market.buyer_as(id);
    assert_eq!(stand.cart(&bea).await.item_count, 2);

    // Later, as a guest on another device, Bea puts things aside, orders one, and signs in.
    let started = identity.start_guest(stand.market.nobody().request(StartGuestRequest::default())).await.unwrap().into_inner().session.unwrap();
    let guest_id = started.user.unwrap().user_id.parse().unwrap();
    let guest = Ctx { actor: Actor::Guest(guest_id), ..stand.market.guest() };
    let order = stand.buy(&guest, &[(&ben, 1)], "tok_visa").await.order.unwrap();
    stand.add_to_cart(&guest, &anna, 3).await;
    stand.add_to_cart(&guest, &ben, 1).await;
    let sign_in = SignInRequest { email: "bea@example.com".to_owned(), password: PASSWORD.to_owned(), ..SignInRequest::default() };
    identity.sign_in(guest.request(sign_in)).await.unwrap();
    stand.market.settle().await;
    let cart = stand.cart(&bea).await;
    let lines: Vec<(&str, u32)> = cart.groups.iter().map(|group| (group.store_name.as_str(), group.lines[0].quantity)).collect();
    assert_eq!(lines, [("Anna", 5), ("Ben", 1)]);
    assert_eq!(stand.cart(&guest).await.item_count, 0);
    let orders = stand.orders().list_orders(bea.request(ListOrdersRequest::default())).await.unwrap().into_inner().orders;
    assert_eq!(orders.iter().map(|one| one.order_id.as_str()).collect::<Vec<_>>(), [order.order_id.as_str()]);
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_tells_what_changed_and_keeps_its_limits() {
    let stand = Stand::open().await;
    let anna = stand.shop("Anna", 1_000, 5).await;
    let buyer = stand.market.buyer();
    stand.add_to_cart(&buyer, &anna, 3).await;
    let notices = |cart: &api_cart::CartContents| cart.groups[0].lines[0].notices.iter().map(api_cart::Notice::kind).collect::<Vec<_>>();
    assert_eq!(notices(&stand.cart(&buyer).await), [NoticeKind::LowStock]);
    stand.stock_up(&anna, 0).await;
    let cart = stand.cart(&buyer).await;
    assert_eq!((notices(&cart), cart.ready_for_checkout), (vec![NoticeKind::Unavailable], false));
    stand.stock_up(&anna, 900).await;
    assert!(stand.cart(&buyer).await.ready_for_checkout);

    let add = |quantity| api_cart::AddItemRequest { tenant_id: anna.tenant.to_string(), variant_id: anna.variant.clone(), quantity: Some(quantity) };
    assert_eq!(reason(stand.carts().add_item(buyer.request(add(997))).await), "QUANTITY_LIMIT");
    let unknown = api_cart::AddItemRequest { variant_id: format!("var_{}", "0".repeat(32)), ..add(1) };
    assert_eq!(reason(stand.carts().add_item(buyer.request(unknown)).await), "VARIANT_NOT_FOUND");
    let set = |quantity| UpdateItemRequest { variant_id: anna.variant.clone(), quantity };
    assert_eq!(stand.carts().update_item(buyer.request(set(7))).await.unwrap().into_inner().item_count, 7);
    assert_eq!(stand.carts().update_item(buyer.request(set(0))).await.unwrap().into_inner().item_count, 0);
    assert_eq!(reason(stand.carts().update_item(buyer.request(set(1))).await), "LINE_NOT_FOUND");
    let remove = RemoveItemRequest { variant_id: anna.variant.clone() };
    assert_eq!(stand.carts().remove_item(buyer.request(remove)).await.unwrap().into_inner().item_count, 0);
    stand.add_to_cart(&buyer, &anna, 1).await;
    stand.carts().clear_cart(buyer.request(ClearCartRequest {})).await.unwrap();
    assert_eq!(stand.cart(&buyer).await.item_count, 0);
    assert_eq!(reason(stand.carts().clear_cart(stand.market.nobody().request(ClearCartRequest {})).await), "SIGN_IN_REQUIRED");
    stand.close().await;
}

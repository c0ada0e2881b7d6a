//! Whose cart it is: a guest's becomes the user's, and nobody else ever sees it.

use api_cart::cart_event::Body;
use api_cart::{CartEvent, ClearCartRequest, GetCartForCheckoutRequest, GetCartRequest, RemoveItemRequest};
use api_identity::{SignInRequest, SignUpRequest, StartGuestRequest};
use kit_core::UserId;
use kit_db::Scope;
use kit_rpc::{Actor, Ctx};
use prost::Message;

use crate::stand::{PASSWORD, Stand, groups, reason};

/// A visitor's first act makes a guest of them.
async fn guest(stand: &Stand) -> Ctx {
    let started = stand.identity().start_guest(stand.market.nobody().request(StartGuestRequest::default())).await.unwrap().into_inner();
    let id: UserId = started.session.unwrap().user.unwrap().user_id.parse().unwrap();
    Ctx { actor: Actor::Guest(id), ..stand.market.nobody() }
}

async fn sign_in(stand: &Stand, guest: &Ctx, name: &str) {
    let sign_in = SignInRequest { email: format!("{name}@example.com"), password: PASSWORD.to_owned(), ..SignInRequest::default() };
    stand.identity().sign_in(guest.request(sign_in)).await.unwrap();
    stand.market.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_signs_up_keeps_the_cart() {
    let stand = Stand::open().await;
    let anna = stand.shop("Anna", 1_000, 50).await;
    let guest = guest(&stand).await;
    stand.add(&guest, &anna, 2).await.unwrap();
    let sign_up = SignUpRequest { email: "bea@example.com".to_owned(), password: PASSWORD.to_owned(), ..SignUpRequest::default() };
    stand.identity().sign_up(guest.request(sign_up)).await.unwrap();
    stand.market.settle().await;
    let bea = stand.market.buyer_as(guest.user().unwrap());
    assert_eq!(groups(&stand.cart(&bea).await), [("Anna", 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_signs_in_brings_the_cart_along() {
    let stand = Stand::open().await;
    let (anna, ben, cleo) = (stand.shop("Anna", 1_000, 50).await, stand.shop("Ben", 2_000, 50).await, stand.shop("Cleo", 3_000, 50).await);
    let bea = stand.signed_up("bea").await;
    stand.add(&bea, &anna, 998).await.unwrap();
    stand.add(&bea, &ben, 1).await.unwrap();
    let guest = guest(&stand).await;
    stand.add(&guest, &anna, 3).await.unwrap();
    stand.add(&guest, &cleo, 2).await.unwrap();
    sign_in(&stand, &guest, "bea").await;
    let mut merged = stand.at_checkout(bea.user().unwrap()).await;
    merged.sort();
    let mut expected = vec![(anna.variant.clone(), 999), (ben.variant.clone(), 1), (cleo.variant.clone(), 2)];
    expected.sort();
    assert_eq!(merged, expected, "quantities add up as far as a line goes, nothing else is lost");
    assert_eq!(stand.cart(&guest).await.item_count, 0);
    assert_eq!(told(&stand).await, [(guest.user().unwrap().to_string(), bea.user().unwrap().to_string(), 3)]);

    // Signing in once more, on a device without a cart, changes nothing.
    let empty_handed = self::guest(&stand).await;
    sign_in(&stand, &empty_handed, "bea").await;
    let mut after = stand.at_checkout(bea.user().unwrap()).await;
    after.sort();
    assert_eq!((after, told(&stand).await.len()), (expected, 1));
}

/// (guest, user, lines) of every merge that was told.
async fn told(stand: &Stand) -> Vec<(String, String, u32)> {
    let db = stand.market.house.storage().db(service_cart::MODULE.schema()).await.unwrap();
    let mut tx = db.begin(&Scope::Platform).await.unwrap();
    // The log itself: its readers wait for older transactions, of other tests too.
    let events: Vec<Vec<u8>> = sqlx::query_scalar("select payload from event_log order by number").fetch_all(&mut *tx).await.unwrap();
    let merges = events.into_iter().filter_map(|event| match CartEvent::decode(event.as_slice()).unwrap().body {
        Some(Body::CartsMerged(merged)) => Some((merged.guest_id, merged.user_id, merged.lines)),
        None => None,
    });
    merges.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_is_its_owners_alone() {
    let stand = Stand::open().await;
    let anna = stand.shop("Anna", 1_000, 50).await;
    let bea = stand.market.buyer();
    stand.add(&bea, &anna, 2).await.unwrap();
    // Nobody names a cart: whoever else asks gets their own, which is empty, and can change nothing in Bea's.
    for stranger in [stand.market.buyer(), stand.market.guest(), anna.seller.clone(), stand.market.operator(&["orders.read", "users.read"])] {
        assert_eq!(stand.cart(&stranger).await.item_count, 0);
        assert_eq!(reason(stand.set(&stranger, &anna, 1).await), "LINE_NOT_FOUND");
        let remove = RemoveItemRequest { variant_id: anna.variant.clone() };
        stand.carts().remove_item(stranger.request(remove)).await.unwrap();
        stand.carts().clear_cart(stranger.request(ClearCartRequest {})).await.unwrap();
    }
    assert_eq!(groups(&stand.cart(&bea).await), [("Anna", 2)]);
    let nobody = stand.market.nobody();
    assert_eq!(reason(stand.carts().get_cart(nobody.request(GetCartRequest::default())).await), "SIGN_IN_REQUIRED");
    assert_eq!(reason(stand.add(&nobody, &anna, 1).await), "SIGN_IN_REQUIRED");
    // The lines for checkout name a buyer, so only services may ask for them.
    for outsider in [nobody, bea.clone(), anna.seller.clone(), stand.market.operator(&["orders.read"])] {
        let get = GetCartForCheckoutRequest { buyer_id: bea.user().unwrap().to_string() };
        assert!(stand.carts().get_cart_for_checkout(outsider.request(get)).await.is_err(), "{outsider:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_outlives_the_process() {
    let stand = Stand::open().await;
    let anna = stand.shop("Anna", 1_000, 50).await;
    let bea = stand.market.buyer();
    stand.add(&bea, &anna, 2).await.unwrap();
    let stand = Stand { market: stand.market.restarted().await };
    assert_eq!(groups(&stand.cart(&bea).await), [("Anna", 2)]);
}

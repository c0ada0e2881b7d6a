//! From the cart to a paid order.

use api_catalog::UpdateProductRequest;
use api_orders::{
    CheckoutItem, GetCheckoutRequest, GetInvoiceRequest, GetOrderRequest, ListAllOrdersRequest, ListOrdersRequest, ListSubOrdersRequest,
    NextActionKind, OrderState, PlaceOrderRequest, ShippingChoice, StartCheckoutRequest, TrackOrderRequest, UpdateCheckoutRequest, WatchOrderRequest,
};
use kit_rpc::proto::Address;

use crate::stand::{Stand, address, part_of, reason, usd};

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_buys_from_three_sellers_and_pays_once() {
    let stand = Stand::open().await;
    let shops = [stand.shop("Anna", 1_000, 5).await, stand.shop("Ben", 2_550, 5).await, stand.shop("Cleo", 10_000, 5).await];
    let guest = stand.market.guest();
    for (shop, quantity) in shops.iter().zip([2, 1, 1]) {
        stand.add_to_cart(&guest, shop, quantity).await;
    }
    let cart = stand.cart(&guest).await;
    assert_eq!((cart.groups.len(), cart.item_count, cart.ready_for_checkout), (3, 4, true));
    assert_eq!(cart.totals[0].items, Some(usd(14_550)));
    assert_eq!(cart.groups.iter().map(|group| group.store_name.as_str()).collect::<Vec<_>>(), ["Anna", "Ben", "Cleo"]);

    let started = stand.orders().start_checkout(guest.request(StartCheckoutRequest::default())).await.unwrap().into_inner().checkout.unwrap();
    assert_eq!(started.missing, ["email", "shipping_address"]);
    let place = PlaceOrderRequest {
        checkout_id: started.checkout_id.clone(),
        payment_method: "tok_visa".to_owned(),
        return_url: String::new(),
        save_payment_method: false,
    };
    assert_eq!(reason(stand.orders().place_order(guest.request(place)).await), "CHECKOUT_INCOMPLETE");
    let fill_in = UpdateCheckoutRequest {
        checkout_id: started.checkout_id.clone(),
        email: Some("Bea@Example.com".to_owned()),
        shipping_address: Some(address()),
        ..UpdateCheckoutRequest::default()
    };
    let filled = stand.orders().update_checkout(guest.request(fill_in)).await.unwrap().into_inner().checkout.unwrap();
    assert!(filled.missing.is_empty() && filled.parts.iter().all(|part| part.shipping_options.len() == 2), "{filled:#?}");
    let express = filled.parts[1].shipping_options.iter().find(|option| option.name == "Express").unwrap();
    let choice = ShippingChoice { tenant_id: filled.parts[1].tenant_id.clone(), shipping_method_id: express.shipping_method_id.clone() };
    let choose =
        UpdateCheckoutRequest { checkout_id: filled.checkout_id.clone(), shipping_methods: vec![choice], ..UpdateCheckoutRequest::default() };
    let chosen = stand.orders().update_checkout(guest.request(choose)).await.unwrap().into_inner().checkout.unwrap();
    let total = chosen.totals.clone().unwrap();

    let placed = stand.place(&guest, &chosen, "tok_visa").await.unwrap();
    let order = placed.order.unwrap();
    assert_eq!((order.state(), placed.next_action.unwrap().kind()), (OrderState::Paid, NextActionKind::None), "{:?}", order.cancel_reason);
    assert!(order.number.starts_with("MH-2026-"), "{}", order.number);
    assert_eq!(order.totals, Some(total.clone()));
    let parts: i64 = order.sub_orders.iter().map(|sub| sub.totals.as_ref().unwrap().total.as_ref().unwrap().amount_minor).sum();
    assert_eq!(parts, total.total.unwrap().amount_minor);
    assert!(order.sub_orders.iter().all(|sub| sub.commission.is_none()), "commission is not the buyer's business");
    assert_eq!(stand.payments_of(&order.order_id).await.len(), 1);
    for (shop, left) in shops.iter().zip([3, 4, 4]) {
        assert_eq!(stand.stock(shop).await, (left, 0));
    }
    stand.market.settle().await;
    assert_eq!(stand.cart(&guest).await.item_count, 0, "what was bought has left the cart");

    // Whoever has the link sees it, nobody else does.
    let nobody = stand.market.nobody();
    let track = |token: &str| TrackOrderRequest { number: order.number.to_lowercase(), access_token: token.to_owned() };
    let tracked = stand.orders().track_order(nobody.request(track(&placed.access_token))).await.unwrap().into_inner().order.unwrap();
    assert_eq!(tracked.timeline.iter().map(|entry| entry.kind.as_str()).collect::<Vec<_>>(), ["created", "reserved", "confirmed", "paid"]);
    assert_eq!(reason(stand.orders().track_order(nobody.request(track("0123"))).await), "ORDER_NOT_FOUND");
    let get = |token: &str| GetOrderRequest { order_id: order.order_id.clone(), access_token: token.to_owned() };
    assert_eq!(reason(stand.orders().get_order(stand.market.buyer().request(get(""))).await), "ORDER_NOT_FOUND");
    stand.orders().get_order(stand.market.buyer().request(get(&placed.access_token))).await.unwrap();

    let invoice = GetInvoiceRequest { order_id: order.order_id.clone(), ..Default::default() };
    assert!(stand.orders().get_invoice(guest.request(invoice)).await.unwrap().into_inner().data.starts_with(b"%PDF-"));
    let mut owner = stand.market.owner().await;
    let kept: Vec<(String, String, String)> =
        sqlx::query_as("select supplier->>'legal_name', supplier->>'tax_id', supplier->>'address' from orders.sub_order order by position")
            .fetch_all(&mut owner)
            .await
            .unwrap();
    assert_eq!(kept.len(), order.sub_orders.len());
    assert_eq!(kept[0], ("Anna".to_owned(), "TAX 1".to_owned(), "1 Kiln Lane".to_owned()), "frozen when it was placed");

    // Each seller sees its own part, with its commission, and nothing else.
    for shop in &shops {
        let seen = stand.orders().list_sub_orders(shop.seller.request(ListSubOrdersRequest::default())).await.unwrap().into_inner().sub_orders;
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].sub_order_id, part_of(&order, shop).sub_order_id);
        assert!(seen[0].commission.as_ref().unwrap().amount_minor > 0 && seen[0].shipping_address.is_some());
    }
    let mine = stand.orders().list_orders(guest.request(ListOrdersRequest::default())).await.unwrap().into_inner();
    assert_eq!((mine.orders.len(), mine.next_cursor.as_str()), (1, ""));
    let all = ListAllOrdersRequest { query: order.number.clone(), ..ListAllOrdersRequest::default() };
    let operator = stand.market.operator(&["orders.read"]);
    assert_eq!(stand.orders().list_all_orders(operator.request(all)).await.unwrap().into_inner().orders.len(), 1);
    stand.all_adds_up().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_becomes_one_order_however_often_it_is_placed() {
    let stand = Stand::open().await;
    let shop = stand.shop("Anna", 1_000, 10).await;
    let buyer = stand.market.buyer();
    let checkout = stand.checkout(&buyer, &[(&shop, 1)]).await;
    let answers = futures::future::join_all((0..8).map(|_| stand.place(&buyer, &checkout, "tok_visa"))).await;
    let numbers: std::collections::BTreeSet<String> = answers.into_iter().map(|answer| answer.unwrap().order.unwrap().number).collect();
    assert_eq!(numbers.len(), 1);
    assert_eq!(stand.stock(&shop).await, (9, 0));
    let get = GetCheckoutRequest { checkout_id: checkout.checkout_id.clone() };
    let placed = stand.orders().get_checkout(buyer.request(get)).await.unwrap().into_inner().checkout.unwrap();
    let payments = stand.payments_of(&placed.order_id).await;
    assert_eq!(payments.len(), 1, "charged once");
    stand.all_adds_up().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_sold() {
    let stand = Stand::open().await;
    let shop = stand.shop("Anna", 1_000, 3).await;
    let buyer = stand.market.buyer();
    let checkout = stand.checkout(&buyer, &[(&shop, 3)]).await;
    stand.buy(&stand.market.buyer(), &[(&shop, 1)], "tok_visa").await;
    let told = kit_rpc::problem_of(&stand.try_checkout(&buyer, &[(&shop, 3)]).await.unwrap_err());
    assert_eq!((told.code, told.reason.as_str()), (kit_core::Code::Refused, "NOT_ENOUGH_STOCK"), "not even begun");
    assert_eq!(told.message, "only 2 of \"Thing of Anna\" can be had, 3 are wanted");
    let refused = stand.place(&buyer, &checkout, "tok_visa").await;
    assert_eq!(kit_rpc::problem_of(refused.as_ref().unwrap_err()).message, "only 2 of \"Thing of Anna\" can be had, 3 are wanted");
    assert_eq!(reason(refused), "NOT_ENOUGH_STOCK");
    assert_eq!(stand.stock(&shop).await, (2, 0));
    assert!(stand.orders().list_orders(buyer.request(ListOrdersRequest::default())).await.unwrap().into_inner().orders.is_empty());
    // When there is more, the same checkout can be placed.
    stand.stock_up(&shop, 3).await;
    assert_eq!(stand.place(&buyer, &checkout, "tok_visa").await.unwrap().order.unwrap().state(), OrderState::Paid);
    stand.all_adds_up().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_buyers_of_few_pieces_get_no_more_than_there_are() {
    let stand = Stand::open().await;
    let shop = stand.shop("Anna", 1_000, 5).await;
    let buyers: Vec<_> = (0..30).map(|_| stand.market.buyer()).collect();
    let mut checkouts = Vec::new();
    for buyer in &buyers {
        checkouts.push(stand.checkout(buyer, &[(&shop, 1)]).await);
    }
    let placed = futures::future::join_all(buyers.iter().zip(&checkouts).map(|(buyer, checkout)| stand.place(buyer, checkout, "tok_visa"))).await;
    let sold = placed.iter().filter(|answer| answer.as_ref().is_ok_and(|placed| placed.order.as_ref().unwrap().state() == OrderState::Paid)).count();
    assert_eq!(sold, 5);
    assert_eq!(stand.stock(&shop).await, (0, 0));
    stand.all_adds_up().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_that_changed_is_shown_before_it_is_paid() {
    let stand = Stand::open().await;
    let shop = stand.shop("Anna", 1_000, 5).await;
    let buyer = stand.market.buyer();
    let checkout = stand.checkout(&buyer, &[(&shop, 1)]).await;
    let item = &checkout.parts[0].items[0];
    let input = api_catalog::VariantInput {
        variant_id: shop.variant.clone(),
        sku: "THING".to_owned(),
        price: Some(usd(1_500)),
        weight_grams: 500,
        ..Default::default()
    };
    let raise = UpdateProductRequest { product_id: item.product_id.clone(), variants: vec![input], ..UpdateProductRequest::default() };
    stand.catalog().update_product(shop.seller.request(raise)).await.unwrap();
    assert_eq!(reason(stand.place(&buyer, &checkout, "tok_visa").await), "PRICE_CHANGED");
    let order = stand.place(&buyer, &checkout, "tok_visa").await.unwrap().order.unwrap();
    assert_eq!(order.totals.unwrap().items, Some(usd(1_500)));
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_checkouts_say_what_is_wrong() {
    let stand = Stand::open().await;
    let shop = stand.shop("Anna", 1_000, 5).await;
    let buyer = stand.market.buyer();
    let start = |request: StartCheckoutRequest| {
        let (mut orders, buyer) = (stand.orders(), buyer.clone());
        async move { orders.start_checkout(buyer.request(request)).await }
    };
    assert_eq!(reason(start(StartCheckoutRequest::default()).await), "CART_EMPTY");
    let item = |quantity| CheckoutItem { tenant_id: shop.tenant.to_string(), variant_id: shop.variant.clone(), quantity };
    let twice = StartCheckoutRequest { items: vec![item(500), item(500)], ..StartCheckoutRequest::default() };
    assert_eq!(kit_rpc::problem_of(&start(twice).await.unwrap_err()).violations[0].field, "items[1].quantity");
    let nowhere = Address { country: "Germany".to_owned(), name: String::new(), ..address() };
    let wrong = StartCheckoutRequest { items: vec![item(1)], shipping_address: Some(nowhere), ..StartCheckoutRequest::default() };
    let fields: Vec<String> = kit_rpc::problem_of(&start(wrong).await.unwrap_err()).violations.into_iter().map(|violation| violation.field).collect();
    assert_eq!(fields, ["shipping_address.name", "shipping_address.country"]);
    for (elsewhere, field) in [
        (Address { country: "ZZ".to_owned(), ..address() }, "shipping_address.country"),
        (Address { postal_code: "SW1A 1AA".to_owned(), ..address() }, "shipping_address.postal_code"),
        (Address { subdivision: String::new(), ..address() }, "shipping_address.subdivision"),
    ] {
        let wrong = StartCheckoutRequest { items: vec![item(1)], shipping_address: Some(elsewhere), ..StartCheckoutRequest::default() };
        assert_eq!(kit_rpc::problem_of(&start(wrong).await.unwrap_err()).violations[0].field, field);
    }
    let wrong = StartCheckoutRequest { items: vec![item(1)], email: "bea".to_owned(), ..StartCheckoutRequest::default() };
    assert_eq!(kit_rpc::problem_of(&start(wrong).await.unwrap_err()).violations[0].field, "email");
    let unknown = CheckoutItem { variant_id: format!("var_{}", "0".repeat(32)), ..item(1) };
    assert_eq!(reason(start(StartCheckoutRequest { items: vec![unknown], ..StartCheckoutRequest::default() }).await), "VARIANT_UNAVAILABLE");
    let foreign = stand.checkout(&stand.market.buyer(), &[(&shop, 1)]).await;
    assert_eq!(reason(stand.place(&buyer, &foreign, "tok_visa").await), "CHECKOUT_NOT_FOUND");
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watching_an_order_shows_each_change() {
    let stand = Stand::open().await;
    let shop = stand.shop("Anna", 1_000, 5).await;
    let buyer = stand.market.buyer();
    let placed = stand.buy(&buyer, &[(&shop, 1)], "tok_answers_later").await.order.unwrap();
    assert_eq!(placed.state(), OrderState::PaymentPending);
    let watch = WatchOrderRequest { order_id: placed.order_id.clone(), access_token: String::new() };
    let mut seen = stand.orders().watch_order(buyer.request(watch)).await.unwrap().into_inner();
    let mut last = seen.message().await.unwrap().unwrap().order.unwrap();
    while last.state() != OrderState::Paid {
        last = tokio::time::timeout(std::time::Duration::from_secs(10), seen.message()).await.unwrap().unwrap().unwrap().order.unwrap();
    }
    stand.close().await;
}

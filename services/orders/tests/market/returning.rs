//! What arrived and comes back: asked for, answered, sent, looked at, refunded; the money exact, the shelf right.

use std::time::Duration;

use api_fulfillment::{AcceptFulfillmentOrderRequest, MarkDeliveredRequest, ShipFulfillmentOrderRequest};
use api_inventory::inventory_client::InventoryClient;
use api_inventory::{ListJournalRequest, MovementKind};
use api_orders::{
    CancelItemsRequest, DecideReturnRequest, GetReturnLabelRequest, GetReturnRequest, GiveRefundRequest, InspectReturnRequest, InspectedLine,
    KeptLine, ListAllReturnsRequest, ListReturnsRequest, Order, OrderState, RefundState, RequestReturnRequest, Return, ReturnId, ReturnLine,
    ReturnPolicy, ReturnReason, ReturnState, SendReturnRequest, SetReturnPolicyRequest, SubOrder, WithdrawReturnRequest,
};
use kit_rpc::Ctx;
use tonic::Status;

use crate::changing::owed;
use crate::stand::{Shop, Stand, address, part_of, reason, usd};

impl Stand {
    /// Ships all of a part and lets it arrive.
    async fn delivers(&self, shop: &Shop, part: &SubOrder) {
        self.market.settle().await;
        let sub_order_id = part.sub_order_id.clone();
        let accept = AcceptFulfillmentOrderRequest { sub_order_id: sub_order_id.clone() };
        self.fulfillment().accept_fulfillment_order(shop.seller.request(accept)).await.unwrap();
        let ship = ShipFulfillmentOrderRequest { sub_order_id, carrier: "UPS".to_owned(), tracking_number: "1Z1".to_owned(), ..Default::default() };
        let sent = self.fulfillment().ship_fulfillment_order(shop.seller.request(ship)).await.unwrap().into_inner();
        self.fulfillment().mark_delivered(shop.seller.request(MarkDeliveredRequest { shipment_id: sent.shipment_id })).await.unwrap();
        self.market.settle().await;
    }

    async fn takes_back_at(&self, shop: &Shop, policy: ReturnPolicy) {
        let policy = ReturnPolicy { window_days: 30, send_to: Some(address()), ..policy };
        self.orders().set_return_policy(shop.seller.request(SetReturnPolicyRequest { policy: Some(policy) })).await.unwrap();
    }

    async fn asks(&self, buyer: &Ctx, part: &SubOrder, quantity: u32, why: ReturnReason) -> Result<Return, Status> {
        self.asks_for(buyer, part, quantity, why, false).await
    }

    async fn asks_for(&self, buyer: &Ctx, part: &SubOrder, quantity: u32, why: ReturnReason, preview: bool) -> Result<Return, Status> {
        let lines = vec![ReturnLine { item_id: part.items[0].item_id.clone(), quantity, reason: why.into() }];
        let request = RequestReturnRequest { sub_order_id: part.sub_order_id.clone(), lines, preview, ..Default::default() };
        Ok(self.orders().request_return(buyer.request(request)).await?.into_inner().r#return.unwrap())
    }

    async fn decides(&self, ctx: &Ctx, asked: &Return, approve: bool, answer: &str) -> Result<Return, Status> {
        let request = DecideReturnRequest { return_id: asked.return_id.clone(), approve, answer: answer.to_owned() };
        Ok(self.orders().decide_return(ctx.request(request)).await?.into_inner().r#return.unwrap())
    }

    async fn sends(&self, buyer: &Ctx, asked: &Return) -> Result<Return, Status> {
        let request = SendReturnRequest {
            return_id: asked.return_id.clone(),
            carrier: "Post".to_owned(),
            tracking_number: "P-1".to_owned(),
            ..SendReturnRequest::default()
        };
        Ok(self.orders().send_return(buyer.request(request)).await?.into_inner().r#return.unwrap())
    }

    async fn inspects(&self, ctx: &Ctx, asked: &Return, accepted: u32, restocked: u32, deduction: i64) -> Result<Return, Status> {
        let lines = vec![InspectedLine { item_id: asked.lines[0].item_id.clone(), accepted, restocked }];
        let answer = "As found".to_owned();
        let request = InspectReturnRequest { return_id: asked.return_id.clone(), lines, deduction: Some(usd(deduction)), answer };
        let shown = self.orders().inspect_return(ctx.request(request)).await?.into_inner().r#return.unwrap();
        Ok(self.refunded(ctx, shown).await)
    }

    async fn withdraws(&self, ctx: &Ctx, asked: &Return) -> Result<Return, Status> {
        let request = WithdrawReturnRequest { return_id: asked.return_id.clone(), ..Default::default() };
        Ok(self.orders().withdraw_return(ctx.request(request)).await?.into_inner().r#return.unwrap())
    }

    async fn gives(&self, ctx: &Ctx, part: &SubOrder, id: ReturnId, minor: i64) -> Result<Return, Status> {
        let request = GiveRefundRequest {
            sub_order_id: part.sub_order_id.clone(),
            return_id: id.to_string(),
            amount: Some(usd(minor)),
            reason: "For the scratch".to_owned(),
        };
        let shown = self.orders().give_refund(ctx.request(request)).await?.into_inner().r#return.unwrap();
        Ok(self.refunded(ctx, shown).await)
    }

    /// A slow PSP leaves the money to the job.
    async fn refunded(&self, ctx: &Ctx, shown: Return) -> Return {
        if shown.state() == ReturnState::Received { self.return_becomes(ctx, &shown, ReturnState::Refunded).await } else { shown }
    }

    async fn return_becomes(&self, ctx: &Ctx, asked: &Return, state: ReturnState) -> Return {
        for _ in 0..300 {
            let request = GetReturnRequest { return_id: asked.return_id.clone(), access_token: String::new() };
            let now = self.orders().get_return(ctx.request(request)).await.unwrap().into_inner().r#return.unwrap();
            if now.state() == state {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the return should become {state:?}");
    }

    async fn damaged_pieces(&self, shop: &Shop) -> usize {
        let reader = self.market.seller(shop.tenant, &["inventory.read"]);
        let request = ListJournalRequest { limit: 100, variant_id: shop.variant.clone(), ..Default::default() };
        let mut inventory = InventoryClient::new(self.market.link("inventory"));
        let entries = inventory.list_journal(reader.request(request)).await.unwrap().into_inner().entries;
        entries.iter().filter(|entry| entry.kind() == MovementKind::Damage).count()
    }

    async fn bought(&self, buyer: &Ctx, wanted: &[(&Shop, u32)]) -> Order {
        let order = self.buy(buyer, wanted, "tok_visa").await.order.unwrap();
        for (shop, _) in wanted {
            self.delivers(shop, part_of(&order, shop)).await;
        }
        order
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_goes_from_the_request_to_the_refund_with_its_exact_share() {
    let stand = Stand::open().await;
    let (anna, ben) = (stand.shop("Anna", 999, 10).await, stand.shop("Ben", 2_000, 5).await);
    stand.takes_back_at(&anna, ReturnPolicy { instructions: "Bubble wrap, please".to_owned(), ..Default::default() }).await;
    let buyer = stand.market.buyer();
    let order = stand.buy(&buyer, &[(&anna, 3), (&ben, 1)], "tok_visa").await.order.unwrap();
    let part = part_of(&order, &anna);
    let shipping = part.totals.as_ref().unwrap().shipping.as_ref().unwrap().amount_minor;
    assert_eq!(reason(stand.asks(&buyer, part, 1, ReturnReason::Late).await), "NOT_RETURNABLE", "it has not arrived");
    stand.delivers(&anna, part).await;
    stand.delivers(&ben, part_of(&order, &ben)).await;
    assert!(part_of(&stand.order(&buyer, &order.order_id).await, &anna).returnable_until.is_some());

    let previewed = stand.asks_for(&buyer, part, 2, ReturnReason::ChangedMind, true).await.unwrap();
    assert_eq!((previewed.amount.clone(), previewed.state()), (Some(usd(1_998)), ReturnState::Requested));
    assert!(stand.order(&buyer, &order.order_id).await.sub_orders.iter().all(|part| part.returns.is_empty()), "only looked at");
    let asked = stand.asks(&buyer, part, 2, ReturnReason::ChangedMind).await.unwrap();
    assert_eq!(stand.order(&buyer, &order.order_id).await.state(), OrderState::Completed, "Ben's part is where it was");
    assert_eq!(part_of(&stand.order(&buyer, &order.order_id).await, &anna).state(), OrderState::ReturnRequested);
    let more = stand.asks(&buyer, part, 2, ReturnReason::Damaged).await.unwrap_err();
    assert_eq!(kit_rpc::problem_of(&more).violations[0].message, "1 can be returned");

    // Nobody else has a say.
    let stranger = stand.market.buyer();
    assert_eq!(reason(stand.asks(&stranger, part, 1, ReturnReason::Late).await), "ORDER_NOT_FOUND");
    assert_eq!(reason(stand.withdraws(&stranger, &asked).await), "RETURN_NOT_FOUND");
    assert_eq!(reason(stand.decides(&ben.seller, &asked, true, "").await), "RETURN_NOT_FOUND");
    assert_eq!(reason(stand.inspects(&ben.seller, &asked, 2, 2, 0).await), "RETURN_NOT_FOUND");
    let buyer_with_a_shop = Ctx { actor: buyer.actor.clone(), ..ben.seller.clone() };
    assert_eq!(reason(stand.decides(&buyer_with_a_shop, &asked, true, "").await), "RETURN_NOT_FOUND", "a buyer approves nothing");
    assert_eq!(reason(stand.inspects(&anna.seller, &asked, 2, 2, 0).await), "ILLEGAL_MOVE", "not approved yet");

    let approved = stand.decides(&anna.seller, &asked, true, "").await.unwrap();
    assert_eq!((approved.state(), approved.send_to.unwrap().line1), (ReturnState::Approved, address().line1));
    assert_eq!(stand.decides(&anna.seller, &asked, true, "").await.unwrap().state(), ReturnState::Approved, "said twice");
    assert_eq!(reason(stand.decides(&anna.seller, &asked, false, "no").await), "ILLEGAL_MOVE");
    let label = GetReturnLabelRequest { return_id: asked.return_id.clone(), access_token: String::new() };
    assert!(stand.orders().get_return_label(buyer.request(label)).await.unwrap().into_inner().data.starts_with(b"%PDF-"));
    assert_eq!(stand.sends(&buyer, &asked).await.unwrap().state(), ReturnState::Sent);
    assert_eq!(reason(stand.withdraws(&buyer, &asked).await), "ILLEGAL_MOVE");

    // Both come back; one has a crack.
    let before = owed(&stand, &order, part).await;
    let done = stand.inspects(&anna.seller, &asked, 2, 1, 0).await.unwrap();
    assert_eq!((done.state(), done.refund_state(), done.amount.clone()), (ReturnState::Refunded, RefundState::Done, Some(usd(1_998))));
    assert_eq!(stand.inspects(&anna.seller, &asked, 0, 0, 0).await.unwrap().amount, Some(usd(1_998)), "looked at once");
    assert_eq!((stand.stock(&anna).await, stand.damaged_pieces(&anna).await), ((8, 0), 1));
    let now = stand.order(&buyer, &order.order_id).await;
    let anna_now = part_of(&now, &anna);
    assert_eq!((anna_now.state(), anna_now.refunded.clone(), anna_now.items[0].returned_quantity), (OrderState::Delivered, Some(usd(1_998)), 2));
    let after = owed(&stand, &order, part).await;
    assert_eq!(before.values().sum::<i64>() - after.values().sum::<i64>(), 1_998, "out of what is owed for the part, its commission included");

    // The last one was wrong: its shipping goes back with it, and nothing is owed for the part any more.
    let last = stand.asks(&buyer, part, 1, ReturnReason::WrongItem).await.unwrap();
    assert_eq!(last.amount, Some(usd(999 + shipping)));
    stand.decides(&stand.market.operator(&["orders.write"]), &last, true, "The shop is on holiday").await.unwrap();
    stand.inspects(&anna.seller, &last, 1, 1, 0).await.unwrap();
    let over = stand.order(&buyer, &order.order_id).await;
    assert_eq!((part_of(&over, &anna).state(), over.state()), (OrderState::Refunded, OrderState::Completed));
    assert!(owed(&stand, &order, part).await.values().all(|owed| *owed == 0));
    let told: Vec<&str> = over.timeline.iter().map(|entry| entry.kind.as_str()).collect();
    for kind in ["return_requested", "return_approved", "return_sent", "return_received", "return_refunded", "refunded"] {
        assert!(told.contains(&kind), "{kind} is missing in {told:?}");
    }
    let own = stand.market.seller(anna.tenant, &["orders.read"]);
    let listed = stand.orders().list_returns(own.request(ListReturnsRequest::default())).await.unwrap().into_inner().returns;
    assert_eq!(listed.len(), 2);
    let all = stand.market.operator(&["orders.read"]);
    let listed = stand.orders().list_all_returns(all.request(ListAllReturnsRequest::default())).await.unwrap().into_inner().returns;
    assert_eq!((listed.len(), listed[0].commission.is_some()), (2, true));
    stand.market.settle().await;
    stand.all_adds_up().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_withdrawn_or_short_stays_the_buyers() {
    let stand = Stand::open().await;
    let shop = stand.shop("Anna", 1_000, 10).await;
    let buyer = stand.market.buyer();
    let order = stand.bought(&buyer, &[(&shop, 3)]).await;
    let part = &order.sub_orders[0];
    let asked = stand.asks(&buyer, part, 3, ReturnReason::Defective).await.unwrap();
    assert_eq!(kit_rpc::problem_of(&stand.decides(&shop.seller, &asked, true, "").await.unwrap_err()).violations[0].field, "answer", "where to?");
    assert_eq!(kit_rpc::problem_of(&stand.decides(&shop.seller, &asked, false, " ").await.unwrap_err()).violations[0].field, "answer", "why not?");
    assert_eq!(stand.decides(&shop.seller, &asked, false, "They work here").await.unwrap().state(), ReturnState::Refused);
    assert_eq!(stand.order(&buyer, &order.order_id).await.sub_orders[0].state(), OrderState::Delivered);

    let again = stand.asks(&buyer, part, 3, ReturnReason::Defective).await.unwrap();
    assert_eq!(stand.withdraws(&buyer, &again).await.unwrap().state(), ReturnState::Withdrawn);
    assert_eq!(stand.withdraws(&buyer, &again).await.unwrap().state(), ReturnState::Withdrawn, "said twice");

    // Two arrive, one of them worn.
    let third = stand.asks(&buyer, part, 3, ReturnReason::Defective).await.unwrap();
    stand.decides(&shop.seller, &third, true, "1 Kiln Lane, Springfield").await.unwrap();
    assert_eq!(reason(stand.inspects(&shop.seller, &third, 2, 2, 2_001).await), "DEDUCTION_TOO_LARGE");
    let done = stand.inspects(&shop.seller, &third, 2, 2, 250).await.unwrap();
    assert_eq!((done.state(), done.amount, done.lines[0].accepted), (ReturnState::Refunded, Some(usd(1_750)), 2));
    let now = stand.order(&buyer, &order.order_id).await;
    assert_eq!((now.refunded, now.sub_orders[0].items[0].returned_quantity), (Some(usd(1_750)), 2), "one stayed with the buyer");
    assert_eq!(stand.stock(&shop).await, (9, 0));
    // What was deducted is not refunded with the last piece either.
    let last = stand.asks(&buyer, part, 1, ReturnReason::ChangedMind).await.unwrap();
    assert_eq!(last.amount, Some(usd(1_000)));
    stand.all_adds_up().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lets_their_time_pass_is_stood_in_for() {
    let stand = Stand::open().await;
    let (anna, ben) = (stand.shop("Anna", 1_000, 10).await, stand.shop("Ben", 700, 10).await);
    stand.takes_back_at(&anna, ReturnPolicy::default()).await;
    let buyer = stand.market.buyer();
    let order = stand.bought(&buyer, &[(&anna, 2), (&ben, 1)]).await;
    let (of_anna, of_ben) = (part_of(&order, &anna), part_of(&order, &ben));
    let (first, second) = (
        stand.asks(&buyer, of_anna, 1, ReturnReason::Damaged).await.unwrap(),
        stand.asks(&buyer, of_anna, 1, ReturnReason::ChangedMind).await.unwrap(),
    );
    let nowhere = stand.asks(&buyer, of_ben, 1, ReturnReason::Damaged).await.unwrap();
    stand.market.clock.advance(chrono::Duration::days(4));
    for asked in [&first, &second] {
        assert_eq!(stand.return_becomes(&buyer, asked, ReturnState::Approved).await.answered_by, "market");
    }
    // Nobody knows where Ben's things go: an operator asks him.
    let waiting = stand.return_becomes(&buyer, &nowhere, ReturnState::Requested).await;
    assert!(kit_rpc::time(waiting.due_at.as_ref().unwrap()) < stand.market.clock.now());
    stand.sends(&buyer, &first).await.unwrap();
    stand.market.clock.advance(chrono::Duration::days(15));
    let refunded = stand.return_becomes(&buyer, &first, ReturnState::Refunded).await;
    assert_eq!((refunded.amount, refunded.answered_by.as_str()), (Some(usd(1_000)), "market"), "the shop never looked");
    stand.return_becomes(&buyer, &second, ReturnState::Expired).await;
    assert_eq!(stand.stock(&anna).await, (8, 0), "nobody has counted what came back");
    stand.market.clock.advance(chrono::Duration::days(31));
    assert_eq!(reason(stand.asks(&buyer, of_anna, 1, ReturnReason::Late).await), "NOT_RETURNABLE", "the window has closed");
    stand.all_adds_up().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_at_once_never_refunds_a_piece_or_a_cent_twice() {
    let stand = Stand::open().await;
    let shop = stand.shop("Anna", 1_000, 10).await;
    stand.takes_back_at(&shop, ReturnPolicy { approve_at_once: true, ..Default::default() }).await;
    let buyer = stand.market.buyer();
    let order = stand.bought(&buyer, &[(&shop, 3)]).await;
    let part = &order.sub_orders[0];
    let asked = futures::future::join_all((0..6).map(|_| stand.asks(&buyer, part, 1, ReturnReason::Damaged))).await;
    let asked: Vec<Return> = asked.into_iter().flatten().collect();
    assert_eq!(asked.len(), 3, "three pieces, three returns");
    assert!(asked.iter().all(|asked| asked.state() == ReturnState::Approved));
    let (looked, given) = tokio::join!(
        futures::future::join_all(asked.iter().chain(&asked).map(|asked| stand.inspects(&shop.seller, asked, 1, 1, 0))),
        futures::future::join_all((0..4_u128).map(|n| stand.gives(&shop.seller, part, uuid::Uuid::from_u128(n + 1).into(), 900)))
    );
    assert!(looked.iter().all(Result::is_ok), "{looked:?}");
    stand.market.settle().await;
    let now = stand.order(&buyer, &order.order_id).await;
    let given: i64 = given.into_iter().flatten().map(|given| given.amount.unwrap().amount_minor).sum();
    let returned: i64 = looked.into_iter().flatten().take(3).map(|looked| looked.amount.unwrap().amount_minor).sum();
    assert_eq!(now.refunded.as_ref().unwrap().amount_minor, given + returned, "what was told went back");
    assert_eq!(now.refunded, now.totals.unwrap().total, "and it is all there was, shipping included");
    assert_eq!(stand.stock(&shop).await, (10, 0));
    stand.all_adds_up().await;
    stand.close().await;
}

/// 100.00 as 33.34 + 33.33 + 33.33.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_over_three_sellers_stays_exact_through_capture_partial_and_second_refund() {
    let stand = Stand::open().await;
    let shops = [stand.shop("Anna", 3_334, 5).await, stand.shop("Ben", 3_333, 5).await, stand.shop("Cleo", 3_333, 5).await];
    let buyer = stand.market.buyer();
    let order = stand.bought(&buyer, &shops.each_ref().map(|shop| (shop, 1))).await;
    let goods: i64 = order.sub_orders.iter().map(|part| part.totals.as_ref().unwrap().items.as_ref().unwrap().amount_minor).sum();
    assert_eq!(goods, 10_000);
    for (n, shop) in (1_u128..).zip(&shops) {
        let part = part_of(&order, shop);
        let first = uuid::Uuid::from_u128(n).into();
        assert_eq!(stand.gives(&shop.seller, part, first, 1_111).await.unwrap().refund_state(), RefundState::Done);
        assert_eq!(stand.gives(&shop.seller, part, first, 1_111).await.unwrap().amount, Some(usd(1_111)), "asked again, given once");
        assert_eq!(reason(stand.gives(&shop.seller, part, first, 1_112).await), "INVALID_REQUEST", "the same id for something else");
        assert_eq!(reason(stand.gives(&shop.seller, part, uuid::Uuid::from_u128(n + 100).into(), 2_224).await), "NOT_REFUNDABLE");
        stand.all_adds_up().await;
    }
    assert_eq!(stand.order(&buyer, &order.order_id).await.refunded, Some(usd(3_333)));
    for shop in &shops {
        let part = part_of(&order, shop);
        stand.takes_back_at(shop, ReturnPolicy { approve_at_once: true, ..Default::default() }).await;
        let asked = stand.asks(&buyer, part, 1, ReturnReason::Damaged).await.unwrap();
        stand.decides(&shop.seller, &asked, true, "to the shop").await.unwrap();
        stand.inspects(&shop.seller, &asked, 1, 1, 0).await.unwrap();
        assert!(owed(&stand, &order, part).await.values().all(|owed| *owed == 0), "commission, shipping and goods, to the cent");
    }
    let over = stand.order(&buyer, &order.order_id).await;
    assert_eq!((over.state(), over.refunded), (OrderState::Refunded, over.totals.unwrap().total));
    stand.market.settle().await;
    stand.all_adds_up().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partial_refund_then_cancel_then_return_leaves_no_share_negative() {
    let stand = Stand::open().await;
    let shop = stand.shop("Anna", 777, 10).await;
    let buyer = stand.market.buyer();
    let order = stand.buy(&buyer, &[(&shop, 4)], "tok_visa").await.order.unwrap();
    let part = &order.sub_orders[0];
    stand.market.settle().await;
    stand.gives(&shop.seller, part, uuid::Uuid::from_u128(1).into(), 1_001).await.unwrap();
    let lines = vec![KeptLine { item_id: part.items[0].item_id.clone(), quantity: 3 }];
    let request = CancelItemsRequest { sub_order_id: part.sub_order_id.clone(), lines, ..Default::default() };
    stand.orders().cancel_items(buyer.request(request)).await.unwrap();
    stand.delivers(&shop, part).await;
    let owed_now = owed(&stand, &order, part).await;
    assert!(owed_now.values().all(|owed| *owed >= 0), "{owed_now:?}");
    let asked = stand.asks(&buyer, part, 3, ReturnReason::NotAsDescribed).await.unwrap();
    stand.decides(&shop.seller, &asked, true, "to the shop").await.unwrap();
    stand.inspects(&shop.seller, &asked, 3, 3, 0).await.unwrap();
    let over = stand.order(&buyer, &order.order_id).await;
    assert_eq!((over.state(), over.refunded), (OrderState::Refunded, over.totals.unwrap().total));
    assert!(owed(&stand, &order, part).await.values().all(|owed| *owed == 0));
    assert_eq!(stand.stock(&shop).await, (10, 0));
    stand.market.settle().await;
    stand.all_adds_up().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_link_returns_and_a_repeated_request_is_one_return() {
    let stand = Stand::open().await;
    let shop = stand.shop("Anna", 1_000, 10).await;
    let placed = stand.buy(&stand.market.guest(), &[(&shop, 2)], "tok_visa").await;
    let (order, access_token) = (placed.order.unwrap(), placed.access_token);
    let part = &order.sub_orders[0];
    stand.delivers(&shop, part).await;
    let asks = async |key: &str, access_token: &str, quantity| {
        let ctx = Ctx { idempotency_key: Some(key.into()), ..stand.market.nobody() };
        let lines = vec![ReturnLine { item_id: part.items[0].item_id.clone(), quantity, reason: ReturnReason::Late.into() }];
        let access_token = access_token.to_owned();
        let request = RequestReturnRequest { sub_order_id: part.sub_order_id.clone(), lines, access_token, ..Default::default() };
        stand.orders().request_return(ctx.request(request)).await.map(|answer| answer.into_inner().r#return.unwrap())
    };
    assert_eq!(reason(asks("one", "", 1).await), "ORDER_NOT_FOUND");
    assert_eq!(reason(asks("one", "0123456789abcdef0123456789abcdef", 1).await), "ORDER_NOT_FOUND");
    let first = asks("one", &access_token, 1).await.unwrap();
    assert_eq!(asks("one", &access_token, 1).await.unwrap().return_id, first.return_id, "the same request");
    assert_ne!(asks("two", &access_token, 1).await.unwrap().return_id, first.return_id, "another one");
    assert_eq!(asks("three", &access_token, 1).await.unwrap_err().code(), tonic::Code::InvalidArgument, "nothing is left to return");
    let withdraw = WithdrawReturnRequest { return_id: first.return_id.clone(), access_token };
    let withdrawn = stand.orders().withdraw_return(stand.market.nobody().request(withdraw)).await.unwrap().into_inner().r#return.unwrap();
    assert_eq!(withdrawn.state(), ReturnState::Withdrawn);
    stand.close().await;
}

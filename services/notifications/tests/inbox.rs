//! The inbox as people and operators meet it, with the services it hears running for real.
#![expect(clippy::unwrap_used, reason = "a test tells by panicking")]

use api_identity::identity_client::IdentityClient;
use api_identity::{GrantRoleRequest, RequestPasswordResetRequest, Role, SignInRequest, SignUpRequest, StartGuestRequest};
use api_inventory::{InventoryEvent, StockRanLow, inventory_event};
use api_notifications::notifications_client::NotificationsClient;
use api_notifications::{
    GetMessageRequest, GetPreferencesRequest, ListMessagesRequest, ListMyMessagesRequest, ListTemplatesRequest, Message, Preferences,
    SetPreferencesRequest, WatchMyMessagesRequest,
};
use api_orders::{Order, OrderEvent, OrderPlaced, OrderRef, SubOrder, SubOrderCancelled, SubOrderConfirmed, SubOrderRefunded, order_event};
use api_tenants::tenants_client::TenantsClient;
use api_tenants::{ApplyRequest, ApproveRequest, Business, InviteStaffRequest, StaffRole};
use futures::StreamExt;
use kit_core::{Code, TenantId, UserId};
use kit_db::{Db, Event, Scope, log};
use kit_rpc::{Actor, Ctx, Link, problem_of};
use kit_test::Market;
use prost::Message as _;

struct Stand {
    market: Market,
    inbox: NotificationsClient<Link>,
    identity: IdentityClient<Link>,
}

const PASSWORD: &str = "seven blue kettles";

async fn stand() -> Stand {
    let modules =
        [&service_identity::MODULE, &service_tenants::MODULE, &service_inventory::MODULE, &service_orders::MODULE, &service_notifications::MODULE];
    let market = kit_test::start_with(&modules, "[identity]\nhash_memory_kib = 8\nhash_passes = 1\n").await;
    let (inbox, identity) = (NotificationsClient::new(market.link("notifications")), IdentityClient::new(market.link("identity")));
    Stand { market, inbox, identity }
}

impl Stand {
    async fn person(&self, name: &str) -> Ctx {
        let request =
            SignUpRequest { email: format!("{name}@example.com"), password: PASSWORD.to_owned(), name: name.to_owned(), ..Default::default() };
        let session = self.identity.clone().sign_up(self.market.nobody().request(request)).await.unwrap().into_inner().session.unwrap();
        Ctx { actor: Actor::User(session.user.unwrap().user_id.parse().unwrap()), ..self.market.nobody() }
    }

    async fn works_for(&self, person: &Ctx, tenant: TenantId, role: Role) {
        let request = GrantRoleRequest { user_id: person.user().unwrap().to_string(), tenant_id: tenant.to_string(), role: role.into() };
        self.identity.clone().grant_role(self.market.service().request(request)).await.unwrap();
    }

    /// Appends an event to another service's log, as that service does it.
    async fn told(&self, module: &'static kit_module::Module, kind: &'static str, tenant: Option<TenantId>, payload: Vec<u8>) {
        let db: Db = self.market.house.storage().db(module.schema()).await.unwrap();
        let mut tx = db.begin(&Scope::Platform).await.unwrap();
        let event = Event { key: self.market.ids.uuid(), tenant, kind, payload, change: None };
        log::append(&mut tx, &self.market.service(), self.market.clock.now(), event).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn order_told(&self, kind: &'static str, tenant: Option<TenantId>, body: order_event::Body) {
        self.told(&service_orders::MODULE, kind, tenant, OrderEvent { body: Some(body) }.encode_to_vec()).await;
    }

    async fn mine(&self, ctx: &Ctx) -> Vec<Message> {
        self.market.settle().await;
        self.inbox.clone().list_my_messages(ctx.request(ListMyMessagesRequest::default())).await.unwrap().into_inner().messages
    }

    /// The templates of all messages to an address, the oldest first.
    async fn to(&self, recipient: &str) -> Vec<String> {
        self.market.settle().await;
        let request = ListMessagesRequest { recipient: recipient.to_owned(), limit: 100, ..Default::default() };
        let listed = self.inbox.clone().list_messages(self.market.operator(&["notifications.read"]).request(request)).await.unwrap().into_inner();
        listed.messages.into_iter().rev().map(|message| message.template).collect()
    }
}

fn order_ref(buyer: UserId, email: &str) -> Option<OrderRef> {
    let number = "MH-2026-7K3F-9QXD".to_owned();
    Some(OrderRef {
        number,
        buyer_id: buyer.to_string(),
        email: email.to_owned(),
        name: "Ann <b>".to_owned(),
        access_token: "let-me-in".to_owned(),
        ..Default::default()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_gets_mail_about_the_account_and_reads_only_their_own() {
    let stand = stand().await;
    let (ann, ben) = (stand.person("ann").await, stand.person("ben").await);
    stand
        .identity
        .clone()
        .request_password_reset(stand.market.nobody().request(RequestPasswordResetRequest { email: "ann@example.com".to_owned() }))
        .await
        .unwrap();
    assert_eq!(stand.to("ann@example.com").await, ["verify_email", "reset_password"]);
    let mine = stand.mine(&ann).await;
    assert_eq!(mine.len(), 2);
    let get = |ctx: &Ctx| {
        let (mut inbox, request) = (stand.inbox.clone(), ctx.request(GetMessageRequest { message_id: mine[1].message_id.clone() }));
        async move { inbox.get_message(request).await }
    };
    let message = get(&ann).await.unwrap().into_inner().message.unwrap();
    assert!(message.text.contains("http://market.test/verify?token=") && message.html.contains("<!doctype html>") && mine[0].html.is_empty());
    for stranger in [&ben, &stand.market.guest(), &stand.market.operator(&["orders.read"])] {
        let problem = problem_of(&get(stranger).await.unwrap_err());
        assert_eq!((problem.code, problem.reason.as_str()), (Code::NotFound, "MESSAGE_NOT_FOUND"));
    }
    get(&stand.market.operator(&["notifications.read"])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_confirmed_to_its_buyer_and_its_seller_is_told_unless_switched_off() {
    let stand = stand().await;
    let (ann, sam, tom) = (stand.person("ann").await, stand.person("sam").await, stand.person("tom").await);
    let tenant: TenantId = stand.market.ids.next();
    stand.works_for(&sam, tenant, Role::SellerManager).await;
    stand.works_for(&tom, tenant, Role::InventoryOperator).await;
    let buyer = ann.user().unwrap();
    let placed = OrderPlaced {
        r#ref: order_ref(buyer, "ann@example.com"),
        order: Some(Order { sub_orders: vec![SubOrder::default()], ..Default::default() }),
        ..Default::default()
    };
    let confirmed = || {
        order_event::Body::SubOrderConfirmed(SubOrderConfirmed { r#ref: order_ref(buyer, "ann@example.com"), sub_order: Some(SubOrder::default()) })
    };
    // People first: events of different services come in no order.
    stand.market.settle().await;
    stand.order_told("order_placed", None, order_event::Body::OrderPlaced(placed)).await;
    stand.order_told("sub_order_confirmed", Some(tenant), confirmed()).await;
    assert_eq!(stand.to("ann@example.com").await, ["verify_email", "order_placed"]);
    assert_eq!(stand.to("sam@example.com").await, ["verify_email", "sale"]);
    assert_eq!(stand.to("tom@example.com").await, ["verify_email"]);
    let confirmation = stand.mine(&ann).await.into_iter().find(|message| message.template == "order_placed").unwrap();
    assert!(confirmation.text.contains("http://market.test/track/MH-2026-7K3F-9QXD?access_token=let-me-in"));

    let off = SetPreferencesRequest { sales: Some(false), stock: None };
    let preferences = stand.inbox.clone().set_preferences(sam.request(off)).await.unwrap().into_inner().preferences.unwrap();
    assert_eq!(preferences, Preferences { sales: false, stock: true });
    assert_eq!(stand.inbox.clone().get_preferences(sam.request(GetPreferencesRequest {})).await.unwrap().into_inner().preferences, Some(preferences));
    stand.order_told("sub_order_confirmed", Some(tenant), confirmed()).await;
    let low = InventoryEvent {
        body: Some(inventory_event::Body::StockRanLow(StockRanLow { tenant_id: tenant.to_string(), title: "Mug".to_owned(), ..Default::default() })),
    };
    stand.told(&service_inventory::MODULE, "stock_ran_low", Some(tenant), low.encode_to_vec()).await;
    assert_eq!(stand.to("sam@example.com").await, ["verify_email", "sale", "stock_ran_low"]);
    assert_eq!(stand.to("tom@example.com").await, ["verify_email", "stock_ran_low"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_part_is_told_to_the_buyer_and_to_the_seller_who_did_not_do_it() {
    let stand = stand().await;
    let (ann, sam) = (stand.person("ann").await, stand.person("sam").await);
    let tenant: TenantId = stand.market.ids.next();
    stand.works_for(&sam, tenant, Role::SellerAdmin).await;
    stand.market.settle().await;
    for by in ["seller", "buyer"] {
        let cancelled =
            SubOrderCancelled { r#ref: order_ref(ann.user().unwrap(), "ann@example.com"), cancelled_by: by.to_owned(), ..Default::default() };
        stand.order_told("sub_order_cancelled", Some(tenant), order_event::Body::SubOrderCancelled(cancelled)).await;
    }
    assert_eq!(stand.to("ann@example.com").await, ["verify_email", "sub_order_cancelled", "sub_order_cancelled"]);
    assert_eq!(stand.to("sam@example.com").await, ["verify_email", "sale_cancelled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_was_told_is_the_accounts_after_signing_in() {
    let stand = stand().await;
    let ann = stand.person("ann").await;
    let session =
        stand.identity.clone().start_guest(stand.market.nobody().request(StartGuestRequest::default())).await.unwrap().into_inner().session.unwrap();
    let guest: UserId = session.user.unwrap().user_id.parse().unwrap();
    let guest_ctx = Ctx { actor: Actor::Guest(guest), ..stand.market.nobody() };
    let placed = OrderPlaced { r#ref: order_ref(guest, "elsewhere@example.com"), order: Some(Order::default()), ..Default::default() };
    stand.order_told("order_placed", None, order_event::Body::OrderPlaced(placed)).await;
    assert_eq!(stand.mine(&guest_ctx).await.len(), 1);
    let sign_in = SignInRequest { email: "ann@example.com".to_owned(), password: PASSWORD.to_owned(), device: String::new() };
    stand.identity.clone().sign_in(guest_ctx.request(sign_in)).await.unwrap();
    let mine = stand.mine(&ann).await;
    assert!(mine.iter().any(|message| message.template == "order_placed"), "{mine:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn applicants_staff_and_invited_people_are_told_and_a_replay_tells_nothing_twice() {
    let stand = stand().await;
    let mut tenants = TenantsClient::new(stand.market.link("tenants"));
    let anna = stand.person("anna").await;
    stand.market.settle().await;
    let business = Business {
        legal_name: "Anna's Mugs Ltd".into(),
        contact_email: "contact@example.com".into(),
        address: "1 Kiln Lane".into(),
        ..Default::default()
    };
    let apply = ApplyRequest {
        store_name: "Anna's <Mugs>".into(),
        business: Some(business),
        country: "GB".into(),
        currency: "GBP".into(),
        ..Default::default()
    };
    let tenant_id = tenants.apply(anna.request(apply)).await.unwrap().into_inner().tenant.unwrap().tenant_id;
    tenants
        .approve(stand.market.operator(&["tenants.write"]).request(ApproveRequest { tenant_id: tenant_id.clone(), ..Default::default() }))
        .await
        .unwrap();
    let acting = Ctx { actor: anna.actor.clone(), ..stand.market.seller(tenant_id.parse().unwrap(), &["staff.write", "store.write"]) };
    tenants
        .invite_staff(acting.request(InviteStaffRequest { email: "ben@example.com".into(), role: StaffRole::SellerManager.into() }))
        .await
        .unwrap();
    let told = ["verify_email", "tenant_applied", "tenant_approved"];
    assert_eq!(stand.to("anna@example.com").await, told);
    assert_eq!(stand.to("ben@example.com").await, ["staff_invited"]);
    let notifications = stand.market.house.upkeeps().iter().find(|upkeep| upkeep.service() == "notifications").unwrap();
    for source in ["identity", "tenants"] {
        notifications.replay(source).await.unwrap();
    }
    assert_eq!(stand.to("anna@example.com").await, told);
    assert_eq!(stand.to("ben@example.com").await, ["staff_invited"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inbox_goes_page_by_page_and_is_closed_to_everybody_else() {
    let stand = stand().await;
    for name in ["ann", "ben", "cid"] {
        stand.person(name).await;
    }
    stand.market.settle().await;
    let operator = stand.market.operator(&["notifications.read"]);
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = stand
            .inbox
            .clone()
            .list_messages(operator.request(ListMessagesRequest { limit: 2, cursor, template: "verify_email".into(), ..Default::default() }))
            .await;
        let page = page.unwrap().into_inner();
        found.extend(page.messages.into_iter().map(|message| message.recipient));
        cursor = page.next_cursor;
        if cursor.is_empty() {
            break;
        }
    }
    found.sort();
    assert_eq!(found, ["ann@example.com", "ben@example.com", "cid@example.com"]);
    let templates = stand.inbox.clone().list_templates(operator.request(ListTemplatesRequest {})).await.unwrap().into_inner().templates;
    assert!(templates.len() >= 20);
    let bad = ListMessagesRequest { cursor: "nonsense".into(), ..Default::default() };
    assert_eq!(problem_of(&stand.inbox.clone().list_messages(operator.request(bad)).await.unwrap_err()).code, Code::Invalid);
    for stranger in [stand.market.buyer(), stand.market.seller(stand.market.ids.next(), &["orders.read"]), stand.market.operator(&["orders.read"])] {
        let refusals = [
            stand.inbox.clone().list_messages(stranger.request(ListMessagesRequest::default())).await.map(drop),
            stand.inbox.clone().list_templates(stranger.request(ListTemplatesRequest {})).await.map(drop),
        ];
        assert!(refusals.into_iter().all(|refusal| problem_of(&refusal.unwrap_err()).code == Code::Forbidden));
    }
    let nobody = stand.market.nobody();
    let refusals = [
        stand.inbox.clone().list_my_messages(nobody.request(ListMyMessagesRequest::default())).await.map(drop),
        stand.inbox.clone().get_preferences(nobody.request(GetPreferencesRequest {})).await.map(drop),
        stand.inbox.clone().set_preferences(nobody.request(SetPreferencesRequest::default())).await.map(drop),
    ];
    assert!(refusals.into_iter().all(|refusal| problem_of(&refusal.unwrap_err()).code == Code::Unauthenticated));
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_go_out_only_after_their_state_is_committed() {
    let stand = stand().await;
    let ann = stand.person("ann").await;
    stand.market.settle().await;
    let refunded = SubOrderRefunded { r#ref: order_ref(ann.user().unwrap(), "ann@example.com"), ..Default::default() };
    let payload = OrderEvent { body: Some(order_event::Body::SubOrderRefunded(refunded)) }.encode_to_vec();
    let db: Db = stand.market.house.storage().db(service_orders::MODULE.schema()).await.unwrap();
    let event = || Event { key: stand.market.ids.uuid(), tenant: None, kind: "sub_order_refunded", payload: payload.clone(), change: None };
    // Told in a transaction that has not ended, and in one that came to nothing.
    let mut open = db.begin(&Scope::Platform).await.unwrap();
    log::append(&mut open, &stand.market.service(), stand.market.clock.now(), event()).await.unwrap();
    let mut undone = db.begin(&Scope::Platform).await.unwrap();
    log::append(&mut undone, &stand.market.service(), stand.market.clock.now(), event()).await.unwrap();
    drop(undone);
    tokio::time::sleep(std::time::Duration::from_millis(1_000)).await;
    assert_eq!(stand.to("ann@example.com").await, ["verify_email"], "nothing has happened yet");
    open.commit().await.unwrap();
    assert_eq!(stand.to("ann@example.com").await, ["verify_email", "sub_order_refunded"], "once, when it was so");
}

#[tokio::test]
async fn a_person_hears_of_a_message_when_it_is_made_and_not_of_older_ones() {
    let stand = stand().await;
    let (anna, _bert) = (stand.person("anna").await, stand.person("bert").await);
    assert_eq!(stand.mine(&anna).await.len(), 1);
    let mut heard = stand.inbox.clone().watch_my_messages(anna.request(WatchMyMessagesRequest {})).await.unwrap().into_inner();
    for email in ["bert@example.com", "anna@example.com"] {
        let request = RequestPasswordResetRequest { email: email.to_owned() };
        stand.identity.clone().request_password_reset(stand.market.nobody().request(request)).await.unwrap();
    }
    let next = tokio::time::timeout(std::time::Duration::from_secs(10), heard.next()).await.unwrap();
    let message = next.unwrap().unwrap().message.unwrap();
    assert_eq!((message.recipient.as_str(), message.user_id.as_str()), ("anna@example.com", anna.user().unwrap().to_string().as_str()));
}

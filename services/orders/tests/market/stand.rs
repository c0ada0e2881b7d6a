//! A small market with sellers, and a buyer's way through it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api_cart::cart_client::CartClient;
use api_cart::{AddItemRequest, CartContents, GetCartRequest};
use api_catalog::catalog_client::CatalogClient;
use api_catalog::{CreateProductRequest, VariantInput};
use api_fulfillment::fulfillment_client::FulfillmentClient;
use api_identity::SignUpRequest;
use api_identity::identity_client::IdentityClient;
use api_inventory::inventory_client::InventoryClient;
use api_inventory::{GetStockRequest, ProveStockRequest, SetStockRequest, Stock, VariantKey};
use api_orders::orders_client::OrdersClient;
use api_orders::{Checkout, CheckoutItem, GetOrderRequest, Order, OrderState, PlaceOrderRequest, PlaceOrderResponse, StartCheckoutRequest, SubOrder};
use api_payments::payments_client::PaymentsClient;
use api_payments::{ListPaymentsRequest, Payment, ReceiveWebhookRequest, TrialBalanceRequest};
use api_tenants::tenants_client::TenantsClient;
use api_tenants::{ApplyRequest, ApproveRequest, Business};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use kit_core::{Clock, TenantId};
use kit_rpc::proto::{Address, Money};
use kit_rpc::{Ctx, Link};
use kit_test::Market;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::Status;

pub(crate) struct Stand {
    pub(crate) market: Market,
    pub(crate) http: reqwest::Client,
    /// Where webhooks go: to the payments service that runs now.
    hooked: Hooked,
    stop: CancellationToken,
}

type Hooked = Arc<Mutex<PaymentsClient<Link>>>;

/// A seller with one thing to sell.
pub(crate) struct Shop {
    pub(crate) tenant: TenantId,
    pub(crate) seller: Ctx,
    pub(crate) variant: String,
}

pub(crate) fn usd(amount_minor: i64) -> Money {
    Money { amount_minor, currency: "USD".to_owned() }
}

pub(crate) fn address() -> Address {
    Address {
        name: "Bea Buyer".to_owned(),
        line1: "1 Main Street".to_owned(),
        city: "Springfield".to_owned(),
        subdivision: "IL".to_owned(),
        postal_code: "62701".to_owned(),
        country: "US".to_owned(),
        ..Address::default()
    }
}

pub(crate) fn reason<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    kit_rpc::problem_of(&answer.unwrap_err()).reason
}

impl Stand {
    pub(crate) async fn open() -> Self {
        let _already_set = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_test_writer().try_init();
        let (hooks, psp) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let psp_url = format!("http://{}", psp.local_addr().unwrap());
        let sections = format!(
            "[payments]\nreconcile_every_ms = 200\nsandbox.url = \"{psp_url}\"\nguard.timeout_ms = 700\nguard.failures_to_open = 1000\nguard.pause_ms = 5\n\
             [orders]\nrecovery_seconds = 1\nlease_seconds = 2\nterms_seconds = 0\n"
        );
        let modules = [
            &service_identity::MODULE,
            &service_tenants::MODULE,
            &service_catalog::MODULE,
            &service_inventory::MODULE,
            &service_cart::MODULE,
            &service_orders::MODULE,
            &service_payments::MODULE,
            &service_fulfillment::MODULE,
        ];
        let market = kit_test::start_with(&modules, &sections).await;
        let stop = CancellationToken::new();
        let sandbox = sandbox::Settings {
            public_url: psp_url,
            secret_key: "sk_sandbox".into(),
            publishable_key: "pk_sandbox".into(),
            webhook_url: Some(format!("http://{}/hook", hooks.local_addr().unwrap())),
            webhook_secret: "whsec_sandbox".into(),
            return_origins: vec!["http://market.test".into()],
            data_dir: market.data.path().join("sandbox"),
            timings: sandbox::Timings {
                later: Duration::from_millis(400),
                hang: Duration::from_secs(3),
                delay: Duration::from_millis(300),
                webhook_delay: Duration::from_millis(800),
                retry: Duration::from_millis(100),
                ..sandbox::Timings::default()
            },
            clock: market.clock.clone(),
            fees: sandbox::Fees::default(),
            bank: sandbox::BankSettings::default(),
            contracts: sandbox::ContractSettings::default(),
        };
        tokio::spawn(passing(market.clock.clone(), stop.clone()));
        tokio::spawn(sandbox::serve(sandbox, psp, stop.clone()));
        let hooked = Arc::new(Mutex::new(PaymentsClient::new(market.link("payments"))));
        let app = axum::Router::new().route("/hook", axum::routing::post(hook)).with_state(Arc::clone(&hooked));
        tokio::spawn(async move { axum::serve(hooks, app).await });
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { market, http, hooked, stop }
    }

    /// The process ends, whatever it was doing, and another one begins.
    pub(crate) async fn restarted(self) -> Self {
        let Self { market, http, hooked, stop } = self;
        let market = market.restarted().await;
        *hooked.lock().unwrap() = PaymentsClient::new(market.link("payments"));
        Self { market, http, hooked, stop }
    }

    pub(crate) async fn close(self) {
        self.stop.cancel();
        self.market.house.stop().await;
    }

    pub(crate) fn orders(&self) -> OrdersClient<Link> {
        OrdersClient::new(self.market.link("orders"))
    }

    pub(crate) fn carts(&self) -> CartClient<Link> {
        CartClient::new(self.market.link("cart"))
    }

    pub(crate) fn fulfillment(&self) -> FulfillmentClient<Link> {
        FulfillmentClient::new(self.market.link("fulfillment"))
    }

    pub(crate) fn catalog(&self) -> CatalogClient<Link> {
        CatalogClient::new(self.market.link("catalog"))
    }

    /// An approved store that sells one thing at this price and has this many.
    pub(crate) async fn shop(&self, name: &str, price: i64, pieces: i64) -> Shop {
        let mut tenants = TenantsClient::new(self.market.link("tenants"));
        let business = Business {
            legal_name: name.to_owned(),
            contact_email: "shop@example.com".to_owned(),
            address: "1 Kiln Lane".to_owned(),
            tax_id: "TAX 1".to_owned(),
            ..Business::default()
        };
        let apply = ApplyRequest {
            store_name: name.to_owned(),
            business: Some(business),
            country: "US".to_owned(),
            currency: "USD".to_owned(),
            ..ApplyRequest::default()
        };
        let owner = self.signed_up(&format!("{}@example.com", name.to_lowercase())).await;
        let applied = tenants.apply(owner.request(apply)).await.unwrap().into_inner().tenant.unwrap();
        let operator = self.market.operator(&["tenants.read", "tenants.write"]);
        let approve = ApproveRequest { tenant_id: applied.tenant_id.clone(), ..ApproveRequest::default() };
        tenants.approve(operator.request(approve)).await.unwrap();
        let tenant: TenantId = applied.tenant_id.parse().unwrap();
        let permissions = ["catalog.write", "inventory.write", "orders.read", "orders.write", "fulfillment.read", "fulfillment.write"];
        let seller = self.market.seller(tenant, &permissions);
        let input = VariantInput { sku: "THING".to_owned(), price: Some(usd(price)), weight_grams: 500, ..VariantInput::default() };
        let product =
            CreateProductRequest { title: format!("Thing of {name}"), variants: vec![input], activate: true, ..CreateProductRequest::default() };
        let product = self.catalog().create_product(seller.request(product)).await.unwrap().into_inner().product.unwrap();
        let variant = product.variants[0].variant_id.clone();
        let shop = Shop { tenant, seller, variant };
        // Inventory has to have heard of the variant.
        self.market.settle().await;
        self.stock_up(&shop, pieces).await;
        shop
    }

    /// Somebody with an account.
    pub(crate) async fn signed_up(&self, email: &str) -> Ctx {
        let mut identity = IdentityClient::new(self.market.link("identity"));
        let sign_up = SignUpRequest { email: email.to_owned(), password: "seven blue kettles".to_owned(), ..SignUpRequest::default() };
        let session = identity.sign_up(self.market.nobody().request(sign_up)).await.unwrap().into_inner().session.unwrap();
        self.market.buyer_as(session.user.unwrap().user_id.parse().unwrap())
    }

    pub(crate) async fn stock_up(&self, shop: &Shop, quantity: i64) {
        let mut inventory = InventoryClient::new(self.market.link("inventory"));
        let set = SetStockRequest { variant_id: shop.variant.clone(), quantity, ..SetStockRequest::default() };
        inventory.set_stock(shop.seller.request(set)).await.unwrap();
    }

    /// (available, reserved) of what a shop sells.
    pub(crate) async fn stock(&self, shop: &Shop) -> (i64, i64) {
        let variants = vec![VariantKey { tenant_id: shop.tenant.to_string(), variant_id: shop.variant.clone() }];
        let mut inventory = InventoryClient::new(self.market.link("inventory"));
        let stocks = inventory.get_stock(self.market.service().request(GetStockRequest { variants })).await.unwrap().into_inner().stocks;
        let Stock { available, reserved, .. } = stocks[0];
        (available, reserved)
    }

    pub(crate) async fn add_to_cart(&self, buyer: &Ctx, shop: &Shop, quantity: u32) {
        let add = AddItemRequest { tenant_id: shop.tenant.to_string(), variant_id: shop.variant.clone(), quantity: Some(quantity) };
        self.carts().add_item(buyer.request(add)).await.unwrap();
    }

    pub(crate) async fn cart(&self, buyer: &Ctx) -> CartContents {
        self.carts().get_cart(buyer.request(GetCartRequest { country: "US".to_owned() })).await.unwrap().into_inner().cart.unwrap()
    }

    /// A complete checkout of some things.
    pub(crate) async fn checkout(&self, buyer: &Ctx, wanted: &[(&Shop, u32)]) -> Checkout {
        self.try_checkout(buyer, wanted).await.unwrap()
    }

    pub(crate) async fn try_checkout(&self, buyer: &Ctx, wanted: &[(&Shop, u32)]) -> Result<Checkout, Status> {
        let item = |(shop, quantity): &(&Shop, u32)| CheckoutItem {
            tenant_id: shop.tenant.to_string(),
            variant_id: shop.variant.clone(),
            quantity: *quantity,
        };
        let start = StartCheckoutRequest {
            items: wanted.iter().map(item).collect(),
            email: "bea@example.com".to_owned(),
            shipping_address: Some(address()),
            billing_address: None,
        };
        Ok(self.orders().start_checkout(buyer.request(start)).await?.into_inner().checkout.unwrap())
    }

    pub(crate) async fn place(&self, buyer: &Ctx, checkout: &Checkout, card: &str) -> Result<PlaceOrderResponse, Status> {
        let place = PlaceOrderRequest {
            checkout_id: checkout.checkout_id.clone(),
            payment_method: card.to_owned(),
            return_url: String::new(),
            save_payment_method: false,
        };
        Ok(self.orders().place_order(buyer.request(place)).await?.into_inner())
    }

    pub(crate) async fn buy(&self, buyer: &Ctx, wanted: &[(&Shop, u32)], card: &str) -> PlaceOrderResponse {
        let checkout = self.checkout(buyer, wanted).await;
        self.place(buyer, &checkout, card).await.unwrap()
    }

    pub(crate) async fn order(&self, buyer: &Ctx, id: &str) -> Order {
        let get = GetOrderRequest { order_id: id.to_owned(), access_token: String::new() };
        self.orders().get_order(buyer.request(get)).await.unwrap().into_inner().order.unwrap()
    }

    /// Waits until the order is in a state.
    pub(crate) async fn becomes(&self, buyer: &Ctx, id: &str, state: OrderState) -> Order {
        for _ in 0..300 {
            let order = self.order(buyer, id).await;
            if order.state() == state {
                return order;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the order should become {state:?}: {:#?}", self.order(buyer, id).await);
    }

    /// Waits until everything went back; what a slow PSP leaves open the recovery job takes up.
    pub(crate) async fn all_is_refunded(&self, buyer: &Ctx, order: &Order) -> Order {
        for _ in 0..300 {
            let now = self.order(buyer, &order.order_id).await;
            if now.refunded == order.totals.as_ref().unwrap().total {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("everything should go back: {:#?}", self.order(buyer, &order.order_id).await);
    }

    pub(crate) async fn payments_of(&self, order_id: &str) -> Vec<Payment> {
        let operator = self.market.operator(&["payments.read"]);
        let list = ListPaymentsRequest { order_id: order_id.to_owned(), ..ListPaymentsRequest::default() };
        PaymentsClient::new(self.market.link("payments")).list_payments(operator.request(list)).await.unwrap().into_inner().payments
    }

    /// What must hold at any time: the ledger balances, stock is what its journal says.
    pub(crate) async fn all_adds_up(&self) {
        let operator = self.market.operator(&["payments.read", "health.read"]);
        let ledger =
            PaymentsClient::new(self.market.link("payments")).trial_balance(operator.request(TrialBalanceRequest {})).await.unwrap().into_inner();
        assert!(ledger.balanced, "{:?}", ledger.differences);
        let proof = ProveStockRequest { tenant_id: String::new() };
        let proof = InventoryClient::new(self.market.link("inventory")).prove_stock(operator.request(proof)).await.unwrap().into_inner();
        assert!(proof.mismatches.is_empty(), "{:?}", proof.mismatches);
    }
}

/// The part of an order a shop has.
pub(crate) fn part_of<'o>(order: &'o Order, shop: &Shop) -> &'o SubOrder {
    let tenant = shop.tenant.to_string();
    order.sub_orders.iter().find(|sub| sub.tenant_id == tenant).unwrap()
}

/// The test's clock follows the real one, because the sandbox's timers do.
async fn passing(clock: Clock, stop: CancellationToken) {
    let mut seen = std::time::Instant::now();
    while stop.run_until_cancelled(tokio::time::sleep(Duration::from_millis(10))).await.is_some() {
        let passed = chrono::Duration::from_std(seen.elapsed()).unwrap();
        seen = std::time::Instant::now();
        clock.advance(passed);
    }
}

/// What the REST edge does with a webhook: its body and headers, as they came.
async fn hook(State(hooked): State<Hooked>, headers: HeaderMap, content: Bytes) -> StatusCode {
    let mut client = hooked.lock().unwrap().clone();
    let headers: HashMap<String, String> =
        headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned())).collect();
    let request = ReceiveWebhookRequest { psp: "sandbox".into(), content, content_type: "application/json".into(), headers };
    match client.receive_webhook(Ctx::anonymous("hook").request(request)).await {
        Ok(_) => StatusCode::OK,
        Err(_) => StatusCode::BAD_REQUEST,
    }
}

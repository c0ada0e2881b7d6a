//! A small market around the service: goods in one open store, visitors who look at them.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use api_analytics::analytics_client::AnalyticsClient;
use api_analytics::{BehaviourEvent, BehaviourKind, RecordEventsRequest, SetConsentRequest};
use api_catalog::{CatalogEvent, ProductChanged, ProductId, ProductSnapshot, ProductStatus, Variant, VariantId, catalog_event};
use api_inventory::{InventoryEvent, StockChanged, inventory_event};
use api_recommendations::recommendations_client::RecommendationsClient;
use api_recommendations::{GetShelvesRequest, GetShelvesResponse, Placement};
use api_tenants::{Store, Tenant, TenantState, TenantsEvent, tenants_event};
use futures::FutureExt;
use futures::future::BoxFuture;
use kit_core::TenantId;
use kit_db::{Db, Event, Scope, log};
use kit_module::{Module, Service, Start};
use kit_rpc::proto::Money;
use kit_rpc::{Ctx, Link};
use kit_test::Market;
use prost::Message;
use tonic::body::Body;
use tonic::server::NamedService;
use uuid::Uuid;

const SECTIONS: &str = "[recommendations]\nlook_every_ms = 20\nproducts_every_ms = 20\nanswer_cache_ms = 0\n";

/// The databases of the played services, by the test's folder and the service's name.
static TELLERS: Mutex<Option<HashMap<(PathBuf, &'static str), Db>>> = Mutex::new(None);

const fn teller(name: &'static str, descriptors: &'static [u8], start: fn(Start) -> BoxFuture<'static, anyhow::Result<Service>>) -> Module {
    Module { name, calls: &[], hears: &[], in_cells: false, migrations: &[], descriptors, check: |_| Ok(()), start }
}

static CATALOG: Module = teller("catalog", api_catalog::DESCRIPTORS, |start| begin::<Catalog>(start).boxed());
static INVENTORY: Module = teller("inventory", api_inventory::DESCRIPTORS, |start| begin::<Inventory>(start).boxed());
static TENANTS: Module = teller("tenants", api_tenants::DESCRIPTORS, |start| begin::<Tenants>(start).boxed());

async fn begin<S: Played>(start: Start) -> anyhow::Result<Service> {
    TELLERS.lock().unwrap().get_or_insert_default().insert((start.data_dir.clone(), start.name), start.db.clone());
    Ok(start.serve(Silent::<S>(PhantomData)))
}

/// A service that answers nothing; it only has a log.
struct Silent<S>(PhantomData<fn() -> S>);

trait Played: 'static {
    const NAME: &'static str;
}
struct Catalog;
impl Played for Catalog {
    const NAME: &'static str = "markethub.catalog.v1.Catalog";
}
struct Inventory;
impl Played for Inventory {
    const NAME: &'static str = "markethub.inventory.v1.Inventory";
}
struct Tenants;
impl Played for Tenants {
    const NAME: &'static str = "markethub.tenants.v1.Tenants";
}

impl<S> Clone for Silent<S> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}
impl<S: Played> NamedService for Silent<S> {
    const NAME: &'static str = S::NAME;
}
impl<S> tower::Service<http::Request<Body>> for Silent<S> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
    fn call(&mut self, _: http::Request<Body>) -> Self::Future {
        ready(Ok(tonic::Status::unimplemented("it only has a log").into_http()))
    }
}

/// What the n-th visitor's device calls itself.
pub(crate) fn device(number: usize) -> String {
    format!("device-of-visitor-{number:04}")
}

pub(crate) struct World {
    pub(crate) market: Market,
    tenant: TenantId,
    /// Ids of the goods, in the order given.
    pub(crate) goods: Vec<String>,
    variants: HashMap<String, String>,
    stocks: AtomicI64,
}

impl World {
    pub(crate) async fn begin(titles: &[&str]) -> Self {
        let modules = [&service_recommendations::MODULE, &service_analytics::MODULE, &service_search::MODULE, &CATALOG, &INVENTORY, &TENANTS];
        let market = kit_test::start_with(&modules, SECTIONS).await;
        let mut world = Self { tenant: market.ids.next(), market, goods: Vec::new(), variants: HashMap::new(), stocks: AtomicI64::new(1) };
        let store = Some(Store { name: "Anna's".to_owned(), slug: "annas".to_owned(), ..Default::default() });
        let tenant = Tenant { tenant_id: world.tenant.to_string(), state: TenantState::Active.into(), store, version: 1, ..Default::default() };
        let body = Some(tenants_event::Body::StoreUpdated(api_tenants::StoreUpdated { tenant: Some(tenant) }));
        world.tell("tenants", world.tenant.uuid(), "store_updated", TenantsEvent { body }.encode_to_vec()).await;
        for title in titles {
            world.offer(title).await;
        }
        for good in world.goods.clone() {
            world.stock(&good, 10).await;
        }
        world.market.settle().await;
        // The service reads what it heard of the products a moment later.
        let any = world.goods[0].clone();
        world.until("the goods are known", || async { !world.shelves(Placement::Product, &[&any], "").await.shelves.is_empty() }).await;
        world
    }

    async fn tell(&self, source: &'static str, key: Uuid, kind: &'static str, payload: Vec<u8>) {
        let db = TELLERS.lock().unwrap().as_ref().unwrap()[&(self.market.data.path().to_owned(), source)].clone();
        let mut tx = db.begin(&Scope::Platform).await.unwrap();
        let event = Event { key, tenant: Some(self.tenant), kind, payload, change: None };
        log::append(&mut tx, &self.market.service(), self.market.clock.now(), event).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn offer(&mut self, title: &str) {
        let (product, variant): (ProductId, VariantId) = (self.market.ids.next(), self.market.ids.next());
        let snapshot = ProductSnapshot {
            tenant_id: self.tenant.to_string(),
            product_id: product.to_string(),
            version: 1,
            status: ProductStatus::Active.into(),
            title: title.to_owned(),
            slug: "a-product".to_owned(),
            variants: vec![Variant {
                variant_id: variant.to_string(),
                sku: format!("SKU-{}", self.goods.len()),
                price: Some(Money { amount_minor: 900, currency: "USD".to_owned() }),
                ..Default::default()
            }],
            ..Default::default()
        };
        let body = Some(catalog_event::Body::ProductChanged(ProductChanged { product: Some(snapshot) }));
        self.tell("catalog", product.uuid(), "product_changed", CatalogEvent { body }.encode_to_vec()).await;
        self.variants.insert(product.to_string(), variant.to_string());
        self.goods.push(product.to_string());
    }

    pub(crate) async fn stock(&self, good: &str, available: i64) {
        let variant: VariantId = self.variants[good].parse().unwrap();
        let revision = self.stocks.fetch_add(1, Ordering::Relaxed);
        let changed = StockChanged { tenant_id: self.tenant.to_string(), variant_id: variant.to_string(), available, revision, ..Default::default() };
        let body = Some(inventory_event::Body::StockChanged(changed));
        self.tell("inventory", variant.uuid(), "stock_changed", InventoryEvent { body }.encode_to_vec()).await;
    }

    pub(crate) fn client(&self) -> RecommendationsClient<Link> {
        RecommendationsClient::new(self.market.link("recommendations"))
    }

    pub(crate) async fn shelves(&self, placement: Placement, products: &[&String], visitor: &str) -> GetShelvesResponse {
        let product_ids = products.iter().map(ToString::to_string).collect();
        let request = GetShelvesRequest { placement: placement.into(), product_ids, visitor_id: visitor.to_owned(), limit: 0 };
        self.client().get_shelves(self.market.nobody().request(request)).await.unwrap().into_inner()
    }

    pub(crate) async fn shelves_as(&self, ctx: &Ctx, placement: Placement) -> GetShelvesResponse {
        let request = GetShelvesRequest { placement: placement.into(), ..Default::default() };
        self.client().get_shelves(ctx.request(request)).await.unwrap().into_inner()
    }

    async fn record(&self, ctx: &Ctx, request: RecordEventsRequest) {
        let recorded = AnalyticsClient::new(self.market.link("analytics")).record_events(ctx.request(request)).await.unwrap().into_inner();
        assert!(recorded.recorded > 0);
    }

    pub(crate) async fn act(&self, visitor: &str, kind: BehaviourKind, goods: &[&String]) {
        let events = events(kind, goods, "");
        self.record(&self.market.nobody(), RecordEventsRequest { visitor_id: visitor.to_owned(), consented: true, events }).await;
    }

    pub(crate) async fn act_as(&self, ctx: &Ctx, kind: BehaviourKind, goods: &[&String]) {
        self.record(ctx, RecordEventsRequest { events: events(kind, goods, ""), ..Default::default() }).await;
    }

    pub(crate) async fn click(&self, visitor: &str, source: &str, good: &String) {
        let events = events(BehaviourKind::Click, &[good], source);
        self.record(&self.market.nobody(), RecordEventsRequest { visitor_id: visitor.to_owned(), consented: true, events }).await;
    }

    pub(crate) async fn consent(&self, ctx: &Ctx, given: bool) {
        let request = SetConsentRequest { given, ..Default::default() };
        AnalyticsClient::new(self.market.link("analytics")).set_consent(ctx.request(request)).await.unwrap();
    }

    /// Waits until something is so; how long it took.
    pub(crate) async fn until<F: Future<Output = bool>>(&self, what: &str, so: impl Fn() -> F) -> Duration {
        let begin = Instant::now();
        while !so().await {
            assert!(begin.elapsed() < Duration::from_secs(20), "not within 20 s: {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        begin.elapsed()
    }
}

fn events(kind: BehaviourKind, goods: &[&String], source: &str) -> Vec<BehaviourEvent> {
    let event = |good: &&String| BehaviourEvent { kind: kind.into(), product_id: good.to_string(), source: source.to_owned(), ..Default::default() };
    goods.iter().map(event).collect()
}

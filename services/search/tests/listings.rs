//! The search service over its contract, on a real database. The services it hears are played by modules that have a log and
//! nothing else, because a service never depends on another.
#![expect(clippy::unwrap_used, reason = "a test tells by panicking")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use api_catalog::{
    Attribute, CatalogEvent, Option as Choice, ProductChanged, ProductId, ProductRemoved, ProductSnapshot, ProductStatus, Variant, VariantId,
    catalog_event,
};
use api_inventory::{InventoryEvent, StockChanged, inventory_event};
use api_orders::{Item, OrderEvent, SubOrder, SubOrderConfirmed, order_event};
use api_search::search_client::SearchClient;
use api_search::{
    GetListingRequest, ListQueriesRequest, ListSameProductsRequest, Listing, ReindexRequest, SearchRequest, SearchResponse, SetSynonymsRequest,
    SortOrder, StockState, SuggestRequest, SuggestionKind,
};
use api_tenants::{Store, Tenant, TenantState, TenantsEvent, tenants_event};
use futures::FutureExt;
use futures::future::BoxFuture;
use kit_core::TenantId;
use kit_db::{Db, Event, Scope, log};
use kit_module::{Module, Service, Start};
use kit_rpc::proto::Money;
use kit_rpc::{Link, problem_of};
use kit_test::Market;
use prost::Message;
use service_search::MODULE;
use tonic::body::Body;
use tonic::server::NamedService;
use uuid::Uuid;

/// The databases of the played services, by the test's folder and the service's name.
static TELLERS: Mutex<Option<HashMap<(PathBuf, &'static str), Db>>> = Mutex::new(None);

const fn teller(name: &'static str, descriptors: &'static [u8], start: fn(Start) -> BoxFuture<'static, anyhow::Result<Service>>) -> Module {
    Module { name, calls: &[], hears: &[], in_cells: false, migrations: &[], descriptors, check: |_| Ok(()), start }
}

static CATALOG: Module = teller("catalog", api_catalog::DESCRIPTORS, |start| begin::<Catalog>(start).boxed());
static INVENTORY: Module = teller("inventory", api_inventory::DESCRIPTORS, |start| begin::<Inventory>(start).boxed());
static ORDERS: Module = teller("orders", api_orders::DESCRIPTORS, |start| begin::<Orders>(start).boxed());
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
struct Orders;
impl Played for Orders {
    const NAME: &'static str = "markethub.orders.v1.Orders";
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

struct World {
    market: Market,
    tenant: TenantId,
}

impl World {
    async fn begin() -> Self {
        let market = kit_test::start(&[&MODULE, &CATALOG, &INVENTORY, &ORDERS, &TENANTS]).await;
        let world = Self { tenant: market.ids.next(), market };
        world.tell_store(1, TenantState::Active).await;
        world
    }

    fn client(&self) -> SearchClient<Link> {
        SearchClient::new(self.market.link("search"))
    }

    async fn tell(&self, source: &'static str, key: Uuid, kind: &'static str, payload: Vec<u8>) {
        let db = TELLERS.lock().unwrap().as_ref().unwrap()[&(self.market.data.path().to_owned(), source)].clone();
        let mut tx = db.begin(&Scope::Platform).await.unwrap();
        let event = Event { key, tenant: Some(self.tenant), kind, payload, change: None };
        log::append(&mut tx, &self.market.service(), self.market.clock.now(), event).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn tell_store(&self, version: i64, state: TenantState) {
        let store = Some(Store { name: "Anna's Mugs".to_owned(), slug: "annas-mugs".to_owned(), ..Default::default() });
        let tenant = Some(Tenant { tenant_id: self.tenant.to_string(), state: state.into(), store, version, ..Default::default() });
        let body = Some(tenants_event::Body::StoreUpdated(api_tenants::StoreUpdated { tenant }));
        self.tell("tenants", self.tenant.uuid(), "store_updated", TenantsEvent { body }.encode_to_vec()).await;
    }

    fn mug(&self) -> ProductSnapshot {
        let variant = |size: &str, amount_minor| Variant {
            variant_id: self.market.ids.next::<api_catalog::VariantKind>().to_string(),
            sku: format!("MUG-{size}"),
            options: vec![Choice { name: "size".to_owned(), value: size.to_owned() }],
            price: Some(Money { amount_minor, currency: "USD".to_owned() }),
            ..Default::default()
        };
        ProductSnapshot {
            tenant_id: self.tenant.to_string(),
            product_id: self.market.ids.next::<api_catalog::ProductKind>().to_string(),
            version: 1,
            status: ProductStatus::Active.into(),
            title: "Blue Stoneware Mug".to_owned(),
            slug: "blue-stoneware-mug".to_owned(),
            brand: "Potter".to_owned(),
            category_path: vec!["Home".to_owned(), "Kitchen".to_owned()],
            category_path_ids: vec!["cat_00000000000000000000000000000001".to_owned(), "cat_00000000000000000000000000000002".to_owned()],
            attributes: vec![Attribute {
                key: "color".to_owned(),
                name: "Colour".to_owned(),
                values: vec!["Blue".to_owned()],
                facet: true,
                ..Default::default()
            }],
            variants: vec![variant("S", 900), variant("L", 1_500)],
            ..Default::default()
        }
    }

    async fn tell_product(&self, product: &ProductSnapshot) {
        let id: ProductId = product.product_id.parse().unwrap();
        let body = Some(catalog_event::Body::ProductChanged(ProductChanged { product: Some(product.clone()) }));
        self.tell("catalog", id.uuid(), "product_changed", CatalogEvent { body }.encode_to_vec()).await;
    }

    async fn tell_removed(&self, product: &ProductSnapshot) {
        let id: ProductId = product.product_id.parse().unwrap();
        let removed = ProductRemoved {
            tenant_id: product.tenant_id.clone(),
            product_id: product.product_id.clone(),
            version: product.version + 1,
            ..Default::default()
        };
        let body = Some(catalog_event::Body::ProductRemoved(removed));
        self.tell("catalog", id.uuid(), "product_removed", CatalogEvent { body }.encode_to_vec()).await;
    }

    async fn tell_stock(&self, variant: &str, available: i64, revision: i64) {
        let id: VariantId = variant.parse().unwrap();
        let changed = StockChanged { tenant_id: self.tenant.to_string(), variant_id: variant.to_owned(), available, revision, ..Default::default() };
        let body = Some(inventory_event::Body::StockChanged(changed));
        self.tell("inventory", id.uuid(), "stock_changed", InventoryEvent { body }.encode_to_vec()).await;
    }

    async fn tell_sold(&self, product: &ProductSnapshot, quantity: u32) {
        let items = vec![Item { product_id: product.product_id.clone(), quantity, ..Default::default() }];
        let sub_order_id = self.market.ids.next::<api_orders::SubOrderKind>().to_string();
        let told = SubOrderConfirmed { sub_order: Some(SubOrder { sub_order_id, items, ..Default::default() }), ..Default::default() };
        let payload = OrderEvent { body: Some(order_event::Body::SubOrderConfirmed(told)) }.encode_to_vec();
        // Told twice, counted once.
        for _ in 0..2 {
            self.tell("orders", self.market.ids.uuid(), "sub_order_confirmed", payload.clone()).await;
        }
    }

    async fn search(&self, request: SearchRequest) -> SearchResponse {
        self.client().search(self.market.nobody().request(request)).await.unwrap().into_inner()
    }

    async fn find(&self, query: &str) -> SearchResponse {
        self.search(SearchRequest { query: query.to_owned(), ..Default::default() }).await
    }

    async fn listing(&self, product: &ProductSnapshot) -> Result<Listing, String> {
        let request = GetListingRequest { product_id: product.product_id.clone() };
        let answer = self.client().get_listing(self.market.nobody().request(request)).await;
        answer.map(tonic::Response::into_inner).map_err(|status| problem_of(&status).reason)
    }

    /// Waits until something is so; how long it took.
    async fn until<F: Future<Output = bool>>(&self, what: &str, so: impl Fn() -> F) -> Duration {
        let begin = Instant::now();
        while !so().await {
            assert!(begin.elapsed() < Duration::from_secs(20), "not within 20 s: {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        begin.elapsed()
    }

    async fn until_found(&self, query: &str, total: u64) -> Duration {
        self.until(&format!("{total} for {query}"), || async { self.find(query).await.total == total }).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_follows_product_stock_and_store() {
    let world = World::begin().await;
    let mut mug = world.mug();
    assert_eq!(world.listing(&mug).await.unwrap_err(), "LISTING_NOT_FOUND");
    world.tell_product(&mug).await;
    world.until_found("stoneware mug", 1).await;
    let listing = world.listing(&mug).await.unwrap();
    assert_eq!((listing.title.as_str(), listing.stock_state()), ("Blue Stoneware Mug", StockState::OutOfStock));
    assert_eq!(listing.store.unwrap().slug, "annas-mugs");
    assert_eq!((listing.price_from.unwrap().amount_minor, listing.price_to.unwrap().amount_minor), (900, 1_500));

    let large = mug.variants[1].variant_id.clone();
    world.tell_stock(&large, 7, 2).await;
    world.tell_stock(&large, 9, 1).await;
    world.until("7 pieces on the page", || async { world.listing(&mug).await.unwrap().variants[1].available == 7 }).await;
    let available = || async { world.search(SearchRequest { query: "mug".to_owned(), available_only: true, ..Default::default() }).await.total };
    world.until("found as available", || async { available().await == 1 }).await;

    mug.version = 2;
    mug.title = "Green Stoneware Mug".to_owned();
    world.tell_product(&mug).await;
    world.until("the new title on the page", || async { world.listing(&mug).await.unwrap().title.starts_with("Green") }).await;
    world.until("the new title in search", || async { world.find("green mug").await.hits.iter().any(|hit| hit.title.starts_with("Green")) }).await;

    world.tell_store(2, TenantState::Suspended).await;
    world.until_found("mug", 0).await;
    world.until("the page is gone", || async { world.listing(&mug).await.is_err() }).await;
    world.tell_store(3, TenantState::Active).await;
    world.until_found("mug", 1).await;
    world.tell_removed(&mug).await;
    world.until_found("mug", 0).await;
    world.until("the page is gone for good", || async { world.listing(&mug).await.is_err() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_told_out_of_order_leaves_the_newest_whatever_comes_first() {
    let world = World::begin().await;
    let mug = world.mug();
    let large = mug.variants[1].variant_id.clone();
    // Before the product is known, in one run and in runs of their own: the larger revision stays.
    for told in [vec![(4, 9), (7, 3)], vec![(7, 12)], vec![(5, 10)], vec![(6, 11), (5, 8), (1, 2)]] {
        for (available, revision) in told {
            world.tell_stock(&large, available, revision).await;
        }
        world.market.settle().await;
    }
    world.tell_product(&mug).await;
    world.until("the page", || async { world.listing(&mug).await.is_ok() }).await;
    assert_eq!(world.listing(&mug).await.unwrap().variants[1].available, 7);
    world.tell_stock(&large, 1, 11).await;
    world.market.settle().await;
    world.tell_stock(&large, 2, 13).await;
    world.until("2 pieces on the page", || async { world.listing(&mug).await.unwrap().variants[1].available == 2 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn search_filters_counts_suggests_and_explains() {
    let world = World::begin().await;
    let mut mugs = Vec::new();
    for (n, color) in ["Blue", "Red", "Green"].into_iter().enumerate() {
        let mut mug = world.mug();
        mug.title = format!("{color} Stoneware Mug");
        mug.attributes[0].values = vec![color.to_owned()];
        mug.brand = if n == 2 { "Kiln" } else { "Potter" }.to_owned();
        world.tell_product(&mug).await;
        mugs.push(mug);
    }
    world.until_found("mugs", 3).await;
    let asked = SearchRequest { query: "mug".to_owned(), brands: vec!["potter".to_owned()], facets: true, explain: true, ..Default::default() };
    let found = world.search(asked).await;
    assert_eq!(found.total, 2);
    let facet = |field: &str| {
        found
            .facets
            .iter()
            .find(|facet| facet.field == field)
            .map(|facet| facet.values.iter().map(|value| (value.label.clone(), value.count)).collect::<Vec<_>>())
    };
    assert_eq!(facet("brand").unwrap(), [("Potter".to_owned(), 2), ("Kiln".to_owned(), 1)]);
    assert_eq!(facet("category").unwrap(), [("Kitchen".to_owned(), 2)]);
    assert_eq!(facet("attribute:color").unwrap().len(), 2);
    assert!(found.hits[0].explanation.iter().any(|part| part.name == "text"));
    let by_color = SearchRequest { attributes: vec!["color=red".to_owned()], ..Default::default() };
    assert_eq!(world.search(by_color).await.hits[0].title, "Red Stoneware Mug");

    let relaxed = world.find("purple stoneware mug").await;
    assert_eq!((relaxed.relaxed, relaxed.dropped_words, relaxed.total), (true, vec!["purple".to_owned()], 3));
    world.until("corrections", || async { world.find("stonewear").await.did_you_mean == "stoneware" }).await;
    let request = world.market.nobody().request(SuggestRequest { query: "stone".to_owned(), ..Default::default() });
    let suggested = world.client().suggest(request).await.unwrap().into_inner().suggestions;
    assert!(suggested.iter().any(|suggestion| suggestion.kind() == SuggestionKind::Product), "{suggested:?}");

    let synonyms = SetSynonymsRequest { term: "cup".to_owned(), synonyms: vec!["mug".to_owned()] };
    world.client().set_synonyms(world.market.operator(&["search.write"]).request(synonyms.clone())).await.unwrap();
    assert_eq!(world.find("red cup").await.total, 1);
    assert!(world.client().set_synonyms(world.market.buyer().request(synonyms)).await.is_err());
    let limited = world.find("red stoneware mug under $12").await;
    assert_eq!((limited.understood[0].words.as_str(), limited.understood[0].price_max_minor), ("under $12", Some(1_200)));
    assert_eq!(limited.hits[0].title, "Red Stoneware Mug");
    let beyond = world.find("stoneware mug over $9,000").await;
    assert!(beyond.understood.is_empty() && beyond.total > 0, "a limit that nothing meets is taken as words: {beyond:?}");

    let chosen = world.find("green mug by kiln").await;
    let understood: Vec<(&str, &str)> = chosen.understood.iter().map(|said| (said.words.as_str(), said.brand.as_str())).collect();
    assert_eq!((understood, chosen.total), (vec![("green", ""), ("by kiln", "Kiln")], 1));
    assert_eq!(chosen.understood[0].attribute, "color=Green");

    let missed = ListQueriesRequest { nothing_found: true, ..Default::default() };
    world.find("zzyzx").await;
    let operator = || world.market.operator(&["search.write"]);
    let missing = || async { world.client().list_queries(operator().request(missed)).await.unwrap().into_inner().queries };
    world.until("queries to be written down", || async { missing().await.iter().any(|counted| counted.query == "zzyzx") }).await;
    assert!(missing().await.iter().all(|counted| counted.found == 0));
    assert!(world.client().list_queries(world.market.buyer().request(missed)).await.is_err());
    let page = |cursor: String| SearchRequest { query: "mug".to_owned(), limit: 2, cursor, ..Default::default() };
    let first = world.search(page(String::new())).await;
    let second = world.search(page(first.next_cursor.clone())).await;
    assert_eq!((first.hits.len(), second.hits.len(), second.next_cursor.as_str()), (2, 1, ""));
    let foreign = SearchRequest { query: "lamp".to_owned(), cursor: first.next_cursor, ..Default::default() };
    assert!(world.client().search(world.market.nobody().request(foreign)).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_product_is_found_in_another_shop() {
    let world = World::begin().await;
    let named =
        |world: &World, title: &str| ProductSnapshot { title: title.to_owned(), brand: "Potter".to_owned(), attributes: Vec::new(), ..world.mug() };
    let (kettle, smaller) = (named(&world, "Potter Electric Kettle, Steel - KX4500"), named(&world, "Potter Electric Kettle, Steel - KX2500"));
    for product in [&kettle, &smaller] {
        world.tell_product(product).await;
    }
    let world = World { tenant: world.market.ids.next(), ..world };
    world.tell_store(1, TenantState::Active).await;
    let (same, lamp) = (named(&world, "KX-4500 Kettle by Potter"), named(&world, "Desk Lamp"));
    for product in [&same, &lamp] {
        world.tell_product(product).await;
    }
    world.until_found("kettle", 3).await;
    let elsewhere = async |product: &ProductSnapshot| {
        let request = ListSameProductsRequest { product_id: product.product_id.clone(), least_certainty: Some(0.0), ..Default::default() };
        let found = world.client().list_same_products(world.market.nobody().request(request)).await.unwrap().into_inner().products;
        found.into_iter().filter_map(|same| same.hit).map(|hit| hit.product_id).collect::<Vec<_>>()
    };
    assert_eq!(elsewhere(&kettle).await, std::slice::from_ref(&same.product_id));
    assert_eq!(elsewhere(&same).await, std::slice::from_ref(&kettle.product_id));
    assert!(elsewhere(&smaller).await.is_empty(), "the other shop's is more like the larger one");
    assert!(elsewhere(&lamp).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_and_a_rebuild_lose_nothing() {
    let world = World::begin().await;
    let first = world.mug();
    world.tell_product(&first).await;
    world.until_found("mug", 1).await;
    let World { market, tenant } = world;
    let world = World { market: market.restarted().await, tenant };
    assert_eq!(world.find("mug").await.total, 1, "the index is there at once");
    world.tell_product(&world.mug()).await;
    world.until_found("mug", 2).await;
    world.client().reindex(world.market.operator(&["search.write"]).request(ReindexRequest {})).await.unwrap();
    for _ in 0..20 {
        assert_eq!(world.find("mug").await.total, 2, "a rebuild is not seen");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    world.tell_removed(&first).await;
    world.until_found("mug", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sold_most_stands_first_where_that_is_asked_for() {
    let world = World::begin().await;
    let mugs = [world.mug(), world.mug(), world.mug()];
    for mug in &mugs {
        world.tell_product(mug).await;
    }
    world.until("all are listed", async || world.find("mug").await.total == 3).await;
    world.tell_sold(&mugs[1], 2).await;
    world.tell_sold(&mugs[2], 7).await;
    world.tell_sold(&mugs[1], 4).await;
    let order = [&mugs[2], &mugs[1], &mugs[0]].map(|mug| mug.product_id.clone());
    let popular = SearchRequest { sort: SortOrder::Popular.into(), ..Default::default() };
    let sorted = async || world.search(popular.clone()).await.hits.into_iter().map(|hit| hit.product_id).collect::<Vec<_>>();
    world.until("the most sold first", async || sorted().await == order).await;
    let explained = SearchRequest { query: "mug".to_owned(), explain: true, ..Default::default() };
    let first = world.search(explained).await.hits.remove(0);
    assert_eq!(first.product_id, order[0]);
    assert!(first.explanation.iter().any(|part| part.name == "popularity" && part.value > 1.0), "{:?}", first.explanation);
}

//! What every handler holds: the clients, the settings, and the few things all pages show.

use std::convert::Infallible;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use api_admin::admin_client::AdminClient;
use api_analytics::analytics_client::AnalyticsClient;
use api_cart::cart_client::CartClient;
use api_catalog::catalog_client::CatalogClient;
use api_fulfillment::fulfillment_client::FulfillmentClient;
use api_identity::identity_client::IdentityClient;
use api_inventory::inventory_client::InventoryClient;
use api_notifications::notifications_client::NotificationsClient;
use api_orders::orders_client::OrdersClient;
use api_payments::payments_client::PaymentsClient;
use api_recommendations::recommendations_client::RecommendationsClient;
use api_search::search_client::SearchClient;
use api_tenants::tenants_client::TenantsClient;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt};
use kit_core::{Clock, Currency, Ids};
use kit_rpc::{Ctx, Link, Links};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::buyer::Followed;
use crate::visit::NavCategory;

/// Section `[web]` of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where browsers reach the market, without a slash at the end. `https` makes every cookie `Secure`.
    pub public_url: String,
    /// Days that a session cookie is kept; the session itself ends when identity says so.
    pub session_days: u32,
    /// The currency in which buyers filter by price.
    pub currency: Currency,
    /// The largest form a page takes, in bytes; files go up to `max_upload_bytes`.
    pub max_form_bytes: usize,
    pub max_upload_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            public_url: "http://127.0.0.1:8080".to_owned(),
            session_days: 60,
            currency: Currency::USD,
            max_form_bytes: 256 * 1024,
            max_upload_bytes: 200 * 1024 * 1024,
        }
    }
}

impl Settings {
    pub(crate) fn secure(&self) -> bool {
        self.public_url.starts_with("https://")
    }
}

/// How long the category strip may be out of date.
const NAV_FRESH: Duration = Duration::from_secs(60);
/// Categories in the strip under the header.
const NAV_CATEGORIES: u32 = 30;

type Nav = (Option<Instant>, Arc<Vec<NavCategory>>);

pub(crate) struct Site {
    pub(crate) settings: Settings,
    pub(crate) public_url: Arc<str>,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) identity: IdentityClient<Link>,
    pub(crate) tenants: TenantsClient<Link>,
    pub(crate) catalog: CatalogClient<Link>,
    pub(crate) inventory: InventoryClient<Link>,
    pub(crate) search: SearchClient<Link>,
    pub(crate) analytics: AnalyticsClient<Link>,
    pub(crate) recommendations: RecommendationsClient<Link>,
    pub(crate) cart: CartClient<Link>,
    pub(crate) orders: OrdersClient<Link>,
    pub(crate) payments: PaymentsClient<Link>,
    pub(crate) fulfillment: FulfillmentClient<Link>,
    pub(crate) notifications: NotificationsClient<Link>,
    pub(crate) admin: AdminClient<Link>,
    nav: RwLock<Nav>,
    pub(crate) followed: Followed,
    /// Cancelled when the process drains.
    stop: CancellationToken,
}

/// What handlers take: `State(site): State<Web>`.
pub(crate) type Web = Arc<Site>;

impl Site {
    pub(crate) fn new(settings: Settings, links: &Links, clock: Clock, ids: Ids, stop: CancellationToken) -> anyhow::Result<Self> {
        let large = settings.max_upload_bytes.saturating_mul(2);
        let public_url = settings.public_url.trim_end_matches('/').into();
        Ok(Self {
            settings,
            public_url,
            clock,
            ids,
            identity: IdentityClient::new(links.to("identity")?),
            tenants: TenantsClient::new(links.to("tenants")?),
            catalog: CatalogClient::new(links.to("catalog")?).max_decoding_message_size(large).max_encoding_message_size(large),
            inventory: InventoryClient::new(links.to("inventory")?),
            search: SearchClient::new(links.to("search")?),
            analytics: AnalyticsClient::new(links.to("analytics")?),
            recommendations: RecommendationsClient::new(links.to("recommendations")?),
            cart: CartClient::new(links.to("cart")?),
            orders: OrdersClient::new(links.to("orders")?),
            payments: PaymentsClient::new(links.to("payments")?),
            fulfillment: FulfillmentClient::new(links.to("fulfillment")?),
            notifications: NotificationsClient::new(links.to("notifications")?),
            admin: AdminClient::new(links.to("admin")?),
            nav: RwLock::new((None, Arc::default())),
            followed: Followed::default(),
            stop,
        })
    }

    /// Server-sent events for an open page, until they end or the process drains; the browser comes back by itself.
    pub(crate) fn live(&self, events: impl Stream<Item = Event> + Send + 'static) -> Response {
        let events = events.take_until(self.stop.clone().cancelled_owned()).map(Ok::<_, Infallible>);
        Sse::new(events).keep_alive(KeepAlive::default()).into_response()
    }

    /// The top categories. One request a minute fetches them; the others, and all when the catalog is away, show what is known.
    pub(crate) async fn categories(&self, ctx: &Ctx) -> Arc<Vec<NavCategory>> {
        let (read_at, known) = self.nav.read().unwrap_or_else(PoisonError::into_inner).clone();
        if read_at.is_some_and(|at| at.elapsed() < NAV_FRESH) {
            return known;
        }
        // Claimed before asking, so that a crowd does not ask at once.
        self.nav.write().unwrap_or_else(PoisonError::into_inner).0 = Some(Instant::now());
        let request = api_catalog::ListCategoriesRequest { limit: NAV_CATEGORIES, ..Default::default() };
        let Ok(answer) = self.catalog.clone().list_categories(ctx.request(request)).await else {
            // Nothing known yet: ask again soon.
            if known.is_empty() {
                self.nav.write().unwrap_or_else(PoisonError::into_inner).0 = None;
            }
            return known;
        };
        let categories = answer.into_inner().categories.into_iter().map(|category| NavCategory { id: category.category_id, name: category.name });
        let fresh = Arc::new(categories.collect::<Vec<_>>());
        let stamp = (!fresh.is_empty()).then(Instant::now);
        *self.nav.write().unwrap_or_else(PoisonError::into_inner) = (stamp, Arc::clone(&fresh));
        fresh
    }
}

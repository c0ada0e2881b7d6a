//! The service: what its flows share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use api_cart::cart_client::CartClient;
use api_catalog::catalog_client::CatalogClient;
use api_fulfillment::fulfillment_client::FulfillmentClient;
use api_identity::identity_client::IdentityClient;
use api_inventory::inventory_client::InventoryClient;
use api_orders::CheckoutId;
use api_payments::payments_client::PaymentsClient;
use api_tenants::tenants_client::TenantsClient;
use api_tenants::{GetTermsRequest, Terms};
use kit_core::{Clock, Ids, TenantId, Time, UserId};
use kit_db::{Batch, Db, Limits};
use kit_module::Start;
use kit_rpc::{Ctx, Link};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::error::Error;
use crate::flows::checkout;
use crate::flows::place::{NewEntry, insert_all};
use crate::saga::drive::{Advance, advance_all};
use crate::store::OrderRow;
use crate::store::checkouts::CheckoutRow;

/// Clients of the services that orders calls.
#[derive(Clone)]
pub(crate) struct Callees {
    pub(crate) cart: CartClient<Link>,
    pub(crate) catalog: CatalogClient<Link>,
    pub(crate) inventory: InventoryClient<Link>,
    pub(crate) fulfillment: FulfillmentClient<Link>,
    pub(crate) payments: PaymentsClient<Link>,
    pub(crate) tenants: TenantsClient<Link>,
    pub(crate) identity: IdentityClient<Link>,
}

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Orders {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) config: Arc<Config>,
    pub(crate) callees: Callees,
    pub(crate) public_url: Arc<str>,
    /// New checkouts, and those about to be placed, many in one transaction.
    pub(crate) checkout_inserts: Batch<(CheckoutRow, Time), (), Error>,
    pub(crate) checkout_reads: Batch<(UserId, CheckoutId), CheckoutRow, Error>,
    /// New orders, many in one transaction.
    pub(crate) inserts: Batch<NewEntry, bool, Error>,
    /// Steps of sagas, many in one transaction.
    pub(crate) advances: Batch<Advance, OrderRow, Error>,
    /// Cancelled when the process drains: streams end.
    pub(crate) stop: CancellationToken,
    terms: Arc<Mutex<BTreeMap<TenantId, (Instant, Terms)>>>,
}

impl Orders {
    pub(crate) fn new(start: &Start) -> anyhow::Result<Self> {
        let config: Config = start.config()?;
        let to = |service: &str| start.links.to(service);
        let callees = Callees {
            cart: CartClient::new(to("cart")?),
            catalog: CatalogClient::new(to("catalog")?),
            inventory: InventoryClient::new(to("inventory")?),
            fulfillment: FulfillmentClient::new(to("fulfillment")?),
            payments: PaymentsClient::new(to("payments")?),
            tenants: TenantsClient::new(to("tenants")?),
            identity: IdentityClient::new(to("identity")?),
        };
        let lease = chrono::Duration::seconds(i64::from(config.lease_seconds));
        let checkout_inserts = {
            let db = start.db.clone();
            Batch::start(Limits::new("checkout_inserts", config.batch_orders), move |rows| Box::pin(checkout::insert_all(db.clone(), rows)))
        };
        let checkout_reads = {
            let db = start.db.clone();
            Batch::start(Limits::new("checkout_reads", config.batch_orders), move |wanted| Box::pin(checkout::read_all(db.clone(), wanted)))
        };
        let inserts = {
            let db = start.db.clone();
            Batch::start(Limits::new("orders_insert", config.batch_orders), move |entries| Box::pin(insert_all(db.clone(), entries)))
        };
        let advances = {
            let (db, clock) = (start.db.clone(), start.clock.clone());
            Batch::start(Limits::new("orders_advance", config.batch_orders), move |steps| {
                Box::pin(advance_all(db.clone(), clock.clone(), lease, steps))
            })
        };
        Ok(Self {
            db: start.db.clone(),
            clock: start.clock.clone(),
            ids: start.ids.clone(),
            config: Arc::new(config),
            callees,
            public_url: start.public_url.as_str().into(),
            checkout_inserts,
            checkout_reads,
            inserts,
            advances,
            stop: start.stop.clone(),
            terms: Arc::default(),
        })
    }

    pub(crate) fn lease(&self) -> chrono::Duration {
        chrono::Duration::seconds(i64::from(self.config.lease_seconds))
    }

    /// The service's own authority for one call, with a deadline of its own: a step that has begun is not cut short because the
    /// buyer's request was.
    pub(crate) fn own(&self, ctx: &Ctx) -> Ctx {
        let deadline = Instant::now() + Duration::from_secs(u64::from(self.config.call_seconds));
        Ctx { deadline: Some(deadline), ..ctx.as_service("orders") }
    }

    /// The terms of tenants, remembered for some seconds.
    pub(crate) async fn terms(&self, ctx: &Ctx, tenants: &[TenantId]) -> Result<BTreeMap<TenantId, Terms>, Error> {
        let limit = Duration::from_secs(u64::from(self.config.terms_seconds));
        let mut found = BTreeMap::new();
        {
            let known = self.terms.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            for tenant in tenants {
                if let Some((_, terms)) = known.get(tenant).filter(|(at, _)| at.elapsed() < limit) {
                    found.insert(*tenant, terms.clone());
                }
            }
        }
        let unknown: Vec<String> = tenants.iter().filter(|tenant| !found.contains_key(tenant)).map(ToString::to_string).collect();
        if unknown.is_empty() {
            return Ok(found);
        }
        let request = ctx.as_service("orders").request(GetTermsRequest { tenant_ids: unknown });
        let answer = self.callees.tenants.clone().get_terms(request).await?.into_inner();
        let mut known = self.terms.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.retain(|_, (at, _)| at.elapsed() < limit);
        for terms in answer.terms {
            if let Ok(tenant) = terms.tenant_id.parse::<TenantId>() {
                known.insert(tenant, (Instant::now(), terms.clone()));
                found.insert(tenant, terms);
            }
        }
        Ok(found)
    }
}

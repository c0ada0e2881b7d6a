//! The service: what its flows share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use api_catalog::catalog_client::CatalogClient;
use api_fulfillment::fulfillment_client::FulfillmentClient;
use api_inventory::inventory_client::InventoryClient;
use api_tenants::tenants_client::TenantsClient;
use api_tenants::{GetTermsRequest, Terms};
use kit_core::{Clock, TenantId, UserId};
use kit_db::{Batch, Db, DbError, Limits};
use kit_module::Start;
use kit_rpc::{Ctx, Link};

use crate::adding::{self, Added, Adding};
use crate::config::Config;
use crate::error::Error;
use crate::flows;
use crate::model::Line;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Cart {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) config: Arc<Config>,
    pub(crate) catalog: CatalogClient<Link>,
    pub(crate) inventory: InventoryClient<Link>,
    pub(crate) fulfillment: FulfillmentClient<Link>,
    /// Things put into carts, many in one transaction.
    pub(crate) adds: Batch<Adding, Added, DbError>,
    /// Carts read at checkout, many in one transaction.
    pub(crate) reads: Batch<UserId, Vec<Line>, DbError>,
    tenants: TenantsClient<Link>,
    stores: Arc<Mutex<HashMap<TenantId, (Instant, Terms)>>>,
}

impl Cart {
    pub(crate) fn new(start: &Start) -> anyhow::Result<Self> {
        let config: Config = start.config()?;
        let adds = {
            let (db, max_lines) = (start.db.clone(), config.max_lines);
            Batch::start(Limits::new("cart_adds", config.batch_carts), move |adding| Box::pin(adding::add_all(db.clone(), max_lines, adding)))
        };
        let reads = {
            let db = start.db.clone();
            Batch::start(Limits::new("cart_reads", config.batch_carts), move |buyers| Box::pin(flows::read_all(db.clone(), buyers)))
        };
        Ok(Self {
            db: start.db.clone(),
            clock: start.clock.clone(),
            config: Arc::new(config),
            adds,
            reads,
            catalog: CatalogClient::new(start.links.to("catalog")?),
            inventory: InventoryClient::new(start.links.to("inventory")?),
            fulfillment: FulfillmentClient::new(start.links.to("fulfillment")?),
            tenants: TenantsClient::new(start.links.to("tenants")?),
            stores: Arc::default(),
        })
    }

    /// Names and states of stores, remembered for some seconds.
    pub(crate) async fn stores(&self, ctx: &Ctx, tenants: &[TenantId]) -> Result<HashMap<TenantId, Terms>, Error> {
        let limit = Duration::from_secs(u64::from(self.config.stores_seconds));
        let mut found = HashMap::new();
        {
            let known = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
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
        let request = ctx.as_service("cart").request(GetTermsRequest { tenant_ids: unknown });
        let answer = self.tenants.clone().get_terms(request).await?.into_inner();
        let mut known = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
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

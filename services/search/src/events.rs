//! What is heard: products from the catalog, stock from the inventory, sales from the orders, stores from the tenants. Each event changes the listings in
//! the transaction that moves the cursor; versions and revisions make late and repeated ones change nothing.

use std::collections::BTreeMap;

use api_catalog::{CatalogEvent, ProductChanged, ProductId, ProductSnapshot, catalog_event};
use api_inventory::{InventoryEvent, inventory_event};
use api_orders::{OrderEvent, SubOrderId, order_event};
use api_search::{SearchEvent, search_event};
use api_tenants::{Tenant, TenantState, TenantsEvent, tenants_event};
use kit_core::{TenantId, Time};
use kit_db::{Event, LoggedEvent};
use prost::Message;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::model::{Stock, Store};
use crate::store;

/// An event of this service's log.
pub(crate) fn event(key: Uuid, body: search_event::Body) -> Event {
    let kind = match body {
        search_event::Body::SynonymsChanged(_) => "synonyms_changed",
        search_event::Body::ReindexStarted(_) => "reindex_started",
    };
    Event { key, tenant: None, kind, payload: SearchEvent { body: Some(body) }.encode_to_vec(), change: None }
}

/// What a run of events says last of a product.
enum Last {
    Changed(TenantId, Box<ProductSnapshot>),
    Removed(i32),
}

impl Last {
    fn version(&self) -> i32 {
        match self {
            Self::Changed(_, snapshot) => snapshot.version,
            Self::Removed(version) => *version,
        }
    }
}

pub(crate) async fn hear_catalog(db: &mut PgConnection, events: Vec<LoggedEvent>, now: Time) -> Result<(), Error> {
    let mut last: BTreeMap<ProductId, Last> = BTreeMap::new();
    for event in events {
        let told: CatalogEvent = event.decode().map_err(unreadable)?;
        let (product, told) = match told.body {
            Some(catalog_event::Body::ProductChanged(ProductChanged { product: Some(product) })) => {
                let tenant = product.tenant_id.parse().map_err(unreadable)?;
                (product.product_id.parse().map_err(unreadable)?, Last::Changed(tenant, Box::new(product)))
            }
            Some(catalog_event::Body::ProductRemoved(removed)) => (removed.product_id.parse().map_err(unreadable)?, Last::Removed(removed.version)),
            Some(
                catalog_event::Body::ProductChanged(ProductChanged { product: None })
                | catalog_event::Body::ImportFinished(_)
                | catalog_event::Body::CategoriesChanged(_)
                | catalog_event::Body::PolicyChanged(_),
            )
            | None => continue,
        };
        if last.get(&product).is_none_or(|before| before.version() <= told.version()) {
            last.insert(product, told);
        }
    }
    let mut changed = Vec::new();
    let mut removed = Vec::new();
    for (product, told) in &last {
        match told {
            Last::Changed(tenant, snapshot) => changed.push((*tenant, *product, &**snapshot)),
            Last::Removed(version) => removed.push((*product, *version)),
        }
    }
    if !changed.is_empty() {
        store::put_products(db, &changed, now).await?;
    }
    if !removed.is_empty() {
        store::remove_products(db, &removed, now).await?;
    }
    Ok(())
}

pub(crate) async fn hear_inventory(db: &mut PgConnection, events: Vec<LoggedEvent>) -> Result<(), Error> {
    let mut newest = store::ToldStock::new();
    for event in events {
        let told: InventoryEvent = event.decode().map_err(unreadable)?;
        let changed = match told.body {
            Some(inventory_event::Body::StockChanged(changed)) => changed,
            Some(
                inventory_event::Body::StockRanLow(_) | inventory_event::Body::ReservationExpired(_) | inventory_event::Body::WarehouseChanged(_),
            )
            | None => continue,
        };
        let key = (changed.tenant_id.parse().map_err(unreadable)?, changed.variant_id.parse().map_err(unreadable)?);
        let stock = Stock { available: changed.available, low_at: changed.low_at };
        if newest.get(&key).is_none_or(|(revision, _)| *revision < changed.revision) {
            newest.insert(key, (changed.revision, stock));
        }
    }
    if newest.is_empty() { Ok(()) } else { store::put_stocks(db, &newest).await }
}

/// Most of what orders tell is not about sales, and need not be read to know it.
const SOLD: &str = "sub_order_confirmed";

pub(crate) async fn hear_orders(db: &mut PgConnection, events: Vec<LoggedEvent>) -> Result<(), Error> {
    let mut sold = Vec::new();
    for event in events.iter().filter(|event| event.kind == SOLD) {
        let told: OrderEvent = event.decode().map_err(unreadable)?;
        let Some(order_event::Body::SubOrderConfirmed(told)) = told.body else { continue };
        let part = told.sub_order.unwrap_or_default();
        let sub_order: SubOrderId = part.sub_order_id.parse().map_err(unreadable)?;
        for item in part.items {
            let product: ProductId = item.product_id.parse().map_err(unreadable)?;
            sold.push((sub_order, product, i64::from(item.quantity)));
        }
    }
    if sold.is_empty() { Ok(()) } else { store::add_sold(db, &sold).await }
}

pub(crate) async fn hear_tenants(db: &mut PgConnection, event: LoggedEvent) -> Result<(), Error> {
    let told: TenantsEvent = event.decode().map_err(unreadable)?;
    let Some(tenant) = told.body.and_then(tenant_of) else { return Ok(()) };
    let open = tenant.state() == TenantState::Active;
    let id = tenant.tenant_id.parse().map_err(unreadable)?;
    let named = tenant.store.unwrap_or_default();
    store::put_store(db, id, &Store { name: named.name, slug: named.slug, open }, tenant.version).await
}

/// The tenant as it is after the event; none when the event is about its staff.
fn tenant_of(body: tenants_event::Body) -> Option<Tenant> {
    use tenants_event::Body;
    match body {
        Body::TenantApplied(told) => told.tenant,
        Body::TenantReviewStarted(told) => told.tenant,
        Body::TenantApproved(told) => told.tenant,
        Body::TenantRejected(told) => told.tenant,
        Body::TenantSuspended(told) => told.tenant,
        Body::TenantReactivated(told) => told.tenant,
        Body::TenantClosed(told) => told.tenant,
        Body::TenantPlanChanged(told) => told.tenant,
        Body::TenantPlaced(told) => told.tenant,
        Body::StoreUpdated(told) => told.tenant,
        Body::StaffInvited(_) | Body::InviteWithdrawn(_) | Body::StaffJoined(_) | Body::StaffRoleChanged(_) | Body::StaffRevoked(_) => None,
    }
}

fn unreadable(error: impl std::fmt::Display) -> Error {
    Error::Unreadable(error.to_string())
}

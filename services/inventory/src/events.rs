//! What this service tells, and what it hears: the catalog's names for variants.

use api_catalog::{CatalogEvent, ProductId, catalog_event};
use api_inventory::{InventoryEvent, inventory_event};
use kit_core::TenantId;
use kit_db::{Event, LoggedEvent};
use prost::Message;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::flows::Inventory;
use crate::labels;

/// An event of this service's log.
pub(crate) fn event(key: Uuid, tenant: Option<TenantId>, body: inventory_event::Body) -> Event {
    let kind = match body {
        inventory_event::Body::StockChanged(_) => "stock_changed",
        inventory_event::Body::StockRanLow(_) => "stock_ran_low",
        inventory_event::Body::ReservationExpired(_) => "reservation_expired",
        inventory_event::Body::WarehouseChanged(_) => "warehouse_changed",
    };
    Event { key, tenant, kind, payload: InventoryEvent { body: Some(body) }.encode_to_vec(), change: None }
}

impl Inventory {
    /// Applies one event of the catalog. Labels live beside the stock, so those of a tenant in a cell of its own are written there;
    /// that may happen twice, and the product's version makes the second time change nothing.
    pub(crate) async fn hear_catalog(&self, home: &mut PgConnection, event: LoggedEvent) -> Result<(), Error> {
        let told: CatalogEvent = event.decode().map_err(|error| Error::Unreadable(error.to_string()))?;
        let Some(tenant) = event.tenant else { return Ok(()) };
        if self.db.cell_of(tenant).await?.name() == self.db.home().name() {
            return apply(home, told).await;
        }
        let mut tx = self.db.begin_for(tenant).await?;
        apply(&mut tx, told).await?;
        tx.commit().await?;
        Ok(())
    }
}

async fn apply(db: &mut PgConnection, told: CatalogEvent) -> Result<(), Error> {
    match told.body {
        Some(catalog_event::Body::ProductChanged(changed)) => match changed.product {
            Some(product) => labels::take_over(db, &product).await,
            None => Ok(()),
        },
        Some(catalog_event::Body::ProductRemoved(removed)) => {
            let unreadable = |_| Error::Unreadable("an id in product_removed".to_owned());
            let tenant: TenantId = removed.tenant_id.parse().map_err(unreadable)?;
            let product: ProductId = removed.product_id.parse().map_err(unreadable)?;
            labels::remove(db, tenant, product, removed.version).await
        }
        Some(catalog_event::Body::ImportFinished(_) | catalog_event::Body::CategoriesChanged(_) | catalog_event::Body::PolicyChanged(_)) | None => Ok(()),
    }
}

//! What this service tells, and what it hears: the catalog's names for variants.

use std::collections::BTreeMap;

use api_catalog::{CatalogEvent, ProductChanged, ProductId, ProductSnapshot, catalog_event};
use api_inventory::{InventoryEvent, inventory_event};
use kit_core::TenantId;
use kit_db::{Cell, Event, LoggedEvent, Scope};
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

/// What a run of the catalog's events says last of each product of one cell.
#[derive(Default)]
struct Heard {
    changed: BTreeMap<ProductId, (TenantId, ProductSnapshot)>,
    removed: BTreeMap<ProductId, (TenantId, i32)>,
}

impl Inventory {
    /// Applies a run of the catalog's events. Labels live beside the stock, so those of a tenant in a cell of its own are written there;
    /// that may happen twice, and the product's version makes the second time change nothing.
    pub(crate) async fn hear_catalog(&self, home: &mut PgConnection, events: Vec<LoggedEvent>) -> Result<(), Error> {
        let mut by_cell: BTreeMap<String, (Cell, Heard)> = BTreeMap::new();
        for event in events {
            let told: CatalogEvent = event.decode().map_err(unreadable)?;
            let Some(tenant) = event.tenant else { continue };
            let cell = self.db.cell_of(tenant).await?;
            by_cell.entry(cell.name().to_owned()).or_insert_with(|| (cell, Heard::default())).1.add(tenant, told)?;
        }
        for (name, (cell, heard)) in by_cell {
            if name == self.db.home().name() {
                heard.apply(home).await?;
            } else {
                let mut tx = cell.begin(&Scope::Platform).await?;
                heard.apply(&mut tx).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }
}

impl Heard {
    fn add(&mut self, tenant: TenantId, told: CatalogEvent) -> Result<(), Error> {
        match told.body {
            Some(catalog_event::Body::ProductChanged(ProductChanged { product: Some(product) })) => {
                let id: ProductId = product.product_id.parse().map_err(unreadable)?;
                if self.changed.get(&id).is_none_or(|(_, before)| before.version <= product.version) {
                    self.changed.insert(id, (tenant, product));
                }
            }
            Some(catalog_event::Body::ProductRemoved(removed)) => {
                self.removed.insert(removed.product_id.parse().map_err(unreadable)?, (tenant, removed.version));
            }
            Some(
                catalog_event::Body::ProductChanged(ProductChanged { product: None })
                | catalog_event::Body::ImportFinished(_)
                | catalog_event::Body::CategoriesChanged(_)
                | catalog_event::Body::PolicyChanged(_),
            )
            | None => {}
        }
        Ok(())
    }

    async fn apply(self, db: &mut PgConnection) -> Result<(), Error> {
        if !self.changed.is_empty() {
            labels::take_over(db, &self.changed).await?;
        }
        for (product, (tenant, version)) in self.removed {
            labels::remove(db, tenant, product, version).await?;
        }
        Ok(())
    }
}

fn unreadable(error: impl std::fmt::Display) -> Error {
    Error::Unreadable(error.to_string())
}

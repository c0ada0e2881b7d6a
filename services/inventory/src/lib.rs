//! Stock: how many pieces of each variant are in each warehouse, who holds them, and every movement as a journal entry.
//!
//! What must stay true: no count is ever below zero; no piece is held or sold twice; what is reserved is what open holds hold; the
//! journal of each stock row is one unbroken chain whose end is the row.

mod config;
mod error;
mod events;
mod flows;
mod jobs;
mod labels;
mod model;
mod rpc;
mod store;

use std::time::Duration;

use api_inventory::inventory_server::InventoryServer;
use futures::FutureExt;
use kit_module::{Module, Service, Start};

use config::Config;
use flows::Inventory;
use rpc::Rpc;

pub const MODULE: Module = Module {
    name: "inventory",
    calls: &[],
    hears: &["catalog"],
    in_cells: true,
    migrations: &[("0001_inventory.sql", include_str!("../migrations/0001_inventory.sql"))],
    descriptors: api_inventory::DESCRIPTORS,
    check: kit_module::reads::<config::Config>,
    start: |start| start_service(start).boxed(),
};

const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn start_service(mut start: Start) -> anyhow::Result<Service> {
    let config: Config = start.config()?;
    let expire_every = Duration::from_secs(config.expire_every_seconds.max(1));
    let inventory = Inventory::new(start.db.clone(), start.clock.clone(), start.ids.clone(), config, start.stop.clone());
    let hearing = inventory.clone();
    start.follow_batch("catalog", move |db, events| {
        let inventory = hearing.clone();
        async move { inventory.hear_catalog(db, events).await }.boxed()
    });
    let expiring = inventory.clone();
    start.every("expire_holds", expire_every, move || {
        let inventory = expiring.clone();
        async move { Ok(inventory.expire_holds().await?) }.boxed()
    });
    let forgetting = inventory.clone();
    start.every("forget_closed_holds", A_DAY, move || {
        let inventory = forgetting.clone();
        async move { Ok(inventory.forget_closed_holds().await?) }.boxed()
    });
    Ok(start.serve(InventoryServer::new(Rpc(inventory))))
}

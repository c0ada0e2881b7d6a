//! What sellers offer: the operator's category tree, products with variants and history, media, bulk import and export.
//!
//! What must stay true: a SKU belongs to one product of its tenant; every change of a product is a version and an event, in the
//! transaction of the change, and no change is neither; of every file, created + updated + unchanged + rejected = its rows.

mod config;
mod error;
mod feed;
mod flows;
mod model;
mod rpc;
mod store;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use api_catalog::catalog_server::CatalogServer;
use futures::FutureExt;
use kit_module::{Module, Service, Start};

use config::Config;
use flows::Catalog;
use rpc::Rpc;

pub const MODULE: Module = Module {
    name: "catalog",
    calls: &["inventory", "tenants"],
    hears: &[],
    in_cells: true,
    migrations: &[("0001_catalog.sql", include_str!("../migrations/0001_catalog.sql"))],
    descriptors: api_catalog::DESCRIPTORS,
    check: kit_module::reads::<config::Config>,
    start: |start| start_service(start).boxed(),
};

/// Room for a message around the largest upload.
const MESSAGE_OVERHEAD_BYTES: usize = 1 << 20;

async fn start_service(mut start: Start) -> anyhow::Result<Service> {
    let config: Config = start.config()?;
    let largest_message = config.upload_bytes.max(config.file_bytes).max(config.image_bytes) + MESSAGE_OVERHEAD_BYTES;
    let run_imports_every = Duration::from_secs(config.import_every_seconds.max(1));
    let catalog = Arc::new(Catalog::new(&start, config)?);
    catalog.plant_built_in_tree().await.context("planting the built-in category tree")?;
    let importing = catalog.clone();
    start.every(flows::imports::JOB, run_imports_every, move || {
        let catalog = importing.clone();
        async move { catalog.run_imports().await }.boxed()
    });
    Ok(start.serve(CatalogServer::new(Rpc(catalog)).max_decoding_message_size(largest_message)))
}

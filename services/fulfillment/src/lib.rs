//! How sellers ship: methods and prices, fulfillment orders, shipments and tracking. See README.md for what must stay true.

mod config;
mod error;
mod events;
mod flows;
mod model;
mod rpc;
mod service;
mod slip;
mod store;
mod view;

use api_fulfillment::fulfillment_server::FulfillmentServer;
use futures::future::BoxFuture;
use kit_module::{Module, Service, Start};

use crate::service::Fulfillment;

pub const MODULE: Module = Module {
    name: "fulfillment",
    calls: &[],
    hears: &["orders", "tenants"],
    in_cells: true,
    migrations: &[
        ("0001_fulfillment.sql", include_str!("../migrations/0001_fulfillment.sql")),
        ("0002_cuts.sql", include_str!("../migrations/0002_cuts.sql")),
    ],
    descriptors: api_fulfillment::DESCRIPTORS,
    check: kit_module::reads::<config::Config>,
    start,
};

fn start(mut start: Start) -> BoxFuture<'static, anyhow::Result<Service>> {
    Box::pin(async move {
        let fulfillment = Fulfillment::new(&start)?;
        let heard = fulfillment.clone();
        start.follow_batch("orders", move |_db, events| Box::pin(events::on_orders(heard.clone(), events)));
        let heard = fulfillment.clone();
        start.follow("tenants", move |_db, event| Box::pin(events::on_tenants(heard.clone(), event)));
        Ok(start.serve(FulfillmentServer::new(fulfillment)))
    })
}

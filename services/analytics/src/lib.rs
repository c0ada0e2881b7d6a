//! What people did, recorded with their consent and under a pseudonym. See README.md for what must stay true.

mod config;
mod error;
mod events;
mod flows;
mod model;
mod rpc;
mod store;

use api_analytics::analytics_server::AnalyticsServer;
use futures::FutureExt;
use kit_module::{Module, Service, Start};

use crate::flows::Analytics;

pub const MODULE: Module = Module {
    name: "analytics",
    calls: &[],
    hears: &["identity", "orders"],
    in_cells: false,
    migrations: &[("0001_analytics.sql", include_str!("../migrations/0001_analytics.sql"))],
    descriptors: api_analytics::DESCRIPTORS,
    check: kit_module::reads::<config::Config>,
    start: |start| start_service(start).boxed(),
};

async fn start_service(mut start: Start) -> anyhow::Result<Service> {
    let analytics = Analytics::open(&start).await?;
    start.follow("identity", |db, event| events::hear_identity(db, event).boxed());
    let (pepper, clock) = (analytics.pepper.clone(), analytics.clock.clone());
    start.follow("orders", move |db, event| {
        let (pepper, now) = (pepper.clone(), clock.now());
        async move { events::hear_orders(db, &pepper, event, now).await }.boxed()
    });
    Ok(start.serve(AnalyticsServer::new(rpc::Rpc(analytics))))
}

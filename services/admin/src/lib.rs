//! The admin service: the audit log of the market, and how its services are doing.
//!
//! What must stay true: everything that is in a service's log gets into the audit log, once; no entry of the audit log changes or
//! goes missing unseen.

mod config;
mod error;
mod flows;
mod model;
mod rpc;
mod store;

use std::sync::Arc;

use api_admin::admin_server::AdminServer;
use futures::FutureExt;
use kit_module::{Module, Service, Start};
use kit_rpc::proto::upkeep_client::UpkeepClient;

use crate::flows::Admin;

/// Every other service of the market.
const OTHERS: &[&str] = &[
    "identity",
    "tenants",
    "catalog",
    "inventory",
    "search",
    "analytics",
    "recommendations",
    "cart",
    "orders",
    "payments",
    "fulfillment",
    "notifications",
];
/// Those whose events are acts to answer for: all of them and admin itself, but not analytics, whose log is what visitors looked at.
const HEARD: &[&str] = &[
    "admin",
    "identity",
    "tenants",
    "catalog",
    "inventory",
    "search",
    "recommendations",
    "cart",
    "orders",
    "payments",
    "fulfillment",
    "notifications",
];

pub const MODULE: Module = Module {
    name: "admin",
    calls: OTHERS,
    hears: HEARD,
    in_cells: false,
    migrations: &[("0001_audit.sql", include_str!("../migrations/0001_audit.sql"))],
    descriptors: api_admin::DESCRIPTORS,
    check: kit_module::reads::<config::Config>,
    start: |start| start_service(start).boxed(),
};

async fn start_service(mut start: Start) -> anyhow::Result<Service> {
    let services = OTHERS.iter().chain(&["admin"]).map(|service| Ok((*service, UpkeepClient::new(start.links.to(service)?))));
    let services = services.collect::<anyhow::Result<_>>()?;
    let admin = Arc::new(Admin { db: start.db.clone(), clock: start.clock.clone(), ids: start.ids.clone(), config: start.config()?, services });
    for source in HEARD {
        let admin = Arc::clone(&admin);
        start.follow_batch(source, move |db, events| {
            let admin = Arc::clone(&admin);
            async move { admin.record(db, &events).await }.boxed()
        });
    }
    Ok(start.serve(AdminServer::new(rpc::Rpc(admin))))
}

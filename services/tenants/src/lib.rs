//! The tenants service: sellers' businesses, their stores, staff and plans, and where their data lives.
//!
//! What must stay true: a tenant sells only while it is active; every store has somebody to run it; whoever works for a tenant
//! here has that role in identity, at the latest when `tell_identity` has run; a tenant's cell does not change once it has data.

mod config;
mod error;
mod events;
mod flows;
mod model;
mod rpc;
mod store;
mod token;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use api_identity::identity_client::IdentityClient;
use api_tenants::tenants_server::TenantsServer;
use futures::FutureExt;
use kit_module::{Module, Service, Start};
use kit_rpc::Ctx;

use crate::config::Config;
use crate::flows::Tenants;

pub const MODULE: Module = Module {
    name: "tenants",
    calls: &["identity"],
    hears: &[],
    in_cells: false,
    migrations: &[("0001_tenants.sql", include_str!("../migrations/0001_tenants.sql"))],
    descriptors: api_tenants::DESCRIPTORS,
    check: |section| kit_module::read::<Config>(section)?.checked().map(drop),
    start: |start| start_service(start).boxed(),
};

async fn start_service(mut start: Start) -> anyhow::Result<Service> {
    let config = start.config::<Config>()?.checked()?;
    let again = Duration::from_secs(u64::from(config.tell_identity_every_seconds));
    let tenants = Arc::new(Tenants {
        db: start.db.clone(),
        clock: start.clock.clone(),
        ids: start.ids.clone(),
        identity: IdentityClient::new(start.links.to("identity")?),
        config,
    });
    let service = Arc::clone(&tenants);
    start.every("tell_identity", again, move || {
        let service = Arc::clone(&service);
        async move { Ok(service.tell_identity(&Ctx::service("tenants", &format!("job_{}", service.ids.uuid().simple())), None).await?) }.boxed()
    });
    Ok(start.serve(TenantsServer::new(rpc::Rpc(tenants))))
}

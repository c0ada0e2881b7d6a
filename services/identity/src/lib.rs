//! The identity service: people and guests, how they prove who they are, what they may do.
//!
//! What must stay true: a password is kept only as an argon2id hash and a token only as its SHA-256; a session that ended is
//! refused by every process at once; a person has what their roles allow and nothing else (`model::policy`).

mod cache;
mod config;
mod error;
mod events;
mod flows;
mod hasher;
mod jobs;
mod keys;
mod model;
mod rpc;
mod store;
mod wire;

use std::sync::Arc;

use api_identity::identity_server::IdentityServer;
use futures::FutureExt;
use kit_db::{Batch, Limits};
use kit_module::{Module, Service, Start};

use crate::config::Config;
use crate::flows::Identity;

pub const MODULE: Module = Module {
    name: "identity",
    calls: &[],
    hears: &[],
    in_cells: false,
    migrations: &[("0001_identity.sql", include_str!("../migrations/0001_identity.sql"))],
    descriptors: api_identity::DESCRIPTORS,
    check: |section| hasher::check(&kit_module::read(section)?),
    start: |start| start_service(start).boxed(),
};

/// New guests written in one transaction, at most.
const MOST_GUESTS: usize = 256;

async fn start_service(mut start: Start) -> anyhow::Result<Service> {
    let config: Config = start.config()?;
    let identity = Arc::new(Identity {
        db: start.db.clone(),
        clock: start.clock.clone(),
        ids: start.ids.clone(),
        hasher: hasher::Hasher::new(&config)?,
        keys: keys::Keyring::new(&start.public_url),
        cache: cache::Cache::new(&config),
        guests: {
            let db = start.db.clone();
            Batch::start(Limits::new("guests", MOST_GUESTS), move |guests| flows::add_all(db.clone(), guests).boxed())
        },
        config,
    });
    identity.keys.rotate(&identity.db, &identity.config, identity.clock.now()).await?;
    tokio::spawn(identity.cache.clone().follow(identity.db.clone(), start.stop.clone()));
    jobs::register(&mut start, &identity);
    Ok(start.serve(IdentityServer::new(rpc::Rpc(identity))))
}

//! What is recommended, and the models behind it. See README.md for what must stay true.

mod config;
mod error;
pub mod eval;
mod events;
mod flows;
mod model;
mod models;
mod rpc;
mod store;

use std::time::Duration;

use api_recommendations::recommendations_server::RecommendationsServer;
use futures::FutureExt;
use kit_module::{Module, Service, Start};

use crate::flows::{Recommendations, TRAIN_MODELS};

pub const MODULE: Module = Module {
    name: "recommendations",
    calls: &["analytics", "search"],
    hears: &["analytics", "catalog"],
    in_cells: false,
    migrations: &[
        ("0001_recommendations.sql", include_str!("../migrations/0001_recommendations.sql")),
        ("0002_recommendable_unmarked.sql", include_str!("../migrations/0002_recommendable_unmarked.sql")),
    ],
    descriptors: api_recommendations::DESCRIPTORS,
    check: kit_module::reads::<config::Config>,
    start: |start| start_service(start).boxed(),
};

/// How often it is looked whether a model is due.
const LOOK_WHETHER_DUE: Duration = Duration::from_secs(60);

async fn start_service(mut start: Start) -> anyhow::Result<Service> {
    let recommendations = Recommendations::new(&start)?;
    start.follow_batch("catalog", |db, events| events::hear_catalog(db, events).boxed());
    start.follow_batch("analytics", |db, events| events::hear_analytics(db, events).boxed());
    let trainer = recommendations.clone();
    start.every(TRAIN_MODELS, LOOK_WHETHER_DUE, move || {
        let trainer = trainer.clone();
        async move { Ok(trainer.train_models().await?) }.boxed()
    });
    tokio::spawn(recommendations.clone().watch(start.stop.clone()));
    Ok(start.serve(RecommendationsServer::new(rpc::Rpc(recommendations))))
}

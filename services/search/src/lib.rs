//! What buyers see of the catalog: listings (product, store and stock in one read model) and the index over them.
//!
//! What must stay true: a listing follows the logs and no newer state is overwritten by an older one; the index holds exactly the
//! visible listings of the revision it was committed with; products that are not active and stores that are not open are not found.

mod config;
mod error;
mod events;
mod flows;
mod index;
mod model;
mod query;
mod rpc;
mod store;
mod text;

#[cfg(test)]
mod tests;

use api_search::search_server::SearchServer;
use futures::FutureExt;
use kit_module::{Module, Service, Start};

use config::Config;
use flows::Search;
use index::home::Home;
use rpc::Rpc;

pub const MODULE: Module = Module {
    name: "search",
    calls: &[],
    hears: &["catalog", "inventory", "tenants", "orders"],
    in_cells: false,
    migrations: &[
        ("0001_search.sql", include_str!("../migrations/0001_search.sql")),
        ("0002_first_synonyms.sql", include_str!("../migrations/0002_first_synonyms.sql")),
        ("0003_sold.sql", include_str!("../migrations/0003_sold.sql")),
    ],
    descriptors: api_search::DESCRIPTORS,
    check: kit_module::reads::<config::Config>,
    start: |start| start_service(start).boxed(),
};

async fn start_service(mut start: Start) -> anyhow::Result<Service> {
    let config: Config = start.config()?;
    let home = Home::open(start.data_dir.join("search"))?;
    let search = Search::new(start.db.clone(), start.clock.clone(), start.ids.clone(), config, home);
    let clock = start.clock.clone();
    start.follow_batch("catalog", move |db, events| {
        let now = clock.now();
        async move { events::hear_catalog(db, events, now).await }.boxed()
    });
    start.follow_batch("inventory", move |db, events| async move { events::hear_inventory(db, events).await }.boxed());
    start.follow_batch("orders", move |db, events| async move { events::hear_orders(db, events).await }.boxed());
    start.follow("tenants", move |db, event| async move { events::hear_tenants(db, event).await }.boxed());
    tokio::spawn(search.0.feeder.clone().run(start.stop.clone()));
    tokio::spawn(search.clone().watch_changes(start.stop.clone()));
    tokio::spawn(search.clone().keep_fresh(start.stop.clone()));
    Ok(start.serve(SearchServer::new(Rpc(search))))
}

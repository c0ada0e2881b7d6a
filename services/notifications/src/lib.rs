//! The notifications service: makes messages from what happened and keeps them in the local inbox.
//!
//! What must stay true: a message is made after the commit of what it tells, because it is made from the log; one event makes at
//! most one message of a template to an address; nobody is told what they switched off, and nobody can switch off what is about
//! their own orders or their safety.

mod error;
mod events;
mod letter;
mod rpc;
mod store;
mod templates;

use std::sync::Arc;

use api_notifications::notifications_server::NotificationsServer;
use futures::FutureExt;
use kit_module::{Module, Service, Start};

use crate::events::Post;
use crate::templates::Site;

pub const MODULE: Module = Module {
    name: "notifications",
    calls: &[],
    hears: &["identity", "tenants", "orders", "inventory"],
    in_cells: false,
    migrations: &[("0001_notifications.sql", include_str!("../migrations/0001_notifications.sql"))],
    descriptors: api_notifications::DESCRIPTORS,
    check: kit_module::reads_nothing,
    start: |start| start_service(start).boxed(),
};

async fn start_service(mut start: Start) -> anyhow::Result<Service> {
    let site = Arc::new(Site(start.public_url.trim_end_matches('/').to_owned()));
    let post = Arc::new(Post { site: Arc::clone(&site), ids: start.ids.clone() });
    for source in MODULE.hears {
        let post = Arc::clone(&post);
        start.follow_batch(source, move |db, events| {
            let post = Arc::clone(&post);
            async move { post.hear(db, events).await }.boxed()
        });
    }
    let notifications = rpc::Notifications { db: start.db.clone(), clock: start.clock.clone(), site, stop: start.stop.clone() };
    Ok(start.serve(NotificationsServer::new(rpc::Rpc(Arc::new(notifications)))))
}

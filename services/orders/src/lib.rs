//! Checkouts, orders, and the sub-orders they split into. See README.md for what must stay true.

mod commission;
mod config;
mod error;
mod events;
mod flows;
mod invoice;
mod jobs;
mod model;
mod return_label;
mod return_view;
mod returns;
mod rpc;
mod saga;
mod service;
mod share;
mod store;
mod tell;
mod view;

use std::time::Duration;

use api_orders::orders_server::OrdersServer;
use futures::future::BoxFuture;
use kit_module::{Module, Service, Start};

use crate::service::Orders;

pub const MODULE: Module = Module {
    name: "orders",
    calls: &["cart", "catalog", "inventory", "fulfillment", "payments", "tenants", "identity"],
    hears: &["payments", "fulfillment", "inventory", "identity"],
    in_cells: false,
    migrations: &[
        ("0001_orders.sql", include_str!("../migrations/0001_orders.sql")),
        ("0002_cancellation.sql", include_str!("../migrations/0002_cancellation.sql")),
        ("0003_returns.sql", include_str!("../migrations/0003_returns.sql")),
        ("0004_supplier.sql", include_str!("../migrations/0004_supplier.sql")),
    ],
    descriptors: api_orders::DESCRIPTORS,
    check: kit_module::reads::<config::Config>,
    start,
};

fn start(mut start: Start) -> BoxFuture<'static, anyhow::Result<Service>> {
    Box::pin(async move {
        let orders = Orders::new(&start)?;
        let heard = orders.clone();
        start.follow_batch("payments", move |db, events| Box::pin(events::on_payments(heard.clone(), db, events)));
        let heard = orders.clone();
        start.follow("fulfillment", move |db, event| Box::pin(events::on_fulfillment(heard.clone(), db, event)));
        let heard = orders.clone();
        start.follow("inventory", move |db, event| Box::pin(events::on_inventory(heard.clone(), db, event)));
        start.follow("identity", |db, event| Box::pin(events::on_identity(db, event)));
        let service = orders.clone();
        let period = Duration::from_secs(u64::from(orders.config.recovery_seconds.max(1)));
        start.every("recover_orders", period, move || {
            let service = service.clone();
            Box::pin(async move { Ok(jobs::recover(service).await?) })
        });
        let service = orders.clone();
        start.every("drive_returns", period, move || {
            let service = service.clone();
            Box::pin(async move { Ok(jobs::drive_returns(service).await?) })
        });
        let service = orders.clone();
        start.every("forget_checkouts", Duration::from_secs(3600), move || {
            let service = service.clone();
            Box::pin(async move { Ok(jobs::forget_checkouts(service).await?) })
        });
        Ok(start.serve(OrdersServer::new(orders)))
    })
}

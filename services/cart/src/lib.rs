//! Carts: what buyers and guests have put aside to buy. See README.md for what must stay true.

mod adding;
mod config;
mod error;
mod events;
mod flows;
mod model;
mod rpc;
mod service;
mod store;

use api_cart::cart_server::CartServer;
use futures::future::BoxFuture;
use kit_module::{Module, Service, Start};

use crate::service::Cart;

pub const MODULE: Module = Module {
    name: "cart",
    calls: &["catalog", "inventory", "fulfillment", "tenants"],
    hears: &["identity", "orders"],
    in_cells: false,
    migrations: &[("0001_cart.sql", include_str!("../migrations/0001_cart.sql"))],
    descriptors: api_cart::DESCRIPTORS,
    check: kit_module::reads::<config::Config>,
    start,
};

fn start(mut start: Start) -> BoxFuture<'static, anyhow::Result<Service>> {
    Box::pin(async move {
        let cart = Cart::new(&start)?;
        let clock = cart.clock.clone();
        let max_lines = cart.config.max_lines;
        start.follow("identity", move |db, event| Box::pin(events::on_identity(clock.clone(), max_lines, db, event)));
        start.follow("orders", |db, event| Box::pin(events::on_orders(db, event)));
        Ok(start.serve(CartServer::new(cart)))
    })
}

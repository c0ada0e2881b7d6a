//! Payments: charges buyers through payment service providers and keeps the double-entry ledger.
//!
//! What must stay true: an amount is charged at most once per payment id, captured at most once per capture id and refunded at most
//! once per refund id, whatever fails in between; captured ≤ authorised and refunded ≤ captured; every movement of money is one
//! balanced entry of an append-only ledger; a seller is paid at most once per period, and never more than is available; no card
//! number ever comes here.

mod bank;
mod config;
mod error;
mod events;
mod flows;
mod hears;
mod jobs;
mod ledger;
mod model;
mod options;
mod psp;
mod rpc;
mod settlement_view;
mod statement;
mod store;
mod translate;

use api_payments::payments_server::PaymentsServer;
use futures::future::BoxFuture;
use kit_module::{Module, Service, Start};

pub const MODULE: Module = Module {
    name: "payments",
    calls: &[],
    hears: &["fulfillment", "tenants"],
    in_cells: false,
    migrations: &[
        ("0001_payments.sql", include_str!("../migrations/0001_payments.sql")),
        ("0002_settlement.sql", include_str!("../migrations/0002_settlement.sql")),
        ("0003_psps.sql", include_str!("../migrations/0003_psps.sql")),
    ],
    descriptors: api_payments::DESCRIPTORS,
    check: |section| flows::check(&kit_module::read(section)?),
    start,
};

fn start(mut start: Start) -> BoxFuture<'static, anyhow::Result<Service>> {
    Box::pin(async move {
        let config: config::Config = start.config()?;
        let payments = flows::Payments::new(start.db.clone(), &config, start.clock.clone(), start.ids.clone(), start.upkeep())?;
        let heard = payments.clone();
        start.follow("fulfillment", move |db, event| Box::pin(hears::on_fulfillment(heard.clone(), db, event)));
        let heard = payments.clone();
        start.follow("tenants", move |db, event| Box::pin(hears::on_tenants(heard.clone(), db, event)));
        jobs::register(&mut start, &payments, &config);
        Ok(start.serve(PaymentsServer::new(payments)))
    })
}

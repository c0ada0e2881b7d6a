//! The sandbox PSP: a payment service provider of our own, complete enough to develop, demonstrate and test against.
//!
//! It is a party outside MarketHub: it has its own HTTP API, pages, keys, journal and signed webhooks, and MarketHub reaches it only
//! over HTTP, as it would reach Stripe. It runs in the same binary for convenience only. What must stay true: a charge that was
//! answered or told by a webhook is in the journal on disk; an idempotency key never charges twice; captured ≤ authorised and
//! refunded ≤ captured, always; card numbers are looked at once, at tokenisation, and never stored.

mod api;
mod bank;
mod cards;
mod contracts;
mod dispute;
mod error;
mod faults;
mod journal;
mod model;
mod pages;
mod settings;
mod signature;
mod timers;
mod tokens;
mod view;
mod webhooks;
mod world;

use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use cards::{TestCard, test_cards};
pub use settings::{BankSettings, ContractSettings, Fees, Settings, Timings};
pub use signature::{SIGNATURE_HEADER, sign};

/// Serves the sandbox on `listener` until `stop`, then finishes requests under way, writes the journal out and returns.
pub async fn serve(settings: Settings, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
    let (hook_sender, hook_queue) = webhooks::queue();
    let world = Arc::new(world::World::open(settings.normal(), hook_sender).context("the sandbox PSP cannot read its journal")?);
    let told = Arc::clone(&world);
    let receiver = webhooks::Receiver {
        url: world.settings.webhook_url.clone(),
        secret: world.settings.webhook_secret.clone(),
        clock: world.settings.clock.clone(),
        retry: world.settings.timings.retry,
        delivered: Box::new(move |batch| told.delivered(batch)),
    };
    let deliveries = tokio::spawn(webhooks::deliver(Arc::new(receiver), hook_queue, stop.clone()));
    let bank = bank::start(&world.settings, &stop).context("the sandbox bank cannot read its journal")?;
    let timers = tokio::spawn(timers::run(Arc::clone(&world), stop.clone()));
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        // Small answers must not wait for more to send; a socket that refuses is merely slower.
        let _slower = stream.set_nodelay(true);
    });
    let served = axum::serve(listener, api::router(Arc::clone(&world)).merge(bank.router()).merge(contracts::router(&world.settings)))
        .with_graceful_shutdown(stop.clone().cancelled_owned())
        .await;
    stop.cancel();
    let _ended = tokio::join!(deliveries, timers, bank.end());
    world.close();
    served.context("the sandbox PSP stopped serving")
}

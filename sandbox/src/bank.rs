//! The sandbox bank: the merchant's account, from which it pays its sellers. It shares the PSP's address and clock, and nothing else:
//! it has its own key, journal and webhooks. The account may be overdrawn; no money moves here.

mod api;
mod book;
mod model;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::settings::Settings;
use crate::webhooks::{self, Receiver};

/// How exactly a moment is kept.
const TICK: Duration = Duration::from_millis(50);

/// The bank at work.
pub(crate) struct Running {
    bank: Arc<book::Bank>,
    deliveries: JoinHandle<()>,
    timers: JoinHandle<()>,
}

pub(crate) fn start(settings: &Settings, stop: &CancellationToken) -> anyhow::Result<Running> {
    let (sender, queue) = webhooks::queue();
    let bank = book::Bank::open(&settings.data_dir, settings.bank.clone(), settings.timings.clone(), settings.clock.clone(), sender)?;
    let bank = Arc::new(bank);
    let told = Arc::clone(&bank);
    let receiver = Receiver {
        url: settings.bank.webhook_url.clone(),
        secret: settings.bank.webhook_secret.clone(),
        clock: settings.clock.clone(),
        retry: settings.timings.retry,
        delivered: Box::new(move |batch| told.delivered(batch)),
    };
    let deliveries = tokio::spawn(webhooks::deliver(Arc::new(receiver), queue, stop.clone()));
    let (settling, stopping) = (Arc::clone(&bank), stop.clone());
    let timers = tokio::spawn(async move {
        while stopping.run_until_cancelled(tokio::time::sleep(TICK)).await.is_some() {
            settling.settle_due();
        }
    });
    Ok(Running { bank, deliveries, timers })
}

impl Running {
    pub(crate) fn router(&self) -> Router {
        api::router(Arc::clone(&self.bank))
    }

    /// Waits for what is under way, after `stop`, and writes the journal out.
    pub(crate) async fn end(self) {
        let _ended = tokio::join!(self.deliveries, self.timers);
        self.bank.close();
    }
}

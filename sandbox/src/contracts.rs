//! Contract servers: what of PayPal's and Razorpay's documented APIs the market's adapters use, to develop and test against. They follow the
//! public reference in paths, fields, states and errors, and know nothing that is not in it; nothing in them was recorded from an account.
//! They keep everything in memory, and no money moves here.

mod paypal;
mod razorpay;

use std::time::Duration;

use axum::Router;
use kit_core::{Clock, Ids};

use crate::settings::{Settings, WEBHOOK_TIMEOUT};

/// How often a webhook is tried.
const WEBHOOK_TRIES: u32 = 8;

pub(crate) fn router(settings: &Settings) -> Router {
    Router::new().nest("/paypal", paypal::router(settings)).nest("/razorpay", razorpay::router(settings))
}

/// Sends webhooks, again with growing pauses until they are taken.
#[derive(Clone)]
struct Hooks {
    url: Option<String>,
    client: reqwest::Client,
    pause: Duration,
}

impl Hooks {
    fn new(url: Option<String>, pause: Duration) -> Self {
        Self { url, client: reqwest::Client::builder().timeout(WEBHOOK_TIMEOUT).no_proxy().build().unwrap_or_default(), pause }
    }

    fn send(&self, headers: Vec<(&'static str, String)>, body: String) {
        let Some(url) = self.url.clone() else { return };
        let hooks = self.clone();
        tokio::spawn(async move {
            let mut pause = hooks.pause;
            for _ in 0..WEBHOOK_TRIES {
                let mut request = hooks.client.post(&url).header("content-type", "application/json").body(body.clone());
                for (name, value) in &headers {
                    request = request.header(*name, value);
                }
                if request.send().await.is_ok_and(|answer| answer.status().is_success()) {
                    return;
                }
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2);
            }
        });
    }
}

fn rfc3339(clock: &Clock) -> String {
    clock.now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// An id of so many capital letters and digits. The end of ours is chance, its beginning the time.
fn capitals(ids: &Ids, length: usize) -> String {
    ids.uuid().simple().to_string().to_uppercase().chars().rev().take(length).collect()
}

//! Tells the merchant what happened: signed requests, a few at a time over kept connections, each with the events that are due,
//! tried again with growing pauses until taken.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kit_core::Clock;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::model::millis;
use crate::settings::{MAX_ATTEMPTS, MAX_DELIVERIES, MAX_EVENTS_PER_DELIVERY, MAX_RETRY, MAX_WAITING_EVENTS, WEBHOOK_TIMEOUT};
use crate::signature::{SIGNATURE_HEADER, sign};

/// An event as it is sent and listed.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    /// JSON.
    pub(crate) body: Vec<u8>,
}

/// An event that waits for its delivery.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) event: Arc<Event>,
    pub(crate) due_ms: i64,
    pub(crate) attempts: u32,
}

/// The bounded way into the queue: an event too many is dropped, and the merchant's reconciliation must find out.
#[derive(Clone)]
pub(crate) struct HookSender {
    sender: mpsc::UnboundedSender<Waiting>,
    waiting: Arc<AtomicUsize>,
}

pub(crate) struct HookQueue {
    receiver: mpsc::UnboundedReceiver<Waiting>,
    waiting: Arc<AtomicUsize>,
}

pub(crate) fn queue() -> (HookSender, HookQueue) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    (HookSender { sender, waiting: Arc::clone(&waiting) }, HookQueue { receiver, waiting })
}

impl HookSender {
    pub(crate) fn send(&self, event: Waiting) {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= MAX_WAITING_EVENTS || self.sender.send(event).is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!("too many webhooks wait; one is dropped");
        }
    }
}

/// Notes that the merchant has taken these.
pub(crate) type Delivered = Box<dyn Fn(&[Waiting]) + Send + Sync>;

/// Who is told: the merchant's address for webhooks, and who notes what it has taken.
pub(crate) struct Receiver {
    /// None: nothing is sent.
    pub(crate) url: Option<String>,
    pub(crate) secret: String,
    pub(crate) clock: Clock,
    /// The pause before a failed delivery is sent again; doubles each time.
    pub(crate) retry: Duration,
    pub(crate) delivered: Delivered,
}

impl Receiver {
    fn now_ms(&self) -> i64 {
        self.clock.now().timestamp_millis()
    }
}

/// Delivers until `stop`; what is undelivered then is in the journal and goes out after the next start.
pub(crate) async fn deliver(receiver: Arc<Receiver>, mut queue: HookQueue, stop: CancellationToken) {
    let Some(url) = receiver.url.clone() else { return };
    let client = reqwest::Client::builder().timeout(WEBHOOK_TIMEOUT).pool_max_idle_per_host(MAX_DELIVERIES).tcp_nodelay(true).build();
    let Ok(client) = client else {
        tracing::error!("no HTTP client for webhooks can be made; none are sent");
        return;
    };
    let mut due: BTreeMap<(i64, u64), Waiting> = BTreeMap::new();
    let mut number = 0_u64;
    let mut under_way: JoinSet<(bool, Vec<Waiting>)> = JoinSet::new();
    loop {
        while under_way.len() < MAX_DELIVERIES {
            let batch = take_due(&mut due, receiver.now_ms());
            if batch.is_empty() {
                break;
            }
            under_way.spawn(post(client.clone(), url.clone(), Arc::clone(&receiver), batch));
        }
        let pause = if under_way.len() < MAX_DELIVERIES { until_next(&due, receiver.now_ms()) } else { MAX_RETRY };
        tokio::select! {
            () = stop.cancelled() => break,
            arrived = queue.receiver.recv() => match arrived {
                Some(event) => {
                    number += 1;
                    due.insert((event.due_ms, number), event);
                }
                None => break,
            },
            Some(Ok((taken, batch))) = under_way.join_next() => {
                let left = if taken { (receiver.delivered)(&batch); Vec::new() } else { again(&receiver, &batch) };
                queue.waiting.fetch_sub(batch.len() - left.len(), Ordering::Relaxed);
                for event in left {
                    number += 1;
                    due.insert((event.due_ms, number), event);
                }
            }
            () = tokio::time::sleep(pause) => {}
        }
    }
}

fn take_due(due: &mut BTreeMap<(i64, u64), Waiting>, now_ms: i64) -> Vec<Waiting> {
    let mut batch = Vec::new();
    while batch.len() < MAX_EVENTS_PER_DELIVERY {
        match due.first_entry() {
            Some(entry) if entry.key().0 <= now_ms => batch.push(entry.remove()),
            _ => break,
        }
    }
    batch
}

fn until_next(due: &BTreeMap<(i64, u64), Waiting>, now_ms: i64) -> Duration {
    let wait = due.first_key_value().map(|((due_ms, _), _)| u64::try_from(due_ms.saturating_sub(now_ms)).unwrap_or_default());
    // A virtual clock may be moved meanwhile, so it looks again soon.
    wait.map_or(MAX_RETRY, |millis| Duration::from_millis(millis.clamp(1, 1_000)))
}

async fn post(client: reqwest::Client, url: String, receiver: Arc<Receiver>, batch: Vec<Waiting>) -> (bool, Vec<Waiting>) {
    let mut body = br#"{"events":["#.to_vec();
    for (index, waiting) in batch.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&waiting.event.body);
    }
    body.extend_from_slice(b"]}");
    let signature = sign(&receiver.secret, receiver.now_ms() / 1_000, &body);
    let request = client.post(&url).header("content-type", "application/json").header(SIGNATURE_HEADER, signature).body(body);
    let taken = match request.send().await {
        Ok(answer) if answer.status().is_success() => {
            // Reading to the end gives the connection back.
            let _body_does_not_matter = answer.bytes().await;
            true
        }
        Ok(answer) => {
            tracing::warn!(status = answer.status().as_u16(), events = batch.len(), "the merchant refused a webhook; it is sent again");
            false
        }
        Err(error) => {
            tracing::debug!(%error, events = batch.len(), "the merchant cannot be reached; the webhook is sent again");
            false
        }
    };
    (taken, batch)
}

/// The events of a failed delivery with their next moments; those tried too often are given up.
fn again(receiver: &Receiver, batch: &[Waiting]) -> Vec<Waiting> {
    let now_ms = receiver.now_ms();
    let worth_it = batch.iter().filter(|waiting| waiting.attempts + 1 < MAX_ATTEMPTS);
    let later = worth_it.map(|waiting| {
        let pause = receiver.retry.saturating_mul(2_u32.saturating_pow(waiting.attempts.min(16))).min(MAX_RETRY);
        Waiting { attempts: waiting.attempts + 1, due_ms: now_ms.saturating_add(millis(pause)), ..waiting.clone() }
    });
    later.collect()
}

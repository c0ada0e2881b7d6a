//! What requests to a PSP have lately come to: for people who watch it, and never for decisions.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Requests remembered at most, and for how long.
const REMEMBERED: usize = 1_000;
const LATELY: Duration = Duration::from_secs(5 * 60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Circuit {
    Closed,
    /// Nothing is sent.
    Open,
    /// One request at a time tries whether it is over.
    HalfOpen,
}

#[derive(Debug, Clone)]
pub(crate) struct Health {
    pub(crate) circuit: Circuit,
    pub(crate) under_way: usize,
    pub(crate) requests: usize,
    pub(crate) failed: usize,
    pub(crate) median: Duration,
    pub(crate) slow: Duration,
    /// What the last failure was, of those remembered.
    pub(crate) last_failure: String,
}

#[derive(Debug)]
struct Request {
    ended: Instant,
    took: Duration,
    failed: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Recent {
    requests: VecDeque<Request>,
    last_failure: String,
}

impl Recent {
    pub(crate) fn record(&mut self, started: Instant, failure: Option<&str>) {
        if self.requests.len() >= REMEMBERED {
            self.requests.pop_front();
        }
        let ended = Instant::now();
        self.requests.push_back(Request { ended, took: ended.duration_since(started), failed: failure.is_some() });
        if let Some(failure) = failure {
            failure.clone_into(&mut self.last_failure);
        }
    }

    pub(crate) fn health(&self, circuit: Circuit, under_way: usize, now: Instant) -> Health {
        let lately: Vec<&Request> = self.requests.iter().filter(|request| now.duration_since(request.ended) <= LATELY).collect();
        let mut took: Vec<Duration> = lately.iter().map(|request| request.took).collect();
        took.sort_unstable();
        let at = |percent: usize| took.get((took.len().saturating_sub(1)) * percent / 100).copied().unwrap_or_default();
        let failed = lately.iter().filter(|request| request.failed).count();
        let last_failure = if failed > 0 { self.last_failure.clone() } else { String::new() };
        Health { circuit, under_way, requests: lately.len(), failed, median: at(50), slow: at(95), last_failure }
    }
}

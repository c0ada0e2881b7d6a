//! Keeps a slow or absent PSP from taking us down with it: a bulkhead, a circuit breaker, and retries of what surely was not done.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kit_core::{Clock, Time};
use rand::Rng;
use tokio::sync::Semaphore;

use super::recent::{Circuit, Health, Recent};
use super::{Notice, Offer, Psp, PspError};
use crate::config::GuardConfig;
use crate::error::Error;
use crate::model::{Ask, Payment, Sighting};
use crate::store::reports::NewLine;

/// A PSP behind its guard.
#[derive(Clone)]
pub(crate) struct Guarded {
    name: &'static str,
    psp: Arc<dyn Psp>,
    limits: GuardConfig,
    slots: Arc<Semaphore>,
    breaker: Arc<Mutex<Breaker>>,
    recent: Arc<Mutex<Recent>>,
    clock: Clock,
}

impl Guarded {
    pub(crate) fn new(name: &'static str, psp: Arc<dyn Psp>, limits: GuardConfig, clock: Clock) -> Self {
        let slots = Arc::new(Semaphore::new(limits.max_concurrent.max(1)));
        Self { name, psp, limits, slots, breaker: Arc::default(), recent: Arc::default(), clock }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn offer(&self) -> Offer {
        self.psp.offer()
    }

    pub(crate) async fn verify(&self, headers: &HashMap<String, String>, body: &[u8]) -> Result<(), Error> {
        self.psp.verify(headers, body, self.now()).await
    }

    pub(crate) fn read(&self, headers: &HashMap<String, String>, body: &[u8]) -> Result<Vec<Notice>, Error> {
        self.psp.read(headers, body)
    }

    /// Whether it is left alone for a moment.
    pub(crate) fn is_open(&self) -> bool {
        self.breaker().is_open(Instant::now())
    }

    pub(crate) fn max_under_way(&self) -> usize {
        self.limits.max_concurrent.max(1)
    }

    /// How it has been doing lately, as this process has seen it.
    pub(crate) fn health(&self) -> Health {
        let now = Instant::now();
        let breaker = match &*self.breaker() {
            Breaker { closed_again_at: None, .. } => Circuit::Closed,
            open if open.is_open(now) => Circuit::Open,
            _ => Circuit::HalfOpen,
        };
        let under_way = self.max_under_way().saturating_sub(self.slots.available_permits());
        self.recent().health(breaker, under_way, now)
    }

    fn recent(&self) -> std::sync::MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Time {
        self.clock.now()
    }

    /// Puts a question or an order about a payment to the PSP.
    pub(crate) async fn ask(&self, payment: &Payment, ask: &Ask) -> Result<Sighting, PspError> {
        let reference = || payment.psp_reference.as_deref().ok_or_else(|| PspError::NotDone("the PSP's id of the payment is not known".to_owned()));
        match ask {
            Ask::Authorise => self.call("authorise", || self.psp.authorise(payment)).await,
            Ask::Find => self.call("find", || self.psp.find(payment)).await,
            Ask::Retrieve => {
                let reference = reference()?;
                self.call("retrieve", || self.psp.retrieve(payment, reference)).await
            }
            Ask::Capture { id, amount_minor } => {
                let reference = reference()?;
                self.call("capture", || self.psp.capture(payment, reference, *id, *amount_minor)).await
            }
            Ask::Refund { id, amount_minor } => {
                let reference = reference()?;
                self.call("refund", || self.psp.refund(payment, reference, *id, *amount_minor)).await
            }
            Ask::Cancel => {
                let reference = reference()?;
                self.call("cancel", || self.psp.cancel(payment, reference)).await
            }
        }
    }

    pub(crate) async fn forget_method(&self, token: &str) -> Result<(), PspError> {
        self.call("forget_method", || self.psp.forget_method(token)).await
    }

    pub(crate) async fn answer_dispute(&self, payment: &Payment, reference: &str, dispute: &str, evidence: &str) -> Result<Sighting, PspError> {
        self.call("answer_dispute", || self.psp.answer_dispute(payment, reference, dispute, evidence)).await
    }

    pub(crate) async fn report(&self, after: i64, limit: usize) -> Result<Vec<NewLine>, PspError> {
        self.call("report", || self.psp.report(after, limit)).await
    }

    /// One request, tried again while it surely was not carried out.
    async fn call<T, F>(&self, operation: &'static str, request: impl Fn() -> F) -> Result<T, PspError>
    where
        F: Future<Output = Result<T, PspError>>,
    {
        let mut pause = Duration::from_millis(self.limits.pause_ms);
        for attempt in 1.. {
            let started = Instant::now();
            let answer = self.once(&request).await;
            let outcome = outcome(&answer);
            metrics::histogram!("psp_request_seconds", "psp" => self.name, "operation" => operation, "outcome" => outcome)
                .record(started.elapsed().as_secs_f64());
            match answer {
                Err(PspError::NotDone(_)) if attempt < self.limits.tries && !self.breaker().is_open(Instant::now()) => {
                    // Full jitter, so that many waiting requests do not come back together.
                    let jitter = rand::rng().random_range(0.5..1.5);
                    tokio::time::sleep(pause.mul_f64(jitter)).await;
                    pause = pause.saturating_mul(2);
                }
                answer => return answer,
            }
        }
        Err(PspError::NotDone("not tried".to_owned()))
    }

    async fn once<T, F>(&self, request: impl Fn() -> F) -> Result<T, PspError>
    where
        F: Future<Output = Result<T, PspError>>,
    {
        if !self.breaker().lets_through(Instant::now()) {
            return Err(PspError::NotDone("the PSP is failing and is left alone for a moment".to_owned()));
        }
        let waited = tokio::time::timeout(Duration::from_millis(self.limits.max_wait_ms), self.slots.acquire()).await;
        let Ok(Ok(_slot)) = waited else {
            return Err(PspError::NotDone("too many requests to the PSP are under way".to_owned()));
        };
        let started = Instant::now();
        let answer = match tokio::time::timeout(self.limits.timeout(), request()).await {
            Ok(answer) => answer,
            Err(_) => Err(PspError::Unknown("the PSP did not answer in time".to_owned())),
        };
        let failure = match &answer {
            Err(PspError::NotDone(why) | PspError::Unknown(why)) => Some(why.as_str()),
            _ => None,
        };
        let failed = failure.is_some();
        self.recent().record(started, failure);
        if self.breaker().record(failed, &self.limits, Instant::now()) {
            tracing::warn!(psp = self.name, "the PSP keeps failing and is left alone for a moment");
        }
        if let Err(PspError::NotDone(why) | PspError::Unknown(why)) = &answer {
            tracing::info!(psp = self.name, why, "a request to the PSP failed");
        }
        answer
    }

    fn breaker(&self) -> std::sync::MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn outcome<T>(answer: &Result<T, PspError>) -> &'static str {
    match answer {
        Ok(_) => "answered",
        Err(PspError::Refused(_)) => "refused",
        Err(PspError::NotFound) => "not_found",
        Err(PspError::NotDone(_)) => "not_done",
        Err(PspError::Unknown(_)) => "unknown",
    }
}

/// Opens after failures in a row; while open nothing passes; then one request at a time tries whether it is over.
#[derive(Debug, Default)]
struct Breaker {
    failures: u32,
    closed_again_at: Option<Instant>,
}

impl Breaker {
    fn is_open(&self, now: Instant) -> bool {
        self.closed_again_at.is_some_and(|at| now < at)
    }

    fn lets_through(&mut self, now: Instant) -> bool {
        match self.closed_again_at {
            Some(at) if now < at => false,
            // The probe; while it is under way, the others wait another moment.
            Some(_) => {
                self.closed_again_at = Some(now + Duration::from_secs(1));
                true
            }
            None => true,
        }
    }

    /// Answers whether it has just opened.
    fn record(&mut self, failed: bool, limits: &GuardConfig, now: Instant) -> bool {
        if !failed {
            *self = Self::default();
            return false;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures < limits.failures_to_open {
            return false;
        }
        let news = self.failures == limits.failures_to_open;
        self.closed_again_at = Some(now + Duration::from_millis(limits.open_ms));
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_breaker_opens_after_failures_in_a_row_and_closes_with_one_success() {
        let limits = GuardConfig { failures_to_open: 3, open_ms: 1_000, ..GuardConfig::default() };
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        assert!(!breaker.record(true, &limits, start) && !breaker.record(true, &limits, start));
        breaker.record(false, &limits, start);
        assert!(!breaker.record(true, &limits, start) && !breaker.record(true, &limits, start));
        assert!(breaker.lets_through(start));
        assert!(breaker.record(true, &limits, start), "the third in a row opens it");
        assert!(!breaker.lets_through(start + Duration::from_millis(999)));
        assert!(breaker.lets_through(start + Duration::from_millis(1_001)), "then one may try");
        assert!(!breaker.lets_through(start + Duration::from_millis(1_002)), "and only one");
        breaker.record(false, &limits, start);
        assert!(breaker.lets_through(start));
    }
}

//! The open loop: a schedule of due times, and a latency from each due time to the answer.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::sync::{Semaphore, mpsc};

/// The longest latency the histogram tells apart, in microseconds (two minutes).
const LONGEST_MICROS: u64 = 120_000_000;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub rate: u32,
    pub warm_up: Duration,
    pub measured: Duration,
    pub in_flight: usize,
}

/// What one operation came to.
#[derive(Debug)]
struct Sample {
    due: Instant,
    done: Instant,
    failure: Option<String>,
}

/// What a run came to. Latencies are in microseconds, measured from when each operation was due.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub latencies: Histogram<u64>,
    pub succeeded: u64,
    pub failed: u64,
    /// The first few failures, as told by the server.
    pub failures: Vec<String>,
    /// Operations that could not start because `in_flight` were under way: the server was overloaded.
    pub shed: u64,
    /// Completed operations in each second, for the plot.
    pub per_second: Vec<u32>,
    pub measured: Duration,
}

impl Outcome {
    pub(crate) fn per_second_mean(&self) -> f64 {
        float(self.succeeded) / self.measured.as_secs_f64().max(0.001)
    }
}

/// Counts and sums as numbers to print; exact below 2^53.
#[expect(clippy::as_conversions, reason = "a figure for people, where rounding above 2^53 does not matter")]
pub(crate) fn float(number: u64) -> f64 {
    number as f64
}

/// Runs `operation(number)` on the plan's schedule.
pub(crate) async fn run<F, Fut>(plan: Plan, operation: F) -> anyhow::Result<Outcome>
where
    F: Fn(u64) -> Fut,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let (send, receive) = mpsc::unbounded_channel();
    let begin = Instant::now();
    let measured_from = begin + plan.warm_up;
    let collector = tokio::spawn(collect(receive, measured_from, plan.measured));
    let slots = Arc::new(Semaphore::new(plan.in_flight));
    let shed = Arc::new(AtomicU64::new(0));
    let total = f64::from(plan.rate) * (plan.warm_up + plan.measured).as_secs_f64();
    let mut number = 0_u64;
    while float(number) < total {
        let due = begin + Duration::from_secs_f64(float(number) / f64::from(plan.rate));
        tokio::time::sleep_until(due.into()).await;
        match Arc::clone(&slots).try_acquire_owned() {
            Ok(slot) => {
                let (send, work) = (send.clone(), operation(number));
                tokio::spawn(async move {
                    let failure = work.await.err().map(|error| format!("{error:#}"));
                    // The collector stays until every sender is gone, so this cannot fail.
                    let _collected = send.send(Sample { due, done: Instant::now(), failure });
                    drop(slot);
                });
            }
            Err(_full) if due >= measured_from => {
                shed.fetch_add(1, Ordering::Relaxed);
            }
            Err(_full) => {}
        }
        number += 1;
    }
    drop(send);
    let mut outcome = collector.await??;
    outcome.shed = shed.load(Ordering::Relaxed);
    Ok(outcome)
}

async fn collect(mut samples: mpsc::UnboundedReceiver<Sample>, from: Instant, measured: Duration) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome {
        latencies: Histogram::new_with_bounds(1, LONGEST_MICROS, 3)?,
        succeeded: 0,
        failed: 0,
        failures: Vec::new(),
        shed: 0,
        per_second: Vec::new(),
        measured,
    };
    while let Some(sample) = samples.recv().await {
        let Some(since) = sample.due.checked_duration_since(from) else { continue };
        if since > measured {
            continue;
        }
        match sample.failure {
            None => {
                let micros = u64::try_from(sample.done.duration_since(sample.due).as_micros()).unwrap_or(LONGEST_MICROS);
                outcome.latencies.saturating_record(micros);
                outcome.succeeded += 1;
                let second = usize::try_from(sample.done.saturating_duration_since(from).as_secs()).unwrap_or_default();
                if outcome.per_second.len() <= second {
                    outcome.per_second.resize(second + 1, 0);
                }
                if let Some(count) = outcome.per_second.get_mut(second) {
                    *count += 1;
                }
            }
            Some(failure) => {
                outcome.failed += 1;
                if outcome.failures.len() < 5 && !outcome.failures.contains(&failure) {
                    outcome.failures.push(failure);
                }
            }
        }
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn latency_counts_from_when_the_operation_was_due() {
        // One operation at a time that takes 20 ms, due every 10 ms: with a queue of one slot the second is shed, not hidden.
        let plan = Plan { rate: 100, warm_up: Duration::ZERO, measured: Duration::from_millis(300), in_flight: 1 };
        let outcome = run(plan, |_| async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(())
        })
        .await
        .unwrap();
        assert!(outcome.shed >= 10, "{outcome:?}");
        assert!(outcome.latencies.min() >= 19_000, "{}", outcome.latencies.min());
    }

    #[tokio::test]
    async fn failures_are_counted_and_told() {
        let plan = Plan { rate: 200, warm_up: Duration::ZERO, measured: Duration::from_millis(200), in_flight: 100 };
        let outcome =
            run(plan, |number| async move { if number % 2 == 0 { Ok(()) } else { anyhow::bail!("HTTP 409: out of stock") } }).await.unwrap();
        assert_eq!((outcome.succeeded, outcome.failed), (20, 20));
        assert_eq!(outcome.failures, ["HTTP 409: out of stock"]);
    }
}

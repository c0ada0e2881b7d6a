//! How a service's calls went during the last minutes: how many, how many failed on our side, how long they took.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tonic::Code;

use crate::proto;

/// What is told covers this much time, forgotten slice by slice.
const WINDOW: Duration = Duration::from_secs(300);
const SLICE: Duration = Duration::from_secs(10);
/// Durations are counted in classes a quarter of a doubling wide.
const CLASSES_PER_DOUBLING: usize = 4;
/// 2^27 µs: more than two minutes, longer than any call may take.
const DOUBLINGS: usize = 27;
const CLASSES: usize = CLASSES_PER_DOUBLING * DOUBLINGS;

/// The calls of one service.
pub struct Traffic {
    since: Instant,
    slices: Mutex<VecDeque<Slice>>,
}

/// The calls that ended in one slice of time.
struct Slice {
    number: u128,
    failed: u64,
    by_class: [u32; CLASSES],
}

impl Default for Traffic {
    fn default() -> Self {
        Self { since: Instant::now(), slices: Mutex::default() }
    }
}

impl Traffic {
    /// Notes a call that has ended.
    pub fn note(&self, took: Duration, code: Code) {
        let number = self.slice_now();
        let mut slices = self.slices.lock().unwrap_or_else(PoisonError::into_inner);
        forget(&mut slices, number);
        if slices.back().is_none_or(|newest| newest.number != number) {
            slices.push_back(Slice { number, failed: 0, by_class: [0; CLASSES] });
        }
        if let Some(slice) = slices.back_mut() {
            slice.failed += u64::from(is_failure(code));
            if let Some(count) = slice.by_class.get_mut(class(took)) {
                *count += 1;
            }
        }
    }

    pub fn told(&self) -> proto::CallStatus {
        let mut slices = self.slices.lock().unwrap_or_else(PoisonError::into_inner);
        forget(&mut slices, self.slice_now());
        let mut by_class = [0u64; CLASSES];
        for slice in &*slices {
            by_class.iter_mut().zip(slice.by_class).for_each(|(sum, count)| *sum += u64::from(count));
        }
        let calls = by_class.iter().sum();
        let failed = slices.iter().map(|slice| slice.failed).sum();
        let window_seconds = u32::try_from(WINDOW.min(self.since.elapsed()).as_secs().max(1)).unwrap_or(u32::MAX);
        proto::CallStatus { window_seconds, calls, failed, p50_micros: quantile(&by_class, calls, 50), p99_micros: quantile(&by_class, calls, 99) }
    }

    fn slice_now(&self) -> u128 {
        self.since.elapsed().as_millis() / SLICE.as_millis()
    }
}

fn forget(slices: &mut VecDeque<Slice>, now: u128) {
    let kept = WINDOW.as_millis() / SLICE.as_millis();
    while slices.front().is_some_and(|oldest| oldest.number + kept <= now) {
        slices.pop_front();
    }
}

/// What the caller could not have avoided.
fn is_failure(code: Code) -> bool {
    matches!(code, Code::Internal | Code::Unknown | Code::Unavailable | Code::DeadlineExceeded | Code::DataLoss)
}

fn class(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
    let doublings = micros.ilog2();
    // The two bits below the highest.
    let quarter = ((micros << 2) >> doublings) & 3;
    let index = |number: u64| usize::try_from(number).unwrap_or(CLASSES);
    (index(doublings.into()) * CLASSES_PER_DOUBLING + index(quarter)).min(CLASSES - 1)
}

/// The upper end of a class.
fn upper_micros(class: usize) -> u64 {
    let quarters = u64::try_from(CLASSES_PER_DOUBLING + class % CLASSES_PER_DOUBLING + 1).unwrap_or(u64::MAX);
    (quarters << (class / CLASSES_PER_DOUBLING)) / 4
}

/// The time within which so many percent of the calls ended, to the upper end of its class.
fn quantile(by_class: &[u64], calls: u64, percent: u64) -> u64 {
    let wanted = (calls * percent).div_ceil(100);
    let mut seen = 0;
    for (class, count) in by_class.iter().enumerate() {
        seen += count;
        if seen >= wanted && calls > 0 {
            return upper_micros(class);
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_calls_and_the_slowest_are_told_to_a_quarter() {
        let traffic = Traffic::default();
        for millis in 1..=100 {
            traffic.note(Duration::from_millis(millis), if millis == 7 { Code::Unavailable } else { Code::NotFound });
        }
        let told = traffic.told();
        assert_eq!((told.calls, told.failed), (100, 1));
        assert!((50_000..=62_500).contains(&told.p50_micros), "{told:?}");
        assert!((99_000..=123_750).contains(&told.p99_micros), "{told:?}");
    }

    #[test]
    fn no_duration_falls_outside_of_the_classes() {
        for micros in [0, 1, 2, 3, 1_000, 134_217_728, u64::MAX] {
            let took = Duration::from_micros(micros);
            assert!(class(took) < CLASSES && (micros > 1 << 26 || upper_micros(class(took)) >= micros), "{micros}");
        }
    }

    #[test]
    fn nothing_is_told_of_a_service_that_nobody_called() {
        assert_eq!(Traffic::default().told(), proto::CallStatus { window_seconds: 1, ..Default::default() });
    }

    #[test]
    fn old_slices_are_forgotten() {
        let slice = |number| Slice { number, failed: 0, by_class: [0; CLASSES] };
        let mut slices: VecDeque<Slice> = [slice(0), slice(1), slice(30)].into();
        forget(&mut slices, 30);
        assert_eq!(slices.iter().map(|slice| slice.number).collect::<Vec<_>>(), [1, 30]);
    }
}

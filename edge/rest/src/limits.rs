//! Token buckets: so many requests at once, so many a second on average, per address and per account.

use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use moka::sync::Cache;

/// Buckets in memory at most; the longest unused are forgotten first, which fills them.
const MOST_BUCKETS: u64 = 200_000;

pub(crate) struct Limits<K> {
    per_second: u32,
    burst: u32,
    buckets: Cache<K, Arc<Mutex<Bucket>>>,
}

struct Bucket {
    tokens: f64,
    at: Instant,
}

/// How much of a limit is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    /// Until the bucket is full again.
    pub(crate) reset_seconds: u32,
    /// Set when the request is one too many: until the next one may come.
    pub(crate) retry_after_seconds: Option<u32>,
}

impl<K: Hash + Eq + Send + Sync + 'static> Limits<K> {
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let full_after = burst.checked_div(per_second).map_or(1, |seconds| u64::from(seconds) + 1);
        let buckets = Cache::builder().max_capacity(MOST_BUCKETS).time_to_idle(Duration::from_secs(full_after)).build();
        Self { per_second, burst: burst.max(1), buckets }
    }

    /// Takes one token. `None`: there is no limit.
    pub(crate) fn take(&self, key: K, now: Instant) -> Option<Left> {
        if self.per_second == 0 {
            return None;
        }
        let (rate, burst) = (f64::from(self.per_second), f64::from(self.burst));
        let bucket = self.buckets.get_with(key, || Arc::new(Mutex::new(Bucket { tokens: burst, at: now })));
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.tokens = (bucket.tokens + now.saturating_duration_since(bucket.at).as_secs_f64() * rate).min(burst);
        bucket.at = now;
        let retry_after_seconds = if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            None
        } else {
            Some(whole_seconds((1.0 - bucket.tokens) / rate).max(1))
        };
        let remaining = whole_seconds(bucket.tokens.floor());
        Some(Left { limit: self.burst, remaining, reset_seconds: whole_seconds((burst - bucket.tokens) / rate), retry_after_seconds })
    }
}

fn whole_seconds(seconds: f64) -> u32 {
    u32::try_from(Duration::try_from_secs_f64(seconds.ceil()).unwrap_or_default().as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_average() {
        let limits = Limits::new(10, 3);
        let start = Instant::now();
        let taken = |key, after| limits.take(key, start + Duration::from_millis(after)).unwrap();
        assert_eq!((0..3).map(|_| taken("a", 0).retry_after_seconds).collect::<Vec<_>>(), [None, None, None]);
        assert_eq!(taken("a", 0).retry_after_seconds, Some(1), "the fourth at once is one too many");
        assert_eq!(taken("b", 0).remaining, 2, "others have buckets of their own");
        assert_eq!(taken("a", 100).retry_after_seconds, None, "a tenth of a second later there is one more");
        assert!(Limits::new(0, 5).take("a", start).is_none());
    }
}

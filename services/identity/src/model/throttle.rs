//! Pauses that grow: some failures are free, then each doubles the pause, and quiet time forgives.

use chrono::Duration;
use kit_core::Time;

/// What is allowed of one kind of attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub free: u32,
    pub first_pause_seconds: u32,
    pub longest_pause_seconds: u32,
    /// After this long without a strike the count starts again.
    pub forgiven_after_seconds: u32,
}

/// What is remembered about one account or address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Record {
    pub strikes: u32,
    pub last_at: Time,
    pub blocked_until: Option<Time>,
}

impl Record {
    /// Seconds until another attempt is allowed; `None`: now.
    pub(crate) fn wait(&self, now: Time) -> Option<i64> {
        self.blocked_until.filter(|until| *until > now).map(|until| (until - now).num_seconds().max(1))
    }

    /// One more strike.
    #[must_use]
    pub(crate) fn strike(self, now: Time, limit: Limit) -> Self {
        let quiet = now - self.last_at > Duration::seconds(i64::from(limit.forgiven_after_seconds));
        let strikes = if quiet { 1 } else { self.strikes.saturating_add(1) };
        let over = strikes.saturating_sub(limit.free);
        let pause = (over > 0).then(|| {
            let doubled = i64::from(limit.first_pause_seconds).saturating_mul(1_i64.checked_shl(over - 1).filter(|n| *n > 0).unwrap_or(i64::MAX));
            doubled.min(i64::from(limit.longest_pause_seconds))
        });
        Self { strikes, last_at: now, blocked_until: pause.map(|seconds| now + Duration::seconds(seconds)) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: Limit = Limit { free: 5, first_pause_seconds: 15, longest_pause_seconds: 3_600, forgiven_after_seconds: 3_600 };

    #[test]
    fn five_are_free_then_pauses_double_and_quiet_time_forgives() {
        let now = Time::default() + Duration::days(1);
        let mut record = Record::default();
        let mut pauses = Vec::new();
        for _ in 0..9 {
            record = record.strike(now, LIMIT);
            pauses.push(record.wait(now));
        }
        assert_eq!(pauses, [None, None, None, None, None, Some(15), Some(30), Some(60), Some(120)]);
        assert_eq!(record.strike(now + Duration::hours(2), LIMIT).wait(now + Duration::hours(2)), None);
    }

    proptest! {
        #[test]
        fn pauses_never_shrink_under_fire_nor_pass_the_longest(gaps in prop::collection::vec(0i64..3_600, 1..200)) {
            let (mut record, mut now, mut longest) = (Record::default(), Time::default() + Duration::days(1), 0);
            for gap in gaps {
                now += Duration::seconds(gap);
                record = record.strike(now, LIMIT);
                let wait = record.wait(now).unwrap_or(0);
                prop_assert!(wait >= longest && wait <= 3_600);
                longest = wait;
            }
        }
    }
}

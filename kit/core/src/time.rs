//! Time and ids come from here and nowhere else, so that a test or a replay can set both.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};
use uuid::{ContextV7, Timestamp, Uuid};

use crate::{Id, Kind};

pub type Time = DateTime<Utc>;

/// The one source of the present moment.
#[derive(Debug, Clone)]
pub enum Clock {
    System,
    /// Microseconds since the Unix epoch; moved only by `set` and `advance`.
    Virtual(Arc<AtomicI64>),
}

impl Clock {
    pub fn virtual_at(start: Time) -> Self {
        Self::Virtual(Arc::new(AtomicI64::new(start.timestamp_micros())))
    }

    /// The present, to the microsecond, which is what PostgreSQL keeps.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the operating system")]
    pub fn now(&self) -> Time {
        let micros = match self {
            Self::System => Utc::now().timestamp_micros(),
            Self::Virtual(micros) => micros.load(Ordering::SeqCst),
        };
        DateTime::from_timestamp_micros(micros).unwrap_or_default()
    }

    /// Moves a virtual clock; the system clock does not move by hand.
    pub fn set(&self, to: Time) {
        if let Self::Virtual(micros) = self {
            micros.store(to.timestamp_micros(), Ordering::SeqCst);
        }
    }

    pub fn advance(&self, by: chrono::Duration) {
        self.set(self.now() + by);
    }
}

/// The one source of new ids: UUIDv7, ordered by time and unique within the process even inside one millisecond.
#[derive(Debug, Clone)]
pub struct Ids {
    clock: Clock,
    context: Arc<std::sync::Mutex<ContextV7>>,
}

impl Ids {
    pub fn new(clock: Clock) -> Self {
        Self { clock, context: Arc::new(std::sync::Mutex::new(ContextV7::new())) }
    }

    pub fn next<K: Kind>(&self) -> Id<K> {
        Id::from(self.uuid())
    }

    pub fn uuid(&self) -> Uuid {
        let now = self.clock.now();
        let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
        let context = self.context.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Uuid::new_v7(Timestamp::from_unix(&*context, seconds, now.timestamp_subsec_nanos()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_instant_are_unique_and_ascending() {
        let clock = Clock::virtual_at(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let ids = Ids::new(clock.clone());
        let made: Vec<Uuid> = (0..1000).map(|_| ids.uuid()).collect();
        assert!(made.is_sorted() && made.windows(2).all(|pair| pair[0] != pair[1]));
        clock.advance(chrono::Duration::seconds(1));
        assert!(ids.uuid() > made[999]);
    }
}

//! What is decided without a database: who gets which arm, what an experiment shows, how far behaviour has drifted, when to train.

use api_recommendations::{Interval, Strategy};
use kit_core::Time;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::config::Config;
use crate::store::{Experiment, Figures, Model};

/// What everybody gets outside of experiments.
pub(crate) const EVERYBODYS: Strategy = Strategy::Hybrid;

/// The quantile of the normal distribution for 95 % confidence.
const Z: f64 = 1.959_963_984_540_054;

impl Experiment {
    /// Whether a subject is treated: always the same answer, and independent between experiments.
    pub(crate) fn treats(&self, subject: Uuid) -> bool {
        let digest = Sha256::new().chain_update(self.experiment_id.as_bytes()).chain_update(subject.as_bytes()).finalize();
        let first = digest.iter().take(4).fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte));
        first % 100 < u32::try_from(self.treatment_percent).unwrap_or_default()
    }

    pub(crate) fn strategy(&self, treated: bool) -> Strategy {
        let number = if treated { self.treatment } else { self.control };
        Strategy::try_from(i32::from(number)).unwrap_or(EVERYBODYS)
    }
}

/// A share of a count with its 95 % Wilson score interval (Wilson 1927), which stays within 0 and 1 and holds for small counts.
pub(crate) fn share(of: i64, all: i64) -> Interval {
    if all <= 0 {
        return Interval::default();
    }
    let (n, p) = (float(all), float(of) / float(all));
    let centre = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    Interval { value: p, low: (centre - half).max(0.0), high: (centre + half).min(1.0) }
}

/// How much larger the second share is than the first, with Newcombe's 95 % interval (1998, method 10), made from the two Wilson intervals.
pub(crate) fn lift(control: &Interval, treatment: &Interval) -> Interval {
    let value = treatment.value - control.value;
    let below = ((treatment.value - treatment.low).powi(2) + (control.high - control.value).powi(2)).sqrt();
    let above = ((treatment.high - treatment.value).powi(2) + (control.value - control.low).powi(2)).sqrt();
    Interval { value, low: value - below, high: value + above }
}

#[expect(clippy::as_conversions, reason = "a count as a number to divide, exact below 2^53")]
fn float(count: i64) -> f64 {
    count as f64
}

/// The population stability index of two distributions given as counts by bucket: Σ (p − q) · ln(p / q), each count one larger so that an
/// empty bucket does not make it infinite.
pub(crate) fn stability_index(then: &[u64], now: &[u64]) -> f64 {
    let total = |counts: &[u64]| counts.iter().map(|count| float(i64::try_from(*count).unwrap_or(i64::MAX)) + 1.0).sum::<f64>();
    let (then_total, now_total) = (total(then), total(now));
    let part = |(then, now): (&u64, &u64)| {
        let p = (float(i64::try_from(*then).unwrap_or(i64::MAX)) + 1.0) / then_total;
        let q = (float(i64::try_from(*now).unwrap_or(i64::MAX)) + 1.0) / now_total;
        (p - q) * (p / q).ln()
    };
    then.iter().zip(now).map(part).sum()
}

/// Whether it is time for a new model: enough has come in since the newest began, and that is long enough ago. The first one waits for nothing.
pub(crate) fn is_due(newest: Option<&Model>, events_since: i64, now: Time, config: &Config) -> bool {
    let old_enough = newest.is_none_or(|newest| newest.started_at + chrono::Duration::hours(i64::from(config.train_every_hours)) <= now);
    old_enough && events_since >= config.train_after_events
}

/// Whether a new model may serve without being asked for: nothing serves, too little could be measured, or it is about as good.
pub(crate) fn publishes_itself(serving: Option<Figures>, new: Figures, config: &Config) -> bool {
    serving.is_none_or(|serving| serving.cases == 0 || new.cases == 0 || new.ndcg >= serving.ndcg * config.publish_from_share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn experiment(percent: i32) -> Experiment {
        Experiment {
            experiment_id: Uuid::from_u128(7),
            name: "one".to_owned(),
            placement: 1,
            control: 4,
            treatment: 1,
            treatment_percent: percent,
            started_at: Time::default(),
            stopped_at: None,
        }
    }

    #[test]
    fn a_subject_stays_in_its_arm_and_arms_are_as_large_as_asked() {
        let thirty = experiment(30);
        let treated = (0..10_000).filter(|subject| thirty.treats(Uuid::from_u128(*subject))).count();
        assert!((2_800..3_200).contains(&treated), "{treated}");
        assert_eq!(thirty.treats(Uuid::from_u128(5)), thirty.treats(Uuid::from_u128(5)));
        let other = Experiment { experiment_id: Uuid::from_u128(8), ..experiment(30) };
        assert!((0..100).any(|subject| thirty.treats(Uuid::from_u128(subject)) != other.treats(Uuid::from_u128(subject))));
        assert_eq!((thirty.strategy(false), thirty.strategy(true)), (Strategy::Hybrid, Strategy::Popular));
    }

    #[test]
    fn intervals_agree_with_published_examples() {
        // Newcombe (1998), table II: 56/70 against 48/80 gives 0.2 with 0.0524 to 0.3339.
        let (first, second) = (share(48, 80), share(56, 70));
        let difference = lift(&first, &second);
        assert!((difference.value - 0.2).abs() < 1e-9);
        assert!((difference.low - 0.0524).abs() < 5e-4 && (difference.high - 0.3339).abs() < 5e-4, "{difference:?}");
        assert_eq!(share(0, 0), Interval::default());
        assert_eq!(share(0, 10).low, 0.0);
    }

    #[test]
    fn the_same_distribution_has_not_drifted_and_another_has() {
        assert!(stability_index(&[100, 200, 300], &[200, 400, 600]) < 0.01);
        assert!(stability_index(&[300, 200, 100], &[100, 200, 300]) > 0.25);
    }

    #[test]
    fn a_clearly_worse_model_waits_for_a_person() {
        let of = |ndcg| Figures { cases: 100, ndcg, ..Figures::default() };
        let config = Config::default();
        assert!(publishes_itself(None, of(0.0), &config));
        assert!(publishes_itself(Some(of(0.2)), of(0.19), &config));
        assert!(!publishes_itself(Some(of(0.2)), of(0.1), &config));
        assert!(publishes_itself(Some(of(0.2)), Figures::default(), &config), "too little to measure");
    }
}

//! The section `[services.recommendations]` of the configuration.

use serde::Deserialize;

/// Every limit of the service, by name.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// A model is trained when the newest is so old and so much has come in since.
    pub(crate) train_every_hours: u32,
    pub(crate) train_after_events: i64,
    /// Behaviour older than this is neither learnt from nor kept.
    pub(crate) keep_days: u32,
    /// The newest events learnt from, at most.
    pub(crate) learn_max_events: usize,
    /// Without events for so long, a visit is over.
    pub(crate) visit_minutes: u32,
    /// Subjects hidden from a training to measure it, at most.
    pub(crate) measure_max_subjects: usize,
    /// A new model is published by itself unless it measures worse than this share of the one that serves.
    pub(crate) publish_from_share: f64,
    /// What a subject did last that shelves look at.
    pub(crate) recent_events: i64,
    /// How often a process looks for a new model, changed products and experiments.
    pub(crate) look_every_ms: u64,
    /// Products are read again at most so often.
    pub(crate) products_every_ms: u64,
    /// The longest an answer for nobody in particular is kept.
    pub(crate) answer_cache_ms: u64,
    pub(crate) answer_cache_entries: u64,
    /// Rows of the trail that drift is measured on.
    pub(crate) drift_rows: i64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            train_every_hours: 6,
            train_after_events: 500,
            keep_days: 180,
            learn_max_events: 20_000_000,
            visit_minutes: 30,
            measure_max_subjects: 5_000,
            publish_from_share: 0.9,
            recent_events: 50,
            look_every_ms: 500,
            products_every_ms: 5_000,
            answer_cache_ms: 3_000,
            answer_cache_entries: 10_000,
            drift_rows: 2_000,
        }
    }
}

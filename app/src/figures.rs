//! `/metrics` for Prometheus, with what the process itself weighs.

use std::time::Duration;

use anyhow::Context;
use kit_db::Storage;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Seconds, from a millisecond's quarter to ten seconds.
const BUCKETS: &[f64] = &[0.000_25, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Starts recording; to be called before services register their metrics.
pub(crate) fn start() -> anyhow::Result<PrometheusHandle> {
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("seconds".to_owned()), BUCKETS)?;
    let handle = builder.install_recorder().context("metrics cannot be recorded")?;
    let upkeep = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP_EVERY).await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}

/// The page of figures.
pub(crate) async fn page(handle: &PrometheusHandle, storage: &Storage) -> String {
    if let Some(bytes) = resident_bytes() {
        metrics::gauge!("process_resident_memory_bytes").set(bytes);
    }
    if let Some(statements) = storage.statements().await {
        metrics::counter!("mh_sql_statements_total").absolute(statements);
    }
    handle.render()
}

/// The resident memory of this process, as Linux tells it.
fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

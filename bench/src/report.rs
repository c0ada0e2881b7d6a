//! What a run prints and leaves behind: set-up, table, figures, plot.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;

use crate::engine::{Outcome, float};
use crate::plot;
use crate::statements::Counters;

/// The percentiles of the table.
const PERCENTILES: [(f64, &str); 5] = [(0.5, "p50"), (0.95, "p95"), (0.99, "p99"), (0.999, "p99.9"), (1.0, "max")];

pub(crate) struct Report {
    pub name: &'static str,
    /// What was measured, in one sentence with its figures.
    pub what: String,
    pub rate: Option<u32>,
    pub outcome: Outcome,
    pub before: Counters,
    pub after: Counters,
    /// Further figures of the scenario: (name, value).
    pub figures: Vec<(&'static str, String)>,
    /// Why the run does not count; empty when it does.
    pub faults: Vec<String>,
}

impl Report {
    pub(crate) fn sound(&self) -> bool {
        self.unsound_because().is_empty()
    }

    pub(crate) fn unsound_because(&self) -> String {
        let mut because = self.faults.clone();
        if self.outcome.failed > 0 {
            because.push(format!("{} operations failed ({})", self.outcome.failed, self.outcome.failures.join("; ")));
        }
        if self.outcome.shed > 0 {
            because.push(format!("{} operations could not start: the server was overloaded", self.outcome.shed));
        }
        if self.outcome.succeeded == 0 {
            because.push("nothing succeeded".to_owned());
        }
        because.join("; ")
    }

    /// All figures, in the order they are shown.
    fn rows(&self) -> Vec<(String, String)> {
        let mut rows = Vec::new();
        if let Some(rate) = self.rate {
            rows.push(("asked".to_owned(), format!("{rate}/s")));
        }
        rows.push((
            "completed".to_owned(),
            format!("{:.1}/s ({} in {:.1} s)", self.outcome.per_second_mean(), self.outcome.succeeded, self.outcome.measured.as_secs_f64()),
        ));
        rows.push(("failed, shed".to_owned(), format!("{}, {}", self.outcome.failed, self.outcome.shed)));
        for (quantile, name) in PERCENTILES {
            rows.push((name.to_owned(), format!("{:.2} ms", float(self.outcome.latencies.value_at_quantile(quantile)) / 1000.0)));
        }
        if let (Some(before), Some(after), true) = (self.before.statements, self.after.statements, self.outcome.succeeded > 0) {
            rows.push(("SQL statements per operation".to_owned(), format!("{:.2}", (after - before) / float(self.outcome.succeeded))));
        }
        if let Some(bytes) = self.after.memory_bytes {
            rows.push(("memory of MarketHub afterwards".to_owned(), format!("{:.0} MiB", bytes / 1_048_576.0)));
        }
        rows.extend(self.figures.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        rows
    }

    pub(crate) fn table(&self) -> String {
        let mut table = format!("## bench {}\n\n{}\n\n{}\n\n| figure | value |\n|---|---|\n", self.name, self.what, machine());
        for (name, value) in self.rows() {
            table.push_str(&format!("| {name} | {value} |\n"));
        }
        if !self.sound() {
            table.push_str(&format!("\nDoes not count: {}\n", self.unsound_because()));
        }
        table
    }

    /// Writes `<name>.md`, `<name>.json` and `<name>.svg`; returns the plot's path.
    pub(crate) fn write(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let figures: serde_json::Map<_, _> = self.rows().into_iter().map(|(name, value)| (name, json!(value))).collect();
        let save = |ending: &str, text: String| {
            let path = folder.join(format!("{}.{ending}", self.name));
            std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display())).map(|()| path)
        };
        save("md", self.table())?;
        save("json", serde_json::to_string_pretty(&json!({ "name": self.name, "what": self.what, "machine": machine(), "figures": figures }))?)?;
        save("svg", plot::draw(&format!("{}: {}", self.name, self.what), &self.outcome))
    }
}

/// The machine in one line: cores, memory, processor.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        text.lines().find(|line| line.starts_with(name)).and_then(|line| line.split(':').nth(1)).unwrap_or("?").trim().to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!(
        "Machine: {cores} cores, {}, memory {}; client, MarketHub and PostgreSQL on it together.",
        field(&read("/proc/cpuinfo"), "model name"),
        field(&read("/proc/meminfo"), "MemTotal")
    )
}

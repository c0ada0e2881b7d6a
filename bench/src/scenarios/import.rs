//! Feeds of invented products: uploaded, validated, saved, indexed; timed to the last row saved and to the last one found.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::engine::{Outcome, float};
use crate::http::{Caller, Http};
use crate::invented::{self, COLUMNS};
use crate::report::Report;
use crate::{BenchArgs, demo, market, statements};

/// How long the import and the index may take before the run is given up.
const GIVE_UP_AFTER: Duration = Duration::from_secs(600);
const ASK_EVERY: Duration = Duration::from_millis(50);
/// The longest run of feeds that is told apart.
const LONGEST_MICROS: u64 = 6 * 3_600 * 1_000_000;

/// Rows of one feed; the next goes to the next seller.
const FEED_ROWS: u32 = 100_000;

pub(super) async fn run(args: &BenchArgs, http: &Http) -> anyhow::Result<Report> {
    // Another mark in each run, so that every run creates its products and none finds those of the last.
    let mark = format!("bench{:x}", std::process::id());
    let categories = demo::categories(http).await?;
    let mapping = mapping();
    let before = statements::read(http).await;
    let (mut imported, mut bytes, mut saved) = (0, 0, Duration::ZERO);
    for (number, first) in (0..args.rows).step_by(usize::try_from(FEED_ROWS)?).enumerate() {
        let seller = market::seller(http, number % demo::SHOPS + 1).await?;
        let feed = feed(first..args.rows.min(first + FEED_ROWS), &mark, &categories)?;
        bytes += feed.len();
        let begin = Instant::now();
        let done = market::import(http, &seller, feed, &mapping).await?;
        saved += begin.elapsed();
        imported += done.pointer("/import/created").and_then(Value::as_u64).unwrap_or_default();
        eprintln!("bench import: {imported} of {} products, {:.0} s", args.rows, saved.as_secs_f64());
    }
    let begin = Instant::now();
    let found = until_found(http, &mark, imported).await?;
    let late = begin.elapsed();
    let after = statements::read(http).await;
    let mut latencies = Histogram::new_with_bounds(1, LONGEST_MICROS, 3)?;
    latencies.saturating_record(u64::try_from(saved.as_micros())?);
    let rows = f64::from(args.rows);
    let outcome = Outcome { latencies, succeeded: imported, failed: 0, failures: Vec::new(), shed: 0, per_second: vec![args.rows], measured: saved };
    let figures = vec![
        ("rows per second, validated and saved", format!("{:.0}", rows / saved.as_secs_f64())),
        ("rows per second, until the last is found", format!("{:.0}", rows / (saved + late).as_secs_f64())),
        ("last row found after it was saved", format!("{:.2} s", late.as_secs_f64())),
        ("found", found.to_string()),
        ("feeds", format!("{:.1} MiB", float(u64::try_from(bytes)?) / 1_048_576.0)),
    ];
    let faults = if imported == u64::from(args.rows) { Vec::new() } else { vec![format!("{imported} of {} rows were created", args.rows)] };
    let what = format!("CSV feeds of {} new products over HTTP", args.rows);
    Ok(Report { name: "import", what, rate: None, outcome, before, after, figures, faults })
}

fn mapping() -> Value {
    let columns: serde_json::Map<String, Value> = COLUMNS.iter().map(|column| ((*column).to_owned(), json!(column))).collect();
    json!({ "columns": columns, "constants": { "currency": "USD", "stock": "25" } })
}

fn feed(rows: Range<u32>, mark: &str, categories: &BTreeMap<&'static str, String>) -> anyhow::Result<Vec<u8>> {
    let mut feed = csv::Writer::from_writer(Vec::new());
    feed.write_record(COLUMNS)?;
    for number in rows {
        feed.write_record(invented::row(number, mark, categories))?;
    }
    Ok(feed.into_inner()?)
}

async fn until_found(http: &Http, mark: &str, rows: u64) -> anyhow::Result<u64> {
    let begin = Instant::now();
    loop {
        let page = http.get(&format!("/v1/search?limit=1&query={mark}"), &Caller::default()).await?;
        let total = page.pointer("/total").and_then(Value::as_u64).unwrap_or_default();
        if total >= rows || begin.elapsed() > GIVE_UP_AFTER {
            return Ok(total);
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

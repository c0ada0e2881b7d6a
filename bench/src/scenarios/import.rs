//! A product feed of its own making: uploaded, validated, saved, indexed; timed to the last row saved and to the last one found.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::engine::{Outcome, float};
use crate::http::{Caller, Http};
use crate::report::Report;
use crate::{BenchArgs, market, statements};

/// How long the import and the index may take before the run is given up.
const GIVE_UP_AFTER: Duration = Duration::from_secs(600);
const ASK_EVERY: Duration = Duration::from_millis(50);

pub(super) async fn run(args: &BenchArgs, http: &Http) -> anyhow::Result<Report> {
    let seller = market::seller(http, 1).await?;
    // Another mark in each run, so that every run creates its products and none finds those of the last.
    let mark = format!("bench{:x}", std::process::id());
    let feed = feed(args.rows, &mark);
    let bytes = feed.len();
    let before = statements::read(http).await;
    let begin = Instant::now();
    let mapping = json!({
        "columns": { "sku": "sku", "title": "title", "brand": "brand", "price": "price", "description": "description" },
        "constants": { "currency": "USD", "stock": "25" },
    });
    let done = market::import(http, &seller, feed.into_bytes(), &mapping).await?;
    let saved = begin.elapsed();
    let found = until_found(http, seller.tenant.as_deref().unwrap_or_default(), &mark, args.rows).await?;
    let indexed = begin.elapsed();
    let after = statements::read(http).await;
    let imported = done.pointer("/import/created").and_then(Value::as_u64).unwrap_or_default();
    let mut latencies = Histogram::new_with_bounds(1, 600_000_000, 3)?;
    latencies.saturating_record(u64::try_from(saved.as_micros())?);
    let rows = f64::from(args.rows);
    let outcome = Outcome { latencies, succeeded: imported, failed: 0, failures: Vec::new(), shed: 0, per_second: vec![args.rows], measured: saved };
    let figures = vec![
        ("rows per second, validated and saved", format!("{:.0}", rows / saved.as_secs_f64())),
        ("rows per second, until the last is found", format!("{:.0}", rows / indexed.as_secs_f64())),
        ("last row found after it was saved", format!("{:.2} s", (indexed - saved).as_secs_f64())),
        ("found", found.to_string()),
        ("feed", format!("{:.1} MiB", float(u64::try_from(bytes)?) / 1_048_576.0)),
    ];
    let faults = if imported == u64::from(args.rows) { Vec::new() } else { vec![format!("{imported} of {} rows were created", args.rows)] };
    let what = format!("a CSV feed of {} new products over HTTP", args.rows);
    Ok(Report { name: "import", what, rate: None, outcome, before, after, figures, faults })
}

fn feed(rows: u32, mark: &str) -> String {
    const THINGS: [&str; 8] =
        ["Wireless Headphones", "Desk Lamp", "Coffee Grinder", "Travel Mug", "Laptop Stand", "Cable Lock", "Running Shoes", "Camera Bag"];
    const MAKERS: [&str; 6] = ["Norden", "Halcyon", "Brightwell", "Kestrel", "Ostara", "Pinefield"];
    let mut feed = String::from("sku,title,brand,price,description\n");
    for row in 0..rows {
        let thing = usize::try_from(row).ok().and_then(|at| THINGS.get(at % THINGS.len())).unwrap_or(&"Thing");
        let maker = usize::try_from(row).ok().and_then(|at| MAKERS.get(at / 7 % MAKERS.len())).unwrap_or(&"Maker");
        let (whole, cents) = (5 + row % 900, row % 100);
        feed.push_str(&format!(
            "{mark}-{row},\"{maker} {thing}, model {mark} {row}\",{maker},{whole}.{cents:02},\"{thing} by {maker}. Two-year warranty, \"\"easy\"\" returns; item {row}.\"\n"
        ));
    }
    feed
}

async fn until_found(http: &Http, tenant: &str, mark: &str, rows: u32) -> anyhow::Result<u64> {
    let begin = Instant::now();
    loop {
        let page = http.get(&format!("/v1/search?limit=1&tenant_id={tenant}&query={mark}"), &Caller::default()).await?;
        let total = page.pointer("/total").and_then(Value::as_u64).unwrap_or_default();
        if total >= u64::from(rows) || begin.elapsed() > GIVE_UP_AFTER {
            return Ok(total);
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

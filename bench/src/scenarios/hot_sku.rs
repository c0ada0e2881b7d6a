//! A flash sale: many buyers at the same moment for few pieces of one SKU. Sold must equal what there was, exactly.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::engine::{Outcome, float};
use crate::http::{Caller, Http, text};
use crate::market::{self, Sellable};
use crate::report::Report;
use crate::statements;

pub(crate) async fn run(buyers: u32, pieces: u32, http: &Http) -> anyhow::Result<Report> {
    let seller = market::seller(http, 1).await?;
    let target = Arc::new(stocked(http, &seller, pieces).await?);
    let mut rush = Vec::new();
    for _ in 0..buyers {
        rush.push(market::guest(http).await?);
    }
    let before = statements::read(http).await;
    let begin = Instant::now();
    let rush = rush.into_iter().map(|buyer| {
        let (http, target) = (http.clone(), Arc::clone(&target));
        tokio::spawn(async move {
            let outcome = market::buy(&http, &buyer, market::GUEST, &[&*target], false).await.and_then(|placed| market::bought(&placed));
            (outcome, begin.elapsed())
        })
    });
    let results = futures::future::join_all(rush).await;
    let elapsed = begin.elapsed();
    let after = statements::read(http).await;
    let mut sale = Sale { latencies: Histogram::new_with_bounds(1, 120_000_000, 3)?, sold: 0, refused: 0, failures: Vec::new() };
    for result in results {
        let (outcome, took) = result?;
        sale.count(outcome, took);
    }
    let left = available(http, &target).await?;
    Ok(sale.report(buyers, pieces, before, after, elapsed, left))
}

struct Sale {
    latencies: Histogram<u64>,
    sold: u32,
    refused: u32,
    failures: Vec<String>,
}

impl Sale {
    fn count(&mut self, outcome: anyhow::Result<()>, took: Duration) {
        self.latencies.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        match outcome {
            Ok(()) => self.sold += 1,
            Err(error) if format!("{error:#}").contains("NOT_ENOUGH_STOCK") => self.refused += 1,
            Err(error) => self.failures.push(format!("{error:#}")),
        }
    }

    fn report(self, buyers: u32, pieces: u32, before: statements::Counters, after: statements::Counters, elapsed: Duration, left: i64) -> Report {
        let answered = u64::from(self.sold) + u64::from(self.refused);
        let expected = pieces.min(buyers);
        let mut faults = Vec::new();
        if self.sold != expected {
            faults.push(format!("{} sold of {} pieces", self.sold, pieces));
        }
        if left != i64::from(pieces) - i64::from(self.sold) {
            faults.push(format!("{left} pieces are left in the listing"));
        }
        let outcome = Outcome {
            latencies: self.latencies,
            succeeded: answered,
            failed: u64::try_from(self.failures.len()).unwrap_or(u64::MAX),
            failures: self.failures.into_iter().take(5).collect(),
            shed: 0,
            per_second: vec![buyers],
            measured: elapsed,
        };
        let figures = vec![
            ("sold", self.sold.to_string()),
            ("refused: not enough stock", self.refused.to_string()),
            ("left", left.to_string()),
            ("buyers answered per second", format!("{:.0}", float(answered) / elapsed.as_secs_f64())),
        ];
        let what = format!("{} buyers at once for {} pieces of one SKU", buyers, pieces);
        Report { name: "hot-sku", what, rate: None, outcome, before, after, figures, faults }
    }
}

/// The seller's first listed variant, with exactly `pieces` in stock.
async fn stocked(http: &Http, seller: &Caller, pieces: u32) -> anyhow::Result<Sellable> {
    let tenant = seller.tenant.clone().unwrap_or_default();
    let page = http.get(&format!("/v1/search?limit=1&tenant_id={tenant}"), &Caller::default()).await?;
    let target = Sellable {
        product_id: text(&page, "/hits/0/product_id")?,
        slug: String::new(),
        tenant_id: tenant,
        variant_id: text(&page, "/hits/0/variant_id")?,
        title: text(&page, "/hits/0/title")?,
    };
    http.post("/v1/stock/set", seller, &json!({ "variant_id": target.variant_id, "quantity": pieces })).await?;
    for _ in 0..500 {
        if available(http, &target).await? == i64::from(pieces) {
            return Ok(target);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    anyhow::bail!("the listing does not show the {pieces} pieces that were set")
}

async fn available(http: &Http, target: &Sellable) -> anyhow::Result<i64> {
    // The listing follows the last sale within a second.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let listing = http.get(&format!("/v1/listings/{}", target.product_id), &Caller::default()).await?;
    let variants = listing.pointer("/variants").and_then(Value::as_array).cloned().unwrap_or_default();
    let shown = variants.iter().find(|shown| shown.get("variant_id").and_then(Value::as_str) == Some(&target.variant_id));
    Ok(shown.and_then(|shown| shown.get("available")).and_then(Value::as_i64).unwrap_or_default())
}

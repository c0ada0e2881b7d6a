//! Behaviour events: batches as a shop's own front end or a collector sends them, durable when answered.

use std::sync::Arc;

use http::Method;
use hyper::body::Bytes;

use super::open_loop;
use crate::engine::float;
use crate::http::{Caller, Http};
use crate::report::Report;
use crate::{BenchArgs, market};

/// Events of one request, and how many visitors they are of.
const EVENTS: u64 = 250;
const VISITORS: u64 = 25;
/// 50,000 events a second.
const REQUESTS_PER_SECOND: u32 = 200;

pub(super) async fn run(args: &BenchArgs, http: &Http) -> anyhow::Result<Report> {
    let sellables = Arc::new(market::sellables(http).await?);
    let what = format!("requests of {EVENTS} events of {VISITORS} visitors, looking at {} products", sellables.len());
    let mut report = open_loop("behaviour", what, REQUESTS_PER_SECOND, args, http, |number| {
        let (http, sellables) = (http.clone(), Arc::clone(&sellables));
        async move {
            let body = Bytes::from(events(&sellables, number)?);
            http.send(Method::POST, "/v1/events", &Caller::default(), "application/json", body).await?.ok("/v1/events").map(drop)
        }
    })
    .await?;
    let per_second = report.outcome.per_second_mean() * float(EVENTS);
    report.figures.push(("events per second, durable", format!("{per_second:.0}")));
    Ok(report)
}

fn events(sellables: &[market::Sellable], number: u64) -> anyhow::Result<Vec<u8>> {
    let length = u64::try_from(sellables.len())?.max(1);
    let event = |place: u64| {
        let visitor = number * VISITORS + place % VISITORS;
        // Each visitor looks around in a corner of its own.
        let at = usize::try_from((visitor.wrapping_mul(7919) + place * place % 31) % length).ok()?;
        let product_id = &sellables.get(at)?.product_id;
        Some(serde_json::json!({ "kind": "view", "product_id": product_id, "visitor_id": format!("bench-visitor-{visitor:012}") }))
    };
    let events: Vec<_> = (0..EVENTS).filter_map(event).collect();
    Ok(serde_json::to_vec(&serde_json::json!({ "consented": true, "events": events }))?)
}

//! From a change to its appearance: a seller sets the stock of a variant, and the public listing and search must show it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::open_loop;
use crate::http::{Caller, Http};
use crate::report::Report;
use crate::{BenchArgs, market};

/// How often the listing is asked whether it shows the change yet; the resolution of the result.
const ASK_EVERY: Duration = Duration::from_millis(10);

pub(super) async fn run(args: &BenchArgs, http: &Http) -> anyhow::Result<Report> {
    let seller = Arc::new(market::seller(http, 1).await?);
    let tenant = seller.tenant.clone().unwrap_or_default();
    let targets: Vec<(String, String)> =
        market::sellables_of(http, &tenant).await?.into_iter().map(|sellable| (sellable.product_id, sellable.variant_id)).collect();
    anyhow::ensure!(!targets.is_empty(), "the demo seller has no listed product");
    let targets = Arc::new(targets);
    let what = format!("stock set by the seller until its listing shows it, {} products", targets.len());
    let report = open_loop("events", what, 20, args, http, |number| {
        let (http, seller, targets) = (http.clone(), Arc::clone(&seller), Arc::clone(&targets));
        async move {
            let at = usize::try_from(number)? % targets.len();
            let (product, variant) = targets.get(at).ok_or_else(|| anyhow::anyhow!("no product"))?;
            let quantity = 1000 + number;
            http.post("/v1/stock/set", &seller, &json!({ "variant_id": variant, "quantity": quantity })).await?;
            loop {
                let listing = http.get(&format!("/v1/listings/{product}"), &Caller::default()).await?;
                let variants = listing.pointer("/variants").and_then(Value::as_array).cloned().unwrap_or_default();
                let shown = variants.iter().find(|shown| shown.get("variant_id").and_then(Value::as_str) == Some(variant));
                let available = shown.and_then(|shown| shown.get("available")).and_then(Value::as_u64).unwrap_or_default();
                // A later change of the same variant may already be there; then this one has been visible too.
                if available >= quantity {
                    return Ok(());
                }
                tokio::time::sleep(ASK_EVERY).await;
            }
        }
    });
    report.await
}

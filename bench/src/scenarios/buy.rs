//! Buying: a new cart, and the whole way to a placed order.

use std::sync::Arc;

use serde_json::json;

use super::open_loop;
use crate::http::Http;
use crate::report::Report;
use crate::{BenchArgs, market};

pub(super) async fn cart(args: &BenchArgs, http: &Http) -> anyhow::Result<Report> {
    let sellables = Arc::new(market::sellables(http).await?);
    let what = "a new guest puts one thing into a new cart (2 requests)".to_owned();
    let report = open_loop("cart", what, 100, args, http, |number| {
        let (http, sellables) = (http.clone(), Arc::clone(&sellables));
        async move {
            let guest = market::guest(&http).await?;
            let at = usize::try_from(number)? % sellables.len();
            let item = sellables.get(at).ok_or_else(|| anyhow::anyhow!("nothing to buy"))?;
            let line = json!({ "tenant_id": item.tenant_id, "variant_id": item.variant_id, "quantity": 1 });
            http.post("/v1/cart/items", &guest, &line).await.map(drop)
        }
    });
    report.await
}

pub(super) async fn checkout(args: &BenchArgs, http: &Http) -> anyhow::Result<Report> {
    let baskets = Arc::new(market::baskets(&market::sellables(http).await?)?);
    market::fill_warehouses(http, &baskets).await?;
    let what = "a new guest: three sellers' things into the cart, checkout, payment, placed (6 requests)".to_owned();
    let report = open_loop("checkout", what, 50, args, http, |number| {
        let (http, baskets) = (http.clone(), Arc::clone(&baskets));
        async move {
            let guest = market::guest(&http).await?;
            let at = usize::try_from(number)? % baskets.len();
            let [a, b, c] = baskets.get(at).ok_or_else(|| anyhow::anyhow!("nothing to buy"))?;
            market::bought(&market::buy(&http, &guest, market::GUEST, &[a, b, c], true).await?)
        }
    });
    report.await
}

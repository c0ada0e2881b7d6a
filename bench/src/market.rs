//! What every scenario needs of the market: callers, and things that can be bought.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures::{StreamExt, TryStreamExt};
use http::Method;
use hyper::body::Bytes;
use serde_json::{Value, json};

use crate::demo;
use crate::http::{Caller, Http, text};

/// Listings read at most; enough that caches are not flattered by a handful of products.
const LISTINGS: usize = 2000;
/// How long an import may take before it is given up.
const IMPORT_TIMEOUT: Duration = Duration::from_secs(900);
const ASK_EVERY: Duration = Duration::from_millis(50);
/// More pieces than any run sells.
const PLENTY: u32 = 1_000_000;

/// Where guests of benchmarks want to be told of their orders.
pub(crate) const GUEST: &str = "guest@demo.example";

/// A variant in stock.
#[derive(Debug, Clone)]
pub(crate) struct Sellable {
    pub product_id: String,
    pub slug: String,
    pub tenant_id: String,
    pub variant_id: String,
    pub title: String,
}

/// Things that can be bought, found through the public search, spread over the catalog by many different queries.
pub(crate) async fn sellables(http: &Http) -> anyhow::Result<Vec<Sellable>> {
    let mut found: Vec<Sellable> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for query in ["", "black", "digital", "system", "software", "mug", "case", "cotton", "lamp", "wireless", "kit"] {
        let mut cursor = String::new();
        for _page in 0..5 {
            let (page, next) = page(http, &format!("query={query}&cursor={cursor}")).await?;
            found.extend(page.into_iter().filter(|sellable| seen.insert(sellable.variant_id.clone())));
            cursor = next;
            if cursor.is_empty() || found.len() >= LISTINGS {
                break;
            }
        }
    }
    ensure!(!found.is_empty(), "the market has nothing in stock: start it with its demo (`markethub up`) or import a feed first");
    Ok(found)
}

/// The first of what one shop has in stock.
pub(crate) async fn sellables_of(http: &Http, tenant: &str) -> anyhow::Result<Vec<Sellable>> {
    Ok(page(http, &format!("tenant_id={tenant}")).await?.0)
}

/// What one shop has in stock, up to `LISTINGS`.
pub(crate) async fn all_sellables_of(http: &Http, tenant: &str) -> anyhow::Result<Vec<Sellable>> {
    let (mut all, mut cursor) = page(http, &format!("tenant_id={tenant}")).await?;
    while !cursor.is_empty() && all.len() < LISTINGS {
        let (more, next) = page(http, &format!("tenant_id={tenant}&cursor={cursor}")).await?;
        all.extend(more);
        cursor = next;
    }
    Ok(all)
}

/// Titles of what a word finds.
pub(crate) async fn titles(http: &Http, word: &str) -> anyhow::Result<Vec<String>> {
    let page = http.get(&format!("/v1/search?limit=100&query={word}"), &Caller::default()).await?;
    page.pointer("/hits").and_then(Value::as_array).into_iter().flatten().map(|hit| text(hit, "/title")).collect()
}

/// How many listings there are.
pub(crate) async fn found(http: &Http) -> anyhow::Result<u64> {
    let page = http.get("/v1/search?limit=1", &Caller::default()).await?;
    page.pointer("/total").and_then(Value::as_u64).context("the answer has no total")
}

/// One page of a search, and the cursor of the next.
async fn page(http: &Http, asked: &str) -> anyhow::Result<(Vec<Sellable>, String)> {
    let page = http.get(&format!("/v1/search?available_only=true&limit=100&{asked}"), &Caller::default()).await?;
    let mut found = Vec::new();
    for hit in page.pointer("/hits").and_then(Value::as_array).into_iter().flatten() {
        // A product with several variants names none: its buyer chooses.
        if text(hit, "/variant_id")?.is_empty() {
            continue;
        }
        found.push(Sellable {
            product_id: text(hit, "/product_id")?,
            slug: text(hit, "/slug").unwrap_or_default(),
            tenant_id: text(hit, "/tenant_id")?,
            variant_id: text(hit, "/variant_id")?,
            title: text(hit, "/title")?,
        });
    }
    Ok((found, text(&page, "/next_cursor").unwrap_or_default()))
}

/// Baskets of three sellers each; fails when the market has fewer.
pub(crate) fn baskets(sellables: &[Sellable]) -> anyhow::Result<Vec<[Sellable; 3]>> {
    let mut by_seller: std::collections::BTreeMap<&str, Vec<&Sellable>> = std::collections::BTreeMap::new();
    for sellable in sellables {
        by_seller.entry(&sellable.tenant_id).or_default().push(sellable);
    }
    ensure!(by_seller.len() >= 3, "the market needs three sellers with stock, it has {}", by_seller.len());
    let sellers: Vec<&Vec<&Sellable>> = by_seller.values().collect();
    let pick = |number: usize, offset: usize| {
        let goods = sellers.get((number + offset) % sellers.len())?;
        goods.get((number / sellers.len() + offset) % goods.len()).map(|sellable| (*sellable).clone())
    };
    let baskets = (0..LISTINGS).filter_map(|number| Some([pick(number, 0)?, pick(number, 1)?, pick(number, 2)?]));
    Ok(baskets.collect())
}

/// Has the demo's sellers fill their warehouses with what is in the baskets, so that no run ends for want of goods.
pub(crate) async fn fill_warehouses(http: &Http, baskets: &[[Sellable; 3]]) -> anyhow::Result<()> {
    let mut sellers = std::collections::HashMap::new();
    for number in 1..=demo::SHOPS {
        let seller = seller(http, number).await?;
        sellers.insert(seller.tenant.clone().unwrap_or_default(), seller);
    }
    let wanted: std::collections::BTreeMap<&str, &Sellable> = baskets.iter().flatten().map(|item| (item.variant_id.as_str(), item)).collect();
    let mut filling = futures::stream::iter(wanted.into_values())
        .map(|item| {
            let seller = sellers.get(&item.tenant_id);
            async move {
                let seller = seller.with_context(|| format!("{} is sold by nobody of the demo", item.title))?;
                http.post("/v1/stock/set", seller, &json!({ "variant_id": item.variant_id, "quantity": PLENTY })).await
            }
        })
        .buffer_unordered(8);
    while filling.try_next().await?.is_some() {}
    Ok(())
}

/// Brings a CSV feed into a seller's shop; what became of it.
pub(crate) async fn import(http: &Http, seller: &Caller, feed: Vec<u8>, mapping: &Value) -> anyhow::Result<Value> {
    let upload = http.send(Method::POST, "/v1/uploads?file_name=feed.csv", seller, "text/csv", Bytes::from(feed)).await?.ok("/v1/uploads")?;
    let upload = text(&serde_json::from_slice(&upload)?, "/upload/upload_id")?;
    let started = http.post("/v1/imports", seller, &json!({ "upload_id": upload, "mapping": mapping })).await?;
    let import = text(&started, "/import/import_id")?;
    let begin = Instant::now();
    while begin.elapsed() < IMPORT_TIMEOUT {
        let import = http.get(&format!("/v1/imports/{import}"), seller).await?;
        match text(&import, "/import/state")?.as_str() {
            "finished" => return Ok(import),
            "queued" | "running" => tokio::time::sleep(ASK_EVERY).await,
            other => anyhow::bail!("the import came out {other}: {import}"),
        }
    }
    anyhow::bail!("the import did not finish within {IMPORT_TIMEOUT:?}")
}

/// A new guest, as a first-time visitor gets one.
pub(crate) async fn guest(http: &Http) -> anyhow::Result<Caller> {
    let session = http.post("/v1/auth/guest", &Caller::default(), &json!({})).await?;
    Ok(Caller { token: Some(text(&session, "/session/access_token")?), ..Caller::default() })
}

/// One of the demo's sellers, acting for its tenant.
pub(crate) async fn seller(http: &Http, number: usize) -> anyhow::Result<Caller> {
    let body = json!({ "email": demo::seller(number), "password": demo::PASSWORD });
    let session = http.post("/v1/auth/sign-in", &Caller::default(), &body).await.context("the demo seller cannot sign in")?;
    let caller = Caller { token: Some(text(&session, "/session/access_token")?), ..Caller::default() };
    let mine = http.get("/v1/me/tenants", &caller).await?;
    let tenant = text(&mine, "/tenants/0/tenant/tenant_id")?;
    Ok(Caller { tenant: Some(tenant), ..caller })
}

/// Buys `items`; the placed order as the market told it, or the error it gave.
pub(crate) async fn buy(http: &Http, buyer: &Caller, email: &str, items: &[&Sellable], through_cart: bool) -> anyhow::Result<Value> {
    buy_with(http, buyer, items, through_cart, Paying { email, method: "tok_visa" }).await
}

/// Who pays, and with what.
pub(crate) struct Paying<'a> {
    pub email: &'a str,
    pub method: &'a str,
}

/// The same with this method of payment.
pub(crate) async fn buy_with(http: &Http, buyer: &Caller, items: &[&Sellable], through_cart: bool, paying: Paying<'_>) -> anyhow::Result<Value> {
    let Paying { email, method } = paying;
    let lines: Vec<Value> = items.iter().map(|item| json!({ "tenant_id": item.tenant_id, "variant_id": item.variant_id, "quantity": 1 })).collect();
    if through_cart {
        for line in &lines {
            http.post("/v1/cart/items", buyer, line).await?;
        }
    }
    let address = json!({ "name": "Demo Buyer", "line1": "1 Test Street", "city": "Springfield", "subdivision": "IL", "postal_code": "62701", "country": "US" });
    let mut start = json!({ "email": email, "shipping_address": address });
    if !through_cart && let Some(start) = start.as_object_mut() {
        start.insert("items".to_owned(), Value::Array(lines));
    }
    let checkout = http.post("/v1/checkouts", buyer, &start).await?;
    let id = text(&checkout, "/checkout/checkout_id")?;
    http.post(&format!("/v1/checkouts/{id}/place"), buyer, &json!({ "payment_method": method })).await
}

/// Whether an order came out bought: its money is taken or surely will be.
pub(crate) fn bought(placed: &Value) -> anyhow::Result<()> {
    let state = text(placed, "/order/state")?;
    ensure!(matches!(state.as_str(), "confirmed" | "paid"), "the order came out {state}");
    Ok(())
}

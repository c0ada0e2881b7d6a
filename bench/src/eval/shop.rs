//! Shops filled with a feed, and looked into through the public search.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};

use super::data::Row;
use crate::http::{Caller, Http, encoded, text};
use crate::{demo, market};

const GIVE_UP_AFTER: Duration = Duration::from_secs(900);
const ASK_EVERY: Duration = Duration::from_millis(250);
/// The longest query the search takes.
const LONGEST_QUERY: usize = 300;

pub(super) struct Shop {
    tenant: String,
    /// The feed's row behind each product.
    rows: BTreeMap<String, String>,
}

pub(super) struct Hit {
    /// The id of the feed's row.
    pub row: String,
}

impl Shop {
    /// A shop with all rows of a feed. What the rows lack to be sold, a price and stock, is the same for all.
    pub(super) async fn fill(http: &Http, operator: &Caller, name: &str, rows: &[Row]) -> anyhow::Result<Self> {
        let begin = Instant::now();
        let seller = {
            let (email, title) = (format!("{name}@eval.example"), format!("Eval {name}"));
            let shop = demo::Shop { email: &email, owner: name, name: &title, country: "US", currency: "USD" };
            demo::open_shop(http, operator, shop).await?
        };
        let tenant = seller.tenant.clone().unwrap_or_default();
        let mapping = json!({
            "columns": { "sku": "sku", "title": "title", "brand": "brand", "attribute:model": "model", "description": "description" },
            "constants": { "currency": "USD", "price": "10.00", "stock": "10" },
        });
        let imported = market::import(http, &seller, feed(rows)?, &mapping).await?;
        let shop = Self { rows: products(http, &seller).await?, tenant };
        shop.until_indexed(http).await?;
        let rejected = imported.pointer("/import/rejected").and_then(Value::as_u64).unwrap_or_default();
        eprintln!("{name}: {} of {} products in the shop ({rejected} rejected), {:.1} s", shop.rows.len(), rows.len(), begin.elapsed().as_secs_f64());
        Ok(shop)
    }

    async fn until_indexed(&self, http: &Http) -> anyhow::Result<()> {
        let begin = Instant::now();
        loop {
            let page = http.get(&format!("/v1/search?limit=1&tenant_id={}", self.tenant), &Caller::default()).await?;
            let total = page.pointer("/total").and_then(Value::as_u64).unwrap_or_default();
            if usize::try_from(total)? >= self.rows.len() {
                // The words of what was indexed last are learned a moment later.
                tokio::time::sleep(Duration::from_secs(6)).await;
                return Ok(());
            }
            anyhow::ensure!(begin.elapsed() < GIVE_UP_AFTER, "the index has {total} of {} products after {GIVE_UP_AFTER:?}", self.rows.len());
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// The feed's row behind each product.
    pub(super) const fn products(&self) -> &BTreeMap<String, String> {
        &self.rows
    }

    /// How sure the market asks to be, by itself.
    pub(super) async fn least_certainty(&self, http: &Http, other: &Self) -> anyhow::Result<f64> {
        let product = other.rows.keys().next().context("the shop has no products")?;
        let found = http.get(&format!("/v1/listings/{product}/same?tenant_id={}", self.tenant), &Caller::default()).await?;
        found.get("least_certainty").and_then(Value::as_f64).context("the answer does not say how sure it had to be")
    }

    /// The row here that is the same as another shop's product, and how sure it is.
    pub(super) async fn same(&self, http: &Http, product: &str) -> anyhow::Result<Option<(String, f64)>> {
        let path = format!("/v1/listings/{product}/same?tenant_id={}&least_certainty=0", self.tenant);
        let found = http.get(&path, &Caller::default()).await?;
        let Some(best) = found.pointer("/products/0") else { return Ok(None) };
        let row = self.rows.get(&text(best, "/hit/product_id")?).cloned().unwrap_or_default();
        Ok(Some((row, best.get("certainty").and_then(Value::as_f64).unwrap_or_default())))
    }

    /// The best hits, best first.
    pub(super) async fn search(&self, http: &Http, query: &str, limit: usize) -> anyhow::Result<Vec<Hit>> {
        let query: String = query.chars().take(LONGEST_QUERY).collect();
        let mut hits = Vec::new();
        let mut cursor = String::new();
        while hits.len() < limit {
            let page = (limit - hits.len()).min(100);
            let path = format!("/v1/search?tenant_id={}&limit={page}&query={}&cursor={cursor}", self.tenant, encoded(&query));
            let found = http.get(&path, &Caller::default()).await?;
            for hit in found.pointer("/hits").and_then(Value::as_array).into_iter().flatten() {
                let row = self.rows.get(&text(hit, "/product_id")?).cloned().unwrap_or_default();
                hits.push(Hit { row });
            }
            cursor = text(&found, "/next_cursor").unwrap_or_default();
            if cursor.is_empty() {
                break;
            }
        }
        Ok(hits)
    }
}

fn feed(rows: &[Row]) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["sku", "title", "brand", "model", "description"])?;
    for row in rows {
        let value = |names: &[&str]| names.iter().find_map(|name| row.get(*name)).map_or("", String::as_str);
        writer.write_record([
            value(&["id", "product_id"]),
            value(&["title", "name"]),
            value(&["brand", "manufacturer"]),
            value(&["modelno"]),
            value(&["description"]),
        ])?;
    }
    writer.into_inner().map_err(|error| anyhow::anyhow!("{error}"))
}

/// The SKU, which is the feed's id, of each product.
async fn products(http: &Http, seller: &Caller) -> anyhow::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let page = http.get(&format!("/v1/products?limit=100&cursor={cursor}"), seller).await?;
        for product in page.pointer("/products").and_then(Value::as_array).into_iter().flatten() {
            let sku = text(product, "/variants/0/sku").or_else(|_| text(product, "/sku"))?;
            found.insert(text(product, "/product_id")?, sku);
        }
        cursor = text(&page, "/next_cursor").unwrap_or_default();
        if cursor.is_empty() {
            return Ok(found);
        }
    }
}

//! The shop whose history it is: opened for the replay, filled with every thing that is sold in it, with shipping that costs nothing, because the
//! history knows none but as goods.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use http::Method;
use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::plan::{Good, Sku};
use crate::demo;
use crate::http::{Caller, Http, text};
use crate::market;

/// A seller signs in again before the session's access runs out.
const SIGN_IN_EVERY: Duration = Duration::from_secs(600);

pub(super) struct Shop {
    email: String,
    pub tenant: String,
    seller: Mutex<(Instant, Caller)>,
    /// The variant of each thing.
    pub variants: BTreeMap<Sku, String>,
}

/// Pieces of each thing that are in stock: those for sale and those held.
pub(super) struct OnShelf {
    pub available: i64,
    pub reserved: i64,
}

impl Shop {
    pub(super) async fn open(http: &Http, mark: &str) -> anyhow::Result<Self> {
        let operator = demo::sign_in(http, demo::OPERATOR).await.context("the operator of the demo market cannot sign in")?;
        let (email, name) = (format!("retail-{mark}@replay.example"), format!("Online Retail {mark}"));
        let shop = demo::Shop { email: &email, owner: "Retailer", name: &name, country: "GB", currency: "GBP" };
        let seller = demo::open_shop(http, &operator, shop).await?;
        let tenant = seller.tenant.clone().unwrap_or_default();
        Ok(Self { email, tenant, seller: Mutex::new((Instant::now(), seller)), variants: BTreeMap::new() })
    }

    pub(super) async fn seller(&self, http: &Http) -> anyhow::Result<Caller> {
        let mut seller = self.seller.lock().await;
        if seller.0.elapsed() > SIGN_IN_EVERY {
            let session = demo::sign_in(http, &self.email).await?;
            *seller = (Instant::now(), Caller { tenant: Some(self.tenant.clone()), ..session });
        }
        Ok(seller.1.clone())
    }

    /// Puts everything on the shelf that the plan needs; doing it again sets the same counts.
    pub(super) async fn stock(&self, http: &Http, goods: &BTreeMap<Sku, Good>) -> anyhow::Result<()> {
        let seller = self.seller(http).await?;
        self.ship_for_nothing(http, &seller).await?;
        let mut feed = csv::Writer::from_writer(Vec::new());
        feed.write_record(["sku", "title", "price", "stock"])?;
        for (sku, good) in goods {
            let price = format!("{}.{:02}", good.price_minor / 100, good.price_minor % 100);
            feed.write_record([sku, &good.title, &price, &good.pieces.to_string()])?;
        }
        let feed = feed.into_inner().map_err(|error| anyhow::anyhow!("{error}"))?;
        let mapping = json!({
            "columns": { "sku": "sku", "title": "title", "price": "price", "stock": "stock" },
            "constants": { "currency": "GBP" },
        });
        let done = market::import(http, &seller, feed, &mapping).await?;
        let rejected = done.pointer("/import/rejected").and_then(Value::as_u64).unwrap_or_default();
        ensure!(rejected == 0, "{rejected} goods were rejected: {done}");
        Ok(())
    }

    async fn ship_for_nothing(&self, http: &Http, seller: &Caller) -> anyhow::Result<()> {
        const NAME: &str = "Included";
        let known = http.get("/v1/seller/shipping-methods", seller).await?;
        let methods = known.pointer("/methods").and_then(Value::as_array).cloned().unwrap_or_default();
        let is_ours = |method: &Value| text(method, "/terms/name").is_ok_and(|name| name == NAME);
        if !methods.iter().any(is_ours) {
            let terms = json!({ "name": NAME, "rate": "flat", "currency": "GBP", "flat_minor": 0, "min_days": 1, "max_days": 5 });
            http.post("/v1/seller/shipping-methods", seller, &json!({ "terms": terms })).await?;
        }
        for method in methods.iter().filter(|method| !is_ours(method)) {
            let path = format!("/v1/seller/shipping-methods/{}", text(method, "/shipping_method_id")?);
            http.send(Method::DELETE, &path, seller, "", Bytes::new()).await?.ok(&path)?;
        }
        Ok(())
    }

    /// Learns the variant of each thing, and what is on the shelf of it.
    pub(super) async fn look(&mut self, http: &Http) -> anyhow::Result<BTreeMap<Sku, OnShelf>> {
        let seller = self.seller(http).await?;
        let (mut shelf, mut cursor) = (BTreeMap::new(), String::new());
        loop {
            let page = http.get(&format!("/v1/stock?limit=100&cursor={cursor}"), &seller).await?;
            for stock in page.pointer("/stocks").and_then(Value::as_array).into_iter().flatten() {
                let count = |name: &str| stock.get(name).and_then(Value::as_i64).unwrap_or_default();
                let sku = text(stock, "/sku")?;
                self.variants.insert(sku.clone(), text(stock, "/variant_id")?);
                shelf.insert(sku, OnShelf { available: count("available"), reserved: count("reserved") });
            }
            cursor = text(&page, "/next_cursor").unwrap_or_default();
            if cursor.is_empty() {
                return Ok(shelf);
            }
        }
    }
}

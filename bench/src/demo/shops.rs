//! The shops of the demo and what they sell.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use futures::{StreamExt, TryStreamExt};
use http::Method;
use hyper::body::Bytes;
use serde_json::{Value, json};

use super::goods::{Goods, STYLES, TRADES, Trade};
use super::{Dice, PRODUCTS_PER_SHOP, SHOPS, account, picture, progress, seller};
use crate::http::{Caller, Http, text};

/// Requests under way at once; more would only wait for the two cores they share with the server.
const AT_ONCE: usize = 8;

/// Opens every shop: an account, an application, the operator's approval.
pub(super) async fn open(http: &Http, operator: &Caller) -> anyhow::Result<Vec<Caller>> {
    let shops = futures::stream::iter(1..=SHOPS).map(|number| open_one(http, operator, number));
    let mut sellers = Vec::new();
    let mut opened = shops.buffered(AT_ONCE);
    while let Some(seller) = opened.try_next().await? {
        sellers.push(seller);
        if sellers.len() == SHOPS {
            progress("shops", sellers.len(), SHOPS);
        }
    }
    Ok(sellers)
}

async fn open_one(http: &Http, operator: &Caller, number: usize) -> anyhow::Result<Caller> {
    let email = seller(number);
    let name = shop_name(number).context("more shops than names")?;
    let person = account(http, &email, &format!("Seller {number}")).await?;
    let mine = http.get("/v1/me/tenants", &person).await?;
    let known = mine.pointer("/tenants/0/tenant").cloned();
    let tenant = match known {
        Some(tenant) => tenant,
        None => apply(http, &person, name, &email).await?,
    };
    let id = text(&tenant, "/tenant_id")?;
    if text(&tenant, "/state")? != "active" {
        http.post(&format!("/v1/tenants/{id}/approve"), operator, &json!({})).await.with_context(|| format!("cannot approve {name}"))?;
    }
    // The permissions of the new role come with a new sign-in.
    let person = account(http, &email, "").await?;
    Ok(Caller { tenant: Some(id), ..person })
}

async fn apply(http: &Http, person: &Caller, name: &str, email: &str) -> anyhow::Result<Value> {
    let application = json!({
        "store_name": name,
        "business": { "legal_name": format!("{name} Ltd"), "contact_email": email, "address": "1 Market Street, Springfield, IL 62701" },
        "country": "US",
        "currency": "USD",
        "description": format!("{name}: a shop of the demo market."),
        "plan": "pro",
    });
    let applied = http.post("/v1/tenants", person, &application).await.with_context(|| format!("cannot apply for {name}"))?;
    applied.get("tenant").cloned().context("the application has no tenant")
}

fn trade(number: usize) -> Option<(&'static Trade, &'static str)> {
    let trade = TRADES.get((number - 1) % TRADES.len())?;
    let shop = trade.shops.get((number - 1) / TRADES.len())?;
    Some((trade, shop))
}

fn shop_name(number: usize) -> Option<&'static str> {
    trade(number).map(|(_, shop)| shop)
}

/// Puts the goods into the shops that lack them; how many products were made.
pub(super) async fn stock(http: &Http, sellers: &[Caller]) -> anyhow::Result<usize> {
    let categories = categories(http).await?;
    let mut missing = Vec::new();
    for (number, seller) in (1..).zip(sellers) {
        let there = skus(http, seller).await?;
        let wanted = (0..PRODUCTS_PER_SHOP).filter_map(|product| Some((seller, Product::new(number, product)?)));
        missing.extend(wanted.filter(|(_, product)| !there.contains(&product.sku)));
    }
    let total = missing.len();
    let mut made = 0;
    let mut work = futures::stream::iter(missing).map(|(seller, product)| put(http, seller, product, &categories)).buffer_unordered(AT_ONCE);
    while work.try_next().await?.is_some() {
        made += 1;
        progress("products", made, total);
    }
    Ok(made)
}

/// One product of the demo, decided by its shop and number alone.
struct Product {
    goods: &'static Goods,
    sku: String,
    title: String,
    brand: &'static str,
    cents: u32,
    reduced: bool,
    tone: u32,
    pieces: u32,
}

impl Product {
    fn new(shop: usize, number: usize) -> Option<Self> {
        let (trade, _) = trade(shop)?;
        let mut dice = Dice(u64::try_from(shop * 1000 + number).ok()?);
        let goods = trade.goods.get(number % trade.goods.len())?;
        let brand = dice.one_of(&trade.makers)?;
        let style = STYLES.get(number / trade.goods.len() % STYLES.len())?;
        let model = 100 + dice.below(900);
        let (low, high) = goods.cents;
        // Prices end in 9 or 5, as prices do.
        let cents = (low + dice.below(high - low)) / 100 * 100 + if dice.below(2) == 0 { 99 } else { 50 };
        Some(Self {
            goods,
            sku: format!("D{shop:02}-{number:03}"),
            title: format!("{brand} {style} {} {model}", goods.noun),
            brand,
            cents,
            reduced: dice.below(5) == 0,
            tone: dice.below(24),
            pieces: if dice.below(20) == 0 { 0 } else { 5 + dice.below(200) },
        })
    }

    fn variants(&self) -> Vec<Value> {
        let price = |cents: u32| json!({ "amount_minor": cents, "currency": "USD" });
        let variant = |sku: String, options: Value| {
            let mut variant = json!({ "sku": sku, "price": price(self.cents), "weight_grams": self.goods.grams, "options": options });
            if self.reduced
                && let Some(variant) = variant.as_object_mut()
            {
                variant.insert("list_price".to_owned(), price(self.cents + self.cents / 4));
            }
            variant
        };
        match self.goods.option {
            None => vec![variant(self.sku.clone(), json!([]))],
            Some((name, values)) => {
                let first = values.iter().take(1).map(|value| variant(self.sku.clone(), json!([{ "name": name, "value": value }])));
                let others = values
                    .iter()
                    .skip(1)
                    .map(|value| variant(format!("{}-{}", self.sku, value.replace(' ', "")), json!([{ "name": name, "value": value }])));
                first.chain(others).collect()
            }
        }
    }

    fn description(&self) -> String {
        let noun = self.goods.noun.to_lowercase();
        format!(
            "<p>A {noun} by {}, made to be used every day and to last.</p><ul><li>Weight: {} g</li><li>Two-year warranty</li><li>Ships from stock</li></ul>",
            self.brand, self.goods.grams
        )
    }
}

async fn put(http: &Http, seller: &Caller, product: Product, categories: &BTreeMap<&'static str, String>) -> anyhow::Result<()> {
    let (drawing, tone) = (product.goods.drawing, product.tone);
    let png = tokio::task::spawn_blocking(move || picture::draw(drawing, tone)).await??;
    let alt = format!("{}, drawn", product.goods.noun).replace(' ', "%20");
    let media = http.send(Method::POST, &format!("/v1/media?alt={alt}"), seller, "image/png", Bytes::from(png)).await?.ok("/v1/media")?;
    let media = text(&serde_json::from_slice(&media)?, "/media/media_id")?;
    let variants = product.variants();
    let skus: Vec<String> = variants.iter().map(|variant| text(variant, "/sku")).collect::<anyhow::Result<_>>()?;
    let body = json!({
        "title": product.title,
        "description": product.description(),
        "brand": product.brand,
        "category": categories.get(product.goods.category).cloned().unwrap_or_default(),
        "media_ids": [media],
        "variants": variants,
        "activate": true,
    });
    let created = http.post("/v1/products", seller, &body).await.with_context(|| format!("cannot make {}", product.sku))?;
    for (variant, sku) in created.pointer("/product/variants").and_then(Value::as_array).into_iter().flatten().zip(&skus) {
        let body = json!({ "variant_id": text(variant, "/variant_id")?, "sku": sku, "quantity": product.pieces });
        http.post("/v1/stock/set", seller, &body).await.with_context(|| format!("cannot stock {sku}"))?;
    }
    Ok(())
}

/// The SKUs a seller has already.
async fn skus(http: &Http, seller: &Caller) -> anyhow::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let page = http.get(&format!("/v1/products?limit=100&cursor={cursor}"), seller).await?;
        for product in page.pointer("/products").and_then(Value::as_array).into_iter().flatten() {
            let variants = product.pointer("/variants").and_then(Value::as_array).into_iter().flatten();
            found.extend(variants.filter_map(|variant| text(variant, "/sku").ok()));
            found.extend(text(product, "/sku").ok());
        }
        cursor = text(&page, "/next_cursor").unwrap_or_default();
        if cursor.is_empty() {
            return Ok(found);
        }
    }
}

/// The operator's category for each kind of goods, as far as the tree has one.
async fn categories(http: &Http) -> anyhow::Result<BTreeMap<&'static str, String>> {
    let mut found = BTreeMap::new();
    for words in TRADES.iter().flat_map(|trade| &trade.goods).map(|goods| goods.category) {
        if !found.contains_key(words) {
            let page = http.get(&format!("/v1/categories?limit=1&query={}", words.replace(' ', "%20")), &Caller::default()).await?;
            if let Ok(category) = text(&page, "/categories/0/category_id") {
                found.insert(words, category);
            }
        }
    }
    Ok(found)
}

//! The shops of the demo and what they sell.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use futures::{StreamExt, TryStreamExt};
use http::Method;
use hyper::body::Bytes;
use serde_json::{Value, json};

use super::goods::{Goods, STYLES, TRADES, Trade};
use super::{APPLICANT, Dice, PRODUCTS_PER_SHOP, SHOPS, account, picture, progress, seller, sign_in};
use crate::http::{Caller, Http, encoded, text};

/// Requests under way at once; more would only wait for the two cores they share with the server.
const AT_ONCE: usize = 8;

/// Every shop's account at the sandbox bank: the example of the IBAN registry.
const IBAN: &str = "DE89370400440532013000";

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
    let name = shop_name(number).context("more shops than names")?;
    let (email, owner) = (seller(number), format!("Seller {number}"));
    open_shop(http, operator, Shop { email: &email, owner: &owner, name, country: "US", currency: "USD" }).await
}

/// A shop to be opened.
pub(crate) struct Shop<'a> {
    pub email: &'a str,
    pub owner: &'a str,
    pub name: &'a str,
    pub country: &'a str,
    pub currency: &'a str,
}

/// Opens a shop unless it is open already; its owner, acting for it.
pub(crate) async fn open_shop(http: &Http, operator: &Caller, shop: Shop<'_>) -> anyhow::Result<Caller> {
    let Shop { email, name, .. } = shop;
    let tenant = applied(http, operator, &shop).await?;
    let id = text(&tenant, "/tenant_id")?;
    if text(&tenant, "/state")? != "active" {
        http.post(&format!("/v1/tenants/{id}/approve"), operator, &json!({})).await.with_context(|| format!("cannot approve {name}"))?;
    }
    // The permissions of the new role come with a new sign-in.
    let person = sign_in(http, email).await.with_context(|| format!("{email} cannot sign in"))?;
    let seller = Caller { tenant: Some(id), ..person };
    let standing = http.get("/v1/seller/balance", &seller).await?;
    if standing.get("payout_account").is_none_or(Value::is_null) {
        let bank = json!({ "holder": format!("{name} Ltd"), "iban": IBAN });
        http.post("/v1/seller/payout-account", &seller, &bank).await.with_context(|| format!("cannot give the bank account of {name}"))?;
    }
    Ok(seller)
}

/// Makes the shop whose application waits, whatever the operator has decided since.
pub(super) async fn apply_only(http: &Http, operator: &Caller) -> anyhow::Result<()> {
    let shop = Shop { email: APPLICANT, owner: "Applicant", name: "Windfall Orchard", country: "US", currency: "USD" };
    applied(http, operator, &shop).await.map(drop)
}

/// The shop's tenant, applied for unless it is there.
async fn applied(http: &Http, operator: &Caller, shop: &Shop<'_>) -> anyhow::Result<Value> {
    let person = account(http, operator, shop.email, shop.owner).await?;
    let mine = http.get("/v1/me/tenants", &person).await?;
    match mine.pointer("/tenants/0/tenant").cloned() {
        Some(tenant) => Ok(tenant),
        None => apply(http, &person, shop).await,
    }
}

async fn apply(http: &Http, person: &Caller, shop: &Shop<'_>) -> anyhow::Result<Value> {
    let Shop { email, name, country, currency, .. } = shop;
    let application = json!({
        "store_name": name,
        "business": { "legal_name": format!("{name} Ltd"), "contact_email": email, "address": "1 Market Street, Springfield, IL 62701" },
        "country": country,
        "currency": currency,
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

/// Puts the goods into the shops that lack them; how many products were made or completed.
pub(super) async fn stock(http: &Http, sellers: &[Caller]) -> anyhow::Result<usize> {
    let categories = categories(http).await?;
    let mut missing = Vec::new();
    for (number, seller) in (1..).zip(sellers) {
        let made: BTreeSet<String> = listed(http, seller, "/v1/products", "/products").await?.iter().flat_map(skus).collect();
        let stocks = listed(http, seller, "/v1/stock", "/stocks").await?;
        let is_set = |stock: &&Value| stock.get("revision").and_then(Value::as_i64).is_some_and(|revision| revision > 0);
        let stocked: BTreeSet<String> = stocks.iter().filter(is_set).filter_map(|stock| text(stock, "/sku").ok()).collect();
        let products = (0..PRODUCTS_PER_SHOP).filter_map(|product| Product::new(number, product));
        missing.extend(products.filter_map(|product| Left::of(seller, product, &made, &stocked)));
    }
    let total = missing.len();
    let mut made = 0;
    let mut work = futures::stream::iter(missing).map(|left| left.make(http, &categories)).buffer_unordered(AT_ONCE);
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

/// What is left to do of one product.
struct Left<'a> {
    seller: &'a Caller,
    product: Product,
    is_made: bool,
    /// The variants whose stock has not been set.
    without_stock: Vec<String>,
}

impl<'a> Left<'a> {
    fn of(seller: &'a Caller, product: Product, made: &BTreeSet<String>, stocked: &BTreeSet<String>) -> Option<Self> {
        let is_made = made.contains(&product.sku);
        let skus = product.variants().into_iter().filter_map(|variant| text(&variant, "/sku").ok());
        let without_stock: Vec<String> = skus.filter(|sku| !stocked.contains(sku)).collect();
        (!is_made || !without_stock.is_empty()).then_some(Self { seller, product, is_made, without_stock })
    }

    async fn make(self, http: &Http, categories: &BTreeMap<&'static str, String>) -> anyhow::Result<()> {
        let mut variants = BTreeMap::new();
        if !self.is_made {
            let created = create(http, self.seller, &self.product, categories).await.with_context(|| format!("cannot make {}", self.product.sku))?;
            let created = created.pointer("/product/variants").and_then(Value::as_array).into_iter().flatten();
            variants.extend(created.filter_map(|variant| Some((text(variant, "/sku").ok()?, text(variant, "/variant_id").ok()?))));
        }
        for sku in &self.without_stock {
            // Inventory may not have heard of a new SKU yet, so a new variant is named by its id as well.
            let variant = variants.get(sku).cloned().unwrap_or_default();
            let body = json!({ "variant_id": variant, "sku": sku, "quantity": self.product.pieces });
            http.post("/v1/stock/set", self.seller, &body).await.with_context(|| format!("cannot stock {sku}"))?;
        }
        Ok(())
    }
}

async fn create(http: &Http, seller: &Caller, product: &Product, categories: &BTreeMap<&'static str, String>) -> anyhow::Result<Value> {
    let (drawing, tone) = (product.goods.drawing, product.tone);
    let png = tokio::task::spawn_blocking(move || picture::draw(drawing, tone)).await??;
    let alt = format!("{}, drawn", product.goods.noun).replace(' ', "%20");
    let media = http.send(Method::POST, &format!("/v1/media?alt={alt}"), seller, "image/png", Bytes::from(png)).await?.ok("/v1/media")?;
    let media = text(&serde_json::from_slice(&media)?, "/media/media_id")?;
    let body = json!({
        "title": product.title,
        "description": product.description(),
        "brand": product.brand,
        "category": categories.get(product.goods.category).cloned().unwrap_or_default(),
        "media_ids": [media],
        "variants": product.variants(),
        "activate": true,
    });
    http.post("/v1/products", seller, &body).await
}

/// Everything a seller's list holds, page by page.
async fn listed(http: &Http, seller: &Caller, path: &str, entries: &str) -> anyhow::Result<Vec<Value>> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = http.get(&format!("{path}?limit=100&cursor={cursor}"), seller).await?;
        found.extend(page.pointer(entries).and_then(Value::as_array).into_iter().flatten().cloned());
        cursor = text(&page, "/next_cursor").unwrap_or_default();
        if cursor.is_empty() {
            return Ok(found);
        }
    }
}

/// The SKUs of a product as the list of products tells it.
fn skus(product: &Value) -> Vec<String> {
    let variants = product.pointer("/variants").and_then(Value::as_array).into_iter().flatten();
    variants.chain([product]).filter_map(|named| text(named, "/sku").ok()).collect()
}

/// The operator's category for each kind of goods; none where the operator has another tree.
pub(crate) async fn categories(http: &Http) -> anyhow::Result<BTreeMap<&'static str, String>> {
    let mut found = BTreeMap::new();
    for name in TRADES.iter().flat_map(|trade| &trade.goods).map(|goods| goods.category) {
        if !found.contains_key(name) {
            let page = http.get(&format!("/v1/categories?limit=1000&query={}", encoded(name)), &Caller::default()).await?;
            let categories = page.pointer("/categories").and_then(Value::as_array).into_iter().flatten();
            if let Some(category) = categories.into_iter().find(|category| text(category, "/name").is_ok_and(|told| told == name)) {
                found.insert(name, text(category, "/category_id")?);
            }
        }
    }
    Ok(found)
}

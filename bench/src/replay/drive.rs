//! Does what the plan says, day by day: everything a day holds is under way at once, and the clock goes on to the next when all of it is
//! answered. What fails is asked again; what was done before is left out.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures::{StreamExt, TryStreamExt};
use http::Method;
use hyper::body::Bytes;
use serde_json::{Value, json};

use super::journal::{Entry, Journal, Placed};
use super::plan::{Day, Plan, Sale, Sku, Take};
use super::shop::Shop;
use crate::engine::float;
use crate::http::{Caller, Http, encoded, text};
use crate::market;

/// How often one order or cancellation is tried, and after which pause again: a market that restarts is waited for.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(500);
/// Lines of one cart put in at once.
const LINES_AT_ONCE: usize = 4;

pub(super) struct Drive<'a> {
    pub http: &'a Http,
    pub shop: &'a Shop,
    pub journal: &'a Journal,
    pub mark: &'a str,
    /// Orders under way at once.
    pub in_flight: usize,
}

/// How far it is, on one line of the terminal.
struct Progress {
    begin: Instant,
    done: usize,
    before: usize,
    of: usize,
}

impl Progress {
    fn show(&self, day: &str) {
        let rate = float(u64::try_from(self.done - self.before).unwrap_or_default()) / self.begin.elapsed().as_secs_f64().max(0.001);
        eprint!("\r{day}: {} of {} orders and cancellations, {rate:.1}/s   ", self.done, self.of);
        // A terminal that cannot be flushed is no reason to stop.
        let _shown = std::io::stderr().flush();
    }
}

impl Drive<'_> {
    pub(super) async fn run(&self, plan: &Plan) -> anyhow::Result<()> {
        let of = plan.days.values().map(|day| day.sales.len() + day.takes.len()).sum();
        let before = self.journal.past(|past| past.placed.len() + past.taken.len());
        let mut progress = Progress { begin: Instant::now(), done: before, before, of };
        for (date, day) in &plan.days {
            self.live(date, day, &mut progress).await.with_context(|| format!("on {date}"))?;
        }
        eprintln!();
        Ok(())
    }

    async fn live(&self, date: &str, day: &Day, progress: &mut Progress) -> anyhow::Result<()> {
        let due: Vec<&Sale> = day.sales.iter().filter(|sale| self.journal.past(|past| !past.placed.contains_key(&sale.key))).collect();
        let mut sales = futures::stream::iter(due).map(|sale| patiently(move || self.sell(sale), &sale.key)).buffer_unordered(self.in_flight);
        while sales.try_next().await?.is_some() {
            progress.done += 1;
            progress.show(date);
        }
        // What is taken back of one order follows one another; all orders at once.
        let mut takes: BTreeMap<&str, Vec<&Take>> = BTreeMap::new();
        for take in &day.takes {
            let key = (take.invoice.clone(), take.sale.clone());
            if self.journal.past(|past| !past.taken.contains(&key)) {
                takes.entry(&take.sale).or_default().push(take);
            }
        }
        let mut taking = futures::stream::iter(takes.into_values()).map(|takes| self.take_all(takes)).buffer_unordered(self.in_flight);
        while let Some(count) = taking.try_next().await? {
            progress.done += count;
            progress.show(date);
        }
        if !day.written_off.is_empty() && self.journal.past(|past| !past.written_off.contains(date)) {
            self.write_off(date, &day.written_off).await?;
        }
        Ok(())
    }

    async fn sell(&self, sale: &Sale) -> anyhow::Result<()> {
        let begun = self.journal.past(|past| past.placing.get(&sale.key).cloned());
        let (checkout, token) = match &begun {
            Some(begun) => begun.clone(),
            None => self.begin(sale).await?,
        };
        let buyer = Caller { token: Some(token), ..Caller::default() };
        let path = format!("/v1/checkouts/{checkout}/place");
        let body = Bytes::from(serde_json::to_vec(&json!({ "payment_method": "tok_visa" }))?);
        let answer = self.http.send(Method::POST, &path, &buyer, "application/json", body).await?;
        let part = if begun.is_some() && answer.status.is_client_error() {
            // Begun so long ago that the visitor's access or the checkout has run out: it became an order then, or it did not.
            match self.placed_before(sale).await? {
                Some(part) => part,
                None => return self.journal.write(Entry::Forgotten { sale: sale.key.clone() }).and_then(|()| anyhow::bail!("it is begun anew")),
            }
        } else {
            let placed: Value = serde_json::from_slice(&answer.ok(&path)?)?;
            market::bought(&placed)?;
            let parts = placed.pointer("/order/sub_orders").and_then(Value::as_array).cloned().unwrap_or_default();
            let [part] = parts.as_slice() else { anyhow::bail!("the order has {} parts", parts.len()) };
            part.clone()
        };
        let mut items = BTreeMap::new();
        for item in part.pointer("/items").and_then(Value::as_array).into_iter().flatten() {
            let pieces = item.get("quantity").and_then(Value::as_i64).context("an item without quantity")?;
            items.insert(text(item, "/sku")?, (text(item, "/item_id")?, pieces));
        }
        let ordered: BTreeMap<&Sku, i64> = items.iter().map(|(sku, (_, pieces))| (sku, *pieces)).collect();
        ensure!(ordered == sale.lines.iter().map(|(sku, pieces)| (sku, *pieces)).collect(), "the order of {} is not what was asked for", sale.key);
        let total_minor = part.pointer("/totals/total/amount_minor").and_then(Value::as_i64).context("an order without total")?;
        let order = Placed { sub_order: text(&part, "/sub_order_id")?, total_minor, items };
        self.journal.write(Entry::Placed { sale: sale.key.clone(), order })
    }

    /// The shop's part of the order that a sale has become.
    async fn placed_before(&self, sale: &Sale) -> anyhow::Result<Option<Value>> {
        let path = format!("/v1/seller/sub-orders?limit=2&query={}", encoded(&email(sale)));
        let found = self.http.get(&path, &self.shop.seller(self.http).await?).await?;
        let parts = found.pointer("/sub_orders").and_then(Value::as_array).cloned().unwrap_or_default();
        ensure!(parts.len() < 2, "{} became {} orders", sale.key, parts.len());
        Ok(parts.into_iter().next())
    }

    /// A visitor fills a cart and begins a checkout. Each request is made until it is answered, under a key of its own, so that one that fails among a
    /// hundred does not begin everything anew.
    async fn begin(&self, sale: &Sale) -> anyhow::Result<(String, String)> {
        let buyer = patiently(|| market::guest(self.http), &sale.key).await?;
        let add = |(sku, pieces): (&Sku, &i64)| {
            let variant = self.shop.variants.get(sku).with_context(|| format!("{sku} is not in the shop"));
            let line = variant.map(|variant| json!({ "tenant_id": self.shop.tenant, "variant_id": variant, "quantity": pieces }));
            let caller = Caller { once: Some(format!("replay-{}-{}-{sku}", self.mark, sale.key)), ..buyer.clone() };
            async move {
                let line = line?;
                patiently(|| self.http.post("/v1/cart/items", &caller, &line), &sale.key).await
            }
        };
        let mut adding = futures::stream::iter(&sale.lines).map(add).buffer_unordered(LINES_AT_ONCE);
        while adding.try_next().await?.is_some() {}
        drop(adding);
        let who = if sale.customer.is_empty() { "somebody" } else { &sale.customer };
        let address =
            json!({ "name": format!("Customer {who}"), "line1": "1 High Street", "city": "London", "postal_code": "SW1A 1AA", "country": "GB" });
        let start = json!({ "email": email(sale), "shipping_address": address });
        let checkout = patiently(|| self.http.post("/v1/checkouts", &buyer, &start), &sale.key).await?;
        let checkout = text(&checkout, "/checkout/checkout_id")?;
        let token = buyer.token.clone().unwrap_or_default();
        self.journal.write(Entry::Placing { sale: sale.key.clone(), checkout: checkout.clone(), token: token.clone() })?;
        Ok((checkout, token))
    }

    async fn take_all(&self, takes: Vec<&Take>) -> anyhow::Result<usize> {
        for take in &takes {
            patiently(|| self.take(take), &take.invoice).await?;
        }
        Ok(takes.len())
    }

    /// Says how many pieces are still wanted, so that saying it twice is saying it once.
    async fn take(&self, take: &Take) -> anyhow::Result<()> {
        let order = self.journal.past(|past| past.placed.get(&take.sale).cloned()).with_context(|| format!("{} was never placed", take.sale))?;
        let mut kept: BTreeMap<Sku, i64> = BTreeMap::new();
        let mut lines = Vec::new();
        for (sku, pieces) in &take.lines {
            let (item, left) = order.items.get(sku).with_context(|| format!("{} has no {sku}", take.sale))?;
            kept.insert(sku.clone(), left - pieces);
            lines.push(json!({ "item_id": item, "quantity": left - pieces }));
        }
        let seller = self.shop.seller(self.http).await?;
        let body = json!({ "lines": lines, "reason": format!("invoice {}", take.invoice) });
        self.http.post(&format!("/v1/sub-orders/{}/cancel-items", order.sub_order), &seller, &body).await?;
        self.journal.write(Entry::Taken { invoice: take.invoice.clone(), sale: take.sale.clone(), kept })
    }

    async fn write_off(&self, date: &str, goods: &BTreeMap<Sku, i64>) -> anyhow::Result<()> {
        for (sku, pieces) in goods {
            let seller = Caller { once: Some(format!("replay-{}-{date}-{sku}", self.mark)), ..self.shop.seller(self.http).await? };
            let variant = self.shop.variants.get(sku).with_context(|| format!("{sku} is not in the shop"))?;
            let body = json!({ "variant_id": variant, "delta": -pieces, "kind": "damage", "note": "written off" });
            patiently(|| self.http.post("/v1/stock/adjust", &seller, &body), sku).await?;
        }
        self.journal.write(Entry::WrittenOff { day: date.to_owned() })
    }
}

/// Each sale has an address of its own, by which its order is found again.
fn email(sale: &Sale) -> String {
    format!("invoice-{}@replay.example", sale.key.to_lowercase())
}

/// Asks again what failed, for a while.
async fn patiently<T, F: Future<Output = anyhow::Result<T>>>(work: impl Fn() -> F, what: &str) -> anyhow::Result<T> {
    for _ in 1..TRIES {
        match work().await {
            Ok(done) => return Ok(done),
            Err(error) => tracing::debug!("{what}: {error:#}; it is tried again"),
        }
        tokio::time::sleep(PAUSE).await;
    }
    work().await.with_context(|| what.to_owned())
}

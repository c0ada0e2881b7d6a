//! What buyers and sellers do while the market dies under them: everything that sets off an outside effect.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};

use super::world::World;
use crate::demo::{self, Dice};
use crate::http::{Caller, Http, text};
use crate::market::{self, Paying, Sellable};

/// More pieces than all rounds sell.
pub(super) const PIECES: i64 = 1_000_000;
const CENTS: i64 = 1250;
/// What the payment service provider takes for an answer while a cancellation is to overtake it.
const SLOW_MS: u32 = 1500;
/// After a failure a buyer waits so long.
const PAUSE: Duration = Duration::from_millis(50);
const ASK_EVERY: Duration = Duration::from_millis(50);
/// How long news of a delivery may take to the orders.
const HEARD_WITHIN: Duration = Duration::from_secs(10);

/// Something that buyers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Buys,
    BuysWithAnotherCard,
    /// Leaves the bank's question open and pays with a card.
    GivesUpTheChallenge,
    CancelsBeforePaying,
    BuysWithACardThatCannotBeCaptured,
    BuysAndCancels,
    /// Sends back what one of the shops delivered.
    SendsBack,
    /// Cancels while the money is being taken.
    CancelsMeanwhile,
}

impl Deed {
    const OFTEN: [Self; 8] = [
        Self::Buys,
        Self::Buys,
        Self::BuysWithAnotherCard,
        Self::GivesUpTheChallenge,
        Self::CancelsBeforePaying,
        Self::BuysWithACardThatCannotBeCaptured,
        Self::BuysAndCancels,
        Self::SendsBack,
    ];

    /// What the provider has to do wrong for a deed to find its moment.
    pub(super) fn faults(self) -> Value {
        if self == Self::CancelsMeanwhile { json!({ "delay_ms": SLOW_MS }) } else { json!({}) }
    }
}

/// Two shops with one thing each, and what was promised to buyers.
pub(super) struct Play {
    pub http: Http,
    pub sellers: Vec<(Caller, Sellable)>,
    pub operator: Caller,
    /// Orders that buyers were told are bought and that nobody cancelled.
    acknowledged: Arc<Mutex<Vec<String>>>,
}

impl Play {
    pub(super) async fn open(world: &World) -> anyhow::Result<Self> {
        let http = world.http.clone();
        let operator = demo::sign_in(&http, demo::OPERATOR).await?;
        let mut sellers = Vec::new();
        for name in ["Kiln and Clay", "Lumen Works"] {
            let email = format!("{}@crash.example", name.to_lowercase().replace(' ', "-"));
            let shop = demo::Shop { email: &email, owner: "Seller", name, country: "US", currency: "USD" };
            let seller = demo::open_shop(&http, &operator, shop).await?;
            sellers.push(stocked(&http, seller, name).await?);
        }
        Ok(Self { http, sellers, operator, acknowledged: Arc::default() })
    }

    pub(super) fn acknowledged(&self) -> Vec<String> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Buyers who do one thing after another until told to stop; failures are what this is about.
    pub(super) fn crowd(self: &Arc<Self>, buyers: u64, seed: u64, stop: &Arc<AtomicBool>) -> Vec<tokio::task::JoinHandle<()>> {
        let one = |number| {
            let (play, stop, mut dice) = (Arc::clone(self), Arc::clone(stop), Dice(seed ^ (number << 32)));
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let deed = dice.one_of(&Deed::OFTEN).copied().unwrap_or(Deed::Buys);
                    if let Err(error) = play.does(deed).await {
                        tracing::debug!("{deed:?}: {error:#}");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            })
        };
        (0..buyers).map(one).collect()
    }

    pub(super) async fn does(&self, deed: Deed) -> anyhow::Result<()> {
        let buyer = market::guest(&self.http).await?;
        match deed {
            Deed::Buys => self.buys(&buyer, "tok_visa").await,
            Deed::BuysWithAnotherCard => self.tries_again(&buyer, "tok_declined").await,
            Deed::GivesUpTheChallenge => self.tries_again(&buyer, "tok_three_d_secure").await,
            Deed::BuysWithACardThatCannotBeCaptured => self.places(&buyer, "tok_capture_fails").await.map(drop),
            Deed::CancelsBeforePaying => self.places_and_cancels(&buyer, "tok_three_d_secure").await,
            Deed::BuysAndCancels => self.places_and_cancels(&buyer, "tok_visa").await,
            Deed::SendsBack => self.sends_back(&buyer).await,
            Deed::CancelsMeanwhile => self.cancels_meanwhile(&buyer).await,
        }
    }

    async fn buys(&self, buyer: &Caller, card: &str) -> anyhow::Result<()> {
        let placed = self.places(buyer, card).await?;
        self.promised(&placed)
    }

    async fn tries_again(&self, buyer: &Caller, first: &str) -> anyhow::Result<()> {
        let order = text(&self.places(buyer, first).await?, "/order/order_id")?;
        let paid = self.http.post(&format!("/v1/orders/{order}/payments"), buyer, &json!({ "payment_method": "tok_visa" })).await?;
        self.promised(&paid)
    }

    fn promised(&self, placed: &Value) -> anyhow::Result<()> {
        market::bought(placed)?;
        let order = text(placed, "/order/order_id")?;
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).push(order);
        Ok(())
    }

    async fn cancels(&self, buyer: &Caller, order: &str) -> anyhow::Result<()> {
        self.http.post(&format!("/v1/orders/{order}/cancel"), buyer, &json!({ "reason": "changed their mind" })).await.map(drop)
    }

    async fn places_and_cancels(&self, buyer: &Caller, card: &str) -> anyhow::Result<()> {
        let order = text(&self.places(buyer, card).await?, "/order/order_id")?;
        self.cancels(buyer, &order).await
    }

    /// One seller sends and the carrier delivers; the buyer sends it back, the seller looks at it.
    async fn sends_back(&self, buyer: &Caller) -> anyhow::Result<()> {
        let placed = self.places(buyer, "tok_visa").await?;
        self.promised(&placed)?;
        let part = placed.pointer("/order/sub_orders/0").context("an order without parts")?;
        let (id, tenant, item) = (text(part, "/sub_order_id")?, text(part, "/tenant_id")?, text(part, "/items/0/item_id")?);
        let (seller, _) = self.sellers.iter().find(|(_, sold)| sold.tenant_id == tenant).context("a part of nobody's")?;
        demo::deliver(&self.http, seller, &id).await?;
        let lines = json!([{ "item_id": item, "quantity": 1, "reason": "damaged" }]);
        let asked = self.when_heard(&format!("/v1/sub-orders/{id}/returns"), buyer, &json!({ "lines": lines })).await?;
        let path = format!("/v1/returns/{}", text(&asked, "/return/return_id")?);
        self.http.post(&format!("{path}/decision"), seller, &json!({ "approve": true, "answer": "Send it to the shop" })).await?;
        self.http.post(&format!("{path}/send"), buyer, &json!({ "carrier": "Test Post", "tracking_number": "TP 1" })).await?;
        let lines = json!([{ "item_id": item, "accepted": 1, "restocked": 1 }]);
        self.http.post(&format!("{path}/inspection"), seller, &json!({ "lines": lines })).await.map(drop)
    }

    /// Asks for what is possible as soon as another service's news has arrived.
    async fn when_heard(&self, path: &str, caller: &Caller, body: &Value) -> anyhow::Result<Value> {
        let begin = Instant::now();
        loop {
            match self.http.post(path, caller, body).await {
                Err(_) if begin.elapsed() < HEARD_WITHIN => tokio::time::sleep(ASK_EVERY).await,
                answer => return answer,
            }
        }
    }

    async fn cancels_meanwhile(&self, buyer: &Caller) -> anyhow::Result<()> {
        let (placing, cancelling) = (self.places(buyer, "tok_visa"), async {
            loop {
                let orders = self.http.get("/v1/orders?limit=1", buyer).await?;
                // Confirmed: the stock is sold, the money is being taken.
                if text(&orders, "/orders/0/state").is_ok_and(|state| state == "confirmed") {
                    return self.cancels(buyer, &text(&orders, "/orders/0/order_id")?).await;
                }
                tokio::time::sleep(ASK_EVERY).await;
            }
        });
        let limit = Duration::from_secs(10);
        let (_placed, cancelled) = tokio::join!(placing, tokio::time::timeout(limit, cancelling));
        cancelled.context("the order never was confirmed")?
    }

    /// One piece of each shop.
    async fn places(&self, buyer: &Caller, card: &str) -> anyhow::Result<Value> {
        let items: Vec<&Sellable> = self.sellers.iter().map(|(_, item)| item).collect();
        market::buy_with(&self.http, buyer, &items, false, Paying { email: "ada@demo.example", method: card }).await
    }
}

/// A shop with one thing, and enough of it.
async fn stocked(http: &Http, seller: Caller, name: &str) -> anyhow::Result<(Caller, Sellable)> {
    let variant = json!({ "sku": "ONE", "price": { "amount_minor": CENTS, "currency": "USD" }, "weight_grams": 300, "options": [] });
    let body = json!({ "title": format!("The one thing of {name}"), "description": "", "variants": [variant], "activate": true });
    let made = http.post("/v1/products", &seller, &body).await?;
    let item = Sellable {
        product_id: text(&made, "/product/product_id")?,
        slug: String::new(),
        tenant_id: seller.tenant.clone().unwrap_or_default(),
        variant_id: text(&made, "/product/variants/0/variant_id")?,
        title: text(&made, "/product/title")?,
    };
    http.post("/v1/stock/set", &seller, &json!({ "variant_id": item.variant_id, "sku": "ONE", "quantity": PIECES })).await?;
    Ok((seller, item))
}

//! Placing an order and paying for it.

use std::collections::{BTreeMap, HashSet};

use api_orders::{CheckoutId, OrderId};
use kit_core::{TenantId, UserId};
use kit_db::{Db, Scope};
use kit_rpc::Ctx;
use sqlx::types::Json;
use uuid::Uuid;

use super::checkout::{order_id_of, wanted_by};
use super::read::Access;
use crate::commission::CommissionTerms;
use crate::error::Error;
use crate::invoice::Supplier;
use crate::model::{self, Draft, Placing};
use crate::saga::machine::{Attempt, Input, Saga};
use crate::service::Orders;
use crate::store::checkouts::{self, CheckoutRow};
use crate::store::orders;
use crate::store::rows::WholeOrder;

/// One order to be written, with who asked for it.
#[derive(Debug, Clone)]
pub(crate) struct NewEntry {
    pub(crate) whole: WholeOrder,
    pub(crate) actor: String,
}

/// What the buyer pays with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Payment<'a> {
    pub(crate) method: &'a str,
    pub(crate) return_url: &'a str,
    pub(crate) save: bool,
}

/// How often another order number is tried when one is taken.
const NUMBER_TRIES: u32 = 3;

/// Writes new orders in one transaction. Answers for each whether it was written; one that was there already was not.
pub(crate) async fn insert_all(db: Db, entries: Vec<NewEntry>) -> Result<Vec<Result<bool, Error>>, Error> {
    let mut tx = db.begin(&Scope::Platform).await?;
    let rows: Vec<_> = entries.iter().map(|entry| &entry.whole.order).collect();
    let mut written: HashSet<Uuid> = orders::insert_orders(&mut tx, &rows).await?.into_iter().collect();
    // Should one batch hold an order twice, only its first entry brings the parts.
    let mut first: HashSet<Uuid> = HashSet::new();
    let new: Vec<bool> =
        entries.iter().map(|entry| written.contains(&entry.whole.order.order_id) && first.insert(entry.whole.order.order_id)).collect();
    written.clear();
    let kept = || entries.iter().zip(&new).filter(|(_, new)| **new).map(|(entry, _)| entry);
    let subs: Vec<_> = kept().flat_map(|entry| &entry.whole.subs).collect();
    let items: Vec<_> = kept().flat_map(|entry| &entry.whole.items).collect();
    if !subs.is_empty() {
        orders::insert_subs(&mut tx, &subs).await?;
        orders::insert_items(&mut tx, &items).await?;
        let created = |entry: &NewEntry| {
            let order = &entry.whole.order;
            order.timeline(order.placed_at, "created", "The order was received".to_owned(), &entry.actor)
        };
        let timeline: Vec<_> = kept().map(created).collect();
        orders::add_timeline(&mut tx, &timeline).await?;
    }
    tx.commit().await.map_err(Error::from)?;
    Ok(new.into_iter().map(Ok).collect())
}

impl Orders {
    /// Places the order of a checkout, or goes on with it when it was placed before. Answers once the buyer has to act or
    /// everything is done; a step nobody answers is left to the recovery job.
    pub(crate) async fn place_order(&self, ctx: &Ctx, buyer: UserId, id: CheckoutId, payment: Payment<'_>) -> Result<WholeOrder, Error> {
        check_return_url(payment.return_url)?;
        let row = self.checkout_reads.run((buyer, id)).await?;
        if row.placed {
            return self.drive_detached(ctx, order_id_of(&row)).await;
        }
        self.still_open(&row)?;
        let missing = row.draft.missing();
        if !missing.is_empty() {
            return Err(Error::CheckoutIncomplete(missing.join(", ")));
        }
        self.accept_present_prices(ctx, buyer, &row).await?;
        let whole = self.make_order(ctx, buyer, &row, payment).await?;
        let whole = self.insert_order(ctx, whole).await?;
        let whole = self.drive_whole_detached(ctx, whole).await?;
        match whole.order.saga.out_of_stock() {
            Some(note) => Err(Error::NotEnoughStock(note.to_owned())),
            None => Ok(whole),
        }
    }

    /// Prices are fresh from the catalog. When one has changed, the checkout shows it and the buyer decides again.
    async fn accept_present_prices(&self, ctx: &Ctx, buyer: UserId, row: &CheckoutRow) -> Result<(), Error> {
        let lines = self.fresh_lines(ctx, &wanted_by(&row.draft)).await?;
        let fresh: BTreeMap<(TenantId, Uuid), _> = lines.into_iter().map(|(tenant, _, line)| ((tenant, line.variant_id), line)).collect();
        let mut draft: Draft = row.draft.0.clone();
        let mut changed = false;
        for part in &mut draft.parts {
            for line in &mut part.lines {
                let Some(now) = fresh.get(&(part.tenant_id, line.variant_id)) else { continue };
                changed |= now.unit_minor != line.unit_minor || now.currency != line.currency;
                *line = now.clone();
            }
        }
        if !changed {
            return Ok(());
        }
        self.offer_shipping(ctx, &mut draft).await?;
        let mut tx = self.db.begin(&Scope::Buyer(buyer)).await?;
        checkouts::save_draft(&mut tx, row.checkout_id.into(), &draft).await?;
        tx.commit().await?;
        Err(Error::PriceChanged)
    }

    /// All of the order, with every id it will ever use for its first payment.
    async fn make_order(&self, ctx: &Ctx, buyer: UserId, row: &CheckoutRow, payment: Payment<'_>) -> Result<WholeOrder, Error> {
        let tenants: Vec<TenantId> = row.draft.parts.iter().map(|part| part.tenant_id).collect();
        let terms = self.terms(ctx, &tenants).await?;
        let suppliers: BTreeMap<TenantId, Supplier> = terms.iter().map(|(tenant, terms)| (*tenant, Supplier::of(terms))).collect();
        let rates = terms.into_iter().map(|(tenant, terms)| (tenant, CommissionTerms::of(terms))).collect();
        let order_id = self.unused_order_id(buyer, row).await?;
        let now = self.clock.now();
        let access_token = model::access_token(self.ids.uuid(), self.ids.uuid());
        let placing = Placing { id: order_id, buyer, access_token, at: now };
        let new = model::place(&row.draft, &placing, &rates, || self.ids.uuid())?;
        let saga = Saga::new(self.attempt(&new.number, &new.access_token, payment));
        let look_at = saga.look_at(now, self.lease());
        let mut whole = WholeOrder::of(&new, saga, look_at);
        for sub in &mut whole.subs {
            sub.supplier = suppliers.get(&sub.tenant_id.into()).cloned().map(Json);
        }
        Ok(whole)
    }

    /// The checkout's order id, or a new one when the order under it was refused its stock.
    async fn unused_order_id(&self, buyer: UserId, row: &CheckoutRow) -> Result<OrderId, Error> {
        let id = order_id_of(row);
        if !row.refused {
            return Ok(id);
        }
        let unused = self.ids.next();
        let mut tx = self.db.begin(&Scope::Buyer(buyer)).await?;
        checkouts::renew_order_id(&mut tx, row.checkout_id.into(), id, unused).await?;
        tx.commit().await?;
        Ok(unused)
    }

    fn attempt(&self, number: &str, access_token: &str, payment: Payment<'_>) -> Attempt {
        let return_url = if payment.return_url.is_empty() {
            format!("{}/track/{number}?access_token={access_token}", self.public_url)
        } else {
            payment.return_url.to_owned()
        };
        Attempt::new(self.ids.next(), self.ids.next(), self.ids.next(), payment.method.to_owned(), return_url).saving(payment.save)
    }

    /// Writes the order; when it was written before (a repeated request), goes on with that one.
    async fn insert_order(&self, ctx: &Ctx, mut whole: WholeOrder) -> Result<WholeOrder, Error> {
        let id = OrderId::from(whole.order.order_id);
        for salt in 1..=NUMBER_TRIES {
            let entry = NewEntry { whole: whole.clone(), actor: ctx.actor_text() };
            if self.inserts.run(entry).await? {
                return Ok(whole);
            }
            let mut tx = self.db.begin(&Scope::Platform).await?;
            match orders::get_order(&mut tx, id).await {
                Ok(order) => return orders::whole(&mut tx, order).await,
                Err(Error::OrderNotFound) => {}
                Err(error) => return Err(error),
            }
            // It is not there, so its number was taken.
            whole.order.number = model::order_number(id, whole.order.placed_at, salt);
            for sub in &mut whole.subs {
                sub.number = format!("{}-{}", whole.order.number, sub.position);
            }
        }
        Err(Error::unreadable("no order number is free"))
    }

    /// Pays with another method while the goods are reserved.
    pub(crate) async fn retry_payment(&self, ctx: &Ctx, id: OrderId, access: &Access, payment: Payment<'_>) -> Result<WholeOrder, Error> {
        check_return_url(payment.return_url)?;
        let order = self.readable_order(ctx, id, access).await?;
        let attempt = self.attempt(&order.number, &order.access_token, payment);
        self.advance(ctx, id, Input::Retry(attempt)).await?;
        self.drive_detached(ctx, id).await
    }

    /// Drives an order in a task of its own, so that a buyer who closes the page does not stop it half-way.
    pub(crate) async fn drive_detached(&self, ctx: &Ctx, id: OrderId) -> Result<WholeOrder, Error> {
        let (orders, ctx) = (self.clone(), ctx.clone());
        tokio::spawn(async move { orders.drive_by_id(&ctx, id).await }).await.map_err(Error::unreadable)?
    }

    async fn drive_whole_detached(&self, ctx: &Ctx, whole: WholeOrder) -> Result<WholeOrder, Error> {
        let (orders, ctx) = (self.clone(), ctx.clone());
        tokio::spawn(async move { orders.drive(&ctx, whole).await }).await.map_err(Error::unreadable)?
    }
}

fn check_return_url(url: &str) -> Result<(), Error> {
    let fits =
        url.is_empty() || ((url.starts_with("https://") || url.starts_with("http://")) && !url.chars().any(|c| c.is_whitespace() || c.is_control()));
    if fits { Ok(()) } else { Err(Error::invalid("return_url", "must begin with https:// or http://")) }
}

//! The stories: looking into a cart and changing it.

use std::collections::HashMap;

use api_cart::{CartContents, CartLine, CartTotals, NoticeKind, SellerGroup, ShippingEstimate};
use api_catalog::{GetVariantsRequest, ProductId, VariantId, VariantRef, VariantSnapshot};
use api_fulfillment::{Parcel, QuoteShippingRequest};
use api_inventory::{GetStockRequest, VariantKey};
use api_tenants::{TenantState, Terms};
use kit_core::{Money, TenantId, UserId};
use kit_db::{Db, DbError, Scope};
use kit_rpc::{Ctx, timestamp};
use uuid::Uuid;

use crate::adding::Adding;
use crate::error::Error;
use crate::model::{self, Line, MAX_QUANTITY, Notice, Now};
use crate::service::Cart;
use crate::store;

/// A line with what is known of it now.
struct Shown {
    line: Line,
    now: Now,
    snapshot: Option<VariantSnapshot>,
}

/// The cheapest way of shipping, and its price, by seller.
type Estimates = HashMap<TenantId, (ShippingEstimate, Money)>;

impl Cart {
    /// One read of the cart, one call each to catalog and inventory at the same time, one to fulfillment when a country is known.
    pub(crate) async fn get_cart(&self, ctx: &Ctx, buyer: UserId, country: &str) -> Result<CartContents, Error> {
        let lines = self.lines(buyer).await?;
        if lines.is_empty() {
            return Ok(CartContents { ready_for_checkout: false, ..CartContents::default() });
        }
        let mut tenants: Vec<TenantId> = Vec::new();
        for line in &lines {
            if !tenants.contains(&line.tenant) {
                tenants.push(line.tenant);
            }
        }
        let (snapshots, stock, stores) = futures::try_join!(self.snapshots(ctx, &lines), self.stock(ctx, &lines), self.stores(ctx, &tenants))?;
        let shown: Vec<Shown> = lines.into_iter().map(|line| show(line, &snapshots, &stock, &stores)).collect();
        let shipping = self.estimate(ctx, &tenants, &shown, country).await?;
        contents(&tenants, &shown, &stores, &shipping, self.config.low_stock)
    }

    pub(crate) async fn lines(&self, buyer: UserId) -> Result<Vec<Line>, Error> {
        let mut tx = self.db.begin(&Scope::Buyer(buyer)).await?;
        let lines = store::lines(&mut tx, buyer).await?;
        tx.commit().await?;
        Ok(lines)
    }

    /// Answers (pieces on the line, pieces in the cart).
    pub(crate) async fn add_item(&self, ctx: &Ctx, buyer: UserId, tenant: TenantId, variant: VariantId, quantity: u32) -> Result<(u32, u32), Error> {
        let wanted = VariantRef { tenant_id: tenant.to_string(), variant_id: variant.to_string() };
        let request = ctx.as_service("cart").request(GetVariantsRequest { variants: vec![wanted], fresh: false });
        let snapshot = self.catalog.clone().get_variants(request).await?.into_inner().variants.into_iter().next().ok_or(Error::VariantNotFound)?;
        if !snapshot.sellable {
            return Err(Error::VariantUnavailable(snapshot.title));
        }
        let price_seen = price_of(&snapshot).ok_or_else(|| Error::VariantUnavailable(snapshot.title.clone()))?;
        let now = self.clock.now();
        let line = Line { tenant, variant: variant.uuid(), quantity, price_seen, added_at: now };
        Ok(self.adds.run(Adding { buyer, line }).await??)
    }

    /// Answers the pieces in the cart.
    pub(crate) async fn update_item(&self, buyer: UserId, variant: VariantId, quantity: u32) -> Result<u32, Error> {
        if quantity > MAX_QUANTITY {
            return Err(Error::Invalid { field: "quantity", message: format!("must be at most {MAX_QUANTITY}") });
        }
        let mut tx = self.db.begin(&Scope::Buyer(buyer)).await?;
        let there = match quantity {
            0 => store::remove(&mut tx, buyer, variant.uuid()).await?,
            quantity => store::set_quantity(&mut tx, buyer, variant.uuid(), quantity).await?,
        };
        if !there {
            return Err(Error::LineNotFound);
        }
        let count = store::count(&mut tx, buyer).await?;
        tx.commit().await?;
        Ok(pieces(count))
    }

    /// Answers the pieces in the cart.
    pub(crate) async fn remove_item(&self, buyer: UserId, variant: VariantId) -> Result<u32, Error> {
        let mut tx = self.db.begin(&Scope::Buyer(buyer)).await?;
        store::remove(&mut tx, buyer, variant.uuid()).await?;
        let count = store::count(&mut tx, buyer).await?;
        tx.commit().await?;
        Ok(pieces(count))
    }

    pub(crate) async fn clear_cart(&self, buyer: UserId) -> Result<(), Error> {
        let mut tx = self.db.begin(&Scope::Buyer(buyer)).await?;
        store::clear(&mut tx, buyer).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn snapshots(&self, ctx: &Ctx, lines: &[Line]) -> Result<HashMap<Uuid, VariantSnapshot>, Error> {
        let named = |line: &Line| VariantRef { tenant_id: line.tenant.to_string(), variant_id: VariantId::from(line.variant).to_string() };
        let variants = lines.iter().map(named);
        let request = ctx.as_service("cart").request(GetVariantsRequest { variants: variants.collect(), fresh: false });
        let found = self.catalog.clone().get_variants(request).await?.into_inner().variants;
        Ok(found.into_iter().filter_map(|one| Some((one.variant_id.parse::<VariantId>().ok()?.uuid(), one))).collect())
    }

    async fn stock(&self, ctx: &Ctx, lines: &[Line]) -> Result<HashMap<Uuid, i64>, Error> {
        let key = |line: &Line| VariantKey { tenant_id: line.tenant.to_string(), variant_id: VariantId::from(line.variant).to_string() };
        let variants = lines.iter().map(key);
        let request = ctx.as_service("cart").request(GetStockRequest { variants: variants.collect() });
        let stocks = self.inventory.clone().get_stock(request).await?.into_inner().stocks;
        Ok(stocks.into_iter().filter_map(|stock| Some((stock.variant_id.parse::<VariantId>().ok()?.uuid(), stock.available))).collect())
    }

    /// The cheapest way of shipping what can be bought, by seller.
    async fn estimate(&self, ctx: &Ctx, tenants: &[TenantId], shown: &[Shown], country: &str) -> Result<Estimates, Error> {
        if country.is_empty() {
            return Ok(HashMap::new());
        }
        let mut parcels = Vec::new();
        for tenant in tenants {
            let own = || shown.iter().filter(|one| one.line.tenant == *tenant && model::can_be_bought(&one.line, &one.now));
            let Some(currency) = own().find_map(|one| one.now.price).map(|price| price.currency) else { continue };
            let totals = own().map(|one| model::line_total(&one.line, &one.now)).collect::<Result<Vec<_>, _>>()?;
            let goods = Money::sum(currency, totals.into_iter().filter(|total| total.currency == currency))?;
            let weight = |one: &Shown| u64::from(one.snapshot.as_ref().map_or(0, |snapshot| snapshot.weight_grams)) * u64::from(one.line.quantity);
            parcels.push(Parcel { tenant_id: tenant.to_string(), weight_grams: own().map(weight).sum(), goods: Some(goods.into()) });
        }
        let request = ctx.as_service("cart").request(QuoteShippingRequest { parcels, country: country.to_owned() });
        let quotes = self.fulfillment.clone().quote_shipping(request).await?.into_inner().quotes;
        let cheapest = quotes.into_iter().filter_map(|quote| {
            let option = quote.options.into_iter().next()?;
            let price = option.price.as_ref().and_then(|price| Money::try_from(price).ok())?;
            let estimate = ShippingEstimate { price: option.price, method: option.name, min_days: option.min_days, max_days: option.max_days };
            Some((quote.tenant_id.parse().ok()?, (estimate, price)))
        });
        Ok(cheapest.collect())
    }
}

/// The carts of these buyers, in their order.
pub(crate) async fn read_all(db: Db, buyers: Vec<UserId>) -> Result<Vec<Result<Vec<Line>, DbError>>, DbError> {
    let mut tx = db.begin(&Scope::Platform).await?;
    let mut carts: HashMap<UserId, Vec<Line>> = HashMap::new();
    for (buyer, line) in store::lines_of(&mut tx, &buyers).await? {
        carts.entry(buyer).or_default().push(line);
    }
    tx.commit().await?;
    Ok(buyers.iter().map(|buyer| Ok(carts.get(buyer).cloned().unwrap_or_default())).collect())
}

fn pieces(count: i64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn price_of(snapshot: &VariantSnapshot) -> Option<Money> {
    snapshot.price.as_ref().and_then(|price| Money::try_from(price).ok())
}

fn show(line: Line, snapshots: &HashMap<Uuid, VariantSnapshot>, stock: &HashMap<Uuid, i64>, stores: &HashMap<TenantId, Terms>) -> Shown {
    let snapshot = snapshots.get(&line.variant).cloned();
    let open = stores.get(&line.tenant).is_some_and(|terms| terms.state() == TenantState::Active && !terms.holiday);
    let price = snapshot.as_ref().filter(|snapshot| snapshot.sellable && open).and_then(price_of);
    let available = stock.get(&line.variant).copied().unwrap_or_default();
    Shown { now: Now { price, available }, line, snapshot }
}

fn contents(
    tenants: &[TenantId],
    shown: &[Shown],
    stores: &HashMap<TenantId, Terms>,
    shipping: &Estimates,
    low_stock: i64,
) -> Result<CartContents, Error> {
    let mut groups = Vec::with_capacity(tenants.len());
    let mut bought = Vec::new();
    for tenant in tenants {
        let own: Vec<&Shown> = shown.iter().filter(|one| one.line.tenant == *tenant).collect();
        let mut subtotal: Option<Money> = None;
        let mut lines = Vec::with_capacity(own.len());
        for one in own {
            let total = model::line_total(&one.line, &one.now)?;
            if model::can_be_bought(&one.line, &one.now) {
                bought.push(total);
                subtotal = Some(match subtotal {
                    Some(sum) if sum.currency == total.currency => sum.plus(total)?,
                    Some(sum) => sum,
                    None => total,
                });
            }
            lines.push(cart_line(one, total, low_stock));
        }
        let store = stores.get(tenant);
        groups.push(SellerGroup {
            tenant_id: tenant.to_string(),
            store_name: store.map(|store| store.store_name.clone()).unwrap_or_default(),
            store_slug: store.map(|store| store.slug.clone()).unwrap_or_default(),
            lines,
            subtotal: subtotal.map(Into::into),
            shipping: shipping.get(tenant).map(|(estimate, _)| estimate.clone()),
        });
    }
    let shipping: Vec<Money> = shipping.values().map(|(_, price)| *price).collect();
    let totals = model::totals(&bought, &shipping)?;
    let item_count = shown.iter().map(|one| one.line.quantity).fold(0, u32::saturating_add);
    let ready_for_checkout = bought.len() == shown.len() && totals.len() == 1;
    Ok(CartContents { groups, item_count, totals: totals.iter().map(cart_totals).collect(), ready_for_checkout })
}

fn cart_line(one: &Shown, total: Money, low_stock: i64) -> CartLine {
    let Shown { line, now, snapshot } = one;
    let snapshot = snapshot.clone().unwrap_or_default();
    let options: Vec<String> = snapshot.options.iter().map(|option| format!("{}: {}", option.name, option.value)).collect();
    let image_url = if snapshot.image_hash.is_empty() { String::new() } else { format!("/v1/media/{}/160.webp", snapshot.image_hash) };
    CartLine {
        tenant_id: line.tenant.to_string(),
        variant_id: VariantId::from(line.variant).to_string(),
        product_id: snapshot.product_id.parse::<ProductId>().map(|id| id.to_string()).unwrap_or_default(),
        title: if snapshot.title.is_empty() { "An item that is gone".to_owned() } else { snapshot.title },
        options: options.join(", "),
        sku: snapshot.sku,
        image_url,
        quantity: line.quantity,
        unit_price: Some(now.price.unwrap_or(line.price_seen).into()),
        line_total: Some(total.into()),
        price_seen: Some(line.price_seen.into()),
        available: pieces(now.available.max(0)),
        notices: model::notices(line, now, low_stock).iter().map(notice).collect(),
        added_at: Some(timestamp(line.added_at)),
    }
}

fn notice(notice: &Notice) -> api_cart::Notice {
    let kind = match notice {
        Notice::PriceChanged { .. } => NoticeKind::PriceChanged,
        Notice::LowStock { .. } => NoticeKind::LowStock,
        Notice::OutOfStock | Notice::OffSale => NoticeKind::Unavailable,
    };
    api_cart::Notice { kind: kind.into(), message: notice.message() }
}

/// Prices include tax and there are no discounts yet, so both are zero.
fn cart_totals(totals: &model::Totals) -> CartTotals {
    let zero = Money::zero(totals.total.currency);
    CartTotals {
        items: Some(totals.items.into()),
        shipping: Some(totals.shipping.into()),
        tax: Some(zero.into()),
        discount: Some(zero.into()),
        total: Some(totals.total.into()),
    }
}

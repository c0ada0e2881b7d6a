//! Beginning and filling in a checkout.

use std::collections::BTreeMap;

use api_cart::GetCartForCheckoutRequest;
use api_catalog::{GetVariantsRequest, VariantId, VariantRef, VariantSnapshot};
use api_fulfillment::{Parcel, QuoteShippingRequest};
use api_identity::GetUsersRequest;
use api_inventory::{GetStockRequest, VariantKey};
use api_orders::{CheckoutId, CheckoutItem, OrderId, ShippingChoice, StartCheckoutRequest, UpdateCheckoutRequest};
use api_tenants::TenantState;
use kit_core::{Address, Email, MoneyError, TenantId, Time, UserId};
use kit_db::{Db, Scope};
use kit_rpc::{Actor, Ctx, proto};
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::Error;
use crate::model::{self, Draft, Line, ShippingOption};
use crate::service::Orders;
use crate::store::checkouts::{self, CheckoutRow};

/// What a buyer wants, by variant; the same variant twice is added up.
type Wanted = BTreeMap<(TenantId, Uuid), u32>;

/// The most pieces of one line.
const MAX_QUANTITY: u32 = 999;

/// Writes new checkouts in one transaction.
pub(crate) async fn insert_all(db: Db, rows: Vec<(CheckoutRow, Time)>) -> Result<Vec<Result<(), Error>>, Error> {
    let mut tx = db.begin(&Scope::Platform).await?;
    checkouts::insert_all(&mut tx, &rows).await?;
    tx.commit().await?;
    Ok(rows.iter().map(|_| Ok(())).collect())
}

/// Reads checkouts about to be placed, each for its own buyer.
pub(crate) async fn read_all(db: Db, wanted: Vec<(UserId, CheckoutId)>) -> Result<Vec<Result<CheckoutRow, Error>>, Error> {
    let ids: Vec<CheckoutId> = wanted.iter().map(|(_, id)| *id).collect();
    let mut tx = db.begin(&Scope::Platform).await?;
    let rows: BTreeMap<Uuid, CheckoutRow> = checkouts::get_all(&mut tx, &ids).await?.into_iter().map(|row| (row.checkout_id, row)).collect();
    tx.commit().await?;
    let own = |(buyer, id): &(UserId, CheckoutId)| {
        let row = rows.get(&id.uuid()).filter(|row| row.buyer_id == buyer.uuid());
        row.cloned().ok_or(Error::CheckoutNotFound)
    };
    Ok(wanted.iter().map(own).collect())
}

/// Names every line of which there is less than is wanted.
fn enough(lines: &[(TenantId, String, Line)], available: &BTreeMap<Uuid, i64>) -> Result<(), Error> {
    let short = lines.iter().filter_map(|(_, _, line)| {
        let left = available.get(&line.variant_id).copied().unwrap_or(0).max(0);
        (left < i64::from(line.quantity)).then(|| model::short_of(&line.title, left, line.quantity.into()))
    });
    let short: Vec<String> = short.collect();
    if short.is_empty() { Ok(()) } else { Err(Error::NotEnoughStock(short.join("; "))) }
}

impl Orders {
    pub(crate) async fn start_checkout(&self, ctx: &Ctx, buyer: UserId, request: &StartCheckoutRequest) -> Result<CheckoutRow, Error> {
        let from_cart = request.items.is_empty();
        let wanted = if from_cart { self.read_cart(ctx, buyer).await? } else { from_items(&request.items)? };
        if wanted.is_empty() {
            return Err(Error::CartEmpty);
        }
        if wanted.len() > self.config.max_lines {
            return Err(Error::invalid("items", &format!("at most {} lines in one order", self.config.max_lines)));
        }
        let (lines, available) = futures::try_join!(self.fresh_lines(ctx, &wanted), self.available(ctx, &wanted))?;
        enough(&lines, &available)?;
        let mut draft = Draft::group(lines, from_cart).map_err(|error| match error {
            MoneyError::CurrencyMismatch(one, other) => Error::CurrenciesMixed(one.to_string(), other.to_string()),
            other => Error::TooLarge(other),
        })?;
        draft.email = self.email_for(ctx, &request.email).await?;
        draft.shipping_address = address("shipping_address", request.shipping_address.as_ref())?;
        draft.billing_address = address("billing_address", request.billing_address.as_ref())?;
        self.offer_shipping(ctx, &mut draft).await?;
        draft.totals()?;
        let now = self.clock.now();
        let row = CheckoutRow {
            checkout_id: self.ids.uuid(),
            buyer_id: buyer.uuid(),
            order_id: self.ids.uuid(),
            draft: Json(draft),
            expires_at: now + chrono::Duration::minutes(i64::from(self.config.checkout_minutes)),
            placed: false,
            refused: false,
        };
        self.checkout_inserts.run((row.clone(), now)).await?;
        Ok(row)
    }

    pub(crate) async fn get_checkout(&self, buyer: UserId, id: CheckoutId) -> Result<CheckoutRow, Error> {
        let mut tx = self.db.begin(&Scope::Buyer(buyer)).await?;
        let row = checkouts::get(&mut tx, id).await?;
        tx.commit().await?;
        Ok(row)
    }

    pub(crate) async fn update_checkout(&self, ctx: &Ctx, buyer: UserId, request: &UpdateCheckoutRequest) -> Result<CheckoutRow, Error> {
        let id: CheckoutId = request.checkout_id.parse().map_err(|_| Error::CheckoutNotFound)?;
        let mut row = self.get_checkout(buyer, id).await?;
        self.still_open(&row)?;
        if let Some(email) = &request.email {
            row.draft.email = email_of(email)?;
        }
        if let Some(shipping) = address("shipping_address", request.shipping_address.as_ref())? {
            row.draft.shipping_address = Some(shipping);
            self.offer_shipping(ctx, &mut row.draft).await?;
        }
        if let Some(billing) = address("billing_address", request.billing_address.as_ref())? {
            row.draft.billing_address = Some(billing);
        }
        for choice in &request.shipping_methods {
            choose(&mut row.draft, choice)?;
        }
        let mut tx = self.db.begin(&Scope::Buyer(buyer)).await?;
        checkouts::save_draft(&mut tx, id, &row.draft).await?;
        tx.commit().await?;
        Ok(row)
    }

    pub(crate) fn still_open(&self, row: &CheckoutRow) -> Result<(), Error> {
        if row.placed {
            return Err(Error::CheckoutPlaced);
        }
        if row.expires_at <= self.clock.now() {
            return Err(Error::CheckoutExpired);
        }
        Ok(())
    }

    async fn read_cart(&self, ctx: &Ctx, buyer: UserId) -> Result<Wanted, Error> {
        let request = ctx.as_service("orders").request(GetCartForCheckoutRequest { buyer_id: buyer.to_string() });
        let lines = self.callees.cart.clone().get_cart_for_checkout(request).await?.into_inner().lines;
        let items: Vec<CheckoutItem> =
            lines.into_iter().map(|line| CheckoutItem { tenant_id: line.tenant_id, variant_id: line.variant_id, quantity: line.quantity }).collect();
        from_items(&items)
    }

    /// How many pieces of each variant can be had now; only placing the order holds them.
    async fn available(&self, ctx: &Ctx, wanted: &Wanted) -> Result<BTreeMap<Uuid, i64>, Error> {
        let key =
            |(tenant, variant): &(TenantId, Uuid)| VariantKey { tenant_id: tenant.to_string(), variant_id: VariantId::from(*variant).to_string() };
        let request = ctx.as_service("orders").request(GetStockRequest { variants: wanted.keys().map(key).collect() });
        let stocks = self.callees.inventory.clone().get_stock(request).await?.into_inner().stocks;
        Ok(stocks.into_iter().filter_map(|stock| Some((stock.variant_id.parse::<VariantId>().ok()?.uuid(), stock.available))).collect())
    }

    /// The lines with the products as they are now, past every cache. Refuses what cannot be bought.
    pub(crate) async fn fresh_lines(&self, ctx: &Ctx, wanted: &Wanted) -> Result<Vec<(TenantId, String, Line)>, Error> {
        let tenants: Vec<TenantId> = wanted.keys().map(|(tenant, _)| *tenant).collect();
        let named =
            |(tenant, variant): &(TenantId, Uuid)| VariantRef { tenant_id: tenant.to_string(), variant_id: VariantId::from(*variant).to_string() };
        let variants = wanted.keys().map(named);
        let request = ctx.as_service("orders").request(GetVariantsRequest { variants: variants.collect(), fresh: true });
        let mut catalog = self.callees.catalog.clone();
        let (terms, snapshots) = futures::try_join!(self.terms(ctx, &tenants), async { Ok(catalog.get_variants(request).await?) })?;
        let found: BTreeMap<Uuid, VariantSnapshot> =
            snapshots.into_inner().variants.into_iter().filter_map(|one| Some((one.variant_id.parse::<VariantId>().ok()?.uuid(), one))).collect();
        let mut lines = Vec::with_capacity(wanted.len());
        for ((tenant, variant), quantity) in wanted {
            let unavailable = |title: &str| Error::VariantUnavailable(title.to_owned());
            let snapshot = found.get(variant).ok_or_else(|| unavailable(&VariantId::from(*variant).to_string()))?;
            let sells = terms.get(tenant).filter(|terms| terms.state() == TenantState::Active && !terms.holiday);
            let terms = sells.filter(|_| snapshot.sellable).ok_or_else(|| unavailable(&snapshot.title))?;
            let line = line_of(snapshot, *quantity).ok_or_else(|| unavailable(&snapshot.title))?;
            lines.push((*tenant, terms.store_name.clone(), line));
        }
        Ok(lines)
    }

    /// Asks every seller how it ships to the address; without an address there is nothing to ask.
    pub(crate) async fn offer_shipping(&self, ctx: &Ctx, draft: &mut Draft) -> Result<(), Error> {
        let Some(country) = draft.shipping_address.as_ref().map(|address| address.country.clone()) else { return Ok(()) };
        let mut parcels = Vec::with_capacity(draft.parts.len());
        for part in &draft.parts {
            parcels.push(Parcel { tenant_id: part.tenant_id.to_string(), weight_grams: part.weight_grams(), goods: Some(part.items()?.into()) });
        }
        let request = ctx.as_service("orders").request(QuoteShippingRequest { parcels, country });
        let quotes = self.callees.fulfillment.clone().quote_shipping(request).await?.into_inner().quotes;
        for part in &mut draft.parts {
            let tenant = part.tenant_id.to_string();
            let options = quotes.iter().filter(|quote| quote.tenant_id == tenant).flat_map(|quote| &quote.options);
            let options = options.filter_map(|option| {
                let price_minor = option.price.as_ref()?.amount_minor;
                let method = option.shipping_method_id.parse().ok()?;
                Some(ShippingOption { method, name: option.name.clone(), price_minor, min_days: option.min_days, max_days: option.max_days })
            });
            part.offer(options.collect());
        }
        Ok(())
    }

    /// The address confirmations go to: the one given, else a signed-in buyer's own, else none yet.
    async fn email_for(&self, ctx: &Ctx, given: &str) -> Result<String, Error> {
        if !given.is_empty() {
            return email_of(given);
        }
        let Actor::User(user) = ctx.actor else { return Ok(String::new()) };
        let request = ctx.as_service("orders").request(GetUsersRequest { user_ids: vec![user.to_string()], emails: Vec::new() });
        let users = self.callees.identity.clone().get_users(request).await?.into_inner().users;
        Ok(users.into_iter().next().map(|user| user.email).unwrap_or_default())
    }
}

/// What the items add up to.
fn from_items(items: &[CheckoutItem]) -> Result<Wanted, Error> {
    let mut wanted = Wanted::new();
    for (index, item) in items.iter().enumerate() {
        let field = |name: &str| format!("items[{index}].{name}");
        let tenant: TenantId = item.tenant_id.parse().map_err(|error| Error::Invalid(vec![(field("tenant_id"), format!("{error}"))]))?;
        let variant: VariantId = item.variant_id.parse().map_err(|error| Error::Invalid(vec![(field("variant_id"), format!("{error}"))]))?;
        let quantity = wanted.entry((tenant, variant.uuid())).or_default();
        *quantity = quantity.saturating_add(item.quantity);
        if !(1..=MAX_QUANTITY).contains(quantity) {
            return Err(Error::Invalid(vec![(field("quantity"), "must be 1 to 999 pieces of one variant".to_owned())]));
        }
    }
    Ok(wanted)
}

fn line_of(snapshot: &VariantSnapshot, quantity: u32) -> Option<Line> {
    let price = snapshot.price.as_ref()?;
    let options: Vec<String> = snapshot.options.iter().map(|option| format!("{}: {}", option.name, option.value)).collect();
    Some(Line {
        product_id: snapshot.product_id.parse::<api_catalog::ProductId>().ok()?.uuid(),
        product_version: snapshot.version,
        variant_id: snapshot.variant_id.parse::<VariantId>().ok()?.uuid(),
        title: snapshot.title.clone(),
        options: options.join(", "),
        sku: snapshot.sku.clone(),
        brand: snapshot.brand.clone(),
        category_id: snapshot.category_id.clone(),
        category_code: snapshot.category_code.clone(),
        tax_category: snapshot.tax_category.clone(),
        image_url: image_url(&snapshot.image_hash),
        weight_grams: snapshot.weight_grams,
        quantity,
        unit_minor: price.amount_minor,
        currency: price.currency.clone(),
    })
}

fn image_url(hash: &str) -> String {
    if hash.is_empty() { String::new() } else { format!("/v1/media/{hash}/160.webp") }
}

fn choose(draft: &mut Draft, choice: &ShippingChoice) -> Result<(), Error> {
    let tenant: TenantId = choice.tenant_id.parse().map_err(|_| Error::MethodNotOffered)?;
    let method = choice.shipping_method_id.parse().map_err(|_| Error::MethodNotOffered)?;
    let part = draft.parts.iter_mut().find(|part| part.tenant_id == tenant).ok_or(Error::MethodNotOffered)?;
    if !part.options.iter().any(|option| option.method == method) {
        return Err(Error::MethodNotOffered);
    }
    part.chosen = Some(method);
    Ok(())
}

fn email_of(text: &str) -> Result<String, Error> {
    text.parse::<Email>().map(|email| email.to_string()).map_err(|error| Error::invalid("email", &error.to_string()))
}

/// Reads an address of a request; all its faults are told at once.
pub(crate) fn address(field: &str, given: Option<&proto::Address>) -> Result<Option<Address>, Error> {
    let checked = given.cloned().map(Address::from).map(Address::checked).transpose();
    checked.map_err(|wrong| Error::Invalid(wrong.into_iter().map(|wrong| (format!("{field}.{}", wrong.field), wrong.message)).collect()))
}

/// What a draft asks for, to look it up again.
pub(crate) fn wanted_by(draft: &Draft) -> Wanted {
    let lines = draft.parts.iter().flat_map(|part| part.lines.iter().map(|line| ((part.tenant_id, line.variant_id), line.quantity)));
    lines.collect()
}

pub(crate) fn order_id_of(row: &CheckoutRow) -> OrderId {
    row.order_id.into()
}

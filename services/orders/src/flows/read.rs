//! Reading orders: whoever owns one, operates the market, or has the order's access token.

use api_orders::{Order, OrderId, SubOrderId};
use futures::stream::{self, BoxStream, StreamExt};
use kit_core::{TenantId, UserId};
use kit_db::Scope;
use kit_rpc::Ctx;
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::Error;
use crate::invoice::{self, Supplier};
use crate::model::OrderState;
use crate::service::Orders;
use crate::store::lists::{self, Page};
use crate::store::rows::WholeOrder;
use crate::store::{OrderRow, SubRow, cancellations, orders, returns};
use crate::view::{self, Reader};

/// What a caller shows to get at an order that is not theirs by sign-in; may be empty.
#[derive(Debug, Clone, Default)]
pub(crate) struct Access {
    pub(crate) token: String,
    /// The permission that lets the market's staff in.
    pub(crate) operator: &'static str,
}

impl Access {
    pub(crate) fn to_read(token: &str) -> Self {
        Self { token: token.to_owned(), operator: "orders.read" }
    }

    pub(crate) fn to_write(token: &str) -> Self {
        Self { token: token.to_owned(), operator: "orders.write" }
    }

    /// The tokens are compared as a whole, without a short cut at the first difference.
    pub(crate) fn opens(&self, order: &OrderRow) -> bool {
        let given = self.token.as_bytes();
        let right = order.access_token.as_bytes();
        given.len() == right.len() && given.iter().zip(right).fold(0, |sum, (one, other)| sum | (one ^ other)) == 0
    }
}

impl Orders {
    /// The order, if the caller may see it; otherwise it does not exist.
    pub(crate) async fn readable_order(&self, ctx: &Ctx, id: OrderId, access: &Access) -> Result<OrderRow, Error> {
        let mine = if let Some(user) = ctx.user() {
            let mut tx = self.db.begin(&Scope::Buyer(user)).await?;
            let found = orders::get_order(&mut tx, id).await;
            tx.commit().await?;
            found
        } else {
            Err(Error::OrderNotFound)
        };
        let staff = ctx.require_operator(access.operator).is_ok();
        if mine.is_ok() || (!staff && access.token.is_empty()) {
            return mine;
        }
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let order = orders::get_order(&mut tx, id).await?;
        tx.commit().await?;
        if staff || access.opens(&order) { Ok(order) } else { Err(Error::OrderNotFound) }
    }

    pub(crate) async fn get_order(&self, ctx: &Ctx, id: OrderId, access: &Access) -> Result<Order, Error> {
        let order = self.readable_order(ctx, id, access).await?;
        self.show(order, reader(ctx)).await
    }

    pub(crate) async fn track_order(&self, number: &str, token: &str) -> Result<Order, Error> {
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let order = orders::get_order_by_number(&mut tx, number.trim().to_uppercase().as_str()).await?;
        tx.commit().await?;
        if !Access::to_read(token).opens(&order) {
            return Err(Error::OrderNotFound);
        }
        self.show(order, Reader::Buyer).await
    }

    /// All of an order, for someone who has been let in.
    pub(crate) async fn show(&self, order: OrderRow, reader: Reader) -> Result<Order, Error> {
        let mut tx = self.db.begin(&Scope::Buyer(order.buyer_id.into())).await?;
        let timeline = orders::timeline_of(&mut tx, order.order_id).await?;
        let mut whole = orders::whole(&mut tx, order).await?;
        whole.cancellations = cancellations::of_orders(&mut tx, &[whole.order.order_id]).await?;
        whole.returns = returns::of_orders(&mut tx, &[whole.order.order_id]).await?;
        tx.commit().await?;
        Ok(view::order(&whole, &timeline, reader))
    }

    /// The order now, and again after each of its events. Several events at once may show as one change.
    pub(crate) async fn watch_order(&self, ctx: &Ctx, id: OrderId, access: &Access) -> Result<BoxStream<'static, Result<Order, Error>>, Error> {
        // Watched before it is read, so that no change falls between the two.
        let changes = self.db.watch(id.uuid());
        let order = self.readable_order(ctx, id, access).await?;
        let reader = reader(ctx);
        let now = self.show(order, reader).await;
        let orders = self.clone();
        let later = changes.then(move |_event| {
            let orders = orders.clone();
            async move { orders.reread(id, reader).await }
        });
        let stopped = self.stop.clone().cancelled_owned();
        Ok(stream::once(std::future::ready(now)).chain(later).take_until(stopped).boxed())
    }

    async fn reread(&self, id: OrderId, reader: Reader) -> Result<Order, Error> {
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let order = orders::get_order(&mut tx, id).await?;
        tx.commit().await?;
        self.show(order, reader).await
    }

    pub(crate) async fn list_orders(&self, buyer: UserId, state: Option<&str>, page: Page) -> Result<Vec<Order>, Error> {
        let mut tx = self.db.begin(&Scope::Buyer(buyer)).await?;
        let rows = lists::orders_of_buyer(&mut tx, buyer, state, page).await?;
        let orders = with_parts(&mut tx, rows, Reader::Buyer).await?;
        tx.commit().await?;
        Ok(orders)
    }

    pub(crate) async fn list_all_orders(
        &self,
        state: Option<&str>,
        tenant: Option<TenantId>,
        query: Option<&str>,
        page: Page,
    ) -> Result<Vec<Order>, Error> {
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let rows = lists::all_orders(&mut tx, state, tenant, query, page).await?;
        let orders = with_parts(&mut tx, rows, Reader::Market).await?;
        tx.commit().await?;
        Ok(orders)
    }

    /// The number and the invoice as a PDF, of an order or of one part of it.
    pub(crate) async fn invoice(&self, ctx: &Ctx, id: OrderId, part: Option<SubOrderId>, access: &Access) -> Result<(String, Vec<u8>), Error> {
        let order = self.readable_order(ctx, id, access).await?;
        if order.state() < OrderState::Paid || !order.saga.is_paid() {
            return Err(Error::NotPaid);
        }
        let mut tx = self.db.begin(&Scope::Buyer(order.buyer_id.into())).await?;
        let mut whole = orders::whole(&mut tx, order).await?;
        tx.commit().await?;
        self.name_suppliers(ctx, &mut whole.subs).await?;
        let Some(part) = part else { return Ok((whole.order.number.clone(), invoice::pdf(&whole)?)) };
        let sub = whole.subs.iter().find(|sub| sub.sub_order_id == part.uuid()).ok_or(Error::OrderNotFound)?;
        Ok((sub.number.clone(), invoice::of_part(sub, &whole.items, &whole.order.billing_address)?))
    }

    /// The same for the part's seller, who does not know where the order is billed to.
    pub(crate) async fn invoice_of_part(&self, ctx: &Ctx, tenant: TenantId, id: SubOrderId) -> Result<(String, Vec<u8>), Error> {
        let mut tx = self.db.begin(&Scope::Tenant(tenant)).await?;
        let mut sub = orders::get_sub(&mut tx, id).await?;
        let items = orders::items_of(&mut tx, &[sub.order_id]).await?;
        tx.commit().await?;
        if sub.state() == OrderState::Created {
            return Err(Error::OrderNotFound);
        }
        self.name_suppliers(ctx, std::slice::from_mut(&mut sub)).await?;
        Ok((sub.number.clone(), invoice::of_part(&sub, &items, &sub.ship_to)?))
    }

    /// Parts placed before their supplier was kept name the seller's business as it is now.
    async fn name_suppliers(&self, ctx: &Ctx, subs: &mut [SubRow]) -> Result<(), Error> {
        let unnamed: Vec<TenantId> = subs.iter().filter(|sub| sub.supplier.is_none()).map(|sub| sub.tenant_id.into()).collect();
        if unnamed.is_empty() {
            return Ok(());
        }
        let terms = self.terms(ctx, &unnamed).await?;
        for sub in subs.iter_mut().filter(|sub| sub.supplier.is_none()) {
            sub.supplier = terms.get(&sub.tenant_id.into()).map(|terms| Json(Supplier::of(terms)));
        }
        Ok(())
    }
}

fn reader(ctx: &Ctx) -> Reader {
    if ctx.require_operator("orders.read").is_ok() { Reader::Market } else { Reader::Buyer }
}

/// Rows of a page with their parts and what was cancelled and returned of them, in four statements for all of them.
async fn with_parts(db: &mut sqlx::PgConnection, rows: Vec<OrderRow>, reader: Reader) -> Result<Vec<Order>, Error> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.order_id).collect();
    let subs = orders::subs_of(&mut *db, &ids).await?;
    let items = orders::items_of(&mut *db, &ids).await?;
    let cancellations = cancellations::of_orders(&mut *db, &ids).await?;
    let returns = returns::of_orders(&mut *db, &ids).await?;
    let whole = |order: OrderRow| {
        let subs = subs.iter().filter(|sub| sub.order_id == order.order_id).cloned().collect();
        let items = items.iter().filter(|item| item.order_id == order.order_id).cloned().collect();
        let cancellations = cancellations.iter().filter(|row| row.order_id == order.order_id).cloned().collect();
        let returns = returns.iter().filter(|row| row.order_id == order.order_id).cloned().collect();
        view::order(&WholeOrder { order, subs, items, cancellations, returns }, &[], reader)
    };
    Ok(rows.into_iter().map(whole).collect())
}

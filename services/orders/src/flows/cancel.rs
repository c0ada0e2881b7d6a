//! Cancelling: the whole order, one seller's part or pieces of it, before they ship.

use api_orders::{Cancellation, Order, OrderId, SubOrder, SubOrderId};
use kit_core::TenantId;
use kit_db::Scope;
use kit_rpc::Ctx;

use super::read::Access;
use crate::error::Error;
use crate::model::OrderState;
use crate::saga::machine::{Input, Why};
use crate::service::Orders;
use crate::share::{Wanted, why_not};
use crate::store::{cancellations, orders, returns};
use crate::view::{self, Reader};

/// Who cancels a part, and in whose name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Buyer,
    Seller,
    Operator,
}

impl By {
    const fn word(self) -> &'static str {
        match self {
            Self::Buyer => "buyer",
            Self::Seller => "seller",
            Self::Operator => "operator",
        }
    }
}

impl Orders {
    /// Cancels all that has not shipped. Before the money is captured the saga calls everything off; afterwards part by part.
    pub(crate) async fn cancel_order(&self, ctx: &Ctx, id: OrderId, access: &Access, reason: &str) -> Result<Order, Error> {
        let order = self.readable_order(ctx, id, access).await?;
        let staff = ctx.user().is_none_or(|user| user.uuid() != order.buyer_id) && ctx.require_operator("orders.write").is_ok();
        let by = if staff { By::Operator } else { By::Buyer };
        if order.saga.is_paid() {
            self.cancel_parts(ctx, id, by, reason).await?;
        } else {
            let why = if by == By::Operator { Why::Operator } else { Why::Buyer };
            match self.advance(ctx, id, Input::Cancel { why, note: reason.to_owned() }).await {
                Ok(_) => {
                    self.drive_detached(ctx, id).await?;
                }
                // It was paid between the look and the step.
                Err(Error::NotCancellable(_)) => self.cancel_parts(ctx, id, by, reason).await?,
                Err(error) => return Err(error),
            }
        }
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let order = orders::get_order(&mut tx, id).await?;
        tx.commit().await?;
        self.show(order, if staff { Reader::Market } else { Reader::Buyer }).await
    }

    async fn cancel_parts(&self, ctx: &Ctx, id: OrderId, by: By, reason: &str) -> Result<(), Error> {
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let subs = orders::subs_of(&mut tx, &[id.uuid()]).await?;
        tx.commit().await?;
        let mut refused = None;
        let mut cancelled = subs.iter().any(|sub| sub.state() == OrderState::Cancelled);
        for sub in subs.iter().filter(|sub| sub.state() != OrderState::Cancelled) {
            match self.cancel(ctx, sub.sub_order_id.into(), Wanted::Everything, by, reason).await {
                Ok(()) => cancelled = true,
                Err(Error::NotCancellable(why)) => refused = Some(why),
                Err(error) => return Err(error),
            }
        }
        match refused {
            Some(why) if !cancelled => Err(Error::NotCancellable(why)),
            _ => Ok(()),
        }
    }

    /// Cancels pieces of a part, or all of it, for its buyer, its seller or an operator; to anybody else it does not exist.
    pub(crate) async fn cancel_of_part(&self, ctx: &Ctx, id: SubOrderId, wanted: Wanted<'_>, reason: &str) -> Result<SubOrder, Error> {
        let by = self.who_cancels(ctx, id).await?;
        if by == By::Seller && reason.trim().is_empty() {
            return Err(Error::invalid("reason", "tell the buyer why"));
        }
        self.cancel(ctx, id, wanted, by, reason).await?;
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let sub = orders::get_sub(&mut tx, id).await?;
        let items = orders::items_of(&mut tx, &[sub.order_id]).await?;
        let cancellations = cancellations::of_orders(&mut tx, &[sub.order_id]).await?;
        let returns = returns::of_orders(&mut tx, &[sub.order_id]).await?;
        tx.commit().await?;
        Ok(view::part(&sub, &items, &cancellations, &returns, if by == By::Buyer { Reader::Buyer } else { Reader::Market }))
    }

    /// What cancelling pieces would give back; none when nothing would be cancelled.
    pub(crate) async fn preview_cancel(&self, ctx: &Ctx, id: SubOrderId, wanted: Wanted<'_>) -> Result<(SubOrder, Option<Cancellation>), Error> {
        let by = self.who_cancels(ctx, id).await?;
        let row = self.intend_cancel(id, wanted, "", by.word(), true).await?;
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let sub = orders::get_sub(&mut tx, id).await?;
        let items = orders::items_of(&mut tx, &[sub.order_id]).await?;
        let known = cancellations::of_orders(&mut tx, &[sub.order_id]).await?;
        let returns = returns::of_orders(&mut tx, &[sub.order_id]).await?;
        tx.commit().await?;
        let shown = view::part(&sub, &items, &known, &returns, if by == By::Buyer { Reader::Buyer } else { Reader::Market });
        Ok((shown, row.map(|row| view::cancellation(&row, &sub.currency))))
    }

    async fn who_cancels(&self, ctx: &Ctx, id: SubOrderId) -> Result<By, Error> {
        if let Some(user) = ctx.user() {
            let mut tx = self.db.begin(&Scope::Buyer(user)).await?;
            let found = orders::get_sub(&mut tx, id).await;
            tx.commit().await?;
            if found.is_ok() {
                return Ok(By::Buyer);
            }
        }
        if let Ok(tenant) = ctx.require_seller("orders.write") {
            let mut tx = self.db.begin(&Scope::Tenant(tenant)).await?;
            let found = orders::get_sub(&mut tx, id).await;
            tx.commit().await?;
            if found.is_ok_and(|sub| TenantId::from(sub.tenant_id) == tenant && sub.state() != OrderState::Created) {
                return Ok(By::Seller);
            }
        }
        if ctx.require_operator("orders.write").is_ok() { Ok(By::Operator) } else { Err(Error::OrderNotFound) }
    }

    /// Runs the cancellation in a task of its own, so that it is not stopped half-way with the request.
    async fn cancel(&self, ctx: &Ctx, id: SubOrderId, wanted: Wanted<'_>, by: By, reason: &str) -> Result<(), Error> {
        let told = match (reason.trim(), by) {
            ("", By::Buyer) => "the buyer changed their mind",
            ("", _) => "no reason was given",
            (reason, _) => reason,
        };
        let Some(intended) = self.intend_cancel(id, wanted, told, by.word(), false).await? else { return Ok(()) };
        let id = intended.cancellation_id.into();
        let (orders, ctx) = (self.clone(), ctx.clone());
        let done = tokio::spawn(async move { orders.drive_cancel(&ctx, id).await }).await.map_err(Error::unreadable)??;
        if done.came_too_late() { Err(Error::NotCancellable(why_not(OrderState::Shipped))) } else { Ok(()) }
    }
}

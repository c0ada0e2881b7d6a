//! Executes the cancelling machine for one part of a paid order, like `drive` does the placing one.

use std::collections::HashSet;

use api_fulfillment::StopFulfillmentRequest;
use api_inventory::RestockRequest;
use api_orders::{OrderId, SubOrderId};
use api_payments::{MovementState, RefundRequest, SubOrderAmount};
use kit_core::{TenantId, Time};
use kit_db::{Event, Scope, log};
use kit_rpc::{Ctx, problem_of, proto};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::cancel::{CancelCommand, CancelInput, CancelSaga, CancelTell};
use super::drive::{refused, reserve_lines};
use crate::error::Error;
use crate::model::{OrderState, state_of_parts};
use crate::service::Orders;
use crate::store::orders;
use crate::store::rows::WholeOrder;
use crate::store::{OrderRow, SubRow};
use crate::tell;

impl Orders {
    /// Records that a part is to be cancelled; nothing has happened yet. A cancellation that is under way goes on.
    pub(crate) async fn intend_cancel(&self, id: SubOrderId, reason: &str, by: &str) -> Result<SubRow, Error> {
        let now = self.clock.now();
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let mut sub = orders::lock_sub(&mut tx, id).await?;
        if sub.state() == OrderState::Cancelled {
            return Ok(sub);
        }
        if !sub.state().is_cancellable() {
            return Err(Error::NotCancellable(why_not(sub.state())));
        }
        if sub.cancel.as_ref().is_none_or(|cancel| cancel.came_too_late()) {
            sub.cancel = Some(Json(CancelSaga::new(self.ids.next(), reason.to_owned(), by.to_owned())));
            sub.cancel_look_at = Some(now + self.lease());
            sub.updated_at = now;
            orders::save_sub(&mut tx, &sub).await?;
        }
        tx.commit().await?;
        Ok(sub)
    }

    /// Asks and notes until nothing is left to ask, or nothing answers.
    pub(crate) async fn drive_cancel(&self, ctx: &Ctx, id: SubOrderId) -> Result<SubRow, Error> {
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let order_id = orders::order_of_sub(&mut tx, id).await?;
        let order = orders::get_order(&mut tx, order_id).await?;
        let whole = orders::whole(&mut tx, order).await?;
        tx.commit().await?;
        let mut sub = whole.subs.iter().find(|sub| sub.sub_order_id == id.uuid()).cloned().ok_or(Error::OrderNotFound)?;
        let mut stuck: HashSet<CancelCommand> = HashSet::new();
        loop {
            let Some(saga) = sub.cancel.as_ref() else { return Ok(sub) };
            let todo = saga.commands(sub.total_minor > 0).into_iter().find(|command| !stuck.contains(command));
            let Some(command) = todo else { return Ok(sub) };
            let input = self.ask_cancel(ctx, &whole, &sub, saga, command).await;
            stuck.insert(command);
            sub = self.advance_cancel(ctx, order_id, id, input).await?;
        }
    }

    /// Notes what became known of a cancellation, in a transaction of its own.
    async fn advance_cancel(&self, ctx: &Ctx, order: OrderId, id: SubOrderId, input: CancelInput) -> Result<SubRow, Error> {
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let sub = self.note_cancel(&mut tx, ctx, order, id, input).await?;
        tx.commit().await?;
        Ok(sub)
    }

    /// Notes what became known of a cancellation: part, order, timeline and events move together.
    pub(crate) async fn note_cancel(
        &self,
        db: &mut PgConnection,
        ctx: &Ctx,
        order: OrderId,
        id: SubOrderId,
        input: CancelInput,
    ) -> Result<SubRow, Error> {
        let now = self.clock.now();
        let mut order = orders::lock_orders(&mut *db, &[order.uuid()]).await?.pop().ok_or(Error::OrderNotFound)?;
        let mut sub = orders::lock_sub(&mut *db, id).await?;
        let Some(saga) = sub.cancel.as_mut() else { return Ok(sub) };
        let before = saga.clone();
        let tell = saga.apply(input);
        if before == *saga {
            return Ok(sub);
        }
        let look_at = saga.look_at(sub.total_minor > 0, now, self.lease());
        sub.cancel_look_at = look_at;
        sub.updated_at = now;
        let events = match tell {
            Some(CancelTell::Cancelled) => cancelled(&mut *db, ctx, &mut order, &mut sub, now).await?,
            Some(CancelTell::Refunded) => refunded(&mut *db, ctx, &mut order, &mut sub, now).await?,
            Some(CancelTell::RefundRefused) => refund_refused(&mut *db, ctx, &order, &mut sub, now).await?,
            None => Vec::new(),
        };
        orders::save_sub(&mut *db, &sub).await?;
        log::append_all(&mut *db, ctx, now, events).await?;
        Ok(sub)
    }

    async fn ask_cancel(&self, ctx: &Ctx, whole: &WholeOrder, sub: &SubRow, saga: &CancelSaga, command: CancelCommand) -> CancelInput {
        let own = self.own(ctx);
        let (order_id, sub_order_id) = (OrderId::from(whole.order.order_id).to_string(), SubOrderId::from(sub.sub_order_id).to_string());
        match command {
            CancelCommand::Stop => {
                let request = StopFulfillmentRequest { tenant_id: TenantId::from(sub.tenant_id).to_string(), sub_order_id, order_id };
                match self.callees.fulfillment.clone().stop_fulfillment(own.request(request)).await {
                    Ok(_) => CancelInput::Stopped,
                    Err(status) if problem_of(&status).reason == "ALREADY_SHIPPED" => CancelInput::AlreadyShipped,
                    Err(status) => refused(&status, "stop the fulfillment").map_or(CancelInput::Unknown, |_| CancelInput::Unknown),
                }
            }
            CancelCommand::Restock => {
                let request =
                    RestockRequest { restock_id: sub_order_id, reservation_id: order_id, lines: reserve_lines(whole, Some(sub.sub_order_id)) };
                match self.callees.inventory.clone().restock(own.request(request)).await {
                    Ok(_) => CancelInput::Restocked,
                    Err(status) => refused(&status, "restock").map_or(CancelInput::Unknown, |_| CancelInput::Unknown),
                }
            }
            CancelCommand::Refund => self.refund_share(&own, whole, sub, saga).await,
        }
    }

    /// Gives the part's share back: all that the buyer paid for it, shipping included.
    async fn refund_share(&self, own: &Ctx, whole: &WholeOrder, sub: &SubRow, saga: &CancelSaga) -> CancelInput {
        let Some(attempt) = whole.order.saga.last_attempt() else { return CancelInput::Unknown };
        let amount = Some(proto::Money { amount_minor: sub.total_minor, currency: sub.currency.clone() });
        let request = RefundRequest {
            payment_id: attempt.payment_id.to_string(),
            refund_id: saga.refund_id.to_string(),
            parts: vec![SubOrderAmount { sub_order_id: SubOrderId::from(sub.sub_order_id).to_string(), amount }],
            reason: format!("cancelled by the {}", saga.by),
        };
        match self.callees.payments.clone().refund(own.request(request)).await {
            Ok(answer) => match answer.into_inner().refund.map(|refund| refund.state()) {
                Some(MovementState::Succeeded) => CancelInput::Refunded,
                Some(MovementState::Failed) => CancelInput::RefundRefused,
                _ => CancelInput::Unknown,
            },
            Err(status) => refused(&status, "refund").map_or(CancelInput::Unknown, |_| CancelInput::RefundRefused),
        }
    }
}

/// Why a part in this state cannot be cancelled, for people.
pub(crate) const fn why_not(state: OrderState) -> &'static str {
    match state {
        OrderState::Shipped | OrderState::Delivered | OrderState::Completed => "it has been shipped already",
        OrderState::Created => "its payment is being taken; try again in a moment",
        _ => "it cannot be cancelled any more",
    }
}

async fn cancelled(db: &mut PgConnection, ctx: &Ctx, order: &mut OrderRow, sub: &mut SubRow, now: Time) -> Result<Vec<Event>, Error> {
    let (reason, by) = sub.cancel.as_ref().map(|saga| (saga.reason.clone(), saga.by.clone())).unwrap_or_default();
    OrderState::Cancelled.as_str().clone_into(&mut sub.state);
    sub.cancel_reason = reason;
    sub.cancelled_by = by;
    let money = if sub.total_minor > 0 { "pending" } else { "none" };
    money.clone_into(&mut sub.refund_state);
    let ids = [order.order_id];
    let items = orders::items_of(&mut *db, &ids).await?;
    let mut parts = orders::subs_of(&mut *db, &ids).await?;
    parts.retain(|part| part.sub_order_id != sub.sub_order_id);
    parts.push(sub.clone());
    let mut events = vec![tell::sub_cancelled(order, sub, &items)];
    let message = format!("{} was cancelled by the {}: {}", sub.store_name, sub.cancelled_by, sub.cancel_reason);
    let mut entries = vec![sub.timeline(now, "cancelled", message, &ctx.actor_text())];
    let state = state_of_parts(&parts.iter().map(SubRow::state).collect::<Vec<_>>());
    if state == OrderState::Cancelled {
        order.cancel_reason.clone_from(&sub.cancel_reason);
        order.cancelled_by.clone_from(&sub.cancelled_by);
        events.push(tell::all_cancelled(order));
    }
    if state == OrderState::Completed {
        events.push(tell::completed(order, &parts));
        entries.push(order.timeline(now, "completed", "Everything has arrived".to_owned(), &ctx.actor_text()));
    }
    state.as_str().clone_into(&mut order.state);
    order.updated_at = now;
    orders::save_orders(&mut *db, &[&*order]).await?;
    orders::add_timeline(&mut *db, &entries).await?;
    Ok(events)
}

async fn refunded(db: &mut PgConnection, ctx: &Ctx, order: &mut OrderRow, sub: &mut SubRow, now: Time) -> Result<Vec<Event>, Error> {
    "done".clone_into(&mut sub.refund_state);
    sub.refunded_minor = sub.total_minor;
    order.refunded_minor += sub.total_minor;
    order.updated_at = now;
    let message = format!("{} {} were returned", kit_core::Money::new(sub.total_minor, sub.currency.parse()?).decimal(), sub.currency);
    orders::save_orders(&mut *db, &[&*order]).await?;
    orders::add_timeline(&mut *db, &[sub.timeline(now, "refunded", message, &ctx.actor_text())]).await?;
    Ok(vec![tell::refunded(order, sub, &refund_id(sub))])
}

async fn refund_refused(db: &mut PgConnection, ctx: &Ctx, order: &OrderRow, sub: &mut SubRow, now: Time) -> Result<Vec<Event>, Error> {
    "failed".clone_into(&mut sub.refund_state);
    let message = "The payment could not be returned; we are looking at it".to_owned();
    orders::add_timeline(&mut *db, &[sub.timeline(now, "refund_failed", message, &ctx.actor_text())]).await?;
    Ok(vec![tell::refund_failed(order, sub, &refund_id(sub), "the PSP refused it")])
}

fn refund_id(sub: &SubRow) -> String {
    sub.cancel.as_ref().map(|saga| saga.refund_id.to_string()).unwrap_or_default()
}

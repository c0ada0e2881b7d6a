//! Executes the cancelling machine for one cancellation, like `drive` does the placing one.

use std::collections::HashSet;
use std::time::Duration;

use api_fulfillment::{CutFulfillmentRequest, ShipmentLine, StopFulfillmentRequest};
use api_inventory::{ReserveLine, RestockRequest};
use api_orders::{CancellationId, ItemId, OrderId, SubOrderId};
use api_payments::{Breakdown, MovementState, RefundRequest, SubOrderAmount};
use kit_core::{Money, TenantId, Time};
use kit_db::{Event, Scope, log};
use kit_module::crash;
use kit_rpc::{Ctx, problem_of, proto};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::cancel::{CancelCommand, CancelInput, CancelSaga, CancelTell};
use super::drive::refused;
use super::part::{self, PartInput};
use crate::error::Error;
use crate::model::{OrderState, state_of_parts};
use crate::service::Orders;
use crate::share::{Cut, Left, Remains, Share, Wanted};
use crate::store::rows::WholeOrder;
use crate::store::{CancellationRow, ItemRow, OrderRow, ReturnRow, SubRow, TimelineRow, cancellations, orders, returns};
use crate::tell;

/// A part that was paid a moment ago may still be on its way to fulfillment: how often and after which pause it is asked again at once.
pub(crate) const ARRIVAL_TRIES: u32 = 20;
pub(crate) const ARRIVAL_PAUSE: Duration = Duration::from_millis(50);

impl Orders {
    /// Records that pieces of a part are to be cancelled; nothing has happened yet. `None`: what is wanted is so already. A preview is not
    /// even recorded.
    pub(crate) async fn intend_cancel(
        &self,
        id: SubOrderId,
        wanted: Wanted<'_>,
        reason: &str,
        by: &str,
        preview: bool,
    ) -> Result<Option<CancellationRow>, Error> {
        let now = self.clock.now();
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let sub = orders::lock_sub(&mut tx, id).await?;
        let mut known = cancellations::of_orders(&mut tx, &[sub.order_id]).await?;
        known.retain(|row| row.sub_order_id == sub.sub_order_id && !row.came_too_late());
        if sub.state() == OrderState::Cancelled && matches!(wanted, Wanted::Everything) {
            return Ok(None);
        }
        let mut items = orders::items_of(&mut tx, &[sub.order_id]).await?;
        items.retain(|item| item.sub_order_id == sub.sub_order_id);
        let mut given = returns::of_orders(&mut tx, &[sub.order_id]).await?;
        given.retain(|row| row.sub_order_id == sub.sub_order_id);
        let Some(cut) = remains(&sub, &items, &known, &given)?.cut(wanted)? else {
            // What was cancelled before is not asked for in vain; what nobody ever cancelled is.
            if let Wanted::Keeping(keep) = wanted
                && !preview
                && !keep.iter().any(|keep| known.iter().any(|row| row.lines.0.iter().any(|taken| taken.item_id == keep.item_id)))
            {
                return Err(Error::NothingToCancel);
            }
            // A cancellation of the rest that is under way goes on.
            return Ok(known.into_iter().rev().find(|row| !row.is_done()));
        };
        let row = self.cancellation(&sub, cut, reason, by, now);
        if preview {
            return Ok(Some(row));
        }
        cancellations::insert(&mut tx, &row).await?;
        cancellations::count_pieces(&mut tx, &row, 1).await?;
        tx.commit().await?;
        Ok(Some(row))
    }

    fn cancellation(&self, sub: &SubRow, cut: Cut, reason: &str, by: &str, now: Time) -> CancellationRow {
        let saga = CancelSaga::new(self.ids.next());
        CancellationRow {
            cancellation_id: self.ids.uuid(),
            order_id: sub.order_id,
            sub_order_id: sub.sub_order_id,
            tenant_id: sub.tenant_id,
            buyer_id: sub.buyer_id,
            whole: cut.whole,
            amount_minor: cut.amount(),
            commission_minor: cut.commission(),
            shipping_minor: cut.shipping,
            lines: Json(cut.lines),
            reason: reason.to_owned(),
            cancelled_by: by.to_owned(),
            state: "asked".to_owned(),
            refund_id: saga.refund_id.to_string(),
            refund_state: "none".to_owned(),
            saga: Json(saga),
            look_at: Some(now + self.lease()),
            created_at: now,
            updated_at: now,
        }
    }

    /// Asks and notes until nothing is left to ask, or nothing answers.
    pub(crate) async fn drive_cancel(&self, ctx: &Ctx, id: CancellationId) -> Result<CancellationRow, Error> {
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let mut row = cancellations::get(&mut tx, id).await?;
        let order = orders::get_order(&mut tx, row.order_id.into()).await?;
        let whole = orders::whole(&mut tx, order).await?;
        tx.commit().await?;
        let mut stuck: HashSet<CancelCommand> = HashSet::new();
        loop {
            let todo = row.saga.commands(row.amount_minor > 0).into_iter().find(|command| !stuck.contains(command));
            let Some(command) = todo else { return Ok(row) };
            let passes = |moment| crash::passes("orders", command.name(), moment);
            passes("wanted");
            let input = self.ask_cancel(ctx, &whole, &row, command).await;
            passes("answered");
            stuck.insert(command);
            row = self.advance_cancel(ctx, id, row.order_id.into(), input).await?;
            passes("stored");
        }
    }

    /// Notes what became known of a cancellation, in a transaction of its own.
    async fn advance_cancel(&self, ctx: &Ctx, id: CancellationId, order: OrderId, input: CancelInput) -> Result<CancellationRow, Error> {
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let row = self.note_cancel(&mut tx, ctx, order, id, input).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Notes what became known of a cancellation: it, part, order, timeline and events move together.
    pub(crate) async fn note_cancel(
        &self,
        db: &mut PgConnection,
        ctx: &Ctx,
        order: OrderId,
        id: CancellationId,
        input: CancelInput,
    ) -> Result<CancellationRow, Error> {
        let now = self.clock.now();
        let mut order = orders::lock_orders(&mut *db, &[order.uuid()]).await?.pop().ok_or(Error::OrderNotFound)?;
        let sub_order = cancellations::get(&mut *db, id).await?.sub_order_id;
        let mut sub = orders::lock_sub(&mut *db, sub_order.into()).await?;
        let mut row = cancellations::lock(&mut *db, id).await?;
        let before = row.saga.clone();
        let tell = row.saga.apply(input);
        if before == row.saga {
            return Ok(row);
        }
        row.look_at = row.saga.look_at(row.amount_minor > 0, now, self.lease());
        row.updated_at = now;
        let mut turn =
            Turn { order: &mut order, sub: &mut sub, row: &mut row, actor: ctx.actor_text(), now, events: Vec::new(), entries: Vec::new() };
        match tell {
            Some(CancelTell::Cancelled) => turn.cancelled(&mut *db).await?,
            Some(CancelTell::TooLate) => {
                turn.row.state = "too_late".to_owned();
                cancellations::count_pieces(&mut *db, turn.row, -1).await?;
            }
            Some(CancelTell::Refunded) => turn.refunded()?,
            Some(CancelTell::RefundRefused) => turn.refund_refused(),
            None => {}
        }
        let Turn { events, entries, .. } = turn;
        cancellations::save(&mut *db, &row).await?;
        if tell.is_some_and(|tell| tell != CancelTell::TooLate) {
            settle(&mut *db, &mut sub).await?;
            (sub.updated_at, order.updated_at) = (now, now);
            orders::save_sub(&mut *db, &sub).await?;
            orders::save_orders(&mut *db, &[&order]).await?;
        }
        orders::add_timeline(&mut *db, &entries).await?;
        log::append_all(&mut *db, ctx, now, events).await?;
        Ok(row)
    }

    async fn ask_cancel(&self, ctx: &Ctx, whole: &WholeOrder, row: &CancellationRow, command: CancelCommand) -> CancelInput {
        let own = self.own(ctx);
        match command {
            CancelCommand::Stop => self.stop_goods(&own, row).await,
            CancelCommand::Restock => {
                let request = RestockRequest {
                    restock_id: CancellationId::from(row.cancellation_id).to_string(),
                    reservation_id: OrderId::from(row.order_id).to_string(),
                    lines: restock_lines(whole, row),
                    damaged: false,
                };
                match self.callees.inventory.clone().restock(own.request(request)).await {
                    Ok(_) => CancelInput::Restocked,
                    Err(status) => refused(&status, "restock").map_or(CancelInput::Unknown, |_| CancelInput::Unknown),
                }
            }
            CancelCommand::Refund => self.refund_share(&own, whole, row).await,
        }
    }

    /// Keeps the goods from leaving: all of the part, or the pieces.
    async fn stop_goods(&self, own: &Ctx, row: &CancellationRow) -> CancelInput {
        let (tenant_id, sub_order_id) = (TenantId::from(row.tenant_id).to_string(), SubOrderId::from(row.sub_order_id).to_string());
        let mut fulfillment = self.callees.fulfillment.clone();
        let mut tries = 1;
        loop {
            let answer = if row.whole {
                let order_id = OrderId::from(row.order_id).to_string();
                let request = StopFulfillmentRequest { tenant_id: tenant_id.clone(), sub_order_id: sub_order_id.clone(), order_id };
                fulfillment.stop_fulfillment(own.request(request)).await.map(|_| ())
            } else {
                let line = |line: &crate::share::Taken| ShipmentLine { item_id: ItemId::from(line.item_id).to_string(), quantity: line.quantity };
                let request = CutFulfillmentRequest {
                    tenant_id: tenant_id.clone(),
                    sub_order_id: sub_order_id.clone(),
                    cancellation_id: CancellationId::from(row.cancellation_id).to_string(),
                    lines: row.lines.iter().map(line).collect(),
                };
                fulfillment.cut_fulfillment(own.request(request)).await.map(|_| ())
            };
            let Err(status) = answer else { return CancelInput::Stopped };
            match problem_of(&status).reason.as_str() {
                "ALREADY_SHIPPED" => return CancelInput::AlreadyShipped,
                "FULFILLMENT_NOT_FOUND" if tries < ARRIVAL_TRIES => {
                    tries += 1;
                    tokio::time::sleep(ARRIVAL_PAUSE).await;
                }
                _ => return refused(&status, "stop the fulfillment").map_or(CancelInput::Unknown, |_| CancelInput::Unknown),
            }
        }
    }

    /// Gives the share back: exactly what the buyer paid for the pieces, and the shipping with the last of them.
    async fn refund_share(&self, own: &Ctx, whole: &WholeOrder, row: &CancellationRow) -> CancelInput {
        let Some(attempt) = whole.order.saga.last_attempt() else { return CancelInput::Unknown };
        let money = |amount_minor| Some(proto::Money { amount_minor, currency: whole.order.currency.clone() });
        let share = row.lines.iter().fold(Share::default(), |sum, line| sum.plus(line.share));
        let breakdown = Some(Breakdown {
            goods: money(share.goods - share.discount),
            shipping: money(row.shipping_minor),
            tax: money(share.tax),
            commission: money(share.commission),
        });
        let sub_order_id = SubOrderId::from(row.sub_order_id).to_string();
        let request = RefundRequest {
            payment_id: attempt.payment_id.to_string(),
            refund_id: row.refund_id.clone(),
            parts: vec![SubOrderAmount { sub_order_id, amount: money(row.amount_minor), breakdown }],
            reason: format!("cancelled by the {}", row.cancelled_by),
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

/// What of a part has not been cancelled, taken back or refunded, nor is about to be; all of them the part's own.
pub(crate) fn remains(sub: &SubRow, items: &[ItemRow], live: &[CancellationRow], returns: &[ReturnRow]) -> Result<Remains, Error> {
    let returned: Vec<&ReturnRow> = returns.iter().filter(|row| row.state().takes_money()).collect();
    let line = |item: &ItemRow| {
        let cancelled = live.iter().flat_map(|row| row.lines.iter()).filter(|line| line.item_id == item.item_id).map(|line| line.share);
        let back: Vec<_> = returned.iter().flat_map(|row| row.lines.iter()).filter(|line| line.item_id == item.item_id).collect();
        let pieces: u32 = back.iter().map(|line| line.accepted).sum();
        let placed = Share { goods: item.line_minor, discount: item.discount_minor, tax: item.tax_minor, commission: item.commission_minor };
        Left {
            item_id: item.item_id,
            quantity: u32::try_from(item.quantity - item.cancelled).unwrap_or_default().saturating_sub(pieces),
            share: cancelled.chain(back.iter().map(|line| line.share)).fold(placed, Share::minus),
        }
    };
    Ok(Remains {
        state: sub.state(),
        currency: sub.currency.parse()?,
        shipping: sub.shipping_minor
            - live.iter().map(|row| row.shipping_minor).sum::<i64>()
            - returned.iter().map(|row| row.shipping_minor).sum::<i64>(),
        lines: items.iter().map(line).collect(),
        shipped: !sub.shipments.is_empty(),
    })
}

/// How the money of all cancellations and returns of a part stands together.
pub(super) async fn settle(db: &mut PgConnection, sub: &mut SubRow) -> Result<(), Error> {
    let cancelled = cancellations::of_orders(&mut *db, &[sub.order_id]).await?;
    let returned = returns::of_orders(db, &[sub.order_id]).await?;
    let cancelled = cancelled.iter().map(|row| (row.sub_order_id, row.refund_state.as_str()));
    let known: Vec<_> = cancelled.chain(returned.iter().map(|row| (row.sub_order_id, row.refund_state.as_str()))).collect();
    let has = |state: &str| known.contains(&(sub.sub_order_id, state));
    let state = ["failed", "pending", "done"].into_iter().find(|state| has(state)).unwrap_or("none");
    state.clone_into(&mut sub.refund_state);
    Ok(())
}

/// The pieces that go back on the shelf.
fn restock_lines(whole: &WholeOrder, row: &CancellationRow) -> Vec<ReserveLine> {
    let line = |line: &crate::share::Taken| {
        let item = whole.items.iter().find(|item| item.item_id == line.item_id)?;
        Some(ReserveLine {
            tenant_id: TenantId::from(item.tenant_id).to_string(),
            variant_id: api_catalog::VariantId::from(item.variant_id).to_string(),
            quantity: i64::from(line.quantity),
        })
    };
    row.lines.iter().filter_map(line).collect()
}

/// One step of a cancellation, and what it changes around it.
struct Turn<'a> {
    order: &'a mut OrderRow,
    sub: &'a mut SubRow,
    row: &'a mut CancellationRow,
    actor: String,
    now: Time,
    events: Vec<Event>,
    entries: Vec<TimelineRow>,
}

impl Turn<'_> {
    fn note(&mut self, kind: &str, message: String) {
        self.entries.push(self.sub.timeline(self.now, kind, message, &self.actor));
    }

    async fn cancelled(&mut self, db: &mut PgConnection) -> Result<(), Error> {
        self.row.state = "done".to_owned();
        self.row.refund_state = if self.row.amount_minor > 0 { "pending" } else { "none" }.to_owned();
        let ids = [self.order.order_id];
        let items = orders::items_of(&mut *db, &ids).await?;
        if !self.row.whole {
            self.events.push(tell::items_cancelled(self.order, self.sub, self.row, &items));
            let named = self.row.lines.iter().filter_map(|line| {
                let title = &items.iter().find(|item| item.item_id == line.item_id)?.title;
                Some(format!("{} × {title}", line.quantity))
            });
            let named = named.collect::<Vec<_>>().join(", ");
            self.note("items_cancelled", format!("{named} cancelled by the {}: {}", self.row.cancelled_by, self.row.reason));
            return Ok(());
        }
        let stopped = part::step(self.sub.state(), PartInput::Stopped).unwrap_or_else(|| self.sub.state());
        stopped.as_str().clone_into(&mut self.sub.state);
        self.sub.cancel_reason.clone_from(&self.row.reason);
        self.sub.cancelled_by.clone_from(&self.row.cancelled_by);
        self.events.push(tell::sub_cancelled(self.order, self.sub, self.row, &items));
        self.note("cancelled", format!("{} was cancelled by the {}: {}", self.sub.store_name, self.row.cancelled_by, self.row.reason));
        let mut parts = orders::subs_of(&mut *db, &ids).await?;
        parts.retain(|part| part.sub_order_id != self.sub.sub_order_id);
        parts.push(self.sub.clone());
        let state = state_of_parts(&parts.iter().map(SubRow::state).collect::<Vec<_>>());
        if state == OrderState::Cancelled {
            self.order.cancel_reason.clone_from(&self.sub.cancel_reason);
            self.order.cancelled_by.clone_from(&self.sub.cancelled_by);
            self.events.push(tell::all_cancelled(self.order));
        }
        if state == OrderState::Completed {
            self.events.push(tell::completed(self.order, &parts));
            self.entries.push(self.order.timeline(self.now, "completed", "Everything has arrived".to_owned(), &self.actor));
        }
        state.as_str().clone_into(&mut self.order.state);
        Ok(())
    }

    fn refunded(&mut self) -> Result<(), Error> {
        self.row.refund_state = "done".to_owned();
        self.sub.refunded_minor += self.row.amount_minor;
        self.order.refunded_minor += self.row.amount_minor;
        let amount = Money::new(self.row.amount_minor, self.sub.currency.parse()?);
        self.note("refunded", format!("{} {} were returned", amount.decimal(), self.sub.currency));
        self.events.push(tell::refunded(self.order, self.sub, &self.row.refund_id, self.row.amount_minor));
        Ok(())
    }

    fn refund_refused(&mut self) {
        self.row.refund_state = "failed".to_owned();
        self.note("refund_failed", "The payment could not be returned; we are looking at it".to_owned());
        self.events.push(tell::refund_failed(self.order, self.sub, &self.row.refund_id, self.row.amount_minor, "the PSP refused it"));
    }
}

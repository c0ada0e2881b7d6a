//! Executes what a return that was looked at still needs: pieces into stock or off the books, the share of the money to the buyer. The same machine as
//! for cancellations, whose goods are stopped already.

use std::collections::HashSet;

use api_inventory::{ReserveLine, RestockRequest};
use api_orders::{OrderId, ReturnId, SubOrderId};
use api_payments::{Breakdown, MovementState, RefundRequest, SubOrderAmount};
use kit_core::{Money, TenantId};
use kit_db::{Scope, log};
use kit_module::crash;
use kit_rpc::{Ctx, proto};
use sqlx::PgConnection;
use uuid::Uuid;

use super::cancel::{CancelCommand, CancelInput, CancelTell};
use super::drive::refused;
use super::undo::settle;
use crate::error::Error;
use crate::returns::{ReturnState, ReturnedLine, held};
use crate::service::Orders;
use crate::store::rows::WholeOrder;
use crate::store::{ReturnRow, orders, returns};
use crate::tell;

impl Orders {
    /// In a task of its own, so that it is not stopped half-way with the request.
    pub(crate) async fn drive_return_detached(&self, ctx: &Ctx, id: ReturnId) -> Result<(), Error> {
        let (orders, ctx) = (self.clone(), ctx.clone());
        tokio::spawn(async move { orders.drive_return(&ctx, id).await }).await.map_err(Error::unreadable)?
    }

    /// Asks and notes until nothing is left to ask, or nothing answers.
    pub(crate) async fn drive_return(&self, ctx: &Ctx, id: ReturnId) -> Result<(), Error> {
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let mut row = returns::get(&mut tx, id).await?;
        let order = orders::get_order(&mut tx, row.order_id.into()).await?;
        let whole = orders::whole(&mut tx, order).await?;
        tx.commit().await?;
        let mut stuck: HashSet<CancelCommand> = HashSet::new();
        while row.state() == ReturnState::Received {
            let todo = row.saga.commands(row.amount_minor > 0).into_iter().find(|command| !stuck.contains(command));
            let Some(command) = todo else { break };
            let own = self.own(ctx);
            let name = if command == CancelCommand::Refund { "return-refund" } else { "return-restock" };
            let passes = |moment| crash::passes("orders", name, moment);
            passes("wanted");
            let input = match command {
                CancelCommand::Refund => self.refund_return(&own, &whole, &row).await,
                CancelCommand::Restock | CancelCommand::Stop => self.restock_return(&own, &whole, &row).await,
            };
            passes("answered");
            stuck.insert(command);
            let mut tx = self.db.begin(&Scope::Platform).await?;
            row = self.note_return(&mut tx, ctx, id, input).await?;
            tx.commit().await?;
            passes("stored");
        }
        Ok(())
    }

    /// Notes what became known: return, part, order, timeline and events move together.
    pub(crate) async fn note_return(&self, db: &mut PgConnection, ctx: &Ctx, id: ReturnId, input: CancelInput) -> Result<ReturnRow, Error> {
        let now = self.clock.now();
        let sub = returns::get(&mut *db, id).await?.sub_order_id;
        let mut case = self.case(&mut *db, sub.into(), Some(id)).await?;
        let mut row = returns::lock(&mut *db, id).await?;
        let before = row.saga.clone();
        let tell = row.saga.apply(input);
        if before == row.saga {
            return Ok(row);
        }
        let worth = row.amount_minor > 0;
        row.look_at = row.saga.look_at(worth, now, self.lease());
        row.updated_at = now;
        let amount = Money::new(row.amount_minor, case.sub.currency.parse()?);
        match tell {
            Some(CancelTell::Refunded) => {
                row.refund_state = "done".to_owned();
                case.sub.refunded_minor += row.amount_minor;
                case.order.refunded_minor += row.amount_minor;
                let told = format!("{} {} were returned", amount.decimal(), amount.currency);
                orders::add_timeline(&mut *db, &[case.sub.timeline(now, "refunded", told, &ctx.actor_text())]).await?;
                log::append_all(&mut *db, ctx, now, vec![tell::refunded(&case.order, &case.sub, &row.refund_id, row.amount_minor)]).await?;
            }
            Some(CancelTell::RefundRefused) => {
                row.refund_state = "failed".to_owned();
                let told = "The payment could not be returned; we are looking at it".to_owned();
                orders::add_timeline(&mut *db, &[case.sub.timeline(now, "refund_failed", told, &ctx.actor_text())]).await?;
                let event = tell::refund_failed(&case.order, &case.sub, &row.refund_id, row.amount_minor, "the PSP refused it");
                log::append_all(&mut *db, ctx, now, vec![event]).await?;
            }
            _ => {}
        }
        let over = row.saga.commands(worth).is_empty() && row.refund_state != "failed";
        if over && row.state() == ReturnState::Received {
            ReturnState::Refunded.as_str().clone_into(&mut row.state);
            returns::save(&mut *db, &row).await?;
            settle(&mut *db, &mut case.sub).await?;
            self.conclude(&mut *db, ctx, &mut case, &row, "The return is complete").await?;
        } else {
            returns::save(&mut *db, &row).await?;
            settle(&mut *db, &mut case.sub).await?;
            (case.sub.updated_at, case.order.updated_at) = (now, now);
            orders::save_sub(&mut *db, &case.sub).await?;
            orders::save_orders(&mut *db, &[&case.order]).await?;
        }
        Ok(row)
    }

    /// Back on the shelf, and off the books what cannot be sold again; each under its own id.
    async fn restock_return(&self, own: &Ctx, whole: &WholeOrder, row: &ReturnRow) -> CancelInput {
        let id = ReturnId::from(row.return_id).to_string();
        let fit = pieces(whole, row, |line| line.restocked);
        let damaged = pieces(whole, row, |line| line.accepted.saturating_sub(line.restocked));
        for (restock_id, lines, damaged) in [(id.clone(), fit, false), (format!("{id}:damaged"), damaged, true)] {
            if lines.is_empty() {
                continue;
            }
            let request = RestockRequest { restock_id, reservation_id: OrderId::from(row.order_id).to_string(), lines, damaged };
            if let Err(status) = self.callees.inventory.clone().restock(own.request(request)).await {
                return refused(&status, "restock").map_or(CancelInput::Unknown, |_| CancelInput::Unknown);
            }
        }
        CancelInput::Restocked
    }

    async fn refund_return(&self, own: &Ctx, whole: &WholeOrder, row: &ReturnRow) -> CancelInput {
        let Some(attempt) = whole.order.saga.last_attempt() else { return CancelInput::Unknown };
        let Ok(currency) = whole.order.currency.parse() else { return CancelInput::Unknown };
        let Ok(kept) = held(row.taken(), row.deduction_minor, currency) else { return CancelInput::Unknown };
        let back = row.taken().minus(kept);
        let money = |amount_minor| Some(proto::Money { amount_minor, currency: whole.order.currency.clone() });
        let breakdown = Some(Breakdown {
            goods: money(back.goods - back.discount),
            shipping: money(row.shipping_minor),
            tax: money(back.tax),
            commission: money(back.commission),
        });
        let sub_order_id = SubOrderId::from(row.sub_order_id).to_string();
        let request = RefundRequest {
            payment_id: attempt.payment_id.to_string(),
            refund_id: row.refund_id.clone(),
            parts: vec![SubOrderAmount { sub_order_id, amount: money(row.amount_minor), breakdown }],
            reason: if row.without_goods { "given back".to_owned() } else { "returned".to_owned() },
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

fn pieces(whole: &WholeOrder, row: &ReturnRow, count: impl Fn(&ReturnedLine) -> u32) -> Vec<ReserveLine> {
    let variant = |item: Uuid| whole.items.iter().find(|known| known.item_id == item).map(|known| known.variant_id);
    let line = |line: &ReturnedLine| {
        Some(ReserveLine {
            tenant_id: TenantId::from(row.tenant_id).to_string(),
            variant_id: api_catalog::VariantId::from(variant(line.item_id)?).to_string(),
            quantity: i64::from(count(line)),
        })
    };
    row.lines.iter().filter_map(line).filter(|line| line.quantity > 0).collect()
}

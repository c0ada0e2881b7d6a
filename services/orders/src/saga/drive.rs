//! Executes the placing machine: asks others what it names, stores what is answered, until there is nothing left to ask. Whoever
//! drives (the buyer's request, an event, the recovery job) runs this same code; two at once do no harm.

use std::collections::{HashMap, HashSet};

use api_inventory::{ConfirmReservationRequest, ReleaseReservationRequest, ReserveLine, ReserveRequest, RestockRequest};
use api_orders::OrderId;
use api_payments::{AuthorizeRequest, CaptureRequest, MovementState, Payment, PaymentState, RefundRequest, Split, VoidRequest};
use kit_core::{Clock, Code, TenantId, Time};
use kit_db::{Db, Scope, log};
use kit_module::crash;
use kit_rpc::{Ctx, problem_of, proto};
use tonic::Status;
use uuid::Uuid;

use super::machine::{Attempt, Command, Fact, Input, Tell};
use crate::error::Error;
use crate::model;
use crate::service::Orders;
use crate::store::orders;
use crate::store::rows::WholeOrder;
use crate::store::{OrderRow, TimelineRow};
use crate::tell;

/// One step of one saga: what became known.
#[derive(Debug, Clone)]
pub(crate) struct Advance {
    pub(crate) ctx: Ctx,
    pub(crate) order: OrderId,
    pub(crate) input: Input,
}

/// Applies many steps in one transaction, in the order they came in.
pub(crate) async fn advance_all(db: Db, clock: Clock, lease: chrono::Duration, steps: Vec<Advance>) -> Result<Vec<Result<OrderRow, Error>>, Error> {
    let now = clock.now();
    let mut ids: Vec<Uuid> = steps.iter().map(|step| step.order.uuid()).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut tx = db.begin(&Scope::Platform).await?;
    let mut rows: HashMap<Uuid, OrderRow> = orders::lock_orders(&mut tx, &ids).await?.into_iter().map(|row| (row.order_id, row)).collect();
    let mut changed = HashSet::new();
    let mut told: Vec<(Ctx, Uuid, Tell)> = Vec::new();
    let mut answers = Vec::with_capacity(steps.len());
    for step in steps {
        let id = step.order.uuid();
        let Some(row) = rows.get_mut(&id) else {
            answers.push(Err(Error::OrderNotFound));
            continue;
        };
        let before = row.saga.clone();
        match advance(row, &step.input, now, lease) {
            Ok(tells) => {
                told.extend(tells.into_iter().map(|tell| (step.ctx.clone(), id, tell)));
                if before != row.saga {
                    changed.insert(id);
                }
                answers.push(Ok(row.clone()));
            }
            Err(refused) => answers.push(Err(refused)),
        }
    }
    let saved: Vec<&OrderRow> = rows.values().filter(|row| changed.contains(&row.order_id)).collect();
    orders::save_orders(&mut tx, &saved).await?;
    tell_all(&mut tx, &rows, told, now).await?;
    tx.commit().await.map_err(Error::from)?;
    Ok(answers)
}

/// Applies one input to one locked order.
fn advance(row: &mut OrderRow, input: &Input, now: Time, lease: chrono::Duration) -> Result<Vec<Tell>, Error> {
    let was_paid = row.saga.is_paid();
    let before = row.saga.clone();
    let Ok(tells) = row.saga.apply(input, now) else {
        return Err(match input {
            Input::Cancel { .. } => Error::NotCancellable("the order is paid; its parts are cancelled one by one"),
            _ => Error::NothingToPay,
        });
    };
    if before == row.saga {
        return Ok(tells);
    }
    row.look_at = row.saga.look_at(now, lease);
    row.updated_at = now;
    if !was_paid {
        // From then on the parts say how far the order is.
        row.state = row.saga.state().as_str().to_owned();
    }
    for tell in &tells {
        match tell {
            Tell::Reserved => row.reserved_at = Some(now),
            Tell::Cancelled { why, note } => {
                let (by, reason) = tell::cancelled_because(*why, note);
                row.cancelled_by = by.to_owned();
                row.cancel_reason = reason;
            }
            Tell::MoneyReturned => row.refunded_minor = row.total_minor,
            _ => {}
        }
    }
    Ok(tells)
}

/// Writes timeline and events of what the sagas told, and moves the parts along.
async fn tell_all(db: &mut sqlx::PgConnection, rows: &HashMap<Uuid, OrderRow>, told: Vec<(Ctx, Uuid, Tell)>, now: Time) -> Result<(), Error> {
    if told.is_empty() {
        return Ok(());
    }
    let with_tell = |wanted: fn(&Tell) -> bool| -> Vec<Uuid> { told.iter().filter(|(_, _, tell)| wanted(tell)).map(|(_, id, _)| *id).collect() };
    let paid = with_tell(|tell| matches!(tell, Tell::Paid));
    if !paid.is_empty() {
        orders::begin_subs(&mut *db, &paid, now).await?;
    }
    for (_, id, tell) in &told {
        if let Tell::Cancelled { why, note } = tell {
            let (by, reason) = tell::cancelled_because(*why, note);
            orders::call_off_subs(&mut *db, *id, by, &reason, now).await?;
        }
    }
    let with_parts = with_tell(|tell| matches!(tell, Tell::Confirmed | Tell::Paid | Tell::MoneyReturned | Tell::MoneyStuck));
    let whole = load_parts(&mut *db, rows, &with_parts).await?;
    let mut entries: Vec<TimelineRow> = Vec::new();
    let mut events = Vec::new();
    for (ctx, id, tell) in &told {
        let Some(order) = whole.get(id) else { continue };
        entries.push(tell::entry_of(&order.order, tell, now, &ctx.actor_text()));
        events.extend(tell::events_of(order, tell).into_iter().map(|event| (ctx, event)));
    }
    orders::add_timeline(&mut *db, &entries).await?;
    log::append_many(&mut *db, events, now).await?;
    Ok(())
}

/// Every order told of, with parts and lines where they are needed.
async fn load_parts(db: &mut sqlx::PgConnection, rows: &HashMap<Uuid, OrderRow>, with_parts: &[Uuid]) -> Result<HashMap<Uuid, WholeOrder>, Error> {
    let bare =
        |row: &OrderRow| WholeOrder { order: row.clone(), subs: Vec::new(), items: Vec::new(), cancellations: Vec::new(), returns: Vec::new() };
    let mut whole: HashMap<Uuid, WholeOrder> = rows.iter().map(|(id, row)| (*id, bare(row))).collect();
    if with_parts.is_empty() {
        return Ok(whole);
    }
    for sub in orders::subs_of(&mut *db, with_parts).await? {
        if let Some(order) = whole.get_mut(&sub.order_id) {
            order.subs.push(sub);
        }
    }
    for item in orders::items_of(&mut *db, with_parts).await? {
        if let Some(order) = whole.get_mut(&item.order_id) {
            order.items.push(item);
        }
    }
    Ok(whole)
}

impl Orders {
    pub(crate) async fn advance(&self, ctx: &Ctx, order: OrderId, input: Input) -> Result<OrderRow, Error> {
        self.advances.run(Advance { ctx: ctx.clone(), order, input }).await
    }

    /// Asks and notes until nothing is left to ask, or nothing answers. Ends as soon as the buyer has to act.
    pub(crate) async fn drive(&self, ctx: &Ctx, mut whole: WholeOrder) -> Result<WholeOrder, Error> {
        let id = OrderId::from(whole.order.order_id);
        let mut stuck: HashSet<Command> = HashSet::new();
        while let Some(command) = whole.order.saga.commands().into_iter().find(|command| !stuck.contains(command)) {
            let passes = |moment| crash::passes("orders", command.name(), moment);
            passes("wanted");
            let input = self.ask(ctx, &whole, command).await;
            passes("answered");
            whole.order = self.advance(ctx, id, input).await?;
            passes("stored");
            if whole.order.saga.commands().contains(&command) {
                stuck.insert(command);
            }
        }
        Ok(whole)
    }

    /// Loads an order and drives it; what cannot be done now is the recovery job's.
    pub(crate) async fn drive_by_id(&self, ctx: &Ctx, id: OrderId) -> Result<WholeOrder, Error> {
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let order = orders::get_order(&mut tx, id).await?;
        let whole = orders::whole(&mut tx, order).await?;
        tx.commit().await?;
        self.drive(ctx, whole).await
    }

    /// Drives in the background, for callers that must not wait.
    pub(crate) fn drive_soon(&self, ctx: &Ctx, id: OrderId) {
        let (orders, ctx) = (self.clone(), ctx.clone());
        tokio::spawn(async move {
            if let Err(error) = orders.drive_by_id(&ctx, id).await {
                tracing::warn!(order = %id, error = %error, "driving an order failed; the recovery job takes it up");
            }
        });
    }

    /// One outside effect. Its three outcomes: done, surely not done, unknown.
    async fn ask(&self, ctx: &Ctx, whole: &WholeOrder, command: Command) -> Input {
        let own = self.own(ctx);
        let reservation_id = OrderId::from(whole.order.order_id).to_string();
        let tenant_ids = || whole.subs.iter().map(|sub| TenantId::from(sub.tenant_id).to_string()).collect::<Vec<_>>();
        let mut inventory = self.callees.inventory.clone();
        match command {
            Command::Reserve => self.reserve(&own, whole).await,
            Command::Commit => {
                let request = ConfirmReservationRequest { reservation_id, tenant_ids: tenant_ids() };
                match inventory.confirm_reservation(own.request(request)).await {
                    Ok(_) => Input::StockCommitted,
                    Err(status) => lost_or_unknown(&status, "commit stock"),
                }
            }
            Command::Release => {
                let request = ReleaseReservationRequest { reservation_id, tenant_ids: tenant_ids(), lines: Vec::new() };
                known_or_unknown(inventory.release_reservation(own.request(request)).await, Input::Released, "release stock")
            }
            Command::Restock => {
                let request =
                    RestockRequest { restock_id: reservation_id.clone(), reservation_id, lines: reserve_lines(whole, None), damaged: false };
                known_or_unknown(inventory.restock(own.request(request)).await, Input::Restocked, "restock")
            }
            Command::Authorise(place) => self.ask_payments(whole, place, self.authorise(&own, whole, place).await),
            Command::Capture(place) => self.ask_payments(whole, place, self.capture(&own, whole, place).await),
            Command::Void(place) => self.ask_payments(whole, place, self.void(&own, whole, place).await),
            Command::Refund(place) => self.ask_payments(whole, place, self.refund(&own, whole, place).await),
        }
    }

    fn ask_payments(&self, whole: &WholeOrder, place: usize, fact: Option<Fact>) -> Input {
        match (whole.order.saga.attempt(place), fact) {
            (Some(attempt), Some(fact)) => Input::Payment { payment_id: attempt.payment_id, fact },
            _ => Input::Unknown,
        }
    }

    async fn reserve(&self, own: &Ctx, whole: &WholeOrder) -> Input {
        let request = ReserveRequest {
            reservation_id: OrderId::from(whole.order.order_id).to_string(),
            lines: reserve_lines(whole, None),
            hold_seconds: self.config.stock_hold_minutes.saturating_mul(60),
        };
        let answer = match self.callees.inventory.clone().reserve(own.request(request)).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => return lost_or_unknown(&status, "reserve stock"),
        };
        if answer.reserved {
            let until = answer.expires_at.as_ref().map_or_else(|| self.clock.now(), kit_rpc::time);
            return Input::Reserved { until };
        }
        let short = answer.shortages.iter().map(|shortage| {
            let named = whole.items.iter().find(|item| api_catalog::VariantId::from(item.variant_id).to_string() == shortage.variant_id);
            let title = named.map_or("an item", |item| item.title.as_str());
            model::short_of(title, shortage.available, shortage.wanted)
        });
        Input::OutOfStock { note: short.collect::<Vec<_>>().join("; ") }
    }

    async fn authorise(&self, own: &Ctx, whole: &WholeOrder, place: usize) -> Option<Fact> {
        let attempt = whole.order.saga.attempt(place)?;
        let request = authorize_request(whole, attempt);
        match self.callees.payments.clone().authorize(own.request(request)).await {
            Ok(answer) => answer.into_inner().payment.as_ref().and_then(fact_of),
            Err(status) => refused(&status, "authorise").map(|message| Fact::Declined { message }),
        }
    }

    async fn capture(&self, own: &Ctx, whole: &WholeOrder, place: usize) -> Option<Fact> {
        let attempt = whole.order.saga.attempt(place)?;
        let request = CaptureRequest { payment_id: attempt.payment_id.to_string(), capture_id: attempt.capture_id.to_string(), parts: Vec::new() };
        match self.callees.payments.clone().capture(own.request(request)).await {
            Ok(answer) => match answer.into_inner().capture.map(|capture| capture.state()) {
                Some(MovementState::Succeeded) => Some(Fact::Captured),
                Some(MovementState::Failed) => Some(Fact::CaptureRefused),
                _ => None,
            },
            Err(status) => refused(&status, "capture").map(|_| Fact::CaptureRefused),
        }
    }

    async fn void(&self, own: &Ctx, whole: &WholeOrder, place: usize) -> Option<Fact> {
        let attempt = whole.order.saga.attempt(place)?;
        let request = VoidRequest { payment_id: attempt.payment_id.to_string() };
        match self.callees.payments.clone().void(own.request(request)).await {
            Ok(answer) => {
                let fact = answer.into_inner().payment.as_ref().and_then(fact_of);
                fact.filter(|fact| matches!(fact, Fact::Voided | Fact::Declined { .. } | Fact::Captured))
            }
            Err(status) if problem_of(&status).reason == "PAYMENT_NOT_VOIDABLE" => Some(Fact::Captured),
            Err(status) => refused(&status, "void").and(None),
        }
    }

    async fn refund(&self, own: &Ctx, whole: &WholeOrder, place: usize) -> Option<Fact> {
        let attempt = whole.order.saga.attempt(place)?;
        let request = RefundRequest {
            payment_id: attempt.payment_id.to_string(),
            refund_id: attempt.refund_id.to_string(),
            parts: Vec::new(),
            reason: "the order was cancelled".to_owned(),
        };
        match self.callees.payments.clone().refund(own.request(request)).await {
            Ok(answer) => match answer.into_inner().refund.map(|refund| refund.state()) {
                Some(MovementState::Succeeded) => Some(Fact::Refunded),
                Some(MovementState::Failed) => Some(Fact::RefundRefused),
                _ => None,
            },
            Err(status) => refused(&status, "refund").map(|_| Fact::RefundRefused),
        }
    }
}

/// What inventory is asked for: the lines of the order, or of one part of it.
pub(crate) fn reserve_lines(whole: &WholeOrder, sub: Option<Uuid>) -> Vec<ReserveLine> {
    let wanted = whole.items.iter().filter(|item| sub.is_none_or(|sub| sub == item.sub_order_id));
    let line = |item: &crate::store::ItemRow| ReserveLine {
        tenant_id: TenantId::from(item.tenant_id).to_string(),
        variant_id: api_catalog::VariantId::from(item.variant_id).to_string(),
        quantity: i64::from(item.quantity),
    };
    wanted.map(line).collect()
}

fn authorize_request(whole: &WholeOrder, attempt: &Attempt) -> AuthorizeRequest {
    let order = &whole.order;
    let money = |minor: i64| Some(proto::Money { amount_minor: minor, currency: order.currency.clone() });
    let splits = whole.subs.iter().map(|sub| Split {
        sub_order_id: api_orders::SubOrderId::from(sub.sub_order_id).to_string(),
        tenant_id: TenantId::from(sub.tenant_id).to_string(),
        goods: money(sub.items_minor - sub.discount_minor),
        shipping: money(sub.shipping_minor),
        tax: money(sub.tax_minor),
        // The amount that was frozen when the order was placed; no rate is applied again.
        commission_bps: 0,
        commission_fixed: money(sub.commission_minor),
    });
    AuthorizeRequest {
        payment_id: attempt.payment_id.to_string(),
        order_id: OrderId::from(order.order_id).to_string(),
        buyer_id: kit_core::UserId::from(order.buyer_id).to_string(),
        amount: money(order.total_minor),
        method_token: attempt.method.clone(),
        return_url: attempt.return_url.clone(),
        splits: splits.collect(),
        psp: String::new(),
        save_method: attempt.save_method,
        description: format!("MarketHub order {}", order.number),
        payer_email: order.email.clone(),
        payer_phone: whole.subs.first().map(|sub| sub.ship_to.0.phone.clone()).unwrap_or_default(),
    }
}

/// What a payment's state tells; none while payments itself does not know.
fn fact_of(payment: &Payment) -> Option<Fact> {
    Some(match payment.state() {
        PaymentState::Unspecified => return None,
        PaymentState::ActionRequired => Fact::Pending { url: payment.next_action_url.clone() },
        // Payments has it in hand and tells by an event.
        PaymentState::Created | PaymentState::Authorising | PaymentState::Unknown => Fact::Pending { url: String::new() },
        PaymentState::Authorised => Fact::Authorised,
        PaymentState::Failed => Fact::Declined { message: payment.failure_message.clone() },
        PaymentState::Captured | PaymentState::PartiallyCaptured | PaymentState::PartiallyRefunded => Fact::Captured,
        PaymentState::Refunded => Fact::Refunded,
        PaymentState::Voided => Fact::Voided,
    })
}

/// The message of a call that was surely not carried out; none when that is not known.
pub(crate) fn refused(status: &Status, what: &str) -> Option<String> {
    let problem = problem_of(status);
    match problem.code {
        Code::Invalid | Code::NotFound | Code::Conflict | Code::Refused | Code::Stale => {
            tracing::warn!(reason = problem.reason, message = problem.message, "could not {what}");
            Some(problem.message)
        }
        _ => None,
    }
}

fn lost_or_unknown(status: &Status, what: &str) -> Input {
    let problem = problem_of(status);
    match problem.reason.as_str() {
        "RESERVATION_LOST" | "RESERVATION_CLOSED" | "RESERVATION_NOT_FOUND" => Input::StockLost,
        // The stock of a variant that does not exist is none.
        _ if matches!(problem.code, Code::Invalid | Code::NotFound | Code::Refused) => Input::OutOfStock { note: problem.message },
        _ => {
            tracing::warn!(reason = problem.reason, message = problem.message, "could not {what}; it is asked again");
            Input::Unknown
        }
    }
}

fn known_or_unknown<T>(answer: Result<T, Status>, done: Input, what: &str) -> Input {
    match answer {
        Ok(_) => done,
        Err(status) => {
            let problem = problem_of(&status);
            tracing::warn!(reason = problem.reason, message = problem.message, "could not {what}; it is asked again");
            Input::Unknown
        }
    }
}

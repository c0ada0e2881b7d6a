//! Returns: asked for, answered, sent, looked at. Each step locks order, part and return, decides, saves and tells in one transaction; then the
//! goods and the money of a return that was looked at are driven like those of a cancellation.

use api_orders::{Return, ReturnId, SubOrderId};
use kit_core::{Money, Time};
use kit_db::{Scope, log};
use kit_rpc::Ctx;
use sqlx::PgConnection;
use sqlx::types::Json;

use super::read::Access;
use super::return_read::Party;
use crate::error::Error;
use crate::model::{OrderState, state_of_parts};
use crate::return_view;
use crate::returns::{Finding, Outcome, Policy, ReturnState, Returnable, ReturnedLine, Wish, state_of_part};
use crate::saga::cancel::CancelSaga;
use crate::saga::undo::remains;
use crate::service::Orders;
use crate::share::{Remains, Share, Taken};
use crate::store::{CancellationRow, ItemRow, OrderRow, ReturnRow, SubRow, cancellations, orders, returns};
use crate::tell;
use crate::view::Reader;

/// The time-out of a state stands in for whoever did not act.
const MARKET: &str = "market";

/// An order's part with everything a step of a return decides on, locked.
pub(crate) struct Case {
    pub(crate) order: OrderRow,
    pub(crate) sub: SubRow,
    pub(crate) items: Vec<ItemRow>,
    cancellations: Vec<CancellationRow>,
    /// All of the part but the one at hand.
    others: Vec<ReturnRow>,
    pub(crate) policy: Policy,
}

impl Case {
    fn remains(&self) -> Result<Remains, Error> {
        remains(&self.sub, &self.items, &self.cancellations, &self.others)
    }

    /// The state of the part, with the return as it is now.
    fn state_with(&self, row: &ReturnRow) -> OrderState {
        let returns: Vec<_> = self.others.iter().chain([row]).map(|known| (known.state(), known.without_goods)).collect();
        state_of_part(&returns, self.items.iter().all(|item| item.quantity == item.cancelled + item.returned))
    }
}

impl Orders {
    /// Locks what a step decides on; `at_hand` is left out of the other returns.
    pub(crate) async fn case(&self, db: &mut PgConnection, sub: SubOrderId, at_hand: Option<ReturnId>) -> Result<Case, Error> {
        let order = orders::order_of_sub(&mut *db, sub).await?;
        let order = orders::lock_orders(&mut *db, &[order.uuid()]).await?.pop().ok_or(Error::OrderNotFound)?;
        let sub = orders::lock_sub(&mut *db, sub).await?;
        let mut items = orders::items_of(&mut *db, &[order.order_id]).await?;
        items.retain(|item| item.sub_order_id == sub.sub_order_id);
        let mut cancellations = cancellations::of_orders(&mut *db, &[order.order_id]).await?;
        cancellations.retain(|row| row.sub_order_id == sub.sub_order_id && !row.came_too_late());
        let mut others = returns::of_orders(&mut *db, &[order.order_id]).await?;
        others.retain(|row| row.sub_order_id == sub.sub_order_id && Some(row.return_id) != at_hand.map(ReturnId::uuid));
        let policy = returns::policy_at(&mut *db, sub.tenant_id.into(), sub.placed_at).await?;
        Ok(Case { order, sub, items, cancellations, others, policy: self.policy_or_default(policy) })
    }

    /// Asks for a return, or only says what it would come to.
    pub(crate) async fn request_return(
        &self,
        ctx: &Ctx,
        id: SubOrderId,
        access: &Access,
        wishes: &[Wish],
        note: &str,
        preview: bool,
    ) -> Result<Return, Error> {
        self.buyers_part(ctx, id, access).await?;
        let now = self.clock.now();
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let mut case = self.case(&mut tx, id, None).await?;
        let remains = case.remains()?;
        let waiting = |row: &&ReturnRow| matches!(row.state(), ReturnState::Requested | ReturnState::Approved | ReturnState::Sent);
        let pending = case.others.iter().filter(waiting).flat_map(|row| row.lines.iter().map(|line| (line.item_id, line.quantity))).collect();
        let outcome = Returnable { remains: &remains, pending, until: case.sub.returnable_until }.ask(wishes, &case.policy, now)?;
        let mut row = self.new_return(self.ids.next(), &case, outcome, note, now);
        if preview {
            return Ok(return_view::shown(&row, &case.sub, &case.items, Reader::Buyer));
        }
        returns::insert(&mut tx, &row).await?;
        count(&mut tx, &row, |line| i64::from(line.quantity)).await?;
        case.items = orders::items_of(&mut tx, &[case.order.order_id]).await?;
        case.items.retain(|item| item.sub_order_id == case.sub.sub_order_id);
        let told = format!("The buyer wants to send back {}", return_view::named(&row, &case.items));
        self.conclude(&mut tx, ctx, &mut case, &row, &told).await?;
        if case.policy.approve_at_once && case.policy.send_to.is_some() {
            let policy = case.policy.clone();
            self.approve(&mut row, &policy, Party::Seller.word(), "", now);
            self.finish_step(&mut tx, ctx, &mut case, &mut row, now, "The shop takes it back").await?;
        }
        tx.commit().await?;
        Ok(return_view::shown(&row, &case.sub, &case.items, Reader::Buyer))
    }

    fn new_return(&self, id: ReturnId, case: &Case, outcome: Outcome, note: &str, now: Time) -> ReturnRow {
        let saga = CancelSaga::returned(self.ids.next());
        let due = now + chrono::Duration::days(i64::from(self.config.return_answer_days));
        ReturnRow {
            return_id: id.uuid(),
            order_id: case.order.order_id,
            sub_order_id: case.sub.sub_order_id,
            tenant_id: case.sub.tenant_id,
            buyer_id: case.sub.buyer_id,
            position: i32::try_from(case.others.len()).unwrap_or(i32::MAX).saturating_add(1),
            state: ReturnState::Requested.as_str().to_owned(),
            without_goods: false,
            amount_minor: outcome.amount(),
            commission_minor: outcome.back.commission,
            shipping_minor: outcome.shipping,
            deduction_minor: outcome.deduction,
            lines: Json(outcome.lines),
            note: note.trim().to_owned(),
            answer: String::new(),
            answered_by: String::new(),
            send_to: None,
            instructions: String::new(),
            carrier: String::new(),
            tracking_number: String::new(),
            refund_id: saga.refund_id.to_string(),
            refund_state: "none".to_owned(),
            saga: Json(saga),
            due_at: Some(due),
            look_at: Some(due),
            created_at: now,
            updated_at: now,
        }
    }

    fn approve(&self, row: &mut ReturnRow, policy: &Policy, by: &str, answer: &str, now: Time) {
        ReturnState::Approved.as_str().clone_into(&mut row.state);
        row.answered_by = by.to_owned();
        row.answer = answer.to_owned();
        row.send_to = policy.send_to.clone().map(Json);
        row.instructions.clone_from(&policy.instructions);
        due(row, now, self.config.return_send_days);
    }

    /// Answers a return that was asked for.
    pub(crate) async fn decide_return(&self, ctx: &Ctx, id: ReturnId, approve: bool, answer: &str) -> Result<Return, Error> {
        let (found, party) = self.staffs_return(ctx, id, "orders.write").await?;
        let now = self.clock.now();
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let mut case = self.case(&mut tx, found.sub_order_id.into(), Some(id)).await?;
        let mut row = returns::lock(&mut tx, id).await?;
        if row.state().decide(approve)?.is_none() {
            return Ok(return_view::shown(&row, &case.sub, &case.items, party.reader()));
        }
        let answer = answer.trim();
        let told = if approve {
            if case.policy.send_to.is_none() && answer.is_empty() {
                return Err(Error::invalid("answer", "say where to send it, or set an address in the return policy"));
            }
            let policy = case.policy.clone();
            self.approve(&mut row, &policy, party.word(), answer, now);
            "The shop takes it back".to_owned()
        } else {
            if answer.is_empty() {
                return Err(Error::invalid("answer", "tell the buyer why"));
            }
            refuse(&mut row, party.word(), answer);
            count(&mut tx, &row, |line| -i64::from(line.quantity)).await?;
            format!("The return was refused: {answer}")
        };
        self.finish_step(&mut tx, ctx, &mut case, &mut row, now, &told).await?;
        tx.commit().await?;
        Ok(return_view::shown(&row, &case.sub, &case.items, party.reader()))
    }

    pub(crate) async fn withdraw_return(&self, ctx: &Ctx, id: ReturnId, access: &Access) -> Result<Return, Error> {
        self.buyers_return(ctx, id, access).await?;
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let mut case = self.case_of(&mut tx, id).await?;
        let mut row = returns::lock(&mut tx, id).await?;
        if let Some(to) = row.state().withdraw()? {
            self.close(&mut tx, ctx, &mut case, &mut row, to, "The buyer keeps the goods").await?;
        }
        tx.commit().await?;
        Ok(return_view::shown(&row, &case.sub, &case.items, Reader::Buyer))
    }

    /// Ends a return of which nothing comes back: its pieces are the buyer's again.
    async fn close(&self, db: &mut PgConnection, ctx: &Ctx, case: &mut Case, row: &mut ReturnRow, to: ReturnState, told: &str) -> Result<(), Error> {
        to.as_str().clone_into(&mut row.state);
        (row.due_at, row.look_at) = (None, None);
        count(&mut *db, row, |line| -i64::from(line.quantity)).await?;
        self.finish_step(db, ctx, case, row, self.clock.now(), told).await
    }

    pub(crate) async fn send_return(&self, ctx: &Ctx, id: ReturnId, access: &Access, carrier: &str, number: &str) -> Result<Return, Error> {
        self.buyers_return(ctx, id, access).await?;
        let now = self.clock.now();
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let mut case = self.case_of(&mut tx, id).await?;
        let mut row = returns::lock(&mut tx, id).await?;
        let to = row.state().send()?;
        if row.state() != to || row.tracking_number != number.trim() {
            to.as_str().clone_into(&mut row.state);
            (row.carrier, row.tracking_number) = (carrier.trim().to_owned(), number.trim().to_owned());
            due(&mut row, now, self.config.return_inspect_days);
            let told = format!("It is on its way back with {} ({})", row.carrier, row.tracking_number);
            self.finish_step(&mut tx, ctx, &mut case, &mut row, now, &told).await?;
        }
        tx.commit().await?;
        Ok(return_view::shown(&row, &case.sub, &case.items, Reader::Buyer))
    }

    /// Notes what came back, then gives the share back.
    pub(crate) async fn inspect_return(&self, ctx: &Ctx, id: ReturnId, findings: &[Finding], deduction: i64, answer: &str) -> Result<Return, Error> {
        let (_, party) = self.staffs_return(ctx, id, "orders.write").await?;
        let now = self.clock.now();
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let mut case = self.case_of(&mut tx, id).await?;
        let mut row = returns::lock(&mut tx, id).await?;
        if row.state().may_be_inspected()? {
            let outcome = case.remains()?.inspect(&row.lines, findings, &case.policy, deduction)?;
            let answer = answer.trim();
            let short = outcome.as_ref().is_none_or(|outcome| outcome.lines.iter().any(|line| line.accepted < line.quantity));
            if (short || deduction > 0) && answer.is_empty() {
                return Err(Error::invalid("answer", "tell the buyer why"));
            }
            self.receive(&mut tx, ctx, &mut case, &mut row, outcome, (party.word(), answer), now).await?;
        }
        tx.commit().await?;
        self.drive_return_detached(ctx, id).await?;
        self.shown_return(id, party.reader()).await
    }

    #[expect(clippy::too_many_arguments, reason = "one step with what it needs of its transaction")]
    async fn receive(
        &self,
        db: &mut PgConnection,
        ctx: &Ctx,
        case: &mut Case,
        row: &mut ReturnRow,
        outcome: Option<Outcome>,
        (by, answer): (&str, &str),
        now: Time,
    ) -> Result<(), Error> {
        let Some(outcome) = outcome else {
            refuse(row, by, answer);
            count(&mut *db, row, |line| -i64::from(line.quantity)).await?;
            return self.finish_step(db, ctx, case, row, now, &format!("Nothing was taken back: {answer}")).await;
        };
        count(&mut *db, row, |line| {
            let accepted = outcome.lines.iter().find(|found| found.item_id == line.item_id).map_or(0, |found| found.accepted);
            i64::from(accepted) - i64::from(line.quantity)
        })
        .await?;
        ReturnState::Received.as_str().clone_into(&mut row.state);
        if !answer.is_empty() || row.answered_by.is_empty() {
            (row.answered_by, row.answer) = (by.to_owned(), answer.to_owned());
        }
        (row.amount_minor, row.commission_minor) = (outcome.amount(), outcome.back.commission);
        (row.shipping_minor, row.deduction_minor) = (outcome.shipping, outcome.deduction);
        row.lines = Json(outcome.lines);
        let pieces: u32 = row.lines.iter().map(|line| line.accepted).sum();
        let told = if by == MARKET { "The shop did not answer; the money goes back".to_owned() } else { format!("{pieces} taken back") };
        self.begin_refund(row, now);
        self.finish_step(db, ctx, case, row, now, &told).await
    }

    fn begin_refund(&self, row: &mut ReturnRow, now: Time) {
        row.refund_state = if row.amount_minor > 0 { "pending" } else { "none" }.to_owned();
        row.due_at = None;
        row.look_at = row.saga.look_at(row.amount_minor > 0, now, self.lease());
    }

    /// Gives money back and leaves the goods where they are.
    pub(crate) async fn give_refund(&self, ctx: &Ctx, sub: SubOrderId, id: ReturnId, amount: Money, reason: &str) -> Result<Return, Error> {
        let party = self.staff_of_part(ctx, sub).await?;
        let now = self.clock.now();
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let mut case = self.case(&mut tx, sub, None).await?;
        match returns::find(&mut tx, id).await? {
            Some(known) if known.sub_order_id == sub.uuid() && known.without_goods && known.amount_minor == amount.minor => {}
            Some(_) => return Err(Error::invalid("return_id", "was used for something else")),
            None => {
                if !case.order.saga.is_paid() || case.sub.state() == OrderState::Cancelled {
                    return Err(Error::NotRefundable("it is not paid, or it is cancelled"));
                }
                if amount.currency.as_str() != case.sub.currency {
                    return Err(Error::invalid("amount", "is not in the order's currency"));
                }
                let remains = case.remains()?;
                let given = remains.give(amount.minor)?.ok_or(Error::NotRefundable("more than is left of the goods"))?;
                let line = |taken: Taken| ReturnedLine {
                    item_id: taken.item_id,
                    quantity: 0,
                    reason: String::new(),
                    accepted: 0,
                    restocked: 0,
                    share: taken.share,
                };
                let back = given.iter().fold(Share::default(), |sum, taken| sum.plus(taken.share));
                let outcome = Outcome { lines: given.into_iter().map(line).collect(), shipping: 0, deduction: 0, back };
                let mut row = self.new_return(id, &case, outcome, "", now);
                row.without_goods = true;
                ReturnState::Received.as_str().clone_into(&mut row.state);
                (row.answered_by, row.answer) = (party.word().to_owned(), reason.trim().to_owned());
                self.begin_refund(&mut row, now);
                returns::insert(&mut tx, &row).await?;
                let told = format!("{} {} go back: {}", amount.decimal(), amount.currency, row.answer);
                self.conclude(&mut tx, ctx, &mut case, &row, &told).await?;
            }
        }
        tx.commit().await?;
        self.drive_return_detached(ctx, id).await?;
        self.shown_return(id, party.reader()).await
    }

    /// Does what a party that let its time pass should have done.
    pub(crate) async fn time_out_return(&self, ctx: &Ctx, id: ReturnId) -> Result<(), Error> {
        let now = self.clock.now();
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let mut case = self.case_of(&mut tx, id).await?;
        let mut row = returns::lock(&mut tx, id).await?;
        if row.due_at.is_none_or(|due| due > now) {
            return Ok(());
        }
        match row.state() {
            ReturnState::Requested if case.policy.send_to.is_some() => {
                let policy = case.policy.clone();
                self.approve(&mut row, &policy, MARKET, "", now);
                self.finish_step(&mut tx, ctx, &mut case, &mut row, now, "The shop did not answer in time; the return is approved").await?;
            }
            ReturnState::Requested => {
                // Nobody knows where to: a person has to ask the shop.
                row.look_at = None;
                let told = "The shop did not answer in time; the marketplace looks at it".to_owned();
                returns::save(&mut tx, &row).await?;
                orders::add_timeline(&mut tx, &[case.sub.timeline(now, "return_overdue", told, &ctx.actor_text())]).await?;
            }
            ReturnState::Approved => {
                self.close(&mut tx, ctx, &mut case, &mut row, ReturnState::Expired, "The goods were not sent back in time").await?;
            }
            ReturnState::Sent => {
                let all: Vec<Finding> =
                    row.lines.iter().map(|line| Finding { item_id: line.item_id, accepted: line.quantity, restocked: 0 }).collect();
                let outcome = case.remains()?.inspect(&row.lines, &all, &case.policy, 0)?;
                self.receive(&mut tx, ctx, &mut case, &mut row, outcome, (MARKET, ""), now).await?;
            }
            _ => {}
        }
        tx.commit().await?;
        Ok(())
    }

    async fn case_of(&self, db: &mut PgConnection, id: ReturnId) -> Result<Case, Error> {
        let sub = returns::get(&mut *db, id).await?.sub_order_id;
        self.case(db, sub.into(), Some(id)).await
    }

    async fn finish_step(&self, db: &mut PgConnection, ctx: &Ctx, case: &mut Case, row: &mut ReturnRow, now: Time, told: &str) -> Result<(), Error> {
        row.updated_at = now;
        returns::save(&mut *db, row).await?;
        case.items = orders::items_of(&mut *db, &[case.order.order_id]).await?;
        case.items.retain(|item| item.sub_order_id == case.sub.sub_order_id);
        self.conclude(db, ctx, case, row, told).await
    }

    /// Part and order follow the return; it is in the timeline and told.
    pub(crate) async fn conclude(&self, db: &mut PgConnection, ctx: &Ctx, case: &mut Case, row: &ReturnRow, told: &str) -> Result<(), Error> {
        let now = self.clock.now();
        if case.sub.state().has_arrived() {
            case.state_with(row).as_str().clone_into(&mut case.sub.state);
        }
        case.sub.updated_at = now;
        let mut parts = orders::subs_of(&mut *db, &[case.order.order_id]).await?;
        for part in parts.iter_mut().filter(|part| part.sub_order_id == case.sub.sub_order_id) {
            *part = case.sub.clone();
        }
        if case.order.saga.is_paid() {
            state_of_parts(&parts.iter().map(SubRow::state).collect::<Vec<_>>()).as_str().clone_into(&mut case.order.state);
        }
        case.order.updated_at = now;
        orders::save_sub(&mut *db, &case.sub).await?;
        orders::save_orders(&mut *db, &[&case.order]).await?;
        let kind = tell::return_kind(row);
        orders::add_timeline(&mut *db, &[case.sub.timeline(now, kind, told.to_owned(), &ctx.actor_text())]).await?;
        let event = tell::return_moved(&case.order, row, return_view::shown(row, &case.sub, &case.items, Reader::Market));
        log::append_all(&mut *db, ctx, now, vec![event]).await?;
        Ok(())
    }
}

fn due(row: &mut ReturnRow, now: Time, days: u32) {
    row.due_at = Some(now + chrono::Duration::days(i64::from(days)));
    row.look_at = row.due_at;
}

fn refuse(row: &mut ReturnRow, by: &str, answer: &str) {
    ReturnState::Refused.as_str().clone_into(&mut row.state);
    (row.answered_by, row.answer) = (by.to_owned(), answer.to_owned());
    (row.due_at, row.look_at) = (None, None);
}

async fn count(db: &mut PgConnection, row: &ReturnRow, pieces: impl Fn(&ReturnedLine) -> i64) -> Result<(), Error> {
    let pieces: Vec<_> = row.lines.iter().map(|line| (line.item_id, pieces(line))).collect();
    returns::count_pieces(db, row.order_id, row.sub_order_id.into(), &pieces).await
}

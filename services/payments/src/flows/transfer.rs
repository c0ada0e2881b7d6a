//! Capture, refund and void: reserve in one transaction, ask the PSP, record the answer.

use api_payments::{CaptureId, PaymentId, RefundId};
use kit_rpc::Ctx;
use uuid::Uuid;

use super::{Payments, Wish};
use crate::error::Error;
use crate::model::{Ask, Movement, Payment, Portion};

impl Payments {
    pub(crate) async fn capture(&self, ctx: &Ctx, payment: PaymentId, id: CaptureId, portions: Vec<Portion>) -> Result<(Movement, Payment), Error> {
        let reserved = self.changed(ctx, payment, Wish::Capture { id, portions }).await?;
        let capture = find(&reserved.captures, id.uuid(), payment)?;
        if !capture.is_pending() {
            return Ok((capture, reserved));
        }
        let done = self.carry_out(ctx, reserved, Ask::Capture { id, amount_minor: capture.amount_minor() }).await?;
        Ok((find(&done.captures, id.uuid(), payment)?, done))
    }

    pub(crate) async fn refund(
        &self,
        ctx: &Ctx,
        payment: PaymentId,
        id: RefundId,
        portions: Vec<Portion>,
        reason: String,
    ) -> Result<(Movement, Payment), Error> {
        let reserved = self.changed(ctx, payment, Wish::Refund { id, portions, reason }).await?;
        let refund = find(&reserved.refunds, id.uuid(), payment)?;
        if !refund.is_pending() {
            return Ok((refund, reserved));
        }
        let done = self.carry_out(ctx, reserved, Ask::Refund { id, amount_minor: refund.amount_minor() }).await?;
        Ok((find(&done.refunds, id.uuid(), payment)?, done))
    }

    /// Gives up what is held; a payment whose outcome is open is voided as soon as it is known.
    pub(crate) async fn void(&self, ctx: &Ctx, payment: PaymentId) -> Result<Payment, Error> {
        let payment = self.changed(ctx, payment, Wish::Void).await?;
        if payment.void_requested && payment.next_ask().is_some() { self.drive(ctx, payment, false).await } else { Ok(payment) }
    }

    async fn changed(&self, ctx: &Ctx, payment: PaymentId, wish: Wish) -> Result<Payment, Error> {
        self.changes.run(super::Change { ctx: ctx.clone(), payment, wish }).await
    }
}

fn find(movements: &[Movement], id: Uuid, payment: PaymentId) -> Result<Movement, Error> {
    movements.iter().find(|movement| movement.id == id).cloned().ok_or(Error::NotFound(payment))
}

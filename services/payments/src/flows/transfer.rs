//! Capture, refund and void: reserve in one transaction, ask the PSP, record the answer.

use api_payments::{CaptureId, PaymentId, RefundId};
use kit_rpc::Ctx;

use super::{Payments, Wish};
use crate::error::Error;
use crate::model::{Movement, MovementState, Payment, Portion};

impl Payments {
    pub(crate) async fn capture(&self, ctx: &Ctx, payment: PaymentId, id: CaptureId, portions: Vec<Portion>) -> Result<(Movement, Payment), Error> {
        let payment = self.changed(ctx, payment, Wish::Capture { id, portions }).await?;
        let payment = self.carried_out(ctx, payment, |payment| payment.captures.iter().find(|capture| capture.id == id.uuid()).cloned()).await?;
        let capture = payment.captures.iter().find(|capture| capture.id == id.uuid()).cloned();
        Ok((capture.ok_or(Error::NotFound(payment.id))?, payment))
    }

    pub(crate) async fn refund(&self, ctx: &Ctx, payment: PaymentId, id: RefundId, portions: Vec<Portion>, reason: String) -> Result<(Movement, Payment), Error> {
        let payment = self.changed(ctx, payment, Wish::Refund { id, portions, reason }).await?;
        let payment = self.carried_out(ctx, payment, |payment| payment.refunds.iter().find(|refund| refund.id == id.uuid()).cloned()).await?;
        let refund = payment.refunds.iter().find(|refund| refund.id == id.uuid()).cloned();
        Ok((refund.ok_or(Error::NotFound(payment.id))?, payment))
    }

    /// Gives up what is held; a payment whose outcome is open is voided as soon as it is known.
    pub(crate) async fn void(&self, ctx: &Ctx, payment: PaymentId) -> Result<Payment, Error> {
        let payment = self.changed(ctx, payment, Wish::Void).await?;
        if payment.void_requested && payment.next_ask().is_some() { self.drive(ctx, payment, false).await } else { Ok(payment) }
    }

    async fn changed(&self, ctx: &Ctx, payment: PaymentId, wish: Wish) -> Result<Payment, Error> {
        self.changes.run(super::Change { ctx: ctx.clone(), payment, wish }).await
    }

    /// Asks the PSP unless the movement was settled before.
    async fn carried_out(&self, ctx: &Ctx, payment: Payment, movement: impl Fn(&Payment) -> Option<Movement>) -> Result<Payment, Error> {
        let pending = movement(&payment).is_some_and(|movement| movement.state == MovementState::Pending);
        if pending { self.drive(ctx, payment, false).await } else { Ok(payment) }
    }
}

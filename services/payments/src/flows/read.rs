//! Looks payments up.

use api_orders::OrderId;
use api_payments::PaymentId;
use uuid::Uuid;

use super::Payments;
use crate::error::Error;
use crate::model::{Payment, Portion, State};
use crate::store;

impl Payments {
    pub(crate) async fn find(&self, id: PaymentId) -> Result<Payment, Error> {
        let mut tx = self.begin().await?;
        let payment = store::payments::get(&mut tx, id).await?;
        tx.commit().await?;
        Ok(payment)
    }

    /// What captures and refunds want, in the payment's currency.
    pub(crate) async fn portions(&self, id: PaymentId, parts: &[api_payments::SubOrderAmount]) -> Result<Vec<Portion>, tonic::Status> {
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        let currency = self.find(id).await.map_err(kit_rpc::status)?.currency;
        crate::translate::portions(parts, currency)
    }

    /// A page of payments, newest first, and where the next begins.
    pub(crate) async fn list(
        &self,
        order: Option<OrderId>,
        state: Option<State>,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<(Vec<Payment>, Option<Uuid>), Error> {
        let mut tx = self.begin().await?;
        let mut payments = store::payments::list(&mut tx, order, state, before, limit + 1).await?;
        tx.commit().await?;
        let page = usize::try_from(limit).unwrap_or_default();
        let more = payments.len() > page;
        payments.truncate(page);
        let next = payments.last().map(|payment| payment.id.uuid()).filter(|_| more);
        Ok((payments, next))
    }
}

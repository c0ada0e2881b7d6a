//! Disputes as operators work them: a list, and the answer that goes to the PSP.

use api_payments::DisputeId;
use kit_rpc::Ctx;
use uuid::Uuid;

use super::{Payments, Wish};
use crate::error::Error;
use crate::model::DisputeState;
use crate::psp::PspError;
use crate::store::disputes::{self, DisputeRow};

impl Payments {
    /// A page of disputes, and where the next begins.
    pub(crate) async fn disputes(
        &self,
        state: Option<DisputeState>,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<(Vec<DisputeRow>, Option<Uuid>), Error> {
        let mut tx = self.begin().await?;
        let mut rows = disputes::list(&mut tx, state, before, limit + 1).await?;
        tx.commit().await?;
        let page = usize::try_from(limit).unwrap_or_default();
        let more = rows.len() > page;
        rows.truncate(page);
        let next = rows.last().map(|row| row.dispute_id).filter(|_| more);
        Ok((rows, next))
    }

    /// Sends evidence, and records how the PSP says that the payment stands.
    pub(crate) async fn answer_dispute(&self, ctx: &Ctx, id: DisputeId, evidence: &str) -> Result<DisputeRow, Error> {
        let row = self.dispute(id).await?;
        if row.state != DisputeState::NeedsResponse.word() {
            return Err(Error::DisputeAnswered(id));
        }
        let payment = self.find(row.payment_id.into()).await?;
        let reference = payment.psp_reference.clone().unwrap_or_default();
        match self.psps.named(&payment.psp)?.answer_dispute(&payment, &reference, &row.psp_reference, evidence).await {
            Ok(sighting) => {
                self.change(ctx, &payment, Wish::Observe(Box::new(sighting))).await?;
            }
            Err(PspError::Refused(failure)) => return Err(Error::wrong("evidence", &failure.message)),
            Err(_) => return Err(Error::PspUnavailable),
        }
        self.dispute(id).await
    }

    async fn dispute(&self, id: DisputeId) -> Result<DisputeRow, Error> {
        let mut tx = self.begin().await?;
        let row = disputes::get(&mut tx, id).await?;
        tx.commit().await?;
        Ok(row)
    }
}

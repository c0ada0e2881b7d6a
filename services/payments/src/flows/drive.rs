//! Puts to the PSP what a payment has open, and records what it says. The same code serves the first request, the reconciler and
//! whoever asks for a payment to be resolved.

use api_payments::PaymentId;
use futures::{StreamExt, stream};
use kit_rpc::Ctx;

use super::{Payments, Wish};
use crate::config::{MAX_ASKS, MAX_RECONCILED, RECONCILED_AT_ONCE};
use crate::error::Error;
use crate::model::{Ask, Failure, LOST_FOR_SURE, Payment, Phase};
use crate::psp::PspError;
use crate::store;

impl Payments {
    /// Asks the PSP until nothing urgent is open. Goes on even when the caller gives up waiting, so that no answer is lost.
    /// `first`: nobody can have asked for this payment before.
    pub(super) async fn drive(&self, ctx: &Ctx, payment: Payment, first: bool) -> Result<Payment, Error> {
        let (payments, ctx) = (self.clone(), ctx.clone());
        let driven = tokio::spawn(async move { payments.drive_here(&ctx, payment, first).await });
        driven.await.unwrap_or_else(|_| Err(kit_db::DbError::from(kit_db::BatchFailed::Panicked).into()))
    }

    async fn drive_here(&self, ctx: &Ctx, mut payment: Payment, first: bool) -> Result<Payment, Error> {
        let mut asked: Option<Ask> = None;
        for _ in 0..MAX_ASKS {
            // What was just asked is not asked again at once, and whoever must be waited for (the buyer, the PSP) is not pressed.
            let urgent = |ask: &Ask| asked.is_none() || (asked.as_ref() != Some(ask) && !matches!(ask, Ask::Retrieve | Ask::Find));
            let Some(ask) = payment.next_ask().filter(urgent) else { break };
            let wish = self.put(&payment, &ask, first && asked.is_none()).await?;
            let unanswered = matches!(wish, Wish::Silent);
            payment = self.change(ctx, &payment, wish).await?;
            if unanswered {
                break;
            }
            asked = Some(ask);
        }
        Ok(payment)
    }

    /// One question, and what its answer means.
    async fn put(&self, payment: &Payment, ask: &Ask, first: bool) -> Result<Wish, Error> {
        let psp = self.psps.named(&payment.psp)?;
        let lost = || Failure { code: "not_received".to_owned(), message: "The payment never reached the payment service provider.".to_owned() };
        Ok(match (psp.ask(payment, ask).await, ask) {
            (Ok(sighting), _) => Wish::Observe(Box::new(sighting)),
            // It cannot be cancelled any more; how it stands instead is what we need to know.
            (Err(PspError::Refused(_)), Ask::Cancel) => match psp.ask(payment, &Ask::Retrieve).await {
                Ok(sighting) => Wish::Observe(Box::new(sighting)),
                Err(_) => Wish::Silent,
            },
            (Err(PspError::Refused(failure)), Ask::Authorise | Ask::Capture { .. } | Ask::Refund { .. }) => Wish::Refused(ask.clone(), failure),
            // A request that went out so long ago and is not there will not arrive any more.
            (Err(PspError::NotFound), Ask::Find) if self.clock.now() - payment.created_at > LOST_FOR_SURE => Wish::Refused(Ask::Authorise, lost()),
            // Only the first request may conclude from not having been sent that nothing was: an earlier one might have been.
            (Err(PspError::NotDone(_)), Ask::Authorise) if first && payment.phase == Phase::Created => {
                let message = "The payment service provider cannot be reached. Nothing was charged; please try again.".to_owned();
                Wish::Refused(Ask::Authorise, Failure { code: "psp_unavailable".to_owned(), message })
            }
            (Err(error), _) => {
                tracing::info!(payment = %payment.id, ?ask, ?error, "the PSP did not say; it is asked again later");
                Wish::Silent
            }
        })
    }

    /// Asks the PSP now how a payment stands, whatever is open.
    pub(crate) async fn resolve(&self, ctx: &Ctx, id: PaymentId) -> Result<Payment, Error> {
        let payment = self.find(id).await?;
        if payment.next_ask().is_some() || payment.psp_reference.is_none() {
            return self.drive(ctx, payment, false).await;
        }
        match self.psps.named(&payment.psp)?.ask(&payment, &Ask::Retrieve).await {
            Ok(sighting) => self.change(ctx, &payment, Wish::Observe(Box::new(sighting))).await,
            Err(_) => Err(Error::PspUnavailable),
        }
    }

    /// The reconciler: asks for every payment that has had something open for too long.
    pub(crate) async fn reconcile(&self, ctx: &Ctx) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        let due = store::payments::due(&mut tx, self.clock.now(), MAX_RECONCILED).await?;
        tx.commit().await?;
        let ask = |id| async move {
            match self.find(id).await {
                Ok(payment) => self.drive(ctx, payment, false).await.map(|_| ()),
                Err(error) => Err(error),
            }
        };
        let answers: Vec<_> = stream::iter(due).map(ask).buffer_unordered(RECONCILED_AT_ONCE).collect().await;
        answers.into_iter().collect()
    }
}

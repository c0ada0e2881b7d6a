//! Puts to the PSP what a payment has open, and records what it says. The same code serves the first request, the reconciler and
//! whoever asks for a payment to be resolved.

use api_payments::PaymentId;
use futures::{StreamExt, stream};
use kit_module::crash;
use kit_rpc::Ctx;

use super::{Payments, Wish};
use crate::config::{MAX_ASKS, MAX_RECONCILED, RECONCILED_AT_ONCE};
use crate::error::Error;
use crate::model::{ASKED_JUST_NOW, Ask, Failure, KEYS_LAST, LOST_FOR_SURE, Payment, Phase};
use crate::psp::PspError;
use crate::store;

impl Payments {
    /// Asks the PSP what is open, until nothing urgent is. Goes on even when the caller gives up waiting, so that no answer is lost.
    /// `first`: nobody can have asked for this payment before.
    pub(super) async fn drive(&self, ctx: &Ctx, payment: Payment, first: bool) -> Result<Payment, Error> {
        let (payments, ctx) = (self.clone(), ctx.clone());
        let ask = payment.next_ask();
        joined(tokio::spawn(async move { payments.drive_from(&ctx, payment, ask, first).await })).await
    }

    /// Carries out one capture or refund, whatever else is open: that is the business of whoever asked for it.
    pub(super) async fn carry_out(&self, ctx: &Ctx, payment: Payment, ask: Ask) -> Result<Payment, Error> {
        let (payments, ctx) = (self.clone(), ctx.clone());
        let carried_out = async move {
            let wish = payments.put(&payment, &ask, false).await?;
            let changed = payments.change(&ctx, &payment, wish).await?;
            crash::passes("payments", ask.name(), "stored");
            Ok(changed)
        };
        joined(tokio::spawn(carried_out)).await
    }

    async fn drive_from(&self, ctx: &Ctx, mut payment: Payment, mut next: Option<Ask>, first: bool) -> Result<Payment, Error> {
        let mut asked = Vec::new();
        while let Some(ask) = next.take() {
            let wish = self.put(&payment, &ask, first && asked.is_empty()).await?;
            let (unanswered, rerouted) = (matches!(wish, Wish::Silent), matches!(wish, Wish::Reroute));
            payment = self.change(ctx, &payment, wish).await?;
            crash::passes("payments", ask.name(), "stored");
            if rerouted {
                next = payment.next_ask();
                continue;
            }
            asked.push(ask);
            // What was asked just now is not asked again at once, and whoever must be waited for (the buyer, the PSP) is not pressed.
            let urgent = |ask: &Ask| !asked.contains(ask) && !matches!(ask, Ask::Retrieve | Ask::Find);
            if !unanswered && asked.len() < MAX_ASKS {
                next = payment.next_ask().filter(urgent);
            }
        }
        Ok(payment)
    }

    /// One question, and what its answer means.
    async fn put(&self, payment: &Payment, ask: &Ask, first: bool) -> Result<Wish, Error> {
        let psp = self.psps.named(&payment.psp)?;
        // A PSP forgets keys in time; what was asked for long ago is looked for before it is asked for again.
        let ask = &if *ask == Ask::Authorise && self.clock.now() - payment.created_at > KEYS_LAST { Ask::Find } else { ask.clone() };
        if let Some(reference) = payment.asked_before(ask, self.clock.now() - ASKED_JUST_NOW)
            && let Ok(seen) = psp.ask(payment, &Ask::Retrieve).await
            && seen.has_moved(&reference)
        {
            return Ok(Wish::Observe(Box::new(seen)));
        }
        let lost = || Failure { code: "not_received".to_owned(), message: "The payment never reached the payment service provider.".to_owned() };
        crash::passes("payments", ask.name(), "wanted");
        let answer = psp.ask(payment, ask).await;
        crash::passes("payments", ask.name(), "answered");
        Ok(match (answer, ask) {
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
            (Err(PspError::NotDone(_)), Ask::Authorise) if first && payment.phase == Phase::Created && !payment.fallbacks.is_empty() => Wish::Reroute,
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

/// The outcome of work that goes on without its caller.
async fn joined(work: tokio::task::JoinHandle<Result<Payment, Error>>) -> Result<Payment, Error> {
    work.await.unwrap_or_else(|_| Err(kit_db::DbError::from(kit_db::BatchFailed::Panicked).into()))
}

//! Webhooks: checked, stored as they came, answered; then processed, each event once, in whatever order they come.

use std::collections::HashMap;

use api_payments::PaymentId;
use kit_core::Clock;
use kit_db::{Db, Scope, Tx};
use kit_rpc::Ctx;
use uuid::Uuid;

use super::{Change, Payments, Wish};
use crate::bank::BankNotice;
use crate::config::MAX_DELIVERIES;
use crate::error::Error;
use crate::model::Sighting;
use crate::psp::Notice;
use crate::store;
use crate::store::webhooks::{Arrived, Delivery};

/// The job that processes what was stored.
pub(crate) const PROCESS_WEBHOOKS: &str = "process_webhooks";
/// The job that asks PSPs about what is open.
pub(crate) const ASK_PSPS: &str = "ask_psps";

/// Stores deliveries in one transaction; answers how many new events each brings.
pub(super) async fn store_all(db: Db, clock: Clock, arrived: Vec<Arrived>) -> Result<Vec<Result<u64, Error>>, Error> {
    let mut tx = db.begin(&Scope::Platform).await?;
    let news = store::webhooks::insert(&mut tx, &arrived, clock.now()).await?;
    tx.commit().await?;
    Ok(news.into_iter().map(Ok).collect())
}

impl Payments {
    /// Stores a delivery. Answers (events that were new, events that had come before).
    pub(crate) async fn receive_webhook(&self, source: &str, headers: &HashMap<String, String>, body: &[u8]) -> Result<(u64, u64), Error> {
        let (source, event_ids) = self.verified(source, headers, body).await?;
        let count = u64::try_from(event_ids.len()).unwrap_or_default();
        let new = self.deliveries.run(Arrived { psp: source, body: body.to_vec(), event_ids }).await?;
        if new > 0 {
            self.upkeep.signal(PROCESS_WEBHOOKS);
        }
        metrics::counter!("webhook_events_total", "psp" => source, "kind" => "new").increment(new);
        metrics::counter!("webhook_events_total", "psp" => source, "kind" => "known").increment(count.saturating_sub(new));
        Ok((new, count.saturating_sub(new)))
    }

    /// The job: makes of the stored deliveries what is in them, together with the mark that they are processed.
    pub(crate) async fn process_webhooks(&self, ctx: &Ctx) -> Result<(), Error> {
        loop {
            let mut tx = self.begin().await?;
            let deliveries = store::webhooks::take(&mut tx, MAX_DELIVERIES).await?;
            if deliveries.is_empty() {
                return Ok(());
            }
            let (from_banks, from_psps): (Vec<_>, Vec<_>) = deliveries.iter().partition(|delivery| self.banks.named(&delivery.psp).is_some());
            let mut opened = Vec::new();
            for notice in from_banks.iter().flat_map(|delivery| self.read_bank_again(delivery)) {
                match self.record_bank_notice(&mut tx, ctx, notice).await {
                    Ok(accounts) => opened.extend(accounts),
                    Err(Error::Db(error)) => return Err(error.into()),
                    Err(error) => tracing::error!(%error, "a bank's webhook tells what cannot be"),
                }
            }
            let notices = self.with_payments(&mut tx, &from_psps).await?;
            let ids: Vec<Uuid> = notices.iter().map(|(id, _)| id.uuid()).collect();
            // Most webhooks tell what an answer has told before; those need no lock.
            let known = store::payments::versions(&mut tx, &ids).await?;
            let news = |(id, seen): &(PaymentId, Option<Sighting>)| {
                known.get(id).is_some_and(|version| seen.as_ref().is_none_or(|seen| *version < seen.version))
            };
            let looks = notices.iter().any(|(_, seen)| seen.is_none());
            let change = |(payment, seen): (PaymentId, Option<Sighting>)| Change {
                ctx: ctx.clone(),
                payment,
                wish: seen.map_or(Wish::Look, |seen| Wish::Observe(Box::new(seen))),
            };
            let applied = self.recorder.apply(&mut tx, notices.into_iter().filter(news).map(change).collect()).await?;
            let numbers: Vec<i64> = deliveries.iter().map(|delivery| delivery.number).collect();
            store::webhooks::mark_processed(&mut tx, &numbers, self.clock.now()).await?;
            tx.commit().await?;
            if looks {
                self.upkeep.signal(ASK_PSPS);
            }
            self.recorder.remember(opened);
            for error in self.recorder.committed(applied).into_iter().filter_map(Result::err) {
                // What does not fit a payment is for people to look at; the delivery is kept.
                tracing::error!(%error, "a webhook tells what cannot be");
            }
        }
    }

    /// The name of who sent a delivery, and the ids of its events; refused when it is not theirs.
    async fn verified(&self, source: &str, headers: &HashMap<String, String>, body: &[u8]) -> Result<(&'static str, Vec<String>), Error> {
        if let Some(bank) = self.banks.named(source) {
            bank.verify(headers, body, self.clock.now())?;
            return Ok((bank.name(), bank.read(body)?.into_iter().map(|notice| notice.event_id).collect()));
        }
        let psp = self.psps.named(source)?;
        psp.verify(headers, body).await?;
        Ok((psp.name(), psp.read(headers, body)?.into_iter().map(|notice| notice.event_id).collect()))
    }

    fn read_bank_again(&self, delivery: &Delivery) -> Vec<BankNotice> {
        let read = self.banks.named(&delivery.psp).ok_or(Error::BankUnavailable).and_then(|bank| bank.read(&delivery.body));
        read.unwrap_or_else(|error| {
            tracing::error!(number = delivery.number, %error, "a stored webhook cannot be read any more");
            Vec::new()
        })
    }

    /// What deliveries tell of our payments. What is about none of ours tells nothing.
    async fn with_payments(&self, tx: &mut Tx, deliveries: &[&Delivery]) -> Result<Vec<(PaymentId, Option<Sighting>)>, Error> {
        let read: Vec<(&str, Notice)> =
            deliveries.iter().flat_map(|delivery| self.read_again(delivery).into_iter().map(|notice| (delivery.psp.as_str(), notice))).collect();
        let unnamed = |notice: &Notice| notice.reference.clone().filter(|_| notice.payment.is_none());
        let wanted: Vec<(&str, String)> = read.iter().filter_map(|(psp, notice)| Some((*psp, unnamed(notice)?))).collect();
        let found = if wanted.is_empty() { HashMap::new() } else { store::payments::by_reference(tx, &wanted).await? };
        let of = |(psp, notice): (&str, Notice)| {
            let named = notice.payment.or_else(|| found.get(&(psp.to_owned(), notice.reference.clone()?)).copied());
            named.map(|payment| (payment, notice.sighting))
        };
        Ok(read.into_iter().filter_map(of).collect())
    }

    fn read_again(&self, delivery: &Delivery) -> Vec<Notice> {
        let read = self.psps.named(&delivery.psp).and_then(|psp| psp.read(&HashMap::new(), &delivery.body));
        read.unwrap_or_else(|error| {
            tracing::error!(number = delivery.number, %error, "a stored webhook cannot be read any more");
            Vec::new()
        })
    }
}

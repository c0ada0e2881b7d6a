//! Webhooks: checked, stored as they came, answered; then processed, each event once, in whatever order they come.

use std::collections::HashMap;

use kit_core::Clock;
use kit_db::{Db, Scope};
use kit_rpc::Ctx;
use uuid::Uuid;

use super::{Change, Payments, Wish};
use crate::bank::BankNotice;
use crate::config::MAX_DELIVERIES;
use crate::error::Error;
use crate::psp::Notice;
use crate::store;
use crate::store::webhooks::{Arrived, Delivery};

/// The job that processes what was stored.
pub(crate) const PROCESS_WEBHOOKS: &str = "process_webhooks";

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
        let (source, event_ids) = self.verified(source, headers, body)?;
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
            let mut notices: Vec<Notice> = from_psps.iter().flat_map(|delivery| self.read_again(delivery)).collect();
            let ids: Vec<Uuid> = notices.iter().filter_map(|notice| Some(notice.payment?.uuid())).collect();
            // Most webhooks tell what an answer has told before; those need no lock.
            let known = store::payments::versions(&mut tx, &ids).await?;
            notices.retain(|notice| notice.payment.and_then(|id| known.get(&id)).is_some_and(|version| *version < notice.sighting.version));
            let change = |notice: Notice| Some(Change { ctx: ctx.clone(), payment: notice.payment?, wish: Wish::Observe(Box::new(notice.sighting)) });
            let applied = self.recorder.apply(&mut tx, notices.into_iter().filter_map(change).collect()).await?;
            let numbers: Vec<i64> = deliveries.iter().map(|delivery| delivery.number).collect();
            store::webhooks::mark_processed(&mut tx, &numbers, self.clock.now()).await?;
            tx.commit().await?;
            self.recorder.remember(opened);
            for error in self.recorder.committed(applied).into_iter().filter_map(Result::err) {
                // What does not fit a payment is for people to look at; the delivery is kept.
                tracing::error!(%error, "a webhook tells what cannot be");
            }
        }
    }

    /// The name of who sent a delivery, and the ids of its events; refused when it is not theirs.
    fn verified(&self, source: &str, headers: &HashMap<String, String>, body: &[u8]) -> Result<(&'static str, Vec<String>), Error> {
        if let Some(bank) = self.banks.named(source) {
            bank.verify(headers, body, self.clock.now())?;
            return Ok((bank.name(), bank.read(body)?.into_iter().map(|notice| notice.event_id).collect()));
        }
        let psp = self.psps.named(source)?;
        psp.verify(headers, body)?;
        Ok((psp.name(), psp.read(body)?.into_iter().map(|notice| notice.event_id).collect()))
    }

    fn read_bank_again(&self, delivery: &Delivery) -> Vec<BankNotice> {
        let read = self.banks.named(&delivery.psp).ok_or(Error::BankUnavailable).and_then(|bank| bank.read(&delivery.body));
        read.unwrap_or_else(|error| {
            tracing::error!(number = delivery.number, %error, "a stored webhook cannot be read any more");
            Vec::new()
        })
    }

    fn read_again(&self, delivery: &Delivery) -> Vec<Notice> {
        let read = self.psps.named(&delivery.psp).and_then(|psp| psp.read(&delivery.body));
        read.unwrap_or_else(|error| {
            tracing::error!(number = delivery.number, %error, "a stored webhook cannot be read any more");
            Vec::new()
        })
    }
}

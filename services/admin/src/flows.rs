//! What operators ask of the audit log and of the services.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use kit_core::{Clock, Ids};
use kit_db::{Db, Event, LoggedEvent, Scope, log};
use kit_rpc::proto::upkeep_client::UpkeepClient;
use kit_rpc::proto::{DeadLetter, ListDeadLettersRequest, RetryDeadLetterRequest, UpkeepStatusRequest, UpkeepStatusResponse};
use kit_rpc::{Ctx, Link};
use prost::Message;
use sqlx::PgConnection;
use tonic::Status;

use crate::config::Config;
use crate::error::Error;
use crate::model::{Entry, Happening, Head};
use crate::store::{self, Filter};

pub(crate) struct Admin {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) config: Config,
    /// Every service of the market by name, this one included.
    pub(crate) services: BTreeMap<&'static str, UpkeepClient<Link>>,
}

/// How one service answered the question how it is.
pub(crate) struct Answer {
    pub(crate) service: &'static str,
    pub(crate) took: Duration,
    pub(crate) status: Result<UpkeepStatusResponse, Status>,
}

/// What a look at the whole chain found.
pub(crate) struct Verdict {
    pub(crate) checked: i64,
    /// The last entry that fits.
    pub(crate) end: Head,
    /// The first that does not, and why.
    pub(crate) broken: Option<(i64, &'static str)>,
    /// There is nothing left to look at.
    pub(crate) complete: bool,
}

impl Admin {
    /// Appends what happened to the chain, in the transaction that moves the cursor of the log it comes from.
    pub(crate) async fn record(&self, db: &mut PgConnection, events: &[LoggedEvent]) -> Result<(), Error> {
        let mut head = store::lock_head(&mut *db).await?;
        let mut entries = Vec::with_capacity(events.len());
        for event in events {
            let (entry, next) = head.append(self.ids.uuid(), Happening::of(event));
            entries.push(entry);
            head = next;
        }
        store::insert(&mut *db, &entries).await?;
        store::count(&mut *db, &entries).await?;
        store::save_head(db, head).await
    }

    pub(crate) async fn list_audit(&self, ctx: &Ctx, filter: &Filter, limit: i64) -> Result<Vec<Entry>, Error> {
        authorise(ctx, "audit.read")?;
        let mut tx = self.db.begin(&Scope::Platform).await?;
        store::list(&mut tx, filter, limit).await
    }

    /// Walks the chain page by page until its end or until its time is up; each page is a short transaction, because a long one would
    /// hold up every consumer.
    pub(crate) async fn verify(&self, ctx: &Ctx, after: i64) -> Result<Verdict, Error> {
        authorise(ctx, "audit.read")?;
        let begin = Instant::now();
        let left = ctx.deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(begin) / 2);
        let patience = left.min(Duration::from_millis(self.config.verify_millis));
        let mut verdict = Verdict { checked: 0, end: self.trusted(after).await?, broken: None, complete: false };
        while !verdict.complete {
            let mut tx = self.db.begin(&Scope::Platform).await?;
            // Read before the page, so that entries appended meanwhile are not missed and none is expected too early.
            let end = store::head(&mut tx).await?;
            let page = store::chain(&mut tx, verdict.end.sequence, i64::from(self.config.verify_page)).await?;
            drop(tx);
            if page.is_empty() && end.sequence > verdict.end.sequence {
                verdict.broken = Some((verdict.end.sequence + 1, "the end of the log is missing"));
            }
            for entry in &page {
                match verdict.end.accept(entry) {
                    Ok(end) => (verdict.end, verdict.checked) = (end, verdict.checked + 1),
                    Err(why) => {
                        verdict.broken = Some((entry.sequence, why));
                        break;
                    }
                }
            }
            verdict.complete = page.is_empty() || verdict.broken.is_some() || verdict.end.sequence >= end.sequence;
            if begin.elapsed() >= patience {
                break;
            }
        }
        let body =
            api_admin::admin_event::Body::AuditVerified(api_admin::AuditVerified { intact: verdict.broken.is_none(), checked: verdict.checked });
        self.tell(ctx, "audit_verified", body).await?;
        Ok(verdict)
    }

    async fn trusted(&self, after: i64) -> Result<Head, Error> {
        if after == 0 {
            return Ok(Head::START);
        }
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let entry = store::entry(&mut tx, after).await?.ok_or(Error::Invalid { field: "after_sequence", message: "there is no such entry" })?;
        Ok(Head { sequence: entry.sequence, hash: entry.hash })
    }

    /// Asks all services at once; one that does not answer in time counts as not reachable.
    pub(crate) async fn health(&self, ctx: &Ctx) -> Result<Vec<Answer>, Error> {
        authorise(ctx, "health.read")?;
        let patience = Duration::from_millis(self.config.health_timeout_ms);
        let asked = self.services.iter().map(|(service, client)| {
            let (mut client, ctx) = (client.clone(), ctx.as_service("admin"));
            async move {
                let begin = Instant::now();
                let question = client.status(ctx.request(UpkeepStatusRequest { service: (*service).to_owned() }));
                let status = tokio::time::timeout(patience, question).await;
                let status = status.unwrap_or_else(|_| Err(Status::deadline_exceeded("it did not answer in time"))).map(tonic::Response::into_inner);
                Answer { service, took: begin.elapsed(), status }
            }
        });
        Ok(futures::future::join_all(asked).await)
    }

    /// Dead letters of one service, or of all that answer.
    pub(crate) async fn dead_letters(&self, ctx: &Ctx, service: &str, limit: u32) -> Result<Vec<(&'static str, DeadLetter)>, Error> {
        authorise(ctx, "health.read")?;
        let mut found = Vec::new();
        for (name, client) in self.services.iter().filter(|(name, _)| service.is_empty() || **name == service) {
            let request = ListDeadLettersRequest { service: (*name).to_owned(), limit };
            match client.clone().list_dead_letters(ctx.as_service("admin").request(request)).await {
                Ok(letters) => found.extend(letters.into_inner().dead_letters.into_iter().map(|letter| (*name, letter))),
                Err(status) if !service.is_empty() => return Err(Error::Service(status)),
                // The health page tells which service does not answer; the letters of the others are still of use.
                Err(_) => {}
            }
        }
        if found.is_empty() && !service.is_empty() && !self.services.contains_key(service) {
            return Err(Error::ServiceUnknown(service.to_owned()));
        }
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(found)
    }

    pub(crate) async fn retry_dead_letter(&self, ctx: &Ctx, service: &str, number: i64) -> Result<(), Error> {
        authorise(ctx, "jobs.write")?;
        let mut client = self.services.get(service).cloned().ok_or_else(|| Error::ServiceUnknown(service.to_owned()))?;
        let request = RetryDeadLetterRequest { service: service.to_owned(), number };
        client.retry_dead_letter(ctx.as_service("admin").request(request)).await.map_err(Error::Service)?;
        let body = api_admin::admin_event::Body::DeadLetterRetried(api_admin::DeadLetterRetried { service: service.to_owned(), number });
        self.tell(ctx, "dead_letter_retried", body).await
    }

    /// Counts of the last hours, and the length of the chain.
    pub(crate) async fn overview(&self, ctx: &Ctx, hours: u32) -> Result<(Vec<(String, String, i64)>, i64), Error> {
        authorise(ctx, "health.read")?;
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let counts = store::counts(&mut tx, self.clock.now() - TimeDelta::hours(i64::from(hours))).await?;
        Ok((counts, store::head(&mut tx).await?.sequence))
    }

    async fn tell(&self, ctx: &Ctx, kind: &'static str, body: api_admin::admin_event::Body) -> Result<(), Error> {
        let payload = api_admin::AdminEvent { body: Some(body) }.encode_to_vec();
        let mut tx = self.db.begin(&Scope::Platform).await?;
        log::append(&mut tx, ctx, self.clock.now(), Event { key: self.ids.uuid(), tenant: None, kind, payload, change: None }).await?;
        tx.commit().await?;
        Ok(())
    }
}

fn authorise(ctx: &Ctx, permission: &str) -> Result<(), Error> {
    ctx.require_operator(permission).map_err(Error::Service)
}

//! The stories: recording, consent, who somebody is.

use std::sync::Arc;
use std::time::Duration;

use api_analytics::{RecordEventsRequest, SubjectId};
use kit_core::{Clock, Ids, UserId};
use kit_db::{Batch, Db, Event, Limits, Scope, log};
use kit_module::Start;
use moka::sync::Cache;

use crate::config::Config;
use crate::error::Error;
use crate::events::{self, Counts, author};
use crate::model::{self, Pepper};
use crate::store::{self, Choice, Minute};

/// What one request adds.
struct Recording {
    counts: Counts,
    told: Vec<Event>,
}

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Analytics {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    ids: Ids,
    config: Arc<Config>,
    pub(crate) pepper: Pepper,
    choices: Cache<UserId, Option<Choice>>,
    recordings: Batch<Recording, (), Error>,
}

impl Analytics {
    pub(crate) async fn open(start: &Start) -> anyhow::Result<Self> {
        let config: Config = start.config()?;
        let (db, clock) = (start.db.clone(), start.clock.clone());
        let mut tx = db.begin(&Scope::Platform).await?;
        let pepper = Pepper::new(&store::pepper(&mut tx).await?);
        tx.rollback().await?;
        let choices = Cache::builder().max_capacity(config.subjects_entries).time_to_live(Duration::from_secs(config.subjects_seconds)).build();
        let writer = (db.clone(), clock.clone());
        let recordings = Batch::start(Limits::new("record_events", config.batch_requests), move |recordings: Vec<Recording>| {
            let (db, clock) = writer.clone();
            Box::pin(async move { write(&db, &clock, recordings).await })
        });
        Ok(Self { db, clock, ids: start.ids.clone(), config: Arc::new(config), pepper, choices, recordings })
    }

    /// Answers how many events were recorded.
    pub(crate) async fn record(&self, user: Option<UserId>, request: RecordEventsRequest) -> Result<usize, Error> {
        let now = self.clock.now();
        let wrong = model::violations(&request, now, &self.config);
        if !wrong.is_empty() {
            return Err(Error::Invalid(wrong));
        }
        let choice = match user {
            Some(user) => self.choice(user).await?,
            None => None,
        };
        let own = match &choice {
            Some(choice) => choice.subject(),
            None if request.consented => self.visitor(&request.visitor_id),
            None => None,
        };
        let others = request.consented.then_some(&self.pepper);
        let parted = model::by_subject(request.events, own, others, now);
        let counts = events::counts(parted.values().flatten());
        let count = parted.values().map(Vec::len).sum();
        let told = parted.into_iter().map(|(subject, events)| events::recorded(subject, events)).collect();
        if count > 0 {
            self.recordings.run(Recording { counts, told }).await?;
        }
        Ok(count)
    }

    pub(crate) async fn identify(&self, user: Option<UserId>, visitor_id: &str) -> Result<Option<SubjectId>, Error> {
        match user {
            Some(user) => Ok(match self.choice(user).await? {
                Some(choice) => choice.subject(),
                None => self.visitor(visitor_id),
            }),
            None => Ok(self.visitor(visitor_id)),
        }
    }

    fn visitor(&self, visitor_id: &str) -> Option<SubjectId> {
        model::is_visitor_id(visitor_id).then(|| self.pepper.visitor(visitor_id))
    }

    pub(crate) async fn choice(&self, user: UserId) -> Result<Option<Choice>, Error> {
        if let Some(known) = self.choices.get(&user) {
            return Ok(known);
        }
        let mut tx = self.db.begin(&Scope::Buyer(user)).await?;
        let choice = store::choice(&mut tx, user).await?;
        tx.commit().await?;
        self.choices.insert(user, choice.clone());
        Ok(choice)
    }

    /// Withdrawing tells everybody to forget the subject and gives the person another one, so that no later event is tied to earlier ones.
    pub(crate) async fn choose(&self, user: UserId, given: bool, visitor_id: &str) -> Result<Choice, Error> {
        let now = self.clock.now();
        let mut tx = self.db.begin(&Scope::Buyer(user)).await?;
        let before = store::lock_choice(&mut tx, user).await?;
        if let Some(same) = before.as_ref().filter(|before| before.consented == given) {
            return Ok(same.clone());
        }
        let subject = if given { self.visitor(visitor_id) } else { None };
        store::put_choice(&mut tx, user, subject.unwrap_or_else(|| self.ids.next()), given, now).await?;
        if let Some(subject) = before.and_then(|before| before.subject()) {
            log::append(&mut tx, &author(), now, events::forgotten(subject)).await?;
        }
        let choice = store::choice(&mut tx, user).await?.ok_or_else(|| Error::unreadable("a choice just made is not there"))?;
        tx.commit().await?;
        self.choices.insert(user, Some(choice.clone()));
        Ok(choice)
    }

    pub(crate) async fn intake(&self, minutes: u32) -> Result<Vec<Minute>, Error> {
        let mut tx = self.db.begin(&Scope::Platform).await?;
        store::minutes(&mut tx, events::minute(self.clock.now()) - chrono::Duration::minutes(i64::from(minutes))).await
    }
}

async fn write(db: &Db, clock: &Clock, recordings: Vec<Recording>) -> Result<Vec<Result<(), Error>>, Error> {
    let (now, author) = (clock.now(), author());
    let answers = recordings.iter().map(|_| Ok(())).collect();
    let mut tx = db.begin(&Scope::Platform).await?;
    let mut counts = Counts::new();
    for (kind, count) in recordings.iter().flat_map(|recording| &recording.counts) {
        *counts.entry(*kind).or_default() += count;
    }
    store::count(&mut tx, events::minute(now), &counts).await?;
    log::append_many(&mut tx, recordings.into_iter().flat_map(|recording| recording.told).map(|event| (&author, event)), now).await?;
    tx.commit().await?;
    Ok(answers)
}

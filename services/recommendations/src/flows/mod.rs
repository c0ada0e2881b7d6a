//! The stories: shelves, training, and what the operator does with models and experiments.

mod experiments;
mod models;
mod shelves;
mod training;
mod watching;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use api_analytics::analytics_client::AnalyticsClient;
use api_search::search_client::SearchClient;
use kit_core::{Clock, Ids};
use kit_db::{Batch, Db, Limits, Scope, Upkeep};
use kit_module::Start;
use kit_rpc::Link;
use moka::sync::Cache;
use object_store::ObjectStore;
use uuid::Uuid;

pub(crate) use experiments::Shown;
pub(crate) use shelves::{Asked, Shelves};
pub(crate) use training::TRAIN_MODELS;

use crate::config::Config;
use crate::error::Error;
use crate::models::blend::Blend;
use crate::store::{self, Experiment};

/// A subject who is shown the shelves of an experiment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exposed {
    experiment: Uuid,
    subject: Uuid,
    treated: bool,
}

const EXPOSURES_AT_ONCE: usize = 500;

/// What this process serves from, replaced as a whole when something changed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Present {
    pub(crate) blend: Blend,
    /// The published model, once it is loaded.
    pub(crate) model: Option<Uuid>,
    pub(crate) experiments: Arc<Vec<Experiment>>,
}

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Recommendations(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) config: Config,
    analytics: AnalyticsClient<Link>,
    search: SearchClient<Link>,
    objects: Arc<dyn ObjectStore>,
    upkeep: Upkeep,
    exposures: Batch<Exposed, (), Error>,
    /// For nobody in particular.
    answers: Cache<Asked, Arc<Shelves>>,
    present: RwLock<Arc<Present>>,
}

impl std::ops::Deref for Recommendations {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Recommendations {
    pub(crate) fn new(start: &Start) -> anyhow::Result<Self> {
        let (db, clock) = (start.db.clone(), start.clock.clone());
        let exposures = Batch::start(Limits::new("exposures", EXPOSURES_AT_ONCE), move |exposed: Vec<Exposed>| {
            let (db, clock) = (db.clone(), clock.clone());
            Box::pin(async move { expose(&db, &clock, exposed).await })
        });
        let config: Config = start.config()?;
        let kept = Duration::from_millis(config.answer_cache_ms);
        let answers = Cache::builder().max_capacity(config.answer_cache_entries).time_to_live(kept).build();
        Ok(Self(Arc::new(Inner {
            db: start.db.clone(),
            clock: start.clock.clone(),
            ids: start.ids.clone(),
            config,
            analytics: AnalyticsClient::new(start.links.to("analytics")?),
            search: SearchClient::new(start.links.to("search")?).max_decoding_message_size(usize::MAX),
            objects: Arc::clone(&start.objects),
            upkeep: start.upkeep(),
            exposures,
            answers,
            present: RwLock::default(),
        })))
    }

    pub(crate) fn present(&self) -> Arc<Present> {
        Arc::clone(&self.present.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_present(&self, present: Present) {
        *self.present.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(present);
    }
}

async fn expose(db: &Db, clock: &Clock, exposed: Vec<Exposed>) -> Result<Vec<Result<(), Error>>, Error> {
    let mut tx = db.begin(&Scope::Platform).await?;
    let column = |of: fn(&Exposed) -> Uuid| exposed.iter().map(of).collect::<Vec<_>>();
    let treated: Vec<bool> = exposed.iter().map(|exposed| exposed.treated).collect();
    store::expose(&mut tx, &column(|exposed| exposed.experiment), &column(|exposed| exposed.subject), &treated, clock.now()).await?;
    tx.commit().await?;
    Ok(exposed.iter().map(|_| Ok(())).collect())
}

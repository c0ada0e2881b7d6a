//! Experiments: begun, ended, read.

use api_recommendations::{ExperimentId, ExperimentStarted, ExperimentStopped, Placement, Strategy, recommendations_event};
use kit_db::{Scope, log};
use kit_rpc::Ctx;

use super::Recommendations;
use crate::error::Error;
use crate::events;
use crate::model::EVERYBODYS;
use crate::store::{self, Experiment, Tally};

const DEFAULT_PERCENT: u32 = 50;

/// An experiment with what came of it, control first.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) experiment: Experiment,
    pub(crate) control: Tally,
    pub(crate) treatment: Tally,
}

impl Recommendations {
    pub(crate) async fn list_experiments(&self, limit: i64) -> Result<Vec<Shown>, Error> {
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let mut shown = Vec::new();
        for experiment in store::experiments(&mut tx, limit).await? {
            shown.push(with_tallies(&mut tx, experiment).await?);
        }
        Ok(shown)
    }

    pub(crate) async fn start_experiment(
        &self,
        ctx: &Ctx,
        name: &str,
        placement: Placement,
        treatment: Strategy,
        percent: u32,
    ) -> Result<Shown, Error> {
        if treatment == EVERYBODYS || treatment == Strategy::Unspecified {
            return Err(Error::SameStrategy);
        }
        let now = self.clock.now();
        let number = |of: i32| i16::try_from(of).unwrap_or_default();
        let experiment = Experiment {
            experiment_id: self.ids.uuid(),
            name: name.trim().to_owned(),
            placement: number(placement.into()),
            control: number(EVERYBODYS.into()),
            treatment: number(treatment.into()),
            treatment_percent: i32::try_from(if percent == 0 { DEFAULT_PERCENT } else { percent }).unwrap_or_default(),
            started_at: now,
            stopped_at: None,
        };
        let mut tx = self.db.begin(&Scope::Platform).await?;
        store::begin_experiment(&mut tx, &experiment).await?;
        let shown = with_tallies(&mut tx, experiment).await?;
        let told = recommendations_event::Body::ExperimentStarted(ExperimentStarted { experiment: Some((&shown).into()) });
        log::append(&mut tx, ctx, now, events::event(shown.experiment.experiment_id, told)).await?;
        tx.commit().await.map_err(kit_db::DbError::from)?;
        Ok(shown)
    }

    pub(crate) async fn stop_experiment(&self, ctx: &Ctx, id: ExperimentId) -> Result<Shown, Error> {
        let now = self.clock.now();
        let mut tx = self.db.begin(&Scope::Platform).await?;
        if store::lock_experiment(&mut tx, id).await?.stopped_at.is_some() {
            return Err(Error::ExperimentEnded);
        }
        store::end_experiment(&mut tx, id, now).await?;
        let ended = store::lock_experiment(&mut tx, id).await?;
        let shown = with_tallies(&mut tx, ended).await?;
        let told = recommendations_event::Body::ExperimentStopped(ExperimentStopped { experiment: Some((&shown).into()) });
        log::append(&mut tx, ctx, now, events::event(id.uuid(), told)).await?;
        tx.commit().await.map_err(kit_db::DbError::from)?;
        Ok(shown)
    }
}

async fn with_tallies(db: &mut sqlx::PgConnection, experiment: Experiment) -> Result<Shown, Error> {
    let tallies = store::tallies(db, experiment.experiment_id).await?;
    let of = |treated: bool| tallies.iter().copied().find(|tally| tally.treated == treated).unwrap_or(Tally { treated, ..Tally::default() });
    Ok(Shown { control: of(false), treatment: of(true), experiment })
}

//! What the operator sees of models and does with them.

use std::collections::HashMap;

use api_recommendations::{ModelId, TrainingRequested, recommendations_event};
use kit_core::Time;
use kit_db::{Scope, log};
use kit_rpc::Ctx;
use uuid::Uuid;

use super::{Present, Recommendations, TRAIN_MODELS, training};
use crate::error::Error;
use crate::events;
use crate::model;
use crate::models::learnt::Learnt;
use crate::store::{self, Model};

/// Products by popularity in so many parts; one more for products the model does not know.
const PARTS: usize = 10;

#[derive(Debug, Default)]
pub(crate) struct Status {
    pub(crate) serving: Option<Model>,
    pub(crate) events_since: i64,
    pub(crate) drift: f64,
    pub(crate) unknown_share: f64,
    pub(crate) products: i64,
}

impl Recommendations {
    pub(crate) async fn list_models(&self, limit: i64) -> Result<Vec<Model>, Error> {
        let mut tx = self.db.begin(&Scope::Platform).await?;
        store::models(&mut tx, limit).await
    }

    pub(crate) async fn request_training(&self, ctx: &Ctx) -> Result<Model, Error> {
        let now = self.clock.now();
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let model = store::begin_model(&mut tx, self.ids.next(), now).await?;
        let told = recommendations_event::Body::TrainingRequested(TrainingRequested { model_id: model.id().to_string() });
        log::append(&mut tx, ctx, now, events::event(model.model_id, told)).await?;
        tx.commit().await.map_err(kit_db::DbError::from)?;
        self.upkeep.signal(TRAIN_MODELS);
        Ok(model)
    }

    pub(crate) async fn publish(&self, ctx: &Ctx, id: ModelId) -> Result<Model, Error> {
        let now = self.clock.now();
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let model = store::lock_model(&mut tx, id).await?;
        match model.state.as_str() {
            "published" => return Ok(model),
            "ready" => {}
            _ => return Err(Error::ModelNotReady),
        }
        let before = store::publish_model(&mut tx, id, now).await?;
        log::append(&mut tx, ctx, now, events::event(model.model_id, training::published(id, before))).await?;
        let model = store::lock_model(&mut tx, id).await?;
        tx.commit().await.map_err(kit_db::DbError::from)?;
        Ok(model)
    }

    pub(crate) async fn status(&self) -> Result<Status, Error> {
        let present = self.present();
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let products = store::count_products(&mut tx).await?;
        let serving = store::published_model(&mut tx).await?;
        let Some(model) = &serving else { return Ok(Status { products, ..Status::default() }) };
        let events_since = store::events_after(&mut tx, model.last_trail).await?;
        let steps = store::steps_before(&mut tx, i64::MAX, Time::default(), self.config.drift_rows).await?;
        let lately: Vec<Uuid> = steps.into_iter().filter(|step| step.number > model.last_trail).flat_map(|step| step.products).collect();
        let (drift, unknown_share) = drift(&present, &lately);
        Ok(Status { serving, events_since, drift, unknown_share, products })
    }
}

/// (population stability index, share of unknown products) of what was looked at lately against what the model learnt from.
fn drift(present: &Present, lately: &[Uuid]) -> (f64, f64) {
    let Some(learnt) = present.blend.learnt.as_deref().filter(|_| !lately.is_empty()) else { return (0.0, 0.0) };
    let parts = parts(learnt);
    let (mut then, mut now) = (vec![0_u64; PARTS + 1], vec![0_u64; PARTS + 1]);
    let add = |counts: &mut Vec<u64>, part: usize, count: u64| counts.iter_mut().skip(part).take(1).for_each(|sum| *sum += count);
    for (product, count) in learnt.products.iter().zip(&learnt.popularity) {
        // Counts are whole numbers kept as floats.
        let count = format!("{count:.0}").parse().unwrap_or_default();
        add(&mut then, parts.get(product).copied().unwrap_or(PARTS), count);
    }
    lately.iter().for_each(|product| add(&mut now, parts.get(product).copied().unwrap_or(PARTS), 1));
    let unknown = now.last().copied().unwrap_or_default();
    let share = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    (model::stability_index(&then, &now), share(unknown) / share(u64::try_from(lately.len()).unwrap_or(u64::MAX)))
}

/// Each product's part, the most popular in part 0.
fn parts(learnt: &Learnt) -> HashMap<Uuid, usize> {
    let mut products: Vec<(&Uuid, &f32)> = learnt.products.iter().zip(&learnt.popularity).collect();
    products.sort_by(|a, b| b.1.total_cmp(a.1));
    let size = products.len().div_ceil(PARTS).max(1);
    products.chunks(size).enumerate().flat_map(|(part, products)| products.iter().map(move |(product, _)| (**product, part))).collect()
}

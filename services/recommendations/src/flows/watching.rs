//! What each process keeps fresh in its memory: the published model, the goods, what is popular, the running experiments.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api_analytics::BehaviourKind;
use kit_core::Time;
use kit_db::Scope;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Recommendations, shelves, training};
use crate::error::Error;
use crate::models::blend::{Goods, ranked};
use crate::models::content::{Content, Described};
use crate::store;

const POPULAR_EVERY: Duration = Duration::from_secs(20);
const POPULAR_KEPT: usize = 200;
/// Products and their order are the same until this changes.
type Mark = (i64, i64);

#[derive(Default)]
struct Seen {
    goods: Option<(Mark, Instant)>,
    popular: Option<Instant>,
}

impl Recommendations {
    pub(crate) async fn watch(self, stop: CancellationToken) {
        let mut seen = Seen::default();
        let pause = Duration::from_millis(self.config.look_every_ms.max(1));
        while !stop.is_cancelled() {
            if let Err(error) = self.look(&mut seen).await {
                tracing::warn!(%error, "what recommendations are made from could not be refreshed for a moment");
            }
            let _stopped = stop.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
    }

    async fn look(&self, seen: &mut Seen) -> Result<(), Error> {
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let model = store::published_model(&mut tx).await?;
        let experiments = store::running_experiments(&mut tx).await?;
        let mark = store::products_mark(&mut tx).await?;
        tx.rollback().await.map_err(kit_db::DbError::from)?;
        let mut present = (*self.present()).clone();
        if present.model.as_ref().map(|known| known.model_id) != model.as_ref().map(|model| model.model_id) {
            present.blend.learnt = match &model {
                Some(model) => Some(Arc::new(training::load(&*self.objects, model.id()).await?)),
                None => None,
            };
        }
        present.model = model;
        present.experiments = Arc::new(experiments);
        let every = Duration::from_secs(self.config.products_every_seconds);
        if seen.goods.is_none_or(|(known, at)| known != mark && at.elapsed() >= every) {
            present.blend.goods = Arc::new(self.goods().await?);
            seen.goods = Some((mark, Instant::now()));
        }
        if present.blend.popular.is_empty() || seen.popular.is_none_or(|at| at.elapsed() >= POPULAR_EVERY) {
            present.blend.popular = Arc::new(self.popular(&present).await?);
            seen.popular = Some(Instant::now());
        }
        self.set_present(present);
        Ok(())
    }

    async fn goods(&self) -> Result<Goods, Error> {
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let products = store::products(&mut tx).await?;
        tx.rollback().await.map_err(kit_db::DbError::from)?;
        let made = tokio::task::spawn_blocking(move || {
            let described =
                products.iter().map(|product| Described { title: &product.title, brand: &product.brand, categories: &product.categories });
            let content = Content::learn(described);
            let products: Vec<Uuid> = products.iter().map(|product| product.product_id).collect();
            let places = products.iter().zip(0..).map(|(product, place)| (*product, place)).collect();
            Goods { products, places, content }
        });
        made.await.map_err(Error::unreadable)
    }

    /// By what happened last, and by what the model counted where that is little.
    async fn popular(&self, present: &super::Present) -> Result<Vec<(Uuid, f32)>, Error> {
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let steps = store::steps_before(&mut tx, i64::MAX, Time::default(), self.config.drift_rows).await?;
        tx.rollback().await.map_err(kit_db::DbError::from)?;
        let mut counts = HashMap::<Uuid, f32>::new();
        if let Some(learnt) = &present.blend.learnt {
            let most = learnt.popularity.iter().copied().fold(1.0, f32::max);
            let share = |(product, count): (&Uuid, &f32)| (*product, count / most);
            counts.extend(learnt.products.iter().zip(&learnt.popularity).map(share));
        }
        for step in &steps {
            for (product, kind) in step.products.iter().zip(&step.kinds) {
                let kind = BehaviourKind::try_from(i32::from(*kind)).unwrap_or_default();
                *counts.entry(*product).or_default() += shelves::weight(kind).unwrap_or_default();
            }
        }
        Ok(ranked(counts, POPULAR_KEPT))
    }
}

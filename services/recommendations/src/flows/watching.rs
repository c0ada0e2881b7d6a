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
const RELOAD_EVERY: Duration = Duration::from_secs(30);
const POPULAR_KEPT: usize = 200;
/// Reading all products again takes at most one part in so many of the time.
const REST: u32 = 20;

#[derive(Default)]
struct Seen {
    /// The change the goods are from, and when they were read.
    goods: Option<(i64, Instant)>,
    goods_took: Duration,
    popular: Option<Instant>,
    /// When the published model could not be read.
    unreadable: Option<Instant>,
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
        let model = store::published_model(&mut tx).await?.map(|model| model.model_id);
        let experiments = store::running_experiments(&mut tx).await?;
        let mark = store::products_changed(&mut tx).await?;
        tx.rollback().await.map_err(kit_db::DbError::from)?;
        let mut present = (*self.present()).clone();
        if present.model != model && seen.unreadable.is_none_or(|at| at.elapsed() >= RELOAD_EVERY) {
            let loaded = match model {
                Some(model) => training::load(&*self.objects, model.into()).await.map(|learnt| Some(Arc::new(learnt))),
                None => Ok(None),
            };
            seen.unreadable = loaded.is_err().then(Instant::now);
            // Without its model the shelves still have what is popular and what is alike, and everything else goes on being fresh.
            match loaded {
                Ok(learnt) => (present.model, present.blend.learnt) = (model, learnt),
                Err(error) => tracing::error!(%error, "the published model cannot be read"),
            }
        }
        present.experiments = Arc::new(experiments);
        let every = Duration::from_millis(self.config.products_every_ms).max(seen.goods_took * REST);
        if seen.goods.is_none_or(|(known, at)| known != mark && at.elapsed() >= every) {
            let begin = Instant::now();
            present.blend.goods = Arc::new(self.goods().await?);
            seen.goods = Some((mark, Instant::now()));
            seen.goods_took = begin.elapsed();
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

//! Training: what came in becomes a model, measured, written down, and published when it may be.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use api_analytics::BehaviourKind;
use api_recommendations::{ModelId, ModelPublished, ModelTrained, recommendations_event};
use kit_core::Time;
use kit_db::{Scope, log};
use kit_rpc::Ctx;
use object_store::path::Path;
use object_store::{ObjectStore, PutPayload};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Recommendations;
use crate::error::Error;
use crate::events;
use crate::model;
use crate::models::affinity::Affinity;
use crate::models::learnt::{Learnt, Lessons};
use crate::models::measure::{Measured, TOP};
use crate::store::{self, Figures, Finished, Model, Step};

/// The job's name.
pub(crate) const TRAIN_MODELS: &str = "train_models";

const STEPS_AT_ONCE: i64 = 20_000;
const ZSTD_LEVEL: i32 = 3;
/// A visit shorter than this teaches nothing.
const SHORTEST_VISIT: usize = 2;
/// Of somebody's history, the newest so many products.
const LONGEST_HISTORY: usize = 1_000;

/// All that a training reads.
struct Read {
    lessons: Lessons,
    last_trail: i64,
    events: u64,
}

impl Recommendations {
    /// The job: trains what was asked for or what is due.
    pub(crate) async fn train_models(&self) -> Result<(), Error> {
        let now = self.clock.now();
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let mut asked = store::training_model(&mut tx).await?;
        if asked.is_none() {
            let newest = store::models(&mut tx, 1).await?.pop();
            let since = store::events_after(&mut tx, newest.as_ref().map_or(0, |newest| newest.last_trail)).await?;
            if model::is_due(newest.as_ref(), since, now, &self.config) {
                asked = Some(store::begin_model(&mut tx, self.ids.next(), now).await?);
            }
        }
        store::forget_steps(&mut tx, self.oldest(now)).await?;
        tx.commit().await.map_err(kit_db::DbError::from)?;
        let Some(asked) = asked else { return Ok(()) };
        let trained = self.train(&asked).await;
        if let Err(error) = &trained {
            let mut tx = self.db.begin(&Scope::Platform).await?;
            store::fail_model(&mut tx, asked.id(), &error.to_string()).await?;
            tx.commit().await.map_err(kit_db::DbError::from)?;
        }
        trained
    }

    fn oldest(&self, now: Time) -> Time {
        now - chrono::Duration::days(i64::from(self.config.keep_days))
    }

    async fn train(&self, model: &Model) -> Result<(), Error> {
        let begin = Instant::now();
        self.note(model, "reading what people did", 5).await?;
        let read = self.read().await?;
        let (stages, mut told) = mpsc::unbounded_channel::<(&'static str, i32)>();
        let most = self.config.measure_max_subjects;
        let work = tokio::task::spawn_blocking(move || work(read, most, &stages));
        while let Some((stage, percent)) = told.recv().await {
            self.note(model, stage, percent).await?;
        }
        let (learnt, mut finished) = work.await.map_err(Error::unreadable)?;
        self.note(model, "writing it down", 95).await?;
        let bytes = zstd::encode_all(learnt.encode().as_slice(), ZSTD_LEVEL).map_err(Error::unreadable)?;
        finished.bytes = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        self.objects.put(&path(model.id()), PutPayload::from(bytes)).await.map_err(Error::unreadable)?;
        tracing::info!(
            version = model.version,
            events = finished.events,
            seconds = begin.elapsed().as_secs_f64(),
            "a model of recommendations is trained"
        );
        self.finish(model, &finished).await
    }

    async fn note(&self, model: &Model, stage: &str, percent: i32) -> Result<(), Error> {
        let mut tx = self.db.begin(&Scope::Platform).await?;
        store::note_progress(&mut tx, model.id(), stage, percent).await?;
        tx.commit().await.map_err(kit_db::DbError::from)?;
        Ok(())
    }

    async fn finish(&self, model: &Model, finished: &Finished) -> Result<(), Error> {
        let (now, ctx) = (self.clock.now(), Ctx::service("recommendations", "job:train_models"));
        let mut tx = self.db.begin(&Scope::Platform).await?;
        store::finish_model(&mut tx, model.id(), finished, now).await?;
        let trained = store::lock_model(&mut tx, model.id()).await?;
        let told = recommendations_event::Body::ModelTrained(ModelTrained { model: Some((&trained).into()) });
        log::append(&mut tx, &ctx, now, events::event(model.model_id, told)).await?;
        let serving = store::published_model(&mut tx).await?;
        if model::publishes_itself(serving.and_then(|serving| serving.figures()), finished.measures, &self.config) {
            let before = store::publish_model(&mut tx, model.id(), now).await?;
            log::append(&mut tx, &ctx, now, events::event(model.model_id, published(model.id(), before))).await?;
        }
        tx.commit().await.map_err(kit_db::DbError::from)?;
        Ok(())
    }

    /// Reads the newest events, page by page, and sorts them into visits, histories and baskets.
    async fn read(&self) -> Result<Read, Error> {
        let since = self.oldest(self.clock.now());
        let (mut steps, mut before, mut events) = (Vec::new(), i64::MAX, 0);
        while events < self.config.learn_max_events {
            let mut tx = self.db.begin(&Scope::Platform).await?;
            let page = store::steps_before(&mut tx, before, since, STEPS_AT_ONCE).await?;
            tx.rollback().await.map_err(kit_db::DbError::from)?;
            let Some(last) = page.last() else { break };
            before = last.number;
            events += page.iter().map(|step| step.kinds.len()).sum::<usize>();
            steps.extend(page);
        }
        steps.reverse();
        let gap = chrono::Duration::minutes(i64::from(self.config.visit_minutes));
        let last_trail = steps.last().map_or(0, |step| step.number);
        let lessons = tokio::task::spawn_blocking(move || lessons(&steps, gap)).await.map_err(Error::unreadable)?;
        Ok(Read { lessons, last_trail, events: u64::try_from(events).unwrap_or_default() })
    }
}

pub(crate) fn published(model: ModelId, before: Option<ModelId>) -> recommendations_event::Body {
    recommendations_event::Body::ModelPublished(ModelPublished {
        model_id: model.to_string(),
        instead_of: before.map(|before| before.to_string()).unwrap_or_default(),
    })
}

/// Steps in order of time become visits, parted by pauses; histories; and baskets, one for each purchase told together.
fn lessons(steps: &[Step], gap: chrono::Duration) -> Lessons {
    let mut lessons = Lessons::default();
    let mut places = HashMap::<Uuid, u32>::new();
    let mut visits = HashMap::<Uuid, (Time, Vec<u32>)>::new();
    let mut ended: Vec<(Time, Vec<u32>)> = Vec::new();
    let mut histories = HashMap::<Uuid, Vec<u32>>::new();
    for step in steps {
        let visit = visits.entry(step.subject_id).or_insert_with(|| (step.at, Vec::new()));
        if step.at - visit.0 > gap {
            ended.push((visit.0, std::mem::take(&mut visit.1)));
        }
        visit.0 = step.at;
        let mut basket = Vec::new();
        for (product, kind) in step.products.iter().zip(&step.kinds) {
            let kind = BehaviourKind::try_from(i32::from(*kind)).unwrap_or_default();
            if super::shelves::weight(kind).is_none() {
                continue;
            }
            let next = u32::try_from(lessons.products.len()).unwrap_or(u32::MAX);
            let place = *places.entry(*product).or_insert(next);
            if place == next {
                lessons.products.push(*product);
            }
            if kind == BehaviourKind::Purchase {
                basket.push(place);
            } else if visit.1.last() != Some(&place) {
                visit.1.push(place);
            }
            histories.entry(step.subject_id).or_default().push(place);
        }
        if basket.len() > 1 {
            lessons.baskets.push(basket);
        }
    }
    ended.extend(visits.into_values());
    ended.retain(|(_, visit)| visit.len() >= SHORTEST_VISIT);
    ended.sort_unstable();
    lessons.visits = ended.into_iter().map(|(_, visit)| visit).collect();
    let mut subjects: Vec<(Uuid, Vec<u32>)> = histories.into_iter().collect();
    subjects.sort_unstable_by_key(|(subject, _)| *subject);
    lessons.histories = subjects.into_iter().map(|(_, history)| newest_once(&history)).collect();
    lessons
}

/// Each product once, at its last place; the newest.
fn newest_once(history: &[u32]) -> Vec<u32> {
    let mut seen = BTreeSet::new();
    let mut kept: Vec<u32> = history.iter().rev().copied().filter(|place| seen.insert(*place)).take(LONGEST_HISTORY).collect();
    kept.reverse();
    kept
}

/// Measures a model that has not seen the last product of some subjects, then learns from everything.
fn work(read: Read, most: usize, stages: &mpsc::UnboundedSender<(&'static str, i32)>) -> (Learnt, Finished) {
    // Nobody listens any more when the job was stopped; the work is then for nothing, which does no harm.
    let note = |stage, percent| {
        let _gone = stages.send((stage, percent));
    };
    note("hiding what is to be found", 15);
    let Read { lessons, last_trail, events } = read;
    let (measures, popularity) = measure(&lessons, most, &note);
    note("learning from everything", 60);
    let finished = Finished {
        last_trail,
        events: i64::try_from(events).unwrap_or(i64::MAX),
        subjects: i64::try_from(lessons.histories.len()).unwrap_or(i64::MAX),
        products: i64::try_from(lessons.products.len()).unwrap_or(i64::MAX),
        bytes: 0,
        measures,
        popularity,
    };
    (Learnt::learn(lessons), finished)
}

/// Hides the last product of every n-th subject, learns from the rest, and looks for what was hidden.
fn measure(lessons: &Lessons, most: usize, note: &impl Fn(&'static str, i32)) -> (Figures, Figures) {
    let long_enough = lessons.histories.iter().filter(|history| history.len() > 2).count();
    let every = long_enough.div_ceil(most.max(1)).max(1);
    let (mut hidden, mut number) = (Vec::new(), 0);
    let mut histories = Vec::with_capacity(lessons.histories.len());
    for history in &lessons.histories {
        if let Some((last, rest)) = history.split_last().filter(|(_, rest)| rest.len() > 1) {
            number += 1;
            // Every second one at most, so that there is something to learn from.
            if number % every.max(2) == 0 {
                hidden.push((rest.to_vec(), *last));
                histories.push(rest.to_vec());
                continue;
            }
        }
        histories.push(history.clone());
    }
    note("learning without what is hidden", 25);
    let affinity = Affinity::learn(&histories, lessons.products.len());
    let mut counts = BTreeMap::<u32, u32>::new();
    histories.iter().flatten().for_each(|place| *counts.entry(*place).or_default() += 1);
    let mut popular: Vec<u32> = counts.keys().copied().collect();
    popular.sort_by_key(|place| std::cmp::Reverse(counts.get(place).copied()));
    note("looking for what was hidden", 50);
    let (mut by_model, mut by_popularity) = (Measured::default(), Measured::default());
    let mut recommended = BTreeSet::new();
    for (rest, last) in &hidden {
        let history: Vec<(u32, f32)> = rest.iter().map(|place| (*place, 1.0)).collect();
        let found: Vec<u32> = affinity.likes(&history, TOP).into_iter().map(|(place, _)| place).collect();
        recommended.extend(found.iter().copied());
        by_model.add(found, &[*last]);
        by_popularity.add(popular.iter().copied().filter(|place| !rest.contains(place)).take(TOP), &[*last]);
    }
    let share =
        |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / f64::from(u32::try_from(counts.len().max(1)).unwrap_or(u32::MAX));
    (Figures::of(&by_model, share(recommended.len())), Figures::of(&by_popularity, share(TOP.min(counts.len()))))
}

/// Reads a model that was written down.
pub(crate) async fn load(objects: &dyn ObjectStore, model: ModelId) -> Result<Learnt, Error> {
    let bytes = objects.get(&path(model)).await.map_err(Error::unreadable)?.bytes().await.map_err(Error::unreadable)?;
    let decoded = tokio::task::spawn_blocking(move || {
        let whole = zstd::decode_all(bytes.as_ref()).ok()?;
        Learnt::decode(&whole)
    });
    decoded.await.map_err(Error::unreadable)?.ok_or_else(|| Error::unreadable(format!("{model} was written by something else")))
}

fn path(model: ModelId) -> Path {
    Path::from(format!("recommendations/{model}.zst"))
}

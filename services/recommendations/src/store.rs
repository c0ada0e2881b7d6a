//! What the service remembers: one function per query.

use api_recommendations::{ExperimentId, ModelId};
use kit_core::{TenantId, Time};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::error::Error;
use crate::events;
use crate::models::measure::Measured;

/// What the catalog says of a product.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) product: Uuid,
    pub(crate) tenant: TenantId,
    pub(crate) version: i32,
    pub(crate) shown: bool,
    pub(crate) title: String,
    pub(crate) brand: String,
    pub(crate) categories: Vec<String>,
}

/// Takes over products, unless something newer is known; in order of id, so that two writers never wait for each other in a circle.
pub(crate) async fn put_products(db: &mut PgConnection, told: &[Told]) -> Result<(), Error> {
    sqlx::query(
        "insert into recommendable (product_id, tenant_id, version, shown, title, brand, categories)
         select product_id, tenant_id, version, shown, title, brand, coalesce(string_to_array(nullif(categories, ''), chr(31)), '{}')
         from unnest($1::uuid[], $2::uuid[], $3::integer[], $4::boolean[], $5::text[], $6::text[], $7::text[])
            as told (product_id, tenant_id, version, shown, title, brand, categories)
         order by product_id
         on conflict (product_id) do update
            set version = excluded.version, shown = excluded.shown, title = excluded.title, brand = excluded.brand,
                categories = excluded.categories
            where recommendable.version < excluded.version and recommendable.tenant_id = excluded.tenant_id",
    )
    .bind(told.iter().map(|told| told.product).collect::<Vec<_>>())
    .bind(told.iter().map(|told| told.tenant.uuid()).collect::<Vec<_>>())
    .bind(told.iter().map(|told| told.version).collect::<Vec<_>>())
    .bind(told.iter().map(|told| told.shown).collect::<Vec<_>>())
    .bind(told.iter().map(|told| told.title.as_str()).collect::<Vec<_>>())
    .bind(told.iter().map(|told| told.brand.as_str()).collect::<Vec<_>>())
    // An array of arrays must be rectangular; the unit separator is in no name.
    .bind(told.iter().map(|told| told.categories.join("\u{1f}")).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn hide_products(db: &mut PgConnection, products: &[(Uuid, i32)]) -> Result<(), Error> {
    sqlx::query(
        "update recommendable r set shown = false, version = gone.version
         from unnest($1::uuid[], $2::integer[]) as gone (product_id, version)
         where r.product_id = gone.product_id and r.version <= gone.version",
    )
    .bind(products.iter().map(|(product, _)| *product).collect::<Vec<_>>())
    .bind(products.iter().map(|(_, version)| *version).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

#[derive(Debug, FromRow)]
pub(crate) struct Product {
    pub(crate) product_id: Uuid,
    pub(crate) title: String,
    pub(crate) brand: String,
    pub(crate) categories: Vec<String>,
}

/// What is for sale as far as the catalog says.
pub(crate) async fn products(db: &mut PgConnection) -> Result<Vec<Product>, Error> {
    Ok(sqlx::query_as("select product_id, title, brand, categories from recommendable where shown order by product_id").fetch_all(db).await?)
}

/// How far the catalog was heard: another number whenever products may have changed.
pub(crate) async fn products_changed(db: &mut PgConnection) -> Result<i64, Error> {
    Ok(sqlx::query_scalar("select coalesce(sum(number), 0)::bigint from event_cursor where source = 'catalog'").fetch_one(db).await?)
}

/// How many products are for sale.
pub(crate) async fn count_products(db: &mut PgConnection) -> Result<i64, Error> {
    Ok(sqlx::query_scalar("select count(*) from recommendable where shown").fetch_one(db).await?)
}

/// One row of a trail.
#[derive(Debug, FromRow)]
pub(crate) struct Step {
    pub(crate) number: i64,
    pub(crate) subject_id: Uuid,
    pub(crate) at: Time,
    pub(crate) kinds: Vec<i16>,
    pub(crate) products: Vec<Uuid>,
}

/// Adds steps, in order. Lists travel as text, because an array of arrays must be rectangular.
pub(crate) async fn add_steps(db: &mut PgConnection, steps: &[events::Step]) -> Result<(), Error> {
    if steps.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into trail (subject_id, at, kinds, products)
         select subject_id, at, kinds::smallint[], products::uuid[]
         from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[]) with ordinality as step (subject_id, at, kinds, products, place)
         order by place",
    )
    .bind(steps.iter().map(|step| step.subject).collect::<Vec<_>>())
    .bind(steps.iter().map(|step| step.at).collect::<Vec<_>>())
    .bind(steps.iter().map(|step| array(&step.kinds)).collect::<Vec<_>>())
    .bind(steps.iter().map(|step| array(&step.products)).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

/// A list as PostgreSQL writes an array of numbers or ids.
fn array(items: &[impl std::fmt::Display]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    format!("{{{}}}", items.join(","))
}

/// A subject's newest steps, newest first.
pub(crate) async fn trail_of(db: &mut PgConnection, subject: Uuid, limit: i64) -> Result<Vec<Step>, Error> {
    let query = sqlx::query_as("select number, subject_id, at, kinds, products from trail where subject_id = $1 order by number desc limit $2");
    Ok(query.bind(subject).bind(limit).fetch_all(db).await?)
}

/// Everybody's steps behind a number, newest first: a page of them.
pub(crate) async fn steps_before(db: &mut PgConnection, before: i64, since: Time, limit: i64) -> Result<Vec<Step>, Error> {
    sqlx::query_as("select number, subject_id, at, kinds, products from trail where number < $1 and at >= $2 order by number desc limit $3")
        .bind(before)
        .bind(since)
        .bind(limit)
        .fetch_all(db)
        .await
        .map_err(Error::from)
}

/// Events after a step.
pub(crate) async fn events_after(db: &mut PgConnection, number: i64) -> Result<i64, Error> {
    let query = sqlx::query_scalar("select coalesce(sum(cardinality(kinds)), 0)::bigint from trail where number > $1");
    Ok(query.bind(number).fetch_one(db).await?)
}

pub(crate) async fn forget_subject(db: &mut PgConnection, subject: Uuid) -> Result<(), Error> {
    sqlx::query("with steps as (delete from trail where subject_id = $1) delete from exposure where subject_id = $1")
        .bind(subject)
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn forget_steps(db: &mut PgConnection, before: Time) -> Result<(), Error> {
    sqlx::query("delete from trail where at < $1").bind(before).execute(db).await?;
    Ok(())
}

/// What a model measured at, as the row keeps it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) cases: u64,
    pub(crate) recall: f64,
    pub(crate) ndcg: f64,
    pub(crate) mrr: f64,
    pub(crate) coverage: f64,
}

impl Figures {
    pub(crate) fn of(measured: &Measured, coverage: f64) -> Self {
        Self { cases: measured.cases, recall: measured.recall(), ndcg: measured.ndcg(), mrr: measured.mrr(), coverage }
    }
}

#[derive(Debug, Clone, FromRow)]
pub(crate) struct Model {
    pub(crate) model_id: Uuid,
    pub(crate) version: i32,
    pub(crate) state: String,
    pub(crate) started_at: Time,
    pub(crate) trained_at: Option<Time>,
    pub(crate) published_at: Option<Time>,
    pub(crate) stage: String,
    pub(crate) progress_percent: i32,
    pub(crate) last_trail: i64,
    pub(crate) events: i64,
    pub(crate) subjects: i64,
    pub(crate) products: i64,
    pub(crate) bytes: i64,
    measures: Option<sqlx::types::Json<Figures>>,
    popularity: Option<sqlx::types::Json<Figures>>,
    pub(crate) trouble: Option<String>,
}

impl Model {
    pub(crate) fn id(&self) -> ModelId {
        self.model_id.into()
    }

    pub(crate) fn figures(&self) -> Option<Figures> {
        self.measures.as_ref().map(|figures| figures.0)
    }

    pub(crate) fn popularity_figures(&self) -> Option<Figures> {
        self.popularity.as_ref().map(|figures| figures.0)
    }
}

pub(crate) async fn models(db: &mut PgConnection, limit: i64) -> Result<Vec<Model>, Error> {
    Ok(sqlx::query_as("select * from model order by version desc limit $1").bind(limit).fetch_all(db).await?)
}

/// Locks the model for the rest of the transaction.
pub(crate) async fn lock_model(db: &mut PgConnection, id: ModelId) -> Result<Model, Error> {
    let query = sqlx::query_as("select * from model where model_id = $1 for update");
    query.bind(id.uuid()).fetch_optional(db).await?.ok_or(Error::ModelNotFound)
}

pub(crate) async fn published_model(db: &mut PgConnection) -> Result<Option<Model>, Error> {
    Ok(sqlx::query_as("select * from model where state = 'published'").fetch_optional(db).await?)
}

pub(crate) async fn training_model(db: &mut PgConnection) -> Result<Option<Model>, Error> {
    Ok(sqlx::query_as("select * from model where state = 'training'").fetch_optional(db).await?)
}

pub(crate) async fn begin_model(db: &mut PgConnection, id: ModelId, now: Time) -> Result<Model, Error> {
    let query = sqlx::query_as(
        "insert into model (model_id, state, started_at, stage, progress_percent) values ($1, 'training', $2, 'waiting', 0)
         on conflict do nothing returning *",
    );
    query.bind(id.uuid()).bind(now).fetch_optional(db).await?.ok_or(Error::TrainingRunning)
}

pub(crate) async fn note_progress(db: &mut PgConnection, id: ModelId, stage: &str, percent: i32) -> Result<(), Error> {
    sqlx::query("update model set stage = $2, progress_percent = $3 where model_id = $1 and state = 'training'")
        .bind(id.uuid())
        .bind(stage)
        .bind(percent)
        .execute(db)
        .await?;
    Ok(())
}

/// What a finished training came to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Finished {
    pub(crate) last_trail: i64,
    pub(crate) events: i64,
    pub(crate) subjects: i64,
    pub(crate) products: i64,
    pub(crate) bytes: i64,
    pub(crate) measures: Figures,
    pub(crate) popularity: Figures,
}

pub(crate) async fn finish_model(db: &mut PgConnection, id: ModelId, finished: &Finished, now: Time) -> Result<(), Error> {
    sqlx::query(
        "update model set state = 'ready', stage = 'done', progress_percent = 100, trained_at = $2, last_trail = $3, events = $4, subjects = $5,
            products = $6, bytes = $7, measures = $8, popularity = $9
         where model_id = $1 and state = 'training'",
    )
    .bind(id.uuid())
    .bind(now)
    .bind(finished.last_trail)
    .bind(finished.events)
    .bind(finished.subjects)
    .bind(finished.products)
    .bind(finished.bytes)
    .bind(sqlx::types::Json(finished.measures))
    .bind(sqlx::types::Json(finished.popularity))
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn fail_model(db: &mut PgConnection, id: ModelId, trouble: &str) -> Result<(), Error> {
    sqlx::query("update model set state = 'failed', trouble = $2 where model_id = $1 and state = 'training'")
        .bind(id.uuid())
        .bind(trouble)
        .execute(db)
        .await?;
    Ok(())
}

/// Makes it the one that serves; answers the one that served before.
pub(crate) async fn publish_model(db: &mut PgConnection, id: ModelId, now: Time) -> Result<Option<ModelId>, Error> {
    let query = sqlx::query_scalar("update model set state = 'ready' where state = 'published' and model_id <> $1 returning model_id");
    let before: Option<Uuid> = query.bind(id.uuid()).fetch_optional(&mut *db).await?;
    sqlx::query("update model set state = 'published', published_at = $2 where model_id = $1").bind(id.uuid()).bind(now).execute(db).await?;
    Ok(before.map(Into::into))
}

#[derive(Debug, Clone, FromRow)]
pub(crate) struct Experiment {
    pub(crate) experiment_id: Uuid,
    pub(crate) name: String,
    pub(crate) placement: i16,
    pub(crate) control: i16,
    pub(crate) treatment: i16,
    pub(crate) treatment_percent: i32,
    pub(crate) started_at: Time,
    pub(crate) stopped_at: Option<Time>,
}

pub(crate) async fn experiments(db: &mut PgConnection, limit: i64) -> Result<Vec<Experiment>, Error> {
    Ok(sqlx::query_as("select * from experiment order by started_at desc limit $1").bind(limit).fetch_all(db).await?)
}

pub(crate) async fn running_experiments(db: &mut PgConnection) -> Result<Vec<Experiment>, Error> {
    Ok(sqlx::query_as("select * from experiment where stopped_at is null").fetch_all(db).await?)
}

pub(crate) async fn begin_experiment(db: &mut PgConnection, new: &Experiment) -> Result<(), Error> {
    let inserted = sqlx::query(
        "insert into experiment (experiment_id, name, placement, control, treatment, treatment_percent, started_at)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
    )
    .bind(new.experiment_id)
    .bind(&new.name)
    .bind(new.placement)
    .bind(new.control)
    .bind(new.treatment)
    .bind(new.treatment_percent)
    .bind(new.started_at)
    .execute(db)
    .await?;
    if inserted.rows_affected() == 1 { Ok(()) } else { Err(Error::ExperimentRunning) }
}

pub(crate) async fn lock_experiment(db: &mut PgConnection, id: ExperimentId) -> Result<Experiment, Error> {
    let query = sqlx::query_as("select * from experiment where experiment_id = $1 for update");
    query.bind(id.uuid()).fetch_optional(db).await?.ok_or(Error::ExperimentNotFound)
}

pub(crate) async fn end_experiment(db: &mut PgConnection, id: ExperimentId, now: Time) -> Result<(), Error> {
    sqlx::query("update experiment set stopped_at = $2 where experiment_id = $1").bind(id.uuid()).bind(now).execute(db).await?;
    Ok(())
}

/// The first time counts.
pub(crate) async fn expose(db: &mut PgConnection, experiments: &[Uuid], subjects: &[Uuid], treated: &[bool], now: Time) -> Result<(), Error> {
    sqlx::query(
        "insert into exposure (experiment_id, subject_id, treated, exposed_at)
         select experiment_id, subject_id, treated, $4 from unnest($1::uuid[], $2::uuid[], $3::boolean[]) as e (experiment_id, subject_id, treated)
         order by experiment_id, subject_id on conflict do nothing",
    )
    .bind(experiments)
    .bind(subjects)
    .bind(treated)
    .bind(now)
    .execute(db)
    .await?;
    Ok(())
}

/// Something was opened from the shelves of a placement.
pub(crate) async fn note_click(db: &mut PgConnection, subject: Uuid, placement: i16, product: Uuid) -> Result<(), Error> {
    sqlx::query(
        "update exposure set clicked = exposure.clicked || $3::uuid
         from experiment where experiment.experiment_id = exposure.experiment_id and experiment.stopped_at is null
            and experiment.placement = $2 and exposure.subject_id = $1 and not exposure.clicked @> array[$3::uuid] and cardinality(exposure.clicked) < 100",
    )
    .bind(subject)
    .bind(placement)
    .bind(product)
    .execute(db)
    .await?;
    Ok(())
}

/// Something was bought; it counts for the experiments whose shelves it was opened from.
pub(crate) async fn note_purchase(db: &mut PgConnection, subject: Uuid, products: &[Uuid], at: Time) -> Result<(), Error> {
    sqlx::query(
        "update exposure set bought_at = $3
         from experiment where experiment.experiment_id = exposure.experiment_id and experiment.stopped_at is null
            and exposure.subject_id = $1 and exposure.bought_at is null and exposure.clicked && $2::uuid[]",
    )
    .bind(subject)
    .bind(products)
    .bind(at)
    .execute(db)
    .await?;
    Ok(())
}

/// One arm's counts.
#[derive(Debug, Clone, Copy, Default, FromRow)]
pub(crate) struct Tally {
    pub(crate) treated: bool,
    pub(crate) exposed: i64,
    pub(crate) clicked: i64,
    pub(crate) bought: i64,
}

pub(crate) async fn tallies(db: &mut PgConnection, experiment: Uuid) -> Result<Vec<Tally>, Error> {
    sqlx::query_as(
        "select treated, count(*) as exposed, count(*) filter (where clicked <> '{}') as clicked, count(bought_at) as bought
         from exposure where experiment_id = $1 group by treated order by treated",
    )
    .bind(experiment)
    .fetch_all(db)
    .await
    .map_err(Error::from)
}

//! Translation between the contract and the flows.

use std::sync::Arc;

use api_catalog::ProductId;
use api_recommendations as api;
use api_recommendations::recommendations_server::Recommendations as Contract;
use api_recommendations::{ModelState, ShelfKind};
use kit_rpc::{Ctx, parse, status, timestamp};
use tonic::{Request, Response, Status};

use crate::flows::{Asked, Recommendations, Shelves, Shown};
use crate::model;
use crate::models::blend::Pick;
use crate::store::{Figures, Model, Tally};

const DEFAULT_SHELF: u32 = 12;
const DEFAULT_LIST: u32 = 20;
const PERMISSION: &str = "recommendations.write";

pub(crate) struct Rpc(pub(crate) Recommendations);

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Contract for Rpc {
    async fn get_shelves(&self, request: Request<api::GetShelvesRequest>) -> Answer<api::GetShelvesResponse> {
        let ctx = Ctx::of(&request)?;
        let asked = request.get_ref();
        let ids = asked.product_ids.iter().enumerate().map(|(place, id)| parse(&format!("product_ids[{place}]"), id));
        let products: Vec<ProductId> = ids.collect::<Result<_, _>>()?;
        let count = usize::try_from(or(asked.limit, DEFAULT_SHELF)).unwrap_or_default();
        let asked = Asked { placement: asked.placement(), products, visitor_id: asked.visitor_id.clone(), count };
        let shelves = self.0.shelves(&ctx, asked).await.map_err(status)?;
        Ok(Response::new(Arc::unwrap_or_clone(shelves).into()))
    }

    async fn list_models(&self, request: Request<api::ListModelsRequest>) -> Answer<api::ListModelsResponse> {
        Ctx::of(&request)?.require_operator(PERMISSION)?;
        let models = self.0.list_models(i64::from(or(request.get_ref().limit, DEFAULT_LIST))).await.map_err(status)?;
        Ok(Response::new(api::ListModelsResponse { models: models.iter().map(Into::into).collect() }))
    }

    async fn train_model(&self, request: Request<api::TrainModelRequest>) -> Answer<api::Model> {
        let ctx = Ctx::of(&request)?;
        ctx.require_operator(PERMISSION)?;
        let model = self.0.request_training(&ctx).await.map_err(status)?;
        Ok(Response::new((&model).into()))
    }

    async fn publish_model(&self, request: Request<api::PublishModelRequest>) -> Answer<api::Model> {
        let ctx = Ctx::of(&request)?;
        ctx.require_operator(PERMISSION)?;
        let model = self.0.publish(&ctx, parse("model_id", &request.get_ref().model_id)?).await.map_err(status)?;
        Ok(Response::new((&model).into()))
    }

    async fn get_model_status(&self, request: Request<api::GetModelStatusRequest>) -> Answer<api::ModelStatus> {
        Ctx::of(&request)?.require_operator(PERMISSION)?;
        let found = self.0.status().await.map_err(status)?;
        let trained_at = found.serving.as_ref().and_then(|model| model.trained_at);
        let age = trained_at.map(|at| (self.0.clock.now() - at).num_seconds()).unwrap_or_default();
        Ok(Response::new(api::ModelStatus {
            serving: found.serving.as_ref().map(Into::into),
            age_seconds: count(age),
            events_since: count(found.events_since),
            drift: found.drift,
            unknown_share: found.unknown_share,
            products: count(found.products),
        }))
    }

    async fn list_experiments(&self, request: Request<api::ListExperimentsRequest>) -> Answer<api::ListExperimentsResponse> {
        Ctx::of(&request)?.require_operator(PERMISSION)?;
        let shown = self.0.list_experiments(i64::from(or(request.get_ref().limit, DEFAULT_LIST))).await.map_err(status)?;
        Ok(Response::new(api::ListExperimentsResponse { experiments: shown.iter().map(Into::into).collect() }))
    }

    async fn start_experiment(&self, request: Request<api::StartExperimentRequest>) -> Answer<api::Experiment> {
        let ctx = Ctx::of(&request)?;
        ctx.require_operator(PERMISSION)?;
        let asked = request.get_ref();
        let (placement, treatment) = (asked.placement(), asked.treatment());
        let shown = self.0.start_experiment(&ctx, &asked.name, placement, treatment, asked.treatment_percent).await.map_err(status)?;
        Ok(Response::new((&shown).into()))
    }

    async fn stop_experiment(&self, request: Request<api::StopExperimentRequest>) -> Answer<api::Experiment> {
        let ctx = Ctx::of(&request)?;
        ctx.require_operator(PERMISSION)?;
        let shown = self.0.stop_experiment(&ctx, parse("experiment_id", &request.get_ref().experiment_id)?).await.map_err(status)?;
        Ok(Response::new((&shown).into()))
    }
}

fn or(asked: u32, otherwise: u32) -> u32 {
    if asked == 0 { otherwise } else { asked }
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

impl From<Shelves> for api::GetShelvesResponse {
    fn from(shelves: Shelves) -> Self {
        let shelf = |(kind, picks): (ShelfKind, Vec<Pick>)| api::Shelf { kind: kind.into(), items: picks.into_iter().map(Into::into).collect() };
        Self { shelves: shelves.shelves.into_iter().map(shelf).collect(), personalised: shelves.personalised }
    }
}

impl From<Pick> for api::Recommendation {
    fn from(pick: Pick) -> Self {
        Self {
            product_id: ProductId::from(pick.product).to_string(),
            score: f64::from(pick.score),
            reason: pick.reason.into(),
            because_product_id: pick.because.map(|product| ProductId::from(product).to_string()).unwrap_or_default(),
        }
    }
}

impl From<&Model> for api::Model {
    fn from(model: &Model) -> Self {
        let state = match model.state.as_str() {
            "training" => ModelState::Training,
            "ready" => ModelState::Ready,
            "published" => ModelState::Published,
            _ => ModelState::Failed,
        };
        Self {
            model_id: model.id().to_string(),
            version: u32::try_from(model.version).unwrap_or_default(),
            state: state.into(),
            started_at: Some(timestamp(model.started_at)),
            trained_at: model.trained_at.map(timestamp),
            published_at: model.published_at.map(timestamp),
            stage: model.stage.clone(),
            progress_percent: u32::try_from(model.progress_percent).unwrap_or_default(),
            events: count(model.events),
            subjects: count(model.subjects),
            products: count(model.products),
            bytes: count(model.bytes),
            measures: model.figures().map(Into::into),
            popularity: model.popularity_figures().map(Into::into),
            trouble: model.trouble.clone().unwrap_or_default(),
        }
    }
}

impl From<Figures> for api::Measures {
    fn from(figures: Figures) -> Self {
        let Figures { cases, recall, ndcg, mrr, coverage } = figures;
        Self { cases, recall_at_20: recall, ndcg_at_20: ndcg, mrr_at_20: mrr, coverage }
    }
}

impl From<&Shown> for api::Experiment {
    fn from(shown: &Shown) -> Self {
        let experiment = &shown.experiment;
        let percent = u32::try_from(experiment.treatment_percent).unwrap_or_default();
        let arm = |tally: &Tally, percent: u32| api::Arm {
            strategy: experiment.strategy(tally.treated).into(),
            percent,
            exposed: count(tally.exposed),
            clicked: count(tally.clicked),
            bought: count(tally.bought),
            click_through: Some(model::share(tally.clicked, tally.exposed)),
            conversion: Some(model::share(tally.bought, tally.exposed)),
        };
        let share = |tally: &Tally| model::share(tally.clicked, tally.exposed);
        let measured = shown.control.exposed > 0 && shown.treatment.exposed > 0;
        Self {
            experiment_id: api::ExperimentId::from(experiment.experiment_id).to_string(),
            name: experiment.name.clone(),
            placement: i32::from(experiment.placement),
            started_at: Some(timestamp(experiment.started_at)),
            stopped_at: experiment.stopped_at.map(timestamp),
            arms: vec![arm(&shown.control, 100_u32.saturating_sub(percent)), arm(&shown.treatment, percent)],
            lift: measured.then(|| model::lift(&share(&shown.control), &share(&shown.treatment))),
        }
    }
}

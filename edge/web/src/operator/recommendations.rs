//! The models behind recommendations: how fresh, how good, which one serves.

use api_analytics::{BehaviourKind, GetIntakeRequest, IntakeMinute};
use api_recommendations::{
    GetModelStatusRequest, ListModelsRequest, Measures, Model, ModelState, ModelStatus, PublishModelRequest, TrainModelRequest,
};
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use kit_rpc::problem_of;
use maud::{Markup, html};

use super::{console, moment, staff, word};
use crate::failure::Page;
use crate::session::{Here, Posted};
use crate::site::Web;
use crate::ui::{self, Tone, badge, form, show};
use crate::visit::Visit;

const HOME: &str = "/operator/recommendations";
const MODELS: u32 = 20;
/// The intake shown.
const MINUTES: u32 = 60;
/// A population stability index from here on is a drift, and from there on one to act on.
const DRIFTING: f64 = 0.1;
const DRIFTED: f64 = 0.25;

#[derive(Debug, Default)]
struct Models {
    status: ModelStatus,
    models: Vec<Model>,
    intake: Vec<IntakeMinute>,
}

pub(crate) async fn show(State(site): State<Web>, here: Here) -> Page {
    staff(&here)?;
    let mut recommendations = site.recommendations.clone();
    let status = recommendations.get_model_status(here.ctx.request(GetModelStatusRequest {})).await?.into_inner();
    let models = recommendations.list_models(here.ctx.request(ListModelsRequest { limit: MODELS })).await?.into_inner().models;
    let intake = site.analytics.clone().get_intake(here.ctx.request(GetIntakeRequest { minutes: MINUTES })).await?.into_inner().minutes;
    Ok(view(&here, &Models { status, models, intake }).into_response())
}

pub(crate) async fn train(State(site): State<Web>, here: Here, Posted(_): Posted) -> Page {
    staff(&here)?;
    match site.recommendations.clone().train_model(here.ctx.request(TrainModelRequest {})).await {
        Ok(_) => Ok(site.redirect(HOME, Tone::Good, "Training has begun. Its progress stands below.")),
        Err(status) => Ok(site.redirect(HOME, Tone::Bad, &problem_of(&status).message)),
    }
}

pub(crate) async fn publish(State(site): State<Web>, here: Here, Path(model_id): Path<String>, Posted(_): Posted) -> Page {
    staff(&here)?;
    match site.recommendations.clone().publish_model(here.ctx.request(PublishModelRequest { model_id })).await {
        Ok(answer) => Ok(site.redirect(HOME, Tone::Good, &format!("Version {} serves now.", answer.into_inner().version))),
        Err(status) => Ok(site.redirect(HOME, Tone::Bad, &problem_of(&status).message)),
    }
}

fn view(visit: &Visit, page: &Models) -> Markup {
    let training = page.models.iter().any(|model| model.state() == ModelState::Training);
    let actions = form::post(visit, HOME, html! { button.btn type="submit" disabled[training] { (ui::icon("refresh-cw")) "Train now" } });
    let body = html! { div.stack.loose { (status_view(&page.status)) (models_view(visit, page)) (intake_view(&page.intake)) } };
    console(visit, HOME, "Recommendations", "What the shelves are made from: the model that serves, how good and how fresh it is.", actions, body)
}

fn status_view(status: &ModelStatus) -> Markup {
    html! {
        section.card {
            @if let Some(serving) = &status.serving {
                dl.facts {
                    dt { "Serving" } dd { "version " (serving.version) ", trained " (moment(serving.trained_at.as_ref())) }
                    dt { "Fresh" } dd { (age(status.age_seconds)) " old, " (show::counted(status.events_since, "event", "events")) " since" }
                    dt { "Drift" } dd {
                        @if status.drift < DRIFTING { (badge(Tone::Good, "stable")) } @else if status.drift < DRIFTED { (badge(Tone::Warn, "drifting")) } @else { (badge(Tone::Bad, "drifted: train again")) }
                        " " span.num { (format!("{:.3}", status.drift)) }
                        div.tiny.hush { "Population stability index of what is looked at lately against what it learnt from. " (percent(status.unknown_share)) " of that it does not know." }
                    }
                    dt { "Products" } dd { (show::count(serving.products)) " of " (show::count(status.products)) " for sale are known by behaviour; the others by content" }
                }
            } @else {
                (ui::notice(Tone::Info, "No model serves yet: shelves show what is popular, and what is alike by content. The first is trained by itself when enough came in."))
            }
        }
    }
}

fn age(seconds: u64) -> String {
    match seconds {
        0..3600 => show::counted(seconds / 60, "minute", "minutes"),
        3600..172_800 => show::counted(seconds / 3600, "hour", "hours"),
        _ => show::counted(seconds / 86_400, "day", "days"),
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn models_view(visit: &Visit, page: &Models) -> Markup {
    html! {
        section.card.flush {
            header { h2 { "Models" } }
            @if page.models.is_empty() { (ui::empty("layers", "No model yet", "Training begins by itself, or with the button above.", None)) } @else {
                table.table.cards {
                    thead { tr { th scope="col" { "Version" } th scope="col" { "State" } th.num scope="col" { "Learnt from" } th.num scope="col" { "Recall@20" } th.num scope="col" { "nDCG@20" } th.num scope="col" { "MRR@20" } th.num scope="col" { "Coverage" } th scope="col" { span.sr { "Publish" } } } }
                    tbody { @for model in &page.models { (model_view(visit, model)) } }
                }
                footer { p.tiny.hush { "Measured by hiding the last product of some subjects from the model and looking for it among the first twenty; small figures: the same for recommending what is popular." } }
            }
        }
    }
}

fn model_view(visit: &Visit, model: &Model) -> Markup {
    let figure = |of: fn(&Measures) -> f64| {
        html! {
            @match &model.measures {
                Some(measures) if measures.cases > 0 => { (format!("{:.3}", of(measures))) @if let Some(popularity) = &model.popularity { div.tiny.hush { (format!("{:.3}", of(popularity))) } } },
                _ => span.hush { "–" },
            }
        }
    };
    let publishable = model.state() == ModelState::Ready;
    let act = if model.published_at.is_some() { "Roll back to it" } else { "Publish" };
    html! {
        tr {
            th scope="row" { (model.version) div.tiny.hush { (moment(model.started_at.as_ref())) } }
            td data-label="State" {
                @match model.state() {
                    ModelState::Training => { (badge(Tone::Info, "training")) div.tiny { (model.stage) } progress max="100" value=(model.progress_percent) aria-label="Progress" {} },
                    ModelState::Published => (badge(Tone::Good, "serving")),
                    ModelState::Ready => (badge(Tone::Plain, "ready")),
                    ModelState::Failed | ModelState::Unspecified => { (badge(Tone::Bad, "failed")) div.tiny.bad-ink { (model.trouble) } },
                }
            }
            td.num data-label="Learnt from" { (show::counted(model.events, "event", "events")) div.tiny.hush { (show::counted(model.subjects, "subject", "subjects")) ", " (show::counted(model.products, "product", "products")) } }
            td.num data-label="Recall@20" { (figure(|measures| measures.recall_at_20)) }
            td.num data-label="nDCG@20" { (figure(|measures| measures.ndcg_at_20)) }
            td.num data-label="MRR@20" { (figure(|measures| measures.mrr_at_20)) }
            td.num data-label="Coverage" { (figure(|measures| measures.coverage)) }
            td { @if publishable { (form::post(visit, &format!("{HOME}/{}/publish", model.model_id), html! { button.btn.outline.small type="submit" { (act) } })) } }
        }
    }
}

fn intake_view(intake: &[IntakeMinute]) -> Markup {
    let kinds = [BehaviourKind::View, BehaviourKind::Click, BehaviourKind::Search, BehaviourKind::AddToCart, BehaviourKind::Purchase];
    let total = |kind: BehaviourKind| intake.iter().filter(|minute| minute.kind() == kind).map(|minute| minute.events).sum::<u64>();
    html! {
        section.card {
            h2.mb4 { "Behaviour in the last hour" }
            dl.facts { @for kind in kinds { dt { (word(kind.as_str_name(), "BEHAVIOUR_KIND_")) } dd.num { (show::count(total(kind))) } } }
        }
    }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::{operator, time};
    let at = |text| Some(kit_rpc::timestamp(time(text)));
    let measures = Measures { cases: 812, recall_at_20: 0.312, ndcg_at_20: 0.181, mrr_at_20: 0.142, coverage: 0.64 };
    let serving = Model {
        model_id: "mdl_2".to_owned(),
        version: 2,
        state: ModelState::Published.into(),
        started_at: at("2026-11-21T06:00:00Z"),
        trained_at: at("2026-11-21T06:00:41Z"),
        published_at: at("2026-11-21T06:00:41Z"),
        events: 48_211,
        subjects: 3_120,
        products: 1_980,
        measures: Some(measures),
        popularity: Some(Measures { recall_at_20: 0.08, ndcg_at_20: 0.031, mrr_at_20: 0.02, coverage: 0.01, ..measures }),
        ..Model::default()
    };
    let ready = Model { model_id: "mdl_1".to_owned(), version: 1, state: ModelState::Ready.into(), ..serving.clone() };
    let training = Model { version: 3, state: ModelState::Training.into(), stage: "learning".to_owned(), progress_percent: 25, ..Model::default() };
    let failed = Model { version: 4, state: ModelState::Failed.into(), trouble: "the object store is full".to_owned(), ..Model::default() };
    let status =
        ModelStatus { serving: Some(serving.clone()), age_seconds: 16_000, events_since: 2_011, drift: 0.14, unknown_share: 0.03, products: 2_000 };
    let minute = IntakeMinute { minute: at("2026-11-21T10:23:00Z"), kind: BehaviourKind::View.into(), events: 1_204 };
    vec![
        ("operator-recommendations", view(&operator(), &Models { status, models: vec![failed, training, serving, ready], intake: vec![minute] })),
        ("operator-recommendations-none", view(&operator(), &Models::default())),
    ]
}

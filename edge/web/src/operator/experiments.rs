//! Experiments on shelves: two ways to recommend, side by side, and which of them people take up.

use api_recommendations::{Arm, Experiment, Interval, ListExperimentsRequest, Placement, StartExperimentRequest, StopExperimentRequest, Strategy};
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use kit_rpc::problem_of;
use maud::{Markup, html};

use super::{console, moment, staff};
use crate::failure::Page;
use crate::session::{Here, Posted};
use crate::site::Web;
use crate::ui::{self, Tone, badge, form, show};
use crate::visit::Visit;

const HOME: &str = "/operator/experiments";
const EXPERIMENTS: u32 = 20;

const PLACEMENTS: [(Placement, &str); 4] =
    [(Placement::Home, "Home page"), (Placement::Product, "Product page"), (Placement::Cart, "Cart"), (Placement::Order, "Order")];
const TREATMENTS: [(Strategy, &str); 3] =
    [(Strategy::Popular, "What is popular"), (Strategy::Collaborative, "Behaviour alone"), (Strategy::Content, "Content alone")];

pub(crate) async fn show(State(site): State<Web>, here: Here) -> Page {
    staff(&here)?;
    let request = ListExperimentsRequest { limit: EXPERIMENTS };
    let found = site.recommendations.clone().list_experiments(here.ctx.request(request)).await?.into_inner();
    Ok(view(&here, &found.experiments).into_response())
}

pub(crate) async fn start(State(site): State<Web>, here: Here, Posted(form): Posted) -> Page {
    staff(&here)?;
    let request = StartExperimentRequest {
        name: form.text("name"),
        placement: form.get("placement").parse().unwrap_or_default(),
        treatment: form.get("treatment").parse().unwrap_or_default(),
        treatment_percent: form.get("treatment_percent").parse().unwrap_or_default(),
    };
    match site.recommendations.clone().start_experiment(here.ctx.request(request)).await {
        Ok(_) => Ok(site.redirect(HOME, Tone::Good, "The experiment runs.")),
        Err(status) => Ok(site.redirect(HOME, Tone::Bad, &problem_of(&status).message)),
    }
}

pub(crate) async fn stop(State(site): State<Web>, here: Here, Path(experiment_id): Path<String>, Posted(_): Posted) -> Page {
    staff(&here)?;
    match site.recommendations.clone().stop_experiment(here.ctx.request(StopExperimentRequest { experiment_id })).await {
        Ok(_) => Ok(site.redirect(HOME, Tone::Good, "Ended. Everybody gets the same shelves again.")),
        Err(status) => Ok(site.redirect(HOME, Tone::Bad, &problem_of(&status).message)),
    }
}

fn view(visit: &Visit, experiments: &[Experiment]) -> Markup {
    let body = html! {
        div.stack.loose {
            @for experiment in experiments { (experiment_view(visit, experiment)) }
            @if experiments.is_empty() { (ui::empty("chart-line", "No experiment yet", "Compare what serves now with another way to recommend.", None)) }
            section.card { h2.mb4 { "Begin an experiment" } (start_form(visit)) }
        }
    };
    console(
        visit,
        HOME,
        "Experiments",
        "Two ways to recommend, side by side: each visitor stays in one arm, and what they open and buy decides.",
        html! {},
        body,
    )
}

fn start_form(visit: &Visit) -> Markup {
    form::post(
        visit,
        HOME,
        html! {
            div.stack {
                label.field { span { "Name" } input.input type="text" name="name" required maxlength="100"; }
                label.field { span { "Where" } select.input name="placement" { @for (placement, name) in PLACEMENTS { option value=(i32::from(placement)) { (name) } } } }
                label.field { span { "Instead of the hybrid" } select.input name="treatment" { @for (strategy, name) in TREATMENTS { option value=(i32::from(strategy)) { (name) } } } }
                label.field { span { "Percent of visitors" } input.input type="number" name="treatment_percent" min="1" max="99" value="50"; }
                div { button.btn type="submit" { "Begin" } }
            }
        },
    )
}

fn name_of(strategy: Strategy) -> &'static str {
    TREATMENTS.iter().find(|(known, _)| *known == strategy).map_or("Hybrid", |(_, name)| name)
}

fn experiment_view(visit: &Visit, experiment: &Experiment) -> Markup {
    let running = experiment.stopped_at.is_none();
    let place = PLACEMENTS.iter().find(|(placement, _)| *placement == experiment.placement()).map_or("", |(_, name)| name);
    html! {
        section.card.flush {
            header {
                div { h2 { (experiment.name) } p.tiny.hush { (place) ", since " (moment(experiment.started_at.as_ref())) } }
                @if running { (form::post(visit, &format!("{HOME}/{}/stop", experiment.experiment_id), html! { button.btn.outline.small type="submit" { "End it" } })) } @else { (badge(Tone::Plain, "ended")) }
            }
            table.table.cards {
                thead { tr { th scope="col" { "Arm" } th.num scope="col" { "Visitors" } th.num scope="col" { "Opened something" } th.num scope="col" { "Bought it" } } }
                tbody { @for (place, arm) in experiment.arms.iter().enumerate() { (arm_view(place, arm)) } }
            }
            footer { (verdict(experiment.lift.as_ref())) }
        }
    }
}

fn arm_view(place: usize, arm: &Arm) -> Markup {
    html! {
        tr {
            th scope="row" { (name_of(arm.strategy())) div.tiny.hush { (if place == 0 { "control" } else { "treatment" }) ", " (arm.percent) " %" } }
            td.num data-label="Visitors" { (show::count(arm.exposed)) }
            td.num data-label="Opened something" { (share(arm.clicked, arm.click_through.as_ref())) }
            td.num data-label="Bought it" { (share(arm.bought, arm.conversion.as_ref())) }
        }
    }
}

fn share(count: u64, share: Option<&Interval>) -> Markup {
    let share = share.copied().unwrap_or_default();
    html! { (show::count(count)) " (" (format!("{:.1} %", share.value * 100.0)) ")" div.tiny.hush { (format!("{:.1}–{:.1} %", share.low * 100.0, share.high * 100.0)) } }
}

/// A difference counts when its 95 % interval leaves zero out.
fn verdict(lift: Option<&Interval>) -> Markup {
    let Some(lift) = lift else { return html! { p.small.hush { "Not enough visitors to compare yet." } } };
    let points = format!("{:+.1} points ({:+.1} to {:+.1} with 95 % confidence)", lift.value * 100.0, lift.low * 100.0, lift.high * 100.0);
    html! {
        p.small.row.tight {
            @if lift.low > 0.0 { (badge(Tone::Good, "treatment is better")) } @else if lift.high < 0.0 { (badge(Tone::Bad, "treatment is worse")) } @else { (badge(Tone::Plain, "no difference shown")) }
            span { "Click-through " (points) }
        }
    }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::{operator, time};
    let at = |text| Some(kit_rpc::timestamp(time(text)));
    let interval = |value, low, high| Some(Interval { value, low, high });
    let arm = |strategy: Strategy, clicked| Arm {
        strategy: strategy.into(),
        percent: 50,
        exposed: 1_000,
        clicked,
        bought: 31,
        click_through: interval(0.2, 0.18, 0.22),
        conversion: interval(0.031, 0.022, 0.044),
    };
    let ended = Experiment {
        experiment_id: "exp_1".to_owned(),
        name: "Popular against hybrid".to_owned(),
        placement: Placement::Home.into(),
        started_at: at("2026-11-14T09:00:00Z"),
        stopped_at: at("2026-11-20T09:00:00Z"),
        arms: vec![arm(Strategy::Hybrid, 200), arm(Strategy::Popular, 120)],
        lift: interval(-0.08, -0.11, -0.05),
    };
    let running = Experiment { experiment_id: "exp_2".to_owned(), stopped_at: None, lift: interval(0.01, -0.02, 0.04), ..ended.clone() };
    let begun = Experiment { experiment_id: "exp_3".to_owned(), lift: None, ..running.clone() };
    vec![("operator-experiments", view(&operator(), &[begun, running, ended])), ("operator-experiments-none", view(&operator(), &[]))]
}

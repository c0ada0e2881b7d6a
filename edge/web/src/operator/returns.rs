//! Returns of all shops: where a shop does not answer, the market does.

use api_orders::{ListAllReturnsRequest, Return};
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use http::StatusCode;
use maud::{Markup, html};

use super::{ListQuery, console, link, staff};
use crate::failure::Page;
use crate::seller::returns::{decide, detail, load, state_of, table};
use crate::session::{Here, Posted};
use crate::site::Web;
use crate::ui::form::Form;
use crate::ui::{self, Tone};
use crate::visit::Visit;

const PATH: &str = "/operator/returns";
const PAGE: u32 = 25;

pub(crate) async fn list(State(site): State<Web>, here: Here, Query(wanted): Query<ListQuery>) -> Page {
    staff(&here)?;
    let request = ListAllReturnsRequest { limit: PAGE, cursor: wanted.cursor.clone(), state: state_of(&wanted.state).into(), ..Default::default() };
    let found = site.orders.clone().list_all_returns(here.ctx.request(request)).await?.into_inner();
    Ok(view_list(&here, &wanted, &found.returns, &found.next_cursor).into_response())
}

fn view_list(visit: &Visit, wanted: &ListQuery, found: &[Return], next: &str) -> Markup {
    let body = html! {
        (table(visit, PATH, &wanted.state, found))
        (ui::pager(None, (!next.is_empty()).then(|| link(PATH, &[("state", &wanted.state), ("cursor", next)])).as_deref()))
    };
    console(visit, PATH, "Returns", "Across all shops; what is overdue waits for you.", html! {}, body)
}

pub(crate) async fn show(State(site): State<Web>, here: Here, Path(return_id): Path<String>) -> Page {
    staff(&here)?;
    let shown = load(&site, &here, &return_id).await?;
    Ok(view(&here, &shown, &Form::default()).into_response())
}

pub(crate) async fn act(State(site): State<Web>, here: Here, Path((return_id, act)): Path<(String, String)>, Posted(form): Posted) -> Page {
    staff(&here)?;
    match decide(&site, &here, &return_id, &act, form).await? {
        Ok(told) => Ok(site.redirect(&format!("{PATH}/{return_id}"), Tone::Good, told)),
        Err(form) => {
            let shown = load(&site, &here, &return_id).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, view(&here, &shown, &form)).into_response())
        }
    }
}

fn view(visit: &Visit, shown: &Return, form: &Form) -> Markup {
    let body = html! {
        (ui::crumbs(&[(PATH.to_owned(), "Returns".to_owned())], &shown.number))
        (detail(visit, shown, PATH, "/operator/orders", visit.may("operator:orders.write"), form))
    };
    console(visit, PATH, &shown.number, &shown.store_name, html! {}, body)
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::returned::sample;
    use crate::visit::sample::operator;
    use api_orders::ReturnState;
    vec![
        ("operator-returns", view_list(&operator(), &ListQuery::default(), &[sample(ReturnState::Requested), sample(ReturnState::Refused)], "")),
        ("operator-returns-none", view_list(&operator(), &ListQuery::default(), &[], "")),
        ("operator-return", view(&operator(), &sample(ReturnState::Requested), &Form::default())),
    ]
}

//! One order: confirmation, tracking that changes live, cancelling, paying again. For its buyer, and for whoever has its link.

use api_orders::{
    CancelOrderRequest, CancelSubOrderRequest, GetInvoiceRequest, GetOrderRequest, ListOrdersRequest, ListOrdersResponse, Order, RetryPaymentRequest,
    TrackOrderRequest, WatchOrderRequest,
};
use axum::extract::{Path, Query as UrlQuery, State};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Redirect, Response};
use futures::StreamExt;
use http::{HeaderValue, header};
use kit_core::Code;
use kit_rpc::problem_of;
use serde::Deserialize;

use crate::buyer::checkout::next;
use crate::buyer::order_pages::{self as pages, Access};
use crate::buyer::paying::{CardAnswer, means_for, with_forms_to};
use crate::buyer::store::Cursor;
use crate::failure::{Failure, Page};
use crate::session::{Here, Posted};
use crate::site::{Site, Web};
use crate::ui::Tone;
use crate::ui::form::Form;

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(crate) struct Arrival {
    access_token: String,
    /// Came straight from placing it.
    placed: String,
    /// Only this part of it.
    part: String,
}

async fn load(site: &Site, here: &Here, order_id: &str, access_token: &str) -> Result<Order, Failure> {
    let request = GetOrderRequest { order_id: order_id.to_owned(), access_token: access_token.to_owned() };
    site.orders.clone().get_order(here.ctx.request(request)).await?.into_inner().order.ok_or_else(Failure::not_found)
}

pub(crate) async fn show(State(site): State<Web>, here: Here, Path(id): Path<String>, UrlQuery(arrival): UrlQuery<Arrival>) -> Page {
    let order = load(&site, &here, &id, &arrival.access_token).await?;
    let access = Access { token: &arrival.access_token, just_placed: !arrival.placed.is_empty() };
    Ok(pages::order(&here, &order, &access).into_response())
}

/// The link in messages to guests.
pub(crate) async fn track(State(site): State<Web>, here: Here, Path(number): Path<String>, UrlQuery(arrival): UrlQuery<Arrival>) -> Page {
    if arrival.access_token.is_empty() {
        return Ok(Redirect::to("/orders").into_response());
    }
    let request = TrackOrderRequest { number, access_token: arrival.access_token.clone() };
    let order = site.orders.clone().track_order(here.ctx.request(request)).await?.into_inner().order.ok_or_else(Failure::not_found)?;
    let access = Access { token: &arrival.access_token, just_placed: false };
    Ok(pages::order(&here, &order, &access).into_response())
}

/// The order's part of the page, now and after each change.
pub(crate) async fn live(State(site): State<Web>, here: Here, Path(id): Path<String>, UrlQuery(arrival): UrlQuery<Arrival>) -> Page {
    let mut ctx = here.ctx.clone();
    // A page may stay open for hours; the browser comes back when the stream ends.
    ctx.deadline = None;
    let mut request = ctx.request(WatchOrderRequest { order_id: id, access_token: arrival.access_token.clone() });
    request.set_timeout(LIVE);
    let changes = site.orders.clone().watch_order(request).await?.into_inner();
    let events = changes.take_while(|change| futures::future::ready(change.is_ok())).filter_map(move |change| {
        let order = change.ok().and_then(|change| change.order);
        let access = Access { token: &arrival.access_token, just_placed: false };
        let event = order.map(|order| Event::default().event("update").data(pages::changing(&here, &order, &access).0));
        futures::future::ready(event)
    });
    Ok(site.live(events))
}

const LIVE: std::time::Duration = std::time::Duration::from_secs(600);

pub(crate) async fn list(State(site): State<Web>, here: Here, UrlQuery(at): UrlQuery<Cursor>) -> Page {
    if here.ctx.user().is_none() {
        return Err(Failure { code: Code::Unauthenticated, message: String::new() });
    }
    let request = ListOrdersRequest { cursor: at.cursor.clone(), ..Default::default() };
    let found: ListOrdersResponse = site.orders.clone().list_orders(here.ctx.request(request)).await?.into_inner();
    Ok(pages::list(&here, &found, !at.cursor.is_empty()).into_response())
}

/// What became of a posted change: back to the order with the news.
fn back(site: &Site, order_id: &str, token: &str, outcome: Result<&str, &tonic::Status>) -> Page {
    let address = pages::address_of(order_id, "", token);
    match outcome {
        Ok(told) => Ok(site.redirect(&address, Tone::Good, told)),
        Err(status) => match problem_of(status) {
            problem if matches!(problem.code, Code::Conflict | Code::Refused | Code::Stale | Code::Invalid) => {
                Ok(site.redirect(&address, Tone::Bad, &problem.message))
            }
            _ => Err(status.clone().into()),
        },
    }
}

pub(crate) async fn cancel(State(site): State<Web>, here: Here, Path(id): Path<String>, Posted(form): Posted) -> Page {
    let token = form.text("access_token");
    let request = CancelOrderRequest { order_id: id.clone(), reason: form.text("reason"), access_token: token.clone() };
    let outcome = site.orders.clone().cancel_order(here.ctx.request(request)).await;
    back(&site, &id, &token, outcome.as_ref().map(|_| "The order is cancelled. What was paid goes back to your card."))
}

pub(crate) async fn cancel_part(State(site): State<Web>, here: Here, Path((id, sub_order_id)): Path<(String, String)>, Posted(form): Posted) -> Page {
    let request = CancelSubOrderRequest { sub_order_id, reason: form.text("reason") };
    let outcome = site.orders.clone().cancel_sub_order(here.ctx.request(request)).await;
    back(
        &site,
        &id,
        form.get("access_token"),
        outcome.as_ref().map(|_| "That part is cancelled. Its share goes back to your card; the rest goes on."),
    )
}

pub(crate) async fn invoice(State(site): State<Web>, here: Here, Path(id): Path<String>, UrlQuery(arrival): UrlQuery<Arrival>) -> Page {
    let request = GetInvoiceRequest { order_id: id.clone(), access_token: arrival.access_token, sub_order_id: arrival.part };
    let file = site.orders.clone().get_invoice(here.ctx.request(request)).await?.into_inner();
    let mut response = Response::new(axum::body::Body::from(file.data));
    let kind = HeaderValue::from_str(&file.content_type).unwrap_or(HeaderValue::from_static("application/pdf"));
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("inline; filename=\"invoice.pdf\""));
    Ok(response)
}

/// Paying again, with another card: the card form, and back from the provider the last question.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(crate) struct PayAgain {
    access_token: String,
    /// The access token again, as the provider returns it: fields beginning with "state" come back unchanged.
    state_access: String,
    #[serde(flatten)]
    card: CardAnswer,
}

/// As in the checkout: a provider's form is taken for a link.
pub(crate) async fn sent_back(Path(id): Path<String>, UrlQuery(arrival): UrlQuery<PayAgain>) -> Response {
    Redirect::to(&pages::address_of(&id, "", &arrival.access_token)).into_response()
}

pub(crate) async fn show_pay(State(site): State<Web>, here: Here, Path(id): Path<String>, UrlQuery(arrival): UrlQuery<PayAgain>) -> Page {
    let token = if arrival.access_token.is_empty() { &arrival.state_access } else { &arrival.access_token };
    let order = load(&site, &here, &id, token).await?;
    if order.next_action.is_none() {
        return Ok(Redirect::to(&pages::address_of(&id, "", token)).into_response());
    }
    let total = order.totals.as_ref().and_then(|totals| totals.total.clone());
    let means = means_for(&site, &here, total, order.sub_orders.iter().map(|part| part.tenant_id.clone()).collect()).await?;
    let page = if arrival.card.payment_token.is_empty() {
        pages::pay(&here, &order, token, &means, &arrival.card.form())
    } else {
        pages::pay_with(&here, &order, token, &arrival.card.clone().complete(&means.kept), &Form::default())
    };
    Ok(with_forms_to(page, &means))
}

pub(crate) async fn pay(State(site): State<Web>, here: Here, Path(id): Path<String>, Posted(form): Posted) -> Page {
    let token = form.text("access_token");
    let return_url = format!("{}{}", site.public_url, pages::address_of(&id, "", &token));
    let card = CardAnswer::posted(&form);
    let request = RetryPaymentRequest {
        order_id: id.clone(),
        payment_method: card.payment_token.clone(),
        return_url,
        access_token: token.clone(),
        save_payment_method: card.saves(),
    };
    match site.orders.clone().retry_payment(here.ctx.request(request)).await {
        Ok(answer) if token.is_empty() => Ok(next(answer.into_inner().next_action.as_ref(), &id, false)),
        Ok(answer) => match answer.into_inner().next_action {
            Some(action) if action.url.starts_with("http") => Ok(Redirect::to(&action.url).into_response()),
            _ => Ok(Redirect::to(&pages::address_of(&id, "", &token)).into_response()),
        },
        Err(status) => back(&site, &id, &token, Err(&status)),
    }
}

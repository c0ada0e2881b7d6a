//! The checkout, step by step: who, where to, how each shop ships, how to pay, a last look. Each step is a page of its own and a
//! form that posts and redirects; what is missing decides where one is sent. The decisions are the order service's.

use api_identity::SavedAddress;
use api_orders::{
    Checkout, GetCheckoutRequest, NextAction, NextActionKind, PlaceOrderRequest, ShippingChoice, StartCheckoutRequest, UpdateCheckoutRequest,
};
use axum::extract::{Path, Query as UrlQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};
use kit_rpc::{Ctx, problem_of};
use maud::Markup;

use crate::buyer::account::{address_book, countries};
use crate::buyer::address;
use crate::buyer::checkout_pages::{self as pages, Step};
use crate::buyer::paying::{CardAnswer, means, with_forms_to};
use crate::failure::{Failure, Page};
use crate::session::{Here, Posted, with_cookies};
use crate::site::{Site, Web};
use crate::ui::Tone;
use crate::ui::form::Form;

/// Signed in: begins a checkout of the cart. Otherwise: asks who, and a guest goes on without an account.
pub(crate) async fn begin(State(site): State<Web>, here: Here) -> Page {
    if here.ctx.user().is_none() {
        return Ok(Redirect::to("/cart").into_response());
    }
    if !here.viewer.signed_in {
        return Ok(pages::who(&here).into_response());
    }
    match start(&site, &here.ctx).await? {
        Ok(checkout) => Ok(Redirect::to(&as_before(&site, &here, &checkout).await?).into_response()),
        Err(cart) => Ok(cart),
    }
}

pub(crate) async fn begin_as_guest(State(site): State<Web>, here: Here, headers: HeaderMap, Posted(_): Posted) -> Page {
    let (ctx, cookies) = site.somebody(&here, &headers).await?;
    let response = match start(&site, &ctx).await? {
        Ok(checkout) => Redirect::to(&pages::address_of(&checkout.checkout_id, Step::Address)).into_response(),
        Err(cart) => cart,
    };
    Ok(with_cookies(response, cookies))
}

/// A checkout of the cart, or the way back to the cart, where what stands in the way is best seen.
async fn start(site: &Site, ctx: &Ctx) -> Result<Result<Checkout, Response>, Failure> {
    match site.orders.clone().start_checkout(ctx.request(StartCheckoutRequest::default())).await {
        Ok(answer) => Ok(Ok(answer.into_inner().checkout.unwrap_or_default())),
        Err(status) => match problem_of(&status) {
            problem if matches!(problem.code, kit_core::Code::Refused | kit_core::Code::Conflict) => {
                Ok(Err(site.redirect("/cart", Tone::Warn, &problem.message)))
            }
            _ => Err(status.into()),
        },
    }
}

/// The express path of those who have bought before: to the address and with the card they keep, straight to the last look, where all of
/// it can be changed. Whatever is not known, or does not suit this cart, is asked for as ever.
async fn as_before(site: &Site, here: &Here, checkout: &Checkout) -> Result<String, Failure> {
    let step = |step| pages::address_of(&checkout.checkout_id, step);
    let Some(address) = saved(site, here).await.into_iter().next().and_then(|first| first.address) else { return Ok(step(Step::Address)) };
    let request = UpdateCheckoutRequest {
        checkout_id: checkout.checkout_id.clone(),
        email: Some(here.viewer.email.clone()),
        shipping_address: Some(address),
        ..Default::default()
    };
    let Ok(answer) = site.orders.clone().update_checkout(here.ctx.request(request)).await else { return Ok(step(Step::Address)) };
    let checkout = answer.into_inner().checkout.unwrap_or_default();
    if let Some(lacking) = lacking(&checkout) {
        return Ok(step(lacking));
    }
    let kept = means(site, here, &checkout).await?.kept;
    Ok(match kept.first() {
        Some(method) => format!("{}?payment_token={}", step(Step::Review), method.method_id),
        None => step(Step::Payment),
    })
}

/// The checkout as it stands; one that has become an order leads there, one that has run out back to the cart.
async fn load(site: &Site, ctx: &Ctx, checkout_id: &str) -> Result<Result<Checkout, Response>, Failure> {
    let request = GetCheckoutRequest { checkout_id: checkout_id.to_owned() };
    let checkout = site.orders.clone().get_checkout(ctx.request(request)).await?.into_inner().checkout.ok_or_else(Failure::not_found)?;
    if !checkout.order_id.is_empty() {
        return Ok(Err(Redirect::to(&format!("/orders/{}", checkout.order_id)).into_response()));
    }
    if checkout.expires_at.as_ref().is_some_and(|at| kit_rpc::time(at) <= site.clock.now()) {
        return Ok(Err(site.redirect("/cart", Tone::Warn, "That checkout has run out. Your cart is as it was; check out again when you like.")));
    }
    Ok(Ok(checkout))
}

async fn saved(site: &Site, here: &Here) -> Vec<SavedAddress> {
    if here.viewer.signed_in { address_book(site, here).await.unwrap_or_default() } else { Vec::new() }
}

pub(crate) async fn show_address(State(site): State<Web>, here: Here, Path(id): Path<String>) -> Page {
    let checkout = match load(&site, &here.ctx, &id).await? {
        Ok(checkout) => checkout,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let (countries, saved) = tokio::join!(countries(&site, &here), saved(&site, &here));
    let email = if checkout.email.is_empty() { &here.viewer.email } else { &checkout.email };
    let mut form = Form::default().with("email", email);
    match &checkout.shipping_address {
        Some(known) => {
            form = address::fill(form, FIELD, known);
            let of_book = saved.iter().find(|entry| entry.address.as_ref() == Some(known)).map_or("new", |entry| entry.address_id.as_str());
            form = form.with("saved", of_book);
        }
        None => {
            form = form
                .with("shipping_address.name", here.viewer.name.clone())
                .with("shipping_address.country", "US")
                .with("saved", saved.first().map_or("new", |entry| entry.address_id.as_str()))
        }
    }
    Ok(pages::address(&here, &checkout, &form, &countries, &saved).into_response())
}

const FIELD: &str = "shipping_address.";

pub(crate) async fn set_address(State(site): State<Web>, here: Here, Path(id): Path<String>, Posted(form): Posted) -> Page {
    let saved = saved(&site, &here).await;
    let chosen = saved.iter().find(|entry| entry.address_id == form.get("saved")).and_then(|entry| entry.address.clone());
    let shipping_address = chosen.unwrap_or_else(|| address::read(&form, FIELD));
    let request = UpdateCheckoutRequest {
        checkout_id: id.clone(),
        email: Some(form.text("email")),
        shipping_address: Some(shipping_address),
        ..Default::default()
    };
    match site.orders.clone().update_checkout(here.ctx.request(request)).await {
        Ok(_) => Ok(Redirect::to(&pages::address_of(&id, Step::Shipping)).into_response()),
        Err(status) => {
            let form = refused(form, &status)?;
            let checkout = match load(&site, &here.ctx, &id).await? {
                Ok(checkout) => checkout,
                Err(elsewhere) => return Ok(elsewhere),
            };
            Ok(again(pages::address(&here, &checkout, &form, &countries(&site, &here).await, &saved)))
        }
    }
}

/// The form with what was wrong; errors that are not about the form are failures of the page.
fn refused(form: Form, status: &tonic::Status) -> Result<Form, Failure> {
    let problem = problem_of(status);
    match problem.code {
        kit_core::Code::Invalid | kit_core::Code::Refused | kit_core::Code::Conflict => Ok(form.rejected(&problem)),
        _ => Err(status.clone().into()),
    }
}

fn again(page: Markup) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
}

pub(crate) async fn show_shipping(State(site): State<Web>, here: Here, Path(id): Path<String>) -> Page {
    match load(&site, &here.ctx, &id).await? {
        Ok(checkout) if lacks_address(&checkout) => Ok(Redirect::to(&pages::address_of(&id, Step::Address)).into_response()),
        Ok(checkout) => Ok(pages::shipping(&here, &checkout, &Form::default()).into_response()),
        Err(elsewhere) => Ok(elsewhere),
    }
}

fn lacks_address(checkout: &Checkout) -> bool {
    checkout.missing.iter().any(|missing| missing == "email" || missing == "shipping_address")
}

/// The first step that still lacks something; `None` when it can be placed.
fn lacking(checkout: &Checkout) -> Option<Step> {
    if lacks_address(checkout) {
        return Some(Step::Address);
    }
    (!checkout.missing.is_empty()).then_some(Step::Shipping)
}

pub(crate) async fn set_shipping(State(site): State<Web>, here: Here, Path(id): Path<String>, Posted(form): Posted) -> Page {
    // One radio group per seller, named by the seller.
    let choices = form
        .names()
        .filter(|name| name.starts_with("ten_"))
        .map(|name| ShippingChoice { tenant_id: name.to_owned(), shipping_method_id: form.text(name) });
    let request = UpdateCheckoutRequest { checkout_id: id.clone(), shipping_methods: choices.collect(), ..Default::default() };
    match site.orders.clone().update_checkout(here.ctx.request(request)).await {
        Ok(_) => Ok(Redirect::to(&pages::address_of(&id, Step::Payment)).into_response()),
        Err(status) => {
            let form = refused(form, &status)?;
            match load(&site, &here.ctx, &id).await? {
                Ok(checkout) => Ok(again(pages::shipping(&here, &checkout, &form))),
                Err(elsewhere) => Ok(elsewhere),
            }
        }
    }
}

pub(crate) async fn show_payment(State(site): State<Web>, here: Here, Path(id): Path<String>, UrlQuery(card): UrlQuery<CardAnswer>) -> Page {
    let checkout = match load(&site, &here.ctx, &id).await? {
        Ok(checkout) => checkout,
        Err(elsewhere) => return Ok(elsewhere),
    };
    if let Some(step) = lacking(&checkout) {
        return Ok(Redirect::to(&pages::address_of(&id, step)).into_response());
    }
    let means = means(&site, &here, &checkout).await?;
    Ok(with_forms_to(pages::payment(&here, &checkout, &means, &card.form()), &means))
}

pub(crate) async fn show_review(State(site): State<Web>, here: Here, Path(id): Path<String>, UrlQuery(card): UrlQuery<CardAnswer>) -> Page {
    let checkout = match load(&site, &here.ctx, &id).await? {
        Ok(checkout) => checkout,
        Err(elsewhere) => return Ok(elsewhere),
    };
    if let Some(step) = lacking(&checkout) {
        return Ok(Redirect::to(&pages::address_of(&id, step)).into_response());
    }
    if card.payment_token.is_empty() {
        let pairs = [("payment_error", &card.payment_error), ("payment_error_field", &card.payment_error_field)];
        let told = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        return Ok(Redirect::to(&format!("{}?{told}", pages::address_of(&id, Step::Payment))).into_response());
    }
    // The order is placed from here, and the answer may lead to the provider's challenge page.
    let means = means(&site, &here, &checkout).await?;
    let card = card.complete(&means.kept);
    Ok(with_forms_to(pages::review(&here, &checkout, &card, &Form::default()), &means))
}

pub(crate) async fn place(State(site): State<Web>, here: Here, Path(id): Path<String>, Posted(form): Posted) -> Page {
    let return_url = format!("{}{}/return", site.public_url, pages::address_of(&id, Step::Checkout));
    let card = CardAnswer::posted(&form);
    let request =
        PlaceOrderRequest { checkout_id: id.clone(), payment_method: card.payment_token.clone(), return_url, save_payment_method: card.saves() };
    match site.orders.clone().place_order(here.ctx.request(request)).await {
        Ok(answer) => {
            let answer = answer.into_inner();
            let order_id = answer.order.map(|order| order.order_id).unwrap_or_default();
            // The cart empties by the order's event; its number in the header empties now.
            let response = next(answer.next_action.as_ref(), &order_id, true);
            Ok(with_cookies(response, [site.cart_cookie(0)]))
        }
        Err(status) => {
            let form = refused(form, &status)?;
            match load(&site, &here.ctx, &id).await? {
                Ok(checkout) => {
                    let means = means(&site, &here, &checkout).await?;
                    Ok((StatusCode::UNPROCESSABLE_ENTITY, with_forms_to(pages::review(&here, &checkout, &card, &form), &means)).into_response())
                }
                Err(elsewhere) => Ok(elsewhere),
            }
        }
    }
}

/// Where the buyer goes after paying was tried.
pub(crate) fn next(action: Option<&NextAction>, order_id: &str, placed: bool) -> Response {
    let order = if placed { format!("/orders/{order_id}?placed=1") } else { format!("/orders/{order_id}") };
    match action {
        // What is not a page (a link into an app) is shown on the order's own page.
        Some(action) if action.kind() == NextActionKind::Redirect && action.url.starts_with("http") => Redirect::to(&action.url).into_response(),
        _ => Redirect::to(&order).into_response(),
    }
}

/// Back from the payment provider's challenge.
pub(crate) async fn returned(State(site): State<Web>, here: Here, Path(id): Path<String>) -> Page {
    match load(&site, &here.ctx, &id).await? {
        Ok(_) => Ok(Redirect::to(&pages::address_of(&id, Step::Payment)).into_response()),
        Err(order) => Ok(order),
    }
}

/// Some providers send the browser back with a form instead of a link. What it says is not believed: it goes on as if it were a link.
pub(crate) async fn sent_back(Path(id): Path<String>) -> Response {
    Redirect::to(&format!("{}/return", pages::address_of(&id, Step::Checkout))).into_response()
}

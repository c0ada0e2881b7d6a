//! The sandbox's own pages: what it is and how to use it, and the bank's 3-D Secure challenge. Plain HTML, no script.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use kit_core::{Currency, Money};
use maud::{DOCTYPE, Markup, html};
use serde::Deserialize;

use crate::api::Shared;
use crate::cards::test_cards;
use crate::error::Error;
use crate::model::{Payment, Status};
use crate::tokens::allowed_return;
use crate::world::World;

const STYLE: &str = include_str!("style.css");

pub(crate) async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "public, max-age=3600")], STYLE)
}

pub(crate) fn page(title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " – Sandbox PSP" }
                link rel="stylesheet" href="/style.css";
            }
            body {
                header { p class="brand" { "Sandbox PSP" } p class="note" { "Test mode. No money moves here." } }
                main { (content) }
            }
        }
    }
}

/// The documentation, short.
pub(crate) async fn index(State(world): Shared) -> Markup {
    let url = &world.settings.public_url;
    let endpoints = [
        ("POST /v1/payments", "create; with a token also confirm (Idempotency-Key)"),
        ("GET /v1/payments?idempotency_key=…", "the payment created under a key"),
        ("GET /v1/payments?after=…&limit=…", "payments in the order of their ids"),
        ("GET /v1/payments/{id}", "one payment with its captures and refunds"),
        ("POST /v1/payments/{id}/confirm", "charge a token"),
        ("POST /v1/payments/{id}/capture", "all or amount_minor, several times; last: true releases the rest (Idempotency-Key)"),
        ("POST /v1/payments/{id}/cancel", "give up what is not captured"),
        ("POST /v1/payments/{id}/refunds", "all or amount_minor, several times (Idempotency-Key)"),
        ("DELETE /v1/methods/{id}", "forget a saved card"),
        ("GET /v1/events?after=…&limit=…", "events, oldest first"),
        ("POST /v1/tokens", "the browser's card form, with the publishable key"),
        ("GET, PUT, DELETE /v1/faults", "faults on demand: see the README"),
    ];
    page(
        "Documentation",
        &html! {
            h1 { "A payment service provider to test against" }
            p { "Everything here behaves like a real provider: an HTTP API under keys, a card form that posts to us and never to the merchant, "
                "3-D Secure pages, signed webhooks, and faults when you ask for them." }
            h2 { "Test cards" }
            p { "Any expiry in the future and any security code. Programs may use the token directly." }
            div class="scroll" tabindex="0" role="region" aria-label="Test cards" { table {
                thead { tr { th scope="col" { "Number" } th scope="col" { "Token" } th scope="col" { "What it does" } } }
                tbody { @for card in test_cards() { tr { td { code { (card.number) } } td { code { (card.token) } } td { (card.effect) } } } }
            } }
            h2 { "API" }
            p { "JSON, under " code { "Authorization: Bearer <secret key>" } ". Amounts are integers in minor units." }
            div class="scroll" tabindex="0" role="region" aria-label="API" { table {
                thead { tr { th scope="col" { "Request" } th scope="col" { "Does" } } }
                tbody { @for (request, does) in endpoints { tr { td { code { (request) } } td { (does) } } } }
            } }
            h2 { "Card form" }
            p { "A plain form that posts to " code { (url) "/v1/tokens" } " with " code { "key" } ", " code { "number" } ", " code { "exp_month" } ", "
                code { "exp_year" } " (or " code { "expiry" } "), " code { "cvc" } ", " code { "return_url" } " and fields starting with " code { "state" }
                ". The browser comes back to the return_url with " code { "payment_token" } " or " code { "payment_error" } "." }
            h2 { "Webhooks" }
            p { code { "{\"events\": [{\"id\", \"type\", \"created\", \"payment\"}]}" } ", signed in the header " code { "Sandbox-Signature: t=<seconds>,v1=<hex>" }
                " with HMAC-SHA256 over " code { "<seconds>.<body>" } ". Sent again with growing pauses until answered 2xx." }
        },
    )
}

/// A page that says no.
pub(crate) fn refusal(message: &str) -> Markup {
    page("Not possible", &html! { h1 { "This is not possible" } p role="alert" { (message) } p { "Go back to the shop and try again." } })
}

/// The card's bank asks its owner.
pub(crate) async fn challenge(State(world): Shared, Path(id): Path<String>) -> Response {
    match world.payment(&id) {
        Ok(payment) if payment.status == Status::RequiresAction => ask(&payment).into_response(),
        Ok(payment) => back_to_merchant(&world, &payment),
        Err(error) => (StatusCode::NOT_FOUND, refusal(&error.to_string())).into_response(),
    }
}

fn ask(payment: &Payment) -> Markup {
    let amount = payment.currency.parse::<Currency>().map(|currency| Money::new(payment.amount_minor, currency).to_string()).unwrap_or_default();
    let means = match payment.card.as_ref() {
        Some(card) if card.last4.is_empty() => card.brand.replace('_', " "),
        card => format!("card ending in {}", card.map(|card| card.last4.as_str()).unwrap_or_default()),
    };
    page(
        "Confirm your payment",
        &html! {
            h1 { "Confirm your payment" }
            p { "Your bank wants to know that it is you." }
            dl {
                div { dt { "Amount" } dd { (amount) } }
                div { dt { "For" } dd { (if payment.description.is_empty() { &payment.reference } else { &payment.description }) } }
                div { dt { "With" } dd { (means) } }
            }
            form method="post" class="choice" {
                button type="submit" name="decision" value="approve" class="primary" { "Approve" }
                button type="submit" name="decision" value="reject" { "Reject" }
            }
        },
    )
}

#[derive(Deserialize)]
pub(crate) struct Decision {
    decision: String,
}

/// The buyer decided; back to the merchant, whose page then asks or has been told how it stands.
pub(crate) async fn answer_challenge(State(world): Shared, Path(id): Path<String>, Form(form): Form<Decision>) -> Response {
    let approved = match form.decision.as_str() {
        "approve" => true,
        "reject" => false,
        _ => return (StatusCode::BAD_REQUEST, refusal("choose to approve or to reject")).into_response(),
    };
    match world.answer_challenge(&id, approved).await {
        Ok(payment) => back_to_merchant(&world, &payment),
        Err(error @ Error::NotFound(_)) => (StatusCode::NOT_FOUND, refusal(&error.to_string())).into_response(),
        Err(error) => error.into_response(),
    }
}

/// The return_url with how it went, as far as the browser may be told: the merchant must not believe it, only ask.
fn back_to_merchant(world: &World, payment: &Payment) -> Response {
    let status = if payment.status == Status::Failed { "failed" } else { "succeeded" };
    match allowed_return(&world.settings, &payment.return_url) {
        Ok(mut url) => {
            url.query_pairs_mut().append_pair("payment", &payment.id).append_pair("redirect_status", status);
            Redirect::to(url.as_str()).into_response()
        }
        Err(_) => page("Done", &html! { h1 { "Done" } p { "The payment has " (status) ". You can close this page and return to the shop." } })
            .into_response(),
    }
}

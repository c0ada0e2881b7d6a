//! Signing in, up and out; a forgotten password; a confirmed address.

use api_identity::{
    RequestPasswordResetRequest, ResendVerificationRequest, ResetPasswordRequest, Session, SignInRequest, SignOutRequest, SignUpRequest,
    VerifyEmailRequest,
};
use axum::extract::{Query as UrlQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};
use kit_rpc::problem_of;
use maud::{Markup, html};
use serde::Deserialize;

use crate::failure::Page;
use crate::session::{Here, Posted, device, safe_next, with_cookies};
use crate::site::{Site, Web};
use crate::ui::form::{self, Form, Input};
use crate::ui::{self, Head, Tone};
use crate::visit::Visit;

#[derive(Deserialize, Default)]
pub(crate) struct Arrival {
    #[serde(default)]
    next: String,
    #[serde(default)]
    token: String,
}

/// A form that was refused, shown again.
fn again(page: Markup) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
}

pub(crate) async fn show_in(here: Here, UrlQuery(arrival): UrlQuery<Arrival>) -> Page {
    if here.viewer.signed_in {
        return Ok(Redirect::to(safe_next(&arrival.next, "/account")).into_response());
    }
    Ok(view_in(&here, &Form::default().with("next", arrival.next)).into_response())
}

pub(crate) async fn sign_in(State(site): State<Web>, here: Here, headers: HeaderMap, Posted(form): Posted) -> Page {
    let request = SignInRequest { email: form.text("email"), password: password(&form, "password"), device: device(&headers) };
    match site.identity.clone().sign_in(here.ctx.request(request)).await {
        Ok(answer) => Ok(signed_in(&site, answer.into_inner().session.unwrap_or_default(), safe_next(form.get("next"), "/"))),
        Err(status) => Ok(again(view_in(&here, &form.clone().rejected(&problem_of(&status))))),
    }
}

/// A password as it was typed: blanks at its ends count.
fn password(form: &Form, name: &str) -> String {
    form.all(name).first().cloned().unwrap_or_default()
}

fn signed_in(site: &Site, session: Session, next: &str) -> Response {
    with_cookies(Redirect::to(next).into_response(), [site.session_cookie(&session)])
}

pub(crate) fn view_in(visit: &Visit, form: &Form) -> Markup {
    let next = form.get("next");
    let head = Head { title: "Sign in", tab: "account", ..Head::default() };
    let fields = html! {
        div.stack {
            (form.summary())
            input type="hidden" name="next" value=(next);
            (Input::email("email", "E-mail address").focus().show(form))
            (Input::password("password", "Password").show(form))
            button.btn.large.block type="submit" { "Sign in" }
        }
    };
    ui::page(
        visit,
        &head,
        html! {
            div.narrow.sign {
                div { h1 { "Sign in" } p.soft-ink.mt2 { "New here? " a href=(with_next("/sign-up", next)) { "Make an account" } } }
                div.card { (form::post(visit, "/sign-in", fields)) }
                p.small { a href="/forgot" { "Forgot your password?" } }
            }
        },
    )
}

fn with_next(address: &str, next: &str) -> String {
    if next.is_empty() {
        return address.to_owned();
    }
    format!("{address}?{}", url::form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish())
}

pub(crate) async fn show_up(here: Here, UrlQuery(arrival): UrlQuery<Arrival>) -> Page {
    if here.viewer.signed_in {
        return Ok(Redirect::to(safe_next(&arrival.next, "/account")).into_response());
    }
    Ok(view_up(&here, &Form::default().with("next", arrival.next)).into_response())
}

pub(crate) async fn sign_up(State(site): State<Web>, here: Here, headers: HeaderMap, Posted(form): Posted) -> Page {
    let request = SignUpRequest {
        email: form.text("email"),
        password: password(&form, "password"),
        name: form.text("name"),
        device: device(&headers),
        language: "en".to_owned(),
    };
    match site.identity.clone().sign_up(here.ctx.request(request)).await {
        Ok(answer) => Ok(signed_in(&site, answer.into_inner().session.unwrap_or_default(), safe_next(form.get("next"), "/account"))),
        Err(status) => Ok(again(view_up(&here, &form.clone().rejected(&problem_of(&status))))),
    }
}

pub(crate) fn view_up(visit: &Visit, form: &Form) -> Markup {
    let next = form.get("next");
    let head = Head { title: "Make an account", tab: "account", ..Head::default() };
    let fields = html! {
        div.stack {
            (form.summary())
            input type="hidden" name="next" value=(next);
            (Input::text("name", "Name").autocomplete("name").max_len(100).optional().show(form))
            (Input::email("email", "E-mail address").show(form))
            (Input::password("password", "Password").autocomplete("new-password").hint("At least 10 characters. Three or four unrelated words are easy to remember and hard to guess.").show(form))
            button.btn.large.block type="submit" { "Make an account" }
        }
    };
    ui::page(
        visit,
        &head,
        html! {
            div.narrow.sign {
                div { h1 { "Make an account" } p.soft-ink.mt2 { "Already have one? " a href=(with_next("/sign-in", next)) { "Sign in" } } }
                @if visit.cart_count > 0 { (ui::notice(Tone::Info, "What is in your cart stays there.")) }
                div.card { (form::post(visit, "/sign-up", fields)) }
            }
        },
    )
}

pub(crate) async fn sign_out(State(site): State<Web>, here: Here, Posted(_): Posted) -> Page {
    if !here.session.is_empty() {
        // Signed out here in any case; a session that could not be ended ends by itself.
        let ended = site.identity.clone().sign_out(here.ctx.request(SignOutRequest { token: here.session.clone() })).await;
        if let Err(status) = ended {
            tracing::warn!(%status, "a session was not ended at sign-out");
        }
    }
    let cookies = site.signed_out();
    Ok(with_cookies(site.redirect("/", Tone::Good, "You are signed out."), cookies))
}

pub(crate) async fn show_forgot(here: Here) -> Page {
    Ok(view_forgot(&here, &Form::default()).into_response())
}

pub(crate) async fn forgot(State(site): State<Web>, here: Here, Posted(form): Posted) -> Page {
    let request = RequestPasswordResetRequest { email: form.text("email") };
    match site.identity.clone().request_password_reset(here.ctx.request(request)).await {
        Ok(_) => Ok(site.redirect("/sign-in", Tone::Good, "If there is an account with that address, a message with a link is on its way.")),
        Err(status) => Ok(again(view_forgot(&here, &form.clone().rejected(&problem_of(&status))))),
    }
}

pub(crate) fn view_forgot(visit: &Visit, form: &Form) -> Markup {
    let head = Head { title: "Forgotten password", tab: "account", ..Head::default() };
    let fields = html! {
        div.stack {
            (form.summary())
            (Input::email("email", "E-mail address").focus().show(form))
            button.btn.large.block type="submit" { "Send me a link" }
        }
    };
    ui::page(
        visit,
        &head,
        html! {
            div.narrow.sign {
                div { h1 { "Forgot your password?" } p.soft-ink.mt2 { "Tell us your address and we send you a link to choose a new one." } }
                div.card { (form::post(visit, "/forgot", fields)) }
            }
        },
    )
}

pub(crate) async fn show_reset(here: Here, UrlQuery(arrival): UrlQuery<Arrival>) -> Page {
    Ok(view_reset(&here, &Form::default().with("token", arrival.token)).into_response())
}

pub(crate) async fn reset(State(site): State<Web>, here: Here, Posted(form): Posted) -> Page {
    let request = ResetPasswordRequest { token: form.text("token"), password: password(&form, "password") };
    match site.identity.clone().reset_password(here.ctx.request(request)).await {
        Ok(_) => Ok(site.redirect("/sign-in", Tone::Good, "Your password is changed and all sessions are ended. Sign in with the new one.")),
        Err(status) => Ok(again(view_reset(&here, &form.clone().rejected(&problem_of(&status))))),
    }
}

pub(crate) fn view_reset(visit: &Visit, form: &Form) -> Markup {
    let head = Head { title: "New password", tab: "account", ..Head::default() };
    let fields = html! {
        div.stack {
            (form.summary())
            input type="hidden" name="token" value=(form.get("token"));
            (Input::password("password", "New password").autocomplete("new-password").hint("At least 10 characters.").focus().show(form))
            button.btn.large.block type="submit" { "Change password" }
        }
    };
    ui::page(visit, &head, html! { div.narrow.sign { h1 { "Choose a new password" } div.card { (form::post(visit, "/reset", fields)) } } })
}

/// The link of the message leads here; a button confirms, because programs that look at mail follow links too.
pub(crate) async fn show_verify(here: Here, UrlQuery(arrival): UrlQuery<Arrival>) -> Page {
    Ok(view_verify(&here, &Form::default().with("token", arrival.token)).into_response())
}

pub(crate) async fn verify(State(site): State<Web>, here: Here, Posted(form): Posted) -> Page {
    match site.identity.clone().verify_email(here.ctx.request(VerifyEmailRequest { token: form.text("token") })).await {
        Ok(_) => Ok(site.redirect(if here.viewer.signed_in { "/account" } else { "/sign-in" }, Tone::Good, "Your address is confirmed. Thank you.")),
        Err(status) => Ok(again(view_verify(&here, &form.clone().rejected(&problem_of(&status))))),
    }
}

pub(crate) async fn resend(State(site): State<Web>, here: Here, Posted(_): Posted) -> Page {
    site.identity.clone().resend_verification(here.ctx.request(ResendVerificationRequest {})).await?;
    Ok(site.redirect("/account", Tone::Good, "The message is on its way."))
}

pub(crate) fn view_verify(visit: &Visit, form: &Form) -> Markup {
    let head = Head { title: "Confirm your address", tab: "account", ..Head::default() };
    let fields = html! {
        div.stack {
            (form.summary())
            input type="hidden" name="token" value=(form.get("token"));
            button.btn.large.block type="submit" { "Confirm" }
        }
    };
    ui::page(
        visit,
        &head,
        html! {
            div.narrow.sign {
                div { h1 { "Confirm your address" } p.soft-ink.mt2 { "One click, and we know that our messages reach you." } }
                div.card { (form::post(visit, "/verify", fields)) }
            }
        },
    )
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample;
    let refused = Form::default().with("email", "ann@example.com").refused("E-mail address or password is not right.");
    let wrong = Form::default()
        .with("email", "ann@")
        .with("name", crate::buyer::sample::LONG)
        .wrong("email", "Must be an e-mail address like name@example.com.")
        .wrong("password", "Is one of the well-known bad ones.");
    vec![
        ("sign-in", view_in(&sample::nobody(), &Form::default().with("next", "/cart"))),
        ("sign-in-refused", view_in(&sample::nobody(), &refused)),
        ("sign-up", view_up(&sample::nobody(), &Form::default())),
        ("sign-up-wrong", view_up(&Visit { cart_count: 2, ..sample::nobody() }, &wrong)),
        ("forgot", view_forgot(&sample::nobody(), &Form::default())),
        ("reset", view_reset(&sample::nobody(), &Form::default().with("token", "t"))),
        ("verify", view_verify(&sample::nobody(), &Form::default().with("token", "t"))),
    ]
}

//! When a page cannot be shown: the way from any error to a page that says so kindly.

use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use kit_core::Code;
use kit_rpc::{http_status, problem_of};
use maud::{Markup, html};

use crate::ui::{self, Head};
use crate::visit::Visit;

/// What handlers return: a page, a redirect, or a failure that the frame turns into a page.
pub(crate) type Page = Result<Response, Failure>;

#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    /// For people; empty: the page's own words for the code.
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn not_found() -> Self {
        Self { code: Code::NotFound, message: String::new() }
    }

    pub(crate) fn forbidden(message: &str) -> Self {
        Self { code: Code::Forbidden, message: message.to_owned() }
    }

    pub(crate) fn invalid(message: &str) -> Self {
        Self { code: Code::Invalid, message: message.to_owned() }
    }
}

impl From<tonic::Status> for Failure {
    fn from(status: tonic::Status) -> Self {
        let problem = problem_of(&status);
        // An address with a wrong id in it names nothing, which is what 404 says.
        let wrong_id = problem.code == Code::Invalid && problem.violations.iter().any(|violation| violation.field.ends_with("_id"));
        let code = if wrong_id { Code::NotFound } else { problem.code };
        let message =
            if matches!(code, Code::Internal | Code::NotFound | Code::Unavailable | Code::Timeout) { String::new() } else { problem.message };
        Self { code, message }
    }
}

impl IntoResponse for Failure {
    /// A bare answer that carries the failure; the layer around all pages puts the page in, because only it knows the visitor.
    fn into_response(self) -> Response {
        let mut response = StatusCode::from_u16(http_status(self.code)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The page for a failure; who has to sign in first is sent to do so.
pub(crate) fn answer(visit: &Visit, failure: &Failure, is_get: bool) -> Response {
    if failure.code == Code::Unauthenticated {
        let next = if is_get { &visit.path } else { "/" };
        return Redirect::to(&sign_in_url(next)).into_response();
    }
    let status = StatusCode::from_u16(http_status(failure.code)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, view(visit, failure)).into_response()
}

pub(crate) fn sign_in_url(next: &str) -> String {
    let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
    format!("/sign-in?next={next}")
}

pub(crate) fn view(visit: &Visit, failure: &Failure) -> Markup {
    let (picture, title, text) = match failure.code {
        Code::NotFound => ("search", "There is nothing here", "The page may have moved, or a shop no longer sells what was here."),
        Code::Forbidden => ("lock", "This is not yours to see", "You are signed in, but this page needs rights your account does not have."),
        Code::Invalid => ("circle-help", "That did not make sense to us", "Something in the address or the form was not right."),
        Code::Conflict | Code::Stale | Code::Refused => {
            ("refresh-cw", "That is no longer possible", "Things have changed since you opened the page. Go back and look again.")
        }
        Code::TooMany => ("clock", "A little slower, please", "Too many requests came from you just now. Wait a moment and try again."),
        Code::Unavailable | Code::Timeout => {
            ("sprout", "We will be right back", "Part of the market does not answer right now. Try again in a moment.")
        }
        Code::Internal | Code::Unauthenticated => {
            ("triangle-alert", "Something broke on our side", "It has been noted. Try again in a moment; nothing you entered was half done.")
        }
    };
    let text = if failure.message.is_empty() { text.to_owned() } else { sentence(&failure.message) };
    let head = Head { title, ..Head::default() };
    ui::page(
        visit,
        &head,
        html! {
            div.oops {
                (ui::empty_drawing(picture))
                h1 { (title) }
                p { (text) }
                div.row { a.btn href="/" { "To the market" } a.btn.outline href="/search" { "Browse everything" } }
                p.tiny.hush { "Request " span.mono { (visit.ctx.request_id) } }
            }
        },
    )
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    let ending = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{ending}", chars.as_str())
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    let visit = crate::visit::sample::nobody();
    let failure = |code, message: &str| Failure { code, message: message.to_owned() };
    vec![
        ("failure-404", view(&visit, &Failure::not_found())),
        ("failure-500", view(&visit, &failure(Code::Internal, ""))),
        ("failure-503", view(&visit, &failure(Code::Unavailable, ""))),
        ("failure-409", view(&visit, &failure(Code::Conflict, "an order that is shipped cannot be cancelled"))),
    ]
}

//! What the pages of the seller portal and the operator console share: lists with a filter, words, moments, links.

use axum::response::{IntoResponse, Response};
use http::header;
use kit_core::Time;
use kit_rpc::disposition;
use kit_rpc::proto::google_api::HttpBody;
use maud::{Markup, html};

use crate::ui::{self, show};

/// "TENANT_STATE_APPLIED" → "applied".
pub(crate) fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_lowercase().replace('_', " ")
}

pub(crate) fn moment(at: Option<&prost_types::Timestamp>) -> Markup {
    html! { @match at { Some(at) => (show::moment(kit_rpc::time(at))), None => span.hush { "–" } } }
}

/// Whole seconds between two moments, never negative.
pub(crate) fn seconds_since(now: Time, then: Option<&prost_types::Timestamp>) -> i64 {
    then.map_or(0, |then| (now - kit_rpc::time(then)).num_seconds().max(0))
}

/// "/path?a=b&cursor=…" with what is empty left out.
pub(crate) fn link(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()));
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// The filter above a list: a search field and a choice of states, sent as a plain GET.
pub(crate) fn filter(action: &str, hint: &str, query: &str, states: &[(&str, &str)], state: &str) -> Markup {
    html! {
        form.row.mb4 method="get" action=(action) role="search" {
            input.input.grow type="search" name="query" value=(query) placeholder=(hint) aria-label=(hint) maxlength="100";
            @if !states.is_empty() {
                select.select-inline name="state" aria-label="State" {
                    option value="" { "All states" }
                    @for (value, label) in states { option value=(value) selected[*value == state] { (label) } }
                }
            }
            button.btn.outline type="submit" { (ui::icon("search")) "Find" }
        }
    }
}

/// What the lists of the console take from the address.
#[derive(Debug, Default, Clone, serde::Deserialize)]
#[serde(default)]
pub(crate) struct ListQuery {
    pub(crate) query: String,
    pub(crate) state: String,
    pub(crate) cursor: String,
    pub(crate) kind: String,
    pub(crate) service: String,
    pub(crate) actor: String,
}
/// A file a service made, as a download under the service's name for it.
pub(crate) fn download(made: tonic::Response<HttpBody>) -> Response {
    let name = disposition(made.metadata());
    let file = made.into_inner();
    let mut response = ([(header::CONTENT_TYPE, file.content_type)], file.data).into_response();
    if let Some(name) = name {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    response
}

//! `/openapi.json` and `/docs`, the page that shows it: made once at start, no script, nothing from elsewhere.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::openapi::Document;

const STYLE: &str = include_str!("docs.css");

pub(crate) fn routes(document: Document) -> Router {
    let page = page(&document.json).into_string();
    let json = serve("application/json", document.json.to_string());
    let page = serve("text/html; charset=utf-8", page);
    Router::new().route("/openapi.json", get(json)).route("/docs", get(page))
}

/// Answers with one text that does not change while the process runs.
fn serve(kind: &'static str, text: String) -> impl Fn(HeaderMap) -> std::future::Ready<Response> + Clone {
    let tag = format!("\"{:x}\"", Sha256::digest(&text));
    let text = Bytes::from(text);
    move |headers| {
        let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains(tag.as_str()));
        let fixed = [
            (CONTENT_TYPE, kind.to_owned()),
            (CACHE_CONTROL, "public, no-cache".to_owned()),
            (ETAG, tag.clone()),
            (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'".to_owned()),
        ];
        std::future::ready(if known { (StatusCode::NOT_MODIFIED, fixed).into_response() } else { (fixed, text.clone()).into_response() })
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn entries<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.get(key).and_then(Value::as_object).into_iter().flatten()
}

fn page(document: &Value) -> Markup {
    let info = document.get("info").unwrap_or(&Value::Null);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "MarketHub API" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                nav aria-label="Services" {
                    strong { "MarketHub API" }
                    a href="#start" { "Start here" }
                    @for tag in list(document, "tags") { a href={ "#" (text(tag, "name")) } { (text(tag, "name")) } }
                    a href="#types" { "Types" }
                    a href="/openapi.json" { "openapi.json" }
                }
                main {
                    h1 id="start" { "MarketHub API" }
                    p { (text(info, "description")) }
                    (start(document))
                    @for tag in list(document, "tags") { (service(document, tag)) }
                    h2 id="types" { "Types" }
                    @for (name, schema) in document.pointer("/components/schemas").and_then(Value::as_object).into_iter().flatten() { (component(name, schema)) }
                }
            }
        }
    }
}

fn start(document: &Value) -> Markup {
    let server = document.pointer("/servers/0/url").and_then(Value::as_str).unwrap_or_default();
    let grpc = text(document, "x-grpc-address");
    html! {
        pre tabindex="0" { code {
            "curl -s " (server) "/v1/auth/sign-in -H 'content-type: application/json' \\\n"
            "  -d '{\"email\": \"you@example.com\", \"password\": \"…\"}'          # → access_token\n"
            "curl -s " (server) "/v1/cart -H \"authorization: Bearer $TOKEN\""
        } }
        p { "The same operations over gRPC, with reflection, so that no contract is needed to call them:" }
        pre tabindex="0" { code {
            "grpcurl -plaintext " (grpc) " list\n"
            "grpcurl -plaintext " (grpc) " describe markethub.cart.v1.Cart.GetCart\n"
            "grpcurl -plaintext -H \"authorization: Bearer $TOKEN\" " (grpc) " markethub.cart.v1.Cart/GetCart"
        } }
        p { "A seller's program says which tenant it acts for with " code { "x-tenant-id" } ". Errors carry a " code { "kit.v1.Problem" } " in their details." }
    }
}

fn service(document: &Value, tag: &Value) -> Markup {
    let name = text(tag, "name");
    let operations = entries(document, "paths")
        .flat_map(|(path, verbs)| verbs.as_object().into_iter().flatten().map(move |(verb, operation)| (path, verb, operation)));
    html! {
        section {
            h2 id=(name) { (name) }
            @for paragraph in text(tag, "description").split("\n\n") { p { (paragraph) } }
            @for (path, verb, operation) in operations.filter(|(.., operation)| list(operation, "tags").any(|tag| tag == name)) {
                (self::operation(path, verb, operation))
            }
        }
    }
}

fn operation(path: &str, verb: &str, operation: &Value) -> Markup {
    let body = operation.pointer("/requestBody/content/application~1json/schema");
    let answer = entries(operation.pointer("/responses/200").unwrap_or(&Value::Null), "content").next();
    html! {
        details id=(text(operation, "operationId")) {
            summary { span.verb.(verb) { (verb.to_uppercase()) } code { (path) } span.what { (text(operation, "summary")) } }
            @for paragraph in text(operation, "description").split("\n\n") { p { (paragraph) } }
            p.who { "gRPC: " code { (text(operation, "x-grpc")) } }
            p.who { "Who: " (who(operation.get("x-access").unwrap_or(&Value::Null))) }
            @if list(operation, "parameters").next().is_some() {
                table {
                    caption { "Parameters" }
                    @for parameter in list(operation, "parameters") {
                        (row(text(parameter, "name"), parameter.get("schema").unwrap_or(&Value::Null), text(parameter, "description"), parameter.get("required") == Some(&Value::Bool(true)), text(parameter, "in")))
                    }
                }
            }
            @if let Some(schema) = body { (properties("Body", schema)) }
            @else if let Some(raw) = operation.get("requestBody") { p { "Body: the bytes themselves. " (text(raw, "description")) } }
            @if let Some((kind, content)) = answer { p { "Answers " code { (kind) } " " (kind_of(content.get("schema").unwrap_or(&Value::Null))) } }
        }
    }
}

fn who(access: &Value) -> String {
    let flag = |word| access.get(word) == Some(&Value::Bool(true));
    let said = [
        flag("anonymous").then(|| "anyone".to_owned()),
        flag("buyer").then(|| "buyers and guests".to_owned()),
        access.get("seller").map(|permission| format!("sellers with {permission}")),
        access.get("operator").map(|permission| format!("operators with {permission}")),
    ];
    said.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn component(name: &str, schema: &Value) -> Markup {
    html! {
        details id={ "type-" (name) } {
            summary { code { (name) } }
            @for paragraph in text(schema, "description").split("\n\n") { p { (paragraph) } }
            @if schema.get("properties").is_some() { (properties("Fields", schema)) }
            @else { p { (kind_of(schema)) } }
        }
    }
}

fn properties(caption: &str, schema: &Value) -> Markup {
    html! {
        table {
            caption { (caption) }
            @for (name, property) in entries(schema, "properties") {
                (row(name, property, text(property, "description"), list(schema, "required").any(|required| required == name.as_str()), ""))
            }
        }
    }
}

fn row(name: &str, schema: &Value, about: &str, required: bool, place: &str) -> Markup {
    html! {
        tr {
            th scope="row" { code { (name) } @if required { span.required { " required" } } @if !place.is_empty() { small { " " (place) } } }
            td { (kind_of(schema)) " " (about) }
        }
    }
}

/// A schema in a few words.
fn kind_of(schema: &Value) -> Markup {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.rsplit('/').next()) {
        return html! { a href={ "#type-" (name) } { (name) } };
    }
    let bounds = ["maxLength", "maxItems", "minimum", "maximum", "pattern", "format"];
    let told = bounds
        .iter()
        .filter_map(|word| schema.get(*word).map(|bound| format!("{word} {}", bound.as_str().map_or_else(|| bound.to_string(), ToOwned::to_owned))));
    html! {
        em {
            @if let Some(items) = schema.get("items") { "list of " (kind_of(items)) }
            @else if let Some(values) = schema.get("additionalProperties").filter(|values| values.is_object()) { "map of " (kind_of(values)) }
            @else { (text(schema, "type")) }
            @for word in list(schema, "enum") { " " code { (word.as_str().unwrap_or_default()) } }
            @for bound in told { " · " (bound) }
        }
    }
}

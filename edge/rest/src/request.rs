//! From an HTTP request to the bytes of the operation's request message.

use axum::body::Body as HttpBody;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, IF_MATCH};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kit_rpc::proto::FieldViolation;
use serde_json::{Map, Value};

use crate::config::Config;
use crate::operation::{Body, Operation};
use crate::problem::Problem;
use crate::schema::{Field, Schema};
use crate::to_wire::Writer;

/// What of an HTTP request goes into the message.
pub(crate) struct Parts<'a> {
    pub(crate) captured: &'a [String],
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: Bytes,
}

/// Reads the body up to the operation's limit.
pub(crate) async fn read_body(operation: &Operation, config: &Config, body: HttpBody) -> Result<Bytes, Problem> {
    let (limit, name) = match &operation.body {
        Body::None => return Ok(Bytes::new()),
        Body::All => (config.json_body_bytes, "rest.json_body_bytes"),
        Body::Raw { max_bytes: Some(max), .. } => (usize::try_from(*max).unwrap_or(usize::MAX), "the operation's own limit"),
        Body::Raw { max_bytes: None, .. } => (config.raw_body_bytes, "rest.raw_body_bytes"),
    };
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let detail = format!("the body may have at most {limit} bytes ({name})");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid", "BODY_TOO_LARGE", detail))
        }
        Err(_) => Err(Problem::new(StatusCode::BAD_REQUEST, "invalid", "BODY_INCOMPLETE", "the body broke off before its end")),
    }
}

pub(crate) fn message(schema: &Schema, operation: &Operation, parts: &Parts<'_>) -> Result<Vec<u8>, Problem> {
    let mut writer = Writer::new(schema);
    for (name, value) in operation.path_fields.iter().zip(parts.captured) {
        writer.parameter(operation.input, name, std::slice::from_ref(value));
    }
    let taken: Vec<&str> = operation.path_fields.iter().map(String::as_str).collect();
    match &operation.body {
        Body::None => query(&mut writer, operation, parts, &taken),
        Body::All => {
            let mut object = json(parts)?;
            if_match(&mut writer, operation, parts, &mut object);
            no_query(&mut writer, parts);
            writer.object(operation.input, &object, &taken);
        }
        Body::Raw { field, .. } => {
            raw(&mut writer, operation, field, parts);
            let filled = [Some(field), operation.content_type.as_ref(), operation.headers.as_ref()];
            let taken: Vec<&str> = taken.into_iter().chain(filled.into_iter().flatten().map(|field| field.name.as_str())).collect();
            query(&mut writer, operation, parts, &taken);
        }
    }
    writer.finish().map_err(Problem::invalid)
}

fn raw(writer: &mut Writer<'_>, operation: &Operation, field: &Field, parts: &Parts<'_>) {
    writer.raw(field, &parts.body);
    if let Some(field) = &operation.content_type {
        writer.text(field, parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default());
    }
    if let Some(field) = &operation.headers {
        for (name, value) in parts.headers {
            // Credentials are the edge's business.
            if let (false, Ok(value)) = (matches!(name.as_str(), "authorization" | "cookie"), value.to_str()) {
                writer.entry(field, name.as_str(), value);
            }
        }
    }
}

fn query(writer: &mut Writer<'_>, operation: &Operation, parts: &Parts<'_>, taken: &[&str]) {
    let mut given: Vec<(String, Vec<String>)> = Vec::new();
    for (name, value) in url::form_urlencoded::parse(parts.query.as_bytes()) {
        match given.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value.into_owned()),
            None => given.push((name.into_owned(), vec![value.into_owned()])),
        }
    }
    if_match_parameter(writer, operation, parts, &mut given);
    for (name, values) in given {
        if taken.contains(&name.as_str()) {
            writer.violate_at(&name, "is not given as a parameter");
        } else {
            writer.parameter(operation.input, &name, &values);
        }
    }
}

fn no_query(writer: &mut Writer<'_>, parts: &Parts<'_>) {
    for (name, _) in url::form_urlencoded::parse(parts.query.as_bytes()) {
        writer.violate_at(&name, "is not a known parameter: this operation takes its fields in the body");
    }
}

fn json(parts: &Parts<'_>) -> Result<Map<String, Value>, Problem> {
    if parts.body.is_empty() {
        return Ok(Map::new());
    }
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("application/json");
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind != "application/json" && !(kind.starts_with("application/") && kind.ends_with("+json")) {
        let detail = format!("the body must be application/json, not {kind}");
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid", "UNSUPPORTED_MEDIA_TYPE", detail));
    }
    match serde_json::from_slice(&parts.body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Problem::new(StatusCode::BAD_REQUEST, "invalid", "INVALID_REQUEST", "the body must be a JSON object")),
        Err(error) => {
            let detail = format!("the body is not JSON: {error}");
            let violation = FieldViolation { field: String::new(), message: format!("not JSON at line {}, column {}", error.line(), error.column()) };
            Err(Problem { violations: vec![violation], ..Problem::new(StatusCode::BAD_REQUEST, "invalid", "MALFORMED_JSON", detail) })
        }
    }
}

/// The version an `If-Match` header names, for operations that check versions. `*`: whatever it is.
fn matched_version(operation: &Operation, headers: &HeaderMap) -> Result<Option<u64>, &'static str> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    if !operation.has_if_version {
        return Err("this operation does not check versions");
    }
    let tag = text.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or_default();
    let version = tag.split('-').next().unwrap_or_default();
    version.parse().map(Some).map_err(|_| "must be one ETag as it was given, like \"3-9f2c…\"")
}

fn if_match(writer: &mut Writer<'_>, operation: &Operation, parts: &Parts<'_>, object: &mut Map<String, Value>) {
    match matched_version(operation, parts.headers) {
        Ok(Some(version)) => drop(object.insert("if_version".to_owned(), version.into())),
        Ok(None) => {}
        Err(message) => writer.violate_at("If-Match", message),
    }
}

fn if_match_parameter(writer: &mut Writer<'_>, operation: &Operation, parts: &Parts<'_>, given: &mut Vec<(String, Vec<String>)>) {
    match matched_version(operation, parts.headers) {
        Ok(Some(version)) => {
            given.retain(|(name, _)| name != "if_version");
            given.push(("if_version".to_owned(), vec![version.to_string()]));
        }
        Ok(None) => {}
        Err(message) => writer.violate_at("If-Match", message),
    }
}

//! The OpenAPI 3.1 document, from the same descriptors that requests are served from: comments become descriptions, rules become
//! constraints, access becomes security.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use kit_rpc::contract;
use kit_rpc::proto::{Access, Rules};
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};
use serde_json::{Map, Value, json};

use crate::comments::Comments;
use crate::operation::{Body, Contracts, Operation, Output};
use crate::schema::Words;

/// The document and what it is served as.
#[derive(Debug, Clone)]
pub struct Document {
    pub json: Value,
}

pub(crate) fn document(contracts: &Contracts, public_url: &str, grpc_address: &str) -> Document {
    let mut build = Build { comments: Comments::default(), schemas: BTreeMap::new(), inputs: BTreeSet::new() };
    let (mut paths, mut tags) = (Map::new(), Vec::new());
    for (_, pool) in &contracts.pools {
        for service in pool.services() {
            service.methods().filter(|method| contract::http(method).is_some()).for_each(|method| build.mark_inputs(&method.input()));
        }
    }
    for (service_name, pool) in &contracts.pools {
        for service in pool.services() {
            let served: Vec<_> = service.methods().filter_map(|method| Some((find(contracts, service_name, &method)?, method))).collect();
            if served.is_empty() {
                continue;
            }
            tags.push(json!({ "name": service_name, "description": build.comments.of(&service.parent_file(), service.path()) }));
            for (operation, method) in served {
                let described = build.operation(operation, &method);
                if let Some(path) = paths.entry(operation.path.clone()).or_insert_with(|| json!({})).as_object_mut() {
                    path.insert(operation.verb.as_str().to_lowercase(), described);
                }
            }
        }
    }
    build.schemas.insert("Problem".to_owned(), problem());
    let json = json!({
        "openapi": "3.1.0",
        "info": { "title": "MarketHub", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT },
        "servers": [{ "url": public_url }],
        "x-grpc-address": grpc_address,
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": build.schemas,
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer", "description": "The access_token of POST /v1/auth/sign-in or POST /v1/auth/guest." } },
        },
    });
    Document { json }
}

const ABOUT: &str = "Buy and sell on MarketHub. Errors are RFC 9457 problems with a stable `reason`. Writes of signed-in people and guests take an \
`Idempotency-Key`: the same request under the same key is answered, not repeated. Lists end when `next_cursor` is empty. Amounts are in minor units of their currency.";

fn find<'a>(contracts: &'a Contracts, service: &str, method: &MethodDescriptor) -> Option<&'a Operation> {
    let name = format!("{service}.{}", method.name());
    contracts.operations.iter().find(|operation| operation.name == name).map(AsRef::as_ref)
}

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "What went wrong (RFC 9457).",
        "required": ["type", "title", "status", "detail", "code", "reason", "request_id"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string", "description": "For people." },
            "code": { "type": "string", "enum": ["invalid", "unauthenticated", "forbidden", "not_found", "conflict", "stale", "refused", "too_many", "unavailable", "timeout", "internal"] },
            "reason": { "type": "string", "description": "A stable word for programs, as in ORDER_NOT_FOUND." },
            "request_id": { "type": "string" },
            "violations": {
                "type": "array",
                "items": { "type": "object", "required": ["field", "message"], "properties": { "field": { "type": "string" }, "message": { "type": "string" } } },
            },
        },
    })
}

struct Build {
    comments: Comments,
    schemas: BTreeMap<String, Value>,
    /// Messages that callers send: there, only what the rules require is required.
    inputs: BTreeSet<String>,
}

impl Build {
    fn mark_inputs(&mut self, message: &MessageDescriptor) {
        if self.inputs.insert(message.full_name().to_owned()) {
            message.fields().filter_map(|field| field.kind().as_message().cloned()).for_each(|inner| self.mark_inputs(&inner));
        }
    }

    fn operation(&mut self, operation: &Operation, method: &MethodDescriptor) -> Value {
        let comment = self.comments.of(&method.parent_file(), method.path());
        let summary = comment.split_inclusive(". ").next().unwrap_or_default().trim().trim_end_matches('.').to_owned();
        let mut described = json!({
            "operationId": operation.name,
            "tags": [operation.service],
            "summary": summary,
            "description": comment,
            "parameters": self.parameters(operation, &method.input()),
            "responses": self.responses(operation, &method.output()),
            "security": if operation.access.anonymous { json!([{}, { "bearer": [] }]) } else { json!([{ "bearer": [] }]) },
            "x-access": access(&operation.access),
            "x-reasons": reasons(&comment),
            "x-grpc": operation.grpc_path.path().trim_start_matches('/'),
        });
        if let (Some(body), Some(object)) = (self.body(operation, &method.input()), described.as_object_mut()) {
            object.insert("requestBody".to_owned(), body);
        }
        described
    }

    fn parameters(&mut self, operation: &Operation, input: &MessageDescriptor) -> Vec<Value> {
        let mut parameters = Vec::new();
        for field in input.fields() {
            let in_path = operation.path_fields.iter().any(|name| name == field.name());
            if in_path {
                parameters.push(self.parameter(&field, "path", field.name()));
            } else if !matches!(operation.body, Body::All) && !fills_itself(operation, field.name()) {
                self.query_parameters(&field, field.name(), &mut parameters, 0);
            }
        }
        let mut header = |name: &str, description: &str| {
            parameters.push(json!({ "name": name, "in": "header", "required": false, "schema": { "type": "string" }, "description": description }));
        };
        if !operation.access.seller.is_empty() {
            header("X-Tenant-Id", "The tenant to act for, when the account works for several.");
        }
        if operation.verb != Method::GET && (!operation.access.anonymous || operation.access.buyer) {
            header("Idempotency-Key", "Any text of the caller's; the same request under the same key is answered, not repeated, for 24 hours.");
        }
        if operation.has_if_version {
            header("If-Match", "The ETag the resource was read with; when it changed since, nothing is done and the answer is 412.");
        }
        parameters
    }

    /// Fields inside a message are given by dotted names.
    fn query_parameters(&mut self, field: &FieldDescriptor, name: &str, parameters: &mut Vec<Value>, depth: usize) {
        match field.kind() {
            Kind::Message(inner) if !field.is_list() && !field.is_map() && !is_time(&inner) => {
                if depth < 3 {
                    inner.fields().for_each(|part| self.query_parameters(&part, &format!("{name}.{}", part.name()), parameters, depth + 1));
                }
            }
            _ => parameters.push(self.parameter(field, "query", name)),
        }
    }

    fn parameter(&mut self, field: &FieldDescriptor, place: &str, name: &str) -> Value {
        let rules = contract::rules(field).unwrap_or_default();
        let mut parameter = json!({
            "name": name,
            "in": place,
            "required": place == "path" || rules.required,
            "schema": self.field(field),
            "description": self.comments.of(&field.parent_message().parent_file(), field.path()),
        });
        if field.is_list()
            && let Some(object) = parameter.as_object_mut()
        {
            object.insert("explode".to_owned(), true.into());
        }
        parameter
    }

    fn body(&mut self, operation: &Operation, input: &MessageDescriptor) -> Option<Value> {
        match &operation.body {
            Body::None => None,
            Body::All => {
                let schema = self.object(input, &operation.path_fields);
                let needed = schema.get("required").is_some();
                Some(json!({ "required": needed, "content": { "application/json": { "schema": schema } } }))
            }
            Body::Raw { field, max_bytes } => {
                let described = input.get_field_by_name(&field.name);
                let comment = described.map(|field| self.comments.of(&input.parent_file(), field.path())).unwrap_or_default();
                let mut schema = json!({ "type": "string", "format": "binary" });
                if let (Some(max), Some(object)) = (max_bytes, schema.as_object_mut()) {
                    object.insert("maxLength".to_owned(), (*max).into());
                }
                Some(json!({ "required": true, "description": comment, "content": { "application/octet-stream": { "schema": schema } } }))
            }
        }
    }

    fn responses(&mut self, operation: &Operation, output: &MessageDescriptor) -> Value {
        let (kind, schema) = match operation.output {
            Output::Json(_) => ("application/json", self.reference(output)),
            Output::Events(_) => ("text/event-stream", self.reference(output)),
            Output::Raw => ("*/*", json!({ "type": "string", "format": "binary" })),
        };
        let about = self.comments.of(&output.parent_file(), output.path());
        let about = if about.is_empty() || matches!(operation.output, Output::Raw) { "Done.".to_owned() } else { about };
        json!({
            "200": { "description": about, "content": { kind: { "schema": schema } } },
            "default": {
                "description": "A problem.",
                "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
            },
        })
    }

    /// Refers to a message's schema, writing it first if it is new.
    fn reference(&mut self, message: &MessageDescriptor) -> Value {
        let name = component(message.full_name());
        if !self.schemas.contains_key(&name) {
            // The place is taken before the message is described, for messages that contain themselves.
            self.schemas.insert(name.clone(), Value::Null);
            let described = self.object(message, &[]);
            self.schemas.insert(name.clone(), described);
        }
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }

    fn object(&mut self, message: &MessageDescriptor, without: &[String]) -> Value {
        let input = self.inputs.contains(message.full_name());
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for field in message.fields().filter(|field| !without.iter().any(|name| name == field.name())) {
            let rules = contract::rules(&field).unwrap_or_default();
            let always_written = !field.supports_presence() && !matches!(field.kind(), Kind::Enum(_) if !field.is_list());
            if (input && rules.required) || (!input && always_written) {
                required.push(Value::from(field.name()));
            }
            let mut schema = self.field(&field);
            let comment = self.comments.of(&message.parent_file(), field.path());
            if let (false, Some(object)) = (comment.is_empty(), schema.as_object_mut()) {
                object.insert("description".to_owned(), comment.into());
            }
            properties.insert(field.name().to_owned(), schema);
        }
        let mut object = json!({ "type": "object", "properties": properties, "additionalProperties": false });
        if let Some(object) = object.as_object_mut() {
            let comment = self.comments.of(&message.parent_file(), message.path());
            if !comment.is_empty() {
                object.insert("description".to_owned(), comment.into());
            }
            if !required.is_empty() {
                object.insert("required".to_owned(), required.into());
            }
        }
        object
    }

    fn field(&mut self, field: &FieldDescriptor) -> Value {
        let rules = contract::rules(field).unwrap_or_default();
        match field.kind() {
            Kind::Message(entry) if field.is_map() => {
                let values = self.kind(&entry.map_entry_value_field().kind(), &Rules::default());
                json!({ "type": "object", "additionalProperties": values })
            }
            kind if field.is_list() => {
                let items = self.kind(&kind, &Rules { max_len: 0, ..rules.clone() });
                let mut list = json!({ "type": "array", "items": items });
                if let (true, Some(object)) = (rules.max_len > 0, list.as_object_mut()) {
                    object.insert("maxItems".to_owned(), rules.max_len.into());
                }
                list
            }
            kind => self.kind(&kind, &rules),
        }
    }

    fn kind(&mut self, kind: &Kind, rules: &Rules) -> Value {
        let mut schema = match kind {
            Kind::String => text(rules),
            Kind::Bytes => json!({ "type": "string", "contentEncoding": "base64" }),
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::Double | Kind::Float => json!({ "type": "number" }),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => json!({ "type": "integer", "format": "int64" }),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => json!({ "type": "integer", "format": "int32" }),
            Kind::Uint64 | Kind::Fixed64 | Kind::Uint32 | Kind::Fixed32 => json!({ "type": "integer", "minimum": 0 }),
            Kind::Enum(of) => return self.words(of),
            Kind::Message(of) if is_time(of) => json!({ "type": "string", "format": "date-time" }),
            Kind::Message(of) => return self.reference(of),
        };
        if let Some(object) = schema.as_object_mut() {
            for (word, bound) in [("minimum", rules.min), ("maximum", rules.max)] {
                if let Some(bound) = bound {
                    object.insert(word.to_owned(), bound.into());
                }
            }
            if !rules.example.is_empty() {
                object.insert("examples".to_owned(), json!([rules.example]));
            }
        }
        schema
    }

    fn words(&mut self, of: &EnumDescriptor) -> Value {
        let name = component(of.full_name());
        if !self.schemas.contains_key(&name) {
            let said: Vec<String> = Words::of(of).said().map(|(word, _)| word.clone()).collect();
            let mut about = self.comments.of(&of.parent_file(), of.path());
            let values = Words::of(of);
            for value in of.values() {
                let comment = self.comments.of(&of.parent_file(), value.path());
                if let (false, Some(word)) = (comment.is_empty(), values.word(value.number())) {
                    about = format!("{about}\n\n`{word}`: {comment}");
                }
            }
            self.schemas.insert(name.clone(), json!({ "type": "string", "enum": said, "description": about.trim() }));
        }
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }
}

/// Where nothing is required, the empty text says nothing.
fn text(rules: &Rules) -> Value {
    let mut schema = json!({ "type": "string" });
    let Some(object) = schema.as_object_mut() else { return schema };
    if rules.max_len > 0 {
        object.insert("maxLength".to_owned(), rules.max_len.into());
    }
    if rules.required {
        object.insert("minLength".to_owned(), 1.into());
    }
    if !rules.id.is_empty() {
        let id = format!("{}_[0-9a-f]{{32}}", rules.id);
        object.insert("pattern".to_owned(), if rules.required { format!("^{id}$") } else { format!("^({id})?$") }.into());
    }
    if !rules.one_of.is_empty() {
        let nothing = (!rules.required && !rules.one_of.contains(&String::new())).then(String::new);
        object.insert("enum".to_owned(), rules.one_of.iter().cloned().chain(nothing).collect::<Vec<_>>().into());
    }
    schema
}

/// `markethub.orders.v1.Order` → `orders.Order`, `kit.v1.Money` → `Money`.
fn component(full_name: &str) -> String {
    full_name.trim_start_matches("markethub.").trim_start_matches("kit.v1.").replace(".v1.", ".")
}

fn is_time(message: &MessageDescriptor) -> bool {
    message.full_name() == "google.protobuf.Timestamp"
}

fn fills_itself(operation: &Operation, name: &str) -> bool {
    let raw = if let Body::Raw { field, .. } = &operation.body { Some(field) } else { None };
    [raw, operation.content_type.as_ref(), operation.headers.as_ref()].into_iter().flatten().any(|field| field.name == name)
}

fn access(access: &Access) -> Value {
    let mut said = Map::new();
    for (word, set) in [("anonymous", access.anonymous), ("buyer", access.buyer)] {
        if set {
            said.insert(word.to_owned(), true.into());
        }
    }
    for (word, permission) in [("seller", &access.seller), ("operator", &access.operator)] {
        if !permission.is_empty() {
            said.insert(word.to_owned(), permission.clone().into());
        }
    }
    said.into()
}

/// The words of a comment's "Reasons: A, B." sentence.
fn reasons(comment: &str) -> Vec<String> {
    let Some((_, list)) = comment.split_once("Reasons:") else { return Vec::new() };
    let words = list.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
    words.filter(|word| word.len() > 3 && word.contains('_')).map(ToOwned::to_owned).collect()
}

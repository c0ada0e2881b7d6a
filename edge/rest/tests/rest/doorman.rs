//! What the tests need around the edge: an identity that knows three tokens, and a reader of the OpenAPI document's schemas.

use std::convert::Infallible;
use std::task::{Context, Poll};

use api_identity::{AuthenticateRequest, AuthenticateResponse};
use futures::FutureExt;
use futures::future::BoxFuture;
use kit_rpc::denied;
use serde_json::Value;
use tonic::body::Body;
use tonic::{Code, Request, Response, Status};

pub(crate) const BUYER: (&str, &str) = ("authorization", "Bearer buyer");
pub(crate) const SELLER: (&str, &str) = ("authorization", "Bearer seller");
pub(crate) const OPERATOR: (&str, &str) = ("authorization", "Bearer operator");

/// Answers `Authenticate` as identity does, for these three.
#[derive(Clone)]
pub(crate) struct Doorman;

fn known(token: &str) -> Result<AuthenticateResponse, Status> {
    let somebody = |last: u32, tenant_id: &str, permission: &str| AuthenticateResponse {
        user_id: format!("usr_{last:032x}"),
        tenant_id: tenant_id.to_owned(),
        permissions: vec![permission.to_owned()],
        ..Default::default()
    };
    match token {
        "buyer" => Ok(somebody(1, "", "buyer")),
        "seller" => Ok(somebody(2, &format!("ten_{:032x}", 1), "seller:catalog.write")),
        "operator" => Ok(somebody(3, "", "operator:catalog.write")),
        _ => Err(denied(Code::Unauthenticated, "TOKEN_INVALID", "the token is not valid")),
    }
}

impl tonic::server::NamedService for Doorman {
    const NAME: &'static str = "markethub.identity.v1.Identity";
}

impl tower::Service<http::Request<Body>> for Doorman {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        async move {
            let answer = |request: Request<AuthenticateRequest>| std::future::ready(known(&request.get_ref().token).map(Response::new));
            let codec = tonic_prost::ProstCodec::<AuthenticateResponse, AuthenticateRequest>::default();
            Ok(tonic::server::Grpc::new(codec).unary(tower::service_fn(answer), request).await)
        }
        .boxed()
    }
}

/// Where a value is not what a schema of the document says; the part of JSON Schema that the document uses.
pub(crate) fn violations(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let target = document.pointer(name.trim_start_matches('#')).unwrap_or_else(|| panic!("{name} does not exist"));
        return violations(document, target, value, at);
    }
    let right = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        other => panic!("the document says {other:?} at {at}"),
    };
    let mut wrong = Vec::new();
    if !right {
        wrong.push(format!("{at}: {value} is no {}", schema["type"]));
    }
    if let (Some(allowed), true) = (schema["enum"].as_array(), value.is_string())
        && !allowed.contains(value)
    {
        wrong.push(format!("{at}: {value} is none of {allowed:?}"));
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        if value.get(required.as_str().unwrap()).is_none() {
            wrong.push(format!("{at}: {required} is missing"));
        }
    }
    for (name, inner) in value.as_object().into_iter().flatten() {
        let described = schema["properties"].get(name).or(schema.get("additionalProperties").filter(|schema| schema.is_object()));
        match described {
            Some(described) => wrong.extend(violations(document, described, inner, &format!("{at}.{name}"))),
            None if schema["additionalProperties"] == false => wrong.push(format!("{at}: {name} is not described")),
            None => {}
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        wrong.extend(violations(document, &schema["items"], item, &format!("{at}[{index}]")));
    }
    wrong
}

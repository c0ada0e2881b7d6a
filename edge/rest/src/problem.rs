//! Every error of the REST edge as RFC 9457 problem+json.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use kit_core::Code;
use kit_rpc::proto::FieldViolation;
use tonic::Status;

/// An error on its way out; the request's id is added by the outermost layer.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) http: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) reason: String,
    pub(crate) detail: String,
    pub(crate) violations: Vec<FieldViolation>,
    pub(crate) retry_after_seconds: u32,
}

impl Problem {
    pub(crate) fn new(http: StatusCode, code: &'static str, reason: &str, detail: impl Into<String>) -> Self {
        Self { http, code, reason: reason.to_owned(), detail: detail.into(), violations: Vec::new(), retry_after_seconds: 0 }
    }

    pub(crate) fn invalid(violations: Vec<FieldViolation>) -> Self {
        let told: Vec<String> = violations.iter().map(|v| format!("{}: {}", v.field, v.message)).collect();
        Self { violations, ..Self::new(StatusCode::BAD_REQUEST, "invalid", "INVALID_REQUEST", told.join("; ")) }
    }

    pub(crate) fn violation(field: &str, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldViolation { field: field.to_owned(), message: message.into() }])
    }

    pub(crate) fn json(&self, request_id: &str) -> serde_json::Value {
        let violations: Vec<_> = self.violations.iter().map(|v| serde_json::json!({ "field": v.field, "message": v.message })).collect();
        let mut problem = serde_json::json!({
            "type": format!("urn:markethub:problem:{}", self.reason.to_lowercase()),
            "title": self.http.canonical_reason().unwrap_or("Error"),
            "status": self.http.as_u16(),
            "detail": self.detail,
            "code": self.code,
            "reason": self.reason,
            "request_id": request_id,
        });
        if !violations.is_empty()
            && let Some(object) = problem.as_object_mut()
        {
            object.insert("violations".to_owned(), violations.into());
        }
        problem
    }

    pub(crate) fn into_response(self, request_id: &str) -> Response {
        let mut response = (self.http, self.json(request_id).to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.retry_after_seconds > 0 {
            headers.insert(RETRY_AFTER, HeaderValue::from(self.retry_after_seconds));
        }
        if self.http == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<Status> for Problem {
    fn from(status: Status) -> Self {
        let problem = kit_rpc::problem_of(&status);
        let http = StatusCode::from_u16(kit_rpc::http_status(problem.code)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // What we did not mean to say is not said.
        let detail = if problem.code == Code::Internal { "something went wrong on our side; it has been logged".to_owned() } else { problem.message };
        Self {
            http,
            code: word(problem.code),
            reason: problem.reason,
            detail,
            violations: problem.violations,
            retry_after_seconds: problem.retry_after_seconds,
        }
    }
}

/// The code as JSON writes it.
pub(crate) const fn word(code: Code) -> &'static str {
    match code {
        Code::Invalid => "invalid",
        Code::Unauthenticated => "unauthenticated",
        Code::Forbidden => "forbidden",
        Code::NotFound => "not_found",
        Code::Conflict => "conflict",
        Code::Stale => "stale",
        Code::Refused => "refused",
        Code::TooMany => "too_many",
        Code::Unavailable => "unavailable",
        Code::Timeout => "timeout",
        Code::Internal => "internal",
    }
}

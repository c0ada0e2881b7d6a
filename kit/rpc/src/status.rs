//! Errors on the wire: a closed code, a stable reason, field violations; mapped once in each direction.

use kit_core::{Code, Fault};
use prost::Message;
use tonic::Status;

use crate::proto;

/// The reason of a request whose fields break a rule; its message names them, whoever found out.
const INVALID_REQUEST: &str = "INVALID_REQUEST";

/// An error as a caller reads it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub code: Code,
    pub reason: String,
    pub message: String,
    pub violations: Vec<proto::FieldViolation>,
    pub retry_after_seconds: u32,
}

/// A service's error as a status. Internal ones are logged here, once, and tell the caller nothing.
pub fn status<E: Fault + std::error::Error>(error: E) -> Status {
    let code = error.code();
    if code == Code::Internal {
        let mut causes = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            causes = format!("{causes}: {cause}");
            source = cause.source();
        }
        tracing::error!(error = causes, "internal error");
        return detailed(tonic::Code::Internal, "INTERNAL", "something went wrong on our side; it has been logged", Vec::new(), 0);
    }
    let violations: Vec<_> = error.violations().into_iter().map(|v| proto::FieldViolation { field: v.field, message: v.message }).collect();
    if code == Code::Invalid && error.reason() == INVALID_REQUEST && !violations.is_empty() {
        return invalid(violations);
    }
    let retry = if matches!(code, Code::TooMany | Code::Unavailable) { 1 } else { 0 };
    detailed(grpc(code), error.reason(), &error.to_string(), violations, retry)
}

/// One wrong field.
pub fn violation(field: &str, message: &str) -> Status {
    invalid(vec![proto::FieldViolation { field: field.to_owned(), message: message.to_owned() }])
}

/// Several wrong fields, all told at once.
pub fn invalid(violations: Vec<proto::FieldViolation>) -> Status {
    let told: Vec<String> = violations.iter().map(|v| format!("{}: {}", v.field, v.message)).collect();
    detailed(tonic::Code::InvalidArgument, INVALID_REQUEST, &told.join("; "), violations, 0)
}

/// Parses a field of a request into its type.
pub fn parse<T: std::str::FromStr>(field: &str, text: &str) -> Result<T, Status>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| violation(field, &error.to_string()))
}

/// A sub-message that must be there.
pub fn required<T>(field: &str, value: Option<T>) -> Result<T, Status> {
    value.ok_or_else(|| violation(field, "is required"))
}

/// An error of the layers and edges, with a reason of its own.
pub fn denied(code: tonic::Code, reason: &str, message: &str) -> Status {
    detailed(code, reason, message, Vec::new(), 0)
}

/// An error that passes by itself, with the seconds after which trying again makes sense.
pub fn retry_later(code: tonic::Code, reason: &str, message: &str, seconds: u32) -> Status {
    detailed(code, reason, message, Vec::new(), seconds)
}

fn detailed(code: tonic::Code, reason: &str, message: &str, violations: Vec<proto::FieldViolation>, retry_after_seconds: u32) -> Status {
    let problem = proto::Problem { reason: reason.to_owned(), violations, retry_after_seconds };
    let details = RichStatus {
        code: i32::from(code),
        message: message.to_owned(),
        details: vec![prost_types::Any { type_url: PROBLEM_URL.to_owned(), value: problem.encode_to_vec() }],
    };
    Status::with_details(code, message, details.encode_to_vec().into())
}

fn problem_in(details: &[u8]) -> Option<proto::Problem> {
    let found = RichStatus::decode(details).ok()?.details.into_iter().find(|any| any.type_url == PROBLEM_URL)?;
    proto::Problem::decode(found.value.as_slice()).ok().filter(|problem| !problem.reason.is_empty())
}

const PROBLEM_URL: &str = "type.googleapis.com/kit.v1.Problem";

/// google.rpc.Status, which every gRPC library expects in `grpc-status-details-bin`: some turn an error with anything else there, or
/// with another code in it, into one of their own.
#[derive(Clone, PartialEq, prost::Message)]
struct RichStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

/// Reads an error back, whoever made it; tonic's own errors get reasons of their own.
pub fn problem_of(status: &Status) -> Problem {
    let details =
        problem_in(status.details()).unwrap_or_else(|| proto::Problem { reason: default_reason(status.code()).to_owned(), ..Default::default() });
    Problem {
        code: code_of(status.code(), &details.reason),
        reason: details.reason,
        message: status.message().to_owned(),
        violations: details.violations,
        retry_after_seconds: details.retry_after_seconds,
    }
}

/// The HTTP status of each code.
pub const fn http_status(code: Code) -> u16 {
    match code {
        Code::Invalid => 400,
        Code::Unauthenticated => 401,
        Code::Forbidden => 403,
        Code::NotFound => 404,
        Code::Conflict => 409,
        Code::Stale => 412,
        Code::Refused => 422,
        Code::TooMany => 429,
        Code::Internal => 500,
        Code::Unavailable => 503,
        Code::Timeout => 504,
    }
}

const fn grpc(code: Code) -> tonic::Code {
    match code {
        Code::Invalid => tonic::Code::InvalidArgument,
        Code::Unauthenticated => tonic::Code::Unauthenticated,
        Code::Forbidden => tonic::Code::PermissionDenied,
        Code::NotFound => tonic::Code::NotFound,
        Code::Conflict => tonic::Code::AlreadyExists,
        Code::Stale => tonic::Code::Aborted,
        Code::Refused => tonic::Code::FailedPrecondition,
        Code::TooMany => tonic::Code::ResourceExhausted,
        Code::Unavailable => tonic::Code::Unavailable,
        Code::Timeout => tonic::Code::DeadlineExceeded,
        Code::Internal => tonic::Code::Internal,
    }
}

fn code_of(code: tonic::Code, reason: &str) -> Code {
    match code {
        tonic::Code::InvalidArgument | tonic::Code::OutOfRange => Code::Invalid,
        tonic::Code::Unauthenticated => Code::Unauthenticated,
        tonic::Code::PermissionDenied => Code::Forbidden,
        tonic::Code::NotFound => Code::NotFound,
        tonic::Code::AlreadyExists => Code::Conflict,
        tonic::Code::Aborted => Code::Stale,
        tonic::Code::FailedPrecondition => Code::Refused,
        tonic::Code::ResourceExhausted => Code::TooMany,
        tonic::Code::Unavailable => Code::Unavailable,
        // A deadline that passed on the other side of a connection arrives as a cancellation.
        tonic::Code::DeadlineExceeded | tonic::Code::Cancelled => Code::Timeout,
        tonic::Code::Unimplemented if reason == "UNIMPLEMENTED" => Code::NotFound,
        _ => Code::Internal,
    }
}

const fn default_reason(code: tonic::Code) -> &'static str {
    match code {
        tonic::Code::InvalidArgument | tonic::Code::OutOfRange => INVALID_REQUEST,
        tonic::Code::Unauthenticated => "SIGN_IN_REQUIRED",
        tonic::Code::PermissionDenied => "FORBIDDEN",
        tonic::Code::NotFound => "NOT_FOUND",
        tonic::Code::ResourceExhausted => "TOO_MANY",
        tonic::Code::Unavailable => "UNAVAILABLE",
        tonic::Code::DeadlineExceeded | tonic::Code::Cancelled => "TIMEOUT",
        tonic::Code::Unimplemented => "UNIMPLEMENTED",
        _ => "INTERNAL",
    }
}

#[cfg(test)]
mod tests {
    use kit_core::Violation;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the request is not valid")]
    struct Unfit;

    impl Fault for Unfit {
        fn code(&self) -> Code {
            Code::Invalid
        }

        fn reason(&self) -> &'static str {
            INVALID_REQUEST
        }

        fn violations(&self) -> Vec<Violation> {
            vec![Violation { field: "buyer.email".to_owned(), message: "is not an e-mail address".to_owned() }]
        }
    }

    #[test]
    fn what_a_service_finds_wrong_is_named_in_the_message() {
        assert_eq!(problem_of(&status(Unfit)).message, "buyer.email: is not an e-mail address");
    }
}

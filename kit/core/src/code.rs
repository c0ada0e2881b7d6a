//! What can go wrong, as callers see it: a closed set of codes, a stable reason, a message for people.

use std::fmt;

/// The closed set of error codes. Each maps to one gRPC status and one HTTP status, in one place (`kit-rpc`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The request itself is wrong; sending it again unchanged cannot succeed. HTTP 400.
    Invalid,
    /// Nobody is signed in, or the token is not valid. HTTP 401.
    Unauthenticated,
    /// The caller is known and may not do this. HTTP 403.
    Forbidden,
    /// There is no such thing, or the caller may not know of it. HTTP 404.
    NotFound,
    /// The thing is in a state that does not allow this. HTTP 409.
    Conflict,
    /// The thing changed since the caller read it. HTTP 412.
    Stale,
    /// Well-formed, but refused by a rule of the business (declined card, reused idempotency key). HTTP 422.
    Refused,
    /// A limit was reached; try again later. HTTP 429.
    TooMany,
    /// Something this needs is not there right now; try again. HTTP 503.
    Unavailable,
    /// The deadline passed. HTTP 504.
    Timeout,
    /// A defect of ours. HTTP 500.
    Internal,
}

/// One field of the request that is wrong, by its path in the request (`items[2].quantity`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub field: String,
    pub message: String,
}

/// What every service error tells its caller. The `Display` text is the message for people.
pub trait Fault: fmt::Display {
    fn code(&self) -> Code;
    /// A stable UPPER_SNAKE_CASE word that programs match on.
    fn reason(&self) -> &'static str;
    fn violations(&self) -> Vec<Violation> {
        Vec::new()
    }
}

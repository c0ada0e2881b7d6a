//! What the API answers when it refuses: an HTTP status and `{"error": {"code", "message", "field"}}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("send the secret key as Authorization: Bearer …")]
    Unauthenticated,
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error("{field}: {message}")]
    Invalid { field: &'static str, message: String },
    #[error("the Idempotency-Key was used before with another request")]
    KeyReused,
    #[error("a payment that is {0} cannot be {1}")]
    WrongState(&'static str, &'static str),
    #[error("at most {left} can be {what}")]
    TooLarge { left: i64, what: &'static str },
    #[error("the token is unknown, used before or too old")]
    TokenUnusable,
    #[error("the sandbox is down, as its faults say")]
    Down,
    #[error("the journal cannot be written; nothing is promised")]
    Journal,
}

impl Error {
    pub(crate) fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { field, message: message.into() }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Invalid { .. } | Self::TokenUnusable => StatusCode::BAD_REQUEST,
            Self::KeyReused | Self::WrongState(..) | Self::TooLarge { .. } => StatusCode::CONFLICT,
            Self::Down | Self::Journal => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The stable word programs match on.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::NotFound(_) => "not_found",
            Self::Invalid { .. } => "invalid_request",
            Self::KeyReused => "idempotency_key_reused",
            Self::WrongState(..) => "wrong_state",
            Self::TooLarge { .. } => "amount_too_large",
            Self::TokenUnusable => "token_unusable",
            Self::Down => "down",
            Self::Journal => "journal_unavailable",
        }
    }

    pub(crate) fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid { field, .. } => Some(field),
            Self::TokenUnusable => Some("token"),
            Self::TooLarge { .. } => Some("amount_minor"),
            _ => None,
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let body = serde_json::json!({"error": {"code": self.code(), "message": self.to_string(), "field": self.field()}});
        (self.status(), Json(body)).into_response()
    }
}

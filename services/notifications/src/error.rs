//! What can go wrong in notifications, as callers see it.

use kit_core::{Code, Fault, Violation};
use kit_db::DbError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no such message")]
    MessageNotFound,
    #[error("cursor: is not one this list gave")]
    Cursor,
    #[error("an event cannot be read: {0}")]
    Unreadable(#[from] prost::DecodeError),
    #[error("an event holds no usable {0}")]
    Malformed(&'static str),
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(DbError::from(error))
    }
}

impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::MessageNotFound => Code::NotFound,
            Self::Cursor => Code::Invalid,
            Self::Unreadable(_) | Self::Malformed(_) => Code::Internal,
            Self::Db(error) => error.code(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::MessageNotFound => "MESSAGE_NOT_FOUND",
            Self::Cursor => "INVALID_REQUEST",
            Self::Unreadable(_) | Self::Malformed(_) => "INTERNAL",
            Self::Db(error) => error.reason(),
        }
    }

    fn violations(&self) -> Vec<Violation> {
        match self {
            Self::Cursor => vec![Violation { field: "cursor".to_owned(), message: "is not one this list gave".to_owned() }],
            _ => Vec::new(),
        }
    }
}

//! What can go wrong, as callers see it.

use kit_core::{Code, Fault, Violation};
use kit_db::DbError;

#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Error {
    #[error("{} of the events are not valid", .0.len())]
    Invalid(Vec<Violation>),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("what was told or stored could not be read: {0}")]
    Unreadable(String),
}

impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::Invalid(_) => Code::Invalid,
            Self::Db(error) => error.code(),
            Self::Unreadable(_) => Code::Internal,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_REQUEST",
            Self::Db(error) => error.reason(),
            Self::Unreadable(_) => "INTERNAL",
        }
    }

    fn violations(&self) -> Vec<Violation> {
        match self {
            Self::Invalid(violations) => violations.clone(),
            Self::Db(_) | Self::Unreadable(_) => Vec::new(),
        }
    }
}

impl Error {
    pub(crate) fn unreadable(what: impl std::fmt::Display) -> Self {
        Self::Unreadable(what.to_string())
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

//! What can go wrong in admin, as callers see it.

use kit_core::{Code, Fault, Violation};
use kit_db::DbError;
use kit_rpc::problem_of;
use tonic::Status;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no service called \"{0}\"")]
    ServiceUnknown(String),
    #[error("{field}: {message}")]
    Invalid { field: &'static str, message: &'static str },
    #[error("{}", .0.message())]
    Service(Status),
    #[error("stored data cannot be read: {0}")]
    Corrupt(&'static str),
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
            Self::ServiceUnknown(_) => Code::NotFound,
            Self::Invalid { .. } => Code::Invalid,
            Self::Service(status) => problem_of(status).code,
            Self::Corrupt(_) => Code::Internal,
            Self::Db(error) => error.code(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::ServiceUnknown(_) => "SERVICE_UNKNOWN",
            Self::Invalid { .. } => "INVALID_REQUEST",
            Self::Service(status) if status.code() == tonic::Code::NotFound => "DEAD_LETTER_NOT_FOUND",
            Self::Service(_) => "STILL_FAILING",
            Self::Corrupt(_) => "INTERNAL",
            Self::Db(error) => error.reason(),
        }
    }

    fn violations(&self) -> Vec<Violation> {
        match self {
            Self::Invalid { field, message } => vec![Violation { field: (*field).to_owned(), message: (*message).to_owned() }],
            _ => Vec::new(),
        }
    }
}

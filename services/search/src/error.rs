//! What can go wrong, as callers see it.

use kit_core::{Code, Fault, Violation};
use kit_db::DbError;

#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no such listing")]
    ListingNotFound,
    #[error("there are no synonyms for that word")]
    SynonymsNotFound,
    #[error("a new index is being built already")]
    ReindexRunning,
    #[error("{field}: {message}")]
    Invalid { field: &'static str, message: &'static str },
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("the index failed: {0}")]
    Index(String),
    #[error("what was told or stored could not be read: {0}")]
    Unreadable(String),
}

impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::ListingNotFound | Self::SynonymsNotFound => Code::NotFound,
            Self::ReindexRunning => Code::Conflict,
            Self::Invalid { .. } => Code::Invalid,
            Self::Db(error) => error.code(),
            Self::Index(_) | Self::Unreadable(_) => Code::Internal,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::ListingNotFound => "LISTING_NOT_FOUND",
            Self::SynonymsNotFound => "SYNONYMS_NOT_FOUND",
            Self::ReindexRunning => "REINDEX_RUNNING",
            Self::Invalid { .. } => "INVALID_REQUEST",
            Self::Db(error) => error.reason(),
            Self::Index(_) | Self::Unreadable(_) => "INTERNAL",
        }
    }

    fn violations(&self) -> Vec<Violation> {
        match self {
            Self::Invalid { field, message } => vec![Violation { field: (*field).to_owned(), message: (*message).to_owned() }],
            _ => Vec::new(),
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

impl From<tantivy::TantivyError> for Error {
    fn from(error: tantivy::TantivyError) -> Self {
        Self::Index(error.to_string())
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Index(error.to_string())
    }
}

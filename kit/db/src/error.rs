//! What can go wrong with a database, in use (`DbError`) and while opening it (`OpenError`).

use std::path::PathBuf;
use std::sync::Arc;

use kit_core::{Code, Fault};

use crate::batch::BatchFailed;
use crate::embedded::EmbeddedError;

/// A database operation failed. Cheap to clone, so that one failed batch can answer each of its callers.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DbError {
    #[error("{}", told(.0))]
    Sql(#[source] Arc<sqlx::Error>),
    #[error(transparent)]
    Batch(#[from] BatchFailed),
    #[error("cell {0} does not exist")]
    UnknownCell(String),
    #[error("the tenant is already placed in cell {0}, and a placement does not change once made")]
    PlacedElsewhere(String),
    #[error("a cell is named by 1 to 30 lower-case letters, digits and underscores, beginning with a letter")]
    InvalidCellName,
    #[error("the cell's database could not be opened")]
    Open(#[source] Arc<OpenError>),
    #[error("what the database holds could not be read: {0}")]
    Unreadable(String),
}

/// PostgreSQL's own words for "not now": the connection broke, the server starts or stops, too many clients, a full disk, or
/// two transactions met (deadlock, lock timeout, serialization) and one may simply try again.
const PASSING: [&str; 10] = ["57P01", "57P02", "57P03", "53300", "53100", "53200", "40001", "40P01", "55P03", "25P03"];
const QUERY_CANCELED: &str = "57014";
const DISK_FULL: &str = "53100";

/// What callers are told; the error itself is for the log.
fn told(error: &Arc<sqlx::Error>) -> &'static str {
    let error = DbError::Sql(Arc::clone(error));
    match error.code() {
        _ if error.sqlstate().as_deref() == Some(DISK_FULL) => "the database's disk is full, so nothing was saved; try again when there is room",
        Code::Unavailable => "the database cannot be reached at this moment; try again",
        Code::Timeout => "the database did not answer in time",
        _ => "the database refused or failed",
    }
}

impl DbError {
    /// The constraint that refused the write, to be translated by name where it was made.
    pub fn constraint_name(&self) -> Option<&str> {
        match self {
            Self::Sql(error) => error.as_database_error().and_then(|error| error.constraint()),
            _ => None,
        }
    }

    fn sqlstate(&self) -> Option<String> {
        match self {
            Self::Sql(error) => error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned()),
            _ => None,
        }
    }

    /// Whether the same operation may well succeed in a moment.
    pub fn is_passing(&self) -> bool {
        matches!(self.code(), Code::Unavailable | Code::Timeout)
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(Arc::new(error))
    }
}

impl Fault for DbError {
    fn code(&self) -> Code {
        match self {
            Self::Sql(error) => match &**error {
                sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => Code::Unavailable,
                _ => match self.sqlstate().as_deref() {
                    Some(QUERY_CANCELED) => Code::Timeout,
                    Some(state) if state.starts_with("08") || PASSING.contains(&state) => Code::Unavailable,
                    _ => Code::Internal,
                },
            },
            Self::Batch(failed) => failed.code(),
            Self::UnknownCell(_) => Code::NotFound,
            Self::PlacedElsewhere(_) => Code::Conflict,
            Self::InvalidCellName => Code::Invalid,
            Self::Open(_) => Code::Unavailable,
            Self::Unreadable(_) => Code::Internal,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Batch(failed) => failed.reason(),
            Self::UnknownCell(_) => "CELL_NOT_FOUND",
            Self::PlacedElsewhere(_) => "TENANT_ALREADY_PLACED",
            Self::InvalidCellName => "CELL_NAME_INVALID",
            Self::Sql(_) | Self::Open(_) | Self::Unreadable(_) => match self.code() {
                Code::Unavailable if self.sqlstate().as_deref() == Some(DISK_FULL) => "DISK_FULL",
                Code::Unavailable => "DATABASE_UNAVAILABLE",
                Code::Timeout => "DATABASE_TIMEOUT",
                _ => "INTERNAL",
            },
        }
    }
}

/// The database could not be opened or migrated; the text tells the person who started MarketHub what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    #[error("{key} is not a PostgreSQL address (postgres://user:password@host/database): {why}")]
    Url { key: String, why: String },
    #[error("cannot connect to the database at {place}: {source}")]
    Connect { place: String, source: sqlx::Error },
    #[error("PostgreSQL {found} is too old: MarketHub needs 15 or newer")]
    TooOld { found: String },
    #[error("the database user {user} may not prepare the database ({action}): {source}")]
    Prepare { user: String, action: &'static str, source: sqlx::Error },
    #[error("migration {schema}/{file} failed: {source}")]
    Migration { schema: String, file: String, source: sqlx::Error },
    #[error("migration {schema}/{file} was changed after it had been applied: migrations only move forward, so restore it and add a new file")]
    Changed { schema: String, file: String },
    #[error("the database failed while it was being opened: {0}")]
    Sql(#[from] sqlx::Error),
    #[error("cannot use {path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
}

//! What can go wrong with fulfillment, as callers see it.

use kit_core::{Code, Fault, Violation};
use kit_db::DbError;

use crate::model::State;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the order to fulfil does not exist")]
    NotFound,
    #[error("the shipment does not exist")]
    ShipmentNotFound,
    #[error("the shipping method does not exist")]
    MethodNotFound,
    #[error("the shipping method has changed since it was read")]
    Stale,
    #[error("a store has at most {0} shipping methods")]
    MethodLimit(i64),
    #[error("an order that is {from} cannot be {to}", from = .0.for_people(), to = .1)]
    IllegalMove(State, &'static str),
    #[error("a delivered shipment does not move any more")]
    Delivered,
    #[error("everything has been shipped")]
    NothingLeft,
    #[error("of \"{title}\" only {left} are left to ship")]
    TooManyPieces { title: String, left: u32 },
    #[error("something of it has been shipped already")]
    AlreadyShipped,
    #[error("it is packed already")]
    AlreadyPacked,
    #[error("the request is not valid")]
    Invalid { field: String, message: String },
    #[error(transparent)]
    Database(#[from] DbError),
    #[error("stored data cannot be read: {0}")]
    Unreadable(String),
}

impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::NotFound | Self::ShipmentNotFound | Self::MethodNotFound => Code::NotFound,
            Self::Stale => Code::Stale,
            Self::MethodLimit(_) | Self::TooManyPieces { .. } => Code::Refused,
            Self::IllegalMove(..) | Self::Delivered | Self::NothingLeft | Self::AlreadyShipped | Self::AlreadyPacked => Code::Conflict,
            Self::Invalid { .. } => Code::Invalid,
            Self::Database(error) => error.code(),
            Self::Unreadable(_) => Code::Internal,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::NotFound => "FULFILLMENT_NOT_FOUND",
            Self::ShipmentNotFound => "SHIPMENT_NOT_FOUND",
            Self::MethodNotFound => "METHOD_NOT_FOUND",
            Self::Stale => "STALE_VERSION",
            Self::MethodLimit(_) => "METHOD_LIMIT",
            Self::IllegalMove(..) | Self::Delivered => "ILLEGAL_MOVE",
            Self::NothingLeft => "NOTHING_LEFT",
            Self::TooManyPieces { .. } => "TOO_MANY_PIECES",
            Self::AlreadyShipped => "ALREADY_SHIPPED",
            Self::AlreadyPacked => "ALREADY_PACKED",
            Self::Invalid { .. } => "INVALID_REQUEST",
            Self::Database(error) => error.reason(),
            Self::Unreadable(_) => "INTERNAL",
        }
    }

    fn violations(&self) -> Vec<Violation> {
        match self {
            Self::Invalid { field, message } => vec![Violation { field: field.clone(), message: message.clone() }],
            _ => Vec::new(),
        }
    }
}

impl Error {
    pub(crate) fn invalid(field: &str, message: &str) -> Self {
        Self::Invalid { field: field.to_owned(), message: message.to_owned() }
    }

    pub(crate) fn unreadable(what: impl std::fmt::Display) -> Self {
        Self::Unreadable(what.to_string())
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(DbError::from(error))
    }
}

//! What can go wrong, as callers see it.

use kit_core::{Code, Fault, Violation};
use kit_db::DbError;

use crate::model::Refusal;

#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no such variant")]
    VariantNotFound,
    #[error("there is no such warehouse")]
    WarehouseNotFound,
    #[error("another warehouse has the code {0}")]
    WarehouseCodeTaken(String),
    #[error("the warehouse is the default or has had stock")]
    WarehouseInUse,
    #[error("a tenant has at most {0} warehouses")]
    TooManyWarehouses(i64),
    #[error("it was changed since it was read: it is at version {0}")]
    StaleVersion(i32),
    #[error("{field}: {message}")]
    Invalid { field: &'static str, message: &'static str },
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("an event could not be read: {0}")]
    Unreadable(String),
}

impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::VariantNotFound | Self::WarehouseNotFound | Self::Refused(Refusal::NotFound(_)) => Code::NotFound,
            Self::WarehouseCodeTaken(_) | Self::WarehouseInUse => Code::Conflict,
            Self::TooManyWarehouses(_) => Code::Refused,
            Self::StaleVersion(_) | Self::Refused(Refusal::Moved { .. }) => Code::Stale,
            Self::Invalid { .. } => Code::Invalid,
            Self::Refused(_) => Code::Conflict,
            Self::Db(error) => error.code(),
            Self::Unreadable(_) => Code::Internal,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::VariantNotFound => "VARIANT_NOT_FOUND",
            Self::WarehouseNotFound => "WAREHOUSE_NOT_FOUND",
            Self::WarehouseCodeTaken(_) => "WAREHOUSE_CODE_TAKEN",
            Self::WarehouseInUse => "WAREHOUSE_IN_USE",
            Self::TooManyWarehouses(_) => "TOO_MANY_WAREHOUSES",
            Self::StaleVersion(_) | Self::Refused(Refusal::Moved { .. }) => "STALE_VERSION",
            Self::Invalid { .. } => "INVALID_REQUEST",
            Self::Refused(Refusal::Differs(_)) => "RESERVATION_DIFFERS",
            Self::Refused(Refusal::Closed(_)) => "RESERVATION_CLOSED",
            Self::Refused(Refusal::NotFound(_)) => "RESERVATION_NOT_FOUND",
            Self::Refused(Refusal::Lost(_)) => "RESERVATION_LOST",
            Self::Refused(Refusal::Confirmed(_)) => "RESERVATION_CONFIRMED",
            Self::Refused(Refusal::ExceedsSale(_)) => "RESTOCK_EXCEEDS_SALE",
            Self::Refused(Refusal::BelowReserved { .. }) => "STOCK_BELOW_RESERVED",
            Self::Refused(Refusal::NotEnough { .. }) => "NOT_ENOUGH_STOCK",
            Self::Db(error) => error.reason(),
            Self::Unreadable(_) => "INTERNAL",
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

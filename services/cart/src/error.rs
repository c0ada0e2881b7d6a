//! What can go wrong with carts, as callers see it.

use kit_core::{Code, Fault, MoneyError, Violation};
use kit_db::DbError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the product does not exist")]
    VariantNotFound,
    #[error("\"{0}\" cannot be bought now")]
    VariantUnavailable(String),
    #[error("a cart holds at most {0} different items")]
    CartFull(usize),
    #[error("at most 999 pieces of one item")]
    QuantityLimit,
    #[error("the item is not in the cart")]
    LineNotFound,
    #[error("the request is not valid")]
    Invalid { field: &'static str, message: String },
    #[error("the cart cannot be added up: {0}")]
    TooLarge(#[from] MoneyError),
    #[error("a part of the market does not answer right now; try again")]
    Elsewhere,
    #[error(transparent)]
    Database(#[from] DbError),
    #[error("unexpected answer or event: {0}")]
    Unreadable(String),
}

impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::VariantNotFound | Self::LineNotFound => Code::NotFound,
            Self::VariantUnavailable(_) | Self::CartFull(_) | Self::QuantityLimit | Self::TooLarge(_) => Code::Refused,
            Self::Invalid { .. } => Code::Invalid,
            Self::Elsewhere => Code::Unavailable,
            Self::Database(error) => error.code(),
            Self::Unreadable(_) => Code::Internal,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::VariantNotFound => "VARIANT_NOT_FOUND",
            Self::VariantUnavailable(_) => "VARIANT_UNAVAILABLE",
            Self::CartFull(_) => "CART_FULL",
            Self::QuantityLimit => "QUANTITY_LIMIT",
            Self::LineNotFound => "LINE_NOT_FOUND",
            Self::Invalid { .. } => "INVALID_REQUEST",
            Self::TooLarge(_) => "CART_TOO_LARGE",
            Self::Elsewhere => "UNAVAILABLE",
            Self::Database(error) => error.reason(),
            Self::Unreadable(_) => "INTERNAL",
        }
    }

    fn violations(&self) -> Vec<Violation> {
        match self {
            Self::Invalid { field, message } => vec![Violation { field: (*field).to_owned(), message: message.clone() }],
            _ => Vec::new(),
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
        Self::Database(DbError::from(error))
    }
}

impl From<tonic::Status> for Error {
    /// That another service is away is said; that it refused what we sent is a defect of ours.
    fn from(status: tonic::Status) -> Self {
        let problem = kit_rpc::problem_of(&status);
        match problem.code {
            Code::Unavailable | Code::Timeout | Code::TooMany => Self::Elsewhere,
            _ => Self::Unreadable(format!("{}: {}", problem.reason, problem.message)),
        }
    }
}

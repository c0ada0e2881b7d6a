//! What can go wrong with orders, as callers see it.

use std::sync::Arc;

use kit_core::{Code, Fault, MoneyError, Violation};
use kit_db::DbError;
use kit_rpc::Problem;

/// Cheap to clone, because one failed batch answers all its callers.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Error {
    #[error("the order does not exist")]
    OrderNotFound,
    #[error("the checkout does not exist")]
    CheckoutNotFound,
    #[error("the checkout has expired; begin a new one")]
    CheckoutExpired,
    #[error("the checkout has become an order already")]
    CheckoutPlaced,
    #[error("the cart is empty")]
    CartEmpty,
    #[error("the checkout is not complete: {0} missing")]
    CheckoutIncomplete(String),
    #[error("\"{0}\" cannot be bought now")]
    VariantUnavailable(String),
    #[error("{0}")]
    NotEnoughStock(String),
    #[error("prices are in {0} and {1}; buy them one after the other")]
    CurrenciesMixed(String, String),
    #[error("prices have changed; look at the checkout and place it again to accept them")]
    PriceChanged,
    #[error("the seller does not offer this shipping method for the address")]
    MethodNotOffered,
    #[error("there is nothing to pay for this order")]
    NothingToPay,
    #[error("{0}")]
    NotCancellable(&'static str),
    #[error("all the pieces are kept, so there is nothing to cancel")]
    NothingToCancel,
    #[error("the address cannot be changed: {0}")]
    AddressFixed(&'static str),
    #[error("the return does not exist")]
    ReturnNotFound,
    #[error("it cannot be returned: {0}")]
    NotReturnable(&'static str),
    #[error("a return that is {0} cannot be {1}")]
    IllegalMove(&'static str, &'static str),
    #[error("it cannot be refunded: {0}")]
    NotRefundable(&'static str),
    #[error("no more than {0} can be deducted")]
    DeductionTooLarge(kit_core::Money),
    #[error("the order has not been paid")]
    NotPaid,
    #[error("the request is not valid")]
    Invalid(Vec<(String, String)>),
    #[error("the order is too large: {0}")]
    TooLarge(#[from] MoneyError),
    /// What another service said, passed on when it is the buyer's business, hidden when it is ours.
    #[error("{0}")]
    Elsewhere(String, Code),
    #[error(transparent)]
    Database(#[from] DbError),
    #[error("stored data cannot be read: {0}")]
    Unreadable(Arc<str>),
}

impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::OrderNotFound | Self::CheckoutNotFound | Self::ReturnNotFound => Code::NotFound,
            Self::CheckoutExpired | Self::CheckoutPlaced | Self::PriceChanged => Code::Conflict,
            Self::NotReturnable(_) | Self::IllegalMove(..) | Self::NotRefundable(_) => Code::Conflict,
            Self::DeductionTooLarge(_) => Code::Refused,
            Self::NothingToPay | Self::NotCancellable(_) | Self::AddressFixed(_) | Self::NotPaid => Code::Conflict,
            Self::CartEmpty
            | Self::NothingToCancel
            | Self::CheckoutIncomplete(_)
            | Self::VariantUnavailable(_)
            | Self::NotEnoughStock(_)
            | Self::CurrenciesMixed(..)
            | Self::MethodNotOffered => Code::Refused,
            Self::Invalid(_) | Self::TooLarge(_) => Code::Invalid,
            Self::Elsewhere(_, code) => *code,
            Self::Database(error) => error.code(),
            Self::Unreadable(_) => Code::Internal,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::OrderNotFound => "ORDER_NOT_FOUND",
            Self::CheckoutNotFound => "CHECKOUT_NOT_FOUND",
            Self::CheckoutExpired => "CHECKOUT_EXPIRED",
            Self::CheckoutPlaced => "CHECKOUT_PLACED",
            Self::CartEmpty => "CART_EMPTY",
            Self::CheckoutIncomplete(_) => "CHECKOUT_INCOMPLETE",
            Self::VariantUnavailable(_) => "VARIANT_UNAVAILABLE",
            Self::NotEnoughStock(_) => "NOT_ENOUGH_STOCK",
            Self::CurrenciesMixed(..) => "CURRENCIES_MIXED",
            Self::PriceChanged => "PRICE_CHANGED",
            Self::MethodNotOffered => "METHOD_NOT_OFFERED",
            Self::NothingToPay => "NOTHING_TO_PAY",
            Self::NotCancellable(_) => "NOT_CANCELLABLE",
            Self::NothingToCancel => "NOTHING_TO_CANCEL",
            Self::AddressFixed(_) => "ADDRESS_FIXED",
            Self::ReturnNotFound => "RETURN_NOT_FOUND",
            Self::NotReturnable(_) => "NOT_RETURNABLE",
            Self::IllegalMove(..) => "ILLEGAL_MOVE",
            Self::NotRefundable(_) => "NOT_REFUNDABLE",
            Self::DeductionTooLarge(_) => "DEDUCTION_TOO_LARGE",
            Self::NotPaid => "NOT_PAID",
            Self::Invalid(_) => "INVALID_REQUEST",
            Self::TooLarge(_) => "ORDER_TOO_LARGE",
            Self::Elsewhere(_, Code::Unavailable) => "UNAVAILABLE",
            Self::Elsewhere(_, Code::Timeout) => "TIMEOUT",
            Self::Elsewhere(..) | Self::Unreadable(_) => "INTERNAL",
            Self::Database(error) => error.reason(),
        }
    }

    fn violations(&self) -> Vec<Violation> {
        match self {
            Self::Invalid(faults) => faults.iter().map(|(field, message)| Violation { field: field.clone(), message: message.clone() }).collect(),
            _ => Vec::new(),
        }
    }
}

impl Error {
    pub(crate) fn unreadable(what: impl std::fmt::Display) -> Self {
        Self::Unreadable(what.to_string().into())
    }

    pub(crate) fn invalid(field: &str, message: &str) -> Self {
        Self::Invalid(vec![(field.to_owned(), message.to_owned())])
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(DbError::from(error))
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::unreadable(error)
    }
}

impl From<tonic::Status> for Error {
    /// A call to another service failed. That it is away is said; that it refused what we sent is a defect of ours.
    fn from(status: tonic::Status) -> Self {
        let Problem { code, reason, message, .. } = kit_rpc::problem_of(&status);
        match code {
            Code::Unavailable | Code::Timeout | Code::TooMany => {
                Self::Elsewhere("a part of the market does not answer right now; try again".to_owned(), Code::Unavailable)
            }
            _ => Self::Unreadable(format!("a service refused our call: {reason}: {message}").into()),
        }
    }
}

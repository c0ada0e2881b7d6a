//! What can go wrong in payments, as callers see it. A declined card is not among it: that is an answer.

use api_orders::SubOrderId;
use api_payments::{DisputeId, MethodId, OpenItemId, PaymentId, PayoutId};
use kit_core::{Code, Fault, Money, MoneyError, Violation};
use kit_db::DbError;
use uuid::Uuid;

use crate::model::State;

#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Error {
    #[error("{field}: {message}")]
    Wrong { field: String, message: String },
    #[error("payment {0} does not exist")]
    NotFound(PaymentId),
    #[error("the splits sum to {sum}, the payment is {amount}")]
    SplitsDoNotAddUp { sum: Money, amount: Money },
    #[error("payment {0} was asked for before with other terms")]
    PaymentIdReused(PaymentId),
    #[error("there is no payment service provider named {0}")]
    UnknownPsp(String),
    #[error("saved payment method {0} does not exist")]
    MethodNotFound(MethodId),
    #[error("payment {0} is {word} and cannot be captured", word = .1.word())]
    NotCapturable(PaymentId, State),
    #[error("payment {0} is {word} and cannot be refunded", word = .1.word())]
    NotRefundable(PaymentId, State),
    #[error("all of payment {0} is captured; refund it instead")]
    NotVoidable(PaymentId),
    #[error("nothing that is offered here takes {0} for this order")]
    NotOffered(&'static str),
    #[error("at most {left} of {sub_order} is left to capture")]
    CaptureTooLarge { sub_order: SubOrderId, left: Money },
    #[error("at most {left} of {sub_order} is left to refund")]
    RefundTooLarge { sub_order: SubOrderId, left: Money },
    #[error("capture cap_{id} was asked for before with other amounts", id = .0.simple())]
    CaptureIdReused(Uuid),
    #[error("refund rfn_{id} was asked for before with other amounts", id = .0.simple())]
    RefundIdReused(Uuid),
    #[error("{0} is not part of this payment")]
    UnknownSubOrder(SubOrderId),
    #[error("the webhook's signature is missing, too old or wrong")]
    SignatureInvalid,
    #[error("the webhook cannot be read: {0}")]
    WebhookUnreadable(String),
    #[error("the payment service provider cannot be reached; try again")]
    PspUnavailable,
    #[error("payout {0} does not exist")]
    PayoutNotFound(PayoutId),
    #[error("the bank does not accept the account: {0}")]
    AccountRefused(String),
    #[error("the bank cannot be reached; try again")]
    BankUnavailable,
    #[error("the statement has more than {0} lines; ask for a shorter time")]
    StatementTooLong(i64),
    #[error("dispute {0} does not exist")]
    DisputeNotFound(DisputeId),
    #[error("dispute {0} was answered before")]
    DisputeAnswered(DisputeId),
    #[error("open item {0} does not exist")]
    OpenItemNotFound(OpenItemId),
    #[error("open item {0} is closed")]
    OpenItemClosed(OpenItemId),
    #[error("what another service told cannot be read: {0}")]
    Unreadable(String),
    #[error("the PSP's record is not of payment {0}")]
    NotThisPayment(PaymentId),
    #[error("the PSP moved another amount than it was asked to: {0}")]
    AmountDiffers(String),
    #[error("an amount cannot be computed: {0}")]
    Money(#[from] MoneyError),
    #[error(transparent)]
    Db(#[from] DbError),
}

impl Error {
    pub(crate) fn unreadable(error: impl std::fmt::Display) -> Self {
        Self::Unreadable(error.to_string())
    }

    pub(crate) fn wrong(field: impl Into<String>, message: &str) -> Self {
        Self::Wrong { field: field.into(), message: message.to_owned() }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::Wrong { .. } | Self::SplitsDoNotAddUp { .. } | Self::UnknownSubOrder(_) | Self::WebhookUnreadable(_) => Code::Invalid,
            Self::AccountRefused(_) | Self::StatementTooLong(_) => Code::Invalid,
            Self::NotFound(_) | Self::UnknownPsp(_) | Self::MethodNotFound(_) => Code::NotFound,
            Self::PayoutNotFound(_) | Self::DisputeNotFound(_) | Self::OpenItemNotFound(_) => Code::NotFound,
            Self::DisputeAnswered(_) | Self::OpenItemClosed(_) => Code::Conflict,
            Self::BankUnavailable => Code::Unavailable,
            Self::NotOffered(_) | Self::PaymentIdReused(_) | Self::CaptureIdReused(_) | Self::RefundIdReused(_) => Code::Refused,
            Self::NotCapturable(..) | Self::NotRefundable(..) | Self::NotVoidable(_) | Self::CaptureTooLarge { .. } | Self::RefundTooLarge { .. } => {
                Code::Conflict
            }
            Self::SignatureInvalid => Code::Unauthenticated,
            Self::PspUnavailable => Code::Unavailable,
            Self::NotThisPayment(_) | Self::AmountDiffers(_) | Self::Unreadable(_) => Code::Internal,
            Self::Money(error) => {
                if matches!(error, MoneyError::Overflow | MoneyError::CurrencyMismatch(..)) {
                    Code::Invalid
                } else {
                    Code::Internal
                }
            }
            Self::Db(error) => error.code(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Wrong { .. } => "INVALID_REQUEST",
            Self::NotFound(_) => "PAYMENT_NOT_FOUND",
            Self::SplitsDoNotAddUp { .. } => "SPLITS_DO_NOT_ADD_UP",
            Self::PaymentIdReused(_) => "PAYMENT_ID_REUSED",
            Self::UnknownPsp(_) => "UNKNOWN_PSP",
            Self::MethodNotFound(_) => "METHOD_NOT_FOUND",
            Self::NotOffered(_) => "METHOD_NOT_OFFERED",
            Self::NotCapturable(..) => "PAYMENT_NOT_CAPTURABLE",
            Self::NotRefundable(..) => "PAYMENT_NOT_REFUNDABLE",
            Self::NotVoidable(_) => "PAYMENT_NOT_VOIDABLE",
            Self::CaptureTooLarge { .. } => "CAPTURE_TOO_LARGE",
            Self::RefundTooLarge { .. } => "REFUND_TOO_LARGE",
            Self::CaptureIdReused(_) => "CAPTURE_ID_REUSED",
            Self::RefundIdReused(_) => "REFUND_ID_REUSED",
            Self::UnknownSubOrder(_) => "UNKNOWN_SUB_ORDER",
            Self::SignatureInvalid => "WEBHOOK_SIGNATURE_INVALID",
            Self::WebhookUnreadable(_) => "WEBHOOK_UNREADABLE",
            Self::PspUnavailable => "PSP_UNAVAILABLE",
            Self::PayoutNotFound(_) => "PAYOUT_NOT_FOUND",
            Self::AccountRefused(_) => "ACCOUNT_REFUSED",
            Self::BankUnavailable => "BANK_UNAVAILABLE",
            Self::StatementTooLong(_) => "STATEMENT_TOO_LONG",
            Self::DisputeNotFound(_) => "DISPUTE_NOT_FOUND",
            Self::DisputeAnswered(_) => "DISPUTE_ANSWERED",
            Self::OpenItemNotFound(_) => "OPEN_ITEM_NOT_FOUND",
            Self::OpenItemClosed(_) => "OPEN_ITEM_CLOSED",
            Self::NotThisPayment(_) | Self::AmountDiffers(_) | Self::Unreadable(_) => "INTERNAL",
            Self::Money(_) => {
                if self.code() == Code::Invalid {
                    "INVALID_REQUEST"
                } else {
                    "INTERNAL"
                }
            }
            Self::Db(error) => error.reason(),
        }
    }

    fn violations(&self) -> Vec<Violation> {
        match self {
            Self::Wrong { field, message } => vec![Violation { field: field.clone(), message: message.clone() }],
            Self::SplitsDoNotAddUp { .. } => vec![Violation { field: "splits".to_owned(), message: self.to_string() }],
            Self::AccountRefused(_) => vec![Violation { field: "iban".to_owned(), message: self.to_string() }],
            Self::UnknownSubOrder(_) => vec![Violation { field: "parts".to_owned(), message: self.to_string() }],
            _ => Vec::new(),
        }
    }
}

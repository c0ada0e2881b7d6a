//! What can go wrong in identity, as callers see it.

use kit_core::{Code, Fault, Violation};
use kit_db::DbError;
use tonic::Status;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("an account with this e-mail address exists; sign in instead")]
    EmailTaken,
    #[error("{0}")]
    PasswordWeak(&'static str),
    #[error("the e-mail address or the password is wrong")]
    SignInFailed,
    #[error("too many attempts; try again in {0} seconds")]
    TooManyAttempts(i64),
    #[error("this account is disabled; ask the marketplace's support")]
    AccountDisabled,
    #[error("the refresh token is not valid; sign in again")]
    RefreshTokenInvalid,
    #[error("the refresh token was used before; for safety the session has ended, sign in again")]
    RefreshTokenReused,
    #[error("the token is not valid or has expired")]
    TokenInvalid,
    #[error("the link is not valid any more; ask for a new one")]
    MailedTokenInvalid,
    #[error("you do not work for this tenant")]
    NotAMember,
    #[error("there is no such account")]
    UserNotFound,
    #[error("this needs an account; sign up first")]
    AccountRequired,
    #[error("there is no such address in your address book")]
    AddressNotFound,
    #[error("an address book holds at most {0} addresses")]
    AddressBookFull(u32),
    #[error("there is no such session")]
    SessionNotFound,
    #[error("that is not a role on the platform")]
    RoleNotOfPlatform,
    #[error("that is not a role in a tenant")]
    RoleNotOfTenant,
    #[error("you cannot disable your own account")]
    CannotDisableSelf,
    #[error("this is the last platform admin; name another one first")]
    LastPlatformAdmin,
    #[error("the profile changed since you read it (it is at version {0} now)")]
    Stale(i64),
    #[error("{}", .0.iter().map(|v| format!("{}: {}", v.field, v.message)).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<Violation>),
    #[error("too many sign-ins at this moment; try again")]
    Busy,
    #[error("a password could not be hashed: {0}")]
    Hash(String),
    #[error("there is no signing key")]
    NoSigningKey,
    #[error("stored data cannot be read: {0}")]
    Corrupt(&'static str),
    #[error(transparent)]
    Db(#[from] DbError),
}

impl Error {
    /// One wrong field.
    pub(crate) fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![Violation { field: field.to_owned(), message: message.into() }])
    }
}

/// The error as its caller gets it; a pause tells how long it is.
pub(crate) fn status(error: Error) -> Status {
    match error {
        Error::TooManyAttempts(seconds) => {
            let (reason, message) = (error.reason(), error.to_string());
            kit_rpc::retry_later(tonic::Code::ResourceExhausted, reason, &message, u32::try_from(seconds).unwrap_or(u32::MAX))
        }
        other => kit_rpc::status(other),
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(DbError::from(error))
    }
}

impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::PasswordWeak(_) | Self::Invalid(_) | Self::RoleNotOfPlatform | Self::RoleNotOfTenant => Code::Invalid,
            Self::SignInFailed | Self::RefreshTokenInvalid | Self::RefreshTokenReused | Self::TokenInvalid => Code::Unauthenticated,
            Self::AccountDisabled | Self::NotAMember | Self::AccountRequired | Self::CannotDisableSelf => Code::Forbidden,
            Self::UserNotFound | Self::AddressNotFound | Self::SessionNotFound => Code::NotFound,
            Self::EmailTaken | Self::LastPlatformAdmin => Code::Conflict,
            Self::MailedTokenInvalid | Self::AddressBookFull(_) => Code::Refused,
            Self::Stale(_) => Code::Stale,
            Self::TooManyAttempts(_) => Code::TooMany,
            Self::Busy => Code::Unavailable,
            Self::Hash(_) | Self::NoSigningKey | Self::Corrupt(_) => Code::Internal,
            Self::Db(error) => error.code(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::EmailTaken => "EMAIL_TAKEN",
            Self::PasswordWeak(_) => "PASSWORD_WEAK",
            Self::SignInFailed => "SIGN_IN_FAILED",
            Self::TooManyAttempts(_) => "TOO_MANY_ATTEMPTS",
            Self::AccountDisabled => "ACCOUNT_DISABLED",
            Self::RefreshTokenInvalid => "REFRESH_TOKEN_INVALID",
            Self::RefreshTokenReused => "REFRESH_TOKEN_REUSED",
            Self::TokenInvalid | Self::MailedTokenInvalid => "TOKEN_INVALID",
            Self::NotAMember => "NOT_A_MEMBER",
            Self::UserNotFound => "USER_NOT_FOUND",
            Self::AccountRequired => "ACCOUNT_REQUIRED",
            Self::AddressNotFound => "ADDRESS_NOT_FOUND",
            Self::AddressBookFull(_) => "ADDRESS_BOOK_FULL",
            Self::SessionNotFound => "SESSION_NOT_FOUND",
            Self::RoleNotOfPlatform => "ROLE_NOT_OF_PLATFORM",
            Self::RoleNotOfTenant => "ROLE_NOT_OF_TENANT",
            Self::CannotDisableSelf => "CANNOT_DISABLE_SELF",
            Self::LastPlatformAdmin => "LAST_PLATFORM_ADMIN",
            Self::Stale(_) => "STALE",
            Self::Invalid(_) => "INVALID_REQUEST",
            Self::Busy => "OVERLOADED",
            Self::Hash(_) | Self::NoSigningKey | Self::Corrupt(_) => "INTERNAL",
            Self::Db(error) => error.reason(),
        }
    }

    fn violations(&self) -> Vec<Violation> {
        match self {
            Self::Invalid(violations) => violations.clone(),
            Self::PasswordWeak(message) => vec![Violation { field: "password".to_owned(), message: (*message).to_owned() }],
            _ => Vec::new(),
        }
    }
}

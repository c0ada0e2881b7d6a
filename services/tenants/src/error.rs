//! What can go wrong in tenants, as callers see it.

use kit_core::{Code, Fault, Violation};
use kit_db::DbError;
use kit_rpc::problem_of;
use tonic::Status;

use crate::model::{Act, State};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no such tenant")]
    TenantNotFound,
    #[error("there is no such store")]
    StoreNotFound,
    #[error("a tenant that is {} cannot be {}", .0.text(), .1.done())]
    State(State, Act),
    #[error("another store has the address word \"{0}\"; choose another")]
    SlugTaken(String),
    #[error("this needs an account; sign up first")]
    AccountRequired,
    #[error("you have {0} open applications already")]
    TooManyApplications(u32),
    #[error("a tenant is placed before it sells; this one has been {} already", .0.text())]
    TenantHasData(State),
    #[error("{0}")]
    Placement(DbError),
    #[error("this person works for the store already")]
    AlreadyStaff,
    #[error("the store has {0} open invitations already; withdraw some first")]
    TooManyInvites(u32),
    #[error("the plan allows {0} staff members")]
    TooManyStaff(u32),
    #[error("the invitation is not valid any more; ask for a new one")]
    InviteInvalid,
    #[error("the invitation was sent to another e-mail address; sign in with that one")]
    InviteForOther,
    #[error("this person does not work for the store")]
    StaffNotFound,
    #[error("a store needs at least one seller admin; name another one first")]
    LastAdmin,
    #[error("the store changed since you read it (it is at version {0} now)")]
    Stale(i64),
    #[error("{}", .0.iter().map(|v| format!("{}: {}", v.field, v.message)).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<Violation>),
    #[error("stored data cannot be read: {0}")]
    Corrupt(&'static str),
    #[error("identity: {}", .0.message())]
    Identity(Status),
    #[error(transparent)]
    Db(#[from] DbError),
}

impl Error {
    /// One wrong field.
    pub(crate) fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![Violation { field: field.to_owned(), message: message.into() }])
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(DbError::from(error))
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Identity(status)
    }
}

impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::TenantNotFound | Self::StoreNotFound | Self::StaffNotFound => Code::NotFound,
            Self::State(..) | Self::SlugTaken(_) | Self::AlreadyStaff | Self::LastAdmin | Self::TenantHasData(_) => Code::Conflict,
            Self::AccountRequired | Self::InviteForOther => Code::Forbidden,
            Self::TooManyApplications(_) | Self::TooManyInvites(_) | Self::TooManyStaff(_) | Self::InviteInvalid => Code::Refused,
            Self::Stale(_) => Code::Stale,
            Self::Invalid(_) => Code::Invalid,
            Self::Corrupt(_) => Code::Internal,
            Self::Identity(status) => problem_of(status).code,
            Self::Placement(error) | Self::Db(error) => error.code(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::TenantNotFound => "TENANT_NOT_FOUND",
            Self::StoreNotFound => "STORE_NOT_FOUND",
            Self::State(..) => "TENANT_STATE",
            Self::SlugTaken(_) => "SLUG_TAKEN",
            Self::AccountRequired => "ACCOUNT_REQUIRED",
            Self::TooManyApplications(_) => "TOO_MANY_APPLICATIONS",
            Self::TenantHasData(_) => "TENANT_HAS_DATA",
            Self::AlreadyStaff => "ALREADY_STAFF",
            Self::TooManyInvites(_) => "TOO_MANY_INVITES",
            Self::TooManyStaff(_) => "TOO_MANY_STAFF",
            Self::InviteInvalid => "INVITE_INVALID",
            Self::InviteForOther => "INVITE_FOR_OTHER",
            Self::StaffNotFound => "STAFF_NOT_FOUND",
            Self::LastAdmin => "LAST_ADMIN",
            Self::Stale(_) => "STALE",
            Self::Invalid(_) => "INVALID_REQUEST",
            Self::Corrupt(_) => "INTERNAL",
            Self::Identity(_) => "IDENTITY_FAILED",
            Self::Placement(error) | Self::Db(error) => error.reason(),
        }
    }

    fn violations(&self) -> Vec<Violation> {
        match self {
            Self::Invalid(violations) => violations.clone(),
            _ => Vec::new(),
        }
    }
}

//! Everything the catalog refuses, with the code and the reason its callers see.

use api_catalog::{ImportId, ProductId, UploadId};
use kit_core::{Code, Fault, Violation};
use kit_db::DbError;

use crate::model::product::Status;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("product {0} does not exist")]
    ProductNotFound(ProductId),
    #[error("the product has no version {0}")]
    VersionNotFound(i32),
    #[error("category {0} does not exist")]
    CategoryNotFound(String),
    #[error("there is no such media file")]
    FileNotFound,
    #[error("upload {0} does not exist")]
    UploadNotFound(UploadId),
    #[error("import {0} does not exist")]
    ImportNotFound(ImportId),
    #[error("there is no import preset named {0}")]
    PresetNotFound(String),
    #[error("the product changed since you read it: it is at version {0} now")]
    Stale(i32),
    #[error("a product that is {} cannot be {wanted}", .from.word())]
    State { from: Status, wanted: &'static str },
    #[error("the product cannot be sold yet")]
    Incomplete(Vec<Violation>),
    #[error("this store's products need the marketplace's approval: submit the product instead")]
    ApprovalRequired,
    #[error("the SKU {0} belongs to another product")]
    SkuTaken(String),
    #[error("the plan allows {0} products, and there are as many")]
    QuotaReached(u32),
    #[error("a category with the code {0} exists already")]
    CategoryTaken(String),
    #[error("the category has categories below it")]
    CategoryInUse,
    #[error("{0}")]
    FileUnreadable(String),
    #[error("the mapping does not fit the file")]
    MappingUnusable(Vec<Violation>),
    #[error("{0}")]
    ImageUnreadable(String),
    #[error("{0}")]
    MediaUnsupported(String),
    #[error("the request is not valid")]
    Invalid(Vec<Violation>),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("the disk that holds files is full, so nothing was kept; try again when there is room")]
    FilesFull,
    #[error("files cannot be read or written at this moment; nothing was kept, try again")]
    Objects(#[source] object_store::Error),
    #[error("a background task failed")]
    Task(#[from] tokio::task::JoinError),
    #[error("{0} failed: {1}")]
    Call(&'static str, String),
    #[error("what was stored could not be read: {0}")]
    Unreadable(String),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

impl From<object_store::Error> for Error {
    fn from(error: object_store::Error) -> Self {
        let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
        let full = causes.filter_map(|cause| cause.downcast_ref::<std::io::Error>()).any(|cause| cause.kind() == std::io::ErrorKind::StorageFull);
        tracing::error!(%error, "the object store failed");
        if full { Self::FilesFull } else { Self::Objects(error) }
    }
}

/// One wrong field.
pub(crate) fn wrong(field: impl Into<String>, message: impl Into<String>) -> Violation {
    Violation { field: field.into(), message: message.into() }
}

impl Error {
    pub(crate) fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![wrong(field, message)])
    }
}

impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::ProductNotFound(_)
            | Self::VersionNotFound(_)
            | Self::CategoryNotFound(_)
            | Self::FileNotFound
            | Self::UploadNotFound(_)
            | Self::ImportNotFound(_)
            | Self::PresetNotFound(_) => Code::NotFound,
            Self::Stale(_) => Code::Stale,
            Self::State { .. } | Self::ApprovalRequired | Self::SkuTaken(_) | Self::CategoryTaken(_) | Self::CategoryInUse => Code::Conflict,
            Self::Incomplete(_) | Self::QuotaReached(_) => Code::Refused,
            Self::FileUnreadable(_) | Self::MappingUnusable(_) | Self::ImageUnreadable(_) | Self::MediaUnsupported(_) | Self::Invalid(_) => {
                Code::Invalid
            }
            Self::Db(error) => error.code(),
            Self::Call(..) | Self::FilesFull | Self::Objects(_) => Code::Unavailable,
            Self::Task(_) | Self::Unreadable(_) => Code::Internal,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::ProductNotFound(_) => "PRODUCT_NOT_FOUND",
            Self::VersionNotFound(_) => "VERSION_NOT_FOUND",
            Self::CategoryNotFound(_) => "CATEGORY_NOT_FOUND",
            Self::FileNotFound => "MEDIA_NOT_FOUND",
            Self::UploadNotFound(_) => "UPLOAD_NOT_FOUND",
            Self::ImportNotFound(_) => "IMPORT_NOT_FOUND",
            Self::PresetNotFound(_) => "PRESET_NOT_FOUND",
            Self::Stale(_) => "PRODUCT_STALE",
            Self::State { .. } => "PRODUCT_STATE",
            Self::Incomplete(_) => "PRODUCT_INCOMPLETE",
            Self::ApprovalRequired => "APPROVAL_REQUIRED",
            Self::SkuTaken(_) => "SKU_TAKEN",
            Self::QuotaReached(_) => "QUOTA_REACHED",
            Self::CategoryTaken(_) => "CATEGORY_TAKEN",
            Self::CategoryInUse => "CATEGORY_IN_USE",
            Self::FileUnreadable(_) => "FILE_UNREADABLE",
            Self::MappingUnusable(_) => "MAPPING_UNUSABLE",
            Self::ImageUnreadable(_) => "IMAGE_UNREADABLE",
            Self::MediaUnsupported(_) => "MEDIA_UNSUPPORTED",
            Self::Invalid(_) => "INVALID_REQUEST",
            Self::Db(error) => error.reason(),
            Self::Call(..) => "UNAVAILABLE",
            Self::FilesFull => "DISK_FULL",
            Self::Objects(_) => "FILES_UNAVAILABLE",
            Self::Task(_) | Self::Unreadable(_) => "INTERNAL",
        }
    }

    fn violations(&self) -> Vec<Violation> {
        match self {
            Self::Incomplete(violations) | Self::MappingUnusable(violations) | Self::Invalid(violations) => violations.clone(),
            Self::FileUnreadable(message) | Self::ImageUnreadable(message) | Self::MediaUnsupported(message) => vec![wrong("content", message)],
            Self::CategoryNotFound(_) => vec![wrong("category", self.to_string())],
            _ => Vec::new(),
        }
    }
}

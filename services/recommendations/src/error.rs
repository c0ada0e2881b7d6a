//! What can go wrong, as callers see it.

use kit_core::{Code, Fault};
use kit_db::DbError;

#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no such model")]
    ModelNotFound,
    #[error("the model has not been trained to its end")]
    ModelNotReady,
    #[error("a model is being trained already")]
    TrainingRunning,
    #[error("there is no such experiment")]
    ExperimentNotFound,
    #[error("the experiment has ended")]
    ExperimentEnded,
    #[error("an experiment is running on this placement already; end it first")]
    ExperimentRunning,
    #[error("the treatment is what everybody gets already")]
    SameStrategy,
    #[error("a part of the market does not answer right now; try again")]
    Elsewhere,
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("what was told or stored could not be read: {0}")]
    Unreadable(String),
}

impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::ModelNotFound | Self::ExperimentNotFound => Code::NotFound,
            Self::ModelNotReady | Self::TrainingRunning | Self::ExperimentEnded | Self::ExperimentRunning => Code::Conflict,
            Self::SameStrategy => Code::Refused,
            Self::Elsewhere => Code::Unavailable,
            Self::Db(error) => error.code(),
            Self::Unreadable(_) => Code::Internal,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::ModelNotFound => "MODEL_NOT_FOUND",
            Self::ModelNotReady => "MODEL_NOT_READY",
            Self::TrainingRunning => "TRAINING_RUNNING",
            Self::ExperimentNotFound => "EXPERIMENT_NOT_FOUND",
            Self::ExperimentEnded => "EXPERIMENT_ENDED",
            Self::ExperimentRunning => "EXPERIMENT_RUNNING",
            Self::SameStrategy => "SAME_STRATEGY",
            Self::Elsewhere => "UNAVAILABLE",
            Self::Db(error) => error.reason(),
            Self::Unreadable(_) => "INTERNAL",
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
        Self::Db(error.into())
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

//! A PostgreSQL cluster of MarketHub's own.
use std::path::{Path, PathBuf};

use sqlx::postgres::PgConnectOptions;

#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    #[error("PostgreSQL 15 or newer was not found. Install it (Debian: apt-get install postgresql) or set DATABASE_URL")]
    NoBinaries,
    #[error("cannot use {path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
}

pub struct Embedded {
    owner: PgConnectOptions,
}

impl Embedded {
    pub async fn start(_data_dir: &Path, _durable: bool) -> Result<Self, EmbeddedError> {
        Err(EmbeddedError::NoBinaries)
    }

    pub fn owner(&self) -> PgConnectOptions {
        self.owner.clone()
    }

    pub async fn stop(&self) {}
}

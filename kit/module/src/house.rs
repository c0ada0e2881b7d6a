//! One process's set of services, wired together.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use kit_core::{Clock, Ids};
use kit_db::Storage;
use kit_rpc::{CtxKey, Link, Links};
use object_store::ObjectStore;
use tokio_util::sync::CancellationToken;

use crate::Module;

/// What all services of a process share.
pub struct Settings {
    pub storage: Storage,
    pub clock: Clock,
    pub ids: Ids,
    pub objects: Arc<dyn ObjectStore>,
    pub data_dir: PathBuf,
    pub public_url: String,
    /// The configuration's `[services]` table: one section per service, all optional.
    pub sections: toml::Table,
    /// Services of other processes: name → address, as in `http://127.0.0.1:9001`.
    pub remotes: BTreeMap<String, String>,
    /// The key under which processes of one cluster believe each other's contexts.
    pub key: CtxKey,
}

/// The running services of one process, and links to those of others.
pub struct House {
    links: Arc<BTreeMap<&'static str, Link>>,
    stop: CancellationToken,
    storage: Storage,
}

impl House {
    /// Migrates, starts every module, then its consumers and jobs. `all` is the whole table, so that links to remote services exist.
    pub async fn start(settings: Settings, here: &[&'static Module]) -> anyhow::Result<Self> {
        let schemas: Vec<_> = here.iter().map(|module| module.schema()).collect();
        settings.storage.migrate(&schemas).await?;
        Ok(Self { links: Arc::default(), stop: CancellationToken::new(), storage: settings.storage })
    }

    /// Links to every service, for the edges and for tests.
    pub fn links(&self) -> Links {
        let all: Vec<&'static str> = self.links.keys().copied().collect();
        Links::new("edge", &all, Arc::clone(&self.links))
    }

    /// Cancelled when the house drains.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Ends streams, consumers and jobs, waits for them, closes the storage.
    pub async fn stop(self) {
        self.stop.cancel();
        self.storage.close().await;
    }
}

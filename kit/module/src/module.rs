//! A service's row in the table of modules, and what it is handed when it starts.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures::future::BoxFuture;
use kit_core::{Clock, Fault, Ids};
use kit_db::{Db, LoggedEvent};
use kit_rpc::Links;
use object_store::ObjectStore;
use serde::de::DeserializeOwned;
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::NamedService;

/// One service, as the table of modules lists it.
pub struct Module {
    /// The name of its folder, schema, link and configuration section.
    pub name: &'static str,
    /// The services it calls. The graph over all modules has no cycle.
    pub calls: &'static [&'static str],
    /// The services whose logs it follows, in any direction.
    pub hears: &'static [&'static str],
    /// Whether its schema exists in dedicated cells too.
    pub in_cells: bool,
    /// (file name, text), in the order they are applied.
    pub migrations: &'static [(&'static str, &'static str)],
    /// The contract's `DESCRIPTORS`.
    pub descriptors: &'static [u8],
    pub start: fn(Start) -> BoxFuture<'static, anyhow::Result<Service>>,
}

/// What a service is given when it starts.
pub struct Start {
    pub name: &'static str,
    pub db: Db,
    /// Links to the services its row says it calls, and no others.
    pub links: Links,
    pub clock: Clock,
    pub ids: Ids,
    /// Where bytes too large for the database go (media, exports).
    pub objects: Arc<dyn ObjectStore>,
    pub data_dir: PathBuf,
    /// Cancelled when the process drains: end streams and loops.
    pub stop: CancellationToken,
    /// How people reach this market, without a trailing slash: `https://market.example`.
    pub public_url: String,
    pub(crate) section: toml::Table,
    pub(crate) hears: &'static [&'static str],
    pub(crate) follows: Vec<Follow>,
    pub(crate) jobs: Vec<Job>,
}

pub(crate) type HandlerFn = Arc<dyn for<'c> Fn(&'c mut PgConnection, LoggedEvent) -> BoxFuture<'c, anyhow::Result<()>> + Send + Sync>;
pub(crate) type JobFn = Arc<dyn Fn() -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync>;

pub(crate) struct Follow {
    pub(crate) source: &'static str,
    pub(crate) handler: HandlerFn,
}

pub(crate) struct Job {
    pub(crate) name: &'static str,
    pub(crate) period: Duration,
    pub(crate) run: JobFn,
}

/// A service that has started.
pub struct Service {
    pub(crate) name: &'static str,
    pub(crate) grpc_name: &'static str,
    pub(crate) server: tower::util::BoxCloneSyncService<http::Request<Body>, http::Response<Body>, Infallible>,
    pub(crate) follows: Vec<Follow>,
    pub(crate) jobs: Vec<Job>,
}

impl Start {
    /// The service's section of the configuration, `[services.<name>]`.
    pub fn config<T: DeserializeOwned + Default>(&self) -> anyhow::Result<T> {
        if self.section.is_empty() {
            return Ok(T::default());
        }
        toml::Value::Table(self.section.clone()).try_into().with_context(|| format!("in the section [services.{}] of the configuration", self.name))
    }

    /// Applies every event of another service's log, once, in order; the cursor moves in the handler's transaction.
    pub fn follow<F, E>(&mut self, source: &'static str, handler: F)
    where
        F: for<'c> Fn(&'c mut PgConnection, LoggedEvent) -> BoxFuture<'c, Result<(), E>> + Send + Sync + 'static,
        E: Fault + std::error::Error + Send + Sync + 'static,
    {
        debug_assert!(self.hears.contains(&source), "{} does not declare that it hears {source}", self.name);
        let handler: HandlerFn = Arc::new(move |db, event| {
            let applied = handler(db, event);
            Box::pin(async move { applied.await.map_err(anyhow::Error::new) })
        });
        self.follows.push(Follow { source, handler });
    }

    /// Runs a reconciler every `period`, one runner at a time over all processes; `Db::signal` runs it now.
    pub fn every<F>(&mut self, name: &'static str, period: Duration, job: F)
    where
        F: Fn() -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync + 'static,
    {
        self.jobs.push(Job { name, period, run: Arc::new(job) });
    }

    /// The end of starting: the generated server over the service's rpc struct.
    pub fn serve<S>(self, server: S) -> Service
    where
        S: tower::Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        Service { name: self.name, grpc_name: S::NAME, server: tower::util::BoxCloneSyncService::new(server), follows: self.follows, jobs: self.jobs }
    }
}

impl Module {
    pub fn schema(&self) -> kit_db::Schema {
        kit_db::Schema { service: self.name, in_cells: self.in_cells, migrations: self.migrations }
    }
}

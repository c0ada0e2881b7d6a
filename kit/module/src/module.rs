//! A service's row in the table of modules, and what it is handed when it starts.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures::future::BoxFuture;
use kit_core::{Clock, Fault, Ids};
use kit_db::{Db, Handler, LoggedEvent, Upkeep};
use kit_rpc::Links;
use object_store::ObjectStore;
use serde::de::DeserializeOwned;
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;

use crate::guard::{Guard, Layers};

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
    /// Whether its section of the configuration is one it can start with: `reads::<Config>`, or more where more can be wrong.
    pub check: fn(&toml::Table) -> anyhow::Result<()>,
    pub start: fn(Start) -> BoxFuture<'static, anyhow::Result<Service>>,
}

/// The check of a service whose configuration is right when it can be read.
pub fn reads<T: DeserializeOwned + Default>(section: &toml::Table) -> anyhow::Result<()> {
    read::<T>(section).map(drop)
}

/// The check of a service that has nothing to set.
pub fn reads_nothing(section: &toml::Table) -> anyhow::Result<()> {
    match section.keys().next() {
        Some(key) => anyhow::bail!("unknown field `{key}`: this service has nothing to set"),
        None => Ok(()),
    }
}

/// A section of the configuration as its type; an empty one is how the service was built.
pub fn read<T: DeserializeOwned + Default>(section: &toml::Table) -> anyhow::Result<T> {
    if section.is_empty() {
        return Ok(T::default());
    }
    Ok(toml::Value::Table(section.clone()).try_into()?)
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
    /// Links to the services whose logs it follows.
    pub(crate) heard: Links,
    pub(crate) upkeep: Upkeep,
    pub(crate) problem: Option<String>,
}

/// A service that has started.
pub struct Service {
    pub(crate) grpc_name: &'static str,
    /// Adds the service, with its layers, to routes.
    pub(crate) add: Box<dyn Fn(Layers, Routes) -> Routes + Send>,
    pub(crate) problem: Option<String>,
}

impl Start {
    /// The service's section of the configuration, `[services.<name>]`.
    pub fn config<T: DeserializeOwned + Default>(&self) -> anyhow::Result<T> {
        read(&self.section).with_context(|| format!("in the section [services.{}] of the configuration", self.name))
    }

    /// Applies every event of another service's log, once, in order; the cursor moves in the handler's transaction.
    pub fn follow<F, E>(&mut self, source: &'static str, handler: F)
    where
        F: for<'c> Fn(&'c mut PgConnection, LoggedEvent) -> BoxFuture<'c, Result<(), E>> + Send + Sync + 'static,
        E: Fault + Send + 'static,
    {
        self.follow_by(source, Handler::each(handler));
    }

    /// The same for a handler that applies runs of events at once; after a failure it is given them one by one.
    pub fn follow_batch<F, E>(&mut self, source: &'static str, handler: F)
    where
        F: for<'c> Fn(&'c mut PgConnection, Vec<LoggedEvent>) -> BoxFuture<'c, Result<(), E>> + Send + Sync + 'static,
        E: Fault + Send + 'static,
    {
        self.follow_by(source, Handler::batch(handler));
    }

    fn follow_by(&mut self, source: &'static str, handler: Handler) {
        match self.heard.to(source) {
            Ok(link) => self.upkeep.follow(source, link, handler),
            Err(_) => self.problem = Some(format!("{} does not declare that it hears {source}", self.name)),
        }
    }

    /// Runs a reconciler every `period`, one runner at a time over all processes; `signal` runs it now.
    pub fn every<F>(&mut self, name: &'static str, period: Duration, job: F)
    where
        F: Fn() -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync + 'static,
    {
        self.upkeep.every(name, period, job);
    }

    /// The service's background work, for flows that signal a job: `upkeep.signal("run_imports")`.
    pub fn upkeep(&self) -> Upkeep {
        self.upkeep.clone()
    }

    /// The end of starting: the generated server over the service's rpc struct.
    pub fn serve<S>(self, server: S) -> Service
    where
        S: tower::Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        let add = Box::new(move |layers, routes: Routes| routes.add_service(Guard::new(server.clone(), layers)));
        Service { grpc_name: S::NAME, add, problem: self.problem }
    }
}

impl Module {
    pub fn schema(&self) -> kit_db::Schema {
        kit_db::Schema { service: self.name, in_cells: self.in_cells, migrations: self.migrations }
    }

    /// The module's section of the table `[services]`, after checking that it can start with it.
    pub fn section(&self, sections: &toml::Table) -> anyhow::Result<toml::Table> {
        let section = match sections.get(self.name) {
            None => toml::Table::new(),
            Some(toml::Value::Table(section)) => section.clone(),
            Some(_) => anyhow::bail!("[services.{}] of the configuration is not a section", self.name),
        };
        let place = || format!("in the section [services.{}] of the configuration", self.name);
        (self.check)(&section).with_context(place)?;
        check_periods(&section).with_context(place)?;
        Ok(section)
    }
}

/// What is done every so often cannot be done without a pause.
fn check_periods(section: &toml::Table) -> anyhow::Result<()> {
    for (key, value) in section {
        match value {
            toml::Value::Table(inner) => check_periods(inner).with_context(|| key.clone())?,
            toml::Value::Integer(period) if key.contains("_every_") => anyhow::ensure!(*period > 0, "{key} is {period}: it must be more than 0"),
            _ => {}
        }
    }
    Ok(())
}

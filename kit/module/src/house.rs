//! One process's set of services, wired together.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use kit_core::{Clock, Ids};
use kit_db::{Db, EventLogService, Storage, Upkeep, UpkeepService};
use kit_rpc::proto::event_log_server::EventLogServer;
use kit_rpc::proto::upkeep_server::UpkeepServer;
use kit_rpc::{CtxKey, Link, Links};
use object_store::ObjectStore;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Endpoint;

use crate::guard::Layers;
use crate::table::Table;
use crate::{Module, Start, in_call_order};

/// How long answers to idempotent requests are kept, and how often old ones are thrown away.
const ANSWERS_KEPT: chrono::Duration = chrono::Duration::hours(24);
const FORGET_EVERY: Duration = Duration::from_secs(1800);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long background work may take to finish what it has begun.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

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
    pub remotes: BTreeMap<&'static str, String>,
    /// The key under which processes of one cluster believe each other's contexts.
    pub key: CtxKey,
}

/// The running services of one process, and links to those of others.
pub struct House {
    links: Arc<BTreeMap<&'static str, Link>>,
    routes: Routes,
    here: Vec<&'static str>,
    upkeeps: Vec<Upkeep>,
    stop: CancellationToken,
    storage: Storage,
}

impl House {
    /// Migrates, starts the modules (those that are called first), connects their links, then begins their background work. A
    /// service that is neither here nor remote answers every call with "unavailable".
    pub async fn start(settings: Settings, here: &[&'static Module]) -> anyhow::Result<Self> {
        let sections: BTreeMap<_, _> =
            here.iter().map(|module| Ok((module.name, module.section(&settings.sections)?))).collect::<anyhow::Result<_>>()?;
        let stop = CancellationToken::new();
        // When a module fails to start, what the others have begun ends before the storage is closed under it.
        let stop_unless_started = stop.clone().drop_guard();
        let schemas: Vec<_> = here.iter().map(|module| module.schema()).collect();
        settings.storage.migrate(&schemas).await?;
        let links = Arc::new(links(&settings, here)?);
        let (mut started, mut dbs, mut upkeeps) = (Vec::new(), Vec::new(), Vec::new());
        for module in in_call_order(here) {
            let db = settings.storage.db(module.schema()).await?;
            let upkeep = Upkeep::new(db.clone(), settings.clock.clone(), stop.clone());
            let section = sections.get(module.name).cloned().unwrap_or_default();
            let start = start_of(module, section, &settings, &links, &db, &upkeep, &stop);
            let service = (module.start)(start).await.with_context(|| format!("starting {}", module.name))?;
            if let Some(problem) = service.problem {
                anyhow::bail!(problem);
            }
            forget_old_answers(&upkeep, &db, &settings.clock);
            started.push((module, service, db.clone(), Arc::clone(upkeep.traffic())));
            dbs.push(db);
            upkeeps.push(upkeep);
        }
        let logs = EventLogServer::new(EventLogService::new(dbs, stop.clone())).max_encoding_message_size(usize::MAX);
        let upkeep = UpkeepServer::new(UpkeepService::new(upkeeps.clone()));
        let common = Routes::default().add_service(logs).add_service(upkeep);
        let mut all = common.clone();
        for (module, service, db, traffic) in started {
            let table = Arc::new(Table::read(module.name, service.grpc_name, module.descriptors)?);
            let layers = Layers { table, db, clock: settings.clock.clone(), traffic };
            if let Some(link) = links.get(module.name) {
                link.serve((service.add)(layers.clone(), common.clone()).prepare());
            }
            all = (service.add)(layers, all);
        }
        upkeeps.iter().for_each(Upkeep::start);
        let here = here.iter().map(|module| module.name).collect();
        stop_unless_started.disarm();
        Ok(Self { links, routes: all.prepare(), here, upkeeps, stop, storage: settings.storage })
    }

    /// Links to every service, for the edges and for tests.
    pub fn links(&self) -> Links {
        let all: Vec<&'static str> = self.links.keys().copied().collect();
        Links::new("edge", &all, Arc::clone(&self.links))
    }

    /// The names of the services that run in this process.
    pub fn here(&self) -> &[&'static str] {
        &self.here
    }

    /// Every service of this process, with its layers, for a listener. Calls must carry a `Ctx` in their extensions.
    pub fn routes(&self) -> Routes {
        self.routes.clone()
    }

    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// The background work of each service here.
    pub fn upkeeps(&self) -> &[Upkeep] {
        &self.upkeeps
    }

    /// Cancelled when the house drains.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Ends streams, consumers and jobs, waits for them, closes the storage.
    pub async fn stop(self) {
        self.stop.cancel();
        let all = futures::future::join_all(self.upkeeps.iter().map(Upkeep::stopped));
        if tokio::time::timeout(STOP_TIMEOUT, all).await.is_err() {
            tracing::warn!("background work did not finish in time; what it had not committed will be done again");
        }
        self.storage.close().await;
    }
}

/// A link for every service that is here, remote, called or heard.
fn links(settings: &Settings, here: &[&'static Module]) -> anyhow::Result<BTreeMap<&'static str, Link>> {
    let mut links: BTreeMap<&'static str, Link> = here.iter().map(|module| (module.name, Link::local())).collect();
    for (name, address) in &settings.remotes {
        let endpoint = Endpoint::from_shared(address.clone()).with_context(|| format!("the address of {name}, {address}, is not a URL"))?;
        let channel = endpoint.connect_timeout(CONNECT_TIMEOUT).tcp_nodelay(true).http2_adaptive_window(true).connect_lazy();
        links.insert(name, Link::remote(channel, settings.key.clone()));
    }
    for name in here.iter().flat_map(|module| module.calls.iter().chain(module.hears)) {
        links.entry(name).or_insert_with(Link::local);
    }
    Ok(links)
}

fn start_of(
    module: &'static Module,
    section: toml::Table,
    settings: &Settings,
    links: &Arc<BTreeMap<&'static str, Link>>,
    db: &Db,
    upkeep: &Upkeep,
    stop: &CancellationToken,
) -> Start {
    Start {
        name: module.name,
        db: db.clone(),
        links: Links::new(module.name, module.calls, Arc::clone(links)),
        clock: settings.clock.clone(),
        ids: settings.ids.clone(),
        objects: Arc::clone(&settings.objects),
        data_dir: settings.data_dir.clone(),
        stop: stop.clone(),
        public_url: settings.public_url.trim_end_matches('/').to_owned(),
        section,
        heard: Links::new(module.name, module.hears, Arc::clone(links)),
        upkeep: upkeep.clone(),
        problem: None,
    }
}

fn forget_old_answers(upkeep: &Upkeep, db: &Db, clock: &Clock) {
    let (db, clock) = (db.clone(), clock.clone());
    upkeep.every("forget_old_answers", FORGET_EVERY, move || {
        let (db, clock) = (db.clone(), clock.clone());
        Box::pin(async move {
            db.idempotency_forget(clock.now() - ANSWERS_KEPT).await?;
            Ok(())
        })
    });
}

//! A small market for black-box tests: real services on a real database of the test's own, met through their generated clients.
//!
//! ```ignore
//! let market = kit_test::start(&[&service_orders::MODULE, &service_cart::MODULE]).await;
//! let mut orders = OrdersClient::new(market.link("orders"));
//! orders.list_orders(market.buyer().request(ListOrdersRequest::default())).await?;
//! market.settle().await;
//! ```
//!
//! Time stands still unless the test moves `market.clock`. A panic here is a test that could not begin, which is what a test wants.
#![expect(clippy::expect_used, clippy::panic, reason = "this crate is only for tests")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kit_core::{Clock, Ids, TenantId, Time, UserId};
use kit_db::testing::TestDatabase;
use kit_db::{Position, Storage, Upkeep};
use kit_module::{House, Module, Settings};
use kit_rpc::{Actor, Ctx, CtxKey, Link, Links};
use object_store::local::LocalFileSystem;
use sqlx::{Connection, PgConnection};

/// How long consumers may take to get level before a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// When the clock of every test begins.
const BEGIN: &str = "2026-11-21T09:00:00Z";

/// Some services of the market, running for one test.
pub struct Market {
    pub house: House,
    pub clock: Clock,
    pub ids: Ids,
    /// Where the services keep files; gone with the market.
    pub data: tempfile::TempDir,
    modules: Vec<&'static Module>,
    sections: toml::Table,
    database: TestDatabase,
}

/// Starts services with their default configuration.
pub async fn start(modules: &[&'static Module]) -> Market {
    start_with(modules, "").await
}

/// Starts services with `[name]` sections of configuration, as they would stand under `[services]`.
pub async fn start_with(modules: &[&'static Module], sections: &str) -> Market {
    let schemas: Vec<_> = modules.iter().map(|module| module.schema()).collect();
    let database = TestDatabase::create(&schemas).await.expect("a database for the test");
    let begin: Time = BEGIN.parse().expect("the beginning is a time");
    let clock = Clock::virtual_at(begin);
    let ids = Ids::new(clock.clone());
    let data = tempfile::tempdir().expect("a folder for the test");
    let sections: toml::Table = toml::from_str(sections).expect("the sections are TOML");
    let house = open(modules, &clock, &ids, &data, &sections, &database).await;
    Market { house, clock, ids, data, modules: modules.to_vec(), sections, database }
}

async fn open(
    modules: &[&'static Module],
    clock: &Clock,
    ids: &Ids,
    data: &tempfile::TempDir,
    sections: &toml::Table,
    database: &TestDatabase,
) -> House {
    let storage = Storage::open(database.settings()).await.expect("the test's database opens");
    let objects = data.path().join("objects");
    std::fs::create_dir_all(&objects).expect("a folder for objects");
    let settings = Settings {
        storage,
        clock: clock.clone(),
        ids: ids.clone(),
        objects: Arc::new(LocalFileSystem::new_with_prefix(objects).expect("objects in a folder")),
        data_dir: data.path().to_owned(),
        public_url: "http://market.test".to_owned(),
        sections: sections.clone(),
        remotes: BTreeMap::new(),
        key: CtxKey::new(b"the key of tests"),
    };
    House::start(settings, modules).await.expect("the services start")
}

impl Market {
    pub fn links(&self) -> Links {
        self.house.links()
    }

    /// The link to a service, to put its generated client over.
    pub fn link(&self, service: &str) -> Link {
        self.house.links().to(service).expect("the service is part of the test")
    }

    /// Stops the services and starts them again on the same database and files, as after a deployment.
    pub async fn restarted(self) -> Self {
        let Self { house, clock, ids, data, modules, sections, database } = self;
        house.stop().await;
        let house = open(&modules, &clock, &ids, &data, &sections, &database).await;
        Self { house, clock, ids, data, modules, sections, database }
    }

    /// The same services once more on the same database, as a second process would run them. To be stopped by the test.
    pub async fn twin(&self) -> House {
        open(&self.modules, &self.clock, &self.ids, &self.data, &self.sections, &self.database).await
    }

    /// Waits until every consumer has applied everything that its source here has told.
    pub async fn settle(&self) {
        let begin = Instant::now();
        let mut level_before = None;
        loop {
            let (behind, positions) = self.behind().await;
            // Level twice at the same places: no effect of one consumer was on its way to another between the looks.
            if behind.is_empty() && level_before.as_ref() == Some(&positions) {
                return;
            }
            level_before = behind.is_empty().then_some(positions);
            assert!(begin.elapsed() < PATIENCE, "these did not get level: {behind:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The consumers that are not level, and why; and where all are.
    async fn behind(&self) -> (Vec<String>, Vec<Position>) {
        let (mut behind, mut positions) = (Vec::new(), Vec::new());
        for upkeep in self.house.upkeeps() {
            let states = upkeep.consumer_states().await.expect("the consumers tell how they are");
            for state in states.iter().filter(|state| self.house.here().contains(&state.source)) {
                positions.push(state.position);
                if state.dead_letters > 0 {
                    panic!("{} could not apply events of {}: {:?}", upkeep.service(), state.source, self.dead_letters(upkeep.service()).await);
                }
                if state.behind > 0 {
                    behind.push(format!("{} follows {}: {} behind, {:?}", upkeep.service(), state.source, state.behind, state.trouble));
                }
            }
        }
        (behind, positions)
    }

    /// What a service could not apply: the event's kind and the error.
    pub async fn dead_letters(&self, service: &str) -> Vec<(String, String)> {
        let letters = self.upkeep(service).dead_letters(100).await.expect("the dead letters are read");
        letters.into_iter().map(|letter| (letter.event.unwrap_or_default().kind, letter.error)).collect()
    }

    fn upkeep(&self, service: &str) -> &Upkeep {
        let upkeep = self.house.upkeeps().iter().find(|upkeep| upkeep.service() == service);
        upkeep.unwrap_or_else(|| panic!("{service} is not part of the test"))
    }

    /// A connection as the owner of all tables, for tests of what even the owner's mistakes must not do.
    pub async fn owner(&self) -> PgConnection {
        PgConnection::connect(&self.database.url()).await.expect("the owner connects")
    }

    /// Runs a job of a service now.
    pub async fn run_job(&self, service: &str, job: &str) {
        self.upkeep(service).run_now(job).await.expect("the job runs");
    }

    fn ctx(&self, actor: Actor, tenant: Option<TenantId>, permissions: impl Iterator<Item = String>) -> Ctx {
        let request_id = format!("req_{}", self.ids.uuid().simple());
        Ctx { actor, tenant, permissions: Arc::new(permissions.collect()), ..Ctx::anonymous(&request_id) }
    }

    pub fn nobody(&self) -> Ctx {
        self.ctx(Actor::Nobody, None, std::iter::empty())
    }

    /// A new person with an account.
    pub fn buyer(&self) -> Ctx {
        self.buyer_as(self.ids.next())
    }

    pub fn buyer_as(&self, user: UserId) -> Ctx {
        self.ctx(Actor::User(user), None, std::iter::empty())
    }

    /// A new guest.
    pub fn guest(&self) -> Ctx {
        self.ctx(Actor::Guest(self.ids.next()), None, std::iter::empty())
    }

    /// Somebody who works for the tenant with these permissions: `["catalog.write"]`.
    pub fn seller(&self, tenant: TenantId, permissions: &[&str]) -> Ctx {
        self.ctx(Actor::User(self.ids.next()), Some(tenant), permissions.iter().map(|permission| format!("seller:{permission}")))
    }

    /// Platform staff with these permissions.
    pub fn operator(&self, permissions: &[&str]) -> Ctx {
        self.ctx(Actor::User(self.ids.next()), None, permissions.iter().map(|permission| format!("operator:{permission}")))
    }

    /// A service of the market.
    pub fn service(&self) -> Ctx {
        self.ctx(Actor::Service("test".to_owned()), None, std::iter::empty())
    }
}

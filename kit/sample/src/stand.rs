//! A house with only the shelf in it, on a database of its own that goes with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use kit_core::{Clock, Id, Ids, TenantId, UserId};
use kit_db::Storage;
use kit_db::testing::TestDatabase;
use kit_module::{House, Settings};
use kit_rpc::{Actor, Ctx, CtxKey, Link};
use object_store::memory::InMemory;

use crate::api::shelf_client::ShelfClient;

pub struct Stand {
    pub house: House,
    pub clock: Clock,
    pub ids: Ids,
    pub key: CtxKey,
    _database: TestDatabase,
    _dir: tempfile::TempDir,
}

impl Stand {
    pub async fn open() -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let database = TestDatabase::create(&[crate::MODULE.schema()]).await?;
        let storage = Storage::open(database.settings()).await?;
        let clock = Clock::System;
        let (ids, key) = (Ids::new(clock.clone()), CtxKey::new(b"the key of the tests"));
        let settings = Settings {
            storage,
            clock: clock.clone(),
            ids: ids.clone(),
            objects: Arc::new(InMemory::new()),
            data_dir: dir.path().to_owned(),
            public_url: "http://shelf.example".to_owned(),
            sections: toml::Table::new(),
            remotes: BTreeMap::new(),
            key: key.clone(),
        };
        let house = House::start(settings, &[&crate::MODULE]).await?;
        Ok(Self { house, clock, ids, key, _database: database, _dir: dir })
    }

    pub fn shelf(&self) -> anyhow::Result<ShelfClient<Link>> {
        Ok(ShelfClient::new(self.house.links().to("shelf")?))
    }

    /// Somebody with an account; each time another.
    pub fn buyer(&self) -> Ctx {
        Ctx { actor: Actor::User(self.ids.next()), ..Ctx::anonymous("test") }
    }

    /// A buyer who may do this in a tenant.
    pub fn seller(&self, tenant: TenantId, permission: &str) -> Ctx {
        Ctx { tenant: Some(tenant), permissions: permissions(&format!("seller:{permission}")), ..self.buyer() }
    }

    pub fn operator(&self, permission: &str) -> Ctx {
        Ctx { permissions: permissions(&format!("operator:{permission}")), ..self.buyer() }
    }

    pub fn user(&self) -> UserId {
        Id::from(self.ids.uuid())
    }
}

fn permissions(permission: &str) -> Arc<std::collections::BTreeSet<String>> {
    Arc::new([permission.to_owned()].into())
}

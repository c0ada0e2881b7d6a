//! What tenants do, one file per story.

mod apply;
mod life;
mod lists;
mod staff;
mod stores;

pub(crate) use apply::Application;
pub(crate) use lists::Page;
pub(crate) use stores::Changes;

use api_identity::identity_client::IdentityClient;
use api_tenants as api;
use kit_core::{Clock, Ids, TenantId};
use kit_db::{Db, Scope, Tx};
use kit_rpc::Link;

use crate::config::Config;
use crate::error::Error;
use crate::model::Tenant;
use crate::wire;

/// The running service.
pub(crate) struct Tenants {
    pub db: Db,
    pub clock: Clock,
    pub ids: Ids,
    pub config: Config,
    pub identity: IdentityClient<Link>,
}

impl Tenants {
    async fn begin(&self, scope: Scope) -> Result<Tx, Error> {
        Ok(self.db.begin(&scope).await?)
    }

    async fn begin_for(&self, tenant: TenantId) -> Result<Tx, Error> {
        self.begin(Scope::Tenant(tenant)).await
    }

    pub(crate) fn show(&self, tenant: &Tenant) -> api::Tenant {
        wire::tenant(tenant, &self.config)
    }
}

//! What operators, applicants and other services read.

use std::collections::HashMap;

use kit_core::{TenantId, Time, UserId};
use kit_db::Scope;
use uuid::Uuid;

use super::Tenants;
use crate::error::Error;
use crate::model::{StaffRole, State, Tenant};
use crate::store;
use crate::store::tenant::{Filter, Step};

/// A part of a list.
pub(crate) struct Page<K> {
    pub limit: usize,
    /// The sort key and id of the last one seen.
    pub after: Option<(K, Uuid)>,
}

impl<K> Page<K> {
    /// One more than asked for tells whether there are more.
    pub(crate) fn fetch(&self) -> i64 {
        i64::try_from(self.limit + 1).unwrap_or(i64::MAX)
    }
}

impl Tenants {
    pub(crate) async fn list(&self, page: &Page<Time>, state: Option<State>, query: &str) -> Result<Vec<Tenant>, Error> {
        let mut tx = self.begin(Scope::Platform).await?;
        let filter = Filter { state: state.map(State::text), query: &query.trim().to_lowercase(), after: page.after, limit: page.fetch() };
        let tenants = store::tenant::list(&mut tx, filter).await?;
        tx.commit().await?;
        Ok(tenants)
    }

    pub(crate) async fn get(&self, id: TenantId) -> Result<(Tenant, Vec<Step>), Error> {
        let mut tx = self.begin_for(id).await?;
        let tenant = store::tenant::find_many(&mut tx, &[id.uuid()]).await?.pop().ok_or(Error::TenantNotFound)?;
        let steps = store::tenant::steps(&mut tx, id).await?;
        tx.commit().await?;
        Ok((tenant, steps))
    }

    pub(crate) async fn find_many(&self, ids: &[TenantId]) -> Result<Vec<Tenant>, Error> {
        let uuids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        let mut tx = self.begin(Scope::Tenants(ids.to_vec())).await?;
        let tenants = store::tenant::find_many(&mut tx, &uuids).await?;
        tx.commit().await?;
        Ok(tenants)
    }

    /// The applications and tenants of a person, with their role where they work.
    pub(crate) async fn list_mine(&self, user: UserId) -> Result<Vec<(Tenant, Option<StaffRole>)>, Error> {
        let mut tx = self.begin(Scope::Platform).await?;
        let tenants = store::tenant::of_person(&mut tx, user).await?;
        let roles: HashMap<TenantId, StaffRole> =
            store::staff::of_person(&mut tx, user).await?.into_iter().map(|member| (member.tenant, member.role)).collect();
        tx.commit().await?;
        Ok(tenants
            .into_iter()
            .map(|tenant| {
                let role = roles.get(&tenant.id).copied();
                (tenant, role)
            })
            .collect())
    }
}

//! Giving and taking roles. Who is affected is asked again at the very next request, in every process.

use api_identity::identity_event::Body;
use api_identity::{RoleGranted, RoleRevoked};
use kit_core::{TenantId, UserId};
use kit_db::log;
use kit_rpc::Ctx;
use serde_json::json;

use super::Identity;
use crate::cache::Changed;
use crate::error::Error;
use crate::events;
use crate::model::policy::{Membership, Role};
use crate::store;

impl Identity {
    pub(crate) async fn grant_in_tenant(&self, ctx: &Ctx, user: UserId, tenant: TenantId, role: Role) -> Result<(), Error> {
        if !role.is_of_tenant() {
            return Err(Error::RoleNotOfTenant);
        }
        self.grant(ctx, Membership { user, tenant: Some(tenant), role, granted_at: self.clock.now() }).await
    }

    pub(crate) async fn grant_on_platform(&self, ctx: &Ctx, user: UserId, role: Role) -> Result<(), Error> {
        if !role.is_of_platform() {
            return Err(Error::RoleNotOfPlatform);
        }
        self.grant(ctx, Membership { user, tenant: None, role, granted_at: self.clock.now() }).await
    }

    async fn grant(&self, ctx: &Ctx, membership: Membership) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        // A guest has no account that could be given a role.
        if store::person::lock(&mut tx, membership.user).await?.guest {
            return Err(Error::UserNotFound);
        }
        let by = ctx.on_behalf_of.map_or_else(|| ctx.actor_text(), |user| user.to_string());
        let granted = match membership.tenant {
            Some(_) => store::membership::put_in_tenant(&mut tx, &membership, &by).await?,
            None => store::membership::put_on_platform(&mut tx, &membership, &by).await?,
        };
        if granted {
            let body = Body::RoleGranted(RoleGranted { membership: Some((&membership).into()) });
            let change = json!({ "after": { "user": membership.user, "role": membership.role.text() } });
            log::append(&mut tx, ctx, membership.granted_at, events::role_event(&membership, body, change)).await?;
        }
        self.commit(tx, &[Changed::Person(membership.user)]).await
    }

    pub(crate) async fn revoke_in_tenant(&self, ctx: &Ctx, user: UserId, tenant: TenantId) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        let revoked = store::membership::remove_from_tenant(&mut tx, user, tenant).await?;
        self.revoked(tx, ctx, revoked).await
    }

    /// The last platform admin stays, or nobody could name another one.
    pub(crate) async fn revoke_on_platform(&self, ctx: &Ctx, user: UserId, role: Role) -> Result<(), Error> {
        if !role.is_of_platform() {
            return Err(Error::RoleNotOfPlatform);
        }
        let mut tx = self.begin().await?;
        store::person::lock(&mut tx, user).await?;
        if role == Role::PlatformAdmin && store::membership::lock_admins(&mut tx).await? == [user] {
            return Err(Error::LastPlatformAdmin);
        }
        let revoked = store::membership::remove_from_platform(&mut tx, user, role).await?;
        self.revoked(tx, ctx, revoked).await
    }

    async fn revoked(&self, mut tx: kit_db::Tx, ctx: &Ctx, revoked: Option<Membership>) -> Result<(), Error> {
        let Some(membership) = revoked else { return Ok(()) };
        let body = Body::RoleRevoked(RoleRevoked { membership: Some((&membership).into()) });
        let change = json!({ "before": { "user": membership.user, "role": membership.role.text() } });
        log::append(&mut tx, ctx, self.clock.now(), events::role_event(&membership, body, change)).await?;
        self.commit(tx, &[Changed::Person(membership.user)]).await
    }

    pub(crate) async fn memberships_of(&self, user: UserId) -> Result<Vec<Membership>, Error> {
        Ok(self.person(user).await?.map(|known| known.memberships.clone()).unwrap_or_default())
    }

    pub(crate) async fn memberships_in(&self, tenant: TenantId) -> Result<Vec<Membership>, Error> {
        let mut tx = self.begin().await?;
        let memberships = store::membership::of_tenant(&mut tx, tenant).await?;
        tx.commit().await?;
        Ok(memberships)
    }
}

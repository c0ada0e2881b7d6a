//! Who works for a tenant. This service decides; identity is told, at once and, should it be away, again until it knows.

use api_identity as identity;
use api_tenants::tenants_event::Body;
use api_tenants::{InviteWithdrawn, StaffInvited, StaffJoined, StaffRevoked, StaffRole as ApiRole, StaffRoleChanged};
use chrono::Duration;
use kit_core::{Email, TenantId, UserId};
use kit_db::{Scope, log};
use kit_rpc::Ctx;
use serde_json::json;

use super::Tenants;
use super::apply::account;
use crate::error::Error;
use crate::events;
use crate::model::{StaffRole, State, Tenant, leaves_no_admin};
use crate::store;
use crate::store::staff::{Invite, Member, Untold};
use crate::token;

impl Tenants {
    pub(crate) async fn invite_staff(&self, ctx: &Ctx, id: TenantId, email: Email, role: StaffRole) -> Result<Invite, Error> {
        let now = self.clock.now();
        let known = self.people(ctx, &[], std::slice::from_ref(&email)).await?;
        let mut tx = self.begin_for(id).await?;
        let tenant = store::tenant::lock(&mut tx, id).await?;
        let staff = store::staff::list(&mut tx, id).await?;
        if staff.iter().any(|member| known.iter().any(|user| user.user_id == member.user.to_string())) {
            return Err(Error::AlreadyStaff);
        }
        let open = store::staff::invites(&mut tx, id, now).await?.into_iter().filter(|invite| invite.email != email).count();
        if open >= usize::try_from(self.config.open_invites).unwrap_or(usize::MAX) {
            return Err(Error::TooManyInvites(self.config.open_invites));
        }
        self.check_staff_quota(&tenant, staff.len() + open)?;
        let secret = token::secret()?;
        let invite = Invite { tenant: id, email, role, invited_at: now, expires_at: now + Duration::days(i64::from(self.config.invite_days)) };
        store::staff::put_invite(&mut tx, &invite, &token::hash(&secret)).await?;
        let body = StaffInvited { tenant_id: id.to_string(), store_name: tenant.store.name, invite: Some((&invite).into()), token: secret };
        let change = json!({ "after": { "invited": invite.email.as_str(), "role": role.text() } });
        log::append(&mut tx, ctx, now, events::event(id, Body::StaffInvited(body), Some(change))).await?;
        tx.commit().await?;
        Ok(invite)
    }

    fn check_staff_quota(&self, tenant: &Tenant, others: usize) -> Result<(), Error> {
        let most = self.config.plan(tenant.plan).staff;
        let full = most > 0 && others >= usize::try_from(most).unwrap_or(usize::MAX);
        if full { Err(Error::TooManyStaff(most)) } else { Ok(()) }
    }

    pub(crate) async fn withdraw_invite(&self, ctx: &Ctx, id: TenantId, email: &Email) -> Result<(), Error> {
        let mut tx = self.begin_for(id).await?;
        if store::staff::remove_invite(&mut tx, id, email).await? {
            let body = Body::InviteWithdrawn(InviteWithdrawn { tenant_id: id.to_string(), email: email.to_string() });
            let change = json!({ "before": { "invited": email.as_str() } });
            log::append(&mut tx, ctx, self.clock.now(), events::event(id, body, Some(change))).await?;
        }
        Ok(tx.commit().await?)
    }

    /// The token proves that the caller reads the invited mailbox; the caller's own address must be that one too, so that a
    /// forwarded mail does not let somebody else in.
    pub(crate) async fn accept_invite(&self, ctx: &Ctx, secret: &str) -> Result<(Tenant, StaffRole), Error> {
        let user = account(ctx)?;
        let email = self.people(ctx, &[user], &[]).await?.into_iter().next().map(|user| user.email).ok_or(Error::AccountRequired)?;
        let now = self.clock.now();
        let mut tx = self.begin(Scope::Platform).await?;
        let invite = store::staff::lock_invite(&mut tx, &token::hash(secret), now).await?.ok_or(Error::InviteInvalid)?;
        if invite.email.as_str() != email {
            return Err(Error::InviteForOther);
        }
        let tenant = store::tenant::lock(&mut tx, invite.tenant).await?;
        if tenant.state == State::Closed {
            return Err(Error::InviteInvalid);
        }
        store::staff::remove_invite(&mut tx, invite.tenant, &invite.email).await?;
        store::staff::put(&mut tx, invite.tenant, user, Some(invite.role), now).await?;
        let body = StaffJoined { tenant_id: tenant.id.to_string(), user_id: user.to_string(), role: ApiRole::from(invite.role).into() };
        let change = json!({ "after": { "user": user, "role": invite.role.text() } });
        log::append(&mut tx, ctx, now, events::event(tenant.id, Body::StaffJoined(body), Some(change))).await?;
        tx.commit().await?;
        self.tell_identity(ctx, Some(tenant.id)).await?;
        Ok((tenant, invite.role))
    }

    /// Members with their names, and open invitations.
    pub(crate) async fn list_staff(&self, ctx: &Ctx, id: TenantId) -> Result<(Vec<(Member, Option<identity::User>)>, Vec<Invite>), Error> {
        let mut tx = self.begin_for(id).await?;
        let staff = store::staff::list(&mut tx, id).await?;
        let invites = store::staff::invites(&mut tx, id, self.clock.now()).await?;
        tx.commit().await?;
        let ids: Vec<UserId> = staff.iter().map(|member| member.user).collect();
        let mut people = self.people(ctx, &ids, &[]).await?;
        let named = staff.into_iter().map(|member| {
            let at = people.iter().position(|user| user.user_id == member.user.to_string());
            let user = at.map(|at| people.swap_remove(at));
            (member, user)
        });
        Ok((named.collect(), invites))
    }

    pub(crate) async fn change_staff_role(&self, ctx: &Ctx, id: TenantId, user: UserId, role: StaffRole) -> Result<(), Error> {
        self.change(ctx, id, user, Some(role)).await
    }

    pub(crate) async fn revoke_staff(&self, ctx: &Ctx, id: TenantId, user: UserId) -> Result<(), Error> {
        match self.change(ctx, id, user, None).await {
            // Somebody who does not work here is what was wanted.
            Err(Error::StaffNotFound) => self.tell_identity(ctx, Some(id)).await,
            done => done,
        }
    }

    async fn change(&self, ctx: &Ctx, id: TenantId, user: UserId, to: Option<StaffRole>) -> Result<(), Error> {
        let now = self.clock.now();
        let mut tx = self.begin_for(id).await?;
        // Changes to one tenant's staff go one after the other, so that two admins cannot remove each other.
        store::tenant::lock(&mut tx, id).await?;
        let staff = store::staff::list(&mut tx, id).await?;
        let held = staff.iter().find(|member| member.user == user).map(|member| member.role).ok_or(Error::StaffNotFound)?;
        let roles: Vec<_> = staff.iter().map(|member| (member.user, member.role)).collect();
        if leaves_no_admin(&roles, user, to) {
            return Err(Error::LastAdmin);
        }
        if to != Some(held) {
            store::staff::put(&mut tx, id, user, to, now).await?;
            let (tenant_id, user_id) = (id.to_string(), user.to_string());
            let body = match to {
                Some(role) => Body::StaffRoleChanged(StaffRoleChanged { tenant_id, user_id, role: ApiRole::from(role).into() }),
                None => Body::StaffRevoked(StaffRevoked { tenant_id, user_id }),
            };
            let change = json!({ "before": { "user": user, "role": held.text() }, "after": { "user": user, "role": to.map(StaffRole::text) } });
            log::append(&mut tx, ctx, now, events::event(id, body, Some(change))).await?;
        }
        tx.commit().await?;
        self.tell_identity(ctx, Some(id)).await
    }

    /// Tells identity what it does not know yet, of one tenant or of all.
    pub(crate) async fn tell_identity(&self, ctx: &Ctx, tenant: Option<TenantId>) -> Result<(), Error> {
        let mut tx = self.begin(Scope::Platform).await?;
        let untold = store::staff::untold(&mut tx, tenant).await?;
        tx.commit().await?;
        let ctx = ctx.as_service("tenants");
        for row in untold {
            self.tell(&ctx, &row).await?;
            let mut tx = self.begin(Scope::Tenant(row.tenant_id.into())).await?;
            store::staff::mark_told(&mut tx, &row).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn tell(&self, ctx: &Ctx, row: &Untold) -> Result<(), Error> {
        let (user_id, tenant_id) = (UserId::from(row.user_id).to_string(), TenantId::from(row.tenant_id).to_string());
        let mut client = self.identity.clone();
        match row.role.as_deref().map(|text| StaffRole::from_text(text).ok_or(Error::Corrupt("staff.role"))).transpose()? {
            Some(role) => {
                let role = identity::Role::from(role).into();
                client.grant_role(ctx.request(identity::GrantRoleRequest { user_id, tenant_id, role })).await?;
            }
            None => {
                client.revoke_role(ctx.request(identity::RevokeRoleRequest { user_id, tenant_id })).await?;
            }
        }
        Ok(())
    }

    async fn people(&self, ctx: &Ctx, ids: &[UserId], emails: &[Email]) -> Result<Vec<identity::User>, Error> {
        let request = identity::GetUsersRequest {
            user_ids: ids.iter().map(ToString::to_string).collect(),
            emails: emails.iter().map(ToString::to_string).collect(),
        };
        let answer = self.identity.clone().get_users(ctx.as_service("tenants").request(request)).await?;
        Ok(answer.into_inner().users)
    }
}

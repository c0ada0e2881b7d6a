//! How identity's things look in its contract.

use api_identity as api;
use kit_core::TenantId;
use kit_rpc::timestamp;

use crate::error::Error;
use crate::flows::Issued;
use crate::model::policy::{Membership, Role};
use crate::model::{Known, Person};
use crate::store::address::Saved;
use crate::store::session::Listed;

impl From<&Person> for api::User {
    fn from(person: &Person) -> Self {
        Self {
            user_id: person.id.to_string(),
            email: person.email.as_ref().map(ToString::to_string).unwrap_or_default(),
            email_verified: person.email_verified,
            name: person.name.clone(),
            language: person.language.clone(),
            currency: person.currency.clone(),
            guest: person.guest,
            disabled: person.disabled,
            created_at: Some(timestamp(person.created_at)),
            version: person.version,
        }
    }
}

impl From<&Membership> for api::Membership {
    fn from(membership: &Membership) -> Self {
        Self {
            user_id: membership.user.to_string(),
            tenant_id: membership.tenant.map(|tenant: TenantId| tenant.to_string()).unwrap_or_default(),
            role: api::Role::from(membership.role).into(),
            granted_at: Some(timestamp(membership.granted_at)),
        }
    }
}

impl From<&Known> for api::UserWithRoles {
    fn from(known: &Known) -> Self {
        Self { user: Some((&known.person).into()), memberships: known.memberships.iter().map(Into::into).collect() }
    }
}

impl From<Role> for api::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Buyer => Self::Buyer,
            Role::SellerAdmin => Self::SellerAdmin,
            Role::SellerManager => Self::SellerManager,
            Role::InventoryOperator => Self::InventoryOperator,
            Role::SupportAgent => Self::SupportAgent,
            Role::Analyst => Self::Analyst,
            Role::PlatformAdmin => Self::PlatformAdmin,
        }
    }
}

/// A role as a request names it; unset is an error.
pub(crate) fn role(number: i32) -> Result<Role, Error> {
    optional_role(number)?.ok_or_else(|| Error::invalid("role", "is required"))
}

pub(crate) fn optional_role(number: i32) -> Result<Option<Role>, Error> {
    match api::Role::try_from(number) {
        Ok(api::Role::Unspecified) => Ok(None),
        Ok(api::Role::Buyer) => Ok(Some(Role::Buyer)),
        Ok(api::Role::SellerAdmin) => Ok(Some(Role::SellerAdmin)),
        Ok(api::Role::SellerManager) => Ok(Some(Role::SellerManager)),
        Ok(api::Role::InventoryOperator) => Ok(Some(Role::InventoryOperator)),
        Ok(api::Role::SupportAgent) => Ok(Some(Role::SupportAgent)),
        Ok(api::Role::Analyst) => Ok(Some(Role::Analyst)),
        Ok(api::Role::PlatformAdmin) => Ok(Some(Role::PlatformAdmin)),
        Err(_) => Err(Error::invalid("role", "is not a known role")),
    }
}

impl From<Issued> for api::Session {
    fn from(issued: Issued) -> Self {
        Self {
            session_id: issued.session.to_string(),
            access_token: issued.access_token,
            access_expires_at: Some(timestamp(issued.access_expires_at)),
            refresh_token: issued.refresh_token,
            session_token: issued.session_token,
            expires_at: Some(timestamp(issued.expires_at)),
            user: Some((&issued.person).into()),
        }
    }
}

impl From<Saved> for api::SavedAddress {
    fn from(saved: Saved) -> Self {
        Self { address_id: saved.id().to_string(), default: saved.is_default, address: Some(saved.into_address().into()) }
    }
}

impl From<Listed> for api::SessionInfo {
    fn from(listed: Listed) -> Self {
        Self {
            session_id: api::SessionId::from(listed.session_id).to_string(),
            device: listed.device,
            address: listed.address,
            created_at: Some(timestamp(listed.created_at)),
            last_used_at: Some(timestamp(listed.last_used_at)),
        }
    }
}

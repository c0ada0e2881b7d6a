//! How tenants look in their contract.

use api_tenants as api;
use kit_core::{TenantId, Time};
use kit_rpc::timestamp;

use crate::config::{CommissionRule, Config, PlanTerms};
use crate::error::Error;
use crate::model::{Business, Plan, StaffRole, State, Store, Tenant};
use crate::store::staff::Invite;

/// A tenant with everything; `config` knows what its plan includes.
pub(crate) fn tenant(tenant: &Tenant, config: &Config) -> api::Tenant {
    let terms = config.plan(tenant.plan);
    api::Tenant {
        tenant_id: tenant.id.to_string(),
        state: api::TenantState::from(tenant.state).into(),
        state_reason: tenant.state_reason.clone(),
        store: Some((&tenant.store).into()),
        business: Some((&tenant.business).into()),
        plan: api::Plan::from(tenant.plan).into(),
        commission_bps: tenant.commission_bps.unwrap_or(terms.commission_bps),
        quotas: Some(terms.into()),
        cell: tenant.cell.clone(),
        owner_id: tenant.owner.to_string(),
        applied_at: Some(timestamp(tenant.applied_at)),
        state_since: Some(timestamp(tenant.state_since)),
        version: tenant.version,
    }
}

/// What other services need to know.
pub(crate) fn terms(tenant: &Tenant, config: &Config) -> api::Terms {
    let terms = config.plan(tenant.plan);
    api::Terms {
        tenant_id: tenant.id.to_string(),
        state: api::TenantState::from(tenant.state).into(),
        plan: api::Plan::from(tenant.plan).into(),
        commission_bps: tenant.commission_bps.unwrap_or(terms.commission_bps),
        quotas: Some(terms.into()),
        store_name: tenant.store.name.clone(),
        slug: tenant.store.slug.to_string(),
        country: tenant.store.country.clone(),
        currency: tenant.store.currency.to_string(),
        holiday: tenant.store.holiday,
        contact_email: tenant.business.contact_email.to_string(),
        commission_rules: config.commission_rules(tenant.plan).map(commission_rule).collect(),
        supplier: Some(api::Supplier {
            legal_name: tenant.business.legal_name.clone(),
            registration_number: tenant.business.registration_number.clone(),
            tax_id: tenant.business.tax_id.clone(),
            address: tenant.business.address.clone(),
        }),
    }
}

fn commission_rule(rule: &CommissionRule) -> api::CommissionRule {
    api::CommissionRule {
        category: rule.category.clone(),
        commission_bps: rule.commission_bps,
        floor_minor: rule.floor_minor,
        cap_minor: rule.cap_minor,
    }
}

impl From<&Tenant> for api::PublicStore {
    fn from(tenant: &Tenant) -> Self {
        Self { tenant_id: tenant.id.to_string(), store: Some((&tenant.store).into()), since: Some(timestamp(tenant.applied_at)) }
    }
}

impl From<&Store> for api::Store {
    fn from(store: &Store) -> Self {
        Self {
            name: store.name.clone(),
            slug: store.slug.to_string(),
            description: store.description.clone(),
            logo_hash: store.logo_hash.clone(),
            accent_colour: store.accent_colour.clone(),
            returns_policy: store.returns_policy.clone(),
            shipping_policy: store.shipping_policy.clone(),
            country: store.country.clone(),
            currency: store.currency.to_string(),
            holiday: store.holiday,
            holiday_message: store.holiday_message.clone(),
        }
    }
}

impl From<&Business> for api::Business {
    fn from(business: &Business) -> Self {
        Self {
            legal_name: business.legal_name.clone(),
            registration_number: business.registration_number.clone(),
            tax_id: business.tax_id.clone(),
            contact_email: business.contact_email.to_string(),
            phone: business.phone.clone(),
            address: business.address.clone(),
            about: business.about.clone(),
        }
    }
}

/// A business as an application states it.
pub(crate) fn business(stated: api::Business) -> Result<Business, Error> {
    let line = |text: &str| crate::model::line(text);
    Ok(Business {
        legal_name: line(&stated.legal_name),
        registration_number: line(&stated.registration_number),
        tax_id: line(&stated.tax_id),
        contact_email: stated
            .contact_email
            .parse()
            .map_err(|error: kit_core::InvalidText| Error::invalid("business.contact_email", error.to_string()))?,
        phone: line(&stated.phone),
        address: line(&stated.address),
        about: stated.about,
    })
}

impl From<PlanTerms> for api::Quotas {
    fn from(terms: PlanTerms) -> Self {
        Self { products: terms.products, api_calls_per_minute: terms.api_calls_per_minute, staff: terms.staff }
    }
}

impl From<State> for api::TenantState {
    fn from(state: State) -> Self {
        match state {
            State::Applied => Self::Applied,
            State::Verifying => Self::Verifying,
            State::Active => Self::Active,
            State::Suspended => Self::Suspended,
            State::Closed => Self::Closed,
            State::Rejected => Self::Rejected,
        }
    }
}

/// A state as a request names it; unset: any.
pub(crate) fn state(number: i32) -> Result<Option<State>, Error> {
    let named = api::TenantState::try_from(number).map_err(|_| Error::invalid("state", "is not a known state"))?;
    Ok(State::ALL.into_iter().find(|state| api::TenantState::from(*state) == named))
}

impl From<Plan> for api::Plan {
    fn from(plan: Plan) -> Self {
        match plan {
            Plan::Free => Self::Free,
            Plan::Pro => Self::Pro,
            Plan::Enterprise => Self::Enterprise,
        }
    }
}

/// A plan as a request names it; unset: none.
pub(crate) fn plan(number: i32) -> Result<Option<Plan>, Error> {
    let named = api::Plan::try_from(number).map_err(|_| Error::invalid("plan", "is not a known plan"))?;
    Ok(Plan::ALL.into_iter().find(|plan| api::Plan::from(*plan) == named))
}

impl From<StaffRole> for api::StaffRole {
    fn from(role: StaffRole) -> Self {
        match role {
            StaffRole::SellerAdmin => Self::SellerAdmin,
            StaffRole::SellerManager => Self::SellerManager,
            StaffRole::InventoryOperator => Self::InventoryOperator,
        }
    }
}

/// A staff role as a request names it.
pub(crate) fn staff_role(number: i32) -> Result<StaffRole, Error> {
    let named = api::StaffRole::try_from(number).ok();
    StaffRole::ALL
        .into_iter()
        .find(|role| Some(api::StaffRole::from(*role)) == named)
        .ok_or_else(|| Error::invalid("role", "is not a role of a store's staff"))
}

impl From<StaffRole> for api_identity::Role {
    fn from(role: StaffRole) -> Self {
        match role {
            StaffRole::SellerAdmin => Self::SellerAdmin,
            StaffRole::SellerManager => Self::SellerManager,
            StaffRole::InventoryOperator => Self::InventoryOperator,
        }
    }
}

impl From<&Invite> for api::Invite {
    fn from(invite: &Invite) -> Self {
        Self {
            email: invite.email.to_string(),
            role: api::StaffRole::from(invite.role).into(),
            invited_at: Some(timestamp(invite.invited_at)),
            expires_at: Some(timestamp(invite.expires_at)),
        }
    }
}

/// A place in a list ordered by time, newest first.
pub(crate) fn time_cursor(at: Time, id: TenantId) -> String {
    format!("{:x}_{}", at.timestamp_micros(), id.uuid().simple())
}

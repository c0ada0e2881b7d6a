//! What tenants tell others: every event is keyed by the tenant and belongs to it.

use api_tenants::TenantsEvent;
use api_tenants::tenants_event::Body;
use kit_core::TenantId;
use kit_db::Event;
use prost::Message;
use serde_json::{Value, json};

use crate::model::{Act, Store, Tenant};

/// An event about a tenant; `change` is what the audit log shows.
pub(crate) fn event(tenant: TenantId, body: Body, change: Option<Value>) -> Event {
    let kind = kind(&body);
    Event { key: tenant.uuid(), tenant: Some(tenant), kind, payload: TenantsEvent { body: Some(body) }.encode_to_vec(), change }
}

/// The event of an act, with the tenant as it is afterwards.
pub(crate) fn acted(act: Act, tenant: api_tenants::Tenant) -> Body {
    let tenant = Some(tenant);
    match act {
        Act::Review => Body::TenantReviewStarted(api_tenants::TenantReviewStarted { tenant }),
        Act::Approve => Body::TenantApproved(api_tenants::TenantApproved { tenant }),
        Act::Reject => Body::TenantRejected(api_tenants::TenantRejected { tenant }),
        Act::Resubmit => Body::TenantApplied(api_tenants::TenantApplied { tenant }),
        Act::Suspend => Body::TenantSuspended(api_tenants::TenantSuspended { tenant }),
        Act::Reactivate => Body::TenantReactivated(api_tenants::TenantReactivated { tenant }),
        Act::Close => Body::TenantClosed(api_tenants::TenantClosed { tenant }),
    }
}

/// What of a tenant's standing the audit log compares.
pub(crate) fn standing(tenant: &Tenant) -> Value {
    json!({ "state": tenant.state.text(), "reason": tenant.state_reason, "plan": tenant.plan.text(), "commission_bps": tenant.commission_bps, "cell": tenant.cell })
}

/// What of a store the audit log compares; long texts by their length.
pub(crate) fn store(store: &Store) -> Value {
    json!({
        "name": store.name, "slug": store.slug.as_str(), "country": store.country, "holiday": store.holiday, "logo_hash": store.logo_hash,
        "accent_colour": store.accent_colour, "holiday_message": store.holiday_message, "description_length": store.description.len(),
        "returns_policy_length": store.returns_policy.len(), "shipping_policy_length": store.shipping_policy.len(),
    })
}

fn kind(body: &Body) -> &'static str {
    match body {
        Body::TenantApplied(_) => "tenant_applied",
        Body::TenantReviewStarted(_) => "tenant_review_started",
        Body::TenantApproved(_) => "tenant_approved",
        Body::TenantRejected(_) => "tenant_rejected",
        Body::TenantSuspended(_) => "tenant_suspended",
        Body::TenantReactivated(_) => "tenant_reactivated",
        Body::TenantClosed(_) => "tenant_closed",
        Body::TenantPlanChanged(_) => "tenant_plan_changed",
        Body::TenantPlaced(_) => "tenant_placed",
        Body::StoreUpdated(_) => "store_updated",
        Body::StaffInvited(_) => "staff_invited",
        Body::InviteWithdrawn(_) => "invite_withdrawn",
        Body::StaffJoined(_) => "staff_joined",
        Body::StaffRoleChanged(_) => "staff_role_changed",
        Body::StaffRevoked(_) => "staff_revoked",
    }
}

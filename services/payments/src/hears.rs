//! What payments hears: parcels that arrived, which lets the hold of their money begin, and how tenants stand.

use api_fulfillment::fulfillment_event::Body as FulfillmentBody;
use api_tenants::tenants_event::Body as TenantsBody;
use api_tenants::{Plan, Tenant, TenantState};
use kit_db::LoggedEvent;
use sqlx::PgConnection;

use crate::error::Error;
use crate::flows::Payments;

pub(crate) async fn on_fulfillment(payments: Payments, db: &mut PgConnection, event: LoggedEvent) -> Result<(), Error> {
    let body = event.decode::<api_fulfillment::FulfillmentEvent>().map_err(Error::unreadable)?.body;
    let Some(FulfillmentBody::ShipmentDelivered(delivered)) = body.filter(|_| event.kind == "shipment_delivered") else { return Ok(()) };
    if !delivered.all_delivered {
        return Ok(());
    }
    let sub_order = delivered.sub_order_id.parse().map_err(Error::unreadable)?;
    let tenant = delivered.tenant_id.parse().map_err(Error::unreadable)?;
    let order = delivered.order_id.parse().map_err(Error::unreadable)?;
    payments.delivered(db, sub_order, tenant, order, event.at).await
}

pub(crate) async fn on_tenants(payments: Payments, db: &mut PgConnection, event: LoggedEvent) -> Result<(), Error> {
    let tenant = match event.decode::<api_tenants::TenantsEvent>().map_err(Error::unreadable)?.body {
        Some(TenantsBody::TenantApproved(e)) => e.tenant,
        Some(TenantsBody::TenantSuspended(e)) => e.tenant,
        Some(TenantsBody::TenantReactivated(e)) => e.tenant,
        Some(TenantsBody::TenantClosed(e)) => e.tenant,
        Some(TenantsBody::TenantPlanChanged(e)) => e.tenant,
        _ => None,
    };
    let Some(tenant) = tenant else { return Ok(()) };
    let id = tenant.tenant_id.parse().map_err(Error::unreadable)?;
    payments.tenant_stands(db, id, plan(&tenant), is_paid(&tenant)).await
}

fn plan(tenant: &Tenant) -> &'static str {
    match tenant.plan() {
        Plan::Pro => "pro",
        Plan::Enterprise => "enterprise",
        Plan::Free | Plan::Unspecified => "free",
    }
}

/// Payouts of a suspended tenant wait; one that has closed is still paid what it is owed.
fn is_paid(tenant: &Tenant) -> bool {
    matches!(tenant.state(), TenantState::Active | TenantState::Closed)
}

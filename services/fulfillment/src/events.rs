//! What fulfillment hears: sub-orders that may begin, tenants that may sell. Both are put into the tenant's cell, in a transaction of
//! its own, so hearing an event twice must and does change nothing.

use std::collections::HashMap;

use api_orders::order_event::Body as OrderBody;
use api_orders::{ItemId, OrderId, SubOrder, SubOrderId};
use api_tenants::tenants_event::Body as TenantsBody;
use kit_core::{Currency, TenantId};
use kit_db::{Cell, LoggedEvent, Scope};
use sqlx::types::Json;

use crate::error::Error;
use crate::model::{Line, State};
use crate::service::Fulfillment;
use crate::store::{self, OrderRow};

/// A run of orders is put down in one transaction per cell.
pub(crate) async fn on_orders(service: Fulfillment, events: Vec<LoggedEvent>) -> Result<(), Error> {
    let now = service.clock.now();
    let due_at = now + chrono::Duration::hours(i64::from(service.config.handling_hours));
    let mut by_cell: HashMap<String, (Cell, Vec<OrderRow>)> = HashMap::new();
    for event in events.iter().filter(|event| event.kind == "sub_order_confirmed") {
        let body = event.decode::<api_orders::OrderEvent>().map_err(Error::unreadable)?.body;
        let Some(OrderBody::SubOrderConfirmed(confirmed)) = body else { continue };
        let sub = confirmed.sub_order.ok_or_else(|| Error::unreadable("a confirmed sub-order without content"))?;
        let tenant: TenantId = sub.tenant_id.parse().map_err(Error::unreadable)?;
        let row = order_of(sub, tenant, now, due_at)?;
        let cell = service.db.cell_of(tenant).await?;
        by_cell.entry(cell.name().to_owned()).or_insert_with(|| (cell, Vec::new())).1.push(row);
    }
    for (cell, rows) in by_cell.into_values() {
        let tenants = rows.iter().map(|row| TenantId::from(row.tenant_id)).collect();
        let mut tx = cell.begin(&Scope::Tenants(tenants)).await?;
        store::insert_orders(&mut tx, &rows, now).await?;
        tx.commit().await?;
    }
    Ok(())
}

fn order_of(sub: SubOrder, tenant: TenantId, now: kit_core::Time, due_at: kit_core::Time) -> Result<OrderRow, Error> {
    let line = |item: api_orders::Item| {
        Ok(Line {
            item_id: item.item_id.parse::<ItemId>().map_err(Error::unreadable)?.uuid(),
            variant_id: item.variant_id,
            sku: item.sku,
            title: item.title,
            options: item.options,
            quantity: item.quantity,
            shipped: 0,
        })
    };
    Ok(OrderRow {
        sub_order_id: sub.sub_order_id.parse::<SubOrderId>().map_err(Error::unreadable)?.uuid(),
        tenant_id: tenant.uuid(),
        order_id: sub.order_id.parse::<OrderId>().map_err(Error::unreadable)?.uuid(),
        number: sub.number,
        state: State::Open.as_str().to_owned(),
        lines: Json(sub.items.into_iter().map(line).collect::<Result<_, Error>>()?),
        ship_to: Json(sub.shipping_address.unwrap_or_default().into()),
        shipping_method: sub.shipping_method,
        cuts: Json(Vec::new()),
        version: 1,
        created_at: sub.placed_at.as_ref().map_or(now, kit_rpc::time),
        due_at,
    })
}

pub(crate) async fn on_tenants(service: Fulfillment, event: LoggedEvent) -> Result<(), Error> {
    let tenant = match event.decode::<api_tenants::TenantsEvent>().map_err(Error::unreadable)?.body {
        Some(TenantsBody::TenantApproved(e)) => e.tenant,
        Some(TenantsBody::TenantReactivated(e)) => e.tenant,
        // It may have been approved before it was given a cell of its own.
        Some(TenantsBody::TenantPlaced(e)) => e.tenant.filter(|tenant| tenant.state() == api_tenants::TenantState::Active),
        _ => None,
    };
    let Some(tenant) = tenant else { return Ok(()) };
    let currency = tenant.store.as_ref().and_then(|store| store.currency.parse::<Currency>().ok());
    if let (Ok(id), Some(currency)) = (tenant.tenant_id.parse::<TenantId>(), currency) {
        service.seed_methods(id, currency).await?;
    }
    Ok(())
}

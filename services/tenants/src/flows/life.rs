//! What operators do to tenants: review, approve, reject, suspend, reactivate, close, plan, placement.

use api_tenants::tenants_event::Body;
use api_tenants::{TenantPlaced, TenantPlanChanged};
use kit_core::TenantId;
use kit_db::{DbError, log};
use kit_rpc::Ctx;
use serde_json::json;

use super::Tenants;
use crate::error::Error;
use crate::events;
use crate::model::{Act, Plan, StaffRole, Tenant};
use crate::store;

/// The name by which a tenant asks for a cell of its own.
const DEDICATED: &str = "dedicated";

impl Tenants {
    /// Does something to a tenant, once. `plan`: the one granted with an approval.
    pub(crate) async fn act(&self, ctx: &Ctx, id: TenantId, act: Act, reason: &str, plan: Option<Plan>) -> Result<Tenant, Error> {
        let now = self.clock.now();
        let mut tx = self.begin_for(id).await?;
        let mut tenant = store::tenant::lock(&mut tx, id).await?;
        let before = events::standing(&tenant);
        if tenant.act(act, reason, now)? {
            tenant.plan = plan.unwrap_or(tenant.plan);
            store::tenant::save(&mut tx, &tenant).await?;
            store::tenant::add_step(&mut tx, &tenant, &ctx.actor_text()).await?;
            if act == Act::Approve {
                store::staff::put(&mut tx, id, tenant.owner, Some(StaffRole::SellerAdmin), now).await?;
            }
            let change = json!({ "before": before, "after": events::standing(&tenant) });
            log::append(&mut tx, ctx, now, events::event(id, events::acted(act, self.show(&tenant)), Some(change))).await?;
        }
        tx.commit().await?;
        if act == Act::Approve {
            self.tell_identity(ctx, Some(id)).await?;
        }
        Ok(tenant)
    }

    pub(crate) async fn set_plan(&self, ctx: &Ctx, id: TenantId, plan: Plan, commission_bps: Option<u32>) -> Result<Tenant, Error> {
        let mut tx = self.begin_for(id).await?;
        let mut tenant = store::tenant::lock(&mut tx, id).await?;
        if (tenant.plan, tenant.commission_bps) == (plan, commission_bps) {
            return Ok(tenant);
        }
        let before = events::standing(&tenant);
        tenant.plan = plan;
        tenant.commission_bps = commission_bps;
        tenant.version += 1;
        store::tenant::save(&mut tx, &tenant).await?;
        let body = Body::TenantPlanChanged(TenantPlanChanged { tenant: Some(self.show(&tenant)) });
        let change = json!({ "before": before, "after": events::standing(&tenant) });
        log::append(&mut tx, ctx, self.clock.now(), events::event(id, body, Some(change))).await?;
        tx.commit().await?;
        Ok(tenant)
    }

    /// Writes where the tenant's data will live. The directory comes first: it can be written again, and until the tenant is
    /// approved nobody looks it up. The row lock keeps an approval from coming between.
    pub(crate) async fn place(&self, ctx: &Ctx, id: TenantId, cell: &str) -> Result<Tenant, Error> {
        let wanted = if cell == DEDICATED { format!("t{}", &id.uuid().simple().to_string().split_off(3)) } else { cell.to_owned() };
        let mut tx = self.begin_for(id).await?;
        let mut tenant = store::tenant::lock(&mut tx, id).await?;
        if tenant.cell == wanted {
            return Ok(tenant);
        }
        if !tenant.state.has_no_data() {
            return Err(Error::TenantHasData(tenant.state));
        }
        self.db.place(id, &wanted).await.map_err(|error| match error {
            DbError::UnknownCell(_) | DbError::PlacedElsewhere(_) => Error::Placement(error),
            DbError::InvalidCellName => Error::invalid("cell", error.to_string()),
            other => Error::Db(other),
        })?;
        let before = events::standing(&tenant);
        tenant.cell = wanted;
        tenant.version += 1;
        store::tenant::save(&mut tx, &tenant).await?;
        let body = Body::TenantPlaced(TenantPlaced { tenant: Some(self.show(&tenant)) });
        let change = json!({ "before": before, "after": events::standing(&tenant) });
        log::append(&mut tx, ctx, self.clock.now(), events::event(id, body, Some(change))).await?;
        tx.commit().await?;
        Ok(tenant)
    }
}

//! Applying to sell.

use api_tenants::TenantApplied;
use api_tenants::tenants_event::Body;
use kit_core::{Country, Currency, Slug, TenantId, UserId};
use kit_db::{Scope, log};
use kit_rpc::{Actor, Ctx};
use serde_json::json;

use super::Tenants;
use crate::error::Error;
use crate::events;
use crate::model::{self, Act, Business, Plan, State, Store, Tenant};
use crate::store;

pub(crate) struct Application {
    pub store_name: String,
    /// None: made from the name.
    pub slug: Option<Slug>,
    pub business: Business,
    pub country: String,
    pub currency: Currency,
    pub description: String,
    pub plan: Plan,
}

/// The person with an account who asks.
pub(super) fn account(ctx: &Ctx) -> Result<UserId, Error> {
    match ctx.actor {
        Actor::User(user) => Ok(user),
        _ => Err(Error::AccountRequired),
    }
}

impl Tenants {
    pub(crate) async fn apply(&self, ctx: &Ctx, application: Application) -> Result<Tenant, Error> {
        let owner = account(ctx)?;
        check_country(&application.country)?;
        let mut tx = self.begin(Scope::Platform).await?;
        if store::tenant::count_open_applications(&mut tx, owner).await? >= i64::from(self.config.open_applications) {
            return Err(Error::TooManyApplications(self.config.open_applications));
        }
        let (id, now): (TenantId, _) = (self.ids.next(), self.clock.now());
        let slug = match application.slug {
            Some(slug) => slug,
            None => {
                let wished = Slug::from_name(&application.store_name).or_else(|| format!("store-{:08x}", id.uuid().as_fields().0).parse().ok());
                let wished = wished.ok_or_else(|| Error::invalid("slug", "is required for this name"))?;
                model::free_slug(&wished, &store::tenant::slugs_like(&mut tx, wished.as_str()).await?)
            }
        };
        let tenant = Tenant {
            id,
            owner,
            state: State::Applied,
            state_reason: String::new(),
            state_since: now,
            applied_at: now,
            store: Store {
                name: application.store_name,
                slug,
                description: application.description,
                logo_hash: String::new(),
                accent_colour: String::new(),
                returns_policy: String::new(),
                shipping_policy: String::new(),
                country: application.country,
                currency: application.currency,
                holiday: false,
                holiday_message: String::new(),
            },
            business: application.business,
            plan: application.plan,
            commission_bps: None,
            cell: "home".to_owned(),
            version: 1,
        };
        tenant.store.check()?;
        store::tenant::add(&mut tx, &tenant).await?;
        store::tenant::add_step(&mut tx, &tenant, &ctx.actor_text()).await?;
        let applied = Body::TenantApplied(TenantApplied { tenant: Some(self.show(&tenant)) });
        let change = json!({ "after": { "name": tenant.store.name, "slug": tenant.store.slug.as_str(), "standing": events::standing(&tenant) } });
        log::append(&mut tx, ctx, now, events::event(id, applied, Some(change))).await?;
        tx.commit().await?;
        Ok(tenant)
    }

    /// Sends a rejected application again. Nobody but the applicant may know of it.
    pub(crate) async fn resubmit(&self, ctx: &Ctx, id: TenantId, business: Business) -> Result<Tenant, Error> {
        let owner = account(ctx)?;
        let now = self.clock.now();
        let mut tx = self.begin_for(id).await?;
        let mut tenant = store::tenant::lock(&mut tx, id).await?;
        if tenant.owner != owner {
            return Err(Error::TenantNotFound);
        }
        let before = events::standing(&tenant);
        tenant.act(Act::Resubmit, "", now)?;
        tenant.business = business;
        store::tenant::save(&mut tx, &tenant).await?;
        store::tenant::add_step(&mut tx, &tenant, &ctx.actor_text()).await?;
        let change = json!({ "before": before, "after": events::standing(&tenant) });
        log::append(&mut tx, ctx, now, events::event(id, events::acted(Act::Resubmit, self.show(&tenant)), Some(change))).await?;
        tx.commit().await?;
        Ok(tenant)
    }
}

pub(super) fn check_country(code: &str) -> Result<(), Error> {
    match Country::of(code) {
        Some(_) => Ok(()),
        None => Err(Error::invalid("country", "is not an ISO 3166-1 alpha-2 code, as in GB")),
    }
}

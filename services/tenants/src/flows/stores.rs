//! Stores: what buyers see and sellers set.

use api_tenants::StoreUpdated;
use api_tenants::tenants_event::Body;
use kit_core::{Slug, TenantId};
use kit_db::{Scope, log};
use kit_rpc::Ctx;
use serde_json::json;

use super::apply::check_country;
use super::{Page, Tenants};
use crate::error::Error;
use crate::events;
use crate::model::{Store, Tenant};
use crate::store;

/// Absent: unchanged.
pub(crate) struct Changes {
    pub name: Option<String>,
    pub slug: Option<Slug>,
    pub description: Option<String>,
    pub logo_hash: Option<String>,
    pub accent_colour: Option<String>,
    pub returns_policy: Option<String>,
    pub shipping_policy: Option<String>,
    pub country: Option<String>,
    pub holiday: Option<bool>,
    pub holiday_message: Option<String>,
    pub if_version: Option<i64>,
}

impl Changes {
    fn onto(self, store: Store) -> Store {
        Store {
            name: self.name.unwrap_or(store.name),
            slug: self.slug.unwrap_or(store.slug),
            description: self.description.unwrap_or(store.description),
            logo_hash: self.logo_hash.unwrap_or(store.logo_hash),
            accent_colour: self.accent_colour.unwrap_or(store.accent_colour),
            returns_policy: self.returns_policy.unwrap_or(store.returns_policy),
            shipping_policy: self.shipping_policy.unwrap_or(store.shipping_policy),
            country: self.country.unwrap_or(store.country),
            // Prices are in it, so it does not change.
            currency: store.currency,
            holiday: self.holiday.unwrap_or(store.holiday),
            holiday_message: self.holiday_message.unwrap_or(store.holiday_message),
        }
    }
}

impl Tenants {
    pub(crate) async fn get_store(&self, slug: &str) -> Result<Tenant, Error> {
        let mut tx = self.begin(Scope::Platform).await?;
        let tenant = store::tenant::by_slug(&mut tx, slug).await?.ok_or(Error::StoreNotFound)?;
        tx.commit().await?;
        Ok(tenant)
    }

    pub(crate) async fn list_stores(&self, page: &Page<String>) -> Result<Vec<Tenant>, Error> {
        let mut tx = self.begin(Scope::Platform).await?;
        let after = page.after.as_ref().map(|(name, id)| (name.as_str(), *id));
        let tenants = store::tenant::list_stores(&mut tx, after, page.fetch()).await?;
        tx.commit().await?;
        Ok(tenants)
    }

    pub(crate) async fn update_store(&self, ctx: &Ctx, id: TenantId, changes: Changes) -> Result<Tenant, Error> {
        if let Some(country) = &changes.country {
            check_country(country)?;
        }
        let mut tx = self.begin_for(id).await?;
        let mut tenant = store::tenant::lock(&mut tx, id).await?;
        if changes.if_version.is_some_and(|version| version != tenant.version) {
            return Err(Error::Stale(tenant.version));
        }
        let changed = changes.onto(tenant.store.clone());
        changed.check()?;
        if changed == tenant.store {
            return Ok(tenant);
        }
        let before = events::store(&tenant.store);
        tenant.store = changed;
        tenant.version += 1;
        store::tenant::save(&mut tx, &tenant).await?;
        let body = Body::StoreUpdated(StoreUpdated { tenant: Some(self.show(&tenant)) });
        let change = json!({ "before": before, "after": events::store(&tenant.store) });
        log::append(&mut tx, ctx, self.clock.now(), events::event(id, body, Some(change))).await?;
        tx.commit().await?;
        Ok(tenant)
    }
}

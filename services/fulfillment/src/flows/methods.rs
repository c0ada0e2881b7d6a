//! A seller's shipping methods.

use api_fulfillment::ShippingMethodId;
use kit_core::{Currency, TenantId};
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::error::Error;
use crate::model::Terms;
use crate::service::Fulfillment;
use crate::store::{self, MethodRow};

impl Fulfillment {
    pub(crate) async fn list_methods(&self, tenant: TenantId) -> Result<Vec<MethodRow>, Error> {
        let mut tx = self.db.begin_for(tenant).await?;
        let mut methods = store::methods_of(&mut tx, &[tenant.uuid()]).await?;
        tx.commit().await?;
        methods.retain(|method| method.withdrawn_at.is_none());
        Ok(methods)
    }

    pub(crate) async fn create_method(&self, tenant: TenantId, currency: Currency, terms: Terms) -> Result<MethodRow, Error> {
        check(&terms)?;
        let mut tx = self.db.begin_for(tenant).await?;
        store::lock_seeding(&mut tx, tenant).await?;
        let offered = store::methods_of(&mut tx, &[tenant.uuid()]).await?.iter().filter(|method| method.withdrawn_at.is_none()).count();
        if i64::try_from(offered).unwrap_or(i64::MAX) >= self.config.max_methods {
            return Err(Error::MethodLimit(self.config.max_methods));
        }
        let row = self.new_method(tenant, currency, terms);
        store::insert_method(&mut tx, &row, self.clock.now()).await?;
        tx.commit().await?;
        self.forget_methods(tenant);
        Ok(row)
    }

    pub(crate) async fn update_method(
        &self,
        tenant: TenantId,
        id: ShippingMethodId,
        currency: Currency,
        terms: Terms,
        if_version: Option<u32>,
    ) -> Result<MethodRow, Error> {
        check(&terms)?;
        let mut tx = self.db.begin_for(tenant).await?;
        let mut row = store::lock_method(&mut tx, tenant, id).await?;
        if if_version.is_some_and(|version| i64::from(version) != i64::from(row.version)) {
            return Err(Error::Stale);
        }
        row.currency = currency.to_string();
        row.terms = Json(terms);
        store::save_method(&mut tx, &row).await?;
        tx.commit().await?;
        row.version = row.version.saturating_add(1);
        self.forget_methods(tenant);
        Ok(row)
    }

    pub(crate) async fn withdraw_method(&self, tenant: TenantId, id: ShippingMethodId) -> Result<(), Error> {
        let mut tx = self.db.begin_for(tenant).await?;
        let mut row = store::lock_method(&mut tx, tenant, id).await?;
        row.withdrawn_at = Some(self.clock.now());
        store::save_method(&mut tx, &row).await?;
        tx.commit().await?;
        self.forget_methods(tenant);
        Ok(())
    }

    /// Gives a tenant the house's methods in a currency it never had one in, so that a new store can sell at once. Idempotent.
    pub(crate) async fn seed_methods(&self, tenant: TenantId, currency: Currency) -> Result<(), Error> {
        let mut tx = self.db.begin_for(tenant).await?;
        store::lock_seeding(&mut tx, tenant).await?;
        let known = store::methods_of(&mut tx, &[tenant.uuid()]).await?;
        if !known.iter().any(|method| method.currency == currency.as_str()) {
            self.insert_defaults(&mut tx, tenant, currency).await?;
        }
        tx.commit().await?;
        self.forget_methods(tenant);
        Ok(())
    }

    async fn insert_defaults(&self, db: &mut PgConnection, tenant: TenantId, currency: Currency) -> Result<(), Error> {
        for terms in Terms::defaults(currency) {
            store::insert_method(&mut *db, &self.new_method(tenant, currency, terms), self.clock.now()).await?;
        }
        Ok(())
    }

    fn new_method(&self, tenant: TenantId, currency: Currency, terms: Terms) -> MethodRow {
        MethodRow {
            shipping_method_id: self.ids.uuid(),
            tenant_id: tenant.uuid(),
            currency: currency.to_string(),
            terms: Json(terms),
            withdrawn_at: None,
            version: 1,
        }
    }
}

fn check(terms: &Terms) -> Result<(), Error> {
    terms.fault().map_or(Ok(()), |(field, message)| Err(Error::invalid(field, message)))
}

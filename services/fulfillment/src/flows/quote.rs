//! What shipping costs, for cart and checkout: one query per cell for all sellers, and none for those asked for a moment ago.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kit_core::{Money, TenantId};
use kit_db::Scope;

use crate::error::Error;
use crate::model::Parcel;
use crate::service::Fulfillment;
use crate::store::{self, MethodRow};

/// A method that fits a parcel, with its price.
pub(crate) struct Offer {
    pub(crate) method: MethodRow,
    pub(crate) price: Money,
}

impl Fulfillment {
    /// For each parcel the methods that fit, the cheapest first, then the fastest.
    pub(crate) async fn quote(&self, parcels: &[(TenantId, Parcel)], country: &str) -> Result<Vec<Vec<Offer>>, Error> {
        let tenants: Vec<TenantId> = parcels.iter().map(|(tenant, _)| *tenant).collect();
        let mut methods = self.methods_of(&tenants).await?;
        for (tenant, parcel) in parcels {
            let currency = parcel.goods.currency;
            let never = methods.get(tenant).is_none_or(|known| !known.iter().any(|method| method.currency == currency.as_str()));
            if never {
                self.seed_methods(*tenant, currency).await?;
                methods.extend(self.methods_of(&[*tenant]).await?);
            }
        }
        let offers = parcels.iter().map(|(tenant, parcel)| offers(methods.get(tenant).map_or(&[][..], |known| known.as_slice()), parcel, country));
        Ok(offers.collect())
    }

    async fn methods_of(&self, tenants: &[TenantId]) -> Result<HashMap<TenantId, Arc<Vec<MethodRow>>>, Error> {
        let limit = Duration::from_secs(u64::from(self.config.methods_seconds));
        let mut found: HashMap<TenantId, Arc<Vec<MethodRow>>> = HashMap::new();
        {
            let remembered = self.methods.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            for tenant in tenants {
                if let Some((_, methods)) = remembered.get(tenant).filter(|(at, _)| at.elapsed() < limit) {
                    found.insert(*tenant, Arc::clone(methods));
                }
            }
        }
        let mut by_cell: HashMap<String, Vec<TenantId>> = HashMap::new();
        for tenant in tenants.iter().filter(|tenant| !found.contains_key(tenant)) {
            by_cell.entry(self.db.cell_of(*tenant).await?.name().to_owned()).or_default().push(*tenant);
        }
        for group in by_cell.into_values() {
            let Some(first) = group.first() else { continue };
            let mut tx = self.db.cell_of(*first).await?.begin(&Scope::Tenants(group.clone())).await?;
            let ids: Vec<_> = group.iter().map(|tenant| tenant.uuid()).collect();
            let rows = store::methods_of(&mut tx, &ids).await?;
            tx.commit().await?;
            let mut remembered = self.methods.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            remembered.retain(|_, (at, _)| at.elapsed() < limit);
            for tenant in group {
                let own: Vec<MethodRow> = rows.iter().filter(|row| row.tenant_id == tenant.uuid()).cloned().collect();
                let own = Arc::new(own);
                remembered.insert(tenant, (Instant::now(), Arc::clone(&own)));
                found.insert(tenant, own);
            }
        }
        Ok(found)
    }
}

fn offers(methods: &[MethodRow], parcel: &Parcel, country: &str) -> Vec<Offer> {
    let fitting = methods.iter().filter(|method| method.withdrawn_at.is_none() && method.currency == parcel.goods.currency.as_str());
    let priced = fitting.filter_map(|method| {
        let price = method.terms.price(parcel, country)?;
        Some(Offer { method: method.clone(), price: Money::new(price, parcel.goods.currency) })
    });
    let mut offers: Vec<Offer> = priced.collect();
    offers.sort_by_key(|offer| (offer.price.minor, offer.method.terms.max_days, offer.method.shipping_method_id));
    offers
}

//! What a product page reads. Kept in memory; the kept one is right as long as nothing changed the listing since it was read.

use std::sync::Arc;

use api_catalog::ProductId;
use api_search as api;
use kit_db::Scope;

use super::Search;
use crate::error::Error;
use crate::store;

#[derive(Clone)]
pub(crate) struct CachedListing {
    listing: Option<Arc<api::Listing>>,
    /// Every change of an earlier transaction than this is in it.
    complete: i64,
}

impl Search {
    pub(crate) async fn get_listing(&self, product: ProductId) -> Result<Arc<api::Listing>, Error> {
        self.get_listings(&[product]).await?.pop().ok_or(Error::ListingNotFound)
    }

    /// In the order asked; those that buyers may not see are left out.
    pub(crate) async fn get_listings(&self, products: &[ProductId]) -> Result<Vec<Arc<api::Listing>>, Error> {
        let mut kept: std::collections::HashMap<ProductId, Option<Arc<api::Listing>>> = std::collections::HashMap::with_capacity(products.len());
        let mut missing = Vec::new();
        for product in products {
            match self.kept(*product) {
                Some(listing) => {
                    kept.insert(*product, listing);
                }
                None => missing.push(*product),
            }
        }
        if !missing.is_empty() {
            kept.extend(self.read(&missing).await?);
        }
        Ok(products.iter().filter_map(|product| kept.get(product).cloned().flatten()).collect())
    }

    fn kept(&self, product: ProductId) -> Option<Option<Arc<api::Listing>>> {
        let cached = self.0.listings.get(&product)?;
        let unchanged = self.0.changed.get(&product).is_none_or(|changed| changed < cached.complete);
        unchanged.then_some(cached.listing)
    }

    async fn read(&self, products: &[ProductId]) -> Result<Vec<(ProductId, Option<Arc<api::Listing>>)>, Error> {
        let mut tx = self.0.db.begin(&Scope::Platform).await?;
        let (complete, stored) = store::listings(&mut tx, products).await?;
        drop(tx);
        let mut read: std::collections::HashMap<String, Arc<api::Listing>> = std::collections::HashMap::new();
        for stored in stored.iter().filter(|stored| stored.is_visible()) {
            read.insert(stored.product.product_id.clone(), Arc::new(stored.listing()));
        }
        let mut found = Vec::with_capacity(products.len());
        for product in products {
            let listing = read.get(&product.to_string()).cloned();
            // What does not exist is not kept, or anybody could fill the memory with ids.
            if listing.is_some() {
                self.0.listings.insert(*product, CachedListing { listing: listing.clone(), complete });
            }
            found.push((*product, listing));
        }
        Ok(found)
    }
}

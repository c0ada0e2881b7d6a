//! What a listing is and what a buyer sees of it: derived from the catalog's snapshot, the stock and the store. Pure.

use std::collections::BTreeMap;

use api_catalog::{ProductSnapshot, VariantId};
use api_search as api;
use kit_core::Time;
use kit_rpc::timestamp;

/// A listing as its row, its variants and its store are stored.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) product: ProductSnapshot,
    pub(crate) shown: bool,
    pub(crate) store: Option<Store>,
    pub(crate) stock: BTreeMap<VariantId, Stock>,
    pub(crate) listed_at: Option<Time>,
    pub(crate) changed_at: Time,
    /// Pieces, since it was first heard of.
    pub(crate) sold: i64,
    /// The transaction that changed it last.
    pub(crate) revision: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) name: String,
    pub(crate) slug: String,
    pub(crate) open: bool,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stock {
    pub(crate) available: i64,
    pub(crate) low_at: i64,
}

impl Stock {
    pub(crate) fn state(self) -> api::StockState {
        match self.available {
            ..=0 => api::StockState::OutOfStock,
            some if some <= self.low_at => api::StockState::Low,
            _ => api::StockState::InStock,
        }
    }
}

impl Stored {
    /// Whether buyers may see it: the product is active, its store is open, and something of it has a price.
    pub(crate) fn is_visible(&self) -> bool {
        self.shown && self.store.as_ref().is_some_and(|store| store.open) && self.product.variants.iter().any(|variant| variant.price.is_some())
    }

    pub(crate) fn stock_of(&self, variant: &str) -> Stock {
        variant.parse().ok().and_then(|id| self.stock.get(&id)).copied().unwrap_or_default()
    }

    /// The best state of any variant.
    pub(crate) fn stock_state(&self) -> api::StockState {
        let states = self.product.variants.iter().map(|variant| self.stock_of(&variant.variant_id).state());
        states.min_by_key(|state| i32::from(*state)).unwrap_or(api::StockState::OutOfStock)
    }

    /// Variants with a price, cheapest first.
    pub(crate) fn priced(&self) -> Vec<&api_catalog::Variant> {
        let mut priced: Vec<_> = self.product.variants.iter().filter(|variant| variant.price.is_some()).collect();
        priced.sort_by_key(|variant| variant.price.as_ref().map_or(i64::MAX, |price| price.amount_minor));
        priced
    }

    /// As a result list shows it; score and explanation come with the search.
    pub(crate) fn hit(&self) -> api::Hit {
        let priced = self.priced();
        let cheapest = priced.first();
        let store = self.store.as_ref();
        let product = &self.product;
        let only = Some(product.variants.as_slice()).and_then(|variants| if let [only] = variants { Some(only.variant_id.clone()) } else { None });
        api::Hit {
            product_id: product.product_id.clone(),
            tenant_id: product.tenant_id.clone(),
            title: product.title.clone(),
            brand: product.brand.clone(),
            store_name: store.map(|store| store.name.clone()).unwrap_or_default(),
            store_slug: store.map(|store| store.slug.clone()).unwrap_or_default(),
            media_hash: picture(&product.media).or_else(|| product.variants.iter().find_map(|variant| picture(&variant.media))).unwrap_or_default(),
            price_from: cheapest.and_then(|variant| variant.price.clone()),
            price_to: priced.last().and_then(|variant| variant.price.clone()),
            list_price: cheapest.and_then(|variant| variant.list_price.clone()),
            stock_state: self.stock_state().into(),
            variant_count: u32::try_from(product.variants.len()).unwrap_or(u32::MAX),
            variant_id: only.unwrap_or_default(),
            category_path: product.category_path.clone(),
            score: 0.0,
            explanation: Vec::new(),
            slug: product.slug.clone(),
        }
    }

    /// As a product page shows it.
    pub(crate) fn listing(&self) -> api::Listing {
        let priced = self.priced();
        let product = &self.product;
        let crumb = |(id, name): (&String, &String)| api::Crumb { category_id: id.clone(), name: name.clone() };
        let attribute = |attribute: &api_catalog::Attribute| api::ListingAttribute {
            name: attribute.name.clone(),
            values: attribute.values.clone(),
            unit: attribute.unit.clone(),
            key: attribute.key.clone(),
        };
        api::Listing {
            product_id: product.product_id.clone(),
            tenant_id: product.tenant_id.clone(),
            title: product.title.clone(),
            description: product.description.clone(),
            brand: product.brand.clone(),
            categories: product.category_path_ids.iter().zip(&product.category_path).map(crumb).collect(),
            attributes: product.attributes.iter().map(attribute).collect(),
            media: product.media.iter().map(media).collect(),
            variants: product.variants.iter().map(|variant| self.variant(variant)).collect(),
            store: self.store.as_ref().map(|store| api::ListingStore {
                tenant_id: product.tenant_id.clone(),
                name: store.name.clone(),
                slug: store.slug.clone(),
            }),
            price_from: priced.first().and_then(|variant| variant.price.clone()),
            price_to: priced.last().and_then(|variant| variant.price.clone()),
            stock_state: self.stock_state().into(),
            revision: self.revision,
            listed_at: self.listed_at.map(timestamp),
            changed_at: Some(timestamp(self.changed_at)),
            slug: product.slug.clone(),
            tags: product.tags.clone(),
        }
    }

    fn variant(&self, variant: &api_catalog::Variant) -> api::ListingVariant {
        let stock = self.stock_of(&variant.variant_id);
        api::ListingVariant {
            variant_id: variant.variant_id.clone(),
            sku: variant.sku.clone(),
            gtin: variant.gtin.clone(),
            options: variant.options.iter().map(|option| api::ListingOption { name: option.name.clone(), value: option.value.clone() }).collect(),
            price: variant.price.clone(),
            list_price: variant.list_price.clone(),
            available: stock.available.max(0),
            stock_state: stock.state().into(),
            media: variant.media.iter().map(media).collect(),
        }
    }
}

fn picture(media: &[api_catalog::Media]) -> Option<String> {
    media.iter().find(|media| media.kind() == api_catalog::MediaKind::Image).map(|media| media.hash.clone())
}

fn media(media: &api_catalog::Media) -> api::ListingMedia {
    api::ListingMedia {
        media_id: media.media_id.clone(),
        alt: media.alt.clone(),
        width: media.width,
        height: media.height,
        hash: media.hash.clone(),
        content_type: media.content_type.clone(),
    }
}

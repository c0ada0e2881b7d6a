//! Names what was counted. The names of a value are learned from one document that has it.

use std::collections::BTreeMap;

use api_search as api;

use super::collect::{Counts, PRICE_EDGES, Tallies, Tally};
use crate::error::Error;
use crate::index::document::{Card, brand_hash, key_of, value_hash};
use crate::text;

/// What the request selected, as it wrote it.
pub(crate) struct Selected<'a> {
    pub(crate) brands: &'a [String],
    pub(crate) sellers: &'a [String],
    pub(crate) category: &'a str,
    /// Keys and values.
    pub(crate) attributes: &'a [(String, String)],
    pub(crate) available_only: bool,
    pub(crate) price: Option<(u64, u64)>,
}

/// What a column value names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Named {
    Brand,
    Seller,
    Category,
    Attribute,
}

/// A value in a column, by its hash.
pub(crate) type Hashed = (Named, u64);

pub(crate) struct Naming<'a, F> {
    /// The card of a document that has the value.
    pub(crate) card: F,
    pub(crate) selected: Selected<'a>,
    pub(crate) values: usize,
    pub(crate) attributes: usize,
    /// One whole unit of the currency in minor units.
    pub(crate) unit: u64,
}

impl<F> Naming<'_, F>
where
    F: Fn(Hashed, &Tally) -> Result<std::sync::Arc<Card>, Error>,
{
    /// Category, brand, price, seller, availability, then attributes by how many listings have them; empty ones are left out.
    pub(crate) fn facets(&self, counts: &Counts) -> Result<Vec<api::Facet>, Error> {
        let mut facets = vec![
            self.categories(&counts.categories)?,
            self.brands(&counts.brands)?,
            self.prices(counts),
            self.sellers(&counts.sellers)?,
            self.availability(counts),
        ];
        facets.extend(self.attributes(&counts.values)?);
        facets.retain(|facet| !facet.values.is_empty());
        Ok(facets)
    }

    fn brands(&self, tallies: &Tallies) -> Result<api::Facet, Error> {
        let selected: BTreeMap<u64, &String> = self.selected.brands.iter().map(|brand| (brand_hash(brand), brand)).collect();
        let mut values = Vec::new();
        for (hash, tally) in self.most(tallies, |hash| selected.contains_key(&hash)) {
            let card = (self.card)((Named::Brand, hash), &tally)?;
            let brand = card.hit.as_ref().map(|hit| hit.brand.clone()).unwrap_or_default();
            values.push(api::FacetValue {
                value: brand.clone(),
                label: brand,
                count: tally.count,
                selected: selected.contains_key(&hash),
                ..Default::default()
            });
        }
        for (hash, brand) in &selected {
            if !tallies.contains_key(hash) {
                values.push(api::FacetValue { value: (*brand).clone(), label: (*brand).clone(), selected: true, ..Default::default() });
            }
        }
        Ok(facet("brand", "Brand", values))
    }

    fn sellers(&self, tallies: &Tallies) -> Result<api::Facet, Error> {
        let selected: Vec<u64> = self.selected.sellers.iter().map(|seller| text::hash(seller)).collect();
        let mut values = Vec::new();
        for (hash, tally) in self.most(tallies, |hash| selected.contains(&hash)) {
            let card = (self.card)((Named::Seller, hash), &tally)?;
            let Some(hit) = &card.hit else { continue };
            values.push(api::FacetValue {
                value: hit.tenant_id.clone(),
                label: hit.store_name.clone(),
                count: tally.count,
                selected: selected.contains(&hash),
                ..Default::default()
            });
        }
        Ok(facet("seller", "Seller", values))
    }

    /// The categories one step below the selected one; steps with a single choice that leads further are skipped.
    fn categories(&self, tallies: &Tallies) -> Result<api::Facet, Error> {
        let mut by_depth: BTreeMap<usize, Vec<api::FacetValue>> = BTreeMap::new();
        let mut selected_depth = None;
        for (hash, tally) in tallies {
            let card = (self.card)((Named::Category, *hash), tally)?;
            let path = card.hit.as_ref().map(|hit| hit.category_path.as_slice()).unwrap_or_default();
            let Some(depth) = card.category_ids.iter().position(|id| text::hash(id) == *hash) else { continue };
            let (Some(id), Some(name)) = (card.category_ids.get(depth), path.get(depth)) else { continue };
            let selected = *id == self.selected.category;
            if selected {
                selected_depth = Some(depth);
            }
            let value = api::FacetValue { value: id.clone(), label: name.clone(), count: tally.count, selected, ..Default::default() };
            by_depth.entry(depth).or_default().push(value);
        }
        let mut shown = selected_depth.map_or(0, |depth| depth + 1);
        while by_depth.get(&shown).is_some_and(|values| values.len() == 1) && by_depth.contains_key(&(shown + 1)) {
            shown += 1;
        }
        let mut values = by_depth.remove(&shown).unwrap_or_default();
        sort(&mut values);
        values.truncate(self.values);
        let chosen = selected_depth.and_then(|depth| by_depth.remove(&depth)).into_iter().flatten().find(|value| value.selected);
        values.splice(0..0, chosen);
        Ok(facet("category", "Category", values))
    }

    fn prices(&self, counts: &Counts) -> api::Facet {
        let edge = |place: Option<usize>| {
            place.and_then(|place| PRICE_EDGES.get(place)).map_or(0, |edge| i64::try_from(edge.saturating_mul(self.unit)).unwrap_or(i64::MAX))
        };
        let bucket = |(place, count): (usize, &u64)| {
            let (from_minor, to_minor) = (edge(place.checked_sub(1)), edge(Some(place)));
            let chosen = self.selected.price.is_some_and(|(from, to)| {
                i64::try_from(from) == Ok(from_minor) && i64::try_from(to).is_ok_and(|to| to + 1 == to_minor || to == to_minor)
            });
            api::FacetValue { count: *count, selected: chosen, from_minor, to_minor, ..Default::default() }
        };
        facet("price", "Price", counts.prices.iter().enumerate().filter(|(_, count)| **count > 0).map(bucket).collect())
    }

    fn availability(&self, counts: &Counts) -> api::Facet {
        let value = api::FacetValue {
            value: "true".to_owned(),
            label: "In stock".to_owned(),
            count: counts.available,
            selected: self.selected.available_only,
            ..Default::default()
        };
        facet("availability", "Availability", Some(value).filter(|value| value.count > 0 || value.selected).into_iter().collect())
    }

    fn attributes(&self, tallies: &Tallies) -> Result<Vec<api::Facet>, Error> {
        let selected: Vec<u64> = self.selected.attributes.iter().map(|(key, value)| value_hash(key, value)).collect();
        let mut by_key: BTreeMap<u64, Vec<(u64, Tally)>> = BTreeMap::new();
        for (value, tally) in tallies {
            by_key.entry(key_of(*value)).or_default().push((*value, *tally));
        }
        let mut keys: Vec<(u64, Vec<(u64, Tally)>)> = by_key.into_iter().collect();
        let weight = |values: &[(u64, Tally)]| values.iter().map(|(_, tally)| tally.count).sum::<u64>();
        let chosen = |values: &[(u64, Tally)]| values.iter().any(|(value, _)| selected.contains(value));
        keys.sort_by(|a, b| (chosen(&b.1), weight(&b.1), a.0).cmp(&(chosen(&a.1), weight(&a.1), b.0)));
        let mut facets = Vec::new();
        for (_, mut tallies) in keys.into_iter().take(self.attributes) {
            tallies.sort_by_key(|(value, tally)| std::cmp::Reverse((selected.contains(value), tally.count)));
            let mut named = None;
            let mut values = Vec::new();
            for (hash, tally) in tallies.into_iter().take(self.values) {
                let card = (self.card)((Named::Attribute, hash), &tally)?;
                let Some(found) = card.values.iter().find(|value| value_hash(&value.key, &value.value) == hash) else { continue };
                let label = if found.unit.is_empty() { found.value.clone() } else { format!("{} {}", found.value, found.unit) };
                named.get_or_insert_with(|| (format!("attribute:{}", found.key), found.name.clone()));
                values.push(api::FacetValue {
                    value: found.value.clone(),
                    label,
                    count: tally.count,
                    selected: selected.contains(&hash),
                    ..Default::default()
                });
            }
            if let Some((field, label)) = named {
                facets.push(facet(&field, &label, values));
            }
        }
        Ok(facets)
    }

    /// The values found most, and those selected whatever their count.
    fn most(&self, tallies: &Tallies, selected: impl Fn(u64) -> bool) -> Vec<(u64, Tally)> {
        let mut all: Vec<(u64, Tally)> = tallies.iter().map(|(hash, tally)| (*hash, *tally)).collect();
        all.sort_unstable_by_key(|(hash, tally)| (std::cmp::Reverse(selected(*hash)), std::cmp::Reverse(tally.count), *hash));
        all.truncate(self.values);
        all
    }
}

fn facet(field: &str, label: &str, mut values: Vec<api::FacetValue>) -> api::Facet {
    if matches!(field, "brand" | "seller") {
        sort(&mut values);
    }
    api::Facet { field: field.to_owned(), label: label.to_owned(), values }
}

fn sort(values: &mut [api::FacetValue]) {
    values.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.label.cmp(&b.label)));
}

//! A seller's change of a product, field by field, checked as a whole.

use std::collections::{BTreeMap, HashMap, HashSet};

use api_catalog::VariantId;
use kit_core::{Ids, Money, Sku, Violation};

use super::category::Tree;
use super::product::{Content, Dimensions, MediaFile, Variant};
use super::{amount, gtin, richtext};
use crate::error::wrong;

/// What is to be different; `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edit {
    pub title: Option<String>,
    pub description: Option<String>,
    pub brand: Option<String>,
    /// Id or code; empty: none.
    pub category: Option<String>,
    /// An empty value takes the attribute away.
    pub attributes: BTreeMap<String, String>,
    pub media: Option<Vec<String>>,
    pub tags: Option<Vec<String>>,
    pub variants: Vec<VariantEdit>,
    pub remove: Vec<VariantId>,
}

/// A variant, whole.
#[derive(Debug, Clone)]
pub(crate) struct VariantEdit {
    pub id: Option<VariantId>,
    pub sku: String,
    pub gtin: String,
    pub options: Vec<(String, String)>,
    pub price: Money,
    pub list_price: Option<Money>,
    pub weight_grams: u32,
    pub dimensions: Option<Dimensions>,
    pub media: Vec<String>,
}

impl Edit {
    /// Every media file the change names.
    pub(crate) fn media_names(&self) -> Vec<String> {
        self.media.iter().flatten().chain(self.variants.iter().flat_map(|variant| &variant.media)).cloned().collect()
    }

    /// The content after the change; all that is wrong with it is told at once.
    pub(crate) fn apply(&self, before: &Content, tree: &Tree, media: &HashMap<String, MediaFile>, ids: &Ids) -> Result<Content, Vec<Violation>> {
        let mut wrongs = Vec::new();
        let mut content = before.clone();
        if let Some(title) = &self.title {
            content.title = richtext::plain(title);
        }
        if let Some(description) = &self.description {
            content.description = richtext::description(description);
        }
        if let Some(brand) = &self.brand {
            content.brand = richtext::plain(brand);
        }
        if let Some(category) = &self.category {
            content.category = tree.find(category).map(|node| node.category.id);
            if content.category.is_none() && !category.is_empty() {
                wrongs.push(wrong("category", format!("category {category} does not exist")));
            }
        }
        for (key, text) in &self.attributes {
            if text.trim().is_empty() {
                content.attributes.remove(key);
                continue;
            }
            match tree.read_value(content.category, key, text) {
                Ok(values) => _ = content.attributes.insert(key.clone(), values),
                Err(violation) => wrongs.push(violation),
            }
        }
        if let Some(names) = &self.media {
            content.media = files("media_ids", names, media, &mut wrongs);
        }
        if let Some(tags) = &self.tags {
            content.tags = tags.iter().map(|tag| richtext::plain(tag)).filter(|tag| !tag.is_empty()).collect();
            content.tags.dedup();
        }
        self.apply_variants(&mut content, media, ids, &mut wrongs);
        wrongs.extend(content.problems());
        if wrongs.is_empty() { Ok(content) } else { Err(wrongs) }
    }

    fn apply_variants(&self, content: &mut Content, media: &HashMap<String, MediaFile>, ids: &Ids, wrongs: &mut Vec<Violation>) {
        for id in &self.remove {
            if !content.variants.iter().any(|variant| variant.id == *id) {
                wrongs.push(wrong("remove_variant_ids", format!("the product has no variant {id}")));
            }
        }
        content.variants.retain(|variant| !self.remove.contains(&variant.id));
        let mut named = HashSet::new();
        for (index, edit) in self.variants.iter().enumerate() {
            let field = |name: &str| format!("variants[{index}].{name}");
            let place = content.variants.iter().position(|variant| edit.id.map_or(variant.sku == edit.sku.trim(), |id| variant.id == id));
            if let Some(id) = edit.id.filter(|_| place.is_none()) {
                wrongs.push(wrong(field("variant_id"), format!("the product has no variant {id}")));
                continue;
            }
            let id = place.and_then(|place| content.variants.get(place)).map_or_else(|| ids.next(), |variant| variant.id);
            if !named.insert(id) {
                // Otherwise the later one would quietly replace the earlier.
                wrongs.push(wrong(field("sku"), format!("{} is there twice", edit.sku.trim())));
                continue;
            }
            let variant = edit.variant(id, &field, media, wrongs);
            match place.and_then(|place| content.variants.get_mut(place)) {
                Some(known) => *known = variant,
                None => content.variants.push(variant),
            }
        }
    }
}

impl VariantEdit {
    fn variant(&self, id: VariantId, field: &dyn Fn(&str) -> String, media: &HashMap<String, MediaFile>, wrongs: &mut Vec<Violation>) -> Variant {
        let sku = self.sku.parse::<Sku>().map(|sku| sku.to_string()).unwrap_or_else(|invalid| {
            wrongs.push(wrong(field("sku"), invalid.to_string()));
            self.sku.clone()
        });
        let gtin = if self.gtin.trim().is_empty() { Some(String::new()) } else { gtin::parse(self.gtin.trim()) };
        if gtin.is_none() {
            wrongs.push(wrong(field("gtin"), "is not a GTIN: 8, 12, 13 or 14 digits whose last is the check digit"));
        }
        if self.price.minor < 0 || self.price.minor > amount::MAX_MINOR {
            wrongs.push(wrong(field("price.amount_minor"), format!("must be from 0 to {}", amount::MAX_MINOR)));
        }
        if self.list_price.is_some_and(|list| list.currency != self.price.currency) {
            wrongs.push(wrong(field("list_price.currency"), "differs from the price's"));
        }
        Variant {
            id,
            sku,
            gtin: gtin.unwrap_or_default(),
            options: self.options.iter().map(|(name, value)| (richtext::plain(name), richtext::plain(value))).collect(),
            price_minor: self.price.minor,
            currency: self.price.currency,
            list_price_minor: self.list_price.map(|list| list.minor),
            weight_grams: self.weight_grams,
            dimensions: self.dimensions.filter(|sides| sides.length_mm + sides.width_mm + sides.height_mm > 0),
            media: files(&field("media_ids"), &self.media, media, wrongs),
        }
    }
}

fn files(field: &str, names: &[String], media: &HashMap<String, MediaFile>, wrongs: &mut Vec<Violation>) -> Vec<MediaFile> {
    let mut found = Vec::new();
    for name in names {
        match media.get(name) {
            Some(file) => found.push(file.clone()),
            None => wrongs.push(wrong(field, format!("there is no media {name}"))),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit_core::{Clock, Currency};

    fn new_mug() -> Edit {
        let variant = VariantEdit {
            id: None,
            sku: " MUG ".to_owned(),
            gtin: String::new(),
            options: Vec::new(),
            price: Money::new(1_200, Currency::USD),
            list_price: None,
            weight_grams: 0,
            dimensions: None,
            media: Vec::new(),
        };
        Edit { title: Some("<b>Mug</b>".to_owned()), variants: vec![variant], ..Edit::default() }
    }

    fn apply(edit: &Edit, before: &Content) -> Result<Content, Vec<String>> {
        let applied = edit.apply(before, &Tree::default(), &HashMap::new(), &Ids::new(Clock::System));
        applied.map_err(|wrongs| wrongs.into_iter().map(|violation| violation.field).collect())
    }

    #[test]
    fn a_change_touches_what_it_names() {
        let made = apply(&new_mug(), &Content::default()).unwrap();
        assert_eq!((made.title.as_str(), made.variants[0].sku.as_str()), ("Mug", "MUG"));
        let mut dearer = Edit { variants: new_mug().variants, ..Edit::default() };
        dearer.variants[0].price = Money::new(1_500, Currency::USD);
        let changed = apply(&dearer, &made).unwrap();
        assert_eq!((changed.title.as_str(), changed.variants.len(), changed.variants[0].price_minor), ("Mug", 1, 1_500));
        assert_eq!(changed.variants[0].id, made.variants[0].id);
    }

    #[test]
    fn a_variant_is_named_once() {
        let mut twice = new_mug();
        twice.variants.extend(new_mug().variants);
        assert_eq!(apply(&twice, &Content::default()).unwrap_err(), ["variants[1].sku"]);
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let mut edit = new_mug();
        edit.category = Some("nowhere".to_owned());
        edit.media = Some(vec!["med_x".to_owned()]);
        edit.attributes.insert("BAD KEY".to_owned(), "x".to_owned());
        edit.variants[0].gtin = "123".to_owned();
        edit.variants[0].price = Money::new(-1, Currency::USD);
        edit.variants[0].list_price = Some(Money::new(5, Currency::EUR));
        let wrongs = apply(&edit, &Content::default()).unwrap_err();
        for field in
            ["category", "media_ids", "attributes.BAD KEY", "variants[0].gtin", "variants[0].price.amount_minor", "variants[0].list_price.currency"]
        {
            assert!(wrongs.iter().any(|found| found == field), "{field} in {wrongs:?}");
        }
    }
}

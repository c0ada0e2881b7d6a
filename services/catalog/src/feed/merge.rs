//! What a chunk of good rows makes of the products there are: pure, on products loaded before and saved afterwards.

use std::collections::HashMap;

use api_catalog::{ProductId, VariantId};
use kit_core::{Ids, TenantId, Time};

use super::plan::{Draft, RowError};
use crate::error::Error;
use crate::model::category::Tree;
use crate::model::product::{Content, MediaFile, Product, Status, Variant};
use crate::store::products::Kept;

/// What a row did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// A new variant, of a new or a known product.
    Created(VariantId),
    Updated(VariantId),
    Unchanged(VariantId),
}

/// What holds for every row of an import.
pub(crate) struct Rules<'r> {
    pub tenant: TenantId,
    pub tree: &'r Tree,
    pub approval_required: bool,
    pub as_draft: bool,
    /// Products the plan allows; `None`: any number.
    pub quota: Option<u32>,
    pub media: &'r HashMap<String, MediaFile>,
    pub ids: &'r Ids,
    pub now: Time,
}

/// The products a chunk touches.
pub(crate) struct Merge<'r> {
    rules: Rules<'r>,
    products: Vec<Entry>,
    by_sku: HashMap<String, usize>,
    by_group: HashMap<String, usize>,
    /// Products the tenant has, those of this chunk included.
    count: u32,
}

struct Entry {
    kept: Kept,
    changed: bool,
}

impl<'r> Merge<'r> {
    pub(crate) fn new(rules: Rules<'r>, known: Vec<Kept>, count: u32) -> Self {
        let mut merge = Self { rules, products: Vec::new(), by_sku: HashMap::new(), by_group: HashMap::new(), count };
        for kept in known {
            merge.add(kept, false);
        }
        merge
    }

    fn add(&mut self, kept: Kept, changed: bool) {
        let place = self.products.len();
        for variant in &kept.product.content.variants {
            self.by_sku.insert(variant.sku.clone(), place);
        }
        if let Some(group) = &kept.group_key {
            self.by_group.insert(group.clone(), place);
        }
        self.products.push(Entry { kept, changed });
    }

    /// The products to save, each at its next version.
    pub(crate) fn into_changed(self) -> Vec<Kept> {
        self.products.into_iter().filter(|entry| entry.changed).map(|entry| entry.kept).collect()
    }

    /// Works one row in.
    pub(crate) fn row(&mut self, draft: &Draft) -> Result<Effect, RowError> {
        let by_sku = self.by_sku.get(&draft.sku).copied();
        let by_group = draft.group.as_ref().and_then(|group| self.by_group.get(group).copied());
        match (by_sku, by_group) {
            (Some(place), _) if draft.group.is_some() && by_group != Some(place) => {
                Err(draft.refuse("SKU_OF_ANOTHER_PRODUCT", "this SKU belongs to a product outside this group"))
            }
            (Some(place), _) | (None, Some(place)) => self.change(place, draft),
            (None, None) => self.create(draft),
        }
    }

    fn create(&mut self, draft: &Draft) -> Result<Effect, RowError> {
        if self.rules.quota.is_some_and(|quota| self.count >= quota) {
            let quota = self.rules.quota.unwrap_or_default();
            return Err(draft.refuse("QUOTA_REACHED", format!("the plan allows {quota} products, and there are as many")));
        }
        let mut content = Content::default();
        let variant = self.write(&mut content, draft)?;
        let mut product = Product::draft(content);
        check(draft, &product.content)?;
        if !self.rules.as_draft {
            product.release(self.rules.approval_required, self.rules.tree).map_err(|error| incomplete(draft, &error))?;
        }
        let now = self.rules.now;
        let id: ProductId = self.rules.ids.next();
        let kept = Kept { id, tenant: self.rules.tenant, group_key: draft.group.clone(), version: 1, product, created_at: now, updated_at: now };
        self.add(kept, true);
        self.count += 1;
        Ok(Effect::Created(variant))
    }

    fn change(&mut self, place: usize, draft: &Draft) -> Result<Effect, RowError> {
        let Some(entry) = self.products.get(place) else { return Err(draft.refuse("ROW_UNREADABLE", "the product was lost")) };
        let mut content = entry.kept.product.content.clone();
        let before = content.variants.len();
        let variant = self.write(&mut content, draft)?;
        let is_new = content.variants.len() > before;
        check(draft, &content)?;
        let required = self.rules.approval_required;
        let sold = matches!(entry.kept.product.status, Status::Active | Status::InReview);
        if sold
            && content != entry.kept.product.content
            && let Some(missing) = content.missing(self.rules.tree).first()
        {
            return Err(draft.refuse("ATTRIBUTE_MISSING", format!("{}: {}", missing.field, missing.message)));
        }
        let now = self.rules.now;
        let Some(entry) = self.products.get_mut(place) else { return Err(draft.refuse("ROW_UNREADABLE", "the product was lost")) };
        if !entry.kept.product.edit(content, required) {
            return Ok(Effect::Unchanged(variant));
        }
        if !entry.changed {
            entry.changed = true;
            entry.kept.version += 1;
            entry.kept.updated_at = now;
        }
        self.by_sku.insert(draft.sku.clone(), place);
        Ok(if is_new { Effect::Created(variant) } else { Effect::Updated(variant) })
    }

    /// Writes what the row says into the content and answers with its variant.
    fn write(&self, content: &mut Content, draft: &Draft) -> Result<VariantId, RowError> {
        let mut media = Vec::new();
        for name in draft.media.iter().flatten() {
            media.push(self.rules.media.get(name).cloned().ok_or_else(|| draft.media_unknown(name))?);
        }
        let place = content.variants.iter().position(|variant| variant.sku == draft.sku);
        // Without groups, the row of a later variant does not speak for the product.
        let speaks = draft.leads && (draft.group.is_some() || place.is_none_or(|place| place == 0));
        if speaks {
            write_product(content, draft, &media);
        }
        let mut variant = place.and_then(|place| content.variants.get(place)).cloned().unwrap_or_else(|| Variant {
            id: self.rules.ids.next(),
            sku: draft.sku.clone(),
            gtin: String::new(),
            options: Vec::new(),
            price_minor: 0,
            currency: draft.price.currency,
            list_price_minor: None,
            weight_grams: 0,
            dimensions: None,
            media: Vec::new(),
        });
        write_variant(&mut variant, draft, media);
        let id = variant.id;
        match place.and_then(|place| content.variants.get_mut(place)) {
            Some(known) => *known = variant,
            None => content.variants.push(variant),
        }
        Ok(id)
    }
}

fn write_product(content: &mut Content, draft: &Draft, media: &[MediaFile]) {
    content.title.clone_from(&draft.title);
    let set = |field: &mut String, value: &Option<String>| {
        if let Some(value) = value {
            field.clone_from(value);
        }
    };
    set(&mut content.description, &draft.description);
    set(&mut content.brand, &draft.brand);
    if let Some(category) = draft.category {
        content.category = category;
    }
    if let Some(tags) = &draft.tags {
        content.tags.clone_from(tags);
    }
    if draft.media.is_some() {
        content.media = media.to_vec();
    }
    for (key, values) in &draft.attributes {
        if values.is_empty() {
            content.attributes.remove(key);
        } else {
            content.attributes.insert(key.clone(), values.clone());
        }
    }
}

fn write_variant(variant: &mut Variant, draft: &Draft, media: Vec<MediaFile>) {
    variant.price_minor = draft.price.minor;
    variant.currency = draft.price.currency;
    match draft.list_price_minor {
        Some(list) => variant.list_price_minor = list,
        // A list price of before that the new price has passed is none any more.
        None => variant.list_price_minor = variant.list_price_minor.filter(|list| *list > variant.price_minor),
    }
    if let Some(gtin) = &draft.gtin {
        variant.gtin.clone_from(gtin);
    }
    if let Some(options) = &draft.options {
        variant.options.clone_from(options);
    }
    if let Some(weight) = draft.weight_grams {
        variant.weight_grams = weight;
    }
    if let Some(dimensions) = draft.dimensions {
        variant.dimensions = dimensions;
    }
    if draft.group.is_some() && draft.media.is_some() {
        variant.media = media;
    }
}

fn check(draft: &Draft, content: &Content) -> Result<(), RowError> {
    let problems = content.problems();
    let Some(first) = problems.first() else { return Ok(()) };
    let reason = match first.field.rsplit('.').next() {
        Some("options") => "OPTIONS_SAME",
        Some("currency") => "CURRENCY_MISMATCH",
        Some("sku") => "SKU_DUPLICATE",
        _ => "TOO_LONG",
    };
    Err(draft.refuse(reason, format!("{} {}", first.field, first.message)))
}

fn incomplete(draft: &Draft, error: &Error) -> RowError {
    match error {
        Error::Incomplete(missing) => {
            let told: Vec<String> = missing.iter().map(|violation| format!("{}: {}", violation.field, violation.message)).collect();
            draft.refuse("ATTRIBUTE_MISSING", told.join("; "))
        }
        other => draft.refuse("ROW_UNREADABLE", other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::file::{recognise, rows};
    use crate::feed::mapping::suggest;
    use crate::feed::plan::Planner;
    use kit_core::Clock;
    use std::sync::Arc;
    use uuid::Uuid;

    /// Runs a file over known products, as one chunk.
    fn run(content: &str, known: Vec<Kept>, quota: Option<u32>) -> (Vec<Kept>, Vec<Result<Effect, RowError>>) {
        let shape = recognise(content.as_bytes()).unwrap();
        let compiled = suggest(&shape.columns, "USD").compile(&shape, &Tree::default()).unwrap();
        let mut planner = Planner::new(compiled, Arc::default(), None);
        let ids = Ids::new(Clock::System);
        let (tree, media) = (Tree::default(), HashMap::new());
        let tenant = TenantId::from(Uuid::from_u128(7));
        let rules = Rules { tenant, tree: &tree, approval_required: false, as_draft: false, quota, media: &media, ids: &ids, now: Time::default() };
        let count = u32::try_from(known.len()).unwrap();
        let mut merge = Merge::new(rules, known, count);
        let mut effects = Vec::new();
        rows(content.as_bytes(), &shape, |row| {
            effects.push(planner.judge(row).and_then(|draft| merge.row(&draft)));
            true
        })
        .unwrap();
        (merge.into_changed(), effects)
    }

    #[test]
    fn the_same_file_again_changes_nothing() {
        let file = "sku,title,price,group,option:size\nS,Shirt,10,shirt,S\nM,Shirt medium,11,shirt,M\nMUG,Mug,5,,\n";
        let (made, effects) = run(file, Vec::new(), None);
        assert!(effects.iter().all(|effect| matches!(effect, Ok(Effect::Created(_)))), "{effects:?}");
        assert_eq!(made.len(), 2);
        assert_eq!(made[0].product.content.variants.len(), 2);
        assert_eq!(made[0].product.content.title, "Shirt", "the first row of a group speaks for the product");
        assert!(made.iter().all(|kept| kept.product.status == Status::Active && kept.version == 1));
        let (again, effects) = run(file, made.clone(), None);
        assert!(again.is_empty());
        assert!(effects.iter().all(|effect| matches!(effect, Ok(Effect::Unchanged(_)))), "{effects:?}");
        let (dearer, effects) = run("sku,title,price,group\nM,Shirt,12,shirt\n", made, None);
        assert!(matches!(effects[0], Ok(Effect::Updated(_))));
        assert_eq!((dearer.len(), dearer[0].version, dearer[0].product.content.variants[1].price_minor), (1, 2, 1_200));
    }

    #[test]
    fn rows_that_do_not_fit_together_are_told() {
        let (_, effects) = run("sku,title,price,group,option:size\nA,Shirt,10,g,S\nB,Shirt,10,g,S\n", Vec::new(), None);
        assert_eq!(effects[1].as_ref().unwrap_err().reason, "OPTIONS_SAME");
        let (made, _) = run("sku,title,price,group\nA,Shirt,10,g\n", Vec::new(), None);
        let (_, effects) = run("sku,title,price,group\nA,Shirt,10,other\n", made, None);
        assert_eq!(effects[0].as_ref().unwrap_err().reason, "SKU_OF_ANOTHER_PRODUCT");
        let (made, effects) = run("sku,title,price\nA,Mug,10\nB,Mug,10\n", Vec::new(), Some(1));
        assert_eq!((made.len(), effects[1].as_ref().unwrap_err().reason), (1, "QUOTA_REACHED"));
    }
}

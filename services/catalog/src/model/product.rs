//! A product: its content, its states, and what each change makes of it.

use std::collections::{BTreeMap, HashSet};

use api_catalog::{CategoryId, MediaId, VariantId};
use kit_core::{Currency, Money, Violation};
use serde::{Deserialize, Serialize};

use super::category::Tree;
use crate::error::{Error, wrong};

pub(crate) const MAX_VARIANTS: usize = 200;
pub(crate) const TITLE_MAX: usize = 1_000;
pub(crate) const DESCRIPTION_MAX: usize = 100_000;
pub(crate) const BRAND_MAX: usize = 120;
pub(crate) const TAG_MAX: usize = 60;
pub(crate) const TAGS_MAX: usize = 50;
pub(crate) const ATTRIBUTE_MAX: usize = 2_000;

/// Everything the seller writes; what a version keeps and a roll-back restores.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    pub title: String,
    pub description: String,
    pub brand: String,
    pub category: Option<CategoryId>,
    /// Values by attribute key.
    pub attributes: BTreeMap<String, Vec<String>>,
    pub media: Vec<MediaFile>,
    pub tags: Vec<String>,
    pub variants: Vec<Variant>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Variant {
    pub id: VariantId,
    pub sku: String,
    pub gtin: String,
    /// Name and value, in the seller's order.
    pub options: Vec<(String, String)>,
    pub price_minor: i64,
    #[serde(with = "currency_code")]
    pub currency: Currency,
    pub list_price_minor: Option<i64>,
    pub weight_grams: u32,
    pub dimensions: Option<Dimensions>,
    pub media: Vec<MediaFile>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Dimensions {
    pub length_mm: u32,
    pub width_mm: u32,
    pub height_mm: u32,
}

/// A media file as a product names it. Files never change, so what is known of them is kept here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MediaFile {
    pub id: MediaId,
    pub hash: String,
    pub content_type: String,
    pub width: u32,
    pub height: u32,
    pub bytes: u64,
    pub alt: String,
}

mod currency_code {
    use kit_core::Currency;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(currency: &Currency, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(currency.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Currency, D::Error> {
        let code = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        code.parse().map_err(serde::de::Error::custom)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Draft,
    InReview,
    Active,
    Inactive,
    Archived,
}

impl Status {
    pub(crate) const ALL: [Self; 5] = [Self::Draft, Self::InReview, Self::Active, Self::Inactive, Self::Archived];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::InReview => "in_review",
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Archived => "archived",
        }
    }

    pub(crate) fn parse(word: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|status| status.word() == word).ok_or_else(|| Error::Unreadable(format!("product status {word}")))
    }
}

/// What the seller or the operator does with a product's status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Move {
    Submit,
    Activate,
    Deactivate,
    Archive,
    Approve,
    Decline(String),
}

impl Move {
    /// The word for the history.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Submit => "submitted",
            Self::Activate => "activated",
            Self::Deactivate => "deactivated",
            Self::Archive => "archived",
            Self::Approve => "approved",
            Self::Decline(_) => "declined",
        }
    }
}

/// A product with its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Product {
    pub status: Status,
    /// The operator approved it once; a content change under approval takes that back.
    pub approved: bool,
    pub decline_reason: String,
    pub content: Content,
}

impl Product {
    /// A new draft.
    pub(crate) fn draft(content: Content) -> Self {
        Self { status: Status::Draft, approved: false, decline_reason: String::new(), content }
    }

    /// Moves the status. `Ok(false)`: it was there before, so there is nothing to save or tell.
    pub(crate) fn apply(&mut self, wanted: &Move, approval_required: bool, tree: &Tree) -> Result<bool, Error> {
        let next = match (wanted, self.status) {
            (Move::Submit, Status::InReview)
            | (Move::Activate | Move::Approve, Status::Active)
            | (Move::Deactivate, Status::Inactive)
            | (Move::Archive, Status::Archived) => return Ok(false),
            (Move::Submit, Status::Draft | Status::Inactive) => Status::InReview,
            (Move::Activate, Status::Draft | Status::Inactive) if approval_required && !self.approved => return Err(Error::ApprovalRequired),
            (Move::Activate, Status::Draft | Status::Inactive) | (Move::Approve, Status::InReview) => Status::Active,
            (Move::Deactivate, Status::Active) => Status::Inactive,
            (Move::Decline(_), Status::InReview) => Status::Draft,
            (Move::Archive, _) => Status::Archived,
            (wanted, from) => return Err(Error::State { from, wanted: wanted.word() }),
        };
        if matches!(next, Status::InReview | Status::Active) {
            let missing = self.content.missing(tree);
            if !missing.is_empty() {
                return Err(Error::Incomplete(missing));
            }
        }
        match wanted {
            Move::Approve => self.approved = true,
            Move::Decline(reason) => self.decline_reason.clone_from(reason),
            _ => {}
        }
        if !matches!(wanted, Move::Decline(_)) {
            self.decline_reason.clear();
        }
        self.status = next;
        Ok(true)
    }

    /// Puts a new product on sale, or into review where the operator requires that.
    pub(crate) fn release(&mut self, approval_required: bool, tree: &Tree) -> Result<(), Error> {
        let wanted = if approval_required { Move::Submit } else { Move::Activate };
        self.apply(&wanted, approval_required, tree).map(|_| ())
    }

    /// Takes new content. Under approval, a product on sale whose shown content changed goes back into review; a price is no
    /// content in this sense, since prices must be free to move.
    pub(crate) fn edit(&mut self, content: Content, approval_required: bool) -> bool {
        if self.content == content {
            return false;
        }
        if approval_required && self.content.shown() != content.shown() {
            self.approved = false;
            if self.status == Status::Active {
                self.status = Status::InReview;
            }
        }
        self.content = content;
        true
    }
}

impl Content {
    /// What an operator approves: everything but prices, weights and stock-keeping data.
    fn shown(&self) -> impl PartialEq + '_ {
        let media: Vec<&str> =
            self.media.iter().chain(self.variants.iter().flat_map(|variant| &variant.media)).map(|media| media.hash.as_str()).collect();
        let options: Vec<_> = self.variants.iter().map(|variant| &variant.options).collect();
        (&self.title, &self.description, &self.brand, self.category, &self.attributes, media, options)
    }

    /// What is wrong with the form of it, whatever its state.
    pub(crate) fn problems(&self) -> Vec<Violation> {
        let mut problems = Vec::new();
        let mut text = |field: &str, value: &str, max: usize| {
            if value.chars().count() > max {
                problems.push(wrong(field, format!("is longer than {max} characters")));
            }
        };
        text("title", &self.title, TITLE_MAX);
        text("description", &self.description, DESCRIPTION_MAX);
        text("brand", &self.brand, BRAND_MAX);
        for tag in &self.tags {
            text("tags", tag, TAG_MAX);
        }
        if self.title.is_empty() {
            problems.push(wrong("title", "is required"));
        }
        if self.tags.len() > TAGS_MAX {
            problems.push(wrong("tags", format!("are more than {TAGS_MAX}")));
        }
        if self.variants.is_empty() {
            problems.push(wrong("variants", "at least one is required"));
        }
        if self.variants.len() > MAX_VARIANTS {
            problems.push(wrong("variants", format!("are more than {MAX_VARIANTS}")));
        }
        problems.extend(self.variant_problems());
        problems
    }

    fn variant_problems(&self) -> Vec<Violation> {
        let mut problems = Vec::new();
        let (mut skus, mut options) = (HashSet::new(), HashSet::new());
        let currency = self.variants.first().map(|variant| variant.currency);
        for (index, variant) in self.variants.iter().enumerate() {
            let field = |name: &str| format!("variants[{index}].{name}");
            if !skus.insert(&variant.sku) {
                problems.push(wrong(field("sku"), format!("{} is there twice", variant.sku)));
            }
            if !options.insert(&variant.options) {
                problems.push(wrong(field("options"), "are the same as another variant's"));
            }
            if Some(variant.currency) != currency {
                problems.push(wrong(field("price.currency"), "differs from the other variants'"));
            }
            if variant.list_price_minor.is_some_and(|list| list < variant.price_minor) {
                problems.push(wrong(field("list_price"), "is below the price"));
            }
        }
        problems
    }

    /// What is missing before it can be sold.
    pub(crate) fn missing(&self, tree: &Tree) -> Vec<Violation> {
        let mut missing = self.problems();
        for (index, variant) in self.variants.iter().enumerate() {
            if variant.price_minor <= 0 {
                missing.push(wrong(format!("variants[{index}].price"), "must be above zero"));
            }
        }
        for (key, name) in self.category.map(|category| tree.required(category)).unwrap_or_default() {
            if !self.attributes.contains_key(key) {
                missing.push(wrong(format!("attributes.{key}"), format!("{name} is required in this category")));
            }
        }
        missing
    }
}

impl Variant {
    pub(crate) fn price(&self) -> Money {
        Money::new(self.price_minor, self.currency)
    }

    pub(crate) fn list_price(&self) -> Option<Money> {
        self.list_price_minor.map(|minor| Money::new(minor, self.currency))
    }
}

/// The word for the product in addresses; unique only together with its id.
pub(crate) fn slug(title: &str) -> String {
    kit_core::Slug::from_name(title).map_or_else(|| "product".to_owned(), |slug| slug.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    pub(crate) fn mug() -> Content {
        let variant = Variant {
            id: VariantId::from(Uuid::from_u128(1)),
            sku: "MUG-1".to_owned(),
            gtin: String::new(),
            options: Vec::new(),
            price_minor: 1_200,
            currency: Currency::USD,
            list_price_minor: None,
            weight_grams: 300,
            dimensions: None,
            media: Vec::new(),
        };
        Content { title: "Mug".to_owned(), variants: vec![variant], ..Content::default() }
    }

    #[test]
    fn a_draft_goes_on_sale_at_once_where_nobody_has_to_approve_it() {
        let mut product = Product::draft(mug());
        assert!(product.apply(&Move::Activate, false, &Tree::default()).unwrap());
        assert_eq!(product.status, Status::Active);
        assert!(!product.apply(&Move::Activate, false, &Tree::default()).unwrap(), "a second time changes nothing");
    }

    #[test]
    fn under_approval_the_operator_has_the_word() {
        let tree = Tree::default();
        let mut product = Product::draft(mug());
        assert!(matches!(product.apply(&Move::Activate, true, &tree), Err(Error::ApprovalRequired)));
        product.apply(&Move::Submit, true, &tree).unwrap();
        product.apply(&Move::Decline("blurred picture".to_owned()), true, &tree).unwrap();
        assert_eq!((product.status, product.decline_reason.as_str()), (Status::Draft, "blurred picture"));
        product.apply(&Move::Submit, true, &tree).unwrap();
        product.apply(&Move::Approve, true, &tree).unwrap();
        assert_eq!((product.status, product.decline_reason.as_str()), (Status::Active, ""));
        let mut dearer = mug();
        dearer.variants[0].price_minor = 1_300;
        assert!(product.edit(dearer.clone(), true));
        assert_eq!(product.status, Status::Active, "a price may move");
        dearer.title = "Better mug".to_owned();
        assert!(product.edit(dearer, true));
        assert_eq!(product.status, Status::InReview, "a title may not");
    }

    #[test]
    fn every_move_from_every_state_ends_or_is_refused() {
        let moves = [Move::Submit, Move::Activate, Move::Deactivate, Move::Archive, Move::Approve, Move::Decline("no".to_owned())];
        for status in Status::ALL {
            for wanted in &moves {
                let mut product = Product { status, ..Product::draft(mug()) };
                let before = product.clone();
                match product.apply(wanted, false, &Tree::default()) {
                    Ok(true) => assert_ne!(product.status, before.status, "{status:?} {wanted:?}"),
                    Ok(false) | Err(_) => assert_eq!(product, before, "{status:?} {wanted:?}"),
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_sold_is_told_by_field() {
        let mut content = mug();
        content.title.clear();
        content.variants[0].price_minor = 0;
        let mut second = content.variants[0].clone();
        second.currency = Currency::EUR;
        content.variants.push(second);
        let fields: Vec<String> = content.missing(&Tree::default()).into_iter().map(|violation| violation.field).collect();
        for field in ["title", "variants[0].price", "variants[1].sku", "variants[1].options", "variants[1].price.currency"] {
            assert!(fields.iter().any(|found| found == field), "{field} in {fields:?}");
        }
    }

    #[test]
    fn content_reads_back_what_it_wrote() {
        let content = mug();
        let text = serde_json::to_string(&content).unwrap();
        assert_eq!(serde_json::from_str::<Content>(&text).unwrap(), content);
    }
}

//! A listing as a document of the index.

use api_search as api;
use prost::Message;
use tantivy::TantivyDocument;

use super::Fields;
use crate::error::Error;
use crate::model::Stored;
use crate::text;

/// Only so much of a description is indexed.
const DESCRIPTION_CHARACTERS: usize = 4_000;
/// Keys of attributes that hold model numbers.
const MODEL_KEYS: [&str; 6] = ["model", "model_number", "model_name", "mpn", "part_number", "manufacturer_part_number"];
/// Longer values of such attributes are sentences.
const LONGEST_MODEL: usize = 40;
/// Shorter numbers are not looked up as SKUs.
const SHORTEST_SKU: usize = 6;

/// What is stored with a document: the hit, and the names behind the hashes that facets count.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Card {
    #[prost(message, optional, tag = "1")]
    pub(crate) hit: Option<api::Hit>,
    /// From the root down, as the hit's category path.
    #[prost(string, repeated, tag = "2")]
    pub(crate) category_ids: Vec<String>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) values: Vec<CardValue>,
    /// Model numbers as the seller writes them.
    #[prost(string, tag = "4")]
    pub(crate) models: String,
}

impl Card {
    /// What the thing is called: brand, title, model numbers.
    pub(crate) fn name(&self) -> String {
        let hit = self.hit.as_ref();
        named(hit.map_or("", |hit| &hit.brand), hit.map_or("", |hit| &hit.title), &self.models)
    }
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct CardValue {
    #[prost(string, tag = "1")]
    pub(crate) key: String,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(string, tag = "3")]
    pub(crate) value: String,
    #[prost(string, tag = "4")]
    pub(crate) unit: String,
    /// Something to choose by: variants differ in it.
    #[prost(bool, tag = "5")]
    pub(crate) option: bool,
}

const KEY_BITS: u64 = 0xffff_ff00_0000_0000;

/// The column value of an attribute's value: its key can be told from it.
pub(crate) fn value_hash(key: &str, value: &str) -> u64 {
    key_hash(key) | (text::hash(&format!("{key}={}", value.to_lowercase())) & !KEY_BITS)
}

pub(crate) fn key_hash(key: &str) -> u64 {
    text::hash(key) & KEY_BITS
}

/// The key's part of a column value.
pub(crate) const fn key_of(value: u64) -> u64 {
    value & KEY_BITS
}

/// Brands are one whatever their case.
pub(crate) fn brand_hash(brand: &str) -> u64 {
    text::hash(&text::fold(brand.trim()))
}

pub(crate) fn card(stored: &Stored) -> Card {
    let value = |attribute: &api_catalog::Attribute, value: &String| CardValue {
        key: attribute.key.clone(),
        name: attribute.name.clone(),
        value: value.clone(),
        unit: attribute.unit.clone(),
        option: false,
    };
    let mut values = options(stored);
    // Where variants differ in something, each has its own.
    let of_all = |attribute: &&api_catalog::Attribute| attribute.facet && !values.iter().any(|option| option.key == attribute.key);
    let facets: Vec<&api_catalog::Attribute> = stored.product.attributes.iter().filter(of_all).collect();
    values.extend(facets.into_iter().flat_map(|attribute| attribute.values.iter().map(move |each| value(attribute, each))));
    Card { hit: Some(stored.hit()), category_ids: stored.product.category_path_ids.clone(), models: models(&stored.product), values }
}

/// What can be chosen, once each.
fn options(stored: &Stored) -> Vec<CardValue> {
    let mut values: Vec<CardValue> = Vec::new();
    for option in stored.priced().into_iter().flat_map(|variant| &variant.options) {
        let value =
            CardValue { key: option_key(&option.name), name: option.name.clone(), value: option.value.clone(), unit: String::new(), option: true };
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values
}

/// Options have names only: "Shoe size" filters as `shoe_size`.
pub(crate) fn option_key(name: &str) -> String {
    text::words(name).into_iter().map(|word| word.text).collect::<Vec<_>>().join("_")
}

/// Parts a key from its value in the dictionary of known values.
pub(crate) const KNOWN_SEPARATOR: char = '\u{1f}';
/// Longer values are sentences, which nobody types.
const LONGEST_KNOWN: usize = 40;

fn known(stored: &Stored, card: &Card) -> Vec<String> {
    let values = card.values.iter().map(|value| (value.key.as_str(), value.value.as_str()));
    let all = values.chain([("brand", stored.product.brand.trim())]).filter(|(_, value)| (1..=LONGEST_KNOWN).contains(&value.len()));
    all.map(|(key, value)| format!("{key}{KNOWN_SEPARATOR}{value}")).collect()
}

pub(crate) fn document(fields: &Fields, stored: &Stored) -> Result<TantivyDocument, Error> {
    let product = &stored.product;
    let mut document = TantivyDocument::default();
    document.add_text(fields.product, &product.product_id);
    let name = named(&product.brand, &product.title, &models(product));
    document.add_text(fields.name, text::stems(&name));
    document.add_text(fields.grams, text::letters::gram_text(&name));
    document.add_text(fields.head, text::noun::head(&product.title).unwrap_or_default());
    document.add_text(fields.details, text::stems(&format!("{} {}", product.category_path.join(" "), attribute_text(stored))));
    let description: String = text::without_tags(&product.description).chars().take(DESCRIPTION_CHARACTERS).collect();
    document.add_text(fields.description, text::stems(&description));
    document.add_text(fields.codes, codes(stored));
    document.add_text(fields.words, text::surfaces(&format!("{} {} {}", product.brand, product.title, product.category_path.join(" "))));
    let card = card(stored);
    for known in known(stored, &card) {
        document.add_text(fields.known, known);
    }
    add_columns(fields, &mut document, stored, &card)?;
    document.add_bytes(fields.card, &card.encode_to_vec());
    Ok(document)
}

fn add_columns(fields: &Fields, document: &mut TantivyDocument, stored: &Stored, card: &Card) -> Result<(), Error> {
    let product = &stored.product;
    document.add_u64(fields.seller, text::hash(&product.tenant_id));
    for category in &product.category_path_ids {
        document.add_u64(fields.categories, text::hash(category));
    }
    if !product.brand.trim().is_empty() {
        document.add_u64(fields.brand_hash, brand_hash(&product.brand));
    }
    for variant in stored.priced() {
        let Some(price) = &variant.price else { continue };
        let available = u64::from(stored.stock_of(&variant.variant_id).available > 0);
        document.add_u64(fields.variants, u64::try_from(price.amount_minor).unwrap_or_default() << 1 | available);
        if card.values.iter().any(|value| value.option) {
            document.add_u64(fields.options, 0);
        }
        for option in &variant.options {
            document.add_u64(fields.options, value_hash(&option_key(&option.name), &option.value));
        }
    }
    let currency = stored.priced().first().and_then(|variant| variant.price.as_ref()).map(|price| price.currency.clone()).unwrap_or_default();
    document.add_u64(fields.currency, text::hash(&currency));
    for value in card.values.iter().filter(|value| !value.option) {
        document.add_u64(fields.values, value_hash(&value.key, &value.value));
    }
    document.add_u64(fields.listed, stored.listed_at.and_then(|time| u64::try_from(time.timestamp()).ok()).unwrap_or_default());
    document.add_u64(fields.sold, u64::try_from(stored.sold).unwrap_or_default());
    let id: api_catalog::ProductId = product.product_id.parse().map_err(|_| Error::Unreadable("a product id".to_owned()))?;
    let (high, low) = id.uuid().as_u64_pair();
    document.add_u64(fields.id_high, high);
    document.add_u64(fields.id_low, low);
    Ok(())
}

fn named(brand: &str, title: &str, models: &str) -> String {
    format!("{brand} {title} {models}")
}

fn models(product: &api_catalog::ProductSnapshot) -> String {
    let attributes = product.attributes.iter().filter(|attribute| MODEL_KEYS.contains(&attribute.key.as_str()));
    let values = attributes.flat_map(|attribute| &attribute.values).filter(|value| value.len() <= LONGEST_MODEL);
    values.map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn attribute_text(stored: &Stored) -> String {
    let attributes =
        stored.product.attributes.iter().map(|attribute| format!("{} {} {}", attribute.name, attribute.values.join(" "), attribute.unit));
    let options = stored.product.variants.iter().flat_map(|variant| variant.options.iter().map(|option| option.value.clone()));
    attributes.chain(options).chain(stored.product.tags.iter().cloned()).collect::<Vec<_>>().join(" ")
}

/// Model numbers in the title, in attributes (feeds put them there) and the variants' SKUs and GTINs.
fn codes(stored: &Stored) -> String {
    let product = &stored.product;
    let mut codes = text::codes(&product.title);
    for attribute in product.attributes.iter().filter(|attribute| attribute.values.iter().all(|value| value.len() <= 40)) {
        codes.extend(attribute.values.iter().flat_map(|value| text::codes(value)));
    }
    for variant in &product.variants {
        codes.extend(text::codes(&variant.sku).into_iter().filter(|sku| is_telling(sku)));
        codes.extend(text::codes(&variant.gtin));
    }
    codes.sort_unstable();
    codes.dedup();
    codes.join(" ")
}

/// Short SKUs are mere counters, as common as years and sizes.
fn is_telling(sku: &str) -> bool {
    sku.len() >= SHORTEST_SKU || !sku.bytes().all(|b| b.is_ascii_digit())
}

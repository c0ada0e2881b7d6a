//! The index over the listings: what a document has (`document`), where it lies on disk and which one is in use (`home`), and
//! how it follows the listings (`feeder`).

pub(crate) mod document;
pub(crate) mod feeder;
pub(crate) mod home;

use tantivy::schema::{FAST, Field, INDEXED, IndexRecordOption, NumericOptions, STORED, STRING, Schema, TextFieldIndexing, TextOptions};

/// Raised when documents change shape; an index of another shape is built anew.
pub(crate) const SHAPE: u32 = 3;

/// The fields of a document. Text fields hold what `text` made of it, separated by spaces.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    pub(crate) schema: Schema,
    /// The product's id, to replace and delete by.
    pub(crate) product: Field,
    /// Brand, title and model numbers as the seller calls them.
    pub(crate) name: Field,
    /// Category path, attributes, options and tags.
    pub(crate) details: Field,
    pub(crate) description: Field,
    /// What the title says the thing is.
    pub(crate) head: Field,
    /// Runs of three letters of the name.
    pub(crate) grams: Field,
    /// Model numbers, SKUs and GTINs in every reading.
    pub(crate) codes: Field,
    /// Words as written, to complete and correct what is typed.
    pub(crate) words: Field,
    /// Brands and the values of attributes and options with their keys, to know them in queries.
    pub(crate) known: Field,
    /// Hashes of the ids of the category and all above it.
    pub(crate) categories: Field,
    /// The hash of the tenant's id.
    pub(crate) seller: Field,
    /// The listing as a result list and the facets need it.
    pub(crate) card: Field,
    brand_hash: Field,
    variants: Field,
    currency: Field,
    values: Field,
    options: Field,
    listed: Field,
    sold: Field,
    id_high: Field,
    id_low: Field,
}

/// Names of the columns the collector reads.
pub(crate) mod column {
    pub(crate) const BRAND: &str = "brand_hash";
    pub(crate) const CATEGORIES: &str = "categories";
    pub(crate) const SELLER: &str = "seller";
    /// One for each variant: its price in minor units times two, plus one when it is available.
    pub(crate) const VARIANTS: &str = "variants";
    pub(crate) const CURRENCY: &str = "currency";
    /// One for each facet value: the attribute's key in the upper bits, key and value in the lower ones.
    pub(crate) const VALUES: &str = "values";
    /// The same of the options of each variant, in the order of `VARIANTS`; zero stands before those of each.
    pub(crate) const OPTIONS: &str = "options";
    /// Seconds since the epoch.
    pub(crate) const LISTED: &str = "listed";
    /// Pieces.
    pub(crate) const SOLD: &str = "sold";
    pub(crate) const ID_HIGH: &str = "id_high";
    pub(crate) const ID_LOW: &str = "id_low";
}

impl Fields {
    pub(crate) fn new() -> Self {
        let mut schema = Schema::builder();
        let indexed = |option| {
            TextOptions::default()
                .set_indexing_options(TextFieldIndexing::default().set_tokenizer("whitespace").set_index_option(option).set_fieldnorms(true))
        };
        let scored = indexed(IndexRecordOption::WithFreqs);
        let fast = NumericOptions::default().set_fast();
        let product = schema.add_text_field("product", STRING);
        let name = schema.add_text_field("name", indexed(IndexRecordOption::WithFreqsAndPositions));
        let details = schema.add_text_field("details", scored.clone());
        let description = schema.add_text_field("description", scored);
        let head = schema.add_text_field("head", STRING);
        let grams = schema.add_text_field("grams", listed_words());
        let codes = schema.add_text_field("codes", listed_words());
        let words = schema.add_text_field("words", listed_words());
        let known = schema.add_text_field("known", listed_as_they_are());
        let categories = schema.add_u64_field(column::CATEGORIES, INDEXED | FAST);
        let seller = schema.add_u64_field(column::SELLER, INDEXED | FAST);
        let card = schema.add_bytes_field("card", STORED);
        let brand_hash = schema.add_u64_field(column::BRAND, fast.clone());
        let variants = schema.add_u64_field(column::VARIANTS, fast.clone());
        let currency = schema.add_u64_field(column::CURRENCY, fast.clone());
        let values = schema.add_u64_field(column::VALUES, fast.clone());
        let options = schema.add_u64_field(column::OPTIONS, fast.clone());
        let listed = schema.add_u64_field(column::LISTED, fast.clone());
        let sold = schema.add_u64_field(column::SOLD, fast.clone());
        let id_high = schema.add_u64_field(column::ID_HIGH, fast.clone());
        let id_low = schema.add_u64_field(column::ID_LOW, fast);
        let schema = schema.build();
        Self {
            schema,
            product,
            name,
            details,
            description,
            head,
            grams,
            codes,
            words,
            known,
            categories,
            seller,
            card,
            brand_hash,
            variants,
            currency,
            values,
            options,
            listed,
            sold,
            id_high,
            id_low,
        }
    }
}

/// Words that are there or not; how often does not matter.
fn listed_words() -> TextOptions {
    let indexing = TextFieldIndexing::default().set_tokenizer("whitespace").set_index_option(IndexRecordOption::Basic).set_fieldnorms(false);
    TextOptions::default().set_indexing_options(indexing)
}

/// Whole values, whatever spaces they have.
fn listed_as_they_are() -> TextOptions {
    let indexing = TextFieldIndexing::default().set_tokenizer("raw").set_index_option(IndexRecordOption::Basic).set_fieldnorms(false);
    TextOptions::default().set_indexing_options(indexing)
}

//! Which column of a feed becomes which field of a product, checked against the file before any row is read.

use std::collections::BTreeMap;

use kit_core::{Currency, Violation};
use serde::{Deserialize, Serialize};

use super::file::Shape;
use crate::error::wrong;
use crate::model::amount::Decimal;
use crate::model::category::{Tree, is_key};
use crate::model::measure::{LengthUnit, WeightUnit};

/// As the seller wrote it; kept with presets and imports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Mapping {
    /// Field → column.
    pub columns: BTreeMap<String, String>,
    /// Field → value for rows without one.
    pub constants: BTreeMap<String, String>,
    pub decimal: String,
    pub weight_unit: String,
    pub length_unit: String,
    pub accept_other_currencies: bool,
    pub as_draft: bool,
}

/// Where a field's text comes from in a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Source {
    /// Place and name of the column.
    pub column: Option<(usize, String)>,
    pub constant: String,
}

impl Source {
    /// The cell, or the constant where the cell is blank.
    pub(crate) fn text<'r>(&'r self, cells: &'r [String]) -> &'r str {
        let cell = self.column.as_ref().and_then(|(place, _)| cells.get(*place)).map_or("", |cell| cell.trim());
        if cell.is_empty() { self.constant.trim() } else { cell }
    }

    pub(crate) fn is_from_column(&self, cells: &[String]) -> bool {
        self.column.as_ref().and_then(|(place, _)| cells.get(*place)).is_some_and(|cell| !cell.trim().is_empty())
    }

    pub(crate) fn name(&self) -> &str {
        self.column.as_ref().map_or("", |(_, name)| name)
    }
}

/// A mapping that fits its file. A field that is neither mapped nor constant is `None`: the import leaves it as it is.
#[derive(Debug, Clone)]
pub(crate) struct Compiled {
    pub sku: Source,
    pub title: Source,
    pub price: Source,
    pub currency: Option<Source>,
    pub description: Option<Source>,
    pub brand: Option<Source>,
    pub category: Option<Source>,
    pub list_price: Option<Source>,
    pub gtin: Option<Source>,
    pub stock: Option<Source>,
    pub weight: Option<Source>,
    pub sides: [Option<Source>; 3],
    pub dimensions: Option<Source>,
    pub tags: Option<Source>,
    pub media: Option<Source>,
    pub group: Option<Source>,
    pub options: Vec<(String, Source)>,
    pub attributes: Vec<(String, Source)>,
    pub decimal: Option<Decimal>,
    pub weight_unit: WeightUnit,
    pub length_unit: LengthUnit,
    pub accept_other_currencies: bool,
    pub as_draft: bool,
}

const FIELDS: [&str; 18] = [
    "sku",
    "title",
    "description",
    "brand",
    "category",
    "price",
    "list_price",
    "currency",
    "gtin",
    "stock",
    "weight",
    "length",
    "width",
    "height",
    "dimensions",
    "tags",
    "media",
    "group",
];

impl Mapping {
    /// Checks the mapping against a file; all that is wrong is told at once.
    pub(crate) fn compile(&self, shape: &Shape, tree: &Tree) -> Result<Compiled, Vec<Violation>> {
        let mut wrongs = Vec::new();
        for (field, column) in &self.columns {
            if !shape.columns.contains(column) {
                let known = shape.columns.join(", ");
                wrongs.push(wrong(format!("mapping.columns.{field}"), format!("the file has no column \"{column}\"; its columns are: {known}")));
            }
        }
        for (part, fields) in [("columns", &self.columns), ("constants", &self.constants)] {
            wrongs.extend(fields.keys().filter(|field| !is_field(field)).map(|field| {
                let known = FIELDS.join(", ");
                wrong(format!("mapping.{part}.{field}"), format!("is not a field; fields are: {known}, option:<name>, attribute:<key>"))
            }));
        }
        for (part, fields) in [("columns", &self.columns), ("constants", &self.constants)] {
            let zero = fields.iter().filter(|(field, value)| field.contains('\0') || value.contains('\0'));
            wrongs.extend(zero.map(|(field, _)| wrong(format!("mapping.{part}.{}", field.replace('\0', "")), "holds a zero character")));
        }
        for field in ["sku", "title", "price"] {
            if self.source(field, shape).is_none() && !self.columns.contains_key(field) {
                wrongs.push(wrong(format!("mapping.columns.{field}"), "must be mapped to a column"));
            }
        }
        if self.constants.contains_key("sku") {
            wrongs.push(wrong("mapping.constants.sku", "cannot be the same for every row"));
        }
        self.check_constants(tree, &mut wrongs);
        if !wrongs.is_empty() {
            return Err(wrongs);
        }
        Ok(self.compiled(shape))
    }

    fn check_constants(&self, tree: &Tree, wrongs: &mut Vec<Violation>) {
        let mut check = |field: &str, fits: &dyn Fn(&str) -> bool, message: &str| {
            if self.constants.get(field).is_some_and(|value| !value.trim().is_empty() && !fits(value.trim())) {
                wrongs.push(wrong(format!("mapping.constants.{field}"), message));
            }
        };
        check("currency", &|value| value.to_uppercase().parse::<Currency>().is_ok(), "is not a known ISO 4217 currency code");
        check("stock", &|value| value.parse::<u32>().is_ok_and(|stock| stock <= 1_000_000_000), "must be a whole number from 0 to 1000000000");
        check("category", &|value| tree.guess(value).is_some(), "is not a known category: give its id, code or full path");
        for (field, allowed) in [
            ("decimal", ["", "point", "comma"].as_slice()),
            ("weight_unit", ["", "g", "kg", "lb", "oz"].as_slice()),
            ("length_unit", ["", "mm", "cm", "in"].as_slice()),
        ] {
            let value = match field {
                "decimal" => &self.decimal,
                "weight_unit" => &self.weight_unit,
                _ => &self.length_unit,
            };
            if !allowed.contains(&value.as_str()) {
                wrongs.push(wrong(format!("mapping.{field}"), format!("must be one of: {}", allowed.join(" ").trim())));
            }
        }
    }

    fn source(&self, field: &str, shape: &Shape) -> Option<Source> {
        let name = self.columns.get(field);
        let column = name.and_then(|name| shape.columns.iter().position(|column| column == name).map(|place| (place, name.clone())));
        let constant = self.constants.get(field).map(|value| value.trim().to_owned()).unwrap_or_default();
        (column.is_some() || !constant.is_empty()).then_some(Source { column, constant })
    }

    fn sources(&self, prefix: &str, shape: &Shape) -> Vec<(String, Source)> {
        let mut names: Vec<&str> = self.columns.keys().chain(self.constants.keys()).filter_map(|field| field.strip_prefix(prefix)).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().filter_map(|name| Some((name.to_owned(), self.source(&format!("{prefix}{name}"), shape)?))).collect()
    }

    fn compiled(&self, shape: &Shape) -> Compiled {
        let source = |field| self.source(field, shape);
        Compiled {
            sku: source("sku").unwrap_or_default(),
            title: source("title").unwrap_or_default(),
            price: source("price").unwrap_or_default(),
            currency: source("currency"),
            description: source("description"),
            brand: source("brand"),
            category: source("category"),
            list_price: source("list_price"),
            gtin: source("gtin"),
            stock: source("stock"),
            weight: source("weight"),
            sides: [source("length"), source("width"), source("height")],
            dimensions: source("dimensions"),
            tags: source("tags"),
            media: source("media"),
            group: source("group"),
            options: self.sources("option:", shape),
            attributes: self.sources("attribute:", shape),
            decimal: match self.decimal.as_str() {
                "point" => Some(Decimal::Point),
                "comma" => Some(Decimal::Comma),
                _ => None,
            },
            weight_unit: WeightUnit::parse(&self.weight_unit).unwrap_or(WeightUnit::Gram),
            length_unit: LengthUnit::parse(&self.length_unit).unwrap_or(LengthUnit::Millimetre),
            accept_other_currencies: self.accept_other_currencies,
            as_draft: self.as_draft,
        }
    }
}

fn is_field(field: &str) -> bool {
    let named = |prefix: &str| field.strip_prefix(prefix);
    FIELDS.contains(&field)
        || named("option:").is_some_and(|name| (1..=40).contains(&name.chars().count()))
        || named("attribute:").is_some_and(is_key)
}

/// The names columns go by, the likeliest first.
const GUESSES: [(&str, &[&str]); 20] = [
    ("sku", &["sku", "seller_sku", "item_id", "product_id", "article", "article_number", "item", "id"]),
    ("title", &["title", "name", "product_name", "product_title", "item_name"]),
    ("description", &["description", "desc", "long_description", "body", "details"]),
    ("brand", &["brand", "manufacturer", "vendor", "maker"]),
    ("category", &["category", "product_type", "category_path", "categories"]),
    ("price", &["price", "sale_price", "unit_price", "amount"]),
    ("list_price", &["list_price", "msrp", "rrp", "regular_price", "compare_at_price"]),
    ("currency", &["currency", "currency_code"]),
    ("gtin", &["gtin", "ean", "upc", "barcode", "isbn"]),
    ("stock", &["stock", "quantity", "qty", "inventory", "on_hand", "available"]),
    ("weight", &["weight", "shipweight", "shipping_weight", "weight_grams"]),
    ("length", &["length"]),
    ("width", &["width"]),
    ("height", &["height"]),
    ("dimensions", &["dimensions", "size_lwh"]),
    ("tags", &["tags", "keywords", "labels"]),
    ("media", &["media", "image_hashes"]),
    ("group", &["group", "parent_sku", "item_group_id", "handle"]),
    ("attribute:model", &["model", "modelno", "model_number", "mpn"]),
    ("attribute:color", &["color", "colour"]),
];

/// What a seller would most likely choose for a file with these columns.
pub(crate) fn suggest(columns: &[String], currency: &str) -> Mapping {
    let folded: Vec<String> = columns.iter().map(|column| column.trim().to_lowercase().replace([' ', '-'], "_")).collect();
    let mut mapping = Mapping::default();
    for (field, names) in GUESSES {
        let place = names.iter().find_map(|name| folded.iter().position(|column| column == name));
        if let Some(column) = place.and_then(|place| columns.get(place)) {
            mapping.columns.insert(field.to_owned(), column.clone());
        }
    }
    // The files this program exports name options and attributes as fields.
    for column in columns.iter().filter(|column| (column.starts_with("option:") || column.starts_with("attribute:")) && is_field(column)) {
        mapping.columns.insert(column.clone(), column.clone());
    }
    if !mapping.columns.contains_key("currency") && !currency.is_empty() {
        mapping.constants.insert("currency".to_owned(), currency.to_owned());
    }
    mapping
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::file::recognise;

    fn shape(header: &str) -> Shape {
        recognise(format!("{header}\n").as_bytes()).unwrap()
    }

    #[test]
    fn the_usual_feeds_are_mapped_without_help() {
        let amazon = shape("id,title,modelno,price,shipweight,brand,dimensions");
        let mapping = suggest(&amazon.columns, "USD");
        let found: Vec<(&str, &str)> = mapping.columns.iter().map(|(field, column)| (field.as_str(), column.as_str())).collect();
        let wanted = [
            ("attribute:model", "modelno"),
            ("brand", "brand"),
            ("dimensions", "dimensions"),
            ("price", "price"),
            ("sku", "id"),
            ("title", "title"),
            ("weight", "shipweight"),
        ];
        assert_eq!(found, wanted);
        assert_eq!(mapping.constants["currency"], "USD");
        assert!(mapping.compile(&amazon, &Tree::default()).is_ok());
    }

    #[test]
    fn everything_wrong_is_told_at_once_by_field() {
        let mut mapping = Mapping { decimal: "dot".to_owned(), ..Mapping::default() };
        mapping.columns.insert("sku".to_owned(), "nope".to_owned());
        mapping.columns.insert("colour".to_owned(), "id".to_owned());
        for (field, value) in [("currency", "XXX"), ("stock", "-1"), ("category", "moon dust"), ("sku", "A")] {
            mapping.constants.insert(field.to_owned(), value.to_owned());
        }
        let wrongs = mapping.compile(&shape("id,title,price"), &Tree::default()).unwrap_err();
        let fields: Vec<&str> = wrongs.iter().map(|violation| violation.field.as_str()).collect();
        for field in [
            "mapping.columns.sku",
            "mapping.columns.colour",
            "mapping.columns.title",
            "mapping.columns.price",
            "mapping.constants.sku",
            "mapping.constants.currency",
            "mapping.constants.stock",
            "mapping.constants.category",
            "mapping.decimal",
        ] {
            assert!(fields.contains(&field), "{field} in {fields:?}");
        }
    }
}

//! What each row of a feed means: a product to be, or the reason why it cannot be sold. Rows are judged in file order, so that
//! judging a file again from its beginning gives the same answers, wherever an import was cut off.

use std::collections::HashMap;
use std::sync::Arc;

use api_catalog::CategoryId;
use kit_core::{Currency, Money, Sku};

use super::file::{Row, RowFault, Shape, rows};
use super::mapping::{Compiled, Source};
use crate::model::amount::{self, AmountError, Decimal};
use crate::model::category::Tree;
use crate::model::product::{BRAND_MAX, DESCRIPTION_MAX, Dimensions, TAG_MAX, TAGS_MAX, TITLE_MAX};
use crate::model::{gtin, measure, richtext};

/// Cells longer than this are refused before anything looks at them.
const CELL_MAX: usize = 1 << 20;
const VALUE_SHOWN: usize = 200;
const GROUP_MAX: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowError {
    pub line: u32,
    pub column: String,
    pub value: String,
    pub reason: &'static str,
    pub message: String,
    /// The row was taken without this value.
    pub warning: bool,
}

/// A row that can be sold. `None`: the feed does not say, so an existing product keeps what it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    pub line: u32,
    pub sku: String,
    pub group: Option<String>,
    /// Whether it speaks for the whole product: the first good row of its group.
    pub leads: bool,
    pub title: String,
    pub price: Money,
    pub description: Option<String>,
    pub brand: Option<String>,
    pub category: Option<Option<CategoryId>>,
    /// Without values: to be taken away.
    pub attributes: Vec<(String, Vec<String>)>,
    pub tags: Option<Vec<String>>,
    /// Ids or hashes.
    pub media: Option<Vec<String>>,
    pub list_price_minor: Option<Option<i64>>,
    pub gtin: Option<String>,
    pub options: Option<Vec<(String, String)>>,
    pub weight_grams: Option<u32>,
    pub dimensions: Option<Option<Dimensions>>,
    pub stock: Option<Stock>,
    pub warnings: Vec<RowError>,
    media_column: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stock {
    /// The feed says so, so it is so.
    Told(i64),
    /// A constant: only for a variant that is new, so that running the import again does not bring back what was sold.
    Initial(i64),
}

impl Draft {
    pub(crate) fn refuse(&self, reason: &'static str, message: impl Into<String>) -> RowError {
        let value = self.sku.clone();
        RowError { line: self.line, column: String::new(), value, reason, message: message.into(), warning: false }
    }

    pub(crate) fn media_unknown(&self, name: &str) -> RowError {
        let column = self.media_column.clone();
        RowError { column, value: shortened(name), ..self.refuse("MEDIA_UNKNOWN", "no media with this id or hash was uploaded by this store") }
    }
}

/// Judges rows, in file order.
pub(crate) struct Planner {
    compiled: Compiled,
    tree: Arc<Tree>,
    decimal: Option<Decimal>,
    /// SKU → line of the good row that has it.
    skus: HashMap<String, u32>,
    groups: HashMap<String, u32>,
    categories: HashMap<String, Option<CategoryId>>,
}

/// How the file writes decimals: what all its unambiguous prices agree on.
pub(crate) fn find_decimal(content: &[u8], shape: &Shape, compiled: &Compiled) -> Option<Decimal> {
    if compiled.decimal.is_some() {
        return compiled.decimal;
    }
    let (mut points, mut commas) = (false, false);
    let read = rows(content, shape, |row| {
        let cells = row.cells.unwrap_or_default();
        let text = compiled.price.text(&cells);
        match (text.len() < 100).then(|| amount::evident_decimal(text)).flatten() {
            Some(Decimal::Point) => points = true,
            Some(Decimal::Comma) => commas = true,
            None => {}
        }
        !(points && commas)
    });
    match (read.is_ok(), points, commas) {
        (true, true, false) => Some(Decimal::Point),
        (true, false, true) => Some(Decimal::Comma),
        _ => None,
    }
}

impl Planner {
    pub(crate) fn new(compiled: Compiled, tree: Arc<Tree>, decimal: Option<Decimal>) -> Self {
        Self { compiled, tree, decimal, skus: HashMap::new(), groups: HashMap::new(), categories: HashMap::new() }
    }

    /// Judges the next row.
    pub(crate) fn judge(&mut self, row: Row) -> Result<Draft, RowError> {
        let line = row.line;
        let fault = |reason, message: String| RowError { line, column: String::new(), value: String::new(), reason, message, warning: false };
        let cells = row.cells.map_err(|error| match &error {
            RowFault::Ragged { .. } => fault("ROW_RAGGED", error.to_string()),
            RowFault::OpenQuote { .. } | RowFault::Swallowed(_) | RowFault::Unreadable(_) => fault("ROW_UNREADABLE", error.to_string()),
        })?;
        let mut draft = Reader { line, cells: &cells, compiled: &self.compiled, decimal: self.decimal }.draft()?;
        draft.category = self.category(line, &cells)?;
        self.attributes(&cells, &mut draft)?;
        if let Some(earlier) = self.skus.get(&draft.sku) {
            return Err(error(line, &self.compiled.sku, &cells, "SKU_DUPLICATE", format!("line {earlier} has the same SKU")));
        }
        self.skus.insert(draft.sku.clone(), line);
        if let Some(group) = &draft.group {
            draft.leads = *self.groups.entry(group.clone()).or_insert(line) == line;
        }
        Ok(draft)
    }

    fn category(&mut self, line: u32, cells: &[String]) -> Result<Option<Option<CategoryId>>, RowError> {
        let Some(source) = &self.compiled.category else { return Ok(None) };
        let text = source.text(cells);
        if text.is_empty() {
            return Ok(Some(None));
        }
        if !self.categories.contains_key(text) {
            let guess = self.tree.guess(text).map(|node| node.category.id);
            self.categories.insert(text.to_owned(), guess);
        }
        match self.categories.get(text).copied().flatten() {
            Some(category) => Ok(Some(Some(category))),
            None => {
                Err(error(line, source, cells, "CATEGORY_UNKNOWN", "is not a known category (id, code, or full path like \"Electronics > Audio\")"))
            }
        }
    }

    fn attributes(&self, cells: &[String], draft: &mut Draft) -> Result<(), RowError> {
        let category = draft.category.flatten();
        for (key, source) in &self.compiled.attributes {
            let text = source.text(cells);
            let values = if text.is_empty() { Ok(Vec::new()) } else { self.tree.read_value(category, key, text) };
            let values = values.map_err(|violation| error(draft.line, source, cells, "ATTRIBUTE_WRONG", violation.message))?;
            draft.attributes.push((key.clone(), values));
        }
        Ok(())
    }
}

/// One row being read.
struct Reader<'r> {
    line: u32,
    cells: &'r [String],
    compiled: &'r Compiled,
    decimal: Option<Decimal>,
}

impl Reader<'_> {
    fn draft(&self) -> Result<Draft, RowError> {
        let mapping = self.compiled;
        let sku = self.sku()?;
        let title = self.title()?;
        let price = self.price()?;
        let mut warnings = Vec::new();
        let group = self.short_text(mapping.group.as_ref(), GROUP_MAX)?.filter(|group| !group.is_empty());
        Ok(Draft {
            line: self.line,
            sku,
            group,
            leads: true,
            title,
            description: self.description()?,
            brand: self.short_text(mapping.brand.as_ref(), BRAND_MAX)?,
            category: None,
            attributes: Vec::new(),
            tags: self.tags()?,
            media: mapping.media.as_ref().map(|source| {
                source
                    .text(self.cells)
                    .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .filter(|name| !name.is_empty())
                    .map(str::to_owned)
                    .collect()
            }),
            list_price_minor: mapping.list_price.as_ref().map(|source| self.list_price(source, price, &mut warnings)),
            gtin: self.gtin()?,
            options: self.options()?,
            weight_grams: mapping.weight.as_ref().map(|source| self.weight(source, &mut warnings)),
            dimensions: self.dimensions(&mut warnings),
            stock: self.stock()?,
            price,
            warnings,
            media_column: mapping.media.as_ref().map(|source| source.name().to_owned()).unwrap_or_default(),
        })
    }

    fn refuse(&self, source: Option<&Source>, reason: &'static str, message: impl Into<String>) -> RowError {
        error(self.line, source.unwrap_or(&Source::default()), self.cells, reason, message)
    }

    fn warn(&self, source: &Source, reason: &'static str, message: &str) -> RowError {
        RowError { warning: true, ..error(self.line, source, self.cells, reason, message) }
    }

    fn sku(&self) -> Result<String, RowError> {
        let source = &self.compiled.sku;
        let text = source.text(self.cells);
        if text.is_empty() {
            return Err(self.refuse(Some(source), "NO_SKU", "there is no SKU"));
        }
        text.parse::<Sku>().map(|sku| sku.to_string()).map_err(|invalid| self.refuse(Some(source), "SKU_UNUSABLE", invalid.to_string()))
    }

    fn title(&self) -> Result<String, RowError> {
        let source = &self.compiled.title;
        let text = source.text(self.cells);
        let title = if text.len() > CELL_MAX { String::new() } else { richtext::plain(text) };
        if text.len() > CELL_MAX || title.chars().count() > TITLE_MAX {
            return Err(self.refuse(
                Some(source),
                "TOO_LONG",
                format!("the title has {} characters; at most {TITLE_MAX} are accepted", text.chars().count()),
            ));
        }
        if title.is_empty() { Err(self.refuse(Some(source), "NO_TITLE", "there is no title")) } else { Ok(title) }
    }

    fn price(&self) -> Result<Money, RowError> {
        let source = &self.compiled.price;
        let currency = self.currency()?;
        let text = source.text(self.cells);
        let read = if text.len() > 100 {
            Err(AmountError::Unreadable)
        } else {
            amount::price(text, currency, self.decimal, self.compiled.accept_other_currencies)
        };
        read.map_err(|problem| self.refuse(Some(source), price_reason(&problem), problem.to_string()))
    }

    fn currency(&self) -> Result<Option<Currency>, RowError> {
        let Some(source) = &self.compiled.currency else { return Ok(None) };
        let text = source.text(self.cells);
        if text.is_empty() {
            return Ok(None);
        }
        let currency = if text.len() == 3 { text.to_uppercase().parse().ok() } else { None };
        currency.map(Some).ok_or_else(|| self.refuse(Some(source), "CURRENCY_UNKNOWN", "is not a known ISO 4217 currency code"))
    }

    fn description(&self) -> Result<Option<String>, RowError> {
        let Some(source) = &self.compiled.description else { return Ok(None) };
        let text = source.text(self.cells);
        let clean = if text.len() > CELL_MAX { String::new() } else { richtext::description(text) };
        if text.len() > CELL_MAX || clean.chars().count() > DESCRIPTION_MAX {
            return Err(self.refuse(Some(source), "TOO_LONG", format!("the description is longer than {DESCRIPTION_MAX} characters")));
        }
        Ok(Some(clean))
    }

    fn short_text(&self, source: Option<&Source>, max: usize) -> Result<Option<String>, RowError> {
        let Some(source) = source else { return Ok(None) };
        let text = source.text(self.cells);
        let plain = if text.len() > CELL_MAX { text.to_owned() } else { richtext::plain(text) };
        if plain.chars().count() > max {
            return Err(self.refuse(Some(source), "TOO_LONG", format!("is longer than {max} characters")));
        }
        Ok(Some(plain))
    }

    fn tags(&self) -> Result<Option<Vec<String>>, RowError> {
        let Some(source) = &self.compiled.tags else { return Ok(None) };
        let text = source.text(self.cells);
        let sign = if text.contains('|') { '|' } else { ',' };
        let mut tags: Vec<String> = Vec::new();
        for tag in text.split(sign).map(richtext::plain).filter(|tag| !tag.is_empty()) {
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        if tags.len() > TAGS_MAX || tags.iter().any(|tag| tag.chars().count() > TAG_MAX) {
            return Err(self.refuse(Some(source), "TOO_LONG", format!("at most {TAGS_MAX} tags of {TAG_MAX} characters are accepted")));
        }
        Ok(Some(tags))
    }

    /// A list price is a wish: one that cannot be read, or is not above the price, is left out with a warning.
    fn list_price(&self, source: &Source, price: Money, warnings: &mut Vec<RowError>) -> Option<i64> {
        let text = source.text(self.cells);
        match amount::price(text, Some(price.currency), self.decimal, false) {
            Ok(list) if list.minor > price.minor => return Some(list.minor),
            Ok(list) if list.minor == price.minor => {}
            Err(AmountError::Missing | AmountError::Zero) => {}
            Ok(_) => warnings.push(self.warn(source, "LIST_PRICE_UNREADABLE", "is below the price and was left out")),
            Err(problem) => warnings.push(self.warn(source, "LIST_PRICE_UNREADABLE", &format!("{problem}; it was left out"))),
        }
        None
    }

    fn gtin(&self) -> Result<Option<String>, RowError> {
        let Some(source) = &self.compiled.gtin else { return Ok(None) };
        let text = source.text(self.cells);
        if text.is_empty() {
            return Ok(Some(String::new()));
        }
        gtin::parse(text)
            .map(Some)
            .ok_or_else(|| self.refuse(Some(source), "GTIN_WRONG", "is not a GTIN: 8, 12, 13 or 14 digits whose last is the check digit"))
    }

    fn options(&self) -> Result<Option<Vec<(String, String)>>, RowError> {
        if self.compiled.options.is_empty() {
            return Ok(None);
        }
        let mut options = Vec::new();
        for (name, source) in &self.compiled.options {
            let value = self.short_text(Some(source), 100)?.unwrap_or_default();
            if !value.is_empty() {
                options.push((name.clone(), value));
            }
        }
        Ok(Some(options))
    }

    fn weight(&self, source: &Source, warnings: &mut Vec<RowError>) -> u32 {
        let text = source.text(self.cells);
        if text.is_empty() {
            return 0;
        }
        measure::grams(text, self.compiled.weight_unit).unwrap_or_else(|| {
            warnings.push(self.warn(source, "WEIGHT_UNREADABLE", "is not a weight; the product was imported without one"));
            0
        })
    }

    fn dimensions(&self, warnings: &mut Vec<RowError>) -> Option<Option<Dimensions>> {
        let unit = self.compiled.length_unit;
        if let Some(source) = &self.compiled.dimensions {
            let text = source.text(self.cells);
            let read = measure::dimensions(text, unit);
            if read.is_none() && !text.is_empty() {
                warnings.push(self.warn(
                    source,
                    "DIMENSIONS_UNREADABLE",
                    "are not dimensions like \"20 x 10 x 5 cm\"; the product was imported without them",
                ));
            }
            return Some(read);
        }
        if self.compiled.sides.iter().all(Option::is_none) {
            return None;
        }
        let mut side = |source: &Option<Source>| {
            let Some(source) = source else { return 0 };
            let text = source.text(self.cells);
            let read = measure::millimetres(text, unit);
            if read.is_none() && !text.is_empty() {
                warnings.push(self.warn(source, "DIMENSIONS_UNREADABLE", "is not a length; the product was imported without it"));
            }
            read.unwrap_or(0)
        };
        let [length, width, height] = &self.compiled.sides;
        let read = Dimensions { length_mm: side(length), width_mm: side(width), height_mm: side(height) };
        Some(Some(read).filter(|read| read.length_mm + read.width_mm + read.height_mm > 0))
    }

    fn stock(&self) -> Result<Option<Stock>, RowError> {
        let Some(source) = &self.compiled.stock else { return Ok(None) };
        let text = source.text(self.cells);
        if text.is_empty() {
            return Ok(None);
        }
        let whole = text.strip_suffix(".0").unwrap_or(text);
        let read = Some(whole).filter(|whole| whole.len() <= 10 && whole.bytes().all(|b| b.is_ascii_digit())).and_then(|whole| whole.parse().ok());
        match read {
            Some(pieces) if pieces > 1_000_000_000 => Err(self.refuse(Some(source), "STOCK_UNREADABLE", "is more than 1000000000")),
            Some(pieces) if source.is_from_column(self.cells) => Ok(Some(Stock::Told(pieces))),
            Some(pieces) => Ok(Some(Stock::Initial(pieces))),
            None => Err(self.refuse(Some(source), "STOCK_UNREADABLE", "is not a whole number of pieces")),
        }
    }
}

fn error(line: u32, source: &Source, cells: &[String], reason: &'static str, message: impl Into<String>) -> RowError {
    RowError { line, column: source.name().to_owned(), value: shortened(source.text(cells)), reason, message: message.into(), warning: false }
}

pub(crate) fn shortened(text: &str) -> String {
    let mut short: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(VALUE_SHOWN).collect();
    if text.len() > short.len() {
        short.push('…');
    }
    short
}

const fn price_reason(problem: &AmountError) -> &'static str {
    match problem {
        AmountError::Missing => "NO_PRICE",
        AmountError::Zero => "PRICE_ZERO",
        AmountError::Negative | AmountError::Unreadable | AmountError::TooFine(_) | AmountError::TooLarge => "PRICE_UNREADABLE",
        AmountError::Ambiguous => "PRICE_AMBIGUOUS",
        AmountError::UnknownCurrency(_) => "CURRENCY_UNKNOWN",
        AmountError::NoCurrency => "NO_CURRENCY",
        AmountError::OtherCurrency { .. } => "CURRENCY_MISMATCH",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::file::recognise;
    use crate::feed::mapping::{Mapping, suggest};
    use proptest::prelude::*;

    /// Judges a whole file under the suggested mapping, changed by `change`.
    fn judge(content: &str, change: impl FnOnce(&mut Mapping)) -> Vec<Result<Draft, RowError>> {
        let shape = recognise(content.as_bytes()).unwrap();
        let mut mapping = suggest(&shape.columns, "USD");
        change(&mut mapping);
        let compiled = mapping.compile(&shape, &Tree::default()).unwrap();
        let decimal = find_decimal(content.as_bytes(), &shape, &compiled);
        let mut planner = Planner::new(compiled, Arc::default(), decimal);
        let mut judged = Vec::new();
        rows(content.as_bytes(), &shape, |row| {
            judged.push(planner.judge(row));
            true
        })
        .unwrap();
        judged
    }

    fn reasons(content: &str) -> Vec<(u32, &'static str, String)> {
        judge(content, |_| {}).into_iter().filter_map(Result::err).map(|error| (error.line, error.reason, error.column)).collect()
    }

    #[test]
    fn rows_that_cannot_be_sold_are_told_by_line_column_and_reason() {
        let found = reasons(
            "id,title,price\n0,Mug,\n1,Mug,0.0\n2,,5\n3,Mug,5 gbp\n,Mug,5\n4,Mug,call\n5,Mug,-1\n6,Mug,5.999\n7,Mug,5\n7,Mug,6\n8,Mug\n9,<b></b>,3.50\n",
        );
        let wanted = [
            (2, "NO_PRICE", "price"),
            (3, "PRICE_ZERO", "price"),
            (4, "NO_TITLE", "title"),
            (5, "CURRENCY_MISMATCH", "price"),
            (6, "NO_SKU", "id"),
            (7, "PRICE_UNREADABLE", "price"),
            (8, "PRICE_UNREADABLE", "price"),
            (9, "PRICE_UNREADABLE", "price"),
            (11, "SKU_DUPLICATE", "id"),
            (12, "ROW_RAGGED", ""),
            (13, "NO_TITLE", "title"),
        ];
        let found: Vec<(u32, &str, &str)> = found.iter().map(|(line, reason, column)| (*line, *reason, column.as_str())).collect();
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_whole_file_tells_how_it_writes_decimals() {
        let minor = |content: &str| {
            judge(content, |_| {}).into_iter().map(|row| row.map(|draft| draft.price.minor).map_err(|error| error.reason)).collect::<Vec<_>>()
        };
        assert_eq!(minor("id,title,price\n1,A,\"1,299\"\n2,B,3.50\n"), [Ok(129_900), Ok(350)]);
        assert_eq!(minor("id;title;price\n1;A;1.299\n2;B;3,50\n"), [Ok(129_900), Ok(350)]);
        assert_eq!(minor("id;title;price\n1;A;1.299\n2;B;3\n"), [Err("PRICE_AMBIGUOUS"), Ok(300)]);
        assert_eq!(minor("id;title;price\n1;A;1.299\n2;B;3,50\n3;C;3.50\n"), [Err("PRICE_AMBIGUOUS"), Ok(350), Ok(350)]);
    }

    #[test]
    fn a_ten_megabyte_title_is_an_error_of_its_row_only() {
        let content = format!("id,title,price\n1,{},5\n2,Mug,6\n", "x".repeat(10 << 20));
        let judged = judge(&content, |_| {});
        let error = judged[0].as_ref().unwrap_err();
        assert_eq!((error.line, error.reason, error.column.as_str()), (2, "TOO_LONG", "title"));
        assert!(error.value.len() < 300);
        assert!(judged[1].is_ok());
    }

    #[test]
    fn what_does_not_hinder_selling_is_a_warning() {
        let judged = judge(
            "id,title,price,weight,dimensions,stock,list_price\n1,Mug,5,heavy,1x2x3x4,3,4\n2,Mug,5,1.5,7.6 x 4.8 x 1.4 inches,,7\n",
            |mapping| {
                mapping.weight_unit = "lb".to_owned();
                mapping.constants.insert("stock".to_owned(), "25".to_owned());
            },
        );
        let first = judged[0].as_ref().unwrap();
        let warned: Vec<&str> = first.warnings.iter().map(|warning| warning.reason).collect();
        assert_eq!(warned, ["LIST_PRICE_UNREADABLE", "WEIGHT_UNREADABLE", "DIMENSIONS_UNREADABLE"]);
        assert_eq!(first.stock, Some(Stock::Told(3)));
        let second = judged[1].as_ref().unwrap();
        assert_eq!((second.weight_grams, second.stock, second.list_price_minor), (Some(680), Some(Stock::Initial(25)), Some(Some(700))));
        assert!(second.warnings.is_empty());
    }

    proptest! {
        #[test]
        fn every_row_is_either_taken_or_refused(rows in prop::collection::vec(("[0-9]{0,2}", "[a-z<>&;\"]{0,6}", "[0-9.,$-]{0,7}"), 0..30)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(["id", "title", "price"]).unwrap();
            for (id, title, price) in &rows { writer.write_record([id, title, price]).unwrap(); }
            let content = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            let judged = judge(&content, |mapping| { mapping.columns.retain(|field, _| ["sku", "title", "price"].contains(&field.as_str())); });
            prop_assert_eq!(judged.len(), rows.len());
            let mut skus: Vec<&str> = judged.iter().flatten().map(|draft| draft.sku.as_str()).collect();
            let all = skus.len();
            skus.sort_unstable();
            skus.dedup();
            prop_assert_eq!(skus.len(), all);
            prop_assert!(judged.iter().flatten().all(|draft| draft.price.minor > 0 && !draft.title.is_empty()));
        }
    }
}

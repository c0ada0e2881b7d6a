//! The form of a product: what it holds for a product, and the request it becomes.

use std::collections::HashMap;

use api_catalog::{
    AttributeDefinition, AttributeType, Category, CreateProductRequest, Option as Choice, Product, Texts, UpdateProductRequest, Variant, VariantInput,
};
use kit_core::{Currency, Money};
use kit_rpc::Problem;
use maud::{Markup, html};

use crate::ui::form::{Form, Input, check};
use crate::ui::{self, amount};

/// Empty rows below the variants that are there.
const SPARE_ROWS: usize = 2;
const ATTRIBUTE: &str = "attributes.";

fn at(row: usize, name: &str) -> String {
    format!("variants[{row}].{name}")
}

/// A product as its form shows it.
pub(super) fn filled(product: &Product, category: Option<&Category>) -> Form {
    let plain = [
        ("title", product.title.as_str()),
        ("description", &product.description),
        ("brand", &product.brand),
        ("category", category.map_or(product.category_id.as_str(), |category| category.code.as_str())),
    ];
    let mut form = plain.into_iter().fold(Form::default(), |form, (name, value)| form.with(name, value));
    form = form.with("tags", product.tags.join(", ")).with("if_version", product.version.to_string());
    for attribute in &product.attributes {
        form = form.with(&format!("{ATTRIBUTE}{}", attribute.key), attribute.values.join("|"));
    }
    for (row, variant) in product.variants.iter().enumerate() {
        form = with_variant(form, row, variant);
    }
    spare_rows(form, product.variants.len(), SPARE_ROWS)
}

/// The form of a product that does not exist yet.
pub(super) fn blank() -> Form {
    spare_rows(Form::default(), 0, SPARE_ROWS + 1)
}

fn spare_rows(form: Form, from: usize, count: usize) -> Form {
    (from..from + count).fold(form, |form, row| form.with(&at(row, "sku"), ""))
}

fn with_variant(form: Form, row: usize, variant: &Variant) -> Form {
    let decimal = |money: Option<&kit_rpc::proto::Money>| amount(money).map(Money::decimal).unwrap_or_default();
    let options: Vec<String> = variant.options.iter().map(|option| format!("{}: {}", option.name, option.value)).collect();
    let weight = if variant.weight_grams == 0 { String::new() } else { variant.weight_grams.to_string() };
    form.with(&at(row, "variant_id"), variant.variant_id.clone())
        .with(&at(row, "sku"), variant.sku.clone())
        .with(&at(row, "gtin"), variant.gtin.clone())
        .with(&at(row, "price"), decimal(variant.price.as_ref()))
        .with(&at(row, "list_price"), decimal(variant.list_price.as_ref()))
        .with(&at(row, "weight_grams"), weight)
        .with(&at(row, "options"), options.join("; "))
}

/// How many rows of variants the form has.
fn rows(form: &Form) -> usize {
    let numbers = form.names().filter_map(|name| name.strip_prefix("variants[")?.split_once(']')?.0.parse::<usize>().ok());
    numbers.max().map_or(0, |last| last.saturating_add(1)).min(MAX_ROWS)
}

/// As many variants as a product may have, and the spare rows.
const MAX_ROWS: usize = 210;

/// The currency the product's prices are in; a new product's is the shop's.
pub(super) fn currency_of(product: Option<&Product>, shop: Currency) -> Currency {
    let first = product.and_then(|product| product.variants.first()).and_then(|variant| amount(variant.price.as_ref()));
    first.map_or(shop, |price| price.currency)
}

/// What the rows of a form become. `places` tells the row of each variant of the request, since empty rows are left out.
#[derive(Debug)]
pub(super) struct Rows {
    variants: Vec<VariantInput>,
    removed: Vec<String>,
    places: Vec<usize>,
}

/// Reads the rows; what is wrong with them is told in the form.
fn read_rows(mut form: Form, currency: Currency, known: &[Variant]) -> Result<(Form, Rows), Form> {
    let mut read = Rows { variants: Vec::new(), removed: Vec::new(), places: Vec::new() };
    let mut sound = true;
    for row in 0..rows(&form) {
        let get = |name: &str| form.text(&at(row, name));
        let id = get("variant_id");
        if get("remove") == "on" {
            read.removed.extend((!id.is_empty()).then_some(id));
            continue;
        }
        if id.is_empty() && ["sku", "gtin", "price", "list_price", "options", "weight_grams"].iter().all(|name| get(name).is_empty()) {
            continue;
        }
        let before = known.iter().find(|variant| variant.variant_id == id && !id.is_empty());
        match read_row(&form, row, currency, before) {
            Ok(variant) => {
                read.variants.push(variant);
                read.places.push(row);
            }
            Err(wrongs) => {
                sound = false;
                form = wrongs.into_iter().fold(form, |form, (name, message)| form.wrong(&at(row, name), message));
            }
        }
    }
    if sound { Ok((form, read)) } else { Err(form) }
}

/// One row. What the form does not show (dimensions, own pictures) stays as it was.
fn read_row(form: &Form, row: usize, currency: Currency, before: Option<&Variant>) -> Result<VariantInput, Vec<(&'static str, String)>> {
    let get = |name: &str| form.text(&at(row, name));
    let mut wrongs = Vec::new();
    let mut money = |name: &'static str, text: &str| match Money::parse_decimal(text, currency) {
        Ok(money) => Some(kit_rpc::proto::Money::from(money)),
        Err(_) => {
            wrongs.push((name, "Write an amount as in 19.99.".to_owned()));
            None
        }
    };
    let price = money("price", &get("price"));
    let list_price = Some(get("list_price")).filter(|text| !text.is_empty()).and_then(|text| money("list_price", &text));
    let weight = get("weight_grams");
    let weight_grams = if weight.is_empty() { Ok(0) } else { weight.parse() };
    let weight_grams = weight_grams.unwrap_or_else(|_| {
        wrongs.push(("weight_grams", "Write whole grams as in 450.".to_owned()));
        0
    });
    let options = read_options(&get("options")).unwrap_or_else(|| {
        wrongs.push(("options", "Write each option as in Size: XL, with ; between them.".to_owned()));
        Vec::new()
    });
    if !wrongs.is_empty() {
        return Err(wrongs);
    }
    Ok(VariantInput {
        variant_id: get("variant_id"),
        sku: get("sku"),
        gtin: get("gtin"),
        options,
        price,
        list_price,
        weight_grams,
        dimensions: before.and_then(|variant| variant.dimensions),
        media_ids: before.map(|variant| variant.media.iter().map(|media| media.media_id.clone()).collect()).unwrap_or_default(),
    })
}

/// "Size: XL; Colour: red" → pairs; nothing when a part has no colon.
fn read_options(text: &str) -> Option<Vec<Choice>> {
    let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.split_once(':').map(|(name, value)| Choice { name: name.trim().to_owned(), value: value.trim().to_owned() })).collect()
}

fn tags(form: &Form) -> Vec<String> {
    form.get("tags").split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}

fn attributes(form: &Form) -> HashMap<String, String> {
    form.names().filter_map(|name| Some((name.strip_prefix(ATTRIBUTE)?.to_owned(), form.text(name)))).collect()
}

/// What was chosen among the categories found goes before what is written.
pub(super) fn category(form: &Form) -> String {
    if form.get("category_choice").is_empty() { form.text("category") } else { form.text("category_choice") }
}

pub(super) fn create_request(form: Form, currency: Currency) -> Result<(Form, CreateProductRequest, Rows), Form> {
    let (form, rows) = read_rows(form, currency, &[])?;
    let request = CreateProductRequest {
        title: form.text("title"),
        description: form.text("description"),
        brand: form.text("brand"),
        category: category(&form),
        attributes: attributes(&form).into_iter().filter(|(_, value)| !value.is_empty()).collect(),
        tags: tags(&form),
        variants: rows.variants.clone(),
        ..Default::default()
    };
    Ok((form, request, rows))
}

pub(super) fn update_request(form: Form, product: &Product, currency: Currency) -> Result<(Form, UpdateProductRequest, Rows), Form> {
    let (form, rows) = read_rows(form, currency, &product.variants)?;
    let request = UpdateProductRequest {
        product_id: product.product_id.clone(),
        if_version: form.get("if_version").parse().unwrap_or(product.version),
        title: Some(form.text("title")),
        description: Some(form.text("description")),
        brand: Some(form.text("brand")),
        category: Some(category(&form)),
        attributes: attributes(&form),
        media_ids: None,
        tags: Some(Texts { items: tags(&form) }),
        variants: rows.variants.clone(),
        remove_variant_ids: rows.removed.clone(),
    };
    Ok((form, request, rows))
}

/// Moves what the service said about a variant of the request to the row it came from, and about a part of an amount to the amount.
pub(super) fn rejected(form: Form, mut problem: Problem, rows: &Rows) -> Form {
    for violation in &mut problem.violations {
        let field = violation.field.trim_end_matches(".amount_minor").trim_end_matches(".currency").to_owned();
        let place = field.strip_prefix("variants[").and_then(|rest| rest.split_once("]."));
        let row = place.and_then(|(number, name)| Some((rows.places.get(number.parse::<usize>().ok()?)?, name)));
        violation.field = row.map_or_else(|| field.clone(), |(row, name)| at(*row, name));
    }
    form.rejected(&problem)
}

/// What the form needs to know beside its own values.
pub(super) struct Choices<'a> {
    pub(super) currency: Currency,
    /// The chosen category, when it exists.
    pub(super) category: Option<&'a Category>,
    pub(super) attributes: &'a [AttributeDefinition],
    /// What a search for categories found; absent: none was asked for.
    pub(super) found: Option<&'a [Category]>,
}

pub(super) fn fields(form: &Form, choices: &Choices<'_>) -> Markup {
    html! {
        section.card.stack {
            h2 { "What it is" }
            (Input::text("title", "Title").max_len(1000).show(form))
            (Input::area("description", "Description").max_len(100_000).optional().hint("Paragraphs, lists, emphasis and links may be written as HTML; anything else is taken out.").show(form))
            div.columns {
                (Input::text("brand", "Brand").max_len(120).optional().class("half").show(form))
                (Input::text("tags", "Tags").max_len(2000).optional().class("half").hint("With commas between them.").show(form))
            }
            (category_fields(form, choices))
        }
        (attribute_fields(form, choices.attributes))
        section.card.stack {
            h2 { "Variants and prices" }
            p.small.hush { "A product without options has one variant. Rows without anything in them are left out." }
            @for row in 0..rows(form) { (variant_fields(form, row, choices.currency)) }
        }
    }
}

fn category_fields(form: &Form, choices: &Choices<'_>) -> Markup {
    let path = choices.category.map(|category| category.path.join(" › ")).unwrap_or_default();
    let hint = if path.is_empty() { "A category's code, or words to find it by." } else { &path };
    html! {
        div.find-row {
            div.grow { (Input::text("category", "Category").max_len(100).optional().hint(hint).show(form)) }
            button.btn.outline.beside-field type="submit" name="act" value="find" formnovalidate { (ui::icon("search")) "Find" }
        }
        @if let Some(found) = choices.found {
            @if found.is_empty() { p.small { "No category has these words in its name." } } @else {
                fieldset.fieldset {
                    legend.mb2 { "Which one?" }
                    div.choices { @for category in found { label.choice { input type="radio" name="category_choice" value=(category.code); span.what { (category.name) } span.more { (category.path.join(" › ")) } } } }
                }
            }
        }
    }
}

fn attribute_fields(form: &Form, definitions: &[AttributeDefinition]) -> Markup {
    let (needed, rest): (Vec<_>, Vec<_>) =
        definitions.iter().partition(|definition| definition.required || !form.get(&format!("{ATTRIBUTE}{}", definition.key)).is_empty());
    html! {
        @if !definitions.is_empty() {
            section.card.stack {
                h2 { "Attributes of the category" }
                @if !needed.is_empty() { div.columns { @for definition in needed { (attribute_field(form, definition)) } } }
                @if !rest.is_empty() { details.fold { summary { "More attributes, none of them needed" } div.columns.mt4 { @for definition in rest { (attribute_field(form, definition)) } } } }
            }
        }
    }
}

fn attribute_field(form: &Form, definition: &AttributeDefinition) -> Markup {
    let name = format!("{ATTRIBUTE}{}", definition.key);
    let label = if definition.unit.is_empty() { definition.name.clone() } else { format!("{} ({})", definition.name, definition.unit) };
    let held = form.text(&name);
    let choices = match definition.r#type() {
        AttributeType::Boolean => vec!["true".to_owned(), "false".to_owned()],
        AttributeType::Choice => definition.values.clone(),
        _ => Vec::new(),
    };
    let several = definition.r#type() == AttributeType::Choices;
    let hint = if several {
        format!("Several with | between them: {}", definition.values.iter().take(6).cloned().collect::<Vec<_>>().join(", "))
    } else {
        String::new()
    };
    let input = if choices.is_empty() {
        Input::text(&name, &label).max_len(2000).kind(if definition.r#type() == AttributeType::Date { "date" } else { "text" }).hint(&hint)
    } else {
        let unknown = Some(held).filter(|held| !held.is_empty() && !choices.contains(held));
        Input::select(
            &name,
            &label,
            std::iter::once(String::new())
                .chain(unknown)
                .chain(choices)
                .map(|value| (value.clone(), if value.is_empty() { "–".to_owned() } else { value })),
        )
    };
    // A draft may lack what a product on sale needs, so nothing here is demanded by the browser.
    html! { (input.optional().class("half").show(form)) }
}

fn variant_fields(form: &Form, row: usize, currency: Currency) -> Markup {
    let (price, list_price) = (format!("Price ({currency})"), format!("Price before ({currency})"));
    let there = !form.get(&at(row, "variant_id")).is_empty();
    let first = row == 0;
    let names = ["sku", "price", "list_price", "options", "gtin", "weight_grams"].map(|name| at(row, name));
    let [sku, price_name, list_name, options, gtin, weight] = &names;
    let required = |input: Input<'_>| if there || first { input.show(form) } else { input.optional().show(form) };
    html! {
        fieldset.variant-row {
            legend { @if there { (form.get(sku)) } @else if first { "The variant" } @else { "One more variant" } }
            @if there { input type="hidden" name=(at(row, "variant_id")) value=(form.get(&at(row, "variant_id"))); }
            div.columns {
                (required(Input::text(sku, "SKU").max_len(64).class("third")))
                (required(Input::amount(price_name, &price, "").max_len(20).class("third")))
                (Input::amount(list_name, &list_price, "").max_len(20).optional().class("third").show(form))
                (Input::text(options, "Options").max_len(600).optional().class("third").placeholder("Size: XL; Colour: red").show(form))
                (Input::text(gtin, "GTIN (barcode)").inputmode("numeric").max_len(20).optional().class("third").show(form))
                (Input::number(weight, "Weight in grams").max_len(9).optional().class("third").show(form))
            }
            @if there { (check(form, &at(row, "remove"), "Take this variant away")) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_as_they_are_written() {
        let read = read_options("Size: XL; Colour: red").unwrap();
        assert_eq!(read.iter().map(|option| (option.name.as_str(), option.value.as_str())).collect::<Vec<_>>(), [("Size", "XL"), ("Colour", "red")]);
        assert_eq!(read_options("").unwrap().len(), 0);
        assert!(read_options("XL").is_none());
    }

    #[test]
    fn what_is_wrong_with_a_variant_is_told_in_its_own_row() {
        let form = blank().with("variants[1].sku", "MUG").with("variants[1].price", "19.99");
        let (form, request, rows) = create_request(form, Currency::USD).unwrap();
        assert_eq!((request.variants.len(), request.variants[0].price.as_ref().unwrap().amount_minor), (1, 1999));
        let problem = kit_rpc::problem_of(&kit_rpc::violation("variants[0].price.amount_minor", "must be above zero"));
        assert!(rejected(form, problem, &rows).error("variants[1].price").is_some());
        let wrong = create_request(blank().with("variants[0].price", "cheap"), Currency::USD).unwrap_err();
        assert!(wrong.error("variants[0].price").is_some());
    }
}

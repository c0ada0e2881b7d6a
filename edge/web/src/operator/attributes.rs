//! The attributes that categories give to their products: all of them by key, and the definition of one.

use std::collections::HashMap;

use api_catalog::{
    AttributeDefinition, AttributeType, CategoryAttribute, CategoryAttributes, ExportTaxonomyRequest, PutAttributeRequest, UpdateCategoryRequest,
};
use axum::extract::{Query, State};
use axum::response::IntoResponse;
use http::StatusCode;
use kit_rpc::problem_of;
use maud::{Markup, html};

use super::category::{self, own};
use super::{ListQuery, console, filter, link, staff, word};
use crate::failure::{Failure, Page};
use crate::session::{Here, Posted};
use crate::site::{Site, Web};
use crate::ui::form::{self, Form, Input};
use crate::ui::{self, Tone, show};
use crate::visit::Visit;

const TYPES: [(&str, &str); 6] = [
    ("text", "Text"),
    ("number", "Number"),
    ("boolean", "Yes or no"),
    ("choice", "One of the values"),
    ("choices", "Several of the values"),
    ("date", "Day"),
];
/// Attributes on one page; a search finds the others.
const SHOWN: usize = 200;

fn type_of(text: &str) -> AttributeType {
    AttributeType::from_str_name(&format!("ATTRIBUTE_TYPE_{}", text.to_uppercase())).unwrap_or_default()
}

fn type_word(kind: AttributeType) -> String {
    word(kind.as_str_name(), "ATTRIBUTE_TYPE_")
}

/// A part of the taxonomy as rows of named cells.
async fn part(site: &Site, visit: &Visit, part: &str) -> Result<Vec<HashMap<String, String>>, Failure> {
    let request = ExportTaxonomyRequest { part: part.to_owned() };
    let file = site.catalog.clone().export_taxonomy(visit.ctx.request(request)).await?.into_inner();
    Ok(rows(&String::from_utf8_lossy(&file.data)))
}

fn rows(text: &str) -> Vec<HashMap<String, String>> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    lines.map(|line| header.iter().zip(line.split('\t')).map(|(name, cell)| ((*name).to_owned(), cell.to_owned())).collect()).collect()
}

/// All attributes, by name. The taxonomy's own file is the one place that has them without a category.
fn definitions(attributes: &[HashMap<String, String>], values: &[HashMap<String, String>]) -> Vec<AttributeDefinition> {
    let cell = |row: &HashMap<String, String>, name: &str| row.get(name).cloned().unwrap_or_default();
    let names: HashMap<String, String> = values.iter().map(|row| (cell(row, "key"), cell(row, "name"))).collect();
    let keys: HashMap<String, String> = attributes.iter().map(|row| (cell(row, "key"), cell(row, "value_keys"))).collect();
    let mut found: Vec<AttributeDefinition> = attributes
        .iter()
        .map(|row| {
            let source = Some(cell(row, "values_from")).filter(|source| !source.is_empty()).unwrap_or_else(|| cell(row, "key"));
            let values = keys.get(&source).map(String::as_str).unwrap_or_default().split(',').filter(|key| !key.is_empty());
            AttributeDefinition {
                key: cell(row, "key"),
                name: cell(row, "name"),
                r#type: type_of(&cell(row, "type")).into(),
                unit: cell(row, "unit"),
                values: values.map(|key| names.get(key).cloned().unwrap_or_else(|| key.to_owned())).collect(),
                ..Default::default()
            }
        })
        .collect();
    found.sort_by_cached_key(|attribute| attribute.name.to_lowercase());
    found
}

async fn all(site: &Site, visit: &Visit) -> Result<Vec<AttributeDefinition>, Failure> {
    Ok(definitions(&part(site, visit, "attributes").await?, &part(site, visit, "values").await?))
}

pub(crate) async fn list(State(site): State<Web>, here: Here, Query(wanted): Query<ListQuery>) -> Page {
    staff(&here)?;
    Ok(view_list(&here, &wanted.query, &all(&site, &here).await?).into_response())
}

fn view_list(visit: &Visit, query: &str, all: &[AttributeDefinition]) -> Markup {
    let words = query.to_lowercase();
    let found: Vec<_> = all.iter().filter(|one| one.key.contains(&words) || one.name.to_lowercase().contains(&words)).collect();
    let body = html! {
        (ui::crumbs(&[("/operator/categories".to_owned(), "Categories".to_owned())], "Attributes"))
        (filter("/operator/attributes", "Name or key", query, &[], ""))
        div.card.flush {
            @if found.is_empty() { (ui::empty("sliders-horizontal", "No attribute here", "None has such a name or key.", Some(("/operator/attributes/one", "Define one")))) } @else {
                table.table.cards {
                    thead { tr { th scope="col" { "Attribute" } th scope="col" { "Key" } th scope="col" { "Type" } th scope="col" { "Values" } } }
                    tbody {
                        @for attribute in found.iter().take(SHOWN) {
                            tr {
                                th scope="row" { a href=(link("/operator/attributes/one", &[("query", &attribute.key)])) { (attribute.name) } }
                                td data-label="Key" { span.mono.tiny { (attribute.key) } }
                                td data-label="Type" { span { (type_word(attribute.r#type())) @if !attribute.unit.is_empty() { ", " (attribute.unit) } } }
                                td data-label="Values" { span.small.clamp-2 { (attribute.values.iter().take(12).cloned().collect::<Vec<_>>().join(", ")) } }
                            }
                        }
                    }
                }
            }
        }
        @if found.len() > SHOWN { p.small.hush.mt4 { "The first " (SHOWN) " of " (show::count(u64::try_from(found.len()).unwrap_or(0))) ". Search for the others." } }
    };
    let actions = html! { a.btn href="/operator/attributes/one" { (ui::icon("plus")) "Define an attribute" } };
    console(visit, "/operator/categories", "Attributes", "What products can say of themselves. Categories name them by their keys.", actions, body)
}

/// The form of the attribute that the address names in `query`, or of a new one for the category in `kind`.
pub(crate) async fn show(State(site): State<Web>, here: Here, Query(wanted): Query<ListQuery>) -> Page {
    staff(&here)?;
    if wanted.query.is_empty() {
        return Ok(view(&here, &Form::default().with("category", wanted.kind)).into_response());
    }
    let found = all(&site, &here).await?.into_iter().find(|attribute| attribute.key == wanted.query).ok_or_else(Failure::not_found)?;
    Ok(view(&here, &filled(&found)).into_response())
}

fn filled(attribute: &AttributeDefinition) -> Form {
    Form::default()
        .with("known", "yes")
        .with("key", attribute.key.as_str())
        .with("name", attribute.name.as_str())
        .with("type", type_word(attribute.r#type()))
        .with("unit", attribute.unit.as_str())
        .with("values", attribute.values.join("\n"))
}

pub(crate) async fn save(State(site): State<Web>, here: Here, Posted(form): Posted) -> Page {
    staff(&here)?;
    let request = PutAttributeRequest {
        key: form.text("key"),
        name: form.text("name"),
        r#type: type_of(form.get("type")).into(),
        unit: form.text("unit"),
        values: form.get("values").lines().map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned).collect(),
    };
    if let Err(status) = site.catalog.clone().put_attribute(here.ctx.request(request)).await {
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, view(&here, &form.rejected(&problem_of(&status)))).into_response());
    }
    let wanted = form.get("category");
    if wanted.is_empty() {
        return Ok(site.redirect(&link("/operator/attributes", &[("query", form.get("key"))]), Tone::Good, "Saved, for every category that has it."));
    }
    give(&site, &here, wanted, form.get("key")).await
}

/// Adds a fresh attribute to the category it was defined for.
async fn give(site: &Site, visit: &Visit, category: &str, key: &str) -> Page {
    let found = category::get(site, visit, category).await?;
    let item = |key: &str, required, facet| CategoryAttribute { key: key.to_owned(), required, facet };
    let standing = own(&found).filter(|has| has.key != key).map(|has| item(&has.key, has.required, has.facet));
    let items = standing.chain(std::iter::once(item(key, false, false))).collect();
    let request = UpdateCategoryRequest { category: category.to_owned(), attributes: Some(CategoryAttributes { items }), ..Default::default() };
    let back = format!("/operator/categories/{category}");
    match site.catalog.clone().update_category(visit.ctx.request(request)).await {
        Ok(_) => Ok(site.redirect(&back, Tone::Good, "Defined, and the category has it.")),
        Err(status) => {
            let told = format!("The attribute is defined, but the category does not have it: {}", problem_of(&status).message);
            Ok(site.redirect(&back, Tone::Bad, &told))
        }
    }
}

fn view(visit: &Visit, form: &Form) -> Markup {
    let known = form.get("known") == "yes";
    let title = if known { form.get("name") } else { "Define an attribute" };
    let category = form.get("category");
    let back = if category.is_empty() { "/operator/attributes".to_owned() } else { format!("/operator/categories/{category}") };
    let fields = html! {
        div.stack {
            (form.summary())
            input type="hidden" name="category" value=(category);
            @if known {
                input type="hidden" name="known" value="yes";
                input type="hidden" name="key" value=(form.get("key"));
                p.small { "Key " span.mono { (form.get("key")) } ". What you change here changes in every category that has the attribute." }
            } @else {
                (Input::text("key", "Key").max_len(100).focus().hint("A lower-case word, as in screen_size. Feeds name the attribute by it; it stays.").show(form))
            }
            (Input::text("name", "Name").max_len(120).hint("As buyers read it.").show(form))
            div.columns {
                (Input::select("type", "Type", TYPES).class("half").show(form))
                (Input::text("unit", "Unit").max_len(20).optional().class("half").hint("Of numbers, as in cm.").show(form))
            }
            (Input::area("values", "Values").optional().hint("One on each line. For the two types that choose among them.").show(form))
            div.row { button.btn type="submit" { "Save" } a.btn.quiet href=(back) { "Cancel" } }
        }
    };
    let way = [("/operator/categories", "Categories"), ("/operator/attributes", "Attributes")];
    let way = way.map(|(address, name)| (address.to_owned(), name.to_owned()));
    let body = html! { (ui::crumbs(&way, title)) div.medium-start { section.card { (form::post(visit, "/operator/attributes/one", fields)) } } };
    console(visit, "/operator/categories", title, "", html! {}, body)
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::operator;
    let all = category::sample_attributes();
    let many: Vec<_> = all.iter().cycle().take(SHOWN + 1).cloned().collect();
    let wrong = Form::default().with("key", "Screen size").with("category", "cat_2").wrong("key", "May hold lower-case letters and digits only.");
    vec![
        ("operator-attributes", view_list(&operator(), "", &all)),
        ("operator-attributes-many", view_list(&operator(), "", &many)),
        ("operator-attributes-none", view_list(&operator(), "zzz", &all)),
        ("operator-attribute", view(&operator(), &filled(&all[1]))),
        ("operator-attribute-new", view(&operator(), &Form::default())),
        ("operator-attribute-wrong", view(&operator(), &wrong)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_has_its_values_by_name_and_another_ones_where_it_says_so() {
        let attributes = rows("key\tname\ttype\tunit\tvalues_from\tvalue_keys\nink\tInk\tchoice\t\tcolor\t\ncolor\tColour\tchoices\t\t\tred,blue\n");
        let values = rows("key\tname\nred\tRed\n");
        let found = definitions(&attributes, &values);
        assert_eq!(found.iter().map(|one| one.key.as_str()).collect::<Vec<_>>(), ["color", "ink"]);
        assert!(found.iter().all(|one| one.values == ["Red", "blue"]), "{found:?}");
        assert_eq!(found[0].r#type(), AttributeType::Choices);
    }
}

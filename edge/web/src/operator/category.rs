//! One category: its name, what is below it, the attributes it gives to its products.

use api_catalog::{
    AttributeDefinition, Category, CategoryAttribute, CategoryAttributes, CreateCategoryRequest, DeleteCategoryRequest, GetCategoryRequest,
    GetCategoryResponse, ListCategoriesRequest, ListCategoriesResponse, UpdateCategoryRequest,
};
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use http::StatusCode;
use kit_rpc::problem_of;
use maud::{Markup, html};

use super::{ListQuery, console, link, staff, word};
use crate::failure::{Failure, Page};
use crate::session::{Here, Posted};
use crate::site::{Site, Web};
use crate::ui::form::{self, Form, Input, check};
use crate::ui::{self, Tone, show};
use crate::visit::Visit;

/// Categories below, on one page.
const PAGE: u32 = 100;
/// Empty rows below the attributes that are there.
const SPARE_ROWS: usize = 3;
/// As many attributes as a category may have of its own.
const MAX_ROWS: usize = 100;

fn at(row: usize, name: &str) -> String {
    format!("attributes[{row}].{name}")
}

pub(super) async fn get(site: &Site, visit: &Visit, category: &str) -> Result<GetCategoryResponse, Failure> {
    let request = GetCategoryRequest { category: category.to_owned() };
    Ok(site.catalog.clone().get_category(visit.ctx.request(request)).await?.into_inner())
}

/// The category's own attributes, without what it inherits.
pub(super) fn own(found: &GetCategoryResponse) -> impl Iterator<Item = &AttributeDefinition> {
    found.attributes.iter().filter(|attribute| attribute.inherited_from.is_empty())
}

/// A category, the first of those below it, and the two forms of its page.
struct Shown {
    found: GetCategoryResponse,
    below: ListCategoriesResponse,
    names: Form,
    rows: Form,
}

impl Shown {
    async fn load(site: &Site, visit: &Visit, category: &str, cursor: &str) -> Result<Self, Failure> {
        let found = get(site, visit, category).await?;
        let request = ListCategoriesRequest { parent: category.to_owned(), limit: PAGE, cursor: cursor.to_owned(), ..Default::default() };
        let below = site.catalog.clone().list_categories(visit.ctx.request(request)).await?.into_inner();
        Ok(Self::standing(found, below))
    }

    fn standing(found: GetCategoryResponse, below: ListCategoriesResponse) -> Self {
        let category = found.category.clone().unwrap_or_default();
        let names = Form::default().with("name", category.name).with("tax_category", category.tax_category);
        let on = |set: bool| if set { "on" } else { "" };
        let rows = own(&found).enumerate().fold(Form::default(), |form, (row, has)| {
            form.with(&at(row, "key"), has.key.as_str()).with(&at(row, "required"), on(has.required)).with(&at(row, "facet"), on(has.facet))
        });
        Self { found, below, names, rows }
    }
}

pub(crate) async fn show(State(site): State<Web>, here: Here, Path(category): Path<String>, Query(wanted): Query<ListQuery>) -> Page {
    staff(&here)?;
    Ok(view(&here, &Shown::load(&site, &here, &category, &wanted.cursor).await?).into_response())
}

fn again(visit: &Visit, shown: &Shown) -> Page {
    Ok((StatusCode::UNPROCESSABLE_ENTITY, view(visit, shown)).into_response())
}

/// Renames it, or puts it into another tax category.
pub(crate) async fn save(State(site): State<Web>, here: Here, Path(category): Path<String>, Posted(form): Posted) -> Page {
    staff(&here)?;
    let (name, tax_category) = (Some(form.text("name")), Some(form.text("tax_category")));
    let request = UpdateCategoryRequest { category: category.clone(), name, tax_category, attributes: None };
    match site.catalog.clone().update_category(here.ctx.request(request)).await {
        Ok(_) => Ok(site.redirect(&format!("/operator/categories/{category}"), Tone::Good, "Saved.")),
        Err(status) => {
            let shown = Shown::load(&site, &here, &category, "").await?;
            again(&here, &Shown { names: form.rejected(&problem_of(&status)), ..shown })
        }
    }
}

/// Replaces the category's own attributes by what the rows say.
pub(crate) async fn set_attributes(State(site): State<Web>, here: Here, Path(category): Path<String>, Posted(form): Posted) -> Page {
    staff(&here)?;
    let (rows, items) = read_rows(&form);
    let request = UpdateCategoryRequest { category: category.clone(), attributes: Some(CategoryAttributes { items }), ..Default::default() };
    match site.catalog.clone().update_category(here.ctx.request(request)).await {
        Ok(_) => Ok(site.redirect(&format!("/operator/categories/{category}"), Tone::Good, "The attributes are saved.")),
        Err(status) => {
            let shown = Shown::load(&site, &here, &category, "").await?;
            again(&here, &Shown { rows: rows.rejected(&problem_of(&status)), ..shown })
        }
    }
}

/// What the rows ask for, and a form of just these, so that the service's numbers are the form's.
fn read_rows(form: &Form) -> (Form, Vec<CategoryAttribute>) {
    let mut kept = Form::default();
    let mut items = Vec::new();
    for row in 0..count(form) {
        let key = form.text(&at(row, "key"));
        if key.is_empty() || form.get(&at(row, "remove")) == "on" {
            continue;
        }
        let (required, facet) = (form.text(&at(row, "required")), form.text(&at(row, "facet")));
        items.push(CategoryAttribute { key: key.clone(), required: required == "on", facet: facet == "on" });
        let place = items.len() - 1;
        kept = kept.with(&at(place, "key"), key).with(&at(place, "required"), required).with(&at(place, "facet"), facet);
    }
    (kept, items)
}

/// How many rows of attributes the form has.
fn count(form: &Form) -> usize {
    let numbers = form.names().filter_map(|name| name.strip_prefix("attributes[")?.split_once(']')?.0.parse::<usize>().ok());
    numbers.max().map_or(0, |last| last.saturating_add(1)).min(MAX_ROWS + SPARE_ROWS)
}

pub(crate) async fn delete(State(site): State<Web>, here: Here, Path(category): Path<String>, Posted(form): Posted) -> Page {
    staff(&here)?;
    match site.catalog.clone().delete_category(here.ctx.request(DeleteCategoryRequest { category: category.clone() })).await {
        Ok(_) => Ok(site.redirect("/operator/categories", Tone::Good, &format!("{} is gone.", form.get("called")))),
        Err(status) => Ok(site.redirect(&format!("/operator/categories/{category}"), Tone::Bad, &problem_of(&status).message)),
    }
}

/// The parent a new category is for, from the address.
async fn parent(site: &Site, visit: &Visit, parent: &str) -> Result<Option<Category>, Failure> {
    if parent.is_empty() { Ok(None) } else { Ok(get(site, visit, parent).await?.category) }
}

pub(crate) async fn new(State(site): State<Web>, here: Here, Query(wanted): Query<ListQuery>) -> Page {
    staff(&here)?;
    let parent = parent(&site, &here, &wanted.kind).await?;
    Ok(view_new(&here, parent.as_ref(), &Form::default()).into_response())
}

pub(crate) async fn create(State(site): State<Web>, here: Here, Posted(form): Posted) -> Page {
    staff(&here)?;
    let request = CreateCategoryRequest {
        code: form.text("code"),
        name: form.text("name"),
        parent: form.text("parent"),
        tax_category: form.text("tax_category"),
        attributes: Vec::new(),
    };
    match site.catalog.clone().create_category(here.ctx.request(request)).await {
        Ok(made) => {
            let id = made.into_inner().category.unwrap_or_default().category_id;
            Ok(site.redirect(&format!("/operator/categories/{id}"), Tone::Good, "Added. Give it the attributes its products have."))
        }
        Err(status) => {
            let problem = problem_of(&status);
            let parent = parent(&site, &here, form.get("parent")).await?;
            let form =
                if problem.reason == "CATEGORY_TAKEN" { form.wrong("code", "Another category has this code.") } else { form.rejected(&problem) };
            Ok((StatusCode::UNPROCESSABLE_ENTITY, view_new(&here, parent.as_ref(), &form)).into_response())
        }
    }
}

fn name_fields(form: &Form) -> Markup {
    html! {
        (Input::text("name", "Name").max_len(120).show(form))
        (Input::text("tax_category", "Tax category").max_len(40).optional().hint("As in standard, books, food. Empty: as the category above.").show(form))
    }
}

fn view_new(visit: &Visit, parent: Option<&Category>, form: &Form) -> Markup {
    let mut way = vec![("/operator/categories".to_owned(), "Categories".to_owned())];
    way.extend(parent.map(|parent| (address_of(parent), parent.name.clone())));
    let back = way.last().map(|(address, _)| address.clone()).unwrap_or_default();
    let fields = html! {
        div.stack {
            (form.summary())
            @if let Some(parent) = parent {
                input type="hidden" name="parent" value=(parent.category_id);
                p { "Below " strong { (parent.path.join(" › ")) } ", with its attributes." }
            }
            (Input::text("code", "Code").max_len(60).focus().hint("As in el-2-4. Taxonomy files and feeds name the category by it; it stays.").show(form))
            (name_fields(form))
            div.row { button.btn type="submit" { "Add the category" } a.btn.quiet href=(back) { "Cancel" } }
        }
    };
    let body = html! { (ui::crumbs(&way, "New")) div.medium-start { section.card { (form::post(visit, "/operator/categories/new", fields)) } } };
    console(visit, "/operator/categories", "Add a category", "", html! {}, body)
}

pub(super) fn address_of(category: &Category) -> String {
    format!("/operator/categories/{}", category.category_id)
}

fn view(visit: &Visit, shown: &Shown) -> Markup {
    let category = shown.found.category.clone().unwrap_or_default();
    let mut way = vec![("/operator/categories".to_owned(), "Categories".to_owned())];
    way.extend(shown.found.ancestors.iter().map(|above| (address_of(above), above.name.clone())));
    let more = (!shown.below.next_cursor.is_empty()).then(|| link(&address_of(&category), &[("cursor", &shown.below.next_cursor)]));
    let body = html! {
        (ui::crumbs(&way, &category.name))
        div.with-aside {
            div.stack.loose {
                section.card.flush {
                    header { h2 { "What its products say of themselves" } }
                    @if shown.found.attributes.is_empty() { p.card-note { "Nothing is asked of products here, beyond what every product has." } } @else { (schema(&shown.found)) }
                }
                (rows_card(visit, &category, shown))
                @if !shown.below.categories.is_empty() {
                    section.card.flush {
                        header { h2 { "Below it" } }
                        ul.card-note.stack.tight { @for child in &shown.below.categories { li { a href=(address_of(child)) { (child.name) } " " span.mono.tiny.hush { (child.code) } } } }
                    }
                    (ui::pager(None, more.as_deref()))
                }
            }
            aside.stack {
                section.card.stack {
                    h2 { "Name and tax" }
                    (form::post(visit, &address_of(&category), html! { div.stack { (shown.names.summary()) (name_fields(&shown.names)) button.btn.block type="submit" { "Save" } } }))
                    p.small.hush { "Code " span.mono { (category.code) } ", which stays." }
                }
                section.card.stack {
                    h2 { "Take it away" }
                    @if category.has_children { p.small.hush { "Other categories are below it. Take those away first." } } @else {
                        p.small { "Products that name it keep their other data, and lose the category when they are next saved." }
                        (form::post(visit, &format!("{}/delete", address_of(&category)), html! {
                            input type="hidden" name="called" value=(category.name);
                            button.btn.danger.outline.block type="submit" data-confirm="Delete this category?" { (ui::icon("trash-2")) "Delete the category" }
                        }))
                    }
                }
            }
        }
    };
    let add =
        html! { a.btn.outline href=(link("/operator/categories/new", &[("kind", &category.category_id)])) { (ui::icon("plus")) "Add one below" } };
    console(visit, "/operator/categories", &category.name, &category.path.join(" › "), add, body)
}

/// Every attribute that counts here, with where it comes from.
fn schema(found: &GetCategoryResponse) -> Markup {
    let names = |code: &str| found.ancestors.iter().find(|above| above.code == code);
    html! {
        table.table.cards {
            thead { tr { th scope="col" { "Attribute" } th scope="col" { "Type" } th scope="col" { "Required" } th scope="col" { "Filter" } th scope="col" { "From" } } }
            tbody {
                @for attribute in &found.attributes {
                    tr {
                        th scope="row" {
                            a href=(link("/operator/attributes/one", &[("query", &attribute.key)])) { (attribute.name) }
                            @if !attribute.values.is_empty() { div.tiny.hush.clamp-2 { (attribute.values.join(", ")) } }
                        }
                        td data-label="Type" { span { (word(attribute.r#type().as_str_name(), "ATTRIBUTE_TYPE_")) @if !attribute.unit.is_empty() { ", " (attribute.unit) } @if !attribute.values.is_empty() { div.tiny.hush { (show::counted(u64::try_from(attribute.values.len()).unwrap_or(0), "value", "values")) } } } }
                        td data-label="Required" { (if attribute.required { "yes" } else { "no" }) }
                        td data-label="Filter" { (if attribute.facet { "yes" } else { "no" }) }
                        td data-label="From" { @match names(&attribute.inherited_from) { Some(above) => { a href=(address_of(above)) { (above.name) } } None => { (if attribute.inherited_from.is_empty() { "here" } else { attribute.inherited_from.as_str() }) } } }
                    }
                }
            }
        }
    }
}

/// The category's own attributes, to change, take away and add.
fn rows_card(visit: &Visit, category: &Category, shown: &Shown) -> Markup {
    let form = &shown.rows;
    let used = count(form);
    html! {
        section.card.stack {
            div.row.between { h2 { "Its own attributes" } a.small href=(link("/operator/attributes/one", &[("kind", &category.category_id)])) { "Define a new one" } }
            p.small.hush { "They also count for all categories below. The same key again changes what is inherited." }
            (form::post(visit, &format!("{}/attributes", address_of(category)), html! {
                div.stack {
                    (form.summary())
                    ul.divided {
                        @for row in 0..used.saturating_add(SPARE_ROWS).min(MAX_ROWS) {
                            @let key = at(row, "key");
                            @let known = own(&shown.found).find(|attribute| attribute.key == form.get(&key));
                            li {
                                @if let Some(known) = known {
                                    p.strong { (known.name) " " span.mono.tiny.hush { (known.key) } }
                                    input type="hidden" name=(key) value=(known.key);
                                } @else {
                                    (Input::text(&key, "Key of an attribute").max_len(100).optional().show(form))
                                }
                                div.row {
                                    (check(form, &at(row, "required"), "Required"))
                                    (check(form, &at(row, "facet"), "Buyers filter by it"))
                                    @if known.is_some() { (check(form, &at(row, "remove"), "Take away")) }
                                }
                            }
                        }
                    }
                    div.row { button.btn type="submit" { "Save the attributes" } a.btn.quiet href="/operator/attributes" { "All attributes and their keys" } }
                }
            }))
        }
    }
}

#[cfg(test)]
pub(super) fn sample_attributes() -> Vec<AttributeDefinition> {
    use api_catalog::AttributeType;
    let attribute = |key: &str, name: &str, kind: AttributeType, values: &[&str], inherited_from: &str| AttributeDefinition {
        key: key.to_owned(),
        name: name.to_owned(),
        r#type: kind.into(),
        unit: if kind == AttributeType::Number { "ml".to_owned() } else { String::new() },
        values: values.iter().map(|value| (*value).to_owned()).collect(),
        required: inherited_from.is_empty(),
        facet: true,
        inherited_from: inherited_from.to_owned(),
    };
    vec![
        attribute("volume", "Volume", AttributeType::Number, &[], ""),
        attribute("glaze", "Glaze", AttributeType::Choice, &["Matt", "Gloss"], ""),
        attribute("color", "Colour", AttributeType::Choices, &["Black", "White", "Blue", "Green", "Red", "Yellow", "Multicolour"], "hg"),
    ]
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::operator;
    let category = |id: &str, name: &str, has_children| Category {
        category_id: id.to_owned(),
        code: id.replace("cat_", "hg-"),
        name: name.to_owned(),
        path: vec!["Home".to_owned(), name.to_owned()],
        has_children,
        ..Default::default()
    };
    let home = Category { code: "hg".to_owned(), ..category("cat_1", "Home", true) };
    let found = |has_children| GetCategoryResponse {
        category: Some(category("cat_2", "Mugs", has_children)),
        attributes: sample_attributes(),
        ancestors: vec![home.clone()],
    };
    let children = ListCategoriesResponse { categories: vec![category("cat_3", "Travel mugs", false)], next_cursor: "n".to_owned() };
    let leaf = Shown::standing(found(false), ListCategoriesResponse::default());
    let parent = Shown::standing(found(true), children);
    let posted = Form::default().with(&at(0, "key"), "volume").with(&at(1, "key"), "size").with(&at(4, "key"), "glze").with(&at(4, "facet"), "on");
    let (rows, _) = read_rows(&posted.with(&at(1, "remove"), "on"));
    let refused = Shown {
        names: Form::default().wrong("name", "Is required."),
        rows: rows.wrong(&at(1, "key"), "There is no attribute glze."),
        ..Shown::standing(found(false), ListCategoriesResponse::default())
    };
    let bare = Shown::standing(GetCategoryResponse { category: Some(home.clone()), ..Default::default() }, ListCategoriesResponse::default());
    vec![
        ("operator-category", view(&operator(), &parent)),
        ("operator-category-leaf", view(&operator(), &leaf)),
        ("operator-category-bare", view(&operator(), &bare)),
        ("operator-category-wrong", view(&operator(), &refused)),
        ("operator-category-new", view_new(&operator(), Some(&home), &Form::default())),
        ("operator-category-new-wrong", view_new(&operator(), None, &Form::default().wrong("code", "Another category has this code."))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_go_leave_no_gap() {
        let posted = [(0, "color"), (1, "size"), (5, "glaze")].into_iter().fold(Form::default(), |form, (row, key)| form.with(&at(row, "key"), key));
        let (kept, items) = read_rows(&posted.with(&at(1, "remove"), "on").with(&at(5, "required"), "on").with(&at(3, "key"), ""));
        let glaze = CategoryAttribute { key: "glaze".to_owned(), required: true, facet: false };
        assert_eq!(items, [CategoryAttribute { key: "color".to_owned(), ..Default::default() }, glaze]);
        assert_eq!((kept.get(&at(1, "key")), kept.get(&at(1, "required")), count(&kept)), ("glaze", "on", 2));
    }
}

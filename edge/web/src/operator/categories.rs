//! The category tree: a look through it, and loading it from taxonomy files.

use api_catalog::{ExportTaxonomyRequest, ImportTaxonomyRequest, ListCategoriesRequest, ListCategoriesResponse};
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use kit_rpc::problem_of;
use maud::{Markup, html};

use super::category::address_of;
use super::{ListQuery, console, link, staff};
use crate::failure::Page;
use crate::multipart::Uploaded;
use crate::portal::download;
use crate::session::Here;
use crate::site::Web;
use crate::ui::form::{self, Form};
use crate::ui::{self, Tone, show};
use crate::visit::Visit;

const PAGE: u32 = 200;

pub(crate) async fn list(State(site): State<Web>, here: Here, Query(wanted): Query<ListQuery>) -> Page {
    staff(&here)?;
    let request = ListCategoriesRequest { query: wanted.query.clone(), limit: PAGE, cursor: wanted.cursor.clone(), ..Default::default() };
    let found = site.catalog.clone().list_categories(here.ctx.request(request)).await?.into_inner();
    Ok(view(&here, &wanted, &found, &Form::default()).into_response())
}

/// A part of the taxonomy as the file it could be loaded from.
pub(crate) async fn export(State(site): State<Web>, here: Here, Path(part): Path<String>) -> Page {
    staff(&here)?;
    let request = ExportTaxonomyRequest { part };
    Ok(download(site.catalog.clone().export_taxonomy(here.ctx.request(request)).await?))
}

/// Loads the files one after another and tells what each changed.
pub(crate) async fn load(State(site): State<Web>, here: Here, upload: Uploaded) -> Page {
    staff(&here)?;
    let mut told = Vec::new();
    for file in upload.files {
        let request = ImportTaxonomyRequest { content: file.content };
        match site.catalog.clone().import_taxonomy(here.ctx.request(request)).await {
            Ok(done) => {
                let done = done.into_inner();
                told.push(format!(
                    "{}: {} new, {} changed, {} as before ({}).",
                    file.name,
                    show::count(done.created.into()),
                    show::count(done.changed.into()),
                    show::count(done.unchanged.into()),
                    done.part
                ));
            }
            Err(status) => {
                let problem = problem_of(&status);
                told.push(format!("{} was not loaded: {}", file.name, problem.message));
                return Ok(site.redirect("/operator/categories", Tone::Bad, &told.join(" ")));
            }
        }
    }
    let tone = if told.is_empty() { Tone::Warn } else { Tone::Good };
    let told = if told.is_empty() { "Choose at least one file.".to_owned() } else { told.join(" ") };
    Ok(site.redirect("/operator/categories", tone, &told))
}

fn view(visit: &Visit, wanted: &ListQuery, found: &ListCategoriesResponse, form: &Form) -> Markup {
    let body = html! {
        div.with-aside {
            div {
                form.row.mb4 method="get" action="/operator/categories" role="search" {
                    input.input.grow type="search" name="query" value=(wanted.query) placeholder="Find a category" aria-label="Find a category" maxlength="200";
                    button.btn.outline type="submit" { (ui::icon("search")) "Find" }
                }
                @if !wanted.query.is_empty() { p.mb4 { a href="/operator/categories" { (ui::icon("arrow-left")) " All top categories" } } }
                div.card.flush {
                    @if found.categories.is_empty() { (ui::empty("folder-tree", "No categories here", "Load a taxonomy file, or look somewhere else in the tree.", None)) } @else {
                        table.table.cards {
                            thead { tr { th scope="col" { "Category" } th scope="col" { "Path" } th scope="col" { "Code" } } }
                            tbody {
                                @for category in &found.categories {
                                    tr {
                                        th scope="row" { a href=(address_of(category)) { (category.name) } }
                                        td data-label="Path" { span.small.hush { (category.path.join(" › ")) } }
                                        td data-label="Code" { span.mono.tiny { (category.code) } }
                                    }
                                }
                            }
                        }
                    }
                }
                (ui::pager(None, (!found.next_cursor.is_empty()).then(|| link("/operator/categories", &[("query", &wanted.query), ("cursor", &found.next_cursor)])).as_deref()))
            }
            aside {
                section.card.stack {
                    h2 { "Load a taxonomy" }
                    (form.summary())
                    p.small.hush { "Tab-separated files with a header, plain or zstd-compressed: categories, attributes, values. Loading one again changes nothing." }
                    form.stack method="post" action="/operator/categories" enctype="multipart/form-data" {
                        (form::csrf(visit))
                        div.field { label for="files" { "Files" } input #files type="file" name="files" multiple required accept=".tsv,.zst"; }
                        button.btn.block type="submit" { (ui::icon("upload")) "Load" }
                    }
                    p.small { "Download the tree: " @for part in ["categories", "attributes", "values"] { a href={ "/operator/taxonomy/" (part) } { (part) } " " } }
                }
            }
        }
    };
    console(
        visit,
        "/operator/categories",
        "Categories",
        "The tree that all shops sort their products into, with the attributes of each branch.",
        html! { div.row { a.btn.outline href="/operator/attributes" { (ui::icon("sliders-horizontal")) "Attributes" } a.btn href="/operator/categories/new" { (ui::icon("plus")) "Add a category" } } },
        body,
    )
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::operator;
    use api_catalog::Category;
    let category = |id: &str, name: &str, has_children| Category {
        category_id: id.to_owned(),
        code: id.to_owned(),
        name: name.to_owned(),
        path: vec!["Home".to_owned(), name.to_owned()],
        has_children,
        ..Default::default()
    };
    let found = ListCategoriesResponse {
        categories: vec![category("cat_1", "Kitchen", true), category("cat_2", "Mugs", false)],
        next_cursor: "n".to_owned(),
    };
    vec![
        ("operator-categories", view(&operator(), &ListQuery::default(), &found, &Form::default())),
        (
            "operator-categories-none",
            view(&operator(), &ListQuery { query: "zzz".to_owned(), ..Default::default() }, &ListCategoriesResponse::default(), &Form::default()),
        ),
    ]
}

//! Product feeds: upload a file, say what its columns mean, try it, start it, watch it, read what was rejected.

use std::collections::HashMap;
use std::sync::Arc;

use api_catalog::{
    CancelImportRequest, ExportProductsRequest, GetImportErrorsRequest, GetImportRequest, GetUploadRequest, Import, ImportMapping, ImportState,
    ListImportsRequest, ListPresetsRequest, Preset, PreviewImportRequest, PreviewImportResponse, ReasonCount, RowError, StartImportRequest, Upload,
    UploadFileRequest, WatchImportRequest,
};
use axum::extract::{Path, Query, State};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Redirect};
use futures::StreamExt;
use http::StatusCode;
use kit_rpc::problem_of;
use maud::{Markup, html};

use super::{desk, working};
use crate::failure::{Failure, Page};
use crate::multipart::Uploaded;
use crate::portal::{ListQuery, download, link, moment, word};
use crate::session::{Here, Posted};
use crate::site::Web;
use crate::ui::form::{self, Form, Input, check};
use crate::ui::{self, Tone, badge, show};
use crate::visit::Visit;

const PAGE: u32 = 25;

/// The fields a feed can fill: name, label, and whether one value for all rows makes sense.
const FIELDS: [(&str, &str, bool); 14] = [
    ("sku", "SKU", false),
    ("title", "Title", false),
    ("price", "Price", false),
    ("currency", "Currency", true),
    ("stock", "Stock", true),
    ("brand", "Brand", true),
    ("category", "Category", true),
    ("description", "Description", false),
    ("list_price", "List price", false),
    ("gtin", "GTIN (barcode)", false),
    ("weight", "Weight", true),
    ("dimensions", "Dimensions", false),
    ("tags", "Tags", true),
    ("group", "Variant group", false),
];

pub(crate) async fn list(State(site): State<Web>, here: Here, Query(wanted): Query<ListQuery>) -> Page {
    working(&here)?;
    Ok(the_list(&site, &here, &wanted.cursor, &Form::default()).await?.into_response())
}

async fn the_list(site: &Web, visit: &Visit, cursor: &str, form: &Form) -> Result<Markup, Failure> {
    let request = ListImportsRequest { limit: PAGE, cursor: cursor.to_owned() };
    let found = site.catalog.clone().list_imports(visit.ctx.request(request)).await?.into_inner();
    Ok(view_list(visit, &found.imports, &found.next_cursor, form))
}

pub(crate) async fn upload(State(site): State<Web>, here: Here, upload: Uploaded) -> Page {
    working(&here)?;
    let Some(file) = upload.files.into_iter().next() else { return Ok(site.redirect("/seller/imports", Tone::Warn, "Choose a file first.")) };
    let request = UploadFileRequest { content: file.content, file_name: file.name };
    match site.catalog.clone().upload_file(here.ctx.request(request)).await {
        Ok(done) => {
            let upload = done.into_inner().upload.unwrap_or_default();
            Ok(Redirect::to(&format!("/seller/imports/file/{}", upload.upload_id)).into_response())
        }
        Err(status) => {
            let form = Form::default().rejected(&problem_of(&status));
            Ok((StatusCode::UNPROCESSABLE_ENTITY, the_list(&site, &here, "", &form).await?).into_response())
        }
    }
}

pub(super) fn state_badge(state: ImportState) -> Markup {
    let tone = match state {
        ImportState::Finished => Tone::Good,
        ImportState::Running | ImportState::Queued => Tone::Info,
        ImportState::Failed => Tone::Bad,
        ImportState::Cancelled | ImportState::Unspecified => Tone::Plain,
    };
    badge(tone, word(state.as_str_name(), "IMPORT_STATE_"))
}

fn view_list(visit: &Visit, imports: &[Import], next: &str, form: &Form) -> Markup {
    let body = html! {
        div.with-aside {
            section.card.flush {
                header { h2 { "Imports" } }
                @if imports.is_empty() { (ui::empty("file-spreadsheet", "No feed yet", "Upload your first file: CSV, Excel or JSON lines, with the columns you already have.", None)) } @else {
                    table.table.cards {
                        thead { tr { th scope="col" { "File" } th scope="col" { "State" } th.num scope="col" { "Rows" } th.num scope="col" { "Imported" } th.num scope="col" { "Rejected" } th scope="col" { "Started" } } }
                        tbody {
                            @for import in imports {
                                tr {
                                    th scope="row" { a href={ "/seller/imports/" (import.import_id) } { (import.file_name) } }
                                    td data-label="State" { (state_badge(import.state())) }
                                    td.num data-label="Rows" { (show::count(import.rows.into())) }
                                    td.num data-label="Imported" { (show::count(import.imported.into())) }
                                    td.num data-label="Rejected" { (show::count(import.rejected.into())) }
                                    td data-label="Started" { (moment(import.started_at.as_ref())) }
                                }
                            }
                        }
                    }
                }
            }
            aside {
                section.card.stack {
                    h2 { "Upload a file" }
                    (form.summary())
                    form.stack method="post" action="/seller/imports" enctype="multipart/form-data" data-upload {
                        (form::csrf(visit))
                        div.drop { (ui::sized_icon("upload", "icon large")) label for="feed" { "CSV, Excel or JSON lines" } input #feed type="file" name="file" required accept=".csv,.tsv,.txt,.xlsx,.jsonl,.ndjson"; }
                        progress hidden max="100" value="0" aria-label="Upload" {}
                        p.small.hush data-upload-state role="status" {}
                        button.btn.block type="submit" { "Upload" }
                    }
                    p.small { "Export your products: " @for (format, label) in [("csv", "CSV"), ("xlsx", "Excel"), ("jsonl", "JSON lines")] { a href={ "/seller/export/products." (format) } { (label) } " " } }
                }
            }
        }
        (ui::pager(None, (!next.is_empty()).then(|| link("/seller/imports", &[("cursor", next)])).as_deref()))
    };
    desk(
        visit,
        "/seller/imports",
        "Feeds",
        "Bring your whole catalog in one file, again and again: rows are matched by SKU, so nothing is made twice.",
        html! {},
        body,
    )
}

async fn the_upload(site: &Web, visit: &Visit, upload_id: &str) -> Result<(Upload, Vec<Preset>), Failure> {
    let mut catalog = site.catalog.clone();
    let upload =
        catalog.get_upload(visit.ctx.request(GetUploadRequest { upload_id: upload_id.to_owned() })).await?.into_inner().upload.unwrap_or_default();
    let presets = catalog.list_presets(visit.ctx.request(ListPresetsRequest {})).await?.into_inner().presets;
    Ok((upload, presets))
}

/// The page where columns get their meaning, filled in with what the file or a saved preset suggests.
pub(crate) async fn map(State(site): State<Web>, here: Here, Path(upload_id): Path<String>, Query(wanted): Query<ListQuery>) -> Page {
    working(&here)?;
    let (upload, presets) = the_upload(&site, &here, &upload_id).await?;
    let preset = if wanted.kind.is_empty() { &upload.matching_preset } else { &wanted.kind };
    let saved = presets.iter().find(|saved| saved.name == *preset).and_then(|saved| saved.mapping.clone());
    let form = filled(&saved.or_else(|| upload.suggestion.clone()).unwrap_or_default(), preset);
    Ok(view_map(&here, &upload, &presets, &form, None).into_response())
}

/// Tries the mapping on the whole file, or starts the import with it.
pub(crate) async fn decide(State(site): State<Web>, here: Here, Path(upload_id): Path<String>, Posted(form): Posted) -> Page {
    working(&here)?;
    let (mapping, mut catalog) = (mapping_of(&form), site.catalog.clone());
    let outcome = if form.get("act") == "start" {
        let request = StartImportRequest { upload_id: upload_id.clone(), mapping: Some(mapping), preset: form.text("preset") };
        match catalog.start_import(here.ctx.request(request)).await {
            Ok(started) => {
                let import = started.into_inner().import.unwrap_or_default();
                return Ok(Redirect::to(&format!("/seller/imports/{}", import.import_id)).into_response());
            }
            Err(status) => Err(status),
        }
    } else {
        let request = PreviewImportRequest { upload_id: upload_id.clone(), mapping: Some(mapping), preset: String::new() };
        catalog.preview_import(here.ctx.request(request)).await.map(tonic::Response::into_inner)
    };
    let (upload, presets) = the_upload(&site, &here, &upload_id).await?;
    Ok(match outcome {
        Ok(preview) => view_map(&here, &upload, &presets, &form, Some(&preview)).into_response(),
        Err(status) => {
            (StatusCode::UNPROCESSABLE_ENTITY, view_map(&here, &upload, &presets, &form.rejected(&problem_of(&status)), None)).into_response()
        }
    })
}

const COLUMN: &str = "mapping.columns.";
const CONSTANT: &str = "mapping.constants.";

fn filled(mapping: &ImportMapping, preset: &str) -> Form {
    let columns = mapping.columns.iter().map(|(field, column)| (format!("{COLUMN}{field}"), column.clone()));
    let constants = mapping.constants.iter().map(|(field, value)| (format!("{CONSTANT}{field}"), value.clone()));
    let rest = [
        ("preset", preset),
        ("mapping.decimal", &mapping.decimal),
        ("mapping.weight_unit", &mapping.weight_unit),
        ("mapping.length_unit", &mapping.length_unit),
    ];
    let ticked = [("mapping.accept_other_currencies", mapping.accept_other_currencies), ("mapping.as_draft", mapping.as_draft)];
    let rest = rest.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let ticked = ticked.into_iter().filter(|(_, on)| *on).map(|(name, _)| (name.to_owned(), "on".to_owned()));
    Form::posted(columns.chain(constants).chain(rest).chain(ticked).collect())
}

fn mapping_of(form: &Form) -> ImportMapping {
    let part = |prefix: &str| -> HashMap<String, String> {
        let fields = form.names().filter_map(|name| Some((name.strip_prefix(prefix)?.to_owned(), form.text(name))));
        fields.filter(|(_, value)| !value.is_empty()).collect()
    };
    ImportMapping {
        columns: part(COLUMN),
        constants: part(CONSTANT),
        decimal: form.text("mapping.decimal"),
        weight_unit: form.text("mapping.weight_unit"),
        length_unit: form.text("mapping.length_unit"),
        accept_other_currencies: form.get("mapping.accept_other_currencies") == "on",
        as_draft: form.get("mapping.as_draft") == "on",
    }
}

fn view_map(visit: &Visit, upload: &Upload, presets: &[Preset], form: &Form, preview: Option<&PreviewImportResponse>) -> Markup {
    let about = format!("{}, {} in {}", show::bytes(upload.bytes), show::counted(upload.rows.into(), "row", "rows"), upload.encoding);
    let body = html! {
        (ui::crumbs(&[("/seller/imports".to_owned(), "Feeds".to_owned())], &upload.file_name))
        (form.summary())
        @if let Some(preview) = preview { (preview_view(preview)) }
        form.stack.loose method="post" action={ "/seller/imports/file/" (upload.upload_id) } {
            (form::csrf(visit))
            section.card.flush {
                header { h2 { "What the columns mean" } @if !presets.is_empty() { (preset_links(upload, presets)) } }
                (field_table(upload, form))
            }
            section.card { h2.mb4 { "How values are written" } (notation(form)) }
            (sample_rows(upload))
            div.row {
                button.btn.outline type="submit" name="act" value="try" { (ui::icon("eye")) "Try it" }
                button.btn type="submit" name="act" value="start" { (ui::icon("play")) "Start the import" }
            }
        }
    };
    desk(visit, "/seller/imports", &upload.file_name, &about, html! {}, body)
}

fn preset_links(upload: &Upload, presets: &[Preset]) -> Markup {
    html! { div.row.tight { span.small.hush { "Presets" } @for preset in presets { a.chip href=(link(&format!("/seller/imports/file/{}", upload.upload_id), &[("kind", &preset.name)])) { (preset.name) } } } }
}

/// One row for each field: the column it comes from, or one value for all rows.
fn field_table(upload: &Upload, form: &Form) -> Markup {
    html! {
        table.table.cards {
            thead { tr { th scope="col" { "Field" } th scope="col" { "Column of the file" } th scope="col" { "Where the file has none" } } }
            tbody {
                @for (field, label, constant) in FIELDS {
                    @let (column_name, constant_name) = (format!("{COLUMN}{field}"), format!("{CONSTANT}{field}"));
                    tr {
                        th scope="row" { (label) @if matches!(field, "sku" | "title" | "price") { " " span.tiny.hush { "needed" } } }
                        td data-label="Column" {
                            select.select-inline name=(column_name) aria-label={ "Column for " (label) } {
                                option value="" { "–" }
                                @for column in &upload.columns { option value=(column) selected[form.get(&column_name) == column] { (column) } }
                            }
                            @if let Some(error) = form.error(&column_name) { p.field-error { (error) } }
                        }
                        td data-label="For all rows" {
                            @if constant { input.input name=(constant_name) value=(form.get(&constant_name)) aria-label={ (label) " for all rows" } maxlength="200" placeholder=(example(field)); }
                            @if let Some(error) = form.error(&constant_name) { p.field-error { (error) } }
                        }
                    }
                }
            }
        }
    }
}

fn example(field: &str) -> &'static str {
    match field {
        "currency" => "USD",
        "stock" => "10",
        "category" => "Electronics",
        "weight" => "500 g",
        _ => "",
    }
}

fn notation(form: &Form) -> Markup {
    let decimals = [("", "Find out"), ("point", "1,299.00"), ("comma", "1.299,00")];
    let weights = [("", "Grams"), ("kg", "Kilograms"), ("lb", "Pounds"), ("oz", "Ounces")];
    let lengths = [("", "Millimetres"), ("cm", "Centimetres"), ("in", "Inches")];
    html! {
        div.columns {
            (Input::select("mapping.decimal", "Numbers", decimals).optional().class("third").show(form))
            (Input::select("mapping.weight_unit", "Weights without a unit", weights).optional().class("third").show(form))
            (Input::select("mapping.length_unit", "Lengths without a unit", lengths).optional().class("third").show(form))
            (Input::text("preset", "Save as preset").max_len(80).optional().hint("The next file of this shape is mapped by itself.").show(form))
        }
        (check(form, "mapping.accept_other_currencies", "Prices may name another currency than the one above"))
        (check(form, "mapping.as_draft", "Keep new products as drafts"))
    }
}

fn sample_rows(upload: &Upload) -> Markup {
    html! {
        section.card.flush {
            header { h2 { "The first rows" } }
            div.table-scroll tabindex="0" role="region" aria-label="The first rows of the file" {
                table.table {
                    thead { tr { th scope="col" { "Line" } @for column in &upload.columns { th scope="col" { (column) } } } }
                    tbody { @for row in upload.sample.iter().take(5) { tr { td.num { (row.line) } @for cell in &row.cells { td.small { span.clamp-2 { (cell) } } } } } }
                }
            }
        }
    }
}

fn preview_view(preview: &PreviewImportResponse) -> Markup {
    let tone = if preview.bad == 0 { Tone::Good } else { Tone::Warn };
    html! {
        div.stack.loose.mb6 {
            (ui::notice(tone, html! { strong { (show::counted(preview.good.into(), "row", "rows")) " can be imported" } @if preview.bad > 0 { ", " (show::counted(preview.bad.into(), "row", "rows")) " cannot" } "." " Nothing is saved yet." }))
            @if !preview.reasons.is_empty() { section.card { h2.mb4 { "Why rows cannot be imported" } (reasons(&preview.reasons)) } }
            @if !preview.errors.is_empty() { section.card.flush { header { h2 { "First remarks" } } (row_errors(&preview.errors)) } }
        }
    }
}

/// How often each reason, drawn to compare.
fn reasons(reasons: &[ReasonCount]) -> Markup {
    let most = reasons.iter().map(|reason| reason.count).max().unwrap_or(1).max(1);
    html! {
        dl.bars {
            @for reason in reasons { dt { (word(&reason.reason, "")) } dd { progress value=(reason.count) max=(most) aria-label=(word(&reason.reason, "")) {} span.num { (show::count(reason.count.into())) } } }
        }
    }
}

fn row_errors(errors: &[RowError]) -> Markup {
    html! {
        table.table.cards {
            thead { tr { th.num scope="col" { "Line" } th scope="col" { "Column" } th scope="col" { "Value" } th scope="col" { "What is wrong" } } }
            tbody {
                @for error in errors {
                    tr {
                        td.num data-label="Line" { (show::count(error.line.into())) }
                        td data-label="Column" { (error.column) }
                        td data-label="Value" { span.mono.tiny.clamp-2 { (error.value) } }
                        td data-label="What is wrong" { (error.message) @if error.warning { " " (badge(Tone::Warn, "imported without it")) } }
                    }
                }
            }
        }
    }
}

pub(crate) async fn show(State(site): State<Web>, here: Here, Path(import_id): Path<String>) -> Page {
    working(&here)?;
    let found = site.catalog.clone().get_import(here.ctx.request(GetImportRequest { import_id })).await?.into_inner();
    Ok(view(&here, &found.import.unwrap_or_default()).into_response())
}

/// The progress as server-sent events, each with the markup of the part that changes.
pub(crate) async fn live(State(site): State<Web>, here: Here, Path(import_id): Path<String>) -> Page {
    working(&here)?;
    let changes = site.catalog.clone().watch_import(here.ctx.request(WatchImportRequest { import_id })).await?.into_inner();
    let visit = here.0;
    let updates = changes.filter_map(move |change| {
        let visit = Arc::clone(&visit);
        async move {
            let import = change.ok()?.import?;
            Some(Event::default().event("update").data(progress_view(&visit, &import).into_string()))
        }
    });
    Ok(site.live(updates.chain(futures::stream::once(async { Event::default().event("end").data("over") }))))
}

fn over(import: &Import) -> bool {
    matches!(import.state(), ImportState::Finished | ImportState::Cancelled | ImportState::Failed)
}

fn view(visit: &Visit, import: &Import) -> Markup {
    let address = format!("/seller/imports/{}", import.import_id);
    let body = html! {
        (ui::crumbs(&[("/seller/imports".to_owned(), "Feeds".to_owned())], &import.file_name))
        div.stack.loose data-live=[(!over(import)).then(|| format!("{address}/live"))] { (progress_view(visit, import)) }
        @if !over(import) { noscript { p.mt4 { a.btn.outline href=(address) { (ui::icon("refresh-cw")) "Show how far it is" } } } }
    };
    desk(visit, "/seller/imports", &import.file_name, "", html! {}, body)
}

/// The part of the page that changes while the import runs.
fn progress_view(visit: &Visit, import: &Import) -> Markup {
    let figure = |name: &str, value: u32, note: &str| html! { div.stat { span.name { (name) } span.value { (show::count(value.into())) } span.note { (note) } } };
    html! {
        section.card.stack {
            header.row.between { h2 { (show::count(import.rows_done.into())) " of " (show::counted(import.rows.into(), "row", "rows")) } (state_badge(import.state())) }
            progress value=(import.rows_done) max=(import.rows.max(1)) aria-label="Rows read" {}
            @if import.rows_per_second > 0 { p.small.hush { (show::count(import.rows_per_second.into())) " rows a second" } }
            @if !over(import) { (form::post(visit, &format!("/seller/imports/{}/cancel", import.import_id), html! { button.btn.danger.outline.small type="submit" { "Stop it here" } })) }
            @if !import.trouble.is_empty() { (ui::notice(Tone::Bad, &import.trouble)) }
        }
        div.stats { (figure("New", import.created, "products made")) (figure("Changed", import.updated, "products brought up to date")) (figure("As before", import.unchanged, "nothing to do")) (figure("Rejected", import.rejected, "told below")) }
        @if import.rejected > 0 {
            section.card { header.row.between.mb4 { h2 { "Rejected rows" } a.btn.outline.small href={ "/seller/imports/" (import.import_id) "/errors.csv" } { (ui::icon("download")) "All as CSV" } } (reasons(&import.reasons)) }
            @if !import.errors.is_empty() { section.card.flush { header { h2 { "The first of them" } } (row_errors(&import.errors)) } }
        }
    }
}

pub(crate) async fn errors(State(site): State<Web>, here: Here, Path(import_id): Path<String>) -> Page {
    working(&here)?;
    let request = GetImportErrorsRequest { import_id, include_warnings: true };
    Ok(download(site.catalog.clone().get_import_errors(here.ctx.request(request)).await?))
}

pub(crate) async fn cancel(State(site): State<Web>, here: Here, Path(import_id): Path<String>, Posted(_): Posted) -> Page {
    working(&here)?;
    let back = format!("/seller/imports/{import_id}");
    site.catalog.clone().cancel_import(here.ctx.request(CancelImportRequest { import_id })).await?;
    Ok(site.redirect(&back, Tone::Info, "Stopped. What was imported stays."))
}

pub(crate) async fn export(State(site): State<Web>, here: Here, Path(file): Path<String>) -> Page {
    working(&here)?;
    let format = file.strip_prefix("products.").ok_or_else(Failure::not_found)?.to_owned();
    Ok(download(site.catalog.clone().export_products(here.ctx.request(ExportProductsRequest { format })).await?))
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::seller;
    let columns: Vec<String> = ["id", "name", "description", "price"].map(str::to_owned).into();
    let cells: Vec<String> = ["0", "Sony Turntable - PSLX350H", "Belt Drive System/ 33-1/3 and 45 RPM Speeds", ""].map(str::to_owned).into();
    let upload = Upload {
        upload_id: "upl_1".to_owned(),
        file_name: "abt.csv".to_owned(),
        bytes: 312_000,
        rows: 1076,
        encoding: "UTF-8".to_owned(),
        columns,
        sample: vec![api_catalog::SampleRow { line: 2, cells }],
        ..Default::default()
    };
    let error = RowError {
        line: 2,
        column: "price".to_owned(),
        reason: "PRICE_MISSING".to_owned(),
        message: "there is no price".to_owned(),
        ..Default::default()
    };
    let reasons = vec![ReasonCount { reason: "PRICE_MISSING".to_owned(), count: 658 }, ReasonCount { reason: "DUPLICATE_SKU".to_owned(), count: 2 }];
    let preview =
        PreviewImportResponse { rows: 1076, good: 416, bad: 660, reasons: reasons.clone(), errors: vec![error.clone()], ..Default::default() };
    let import = Import {
        import_id: "imp_1".to_owned(),
        file_name: "abt.csv".to_owned(),
        state: ImportState::Running.into(),
        rows: 1076,
        rows_done: 500,
        created: 200,
        rejected: 300,
        rows_per_second: 5200,
        reasons,
        errors: vec![error],
        ..Default::default()
    };
    let done = Import { state: ImportState::Finished.into(), rows_done: 1076, ..import.clone() };
    let mapping = ImportMapping {
        columns: [("title".to_owned(), "name".to_owned()), ("price".to_owned(), "price".to_owned())].into(),
        constants: [("currency".to_owned(), "USD".to_owned())].into(),
        ..Default::default()
    };
    let presets = [Preset { name: "abt feed".to_owned(), ..Default::default() }];
    let form = filled(&mapping, "");
    let refused = form.clone().rejected(&problem_of(&kit_rpc::violation("mapping.columns.sku", "must be mapped to a column")));
    vec![
        ("seller-imports", view_list(&seller(), &[import.clone(), done.clone()], "", &Form::default())),
        (
            "seller-imports-none",
            view_list(
                &seller(),
                &[],
                "",
                &Form::default().rejected(&problem_of(&kit_rpc::violation("content", "this is a picture (PNG), not a feed"))),
            ),
        ),
        ("seller-import-map", view_map(&seller(), &upload, &presets, &form, None)),
        ("seller-import-tried", view_map(&seller(), &upload, &presets, &form, Some(&preview))),
        ("seller-import-refused", view_map(&seller(), &upload, &[], &refused, None)),
        ("seller-import-running", view(&seller(), &import)),
        ("seller-import-done", view(&seller(), &done)),
    ]
}

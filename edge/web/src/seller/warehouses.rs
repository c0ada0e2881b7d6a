//! Where the shop's goods lie: its warehouses, and which of them serves orders first.

use api_identity::Country;
use api_inventory::{CreateWarehouseRequest, DeleteWarehouseRequest, GetWarehouseRequest, ListWarehousesRequest, UpdateWarehouseRequest, Warehouse};
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use http::StatusCode;
use kit_rpc::problem_of;
use maud::{Markup, html};

use super::{desk, working};
use crate::buyer::account::countries;
use crate::failure::Page;
use crate::session::{Here, Posted};
use crate::site::{Site, Web};
use crate::ui::form::{self, Form, Input};
use crate::ui::{self, Tone, badge};
use crate::visit::Visit;

const LIST: &str = "/seller/warehouses";

pub(crate) async fn list(State(site): State<Web>, here: Here) -> Page {
    working(&here)?;
    let found = site.inventory.clone().list_warehouses(here.ctx.request(ListWarehousesRequest {})).await?.into_inner();
    Ok(view_list(&here, &found.warehouses).into_response())
}

pub(crate) async fn new(State(site): State<Web>, here: Here) -> Page {
    working(&here)?;
    Ok(view(&here, "", &Form::default(), &countries(&site, &here).await).into_response())
}

pub(crate) async fn show(State(site): State<Web>, here: Here, Path(warehouse_id): Path<String>) -> Page {
    working(&here)?;
    let request = GetWarehouseRequest { warehouse_id: warehouse_id.clone() };
    let warehouse = site.inventory.clone().get_warehouse(here.ctx.request(request)).await?.into_inner();
    Ok(view(&here, &warehouse_id, &filled(&warehouse), &countries(&site, &here).await).into_response())
}

pub(crate) async fn create(State(site): State<Web>, here: Here, Posted(form): Posted) -> Page {
    working(&here)?;
    let request = CreateWarehouseRequest {
        code: form.text("code"),
        name: form.text("name"),
        country: form.get("country").to_uppercase(),
        postal_code: form.text("postal_code"),
        is_default: form.get("is_default") == "on",
    };
    let failed = site.inventory.clone().create_warehouse(here.ctx.request(request)).await.err();
    answer(&site, &here, "", &form, failed).await
}

pub(crate) async fn save(State(site): State<Web>, here: Here, Path(warehouse_id): Path<String>, Posted(form): Posted) -> Page {
    working(&here)?;
    let request = UpdateWarehouseRequest {
        warehouse_id: warehouse_id.clone(),
        name: Some(form.text("name")),
        country: Some(form.get("country").to_uppercase()),
        postal_code: Some(form.text("postal_code")),
        is_default: (form.get("is_default") == "on").then_some(true),
        if_version: form.get("if_version").parse().ok(),
    };
    let failed = site.inventory.clone().update_warehouse(here.ctx.request(request)).await.err();
    answer(&site, &here, &warehouse_id, &form, failed).await
}

async fn answer(site: &Site, visit: &Visit, id: &str, form: &Form, failed: Option<tonic::Status>) -> Page {
    Ok(match failed {
        None => site.redirect(LIST, Tone::Good, "Saved."),
        Some(status) => {
            let page = view(visit, id, &form.clone().rejected(&problem_of(&status)), &countries(site, visit).await);
            (StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
        }
    })
}

pub(crate) async fn delete(State(site): State<Web>, here: Here, Path(warehouse_id): Path<String>, Posted(_): Posted) -> Page {
    working(&here)?;
    Ok(match site.inventory.clone().delete_warehouse(here.ctx.request(DeleteWarehouseRequest { warehouse_id })).await {
        Ok(_) => site.redirect(LIST, Tone::Info, "Deleted."),
        Err(status) => site.redirect(LIST, Tone::Bad, &problem_of(&status).message),
    })
}

fn filled(warehouse: &Warehouse) -> Form {
    Form::default()
        .with("code", warehouse.code.clone())
        .with("name", warehouse.name.clone())
        .with("country", warehouse.country.clone())
        .with("postal_code", warehouse.postal_code.clone())
        .with("is_default", if warehouse.is_default { "on" } else { "" })
        .with("if_version", warehouse.version.to_string())
}

fn view_list(visit: &Visit, warehouses: &[Warehouse]) -> Markup {
    let writes = visit.may("seller:inventory.write");
    let body = html! {
        div.card.flush {
            table.table.cards {
                thead { tr { th scope="col" { "Warehouse" } th scope="col" { "Code" } th scope="col" { "Where" } th scope="col" { span.sr { "Delete" } } } }
                tbody {
                    @for warehouse in warehouses {
                        tr {
                            th scope="row" { span.row.tight { a href={ (LIST) "/" (warehouse.warehouse_id) } { (warehouse.name) } @if warehouse.is_default { (badge(Tone::Info, "first")) } } }
                            td data-label="Code" { span.mono.tiny { (warehouse.code) } }
                            td data-label="Where" { (place(warehouse)) }
                            td { @if writes && !warehouse.is_default { (form::post(visit, &format!("{LIST}/{}/delete", warehouse.warehouse_id), html! { button.btn.danger.quiet.small type="submit" data-confirm="Delete this warehouse?" { (ui::icon("trash-2")) "Delete" } })) } }
                        }
                    }
                }
            }
        }
    };
    let add = html! { @if writes { a.btn href={ (LIST) "/new" } { (ui::icon("plus")) "Add a warehouse" } } };
    desk(visit, LIST, "Warehouses", "Stock is counted in each; orders are served from the first as long as it has what they need.", add, body)
}

fn place(warehouse: &Warehouse) -> String {
    let told: Vec<&str> = [warehouse.country.as_str(), &warehouse.postal_code].into_iter().filter(|text| !text.is_empty()).collect();
    if told.is_empty() { "–".to_owned() } else { told.join(" ") }
}

fn view(visit: &Visit, id: &str, form: &Form, countries: &[Country]) -> Markup {
    let title = if id.is_empty() { "Add a warehouse" } else { form.get("name") };
    let action = if id.is_empty() { format!("{LIST}/new") } else { format!("{LIST}/{id}") };
    let fields = html! {
        section.card.stack {
            input type="hidden" name="if_version" value=(form.get("if_version"));
            div.columns {
                (Input::text("name", "Name").max_len(100).class("half").show(form))
                @if id.is_empty() { (Input::text("code", "Code").max_len(32).class("half").placeholder("berlin-1").hint("Feeds name the warehouse by it; it stays.").show(form)) }
                (Input::country("country", "Country", countries).optional().class("half").show(form))
                (Input::text("postal_code", "Postal code").max_len(16).optional().class("half").show(form))
            }
            (form::check(form, "is_default", "Serve orders from here first"))
            div { button.btn.large type="submit" { "Save" } }
        }
    };
    let body = html! {
        (ui::crumbs(&[(LIST.to_owned(), "Warehouses".to_owned())], title))
        div.mb4 { (form.summary()) }
        div.medium-start { (form::post(visit, &action, fields)) }
    };
    desk(visit, LIST, title, "", html! {}, body)
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::buyer::sample::countries as known;
    use crate::visit::sample::seller;
    let main =
        Warehouse { warehouse_id: "whs_1".to_owned(), code: "main".to_owned(), name: "Main".to_owned(), is_default: true, ..Default::default() };
    let berlin = Warehouse {
        warehouse_id: "whs_2".to_owned(),
        code: "berlin-1".to_owned(),
        name: "Berlin".to_owned(),
        country: "DE".to_owned(),
        postal_code: "10115".to_owned(),
        ..Default::default()
    };
    let wrong = Form::default().wrong("code", "Is taken.").wrong("name", "Is required.");
    vec![
        ("seller-warehouses", view_list(&seller(), &[main, berlin.clone()])),
        ("seller-warehouse", view(&seller(), "whs_2", &filled(&berlin), &known())),
        ("seller-warehouse-wrong", view(&seller(), "", &wrong, &known())),
    ]
}

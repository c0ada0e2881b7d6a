//! What is there of each variant: count it, correct it, say when it is low, read how it came to be.

use api_inventory::{
    AdjustStockRequest, JournalEntry, ListJournalRequest, ListJournalResponse, ListStockRequest, ListStockResponse, ListWarehousesRequest,
    MovementKind, SetStockRequest, SetThresholdRequest, Stock, Warehouse,
};
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use http::StatusCode;
use kit_rpc::problem_of;
use maud::{Markup, html};

use super::{desk, working};
use crate::failure::{Failure, Page};
use crate::portal::{ListQuery, filter, link, moment, word};
use crate::session::{Here, Posted};
use crate::site::{Site, Web};
use crate::ui::form::{self, Form, Input};
use crate::ui::{self, Tone, badge};
use crate::visit::Visit;

const PAGE: u32 = 50;
const JOURNAL: u32 = 25;
const REASONS: [(&str, &str); 4] =
    [("adjustment", "Correction"), ("receipt", "Goods came in"), ("return", "A buyer's return"), ("damage", "Damaged or lost")];

pub(crate) async fn list(State(site): State<Web>, here: Here, Query(wanted): Query<ListQuery>) -> Page {
    working(&here)?;
    let request = ListStockRequest {
        limit: PAGE,
        cursor: wanted.cursor.clone(),
        sku: wanted.query.trim().to_owned(),
        low_only: wanted.state == "low",
        ..Default::default()
    };
    let found = site.inventory.clone().list_stock(here.ctx.request(request)).await?.into_inner();
    Ok(view_list(&here, &wanted, &found).into_response())
}

/// Sold out, running low, or nothing to say.
fn low_badge(stock: &Stock) -> Markup {
    match stock.available {
        ..=0 => badge(Tone::Bad, "sold out"),
        left if left <= stock.low_at => badge(Tone::Warn, "low"),
        _ => html! {},
    }
}

fn name(stock: &Stock) -> &str {
    [&stock.title, &stock.sku].into_iter().find(|text| !text.is_empty()).unwrap_or(&stock.variant_id)
}

fn view_list(visit: &Visit, wanted: &ListQuery, found: &ListStockResponse) -> Markup {
    let at = |cursor: &str| link("/seller/stock", &[("query", &wanted.query), ("state", &wanted.state), ("cursor", cursor)]);
    let body = html! {
        (filter("/seller/stock", "SKU, written in full", &wanted.query, &[("low", "Running low")], &wanted.state))
        div.card.flush {
            @if found.stocks.is_empty() { (ui::empty("boxes", "Nothing here", "Stock appears here with the first count of a variant, by hand or from a feed.", Some(("/seller/stock", "Show all")))) } @else {
                table.table.cards {
                    thead { tr { th scope="col" { "Variant" } th scope="col" { "SKU" } th.num scope="col" { "Available" } th.num scope="col" { "Reserved" } th.num scope="col" { "On its way" } th.num scope="col" { "Low at" } } }
                    tbody {
                        @for stock in &found.stocks {
                            tr {
                                th scope="row" { a.clamp-2 href={ "/seller/stock/" (stock.variant_id) } { (name(stock)) } }
                                td data-label="SKU" { span.mono.tiny { (stock.sku) } }
                                td.num data-label="Available" { span.row.tight.end { (low_badge(stock)) (stock.available) } }
                                td.num data-label="Reserved" { (stock.reserved) }
                                td.num data-label="On its way" { (stock.incoming) }
                                td.num data-label="Low at" { (stock.low_at) }
                            }
                        }
                    }
                }
            }
        }
        (ui::pager((!wanted.cursor.is_empty()).then(|| at("")).as_deref(), (!found.next_cursor.is_empty()).then(|| at(&found.next_cursor)).as_deref()))
    };
    desk(visit, "/seller/stock", "Stock", "Available is what buyers can order; reserved waits for payment or to be sent.", html! {}, body)
}

struct Shelf {
    stock: Stock,
    warehouses: Vec<Warehouse>,
    journal: ListJournalResponse,
}

/// A variant nobody counted yet has no row: it shows as nothing of it.
async fn load(site: &Site, visit: &Visit, variant_id: &str, cursor: &str) -> Result<Shelf, Failure> {
    let mut inventory = site.inventory.clone();
    let request = ListStockRequest { limit: 1, variant_id: variant_id.to_owned(), ..Default::default() };
    let stock = inventory.list_stock(visit.ctx.request(request)).await?.into_inner().stocks.into_iter().next();
    let stock = stock.unwrap_or_else(|| Stock { variant_id: variant_id.to_owned(), ..Default::default() });
    let warehouses = inventory.list_warehouses(visit.ctx.request(ListWarehousesRequest {})).await?.into_inner().warehouses;
    let request = ListJournalRequest { limit: JOURNAL, cursor: cursor.to_owned(), variant_id: variant_id.to_owned(), ..Default::default() };
    let journal = inventory.list_journal(visit.ctx.request(request)).await?.into_inner();
    Ok(Shelf { stock, warehouses, journal })
}

pub(crate) async fn show(State(site): State<Web>, here: Here, Path(variant_id): Path<String>, Query(wanted): Query<ListQuery>) -> Page {
    working(&here)?;
    let shelf = load(&site, &here, &variant_id, &wanted.cursor).await?;
    Ok(view(&here, &shelf, &Form::default()).into_response())
}

/// A whole number of a field, or what is wrong with it.
fn whole(form: &Form, name: &str) -> Result<i64, Form> {
    form.get(name).replace('−', "-").parse().map_err(|_| form.clone().wrong(name, "Write a whole number."))
}

/// Counts, corrects or sets the threshold, by the last word of the address.
pub(crate) async fn act(State(site): State<Web>, here: Here, Path((variant_id, act)): Path<(String, String)>, Posted(form): Posted) -> Page {
    working(&here)?;
    let (mut inventory, ctx) = (site.inventory.clone(), &here.ctx);
    let field = match act.as_str() {
        "set" => "quantity",
        "adjust" => "delta",
        "threshold" => "low_at",
        _ => return Err(Failure::not_found()),
    };
    let number = match whole(&form, field) {
        Ok(number) => number,
        Err(form) => return rejected(&site, &here, &variant_id, &form).await,
    };
    let (warehouse_id, note) = (form.text("warehouse_id"), form.text("note"));
    let failed = match field {
        "quantity" => {
            let if_revision = form.get("if_revision").parse().ok();
            let request = SetStockRequest { variant_id: variant_id.clone(), warehouse_id, quantity: number, note, if_revision, ..Default::default() };
            inventory.set_stock(ctx.request(request)).await.err()
        }
        "delta" => {
            let kind = MovementKind::from_str_name(&format!("MOVEMENT_KIND_{}", form.get("kind").to_uppercase())).unwrap_or_default();
            let request =
                AdjustStockRequest { variant_id: variant_id.clone(), warehouse_id, delta: number, kind: kind.into(), note, ..Default::default() };
            inventory.adjust_stock(ctx.request(request)).await.err()
        }
        _ => inventory
            .set_threshold(ctx.request(SetThresholdRequest { variant_id: variant_id.clone(), low_at: number, ..Default::default() }))
            .await
            .err(),
    };
    match failed {
        None => Ok(site.redirect(&format!("/seller/stock/{variant_id}"), Tone::Good, "Saved.")),
        Some(status) => rejected(&site, &here, &variant_id, &form.rejected(&problem_of(&status))).await,
    }
}

async fn rejected(site: &Site, visit: &Visit, variant_id: &str, form: &Form) -> Page {
    let shelf = load(site, visit, variant_id, "").await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, view(visit, &shelf, form)).into_response())
}

fn view(visit: &Visit, shelf: &Shelf, form: &Form) -> Markup {
    let stock = &shelf.stock;
    let address = format!("/seller/stock/{}", stock.variant_id);
    let figure = |name: &str, value: i64, note: &str| html! { div.stat { span.name { (name) } span.value { (value) } span.note { (note) } } };
    let body = html! {
        (ui::crumbs(&[("/seller/stock".to_owned(), "Stock".to_owned())], name(stock)))
        div.mb4 { (form.summary()) }
        div.stats.mb6 { (figure("Available", stock.available, "buyers can order")) (figure("Reserved", stock.reserved, "ordered, not sent")) (figure("On its way", stock.incoming, "to you")) (figure("Low at", stock.low_at, "you are told")) }
        div.with-aside {
            div.stack.loose {
                @if shelf.warehouses.len() > 1 { section.card.flush { header { h2 { "Where it is" } } (by_warehouse(shelf)) } }
                section.card.flush { header { h2 { "Journal" } } (journal(shelf)) }
            }
            @if visit.may("seller:inventory.write") { aside.stack { (count_card(visit, &address, shelf, form)) (adjust_card(visit, &address, shelf, form)) (threshold_card(visit, &address, stock, form)) } }
        }
        (ui::pager(None, (!shelf.journal.next_cursor.is_empty()).then(|| link(&address, &[("cursor", &shelf.journal.next_cursor)])).as_deref()))
    };
    desk(visit, "/seller/stock", name(stock), "", html! { span.mono { (stock.sku) } }, body)
}

/// A choice of warehouse, when there is one to make. Its name is labelled by hand because the page has it twice.
fn warehouse_choice(shelf: &Shelf, id: &str) -> Markup {
    html! {
        @if shelf.warehouses.len() > 1 {
            div.field { label for=(id) { "Warehouse" } select id=(id) name="warehouse_id" { @for warehouse in &shelf.warehouses { option value=(warehouse.warehouse_id) selected[warehouse.is_default] { (warehouse.name) } } } }
        }
    }
}

fn note_field(id: &str, label: &str) -> Markup {
    html! { div.field { label for=(id) { (label) " " span.optional { "(optional)" } } input.input id=(id) name="note" maxlength="200"; } }
}

fn count_card(visit: &Visit, address: &str, shelf: &Shelf, form: &Form) -> Markup {
    let body = html! { div.stack {
        input type="hidden" name="if_revision" value=(shelf.stock.revision);
        (Input::number("quantity", "Pieces on the shelf").max_len(10).hint("Reserved ones included.").show(form))
        (warehouse_choice(shelf, "count-warehouse"))
        (note_field("count-note", "Note"))
        button.btn.block type="submit" { "Set" }
    } };
    html! { section.card.stack { h2 { "I counted" } (form::post(visit, &format!("{address}/set"), body)) } }
}

fn adjust_card(visit: &Visit, address: &str, shelf: &Shelf, form: &Form) -> Markup {
    let body = html! { div.stack {
        (Input::text("delta", "More or less by").max_len(11).placeholder("−2").show(form))
        (Input::select("kind", "Why", REASONS).show(form))
        (warehouse_choice(shelf, "adjust-warehouse"))
        (note_field("adjust-note", "Note"))
        button.btn.outline.block type="submit" { "Adjust" }
    } };
    html! { section.card.stack { h2 { "Something changed" } (form::post(visit, &format!("{address}/adjust"), body)) } }
}

fn threshold_card(visit: &Visit, address: &str, stock: &Stock, form: &Form) -> Markup {
    let form = if form.get("low_at").is_empty() { form.clone().with("low_at", stock.low_at.to_string()) } else { form.clone() };
    let body = html! { div.stack { (Input::number("low_at", "Tell me at").max_len(10).hint("You get a message when this many or fewer are left.").show(&form)) button.btn.outline.block type="submit" { "Save" } } };
    html! { section.card.stack { h2 { "Running low" } (form::post(visit, &format!("{address}/threshold"), body)) } }
}

fn warehouse_name<'a>(shelf: &'a Shelf, id: &'a str) -> &'a str {
    shelf.warehouses.iter().find(|warehouse| warehouse.warehouse_id == id).map_or(id, |warehouse| &warehouse.name)
}

fn by_warehouse(shelf: &Shelf) -> Markup {
    html! {
        table.table.cards {
            thead { tr { th scope="col" { "Warehouse" } th.num scope="col" { "Available" } th.num scope="col" { "Reserved" } th.num scope="col" { "On its way" } } }
            tbody { @for part in &shelf.stock.warehouses { tr { th scope="row" { (warehouse_name(shelf, &part.warehouse_id)) } td.num data-label="Available" { (part.available) } td.num data-label="Reserved" { (part.reserved) } td.num data-label="On its way" { (part.incoming) } } } }
        }
    }
}

fn change(before: i64, after: i64) -> Markup {
    html! { span { (before) @if before != after { " → " strong { (after) } } } }
}

fn journal(shelf: &Shelf) -> Markup {
    let entry = |entry: &JournalEntry| {
        html! {
            tr {
                th scope="row" { (word(entry.kind().as_str_name(), "MOVEMENT_KIND_")) @if !entry.note.is_empty() { div.tiny.hush { (entry.note) } } }
                td data-label="When" { (moment(entry.at.as_ref())) }
                td.num data-label="Available" { (change(entry.available_before, entry.available_after)) }
                td.num data-label="Reserved" { (change(entry.reserved_before, entry.reserved_after)) }
                td data-label="Who" { div.journal-who { div.mono.tiny { (entry.actor) } @if !entry.reference.is_empty() { div.mono.tiny.hush { (entry.reference) } } } }
            }
        }
    };
    html! {
        @if shelf.journal.entries.is_empty() { (ui::empty("history", "Nothing happened yet", "Every movement is written down here and never changed.", None)) } @else {
            table.table.cards {
                thead { tr { th scope="col" { "What" } th scope="col" { "When" } th.num scope="col" { "Available" } th.num scope="col" { "Reserved" } th scope="col" { "Who" } } }
                tbody { @for line in &shelf.journal.entries { (entry(line)) } }
            }
        }
    }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::seller;
    use api_inventory::WarehouseStock;
    let stock = |sku: &str, available| Stock {
        variant_id: "var_1".to_owned(),
        sku: sku.to_owned(),
        title: "Kilnhouse Classic Stoneware Mug 212".to_owned(),
        available,
        reserved: 2,
        low_at: 5,
        ..Default::default()
    };
    let entry = JournalEntry {
        kind: MovementKind::Reservation.into(),
        available_before: 5,
        available_after: 3,
        reserved_after: 2,
        actor: "service:orders".to_owned(),
        reference: "ord_0198f0d1000070008000000000000001".to_owned(),
        note: "cart".to_owned(),
        ..Default::default()
    };
    let place = |id: &str| Warehouse { warehouse_id: id.to_owned(), name: format!("Shed {id}"), is_default: id == "whs_1", ..Default::default() };
    let spread = Stock {
        warehouses: vec![WarehouseStock { warehouse_id: "whs_1".to_owned(), available: 3, reserved: 2, incoming: 0 }],
        ..stock("D01-000", 3)
    };
    let full = Shelf {
        stock: spread,
        warehouses: vec![place("whs_1"), place("whs_2")],
        journal: ListJournalResponse { entries: vec![entry.clone(), entry], next_cursor: "n".to_owned() },
    };
    let bare = Shelf {
        stock: Stock { variant_id: "var_1".to_owned(), ..Default::default() },
        warehouses: Vec::new(),
        journal: ListJournalResponse::default(),
    };
    let low = ListQuery { state: "low".to_owned(), query: "D01-000".to_owned(), ..Default::default() };
    vec![
        (
            "seller-stock",
            view_list(
                &seller(),
                &ListQuery::default(),
                &ListStockResponse { stocks: vec![stock("D01-000", 3), stock("D01-001", 0), stock("D01-002", 40)], next_cursor: "n".to_owned() },
            ),
        ),
        ("seller-stock-none", view_list(&seller(), &low, &ListStockResponse::default())),
        ("seller-stock-variant", view(&seller(), &full, &Form::default())),
        ("seller-stock-uncounted", view(&seller(), &bare, &Form::default().with("delta", "-9").wrong("delta", "Would take more than is there."))),
    ]
}

//! What waits for the shop's staff today, and the switch for those who work for several shops.

use api_catalog::{Import, ListImportsRequest};
use api_fulfillment::{FulfillmentOrder, FulfillmentState, ListFulfillmentOrdersRequest, ListFulfillmentOrdersResponse};
use api_inventory::{ListStockRequest, Stock};
use api_payments::{GetBalanceRequest, TenantBalance};
use api_tenants::{GetMineRequest, ListMineRequest, MyTenant, Tenant, TenantState};
use axum::extract::State;
use axum::response::{IntoResponse, Redirect};
use maud::{Markup, html};

use super::{desk, imports, working};
use crate::failure::{Failure, Page};
use crate::portal::{moment, word};
use crate::session::{Here, Posted, with_cookies};
use crate::site::Web;
use crate::ui::{self, Tone, amount, badge, form, show};
use crate::visit::Visit;

/// Orders asked for in each state; more are told as "20+".
const ORDERS: u32 = 20;
/// Rows of the short lists.
const SHORT: u32 = 5;
const SHORT_ROWS: usize = 5;

/// What the page shows; `None`: not allowed, or the service does not answer right now.
#[derive(Default)]
struct Overview {
    tenant: Tenant,
    shops: Vec<MyTenant>,
    to_accept: Option<ListFulfillmentOrdersResponse>,
    to_pack: Option<ListFulfillmentOrdersResponse>,
    to_ship: Option<ListFulfillmentOrdersResponse>,
    low: Option<Vec<Stock>>,
    imports: Option<Vec<Import>>,
    balances: Option<Vec<TenantBalance>>,
}

/// One part of the page: asked for only when allowed, left out when it does not answer, so that one service away leaves the rest.
async fn part<T>(allowed: bool, call: impl Future<Output = Result<tonic::Response<T>, tonic::Status>>) -> Option<T> {
    if allowed { call.await.ok().map(tonic::Response::into_inner) } else { None }
}

pub(crate) async fn show(State(site): State<Web>, here: Here) -> Page {
    working(&here)?;
    let tenant = site.tenants.clone().get_mine(here.ctx.request(GetMineRequest {})).await?.into_inner().tenant.unwrap_or_default();
    let work = async |state: FulfillmentState| {
        let request = ListFulfillmentOrdersRequest { limit: ORDERS, state: state.into(), ..Default::default() };
        part(here.may("seller:fulfillment.read"), async { site.fulfillment.clone().list_fulfillment_orders(here.ctx.request(request)).await }).await
    };
    let low = ListStockRequest { limit: SHORT, low_only: true, ..Default::default() };
    let several = here.viewer.tenants.len() > 1;
    let (to_accept, to_pack, to_ship, low, imports, balances, shops) = tokio::join!(
        work(FulfillmentState::Open),
        work(FulfillmentState::Accepted),
        work(FulfillmentState::Packed),
        part(here.may("seller:inventory.read"), async { site.inventory.clone().list_stock(here.ctx.request(low)).await }),
        part(here.may("seller:catalog.read"), async {
            site.catalog.clone().list_imports(here.ctx.request(ListImportsRequest { limit: SHORT, ..Default::default() })).await
        }),
        part(here.may("seller:payments.read"), async { site.payments.clone().get_balance(here.ctx.request(GetBalanceRequest {})).await }),
        part(several, async { site.tenants.clone().list_mine(here.ctx.request(ListMineRequest {})).await }),
    );
    let overview = Overview {
        tenant,
        shops: shops.map(|found| found.tenants).unwrap_or_default(),
        to_accept,
        to_pack,
        to_ship,
        low: low.map(|found| found.stocks),
        imports: imports.map(|found| found.imports),
        balances: balances.map(|found| found.balances),
    };
    Ok(view(&here, &overview).into_response())
}

/// Works for another of the visitor's shops from now on.
pub(crate) async fn switch(State(site): State<Web>, here: Here, Posted(form): Posted) -> Page {
    working(&here)?;
    let wanted = form.get("tenant_id");
    if !here.viewer.tenants.iter().any(|tenant| tenant == wanted) {
        return Err(Failure::forbidden("you do not work for that shop"));
    }
    Ok(with_cookies(Redirect::to("/seller").into_response(), [site.tenant_cookie(wanted)]))
}

fn view(visit: &Visit, overview: &Overview) -> Markup {
    let store = overview.tenant.store.clone().unwrap_or_default();
    let body = html! {
        (state_banner(&overview.tenant))
        @if store.holiday { div.mb6 { (ui::notice(Tone::Info, html! { "The shop is on holiday: buyers can look, not order. " a href="/seller/store" { "End it" } })) } }
        div.stats.mb6 { (figures(overview)) }
        div.with-aside {
            div.stack.loose {
                @if visit.may("seller:fulfillment.read") { section.card.flush { header { h2 { "Next to do" } a.small href="/seller/orders" { "All orders" } } (next_orders(overview)) } }
                @if let Some(imports) = &overview.imports { section.card.flush { header { h2 { "Latest feeds" } a.small href="/seller/imports" { "All feeds" } } (latest_imports(imports)) } }
            }
            aside.stack {
                @if let Some(low) = &overview.low { section.card.stack { h2 { "Running low" } (running_low(low)) } }
                @if visit.viewer.tenants.len() > 1 { (shop_switch(visit, &overview.shops)) }
            }
        }
    };
    let public = html! { @if overview.tenant.state() == TenantState::Active { a.btn.outline href={ "/s/" (store.slug) } { (ui::icon("external-link")) "See the shop" } } };
    desk(visit, "/seller", if store.name.is_empty() { "Your shop" } else { &store.name }, "What waits for you today.", public, body)
}

/// Why nothing sells, when that is so.
fn state_banner(tenant: &Tenant) -> Markup {
    let (tone, text) = match tenant.state() {
        TenantState::Active | TenantState::Unspecified => return html! {},
        TenantState::Applied | TenantState::Verifying => {
            (Tone::Info, "Your application is being looked at. Prepare everything; buyers see the shop once it is approved.")
        }
        TenantState::Suspended => (Tone::Bad, "The shop is suspended: buyers cannot order from it. Orders already paid are still yours to send."),
        TenantState::Closed => (Tone::Bad, "The shop is closed."),
        TenantState::Rejected => (Tone::Bad, "The application was refused."),
    };
    html! { div.mb6 { (ui::notice(tone, html! { strong { (text) } @if !tenant.state_reason.is_empty() { p { (tenant.state_reason) } } })) } }
}

fn counted(found: Option<&ListFulfillmentOrdersResponse>) -> String {
    found.map_or_else(|| "–".to_owned(), |found| format!("{}{}", found.fulfillment_orders.len(), if found.next_cursor.is_empty() { "" } else { "+" }))
}

fn figures(overview: &Overview) -> Markup {
    let stat = |address: &str, picture: &str, name: &str, value: &str, note: &str| {
        html! { a.stat href=(address) { span.name { (ui::icon(picture)) (name) } span.value { (value) } span.note { (note) } } }
    };
    html! {
        (stat("/seller/orders?state=paid", "inbox", "To accept", &counted(overview.to_accept.as_ref()), "new orders"))
        (stat("/seller/orders?state=processing", "package", "To pack", &counted(overview.to_pack.as_ref()), "accepted"))
        (stat("/seller/orders?state=packed", "truck", "To ship", &counted(overview.to_ship.as_ref()), "packed"))
        @for balance in overview.balances.iter().flatten() {
            @if let Some(total) = amount(balance.total.as_ref()) { (stat("/seller/money", "wallet", "Balance", &show::money(total), "the market owes you")) }
        }
    }
}

/// What is due first, of all that is not shipped.
fn next_orders(overview: &Overview) -> Markup {
    let parts = [&overview.to_accept, &overview.to_pack, &overview.to_ship];
    let mut orders: Vec<&FulfillmentOrder> = parts.into_iter().flatten().flat_map(|found| &found.fulfillment_orders).collect();
    orders.sort_by_key(|order| order.due_at.as_ref().map_or(i64::MAX, |due| due.seconds));
    html! {
        @if parts.iter().any(|part| part.is_none()) { p.card-note { "The list of orders does not answer right now." } }
        @else if orders.is_empty() { (ui::empty("package-check", "All done", "New orders appear here the moment they are paid.", None)) }
        @else {
            table.table.cards {
                thead { tr { th scope="col" { "Order" } th scope="col" { "State" } th scope="col" { "What" } th scope="col" { "Ship by" } } }
                tbody {
                    @for order in orders.iter().take(SHORT_ROWS) {
                        tr {
                            th scope="row" { a.mono.nowrap href={ "/seller/orders/" (order.sub_order_id) } { (order.number) } }
                            td data-label="State" { (badge(if order.state() == FulfillmentState::Open { Tone::Warn } else { Tone::Info }, match order.state() { FulfillmentState::Open => "to accept", FulfillmentState::Accepted => "to pack", _ => "to ship" })) }
                            td data-label="What" { span.clamp-2 { @for (index, line) in order.lines.iter().enumerate() { @if index > 0 { ", " } (line.quantity) " × " (line.title) } } }
                            td data-label="Ship by" { (moment(order.due_at.as_ref())) }
                        }
                    }
                }
            }
        }
    }
}

fn latest_imports(imports: &[Import]) -> Markup {
    html! {
        @if imports.is_empty() { (ui::empty("file-spreadsheet", "No feed yet", "Bring your whole catalog in one file.", Some(("/seller/imports", "Upload a feed")))) } @else {
            table.table.cards {
                thead { tr { th scope="col" { "File" } th scope="col" { "State" } th.num scope="col" { "Imported" } th.num scope="col" { "Rejected" } } }
                tbody {
                    @for import in imports.iter().take(SHORT_ROWS) {
                        tr {
                            th scope="row" { a href={ "/seller/imports/" (import.import_id) } { (import.file_name) } }
                            td data-label="State" { (imports::state_badge(import.state())) }
                            td.num data-label="Imported" { (show::count(import.imported.into())) }
                            td.num data-label="Rejected" { (show::count(import.rejected.into())) }
                        }
                    }
                }
            }
        }
    }
}

fn running_low(low: &[Stock]) -> Markup {
    html! {
        @if low.is_empty() { p.hush { "Nothing is running low." } } @else {
            ul.divided {
                @for stock in low {
                    li.row.between.one-line { a.clamp-2 href={ "/seller/stock/" (stock.variant_id) } { (if stock.title.is_empty() { &stock.sku } else { &stock.title }) } (badge(if stock.available > 0 { Tone::Warn } else { Tone::Bad }, html! { (stock.available) " left" })) }
                }
            }
            p.small { a href="/seller/stock?state=low" { "All that runs low" } }
        }
    }
}

fn shop_switch(visit: &Visit, shops: &[MyTenant]) -> Markup {
    let current = visit.tenant().map(|tenant| tenant.to_string()).unwrap_or_default();
    let mine = shops.iter().filter_map(|shop| shop.tenant.as_ref()).filter(|shop| visit.viewer.tenants.contains(&shop.tenant_id));
    let body = html! {
        div.stack {
            div.choices {
                @for shop in mine {
                    label.choice {
                        input type="radio" name="tenant_id" value=(shop.tenant_id) checked[shop.tenant_id == current];
                        span.what { (shop.store.as_ref().map(|store| store.name.as_str()).unwrap_or_default()) }
                        span.tiny.hush { (word(shop.state().as_str_name(), "TENANT_STATE_")) }
                    }
                }
            }
            button.btn.outline.block type="submit" { (ui::icon("refresh-cw")) "Switch" }
        }
    };
    html! { section.card.stack #shops { h2 { "Your shops" } (form::post(visit, "/seller/switch", body)) } }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::{seller, time};
    use api_catalog::ImportState;
    use api_fulfillment::FulfillmentLine;
    let at = |text: &str| Some(kit_rpc::timestamp(time(text)));
    let tenant = |state: TenantState, reason: &str| Tenant {
        tenant_id: "ten_0198f0d1000070008000000000000001".to_owned(),
        state: state.into(),
        state_reason: reason.to_owned(),
        store: Some(api_tenants::Store { name: "Kilnhouse".to_owned(), slug: "kilnhouse".to_owned(), ..Default::default() }),
        ..Default::default()
    };
    let line = FulfillmentLine { title: "Kilnhouse Classic Stoneware Mug 212".to_owned(), quantity: 2, ..Default::default() };
    let order = |number: &str, state: FulfillmentState, due: &str| FulfillmentOrder {
        sub_order_id: "sub_1".to_owned(),
        number: number.to_owned(),
        state: state.into(),
        lines: vec![line.clone(), line.clone()],
        due_at: at(due),
        ..Default::default()
    };
    let found =
        |order: FulfillmentOrder, next: &str| Some(ListFulfillmentOrdersResponse { fulfillment_orders: vec![order], next_cursor: next.to_owned() });
    let money = |amount_minor| Some(kit_rpc::proto::Money { amount_minor, currency: "USD".to_owned() });
    let stock = |sku: &str, available| Stock {
        variant_id: "var_1".to_owned(),
        sku: sku.to_owned(),
        title: "Kilnhouse Classic Stoneware Mug 212".to_owned(),
        available,
        low_at: 5,
        ..Default::default()
    };
    let busy = Overview {
        tenant: tenant(TenantState::Active, ""),
        shops: Vec::new(),
        to_accept: found(order("MH-2026-7K3F-9QXD-1", FulfillmentState::Open, "2026-11-22T09:00:00Z"), "n"),
        to_pack: found(order("MH-2026-7K3F-9QXE-1", FulfillmentState::Accepted, "2026-11-21T18:00:00Z"), ""),
        to_ship: Some(ListFulfillmentOrdersResponse::default()),
        low: Some(vec![stock("D01-000", 3), stock("D01-001", 0)]),
        imports: Some(vec![Import {
            import_id: "imp_1".to_owned(),
            file_name: "abt.csv".to_owned(),
            state: ImportState::Finished.into(),
            imported: 416,
            rejected: 660,
            ..Default::default()
        }]),
        balances: Some(vec![TenantBalance { total: money(129_950), ..Default::default() }]),
    };
    let fresh = Overview {
        tenant: tenant(TenantState::Active, ""),
        to_accept: Some(Default::default()),
        to_pack: Some(Default::default()),
        to_ship: Some(Default::default()),
        low: Some(Vec::new()),
        imports: Some(Vec::new()),
        ..Default::default()
    };
    let mut several = seller();
    several.viewer.tenants = vec!["ten_0198f0d1000070008000000000000001".to_owned(), "ten_0198f0d1000070008000000000000002".to_owned()];
    let other = Tenant { tenant_id: "ten_0198f0d1000070008000000000000002".to_owned(), ..tenant(TenantState::Active, "") };
    let shops = vec![
        MyTenant { tenant: Some(tenant(TenantState::Active, "")), ..Default::default() },
        MyTenant { tenant: Some(other), ..Default::default() },
    ];
    vec![
        ("seller", view(&seller(), &busy)),
        ("seller-fresh", view(&seller(), &fresh)),
        (
            "seller-suspended",
            view(&several, &Overview { tenant: tenant(TenantState::Suspended, "Too many late shipments."), shops, ..Default::default() }),
        ),
    ]
}

//! The shop's own part of each order: accept, pack, ship, follow, cancel.

use api_fulfillment::{
    AcceptFulfillmentOrderRequest, AddTrackingEventRequest, FulfillmentOrder, FulfillmentState, GetFulfillmentOrderRequest, GetPackingSlipRequest,
    MarkDeliveredRequest, PackFulfillmentOrderRequest, ShipFulfillmentOrderRequest, Shipment, ShipmentLine, ShipmentState,
};
use api_orders::{
    CancelItemsRequest, CancelSubOrderRequest, ExportSubOrdersRequest, GetSubOrderInvoiceRequest, GetSubOrderRequest, GiveRefundRequest, Item,
    ListSubOrdersRequest, ListSubOrdersResponse, OrderState, ReturnId, SubOrder,
};
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use kit_core::{Code, Money};
use kit_rpc::problem_of;
use maud::{Markup, html};

use super::{desk, working};
use crate::buyer::{address, kept_fields, kept_lines, left, may_shrink, timeline};
use crate::failure::{Failure, Page};
use crate::portal::{ListQuery, download, link, moment, word};
use crate::returned;
use crate::session::{Here, Posted};
use crate::site::{Site, Web};
use crate::ui::form::{self, Form, Input};
use crate::ui::{self, Tone, amount, badge, show};
use crate::visit::Visit;

const TABS: [(&str, &str); 7] = [
    ("", "All"),
    ("paid", "New"),
    ("processing", "Accepted"),
    ("packed", "Packed"),
    ("shipped", "Shipped"),
    ("delivered", "Delivered"),
    ("cancelled", "Cancelled"),
];
const PAGE: u32 = 25;

pub(crate) async fn list(State(site): State<Web>, here: Here, Query(wanted): Query<ListQuery>) -> Page {
    working(&here)?;
    let state = OrderState::from_str_name(&format!("ORDER_STATE_{}", wanted.state.to_uppercase())).unwrap_or_default();
    let request = ListSubOrdersRequest { limit: PAGE, cursor: wanted.cursor.clone(), state: state.into(), ..Default::default() };
    let found = site.orders.clone().list_sub_orders(here.ctx.request(request)).await?.into_inner();
    Ok(view_list(&here, &wanted, &found).into_response())
}

pub(crate) async fn export(State(site): State<Web>, here: Here) -> Page {
    working(&here)?;
    Ok(download(site.orders.clone().export_sub_orders(here.ctx.request(ExportSubOrdersRequest::default())).await?))
}

fn state_badge(state: OrderState) -> Markup {
    let tone = match state {
        OrderState::Paid | OrderState::Confirmed => Tone::Warn,
        OrderState::Processing | OrderState::Packed | OrderState::Shipped => Tone::Info,
        OrderState::Delivered | OrderState::Completed => Tone::Good,
        OrderState::Cancelled => Tone::Bad,
        OrderState::ReturnRequested => Tone::Warn,
        _ => Tone::Plain,
    };
    let text = if state == OrderState::Paid { "new".to_owned() } else { word(state.as_str_name(), "ORDER_STATE_") };
    badge(tone, text)
}

fn total(part: &SubOrder) -> String {
    part.totals.as_ref().and_then(|totals| amount(totals.total.as_ref())).map(show::money).unwrap_or_default()
}

fn view_list(visit: &Visit, wanted: &ListQuery, found: &ListSubOrdersResponse) -> Markup {
    let body = html! {
        nav.tabs aria-label="State" { ul { @for (state, label) in TABS { li { a href=(link("/seller/orders", &[("state", state)])) aria-current=[(state == wanted.state).then_some("page")] { (label) } } } } }
        div.card.flush {
            @if found.sub_orders.is_empty() { (ui::empty("package", "No orders here", "New orders appear here the moment they are paid.", None)) } @else {
                table.table.cards {
                    thead { tr { th scope="col" { "Order" } th scope="col" { "State" } th scope="col" { "What" } th.num scope="col" { "Total" } th scope="col" { "Placed" } } }
                    tbody {
                        @for part in &found.sub_orders {
                            tr {
                                th scope="row" { a.mono.nowrap href={ "/seller/orders/" (part.sub_order_id) } { (part.number) } }
                                td data-label="State" { (state_badge(part.state())) }
                                td data-label="What" { span.clamp-2 { @for (index, item) in part.items.iter().enumerate() { @if index > 0 { ", " } (item.quantity) " × " (item.title) } } }
                                td.num data-label="Total" { (total(part)) }
                                td data-label="Placed" { (moment(part.placed_at.as_ref())) }
                            }
                        }
                    }
                }
            }
        }
        (ui::pager(None, (!found.next_cursor.is_empty()).then(|| link("/seller/orders", &[("state", &wanted.state), ("cursor", &found.next_cursor)])).as_deref()))
    };
    let export = html! { a.btn.outline href="/seller/orders/export.csv" { (ui::icon("download")) "Export CSV" } };
    desk(visit, "/seller/orders", "Orders", "Your part of each order. Accept, pack, ship.", export, body)
}

/// The part as orders and as fulfillment have it; the latter a moment later.
async fn load(site: &Web, visit: &Visit, sub_order_id: &str) -> Result<(SubOrder, Option<FulfillmentOrder>), Failure> {
    let request = GetSubOrderRequest { sub_order_id: sub_order_id.to_owned() };
    let part = site.orders.clone().get_sub_order(visit.ctx.request(request)).await?.into_inner().sub_order.unwrap_or_default();
    let request = GetFulfillmentOrderRequest { sub_order_id: sub_order_id.to_owned() };
    match site.fulfillment.clone().get_fulfillment_order(visit.ctx.request(request)).await {
        Ok(found) => Ok((part, found.into_inner().fulfillment_order)),
        Err(status) if problem_of(&status).code == Code::NotFound => Ok((part, None)),
        Err(status) => Err(status.into()),
    }
}

pub(crate) async fn show(State(site): State<Web>, here: Here, Path(sub_order_id): Path<String>) -> Page {
    working(&here)?;
    let (part, work) = load(&site, &here, &sub_order_id).await?;
    Ok(view(&here, &part, work.as_ref(), &with_refund_id(&site, Form::default())).into_response())
}

/// A refund is made once, however often its form is sent.
fn with_refund_id(site: &Site, form: Form) -> Form {
    if form.get(REFUND_ID).is_empty() { form.with(REFUND_ID, ReturnId::from(site.ids.uuid()).to_string()) } else { form }
}

fn refund_request(sub_order_id: String, currency: &str, form: &Form) -> Option<GiveRefundRequest> {
    let amount = Money::parse_decimal(form.get("amount"), currency.parse().ok()?).ok()?;
    Some(GiveRefundRequest { sub_order_id, return_id: form.text(REFUND_ID), amount: Some(amount.into()), reason: form.text(REFUND_REASON) })
}

pub(crate) async fn slip(State(site): State<Web>, here: Here, Path(sub_order_id): Path<String>) -> Page {
    working(&here)?;
    Ok(download(site.fulfillment.clone().get_packing_slip(here.ctx.request(GetPackingSlipRequest { sub_order_id })).await?))
}

pub(crate) async fn invoice(State(site): State<Web>, here: Here, Path(sub_order_id): Path<String>) -> Page {
    working(&here)?;
    Ok(download(site.orders.clone().get_sub_order_invoice(here.ctx.request(GetSubOrderInvoiceRequest { sub_order_id })).await?))
}

/// One step of the work, by the last word of the address.
pub(crate) async fn act(State(site): State<Web>, here: Here, Path((sub_order_id, act)): Path<(String, String)>, Posted(form): Posted) -> Page {
    working(&here)?;
    let (mut work, ctx, id) = (site.fulfillment.clone(), &here.ctx, sub_order_id.clone());
    let (failed, told) = match act.as_str() {
        "accept" => (
            work.accept_fulfillment_order(ctx.request(AcceptFulfillmentOrderRequest { sub_order_id: id })).await.err(),
            "Accepted. The buyer sees that you are at it.",
        ),
        "pack" => (
            work.pack_fulfillment_order(ctx.request(PackFulfillmentOrderRequest { sub_order_id: id })).await.err(),
            "Packed. Print the slip and ship it.",
        ),
        "ship" => (work.ship_fulfillment_order(ctx.request(ship_request(id, &form))).await.err(), "Shipped. The buyer has the tracking number."),
        "cancel" => {
            let request = CancelSubOrderRequest { sub_order_id: id, reason: form.text("reason") };
            (site.orders.clone().cancel_sub_order(ctx.request(request)).await.err(), "Cancelled. The buyer gets this part's money back.")
        }
        "cancel-items" => {
            let lines = kept_lines(form.clone()).map(|(lines, _)| lines).unwrap_or_default();
            let request = CancelItemsRequest { sub_order_id: id, lines, reason: form.text(FEWER_REASON), preview: false };
            (site.orders.clone().cancel_items(ctx.request(request)).await.err(), "Cancelled. The buyer gets the money for these pieces back.")
        }
        "refund" => {
            let (part, fulfillment) = load(&site, &here, &sub_order_id).await?;
            let currency = part.totals.as_ref().and_then(|totals| totals.total.as_ref()).map(|total| total.currency.clone()).unwrap_or_default();
            let Some(request) = refund_request(id, &currency, &form) else {
                let page = view(&here, &part, fulfillment.as_ref(), &form.wrong("amount", "Write an amount, as in 4.50."));
                return Ok((http::StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
            };
            (site.orders.clone().give_refund(ctx.request(request)).await.err(), "Given back. The buyer keeps the goods.")
        }
        _ => return Err(Failure::not_found()),
    };
    match failed {
        None => Ok(site.redirect(&format!("/seller/orders/{sub_order_id}"), Tone::Good, told)),
        Some(status) => {
            let (part, work) = load(&site, &here, &sub_order_id).await?;
            let mut problem = problem_of(&status);
            for violation in problem.violations.iter_mut().filter(|violation| act == "cancel-items" && violation.field == "reason") {
                FEWER_REASON.clone_into(&mut violation.field);
            }
            for violation in problem.violations.iter_mut().filter(|violation| act == "refund" && violation.field == "reason") {
                REFUND_REASON.clone_into(&mut violation.field);
            }
            let page = view(&here, &part, work.as_ref(), &with_refund_id(&site, form.rejected(&problem)));
            Ok((http::StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

fn ship_request(sub_order_id: String, form: &Form) -> ShipFulfillmentOrderRequest {
    let pieces = form.names().filter_map(|name| {
        let quantity = form.get(name).parse().ok().filter(|quantity| *quantity > 0)?;
        Some(ShipmentLine { item_id: name.strip_prefix("quantity.")?.to_owned(), quantity })
    });
    let lines = pieces.collect();
    ShipFulfillmentOrderRequest {
        sub_order_id,
        carrier: form.text("carrier"),
        tracking_number: form.text("tracking_number"),
        tracking_url: form.text("tracking_url"),
        lines,
    }
}

/// News of a parcel: where it is, or that it has arrived.
pub(crate) async fn shipment(
    State(site): State<Web>,
    here: Here,
    Path((sub_order_id, shipment_id, act)): Path<(String, String, String)>,
    Posted(form): Posted,
) -> Page {
    working(&here)?;
    let mut work = site.fulfillment.clone();
    let failed = if act == "delivered" {
        work.mark_delivered(here.ctx.request(MarkDeliveredRequest { shipment_id })).await.err()
    } else {
        let state = ShipmentState::from_str_name(&format!("SHIPMENT_STATE_{}", form.get("state").to_uppercase())).unwrap_or_default();
        let request = AddTrackingEventRequest { shipment_id, state: state.into(), place: form.text("place"), message: form.text("message") };
        work.add_tracking_event(here.ctx.request(request)).await.err()
    };
    let back = format!("/seller/orders/{sub_order_id}");
    Ok(match failed {
        None => site.redirect(&back, Tone::Good, "Noted; the buyer sees it."),
        Some(status) => site.redirect(&back, Tone::Bad, &problem_of(&status).message),
    })
}

fn view(visit: &Visit, part: &SubOrder, work: Option<&FulfillmentOrder>, form: &Form) -> Markup {
    let body = html! {
        (ui::crumbs(&[("/seller/orders".to_owned(), "Orders".to_owned())], &part.number))
        @if form.error("reason").is_none() { (form.summary()) }
        div.with-aside {
            div.stack.loose {
                section.card.flush { header { h2 { "To send" } (state_badge(part.state())) } (lines(part, work)) }
                @for shipment in work.map(|work| work.shipments.as_slice()).unwrap_or_default() { (shipment_view(visit, &part.sub_order_id, shipment)) }
                @if !part.returns.is_empty() { (returns(part)) }
                @if !part.timeline.is_empty() { section.card { h2.mb4 { "Timeline" } (timeline(&part.timeline, &[])) } }
            }
            aside.stack {
                @if visit.may("seller:fulfillment.write") { (next_step(visit, part, work, form)) }
                (facts(part, work))
                @if visit.may("seller:orders.write") && cancellable(part, work) && may_shrink(part.state()) { (fewer_box(visit, part, form)) }
                @if visit.may("seller:orders.write") && cancellable(part, work) { (cancel_box(visit, part, form)) }
                @if visit.may("seller:orders.write") && refundable(part.state()) { (refund_box(visit, part, form)) }
            }
        }
    };
    desk(visit, "/seller/orders", &part.number, "", html! {}, body)
}

fn lines(part: &SubOrder, work: Option<&FulfillmentOrder>) -> Markup {
    let shipped = |item: &str| work.and_then(|work| work.lines.iter().find(|line| line.item_id == item)).map_or(0, |line| line.shipped);
    html! {
        table.table.cards {
            thead { tr { th scope="col" { "Item" } th scope="col" { "SKU" } th.num scope="col" { "Quantity" } th.num scope="col" { "Shipped" } th.num scope="col" { "Sum" } } }
            tbody {
                @for item in &part.items {
                    tr {
                        th scope="row" { (item.title) @if !item.options.is_empty() { div.tiny.hush { (item.options) } } }
                        td data-label="SKU" { span.mono.tiny { (item.sku) } }
                        td.num data-label="Quantity" { (item.quantity - item.cancelled_quantity.min(item.quantity)) @if item.cancelled_quantity > 0 { div.tiny.hush { (item.cancelled_quantity) " of " (item.quantity) " cancelled" } } @if item.returned_quantity > 0 { div.tiny.hush { (item.returned_quantity) " sent back" } } }
                        td.num data-label="Shipped" { (shipped(&item.item_id)) }
                        td.num data-label="Sum" { (amount(item.line_total.as_ref()).map(show::money).unwrap_or_default()) }
                    }
                }
            }
        }
    }
}

/// The one thing to do now.
fn next_step(visit: &Visit, part: &SubOrder, work: Option<&FulfillmentOrder>, form: &Form) -> Markup {
    let action = |act: &str| format!("/seller/orders/{}/{act}", part.sub_order_id);
    let Some(work) = work else { return html! {} };
    let body = match work.state() {
        FulfillmentState::Open => form::post(visit, &action("accept"), html! { button.btn.block type="submit" { (ui::icon("check")) "Accept" } }),
        FulfillmentState::Accepted => html! {
            (form::post(visit, &action("pack"), html! { button.btn.block type="submit" { (ui::icon("package-check")) "Mark as packed" } }))
            (slip_link(part))
        },
        FulfillmentState::Packed | FulfillmentState::PartlyShipped => html! { (ship_form(visit, &action("ship"), work, form)) (slip_link(part)) },
        FulfillmentState::Shipped | FulfillmentState::Delivered => html! { p.hush { "Everything has left your shop." } (slip_link(part)) },
        FulfillmentState::Stopped => html! { p.hush { "Cancelled: nothing is to be sent." } },
        FulfillmentState::Unspecified => html! {},
    };
    html! { section.card.stack { h2 { "Next step" } (body) } }
}

fn slip_link(part: &SubOrder) -> Markup {
    html! { a.btn.outline.block href={ "/seller/orders/" (part.sub_order_id) "/slip.pdf" } { (ui::icon("printer")) "Packing slip" } }
}

fn ship_form(visit: &Visit, action: &str, work: &FulfillmentOrder, form: &Form) -> Markup {
    let open = |line: &&api_fulfillment::FulfillmentLine| line.quantity > line.shipped;
    form::post(
        visit,
        action,
        html! {
            div.stack {
                (Input::text("carrier", "Carrier").max_len(60).placeholder("UPS").show(form))
                (Input::text("tracking_number", "Tracking number").max_len(60).show(form))
                (Input::text("tracking_url", "Tracking link").kind("url").max_len(500).optional().show(form))
                details.fold { summary { "Ship only some of it" }
                    div.stack {
                        @for line in work.lines.iter().filter(open) {
                            @let left = (line.quantity - line.shipped).to_string();
                            (Input::number(&format!("quantity.{}", line.item_id), &format!("{} (of {left})", line.title)).optional().show(&Form::default().with(&format!("quantity.{}", line.item_id), left)))
                        }
                    }
                }
                button.btn.block type="submit" { (ui::icon("truck")) "Ship" }
            }
        },
    )
}

fn shipment_view(visit: &Visit, part: &str, shipment: &Shipment) -> Markup {
    let state = shipment.state();
    let tone = match state {
        ShipmentState::Delivered => Tone::Good,
        ShipmentState::DeliveryFailed => Tone::Bad,
        _ => Tone::Info,
    };
    let states = [("in_transit", "In transit"), ("out_for_delivery", "Out for delivery"), ("delivery_failed", "Delivery failed")];
    let action = |act: &str| format!("/seller/shipments/{part}/{}/{act}", shipment.shipment_id);
    html! {
        section.card.stack {
            header.row.between { h2 { (ui::icon("truck")) " " (shipment.carrier) " " span.mono.small { (shipment.tracking_number) } } (badge(tone, word(state.as_str_name(), "SHIPMENT_STATE_"))) }
            ol.timeline { @for event in shipment.events.iter().rev() { li.done { span.dot { (ui::icon("check")) } div { p.what { (word(event.state().as_str_name(), "SHIPMENT_STATE_")) @if !event.place.is_empty() { ", " (event.place) } } p.when { (moment(event.at.as_ref())) } @if !event.message.is_empty() { p.small { (event.message) } } } } } }
            @if state != ShipmentState::Delivered && visit.may("seller:fulfillment.write") {
                div.row {
                    (form::post(visit, &action("delivered"), html! { button.btn.outline.small type="submit" { (ui::icon("check")) "Delivered" } }))
                }
                details.fold { summary { "Add news of this parcel" }
                    form.stack method="post" action=(action("event")) {
                        (form::csrf(visit))
                        div.field { label for={ "state-" (shipment.shipment_id) } { "What happened" } select id={ "state-" (shipment.shipment_id) } name="state" { @for (value, label) in states { option value=(value) { (label) } } } }
                        div.field { label for={ "place-" (shipment.shipment_id) } { "Where " span.optional { "(optional)" } } input.input id={ "place-" (shipment.shipment_id) } name="place" maxlength="120"; }
                        div.field { label for={ "message-" (shipment.shipment_id) } { "Note " span.optional { "(optional)" } } input.input id={ "message-" (shipment.shipment_id) } name="message" maxlength="300"; }
                        button.btn.outline type="submit" { "Add" }
                    }
                }
            }
        }
    }
}

fn facts(part: &SubOrder, work: Option<&FulfillmentOrder>) -> Markup {
    html! {
        section.card.stack {
            h2 { "Order" }
            dl.facts {
                @if let Some(address) = &part.shipping_address {
                    dt { "Ship to" } dd { (address::lines(address)) }
                }
                dt { "Method" } dd { (part.shipping_method) }
                @if let Some(due) = work.and_then(|work| work.due_at.as_ref()) { dt { "Ship by" } dd { (moment(Some(due))) } }
                dt { "Placed" } dd { (moment(part.placed_at.as_ref())) }
            }
            dl.sums {
                @if let Some(totals) = &part.totals { @for (name, sum) in [("Goods", &totals.items), ("Shipping", &totals.shipping)] { @if let Some(sum) = amount(sum.as_ref()) { dt { (name) } dd { (show::money(sum)) } } } }
                @if let Some(tax) = part.totals.as_ref().and_then(|totals| amount(totals.tax.as_ref())).filter(|tax| !tax.is_zero()) { dt { "Tax" } dd { (show::money(tax)) } }
                dt.total { "Buyer pays" } dd.total { (total(part)) }
                @if let Some(refunded) = amount(part.refunded.as_ref()).filter(|refunded| !refunded.is_zero()) { dt { "Refunded" } dd { "−" (show::money(refunded)) } }
                @if let Some(commission) = amount(part.commission.as_ref()) { dt { "Commission" } dd { "−" (show::money(commission)) } }
                @if let Some(returned) = amount(part.commission_returned.as_ref()).filter(|returned| !returned.is_zero()) { dt { "Commission returned" } dd { (show::money(returned)) } }
                @if let Some(yours) = yours(part) { dt.total { "You get" } dd.total { (show::money(yours)) } }
            }
            @if !part.cancel_reason.is_empty() { p.small { "Cancelled by " (part.cancelled_by) ": " (part.cancel_reason) } }
            a.btn.outline.block href={ "/seller/orders/" (part.sub_order_id) "/invoice.pdf" } { (ui::icon("file-text")) "Invoice" }
        }
    }
}

/// What the buyer paid, less what went back and the market's commission.
fn yours(part: &SubOrder) -> Option<Money> {
    let total = amount(part.totals.as_ref()?.total.as_ref())?;
    let or_nothing = |sum: Option<Money>| sum.unwrap_or(Money::zero(total.currency));
    let kept = total.minus(or_nothing(amount(part.refunded.as_ref()))).ok()?;
    let commission = or_nothing(amount(part.commission.as_ref())).minus(or_nothing(amount(part.commission_returned.as_ref()))).ok()?;
    kept.minus(commission).ok()
}

fn cancellable(part: &SubOrder, work: Option<&FulfillmentOrder>) -> bool {
    let shipped = work.is_some_and(|work| !work.shipments.is_empty());
    !shipped && matches!(part.state(), OrderState::Paid | OrderState::Confirmed | OrderState::Processing | OrderState::Packed)
}

fn cancel_box(visit: &Visit, part: &SubOrder, form: &Form) -> Markup {
    html! {
        section.card {
            details.fold open[form.error("reason").is_some()] { summary { "Cancel this part…" }
                (form::post(visit, &format!("/seller/orders/{}/cancel", part.sub_order_id), html! { div.stack {
                    (Input::area("reason", "Reason").max_len(300).hint("The buyer reads this and gets this part's money back.").show(form))
                    button.btn.danger.block type="submit" { "Cancel and refund" }
                } }))
            }
        }
    }
}

pub(crate) const fn refundable(state: OrderState) -> bool {
    !matches!(
        state,
        OrderState::Unspecified
            | OrderState::Created
            | OrderState::Reserved
            | OrderState::PaymentPending
            | OrderState::PaymentFailed
            | OrderState::Confirmed
            | OrderState::Cancelled
            | OrderState::Refunded
    )
}

const REFUND_ID: &str = "return_id";
const REFUND_REASON: &str = "refund_reason";

/// Money without goods: for a scratch that the buyer lives with.
fn refund_box(visit: &Visit, part: &SubOrder, form: &Form) -> Markup {
    let unit = part.totals.as_ref().and_then(|totals| totals.total.as_ref()).map(|total| total.currency.clone()).unwrap_or_default();
    html! {
        section.card {
            details.fold open[form.error("amount").is_some() || form.error(REFUND_REASON).is_some()] { summary { "Give some money back…" }
                (form::post(visit, &format!("/seller/orders/{}/refund", part.sub_order_id), html! { div.stack {
                    input type="hidden" name=(REFUND_ID) value=(form.get(REFUND_ID));
                    (Input::amount("amount", "How much", &unit).hint("Out of what is left of the goods; the commission on it comes back to you.").show(form))
                    (Input::area(REFUND_REASON, "What for").max_len(500).hint("The buyer reads this and keeps the goods.").show(form))
                    button.btn.outline.block type="submit" { "Give it back" }
                } }))
            }
        }
    }
}

/// What came back of it, and what was given back.
fn returns(part: &SubOrder) -> Markup {
    html! {
        section.card.stack { h2 { "Returns and refunds" }
            ul.stack.tight { @for shown in &part.returns {
                li.row.between {
                    span { a href={ "/seller/returns/" (shown.return_id) } { (returned::goods(shown)) } " " (returned::state_badge(shown)) }
                    span.num { (amount(shown.amount.as_ref()).map(show::money).unwrap_or_default()) }
                }
            } }
        }
    }
}

/// The page has a reason for the whole part, too.
const FEWER_REASON: &str = "fewer_reason";

/// For pieces that cannot be sent: the others go on.
fn fewer_box(visit: &Visit, part: &SubOrder, form: &Form) -> Markup {
    let kept = |kept: Form, (index, item): (usize, &Item)| {
        let field = format!("lines[{index}].quantity");
        let left = (item.quantity - item.cancelled_quantity).to_string();
        let typed = if form.get(&field).is_empty() { left } else { form.text(&field) };
        let kept = kept.with(&field, typed);
        match form.error(&field) {
            Some(error) => kept.wrong(&field, error),
            None => kept,
        }
    };
    let wrong = form.error(FEWER_REASON).is_some() || form.names().any(|name| name.starts_with("lines[") && form.error(name).is_some());
    let kept = left(part).enumerate().fold(Form::default(), kept);
    html! {
        section.card {
            details.fold open[wrong] { summary { "Cancel some pieces…" }
                (form::post(visit, &format!("/seller/orders/{}/cancel-items", part.sub_order_id), html! { div.stack {
                    p.small { "How many of each you can send. The buyer gets the money for the others back." }
                    (kept_fields(part, &kept))
                    (Input::area(FEWER_REASON, "Why").max_len(300).hint("The buyer reads this.").show(form))
                    button.btn.danger.block type="submit" { "Cancel the others" }
                } }))
            }
        }
    }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::{seller, time};
    use api_fulfillment::FulfillmentLine;
    let money = |amount_minor| Some(kit_rpc::proto::Money { amount_minor, currency: "USD".to_owned() });
    let item = api_orders::Item {
        item_id: "itm_1".to_owned(),
        title: "Kilnhouse Classic Stoneware Mug 212".to_owned(),
        options: "Volume: 250 ml".to_owned(),
        sku: "D01-000".to_owned(),
        quantity: 3,
        cancelled_quantity: 1,
        line_total: money(5997),
        ..Default::default()
    };
    let address = kit_rpc::proto::Address {
        name: "Ann Smith".to_owned(),
        line1: "1 Test Street".to_owned(),
        city: "Springfield".to_owned(),
        postal_code: "62701".to_owned(),
        country: "US".to_owned(),
        ..Default::default()
    };
    let part = |state: OrderState| SubOrder {
        sub_order_id: "sub_1".to_owned(),
        number: "MH-2026-7K3F-9QXD-1".to_owned(),
        state: state.into(),
        items: vec![item.clone()],
        totals: Some(api_orders::Totals { items: money(3998), shipping: money(499), total: money(4497), ..Default::default() }),
        commission: money(480),
        shipping_method: "Standard".to_owned(),
        shipping_address: Some(address.clone()),
        placed_at: Some(kit_rpc::timestamp(time("2026-11-21T09:00:00Z"))),
        timeline: vec![api_orders::TimelineEntry { message: "Paid".to_owned(), ..Default::default() }],
        ..Default::default()
    };
    let line =
        FulfillmentLine { item_id: "itm_1".to_owned(), title: "Kilnhouse Classic Stoneware Mug 212".to_owned(), quantity: 2, ..Default::default() };
    let work = |state: FulfillmentState| FulfillmentOrder {
        sub_order_id: "sub_1".to_owned(),
        state: state.into(),
        lines: vec![line.clone()],
        ..Default::default()
    };
    let parcel = Shipment {
        shipment_id: "shp_1".to_owned(),
        carrier: "UPS".to_owned(),
        tracking_number: "1Z999AA1".to_owned(),
        state: ShipmentState::InTransit.into(),
        ..Default::default()
    };
    let shipped = FulfillmentOrder { shipments: vec![parcel], ..work(FulfillmentState::Shipped) };
    let delivered = SubOrder {
        returns: vec![
            returned::sample(api_orders::ReturnState::Requested),
            api_orders::Return { without_goods: true, answer: "For the scratch".to_owned(), ..returned::sample(api_orders::ReturnState::Refunded) },
        ],
        ..part(OrderState::ReturnRequested)
    };
    let refused = Form::default().rejected(&problem_of(&kit_rpc::violation("tracking_number", "is required")));
    vec![
        (
            "seller-orders",
            view_list(
                &seller(),
                &ListQuery::default(),
                &ListSubOrdersResponse { sub_orders: vec![part(OrderState::Paid), part(OrderState::Shipped)], next_cursor: "n".to_owned() },
            ),
        ),
        (
            "seller-orders-none",
            view_list(&seller(), &ListQuery { state: "packed".to_owned(), ..Default::default() }, &ListSubOrdersResponse::default()),
        ),
        ("seller-order-new", view(&seller(), &part(OrderState::Paid), Some(&work(FulfillmentState::Open)), &Form::default())),
        ("seller-order-packed", view(&seller(), &part(OrderState::Packed), Some(&work(FulfillmentState::Packed)), &refused)),
        (
            "seller-order-returned",
            view(&seller(), &delivered, Some(&work(FulfillmentState::Delivered)), &Form::default().wrong("amount", "Write an amount, as in 4.50.")),
        ),
        ("seller-order-shipped", view(&seller(), &part(OrderState::Shipped), Some(&shipped), &Form::default())),
    ]
}

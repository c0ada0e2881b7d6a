//! All orders of the market, and one with everything about it.

use api_orders::{
    CancelOrderRequest, GetOrderRequest, GiveRefundRequest, ListAllOrdersRequest, ListAllOrdersResponse, Order, OrderState, ReturnId, SubOrder,
};
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use kit_core::Money;
use kit_rpc::problem_of;
use maud::{Markup, html};

use super::{ListQuery, console, filter, link, moment, staff, word};
use crate::buyer::{address, timeline};
use crate::failure::Page;
use crate::returned;
use crate::seller::refundable;
use crate::session::{Here, Posted};
use crate::site::Web;
use crate::ui::{self, Tone, amount, badge, form, show};
use crate::visit::Visit;

const STATES: [(&str, &str); 8] = [
    ("payment_pending", "Payment pending"),
    ("payment_failed", "Payment failed"),
    ("confirmed", "Confirmed"),
    ("paid", "Paid"),
    ("processing", "Processing"),
    ("shipped", "Shipped"),
    ("delivered", "Delivered"),
    ("cancelled", "Cancelled"),
];
const PAGE: u32 = 25;

pub(crate) async fn list(State(site): State<Web>, here: Here, Query(wanted): Query<ListQuery>) -> Page {
    staff(&here)?;
    let state = OrderState::from_str_name(&format!("ORDER_STATE_{}", wanted.state.to_uppercase())).unwrap_or_default();
    let request =
        ListAllOrdersRequest { limit: PAGE, cursor: wanted.cursor.clone(), state: state.into(), query: wanted.query.clone(), ..Default::default() };
    let found = site.orders.clone().list_all_orders(here.ctx.request(request)).await?.into_inner();
    Ok(view_list(&here, &wanted, &found).into_response())
}

fn state_badge(state: OrderState) -> Markup {
    let tone = match state {
        OrderState::Cancelled | OrderState::PaymentFailed => Tone::Bad,
        OrderState::PaymentPending | OrderState::Created | OrderState::Reserved => Tone::Warn,
        OrderState::Delivered | OrderState::Completed => Tone::Good,
        _ => Tone::Info,
    };
    badge(tone, word(state.as_str_name(), "ORDER_STATE_"))
}

fn total(order: &Order) -> String {
    order.totals.as_ref().and_then(|totals| amount(totals.total.as_ref())).map(show::money).unwrap_or_default()
}

fn view_list(visit: &Visit, wanted: &ListQuery, found: &ListAllOrdersResponse) -> Markup {
    let body = html! {
        (filter("/operator/orders", "Order number or e-mail", &wanted.query, &STATES, &wanted.state))
        div.card.flush {
            @if found.orders.is_empty() { (ui::empty("package", "No orders", "No order matches what you asked for.", None)) } @else {
                table.table.cards {
                    thead { tr { th scope="col" { "Order" } th scope="col" { "State" } th scope="col" { "Buyer" } th.num scope="col" { "Shops" } th.num scope="col" { "Total" } th scope="col" { "Placed" } } }
                    tbody {
                        @for order in &found.orders {
                            tr {
                                th scope="row" { a.mono.nowrap href={ "/operator/orders/" (order.order_id) } { (order.number) } }
                                td data-label="State" { (state_badge(order.state())) }
                                td data-label="Buyer" { (order.email) }
                                td.num data-label="Shops" { (order.sub_orders.len()) }
                                td.num data-label="Total" { (total(order)) }
                                td data-label="Placed" { (moment(order.placed_at.as_ref())) }
                            }
                        }
                    }
                }
            }
        }
        (ui::pager(None, (!found.next_cursor.is_empty()).then(|| link("/operator/orders", &[("query", &wanted.query), ("state", &wanted.state), ("cursor", &found.next_cursor)])).as_deref()))
    };
    console(visit, "/operator/orders", "Orders", "What buyers placed, across all shops.", html! {}, body)
}

pub(crate) async fn show(State(site): State<Web>, here: Here, Path(order_id): Path<String>) -> Page {
    staff(&here)?;
    let found = site.orders.clone().get_order(here.ctx.request(GetOrderRequest { order_id, ..Default::default() })).await?.into_inner();
    Ok(view(&here, &found.order.unwrap_or_default(), &ReturnId::from(site.ids.uuid()).to_string()).into_response())
}

/// Money of one part back to the buyer, who keeps the goods.
pub(crate) async fn refund(
    State(site): State<Web>,
    here: Here,
    Path((order_id, sub_order_id)): Path<(String, String)>,
    Posted(form): Posted,
) -> Page {
    staff(&here)?;
    let back = format!("/operator/orders/{order_id}");
    let Some(amount) = form.get("currency").parse().ok().and_then(|currency| Money::parse_decimal(form.get("amount"), currency).ok()) else {
        return Ok(site.redirect(&back, Tone::Bad, "Write an amount, as in 4.50."));
    };
    let request = GiveRefundRequest { sub_order_id, return_id: form.text("return_id"), amount: Some(amount.into()), reason: form.text("reason") };
    match site.orders.clone().give_refund(here.ctx.request(request)).await {
        Ok(_) => Ok(site.redirect(&back, Tone::Good, "Given back; the buyer keeps the goods.")),
        Err(status) => Ok(site.redirect(&back, Tone::Bad, &problem_of(&status).message)),
    }
}

pub(crate) async fn cancel(State(site): State<Web>, here: Here, Path(order_id): Path<String>, Posted(form): Posted) -> Page {
    staff(&here)?;
    let back = format!("/operator/orders/{order_id}");
    let request = CancelOrderRequest { order_id, reason: form.text("reason"), ..Default::default() };
    match site.orders.clone().cancel_order(here.ctx.request(request)).await {
        Ok(_) => Ok(site.redirect(&back, Tone::Good, "Cancelled; paid money goes back to the buyer.")),
        Err(status) => Ok(site.redirect(&back, Tone::Bad, &problem_of(&status).message)),
    }
}

fn view(visit: &Visit, order: &Order, refund_id: &str) -> Markup {
    let body = html! {
        (ui::crumbs(&[("/operator/orders".to_owned(), "Orders".to_owned())], &order.number))
        div.with-aside {
            div.stack.loose {
                @for part in &order.sub_orders { (part_view(visit, order, part, refund_id)) }
                section.card { h2.mb4 { "Timeline" }
                    (timeline(&order.timeline, &order.sub_orders))
                }
            }
            aside {
                section.card.stack {
                    header.row.between { h2 { "Order" } (state_badge(order.state())) }
                    dl.facts {
                        dt { "Buyer" } dd { (order.email) }
                        dt { "Placed" } dd { (moment(order.placed_at.as_ref())) }
                        @if let Some(address) = &order.shipping_address { dt { "Ships to" } dd { (address::lines(address)) } }
                        dt { "Payment" } dd.mono.tiny { (order.payment_id) }
                    }
                    @if let Some(totals) = &order.totals {
                        dl.sums {
                            @for (name, sum) in [("Goods", &totals.items), ("Shipping", &totals.shipping), ("Tax", &totals.tax)] { @if let Some(sum) = amount(sum.as_ref()) { dt { (name) } dd { (show::money(sum)) } } }
                            dt.total { "Total" } dd.total { (total(order)) }
                            @if let Some(refunded) = amount(order.refunded.as_ref()).filter(|refunded| !refunded.is_zero()) { dt { "Refunded" } dd { (show::money(refunded)) } }
                        }
                    }
                    @if visit.may("operator:orders.write") && !matches!(order.state(), OrderState::Cancelled | OrderState::Shipped | OrderState::Delivered | OrderState::Completed) {
                        details.fold { summary { "Cancel the order…" }
                            (form::post(visit, &format!("/operator/orders/{}/cancel", order.order_id), html! { div.stack {
                                div.field { label for="reason" { "Reason" } textarea #reason name="reason" rows="3" required maxlength="300" {} p.hint { "The buyer and the shops read this." } }
                                button.btn.danger.block type="submit" { "Cancel what has not shipped" }
                            } }))
                        }
                    }
                }
            }
        }
    };
    console(visit, "/operator/orders", &order.number, "", html! {}, body)
}

fn part_view(visit: &Visit, order: &Order, part: &SubOrder, refund_id: &str) -> Markup {
    let currency = part.totals.as_ref().and_then(|totals| totals.total.as_ref()).map(|total| total.currency.clone()).unwrap_or_default();
    let field = |name: &str| format!("{name}-{}", part.sub_order_id);
    html! {
        section.card.flush {
            header { h2 { a href={ "/operator/tenants/" (part.tenant_id) } { (part.store_name) } } (state_badge(part.state())) }
            table.table.cards {
                thead { tr { th scope="col" { "Item" } th scope="col" { "SKU" } th.num scope="col" { "Quantity" } th.num scope="col" { "Sum" } th.num scope="col" { "Commission" } } }
                tbody {
                    @for item in &part.items {
                        tr {
                            th scope="row" { (item.title) @if !item.options.is_empty() { div.tiny.hush { (item.options) } } }
                            td data-label="SKU" { span.mono.tiny { (item.sku) } }
                            td.num data-label="Quantity" { (item.quantity) }
                            td.num data-label="Sum" { (amount(item.line_total.as_ref()).map(show::money).unwrap_or_default()) }
                            td.num data-label="Commission" { (amount(item.commission.as_ref()).map(show::money).unwrap_or_default()) }
                        }
                    }
                }
            }
            @for shipment in &part.shipments { footer.small { (ui::icon("truck")) " " (shipment.carrier) " " span.mono { (shipment.tracking_number) } ", " (word(&shipment.state, "")) } }
            @if !part.cancel_reason.is_empty() { footer.small { "Cancelled by " (part.cancelled_by) ": " (part.cancel_reason) } }
            @for shown in &part.returns {
                footer.small.row.between {
                    span { a href={ "/operator/returns/" (shown.return_id) } { (returned::goods(shown)) } " " (returned::state_badge(shown)) }
                    span.num { (amount(shown.amount.as_ref()).map(show::money).unwrap_or_default()) }
                }
            }
            @if visit.may("operator:orders.write") && refundable(part.state()) && !currency.is_empty() {
                footer { details.fold { summary { "Give some money back…" }
                    (form::post(visit, &format!("/operator/orders/{}/parts/{}/refund", order.order_id, part.sub_order_id), html! { div.stack {
                        input type="hidden" name="return_id" value=(refund_id);
                        input type="hidden" name="currency" value=(currency);
                        div.field { label for=(field("amount")) { "How much, in " (currency) } input.input id=(field("amount")) name="amount" inputmode="decimal" required; }
                        div.field { label for=(field("for")) { "What for" } textarea id=(field("for")) name="reason" rows="2" required maxlength="500" {} p.hint { "The buyer reads this and keeps the goods." } }
                        button.btn.outline type="submit" { "Give it back" }
                    } }))
                } }
            }
        }
    }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::operator;
    let money = |amount_minor| Some(kit_rpc::proto::Money { amount_minor, currency: "USD".to_owned() });
    let item = api_orders::Item {
        title: "Kilnhouse Classic Stoneware Mug 212".to_owned(),
        options: "Volume: 250 ml".to_owned(),
        sku: "D01-000".to_owned(),
        quantity: 2,
        line_total: money(3998),
        commission: money(480),
        ..Default::default()
    };
    let part = SubOrder {
        store_name: "Kiln & Clay".to_owned(),
        tenant_id: "ten_1".to_owned(),
        state: OrderState::Processing.into(),
        items: vec![item],
        totals: Some(api_orders::Totals { total: money(4497), ..Default::default() }),
        returns: vec![returned::sample(api_orders::ReturnState::Requested)],
        ..Default::default()
    };
    let order = Order {
        order_id: "ord_1".to_owned(),
        number: "MH-2026-7K3F-9QXD".to_owned(),
        state: OrderState::Processing.into(),
        email: "ann@example.com".to_owned(),
        totals: Some(api_orders::Totals { items: money(3998), shipping: money(499), tax: money(0), total: money(4497), ..Default::default() }),
        sub_orders: vec![part],
        ..Default::default()
    };
    vec![
        (
            "operator-orders",
            view_list(&operator(), &ListQuery::default(), &ListAllOrdersResponse { orders: vec![order.clone()], next_cursor: String::new() }),
        ),
        ("operator-orders-none", view_list(&operator(), &ListQuery::default(), &ListAllOrdersResponse::default())),
        ("operator-order", view(&operator(), &order, "ret_1")),
    ]
}

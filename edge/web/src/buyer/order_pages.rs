//! The pages of an order.

use api_orders::{Cancellation, ListOrdersResponse, NextActionKind, Order, OrderState, RefundState, Shipment, SubOrder, TimelineEntry};
use maud::{Markup, html};

use crate::buyer::address;
use crate::buyer::change;
use crate::buyer::checkout_pages::{item_line, sums};
use crate::buyer::paying::{CardAnswer, Means};
use crate::buyer::paying_pages::{card_words, choice, hidden};
use crate::buyer::returning;
use crate::buyer::shelves;
use crate::ui::form::{self, Form};
use crate::ui::{self, Head, Progress, Tone, amount, icon, show};
use crate::visit::Visit;

/// How the visitor came to the order.
pub(crate) struct Access<'a> {
    /// The link's token; empty for the buyer.
    pub(crate) token: &'a str,
    pub(crate) just_placed: bool,
}

/// "/orders/ord_…/live?access_token=…".
pub(crate) fn address_of(order_id: &str, step: &str, token: &str) -> String {
    let step = if step.is_empty() { String::new() } else { format!("/{step}") };
    if token.is_empty() { format!("/orders/{order_id}{step}") } else { format!("/orders/{order_id}{step}?access_token={token}") }
}

/// What a state is called, and how it sounds.
pub(crate) const fn state_words(state: OrderState) -> (&'static str, Tone) {
    match state {
        OrderState::Unspecified | OrderState::Created => ("Being placed", Tone::Plain),
        OrderState::Reserved => ("Reserved", Tone::Info),
        OrderState::PaymentPending => ("Waiting for payment", Tone::Warn),
        OrderState::PaymentFailed => ("Payment failed", Tone::Bad),
        OrderState::Confirmed => ("Confirmed", Tone::Info),
        OrderState::Paid => ("Paid", Tone::Info),
        OrderState::Processing => ("In preparation", Tone::Info),
        OrderState::Packed => ("Packed", Tone::Info),
        OrderState::Shipped => ("On its way", Tone::Info),
        OrderState::Delivered => ("Delivered", Tone::Good),
        OrderState::Completed => ("Completed", Tone::Good),
        OrderState::Cancelled => ("Cancelled", Tone::Plain),
        OrderState::ReturnRequested => ("Return requested", Tone::Warn),
        OrderState::ReturnApproved => ("Return approved", Tone::Info),
        OrderState::ReturnReceived => ("Return received", Tone::Info),
        OrderState::Refunded => ("Refunded", Tone::Plain),
    }
}

pub(crate) fn state_badge(state: OrderState) -> Markup {
    let (words, tone) = state_words(state);
    ui::badge(tone, words)
}

pub(crate) fn order(visit: &Visit, order: &Order, access: &Access<'_>) -> Markup {
    let head = Head { title: &order.number, tab: "orders", scripts: &["live.js"], ..Head::default() };
    let confirmed = access.just_placed && order.next_action.as_ref().is_none_or(|action| action.kind() == NextActionKind::None);
    let placed_at = order.placed_at.as_ref().map(kit_rpc::time);
    ui::page(
        visit,
        &head,
        html! {
            @if confirmed {
                div.confirm {
                    span.seal { (icon("check")) }
                    h1 { "Thank you. It is ordered." }
                    p.lead {
                        "Your number is "
                        span.order-number { (order.number) }
                        ". We wrote to "
                        strong { (order.email) }
                        ", and this page follows every parcel."
                    }
                    @if !visit.viewer.signed_in { p.small { a href="/sign-up?next=%2Forders" { "Make an account" } " to keep this order with you." } }
                }
            } @else {
                @if visit.ctx.user().is_some() && access.token.is_empty() {
                    (ui::crumbs(&[("/orders".to_owned(), "Orders".to_owned())], &order.number))
                }
                div.page-head {
                    div { h1 { "Order " span.order-number { (order.number) } } p { @if let Some(at) = placed_at { "Placed " (show::moment(at)) } } }
                }
            }
            div data-live=(address_of(&order.order_id, "live", access.token)) { (changing(visit, order, access)) }
            @if access.token.is_empty() { (shelves::later(&format!("order/{}", order.order_id))) }
        },
    )
}

/// The part of the page that live updates replace.
pub(crate) fn changing(visit: &Visit, order: &Order, access: &Access<'_>) -> Markup {
    html! {
        div.with-aside {
            div.stack.loose {
                (payment_notice(order, access))
                @for part in &order.sub_orders { (part_view(visit, order, part, access)) }
            }
            aside.stack {
                section.card.stack {
                    div.row.between { h2 { "Total" } (state_badge(order.state())) }
                    (sums(order.totals.as_ref()))
                    @if let Some(refunded) = amount(order.refunded.as_ref()).filter(|refunded| !refunded.is_zero()) {
                        p.small.good-ink { (show::money(refunded)) " goes back to your card." }
                    }
                    @if invoiced(order.state()) {
                        a.btn.outline.block href=(address_of(&order.order_id, "invoice", access.token)) { (icon("file-text")) "Invoice (PDF)" }
                    }
                    @if cancellable(order) {
                        (cancel_form(visit, &address_of(&order.order_id, "cancel", ""), access.token, "Cancel the whole order", "Cancel everything in this order?"))
                    }
                }
                section.card {
                    div.row.between.mb2 {
                        h2 { "Goes to" }
                        @if change::may_move(order) && visit.ctx.user().is_some() && access.token.is_empty() {
                            a.btn.quiet.small href=(address_of(&order.order_id, "address", "")) { (icon("pencil")) "Change" }
                        }
                    }
                    (address::lines(&order.shipping_address.clone().unwrap_or_default()))
                    p.small.hush.mt2 { (order.email) }
                }
                @if !order.timeline.is_empty() { section.card { h2.mb4 { "What happened" } (timeline(&order.timeline, &order.sub_orders)) } }
            }
        }
    }
}

const fn invoiced(state: OrderState) -> bool {
    matches!(
        state,
        OrderState::Paid | OrderState::Processing | OrderState::Packed | OrderState::Shipped | OrderState::Delivered | OrderState::Completed
    ) || has_arrived(state)
}

/// Whatever came back since.
const fn has_arrived(state: OrderState) -> bool {
    matches!(
        state,
        OrderState::Delivered
            | OrderState::Completed
            | OrderState::ReturnRequested
            | OrderState::ReturnApproved
            | OrderState::ReturnReceived
            | OrderState::Refunded
    )
}

/// Nothing of it has left a shop yet. The service decides; this only spares a button that cannot work.
fn cancellable(order: &Order) -> bool {
    order.sub_orders.iter().any(|part| part_cancellable(part.state()))
        && !matches!(order.state(), OrderState::Cancelled | OrderState::Shipped | OrderState::Delivered | OrderState::Completed)
}

const fn part_cancellable(state: OrderState) -> bool {
    matches!(
        state,
        OrderState::Created
            | OrderState::Reserved
            | OrderState::PaymentPending
            | OrderState::PaymentFailed
            | OrderState::Confirmed
            | OrderState::Paid
            | OrderState::Processing
            | OrderState::Packed
    )
}

fn cancel_form(visit: &Visit, action: &str, token: &str, label: &str, question: &str) -> Markup {
    form::post(
        visit,
        action,
        html! {
            input type="hidden" name="access_token" value=(token);
            button.btn.quiet.danger.small type="submit" data-confirm=(question) { (icon("ban")) (label) }
        },
    )
}

fn payment_notice(order: &Order, access: &Access<'_>) -> Markup {
    let Some(action) = &order.next_action else { return cancelled_notice(order) };
    let pay = address_of(&order.order_id, "pay", access.token);
    let until =
        html! { @if let Some(until) = &order.pay_until { p.small { "Everything is held for you until " (show::moment(kit_rpc::time(until))) "." } } };
    match action.kind() {
        NextActionKind::Redirect => ui::notice(
            Tone::Warn,
            html! {
                strong { @if action.url.starts_with("http") { "Your bank wants to hear from you." } @else { "Confirm the payment in your app." } }
                " " (action.message) (until)
                p.mt2 { a.btn.small href=(action.url) { "Confirm the payment" } " " a.btn.small.quiet href=(pay) { "Pay another way" } }
            },
        ),
        NextActionKind::Wait => ui::notice(
            Tone::Info,
            html! { strong { "The payment is on its way." } " This page tells you as soon as it has arrived; you need not wait here." },
        ),
        NextActionKind::Retry => ui::notice(
            Tone::Bad,
            html! {
                strong { @if action.message.is_empty() { "The payment did not go through." } @else { (action.message) } }
                " Nothing was charged." (until)
                p.mt2 { a.btn.small href=(pay) { "Pay with another card" } }
            },
        ),
        NextActionKind::None | NextActionKind::Unspecified => cancelled_notice(order),
    }
}

fn cancelled_notice(order: &Order) -> Markup {
    html! {
        @if order.state() == OrderState::Cancelled {
            (ui::notice(Tone::Info, html! { strong { "This order is cancelled." } @if !order.cancel_reason.is_empty() { " " (order.cancel_reason) } }))
        }
    }
}

const STEPS: [(OrderState, &str, &str); 5] = [
    (OrderState::Paid, "check", "Ordered"),
    (OrderState::Processing, "clock", "Accepted"),
    (OrderState::Packed, "package", "Packed"),
    (OrderState::Shipped, "truck", "Shipped"),
    (OrderState::Delivered, "package-check", "Delivered"),
];

/// How far a part has come on its five steps.
fn progress(state: OrderState, step: OrderState) -> Progress {
    let rank = |state: OrderState| match state {
        OrderState::Paid => 1,
        OrderState::Processing => 2,
        OrderState::Packed => 3,
        OrderState::Shipped => 4,
        state if has_arrived(state) => 5,
        _ => 0,
    };
    match rank(state).cmp(&rank(step)) {
        std::cmp::Ordering::Greater => Progress::Done,
        std::cmp::Ordering::Equal if step == OrderState::Delivered => Progress::Done,
        std::cmp::Ordering::Equal => Progress::Now,
        std::cmp::Ordering::Less => Progress::Ahead,
    }
}

fn track(state: OrderState) -> Markup {
    html! {
        ol.track {
            @for (step, picture, word) in STEPS {
                @let at = progress(state, step);
                li class=(at.class()) aria-current=[(at == Progress::Now).then_some("step")] {
                    span.dot { (icon(if at == Progress::Done { "check" } else { picture })) }
                    span { (word) }
                }
            }
        }
    }
}

fn part_view(visit: &Visit, order: &Order, part: &SubOrder, access: &Access<'_>) -> Markup {
    let state = part.state();
    let cancelled = state == OrderState::Cancelled;
    html! {
        section.parcel id=(part.sub_order_id) {
            header { h2 { (icon("store")) (part.store_name) } (state_badge(state)) }
            div.inside.stack {
                @if cancelled { (cancelled_part(part)) } @else if invoiced(state) || state == OrderState::Confirmed { (track(state)) }
                @for shipment in &part.shipments { (shipment_view(shipment)) }
                div { @for item in &part.items { (item_line(item)) } }
                @for cancellation in part.cancellations.iter().filter(|cancellation| !cancellation.whole) { (cancelled_pieces(part, cancellation)) }
                (returning::of_part(part, access.token))
                @if let Some(elsewhere) = &part.shipping_address { div.small { strong { "This part goes to" } (address::lines(elsewhere)) } }
            }
            footer {
                span.row.tight { (icon("truck")) (part.shipping_method) (window(part)) }
                @if change::may_shrink(state) && visit.ctx.user().is_some() && access.token.is_empty() {
                    a.btn.quiet.small href={ "/orders/" (order.order_id) "/parts/" (part.sub_order_id) "/items" } { (icon("minus")) "Fewer pieces" }
                }
                @if order.sub_orders.len() > 1 && invoiced(state) && state != OrderState::Completed {
                    @let separator = if access.token.is_empty() { "?" } else { "&" };
                    a.btn.quiet.small href={ (address_of(&order.order_id, "invoice", access.token)) (separator) "part=" (part.sub_order_id) } { (icon("file-text")) "Invoice of this part" }
                }
                @if returning::may_return(visit, part) {
                    a.btn.quiet.small href=(address_of(&order.order_id, &format!("parts/{}/return", part.sub_order_id), access.token)) { (icon("rotate-ccw")) "Send something back" }
                }
                @if part_cancellable(state) && order.sub_orders.len() > 1 && access.token.is_empty() {
                    (cancel_form(visit, &format!("/orders/{}/parts/{}/cancel", order.order_id, part.sub_order_id), access.token, "Cancel this part", &format!("Cancel the part of {}?", part.store_name)))
                }
            }
        }
    }
}

/// ", 24 Nov 2026 – 27 Nov 2026".
fn window(part: &SubOrder) -> Markup {
    html! {
        @if let (Some(from), Some(by)) = (&part.deliver_from, &part.deliver_by) {
            @if part.shipments.iter().all(|shipment| shipment.delivered_at.is_none()) {
                span.hush { "expected " (show::date(kit_rpc::time(from))) " – " (show::date(kit_rpc::time(by))) }
            }
        }
    }
}

fn cancelled_part(part: &SubOrder) -> Markup {
    let by = match part.cancelled_by.as_str() {
        "buyer" => "You cancelled this part.",
        "seller" => "The shop cancelled this part.",
        _ => "This part is cancelled.",
    };
    let refunded = amount(part.refunded.as_ref()).map(show::money).unwrap_or_default();
    html! {
        (ui::notice(Tone::Info, html! {
            strong { (by) } @if !part.cancel_reason.is_empty() { " “" (part.cancel_reason) "”" }
            @match part.refund_state() {
                RefundState::Pending => p.small { "Its share is on its way back to your card." },
                RefundState::Done => p.small { (refunded) " went back to your card." },
                RefundState::Failed => p.small { "The refund needs a person to look at it; we are on it." },
                RefundState::None | RefundState::Unspecified => {},
            }
        }))
    }
}

/// "1 × Mug cancelled by the shop."
fn cancelled_pieces(part: &SubOrder, cancellation: &Cancellation) -> Markup {
    let by = match cancellation.cancelled_by.as_str() {
        "buyer" => "You cancelled",
        "seller" => "The shop cancelled",
        _ => "Cancelled:",
    };
    let named = cancellation.lines.iter().filter_map(|line| {
        let item = part.items.iter().find(|item| item.item_id == line.item_id)?;
        Some(format!("{} × {}", line.quantity, item.title))
    });
    let back = amount(cancellation.amount.as_ref()).map(show::money).unwrap_or_default();
    html! {
        (ui::notice(Tone::Info, html! {
            strong { (by) } " " (named.collect::<Vec<_>>().join(", ")) "." @if !cancellation.reason.is_empty() { " “" (cancellation.reason) "”" }
            @match cancellation.refund_state() {
                RefundState::Pending => p.small { (back) " is on its way back to your card." },
                RefundState::Done => p.small { (back) " went back to your card." },
                RefundState::Failed => p.small { "The refund needs a person to look at it; we are on it." },
                RefundState::None | RefundState::Unspecified => @if !cancellation.stopped { p.small { "We are asking the shop." } },
            }
        }))
    }
}

fn shipment_view(shipment: &Shipment) -> Markup {
    let words = match shipment.state.as_str() {
        "in_transit" => "In transit",
        "out_for_delivery" => "Out for delivery",
        "delivery_failed" => "Delivery failed",
        "delivered" => "Delivered",
        _ => "Handed to the carrier",
    };
    html! {
        div.card.soft.stack.tight {
            div.row.between {
                span.strong.row.tight { (icon("package")) (words) }
                span.small {
                    (shipment.carrier) " "
                    @if shipment.tracking_url.starts_with("https://") || shipment.tracking_url.starts_with("http://") {
                        a.mono href=(shipment.tracking_url) rel="noreferrer" { (shipment.tracking_number) }
                    } @else {
                        span.mono { (shipment.tracking_number) }
                    }
                }
            }
            @if !shipment.events.is_empty() {
                ol.timeline.mt2 {
                    @for (index, event) in shipment.events.iter().rev().enumerate() {
                        li class=(if index == 0 { "now" } else { "done" }) {
                            span.dot { (icon(if event.state == "delivered" { "package-check" } else { "circle-dot" })) }
                            div {
                                p.what { @if event.message.is_empty() { (event.state.replace('_', " ")) } @else { (event.message) } }
                                p.when {
                                    @if let Some(at) = &event.at { (show::moment(kit_rpc::time(at))) }
                                    @if !event.place.is_empty() { " · " (event.place) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Newest first; where several parts are told of, each entry with its shop.
pub(crate) fn timeline(entries: &[TimelineEntry], parts: &[SubOrder]) -> Markup {
    let shop = |entry: &TimelineEntry| {
        let part = parts.iter().filter(|_| parts.len() > 1).find(|part| part.sub_order_id == entry.sub_order_id)?;
        (!entry.message.contains(&part.store_name)).then(|| part.store_name.clone())
    };
    html! {
        ol.timeline {
            @for entry in entries.iter().rev() {
                @let stopped = matches!(entry.kind.as_str(), "cancelled" | "payment_failed" | "refund_failed");
                li class=(if stopped { Progress::Stopped.class() } else { Progress::Done.class() }) {
                    span.dot { (icon(if stopped { "x" } else { "check" })) }
                    div { p.what { (entry.message) } p.when { @if let Some(at) = &entry.at { (show::moment(kit_rpc::time(at))) } @if let Some(shop) = shop(entry) { " · " (shop) } } }
                }
            }
        }
    }
}

/// The card form for an order whose payment failed.
pub(crate) fn pay(visit: &Visit, order: &Order, token: &str, means: &Means, form: &Form) -> Markup {
    let review = address_of(&order.order_id, "pay", "");
    let body = html! {
        div.medium {
            h1 { "Pay for " span.order-number { (order.number) } }
            p.soft-ink.mt2.mb6 {
                @if let Some(total) = order.totals.as_ref().and_then(|totals| amount(totals.total.as_ref())) { (show::money(total)) " · " }
                "Nothing has been charged so far."
            }
            (choice(visit, means, form, &review, &[("access_token", token)], "Go on"))
        }
    };
    ui::checkout_frame(visit, &Head { title: "Pay", scripts: &["card.js"], ..Head::default() }, body)
}

pub(crate) fn pay_with(visit: &Visit, order: &Order, token: &str, card: &CardAnswer, form: &Form) -> Markup {
    let total = order.totals.as_ref().and_then(|totals| amount(totals.total.as_ref()));
    let fields = html! {
        (hidden(card))
        input type="hidden" name="access_token" value=(token);
        button.btn.large.block type="submit" { "Pay" @if let Some(total) = total { " " (show::money(total)) } }
    };
    let body = html! {
        div.narrow.stack {
            h1 { "Pay for " span.order-number { (order.number) } }
            (form.summary())
            section.card.stack {
                p.row.tight { (icon("credit-card")) (card_words(card)) }
                (form::post(visit, &address_of(&order.order_id, "pay", ""), fields))
            }
            p { a.btn.quiet href=(address_of(&order.order_id, "pay", token)) { (icon("arrow-left")) "Another card" } }
        }
    };
    ui::checkout_frame(visit, &Head { title: "Pay", ..Head::default() }, body)
}

pub(crate) fn list(visit: &Visit, found: &ListOrdersResponse, later: bool) -> Markup {
    let head = Head { title: "Orders", tab: "orders", ..Head::default() };
    let next = (!found.next_cursor.is_empty()).then(|| format!("/orders?cursor={}", found.next_cursor));
    ui::page(
        visit,
        &head,
        html! {
            div.medium {
                div.page-head { h1 { "Orders" } }
                @if found.orders.is_empty() {
                    (ui::empty("package", "No orders yet", "When you order something, you can follow it here.", Some(("/search", "Browse everything"))))
                } @else {
                    ul.stack { @for order in &found.orders { li { (order_row(order)) } } }
                    (ui::pager(later.then_some("/orders"), next.as_deref()))
                }
            }
        },
    )
}

/// Pictures shown of one order.
const SHOTS: usize = 6;

fn order_row(order: &Order) -> Markup {
    let items = || order.sub_orders.iter().flat_map(|part| &part.items);
    let shops: Vec<&str> = order.sub_orders.iter().map(|part| part.store_name.as_str()).collect();
    html! {
        article.order-row {
            div.head {
                div {
                    h2 { a.order-number href=(address_of(&order.order_id, "", "")) { (order.number) } }
                    p.small.hush { @if let Some(at) = &order.placed_at { (show::date(kit_rpc::time(at))) " · " } (shops.join(", ")) }
                }
                div.row {
                    (state_badge(order.state()))
                    @if let Some(total) = order.totals.as_ref().and_then(|totals| amount(totals.total.as_ref())) {
                        span.num.strong { (show::money(total)) }
                    }
                }
            }
            div.shots { @for item in items().take(SHOTS) { (ui::picture_at(&item.image_url, "", &item.title)) } }
        }
    }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::buyer::sample::{means, order as sample_order};
    use crate::visit::sample;
    let own = |just_placed| Access { token: "", just_placed };
    let card = CardAnswer { payment_token: "tok_1".to_owned(), brand: "visa".to_owned(), last4: "4242".to_owned(), ..CardAnswer::default() };
    let mut failed = sample_order();
    failed.state = OrderState::PaymentFailed.into();
    failed.next_action = Some(api_orders::NextAction {
        kind: NextActionKind::Retry.into(),
        message: "Your bank declined the payment.".to_owned(),
        ..Default::default()
    });
    for part in &mut failed.sub_orders {
        part.state = OrderState::PaymentFailed.into();
        part.shipments.clear();
    }
    let mut challenge = failed.clone();
    challenge.next_action =
        Some(api_orders::NextAction { kind: NextActionKind::Redirect.into(), url: "http://127.0.0.1:8082/3ds".to_owned(), ..Default::default() });
    let mut waiting = failed.clone();
    waiting.next_action = Some(api_orders::NextAction { kind: NextActionKind::Wait.into(), ..Default::default() });
    let mut cancelled = sample_order();
    cancelled.state = OrderState::Cancelled.into();
    cancelled.cancel_reason = crate::buyer::sample::LONG.to_owned();
    let mut placed = sample_order();
    for part in &mut placed.sub_orders {
        part.state = OrderState::Paid.into();
        part.shipments.clear();
    }
    let mut delivered = sample_order();
    delivered.state = OrderState::ReturnRequested.into();
    for part in delivered.sub_orders.iter_mut().take(2) {
        part.state = OrderState::ReturnRequested.into();
        part.returnable_until = delivered.placed_at.map(|at| prost_types::Timestamp { seconds: at.seconds + 30 * 24 * 3600, ..at });
        part.returns = vec![
            crate::returned::sample(api_orders::ReturnState::Requested),
            api_orders::Return {
                without_goods: true,
                answer: "For the scratch".to_owned(),
                ..crate::returned::sample(api_orders::ReturnState::Refunded)
            },
        ];
    }
    let found = ListOrdersResponse { orders: vec![sample_order(), failed.clone(), cancelled.clone()], next_cursor: "x".to_owned() };
    vec![
        ("order", order(&sample::buyer(), &sample_order(), &own(false))),
        ("order-by-link", order(&sample::nobody(), &sample_order(), &Access { token: "t0ken", just_placed: false })),
        ("order-placed", order(&sample::nobody(), &placed, &own(true))),
        ("order-failed", order(&sample::buyer(), &failed, &own(false))),
        ("order-challenge", order(&sample::buyer(), &challenge, &own(true))),
        ("order-waiting", order(&sample::buyer(), &waiting, &own(true))),
        ("order-cancelled", order(&sample::buyer(), &cancelled, &own(false))),
        ("order-delivered", order(&sample::buyer(), &delivered, &own(false))),
        ("order-pay", pay(&sample::buyer(), &failed, "", &means(), &Form::default())),
        ("order-pay-with", pay_with(&sample::buyer(), &failed, "t0ken", &card, &Form::default())),
        ("orders", list(&sample::buyer(), &found, true)),
        ("orders-empty", list(&sample::buyer(), &ListOrdersResponse::default(), false)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shipped_part_has_three_steps_behind_it() {
        let at = |step| progress(OrderState::Shipped, step);
        assert_eq!(
            [OrderState::Paid, OrderState::Packed, OrderState::Shipped, OrderState::Delivered].map(at),
            [Progress::Done, Progress::Done, Progress::Now, Progress::Ahead]
        );
        assert_eq!(progress(OrderState::Completed, OrderState::Delivered), Progress::Done);
        assert_eq!(progress(OrderState::Confirmed, OrderState::Paid), Progress::Ahead);
    }
}

//! Messages to buyers about their orders, always sent, and to sellers about their sales.

use api_orders::{
    Item, ItemsCancelled, OrderCancelled, OrderPaymentFailed, OrderPlaced, OrderRef, Shipment, SubOrderCancelled, SubOrderConfirmed,
    SubOrderProgressed, SubOrderReaddressed, SubOrderRefundFailed, SubOrderRefunded,
};

use super::{Message, Site, Topic, hello, moment, money};
use crate::letter::Letter;

fn to_buyer(template: &'static str, letter: Letter) -> Message {
    Message { template, topic: Topic::Orders, letter }
}

fn to_seller(template: &'static str, letter: Letter) -> Message {
    Message { template, topic: Topic::Sales, letter }
}

/// Where a buyer follows the order without signing in.
fn track(site: &Site, order: &OrderRef) -> String {
    site.link(&format!("/track/{}?access_token={}", order.number, order.access_token))
}

fn goods(letter: Letter, items: &[Item]) -> Letter {
    items.iter().fold(letter, |letter, item| {
        let what = if item.options.is_empty() { item.title.clone() } else { format!("{} ({})", item.title, item.options) };
        letter.row(format!("{} × {what}", item.quantity), money(item.line_total.as_ref()))
    })
}

pub(crate) fn placed(site: &Site, order: &OrderRef, event: &OrderPlaced) -> Message {
    let placed = event.order.clone().unwrap_or_default();
    let sellers = placed.sub_orders.len();
    let mut letter = Letter::new(format!("Your order {}", order.number), hello(&order.name)).say(if sellers == 1 {
        format!("Thank you. Your order {} is confirmed.", order.number)
    } else {
        format!("Thank you. Your order {} is confirmed. {sellers} sellers send their parts separately.", order.number)
    });
    for part in &placed.sub_orders {
        letter = goods(letter.row(format!("From {}", part.store_name), part.shipping_method.clone()), &part.items);
    }
    if let Some(totals) = &placed.totals {
        letter = letter.row("Shipping", money(totals.shipping.as_ref())).row("Total", money(totals.total.as_ref()));
    }
    to_buyer("order_placed", letter.action("Follow your order", track(site, order)))
}

pub(crate) fn payment_failed(site: &Site, order: &OrderRef, event: &OrderPaymentFailed) -> Message {
    let letter = Letter::new(format!("The payment for order {} did not go through", order.number), hello(&order.name))
        .say(format!("We could not take the payment for your order {}. Nothing was charged.", order.number))
        .say_of("The bank said: ", &event.reason)
        .say_of("The goods are held for you until ", &moment(event.pay_until.as_ref()))
        .action("Pay in another way", track(site, order));
    to_buyer("order_payment_failed", letter)
}

pub(crate) fn cancelled(site: &Site, order: &OrderRef, event: &OrderCancelled) -> Message {
    let letter = Letter::new(format!("Order {} is cancelled", order.number), hello(&order.name))
        .say(format!("Your order {} is cancelled. What was charged goes back the way it came.", order.number))
        .say_of("The reason: ", &event.reason)
        .action("See the order", track(site, order));
    to_buyer("order_cancelled", letter)
}

fn parcel(letter: Letter, shipment: &Shipment) -> Letter {
    let letter = if shipment.carrier.is_empty() { letter } else { letter.row("Carrier", shipment.carrier.clone()) };
    if shipment.tracking_number.is_empty() { letter } else { letter.row("Tracking number", shipment.tracking_number.clone()) }
}

pub(crate) fn shipped(site: &Site, order: &OrderRef, event: &SubOrderProgressed) -> Message {
    let letter = Letter::new(format!("{} has sent your goods", event.store_name), hello(&order.name))
        .say(format!("{} has sent its part of your order {}.", event.store_name, order.number));
    let letter = event.shipment.iter().fold(letter, parcel);
    to_buyer("sub_order_shipped", letter.action("Follow it", track(site, order)))
}

pub(crate) fn delivered(site: &Site, order: &OrderRef, event: &SubOrderProgressed) -> Message {
    let letter = Letter::new(format!("Your goods from {} have arrived", event.store_name), hello(&order.name))
        .say(format!("The part of your order {} that {} sent was delivered.", order.number, event.store_name))
        .action("See the order", track(site, order));
    to_buyer("sub_order_delivered", letter)
}

pub(crate) fn part_cancelled(site: &Site, order: &OrderRef, event: &SubOrderCancelled) -> Message {
    let letter = Letter::new(format!("Part of order {} is cancelled", order.number), hello(&order.name))
        .say(format!("The part of your order {} from {} is cancelled. Everything else goes on.", order.number, event.store_name))
        .say_of("The reason: ", &event.reason);
    let letter = going_back(goods(letter, &event.items), event.refund_due.as_ref());
    to_buyer("sub_order_cancelled", letter.action("See the order", track(site, order)))
}

fn going_back(letter: Letter, refund: Option<&kit_rpc::proto::Money>) -> Letter {
    let refund = money(refund);
    if refund.is_empty() { letter } else { letter.row("Goes back to you", refund) }
}

pub(crate) fn items_cancelled(site: &Site, order: &OrderRef, event: &ItemsCancelled) -> Message {
    let letter = Letter::new(format!("Fewer items in order {}", order.number), hello(&order.name))
        .say(format!("These items from {} were taken out of your order {}. Everything else goes on.", event.store_name, order.number))
        .say_of("The reason: ", &event.reason);
    let letter = going_back(goods(letter, &event.items), event.refund_due.as_ref());
    to_buyer("items_cancelled", letter.action("See the order", track(site, order)))
}

pub(crate) fn readdressed(site: &Site, order: &OrderRef, event: &SubOrderReaddressed) -> Message {
    let letter = Letter::new(format!("New address for order {}", order.number), hello(&order.name))
        .say(format!("The goods from {} in your order {} go to another address now.", event.store_name, order.number));
    let letter = address(letter, event)
        .action("See the order", track(site, order))
        .note("If it was not you who changed it, change it back or cancel the order before it is packed.");
    to_buyer("sub_order_readdressed", letter)
}

fn address(letter: Letter, event: &SubOrderReaddressed) -> Letter {
    let to = event.shipping_address.clone().unwrap_or_default();
    let place = [to.line1, to.line2, format!("{} {}", to.postal_code, to.city), to.subdivision, to.country];
    let place: Vec<&str> = place.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
    letter.say(format!("{}, {}", to.name, place.join(", ")))
}

pub(crate) fn refunded(site: &Site, order: &OrderRef, event: &SubOrderRefunded) -> Message {
    let letter = Letter::new(format!("Money back for order {}", order.number), hello(&order.name))
        .say(format!(
            "We have sent {} back to you for your order {}. Your bank may need a few days to show it.",
            money(event.amount.as_ref()),
            order.number
        ))
        .action("See the order", track(site, order));
    to_buyer("sub_order_refunded", letter)
}

pub(crate) fn sale(site: &Site, event: &SubOrderConfirmed) -> Message {
    let part = event.sub_order.clone().unwrap_or_default();
    let letter = Letter::new(format!("New order {}", part.number), format!("{} has a new order", part.store_name))
        .say(format!("Order {} is paid for and waits for you.", part.number));
    let letter = goods(letter, &part.items);
    let letter = part.totals.iter().fold(letter, |letter, totals| letter.row("Total", money(totals.total.as_ref())));
    to_seller("sale", letter.action("Open the order", site.link(&format!("/seller/orders/{}", part.sub_order_id))).note(&site.switch_off()))
}

pub(crate) fn sale_cancelled(site: &Site, order: &OrderRef, event: &SubOrderCancelled) -> Message {
    let by = if event.cancelled_by.is_empty() { "market" } else { &event.cancelled_by };
    let letter = Letter::new(format!("Order {} is cancelled", order.number), format!("An order of {} is cancelled", event.store_name))
        .say(format!("Your part of order {} was cancelled by the {by}. Please do not send it; the stock is free again.", order.number))
        .say_of("The reason: ", &event.reason)
        .action("Open the order", site.link(&format!("/seller/orders/{}", event.sub_order_id)))
        .note(&site.switch_off());
    to_seller("sale_cancelled", letter)
}

pub(crate) fn sale_reduced(site: &Site, order: &OrderRef, event: &ItemsCancelled) -> Message {
    let by = if event.cancelled_by.is_empty() { "market" } else { &event.cancelled_by };
    let letter = Letter::new(format!("Fewer items in order {}", order.number), format!("{} has an order that became smaller", event.store_name))
        .say(format!("These items of order {} were cancelled by the {by}. Please do not send them; the stock is free again.", order.number))
        .say_of("The reason: ", &event.reason);
    let letter =
        goods(letter, &event.items).action("Open the order", site.link(&format!("/seller/orders/{}", event.sub_order_id))).note(&site.switch_off());
    to_seller("sale_reduced", letter)
}

pub(crate) fn sale_readdressed(site: &Site, order: &OrderRef, event: &SubOrderReaddressed) -> Message {
    let letter = Letter::new(format!("New address for order {}", order.number), format!("{} ships an order elsewhere", event.store_name))
        .say(format!("The buyer changed where order {} goes. A packing slip that was printed before shows the old address.", order.number));
    let letter =
        address(letter, event).action("Open the order", site.link(&format!("/seller/orders/{}", event.sub_order_id))).note(&site.switch_off());
    to_seller("sale_readdressed", letter)
}

/// To operators: money that did not go back needs a person.
pub(crate) fn refund_failed(site: &Site, order: &OrderRef, event: &SubOrderRefundFailed) -> Message {
    let letter = Letter::new(format!("A refund for order {} failed", order.number), "A refund failed")
        .say(format!(
            "{} should have gone back to the buyer of order {}, and the payment provider refused.",
            money(event.amount.as_ref()),
            order.number
        ))
        .say_of("The provider said: ", &event.reason)
        .action("Open the order", site.link(&format!("/operator/orders/{}", order.order_id)));
    to_buyer("refund_failed", letter)
}

//! Messages about returns: to buyers always, to sellers like their sales.

use api_orders::{OrderRef, Return, ReturnMoved};
use kit_rpc::proto::Address;

use super::{Message, Site, Topic, hello, moment, money};
use crate::letter::Letter;

fn parts(event: &ReturnMoved) -> (OrderRef, Return) {
    (event.r#ref.clone().unwrap_or_default(), event.r#return.clone().unwrap_or_default())
}

fn to_buyer(template: &'static str, site: &Site, order: &OrderRef, shown: &Return, letter: Letter) -> Message {
    let path = if shown.without_goods {
        format!("/track/{}?access_token={}", order.number, order.access_token)
    } else {
        format!("/returns/{}?access_token={}", shown.return_id, order.access_token)
    };
    let label = if shown.without_goods { "See the order" } else { "See the return" };
    Message { template, topic: Topic::Orders, letter: letter.action(label, site.link(&path)) }
}

fn to_seller(template: &'static str, site: &Site, shown: &Return, letter: Letter) -> Message {
    let letter = letter.action("Open the return", site.link(&format!("/seller/returns/{}", shown.return_id))).note(&site.switch_off());
    Message { template, topic: Topic::Sales, letter }
}

fn goods(letter: Letter, shown: &Return) -> Letter {
    shown.lines.iter().fold(letter, |letter, line| {
        let reason = line.reason().as_str_name().trim_start_matches("RETURN_REASON_").to_lowercase().replace('_', " ");
        letter.row(format!("{} × {}", line.quantity, line.title), reason)
    })
}

pub(crate) fn requested(site: &Site, event: &ReturnMoved) -> Message {
    let (_, shown) = parts(event);
    let letter = Letter::new(format!("Return {}", shown.number), format!("{} is to take something back", shown.store_name))
        .say(format!("A buyer wants to send something back: return {}.", shown.number))
        .say_of("They wrote: ", &shown.note)
        .say_of("Please answer until ", &moment(shown.due_at.as_ref()));
    to_seller("return_requested", site, &shown, goods(letter, &shown).row("Would go back", money(shown.amount.as_ref())))
}

pub(crate) fn sent(site: &Site, event: &ReturnMoved) -> Message {
    let (_, shown) = parts(event);
    let letter = Letter::new(format!("Return {} is on its way", shown.number), format!("A parcel comes back to {}", shown.store_name))
        .say(format!("The goods of return {} were handed to a carrier.", shown.number))
        .say_of("Please look at them and answer until ", &moment(shown.due_at.as_ref()))
        .row("Carrier", shown.carrier.clone())
        .row("Tracking number", shown.tracking_number.clone());
    to_seller("return_sent", site, &shown, letter)
}

pub(crate) fn withdrawn(site: &Site, event: &ReturnMoved) -> Message {
    let (_, shown) = parts(event);
    let letter = Letter::new(format!("Return {} was withdrawn", shown.number), format!("A buyer of {} keeps the goods", shown.store_name))
        .say(format!("Nothing will come back for return {}; there is nothing to do.", shown.number));
    to_seller("return_withdrawn", site, &shown, letter)
}

fn written(address: &Address) -> String {
    let place = format!("{} {}", address.postal_code, address.city);
    let lines = [&address.name, &address.company, &address.line1, &address.line2, &place, &address.subdivision, &address.country];
    lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(", ")
}

pub(crate) fn approved(site: &Site, event: &ReturnMoved) -> Message {
    let (order, shown) = parts(event);
    let letter = Letter::new(format!("{} takes it back", shown.store_name), hello(&order.name))
        .say(format!("Your return {} is approved. Print the label, pack the goods and send them.", shown.number))
        .say_of("Send them to: ", &shown.send_to.as_ref().map(written).unwrap_or_default())
        .say_of("The shop says: ", &shown.answer)
        .say_of("Please send them until ", &moment(shown.due_at.as_ref()));
    to_buyer("return_approved", site, &order, &shown, goods(letter, &shown))
}

pub(crate) fn refused(site: &Site, event: &ReturnMoved) -> Message {
    let (order, shown) = parts(event);
    let letter = Letter::new(format!("Return {} was refused", shown.number), hello(&order.name))
        .say(format!("{} does not take the goods of return {} back.", shown.store_name, shown.number))
        .say_of("The reason: ", &shown.answer);
    to_buyer("return_refused", site, &order, &shown, letter)
}

pub(crate) fn received(site: &Site, event: &ReturnMoved) -> Message {
    let (order, shown) = parts(event);
    let letter = if shown.without_goods {
        Letter::new(format!("{} gives money back", shown.store_name), hello(&order.name))
            .say(format!("{} gives some of what you paid for order {} back. You keep the goods.", shown.store_name, order.number))
            .say_of("What for: ", &shown.answer)
    } else {
        Letter::new(format!("Return {} has arrived", shown.number), hello(&order.name))
            .say(format!("{} has looked at your return {}.", shown.store_name, shown.number))
            .say_of("They say: ", &shown.answer)
    };
    let deducted = shown.deduction.as_ref().is_some_and(|deduction| deduction.amount_minor > 0);
    let letter = if deducted { letter.row("Deducted", money(shown.deduction.as_ref())) } else { letter };
    to_buyer("return_received", site, &order, &shown, letter.row("Goes back to you", money(shown.amount.as_ref())))
}

pub(crate) fn expired(site: &Site, event: &ReturnMoved) -> Message {
    let (order, shown) = parts(event);
    let letter = Letter::new(format!("Return {} has ended", shown.number), hello(&order.name)).say(format!(
        "The goods of return {} were not sent in time, so it has ended. You can ask again while the return window is open.",
        shown.number
    ));
    to_buyer("return_expired", site, &order, &shown, letter)
}

//! What every page about returns shares: words for states and reasons, the goods, the money.

use api_orders::{RefundState, Return, ReturnReason, ReturnState};
use maud::{Markup, html};

use crate::portal::word;
use crate::ui::{self, Tone, amount, show};

pub(crate) const REASONS: [(ReturnReason, &str); 6] = [
    (ReturnReason::ChangedMind, "I changed my mind"),
    (ReturnReason::Damaged, "It arrived damaged"),
    (ReturnReason::Defective, "It does not work"),
    (ReturnReason::WrongItem, "It is not what I ordered"),
    (ReturnReason::NotAsDescribed, "It is not as described"),
    (ReturnReason::Late, "It came too late"),
];

pub(crate) fn reason_value(reason: ReturnReason) -> String {
    word(reason.as_str_name(), "RETURN_REASON_").replace(' ', "_")
}

pub(crate) fn state_badge(shown: &Return) -> Markup {
    let (tone, text) = match shown.state() {
        _ if shown.without_goods => (Tone::Good, "Money back"),
        ReturnState::Requested => (Tone::Warn, "Requested"),
        ReturnState::Approved => (Tone::Info, "Approved"),
        ReturnState::Sent => (Tone::Info, "On its way back"),
        ReturnState::Received => (Tone::Info, "Received"),
        ReturnState::Refunded => (Tone::Good, "Refunded"),
        ReturnState::Refused => (Tone::Bad, "Refused"),
        ReturnState::Withdrawn => (Tone::Plain, "Withdrawn"),
        ReturnState::Expired => (Tone::Plain, "Not sent in time"),
        ReturnState::Unspecified => (Tone::Plain, ""),
    };
    ui::badge(tone, text)
}

/// "2 × Mug, 1 × Lamp"; of money alone, what for.
pub(crate) fn goods(shown: &Return) -> String {
    if shown.without_goods {
        return shown.answer.clone();
    }
    shown.lines.iter().map(|line| format!("{} × {}", line.quantity, line.title)).collect::<Vec<_>>().join(", ")
}

pub(crate) fn lines(shown: &Return) -> Markup {
    let inspected = matches!(shown.state(), ReturnState::Received | ReturnState::Refunded);
    html! {
        table.table.cards {
            thead { tr { th scope="col" { "Item" } th scope="col" { "Reason" } th.num scope="col" { "Pieces" } @if inspected { th.num scope="col" { "Taken back" } } } }
            tbody {
                @for line in &shown.lines {
                    tr {
                        th scope="row" { (line.title) @if !line.options.is_empty() { div.tiny.hush { (line.options) } } }
                        td data-label="Reason" { (word(line.reason().as_str_name(), "RETURN_REASON_")) }
                        td.num data-label="Pieces" { (line.quantity) }
                        @if inspected { td.num data-label="Taken back" { (line.accepted) @if line.restocked < line.accepted { div.tiny.hush { (line.accepted - line.restocked) " cannot be sold again" } } } }
                    }
                }
            }
        }
    }
}

/// Shipping and deduction where there are any, and what goes back.
pub(crate) fn sums(shown: &Return) -> Markup {
    let some = |money: &Option<kit_rpc::proto::Money>| amount(money.as_ref()).filter(|money| !money.is_zero());
    let settled = matches!(shown.state(), ReturnState::Received | ReturnState::Refunded);
    html! {
        dl.sums {
            @if let Some(shipping) = some(&shown.shipping) { dt { "Of it shipping" } dd { (show::money(shipping)) } }
            @if let Some(deduction) = some(&shown.deduction) { dt { "Deducted" } dd { "−" (show::money(deduction)) } }
            @if let Some(commission) = some(&shown.commission) { dt { "Commission returned" } dd { (show::money(commission)) } }
            @if let Some(back) = amount(shown.amount.as_ref()) { dt.total { @if settled { "Goes back" } @else { "Would go back" } } dd.total { (show::money(back)) } }
        }
        @match shown.refund_state() {
            RefundState::Pending => p.small { "The money is on its way." },
            RefundState::Done => p.small.good-ink { "The money has gone back." },
            RefundState::Failed => p.small { "The refund needs a person to look at it." },
            RefundState::None | RefundState::Unspecified => {},
        }
    }
}

#[cfg(test)]
pub(crate) fn sample(state: ReturnState) -> Return {
    use crate::visit::sample::time;
    let usd = |amount_minor| Some(kit_rpc::proto::Money { amount_minor, currency: "USD".to_owned() });
    let at = |text: &str| Some(kit_rpc::timestamp(time(text)));
    let line = api_orders::ReturnedLine {
        item_id: "itm_00000000000000000000000000000001".to_owned(),
        quantity: 2,
        reason: ReturnReason::Damaged.into(),
        title: "Kilnhouse Classic Stoneware Mug 212".to_owned(),
        options: "Volume: 250 ml".to_owned(),
        sku: "D01-000".to_owned(),
        accepted: if matches!(state, ReturnState::Received | ReturnState::Refunded) { 2 } else { 0 },
        restocked: 1,
        ..Default::default()
    };
    Return {
        return_id: "ret_00000000000000000000000000000001".to_owned(),
        order_id: "ord_00000000000000000000000000000001".to_owned(),
        sub_order_id: "sub_00000000000000000000000000000001".to_owned(),
        tenant_id: "ten_1".to_owned(),
        store_name: "Kiln & Clay".to_owned(),
        number: "MH-2026-7K3F-9QXD-1-R1".to_owned(),
        state: state.into(),
        lines: vec![line],
        note: "Two of them have cracks along the rim, as if the box had been dropped.".to_owned(),
        send_to: (state != ReturnState::Requested).then(crate::buyer::sample::address),
        instructions: "Put the slip into the parcel.".to_owned(),
        carrier: if state == ReturnState::Sent { "UPS" } else { "" }.to_owned(),
        tracking_number: if state == ReturnState::Sent { "1Z999AA10123456784" } else { "" }.to_owned(),
        amount: usd(3_998),
        refund_state: if state == ReturnState::Refunded { RefundState::Done } else { RefundState::None }.into(),
        due_at: at("2026-11-28T10:00:00Z"),
        created_at: at("2026-11-21T10:00:00Z"),
        updated_at: at("2026-11-21T10:00:00Z"),
        buyer_email: "ann@example.com".to_owned(),
        ..Return::default()
    }
}

//! Returns as contracts show them.

use api_orders as api;
use kit_rpc::{proto, timestamp};

use crate::returns::{Policy, ReturnState};
use crate::store::{ItemRow, ReturnRow, SubRow};
use crate::view::{Reader, refund_state};

/// "MH-2026-7K3F-9QXD-1-R1".
pub(crate) fn number(row: &ReturnRow, sub: &SubRow) -> String {
    format!("{}-R{}", sub.number, row.position)
}

/// "2 × Mug, 1 × Lamp".
pub(crate) fn named(row: &ReturnRow, items: &[ItemRow]) -> String {
    let named = row.lines.iter().filter_map(|line| {
        let title = &items.iter().find(|item| item.item_id == line.item_id)?.title;
        Some(format!("{} × {title}", line.quantity))
    });
    named.collect::<Vec<_>>().join(", ")
}

pub(crate) fn shown(row: &ReturnRow, sub: &SubRow, items: &[ItemRow], reader: Reader) -> api::Return {
    let money = |amount_minor| Some(proto::Money { amount_minor, currency: sub.currency.clone() });
    let market = reader == Reader::Market;
    let inspected = row.state().takes_money();
    let lines = row.lines.iter().filter(|line| line.quantity > 0).map(|line| {
        let item = items.iter().find(|item| item.item_id == line.item_id);
        let of = |text: fn(&ItemRow) -> &String| item.map(|item| text(item).clone()).unwrap_or_default();
        api::ReturnedLine {
            item_id: api::ItemId::from(line.item_id).to_string(),
            quantity: line.quantity,
            reason: reason(&line.reason).into(),
            accepted: if inspected { line.accepted } else { 0 },
            restocked: line.restocked,
            title: of(|item| &item.title),
            options: of(|item| &item.options),
            sku: of(|item| &item.sku),
            image_url: of(|item| &item.image_url),
        }
    });
    api::Return {
        return_id: api::ReturnId::from(row.return_id).to_string(),
        order_id: api::OrderId::from(row.order_id).to_string(),
        sub_order_id: api::SubOrderId::from(row.sub_order_id).to_string(),
        tenant_id: kit_core::TenantId::from(row.tenant_id).to_string(),
        store_name: sub.store_name.clone(),
        number: number(row, sub),
        state: state(row.state()).into(),
        lines: lines.collect(),
        note: row.note.clone(),
        answer: row.answer.clone(),
        answered_by: row.answered_by.clone(),
        send_to: row.send_to.clone().map(|address| address.0.into()),
        instructions: row.instructions.clone(),
        carrier: row.carrier.clone(),
        tracking_number: row.tracking_number.clone(),
        amount: money(row.amount_minor),
        shipping: money(row.shipping_minor),
        deduction: money(row.deduction_minor),
        refund_state: refund_state(&row.refund_state).into(),
        due_at: row.due_at.map(timestamp),
        created_at: Some(timestamp(row.created_at)),
        updated_at: Some(timestamp(row.updated_at)),
        without_goods: row.without_goods,
        commission: market.then(|| money(row.commission_minor)).flatten(),
        buyer_email: if market { sub.email.clone() } else { String::new() },
    }
}

const fn state(state: ReturnState) -> api::ReturnState {
    match state {
        ReturnState::Requested => api::ReturnState::Requested,
        ReturnState::Approved => api::ReturnState::Approved,
        ReturnState::Sent => api::ReturnState::Sent,
        ReturnState::Received => api::ReturnState::Received,
        ReturnState::Refunded => api::ReturnState::Refunded,
        ReturnState::Refused => api::ReturnState::Refused,
        ReturnState::Withdrawn => api::ReturnState::Withdrawn,
        ReturnState::Expired => api::ReturnState::Expired,
    }
}

/// The filter of a list: the state as SQL keeps it; none when it is not set.
pub(crate) fn state_filter(number: i32) -> Option<&'static str> {
    let wanted = api::ReturnState::try_from(number).unwrap_or_default();
    let name = wanted.as_str_name().strip_prefix("RETURN_STATE_").unwrap_or_default().to_lowercase();
    (wanted != api::ReturnState::Unspecified).then(|| ReturnState::of(&name).as_str())
}

/// A reason as it is kept.
pub(crate) fn reason_text(reason: api::ReturnReason) -> String {
    reason.as_str_name().strip_prefix("RETURN_REASON_").unwrap_or_default().to_lowercase()
}

fn reason(text: &str) -> api::ReturnReason {
    api::ReturnReason::from_str_name(&format!("RETURN_REASON_{}", text.to_uppercase())).unwrap_or_default()
}

pub(crate) fn policy(policy: Policy) -> api::ReturnPolicy {
    api::ReturnPolicy {
        window_days: policy.window_days,
        approve_at_once: policy.approve_at_once,
        refund_shipping: policy.refund_shipping,
        send_to: policy.send_to.map(Into::into),
        instructions: policy.instructions,
    }
}

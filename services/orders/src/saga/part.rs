//! The decisions of a sub-order's life: a pure state machine beside the order's (`machine`) and that of one cancellation (`cancel`). What
//! has ended stays ended, whatever news comes late.

use crate::model::OrderState;

/// What became known of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum PartInput {
    /// The order's money was captured: the seller begins.
    Paid,
    /// The order was called off before it was paid.
    CalledOff,
    /// The seller or the carrier has come this far.
    Progressed(OrderState),
    /// Everything that was left of it was kept from leaving.
    Stopped,
}

/// Where the part is after the input; `None`: where it was. The same input again changes nothing.
pub(crate) fn step(state: OrderState, input: PartInput) -> Option<OrderState> {
    match input {
        PartInput::Paid => (state == OrderState::Created).then_some(OrderState::Paid),
        PartInput::CalledOff => (state == OrderState::Created).then_some(OrderState::Cancelled),
        PartInput::Progressed(to) => state.may_move_to(to).then_some(to),
        PartInput::Stopped => state.is_cancellable().then_some(OrderState::Cancelled),
    }
}

/// Every move that an input makes, as two columns: from and to. For SQL that moves many parts at once.
pub(crate) fn moves(input: PartInput) -> (Vec<&'static str>, Vec<&'static str>) {
    OrderState::ALL.iter().filter_map(|(from, text)| Some((*text, step(*from, input)?.as_str()))).unzip()
}

#[cfg(test)]
#[path = "part_check.rs"]
mod check;

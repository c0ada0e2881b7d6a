//! The decisions of cancelling pieces of a paid part, or all of it: a pure state machine like `machine`. First the goods are stopped from
//! leaving, which is the moment that decides; then stock goes back on the shelf and the share of the money to the buyer, each
//! asked again under the same id until it is known to be done. What else is ordered is not touched.

use api_payments::RefundId;
use kit_core::Time;
use serde::{Deserialize, Serialize};

const FORM: u8 = 1;
const LONGEST_BACK_OFF_SECONDS: i64 = 60;

/// Stored as JSON with the cancellation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct CancelSaga {
    form: u8,
    pub(crate) refund_id: RefundId,
    goods: Goods,
    stock: Stock,
    money: Money,
    tries: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Goods {
    /// Asked to be stopped; the answer is not known.
    Stopping,
    Stopped,
    /// They have left: there is no cancellation.
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stock {
    Sold,
    Restocked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Money {
    Taken,
    Returned,
    /// The PSP refuses; an operator is told.
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CancelInput {
    Stopped,
    AlreadyShipped,
    Restocked,
    Refunded,
    RefundRefused,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum CancelCommand {
    Stop,
    Restock,
    Refund,
}

impl CancelCommand {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Stop => "cancel-stop",
            Self::Restock => "cancel-restock",
            Self::Refund => "cancel-refund",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CancelTell {
    /// It is cancelled; money is on its way.
    Cancelled,
    /// The goods had left: nothing is cancelled.
    TooLate,
    Refunded,
    RefundRefused,
}

impl CancelSaga {
    pub(crate) const fn new(refund_id: RefundId) -> Self {
        Self { form: FORM, refund_id, goods: Goods::Stopping, stock: Stock::Sold, money: Money::Taken, tries: 0 }
    }

    /// Of goods that came back: there is nothing to stop.
    pub(crate) const fn returned(refund_id: RefundId) -> Self {
        Self { goods: Goods::Stopped, ..Self::new(refund_id) }
    }

    pub(crate) fn apply(&mut self, input: CancelInput) -> Option<CancelTell> {
        let before = (self.goods, self.stock, self.money);
        let mut tell = None;
        match (input, self.goods) {
            (CancelInput::Stopped, Goods::Stopping) => {
                self.goods = Goods::Stopped;
                tell = Some(CancelTell::Cancelled);
            }
            (CancelInput::AlreadyShipped, Goods::Stopping) => {
                self.goods = Goods::Gone;
                tell = Some(CancelTell::TooLate);
            }
            (CancelInput::Restocked, Goods::Stopped) => self.stock = Stock::Restocked,
            (CancelInput::Refunded, Goods::Stopped) if self.money != Money::Returned => {
                self.money = Money::Returned;
                tell = Some(CancelTell::Refunded);
            }
            (CancelInput::RefundRefused, Goods::Stopped) if self.money == Money::Taken => {
                self.money = Money::Refused;
                tell = Some(CancelTell::RefundRefused);
            }
            (CancelInput::Unknown, _) => self.tries = self.tries.saturating_add(1),
            _ => {}
        }
        if before != (self.goods, self.stock, self.money) {
            self.tries = 0;
        }
        tell
    }

    /// How long it waits before it asks again is not part of where it stands.
    #[cfg(test)]
    pub(crate) const fn forget_tries(&mut self) {
        self.tries = 0;
    }

    /// What is to be asked now; `worth` tells whether any money is to go back at all.
    pub(crate) fn commands(&self, worth: bool) -> Vec<CancelCommand> {
        match self.goods {
            Goods::Stopping => vec![CancelCommand::Stop],
            Goods::Gone => Vec::new(),
            Goods::Stopped => {
                let stock = (self.stock == Stock::Sold).then_some(CancelCommand::Restock);
                let money = (worth && self.money == Money::Taken).then_some(CancelCommand::Refund);
                stock.into_iter().chain(money).collect()
            }
        }
    }

    pub(crate) fn look_at(&self, worth: bool, now: Time, lease: chrono::Duration) -> Option<Time> {
        if self.commands(worth).is_empty() {
            return None;
        }
        let back_off = 1_i64.checked_shl(self.tries).unwrap_or(i64::MAX).min(LONGEST_BACK_OFF_SECONDS);
        Some(now + if self.tries == 0 { lease } else { chrono::Duration::seconds(back_off) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn saga() -> CancelSaga {
        CancelSaga::new(Uuid::from_u128(7).into())
    }

    fn inputs() -> impl Strategy<Value = Vec<CancelInput>> {
        use CancelInput::{AlreadyShipped, RefundRefused, Refunded, Restocked, Stopped, Unknown};
        prop::collection::vec(prop::sample::select(vec![Stopped, AlreadyShipped, Restocked, Refunded, RefundRefused, Unknown]), 0..20)
    }

    proptest! {
        #[test]
        fn nothing_goes_back_unless_the_goods_were_stopped(inputs in inputs()) {
            let mut saga = saga();
            let mut told = Vec::new();
            for input in inputs {
                let commands = saga.commands(true);
                prop_assert!(!commands.contains(&CancelCommand::Stop) || commands.len() == 1, "stopping comes first and alone");
                told.extend(saga.apply(input));
            }
            let cancelled = told.iter().filter(|tell| **tell == CancelTell::Cancelled).count();
            let refunded = told.iter().filter(|tell| **tell == CancelTell::Refunded).count();
            prop_assert!(cancelled <= 1 && refunded <= cancelled);
            let too_late = told.contains(&CancelTell::TooLate);
            prop_assert!(!(too_late && cancelled > 0), "shipped and cancelled exclude each other");
        }

        #[test]
        fn once_stopped_it_comes_to_an_end(inputs in inputs()) {
            let mut saga = saga();
            saga.apply(CancelInput::Stopped);
            for input in inputs {
                saga.apply(input);
            }
            for command in saga.commands(true) {
                saga.apply(if command == CancelCommand::Restock { CancelInput::Restocked } else { CancelInput::Refunded });
            }
            prop_assert!(saga.commands(true).is_empty());
        }
    }
}

//! Faults on demand: what the control API can switch on.

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Everything off by default. Percentages act evenly (every n-th request), so that tests can count on them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Faults {
    /// Payments declined whatever the card, in percent.
    pub(crate) decline_percent: u32,
    /// Every answer waits so long.
    pub(crate) delay_ms: u64,
    /// Payments, captures and refunds carried out whose answer is held back, in percent.
    pub(crate) timeout_after_success_percent: u32,
    /// Events sent three times, in percent.
    pub(crate) duplicate_webhooks_percent: u32,
    /// Events sent late, so that later ones overtake them, in percent.
    pub(crate) reorder_webhooks_percent: u32,
    /// Events never sent, in percent; they can still be listed.
    pub(crate) drop_webhooks_percent: u32,
    /// Every API call is answered 503 without doing anything; pages too.
    pub(crate) down: bool,
}

/// The longest delay that can be switched on.
const MAX_DELAY_MS: u64 = 120_000;

impl Faults {
    pub(crate) fn checked(self) -> Result<Self, Error> {
        let percentages = [
            ("decline_percent", self.decline_percent),
            ("timeout_after_success_percent", self.timeout_after_success_percent),
            ("duplicate_webhooks_percent", self.duplicate_webhooks_percent),
            ("reorder_webhooks_percent", self.reorder_webhooks_percent),
            ("drop_webhooks_percent", self.drop_webhooks_percent),
        ];
        if let Some((field, _)) = percentages.into_iter().find(|(_, percent)| *percent > 100) {
            return Err(Error::invalid(field, "must be 0 to 100"));
        }
        if self.delay_ms > MAX_DELAY_MS {
            return Err(Error::invalid("delay_ms", format!("must be at most {MAX_DELAY_MS}")));
        }
        Ok(self)
    }
}

/// Spreads a percentage evenly over what it is asked about.
#[derive(Debug, Default)]
pub(crate) struct Share {
    carried: u32,
}

impl Share {
    pub(crate) fn strikes(&mut self, percent: u32) -> bool {
        self.carried += percent;
        let strikes = self.carried >= 100;
        if strikes {
            self.carried -= 100;
        }
        strikes
    }
}

/// One share per fault, so that they do not disturb each other.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    pub(crate) decline: Share,
    pub(crate) timeout: Share,
    pub(crate) duplicate: Share,
    pub(crate) reorder: Share,
    pub(crate) drop: Share,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_strikes_as_often_as_it_says() {
        for percent in [0, 1, 33, 50, 99, 100] {
            let mut share = Share::default();
            let struck = (0..100).filter(|_| share.strikes(percent)).count();
            assert_eq!(struck, usize::try_from(percent).unwrap());
        }
    }
}

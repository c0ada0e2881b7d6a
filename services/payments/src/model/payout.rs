//! Payouts: which period is paid, how much, and what becomes of the transfer. Pure.

use api_payments::PayoutId;
use chrono::Duration;
use kit_core::{Currency, TenantId, Time};
use serde::{Deserialize, Serialize};

use super::currency_text;
use crate::error::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PayoutState {
    Created,
    Sent,
    Paid,
    Failed,
    Returned,
}

/// A span that is paid out as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Period {
    pub(crate) start: Time,
    pub(crate) end: Time,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Payout {
    pub(crate) id: PayoutId,
    pub(crate) tenant: TenantId,
    #[serde(with = "currency_text")]
    pub(crate) currency: Currency,
    pub(crate) period: Period,
    pub(crate) amount_minor: i64,
    pub(crate) state: PayoutState,
    pub(crate) bank: String,
    pub(crate) beneficiary: String,
    pub(crate) account_last4: String,
    pub(crate) bank_reference: Option<String>,
    pub(crate) bank_version: i64,
    pub(crate) failure: String,
    /// Questions since something last changed, for the growing pause between them.
    pub(crate) asks: u32,
    pub(crate) next_ask_at: Option<Time>,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
}

/// A transfer in the bank's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeenTransfer {
    pub(crate) reference: String,
    pub(crate) version: i64,
    pub(crate) status: SeenTransferStatus,
    pub(crate) amount_minor: i64,
    pub(crate) reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SeenTransferStatus {
    Pending,
    Settled,
    Rejected,
    Returned,
}

/// What happened to a payout; each becomes an event and a ledger entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PayoutFact {
    Paid,
    /// It was never sent; the balance is as it was.
    Failed,
    /// It was paid and came back; the balance is as it was.
    Returned,
}

/// First pause before the bank is asked again; doubles up to the longest.
const ASK_AGAIN: Duration = Duration::seconds(2);
const LONGEST: Duration = Duration::hours(1);
/// Weeks begin on Mondays: 1970-01-05.
const FIRST_MONDAY_MINUTES: i64 = 4 * 24 * 60;

impl Period {
    /// The last whole period of this length that has ended.
    pub(crate) fn ended_before(now: Time, length_minutes: u32) -> Option<Self> {
        let length = i64::from(length_minutes.max(1));
        let minutes = now.timestamp().div_euclid(60) - FIRST_MONDAY_MINUTES;
        let end_minutes = minutes.div_euclid(length) * length + FIRST_MONDAY_MINUTES;
        let at = |minutes: i64| Time::from_timestamp(minutes.checked_mul(60)?, 0);
        Some(Self { start: at(end_minutes - length)?, end: at(end_minutes)? })
    }
}

/// What is paid out for a period: what was available when it ended and still is. `None`: too little, it is carried forward.
pub(crate) fn payable(at_end_minor: i64, now_minor: i64, minimum_minor: i64) -> Option<i64> {
    let amount = at_end_minor.min(now_minor);
    (amount > 0 && amount >= minimum_minor).then_some(amount)
}

impl PayoutState {
    const ALL: [(Self, &'static str); 5] =
        [(Self::Created, "created"), (Self::Sent, "sent"), (Self::Paid, "paid"), (Self::Failed, "failed"), (Self::Returned, "returned")];

    pub(crate) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(state, _)| *state == self).map_or("failed", |(_, word)| word)
    }
}

impl Payout {
    /// Takes in the bank's record. An older one than seen before changes nothing, and neither does the same one twice.
    pub(crate) fn observe(&mut self, seen: &SeenTransfer, now: Time) -> Result<Vec<PayoutFact>, Error> {
        if seen.amount_minor != self.amount_minor || self.bank_reference.as_ref().is_some_and(|known| *known != seen.reference) {
            return Err(Error::AmountDiffers(seen.reference.clone()));
        }
        if seen.version < self.bank_version {
            return Ok(Vec::new());
        }
        self.bank_reference = Some(seen.reference.clone());
        self.bank_version = seen.version;
        let mut facts = Vec::new();
        if self.is_under_way() {
            self.state = PayoutState::Sent;
            match seen.status {
                SeenTransferStatus::Pending => {}
                SeenTransferStatus::Settled | SeenTransferStatus::Returned => {
                    self.state = PayoutState::Paid;
                    facts.push(PayoutFact::Paid);
                }
                SeenTransferStatus::Rejected => facts.push(self.fail(&seen.reason)),
            }
        }
        if self.state == PayoutState::Paid && seen.status == SeenTransferStatus::Returned {
            self.state = PayoutState::Returned;
            self.failure.clone_from(&seen.reason);
            facts.push(PayoutFact::Returned);
        }
        self.plan(!facts.is_empty(), now);
        Ok(facts)
    }

    /// The bank surely did not and will not carry it out.
    pub(crate) fn refused(&mut self, reason: &str, now: Time) -> Vec<PayoutFact> {
        // A refusal of what is not known to be sent is final; of anything else only the bank's record tells.
        let fact = (self.state == PayoutState::Created).then(|| self.fail(reason));
        self.plan(fact.is_some(), now);
        fact.into_iter().collect()
    }

    /// Nobody answered: it may or may not have been carried out.
    pub(crate) fn silent(&mut self, now: Time) {
        self.plan(false, now);
    }

    pub(crate) fn is_under_way(&self) -> bool {
        matches!(self.state, PayoutState::Created | PayoutState::Sent)
    }

    fn fail(&mut self, reason: &str) -> PayoutFact {
        self.state = PayoutState::Failed;
        reason.clone_into(&mut self.failure);
        PayoutFact::Failed
    }

    /// Sets when the bank is asked next.
    fn plan(&mut self, progress: bool, now: Time) {
        self.updated_at = now;
        self.asks = if progress { 0 } else { self.asks.saturating_add(1) };
        let pause = ASK_AGAIN.checked_mul(2_i32.saturating_pow(self.asks.min(12))).unwrap_or(LONGEST).min(LONGEST);
        self.next_ask_at = self.is_under_way().then(|| now + pause);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn payout() -> Payout {
        let now = time("2026-11-21T09:00:00Z");
        Payout {
            id: uuid::Uuid::from_u128(1).into(),
            tenant: uuid::Uuid::from_u128(2).into(),
            currency: Currency::EUR,
            period: Period::ended_before(now, 60).unwrap(),
            amount_minor: 500,
            state: PayoutState::Created,
            bank: "sandbox_bank".into(),
            beneficiary: "bn_1".into(),
            account_last4: "3000".into(),
            bank_reference: None,
            bank_version: 0,
            failure: String::new(),
            asks: 0,
            next_ask_at: Some(now),
            created_at: now,
            updated_at: now,
        }
    }

    #[test]
    fn a_week_ends_on_sunday_at_midnight_and_a_day_every_midnight() {
        let now = time("2026-11-21T09:00:00Z"); // a Saturday
        let week = Period::ended_before(now, 7 * 24 * 60).unwrap();
        assert_eq!((week.start, week.end), (time("2026-11-09T00:00:00Z"), time("2026-11-16T00:00:00Z")));
        let day = Period::ended_before(now, 24 * 60).unwrap();
        assert_eq!((day.start, day.end), (time("2026-11-20T00:00:00Z"), time("2026-11-21T00:00:00Z")));
    }

    proptest! {
        #[test]
        fn whatever_the_bank_tells_in_whatever_order_a_payout_ends_once_and_comes_back_only_after_it_was_paid(
            told in proptest::collection::vec((1..6_i64, 0..6_u8), 1..30),
        ) {
            use SeenTransferStatus::{Pending, Rejected, Returned, Settled};
            let mut payout = payout();
            let mut facts = Vec::new();
            for (number, (version, what)) in told.into_iter().enumerate() {
                let now = payout.created_at + Duration::seconds(i64::try_from(number).unwrap());
                let seen = |status| SeenTransfer { reference: "tr_1".into(), version, status, amount_minor: 500, reason: "why".into() };
                match what {
                    0 => facts.extend(payout.observe(&seen(Pending), now).unwrap()),
                    1 => facts.extend(payout.observe(&seen(Settled), now).unwrap()),
                    2 => facts.extend(payout.observe(&seen(Returned), now).unwrap()),
                    3 => facts.extend(payout.observe(&seen(Rejected), now).unwrap()),
                    4 => facts.extend(payout.refused("no", now)),
                    _ => payout.silent(now),
                }
                prop_assert_eq!(payout.next_ask_at.is_some(), payout.is_under_way());
            }
            use PayoutFact::{Failed, Paid, Returned as CameBack};
            let allowed: [&[PayoutFact]; 4] = [&[], &[Paid], &[Paid, CameBack], &[Failed]];
            prop_assert!(allowed.contains(&facts.as_slice()), "{facts:?}");
        }

        #[test]
        fn never_more_is_paid_than_is_available_and_debts_are_carried_forward(at_end in -500..500_i64, now in -500..500_i64, minimum in 0..100_i64) {
            match payable(at_end, now, minimum) {
                Some(amount) => prop_assert!(amount > 0 && amount <= now && amount <= at_end && amount >= minimum),
                None => prop_assert!(at_end.min(now) < minimum.max(1)),
            }
        }
    }
}

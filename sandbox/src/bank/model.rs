//! What a transfer at the sandbox bank may become. Pure: time comes in, facts come out.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::model::millis;
use crate::settings::Timings;

/// What an account does with money that is sent to it, told by how its number ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccountBehaviour {
    Takes,
    /// The bank refuses the transfer.
    Closed,
    /// The money arrives, and comes back.
    Returns,
    /// The transfer is carried out, but the answer never arrives.
    AnswerLost,
}

impl AccountBehaviour {
    fn of(iban: &str) -> Self {
        match iban.get(iban.len().saturating_sub(4)..).unwrap_or_default() {
            "0001" => Self::Closed,
            "0002" => Self::Returns,
            "0003" => Self::AnswerLost,
            _ => Self::Takes,
        }
    }
}

/// Somebody money is sent to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Beneficiary {
    pub(crate) id: String,
    pub(crate) holder: String,
    pub(crate) iban: String,
}

impl Beneficiary {
    pub(crate) fn behaviour(&self) -> AccountBehaviour {
        AccountBehaviour::of(&self.iban)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TransferStatus {
    Pending,
    Settled,
    Rejected,
    /// It had arrived and came back.
    Returned,
}

/// A line of the account's statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Booking {
    pub(crate) number: u64,
    /// What the account gets (or gives, when negative).
    pub(crate) amount_minor: i64,
    pub(crate) at_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Transfer {
    pub(crate) id: String,
    /// The Idempotency-Key, which is the merchant's own id of it.
    pub(crate) reference: String,
    pub(crate) beneficiary: String,
    pub(crate) amount_minor: i64,
    pub(crate) currency: String,
    pub(crate) purpose: String,
    pub(crate) status: TransferStatus,
    pub(crate) reason: String,
    /// Counts changes, so that receivers of webhooks can tell an old one.
    pub(crate) version: u32,
    pub(crate) created_ms: i64,
    pub(crate) due_ms: Option<i64>,
    pub(crate) bookings: Vec<Booking>,
}

impl Transfer {
    /// What happens by itself when its time comes. Answers whether anything did.
    pub(crate) fn settle(&mut self, behaviour: AccountBehaviour, now_ms: i64, timings: &Timings) -> bool {
        if self.due_ms.is_none_or(|due| due > now_ms) {
            return false;
        }
        self.due_ms = None;
        match (self.status, behaviour) {
            (TransferStatus::Pending, AccountBehaviour::Closed) => {
                self.status = TransferStatus::Rejected;
                self.reason = "account_closed".to_owned();
            }
            (TransferStatus::Pending, _) => {
                self.status = TransferStatus::Settled;
                self.book(-self.amount_minor, now_ms);
                self.due_ms = (behaviour == AccountBehaviour::Returns).then(|| now_ms.saturating_add(millis(timings.later)));
            }
            (TransferStatus::Settled, _) => self.bounce("account_cannot_receive", now_ms),
            (TransferStatus::Rejected | TransferStatus::Returned, _) => return false,
        }
        self.version += 1;
        true
    }

    /// The money comes back on demand.
    pub(crate) fn give_back(&mut self, reason: &str, now_ms: i64) -> Result<(), Error> {
        if self.status != TransferStatus::Settled {
            return Err(Error::WrongState("not settled", "returned"));
        }
        self.due_ms = None;
        self.bounce(reason, now_ms);
        self.version += 1;
        Ok(())
    }

    fn bounce(&mut self, reason: &str, now_ms: i64) {
        self.status = TransferStatus::Returned;
        self.reason = reason.to_owned();
        self.book(self.amount_minor, now_ms);
    }

    fn book(&mut self, amount_minor: i64, at_ms: i64) {
        self.bookings.push(Booking { number: 0, amount_minor, at_ms });
    }
}

/// Whether the text has the form and the check digits of an IBAN (ISO 13616: the number, its first four places moved to the end and
/// letters read as 10 to 35, leaves 1 when divided by 97).
pub(crate) fn is_iban(text: &str) -> bool {
    if !(15..=34).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()) {
        return false;
    }
    let (head, tail) = text.split_at(4);
    let countries = head.bytes().take(2).all(|byte| byte.is_ascii_uppercase()) && head.bytes().skip(2).all(|byte| byte.is_ascii_digit());
    let rest = tail
        .chars()
        .chain(head.chars())
        .filter_map(|c| c.to_digit(36))
        .fold(0_u32, |rest, digit| if digit > 9 { (rest * 100 + digit) % 97 } else { (rest * 10 + digit) % 97 });
    countries && rest == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfer() -> Transfer {
        Transfer {
            id: "tr_1".into(),
            reference: "pyo_1".into(),
            beneficiary: "bn_1".into(),
            amount_minor: 500,
            currency: "EUR".into(),
            purpose: String::new(),
            status: TransferStatus::Pending,
            reason: String::new(),
            version: 1,
            created_ms: 0,
            due_ms: Some(10),
            bookings: Vec::new(),
        }
    }

    #[test]
    fn a_transfer_is_booked_when_it_settles_and_again_when_it_comes_back() {
        let timings = Timings::default();
        let mut returned = transfer();
        assert!(!returned.settle(AccountBehaviour::Returns, 9, &timings));
        assert!(returned.settle(AccountBehaviour::Returns, 10, &timings));
        assert!(returned.settle(AccountBehaviour::Returns, 10 + millis(timings.later), &timings));
        assert_eq!(returned.status, TransferStatus::Returned);
        assert_eq!(returned.bookings.iter().map(|booking| booking.amount_minor).collect::<Vec<_>>(), [-500, 500]);
        assert!(returned.give_back("again", 99).is_err());
        let mut refused = transfer();
        assert!(refused.settle(AccountBehaviour::Closed, 10, &timings));
        assert_eq!((refused.status, refused.bookings.len()), (TransferStatus::Rejected, 0));
    }

    #[test]
    fn check_digits_tell_a_typing_error() {
        assert!(is_iban("DE89370400440532013000") && is_iban("GB29NWBK60161331926819"));
        assert!(!is_iban("DE89370400440532013001") && !is_iban("de89370400440532013000") && !is_iban("DE89"));
    }
}

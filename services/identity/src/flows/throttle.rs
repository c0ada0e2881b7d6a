//! Limits on what can be tried, per account and per network address.

use kit_core::{Email, Time};
use kit_db::Tx;
use kit_rpc::Ctx;

use super::Identity;
use crate::error::Error;
use crate::model::throttle::{Limit, Record};
use crate::store;

/// What attempts are counted by. The order is that of their texts, in which they are locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    SignInToAccount,
    SignInFromAddress,
    SignUpFromAddress,
    MailToAccount,
}

/// An account or address, and what is counted of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Subject {
    kind: Kind,
    who: String,
}

impl Subject {
    pub(crate) fn account(kind: Kind, email: &Email) -> Self {
        Self { kind, who: email.to_string() }
    }

    /// `None` for calls that come from no network address: the market's own.
    pub(crate) fn address(kind: Kind, ctx: &Ctx) -> Option<Self> {
        ctx.address.map(|address| Self { kind, who: address.to_string() })
    }

    fn text(&self) -> String {
        let kind = match self.kind {
            Kind::SignInToAccount => "a-sign-in",
            Kind::SignInFromAddress => "b-sign-in-from",
            Kind::SignUpFromAddress => "c-sign-up-from",
            Kind::MailToAccount => "d-mail",
        };
        format!("{kind}:{}", self.who)
    }
}

impl Identity {
    fn limit(&self, kind: Kind) -> Limit {
        let config = &self.config;
        let free = match kind {
            Kind::SignInToAccount => config.free_failures_per_account,
            Kind::SignInFromAddress => config.free_failures_per_address,
            Kind::SignUpFromAddress => config.free_sign_ups_per_address,
            Kind::MailToAccount => config.free_mails_per_account,
        };
        let longest_pause_seconds = match kind {
            Kind::SignInFromAddress => config.longest_address_pause_seconds,
            _ => config.longest_pause_seconds,
        };
        Limit { free, first_pause_seconds: config.first_pause_seconds, longest_pause_seconds, forgiven_after_seconds: config.longest_pause_seconds }
    }

    /// Refuses while any of the subjects pauses.
    pub(super) async fn check_pauses(&self, tx: &mut Tx, subjects: &[Subject], now: Time) -> Result<(), Error> {
        let texts: Vec<String> = subjects.iter().map(Subject::text).collect();
        let records = store::throttle::read(tx, &texts).await?;
        match records.iter().filter_map(|record| record.wait(now)).max() {
            Some(seconds) => Err(Error::TooManyAttempts(seconds)),
            None => Ok(()),
        }
    }

    /// Counts an attempt against a subject.
    pub(super) async fn strike(&self, tx: &mut Tx, subject: &Subject, now: Time) -> Result<Record, Error> {
        let text = subject.text();
        let record = store::throttle::lock(tx, &text, now).await?.strike(now, self.limit(subject.kind));
        store::throttle::save(tx, &text, record).await?;
        Ok(record)
    }

    pub(super) async fn forgive(&self, tx: &mut Tx, subject: &Subject) -> Result<(), Error> {
        store::throttle::clear(tx, &subject.text()).await
    }
}

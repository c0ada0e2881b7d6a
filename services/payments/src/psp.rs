//! The one interface over payment service providers. An adapter translates; it decides nothing and keeps nothing.

mod guard;
mod sandbox;
pub(crate) mod signature;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use api_payments::{CaptureId, PaymentId, RefundId};
use futures::FutureExt;
use futures::future::BoxFuture;
use kit_core::{Clock, Time};

use crate::config::Config;
use crate::error::Error;
use crate::model::{Failure, Payment, Sighting};
use crate::store::reports::NewLine;

pub(crate) use guard::Guarded;

/// Why a PSP did not answer with its record of the payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PspError {
    /// It answered no: surely not done.
    Refused(Failure),
    /// It knows no such payment.
    NotFound,
    /// It was surely not reached, or did not accept us: surely not done.
    NotDone(String),
    /// Anything else: it may or may not have happened.
    Unknown(String),
}

pub(crate) type PspAnswer<'a> = BoxFuture<'a, Result<Sighting, PspError>>;

/// A payment service provider. Every order carries a key made from our own ids, so that repeating it is safe.
pub(crate) trait Psp: Send + Sync {
    /// Holds the amount on the payment's method; key: the payment's id.
    fn authorise<'a>(&'a self, payment: &'a Payment) -> PspAnswer<'a>;
    /// The record of a payment by our key, for when its own id never reached us.
    fn find(&self, payment: PaymentId) -> PspAnswer<'_>;
    fn retrieve<'a>(&'a self, reference: &'a str) -> PspAnswer<'a>;
    fn capture<'a>(&'a self, reference: &'a str, id: CaptureId, amount_minor: i64) -> PspAnswer<'a>;
    fn refund<'a>(&'a self, reference: &'a str, id: RefundId, amount_minor: i64) -> PspAnswer<'a>;
    /// Gives up what is held and not captured.
    fn cancel<'a>(&'a self, reference: &'a str) -> PspAnswer<'a>;
    /// Forgets a saved method; one it does not know is forgotten already.
    fn forget_method<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<(), PspError>>;
    /// Sends evidence against a dispute; empty: it is accepted. A PSP whose disputes are answered elsewhere refuses.
    fn answer_dispute<'a>(&'a self, _reference: &'a str, _dispute: &'a str, _evidence: &'a str) -> PspAnswer<'a> {
        let message = "disputes of this payment service provider are answered in its own console".to_owned();
        async { Err(PspError::Refused(Failure { code: "not_offered".to_owned(), message })) }.boxed()
    }
    /// Lines of the report on our balance after a number, the oldest first. A PSP without one reports nothing.
    fn report(&self, _after: i64, _limit: usize) -> BoxFuture<'_, Result<Vec<NewLine>, PspError>> {
        async { Ok(Vec::new()) }.boxed()
    }
    /// Checks that a delivery is from this PSP, fresh and whole.
    fn verify(&self, headers: &HashMap<String, String>, body: &[u8], now: Time) -> Result<(), Error>;
    /// Reads a verified delivery.
    fn read(&self, body: &[u8]) -> Result<Vec<Notice>, Error>;
    fn offer(&self) -> Offer;
}

/// One event of a webhook.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    pub(crate) event_id: String,
    /// Ours; none when the event is about something we did not start.
    pub(crate) payment: Option<PaymentId>,
    pub(crate) sighting: Sighting,
}

/// What the browser needs to pay with this PSP.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) name: String,
    pub(crate) tokenisation_url: String,
    pub(crate) publishable_key: String,
    pub(crate) origin: String,
    /// (number, what it does).
    pub(crate) test_cards: Vec<(&'static str, &'static str)>,
}

/// The PSPs this market uses, each behind its guard.
#[derive(Clone)]
pub(crate) struct Psps {
    default: String,
    all: Arc<BTreeMap<&'static str, Guarded>>,
}

impl Psps {
    pub(crate) fn new(config: &Config, clock: &Clock) -> anyhow::Result<Self> {
        let mut all = BTreeMap::new();
        if config.sandbox.enabled {
            let psp = Arc::new(sandbox::Sandbox::new(&config.sandbox, &config.guard)?);
            all.insert(sandbox::NAME, Guarded::new(sandbox::NAME, psp, config.guard.clone(), clock.clone()));
        }
        anyhow::ensure!(
            all.contains_key(config.default_psp.as_str()),
            "services.payments.default_psp: there is no PSP named {:?} that is enabled",
            config.default_psp
        );
        Ok(Self { default: config.default_psp.clone(), all: Arc::new(all) })
    }

    /// The PSP of this name; the default one for the empty name.
    pub(crate) fn named(&self, name: &str) -> Result<&Guarded, Error> {
        let name = if name.is_empty() { &self.default } else { name };
        self.all.get(name).ok_or_else(|| Error::UnknownPsp(name.to_owned()))
    }

    /// All of them, the default one first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Guarded> {
        let (first, rest): (Vec<_>, Vec<_>) = self.all.values().partition(|psp| psp.name() == self.default);
        first.into_iter().chain(rest)
    }
}

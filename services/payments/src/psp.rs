//! The one interface over payment service providers. An adapter translates; it decides nothing and keeps nothing.

mod guard;
mod http;
mod paypal;
mod razorpay;
mod recent;
mod route;
mod sandbox;
pub(crate) mod signature;
mod stripe;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use api_payments::{CaptureId, RefundId};
use futures::FutureExt;
use futures::future::BoxFuture;
use kit_core::{Clock, Time};
use serde::Deserialize;

use crate::config::{Config, Route};
use crate::error::Error;
use crate::model::{Failure, Payment, Sighting};
use crate::store::reports::NewLine;

pub(crate) use guard::Guarded;
pub(crate) use recent::Circuit;
pub(crate) use route::{Chosen, Purpose};

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

/// A payment service provider. Every order carries a key made from our own ids, so that repeating it is safe. `reference` is the PSP's
/// own id of the payment.
pub(crate) trait Psp: Send + Sync {
    /// Holds the amount on the payment's method; key: the payment's id.
    fn authorise<'a>(&'a self, payment: &'a Payment) -> PspAnswer<'a>;
    /// The record of a payment by our key, for when the PSP's own id never reached us. Starts nothing.
    fn find<'a>(&'a self, payment: &'a Payment) -> PspAnswer<'a>;
    /// The record of a payment. Where a PSP holds the amount only when it is told to after the buyer's consent, this tells it to.
    fn retrieve<'a>(&'a self, payment: &'a Payment, reference: &'a str) -> PspAnswer<'a>;
    fn capture<'a>(&'a self, payment: &'a Payment, reference: &'a str, id: CaptureId, amount_minor: i64) -> PspAnswer<'a>;
    fn refund<'a>(&'a self, payment: &'a Payment, reference: &'a str, id: RefundId, amount_minor: i64) -> PspAnswer<'a>;
    /// Gives up what is held and not captured.
    fn cancel<'a>(&'a self, payment: &'a Payment, reference: &'a str) -> PspAnswer<'a>;
    /// Forgets a saved method; one it does not know is forgotten already. A PSP that saves none has none to forget.
    fn forget_method<'a>(&'a self, _token: &'a str) -> BoxFuture<'a, Result<(), PspError>> {
        async { Ok(()) }.boxed()
    }
    /// Sends evidence against a dispute; empty: it is accepted. A PSP whose disputes are answered elsewhere refuses.
    fn answer_dispute<'a>(&'a self, _payment: &'a Payment, _reference: &'a str, _dispute: &'a str, _evidence: &'a str) -> PspAnswer<'a> {
        let message = "disputes of this payment service provider are answered in its own console".to_owned();
        async { Err(PspError::Refused(Failure { code: "not_offered".to_owned(), message })) }.boxed()
    }
    /// Lines of the report on our balance after a number, the oldest first. A PSP without one reports nothing.
    fn report(&self, _after: i64, _limit: usize) -> BoxFuture<'_, Result<Vec<NewLine>, PspError>> {
        async { Ok(Vec::new()) }.boxed()
    }
    /// Checks that a delivery is from this PSP, fresh and whole.
    fn verify<'a>(&'a self, headers: &'a HashMap<String, String>, body: &'a [u8], now: Time) -> BoxFuture<'a, Result<(), Error>>;
    /// Reads a verified delivery. Without headers: one that was stored, of which the events' ids are known.
    fn read(&self, headers: &HashMap<String, String>, body: &[u8]) -> Result<Vec<Notice>, Error>;
    fn offer(&self) -> Offer;
}

/// One event of a webhook.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    pub(crate) event_id: String,
    /// Ours; none when the event names only the PSP's own id, or is about something we did not start.
    pub(crate) payment: Option<api_payments::PaymentId>,
    /// The PSP's own id of the payment, where it is all that the event names.
    pub(crate) reference: Option<String>,
    /// The PSP's record, when the event carries all of it. Without: the PSP is asked.
    pub(crate) sighting: Option<Sighting>,
}

/// A kind of means to pay with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MethodKind {
    Card,
    Paypal,
    Upi,
    NetBanking,
    Wallet,
}

impl MethodKind {
    pub(crate) const ALL: [Self; 5] = [Self::Card, Self::Paypal, Self::Upi, Self::NetBanking, Self::Wallet];

    /// As configuration and tokens write it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Paypal => "paypal",
            Self::Upi => "upi",
            Self::NetBanking => "net_banking",
            Self::Wallet => "wallet",
        }
    }
}

/// How a method comes from the buyer's browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    None,
    /// What is chosen, and (code, name) of each.
    OneOf(&'static str, &'static [(&'static str, &'static str)]),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Collect {
    /// A plain form that the browser posts to the PSP.
    Form { tokenisation_url: String, test_cards: &'static [(&'static str, &'static str)] },
    /// The PSP's own script puts its fields into our page.
    Script { url: String },
    /// Nothing is asked here but perhaps a choice; the buyer is sent to the PSP.
    Redirect(Detail),
}

/// One way to pay with a PSP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) kind: MethodKind,
    pub(crate) name: &'static str,
    pub(crate) collect: Collect,
    /// Whether the buyer can have it kept.
    pub(crate) saves: bool,
}

/// What the browser needs to pay with this PSP.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) publishable_key: String,
    /// Of the PSP's pages and scripts, for a Content-Security-Policy.
    pub(crate) origins: Vec<String>,
    /// Codes of the currencies it takes; empty: all.
    pub(crate) currencies: &'static [&'static str],
    pub(crate) ways: Vec<Way>,
}

/// The PSPs this market uses, each behind its guard.
#[derive(Clone)]
pub(crate) struct Psps {
    default: String,
    routes: Arc<[Route]>,
    all: Arc<BTreeMap<&'static str, Guarded>>,
}

impl Psps {
    pub(crate) fn new(config: &Config, clock: &Clock) -> anyhow::Result<Self> {
        let limits = &config.guard;
        let mut found: Vec<(&'static str, Arc<dyn Psp>)> = Vec::new();
        if config.sandbox.enabled {
            found.push((sandbox::NAME, Arc::new(sandbox::Sandbox::new(&config.sandbox, limits)?)));
        }
        if config.stripe.enabled {
            found.push((stripe::NAME, Arc::new(stripe::Stripe::new(&config.stripe, limits)?)));
        }
        if config.paypal.enabled {
            found.push((paypal::NAME, Arc::new(paypal::Paypal::new(&config.paypal, limits, clock.clone())?)));
        }
        if config.razorpay.enabled {
            found.push((razorpay::NAME, Arc::new(razorpay::Razorpay::new(&config.razorpay, limits)?)));
        }
        let all: BTreeMap<_, _> = found.into_iter().map(|(name, psp)| (name, Guarded::new(name, psp, limits.clone(), clock.clone()))).collect();
        let known = |name: &String, key: &str| {
            anyhow::ensure!(all.contains_key(name.as_str()), "services.payments.{key}: there is no PSP named {name:?} that is enabled");
            Ok(())
        };
        known(&config.default_psp, "default_psp")?;
        for (index, route) in config.routes.iter().enumerate() {
            anyhow::ensure!(!route.psps.is_empty(), "services.payments.routes[{index}].psps: names no PSP");
            route.psps.iter().try_for_each(|name| known(name, &format!("routes[{index}].psps")))?;
        }
        Ok(Self { default: config.default_psp.clone(), routes: config.routes.clone().into(), all: Arc::new(all) })
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

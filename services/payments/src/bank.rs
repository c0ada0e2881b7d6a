//! The one interface over the banks that sellers are paid from. An adapter translates; it decides nothing and keeps nothing.

mod sandbox;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use api_payments::PayoutId;
use futures::future::BoxFuture;
use kit_core::Time;

use crate::config::Config;
use crate::error::Error;
use crate::model::{Payout, SeenTransfer};
use crate::store::reports::NewLine;

/// Why a bank did not answer with its record of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BankError {
    /// It answered no: surely not done.
    Refused(String),
    /// It knows no such transfer.
    NotFound,
    /// Anything else: it may or may not have happened.
    Unknown(String),
}

/// The bank's name for somebody's account, which is all we keep of it.
#[derive(Debug, Clone)]
pub(crate) struct Beneficiary {
    pub(crate) id: String,
    pub(crate) last4: String,
}

/// One event of a webhook.
#[derive(Debug, Clone)]
pub(crate) struct BankNotice {
    pub(crate) event_id: String,
    /// Ours; none when it is about something we did not start.
    pub(crate) payout: Option<PayoutId>,
    pub(crate) seen: SeenTransfer,
}

pub(crate) type BankAnswer<'a> = BoxFuture<'a, Result<SeenTransfer, BankError>>;

/// A bank. Every transfer carries a key made from our own id, so that repeating it is safe.
pub(crate) trait Bank: Send + Sync {
    fn name(&self) -> &'static str;
    /// Tells the bank of an account that money will be sent to.
    fn register<'a>(&'a self, holder: &'a str, iban: &'a str) -> BoxFuture<'a, Result<Beneficiary, BankError>>;
    /// Sends money; key: the payout's id. Asked again it answers how the transfer stands.
    fn transfer<'a>(&'a self, payout: &'a Payout) -> BankAnswer<'a>;
    /// The record of a transfer by our key.
    fn find(&self, payout: PayoutId) -> BankAnswer<'_>;
    /// Checks that a delivery is from this bank, fresh and whole.
    fn verify(&self, headers: &HashMap<String, String>, body: &[u8], now: Time) -> Result<(), Error>;
    /// Reads a verified delivery.
    fn read(&self, body: &[u8]) -> Result<Vec<BankNotice>, Error>;
    /// Lines of our account's statement after a number, the oldest first.
    fn report(&self, after: i64, limit: usize) -> BoxFuture<'_, Result<Vec<NewLine>, BankError>>;
}

/// The banks this market uses. Sellers are paid from the default one.
#[derive(Clone)]
pub(crate) struct Banks {
    all: Arc<BTreeMap<&'static str, Arc<dyn Bank>>>,
}

impl Banks {
    pub(crate) fn new(config: &Config) -> anyhow::Result<Self> {
        let mut all: BTreeMap<&'static str, Arc<dyn Bank>> = BTreeMap::new();
        if config.bank.enabled {
            let bank = Arc::new(sandbox::SandboxBank::new(&config.bank)?);
            all.insert(bank.name(), bank);
        }
        Ok(Self { all: Arc::new(all) })
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Arc<dyn Bank>> {
        self.all.get(name)
    }

    pub(crate) fn default(&self) -> Result<&Arc<dyn Bank>, Error> {
        self.all.values().next().ok_or(Error::BankUnavailable)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<dyn Bank>> {
        self.all.values()
    }
}

//! The stories: authorise, capture, void, refund, resolve, webhooks, the ledger, settlement, payouts, disputes, reconciliation.

mod authorize;
mod disputes;
mod drive;
mod ledger;
mod methods;
mod payees;
mod payouts;
mod proof;
mod read;
mod record;
mod reports;
mod settle;
mod statements;
mod transfer;
mod webhook;

use kit_core::{Clock, Ids};
use kit_db::{Batch, Db, Limits, Scope, Tx, Upkeep};
use kit_rpc::Ctx;

use crate::bank::Banks;
use crate::config::{Config, MAX_BATCH, SettlementConfig};
use crate::error::Error;
use crate::model::Payment;
use crate::psp::Psps;
use crate::store::webhooks::Arrived;

pub(crate) use authorize::Authorisation;
pub(crate) use ledger::{Proof, View};
pub(crate) use payees::Standing;
pub(crate) use payouts::ASK_BANKS;
pub(crate) use proof::Check;
pub(crate) use record::{Change, Recorder, Wish};
pub(crate) use settle::SETTLE;
pub(crate) use statements::{Span, Statement};
pub(crate) use webhook::{ASK_PSPS, PROCESS_WEBHOOKS};

/// Everything a flow needs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Payments {
    pub(crate) db: Db,
    pub(crate) psps: Psps,
    banks: Banks,
    settlement: SettlementConfig,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    recorder: Recorder,
    /// New payments, written many at a time before their PSP is asked. Answers the payment, and whether it was new.
    intents: Batch<Payment, (Payment, bool), Error>,
    /// Everything that happens to payments, recorded many at a time.
    changes: Batch<Change, Payment, Error>,
    /// Webhooks as they come, stored many at a time.
    deliveries: Batch<Arrived, u64, Error>,
    upkeep: Upkeep,
}

/// Whether the PSPs and banks that are enabled have what they need.
pub(crate) fn check(config: &Config) -> anyhow::Result<()> {
    Psps::new(config, &Clock::System)?;
    Banks::new(config).map(drop)
}

impl Payments {
    pub(crate) fn new(db: Db, config: &Config, clock: Clock, ids: Ids, upkeep: Upkeep) -> anyhow::Result<Self> {
        let (psps, banks) = (Psps::new(config, &clock)?, Banks::new(config)?);
        let recorder = Recorder::new(clock.clone(), ids.clone());
        let intents = {
            let db = db.clone();
            Batch::start(Limits::new("payment_intents", MAX_BATCH), move |new| Box::pin(record::insert(db.clone(), new)))
        };
        let changes = {
            let (db, recorder) = (db.clone(), recorder.clone());
            Batch::start(Limits::new("payment_changes", MAX_BATCH), move |changes| Box::pin(record::run(db.clone(), recorder.clone(), changes)))
        };
        let deliveries = {
            let (db, clock) = (db.clone(), clock.clone());
            Batch::start(Limits::new("webhooks", MAX_BATCH), move |arrived| Box::pin(webhook::store_all(db.clone(), clock.clone(), arrived)))
        };
        Ok(Self { db, psps, banks, settlement: config.settlement.clone(), clock, ids, recorder, intents, changes, deliveries, upkeep })
    }

    async fn begin(&self) -> Result<Tx, Error> {
        Ok(self.db.begin(&Scope::Platform).await?)
    }

    async fn change(&self, ctx: &Ctx, payment: &Payment, wish: Wish) -> Result<Payment, Error> {
        self.changes.run(Change { ctx: ctx.clone(), payment: payment.id, wish }).await
    }

    /// The jobs of this service, each a reconciler.
    pub(crate) async fn prune_webhooks(&self, config: &Config) -> Result<(), Error> {
        let before = self.clock.now() - chrono::Duration::days(i64::from(config.keep_webhooks_days));
        loop {
            let mut tx = self.begin().await?;
            let pruned = crate::store::webhooks::prune(&mut tx, before).await?;
            tx.commit().await?;
            if pruned == 0 {
                return Ok(());
            }
        }
    }
}

//! Records what happens to payments: many at a time in one transaction, each decided by the model in order of arrival, with its
//! ledger entries and events.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use api_payments::{CaptureId, PaymentId, RefundId};
use kit_core::{Clock, Ids, Time};
use kit_db::{Db, Scope, log};
use kit_rpc::Ctx;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::events;
use crate::ledger::{Account, Entry, EntryKind, dispute_entry, entry};
use crate::model::{Ask, Dispute, DisputeState, Fact, Failure, Payment, Portion, Sighting};
use crate::store;
use crate::store::methods::Method;

/// Something that happens to one payment.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) ctx: Ctx,
    pub(crate) payment: PaymentId,
    pub(crate) wish: Wish,
}

#[derive(Debug, Clone)]
pub(crate) enum Wish {
    Observe(Box<Sighting>),
    /// The PSP surely did not do what it was asked.
    Refused(Ask, Failure),
    /// The PSP did not answer.
    Silent,
    /// The PSP was surely never asked; the next one is.
    Reroute,
    /// The PSP has told that something happened.
    Look,
    Capture {
        id: CaptureId,
        portions: Vec<Portion>,
    },
    Refund {
        id: RefundId,
        portions: Vec<Portion>,
        reason: String,
    },
    Void,
}

/// Applies changes within a transaction.
#[derive(Clone)]
pub(crate) struct Recorder {
    clock: Clock,
    ids: Ids,
    /// Accounts that surely exist, so that they need not be made again.
    accounts: Arc<Mutex<HashSet<Uuid>>>,
}

/// What a transaction did; the accounts are remembered once it has committed.
pub(crate) struct Applied {
    pub(crate) results: Vec<Result<Payment, Error>>,
    opened: Vec<Uuid>,
}

/// Inserts new payments; for an id that exists, answers the payment that is there.
pub(super) async fn insert(db: Db, new: Vec<Payment>) -> Result<Vec<Result<(Payment, bool), Error>>, Error> {
    let mut tx = db.begin(&Scope::Platform).await?;
    // An id that comes twice at once is new once.
    let mut distinct: HashMap<PaymentId, Payment> = HashMap::new();
    for payment in &new {
        distinct.entry(payment.id).or_insert_with(|| payment.clone());
    }
    let inserted: HashSet<Uuid> = store::payments::insert(&mut tx, distinct.into_values().collect()).await?.into_iter().collect();
    let known: Vec<Uuid> = new.iter().map(|payment| payment.id.uuid()).filter(|id| !inserted.contains(id)).collect();
    let known = if known.is_empty() { HashMap::new() } else { store::payments::get_all(&mut tx, &known).await? };
    tx.commit().await?;
    let mut told: HashMap<PaymentId, Payment> = HashMap::new();
    let answers = new.into_iter().map(|payment| match (known.get(&payment.id), told.get(&payment.id)) {
        (Some(there), _) | (None, Some(there)) => Ok((there.clone(), false)),
        (None, None) => {
            told.insert(payment.id, payment.clone());
            Ok((payment, true))
        }
    });
    Ok(answers.collect())
}

/// One batch of changes, in one transaction.
pub(super) async fn run(db: Db, recorder: Recorder, changes: Vec<Change>) -> Result<Vec<Result<Payment, Error>>, Error> {
    let mut tx = db.begin(&Scope::Platform).await?;
    let applied = recorder.apply(&mut tx, changes).await?;
    tx.commit().await?;
    Ok(recorder.committed(applied))
}

impl Recorder {
    pub(crate) fn new(clock: Clock, ids: Ids) -> Self {
        Self { clock, ids, accounts: Arc::default() }
    }

    /// Locks, decides, saves, posts and tells. A change that is refused changes nothing and does not disturb the others.
    pub(crate) async fn apply(&self, db: &mut PgConnection, changes: Vec<Change>) -> Result<Applied, Error> {
        let now = self.clock.now();
        let mut ids: Vec<Uuid> = changes.iter().map(|change| change.payment.uuid()).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut payments = store::payments::lock(db, &ids).await?;
        let before = payments.clone();
        let (mut results, mut told) = (Vec::with_capacity(changes.len()), Vec::new());
        for change in changes {
            let result = match payments.get_mut(&change.payment) {
                Some(payment) => decide(payment, change.wish, now).map(|facts| {
                    told.extend(facts.into_iter().map(|fact| (change.ctx.clone(), payment.clone(), fact)));
                    payment.clone()
                }),
                None => Err(Error::NotFound(change.payment)),
            };
            results.push(result);
        }
        let changed: Vec<Payment> = payments.into_values().filter(|payment| before.get(&payment.id) != Some(payment)).collect();
        for payment in &changed {
            self.keep_method(db, payment, before.get(&payment.id), now).await?;
        }
        if !changed.is_empty() {
            store::payments::save(db, changed).await?;
        }
        let opened = self.post(db, &told, now).await?;
        follow_up(db, &told, now).await?;
        log::append_many(db, told.iter().map(|(ctx, payment, fact)| (ctx, events::of(payment, fact))), now).await?;
        Ok(Applied { results, opened })
    }

    /// To be called once the transaction has committed.
    pub(crate) fn committed(&self, applied: Applied) -> Vec<Result<Payment, Error>> {
        self.remember(applied.opened);
        applied.results
    }

    /// Writes the ledger entries of what moved money.
    async fn post(&self, db: &mut PgConnection, told: &[(Ctx, Payment, Fact)], now: Time) -> Result<Vec<Uuid>, Error> {
        let mut entries: Vec<Entry> = Vec::new();
        for (_, payment, fact) in told {
            let id = || self.ids.next();
            match fact {
                Fact::Captured(settled) => entries.push(entry(id(), EntryKind::Capture, payment, settled, now)),
                Fact::Refunded(settled) => entries.push(entry(id(), EntryKind::Refund, payment, settled, now)),
                Fact::DisputeOpened(dispute) => entries.push(dispute_entry(id(), EntryKind::DisputeOpened, payment, dispute, now)?),
                Fact::DisputeClosed(dispute) => {
                    let won = dispute.state == DisputeState::Won;
                    let kind = if won { EntryKind::DisputeWon } else { EntryKind::DisputeLost };
                    entries.push(dispute_entry(id(), kind, payment, dispute, now)?);
                }
                _ => {}
            }
        }
        // A dispute without a fee that is lost moves nothing any more.
        entries.retain(|entry| !entry.postings.is_empty());
        self.write(db, &entries).await
    }

    /// Adds entries to the ledger. Answers the accounts that were opened for them, to be remembered once the transaction has committed.
    pub(crate) async fn write(&self, db: &mut PgConnection, entries: &[Entry]) -> Result<Vec<Uuid>, Error> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let missing: Vec<Account> = {
            let known = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
            let used: HashSet<&Account> = entries.iter().flat_map(|entry| &entry.postings).map(|posting| &posting.account).collect();
            used.into_iter().filter(|account| !known.contains(&account.id())).cloned().collect()
        };
        if !missing.is_empty() {
            store::ledger::open_accounts(db, &missing).await?;
        }
        store::ledger::insert_entries(db, entries).await?;
        store::ledger::insert_postings(db, entries).await?;
        Ok(missing.iter().map(Account::id).collect())
    }

    /// To be called with what `write` answered, once its transaction has committed.
    pub(crate) fn remember(&self, opened: Vec<Uuid>) {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).extend(opened);
    }

    /// Keeps the method of a payment that asked for it, once the PSP has given us its token.
    async fn keep_method(&self, db: &mut PgConnection, payment: &Payment, before: Option<&Payment>, now: Time) -> Result<(), Error> {
        let fresh = before.is_none_or(|before| before.saved_token.is_none());
        let Some(token) = payment.saved_token.clone().filter(|_| fresh) else { return Ok(()) };
        let method = Method { id: self.ids.next(), psp: payment.psp.clone(), token, card: payment.card.clone(), created_at: now };
        store::methods::insert(db, payment.buyer, &method).await
    }
}

/// What else must be written when money is taken back: the list of disputes, and a mark on sub-orders whose money was released.
async fn follow_up(db: &mut PgConnection, told: &[(Ctx, Payment, Fact)], now: Time) -> Result<(), Error> {
    let mut moved: Vec<Uuid> = Vec::new();
    for (_, payment, fact) in told {
        match fact {
            Fact::Refunded(settled) => moved.extend(settled.divided.iter().map(|(portion, _)| portion.sub_order.uuid())),
            Fact::DisputeOpened(dispute) | Fact::DisputeAnswered(dispute) | Fact::DisputeClosed(dispute) => {
                moved.extend(dispute.divided.iter().map(|(portion, _)| portion.sub_order.uuid()));
                store::disputes::put(db, payment, dispute).await?;
                bear_what_is_left(db, payment, dispute, now).await?;
            }
            _ => {}
        }
    }
    if moved.is_empty() { Ok(()) } else { store::settlement::mark_stale(db, &moved).await }
}

/// A sub-order that a lost dispute has taken whole will never be delivered; its fee must reach the seller all the same.
async fn bear_what_is_left(db: &mut PgConnection, payment: &Payment, dispute: &Dispute, now: Time) -> Result<(), Error> {
    if dispute.state != DisputeState::Lost {
        return Ok(());
    }
    let taken =
        |split: &&crate::model::Split| split.left().total() == 0 && dispute.divided.iter().any(|(portion, _)| portion.sub_order == split.sub_order);
    for split in payment.splits.iter().filter(taken) {
        store::settlement::insert_part(db, split.sub_order, split.tenant, payment.order, now, now).await?;
    }
    Ok(())
}

/// Applies a wish to a payment, wholly or not at all.
fn decide(payment: &mut Payment, wish: Wish, now: Time) -> Result<Vec<Fact>, Error> {
    let mut changed = payment.clone();
    let facts = match wish {
        Wish::Observe(sighting) => changed.observe(&sighting, now)?,
        Wish::Refused(ask, failure) => changed.refused(&ask, failure, now),
        Wish::Silent => {
            changed.silent(now);
            Vec::new()
        }
        Wish::Reroute => {
            changed.reroute(now);
            Vec::new()
        }
        Wish::Look => {
            changed.request_look(now);
            Vec::new()
        }
        Wish::Capture { id, portions } => {
            changed.request_capture(id.uuid(), portions, now)?;
            Vec::new()
        }
        Wish::Refund { id, portions, reason } => {
            changed.request_refund(id.uuid(), portions, reason, now)?;
            Vec::new()
        }
        Wish::Void => {
            changed.request_void(now)?;
            Vec::new()
        }
    };
    *payment = changed;
    Ok(facts)
}

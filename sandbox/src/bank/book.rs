//! All the bank knows, in memory behind one lock; every change is a line of its journal before it is an answer or a webhook.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use kit_core::{Clock, Ids};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::model::{AccountBehaviour, Beneficiary, Transfer, TransferStatus};
use crate::error::Error;
use crate::journal::{Journal, replay};
use crate::model::millis;
use crate::settings::{BankSettings, Timings};
use crate::webhooks::{Event, HookSender, Waiting};

/// One line of the journal; the last line of a thing wins.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Record {
    Beneficiary(Beneficiary),
    Transfer {
        transfer: Transfer,
        /// The event that tells of this change, to be delivered.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        event: Option<String>,
    },
    Delivered(Vec<String>),
}

pub(crate) struct Bank {
    pub(crate) settings: BankSettings,
    pub(crate) timings: Timings,
    clock: Clock,
    ids: Ids,
    inner: Mutex<Inner>,
    journal: Journal,
}

#[derive(Default)]
struct Inner {
    beneficiaries: HashMap<String, Beneficiary>,
    transfers: BTreeMap<String, Transfer>,
    /// Idempotency-Key → transfer.
    keys: HashMap<String, String>,
    /// The statement: number → transfer and its booking's place there.
    bookings: BTreeMap<u64, (String, usize)>,
}

/// A wish to send money.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTransfer {
    pub(crate) beneficiary: String,
    pub(crate) amount_minor: i64,
    pub(crate) currency: String,
    #[serde(default)]
    pub(crate) purpose: String,
}

/// A line of the statement.
#[derive(Debug, Serialize)]
pub(crate) struct StatementLine {
    number: u64,
    transfer: String,
    reference: String,
    kind: &'static str,
    amount_minor: i64,
    currency: String,
    created: i64,
}

/// An answer that may be given once the journal has it.
pub(crate) struct Answer {
    pub(crate) transfer: Transfer,
    saved: oneshot::Receiver<()>,
    hold: Duration,
}

impl Answer {
    pub(crate) async fn ready(self) -> Result<Transfer, Error> {
        self.saved.await.map_err(|_| Error::Journal)?;
        if !self.hold.is_zero() {
            tokio::time::sleep(self.hold).await;
        }
        Ok(self.transfer)
    }
}

impl Bank {
    /// Reads the journal back and queues what was not delivered.
    pub(crate) fn open(data_dir: &Path, settings: BankSettings, timings: Timings, clock: Clock, hooks: HookSender) -> Result<Self> {
        let path = data_dir.join("bank.jsonl");
        let (mut inner, mut undelivered) = (Inner::default(), BTreeMap::new());
        replay(&path, |record| match record {
            Record::Beneficiary(beneficiary) => {
                inner.beneficiaries.insert(beneficiary.id.clone(), beneficiary);
            }
            Record::Transfer { transfer, event } => {
                undelivered.extend(event.map(|id| (id, transfer.clone())));
                inner.put(transfer);
            }
            Record::Delivered(ids) => ids.iter().for_each(|id| {
                undelivered.remove(id);
            }),
        })?;
        let journal = Journal::open(&path, hooks.clone())?;
        let due_ms = clock.now().timestamp_millis();
        if settings.webhook_url.is_some() {
            let events = undelivered.into_iter().filter_map(|(id, transfer)| event(id, due_ms, &transfer));
            events.for_each(|event| hooks.send(Waiting { event, due_ms, attempts: 0 }));
        }
        let ids = Ids::new(clock.clone());
        Ok(Self { settings, timings, clock, ids, inner: Mutex::new(inner), journal })
    }

    pub(crate) fn close(&self) {
        self.journal.close();
    }

    /// Records somebody money can be sent to.
    pub(crate) async fn add_beneficiary(&self, holder: String, iban: String) -> Result<Beneficiary, Error> {
        let beneficiary = Beneficiary { id: self.new_id("bn"), holder, iban };
        let saved = self.journal.append(line(&Record::Beneficiary(beneficiary.clone()))?, Vec::new());
        self.lock().beneficiaries.insert(beneficiary.id.clone(), beneficiary.clone());
        saved.await.map_err(|_| Error::Journal)?;
        Ok(beneficiary)
    }

    /// Sends money. The same key again answers how the transfer stands now.
    pub(crate) fn transfer(&self, key: String, wanted: NewTransfer) -> Result<Answer, Error> {
        let mut inner = self.lock();
        if let Some(known) = inner.keys.get(&key).and_then(|id| inner.transfers.get(id)) {
            let same = known.beneficiary == wanted.beneficiary && known.amount_minor == wanted.amount_minor && known.currency == wanted.currency;
            let saved = self.journal.barrier();
            return if same { Ok(Answer { transfer: known.clone(), saved, hold: Duration::ZERO }) } else { Err(Error::KeyReused) };
        }
        let behaviour = inner.beneficiaries.get(&wanted.beneficiary).ok_or(Error::NotFound("beneficiary"))?.behaviour();
        let now_ms = self.now_ms();
        let transfer = Transfer {
            id: self.new_id("tr"),
            reference: key,
            beneficiary: wanted.beneficiary,
            amount_minor: wanted.amount_minor,
            currency: wanted.currency,
            purpose: wanted.purpose,
            status: TransferStatus::Pending,
            reason: String::new(),
            version: 1,
            created_ms: now_ms,
            due_ms: Some(now_ms.saturating_add(millis(self.timings.later))),
            bookings: Vec::new(),
        };
        let hold = if behaviour == AccountBehaviour::AnswerLost { self.timings.hang } else { Duration::ZERO };
        let saved = self.save(&mut inner, transfer.clone())?;
        Ok(Answer { transfer, saved, hold })
    }

    /// The money of a settled transfer comes back.
    pub(crate) fn give_back(&self, id: &str, reason: &str) -> Result<Answer, Error> {
        let mut inner = self.lock();
        let mut transfer = inner.transfers.get(id).cloned().ok_or(Error::NotFound("transfer"))?;
        transfer.give_back(reason, self.now_ms())?;
        let saved = self.save(&mut inner, transfer.clone())?;
        Ok(Answer { transfer, saved, hold: Duration::ZERO })
    }

    pub(crate) fn find(&self, id: &str) -> Result<Transfer, Error> {
        self.lock().transfers.get(id).cloned().ok_or(Error::NotFound("transfer"))
    }

    pub(crate) fn find_by_key(&self, key: &str) -> Result<Transfer, Error> {
        let inner = self.lock();
        let found = inner.keys.get(key).and_then(|id| inner.transfers.get(id));
        found.cloned().ok_or(Error::NotFound("transfer"))
    }

    /// The statement after a number, oldest line first.
    pub(crate) fn statement(&self, after: u64, limit: usize) -> Vec<StatementLine> {
        let inner = self.lock();
        let line = |(number, (id, index)): (&u64, &(String, usize))| {
            let transfer = inner.transfers.get(id)?;
            let booking = transfer.bookings.get(*index)?;
            Some(StatementLine {
                number: *number,
                transfer: transfer.id.clone(),
                reference: transfer.reference.clone(),
                kind: if booking.amount_minor < 0 { "transfer" } else { "return" },
                amount_minor: booking.amount_minor,
                currency: transfer.currency.clone(),
                created: booking.at_ms / 1_000,
            })
        };
        inner.bookings.range(after.saturating_add(1)..).take(limit).filter_map(line).collect()
    }

    /// Lets happen what is due.
    pub(crate) fn settle_due(&self) {
        let now_ms = self.now_ms();
        let mut inner = self.lock();
        let due: Vec<Transfer> = inner.transfers.values().filter(|transfer| transfer.due_ms.is_some_and(|due| due <= now_ms)).cloned().collect();
        for mut transfer in due {
            let behaviour = inner.beneficiaries.get(&transfer.beneficiary).map_or(AccountBehaviour::Takes, Beneficiary::behaviour);
            if transfer.settle(behaviour, now_ms, &self.timings) {
                // Nobody waits for this answer; the webhook goes out when the line is on disk.
                let _nobody_waits = self.save(&mut inner, transfer);
            }
        }
    }

    pub(crate) fn delivered(&self, batch: &[Waiting]) {
        let ids = batch.iter().map(|waiting| waiting.event.id.clone()).collect();
        if let Ok(line) = line(&Record::Delivered(ids)) {
            self.journal.note(line);
        }
    }

    fn save(&self, inner: &mut Inner, mut transfer: Transfer) -> Result<oneshot::Receiver<()>, Error> {
        inner.number_bookings(&mut transfer);
        let now_ms = self.now_ms();
        // A transfer that has only begun is known to whoever began it.
        let told = self.settings.webhook_url.is_some() && transfer.version > 1;
        let id = told.then(|| self.new_id("bev"));
        let events = id.clone().and_then(|id| event(id, now_ms, &transfer)).map(|event| Waiting { event, due_ms: now_ms, attempts: 0 });
        let saved = self.journal.append(line(&Record::Transfer { transfer: transfer.clone(), event: id })?, events.into_iter().collect());
        inner.put(transfer);
        Ok(saved)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> i64 {
        self.clock.now().timestamp_millis()
    }

    fn new_id(&self, prefix: &str) -> String {
        format!("{prefix}_{}", self.ids.uuid().simple())
    }
}

impl Inner {
    fn put(&mut self, transfer: Transfer) {
        self.keys.insert(transfer.reference.clone(), transfer.id.clone());
        let placed = transfer.bookings.iter().enumerate().map(|(index, booking)| (booking.number, (transfer.id.clone(), index)));
        self.bookings.extend(placed);
        self.transfers.insert(transfer.id.clone(), transfer);
    }

    fn number_bookings(&self, transfer: &mut Transfer) {
        let last = self.bookings.last_key_value().map_or(0, |(last, _)| *last);
        for (booking, number) in transfer.bookings.iter_mut().filter(|booking| booking.number == 0).zip(last + 1..) {
            booking.number = number;
        }
    }
}

fn line(record: &Record) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(record).map_err(|_| Error::Journal)
}

fn event(id: String, at_ms: i64, transfer: &Transfer) -> Option<Arc<Event>> {
    let body = serde_json::to_vec(&serde_json::json!({"id": id, "created": at_ms / 1_000, "transfer": super::api::view(transfer)})).ok()?;
    Some(Arc::new(Event { id, body }))
}

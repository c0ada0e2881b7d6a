//! All the sandbox knows, in memory behind one lock held for microseconds; every change is a journal line before it is an answer.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use anyhow::{Context, Result};
use kit_core::Ids;
use tokio::sync::oneshot;

use crate::cards::{Behaviour, Card};
use crate::error::Error;
use crate::faults::{Faults, Shares};
use crate::journal::{EventHead, Journal, Method, Record, Token, replay, rewrite};
use crate::model::{EventWord, MovementKind, MovementRequest, Payment, Status, millis};
use crate::settings::{MAX_LISTED_EVENTS, Settings};
use crate::view::{ReportLine, event_of, view};
use crate::webhooks::{Event, HookSender, Waiting};

/// How long the answer of a "webhook first" card waits, so that the webhook is there before it.
const WEBHOOK_FIRST: Duration = Duration::from_millis(700);
/// How far apart the copies of a duplicated webhook are sent.
const COPY_APART_MS: i64 = 150;
/// Lines a journal may have beyond twice what is alive before it is rewritten at start.
const SPARE_LINES: usize = 10_000;

pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) ids: Ids,
    inner: Mutex<Inner>,
    journal: Journal,
}

#[derive(Default)]
pub(crate) struct Inner {
    payments: HashMap<String, Payment>,
    /// Idempotency-Key → payment.
    keys: HashMap<String, String>,
    pub(crate) tokens: HashMap<String, Token>,
    pub(crate) methods: HashMap<String, Method>,
    /// Payments that change by themselves, by when.
    timers: BTreeSet<(i64, String)>,
    /// The report: number → payment and its booking's place there.
    bookings: BTreeMap<u64, (String, usize)>,
    events: VecDeque<Arc<Event>>,
    pub(crate) faults: Faults,
    shares: Shares,
}

/// An answer in the making: it may be given once the journal has it.
pub(crate) struct Answer {
    pub(crate) body: Vec<u8>,
    saved: oneshot::Receiver<()>,
    /// How long it is held back, as the card or a fault wants.
    hold: Duration,
}

impl Answer {
    /// Waits for the disk, then as long as the card or the faults say.
    pub(crate) async fn ready(self) -> Result<Vec<u8>, Error> {
        self.saved.await.map_err(|_| Error::Journal)?;
        if !self.hold.is_zero() {
            tokio::time::sleep(self.hold).await;
        }
        Ok(self.body)
    }
}

/// A request to create a payment, with a card when it is to be charged at once.
pub(crate) struct NewPayment {
    pub(crate) key: String,
    pub(crate) fingerprint: u64,
    pub(crate) reference: String,
    pub(crate) amount_minor: i64,
    pub(crate) currency: String,
    pub(crate) description: String,
    pub(crate) return_url: String,
}

/// A token and whether the card behind it shall be kept for later payments.
pub(crate) struct Charge {
    pub(crate) token: String,
    pub(crate) save_method: bool,
}

impl World {
    /// Reads the journal back and queues what was not delivered.
    pub(crate) fn open(settings: Settings, hooks: HookSender) -> Result<Self> {
        std::fs::create_dir_all(&settings.data_dir).with_context(|| format!("cannot create {}", settings.data_dir.display()))?;
        let path = journal_path(&settings);
        let (mut inner, undelivered) = restore(&path, &settings)?;
        let booked = |payment: &Payment| {
            payment.bookings.iter().enumerate().map(|(index, booking)| (booking.number, (payment.id.clone(), index))).collect::<Vec<_>>()
        };
        inner.bookings = inner.payments.values().flat_map(booked).collect();
        inner.timers = inner.payments.values().filter_map(|payment| Some((payment.due_ms?, payment.id.clone()))).collect();
        let journal = Journal::open(&path, hooks.clone())?;
        let now_ms = settings.clock.now().timestamp_millis();
        if settings.webhook_url.is_some() {
            let waiting = undelivered.into_values().filter_map(|(head, payment)| event_of(&settings, &head, &payment));
            waiting.for_each(|event| hooks.send(Waiting { event, due_ms: now_ms, attempts: 0 }));
        }
        let ids = Ids::new(settings.clock.clone());
        Ok(Self { settings, ids, inner: Mutex::new(inner), journal })
    }

    pub(crate) fn close(&self) {
        self.journal.close();
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.settings.clock.now().timestamp_millis()
    }

    pub(crate) fn new_id(&self, prefix: &str) -> String {
        format!("{prefix}_{}", self.ids.uuid().simple())
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn note(&self, record: &Record) {
        if let Ok(line) = serde_json::to_vec(record) {
            self.journal.note(line);
        }
    }

    /// Creates a payment and, given a card, charges it. The same key again answers how the payment stands now.
    pub(crate) fn create(&self, new: NewPayment, charge: Option<Charge>) -> Result<Answer, Error> {
        let mut inner = self.lock();
        if let Some(payment) = inner.keys.get(&new.key).and_then(|id| inner.payments.get(id)) {
            return if payment.fingerprint == new.fingerprint { self.as_is(payment) } else { Err(Error::KeyReused) };
        }
        let mut payment = Payment {
            id: self.new_id("pi"),
            key: new.key,
            fingerprint: new.fingerprint,
            reference: new.reference,
            amount_minor: new.amount_minor,
            currency: new.currency,
            description: new.description,
            return_url: new.return_url,
            status: Status::RequiresMethod,
            card: None,
            saved_method: None,
            captured_minor: 0,
            refunded_minor: 0,
            movements: Vec::new(),
            bookings: Vec::new(),
            disputes: Vec::new(),
            failure: None,
            version: 0,
            created_ms: self.now_ms(),
            due_ms: None,
        };
        let (word, used) = match charge {
            Some(charge) => self.charge(&mut inner, &mut payment, charge)?,
            None => (None, None),
        };
        inner.keys.insert(payment.key.clone(), payment.id.clone());
        self.save(&mut inner, payment, word, used)
    }

    /// Charges a payment that was created without a card.
    pub(crate) fn confirm(&self, id: &str, charge: Charge) -> Result<Answer, Error> {
        let mut inner = self.lock();
        let mut payment = inner.payment(id)?;
        let (word, used) = self.charge(&mut inner, &mut payment, charge)?;
        self.save(&mut inner, payment, word, used)
    }

    fn charge(&self, inner: &mut Inner, payment: &mut Payment, charge: Charge) -> Result<(Option<EventWord>, Option<String>), Error> {
        let (card, used) = inner.card_of(&charge.token, self.now_ms())?;
        let declined = inner.shares.decline.strikes(inner.faults.decline_percent);
        let word = payment.confirm(card.clone(), declined, self.now_ms(), &self.settings.timings)?;
        if charge.save_method && payment.status != Status::Failed {
            let method = Method { id: self.new_id("pm"), card };
            self.note(&Record::Method(method.clone()));
            payment.saved_method = Some(method.id.clone());
            inner.methods.insert(method.id.clone(), method);
        }
        Ok((Some(word), used))
    }

    /// Captures or refunds. The same key again answers how the payment stands now.
    pub(crate) fn transfer(&self, id: &str, kind: MovementKind, request: MovementRequest) -> Result<Answer, Error> {
        let mut inner = self.lock();
        let mut payment = inner.payment(id)?;
        if payment.asked_before(kind, &request.key, request.amount_minor)? {
            return self.as_is(&payment);
        }
        let word = match kind {
            MovementKind::Capture => payment.capture(request, self.now_ms(), &self.settings.fees, &self.settings.timings)?,
            MovementKind::Refund => payment.refund(request, self.now_ms(), &self.settings.timings)?,
        };
        self.save(&mut inner, payment, Some(word), None)
    }

    pub(crate) fn cancel(&self, id: &str) -> Result<Answer, Error> {
        let mut inner = self.lock();
        let mut payment = inner.payment(id)?;
        match payment.cancel()? {
            Some(word) => self.save(&mut inner, payment, Some(word), None),
            None => self.as_is(&payment),
        }
    }

    /// A cardholder disputes a payment.
    pub(crate) fn dispute(&self, id: &str, reason: String, amount_minor: Option<i64>) -> Result<Answer, Error> {
        let mut inner = self.lock();
        let mut payment = inner.payment(id)?;
        let word = payment.dispute(self.new_id("dp"), reason, amount_minor, self.now_ms(), &self.settings.fees, &self.settings.timings)?;
        self.save(&mut inner, payment, Some(word), None)
    }

    /// The merchant's evidence against a dispute of a payment.
    pub(crate) fn answer_dispute(&self, id: &str, dispute: &str, evidence: String) -> Result<Answer, Error> {
        let mut inner = self.lock();
        let mut payment = inner.payment(id)?;
        let word = payment.answer_dispute(dispute, evidence, self.now_ms(), &self.settings.timings)?;
        self.save(&mut inner, payment, Some(word), None)
    }

    /// The report: movements on the balance after a number, oldest first, and the balance per currency after the last of all.
    pub(crate) fn report(&self, after: u64, limit: usize) -> Vec<ReportLine> {
        let inner = self.lock();
        let later = inner.bookings.range(after.saturating_add(1)..).take(limit);
        let line = |(number, (payment, index)): (&u64, &(String, usize))| {
            let payment = inner.payments.get(payment)?;
            Some(ReportLine::of(*number, payment, payment.bookings.get(*index)?))
        };
        later.filter_map(line).collect()
    }

    pub(crate) fn find(&self, id: &str) -> Result<Answer, Error> {
        let inner = self.lock();
        self.as_is(inner.payments.get(id).ok_or(Error::NotFound("payment"))?)
    }

    /// Payments whose ids follow one, in the order of their ids.
    pub(crate) fn list(&self, after: &str, limit: usize) -> Result<Vec<Vec<u8>>, Error> {
        let inner = self.lock();
        let mut later: Vec<&Payment> = inner.payments.values().filter(|payment| payment.id.as_str() > after).collect();
        later.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        later.into_iter().take(limit).map(|payment| view(&self.settings, payment)).collect()
    }

    /// The payment that was created under an Idempotency-Key.
    pub(crate) fn find_by_key(&self, key: &str) -> Result<Answer, Error> {
        let inner = self.lock();
        let payment = inner.keys.get(key).and_then(|id| inner.payments.get(id));
        self.as_is(payment.ok_or(Error::NotFound("payment"))?)
    }

    /// A payment as the challenge page needs it.
    pub(crate) fn payment(&self, id: &str) -> Result<Payment, Error> {
        self.lock().payment(id)
    }

    /// The buyer's answer to the 3-D Secure challenge; a second answer changes nothing.
    pub(crate) async fn answer_challenge(&self, id: &str, approved: bool) -> Result<Payment, Error> {
        let (payment, saved) = {
            let mut inner = self.lock();
            let mut payment = inner.payment(id)?;
            let word = payment.answer_challenge(approved);
            let answer = if word.is_some() { self.save(&mut inner, payment.clone(), word, None)? } else { self.as_is(&payment)? };
            (payment, answer)
        };
        saved.ready().await?;
        Ok(payment)
    }

    /// Lets happen what is due.
    pub(crate) fn settle_due(&self) {
        let now_ms = self.now_ms();
        let mut inner = self.lock();
        while let Some((due_ms, id)) = inner.timers.pop_first() {
            if due_ms > now_ms {
                inner.timers.insert((due_ms, id));
                break;
            }
            let Some(mut payment) = inner.payments.get(&id).cloned() else { continue };
            if let Some(word) = payment.settle(now_ms, &self.settings.fees, &self.settings.timings) {
                // Nobody waits for this answer; the webhook goes out when the line is on disk.
                let _nobody_waits = self.save(&mut inner, payment, Some(word), None);
            }
        }
        inner.tokens.retain(|_, token| token.expires_ms > now_ms);
    }

    /// Events after one, oldest first.
    pub(crate) fn events(&self, after: Option<&str>, limit: usize) -> Vec<Arc<Event>> {
        let inner = self.lock();
        let start = after.and_then(|after| inner.events.iter().position(|event| event.id == after)).map_or(0, |place| place + 1);
        inner.events.iter().skip(start).take(limit).cloned().collect()
    }

    /// The merchant has taken these.
    pub(crate) fn delivered(&self, batch: &[Waiting]) {
        self.note(&Record::Delivered(batch.iter().map(|waiting| waiting.event.id.clone()).collect()));
    }

    /// Stores a changed payment, its line and its event.
    fn save(&self, inner: &mut Inner, mut payment: Payment, word: Option<EventWord>, used_token: Option<String>) -> Result<Answer, Error> {
        let now_ms = self.now_ms();
        inner.number_bookings(&mut payment, now_ms);
        let head = word.map(|word| EventHead { id: self.new_id("evt"), word: word.to_owned(), created_ms: now_ms });
        let event = head.as_ref().and_then(|head| event_of(&self.settings, head, &payment));
        let waiting = event.as_ref().map(|event| self.plan(inner, &payment, event, now_ms)).unwrap_or_default();
        let hold = hold_of(inner, &self.settings, &payment);
        if let Some(due_ms) = payment.due_ms {
            inner.timers.insert((due_ms, payment.id.clone()));
        }
        if let Some(event) = event {
            inner.events.push_back(event);
            while inner.events.len() > MAX_LISTED_EVENTS {
                inner.events.pop_front();
            }
        }
        if let Some(token) = &used_token {
            inner.tokens.remove(token);
        }
        let body = view(&self.settings, &payment)?;
        let events = if waiting.is_empty() { Vec::new() } else { head.into_iter().collect() };
        let record = Record::Change { payment: Box::new(payment), events, used_token };
        let line = serde_json::to_vec(&record).map_err(|_| Error::Journal)?;
        if let Record::Change { payment, .. } = record {
            inner.payments.insert(payment.id.clone(), *payment);
        }
        // Appended under the lock, so that the lines of one payment are in the order of its changes.
        Ok(Answer { body, saved: self.journal.append(line, waiting), hold })
    }

    /// Answers how a payment stands, once all that made it so is on disk.
    fn as_is(&self, payment: &Payment) -> Result<Answer, Error> {
        Ok(Answer { body: view(&self.settings, payment)?, saved: self.journal.barrier(), hold: Duration::ZERO })
    }

    /// When and how often an event is sent.
    fn plan(&self, inner: &mut Inner, payment: &Payment, event: &Arc<Event>, now_ms: i64) -> Vec<Waiting> {
        let faults = inner.faults.clone();
        if self.settings.webhook_url.is_none() || inner.shares.drop.strikes(faults.drop_webhooks_percent) {
            return Vec::new();
        }
        let behaviour = payment.behaviour();
        let copies =
            if behaviour == Behaviour::DuplicateWebhooks || inner.shares.duplicate.strikes(faults.duplicate_webhooks_percent) { 3 } else { 1 };
        // Of a "reordered" card the first event is late, so that what follows overtakes it.
        let overtaken = behaviour == Behaviour::ReorderedWebhooks && payment.version == 1;
        let late = behaviour == Behaviour::Delayed || overtaken || inner.shares.reorder.strikes(faults.reorder_webhooks_percent);
        let due_ms = if late { now_ms.saturating_add(millis(self.settings.timings.webhook_delay)) } else { now_ms };
        (0..copies).map(|copy| Waiting { event: Arc::clone(event), due_ms: due_ms.saturating_add(copy * COPY_APART_MS), attempts: 0 }).collect()
    }
}

/// How long the answer of a change is held back.
fn hold_of(inner: &mut Inner, settings: &Settings, payment: &Payment) -> Duration {
    let behaviour = payment.behaviour();
    let charged_now = payment.version == 1;
    let timeout = inner.shares.timeout.strikes(inner.faults.timeout_after_success_percent);
    match behaviour {
        _ if timeout => settings.timings.hang,
        Behaviour::TimesOut if charged_now => settings.timings.hang,
        Behaviour::WebhookFirst if charged_now => WEBHOOK_FIRST,
        Behaviour::Delayed => settings.timings.delay,
        _ => Duration::ZERO,
    }
}

impl Inner {
    /// Gives new bookings their places in the report.
    fn number_bookings(&mut self, payment: &mut Payment, now_ms: i64) {
        let Payment { id, bookings, .. } = payment;
        for (index, booking) in bookings.iter_mut().enumerate().filter(|(_, booking)| booking.number == 0) {
            booking.number = self.bookings.last_key_value().map_or(1, |(last, _)| last + 1);
            booking.at_ms = now_ms;
            self.bookings.insert(booking.number, (id.clone(), index));
        }
    }

    fn payment(&self, id: &str) -> Result<Payment, Error> {
        self.payments.get(id).cloned().ok_or(Error::NotFound("payment"))
    }

    /// The card behind a test token, a saved method or a token of the card form; the last is used up by the change it goes into.
    fn card_of(&self, token: &str, now_ms: i64) -> Result<(Card, Option<String>), Error> {
        if let Some(card) = Card::of_token(token) {
            return Ok((card, None));
        }
        if let Some(method) = self.methods.get(token) {
            return Ok((method.card.clone(), None));
        }
        let token = self.tokens.get(token).filter(|token| token.expires_ms > now_ms).ok_or(Error::TokenUnusable)?;
        Ok((token.card.clone(), Some(token.id.clone())))
    }
}

type Undelivered = BTreeMap<String, (EventHead, Payment)>;

fn journal_path(settings: &Settings) -> PathBuf {
    settings.data_dir.join("journal.jsonl")
}

/// Replays the journal, and rewrites it when most of its lines are history.
fn restore(path: &std::path::Path, settings: &Settings) -> Result<(Inner, Undelivered)> {
    let (mut inner, mut undelivered, mut lines) = (Inner::default(), Undelivered::new(), 0_usize);
    replay(path, |record| {
        lines += 1;
        match record {
            Record::Change { payment, events, used_token } => {
                undelivered.extend(events.into_iter().map(|head| (head.id.clone(), (head, (*payment).clone()))));
                if let Some(token) = used_token {
                    inner.tokens.remove(&token);
                }
                inner.keys.insert(payment.key.clone(), payment.id.clone());
                inner.payments.insert(payment.id.clone(), *payment);
            }
            Record::Token(token) => {
                inner.tokens.insert(token.id.clone(), token);
            }
            Record::Method(method) => {
                inner.methods.insert(method.id.clone(), method);
            }
            Record::MethodDeleted(id) => {
                inner.methods.remove(&id);
            }
            Record::Delivered(ids) => ids.iter().for_each(|id| {
                undelivered.remove(id);
            }),
        }
    })?;
    let now_ms = settings.clock.now().timestamp_millis();
    inner.tokens.retain(|_, token| token.expires_ms > now_ms);
    let alive = inner.payments.len() + inner.methods.len() + inner.tokens.len() + undelivered.len();
    if lines > alive * 2 + SPARE_LINES {
        // Old states whose events still wait come first, so that the last line of a payment is its present.
        let waiting = undelivered.values().map(|(head, payment)| Record::Change {
            payment: Box::new(payment.clone()),
            events: vec![head.clone()],
            used_token: None,
        });
        let payments =
            inner.payments.values().map(|payment| Record::Change { payment: Box::new(payment.clone()), events: Vec::new(), used_token: None });
        let tokens = inner.tokens.values().cloned().map(Record::Token);
        let methods = inner.methods.values().cloned().map(Record::Method);
        rewrite(path, waiting.chain(payments).chain(tokens).chain(methods))?;
        tracing::info!(lines, alive, "rewrote the sandbox PSP's journal");
    }
    Ok((inner, undelivered))
}

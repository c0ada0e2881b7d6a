//! Payouts: what was available when a period ended is taken off the seller's account, then sent, then followed until the bank has
//! said how it ended. No transaction is open while the bank thinks.

use api_payments::PayoutId;
use kit_core::{Currency, TenantId};
use kit_db::{Scope, log};
use kit_rpc::Ctx;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Payments;
use crate::bank::{BankError, BankNotice};
use crate::config::{MAX_CANDIDATES, MAX_PAYOUTS_ASKED};
use crate::error::Error;
use crate::events;
use crate::ledger::{EntryKind, payout_entry};
use crate::model::{Payout, PayoutFact, PayoutState, Period, SeenTransfer, payable};
use crate::store::payouts::{Candidate, Span};
use crate::store::statements::{self, LineKind, NewLine};
use crate::store::{payouts, settlement};

/// The job that asks banks about payouts under way.
pub(crate) const ASK_BANKS: &str = "ask_banks";

/// What came of asking a bank.
enum Answer {
    Seen(SeenTransfer),
    Refused(String),
    Silent,
}

impl Payments {
    /// The job: pays every tenant for the period that ended last. Answers how many payouts were begun.
    pub(crate) async fn pay_out(&self, ctx: &Ctx) -> Result<u32, Error> {
        let (mut begun, mut after) = (0, Uuid::nil());
        loop {
            let mut tx = self.begin().await?;
            let mut candidates = payouts::candidates(&mut tx, self.settlement.minimum_minor, after, MAX_CANDIDATES).await?;
            tx.commit().await?;
            let more = i64::try_from(candidates.len()).unwrap_or_default() == MAX_CANDIDATES;
            if let Some(last) = candidates.last().map(|candidate| candidate.tenant_id).filter(|_| more) {
                // Its other currencies may be on the next page, so it is looked at there, unless it fills this one alone.
                let whole = candidates.iter().filter(|candidate| candidate.tenant_id != last).count();
                candidates.truncate(if whole > 0 { whole } else { candidates.len() });
            }
            let Some(last) = candidates.last() else { break };
            after = last.tenant_id;
            for candidate in &candidates {
                begun += u32::from(self.pay(ctx, candidate).await?);
            }
            if !more {
                break;
            }
        }
        if begun > 0 {
            self.upkeep.signal(ASK_BANKS);
        }
        Ok(begun)
    }

    /// Begins the payout of one tenant in one currency, unless the period was paid before. Answers whether it did.
    async fn pay(&self, ctx: &Ctx, candidate: &Candidate) -> Result<bool, Error> {
        let (tenant, currency): (TenantId, Currency) = (candidate.tenant_id.into(), candidate.currency.parse()?);
        let now = self.clock.now();
        let length = self.settlement.period_minutes(&candidate.plan);
        let Some(period) = Period::ended_before(now, length) else { return Ok(false) };
        let mut tx = self.begin().await?;
        let mut balance = statements::lock(&mut tx, tenant, currency).await?;
        if payouts::is_paid(&mut tx, tenant, currency, period.end).await? {
            return Ok(false);
        }
        let at_end = statements::available_at(&mut tx, tenant, currency, period.end).await?;
        let Some(amount_minor) = payable(at_end, balance.available_minor, self.settlement.minimum_minor) else { return Ok(false) };
        let payee = settlement::payee(&mut tx, tenant).await?.filter(|payee| payee.active && payee.blocked_reason.is_empty());
        let Some((payee, bank, beneficiary)) = payee.and_then(|payee| Some((payee.clone(), payee.bank?, payee.beneficiary?))) else {
            return Ok(false);
        };
        let payout = Payout {
            id: self.ids.next(),
            tenant,
            currency,
            period,
            amount_minor,
            state: PayoutState::Created,
            bank,
            beneficiary,
            account_last4: payee.account_last4,
            bank_reference: None,
            bank_version: 0,
            failure: String::new(),
            asks: 0,
            next_ask_at: Some(now),
            created_at: now,
            updated_at: now,
        };
        let first_line = payouts::last_settled_line(&mut tx, tenant, currency).await? + 1;
        let span = Span { available_minor: balance.available_minor, first_line, last_line: balance.lines + 1 };
        payouts::insert(&mut tx, &payout, span).await?;
        let entry = payout_entry(self.ids.next(), EntryKind::Payout, &payout, now);
        let opened = self.recorder.write(&mut tx, std::slice::from_ref(&entry)).await?;
        let line =
            NewLine { kind: LineKind::Payout, entry: entry.id, order: None, sub_order: None, payout: Some(payout.id), amount_minor: -amount_minor };
        statements::append(&mut tx, &mut balance, &[line], now).await?;
        log::append(&mut tx, ctx, now, events::of_payout(&payout, None)).await?;
        tx.commit().await?;
        self.recorder.remember(opened);
        Ok(true)
    }

    /// The job: tells banks about new payouts, and asks about those under way.
    pub(crate) async fn ask_banks(&self, ctx: &Ctx) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        let due = payouts::due(&mut tx, self.clock.now(), MAX_PAYOUTS_ASKED).await?;
        tx.commit().await?;
        for payout in due {
            let answer = self.ask_bank(&payout).await;
            let mut tx = self.begin().await?;
            let opened = self.record_payout(&mut tx, ctx, payout.id, answer).await?;
            tx.commit().await?;
            self.recorder.remember(opened);
        }
        Ok(())
    }

    /// A transfer carries the payout's id as its key, so telling the bank again is asking.
    async fn ask_bank(&self, payout: &Payout) -> Answer {
        let Some(bank) = self.banks.named(&payout.bank) else { return Answer::Silent };
        let told = match payout.state {
            PayoutState::Created => bank.transfer(payout).await,
            _ => bank.find(payout.id).await,
        };
        match told {
            Ok(seen) => Answer::Seen(seen),
            Err(BankError::Refused(reason)) => Answer::Refused(reason),
            Err(BankError::NotFound) if payout.state == PayoutState::Created => Answer::Refused("the bank does not know the account".to_owned()),
            Err(error) => {
                tracing::info!(payout = %payout.id, ?error, "the bank did not say; it is asked again later");
                Answer::Silent
            }
        }
    }

    /// What a bank's webhook tells, in the transaction that marks it as processed.
    pub(super) async fn record_bank_notice(&self, db: &mut PgConnection, ctx: &Ctx, notice: BankNotice) -> Result<Vec<Uuid>, Error> {
        match notice.payout {
            Some(payout) => self.record_payout(db, ctx, payout, Answer::Seen(notice.seen)).await,
            None => Ok(Vec::new()),
        }
    }

    async fn record_payout(&self, db: &mut PgConnection, ctx: &Ctx, id: PayoutId, answer: Answer) -> Result<Vec<Uuid>, Error> {
        let mut payout = payouts::lock(db, id).await?;
        let now = self.clock.now();
        let facts = match answer {
            Answer::Seen(seen) => payout.observe(&seen, now)?,
            Answer::Refused(reason) => payout.refused(&reason, now),
            Answer::Silent => {
                payout.silent(now);
                Vec::new()
            }
        };
        payouts::save(db, &payout).await?;
        let mut opened = Vec::new();
        for fact in facts {
            opened.extend(self.book_payout(db, &payout, fact).await?);
            log::append(db, ctx, now, events::of_payout(&payout, Some(fact))).await?;
        }
        Ok(opened)
    }

    /// What did not arrive is available again, and nothing more goes to that account.
    async fn book_payout(&self, db: &mut PgConnection, payout: &Payout, fact: PayoutFact) -> Result<Vec<Uuid>, Error> {
        let now = self.clock.now();
        let (entry_kind, line_kind) = match fact {
            PayoutFact::Paid => (EntryKind::PayoutPaid, None),
            PayoutFact::Failed => (EntryKind::PayoutFailed, Some(LineKind::PayoutFailed)),
            PayoutFact::Returned => (EntryKind::PayoutReturned, Some(LineKind::PayoutReturned)),
        };
        let entry = payout_entry(self.ids.next(), entry_kind, payout, now);
        let opened = self.recorder.write(db, std::slice::from_ref(&entry)).await?;
        if let Some(kind) = line_kind {
            let mut balance = statements::lock(db, payout.tenant, payout.currency).await?;
            let line = NewLine { kind, entry: entry.id, order: None, sub_order: None, payout: Some(payout.id), amount_minor: payout.amount_minor };
            statements::append(db, &mut balance, &[line], now).await?;
            settlement::block(db, payout.tenant, &payout.beneficiary, &payout.failure).await?;
        }
        Ok(opened)
    }

    /// A page of payouts, newest first, and where the next begins.
    pub(crate) async fn payouts(
        &self,
        scope: &Scope,
        tenant: Option<TenantId>,
        state: Option<PayoutState>,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<(Vec<Payout>, Option<Uuid>), Error> {
        let mut tx = self.db.begin(scope).await?;
        let mut found = payouts::list(&mut tx, tenant, state, before, limit + 1).await?;
        tx.commit().await?;
        let page = usize::try_from(limit).unwrap_or_default();
        let more = found.len() > page;
        found.truncate(page);
        let next = found.last().map(|payout| payout.id.uuid()).filter(|_| more);
        Ok((found, next))
    }
}

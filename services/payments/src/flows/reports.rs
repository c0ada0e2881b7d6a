//! Reconciliation: the reports of PSPs and banks, line by line, against our ledger; what differs becomes an open item.

use api_payments::{EntryId, OpenItemId};
use kit_db::log;
use kit_rpc::Ctx;
use uuid::Uuid;

use super::Payments;
use crate::config::{MAX_LOOKED_AT_AGAIN, MAX_REPORT_PAGES, REPORT_PAGE};
use crate::error::Error;
use crate::events;
use crate::ledger::{Account, AccountKind, adjustment_entry};
use crate::store::reports::{self, Item, NewLine, Progress};
use crate::store::settlement;

/// Who reports.
#[derive(Clone)]
enum Source {
    Psp(String),
    Bank(String),
}

impl Source {
    fn name(&self) -> &str {
        match self {
            Self::Psp(name) | Self::Bank(name) => name,
        }
    }

    /// Our account that the report is about.
    fn account(&self) -> AccountKind {
        match self {
            Self::Psp(_) => AccountKind::PspReceivable,
            Self::Bank(_) => AccountKind::Bank,
        }
    }
}

impl Payments {
    /// The job: fetches what is new, matches it, looks again at payments that lines fit nothing of, and opens items for the rest.
    /// A source that does not answer is told at the end; the others are compared all the same.
    pub(crate) async fn reconcile_reports(&self, ctx: &Ctx) -> Result<(), Error> {
        let psps = self.psps.all().map(|psp| Source::Psp(psp.name().to_owned()));
        let sources: Vec<Source> = psps.chain(self.banks.all().map(|bank| Source::Bank(bank.name().to_owned()))).collect();
        let mut failed = None;
        for source in &sources {
            match self.reconcile_source(ctx, source).await {
                Ok(()) => {}
                Err(error) => failed = Some(error),
            }
        }
        let mut tx = self.begin().await?;
        settlement::mark_left_behind(&mut tx).await?;
        tx.commit().await?;
        failed.map_or(Ok(()), Err)
    }

    async fn reconcile_source(&self, ctx: &Ctx, source: &Source) -> Result<(), Error> {
        for _ in 0..MAX_REPORT_PAGES {
            let mut tx = self.begin().await?;
            let after = reports::cursor(&mut tx, source.name()).await?;
            tx.commit().await?;
            let lines = self.fetch(source, after).await?;
            let mut tx = self.begin().await?;
            reports::insert_lines(&mut tx, source.name(), &lines, after, self.clock.now()).await?;
            reports::match_entries(&mut tx, source.name()).await?;
            tx.commit().await?;
            if lines.len() < REPORT_PAGE {
                break;
            }
        }
        self.look_again(ctx, source).await?;
        let now = self.clock.now();
        let mut tx = self.begin().await?;
        reports::match_entries(&mut tx, source.name()).await?;
        reports::clear_items(&mut tx, source.name(), now).await?;
        let opened = reports::open_items(&mut tx, source.name(), source.account().word(), now - self.settlement.report_grace(), now).await?;
        tx.commit().await?;
        if opened > 0 {
            tracing::warn!(source = source.name(), opened, "the report and the ledger differ; see the open items");
        }
        Ok(())
    }

    async fn fetch(&self, source: &Source, after: i64) -> Result<Vec<NewLine>, Error> {
        match source {
            Source::Psp(name) => self.psps.named(name)?.report(after, REPORT_PAGE).await.map_err(|_| Error::PspUnavailable),
            Source::Bank(name) => {
                let bank = self.banks.named(name).ok_or(Error::BankUnavailable)?;
                bank.report(after, REPORT_PAGE).await.map_err(|_| Error::BankUnavailable)
            }
        }
    }

    /// A line that fits nothing may be of a payment whose webhook never came: the PSP's record of it tells.
    async fn look_again(&self, ctx: &Ctx, source: &Source) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        let payments = reports::payments_of_unmatched(&mut tx, source.name(), MAX_LOOKED_AT_AGAIN).await?;
        tx.commit().await?;
        for payment in payments {
            match self.resolve(ctx, payment.into()).await {
                Ok(_) | Err(Error::NotFound(_)) => {}
                Err(error) => tracing::info!(%error, "a payment that the report names cannot be asked for now"),
            }
        }
        Ok(())
    }

    /// Closes an item with a note; with an entry when the difference is to be taken into the books.
    pub(crate) async fn resolve_item(&self, ctx: &Ctx, id: OpenItemId, note: String, post: bool) -> Result<(Item, Option<EntryId>), Error> {
        let now = self.clock.now();
        let mut tx = self.begin().await?;
        let mut item = reports::lock_item(&mut tx, id).await?;
        if item.state != "open" {
            return Err(Error::OpenItemClosed(id));
        }
        let difference = item.reported_minor - item.booked_minor;
        let mut made = None;
        let mut opened = Vec::new();
        if post && difference != 0 {
            let kind = if self.banks.named(&item.source).is_some() { AccountKind::Bank } else { AccountKind::PspReceivable };
            let account = Account { kind, tenant: None, psp: Some(item.source.clone()), currency: item.currency.parse()? };
            let entry = adjustment_entry(self.ids.next(), item.item_id, account, difference, now);
            opened = self.recorder.write(&mut tx, std::slice::from_ref(&entry)).await?;
            if item.kind == "not_in_ledger" {
                reports::settle_line(&mut tx, &item.source, &item.reference, &item.about, entry.id.uuid()).await?;
            }
            made = Some(entry.id);
        }
        "resolved".clone_into(&mut item.state);
        item.note = note;
        item.worked_by = ctx.actor_text();
        item.closed_at = Some(now);
        reports::resolve_item(&mut tx, &item).await?;
        log::append(&mut tx, ctx, now, events::open_item_resolved(&item, made)).await?;
        tx.commit().await?;
        self.recorder.remember(opened);
        Ok((item, made))
    }

    /// A page of items, and where the next begins.
    pub(crate) async fn open_items(&self, state: Option<&str>, before: Option<Uuid>, limit: i64) -> Result<(Vec<Item>, Option<Uuid>), Error> {
        let mut tx = self.begin().await?;
        let mut items = reports::list_items(&mut tx, state, before, limit + 1).await?;
        tx.commit().await?;
        let page = usize::try_from(limit).unwrap_or_default();
        let more = items.len() > page;
        items.truncate(page);
        let next = items.last().map(|item| item.item_id).filter(|_| more);
        Ok((items, next))
    }

    /// How far each report has been read, and how many items are open.
    pub(crate) async fn report_progress(&self) -> Result<(Vec<Progress>, i64), Error> {
        let mut tx = self.begin().await?;
        let progress = reports::progress(&mut tx).await?;
        let open = reports::count_open(&mut tx).await?;
        tx.commit().await?;
        Ok((progress, open))
    }
}

//! Runs imports: chunk by chunk, each with its effects, its errors and its progress in one transaction, so that an import cut off
//! anywhere goes on where it was. Rows are judged again from the beginning of the file, which gives the same answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use api_catalog::VariantId;
use api_inventory::{SetStocksLine, SetStocksRequest};
use bytes::Bytes;
use kit_db::{Cell, Scope, log};
use kit_rpc::Ctx;
use tokio::sync::mpsc;

use super::{Catalog, event};
use crate::error::Error;
use crate::feed::file;
use crate::feed::merge::{Effect, Merge, Rules};
use crate::feed::plan::{Draft, Planner, RowError, Stock, find_decimal};
use crate::model::category::Tree;
use crate::store::imports::{self, Counts, Import, Upload};
use crate::store::media;
use crate::store::products::{self, Save};

/// Rows judged and not yet saved, in chunks.
const CHUNKS_AHEAD: usize = 2;
/// How long a chunk may wait for inventory before the import is left for the next run.
const STOCK_DEADLINE: Duration = Duration::from_secs(30);

type Judged = Vec<Result<Draft, RowError>>;

/// How a turn ended.
enum Turn {
    Over,
    /// Time is up; it goes on later.
    Paused,
}

/// One import at work.
struct Run {
    ctx: Ctx,
    import: Import,
    tree: Arc<Tree>,
    approval_required: bool,
    as_draft: bool,
    quota: Option<u32>,
    /// Products the tenant has.
    count: u32,
}

impl Catalog {
    /// Gives the imports that wait their turns, those that wait longest first; the first whose time is up ends the round. One that
    /// cannot go on for now does not hold up the others.
    pub(crate) async fn run_imports(self: &Arc<Self>) -> anyhow::Result<()> {
        let mut trouble = Ok(());
        for cell in self.db.cells().await? {
            let waiting = imports::to_do(&mut *cell.begin(&Scope::Platform).await?).await?;
            for import in waiting {
                let id = import.id();
                let tenant = import.tenant();
                match self.take_turn(&cell, import).await {
                    Ok(Turn::Over) => {}
                    Ok(Turn::Paused) => {
                        self.upkeep.signal(super::imports::JOB);
                        return Ok(());
                    }
                    // What a later run may do better is left; what will never go is told and ended.
                    Err(error @ (Error::Db(_) | Error::Call(..) | Error::Objects(_) | Error::Task(_))) => trouble = Err(anyhow::Error::new(error)),
                    Err(error) => {
                        let mut tx = cell.begin(&Scope::Tenant(tenant)).await?;
                        imports::end(&mut tx, id, "failed", &error.to_string(), self.now()).await?;
                        tx.commit().await?;
                    }
                }
            }
        }
        trouble
    }

    async fn take_turn(self: &Arc<Self>, cell: &Cell, import: Import) -> Result<Turn, Error> {
        let (id, tenant) = (import.id(), import.tenant());
        let request_id = format!("import-{}", import.import_id.simple());
        let mut ctx = Ctx::service("catalog", &request_id);
        ctx.on_behalf_of = import.started_by.parse().ok();
        let mut tx = cell.begin(&Scope::Tenant(tenant)).await?;
        if !imports::start(&mut tx, id, self.now()).await? {
            return Ok(Turn::Over);
        }
        let upload = imports::upload(&mut tx, tenant, import.upload_id.into()).await?;
        let approval_required = self.approval_required(&mut tx, tenant).await?;
        let count = u32::try_from(products::count(&mut tx, tenant).await?).unwrap_or(u32::MAX);
        tx.commit().await?;
        let tree = self.tree().await?;
        let quota = self.terms(&ctx, tenant).await?.quota;
        let content = self.upload_content(&upload).await?;
        let compiled = import.mapping.compile(&upload.shape, &tree).map_err(Error::MappingUnusable)?;
        let as_draft = compiled.as_draft;
        let skip = usize::try_from(import.rows_stocked).unwrap_or_default();
        let (planner_tree, chunk_rows) = (tree.clone(), self.config.import_chunk_rows.max(1));
        let (send, mut chunks) = mpsc::channel::<Judged>(CHUNKS_AHEAD);
        let judging = tokio::task::spawn_blocking(move || {
            let decimal = find_decimal(&content, &upload.shape, &compiled);
            judge(&content, &upload, Planner::new(compiled, planner_tree, decimal), skip, chunk_rows, &send)
        });
        let mut run = Run { ctx, import, tree, approval_required, as_draft, quota, count };
        let turn = self.work(cell, &mut run, &mut chunks).await;
        // Dropping the receiver ends the judging of a turn that was cut short.
        drop(chunks);
        judging.await?.map_err(Error::FileUnreadable)?;
        turn
    }

    async fn work(&self, cell: &Cell, run: &mut Run, chunks: &mut mpsc::Receiver<Judged>) -> Result<Turn, Error> {
        let until = Instant::now() + Duration::from_secs(self.config.import_turn_seconds);
        // Stock of rows saved before a crash is told again first: the file's rows from `rows_stocked` on.
        let mut place = run.import.rows_stocked;
        while let Some(mut judged) = chunks.recv().await {
            let rows = i32::try_from(judged.len()).unwrap_or(i32::MAX);
            let saved = run.import.rows_done - place;
            if saved > 0 {
                let again = usize::try_from(saved.min(rows)).unwrap_or(judged.len());
                let rest = judged.split_off(again.min(judged.len()));
                let done: Vec<Draft> = judged.into_iter().flatten().collect();
                let stocks = self.stocks_of_saved(cell, run, &done).await?;
                self.tell_stocks(run, stocks).await?;
                judged = rest;
            }
            if !judged.is_empty() {
                let Some(stocks) = self.save_chunk(cell, run, &judged, place).await? else { return Ok(Turn::Over) };
                self.tell_stocks(run, stocks).await?;
            }
            place += rows;
            if self.stop.is_cancelled() || (Instant::now() >= until && place < run.import.rows) {
                self.remember_stocked(cell, run, place).await?;
                return Ok(Turn::Paused);
            }
        }
        self.remember_stocked(cell, run, place).await?;
        self.finish(cell, run).await?;
        Ok(Turn::Over)
    }

    /// Saves a chunk; answers with the stock to tell, or `None` when the import was cancelled. Inventory knows the stock of the rows
    /// before `stocked`.
    async fn save_chunk(&self, cell: &Cell, run: &mut Run, judged: &Judged, stocked: i32) -> Result<Option<Vec<(VariantId, i64)>>, Error> {
        let (id, tenant, now) = (run.import.id(), run.import.tenant(), self.now());
        let drafts: Vec<&Draft> = judged.iter().flatten().collect();
        let skus: Vec<String> = drafts.iter().map(|draft| draft.sku.clone()).collect();
        let groups: Vec<String> = drafts.iter().filter_map(|draft| draft.group.clone()).collect();
        let names: Vec<String> = drafts.iter().flat_map(|draft| draft.media.iter().flatten()).cloned().collect();
        let mut tx = cell.begin(&Scope::Tenant(tenant)).await?;
        let files = media::find(&mut tx, tenant, &names).await?;
        let known = products::lock_named(&mut tx, tenant, &skus, &groups).await?;
        let before: Vec<_> = known.iter().map(|kept| kept.product.content.clone()).collect();
        let rules = Rules {
            tenant,
            tree: &run.tree,
            approval_required: run.approval_required,
            as_draft: run.as_draft,
            quota: run.quota,
            media: &files,
            ids: &self.ids,
            now,
        };
        let mut merge = Merge::new(rules, known, run.count);
        let (mut counts, mut errors, mut stocks) = (Counts::default(), Vec::new(), Vec::new());
        for row in judged {
            match row.as_ref().map_err(Clone::clone).and_then(|draft| merge.row(draft).map(|effect| (draft, effect))) {
                Ok((draft, effect)) => {
                    let (variant, is_new) = count_effect(&mut counts, effect);
                    counts.warnings += i32::from(!draft.warnings.is_empty());
                    errors.extend(draft.warnings.iter().cloned());
                    stocks.extend(stock_to_tell(draft, is_new).map(|pieces| (variant, pieces)));
                }
                Err(error) => {
                    counts.rejected += 1;
                    errors.push(error);
                }
            }
        }
        let changed = merge.into_changed();
        let saves: Vec<Save<'_>> =
            changed.iter().map(|kept| Save { kept, actor: &run.import.started_by, action: "imported", import: Some(id) }).collect();
        products::save_all(&mut tx, &saves).await?;
        let events = changed.iter().map(|kept| self.changed_event(kept, &run.tree, None)).collect();
        log::append_all(&mut tx, &run.ctx, now, events).await?;
        imports::add_errors(&mut tx, tenant, id, &errors).await?;
        if !imports::advance(&mut tx, id, run.import.rows_done, stocked, counts).await? {
            return Ok(None);
        }
        tx.commit().await?;
        run.import.rows_done += counts.rows();
        run.count += u32::try_from(changed.iter().filter(|kept| kept.version == 1).count()).unwrap_or_default();
        self.forget(tenant, &before.iter().collect::<Vec<_>>());
        Ok(Some(stocks))
    }

    /// The stock of rows that were saved before: a constant counts for the variants this import made.
    async fn stocks_of_saved(&self, cell: &Cell, run: &Run, drafts: &[Draft]) -> Result<Vec<(VariantId, i64)>, Error> {
        let tenant = run.import.tenant();
        let skus: Vec<String> = drafts.iter().map(|draft| draft.sku.clone()).collect();
        let mut tx = cell.begin(&Scope::Tenant(tenant)).await?;
        let ids = products::ids_of(&mut tx, tenant, &skus).await?;
        let made = products::made_by(&mut tx, run.import.id(), &ids.values().copied().collect::<Vec<_>>()).await?;
        let told = drafts.iter().filter_map(|draft| {
            let variant = *ids.get(&draft.sku)?;
            stock_to_tell(draft, made.contains(&variant.uuid())).map(|pieces| (variant, pieces))
        });
        Ok(told.collect())
    }

    async fn tell_stocks(&self, run: &Run, stocks: Vec<(VariantId, i64)>) -> Result<(), Error> {
        if stocks.is_empty() {
            return Ok(());
        }
        let lines =
            stocks.into_iter().map(|(variant, quantity)| SetStocksLine { variant_id: variant.to_string(), warehouse_id: String::new(), quantity });
        let request = SetStocksRequest { tenant_id: run.import.tenant().to_string(), lines: lines.collect(), reference: run.import.id().to_string() };
        let mut ctx = run.ctx.clone();
        ctx.deadline = Some(Instant::now() + STOCK_DEADLINE);
        let answer = self.inventory.clone().set_stocks(ctx.request(request)).await;
        answer.map(|_| ()).map_err(|status| Error::Call("inventory", status.message().to_owned()))
    }

    async fn remember_stocked(&self, cell: &Cell, run: &Run, rows: i32) -> Result<(), Error> {
        let mut tx = cell.begin(&Scope::Tenant(run.import.tenant())).await?;
        imports::stocked(&mut tx, run.import.id(), rows).await?;
        Ok(tx.commit().await.map_err(kit_db::DbError::from)?)
    }

    async fn finish(&self, cell: &Cell, run: &Run) -> Result<(), Error> {
        let (id, tenant, now) = (run.import.id(), run.import.tenant(), self.now());
        let mut tx = cell.begin(&Scope::Tenant(tenant)).await?;
        if imports::end(&mut tx, id, "finished", "", now).await? {
            let import = imports::get(&mut tx, tenant, id).await?;
            let body = api_catalog::catalog_event::Body::ImportFinished(crate::wire::import_finished(&import));
            log::append(&mut tx, &run.ctx, now, event(id.uuid(), Some(tenant), "import_finished", body, None)).await?;
        }
        Ok(tx.commit().await.map_err(kit_db::DbError::from)?)
    }
}

fn count_effect(counts: &mut Counts, effect: Effect) -> (VariantId, bool) {
    match effect {
        Effect::Created(variant) => {
            counts.created += 1;
            (variant, true)
        }
        Effect::Updated(variant) => {
            counts.updated += 1;
            (variant, false)
        }
        Effect::Unchanged(variant) => {
            counts.unchanged += 1;
            (variant, false)
        }
    }
}

fn stock_to_tell(draft: &Draft, is_new: bool) -> Option<i64> {
    match draft.stock {
        Some(Stock::Told(pieces)) => Some(pieces),
        Some(Stock::Initial(pieces)) if is_new => Some(pieces),
        _ => None,
    }
}

/// Judges the whole file on a thread of its own and sends what is behind the first `skip` rows, chunk by chunk.
fn judge(content: &Bytes, upload: &Upload, mut planner: Planner, skip: usize, chunk_rows: usize, send: &mpsc::Sender<Judged>) -> Result<(), String> {
    let (mut row_number, mut chunk, mut wanted) = (0usize, Judged::new(), true);
    file::rows(content, &upload.shape, |row| {
        let judged = planner.judge(row);
        row_number += 1;
        if row_number > skip {
            chunk.push(judged);
        }
        if chunk.len() >= chunk_rows {
            wanted = send.blocking_send(std::mem::take(&mut chunk)).is_ok();
        }
        wanted
    })?;
    if wanted && !chunk.is_empty() {
        _ = send.blocking_send(chunk);
    }
    Ok(())
}

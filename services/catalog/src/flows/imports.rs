//! Imports as sellers see them: try, start, watch, cancel, read the errors.

use std::collections::HashMap;

use api_catalog::{ImportId, UploadId};
use kit_core::TenantId;
use kit_rpc::Ctx;

use super::Catalog;
use super::products::Page;
use super::uploads::preset_name;
use crate::error::Error;
use crate::feed::file;
use crate::feed::mapping::{Compiled, Mapping};
use crate::feed::merge::{Merge, Rules};
use crate::feed::plan::{Planner, RowError, find_decimal};
use crate::store::imports::{self, Import, StoredError, Upload};
use crate::store::products::Kept;

const PREVIEW_ERRORS: usize = 50;
const PREVIEW_PRODUCTS: usize = 10;
const SHOWN_ERRORS: i64 = 20;
const ERRORS_PAGE: i64 = 5_000;

pub(crate) const JOB: &str = "run_imports";

/// What a dry run found.
#[derive(Default)]
pub(crate) struct Preview {
    pub rows: u32,
    pub good: u32,
    pub bad: u32,
    pub reasons: Vec<(String, u32)>,
    pub errors: Vec<RowError>,
    pub products: Vec<Kept>,
}

/// An import with its first errors.
pub(crate) struct ImportView {
    pub import: Import,
    pub reasons: Vec<(String, i64)>,
    pub errors: Vec<StoredError>,
}

impl Catalog {
    pub(crate) async fn preview_import(&self, tenant: TenantId, upload: UploadId, mapping: Option<Mapping>, preset: &str) -> Result<Preview, Error> {
        let mapping = self.mapping(tenant, mapping, preset).await?;
        let upload = imports::upload(&mut *self.db.begin_for(tenant).await?, tenant, upload).await?;
        let (tree, content) = (self.tree().await?, self.upload_content(&upload).await?);
        let compiled = mapping.compile(&upload.shape, &tree).map_err(Error::MappingUnusable)?;
        let required = self.approval_required(&mut *self.db.begin_for(tenant).await?, tenant).await?;
        let (ids, now) = (self.ids.clone(), self.now());
        let found = tokio::task::spawn_blocking(move || {
            let rules = Rules {
                tenant,
                tree: &tree,
                approval_required: required,
                as_draft: compiled.as_draft,
                quota: None,
                media: &HashMap::new(),
                ids: &ids,
                now,
            };
            try_out(&content, &upload, compiled.clone(), tree.clone(), rules)
        });
        found.await?.map_err(Error::FileUnreadable)
    }

    pub(crate) async fn start_import(
        &self,
        ctx: &Ctx,
        tenant: TenantId,
        upload: UploadId,
        mapping: Option<Mapping>,
        preset: &str,
    ) -> Result<ImportView, Error> {
        let named = mapping.is_some() && !preset.is_empty();
        let mapping = self.mapping(tenant, mapping, preset).await?;
        let tree = self.tree().await?;
        let mut tx = self.db.begin_for(tenant).await?;
        let upload = imports::upload(&mut tx, tenant, upload).await?;
        mapping.compile(&upload.shape, &tree).map_err(Error::MappingUnusable)?;
        let (id, now) = (self.ids.next(), self.now());
        if named {
            imports::save_preset(&mut tx, tenant, preset_name(preset)?, &mapping, now).await?;
        }
        imports::insert(&mut tx, id, &upload, &mapping, &ctx.actor_text(), now).await?;
        tx.commit().await?;
        self.upkeep.signal(JOB);
        self.get_import(tenant, id).await
    }

    pub(crate) async fn get_import(&self, tenant: TenantId, id: ImportId) -> Result<ImportView, Error> {
        let mut tx = self.db.begin_for(tenant).await?;
        let import = imports::get(&mut tx, tenant, id).await?;
        let reasons = imports::reasons(&mut tx, id).await?;
        let errors = imports::errors(&mut tx, id, true, (-1, 0), SHOWN_ERRORS).await?;
        Ok(ImportView { import, reasons, errors })
    }

    pub(crate) async fn list_imports(&self, tenant: TenantId, before: Option<ImportId>, limit: i64) -> Result<Page<Import>, Error> {
        let imports = imports::list(&mut *self.db.begin_for(tenant).await?, tenant, before, limit + 1).await?;
        Ok(Page::cut(imports, limit, |import| import.id().to_string()))
    }

    /// Stops an import; one that is over stays as it is.
    pub(crate) async fn cancel_import(&self, tenant: TenantId, id: ImportId) -> Result<ImportView, Error> {
        let mut tx = self.db.begin_for(tenant).await?;
        imports::get(&mut tx, tenant, id).await?;
        imports::end(&mut tx, id, "cancelled", "", self.now()).await?;
        tx.commit().await?;
        self.get_import(tenant, id).await
    }

    /// The rejected rows as CSV, in file order.
    pub(crate) async fn import_errors(&self, tenant: TenantId, id: ImportId, warnings_too: bool) -> Result<Vec<u8>, Error> {
        let mut tx = self.db.begin_for(tenant).await?;
        imports::get(&mut tx, tenant, id).await?;
        let mut writer = csv::Writer::from_writer(Vec::new());
        let mut rows = vec![["line", "column", "value", "reason", "message", "effect"].map(str::to_owned)];
        let mut after = (-1, 0);
        loop {
            for row in rows.drain(..) {
                writer.write_record(row).map_err(|error| Error::Unreadable(error.to_string()))?;
            }
            let page = imports::errors(&mut tx, id, warnings_too, after, ERRORS_PAGE).await?;
            let Some(last) = page.last() else { break };
            after = (last.line, last.number);
            rows = page.into_iter().map(error_row).collect();
        }
        writer.into_inner().map_err(|error| Error::Unreadable(error.to_string()))
    }
}

fn error_row(error: StoredError) -> [String; 6] {
    let effect = if error.warning { "imported without this value" } else { "rejected" };
    // A cell that begins like a formula would be run by a spreadsheet that opens the report.
    let value = if error.value.starts_with(['=', '+', '@']) { format!("'{}", error.value) } else { error.value };
    [error.line.to_string(), error.column_name, value, error.reason, error.message, effect.to_owned()]
}

/// Runs the whole file over nothing: what it would make of an empty store.
fn try_out(
    content: &[u8],
    upload: &Upload,
    compiled: Compiled,
    tree: std::sync::Arc<crate::model::category::Tree>,
    rules: Rules<'_>,
) -> Result<Preview, String> {
    let decimal = find_decimal(content, &upload.shape, &compiled);
    let has_media = compiled.media.is_some();
    let mut planner = Planner::new(compiled, tree, decimal);
    let mut merge = Merge::new(rules, Vec::new(), 0);
    let mut preview = Preview::default();
    let mut reasons: HashMap<&'static str, u32> = HashMap::new();
    file::rows(content, &upload.shape, |row| {
        preview.rows += 1;
        let judged = planner.judge(row).and_then(|mut draft| {
            // Whether media exist is asked when the import runs.
            if has_media {
                draft.media = None;
            }
            merge.row(&draft).map(|_| draft.warnings)
        });
        let told = match judged {
            Ok(warnings) => {
                preview.good += 1;
                warnings
            }
            Err(error) => {
                preview.bad += 1;
                vec![error]
            }
        };
        for error in told {
            *reasons.entry(error.reason).or_default() += u32::from(!error.warning);
            if preview.errors.len() < PREVIEW_ERRORS {
                preview.errors.push(error);
            }
        }
        true
    })?;
    preview.reasons = reasons.into_iter().filter(|(_, count)| *count > 0).map(|(reason, count)| (reason.to_owned(), count)).collect();
    preview.reasons.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    preview.products = merge.into_changed();
    preview.products.truncate(PREVIEW_PRODUCTS);
    Ok(preview)
}

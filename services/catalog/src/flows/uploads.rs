//! Feeds come in: kept by content, recognised, shown with a suggestion; mappings are saved for the next time.

use bytes::Bytes;
use kit_core::TenantId;
use kit_rpc::Ctx;
use object_store::path::Path;

use api_catalog::UploadId;

use super::Catalog;
use super::media::hash_of;
use crate::error::Error;
use crate::feed::file::{self, Shape};
use crate::feed::mapping::{Mapping, suggest};
use crate::feed::plan::shortened;
use crate::store::imports::{self, Preset, Sample, Upload};

/// Rows a seller sees before mapping.
const SAMPLE_ROWS: usize = 5;

/// What a look over the whole file found.
struct Looked {
    shape: Shape,
    rows: u32,
    sample: Sample,
}

/// An upload with what the seller needs to map it.
pub(crate) struct UploadView {
    pub upload: Upload,
    pub suggestion: Mapping,
    pub matching_preset: String,
}

pub(crate) fn upload_path(hash: &str) -> Path {
    Path::from(format!("uploads/{}/{hash}", hash.get(..2).unwrap_or("00")))
}

impl Catalog {
    pub(crate) async fn upload_file(&self, ctx: &Ctx, tenant: TenantId, content: Bytes, file_name: &str) -> Result<UploadView, Error> {
        if content.len() > self.config.upload_bytes {
            return Err(Error::FileUnreadable(format!("the file is larger than {} MiB", self.config.upload_bytes >> 20)));
        }
        let (bytes, max_rows) = (content.clone(), self.config.upload_rows);
        let (looked, hash) = tokio::task::spawn_blocking(move || look(&bytes, max_rows).map(|looked| (looked, hash_of(&bytes))))
            .await?
            .map_err(Error::FileUnreadable)?;
        let upload = Upload {
            id: self.ids.next(),
            tenant,
            file_name: name_of(file_name, &looked.shape),
            bytes: i64::try_from(content.len()).unwrap_or(i64::MAX),
            shape: looked.shape,
            rows: i32::try_from(looked.rows).unwrap_or(i32::MAX),
            sample: looked.sample,
            uploaded_at: self.now(),
            hash,
        };
        self.put_object(&upload_path(&upload.hash), content).await?;
        let mut tx = self.db.begin_for(tenant).await?;
        let upload = imports::put_upload(&mut tx, &upload).await?;
        let presets = imports::presets(&mut tx, tenant).await?;
        tx.commit().await?;
        self.view(ctx, upload, &presets).await
    }

    pub(crate) async fn get_upload(&self, ctx: &Ctx, tenant: TenantId, id: UploadId) -> Result<UploadView, Error> {
        let mut tx = self.db.begin_for(tenant).await?;
        let upload = imports::upload(&mut tx, tenant, id).await?;
        let presets = imports::presets(&mut tx, tenant).await?;
        drop(tx);
        self.view(ctx, upload, &presets).await
    }

    async fn view(&self, ctx: &Ctx, upload: Upload, presets: &[Preset]) -> Result<UploadView, Error> {
        let currency = self.terms(ctx, upload.tenant).await?.currency;
        let fits = |preset: &&Preset| preset.mapping.columns.values().all(|column| upload.shape.columns.contains(column));
        // Of several presets that fit, the one that says most about this file.
        let best = presets.iter().filter(fits).max_by_key(|preset| (preset.mapping.columns.len(), preset.saved_at));
        Ok(UploadView {
            suggestion: suggest(&upload.shape.columns, &currency),
            matching_preset: best.map(|preset| preset.name.clone()).unwrap_or_default(),
            upload,
        })
    }

    /// The content of an upload; kept as long as the upload is.
    pub(crate) async fn upload_content(&self, upload: &Upload) -> Result<Bytes, Error> {
        let content = self.get_object(&upload_path(&upload.hash)).await?;
        content.ok_or_else(|| Error::FileUnreadable("the uploaded file is no longer there: upload it again".to_owned()))
    }

    pub(crate) async fn save_preset(&self, tenant: TenantId, name: &str, mapping: &Mapping) -> Result<Preset, Error> {
        let name = preset_name(name)?;
        if mapping.columns.iter().chain(&mapping.constants).any(|(field, value)| field.chars().chain(value.chars()).any(|c| c == '\0')) {
            return Err(Error::field("mapping", "holds a zero character"));
        }
        let mut tx = self.db.begin_for(tenant).await?;
        let preset = imports::save_preset(&mut tx, tenant, name, mapping, self.now()).await?;
        tx.commit().await?;
        Ok(preset)
    }

    pub(crate) async fn list_presets(&self, tenant: TenantId) -> Result<Vec<Preset>, Error> {
        imports::presets(&mut *self.db.begin_for(tenant).await?, tenant).await
    }

    pub(crate) async fn delete_preset(&self, tenant: TenantId, name: &str) -> Result<(), Error> {
        let mut tx = self.db.begin_for(tenant).await?;
        imports::delete_preset(&mut tx, tenant, name).await?;
        Ok(tx.commit().await.map_err(kit_db::DbError::from)?)
    }

    /// The mapping a request means: its own, or a saved one.
    pub(crate) async fn mapping(&self, tenant: TenantId, mapping: Option<Mapping>, preset: &str) -> Result<Mapping, Error> {
        match (mapping, preset) {
            (Some(mapping), _) => Ok(mapping),
            (None, "") => Err(Error::field("mapping", "is required, or name a preset")),
            (None, name) => Ok(imports::preset(&mut *self.db.begin_for(tenant).await?, tenant, name).await?.mapping.0),
        }
    }
}

fn look(content: &[u8], max_rows: u32) -> Result<Looked, String> {
    let shape = file::recognise(content)?;
    let (mut rows, mut sample) = (0u32, Sample::new());
    file::rows(content, &shape, |row| {
        rows = rows.saturating_add(1);
        if sample.len() < SAMPLE_ROWS
            && let Ok(cells) = row.cells
        {
            sample.push((row.line, cells.iter().map(|cell| shortened(cell)).collect()));
        }
        rows <= max_rows
    })?;
    match rows {
        0 => Err("the file has a header and no rows".to_owned()),
        rows if rows > max_rows => Err(format!("the file has more than {max_rows} rows: split it")),
        rows => Ok(Looked { shape, rows, sample }),
    }
}

pub(crate) fn preset_name(name: &str) -> Result<&str, Error> {
    let name = name.trim();
    if name.is_empty() || name.chars().any(char::is_control) { Err(Error::field("name", "must be 1 to 80 visible characters")) } else { Ok(name) }
}

fn name_of(given: &str, shape: &Shape) -> String {
    let clean: String = given.rsplit(['/', '\\']).next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(200).collect();
    if clean.trim().is_empty() { format!("feed.{}", shape.format.word()) } else { clean.trim().to_owned() }
}

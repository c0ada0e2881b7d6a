//! Uploads, presets, imports and their errors.

use api_catalog::{ImportId, UploadId};
use kit_core::{TenantId, Time};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::Error;
use crate::feed::file::Shape;
use crate::feed::mapping::Mapping;
use crate::feed::plan::RowError;

/// The first rows of a file, for the seller to see.
pub(crate) type Sample = Vec<(u32, Vec<String>)>;

#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub id: UploadId,
    pub tenant: TenantId,
    pub hash: String,
    pub file_name: String,
    pub bytes: i64,
    pub shape: Shape,
    pub rows: i32,
    pub sample: Sample,
    pub uploaded_at: Time,
}

#[derive(sqlx::FromRow)]
struct StoredUpload {
    upload_id: Uuid,
    tenant_id: Uuid,
    hash: String,
    file_name: String,
    bytes: i64,
    shape: Json<Shape>,
    rows: i32,
    sample: Json<Sample>,
    uploaded_at: Time,
}

impl From<StoredUpload> for Upload {
    fn from(row: StoredUpload) -> Self {
        Self {
            id: row.upload_id.into(),
            tenant: row.tenant_id.into(),
            hash: row.hash,
            file_name: row.file_name,
            bytes: row.bytes,
            shape: row.shape.0,
            rows: row.rows,
            sample: row.sample.0,
            uploaded_at: row.uploaded_at,
        }
    }
}

/// Keeps an upload; the same file under the same name is the same upload.
pub(crate) async fn put_upload(db: &mut PgConnection, upload: &Upload) -> Result<Upload, Error> {
    let row: StoredUpload = sqlx::query_as(
        "insert into upload (upload_id, tenant_id, hash, file_name, bytes, shape, rows, sample, uploaded_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (tenant_id, hash, file_name) do update set shape = excluded.shape, rows = excluded.rows, sample = excluded.sample
         returning upload_id, tenant_id, hash, file_name, bytes, shape, rows, sample, uploaded_at",
    )
    .bind(upload.id.uuid())
    .bind(upload.tenant.uuid())
    .bind(&upload.hash)
    .bind(&upload.file_name)
    .bind(upload.bytes)
    .bind(Json(&upload.shape))
    .bind(upload.rows)
    .bind(Json(&upload.sample))
    .bind(upload.uploaded_at)
    .fetch_one(db)
    .await?;
    Ok(row.into())
}

pub(crate) async fn upload(db: &mut PgConnection, tenant: TenantId, id: UploadId) -> Result<Upload, Error> {
    let row: Option<StoredUpload> = sqlx::query_as(
        "select upload_id, tenant_id, hash, file_name, bytes, shape, rows, sample, uploaded_at from upload where tenant_id = $1 and upload_id = $2",
    )
    .bind(tenant.uuid())
    .bind(id.uuid())
    .fetch_optional(db)
    .await?;
    row.map(Upload::from).ok_or(Error::UploadNotFound(id))
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Preset {
    pub name: String,
    pub mapping: Json<Mapping>,
    pub saved_at: Time,
}

pub(crate) async fn save_preset(db: &mut PgConnection, tenant: TenantId, name: &str, mapping: &Mapping, now: Time) -> Result<Preset, Error> {
    Ok(sqlx::query_as(
        "insert into import_preset (tenant_id, name, mapping, saved_at) values ($1, $2, $3, $4)
         on conflict (tenant_id, name) do update set mapping = excluded.mapping, saved_at = excluded.saved_at
         returning name, mapping, saved_at",
    )
    .bind(tenant.uuid())
    .bind(name)
    .bind(Json(mapping))
    .bind(now)
    .fetch_one(db)
    .await?)
}

pub(crate) async fn presets(db: &mut PgConnection, tenant: TenantId) -> Result<Vec<Preset>, Error> {
    Ok(sqlx::query_as("select name, mapping, saved_at from import_preset where tenant_id = $1 order by name limit 500")
        .bind(tenant.uuid())
        .fetch_all(db)
        .await?)
}

pub(crate) async fn preset(db: &mut PgConnection, tenant: TenantId, name: &str) -> Result<Preset, Error> {
    let row = sqlx::query_as("select name, mapping, saved_at from import_preset where tenant_id = $1 and name = $2")
        .bind(tenant.uuid())
        .bind(name)
        .fetch_optional(db)
        .await?;
    row.ok_or_else(|| Error::PresetNotFound(name.to_owned()))
}

pub(crate) async fn delete_preset(db: &mut PgConnection, tenant: TenantId, name: &str) -> Result<(), Error> {
    sqlx::query("delete from import_preset where tenant_id = $1 and name = $2").bind(tenant.uuid()).bind(name).execute(db).await?;
    Ok(())
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Import {
    pub import_id: Uuid,
    pub tenant_id: Uuid,
    pub upload_id: Uuid,
    pub file_name: String,
    pub mapping: Json<Mapping>,
    pub state: String,
    pub rows: i32,
    pub rows_done: i32,
    pub rows_stocked: i32,
    pub created: i32,
    pub updated: i32,
    pub unchanged: i32,
    pub rejected: i32,
    pub warnings: i32,
    pub trouble: String,
    pub started_by: String,
    pub started_at: Option<Time>,
    pub finished_at: Option<Time>,
}

impl Import {
    pub(crate) fn id(&self) -> ImportId {
        self.import_id.into()
    }

    pub(crate) fn tenant(&self) -> TenantId {
        self.tenant_id.into()
    }

    pub(crate) fn is_over(&self) -> bool {
        !matches!(self.state.as_str(), "queued" | "running")
    }
}

pub(crate) async fn insert(
    db: &mut PgConnection,
    id: ImportId,
    upload: &Upload,
    mapping: &Mapping,
    started_by: &str,
    now: Time,
) -> Result<(), Error> {
    sqlx::query(
        "insert into import (import_id, tenant_id, upload_id, mapping, state, rows, started_by, queued_at) values ($1, $2, $3, $4, 'queued', $5, $6, $7)",
    )
    .bind(id.uuid())
    .bind(upload.tenant.uuid())
    .bind(upload.id.uuid())
    .bind(Json(mapping))
    .bind(upload.rows)
    .bind(started_by)
    .bind(now)
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn get(db: &mut PgConnection, tenant: TenantId, id: ImportId) -> Result<Import, Error> {
    let row = sqlx::query_as(
        "select import_id, import.tenant_id, upload_id, file_name, mapping, state, import.rows, rows_done, rows_stocked, created, updated, unchanged, rejected, warnings,
            trouble, started_by, started_at, finished_at
         from import join upload using (upload_id) where import.tenant_id = $1 and import_id = $2",
    )
    .bind(tenant.uuid())
    .bind(id.uuid())
    .fetch_optional(db)
    .await?;
    row.ok_or(Error::ImportNotFound(id))
}

/// Imports of a tenant, newest first.
pub(crate) async fn list(db: &mut PgConnection, tenant: TenantId, before: Option<ImportId>, limit: i64) -> Result<Vec<Import>, Error> {
    Ok(sqlx::query_as(
        "select import_id, import.tenant_id, upload_id, file_name, mapping, state, import.rows, rows_done, rows_stocked, created, updated, unchanged, rejected, warnings,
            trouble, started_by, started_at, finished_at
         from import join upload using (upload_id)
         where import.tenant_id = $1 and ($2::uuid is null or import_id < $2) order by import_id desc limit $3",
    )
    .bind(tenant.uuid())
    .bind(before.map(ImportId::uuid))
    .bind(limit)
    .fetch_all(db)
    .await?)
}

/// Imports that wait or were cut off, those longest without a turn first.
pub(crate) async fn to_do(db: &mut PgConnection) -> Result<Vec<Import>, Error> {
    Ok(sqlx::query_as(
        "select import_id, import.tenant_id, upload_id, file_name, mapping, state, import.rows, rows_done, rows_stocked, created, updated, unchanged, rejected, warnings,
            trouble, started_by, started_at, finished_at
         from import join upload using (upload_id) where state in ('queued', 'running') order by queued_at, import_id limit 100",
    )
    .fetch_all(db)
    .await?)
}

pub(crate) async fn start(db: &mut PgConnection, id: ImportId, now: Time) -> Result<bool, Error> {
    let done = sqlx::query(
        "update import set state = 'running', started_at = coalesce(started_at, $2) where import_id = $1 and state in ('queued', 'running')",
    )
    .bind(id.uuid())
    .bind(now)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends an import that is not over yet.
pub(crate) async fn end(db: &mut PgConnection, id: ImportId, state: &str, trouble: &str, now: Time) -> Result<bool, Error> {
    let done = sqlx::query("update import set state = $2, trouble = $3, finished_at = $4 where import_id = $1 and state in ('queued', 'running')")
        .bind(id.uuid())
        .bind(state)
        .bind(trouble)
        .bind(now)
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// What one chunk adds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub created: i32,
    pub updated: i32,
    pub unchanged: i32,
    pub rejected: i32,
    pub warnings: i32,
}

impl Counts {
    pub(crate) const fn rows(self) -> i32 {
        self.created + self.updated + self.unchanged + self.rejected
    }
}

/// Moves an import on by a chunk. `false`: it was cancelled, or somebody else is running it.
pub(crate) async fn advance(db: &mut PgConnection, id: ImportId, from: i32, stocked: i32, counts: Counts) -> Result<bool, Error> {
    let done = sqlx::query(
        "update import set rows_done = rows_done + $3, created = created + $4, updated = updated + $5, unchanged = unchanged + $6,
            rejected = rejected + $7, warnings = warnings + $8, rows_stocked = greatest(rows_stocked, $9)
         where import_id = $1 and state = 'running' and rows_done = $2",
    )
    .bind(id.uuid())
    .bind(from)
    .bind(counts.rows())
    .bind(counts.created)
    .bind(counts.updated)
    .bind(counts.unchanged)
    .bind(counts.rejected)
    .bind(counts.warnings)
    .bind(stocked)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Remembers up to which row inventory knows the stock.
pub(crate) async fn stocked(db: &mut PgConnection, id: ImportId, rows: i32) -> Result<(), Error> {
    sqlx::query("update import set rows_stocked = $2 where import_id = $1 and rows_stocked < $2").bind(id.uuid()).bind(rows).execute(db).await?;
    Ok(())
}

pub(crate) async fn add_errors(db: &mut PgConnection, tenant: TenantId, id: ImportId, errors: &[RowError]) -> Result<(), Error> {
    if errors.is_empty() {
        return Ok(());
    }
    let mut numbers: Vec<i16> = Vec::with_capacity(errors.len());
    for (place, error) in errors.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|before| errors.get(before).zip(numbers.get(before)));
        numbers.push(before.filter(|(other, _)| other.line == error.line).map_or(0, |(_, number)| number + 1));
    }
    sqlx::query(
        "insert into import_error (import_id, tenant_id, line, number, column_name, value, reason, message, warning)
         select $1, $2, * from unnest($3::integer[], $4::smallint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::boolean[])",
    )
    .bind(id.uuid())
    .bind(tenant.uuid())
    .bind(errors.iter().map(|error| i32::try_from(error.line).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .bind(numbers)
    .bind(errors.iter().map(|error| error.column.replace('\0', "")).collect::<Vec<_>>())
    .bind(errors.iter().map(|error| error.value.replace('\0', "")).collect::<Vec<_>>())
    .bind(errors.iter().map(|error| error.reason.to_owned()).collect::<Vec<_>>())
    .bind(errors.iter().map(|error| error.message.replace('\0', "")).collect::<Vec<_>>())
    .bind(errors.iter().map(|error| error.warning).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct StoredError {
    pub line: i32,
    pub number: i16,
    pub column_name: String,
    pub value: String,
    pub reason: String,
    pub message: String,
    pub warning: bool,
}

/// Errors in file order, behind (line, number).
pub(crate) async fn errors(
    db: &mut PgConnection,
    id: ImportId,
    warnings_too: bool,
    after: (i32, i16),
    limit: i64,
) -> Result<Vec<StoredError>, Error> {
    Ok(sqlx::query_as(
        "select line, number, column_name, value, reason, message, warning from import_error
         where import_id = $1 and ($2 or not warning) and (line, number) > ($3, $4) order by line, number limit $5",
    )
    .bind(id.uuid())
    .bind(warnings_too)
    .bind(after.0)
    .bind(after.1)
    .bind(limit)
    .fetch_all(db)
    .await?)
}

/// How often rows were rejected for each reason, most often first.
pub(crate) async fn reasons(db: &mut PgConnection, id: ImportId) -> Result<Vec<(String, i64)>, Error> {
    Ok(sqlx::query_as(
        "select reason, count(*) from import_error where import_id = $1 and not warning group by reason order by count(*) desc, reason",
    )
    .bind(id.uuid())
    .fetch_all(db)
    .await?)
}

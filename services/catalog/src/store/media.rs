//! Media files of tenants.

use std::collections::HashMap;

use api_catalog::MediaId;
use kit_core::{TenantId, Time};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::model::product::MediaFile;

#[derive(sqlx::FromRow)]
struct Stored {
    media_id: Uuid,
    hash: String,
    content_type: String,
    width: i32,
    height: i32,
    bytes: i64,
    alt: String,
}

impl From<Stored> for MediaFile {
    fn from(row: Stored) -> Self {
        Self {
            id: row.media_id.into(),
            hash: row.hash,
            content_type: row.content_type,
            width: u32::try_from(row.width).unwrap_or_default(),
            height: u32::try_from(row.height).unwrap_or_default(),
            bytes: u64::try_from(row.bytes).unwrap_or_default(),
            alt: row.alt,
        }
    }
}

/// Keeps a file, or finds the one with the same bytes; a new description of the picture replaces the old one.
pub(crate) async fn put(db: &mut PgConnection, tenant: TenantId, file: &MediaFile, now: Time) -> Result<MediaFile, Error> {
    let row: Stored = sqlx::query_as(
        "insert into media (media_id, tenant_id, hash, content_type, width, height, bytes, alt, uploaded_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (tenant_id, hash) do update set alt = case when excluded.alt = '' then media.alt else excluded.alt end
         returning media_id, hash, content_type, width, height, bytes, alt",
    )
    .bind(file.id.uuid())
    .bind(tenant.uuid())
    .bind(&file.hash)
    .bind(&file.content_type)
    .bind(i32::try_from(file.width).unwrap_or(i32::MAX))
    .bind(i32::try_from(file.height).unwrap_or(i32::MAX))
    .bind(i64::try_from(file.bytes).unwrap_or(i64::MAX))
    .bind(&file.alt)
    .bind(now)
    .fetch_one(db)
    .await?;
    Ok(row.into())
}

/// Files of a tenant by the names feeds and requests use for them: id or hash.
pub(crate) async fn find(db: &mut PgConnection, tenant: TenantId, names: &[String]) -> Result<HashMap<String, MediaFile>, Error> {
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<Uuid> = names.iter().filter_map(|name| name.parse::<MediaId>().ok()).map(MediaId::uuid).collect();
    let rows: Vec<Stored> = sqlx::query_as(
        "select media_id, hash, content_type, width, height, bytes, alt from media where tenant_id = $1 and (media_id = any($2) or hash = any($3))",
    )
    .bind(tenant.uuid())
    .bind(ids)
    .bind(names)
    .fetch_all(db)
    .await?;
    let files = rows.into_iter().map(MediaFile::from);
    Ok(files.flat_map(|file| [(file.id.to_string(), file.clone()), (file.hash.clone(), file)]).collect())
}

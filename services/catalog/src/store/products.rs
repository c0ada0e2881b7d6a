//! Products, their variants, their history, and what the operator requires of a tenant's products.

use std::collections::HashMap;

use api_catalog::{CategoryId, ImportId, ProductId, VariantId};
use kit_core::{TenantId, Time};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::Error;
use crate::model::product::{Content, Product, Status};

/// A product as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub id: ProductId,
    pub tenant: TenantId,
    pub group_key: Option<String>,
    pub version: i32,
    pub product: Product,
    pub created_at: Time,
    pub updated_at: Time,
}

#[derive(sqlx::FromRow)]
struct Stored {
    product_id: Uuid,
    tenant_id: Uuid,
    status: String,
    approved: bool,
    decline_reason: String,
    group_key: Option<String>,
    content: Json<Content>,
    version: i32,
    created_at: Time,
    updated_at: Time,
}

impl TryFrom<Stored> for Kept {
    type Error = Error;

    fn try_from(row: Stored) -> Result<Self, Error> {
        let status = Status::parse(&row.status)?;
        let product = Product { status, approved: row.approved, decline_reason: row.decline_reason, content: row.content.0 };
        Ok(Self {
            id: row.product_id.into(),
            tenant: row.tenant_id.into(),
            group_key: row.group_key,
            version: row.version,
            product,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

fn all(rows: Vec<Stored>) -> Result<Vec<Kept>, Error> {
    rows.into_iter().map(Kept::try_from).collect()
}

pub(crate) async fn get(db: &mut PgConnection, tenant: TenantId, id: ProductId) -> Result<Kept, Error> {
    let row: Option<Stored> = sqlx::query_as(
        "select product_id, tenant_id, status, approved, decline_reason, group_key, content, version, created_at, updated_at
         from product where tenant_id = $1 and product_id = $2 and deleted_at is null",
    )
    .bind(tenant.uuid())
    .bind(id.uuid())
    .fetch_optional(db)
    .await?;
    row.ok_or(Error::ProductNotFound(id))?.try_into()
}

/// Locks the product for the rest of the transaction.
pub(crate) async fn lock(db: &mut PgConnection, tenant: TenantId, id: ProductId) -> Result<Kept, Error> {
    let row: Option<Stored> = sqlx::query_as(
        "select product_id, tenant_id, status, approved, decline_reason, group_key, content, version, created_at, updated_at
         from product where tenant_id = $1 and product_id = $2 and deleted_at is null for update",
    )
    .bind(tenant.uuid())
    .bind(id.uuid())
    .fetch_optional(db)
    .await?;
    row.ok_or(Error::ProductNotFound(id))?.try_into()
}

/// Locks the products that have one of these SKUs or groups, in the order of their ids.
pub(crate) async fn lock_named(db: &mut PgConnection, tenant: TenantId, skus: &[String], groups: &[String]) -> Result<Vec<Kept>, Error> {
    let rows: Vec<Stored> = sqlx::query_as(
        "select product_id, tenant_id, status, approved, decline_reason, group_key, content, version, created_at, updated_at
         from product where product_id in (
            select product_id from variant where tenant_id = $1 and sku = any($2)
            union select product_id from product where tenant_id = $1 and group_key = any($3) and deleted_at is null)
         order by product_id for update",
    )
    .bind(tenant.uuid())
    .bind(skus)
    .bind(groups)
    .fetch_all(db)
    .await?;
    all(rows)
}

/// What a list of products is narrowed to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub tenant: Option<TenantId>,
    /// None: all but archived ones.
    pub status: Option<Status>,
    pub query: Option<String>,
    pub categories: Option<Vec<CategoryId>>,
    pub after: Option<ProductId>,
    pub limit: i64,
}

/// Products, newest first.
pub(crate) async fn list(db: &mut PgConnection, filter: &Filter) -> Result<Vec<Kept>, Error> {
    let rows: Vec<Stored> = sqlx::query_as(
        "select product_id, tenant_id, status, approved, decline_reason, group_key, content, version, created_at, updated_at
         from product
         where deleted_at is null and ($1::uuid is null or tenant_id = $1)
            and (case when $2::text is null then status <> 'archived' else status = $2 end)
            and ($3::text is null or title ilike $3 or brand ilike $3
                or exists (select from variant where variant.product_id = product.product_id and variant.sku ilike $3))
            and ($4::uuid[] is null or category_id = any($4))
            and ($5::uuid is null or product_id < $5)
         order by product_id desc limit $6",
    )
    .bind(filter.tenant.map(TenantId::uuid))
    .bind(filter.status.map(Status::word))
    .bind(filter.query.as_deref().map(|query| format!("%{}%", query.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))))
    .bind(filter.categories.as_ref().map(|categories| categories.iter().map(|category| category.uuid()).collect::<Vec<_>>()))
    .bind(filter.after.map(ProductId::uuid))
    .bind(filter.limit)
    .fetch_all(db)
    .await?;
    all(rows)
}

/// Products in the order of their ids, to go through all of them.
pub(crate) async fn walk(db: &mut PgConnection, tenant: Option<TenantId>, after: Option<ProductId>, limit: i64) -> Result<Vec<Kept>, Error> {
    let rows: Vec<Stored> = sqlx::query_as(
        "select product_id, tenant_id, status, approved, decline_reason, group_key, content, version, created_at, updated_at
         from product
         where deleted_at is null and ($1::uuid is null or tenant_id = $1) and ($2::uuid is null or product_id > $2)
         order by product_id limit $3",
    )
    .bind(tenant.map(TenantId::uuid))
    .bind(after.map(ProductId::uuid))
    .bind(limit)
    .fetch_all(db)
    .await?;
    all(rows)
}

pub(crate) async fn count_by_status(db: &mut PgConnection, tenant: TenantId) -> Result<Vec<(String, i64)>, Error> {
    Ok(sqlx::query_as("select status, count(*) from product where tenant_id = $1 and deleted_at is null group by status order by status")
        .bind(tenant.uuid())
        .fetch_all(db)
        .await?)
}

/// Products that count against the plan: all but deleted ones.
pub(crate) async fn count(db: &mut PgConnection, tenant: TenantId) -> Result<i64, Error> {
    Ok(sqlx::query_scalar("select count(*) from product where tenant_id = $1 and deleted_at is null").bind(tenant.uuid()).fetch_one(db).await?)
}

/// A change to be saved: the product as it is to be, at its new version.
pub(crate) struct Save<'k> {
    pub kept: &'k Kept,
    pub actor: &'k str,
    pub action: &'static str,
    pub import: Option<ImportId>,
}

/// Saves products with their variants and a version each, whatever their number, in five statements. A SKU that another product
/// has is refused by the constraint `variant_sku`.
pub(crate) async fn save_all(db: &mut PgConnection, saves: &[Save<'_>]) -> Result<(), Error> {
    if saves.is_empty() {
        return Ok(());
    }
    put_products(db, saves).await?;
    put_versions(db, saves).await?;
    put_variants(db, saves).await
}

async fn put_products(db: &mut PgConnection, saves: &[Save<'_>]) -> Result<(), Error> {
    let column = |pick: fn(&Kept) -> String| saves.iter().map(|save| pick(save.kept)).collect::<Vec<_>>();
    let done = sqlx::query(
        "insert into product (product_id, tenant_id, status, approved, decline_reason, group_key, content, title, brand, category_id, version, created_at, updated_at)
         select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::boolean[], $5::text[], $6::text[], $7::jsonb[], $8::text[], $9::text[], $10::uuid[],
            $11::integer[], $12::timestamptz[], $13::timestamptz[])
         on conflict (product_id) do update set status = excluded.status, approved = excluded.approved, decline_reason = excluded.decline_reason,
            group_key = excluded.group_key, content = excluded.content, title = excluded.title, brand = excluded.brand, category_id = excluded.category_id,
            version = excluded.version, updated_at = excluded.updated_at
         where product.version = excluded.version - 1",
    )
    .bind(saves.iter().map(|save| save.kept.id.uuid()).collect::<Vec<_>>())
    .bind(saves.iter().map(|save| save.kept.tenant.uuid()).collect::<Vec<_>>())
    .bind(column(|kept| kept.product.status.word().to_owned()))
    .bind(saves.iter().map(|save| save.kept.product.approved).collect::<Vec<_>>())
    .bind(column(|kept| kept.product.decline_reason.clone()))
    .bind(saves.iter().map(|save| save.kept.group_key.clone()).collect::<Vec<_>>())
    .bind(saves.iter().map(|save| Json(&save.kept.product.content)).collect::<Vec<_>>())
    .bind(column(|kept| kept.product.content.title.clone()))
    .bind(column(|kept| kept.product.content.brand.clone()))
    .bind(saves.iter().map(|save| save.kept.product.content.category.map(CategoryId::uuid)).collect::<Vec<_>>())
    .bind(saves.iter().map(|save| save.kept.version).collect::<Vec<_>>())
    .bind(saves.iter().map(|save| save.kept.created_at).collect::<Vec<_>>())
    .bind(saves.iter().map(|save| save.kept.updated_at).collect::<Vec<_>>())
    .execute(db)
    .await?;
    match saves {
        _ if usize::try_from(done.rows_affected()).ok() == Some(saves.len()) => Ok(()),
        [first, ..] => Err(Error::Stale(first.kept.version)),
        [] => Ok(()),
    }
}

async fn put_versions(db: &mut PgConnection, saves: &[Save<'_>]) -> Result<(), Error> {
    sqlx::query(
        "insert into product_version (product_id, version, tenant_id, at, actor, action, status, content)
         select * from unnest($1::uuid[], $2::integer[], $3::uuid[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], $8::jsonb[])",
    )
    .bind(saves.iter().map(|save| save.kept.id.uuid()).collect::<Vec<_>>())
    .bind(saves.iter().map(|save| save.kept.version).collect::<Vec<_>>())
    .bind(saves.iter().map(|save| save.kept.tenant.uuid()).collect::<Vec<_>>())
    .bind(saves.iter().map(|save| save.kept.updated_at).collect::<Vec<_>>())
    .bind(saves.iter().map(|save| save.actor.to_owned()).collect::<Vec<_>>())
    .bind(saves.iter().map(|save| save.action.to_owned()).collect::<Vec<_>>())
    .bind(saves.iter().map(|save| save.kept.product.status.word().to_owned()).collect::<Vec<_>>())
    .bind(saves.iter().map(|save| Json(&save.kept.product.content)).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

async fn put_variants(db: &mut PgConnection, saves: &[Save<'_>]) -> Result<(), Error> {
    let changed: Vec<Uuid> = saves.iter().filter(|save| save.kept.version > 1).map(|save| save.kept.id.uuid()).collect();
    let variants: Vec<_> = saves
        .iter()
        .flat_map(|save| save.kept.product.content.variants.iter().enumerate().map(move |(place, variant)| (save, place, variant)))
        .collect();
    let ids: Vec<Uuid> = variants.iter().map(|(_, _, variant)| variant.id.uuid()).collect();
    if !changed.is_empty() {
        sqlx::query("delete from variant where product_id = any($1) and variant_id <> all($2)").bind(&changed).bind(&ids).execute(&mut *db).await?;
        // Two variants of a product may trade SKUs in one change.
        sqlx::query("set constraints variant_sku deferred").execute(&mut *db).await?;
    }
    sqlx::query(
        "insert into variant (variant_id, tenant_id, product_id, sku, position, price_minor, currency, content, import_id)
         select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::smallint[], $6::bigint[], $7::text[], $8::jsonb[], $9::uuid[])
         on conflict (variant_id) do update set sku = excluded.sku, position = excluded.position, price_minor = excluded.price_minor,
            currency = excluded.currency, content = excluded.content",
    )
    .bind(ids)
    .bind(variants.iter().map(|(save, ..)| save.kept.tenant.uuid()).collect::<Vec<_>>())
    .bind(variants.iter().map(|(save, ..)| save.kept.id.uuid()).collect::<Vec<_>>())
    .bind(variants.iter().map(|(.., variant)| variant.sku.clone()).collect::<Vec<_>>())
    .bind(variants.iter().map(|(_, place, _)| i16::try_from(*place).unwrap_or(i16::MAX)).collect::<Vec<_>>())
    .bind(variants.iter().map(|(.., variant)| variant.price_minor).collect::<Vec<_>>())
    .bind(variants.iter().map(|(.., variant)| variant.currency.to_string()).collect::<Vec<_>>())
    .bind(variants.iter().map(|(.., variant)| Json(*variant)).collect::<Vec<_>>())
    .bind(variants.iter().map(|(save, ..)| save.import.map(ImportId::uuid)).collect::<Vec<_>>())
    .execute(&mut *db)
    .await?;
    if !changed.is_empty() {
        sqlx::query("set constraints variant_sku immediate").execute(db).await?;
    }
    Ok(())
}

/// The products that have these SKUs, other than `except`.
pub(crate) async fn owners_of(db: &mut PgConnection, tenant: TenantId, skus: &[String], except: ProductId) -> Result<Vec<String>, Error> {
    Ok(sqlx::query_scalar("select sku from variant where tenant_id = $1 and sku = any($2) and product_id <> $3 order by sku")
        .bind(tenant.uuid())
        .bind(skus)
        .bind(except.uuid())
        .fetch_all(db)
        .await?)
}

/// Which of these variants an import made.
pub(crate) async fn made_by(db: &mut PgConnection, import: ImportId, variants: &[VariantId]) -> Result<Vec<Uuid>, Error> {
    Ok(sqlx::query_scalar("select variant_id from variant where import_id = $1 and variant_id = any($2)")
        .bind(import.uuid())
        .bind(variants.iter().map(|variant| variant.uuid()).collect::<Vec<_>>())
        .fetch_all(db)
        .await?)
}

/// Variants by SKU.
pub(crate) async fn ids_of(db: &mut PgConnection, tenant: TenantId, skus: &[String]) -> Result<HashMap<String, VariantId>, Error> {
    let rows: Vec<(String, Uuid)> = sqlx::query_as("select sku, variant_id from variant where tenant_id = $1 and sku = any($2)")
        .bind(tenant.uuid())
        .bind(skus)
        .fetch_all(db)
        .await?;
    Ok(rows.into_iter().map(|(sku, id)| (sku, id.into())).collect())
}

/// Marks a product deleted and frees its SKUs. The caller has locked it.
pub(crate) async fn delete(db: &mut PgConnection, kept: &Kept, actor: &str, now: Time) -> Result<(), Error> {
    sqlx::query("delete from variant where product_id = $1").bind(kept.id.uuid()).execute(&mut *db).await?;
    let done = sqlx::query("update product set deleted_at = $3, updated_at = $3, version = $2 where product_id = $1 and deleted_at is null")
        .bind(kept.id.uuid())
        .bind(kept.version)
        .bind(now)
        .execute(&mut *db)
        .await?;
    if done.rows_affected() != 1 {
        return Err(Error::ProductNotFound(kept.id));
    }
    put_versions(db, &[Save { kept, actor, action: "deleted", import: None }]).await
}

/// Whether a product was there and is deleted.
pub(crate) async fn is_deleted(db: &mut PgConnection, tenant: TenantId, id: ProductId) -> Result<bool, Error> {
    let found: Option<bool> = sqlx::query_scalar("select deleted_at is not null from product where tenant_id = $1 and product_id = $2")
        .bind(tenant.uuid())
        .bind(id.uuid())
        .fetch_optional(db)
        .await?;
    Ok(found.unwrap_or(false))
}

/// A version of a product.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub version: i32,
    pub at: Time,
    pub actor: String,
    pub action: String,
    pub status: Status,
    pub content: Content,
}

#[derive(sqlx::FromRow)]
struct StoredVersion {
    version: i32,
    at: Time,
    actor: String,
    action: String,
    status: String,
    content: Json<Content>,
}

/// Versions below `before`, newest first.
pub(crate) async fn versions(db: &mut PgConnection, tenant: TenantId, id: ProductId, before: i32, limit: i64) -> Result<Vec<Version>, Error> {
    let rows: Vec<StoredVersion> = sqlx::query_as(
        "select version, at, actor, action, status, content from product_version
         where tenant_id = $1 and product_id = $2 and version < $3 order by version desc limit $4",
    )
    .bind(tenant.uuid())
    .bind(id.uuid())
    .bind(before)
    .bind(limit)
    .fetch_all(db)
    .await?;
    let version = |row: StoredVersion| -> Result<Version, Error> {
        let status = Status::parse(&row.status)?;
        Ok(Version { version: row.version, at: row.at, actor: row.actor, action: row.action, status, content: row.content.0 })
    };
    rows.into_iter().map(version).collect()
}

/// Whether the operator requires approval of a tenant's products; `None`: nobody has decided.
pub(crate) async fn approval_required(db: &mut PgConnection, tenant: TenantId) -> Result<Option<bool>, Error> {
    Ok(sqlx::query_scalar("select approval_required from catalog_policy where tenant_id = $1").bind(tenant.uuid()).fetch_optional(db).await?)
}

pub(crate) async fn set_policy(db: &mut PgConnection, tenant: TenantId, approval_required: bool, now: Time) -> Result<(), Error> {
    sqlx::query(
        "insert into catalog_policy (tenant_id, approval_required, set_at) values ($1, $2, $3)
         on conflict (tenant_id) do update set approval_required = excluded.approval_required, set_at = excluded.set_at",
    )
    .bind(tenant.uuid())
    .bind(approval_required)
    .bind(now)
    .execute(db)
    .await?;
    Ok(())
}

/// Products that have one of these variants, without what only their sellers see.
pub(crate) async fn with_variants(db: &mut PgConnection, variants: &[Uuid]) -> Result<Vec<Kept>, Error> {
    let rows: Vec<Stored> = sqlx::query_as(
        "select product_id, tenant_id, status, approved, decline_reason, group_key, content, version, created_at, updated_at
         from product where product_id in (select product_id from variant where variant_id = any($1)) and deleted_at is null",
    )
    .bind(variants)
    .fetch_all(db)
    .await?;
    all(rows)
}

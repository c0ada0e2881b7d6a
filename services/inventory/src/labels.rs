//! What the catalog calls the variants, kept beside the stock, and when a seller wants to be told that one runs low.

use std::collections::{BTreeMap, BTreeSet};

use api_catalog::{ProductId, ProductSnapshot, VariantId};
use kit_core::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::model::Key;

#[derive(Debug, Clone, Default)]
pub(crate) struct Label {
    pub(crate) sku: String,
    pub(crate) title: String,
}

/// The labels of these variants; empty ones for variants the catalog has not told of yet.
pub(crate) async fn of(db: &mut PgConnection, keys: &BTreeSet<Key>) -> Result<BTreeMap<Key, Label>, Error> {
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<(Uuid, Uuid, String, String)> = sqlx::query_as(
        "select tenant_id, variant_id, sku, title from stock_item where (tenant_id, variant_id) in (select * from unnest($1::uuid[], $2::uuid[]))",
    )
    .bind(keys.iter().map(|key| key.0.uuid()).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.1.uuid()).collect::<Vec<_>>())
    .fetch_all(db)
    .await?;
    let known: BTreeMap<Key, Label> =
        rows.into_iter().map(|(tenant, variant, sku, title)| ((tenant.into(), variant.into()), Label { sku, title })).collect();
    Ok(keys.iter().map(|key| (*key, known.get(key).cloned().unwrap_or_default())).collect())
}

/// The variant a seller means: by id or by SKU, among the tenant's own.
pub(crate) async fn find(db: &mut PgConnection, tenant: TenantId, variant: Option<VariantId>, sku: Option<&str>) -> Result<Option<VariantId>, Error> {
    let found: Option<Uuid> = sqlx::query_scalar(
        "select variant_id from stock_item
         where tenant_id = $1 and not removed and ($2::uuid is null or variant_id = $2) and ($3::text is null or sku = $3)
         order by variant_id limit 1",
    )
    .bind(tenant.uuid())
    .bind(variant.map(VariantId::uuid))
    .bind(sku)
    .fetch_optional(db)
    .await?;
    Ok(found.map(VariantId::from))
}

/// Sets when to tell that a variant runs low; whether there is such a variant.
pub(crate) async fn set_low_at(db: &mut PgConnection, key: Key, low_at: i64) -> Result<bool, Error> {
    let done = sqlx::query("update stock_item set low_at = $3 where tenant_id = $1 and variant_id = $2")
        .bind(key.0.uuid())
        .bind(key.1.uuid())
        .bind(low_at)
        .execute(db)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Takes over products as the catalog tells them, unless something newer is known. Variants they no longer have are removed.
pub(crate) async fn take_over(db: &mut PgConnection, products: &BTreeMap<ProductId, (TenantId, ProductSnapshot)>) -> Result<(), Error> {
    let mut rows: Vec<(Uuid, Uuid, Uuid, &str, String, i32)> = Vec::new();
    for (product, (tenant, snapshot)) in products {
        for variant in &snapshot.variants {
            let id: VariantId = read(&variant.variant_id)?;
            rows.push((tenant.uuid(), id.uuid(), product.uuid(), &variant.sku, title(snapshot, variant), snapshot.version));
        }
    }
    rows.sort_unstable();
    rows.dedup_by_key(|row| (row.0, row.1));
    sqlx::query(
        "insert into stock_item (tenant_id, variant_id, product_id, sku, title, product_version)
         select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::integer[])
         on conflict (tenant_id, variant_id) do update
            set product_id = excluded.product_id, sku = excluded.sku, title = excluded.title, product_version = excluded.product_version, removed = false
            where stock_item.product_version < excluded.product_version",
    )
    .bind(rows.iter().map(|row| row.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.1).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.2).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.3.to_owned()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.4.clone()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.5).collect::<Vec<_>>())
    .execute(&mut *db)
    .await?;
    sqlx::query(
        "update stock_item i set removed = true, product_version = k.version
         from unnest($1::uuid[], $2::uuid[], $3::integer[]) as k (tenant_id, product_id, version)
         where i.tenant_id = k.tenant_id and i.product_id = k.product_id and i.product_version < k.version",
    )
    .bind(products.values().map(|(tenant, _)| tenant.uuid()).collect::<Vec<_>>())
    .bind(products.keys().map(|product| product.uuid()).collect::<Vec<_>>())
    .bind(products.values().map(|(_, snapshot)| snapshot.version).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

/// The product's variants are no longer listed to their seller.
pub(crate) async fn remove(db: &mut PgConnection, tenant: TenantId, product: ProductId, version: i32) -> Result<(), Error> {
    sqlx::query("update stock_item set removed = true, product_version = $3 where tenant_id = $1 and product_id = $2 and product_version < $3")
        .bind(tenant.uuid())
        .bind(product.uuid())
        .bind(version)
        .execute(db)
        .await?;
    Ok(())
}

/// The product's title and the variant's options: "Mug, Blue, Large".
fn title(product: &ProductSnapshot, variant: &api_catalog::Variant) -> String {
    let options = variant.options.iter().map(|option| option.value.as_str());
    std::iter::once(product.title.as_str()).chain(options).collect::<Vec<_>>().join(", ")
}

fn read<T: std::str::FromStr>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::Unreadable(format!("{text} is not an id")))
}

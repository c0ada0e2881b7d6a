//! The listings, their variants' stock and their stores, in the home database. Everybody's: transactions here are for the platform.

use std::collections::BTreeMap;

use api_catalog::{ProductId, ProductSnapshot, ProductStatus, VariantId};
use api_orders::SubOrderId;
use kit_core::{TenantId, Time};
use prost::Message;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::model::{Stock, Store, Stored};

/// A place in the order in which listings change: the transaction, then the product within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Place {
    pub(crate) revision: i64,
    pub(crate) product: Uuid,
}

impl Place {
    /// Before everything that later transactions than this changed.
    pub(crate) fn after(revision: i64) -> Self {
        Self { revision, product: Uuid::max() }
    }
}

/// Takes over products as the catalog tells them, unless something newer is known. Variants before products, both in order of id,
/// as `put_stocks` does it too, so that the two never wait for each other in a circle.
pub(crate) async fn put_products(db: &mut PgConnection, products: &[(TenantId, ProductId, &ProductSnapshot)], now: Time) -> Result<(), Error> {
    let mut variants: Vec<(Uuid, Uuid, Uuid)> = Vec::new();
    for (tenant, product, snapshot) in products {
        for variant in &snapshot.variants {
            variants.push((tenant.uuid(), read::<VariantId>(&variant.variant_id)?.uuid(), product.uuid()));
        }
    }
    variants.sort_unstable();
    variants.dedup_by_key(|(tenant, variant, _)| (*tenant, *variant));
    sqlx::query(
        "insert into listing_variant (tenant_id, variant_id, product_id)
         select k.tenant_id, k.variant_id, k.product_id from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as k (tenant_id, variant_id, product_id)
         where not exists (
            select from listing_variant v where v.tenant_id = k.tenant_id and v.variant_id = k.variant_id and v.product_id = k.product_id)
         on conflict (tenant_id, variant_id) do update set product_id = excluded.product_id",
    )
    .bind(variants.iter().map(|(tenant, _, _)| *tenant).collect::<Vec<_>>())
    .bind(variants.iter().map(|(_, variant, _)| *variant).collect::<Vec<_>>())
    .bind(variants.iter().map(|(_, _, product)| *product).collect::<Vec<_>>())
    .execute(&mut *db)
    .await?;
    let mut sorted: Vec<_> = products.iter().collect();
    sorted.sort_by_key(|(_, product, _)| *product);
    sqlx::query(
        "insert into listing (product_id, tenant_id, version, shown, snapshot, listed_at, changed_at)
         select k.product_id, k.tenant_id, k.version, k.shown, k.snapshot, case when k.shown then $6::timestamptz end, $6
         from unnest($1::uuid[], $2::uuid[], $3::integer[], $4::boolean[], $5::bytea[]) as k (product_id, tenant_id, version, shown, snapshot)
         on conflict (product_id) do update
             set version = excluded.version, shown = excluded.shown, snapshot = excluded.snapshot,
                 listed_at = coalesce(listing.listed_at, excluded.listed_at), changed_at = excluded.changed_at, changed_in = pg_current_xact_id()
             where listing.version < excluded.version and listing.tenant_id = excluded.tenant_id",
    )
    .bind(sorted.iter().map(|(_, product, _)| product.uuid()).collect::<Vec<_>>())
    .bind(sorted.iter().map(|(tenant, _, _)| tenant.uuid()).collect::<Vec<_>>())
    .bind(sorted.iter().map(|(_, _, snapshot)| snapshot.version).collect::<Vec<_>>())
    .bind(sorted.iter().map(|(_, _, snapshot)| snapshot.status() == ProductStatus::Active).collect::<Vec<_>>())
    .bind(sorted.iter().map(|(_, _, snapshot)| snapshot.encode_to_vec()).collect::<Vec<_>>())
    .bind(now)
    .execute(db)
    .await?;
    Ok(())
}

/// The products are gone; their rows stay to tell the index.
pub(crate) async fn remove_products(db: &mut PgConnection, products: &[(ProductId, i32)], now: Time) -> Result<(), Error> {
    sqlx::query(
        "update listing l set shown = false, version = k.version, changed_at = $3, changed_in = pg_current_xact_id()
         from unnest($1::uuid[], $2::integer[]) as k (product_id, version)
         where l.product_id = k.product_id and l.version <= k.version",
    )
    .bind(products.iter().map(|(product, _)| product.uuid()).collect::<Vec<_>>())
    .bind(products.iter().map(|(_, version)| *version).collect::<Vec<_>>())
    .bind(now)
    .execute(db)
    .await?;
    Ok(())
}

/// The stock of a variant and the inventory's revision of it.
pub(crate) type ToldStock = BTreeMap<(TenantId, VariantId), (i64, Stock)>;

/// Takes over stock, unless something newer is known. Only a change between some and none concerns the index.
pub(crate) async fn put_stocks(db: &mut PgConnection, told: &ToldStock) -> Result<(), Error> {
    sqlx::query(
        "with told as (
            select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[]) as t (tenant_id, variant_id, available, low_at, revision)
        ), before as (
            select v.tenant_id, v.variant_id, v.available > 0 as some from listing_variant v join told using (tenant_id, variant_id)
        ), put as (
            insert into listing_variant (tenant_id, variant_id, available, low_at, stock_revision)
            select tenant_id, variant_id, available, low_at, revision from told
            on conflict (tenant_id, variant_id) do update
                set available = excluded.available, low_at = excluded.low_at, stock_revision = excluded.stock_revision, changed_in = pg_current_xact_id()
                where listing_variant.stock_revision < excluded.stock_revision
            returning tenant_id, variant_id, product_id, available > 0 as some
        ), concerned as (
            select l.product_id from listing l
            where l.product_id in (select p.product_id from put p left join before b using (tenant_id, variant_id) where p.some is distinct from b.some)
            order by l.product_id for no key update
        )
        update listing set changed_in = pg_current_xact_id() where product_id in (select product_id from concerned)",
    )
    .bind(told.keys().map(|(tenant, _)| tenant.uuid()).collect::<Vec<_>>())
    .bind(told.keys().map(|(_, variant)| variant.uuid()).collect::<Vec<_>>())
    .bind(told.values().map(|(_, stock)| stock.available).collect::<Vec<_>>())
    .bind(told.values().map(|(_, stock)| stock.low_at).collect::<Vec<_>>())
    .bind(told.values().map(|(revision, _)| *revision).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

/// Counts what was sold, each part of an order once, of what is listed: nobody buys what was never listed.
pub(crate) async fn add_sold(db: &mut PgConnection, sold: &[(SubOrderId, ProductId, i64)]) -> Result<(), Error> {
    sqlx::query(
        "with told as (
            select * from unnest($1::uuid[], $2::uuid[], $3::bigint[]) as t (sub_order_id, product_id, pieces)
        ), new as (
            insert into counted_sale select distinct sub_order_id from told order by sub_order_id on conflict do nothing returning sub_order_id
        ), sums as (
            select product_id, sum(pieces)::bigint as pieces from told join new using (sub_order_id) group by product_id
        ), concerned as (
            select l.product_id from listing l where l.product_id in (select product_id from sums) order by l.product_id for no key update
        )
        update listing l set sold = l.sold + s.pieces, changed_in = pg_current_xact_id()
        from sums s join concerned using (product_id) where l.product_id = s.product_id",
    )
    .bind(sold.iter().map(|(sub_order, _, _)| sub_order.uuid()).collect::<Vec<_>>())
    .bind(sold.iter().map(|(_, product, _)| product.uuid()).collect::<Vec<_>>())
    .bind(sold.iter().map(|(_, _, pieces)| *pieces).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

/// Takes over a store, unless something newer is known; its listings change when it opens, closes or is renamed.
pub(crate) async fn put_store(db: &mut PgConnection, tenant: TenantId, store: &Store, version: i64) -> Result<(), Error> {
    sqlx::query(
        "with before as (
            select name, slug, open from listing_store where tenant_id = $1
        ), put as (
            insert into listing_store (tenant_id, version, name, slug, open) values ($1, $2, $3, $4, $5)
            on conflict (tenant_id) do update
                set version = excluded.version, name = excluded.name, slug = excluded.slug, open = excluded.open
                where listing_store.version < excluded.version
            returning name, slug, open
        )
        update listing set changed_in = pg_current_xact_id()
        where tenant_id = $1 and exists (select name, slug, open from put except select name, slug, open from before)",
    )
    .bind(tenant.uuid())
    .bind(version)
    .bind(&store.name)
    .bind(&store.slug)
    .bind(store.open)
    .execute(db)
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct ListingRow {
    product_id: Uuid,
    shown: bool,
    snapshot: Vec<u8>,
    listed_at: Option<Time>,
    changed_at: Time,
    sold: i64,
    revision: i64,
    store_name: Option<String>,
    store_slug: Option<String>,
    store_open: Option<bool>,
}

impl ListingRow {
    fn into_stored(self, stock: &mut BTreeMap<Uuid, BTreeMap<VariantId, Stock>>) -> Result<(Place, Stored), Error> {
        let store = match (self.store_name, self.store_slug, self.store_open) {
            (Some(name), Some(slug), Some(open)) => Some(Store { name, slug, open }),
            _ => None,
        };
        let stored = Stored {
            product: ProductSnapshot::decode(self.snapshot.as_slice()).map_err(|error| Error::Unreadable(error.to_string()))?,
            shown: self.shown,
            store,
            stock: stock.remove(&self.product_id).unwrap_or_default(),
            listed_at: self.listed_at,
            changed_at: self.changed_at,
            sold: self.sold,
            revision: self.revision,
        };
        Ok((Place { revision: self.revision, product: self.product_id }, stored))
    }
}

/// Listings that changed after a place, in order, none that a running transaction may still precede.
pub(crate) async fn changed_after(db: &mut PgConnection, after: Place, limit: i64) -> Result<Vec<(Place, Stored)>, Error> {
    let rows: Vec<ListingRow> = sqlx::query_as(
        "select l.product_id, l.shown, l.snapshot, l.listed_at, l.changed_at, l.sold, l.changed_in::text::bigint as revision,
                s.name as store_name, s.slug as store_slug, s.open as store_open
         from listing l left join listing_store s on s.tenant_id = l.tenant_id
         where (l.changed_in, l.product_id) > ($1::text::xid8, $2) and l.changed_in < pg_snapshot_xmin(pg_current_snapshot())
         order by l.changed_in, l.product_id limit $3",
    )
    .bind(after.revision.to_string())
    .bind(after.product)
    .bind(limit)
    .fetch_all(&mut *db)
    .await?;
    with_stock(db, rows).await
}

/// These listings, and up to which transaction what was read is surely complete.
pub(crate) async fn listings(db: &mut PgConnection, products: &[ProductId]) -> Result<(i64, Vec<Stored>), Error> {
    let complete: i64 = sqlx::query_scalar("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint").fetch_one(&mut *db).await?;
    let rows: Vec<ListingRow> = sqlx::query_as(
        "select l.product_id, l.shown, l.snapshot, l.listed_at, l.changed_at, l.sold, l.changed_in::text::bigint as revision,
                s.name as store_name, s.slug as store_slug, s.open as store_open
         from listing l left join listing_store s on s.tenant_id = l.tenant_id where l.product_id = any($1)",
    )
    .bind(products.iter().map(|product| product.uuid()).collect::<Vec<_>>())
    .fetch_all(&mut *db)
    .await?;
    Ok((complete, with_stock(db, rows).await?.into_iter().map(|(_, stored)| stored).collect()))
}

async fn with_stock(db: &mut PgConnection, rows: Vec<ListingRow>) -> Result<Vec<(Place, Stored)>, Error> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let variants: Vec<(Uuid, Uuid, i64, i64)> =
        sqlx::query_as("select product_id, variant_id, available, low_at from listing_variant where product_id = any($1)")
            .bind(rows.iter().map(|row| row.product_id).collect::<Vec<_>>())
            .fetch_all(db)
            .await?;
    let mut stock: BTreeMap<Uuid, BTreeMap<VariantId, Stock>> = BTreeMap::new();
    for (product, variant, available, low_at) in variants {
        stock.entry(product).or_default().insert(variant.into(), Stock { available, low_at });
    }
    rows.into_iter().map(|row| row.into_stored(&mut stock)).collect()
}

/// Products whose listing, or the stock of a variant, changed since a transaction; and up to which one this is complete.
pub(crate) async fn products_changed_since(db: &mut PgConnection, since: i64) -> Result<(i64, Vec<(Uuid, i64)>), Error> {
    let complete: i64 = sqlx::query_scalar("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint").fetch_one(&mut *db).await?;
    let changed = sqlx::query_as(
        "select product_id, changed_in::text::bigint from listing where changed_in >= $1::text::xid8 and changed_in < $2::text::xid8
         union all
         select product_id, changed_in::text::bigint from listing_variant
         where changed_in >= $1::text::xid8 and changed_in < $2::text::xid8 and product_id is not null",
    )
    .bind(since.to_string())
    .bind(complete.to_string())
    .fetch_all(db)
    .await?;
    Ok((complete, changed))
}

/// How many listings there are, and the newest transaction that changed one.
pub(crate) async fn extent(db: &mut PgConnection) -> Result<(i64, i64), Error> {
    Ok(sqlx::query_as(
        "select (select count(*) from listing where shown),
                coalesce((select changed_in::text::bigint from listing order by changed_in desc limit 1), 0)",
    )
    .fetch_one(db)
    .await?)
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct SynonymRow {
    pub(crate) term: String,
    pub(crate) synonyms: Vec<String>,
    pub(crate) changed_at: Time,
}

pub(crate) async fn synonyms_after(db: &mut PgConnection, after: &str, limit: i64) -> Result<Vec<SynonymRow>, Error> {
    Ok(sqlx::query_as("select term, synonyms, changed_at from search_synonym where term > $1 order by term limit $2")
        .bind(after)
        .bind(limit)
        .fetch_all(db)
        .await?)
}

pub(crate) async fn all_synonyms(db: &mut PgConnection) -> Result<Vec<SynonymRow>, Error> {
    Ok(sqlx::query_as("select term, synonyms, changed_at from search_synonym order by term").fetch_all(db).await?)
}

/// What was said before of this term.
pub(crate) async fn put_synonyms(db: &mut PgConnection, term: &str, synonyms: &[String], now: Time) -> Result<Option<Vec<String>>, Error> {
    let before: Option<Vec<String>> =
        sqlx::query_scalar("select synonyms from search_synonym where term = $1").bind(term).fetch_optional(&mut *db).await?;
    sqlx::query(
        "insert into search_synonym (term, synonyms, changed_at) values ($1, $2, $3)
         on conflict (term) do update set synonyms = excluded.synonyms, changed_at = excluded.changed_at",
    )
    .bind(term)
    .bind(synonyms)
    .bind(now)
    .execute(db)
    .await?;
    Ok(before)
}

pub(crate) async fn delete_synonyms(db: &mut PgConnection, term: &str) -> Result<Option<Vec<String>>, Error> {
    Ok(sqlx::query_scalar("delete from search_synonym where term = $1 returning synonyms").bind(term).fetch_optional(db).await?)
}

/// Adds to the counts of queries: text, how often, how many were found.
pub(crate) async fn note_queries(db: &mut PgConnection, queries: &BTreeMap<String, (i64, i64)>, now: Time) -> Result<(), Error> {
    sqlx::query(
        "insert into search_query (query, searches, found, last_at)
         select k.query, k.searches, k.found, $4 from unnest($1::text[], $2::bigint[], $3::bigint[]) as k (query, searches, found)
         on conflict (query) do update set searches = search_query.searches + excluded.searches, found = excluded.found, last_at = excluded.last_at",
    )
    .bind(queries.keys().cloned().collect::<Vec<_>>())
    .bind(queries.values().map(|(searches, _)| *searches).collect::<Vec<_>>())
    .bind(queries.values().map(|(_, found)| *found).collect::<Vec<_>>())
    .bind(now)
    .execute(db)
    .await?;
    Ok(())
}

/// The most popular queries that found something.
pub(crate) async fn popular_queries(db: &mut PgConnection, from_searches: i64, limit: i64) -> Result<Vec<(String, i64)>, Error> {
    Ok(sqlx::query_as("select query, searches from search_query where found > 0 and searches >= $1 order by searches desc limit $2")
        .bind(from_searches)
        .bind(limit)
        .fetch_all(db)
        .await?)
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct QueryRow {
    pub(crate) query: String,
    pub(crate) searches: i64,
    pub(crate) found: i64,
    pub(crate) last_at: Time,
}

/// What was searched for most; or only what found nothing.
pub(crate) async fn queries(db: &mut PgConnection, nothing_found: bool, limit: i64) -> Result<Vec<QueryRow>, Error> {
    Ok(sqlx::query_as("select query, searches, found, last_at from search_query where not $1 or found = 0 order by searches desc, query limit $2")
        .bind(nothing_found)
        .bind(limit)
        .fetch_all(db)
        .await?)
}

fn read<T: std::str::FromStr>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::Unreadable(format!("{text} is not an id")))
}

//! Categories, attributes and their values, in the home cell.

use api_catalog::CategoryId;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::Error;
use crate::feed::taxonomy::{AttributeRow, CategoryRow};
use crate::model::category::{Attribute, AttributeType, Category, Has, Tree};

/// How many rows a load created and changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Loaded {
    pub created: u32,
    pub changed: u32,
}

pub(crate) async fn version(db: &mut PgConnection) -> Result<i64, Error> {
    Ok(sqlx::query_scalar("select version from taxonomy_state").fetch_one(db).await?)
}

/// Counts the version up; every change of the tree waits here for the one before it.
pub(crate) async fn bump(db: &mut PgConnection) -> Result<(), Error> {
    sqlx::query("update taxonomy_state set version = version + 1").execute(db).await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct StoredCategory {
    category_id: Uuid,
    code: String,
    parent_code: String,
    name: String,
    tax_category: String,
    attributes: Json<Vec<Has>>,
}

#[derive(sqlx::FromRow)]
struct StoredAttribute {
    key: String,
    name: String,
    r#type: String,
    unit: String,
    values_from: String,
    value_keys: Vec<String>,
}

pub(crate) async fn load(db: &mut PgConnection) -> Result<Tree, Error> {
    let categories: Vec<StoredCategory> =
        sqlx::query_as("select category_id, code, parent_code, name, tax_category, attributes from category").fetch_all(&mut *db).await?;
    let attributes: Vec<StoredAttribute> =
        sqlx::query_as("select key, name, type, unit, values_from, value_keys from attribute").fetch_all(&mut *db).await?;
    let values: Vec<(String, String)> = sqlx::query_as("select key, name from attribute_value").fetch_all(db).await?;
    let categories = categories.into_iter().map(|row| Category {
        id: row.category_id.into(),
        code: row.code,
        parent_code: row.parent_code,
        name: row.name,
        tax_category: row.tax_category,
        attributes: row.attributes.0,
    });
    let attributes = attributes.into_iter().map(|row| Attribute {
        kind: AttributeType::parse(&row.r#type).unwrap_or(AttributeType::Text),
        key: row.key,
        name: row.name,
        unit: row.unit,
        values_from: row.values_from,
        value_keys: row.value_keys,
    });
    Ok(Tree::new(categories.collect(), attributes.collect(), values))
}

fn loaded(inserted: Vec<bool>) -> Loaded {
    let count = |wanted: bool| u32::try_from(inserted.iter().filter(|was_new| **was_new == wanted).count()).unwrap_or(u32::MAX);
    Loaded { created: count(true), changed: count(false) }
}

/// Adds and changes categories by code; rows that say what was so already are left alone.
pub(crate) async fn put_categories(db: &mut PgConnection, ids: Vec<Uuid>, rows: &[CategoryRow]) -> Result<Loaded, Error> {
    let inserted = sqlx::query_scalar(
        "insert into category (category_id, code, parent_code, name, tax_category, attributes)
         select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[])
         on conflict (code) do update set parent_code = excluded.parent_code, name = excluded.name,
            tax_category = case when excluded.tax_category = '' then category.tax_category else excluded.tax_category end, attributes = excluded.attributes
         where (category.parent_code, category.name, category.attributes) is distinct from (excluded.parent_code, excluded.name, excluded.attributes)
            or (excluded.tax_category <> '' and excluded.tax_category <> category.tax_category)
         returning xmax = 0",
    )
    .bind(ids)
    .bind(rows.iter().map(|row| row.code.clone()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.parent_code.clone()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.tax_category.clone()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| Json(row.attributes.clone())).collect::<Vec<_>>())
    .fetch_all(db)
    .await?;
    Ok(loaded(inserted))
}

pub(crate) async fn put_attributes(db: &mut PgConnection, rows: &[AttributeRow]) -> Result<Loaded, Error> {
    // Lists of different lengths do not fit into one array of arrays; they travel as comma-separated text, as in the files.
    let inserted = sqlx::query_scalar(
        "insert into attribute (key, name, type, unit, values_from, value_keys)
         select key, name, type, unit, values_from, case when value_keys = '' then array[]::text[] else string_to_array(value_keys, ',') end
         from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) as row (key, name, type, unit, values_from, value_keys)
         on conflict (key) do update set name = excluded.name, type = excluded.type, unit = excluded.unit, values_from = excluded.values_from,
            value_keys = excluded.value_keys
         where (attribute.name, attribute.type, attribute.unit, attribute.values_from, attribute.value_keys)
            is distinct from (excluded.name, excluded.type, excluded.unit, excluded.values_from, excluded.value_keys)
         returning xmax = 0",
    )
    .bind(rows.iter().map(|row| row.key.clone()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.kind.word().to_owned()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.unit.clone()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.values_from.clone()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.value_keys.join(",")).collect::<Vec<_>>())
    .fetch_all(db)
    .await?;
    Ok(loaded(inserted))
}

pub(crate) async fn put_values(db: &mut PgConnection, rows: &[(String, String)]) -> Result<Loaded, Error> {
    let inserted = sqlx::query_scalar(
        "insert into attribute_value (key, name) select * from unnest($1::text[], $2::text[])
         on conflict (key) do update set name = excluded.name where attribute_value.name <> excluded.name
         returning xmax = 0",
    )
    .bind(rows.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, name)| name.clone()).collect::<Vec<_>>())
    .fetch_all(db)
    .await?;
    Ok(loaded(inserted))
}

/// Adds one category; a code that is taken is told.
pub(crate) async fn insert_category(db: &mut PgConnection, category: &Category) -> Result<(), Error> {
    let done = sqlx::query(
        "insert into category (category_id, code, parent_code, name, tax_category, attributes) values ($1, $2, $3, $4, $5, $6) on conflict (code) do nothing",
    )
    .bind(category.id.uuid())
    .bind(&category.code)
    .bind(&category.parent_code)
    .bind(&category.name)
    .bind(&category.tax_category)
    .bind(Json(&category.attributes))
    .execute(db)
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::CategoryTaken(category.code.clone())) }
}

pub(crate) async fn update_category(db: &mut PgConnection, category: &Category) -> Result<(), Error> {
    let done = sqlx::query("update category set name = $2, tax_category = $3, attributes = $4 where category_id = $1")
        .bind(category.id.uuid())
        .bind(&category.name)
        .bind(&category.tax_category)
        .bind(Json(&category.attributes))
        .execute(db)
        .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::CategoryNotFound(category.id.to_string())) }
}

/// Removes a category unless another names it as its parent.
pub(crate) async fn delete_category(db: &mut PgConnection, id: CategoryId) -> Result<bool, Error> {
    let done = sqlx::query(
        "delete from category where category_id = $1 and not exists (select from category as child where child.parent_code = category.code)",
    )
    .bind(id.uuid())
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

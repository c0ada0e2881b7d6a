//! Buyers' saved payment methods: the PSP's tokens behind ids of ours.

use api_payments::MethodId;
use kit_core::{Time, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::config::MAX_METHODS;
use crate::error::Error;
use crate::model::CardSummary;

#[derive(Debug, Clone)]
pub(crate) struct Method {
    pub(crate) id: MethodId,
    pub(crate) psp: String,
    pub(crate) token: String,
    pub(crate) card: CardSummary,
    pub(crate) created_at: Time,
}

#[derive(sqlx::FromRow)]
struct Row {
    method_id: Uuid,
    psp: String,
    token: String,
    brand: String,
    last4: String,
    exp_month: i32,
    exp_year: i32,
    created_at: Time,
}

impl From<Row> for Method {
    fn from(row: Row) -> Self {
        let number = |value: i32| u32::try_from(value).unwrap_or_default();
        let card = CardSummary { brand: row.brand, last4: row.last4, exp_month: number(row.exp_month), exp_year: number(row.exp_year) };
        Self { id: row.method_id.into(), psp: row.psp, token: row.token, card, created_at: row.created_at }
    }
}

/// Keeps a method, unless it is kept already.
pub(crate) async fn insert(db: &mut PgConnection, buyer: UserId, method: &Method) -> Result<(), Error> {
    sqlx::query(
        "insert into payment_method (method_id, buyer_id, psp, token, brand, last4, exp_month, exp_year, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (psp, token) do nothing",
    )
    .bind(method.id.uuid())
    .bind(buyer.uuid())
    .bind(&method.psp)
    .bind(&method.token)
    .bind(&method.card.brand)
    .bind(&method.card.last4)
    .bind(i32::try_from(method.card.exp_month).unwrap_or_default())
    .bind(i32::try_from(method.card.exp_year).unwrap_or_default())
    .bind(method.created_at)
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn list(db: &mut PgConnection, buyer: UserId) -> Result<Vec<Method>, Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "select method_id, psp, token, brand, last4, exp_month, exp_year, created_at from payment_method where buyer_id = $1 order by method_id desc limit $2",
    )
    .bind(buyer.uuid())
    .bind(MAX_METHODS)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// A method of this buyer; somebody else's does not exist.
pub(crate) async fn get(db: &mut PgConnection, buyer: UserId, id: MethodId) -> Result<Method, Error> {
    let row: Option<Row> = sqlx::query_as(
        "select method_id, psp, token, brand, last4, exp_month, exp_year, created_at from payment_method where buyer_id = $1 and method_id = $2",
    )
    .bind(buyer.uuid())
    .bind(id.uuid())
    .fetch_optional(db)
    .await?;
    row.map(Into::into).ok_or(Error::MethodNotFound(id))
}

pub(crate) async fn delete(db: &mut PgConnection, id: MethodId) -> Result<(), Error> {
    sqlx::query("delete from payment_method where method_id = $1").bind(id.uuid()).execute(db).await?;
    Ok(())
}

//! What the service remembers: one function per query.

use chrono::{DateTime, Utc};
use kit_core::{Money, MoneyError, UserId};
use kit_db::DbError;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::error::Error;
use crate::model::Line;

#[derive(Debug, FromRow)]
struct LineRow {
    buyer_id: Uuid,
    variant_id: Uuid,
    tenant_id: Uuid,
    quantity: i32,
    price_minor: i64,
    currency: String,
    added_at: DateTime<Utc>,
}

impl LineRow {
    fn line(self) -> Result<(UserId, Line), DbError> {
        let unreadable = |error: String| DbError::Unreadable(error);
        let line = Line {
            tenant: self.tenant_id.into(),
            variant: self.variant_id,
            quantity: u32::try_from(self.quantity).map_err(|error| unreadable(error.to_string()))?,
            price_seen: Money::new(self.price_minor, self.currency.parse().map_err(|error: MoneyError| unreadable(error.to_string()))?),
            added_at: self.added_at,
        };
        Ok((self.buyer_id.into(), line))
    }
}

/// The lines of some buyers' carts, each cart's in the order they were added.
pub(crate) async fn lines_of(db: &mut PgConnection, buyers: &[UserId]) -> Result<Vec<(UserId, Line)>, DbError> {
    let rows: Vec<LineRow> = sqlx::query_as(
        "select buyer_id, variant_id, tenant_id, quantity, price_minor, currency, added_at from cart_line
         where buyer_id = any($1) order by added_at, variant_id",
    )
    .bind(buyers.iter().map(|buyer| buyer.uuid()).collect::<Vec<_>>())
    .fetch_all(db)
    .await?;
    rows.into_iter().map(LineRow::line).collect()
}

/// The lines of a cart, in the order they were added.
pub(crate) async fn lines(db: &mut PgConnection, buyer: UserId) -> Result<Vec<Line>, Error> {
    Ok(lines_of(db, &[buyer]).await?.into_iter().map(|(_, line)| line).collect())
}

/// How many pieces of what each of these buyers has.
pub(crate) async fn quantities(db: &mut PgConnection, buyers: &[Uuid]) -> Result<Vec<(Uuid, Uuid, i32)>, DbError> {
    Ok(sqlx::query_as("select buyer_id, variant_id, quantity from cart_line where buyer_id = any($1)").bind(buyers).fetch_all(db).await?)
}

/// Adds pieces to lines, each named once; the lines as they are now, without those that would hold more than 999 pieces.
pub(crate) async fn add(db: &mut PgConnection, lines: &[(UserId, Line)]) -> Result<Vec<(Uuid, Uuid, i32)>, DbError> {
    let column = |of: fn(&(UserId, Line)) -> Uuid| lines.iter().map(of).collect::<Vec<_>>();
    Ok(sqlx::query_as(
        "insert into cart_line as line (buyer_id, variant_id, tenant_id, quantity, price_minor, currency, added_at)
         select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::integer[], $5::bigint[], $6::text[], $7::timestamptz[])
             as row (buyer_id, variant_id, tenant_id, quantity, price_minor, currency, added_at)
         order by buyer_id, variant_id
         on conflict (buyer_id, variant_id) do update
             set quantity = line.quantity + excluded.quantity, price_minor = excluded.price_minor, currency = excluded.currency
             where line.quantity + excluded.quantity <= 999
         returning buyer_id, variant_id, quantity",
    )
    .bind(column(|(buyer, _)| buyer.uuid()))
    .bind(column(|(_, line)| line.variant))
    .bind(column(|(_, line)| line.tenant.uuid()))
    .bind(lines.iter().map(|(_, line)| i32::try_from(line.quantity).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .bind(lines.iter().map(|(_, line)| line.price_seen.minor).collect::<Vec<_>>())
    .bind(lines.iter().map(|(_, line)| line.price_seen.currency.as_str().to_owned()).collect::<Vec<_>>())
    .bind(lines.iter().map(|(_, line)| line.added_at).collect::<Vec<_>>())
    .fetch_all(db)
    .await?)
}

/// Answers whether the line was there.
pub(crate) async fn set_quantity(db: &mut PgConnection, buyer: UserId, variant: Uuid, quantity: u32) -> Result<bool, Error> {
    let written = sqlx::query("update cart_line set quantity = $3 where buyer_id = $1 and variant_id = $2")
        .bind(buyer.uuid())
        .bind(variant)
        .bind(i32::try_from(quantity).map_err(Error::unreadable)?)
        .execute(db)
        .await?;
    Ok(written.rows_affected() == 1)
}

/// Answers whether the line was there.
pub(crate) async fn remove(db: &mut PgConnection, buyer: UserId, variant: Uuid) -> Result<bool, Error> {
    let gone = sqlx::query("delete from cart_line where buyer_id = $1 and variant_id = $2").bind(buyer.uuid()).bind(variant).execute(db).await?;
    Ok(gone.rows_affected() == 1)
}

pub(crate) async fn clear(db: &mut PgConnection, buyer: UserId) -> Result<(), Error> {
    sqlx::query("delete from cart_line where buyer_id = $1").bind(buyer.uuid()).execute(db).await?;
    Ok(())
}

/// Pieces in the whole cart.
pub(crate) async fn count(db: &mut PgConnection, buyer: UserId) -> Result<i64, Error> {
    Ok(sqlx::query_scalar("select coalesce(sum(quantity), 0)::bigint from cart_line where buyer_id = $1").bind(buyer.uuid()).fetch_one(db).await?)
}

/// Replaces a cart by other lines.
pub(crate) async fn replace(db: &mut PgConnection, buyer: UserId, lines: &[Line]) -> Result<(), Error> {
    clear(&mut *db, buyer).await?;
    let column = |of: fn(&Line) -> Uuid| lines.iter().map(of).collect::<Vec<_>>();
    let quantities: Vec<i32> = lines.iter().map(|line| i32::try_from(line.quantity).unwrap_or(i32::MAX)).collect();
    sqlx::query(
        "insert into cart_line (buyer_id, variant_id, tenant_id, quantity, price_minor, currency, added_at)
         select $1, * from unnest($2::uuid[], $3::uuid[], $4::integer[], $5::bigint[], $6::text[], $7::timestamptz[])",
    )
    .bind(buyer.uuid())
    .bind(column(|line| line.variant))
    .bind(column(|line| line.tenant.uuid()))
    .bind(quantities)
    .bind(lines.iter().map(|line| line.price_seen.minor).collect::<Vec<_>>())
    .bind(lines.iter().map(|line| line.price_seen.currency.to_string()).collect::<Vec<_>>())
    .bind(lines.iter().map(|line| line.added_at).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

/// Takes bought pieces out; what was added since stays.
pub(crate) async fn take_out(db: &mut PgConnection, buyer: UserId, variants: &[Uuid], quantities: &[i32]) -> Result<(), Error> {
    sqlx::query(
        "with bought as (select variant_id, sum(quantity)::integer as quantity from unnest($2::uuid[], $3::integer[]) as b (variant_id, quantity) group by 1),
            kept as (
                update cart_line line set quantity = line.quantity - bought.quantity from bought
                where line.buyer_id = $1 and line.variant_id = bought.variant_id and line.quantity > bought.quantity
            )
         delete from cart_line line using bought
         where line.buyer_id = $1 and line.variant_id = bought.variant_id and line.quantity <= bought.quantity",
    )
    .bind(buyer.uuid())
    .bind(variants)
    .bind(quantities)
    .execute(db)
    .await?;
    Ok(())
}

//! What the service remembers: one function per query.

use chrono::{DateTime, Utc};
use kit_core::{Money, Time, UserId};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::error::Error;
use crate::model::Line;

#[derive(Debug, FromRow)]
struct LineRow {
    variant_id: Uuid,
    tenant_id: Uuid,
    quantity: i32,
    price_minor: i64,
    currency: String,
    added_at: DateTime<Utc>,
}

impl LineRow {
    fn line(self) -> Result<Line, Error> {
        Ok(Line {
            tenant: self.tenant_id.into(),
            variant: self.variant_id,
            quantity: u32::try_from(self.quantity).map_err(Error::unreadable)?,
            price_seen: Money::new(self.price_minor, self.currency.parse()?),
            added_at: self.added_at,
        })
    }
}

/// The lines of a cart, in the order they were added.
pub(crate) async fn lines(db: &mut PgConnection, buyer: UserId) -> Result<Vec<Line>, Error> {
    let rows: Vec<LineRow> = sqlx::query_as(
        "select variant_id, tenant_id, quantity, price_minor, currency, added_at from cart_line where buyer_id = $1 order by added_at, variant_id",
    )
    .bind(buyer.uuid())
    .fetch_all(db)
    .await?;
    rows.into_iter().map(LineRow::line).collect()
}

/// What adding did.
#[derive(Debug, FromRow)]
pub(crate) struct Added {
    /// The line's quantity now; null when the line would be too large.
    pub(crate) quantity: Option<i32>,
    /// Pieces on the other lines.
    pub(crate) others: i64,
    /// Lines before.
    pub(crate) lines: i64,
}

/// Adds pieces in one statement. Nothing is written when the line would hold more than 999 pieces or the cart more than `max_lines` lines.
pub(crate) async fn add(db: &mut PgConnection, buyer: UserId, line: &Line, max_lines: i64, now: Time) -> Result<Added, Error> {
    Ok(sqlx::query_as(
        "with before as (
            select count(*) as lines, count(*) filter (where variant_id = $2) as same,
                coalesce(sum(quantity) filter (where variant_id <> $2), 0)::bigint as others
            from cart_line where buyer_id = $1
         ), put as (
            insert into cart_line as line (buyer_id, variant_id, tenant_id, quantity, price_minor, currency, added_at)
            select $1, $2, $3, $4, $5, $6, $7 from before where lines < $8 or same > 0
            on conflict (buyer_id, variant_id) do update
                set quantity = line.quantity + excluded.quantity, price_minor = excluded.price_minor, currency = excluded.currency
                where line.quantity + excluded.quantity <= 999
            returning quantity
         )
         select (select quantity from put) as quantity, others, lines from before",
    )
    .bind(buyer.uuid())
    .bind(line.variant)
    .bind(line.tenant.uuid())
    .bind(i32::try_from(line.quantity).map_err(Error::unreadable)?)
    .bind(line.price_seen.minor)
    .bind(line.price_seen.currency.as_str())
    .bind(now)
    .bind(max_lines)
    .fetch_one(db)
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

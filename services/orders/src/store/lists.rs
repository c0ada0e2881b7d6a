//! Lists and exports: newest first, page by page, by id, which grows with time.

use kit_core::{TenantId, Time, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{OrderRow, SubRow};
use crate::error::Error;

/// A page of a list: at most `limit` rows after the one with id `after`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    pub(crate) after: Option<Uuid>,
    pub(crate) limit: i64,
}

pub(crate) async fn orders_of_buyer(db: &mut PgConnection, buyer: UserId, state: Option<&str>, page: Page) -> Result<Vec<OrderRow>, Error> {
    Ok(sqlx::query_as(
        "select * from buyer_order
         where buyer_id = $1 and reserved_at is not null and ($2::text is null or state = $2) and ($3::uuid is null or order_id < $3)
         order by order_id desc limit $4",
    )
    .bind(buyer.uuid())
    .bind(state)
    .bind(page.after)
    .bind(page.limit)
    .fetch_all(db)
    .await?)
}

pub(crate) async fn all_orders(
    db: &mut PgConnection,
    state: Option<&str>,
    tenant: Option<TenantId>,
    query: Option<&str>,
    page: Page,
) -> Result<Vec<OrderRow>, Error> {
    Ok(sqlx::query_as(
        "select * from buyer_order o
         where reserved_at is not null and ($1::text is null or state = $1)
            and ($2::uuid is null or exists (select 1 from sub_order s where s.order_id = o.order_id and s.tenant_id = $2))
            and ($3::text is null or starts_with(number, upper($3)) or starts_with(email, lower($3)))
            and ($4::uuid is null or order_id < $4)
         order by order_id desc limit $5",
    )
    .bind(state)
    .bind(tenant.map(TenantId::uuid))
    .bind(query)
    .bind(page.after)
    .bind(page.limit)
    .fetch_all(db)
    .await?)
}

/// What a seller filters by.
#[derive(Debug, Clone, Default)]
pub(crate) struct SubFilter {
    pub(crate) state: Option<&'static str>,
    pub(crate) query: Option<String>,
    pub(crate) from: Option<Time>,
    pub(crate) before: Option<Time>,
}

/// Parts that were never paid are not the seller's business.
pub(crate) async fn subs_of_tenant(db: &mut PgConnection, tenant: TenantId, filter: &SubFilter, page: Page) -> Result<Vec<SubRow>, Error> {
    Ok(sqlx::query_as(
        "select * from sub_order
         where tenant_id = $1 and state <> 'created' and (state <> 'cancelled' or exists (select 1 from cancellation c where c.order_id = sub_order.order_id
                and c.sub_order_id = sub_order.sub_order_id)) and ($2::text is null or state = $2)
            and ($3::text is null or strpos(lower(number || ' ' || email || ' ' || (ship_to ->> 'name')), lower($3)) > 0)
            and ($4::timestamptz is null or placed_at >= $4) and ($5::timestamptz is null or placed_at < $5)
            and ($6::uuid is null or sub_order_id < $6)
         order by sub_order_id desc limit $7",
    )
    .bind(tenant.uuid())
    .bind(filter.state)
    .bind(filter.query.as_deref())
    .bind(filter.from)
    .bind(filter.before)
    .bind(page.after)
    .bind(page.limit)
    .fetch_all(db)
    .await?)
}

/// One row of a seller's export.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct ExportRow {
    pub(crate) number: String,
    pub(crate) state: String,
    pub(crate) placed_at: chrono::DateTime<chrono::Utc>,
    pub(crate) recipient: Option<String>,
    pub(crate) email: String,
    pub(crate) country: Option<String>,
    pub(crate) sku: String,
    pub(crate) title: String,
    pub(crate) options: String,
    pub(crate) quantity: i32,
    pub(crate) cancelled: i32,
    pub(crate) unit_minor: i64,
    pub(crate) line_minor: i64,
    pub(crate) commission_minor: i64,
    pub(crate) shipping_minor: i64,
    pub(crate) total_minor: i64,
    pub(crate) currency: String,
    pub(crate) shipping_method: String,
}

pub(crate) async fn export(db: &mut PgConnection, tenant: TenantId, filter: &SubFilter, limit: i64) -> Result<Vec<ExportRow>, Error> {
    Ok(sqlx::query_as(
        "select s.number, s.state, s.placed_at, s.ship_to ->> 'name' as recipient, s.email, s.ship_to ->> 'country' as country, i.sku, i.title,
            i.options, i.quantity, i.cancelled, i.unit_minor, i.line_minor, i.commission_minor, s.shipping_minor, s.total_minor, s.currency, s.shipping_method
         from sub_order s join order_item i on i.order_id = s.order_id and i.sub_order_id = s.sub_order_id
         where s.tenant_id = $1 and s.state <> 'created' and (s.state <> 'cancelled' or exists (select 1 from cancellation c where c.order_id = s.order_id
                and c.sub_order_id = s.sub_order_id)) and ($2::text is null or s.state = $2)
            and ($3::timestamptz is null or s.placed_at >= $3) and ($4::timestamptz is null or s.placed_at < $4)
         order by s.sub_order_id, i.item_id limit $5",
    )
    .bind(tenant.uuid())
    .bind(filter.state)
    .bind(filter.from)
    .bind(filter.before)
    .bind(limit)
    .fetch_all(db)
    .await?)
}

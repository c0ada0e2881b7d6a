//! Orders, their parts, lines and timelines.

use api_orders::{OrderId, SubOrderId};
use kit_core::{Time, UserId};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::rows::WholeOrder;
use super::{ItemRow, OrderRow, SubRow, TimelineRow};
use crate::error::Error;
use crate::saga::machine::Saga;
use crate::saga::part::{self, PartInput};

/// Writes new orders; those whose id or number is taken already are left out. Answers the ids written.
pub(crate) async fn insert_orders(db: &mut PgConnection, rows: &[&OrderRow]) -> Result<Vec<Uuid>, Error> {
    let written = sqlx::query_scalar(
        "insert into buyer_order (order_id, number, buyer_id, email, access_token, state, currency, items_minor, tax_minor, shipping_minor,
            discount_minor, total_minor, shipping_address, billing_address, from_cart, saga, look_at, placed_at, updated_at)
         select order_id, number, buyer_id, email, access_token, state, currency, items_minor, tax_minor, shipping_minor,
            discount_minor, total_minor, shipping_address, billing_address, from_cart, saga, look_at, placed_at, updated_at
         from jsonb_to_recordset($1) as row (order_id uuid, number text, buyer_id uuid, email text, access_token text, state text, currency text,
            items_minor bigint, tax_minor bigint, shipping_minor bigint, discount_minor bigint, total_minor bigint, shipping_address jsonb,
            billing_address jsonb, from_cart boolean, saga jsonb, look_at timestamptz, placed_at timestamptz, updated_at timestamptz)
         on conflict do nothing
         returning order_id",
    )
    .bind(serde_json::to_value(rows)?)
    .fetch_all(db)
    .await?;
    Ok(written)
}

pub(crate) async fn insert_subs(db: &mut PgConnection, rows: &[&SubRow]) -> Result<(), Error> {
    sqlx::query(
        "insert into sub_order (sub_order_id, order_id, position, tenant_id, buyer_id, number, store_name, email, state, currency, items_minor,
            tax_minor, shipping_minor, discount_minor, total_minor, commission_bps, commission_minor, shipping_method_id, shipping_method,
            min_days, max_days, ship_to, supplier, placed_at, updated_at)
         select sub_order_id, order_id, position, tenant_id, buyer_id, number, store_name, email, state, currency, items_minor,
            tax_minor, shipping_minor, discount_minor, total_minor, commission_bps, commission_minor, shipping_method_id, shipping_method,
            min_days, max_days, ship_to, supplier, placed_at, updated_at
         from jsonb_to_recordset($1) as row (sub_order_id uuid, order_id uuid, position integer, tenant_id uuid, buyer_id uuid, number text,
            store_name text, email text, state text, currency text, items_minor bigint, tax_minor bigint, shipping_minor bigint,
            discount_minor bigint, total_minor bigint, commission_bps integer, commission_minor bigint, shipping_method_id uuid,
            shipping_method text, min_days integer, max_days integer, ship_to jsonb, supplier jsonb, placed_at timestamptz, updated_at timestamptz)",
    )
    .bind(serde_json::to_value(rows)?)
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn insert_items(db: &mut PgConnection, rows: &[&ItemRow]) -> Result<(), Error> {
    sqlx::query(
        "insert into order_item (order_id, item_id, sub_order_id, tenant_id, buyer_id, product_id, product_version, variant_id, title, options,
            sku, brand, category_id, image_url, quantity, unit_minor, line_minor, discount_minor, tax_minor, tax_category, tax_rate_bps,
            commission_minor, weight_grams)
         select order_id, item_id, sub_order_id, tenant_id, buyer_id, product_id, product_version, variant_id, title, options,
            sku, brand, category_id, image_url, quantity, unit_minor, line_minor, discount_minor, tax_minor, tax_category, tax_rate_bps,
            commission_minor, weight_grams
         from jsonb_to_recordset($1) as row (order_id uuid, item_id uuid, sub_order_id uuid, tenant_id uuid, buyer_id uuid, product_id uuid,
            product_version integer, variant_id uuid, title text, options text, sku text, brand text, category_id text, image_url text,
            quantity integer, unit_minor bigint, line_minor bigint, discount_minor bigint, tax_minor bigint, tax_category text,
            tax_rate_bps integer, commission_minor bigint, weight_grams integer)",
    )
    .bind(serde_json::to_value(rows)?)
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn add_timeline(db: &mut PgConnection, rows: &[TimelineRow]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into order_timeline (order_id, sub_order_id, tenant_id, buyer_id, at, kind, message, actor)
         select order_id, sub_order_id, tenant_id, buyer_id, at, kind, message, actor
         from jsonb_to_recordset($1) as row (order_id uuid, sub_order_id uuid, tenant_id uuid, buyer_id uuid, at timestamptz, kind text,
            message text, actor text)",
    )
    .bind(serde_json::to_value(rows)?)
    .execute(db)
    .await?;
    Ok(())
}

/// Locks orders for the rest of the transaction, in the order of their ids.
pub(crate) async fn lock_orders(db: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<OrderRow>, Error> {
    Ok(sqlx::query_as("select * from buyer_order where order_id = any($1) order by order_id for update").bind(ids).fetch_all(db).await?)
}

/// Saves what the saga may change, of orders that are locked.
pub(crate) async fn save_orders(db: &mut PgConnection, rows: &[&OrderRow]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update buyer_order o set state = row.state, saga = row.saga, look_at = row.look_at, reserved_at = row.reserved_at,
            refunded_minor = row.refunded_minor, cancel_reason = row.cancel_reason, cancelled_by = row.cancelled_by,
            shipping_address = row.shipping_address, updated_at = row.updated_at, version = o.version + 1
         from jsonb_to_recordset($1) as row (order_id uuid, state text, saga jsonb, look_at timestamptz, reserved_at timestamptz,
            refunded_minor bigint, cancel_reason text, cancelled_by text, shipping_address jsonb, updated_at timestamptz)
         where o.order_id = row.order_id",
    )
    .bind(serde_json::to_value(rows)?)
    .execute(db)
    .await?;
    Ok(())
}

/// The parts of paid orders begin.
pub(crate) async fn begin_subs(db: &mut PgConnection, orders: &[Uuid], now: Time) -> Result<(), Error> {
    let (from, to) = part::moves(PartInput::Paid);
    sqlx::query(
        "update sub_order s set state = m.after, updated_at = $2, version = version + 1
         from unnest($3::text[], $4::text[]) as m (before, after) where s.order_id = any($1) and s.state = m.before",
    )
    .bind(orders)
    .bind(now)
    .bind(from)
    .bind(to)
    .execute(db)
    .await?;
    Ok(())
}

/// The parts of an order that was called off before it was paid end with it.
pub(crate) async fn call_off_subs(db: &mut PgConnection, order: Uuid, by: &str, reason: &str, now: Time) -> Result<(), Error> {
    let (from, to) = part::moves(PartInput::CalledOff);
    sqlx::query(
        "update sub_order s set state = m.after, cancelled_by = $2, cancel_reason = $3, updated_at = $4, version = version + 1
         from unnest($5::text[], $6::text[]) as m (before, after) where s.order_id = $1 and s.state = m.before",
    )
    .bind(order)
    .bind(by)
    .bind(reason)
    .bind(now)
    .bind(from)
    .bind(to)
    .execute(db)
    .await?;
    Ok(())
}

/// Takes up orders that are due, and keeps others away from them until `until`.
pub(crate) async fn take_due_orders(db: &mut PgConnection, now: Time, until: Time, limit: i64) -> Result<Vec<Uuid>, Error> {
    Ok(sqlx::query_scalar(
        "update buyer_order set look_at = $2
         where order_id in (select order_id from buyer_order where look_at <= $1 order by look_at limit $3 for update skip locked)
         returning order_id",
    )
    .bind(now)
    .bind(until)
    .bind(limit)
    .fetch_all(db)
    .await?)
}

pub(crate) async fn get_order(db: &mut PgConnection, id: OrderId) -> Result<OrderRow, Error> {
    sqlx::query_as("select * from buyer_order where order_id = $1").bind(id.uuid()).fetch_optional(db).await?.ok_or(Error::OrderNotFound)
}

/// The sagas of orders, of those that exist.
pub(crate) async fn sagas_of(db: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<(Uuid, Saga)>, Error> {
    let rows: Vec<(Uuid, Json<Saga>)> =
        sqlx::query_as("select order_id, saga from buyer_order where order_id = any($1)").bind(ids).fetch_all(db).await?;
    Ok(rows.into_iter().map(|(id, saga)| (id, saga.0)).collect())
}

pub(crate) async fn get_order_by_number(db: &mut PgConnection, number: &str) -> Result<OrderRow, Error> {
    sqlx::query_as("select * from buyer_order where number = $1").bind(number).fetch_optional(db).await?.ok_or(Error::OrderNotFound)
}

/// The parts of orders, by order and position.
pub(crate) async fn subs_of(db: &mut PgConnection, orders: &[Uuid]) -> Result<Vec<SubRow>, Error> {
    Ok(sqlx::query_as("select * from sub_order where order_id = any($1) order by order_id, position").bind(orders).fetch_all(db).await?)
}

/// The lines of orders, in the order they were put down.
pub(crate) async fn items_of(db: &mut PgConnection, orders: &[Uuid]) -> Result<Vec<ItemRow>, Error> {
    Ok(sqlx::query_as("select * from order_item where order_id = any($1) order by order_id, item_id").bind(orders).fetch_all(db).await?)
}

pub(crate) async fn timeline_of(db: &mut PgConnection, order: Uuid) -> Result<Vec<TimelineRow>, Error> {
    Ok(sqlx::query_as(
        "select order_id, sub_order_id, tenant_id, buyer_id, at, kind, message, actor from order_timeline where order_id = $1 order by entry",
    )
    .bind(order)
    .fetch_all(db)
    .await?)
}

/// An order with parts and lines.
pub(crate) async fn whole(db: &mut PgConnection, order: OrderRow) -> Result<WholeOrder, Error> {
    let ids = [order.order_id];
    let subs = subs_of(&mut *db, &ids).await?;
    let items = items_of(&mut *db, &ids).await?;
    Ok(WholeOrder { order, subs, items, cancellations: Vec::new(), returns: Vec::new() })
}

pub(crate) async fn get_sub(db: &mut PgConnection, id: SubOrderId) -> Result<SubRow, Error> {
    sqlx::query_as("select * from sub_order where sub_order_id = $1").bind(id.uuid()).fetch_optional(db).await?.ok_or(Error::OrderNotFound)
}

/// Locks a part; lock its order first.
pub(crate) async fn lock_sub(db: &mut PgConnection, id: SubOrderId) -> Result<SubRow, Error> {
    sqlx::query_as("select * from sub_order where sub_order_id = $1 for update").bind(id.uuid()).fetch_optional(db).await?.ok_or(Error::OrderNotFound)
}

/// Which order a part belongs to.
pub(crate) async fn order_of_sub(db: &mut PgConnection, id: SubOrderId) -> Result<OrderId, Error> {
    let order: Option<Uuid> = sqlx::query_scalar("select order_id from sub_order where sub_order_id = $1").bind(id.uuid()).fetch_optional(db).await?;
    order.map(OrderId::from).ok_or(Error::OrderNotFound)
}

/// Saves what cancelling and shipping may change, of a part that is locked.
pub(crate) async fn save_sub(db: &mut PgConnection, row: &SubRow) -> Result<(), Error> {
    let written = sqlx::query(
        "update sub_order set state = $2, shipments = $3, ship_to = $4, ship_to_version = $5, cancel_reason = $6, cancelled_by = $7,
            refund_state = $8, refunded_minor = $9, updated_at = $10, returnable_until = $11, version = version + 1
         where sub_order_id = $1",
    )
    .bind(row.sub_order_id)
    .bind(&row.state)
    .bind(&row.shipments)
    .bind(&row.ship_to)
    .bind(row.ship_to_version)
    .bind(&row.cancel_reason)
    .bind(&row.cancelled_by)
    .bind(&row.refund_state)
    .bind(row.refunded_minor)
    .bind(row.updated_at)
    .bind(row.returnable_until)
    .execute(db)
    .await?;
    if written.rows_affected() == 1 { Ok(()) } else { Err(Error::OrderNotFound) }
}

/// What a guest ordered is now a user's.
pub(crate) async fn hand_over(db: &mut PgConnection, guest: UserId, user: UserId) -> Result<(), Error> {
    sqlx::query(
        "with orders as (update buyer_order set buyer_id = $2 where buyer_id = $1 returning order_id),
            subs as (update sub_order set buyer_id = $2 where order_id in (select order_id from orders)),
            items as (update order_item set buyer_id = $2 where order_id in (select order_id from orders)),
            timeline as (update order_timeline set buyer_id = $2 where order_id in (select order_id from orders)),
            returns as (update sub_order_return set buyer_id = $2 where order_id in (select order_id from orders)),
            cancelled as (update cancellation set buyer_id = $2 where order_id in (select order_id from orders))
         update checkout set buyer_id = $2 where buyer_id = $1",
    )
    .bind(guest.uuid())
    .bind(user.uuid())
    .execute(db)
    .await?;
    Ok(())
}

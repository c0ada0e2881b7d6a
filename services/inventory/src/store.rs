//! What the decisions need from the database and what they leave there. The rows of `stock` are locked in key order; whoever has
//! the lock of a row may change its holds and write its journal.

use std::collections::{BTreeMap, BTreeSet};

use api_inventory::{ReservationId, WarehouseId};
use kit_core::{Ids, TenantId, Time};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::model::{Counts, Hold, HoldState, Item, Key, Movement, Pending, RestockKey, Row, Shelf};

#[derive(sqlx::FromRow)]
struct HoldRow {
    reservation_id: Uuid,
    tenant_id: Uuid,
    variant_id: Uuid,
    warehouse_id: Uuid,
    quantity: i64,
    returned: i64,
    state: String,
    expires_at: Time,
}

type Holds = BTreeMap<ReservationId, Vec<Hold>>;

fn gather(rows: Vec<HoldRow>) -> Result<Holds, Error> {
    let mut holds = Holds::new();
    for row in rows {
        let state = HoldState::ALL.into_iter().find(|state| state.word() == row.state);
        let hold = Hold {
            key: (row.tenant_id.into(), row.variant_id.into()),
            warehouse: row.warehouse_id.into(),
            quantity: row.quantity,
            returned: row.returned,
            state: state.ok_or_else(|| Error::Unreadable(row.state))?,
            expires_at: row.expires_at,
            pending: Pending::Nothing,
        };
        holds.entry(row.reservation_id.into()).or_default().push(hold);
    }
    Ok(holds)
}

/// All holds of these reservations, of the tenants the transaction is for.
pub(crate) async fn holds(db: &mut PgConnection, reservations: &BTreeSet<ReservationId>) -> Result<Holds, Error> {
    if reservations.is_empty() {
        return Ok(Holds::new());
    }
    let rows: Vec<HoldRow> = sqlx::query_as(
        "select reservation_id, tenant_id, variant_id, warehouse_id, quantity, returned, state, expires_at
         from stock_hold where reservation_id = any($1) order by reservation_id, tenant_id, variant_id, warehouse_id",
    )
    .bind(reservations.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .fetch_all(db)
    .await?;
    gather(rows)
}

/// Open holds on these variants that are past their time.
pub(crate) async fn due_holds_on(db: &mut PgConnection, keys: &BTreeSet<Key>, now: Time) -> Result<Holds, Error> {
    let (tenants, variants) = columns(keys);
    let rows: Vec<HoldRow> = sqlx::query_as(
        "select reservation_id, tenant_id, variant_id, warehouse_id, quantity, returned, state, expires_at
         from stock_hold
         where state = 'held' and expires_at <= $3 and (tenant_id, variant_id) in (select * from unnest($1::uuid[], $2::uuid[]))",
    )
    .bind(tenants)
    .bind(variants)
    .bind(now)
    .fetch_all(db)
    .await?;
    gather(rows)
}

/// Open holds that are past their time, oldest first.
pub(crate) async fn due_holds(db: &mut PgConnection, now: Time, limit: i64) -> Result<Holds, Error> {
    let rows: Vec<HoldRow> = sqlx::query_as(
        "select reservation_id, tenant_id, variant_id, warehouse_id, quantity, returned, state, expires_at
         from stock_hold where state = 'held' and expires_at <= $1 order by expires_at limit $2",
    )
    .bind(now)
    .bind(limit)
    .fetch_all(db)
    .await?;
    gather(rows)
}

/// Forgets holds that were given up long ago; how many.
pub(crate) async fn forget_closed_holds(db: &mut PgConnection, before: Time) -> Result<u64, Error> {
    let done = sqlx::query("delete from stock_hold where state in ('released', 'expired') and expires_at < $1").bind(before).execute(db).await?;
    Ok(done.rows_affected())
}

/// Makes empty rows where there are none yet.
pub(crate) async fn make_rows(db: &mut PgConnection, rows: &BTreeSet<(Key, WarehouseId)>) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into stock (tenant_id, variant_id, warehouse_id)
         select * from unnest($1::uuid[], $2::uuid[], $3::uuid[])
         on conflict do nothing",
    )
    .bind(rows.iter().map(|(key, _)| key.0.uuid()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(key, _)| key.1.uuid()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, warehouse)| warehouse.uuid()).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct StockRow {
    tenant_id: Uuid,
    variant_id: Uuid,
    warehouse_id: Uuid,
    available: i64,
    reserved: i64,
    incoming: i64,
    step: i64,
    is_default: bool,
    low_at: i64,
}

/// Locks all rows of these variants for the rest of the transaction, in key order, and reads them.
pub(crate) async fn lock(db: &mut PgConnection, keys: &BTreeSet<Key>) -> Result<BTreeMap<Key, Item>, Error> {
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (tenants, variants) = columns(keys);
    let mut rows: Vec<StockRow> = sqlx::query_as(
        "select s.tenant_id, s.variant_id, s.warehouse_id, s.available, s.reserved, s.incoming, s.step, w.is_default, coalesce(i.low_at, 0) as low_at
         from unnest($1::uuid[], $2::uuid[]) as k (tenant_id, variant_id)
         join stock s on s.tenant_id = k.tenant_id and s.variant_id = k.variant_id
         join warehouse w on w.warehouse_id = s.warehouse_id
         left join stock_item i on i.tenant_id = s.tenant_id and i.variant_id = s.variant_id
         order by s.tenant_id, s.variant_id, s.warehouse_id
         for no key update of s",
    )
    .bind(tenants)
    .bind(variants)
    .fetch_all(db)
    .await?;
    rows.sort_by_key(|row| (row.tenant_id, row.variant_id, !row.is_default, row.warehouse_id));
    let mut items: BTreeMap<Key, Item> = BTreeMap::new();
    for row in rows {
        let item = items.entry((row.tenant_id.into(), row.variant_id.into())).or_default();
        item.low_at = row.low_at;
        let counts = Counts { available: row.available, reserved: row.reserved, incoming: row.incoming };
        item.rows.push(Row { warehouse: row.warehouse_id.into(), counts, step: row.step });
    }
    Ok(items)
}

/// Which of these restocks were done before.
pub(crate) async fn restocks_done(db: &mut PgConnection, asked: &BTreeSet<RestockKey>) -> Result<BTreeSet<RestockKey>, Error> {
    if asked.is_empty() {
        return Ok(BTreeSet::new());
    }
    let rows: Vec<(Uuid, String)> = sqlx::query_as(
        "select tenant_id, restock_id from stock_restock where (tenant_id, restock_id) in (select * from unnest($1::uuid[], $2::text[]))",
    )
    .bind(asked.iter().map(|key| key.0.uuid()).collect::<Vec<_>>())
    .bind(asked.iter().map(|key| key.1.clone()).collect::<Vec<_>>())
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|(tenant, restock)| (tenant.into(), restock)).collect())
}

/// Writes all that was decided.
pub(crate) async fn save(db: &mut PgConnection, shelf: &Shelf, ids: &Ids, now: Time) -> Result<(), Error> {
    save_rows(db, shelf).await?;
    save_journal(db, &shelf.movements, ids, now).await?;
    insert_holds(db, shelf).await?;
    update_holds(db, shelf).await?;
    insert_restocks(db, shelf, now).await
}

async fn save_rows(db: &mut PgConnection, shelf: &Shelf) -> Result<(), Error> {
    let touched: BTreeSet<(Key, WarehouseId)> = shelf.movements.iter().map(|movement| (movement.key, movement.warehouse)).collect();
    if touched.is_empty() {
        return Ok(());
    }
    let rows: Vec<(Key, Row)> = shelf
        .items
        .iter()
        .flat_map(|(key, item)| item.rows.iter().map(|row| (*key, *row)))
        .filter(|(key, row)| touched.contains(&(*key, row.warehouse)))
        .collect();
    let count = |of: fn(&Row) -> i64| rows.iter().map(|(_, row)| of(row)).collect::<Vec<i64>>();
    let done = sqlx::query(
        "update stock s set available = k.available, reserved = k.reserved, incoming = k.incoming, step = k.step
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
             as k (tenant_id, variant_id, warehouse_id, available, reserved, incoming, step)
         where s.tenant_id = k.tenant_id and s.variant_id = k.variant_id and s.warehouse_id = k.warehouse_id",
    )
    .bind(rows.iter().map(|(key, _)| key.0.uuid()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(key, _)| key.1.uuid()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.warehouse.uuid()).collect::<Vec<_>>())
    .bind(count(|row| row.counts.available))
    .bind(count(|row| row.counts.reserved))
    .bind(count(|row| row.counts.incoming))
    .bind(count(|row| row.step))
    .execute(db)
    .await?;
    if done.rows_affected() == u64::try_from(rows.len()).unwrap_or_default() {
        Ok(())
    } else {
        Err(Error::Unreadable("a locked stock row vanished".to_owned()))
    }
}

async fn save_journal(db: &mut PgConnection, movements: &[Movement], ids: &Ids, now: Time) -> Result<(), Error> {
    if movements.is_empty() {
        return Ok(());
    }
    let count = |of: fn(&Movement) -> i64| movements.iter().map(of).collect::<Vec<i64>>();
    let text = |of: fn(&Movement) -> &str| movements.iter().map(|movement| of(movement).to_owned()).collect::<Vec<String>>();
    sqlx::query(
        "insert into stock_journal (journal_id, tenant_id, variant_id, warehouse_id, step, kind, available_before, available_after,
                                    reserved_before, reserved_after, incoming_before, incoming_after, reference, note, actor, at)
         select k.*, $16 from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[], $6::text[], $7::bigint[], $8::bigint[],
                                     $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::text[], $15::text[]) as k",
    )
    .bind(movements.iter().map(|_| ids.uuid()).collect::<Vec<_>>())
    .bind(movements.iter().map(|movement| movement.key.0.uuid()).collect::<Vec<_>>())
    .bind(movements.iter().map(|movement| movement.key.1.uuid()).collect::<Vec<_>>())
    .bind(movements.iter().map(|movement| movement.warehouse.uuid()).collect::<Vec<_>>())
    .bind(count(|movement| movement.step))
    .bind(movements.iter().map(|movement| movement.kind.word()).collect::<Vec<_>>())
    .bind(count(|movement| movement.before.available))
    .bind(count(|movement| movement.after.available))
    .bind(count(|movement| movement.before.reserved))
    .bind(count(|movement| movement.after.reserved))
    .bind(count(|movement| movement.before.incoming))
    .bind(count(|movement| movement.after.incoming))
    .bind(text(|movement| &movement.cause.reference))
    .bind(text(|movement| &movement.cause.note))
    .bind(text(|movement| &movement.cause.actor))
    .bind(now)
    .execute(db)
    .await?;
    Ok(())
}

async fn insert_holds(db: &mut PgConnection, shelf: &Shelf) -> Result<(), Error> {
    let new = pending(shelf, Pending::Insert);
    if new.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into stock_hold (reservation_id, tenant_id, variant_id, warehouse_id, quantity, returned, state, expires_at)
         select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[], $6::bigint[], $7::text[], $8::timestamptz[])",
    )
    .bind(new.iter().map(|(reservation, _)| reservation.uuid()).collect::<Vec<_>>())
    .bind(new.iter().map(|(_, hold)| hold.key.0.uuid()).collect::<Vec<_>>())
    .bind(new.iter().map(|(_, hold)| hold.key.1.uuid()).collect::<Vec<_>>())
    .bind(new.iter().map(|(_, hold)| hold.warehouse.uuid()).collect::<Vec<_>>())
    .bind(new.iter().map(|(_, hold)| hold.quantity).collect::<Vec<_>>())
    .bind(new.iter().map(|(_, hold)| hold.returned).collect::<Vec<_>>())
    .bind(new.iter().map(|(_, hold)| hold.state.word()).collect::<Vec<_>>())
    .bind(new.iter().map(|(_, hold)| hold.expires_at).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

async fn update_holds(db: &mut PgConnection, shelf: &Shelf) -> Result<(), Error> {
    let changed = pending(shelf, Pending::Update);
    if changed.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update stock_hold h set state = k.state, returned = k.returned
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::bigint[])
             as k (reservation_id, tenant_id, variant_id, warehouse_id, state, returned)
         where h.reservation_id = k.reservation_id and h.tenant_id = k.tenant_id and h.variant_id = k.variant_id and h.warehouse_id = k.warehouse_id",
    )
    .bind(changed.iter().map(|(reservation, _)| reservation.uuid()).collect::<Vec<_>>())
    .bind(changed.iter().map(|(_, hold)| hold.key.0.uuid()).collect::<Vec<_>>())
    .bind(changed.iter().map(|(_, hold)| hold.key.1.uuid()).collect::<Vec<_>>())
    .bind(changed.iter().map(|(_, hold)| hold.warehouse.uuid()).collect::<Vec<_>>())
    .bind(changed.iter().map(|(_, hold)| hold.state.word()).collect::<Vec<_>>())
    .bind(changed.iter().map(|(_, hold)| hold.returned).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

async fn insert_restocks(db: &mut PgConnection, shelf: &Shelf, now: Time) -> Result<(), Error> {
    if shelf.new_restocks.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into stock_restock (tenant_id, restock_id, reservation_id, at) select k.*, $4 from unnest($1::uuid[], $2::text[], $3::uuid[]) as k",
    )
    .bind(shelf.new_restocks.keys().map(|key| key.0.uuid()).collect::<Vec<_>>())
    .bind(shelf.new_restocks.keys().map(|key| key.1.clone()).collect::<Vec<_>>())
    .bind(shelf.new_restocks.values().map(|reservation| reservation.uuid()).collect::<Vec<_>>())
    .bind(now)
    .execute(db)
    .await?;
    Ok(())
}

fn pending(shelf: &Shelf, what: Pending) -> Vec<(ReservationId, &Hold)> {
    shelf
        .holds
        .iter()
        .flat_map(|(reservation, holds)| holds.iter().map(|hold| (*reservation, hold)))
        .filter(|(_, hold)| hold.pending == what)
        .collect()
}

fn columns(keys: &BTreeSet<Key>) -> (Vec<Uuid>, Vec<Uuid>) {
    keys.iter().map(|(tenant, variant): &(TenantId, _)| (tenant.uuid(), variant.uuid())).unzip()
}

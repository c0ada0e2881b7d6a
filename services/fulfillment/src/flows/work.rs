//! The seller's work on an order: accept, pack, ship, track, deliver; and stopping it. Lock, decide, save, tell, in one transaction.

use api_fulfillment::fulfillment_event::Body;
use api_fulfillment::{self as api, ShipmentId};
use api_orders::{CancellationId, OrderId, SubOrderId};
use kit_core::{Address, TenantId, Time};
use kit_db::{Event, log};
use kit_rpc::Ctx;
use prost::Message;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::Error;
use crate::model::{Pieces, State, Tracking, Work};
use crate::service::Fulfillment;
use crate::store::{self, OrderRow, ShipmentRow};
use crate::view;

/// An order with its shipments.
pub(crate) type Whole = (OrderRow, Vec<ShipmentRow>);

/// What a seller hands to a carrier.
#[derive(Debug, Clone)]
pub(crate) struct Handover {
    pub(crate) carrier: String,
    pub(crate) tracking_number: String,
    pub(crate) tracking_url: String,
    pub(crate) pieces: Vec<Pieces>,
}

/// The ids every event carries.
struct Names {
    tenant_id: String,
    order_id: String,
    sub_order_id: String,
}

fn names(row: &OrderRow) -> Names {
    Names {
        tenant_id: TenantId::from(row.tenant_id).to_string(),
        order_id: OrderId::from(row.order_id).to_string(),
        sub_order_id: SubOrderId::from(row.sub_order_id).to_string(),
    }
}

async fn tell(db: &mut PgConnection, ctx: &Ctx, row: &OrderRow, kind: &'static str, body: Body, now: Time) -> Result<(), Error> {
    let payload = api::FulfillmentEvent { body: Some(body) }.encode_to_vec();
    log::append(db, ctx, now, Event { key: row.sub_order_id, tenant: Some(row.tenant_id.into()), kind, payload, change: None }).await?;
    Ok(())
}

fn apply(row: &mut OrderRow, work: Work) {
    work.state.as_str().clone_into(&mut row.state);
    row.lines = Json(work.lines);
}

impl Fulfillment {
    pub(crate) async fn get(&self, tenant: TenantId, id: SubOrderId) -> Result<Whole, Error> {
        let mut tx = self.db.begin_for(tenant).await?;
        let row = store::get_order(&mut tx, tenant, id).await?;
        let shipments = store::shipments_of(&mut tx, &[row.sub_order_id]).await?;
        tx.commit().await?;
        if row.lines.is_empty() { Err(Error::NotFound) } else { Ok((row, shipments)) }
    }

    pub(crate) async fn list(&self, tenant: TenantId, state: Option<&str>, after: Option<Uuid>, limit: i64) -> Result<Vec<Whole>, Error> {
        let mut tx = self.db.begin_for(tenant).await?;
        let rows = store::list_orders(&mut tx, tenant, state, after, limit).await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.sub_order_id).collect();
        let shipments = store::shipments_of(&mut tx, &ids).await?;
        tx.commit().await?;
        let of = |row: &OrderRow| shipments.iter().filter(|shipment| shipment.sub_order_id == row.sub_order_id).cloned().collect();
        Ok(rows.into_iter().map(|row| (row.clone(), of(&row))).collect())
    }

    pub(crate) async fn accept(&self, ctx: &Ctx, tenant: TenantId, id: SubOrderId) -> Result<Whole, Error> {
        let now = self.clock.now();
        let mut tx = self.db.begin_for(tenant).await?;
        let mut row = lock(&mut tx, tenant, id).await?;
        let mut work = row.work();
        if work.accept()? {
            apply(&mut row, work);
            store::save_order(&mut tx, &mut row, now).await?;
            let Names { tenant_id, order_id, sub_order_id } = names(&row);
            let body = Body::FulfillmentAccepted(api::FulfillmentAccepted { tenant_id, order_id, sub_order_id });
            tell(&mut tx, ctx, &row, "fulfillment_accepted", body, now).await?;
        }
        let shipments = store::shipments_of(&mut tx, &[row.sub_order_id]).await?;
        tx.commit().await?;
        Ok((row, shipments))
    }

    pub(crate) async fn pack(&self, ctx: &Ctx, tenant: TenantId, id: SubOrderId) -> Result<Whole, Error> {
        let now = self.clock.now();
        let mut tx = self.db.begin_for(tenant).await?;
        let mut row = lock(&mut tx, tenant, id).await?;
        let mut work = row.work();
        if work.pack()? {
            apply(&mut row, work);
            store::save_order(&mut tx, &mut row, now).await?;
            let Names { tenant_id, order_id, sub_order_id } = names(&row);
            let body = Body::FulfillmentPacked(api::FulfillmentPacked { tenant_id, order_id, sub_order_id });
            tell(&mut tx, ctx, &row, "fulfillment_packed", body, now).await?;
        }
        let shipments = store::shipments_of(&mut tx, &[row.sub_order_id]).await?;
        tx.commit().await?;
        Ok((row, shipments))
    }

    /// Ships what is named, or all that is left. The same tracking number again is the same shipment.
    pub(crate) async fn ship(&self, ctx: &Ctx, tenant: TenantId, id: SubOrderId, handover: Handover) -> Result<(Whole, ShipmentId), Error> {
        if !handover.tracking_url.is_empty() && !handover.tracking_url.starts_with("https://") {
            return Err(Error::invalid("tracking_url", "must begin with https://"));
        }
        let now = self.clock.now();
        let mut tx = self.db.begin_for(tenant).await?;
        let mut row = lock(&mut tx, tenant, id).await?;
        let mut shipments = store::shipments_of(&mut tx, &[row.sub_order_id]).await?;
        if let Some(known) = shipments.iter().find(|known| known.tracking_number == handover.tracking_number) {
            let id = known.shipment_id.into();
            return Ok(((row, shipments), id));
        }
        let mut work = row.work();
        let leaving = work.ship(&handover.pieces)?;
        let all_shipped = work.state == State::Shipped;
        apply(&mut row, work);
        let first = Tracking { at: now, state: "shipped".to_owned(), place: String::new(), message: format!("Handed to {}", handover.carrier) };
        let shipment = ShipmentRow {
            shipment_id: self.ids.uuid(),
            tenant_id: row.tenant_id,
            sub_order_id: row.sub_order_id,
            carrier: handover.carrier,
            tracking_number: handover.tracking_number,
            tracking_url: handover.tracking_url,
            state: "shipped".to_owned(),
            lines: Json(leaving),
            events: Json(vec![first]),
            shipped_at: now,
            delivered_at: None,
        };
        store::insert_shipment(&mut tx, &shipment).await?;
        store::save_order(&mut tx, &mut row, now).await?;
        let Names { tenant_id, order_id, sub_order_id } = names(&row);
        let body = api::ShipmentShipped { tenant_id, order_id, sub_order_id, shipment: Some(view::shipment(&shipment)), all_shipped };
        tell(&mut tx, ctx, &row, "shipment_shipped", Body::ShipmentShipped(body), now).await?;
        tx.commit().await?;
        let id = shipment.shipment_id.into();
        shipments.push(shipment);
        Ok(((row, shipments), id))
    }

    pub(crate) async fn track(&self, ctx: &Ctx, tenant: TenantId, id: ShipmentId, news: Tracking) -> Result<Whole, Error> {
        let mut tx = self.db.begin_for(tenant).await?;
        let order = store::order_of_shipment(&mut tx, tenant, id).await?;
        let row = lock(&mut tx, tenant, order).await?;
        let mut shipments = store::shipments_of(&mut tx, &[row.sub_order_id]).await?;
        let shipment = shipments.iter_mut().find(|shipment| shipment.shipment_id == id.uuid()).ok_or(Error::ShipmentNotFound)?;
        if shipment.state == "delivered" {
            return Err(Error::Delivered);
        }
        let now = news.at;
        shipment.state.clone_from(&news.state);
        shipment.events.push(news);
        let surplus = shipment.events.len().saturating_sub(self.config.max_tracking_events);
        shipment.events.drain(..surplus);
        store::save_shipment(&mut tx, shipment).await?;
        let Names { tenant_id, order_id, sub_order_id } = names(&row);
        let body = api::TrackingUpdated { tenant_id, order_id, sub_order_id, shipment: Some(view::shipment(shipment)) };
        tell(&mut tx, ctx, &row, "tracking_updated", Body::TrackingUpdated(body), now).await?;
        tx.commit().await?;
        Ok((row, shipments))
    }

    pub(crate) async fn deliver(&self, ctx: &Ctx, tenant: TenantId, id: ShipmentId) -> Result<Whole, Error> {
        let now = self.clock.now();
        let mut tx = self.db.begin_for(tenant).await?;
        let order = store::order_of_shipment(&mut tx, tenant, id).await?;
        let mut row = lock(&mut tx, tenant, order).await?;
        let mut shipments = store::shipments_of(&mut tx, &[row.sub_order_id]).await?;
        let shipment = shipments.iter_mut().find(|shipment| shipment.shipment_id == id.uuid()).ok_or(Error::ShipmentNotFound)?;
        if shipment.state != "delivered" {
            "delivered".clone_into(&mut shipment.state);
            shipment.delivered_at = Some(now);
            shipment.events.push(Tracking { at: now, state: "delivered".to_owned(), place: String::new(), message: "Delivered".to_owned() });
            store::save_shipment(&mut tx, shipment).await?;
            let delivered = Some(view::shipment(shipment));
            let mut work = row.work();
            let all_delivered = shipments.iter().all(|shipment| shipment.state == "delivered") && work.all_arrived();
            apply(&mut row, work);
            store::save_order(&mut tx, &mut row, now).await?;
            let Names { tenant_id, order_id, sub_order_id } = names(&row);
            let body = api::ShipmentDelivered { tenant_id, order_id, sub_order_id, shipment: delivered, all_delivered };
            tell(&mut tx, ctx, &row, "shipment_delivered", Body::ShipmentDelivered(body), now).await?;
        }
        tx.commit().await?;
        Ok((row, shipments))
    }

    /// Stops an order before anything of it ships. One that has not arrived here yet is stopped in advance.
    pub(crate) async fn stop(&self, ctx: &Ctx, tenant: TenantId, id: SubOrderId, order: OrderId) -> Result<(), Error> {
        let now = self.clock.now();
        let mut tx = self.db.begin_for(tenant).await?;
        let in_advance = OrderRow {
            sub_order_id: id.uuid(),
            tenant_id: tenant.uuid(),
            order_id: order.uuid(),
            number: String::new(),
            state: State::Open.as_str().to_owned(),
            lines: Json(Vec::new()),
            ship_to: Json(Address::default()),
            shipping_method: String::new(),
            cuts: Json(Vec::new()),
            version: 1,
            created_at: now,
            due_at: now,
        };
        store::insert_orders(&mut tx, &[in_advance], now).await?;
        let mut row = store::lock_order(&mut tx, tenant, id).await?;
        let mut work = row.work();
        if work.stop()? {
            apply(&mut row, work);
            store::save_order(&mut tx, &mut row, now).await?;
            let Names { tenant_id, order_id, sub_order_id } = names(&row);
            let body = Body::FulfillmentStopped(api::FulfillmentStopped { tenant_id, order_id, sub_order_id });
            tell(&mut tx, ctx, &row, "fulfillment_stopped", body, now).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

impl Fulfillment {
    /// Takes pieces out of an order, once for each cancellation.
    pub(crate) async fn cut(
        &self,
        ctx: &Ctx,
        tenant: TenantId,
        id: SubOrderId,
        cancellation: CancellationId,
        pieces: &[Pieces],
    ) -> Result<(), Error> {
        let now = self.clock.now();
        let mut tx = self.db.begin_for(tenant).await?;
        // One that was stopped before it arrived has no lines and nothing to take out of.
        let mut row = store::lock_order(&mut tx, tenant, id).await?;
        let mut work = row.work();
        if row.cuts.contains(&cancellation.uuid()) || work.state == State::Stopped {
            return Ok(());
        }
        if work.lines.is_empty() {
            return Err(Error::NotFound);
        }
        work.cut(pieces)?;
        let all_shipped = work.state == State::Shipped;
        let shipments = store::shipments_of(&mut tx, &[row.sub_order_id]).await?;
        let all_delivered = all_shipped && shipments.iter().all(|shipment| shipment.state == "delivered") && work.all_arrived();
        apply(&mut row, work);
        row.cuts.push(cancellation.uuid());
        store::save_order(&mut tx, &mut row, now).await?;
        let Names { tenant_id, order_id, sub_order_id } = names(&row);
        let cancellation_id = cancellation.to_string();
        let lines = pieces.iter().map(view::pieces).collect();
        let body = api::FulfillmentCut { tenant_id, order_id, sub_order_id, cancellation_id, lines, all_shipped, all_delivered };
        tell(&mut tx, ctx, &row, "fulfillment_cut", Body::FulfillmentCut(body), now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Sends an order elsewhere while its label is not written yet.
    pub(crate) async fn readdress(&self, ctx: &Ctx, tenant: TenantId, id: SubOrderId, address: Address) -> Result<u32, Error> {
        let now = self.clock.now();
        let mut tx = self.db.begin_for(tenant).await?;
        let mut row = lock(&mut tx, tenant, id).await?;
        if row.ship_to.0 == address {
            return Ok(u32::try_from(row.version).unwrap_or_default());
        }
        if !matches!(row.work().state, State::Open | State::Accepted) {
            return Err(Error::AlreadyPacked);
        }
        row.ship_to = Json(address.clone());
        store::save_order(&mut tx, &mut row, now).await?;
        let version = u32::try_from(row.version).unwrap_or_default();
        let Names { tenant_id, order_id, sub_order_id } = names(&row);
        let body = api::FulfillmentReaddressed { tenant_id, order_id, sub_order_id, ship_to: Some(address.into()), version };
        tell(&mut tx, ctx, &row, "fulfillment_readdressed", Body::FulfillmentReaddressed(body), now).await?;
        tx.commit().await?;
        Ok(version)
    }
}

/// Locks an order that has arrived; one that was only stopped in advance is not there for its seller.
async fn lock(db: &mut PgConnection, tenant: TenantId, id: SubOrderId) -> Result<OrderRow, Error> {
    let row = store::lock_order(db, tenant, id).await?;
    if row.lines.is_empty() { Err(Error::NotFound) } else { Ok(row) }
}

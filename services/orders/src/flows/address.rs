//! Sending an order elsewhere before it is packed. Fulfillment decides part by part; its versions keep late news from undoing newer ones.

use api_fulfillment::ReaddressFulfillmentRequest;
use api_orders::{Order, OrderId, SubOrderId};
use kit_core::{Address, TenantId};
use kit_db::{Scope, log};
use kit_rpc::{Ctx, problem_of, proto};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::checkout;
use super::read::Access;
use crate::error::Error;
use crate::model::OrderState;
use crate::saga::undo::{ARRIVAL_PAUSE, ARRIVAL_TRIES};
use crate::service::Orders;
use crate::store::{SubRow, orders};
use crate::tell;
use crate::view::Reader;

const PACKED: &str = "everything of it is packed, on its way or cancelled";

impl Orders {
    /// Every part that is not packed goes to the new address; one that is keeps the old one.
    pub(crate) async fn change_address(&self, ctx: &Ctx, id: OrderId, given: Option<&proto::Address>) -> Result<Order, Error> {
        let order = self.readable_order(ctx, id, &Access::to_write("")).await?;
        let address = checkout::address("shipping_address", given)?.ok_or_else(|| Error::invalid("shipping_address", "is required"))?;
        if address.country != order.shipping_address.country {
            return Err(Error::AddressFixed("prices and shipping are for its country; cancel the order and place it anew"));
        }
        if !self.readdress_unpaid(ctx, id, &address).await? {
            self.readdress_parts(ctx, id, &address).await?;
        }
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let order = orders::get_order(&mut tx, id).await?;
        tx.commit().await?;
        let own = ctx.user().is_some_and(|user| user.uuid() == order.buyer_id);
        self.show(order, if own { Reader::Buyer } else { Reader::Market }).await
    }

    /// As long as the sellers have not heard of it, the order is all there is. Answers whether that was so.
    async fn readdress_unpaid(&self, ctx: &Ctx, id: OrderId, address: &Address) -> Result<bool, Error> {
        let now = self.clock.now();
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let mut order = orders::lock_orders(&mut tx, &[id.uuid()]).await?.pop().ok_or(Error::OrderNotFound)?;
        if order.saga.is_paid() {
            return Ok(false);
        }
        if order.state() == OrderState::Cancelled {
            return Err(Error::AddressFixed(PACKED));
        }
        if order.shipping_address.0 != *address {
            order.shipping_address = Json(address.clone());
            order.updated_at = now;
            for mut sub in orders::subs_of(&mut tx, &[order.order_id]).await? {
                sub.ship_to = Json(address.clone());
                sub.updated_at = now;
                orders::save_sub(&mut tx, &sub).await?;
            }
            orders::save_orders(&mut tx, &[&order]).await?;
            orders::add_timeline(&mut tx, &[order.timeline(now, "readdressed", told(address), &ctx.actor_text())]).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    async fn readdress_parts(&self, ctx: &Ctx, id: OrderId, address: &Address) -> Result<(), Error> {
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let subs = orders::subs_of(&mut tx, &[id.uuid()]).await?;
        tx.commit().await?;
        let mut readdressed = false;
        for sub in subs.iter().filter(|sub| matches!(sub.state(), OrderState::Paid | OrderState::Processing)) {
            if let Some(version) = self.ask_to_readdress(ctx, sub, address).await? {
                let mut tx = self.db.begin(&Scope::Platform).await?;
                self.note_address(&mut tx, ctx, sub.sub_order_id.into(), address.clone(), version).await?;
                tx.commit().await?;
                readdressed = true;
            }
        }
        if readdressed { Ok(()) } else { Err(Error::AddressFixed(PACKED)) }
    }

    /// The version under which fulfillment keeps the address now; none when the part is packed.
    async fn ask_to_readdress(&self, ctx: &Ctx, sub: &SubRow, address: &Address) -> Result<Option<u32>, Error> {
        let own = self.own(ctx);
        let request = ReaddressFulfillmentRequest {
            tenant_id: TenantId::from(sub.tenant_id).to_string(),
            sub_order_id: SubOrderId::from(sub.sub_order_id).to_string(),
            ship_to: Some(address.clone().into()),
        };
        let mut tries = 1;
        loop {
            let status = match self.callees.fulfillment.clone().readdress_fulfillment(own.request(request.clone())).await {
                Ok(answer) => return Ok(Some(answer.into_inner().version)),
                Err(status) => status,
            };
            match problem_of(&status).reason.as_str() {
                "ALREADY_PACKED" => return Ok(None),
                "FULFILLMENT_NOT_FOUND" if tries < ARRIVAL_TRIES => {
                    tries += 1;
                    tokio::time::sleep(ARRIVAL_PAUSE).await;
                }
                _ => return Err(status.into()),
            }
        }
    }

    /// Notes where a part goes now, unless something newer is known.
    pub(crate) async fn note_address(&self, db: &mut PgConnection, ctx: &Ctx, id: SubOrderId, address: Address, version: u32) -> Result<(), Error> {
        let now = self.clock.now();
        let order = match orders::order_of_sub(&mut *db, id).await {
            Ok(order) => order,
            Err(Error::OrderNotFound) => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut order = orders::lock_orders(&mut *db, &[order.uuid()]).await?.pop().ok_or(Error::OrderNotFound)?;
        let mut sub = orders::lock_sub(&mut *db, id).await?;
        let version = i32::try_from(version).unwrap_or(i32::MAX);
        if sub.ship_to_version >= version {
            return Ok(());
        }
        sub.ship_to_version = version;
        let changed = sub.ship_to.0 != address;
        sub.ship_to = Json(address.clone());
        sub.updated_at = now;
        orders::save_sub(&mut *db, &sub).await?;
        if !changed {
            return Ok(());
        }
        let subs = orders::subs_of(&mut *db, &[order.order_id]).await?;
        let mut live = subs.iter().filter(|sub| sub.state() != OrderState::Cancelled);
        if live.all(|sub| sub.ship_to.0 == address) {
            order.shipping_address = Json(address.clone());
        }
        order.updated_at = now;
        orders::save_orders(&mut *db, &[&order]).await?;
        orders::add_timeline(&mut *db, &[sub.timeline(now, "readdressed", told(&address), &ctx.actor_text())]).await?;
        log::append_all(&mut *db, ctx, now, vec![tell::readdressed(&order, &sub)]).await?;
        Ok(())
    }
}

fn told(address: &Address) -> String {
    format!("It goes to another address now: {}, {} {}", address.line1, address.postal_code, address.city)
}

//! What carts hear: a guest turned out to be a user, an order was placed.

use api_cart::{CartEvent, CartsMerged, cart_event};
use api_catalog::VariantId;
use api_identity::identity_event::Body as IdentityBody;
use api_orders::order_event::Body as OrderBody;
use kit_core::{Clock, UserId};
use kit_db::{Event, LoggedEvent, log};
use kit_rpc::Ctx;
use prost::Message;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::model;
use crate::store;

/// The guest's lines go into the user's cart. Heard twice, there is nothing left to move.
pub(crate) async fn on_identity(clock: Clock, max_lines: usize, db: &mut PgConnection, event: LoggedEvent) -> Result<(), Error> {
    if event.kind != "guest_merged" {
        return Ok(());
    }
    let body = event.decode::<api_identity::IdentityEvent>().map_err(Error::unreadable)?.body;
    let Some(IdentityBody::GuestMerged(merged)) = body else { return Ok(()) };
    let (Ok(guest), Ok(user)) = (merged.guest_id.parse::<UserId>(), merged.user_id.parse::<UserId>()) else { return Ok(()) };
    let guest_lines = store::lines(&mut *db, guest).await?;
    if guest_lines.is_empty() || guest == user {
        return Ok(());
    }
    let user_lines = store::lines(&mut *db, user).await?;
    let merged = model::merge(user_lines, guest_lines, max_lines);
    store::replace(&mut *db, user, &merged).await?;
    store::clear(&mut *db, guest).await?;
    let told = CartsMerged { guest_id: guest.to_string(), user_id: user.to_string(), lines: u32::try_from(merged.len()).unwrap_or(u32::MAX) };
    let payload = CartEvent { body: Some(cart_event::Body::CartsMerged(told)) }.encode_to_vec();
    let ctx = Ctx::service("cart", &event.request_id);
    log::append(db, &ctx, clock.now(), Event { key: user.uuid(), tenant: None, kind: "carts_merged", payload, change: None }).await?;
    Ok(())
}

/// What was bought leaves the cart it was bought from.
pub(crate) async fn on_orders(db: &mut PgConnection, event: LoggedEvent) -> Result<(), Error> {
    if event.kind != "order_placed" {
        return Ok(());
    }
    let body = event.decode::<api_orders::OrderEvent>().map_err(Error::unreadable)?.body;
    let Some(OrderBody::OrderPlaced(placed)) = body else { return Ok(()) };
    let Some(order) = placed.order.filter(|_| placed.from_cart) else { return Ok(()) };
    let Ok(buyer) = order.buyer_id.parse::<UserId>() else { return Ok(()) };
    let bought: Vec<(Uuid, i32)> = order
        .sub_orders
        .iter()
        .flat_map(|sub| &sub.items)
        .filter_map(|item| Some((item.variant_id.parse::<VariantId>().ok()?.uuid(), i32::try_from(item.quantity).ok()?)))
        .collect();
    let (variants, quantities): (Vec<Uuid>, Vec<i32>) = bought.into_iter().unzip();
    store::take_out(db, buyer, &variants, &quantities).await
}

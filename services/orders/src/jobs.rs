//! Reconcilers: whatever a dead process or a silent service left is taken up again, and old checkouts are forgotten.

use api_orders::{CancellationId, OrderId, ReturnId};
use futures::{StreamExt, stream};
use kit_db::Scope;
use kit_rpc::Ctx;

use crate::error::Error;
use crate::returns::ReturnState;
use crate::saga::machine::Input;
use crate::service::Orders;
use crate::store::{cancellations, checkouts, orders, returns};

/// How many orders are driven at once.
const AT_ONCE: usize = 16;

/// How long an expired checkout is kept.
const KEEP_CHECKOUT_DAYS: i64 = 7;

/// Drives every order and cancellation whose time has come. The stated deadline: an order left by a dead process is taken up within
/// `lease_seconds + recovery_seconds`, one that nobody paid is called off within `recovery_seconds` of the end of its hold.
pub(crate) async fn recover(service: Orders) -> Result<(), Error> {
    let now = service.clock.now();
    let until = now + service.lease();
    let limit = i64::from(service.config.recovery_orders);
    let mut tx = service.db.begin(&Scope::Platform).await?;
    let due = orders::take_due_orders(&mut tx, now, until, limit).await?;
    let cancelling = cancellations::take_due(&mut tx, now, until, limit).await?;
    tx.commit().await?;
    let ctx = Ctx::service("orders", "recovery");
    stream::iter(due.into_iter().map(OrderId::from))
        .for_each_concurrent(AT_ONCE, |id| {
            let (service, ctx) = (&service, &ctx);
            async move {
                if let Err(error) = take_up(service, ctx, id).await {
                    tracing::warn!(order = %id, error = %error, "an order could not be driven on; it is tried again");
                }
            }
        })
        .await;
    for id in cancelling.into_iter().map(CancellationId::from) {
        if let Err(error) = service.drive_cancel(&ctx, id).await {
            tracing::warn!(cancellation = %id, error = %error, "a cancellation could not be driven on; it is tried again");
        }
    }
    Ok(())
}

async fn take_up(service: &Orders, ctx: &Ctx, id: OrderId) -> Result<(), Error> {
    service.advance(ctx, id, Input::Woken).await?;
    service.drive_by_id(ctx, id).await?;
    Ok(())
}

/// Takes up returns whose time has come: a party let its time pass, or goods and money of one that was looked at are still to be moved.
pub(crate) async fn drive_returns(service: Orders) -> Result<(), Error> {
    let now = service.clock.now();
    let mut tx = service.db.begin(&Scope::Platform).await?;
    let due = returns::take_due(&mut tx, now, now + service.lease(), i64::from(service.config.recovery_orders)).await?;
    tx.commit().await?;
    let ctx = Ctx::service("orders", "returns");
    for id in due.into_iter().map(ReturnId::from) {
        if let Err(error) = take_up_return(&service, &ctx, id).await {
            tracing::warn!(id = %id, error = %error, "a return could not be driven on; it is tried again");
        }
    }
    Ok(())
}

async fn take_up_return(service: &Orders, ctx: &Ctx, id: ReturnId) -> Result<(), Error> {
    let mut tx = service.db.begin(&Scope::Platform).await?;
    let state = returns::get(&mut tx, id).await?.state();
    tx.commit().await?;
    if state != ReturnState::Received {
        service.time_out_return(ctx, id).await?;
    }
    service.drive_return(ctx, id).await
}

pub(crate) async fn forget_checkouts(service: Orders) -> Result<(), Error> {
    let before = service.clock.now() - chrono::Duration::days(KEEP_CHECKOUT_DAYS);
    let mut tx = service.db.begin(&Scope::Platform).await?;
    checkouts::forget_expired(&mut tx, before).await?;
    tx.commit().await?;
    Ok(())
}

//! Upkeep: signing keys rotate, and what is over is forgotten.

use std::sync::Arc;
use std::time::Duration;

use kit_db::Scope;
use kit_module::Start;

use crate::error::Error;
use crate::flows::Identity;
use crate::store;

const ROTATE_EVERY: Duration = Duration::from_secs(600);
const FORGET_EVERY: Duration = Duration::from_secs(3_600);
/// Sessions forgotten in one transaction.
const FORGET_AT_ONCE: i64 = 5_000;

pub(crate) fn register(start: &mut Start, identity: &Arc<Identity>) {
    let service = Arc::clone(identity);
    start.every("rotate_signing_keys", ROTATE_EVERY, move || {
        let service = Arc::clone(&service);
        Box::pin(async move { Ok(service.keys.rotate(&service.db, &service.config, service.clock.now()).await?) })
    });
    let service = Arc::clone(identity);
    start.every("forget_what_is_over", FORGET_EVERY, move || {
        let service = Arc::clone(&service);
        Box::pin(async move { Ok(forget(&service).await?) })
    });
}

async fn forget(identity: &Identity) -> Result<(), Error> {
    let now = identity.clock.now();
    let ended_before = now - chrono::Duration::days(i64::from(identity.config.ended_session_days));
    loop {
        let mut tx = identity.db.begin(&Scope::Platform).await?;
        let forgotten = store::session::forget_ended(&mut tx, ended_before, FORGET_AT_ONCE).await?;
        tx.commit().await?;
        if forgotten < u64::try_from(FORGET_AT_ONCE).unwrap_or_default() {
            break;
        }
    }
    let mut tx = identity.db.begin(&Scope::Platform).await?;
    store::person::forget_mailed_tokens(&mut tx, now).await?;
    store::throttle::forget(&mut tx, now - chrono::Duration::seconds(2 * i64::from(identity.config.longest_pause_seconds))).await?;
    Ok(tx.commit().await?)
}

//! One function per query.

pub(crate) mod address;
pub(crate) mod key;
pub(crate) mod membership;
pub(crate) mod person;
pub(crate) mod session;
pub(crate) mod throttle;

use sqlx::PgConnection;

use crate::error::Error;

/// The channel on which processes tell each other whose cached state is out of date.
pub(crate) const CHANGED: &str = "identity_changed";

/// Tells every process, when this transaction commits, to forget these people (`p…`) and sessions (`s…`).
pub(crate) async fn tell_changed(db: &mut PgConnection, who: &[String]) -> Result<(), Error> {
    sqlx::query("select pg_notify($1, who) from unnest($2::text[]) as who").bind(CHANGED).bind(who).execute(db).await?;
    Ok(())
}

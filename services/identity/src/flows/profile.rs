//! The caller's own profile.

use api_identity::ProfileUpdated;
use api_identity::identity_event::Body;
use kit_core::{Currency, UserId};
use kit_db::log;
use kit_rpc::Ctx;
use serde_json::json;

use super::Identity;
use crate::cache::Changed;
use crate::error::Error;
use crate::events;
use crate::model::Person;
use crate::store;

/// Absent: unchanged.
pub(crate) struct Changes {
    pub name: Option<String>,
    pub language: Option<String>,
    pub currency: Option<Currency>,
    pub if_version: Option<i64>,
}

impl Identity {
    pub(crate) async fn update_profile(&self, ctx: &Ctx, user: UserId, changes: Changes) -> Result<Person, Error> {
        let mut tx = self.begin().await?;
        let mut person = store::person::lock(&mut tx, user).await?;
        if changes.if_version.is_some_and(|version| version != person.version) {
            return Err(Error::Stale(person.version));
        }
        let before = events::profile(&person);
        person.name = changes.name.unwrap_or(person.name);
        person.language = changes.language.unwrap_or(person.language);
        person.currency = changes.currency.map_or(person.currency, |currency| currency.to_string());
        let after = events::profile(&person);
        if before == after {
            return Ok(person);
        }
        person.version += 1;
        store::person::save_profile(&mut tx, &person).await?;
        let updated = ProfileUpdated { user: Some((&person).into()) };
        let change = json!({ "before": before, "after": after });
        log::append(&mut tx, ctx, self.clock.now(), events::event(user, Body::ProfileUpdated(updated), Some(change))).await?;
        self.commit(tx, &[Changed::Person(user)]).await?;
        Ok(person)
    }
}

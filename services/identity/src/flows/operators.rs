//! What operators see of accounts and do to them, and what other services ask about people.

use std::collections::HashMap;

use api_identity::identity_event::Body;
use api_identity::{UserDisabled, UserEnabled, UserRegistered};
use kit_core::{Email, Time, UserId};
use kit_db::log;
use kit_rpc::Ctx;
use serde_json::json;
use uuid::Uuid;

use super::Identity;
use crate::cache::Changed;
use crate::error::Error;
use crate::events;
use crate::model::policy::{Membership, Role};
use crate::model::{EndCause, Known, Person, password};
use crate::store;
use crate::store::person::{Filter, NewAccount};

/// A part of a list.
pub(crate) struct Page {
    pub limit: usize,
    /// The creation time and id of the last one seen.
    pub after: Option<(Time, Uuid)>,
}

impl Identity {
    /// Accounts, newest first; one more than asked for, when there is one.
    pub(crate) async fn list_users(&self, page: &Page, query: &str, role: Option<Role>) -> Result<Vec<Known>, Error> {
        let mut tx = self.begin().await?;
        let limit = i64::try_from(page.limit + 1).unwrap_or(i64::MAX);
        let filter = Filter { query: &query.trim().to_lowercase(), role: role.map(Role::text), after: page.after, limit };
        let people = store::person::list(&mut tx, filter).await?;
        let ids: Vec<Uuid> = people.iter().map(|person| person.id.uuid()).collect();
        let mut held: HashMap<UserId, Vec<Membership>> = HashMap::new();
        for membership in store::membership::of_people(&mut tx, &ids).await? {
            held.entry(membership.user).or_default().push(membership);
        }
        tx.commit().await?;
        Ok(people.into_iter().map(|person| Known { memberships: held.remove(&person.id).unwrap_or_default(), person }).collect())
    }

    pub(crate) async fn get_user(&self, user: UserId) -> Result<Known, Error> {
        let mut tx = self.begin().await?;
        let known = self.known(&mut tx, user).await?.ok_or(Error::UserNotFound)?;
        tx.commit().await?;
        Ok(known)
    }

    pub(crate) async fn get_users(&self, ids: &[Uuid], emails: &[String]) -> Result<Vec<Person>, Error> {
        let mut tx = self.begin().await?;
        let people = store::person::find_many(&mut tx, ids, emails).await?;
        tx.commit().await?;
        Ok(people)
    }

    pub(crate) async fn disable_user(&self, ctx: &Ctx, user: UserId, reason: &str) -> Result<Person, Error> {
        if ctx.user() == Some(user) {
            return Err(Error::CannotDisableSelf);
        }
        let now = self.clock.now();
        let mut tx = self.begin().await?;
        let person = store::person::lock(&mut tx, user).await?;
        if person.disabled {
            return Ok(person);
        }
        store::person::save_disabled(&mut tx, user, Some(reason), now).await?;
        let person = store::person::lock(&mut tx, user).await?;
        let body = Body::UserDisabled(UserDisabled { user: Some((&person).into()), reason: reason.to_owned() });
        log::append(&mut tx, ctx, now, events::event(user, body, Some(json!({ "after": { "disabled": reason } })))).await?;
        let mut changed = self.end_sessions(&mut tx, ctx, user, None, EndCause::Disabled, now).await?;
        changed.push(Changed::Person(user));
        self.commit(tx, &changed).await?;
        Ok(person)
    }

    pub(crate) async fn enable_user(&self, ctx: &Ctx, user: UserId) -> Result<Person, Error> {
        let now = self.clock.now();
        let mut tx = self.begin().await?;
        let person = store::person::lock(&mut tx, user).await?;
        if !person.disabled {
            return Ok(person);
        }
        store::person::save_disabled(&mut tx, user, None, now).await?;
        let person = store::person::lock(&mut tx, user).await?;
        let body = Body::UserEnabled(UserEnabled { user: Some((&person).into()) });
        log::append(&mut tx, ctx, now, events::event(user, body, Some(json!({ "after": { "disabled": null } })))).await?;
        self.commit(tx, &[Changed::Person(user)]).await?;
        Ok(person)
    }

    /// Makes the first platform admin, or makes an existing account one. True: the account is new.
    pub(crate) async fn ensure_operator(&self, ctx: &Ctx, email: &Email, password: &str, name: &str) -> Result<(Person, bool), Error> {
        let mut tx = self.begin().await?;
        let existing = store::person::credentials(&mut tx, email).await?;
        tx.commit().await?;
        let (user, created) = match existing {
            Some((user, _)) => (user, false),
            None => self.add_operator(ctx, email, password, name).await?,
        };
        self.grant_on_platform(ctx, user, Role::PlatformAdmin).await?;
        let mut tx = self.begin().await?;
        store::person::mark_verified(&mut tx, user, self.clock.now()).await?;
        let person = store::person::lock(&mut tx, user).await?;
        self.commit(tx, &[Changed::Person(user)]).await?;
        Ok((person, created))
    }

    async fn add_operator(&self, ctx: &Ctx, email: &Email, password: &str, name: &str) -> Result<(UserId, bool), Error> {
        password::check(password, email.as_str()).map_err(Error::PasswordWeak)?;
        let hash = self.hasher.hash(password).await?;
        let now = self.clock.now();
        let id: UserId = self.ids.next();
        let mut tx = self.begin().await?;
        let account = NewAccount { id, email, password_hash: &hash, name, language: "en", verified: true, now };
        store::person::add_account(&mut tx, &account).await?;
        let person = store::person::lock(&mut tx, id).await?;
        let body = Body::UserRegistered(UserRegistered { user: Some((&person).into()), was_guest: false });
        log::append(&mut tx, ctx, now, events::event(id, body, Some(json!({ "after": { "email": email.as_str() } })))).await?;
        self.commit(tx, &[]).await?;
        Ok((id, true))
    }
}

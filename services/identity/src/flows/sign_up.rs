//! Making an account; a guest who does it keeps the id.

use api_identity::identity_event::Body;
use api_identity::{EmailVerificationRequested, UserRegistered};
use chrono::Duration;
use kit_core::{Email, Time, UserId};
use kit_db::{Tx, log};
use kit_rpc::{Actor, Ctx, timestamp};
use serde_json::json;

use super::throttle::{Kind, Subject};
use super::{Identity, Issued};
use crate::cache::Changed;
use crate::error::Error;
use crate::events;
use crate::model::{EndCause, Person, password, token};
use crate::store;
use crate::store::person::{MailedToken, NewAccount};

pub(crate) const VERIFY_EMAIL: &str = "verify_email";

pub(crate) struct SignUp {
    pub email: Email,
    pub password: String,
    pub name: String,
    pub language: String,
    pub device: String,
}

impl Identity {
    pub(crate) async fn sign_up(&self, ctx: &Ctx, wish: SignUp) -> Result<Issued, Error> {
        let now = self.clock.now();
        password::check(&wish.password, wish.email.as_str()).map_err(Error::PasswordWeak)?;
        self.count_sign_up(ctx, now).await?;
        let hash = self.hasher.hash(&wish.password).await?;
        let mut tx = self.begin().await?;
        let mut account = NewAccount {
            id: self.ids.next(),
            email: &wish.email,
            password_hash: &hash,
            name: &wish.name,
            language: &wish.language,
            verified: false,
            now,
        };
        let guest = match ctx.actor {
            Actor::Guest(guest) => self.upgrade(&mut tx, guest, &mut account).await?,
            _ => None,
        };
        if guest.is_none() {
            store::person::add_account(&mut tx, &account).await?;
        }
        let person = store::person::lock(&mut tx, account.id).await?;
        let mut changed = vec![Changed::Person(person.id)];
        if guest.is_some() {
            let ended = store::session::end_all(&mut tx, person.id, None, EndCause::Upgraded, now).await?;
            changed.extend(ended.into_iter().map(Changed::Session));
        }
        let registered = UserRegistered { user: Some((&person).into()), was_guest: guest.is_some() };
        let change = json!({ "after": { "email": wish.email.as_str(), "name": person.name } });
        let acting = acting_as(ctx, person.id);
        log::append(&mut tx, &acting, now, events::event(person.id, Body::UserRegistered(registered), Some(change))).await?;
        self.mail_verification(&mut tx, &acting, &person, now).await?;
        let issued = self.issue(&mut tx, ctx, person, &wish.device, now).await?;
        self.commit(tx, &changed).await?;
        Ok(issued)
    }

    /// Counts an attempt in a transaction of its own, so that failures count too.
    async fn count_sign_up(&self, ctx: &Ctx, now: Time) -> Result<(), Error> {
        let Some(subject) = Subject::address(Kind::SignUpFromAddress, ctx) else { return Ok(()) };
        let mut tx = self.begin().await?;
        self.check_pauses(&mut tx, std::slice::from_ref(&subject), now).await?;
        self.strike(&mut tx, &subject, now).await?;
        self.commit(tx, &[]).await
    }

    /// The guest, turned into the account; `None` when the guest is one no more and the account must be a new one.
    async fn upgrade(&self, tx: &mut Tx, guest: UserId, account: &mut NewAccount<'_>) -> Result<Option<UserId>, Error> {
        let fresh = account.id;
        account.id = guest;
        if store::person::upgrade_guest(tx, account).await? {
            return Ok(Some(guest));
        }
        account.id = fresh;
        Ok(None)
    }

    /// Makes a verification token and lets it be mailed.
    pub(super) async fn mail_verification(&self, tx: &mut Tx, ctx: &Ctx, person: &Person, now: Time) -> Result<(), Error> {
        let secret = token::secret()?;
        let expires_at = now + Duration::hours(i64::from(self.config.verification_hours));
        let hash = token::hash(&secret);
        store::person::add_mailed_token(tx, &MailedToken { hash: &hash, user: person.id, purpose: VERIFY_EMAIL, now, expires_at }).await?;
        let requested = EmailVerificationRequested { user: Some(person.into()), token: secret, expires_at: Some(timestamp(expires_at)) };
        Ok(log::append(tx, ctx, now, events::event(person.id, Body::EmailVerificationRequested(requested), None)).await?)
    }
}

/// The request as the person it has just made known: who signs up or in is the actor in the history, not nobody.
pub(super) fn acting_as(ctx: &Ctx, user: UserId) -> Ctx {
    match ctx.actor {
        Actor::Service(_) => ctx.clone(),
        _ => Ctx { actor: Actor::User(user), ..ctx.clone() },
    }
}

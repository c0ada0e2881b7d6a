//! Signing in by e-mail and password: the same answer in the same time for an unknown account and a wrong password.

use api_identity::identity_event::Body;
use api_identity::{GuestMerged, NewDeviceSeen, SessionStarted, SignInBlocked};
use kit_core::{Email, Time, UserId};
use kit_db::{Tx, log};
use kit_rpc::{Actor, Ctx, timestamp};
use serde_json::json;

use super::sign_up::acting_as;
use super::throttle::{Kind, Subject};
use super::{Identity, Issued};
use crate::cache::Changed;
use crate::error::Error;
use crate::events;
use crate::hasher::Verdict;
use crate::model::{EndCause, Person};
use crate::store;

pub(crate) struct SignIn {
    pub email: Email,
    pub password: String,
    pub device: String,
}

impl Identity {
    pub(crate) async fn sign_in(&self, ctx: &Ctx, wish: SignIn) -> Result<Issued, Error> {
        let (user, verdict) = self.prove(ctx, &wish.email, &wish.password).await?;
        let rehashed = match verdict {
            Verdict::RightButDated => Some(self.hasher.hash(&wish.password).await?),
            _ => None,
        };
        let now = self.clock.now();
        let mut tx = self.begin().await?;
        let person = store::person::lock(&mut tx, user).await?;
        if person.disabled {
            return Err(Error::AccountDisabled);
        }
        self.forgive(&mut tx, &Subject::account(Kind::SignInToAccount, &wish.email)).await?;
        if let Some(hash) = rehashed {
            store::person::save_password(&mut tx, user, &hash).await?;
        }
        let acting = acting_as(ctx, user);
        let changed = match ctx.actor {
            Actor::Guest(guest) => self.merge(&mut tx, &acting, guest, user, now).await?,
            _ => Vec::new(),
        };
        self.notice_device(&mut tx, &acting, &person, &wish.device, now).await?;
        let issued = self.issue(&mut tx, ctx, person, &wish.device, now).await?;
        let started = SessionStarted { user_id: user.to_string(), session_id: issued.session.to_string() };
        let change = json!({ "after": { "session": issued.session, "device": wish.device } });
        log::append(&mut tx, &acting, now, events::event(user, Body::SessionStarted(started), Some(change))).await?;
        self.commit(tx, &changed).await?;
        Ok(issued)
    }

    /// Checks a password under the limits. Answers whose it is. Who has signed in from this network address before is held to the limit
    /// of the account alone: what others try from a shared address does not lock them out, and their own slips do not lock out others.
    pub(super) async fn prove(&self, ctx: &Ctx, email: &Email, password: &str) -> Result<(UserId, Verdict), Error> {
        let now = self.clock.now();
        let mut subjects = vec![Subject::account(Kind::SignInToAccount, email)];
        let mut tx = self.begin().await?;
        let credentials = store::person::credentials(&mut tx, email).await?;
        if !store::session::is_from(&mut tx, credentials.as_ref().map(|(user, _)| *user), ctx.address).await? {
            subjects.extend(Subject::address(Kind::SignInFromAddress, ctx));
        }
        self.check_pauses(&mut tx, &subjects, now).await?;
        tx.commit().await?;
        let verdict = self.hasher.verify(password, credentials.as_ref().map(|(_, hash)| hash.as_str())).await?;
        match credentials {
            Some((user, _)) if verdict != Verdict::Wrong => Ok((user, verdict)),
            known => {
                self.count_failure(ctx, &subjects, known.map(|(user, _)| user), now).await?;
                Err(Error::SignInFailed)
            }
        }
    }

    async fn count_failure(&self, ctx: &Ctx, subjects: &[Subject], user: Option<UserId>, now: Time) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        let mut blocked = None;
        for (place, subject) in subjects.iter().enumerate() {
            let record = self.strike(&mut tx, subject, now).await?;
            if place == 0 {
                blocked = record.blocked_until;
            }
        }
        if let (Some(until), Some(user)) = (blocked, user) {
            let person = store::person::lock(&mut tx, user).await?;
            let blocked = SignInBlocked { user: Some((&person).into()), until: Some(timestamp(until)) };
            let change = json!({ "after": { "blocked_until": until } });
            log::append(&mut tx, ctx, now, events::event(user, Body::SignInBlocked(blocked), Some(change))).await?;
        }
        self.commit(tx, &[]).await
    }

    /// Hands a guest's things over to the account, once.
    async fn merge(&self, tx: &mut Tx, ctx: &Ctx, guest: UserId, user: UserId, now: Time) -> Result<Vec<Changed>, Error> {
        if !store::person::merge_guest(tx, guest, user).await? {
            return Ok(Vec::new());
        }
        let ended = store::session::end_all(tx, guest, None, EndCause::Upgraded, now).await?;
        let merged = GuestMerged { guest_id: guest.to_string(), user_id: user.to_string() };
        let change = json!({ "after": { "guest": guest, "user": user } });
        log::append(tx, ctx, now, events::event(user, Body::GuestMerged(merged), Some(change))).await?;
        Ok(ended.into_iter().map(Changed::Session).chain([Changed::Person(guest)]).collect())
    }

    async fn notice_device(&self, tx: &mut Tx, ctx: &Ctx, person: &Person, device: &str, now: Time) -> Result<(), Error> {
        let address = ctx.address.map(|address| address.to_string()).unwrap_or_default();
        if store::session::is_familiar(tx, person.id, device, &address).await? {
            return Ok(());
        }
        let seen = NewDeviceSeen { user: Some(person.into()), device: device.to_owned(), address, at: Some(timestamp(now)) };
        Ok(log::append(tx, ctx, now, events::event(person.id, Body::NewDeviceSeen(seen), None)).await?)
    }
}

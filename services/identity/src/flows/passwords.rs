//! Proving an e-mail address, and getting a new password.

use std::time::Duration as Wait;

use api_identity::identity_event::Body;
use api_identity::{EmailVerified, PasswordChanged, PasswordResetRequested, SessionId};
use chrono::Duration;
use kit_core::{Email, UserId};
use kit_db::log;
use kit_rpc::{Ctx, timestamp};

use super::Identity;
use super::sign_up::{VERIFY_EMAIL, acting_as};
use super::throttle::{Kind, Subject};
use crate::cache::Changed;
use crate::error::Error;
use crate::events;
use crate::model::{EndCause, Person, password, token};
use crate::store;
use crate::store::person::MailedToken;

const RESET_PASSWORD: &str = "reset_password";

impl Identity {
    pub(crate) async fn verify_email(&self, ctx: &Ctx, secret: &str) -> Result<Person, Error> {
        let now = self.clock.now();
        let mut tx = self.begin().await?;
        let user = store::person::use_mailed_token(&mut tx, &token::hash(secret), VERIFY_EMAIL, now).await?.ok_or(Error::MailedTokenInvalid)?;
        let first = store::person::mark_verified(&mut tx, user, now).await?;
        let person = store::person::lock(&mut tx, user).await?;
        if first {
            let verified = EmailVerified { user: Some((&person).into()) };
            log::append(&mut tx, &acting_as(ctx, user), now, events::event(user, Body::EmailVerified(verified), None)).await?;
        }
        self.commit(tx, &[Changed::Person(user)]).await?;
        Ok(person)
    }

    pub(crate) async fn resend_verification(&self, ctx: &Ctx, user: UserId) -> Result<(), Error> {
        let now = self.clock.now();
        let mut tx = self.begin().await?;
        let person = store::person::lock(&mut tx, user).await?;
        let email = person.email.as_ref().ok_or(Error::AccountRequired)?;
        if person.email_verified {
            return Ok(());
        }
        let subject = Subject::account(Kind::MailToAccount, email);
        self.check_pauses(&mut tx, std::slice::from_ref(&subject), now).await?;
        self.strike(&mut tx, &subject, now).await?;
        self.mail_verification(&mut tx, ctx, &person, now).await?;
        self.commit(tx, &[]).await
    }

    /// Answers after a fixed time, whether or not the account exists.
    pub(crate) async fn request_password_reset(&self, ctx: &Ctx, email: &Email) -> Result<(), Error> {
        let answer_at = tokio::time::Instant::now() + Wait::from_millis(u64::from(self.config.reset_answer_millis));
        let outcome = self.mail_reset(ctx, email).await;
        tokio::time::sleep_until(answer_at).await;
        outcome
    }

    async fn mail_reset(&self, ctx: &Ctx, email: &Email) -> Result<(), Error> {
        let now = self.clock.now();
        let subject = Subject::account(Kind::MailToAccount, email);
        let mut tx = self.begin().await?;
        self.check_pauses(&mut tx, std::slice::from_ref(&subject), now).await?;
        self.strike(&mut tx, &subject, now).await?;
        if let Some((user, _)) = store::person::credentials(&mut tx, email).await? {
            let person = store::person::lock(&mut tx, user).await?;
            let secret = token::secret()?;
            let expires_at = now + Duration::minutes(i64::from(self.config.reset_minutes));
            let hash = token::hash(&secret);
            store::person::add_mailed_token(&mut tx, &MailedToken { hash: &hash, user, purpose: RESET_PASSWORD, now, expires_at }).await?;
            let requested = PasswordResetRequested { user: Some((&person).into()), token: secret, expires_at: Some(timestamp(expires_at)) };
            log::append(&mut tx, ctx, now, events::event(user, Body::PasswordResetRequested(requested), None)).await?;
        }
        self.commit(tx, &[]).await
    }

    /// Sets a password with a mailed token, which also proves the address, and ends all sessions.
    pub(crate) async fn reset_password(&self, ctx: &Ctx, secret: &str, new: &str) -> Result<(), Error> {
        password::check(new, "").map_err(Error::PasswordWeak)?;
        let hash = self.hasher.hash(new).await?;
        let now = self.clock.now();
        let mut tx = self.begin().await?;
        let user = store::person::use_mailed_token(&mut tx, &token::hash(secret), RESET_PASSWORD, now).await?.ok_or(Error::MailedTokenInvalid)?;
        store::person::mark_verified(&mut tx, user, now).await?;
        let person = store::person::lock(&mut tx, user).await?;
        if let Some(email) = &person.email {
            self.forgive(&mut tx, &Subject::account(Kind::SignInToAccount, email)).await?;
        }
        let acting = acting_as(ctx, user);
        let changed = self.put_password(&mut tx, &acting, &person, &hash, None).await?;
        self.commit(tx, &changed).await
    }

    pub(crate) async fn change_password(&self, ctx: &Ctx, user: UserId, old: &str, new: &str, keep: Option<SessionId>) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        let person = store::person::lock(&mut tx, user).await?;
        let before = store::person::password_hash(&mut tx, user).await?;
        tx.commit().await?;
        let email = person.email.as_ref().ok_or(Error::AccountRequired)?;
        password::check(new, email.as_str()).map_err(Error::PasswordWeak)?;
        let (proved, _) = self.prove(ctx, email, old).await?;
        if proved != user {
            return Err(Error::SignInFailed);
        }
        let hash = self.hasher.hash(new).await?;
        let mut tx = self.begin().await?;
        let person = store::person::lock(&mut tx, user).await?;
        // Somebody may have changed it while we hashed; what was proved must still be the password.
        if store::person::password_hash(&mut tx, user).await? != before {
            return Err(Error::SignInFailed);
        }
        let changed = self.put_password(&mut tx, ctx, &person, &hash, keep).await?;
        self.commit(tx, &changed).await
    }

    async fn put_password(
        &self,
        tx: &mut kit_db::Tx,
        ctx: &Ctx,
        person: &Person,
        hash: &str,
        keep: Option<SessionId>,
    ) -> Result<Vec<Changed>, Error> {
        let now = self.clock.now();
        store::person::save_password(tx, person.id, hash).await?;
        let body = PasswordChanged { user: Some(person.into()) };
        log::append(tx, ctx, now, events::event(person.id, Body::PasswordChanged(body), None)).await?;
        let mut changed = self.end_sessions(tx, ctx, person.id, keep, EndCause::PasswordChanged, now).await?;
        changed.push(Changed::Person(person.id));
        Ok(changed)
    }
}

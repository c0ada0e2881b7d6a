//! What identity does, one file per story.

mod addresses;
mod authenticate;
mod guest;
mod operators;
mod passwords;
mod profile;
mod refresh;
mod roles;
mod sessions;
mod sign_in;
mod sign_up;
mod throttle;

pub(crate) use addresses::checked_address;
pub(crate) use authenticate::Authenticated;
pub(crate) use guest::{NewGuest, add_all};
pub(crate) use operators::Page;
pub(crate) use profile::Changes;
pub(crate) use sign_in::SignIn;
pub(crate) use sign_up::SignUp;

use api_identity::SessionId;
use chrono::Duration;
use kit_core::{Clock, Ids, Time, UserId};
use kit_db::{Batch, Db, DbError, Scope, Tx};
use kit_rpc::Ctx;

use crate::cache::{Cache, Changed};
use crate::config::Config;
use crate::error::Error;
use crate::hasher::Hasher;
use crate::keys::Keyring;
use crate::model::{Known, Person, token};
use crate::store;
use crate::store::session::NewSession;

/// The running service.
pub(crate) struct Identity {
    pub db: Db,
    pub clock: Clock,
    pub ids: Ids,
    pub config: Config,
    pub hasher: Hasher,
    pub keys: Keyring,
    pub cache: Cache,
    pub guests: Batch<NewGuest, (), DbError>,
}

/// A session with the secrets that only its owner ever sees.
pub(crate) struct Issued {
    pub session: SessionId,
    pub person: Person,
    pub access_token: String,
    pub access_expires_at: Time,
    pub refresh_token: String,
    pub session_token: String,
    pub expires_at: Time,
}

impl Identity {
    async fn begin(&self) -> Result<Tx, Error> {
        Ok(self.db.begin(&Scope::Platform).await?)
    }

    /// Commits, and makes every process forget what changed.
    async fn commit(&self, mut tx: Tx, changed: &[Changed]) -> Result<(), Error> {
        if !changed.is_empty() {
            let told: Vec<String> = changed.iter().map(|changed| changed.text()).collect();
            store::tell_changed(&mut tx, &told).await?;
        }
        tx.commit().await?;
        self.cache.forget(changed);
        Ok(())
    }

    fn session_end(&self, guest: bool, now: Time) -> Time {
        now + Duration::days(i64::from(if guest { self.config.guest_session_days } else { self.config.session_days }))
    }

    /// Starts a session within the transaction.
    async fn issue(&self, tx: &mut Tx, ctx: &Ctx, person: Person, device: &str, now: Time) -> Result<Issued, Error> {
        let session: SessionId = self.ids.next();
        let issued = self.secrets(session, person, now)?;
        store::session::add_all(tx, &[issued.to_store(device, ctx, now)?]).await?;
        Ok(issued)
    }

    /// Fresh secrets for a session.
    fn secrets(&self, session: SessionId, person: Person, now: Time) -> Result<Issued, Error> {
        let access_expires_at = now + Duration::seconds(i64::from(self.config.access_seconds));
        Ok(Issued {
            session,
            access_token: self.keys.sign(person.id, session, now, access_expires_at)?,
            access_expires_at,
            refresh_token: token::secret()?,
            session_token: token::session_token(session, &token::secret()?),
            expires_at: self.session_end(person.guest, now),
            person,
        })
    }

    /// A person with their roles, read from the database.
    async fn known(&self, tx: &mut Tx, user: UserId) -> Result<Option<Known>, Error> {
        let Some(person) = store::person::find(tx, user).await? else { return Ok(None) };
        let memberships = store::membership::of_people(tx, &[user.uuid()]).await?;
        Ok(Some(Known { person, memberships }))
    }
}

impl Issued {
    fn to_store(&self, device: &str, ctx: &Ctx, now: Time) -> Result<NewSession, Error> {
        let (_, token_hash) = token::read_session_token(&self.session_token).ok_or(Error::Corrupt("session token"))?;
        Ok(NewSession {
            id: self.session,
            user: self.person.id,
            token_hash,
            refresh_hash: token::hash(&self.refresh_token),
            device: device.to_owned(),
            address: ctx.address.map(|address| address.to_string()).unwrap_or_default(),
            now,
            expires_at: self.expires_at,
        })
    }
}

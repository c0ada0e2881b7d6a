//! Who a token speaks for. Asked on every request, so answered from memory when it can be.

use std::sync::Arc;

use api_identity::SessionId;
use chrono::Duration;
use kit_core::{TenantId, Time, UserId};

use super::Identity;
use crate::error::Error;
use crate::keys::{Claims, Unverified};
use crate::model::{Known, policy, token};
use crate::store;
use crate::store::session::Live;

/// A session's last use is written down at most this often.
const TOUCH_EVERY: Duration = Duration::minutes(10);

/// The answer.
pub(crate) struct Authenticated {
    pub known: Arc<Known>,
    pub session: SessionId,
    pub tenant: Option<TenantId>,
}

impl Identity {
    pub(crate) async fn authenticate(&self, token: &str, wanted: Option<TenantId>) -> Result<Authenticated, Error> {
        let now = self.clock.now();
        let (session, live) = self.session_of(token, now).await?.ok_or(Error::TokenInvalid)?;
        let known = self.person(UserId::from(live.user_id)).await?.filter(|known| !known.person.disabled).ok_or(Error::TokenInvalid)?;
        let tenant = policy::tenant(&known.memberships, wanted).map_err(|()| Error::NotAMember)?;
        Ok(Authenticated { known, session, tenant })
    }

    /// The open session a token belongs to.
    pub(super) async fn session_of(&self, token: &str, now: Time) -> Result<Option<(SessionId, Arc<Live>)>, Error> {
        if let Some((session, hash)) = token::read_session_token(token) {
            let live = self.live(session, now).await?;
            return Ok(live.filter(|live| token::same(&live.token_hash, &hash)).map(|live| (session, live)));
        }
        let Some(claims) = self.claims(token).await?.filter(|claims| claims.exp > now.timestamp()) else { return Ok(None) };
        let Some(session) = claims.session() else { return Ok(None) };
        Ok(self.live(session, now).await?.map(|live| (session, live)))
    }

    /// What an access token says, its signature checked; `None`: it is none of ours.
    async fn claims(&self, token: &str) -> Result<Option<Arc<Claims>>, Error> {
        let hash = token::hash(token);
        if let Some(claims) = self.cache.token(&hash) {
            return Ok(Some(claims));
        }
        let verified = match self.keys.verify(token) {
            Err(Unverified::UnknownKey) => {
                self.keys.load(&self.db).await?;
                self.keys.verify(token)
            }
            verified => verified,
        };
        let Ok(claims) = verified else { return Ok(None) };
        let claims = Arc::new(claims);
        self.cache.keep_token(hash, Arc::clone(&claims));
        Ok(Some(claims))
    }

    async fn live(&self, id: SessionId, now: Time) -> Result<Option<Arc<Live>>, Error> {
        if let Some(cached) = self.cache.session(id) {
            return Ok(cached.filter(|live| live.expires_at > now));
        }
        let read_at = self.cache.before_read();
        let mut tx = self.begin().await?;
        let live = store::session::live(&mut tx, id, now).await?;
        if let Some(live) = live.as_ref().filter(|live| live.last_used_at + TOUCH_EVERY <= now) {
            let person = store::person::find(&mut tx, UserId::from(live.user_id)).await?;
            let expires_at = self.session_end(person.is_some_and(|person| person.guest), now);
            store::session::touch(&mut tx, id, now, expires_at).await?;
        }
        tx.commit().await?;
        let live = live.map(Arc::new);
        self.cache.keep_session(id, live.clone(), read_at);
        Ok(live)
    }

    /// A person with their roles, from memory if they are there.
    pub(crate) async fn person(&self, user: UserId) -> Result<Option<Arc<Known>>, Error> {
        if let Some(known) = self.cache.person(user) {
            return Ok(Some(known));
        }
        let read_at = self.cache.before_read();
        let mut tx = self.begin().await?;
        let known = self.known(&mut tx, user).await?.map(Arc::new);
        tx.commit().await?;
        if let Some(known) = &known {
            self.cache.keep_person(user, Arc::clone(known), read_at);
        }
        Ok(known)
    }
}

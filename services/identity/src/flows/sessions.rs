//! Where a person is signed in, and ending it.

use api_identity::SessionId;
use kit_core::{Time, UserId};
use kit_db::{Tx, log};
use kit_rpc::{Actor, Ctx};

use super::Identity;
use crate::cache::Changed;
use crate::error::Error;
use crate::events;
use crate::model::EndCause;
use crate::store;
use crate::store::session::Listed;

impl Identity {
    pub(crate) async fn list_sessions(&self, user: UserId) -> Result<Vec<Listed>, Error> {
        let mut tx = self.begin().await?;
        let listed = store::session::list(&mut tx, user, self.clock.now()).await?;
        tx.commit().await?;
        Ok(listed)
    }

    pub(crate) async fn revoke_session(&self, ctx: &Ctx, user: UserId, session: SessionId) -> Result<(), Error> {
        let ended = self.end_session(ctx, user, session, EndCause::Revoked).await?;
        if ended { Ok(()) } else { Err(Error::SessionNotFound) }
    }

    /// Ends the session of a token. A token that is not valid has nothing to end, which is what was wanted.
    pub(crate) async fn sign_out(&self, ctx: &Ctx, token: &str) -> Result<(), Error> {
        if let Some((session, live)) = self.session_of(token, self.clock.now()).await? {
            let user = UserId::from(live.user_id);
            let acting = Ctx { actor: Actor::User(user), ..ctx.clone() };
            self.end_session(&acting, user, session, EndCause::SignedOut).await?;
        }
        Ok(())
    }

    async fn end_session(&self, ctx: &Ctx, user: UserId, session: SessionId, cause: EndCause) -> Result<bool, Error> {
        let now = self.clock.now();
        let mut tx = self.begin().await?;
        let ended = store::session::end(&mut tx, session, user, cause, now).await?;
        if ended {
            log::append(&mut tx, ctx, now, events::ended(user, session, cause)).await?;
        }
        self.commit(tx, &[Changed::Session(session)]).await?;
        Ok(ended)
    }

    /// Ends all sessions of a person but one, within the transaction.
    pub(super) async fn end_sessions(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        user: UserId,
        keep: Option<SessionId>,
        cause: EndCause,
        now: Time,
    ) -> Result<Vec<Changed>, Error> {
        let ended = store::session::end_all(tx, user, keep, cause, now).await?;
        log::append_all(tx, ctx, now, ended.iter().map(|session| events::ended(user, *session, cause)).collect()).await?;
        Ok(ended.into_iter().map(Changed::Session).collect())
    }
}

//! Trading a refresh token. Each works once; one that comes back was stolen, or its thief used it first, so the session ends.

use api_identity::SessionId;
use kit_core::UserId;
use kit_db::log;
use kit_rpc::{Actor, Ctx};

use super::{Identity, Issued};
use crate::cache::Changed;
use crate::error::Error;
use crate::events;
use crate::model::{EndCause, token};
use crate::store;

impl Identity {
    pub(crate) async fn refresh(&self, ctx: &Ctx, refresh_token: &str) -> Result<Issued, Error> {
        let now = self.clock.now();
        let used = token::hash(refresh_token);
        let mut tx = self.begin().await?;
        let found = store::session::lock_refresh_token(&mut tx, &used, now).await?.filter(|found| found.open).ok_or(Error::RefreshTokenInvalid)?;
        let (session, user) = (SessionId::from(found.session_id), UserId::from(found.user_id));
        if found.used {
            store::session::end(&mut tx, session, user, EndCause::TokenReused, now).await?;
            let acting = Ctx { actor: Actor::Nobody, ..ctx.clone() };
            log::append(&mut tx, &acting, now, events::ended(user, session, EndCause::TokenReused)).await?;
            self.commit(tx, &[Changed::Session(session)]).await?;
            return Err(Error::RefreshTokenReused);
        }
        let person = store::person::find(&mut tx, user).await?.filter(|person| !person.disabled).ok_or(Error::RefreshTokenInvalid)?;
        let issued = self.secrets(session, person, now)?;
        store::session::rotate(&mut tx, &used, &issued.to_store("", ctx, now)?).await?;
        self.commit(tx, &[Changed::Session(session)]).await?;
        Ok(issued)
    }
}

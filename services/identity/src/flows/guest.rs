//! Guests: identities without an account. Every first-time visitor who puts something into a cart makes one, so they are written many at a time.

use std::sync::Arc;

use kit_core::{Time, UserId};
use kit_db::{Db, DbError, Scope};
use kit_rpc::Ctx;

use super::{Identity, Issued};
use crate::error::Error;
use crate::model::{Known, Person};
use crate::store;
use crate::store::session::{Live, NewSession};

/// A guest to be written, with their first session.
pub(crate) struct NewGuest {
    language: String,
    session: NewSession,
}

/// Writes guests and their sessions in one transaction.
pub(crate) async fn add_all(db: Db, guests: Vec<NewGuest>) -> Result<Vec<Result<(), DbError>>, DbError> {
    let count = guests.len();
    let (languages, sessions): (Vec<String>, Vec<NewSession>) = guests.into_iter().map(|guest| (guest.language, guest.session)).unzip();
    let mut tx = db.begin(&Scope::Platform).await?;
    let people: Vec<(UserId, String, Time)> =
        sessions.iter().zip(languages).map(|(session, language)| (session.user, language, session.now)).collect();
    store::person::add_guests(&mut tx, &people).await?;
    store::session::add_all(&mut tx, &sessions).await?;
    tx.commit().await?;
    Ok((0..count).map(|_| Ok(())).collect())
}

impl Identity {
    /// Told to nobody: a guest who only looks around is not history.
    pub(crate) async fn start_guest(&self, ctx: &Ctx, language: &str, device: &str) -> Result<Issued, Error> {
        let now = self.clock.now();
        let id: UserId = self.ids.next();
        let person = Person {
            id,
            email: None,
            email_verified: false,
            name: String::new(),
            language: language.to_owned(),
            currency: "USD".to_owned(),
            guest: true,
            disabled: false,
            version: 1,
            created_at: now,
        };
        let read_at = self.cache.before_read();
        let issued = self.secrets(self.ids.next(), person, now)?;
        let session = issued.to_store(device, ctx, now)?;
        let live = Live { user_id: id.uuid(), token_hash: session.token_hash.clone(), expires_at: session.expires_at, last_used_at: now };
        self.guests.run(NewGuest { language: language.to_owned(), session }).await?;
        // The guest's next request follows at once.
        self.cache.keep_session(issued.session, Some(Arc::new(live)), read_at);
        self.cache.keep_person(id, Arc::new(Known { person: issued.person.clone(), memberships: Vec::new() }), read_at);
        Ok(issued)
    }
}

//! Guests: identities without an account.

use kit_core::UserId;
use kit_rpc::Ctx;

use super::{Identity, Issued};
use crate::error::Error;
use crate::model::Person;
use crate::store;

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
        let mut tx = self.begin().await?;
        store::person::add_guest(&mut tx, id, language, now).await?;
        let issued = self.issue(&mut tx, ctx, person, device, now).await?;
        self.commit(tx, &[]).await?;
        Ok(issued)
    }
}

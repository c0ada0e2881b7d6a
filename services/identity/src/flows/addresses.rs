//! The caller's address book. Every write locks its owner first, so that there is one default at any time.

use api_identity::identity_event::Body;
use api_identity::{AddressBookChanged, AddressId};
use kit_core::{Address, UserId, Violation};
use kit_db::{Tx, log};
use kit_rpc::Ctx;
use serde_json::{Value, json};

use super::Identity;
use crate::error::Error;
use crate::events;
use crate::store;
use crate::store::address::Saved;

impl Identity {
    pub(crate) async fn list_addresses(&self, user: UserId) -> Result<Vec<Saved>, Error> {
        let mut tx = self.begin().await?;
        let saved = store::address::list(&mut tx, user).await?;
        tx.commit().await?;
        Ok(saved)
    }

    pub(crate) async fn add_address(&self, ctx: &Ctx, user: UserId, address: Address, make_default: bool) -> Result<Saved, Error> {
        let address = checked_address(address)?;
        let mut tx = self.begin().await?;
        store::person::lock(&mut tx, user).await?;
        let saved = store::address::list(&mut tx, user).await?;
        if saved.len() >= usize::try_from(self.config.saved_addresses).unwrap_or(usize::MAX) {
            return Err(Error::AddressBookFull(self.config.saved_addresses));
        }
        let id: AddressId = self.ids.next();
        let is_default = make_default || saved.is_empty();
        if is_default {
            store::address::clear_default(&mut tx, user).await?;
        }
        store::address::add(&mut tx, id, user, &address, is_default, self.clock.now()).await?;
        self.changed(tx, ctx, user, id, json!({ "after": { "address": id, "country": address.country } })).await
    }

    pub(crate) async fn update_address(&self, ctx: &Ctx, user: UserId, id: AddressId, address: Address, make_default: bool) -> Result<Saved, Error> {
        let address = checked_address(address)?;
        let mut tx = self.begin().await?;
        store::person::lock(&mut tx, user).await?;
        if !store::address::save(&mut tx, id, user, &address).await? {
            return Err(Error::AddressNotFound);
        }
        if make_default {
            store::address::clear_default(&mut tx, user).await?;
            store::address::make_default(&mut tx, id, user).await?;
        }
        self.changed(tx, ctx, user, id, json!({ "after": { "address": id, "country": address.country } })).await
    }

    pub(crate) async fn delete_address(&self, ctx: &Ctx, user: UserId, id: AddressId) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        store::person::lock(&mut tx, user).await?;
        if !store::address::remove(&mut tx, id, user).await? {
            return Err(Error::AddressNotFound);
        }
        let left = store::address::list(&mut tx, user).await?;
        if let Some(newest) = left.first().filter(|first| !first.is_default) {
            store::address::make_default(&mut tx, newest.id(), user).await?;
        }
        self.tell(&mut tx, ctx, user, json!({ "before": { "address": id } })).await?;
        self.commit(tx, &[]).await
    }

    async fn changed(&self, mut tx: Tx, ctx: &Ctx, user: UserId, id: AddressId, change: Value) -> Result<Saved, Error> {
        self.tell(&mut tx, ctx, user, change).await?;
        let saved = store::address::list(&mut tx, user).await?.into_iter().find(|saved| saved.id() == id).ok_or(Error::AddressNotFound)?;
        self.commit(tx, &[]).await?;
        Ok(saved)
    }

    async fn tell(&self, tx: &mut Tx, ctx: &Ctx, user: UserId, change: Value) -> Result<(), Error> {
        let body = Body::AddressBookChanged(AddressBookChanged { user_id: user.to_string() });
        Ok(log::append(tx, ctx, self.clock.now(), events::event(user, body, Some(change))).await?)
    }
}

/// The address as its country writes it; what is wrong is told as paths under `address`.
pub(crate) fn checked_address(address: Address) -> Result<Address, Error> {
    let path = |wrong: Violation| Violation { field: format!("address.{}", wrong.field), ..wrong };
    address.checked().map_err(|wrong| Error::Invalid(wrong.into_iter().map(path).collect()))
}

//! A buyer's saved payment methods.

use api_payments::MethodId;
use kit_core::UserId;

use super::Payments;
use crate::error::Error;
use crate::store;
use crate::store::methods::Method;

impl Payments {
    pub(crate) async fn methods(&self, buyer: UserId) -> Result<Vec<Method>, Error> {
        let mut tx = self.begin().await?;
        let methods = store::methods::list(&mut tx, buyer).await?;
        tx.commit().await?;
        Ok(methods)
    }

    /// The PSP forgets first: were we to forget first and fail there, nobody would know the token any more.
    pub(crate) async fn forget_method(&self, buyer: UserId, id: MethodId) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        let method = store::methods::get(&mut tx, buyer, id).await?;
        tx.commit().await?;
        self.psps.named(&method.psp)?.forget_method(&method.token).await.map_err(|_| Error::PspUnavailable)?;
        let mut tx = self.begin().await?;
        store::methods::delete(&mut tx, id).await?;
        tx.commit().await?;
        Ok(())
    }
}

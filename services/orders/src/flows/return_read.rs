//! Reading returns, and who may: their buyer, their seller, operators, and whoever has the order's access token.

use api_orders::{Return, ReturnId, SubOrderId};
use kit_core::TenantId;
use kit_db::Scope;
use kit_rpc::Ctx;
use sqlx::PgConnection;

use super::read::Access;
use crate::error::Error;
use crate::return_label;
use crate::return_view;
use crate::returns::{Policy, ReturnState};
use crate::service::Orders;
use crate::store::lists::Page;
use crate::store::{ReturnRow, orders, returns};
use crate::view::Reader;

/// In whose name somebody acts on a return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Party {
    Buyer,
    Seller,
    Operator,
}

impl Party {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Buyer => "buyer",
            Self::Seller => "seller",
            Self::Operator => "operator",
        }
    }

    pub(crate) const fn reader(self) -> Reader {
        if matches!(self, Self::Buyer) { Reader::Buyer } else { Reader::Market }
    }
}

impl Orders {
    pub(crate) fn policy_or_default(&self, policy: Option<Policy>) -> Policy {
        policy.unwrap_or(Policy {
            window_days: self.config.default_return_days,
            approve_at_once: false,
            refund_shipping: false,
            send_to: None,
            instructions: String::new(),
        })
    }

    pub(crate) async fn shown_return(&self, id: ReturnId, reader: Reader) -> Result<Return, Error> {
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let row = returns::get(&mut tx, id).await?;
        let shown = self.show_returns(&mut tx, vec![row], reader).await?;
        tx.commit().await?;
        shown.into_iter().next().ok_or(Error::ReturnNotFound)
    }

    async fn show_returns(&self, db: &mut PgConnection, rows: Vec<ReturnRow>, reader: Reader) -> Result<Vec<Return>, Error> {
        let ids: Vec<_> = rows.iter().map(|row| row.order_id).collect();
        let subs = orders::subs_of(&mut *db, &ids).await?;
        let items = orders::items_of(&mut *db, &ids).await?;
        let shown = rows.iter().filter_map(|row| {
            let sub = subs.iter().find(|sub| sub.sub_order_id == row.sub_order_id)?;
            Some(return_view::shown(row, sub, &items, reader))
        });
        Ok(shown.collect())
    }

    pub(crate) async fn get_return(&self, ctx: &Ctx, id: ReturnId, access: &Access) -> Result<Return, Error> {
        let (_, party) = self.who_returns(ctx, id, access).await?;
        self.shown_return(id, party.reader()).await
    }

    /// The return's number, and what goes onto and into the parcel.
    pub(crate) async fn return_label(&self, ctx: &Ctx, id: ReturnId, access: &Access) -> Result<(String, Vec<u8>), Error> {
        let (row, _) = self.who_returns(ctx, id, access).await?;
        if !matches!(row.state(), ReturnState::Approved | ReturnState::Sent) {
            return Err(Error::IllegalMove(row.state().as_str(), "labelled"));
        }
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let sub = orders::get_sub(&mut tx, row.sub_order_id.into()).await?;
        let items = orders::items_of(&mut tx, &[row.order_id]).await?;
        tx.commit().await?;
        Ok((return_view::number(&row, &sub), return_label::pdf(&row, &sub, &items)))
    }

    pub(crate) async fn list_returns(&self, tenant: Option<TenantId>, scope: &Scope, state: Option<&str>, page: Page) -> Result<Vec<Return>, Error> {
        let mut tx = self.db.begin(scope).await?;
        let rows = returns::list(&mut tx, tenant, state, page).await?;
        let shown = self.show_returns(&mut tx, rows, Reader::Market).await?;
        tx.commit().await?;
        Ok(shown)
    }

    pub(crate) async fn return_policy(&self, tenant: TenantId) -> Result<Policy, Error> {
        let mut tx = self.db.begin(&Scope::Tenant(tenant)).await?;
        let policy = returns::policy_at(&mut tx, tenant, self.clock.now()).await?;
        tx.commit().await?;
        Ok(self.policy_or_default(policy))
    }

    pub(crate) async fn set_return_policy(&self, ctx: &Ctx, tenant: TenantId, policy: Policy) -> Result<Policy, Error> {
        if policy.window_days < self.config.least_return_days {
            return Err(Error::Invalid(vec![("policy.window_days".to_owned(), format!("must be at least {}", self.config.least_return_days))]));
        }
        let mut tx = self.db.begin(&Scope::Tenant(tenant)).await?;
        returns::set_policy(&mut tx, tenant, &policy, &ctx.actor_text(), self.clock.now()).await?;
        tx.commit().await?;
        Ok(policy)
    }

    /// The part, if it is the caller's as its buyer; otherwise it does not exist.
    pub(crate) async fn buyers_part(&self, ctx: &Ctx, id: SubOrderId, access: &Access) -> Result<(), Error> {
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let order = orders::order_of_sub(&mut tx, id).await?;
        let order = orders::get_order(&mut tx, order).await?;
        tx.commit().await?;
        let own = ctx.user().is_some_and(|user| user.uuid() == order.buyer_id);
        if own || access.opens(&order) { Ok(()) } else { Err(Error::OrderNotFound) }
    }

    /// The return, if it is the caller's as its buyer; otherwise it does not exist.
    pub(crate) async fn buyers_return(&self, ctx: &Ctx, id: ReturnId, access: &Access) -> Result<ReturnRow, Error> {
        if let Some(user) = ctx.user()
            && let Some(row) = self.return_in(&Scope::Buyer(user), id).await?
        {
            return Ok(row);
        }
        let row = self.return_in(&Scope::Platform, id).await?.ok_or(Error::ReturnNotFound)?;
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let order = orders::get_order(&mut tx, row.order_id.into()).await?;
        tx.commit().await?;
        if access.opens(&order) { Ok(row) } else { Err(Error::ReturnNotFound) }
    }

    /// The return, for its seller and for operators; to anybody else it does not exist. Having bought it gives nobody a say here.
    pub(crate) async fn staffs_return(&self, ctx: &Ctx, id: ReturnId, permission: &str) -> Result<(ReturnRow, Party), Error> {
        if let Ok(tenant) = ctx.require_seller(permission)
            && let Some(row) = self.return_in(&Scope::Tenant(tenant), id).await?.filter(|row| TenantId::from(row.tenant_id) == tenant)
        {
            return Ok((row, Party::Seller));
        }
        ctx.require_operator(permission).map_err(|_| Error::ReturnNotFound)?;
        Ok((self.return_in(&Scope::Platform, id).await?.ok_or(Error::ReturnNotFound)?, Party::Operator))
    }

    async fn who_returns(&self, ctx: &Ctx, id: ReturnId, access: &Access) -> Result<(ReturnRow, Party), Error> {
        match self.buyers_return(ctx, id, access).await {
            Err(Error::ReturnNotFound) => self.staffs_return(ctx, id, access.operator).await,
            found => Ok((found?, Party::Buyer)),
        }
    }

    async fn return_in(&self, scope: &Scope, id: ReturnId) -> Result<Option<ReturnRow>, Error> {
        let mut tx = self.db.begin(scope).await?;
        let row = returns::find(&mut tx, id).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// The seller of a part, or an operator; to anybody else it does not exist.
    pub(crate) async fn staff_of_part(&self, ctx: &Ctx, id: SubOrderId) -> Result<Party, Error> {
        if let Ok(tenant) = ctx.require_seller("orders.write") {
            let mut tx = self.db.begin(&Scope::Tenant(tenant)).await?;
            let found = orders::get_sub(&mut tx, id).await;
            tx.commit().await?;
            if found.is_ok_and(|sub| TenantId::from(sub.tenant_id) == tenant) {
                return Ok(Party::Seller);
            }
        }
        if ctx.require_operator("orders.write").is_ok() { Ok(Party::Operator) } else { Err(Error::OrderNotFound) }
    }
}

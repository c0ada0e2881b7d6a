//! Whom money is paid to: what tenants tell of a seller's standing, and the account the seller names.

use kit_core::TenantId;
use kit_db::{Scope, log};
use kit_rpc::Ctx;
use sqlx::PgConnection;

use super::Payments;
use crate::bank::BankError;
use crate::error::Error;
use crate::events;
use crate::model::Period;
use crate::settlement_view;
use crate::store::ledger::Balance;
use crate::store::settlement::{self, Payee};

/// What a seller sees of its account with the market.
pub(crate) struct Standing {
    pub(crate) balances: Vec<Balance>,
    pub(crate) payee: Option<Payee>,
    pub(crate) next_payout_at: Option<kit_core::Time>,
    pub(crate) hold_minutes: u32,
}

impl Payments {
    pub(crate) async fn standing(&self, tenant: TenantId) -> Result<Standing, Error> {
        let mut tx = self.db.begin(&Scope::Tenant(tenant)).await?;
        let balances = crate::store::ledger::balances_of_tenant(&mut tx, tenant).await?;
        let payee = settlement::payee(&mut tx, tenant).await?;
        tx.commit().await?;
        let minutes = self.settlement.period_minutes(payee.as_ref().map_or("free", |payee| payee.plan.as_str()));
        let ended = Period::ended_before(self.clock.now(), minutes);
        let next_payout_at = ended.map(|period| period.end + chrono::Duration::minutes(i64::from(minutes)));
        Ok(Standing { balances, payee, next_payout_at, hold_minutes: self.settlement.hold_minutes })
    }

    /// Tells the bank of the account, and keeps its name for it.
    pub(crate) async fn set_payout_account(&self, ctx: &Ctx, tenant: TenantId, holder: &str, iban: &str) -> Result<Payee, Error> {
        let bank = self.banks.default()?;
        let beneficiary = bank.register(holder, iban).await.map_err(|error| match error {
            BankError::Refused(message) => Error::AccountRefused(message),
            BankError::NotFound | BankError::Unknown(_) => Error::BankUnavailable,
        })?;
        let now = self.clock.now();
        let mut tx = self.db.begin(&Scope::Tenant(tenant)).await?;
        let mut payee = settlement::payee(&mut tx, tenant).await?.unwrap_or_default();
        payee.bank = Some(bank.name().to_owned());
        payee.beneficiary = Some(beneficiary.id);
        holder.clone_into(&mut payee.holder);
        payee.account_last4 = beneficiary.last4;
        payee.account_since = Some(now);
        payee.blocked_reason.clear();
        settlement::put_account(&mut tx, tenant, &payee).await?;
        log::append(&mut tx, ctx, now, events::payout_account_changed(tenant, settlement_view::payout_account(&payee))).await?;
        tx.commit().await?;
        Ok(payee)
    }

    pub(crate) async fn tenant_stands(&self, db: &mut PgConnection, tenant: TenantId, plan: &str, active: bool) -> Result<(), Error> {
        settlement::put_standing(db, tenant, plan, active).await
    }
}

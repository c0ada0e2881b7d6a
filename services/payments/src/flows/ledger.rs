//! Reads the ledger: for operators whole, for sellers their own accounts, and proves that it balances.

use api_orders::OrderId;
use kit_core::{Money, TenantId};
use kit_db::Scope;
use uuid::Uuid;

use super::Payments;
use crate::error::Error;
use crate::store;
use crate::store::ledger::{Balance, Line};

/// What somebody wants to see of the ledger.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    pub(crate) order: Option<OrderId>,
    pub(crate) tenant: Option<TenantId>,
    pub(crate) before: Option<Uuid>,
    pub(crate) limit: i64,
}

/// The trial balance: all accounts, their sums per currency, and what disagrees.
#[derive(Debug, Clone)]
pub(crate) struct Proof {
    pub(crate) balances: Vec<Balance>,
    pub(crate) sums: Vec<Money>,
    pub(crate) differences: Vec<String>,
}

impl Payments {
    /// A page of entries with all their postings; answers where the next page begins.
    pub(crate) async fn ledger(&self, view: View) -> Result<(Vec<Line>, Option<Uuid>), Error> {
        self.page(&Scope::Platform, view).await
    }

    /// The same, as a tenant sees it: row-level security leaves only the postings to its own accounts.
    pub(crate) async fn ledger_of_tenant(&self, tenant: TenantId, before: Option<Uuid>, limit: i64) -> Result<(Vec<Line>, Option<Uuid>), Error> {
        self.page(&Scope::Tenant(tenant), View { order: None, tenant: Some(tenant), before, limit }).await
    }

    async fn page(&self, scope: &Scope, view: View) -> Result<(Vec<Line>, Option<Uuid>), Error> {
        let mut tx = self.db.begin(scope).await?;
        let mut ids = match view.tenant {
            Some(tenant) => store::ledger::page_of_tenant(&mut tx, tenant, view.order, view.before, view.limit + 1).await?,
            None => store::ledger::page(&mut tx, view.order, view.before, view.limit + 1).await?,
        };
        let page = usize::try_from(view.limit).unwrap_or_default();
        let more = ids.len() > page;
        ids.truncate(page);
        let lines = store::ledger::lines(&mut tx, &ids).await?;
        tx.commit().await?;
        Ok((lines, ids.last().copied().filter(|_| more)))
    }

    /// Adds everything up.
    pub(crate) async fn prove(&self) -> Result<Proof, Error> {
        let mut tx = self.begin().await?;
        let balances = store::ledger::balances(&mut tx).await?;
        let differing = store::ledger::differences(&mut tx).await?;
        tx.commit().await?;
        let sums = store::ledger::sums(&balances)?;
        let unbalanced = sums.iter().filter(|sum| !sum.is_zero()).map(|sum| format!("the accounts sum to {sum}"));
        let differing = differing.into_iter().map(|difference| {
            format!(
                "payments by {} say {} minor units of {}, the ledger says {}",
                difference.psp, difference.payments_minor, difference.currency, difference.ledger_minor
            )
        });
        let differences = unbalanced.chain(differing).collect();
        Ok(Proof { balances, sums, differences })
    }
}

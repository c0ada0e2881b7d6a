//! Statements: a seller's account over a span, each line with the entry and the order it comes from.

use api_payments::PayoutId;
use kit_core::{Currency, TenantId, Time};
use kit_db::Scope;

use super::Payments;
use crate::config::MAX_STATEMENT_LINES;
use crate::error::Error;
use crate::model::Payout;
use crate::store::payouts;
use crate::store::statements::{self, Line};

/// What a statement is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Span {
    Payout(PayoutId),
    /// The end is excluded.
    Time {
        currency: Currency,
        from: Time,
        to: Time,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) tenant: TenantId,
    pub(crate) currency: Currency,
    pub(crate) payout: Option<Payout>,
    pub(crate) from: Time,
    pub(crate) to: Time,
    pub(crate) opening_minor: i64,
    pub(crate) closing_minor: i64,
    pub(crate) lines: Vec<Line>,
}

impl Payments {
    pub(crate) async fn statement(&self, tenant: TenantId, span: Span) -> Result<Statement, Error> {
        let mut tx = self.db.begin(&Scope::Tenant(tenant)).await?;
        let (currency, payout, from, to, lines) = match span {
            Span::Payout(id) => {
                let (payout, place) = payouts::get(&mut tx, id).await?;
                let lines = statements::between(&mut tx, tenant, payout.currency, place.first_line, place.last_line, MAX_STATEMENT_LINES + 1).await?;
                let to = payout.created_at;
                let from = lines.first().map_or(to, |line| line.at);
                (payout.currency, Some(payout), from, to, lines)
            }
            Span::Time { currency, from, to } => {
                (currency, None, from, to, statements::during(&mut tx, tenant, currency, from, to, MAX_STATEMENT_LINES + 1).await?)
            }
        };
        let before = statements::available_at(&mut tx, tenant, currency, from).await?;
        tx.commit().await?;
        if i64::try_from(lines.len()).unwrap_or(i64::MAX) > MAX_STATEMENT_LINES {
            return Err(Error::StatementTooLong(MAX_STATEMENT_LINES));
        }
        let opening_minor = lines.first().map_or(before, |line| line.balance_minor - line.amount_minor);
        let closing_minor = lines.last().map_or(before, |line| line.balance_minor);
        Ok(Statement { tenant, currency, payout, from, to, opening_minor, closing_minor, lines })
    }
}

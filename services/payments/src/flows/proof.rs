//! The proof of the books: every invariant, one by one, on the live system. Each is one statement, so it sees one moment whole.

use super::Payments;
use crate::error::Error;
use crate::store::proof;

/// One invariant, and what contradicts it, or what was looked at.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub(crate) claim: &'static str,
    pub(crate) holds: bool,
    pub(crate) evidence: Vec<String>,
}

impl Check {
    fn of(claim: &'static str, contradictions: Vec<String>) -> Self {
        Self { claim, holds: contradictions.is_empty(), evidence: contradictions }
    }
}

impl Payments {
    pub(crate) async fn prove_all(&self) -> Result<Vec<Check>, Error> {
        let mut tx = self.begin().await?;
        let db = &mut *tx;
        let [entries, postings, payments, payouts, lines, reported] = proof::counts(db).await?;
        let looked_at = format!(
            "{entries} entries with {postings} postings, {payments} payments, {payouts} payouts, {lines} lines of statements, {reported} lines of reports"
        );
        let mut checks = vec![
            Check { claim: "looked at", holds: true, evidence: vec![looked_at] },
            Check::of("every entry is balanced", proof::unbalanced_entries(db).await?),
            Check::of("all accounts sum to zero in every currency", proof::currencies_that_do_not_sum_to_zero(db).await?),
            Check::of("each order's captures and refunds are those of its payments", proof::orders_that_differ(db).await?),
            Check::of("each order's money is divided without a remainder", proof::orders_not_divided_whole(db).await?),
            Check::of("no share of a sub-order is below zero", proof::negative_shares(db).await?),
            Check::of(
                "captured = owed to sellers + paid out + tax + commission + refunds + disputes",
                proof::captured_and_not_accounted_for(db).await?,
            ),
            Check::of("balances, statements and the ledger agree for every seller", proof::statements_that_differ(db).await?),
            Check::of("no payout exceeds what was available", proof::payouts_beyond_available(db).await?),
            Check::of("each payout is booked as it stands", proof::payouts_booked_otherwise(db).await?),
            Check::of("nothing released is left behind", proof::left_behind(db).await?),
            Check::of("our accounts with PSPs and banks are what they report, but for open items", proof::reports_that_differ(db).await?),
            Check::of(
                "every reported difference is an open item",
                proof::unexplained_lines(db, self.clock.now() - self.settlement.report_grace()).await?,
            ),
        ];
        checks.push(Check { claim: "where the money is", holds: true, evidence: proof::where_the_money_is(db).await? });
        tx.commit().await?;
        Ok(checks)
    }
}

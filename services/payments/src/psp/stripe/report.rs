//! Stripe's balance transactions as the report on our balance with it.

use std::collections::HashMap;

use api_payments::{DisputeId, PaymentId};
use kit_core::Time;
use serde::Deserialize;

use super::record::List;
use super::{NAME, Stripe};
use crate::model::dispute_id;
use crate::psp::PspError;
use crate::store::reports::NewLine;

/// Lines have no numbers at Stripe: we number them by the second they are of, and their order within it.
const WITHIN_A_SECOND: i64 = 100_000;
/// Pages of a hundred looked through in one run.
const MAX_PAGES: usize = 200;

#[derive(Deserialize)]
struct Transaction {
    id: String,
    amount: i64,
    #[serde(default)]
    fee: i64,
    currency: String,
    created: i64,
    #[serde(rename = "type")]
    kind: String,
    source: Option<Source>,
}

/// The charge, refund, dispute or payout a transaction is of, expanded.
#[derive(Deserialize)]
struct Source {
    #[serde(default)]
    id: String,
    #[serde(default)]
    metadata: HashMap<String, String>,
    payment_intent: Option<PaymentIntent>,
}

#[derive(Deserialize)]
struct PaymentIntent {
    #[serde(default)]
    metadata: HashMap<String, String>,
}

impl Stripe {
    /// Transactions come newest first, so all that are new are fetched before the oldest of them are answered.
    pub(super) async fn lines(&self, after: i64, limit: usize) -> Result<Vec<NewLine>, PspError> {
        let since = (after / WITHIN_A_SECOND).to_string();
        let mut found: Vec<Transaction> = Vec::new();
        for _ in 0..MAX_PAGES {
            let last = found.last().map(|transaction| transaction.id.clone());
            let mut query =
                vec![("limit", "100"), ("created[gte]", since.as_str()), ("expand[]", "data.source"), ("expand[]", "data.source.payment_intent")];
            query.extend(last.as_deref().map(|last| ("starting_after", last)));
            let page: List<Transaction> = self.get("/v1/balance_transactions", &query).await?;
            let more = page.has_more && !page.data.is_empty();
            found.extend(page.data);
            if !more {
                return numbered(found, after, limit);
            }
        }
        Err(PspError::NotDone(format!("Stripe has more than {MAX_PAGES} pages of transactions since {since}")))
    }
}

fn numbered(mut found: Vec<Transaction>, after: i64, limit: usize) -> Result<Vec<NewLine>, PspError> {
    found.sort_by(|one, other| (one.created, &one.id).cmp(&(other.created, &other.id)));
    let (mut second, mut place) = (0, 0);
    let mut lines = Vec::new();
    for transaction in found {
        place = if transaction.created == second { place + 1 } else { 0 };
        second = transaction.created;
        let number = second * WITHIN_A_SECOND + place;
        if number > after
            && let Some(line) = transaction.reported(number)?
        {
            lines.push(line);
        }
    }
    lines.truncate(limit);
    Ok(lines)
}

impl Transaction {
    /// None for kinds that our ledger does not know.
    fn reported(self, number: i64) -> Result<Option<NewLine>, PspError> {
        let booked_at = Time::from_timestamp(self.created, 0).ok_or_else(|| PspError::Unknown("a line without a readable moment".to_owned()))?;
        let source = self.source.as_ref();
        let metadata = |name: &str| {
            let own = source.and_then(|source| source.metadata.get(name));
            own.or_else(|| source?.payment_intent.as_ref()?.metadata.get(name)).cloned()
        };
        let source_id = source.map_or_else(|| self.id.clone(), |source| source.id.clone());
        let (kind, reference) = match self.kind.as_str() {
            "charge" | "payment" => ("capture", source.and_then(|source| self.capture(source)).unwrap_or(source_id)),
            "refund" | "payment_refund" => match metadata("refund_id") {
                Some(refund) => ("refund", refund),
                // The release of what was not captured: the charge was reported whole.
                None => return Ok(None),
            },
            "adjustment" if source_id.starts_with("dp_") || source_id.starts_with("du_") => {
                let kind = if self.amount < 0 { "dispute_opened" } else { "dispute_won" };
                (kind, DisputeId::from(dispute_id(NAME, &source_id)).to_string())
            }
            "payout" => ("psp_payout", source_id),
            _ => return Ok(None),
        };
        Ok(Some(NewLine {
            number,
            kind,
            reference,
            payment: metadata("payment_id").and_then(|id| id.parse().ok()).map(PaymentId::uuid),
            amount_minor: self.amount,
            fee_minor: self.fee,
            currency: self.currency.to_uppercase(),
            booked_at,
        }))
    }

    /// Which of our captures a charge's transaction is: the one of that amount, or the only one.
    fn capture(&self, source: &Source) -> Option<String> {
        let metadata = &source.payment_intent.as_ref()?.metadata;
        let ours = || metadata.iter().filter(|(name, _)| name.starts_with("cap_"));
        let of_amount = ours().find(|(_, amount)| amount.parse() == Ok(self.amount));
        of_amount.or_else(|| ours().next()).map(|(name, _)| name.clone())
    }
}

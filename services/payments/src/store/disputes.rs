//! The list of disputes; the payment has all that is to be known of each.

use api_payments::DisputeId;
use kit_core::Time;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::model::{Dispute, DisputeState, Payment};

/// Writes how a dispute stands.
pub(crate) async fn put(db: &mut PgConnection, payment: &Payment, dispute: &Dispute) -> Result<(), Error> {
    sqlx::query(
        "insert into dispute (dispute_id, payment_id, order_id, psp, psp_reference, state, reason, amount_minor, fee_minor, currency, evidence_due_at,
             opened_at, closed_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         on conflict (dispute_id) do update set state = excluded.state, evidence_due_at = excluded.evidence_due_at, closed_at = excluded.closed_at",
    )
    .bind(dispute.id)
    .bind(payment.id.uuid())
    .bind(payment.order.uuid())
    .bind(&payment.psp)
    .bind(&dispute.reference)
    .bind(dispute.state.word())
    .bind(&dispute.reason)
    .bind(dispute.amount_minor)
    .bind(dispute.fee.total())
    .bind(payment.currency.to_string())
    .bind(dispute.evidence_due_at)
    .bind(dispute.opened_at)
    .bind(dispute.closed_at)
    .execute(db)
    .await?;
    Ok(())
}

/// A dispute as lists show it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct DisputeRow {
    pub(crate) dispute_id: Uuid,
    pub(crate) payment_id: Uuid,
    pub(crate) order_id: Uuid,
    pub(crate) psp: String,
    pub(crate) psp_reference: String,
    pub(crate) state: String,
    pub(crate) reason: String,
    pub(crate) amount_minor: i64,
    pub(crate) fee_minor: i64,
    pub(crate) currency: String,
    pub(crate) evidence_due_at: Option<Time>,
    pub(crate) opened_at: Time,
    pub(crate) closed_at: Option<Time>,
}

pub(crate) async fn get(db: &mut PgConnection, id: DisputeId) -> Result<DisputeRow, Error> {
    let row = sqlx::query_as(
        "select dispute_id, payment_id, order_id, psp, psp_reference, state, reason, amount_minor, fee_minor, currency::text as currency,
             evidence_due_at, opened_at, closed_at
         from dispute where dispute_id = $1",
    )
    .bind(id.uuid())
    .fetch_optional(db)
    .await?;
    row.ok_or(Error::DisputeNotFound(id))
}

/// A page of disputes, those opened last first.
pub(crate) async fn list(db: &mut PgConnection, state: Option<DisputeState>, before: Option<Uuid>, limit: i64) -> Result<Vec<DisputeRow>, Error> {
    let rows = sqlx::query_as(
        "select dispute_id, payment_id, order_id, psp, psp_reference, state, reason, amount_minor, fee_minor, currency::text as currency,
             evidence_due_at, opened_at, closed_at
         from dispute
         where ($1::text is null or state = $1) and ($2::uuid is null
             or (opened_at, dispute_id) < (select last.opened_at, last.dispute_id from dispute last where last.dispute_id = $2))
         order by opened_at desc, dispute_id desc limit $3",
    )
    .bind(state.map(DisputeState::word))
    .bind(before)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(rows)
}

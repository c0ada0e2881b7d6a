//! The contract of the payments service: messages, client, server, events and typed ids.

use kit_core::{Id, Kind};

kit_rpc::contract!("payments");

pub enum PaymentKind {}
impl Kind for PaymentKind {
    const PREFIX: &'static str = "pay";
}
/// One attempt to pay an order.
pub type PaymentId = Id<PaymentKind>;

pub enum CaptureKind {}
impl Kind for CaptureKind {
    const PREFIX: &'static str = "cap";
}
/// One taking of authorised money.
pub type CaptureId = Id<CaptureKind>;

pub enum RefundKind {}
impl Kind for RefundKind {
    const PREFIX: &'static str = "rfn";
}
/// One giving back of captured money.
pub type RefundId = Id<RefundKind>;

pub enum EntryKeyKind {}
impl Kind for EntryKeyKind {
    const PREFIX: &'static str = "led";
}
/// One journal entry of the ledger.
pub type EntryId = Id<EntryKeyKind>;

pub enum MethodKind {}
impl Kind for MethodKind {
    const PREFIX: &'static str = "pmd";
}
/// A buyer's saved payment method.
pub type MethodId = Id<MethodKind>;

pub enum PayoutKind {}
impl Kind for PayoutKind {
    const PREFIX: &'static str = "pyo";
}
/// What a tenant was paid for a period.
pub type PayoutId = Id<PayoutKind>;

pub enum DisputeKind {}
impl Kind for DisputeKind {
    const PREFIX: &'static str = "dsp";
}
/// One dispute of a payment.
pub type DisputeId = Id<DisputeKind>;

pub enum OpenItemKeyKind {}
impl Kind for OpenItemKeyKind {
    const PREFIX: &'static str = "opn";
}
/// One difference between our ledger and somebody's report.
pub type OpenItemId = Id<OpenItemKeyKind>;

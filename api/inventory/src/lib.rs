//! The contract of the inventory service: messages, client, server, events and typed ids.

kit_rpc::contract!("inventory");

use kit_core::{Id, Kind};

pub enum WarehouseKind {}
impl Kind for WarehouseKind {
    const PREFIX: &'static str = "whs";
}
pub type WarehouseId = Id<WarehouseKind>;

pub enum JournalKind {}
impl Kind for JournalKind {
    const PREFIX: &'static str = "jrn";
}
/// One entry of the stock journal.
pub type JournalId = Id<JournalKind>;

pub enum ReservationKind {}
impl Kind for ReservationKind {
    // A reservation is known by the id of the order it is for.
    const PREFIX: &'static str = "ord";
}
pub type ReservationId = Id<ReservationKind>;

//! The contract of the orders service: messages, client, server, events and typed ids.

kit_rpc::contract!("orders");

pub enum CheckoutKind {}
impl kit_core::Kind for CheckoutKind {
    const PREFIX: &'static str = "chk";
}
pub type CheckoutId = kit_core::Id<CheckoutKind>;

pub enum OrderKind {}
impl kit_core::Kind for OrderKind {
    const PREFIX: &'static str = "ord";
}
pub type OrderId = kit_core::Id<OrderKind>;

pub enum SubOrderKind {}
impl kit_core::Kind for SubOrderKind {
    const PREFIX: &'static str = "sub";
}
/// One seller's part of an order.
pub type SubOrderId = kit_core::Id<SubOrderKind>;

pub enum CancellationKind {}
impl kit_core::Kind for CancellationKind {
    const PREFIX: &'static str = "cnl";
}
/// Something that was cancelled of a sub-order after it was paid.
pub type CancellationId = kit_core::Id<CancellationKind>;

pub enum ItemKind {}
impl kit_core::Kind for ItemKind {
    const PREFIX: &'static str = "itm";
}
/// A line of an order.
pub type ItemId = kit_core::Id<ItemKind>;

pub enum ReturnKind {}
impl kit_core::Kind for ReturnKind {
    const PREFIX: &'static str = "ret";
}
/// Pieces that a buyer sends back, or money that a seller gives back.
pub type ReturnId = kit_core::Id<ReturnKind>;

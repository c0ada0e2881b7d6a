//! The contract of the fulfillment service: messages, client, server, events and typed ids.

kit_rpc::contract!("fulfillment");

pub enum ShipmentKind {}
impl kit_core::Kind for ShipmentKind {
    const PREFIX: &'static str = "shp";
}
/// What left a seller's shelf at one time with one carrier.
pub type ShipmentId = kit_core::Id<ShipmentKind>;

pub enum ShippingMethodKind {}
impl kit_core::Kind for ShippingMethodKind {
    const PREFIX: &'static str = "smt";
}
pub type ShippingMethodId = kit_core::Id<ShippingMethodKind>;

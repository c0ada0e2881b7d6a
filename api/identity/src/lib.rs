//! The contract of the identity service: messages, client, server, events and typed ids.

kit_rpc::contract!("identity");

pub enum SessionKind {}
impl kit_core::Kind for SessionKind {
    const PREFIX: &'static str = "ses";
}
/// One sign-in on one device, until it ends.
pub type SessionId = kit_core::Id<SessionKind>;

pub enum AddressKind {}
impl kit_core::Kind for AddressKind {
    const PREFIX: &'static str = "adr";
}
/// An entry of a person's address book.
pub type AddressId = kit_core::Id<AddressKind>;

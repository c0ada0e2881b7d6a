//! The contract of the notifications service: messages, client, server, events and typed ids.

kit_rpc::contract!("notifications");

pub enum MessageKind {}
impl kit_core::Kind for MessageKind {
    const PREFIX: &'static str = "msg";
}
/// A message to a person.
pub type MessageId = kit_core::Id<MessageKind>;

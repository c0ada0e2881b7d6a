//! The contract of the admin service: messages, client, server, events and typed ids.

kit_rpc::contract!("admin");

pub enum AuditKind {}
impl kit_core::Kind for AuditKind {
    const PREFIX: &'static str = "aud";
}
/// An entry of the audit log.
pub type AuditId = kit_core::Id<AuditKind>;

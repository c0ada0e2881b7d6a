//! The contract of the analytics service: messages, client, server, events and typed ids.

kit_rpc::contract!("analytics");

use kit_core::{Id, Kind};

pub enum SubjectKind {}
impl Kind for SubjectKind {
    const PREFIX: &'static str = "sub";
}
/// Somebody whose behaviour is recorded, under a pseudonym.
pub type SubjectId = Id<SubjectKind>;

//! The contract of the recommendations service: messages, client, server, events and typed ids.

kit_rpc::contract!("recommendations");

use kit_core::{Id, Kind};

pub enum ModelKind {}
impl Kind for ModelKind {
    const PREFIX: &'static str = "mdl";
}
/// One training's result.
pub type ModelId = Id<ModelKind>;

pub enum ExperimentKind {}
impl Kind for ExperimentKind {
    const PREFIX: &'static str = "exp";
}
/// A comparison of two ways to recommend.
pub type ExperimentId = Id<ExperimentKind>;

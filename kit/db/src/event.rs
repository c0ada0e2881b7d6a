//! Events as services append them and as consumers read them.

use std::net::IpAddr;

use bytes::Bytes;
use kit_core::{TenantId, Time};
use kit_rpc::proto;
use uuid::Uuid;

/// Something that happened, to be appended in the transaction of the change.
#[derive(Debug, Clone)]
pub struct Event {
    /// The thing it is about; events with one key are ordered, and `Db::watch` follows one key.
    pub key: Uuid,
    pub tenant: Option<TenantId>,
    /// Past tense, snake case: `order_placed`.
    pub kind: &'static str,
    /// The service's event message, encoded.
    pub payload: Vec<u8>,
    /// `{"before": …, "after": …}` for the audit log; none when the event says it all.
    pub change: Option<serde_json::Value>,
}

/// Where in a log: by the transaction that wrote, then by number within it. Readers stay below the oldest running
/// transaction, so what they have passed never gets a late neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    pub transaction: u64,
    pub number: i64,
}

/// An event as read from a log.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedEvent {
    /// The service whose log it is, and the cell.
    pub source: String,
    pub cell: String,
    pub position: Position,
    pub key: Uuid,
    pub tenant: Option<TenantId>,
    pub kind: String,
    pub payload: Bytes,
    pub change: Option<serde_json::Value>,
    pub at: Time,
    pub request_id: String,
    /// As `Ctx::actor_text` writes it.
    pub actor: String,
    pub on_behalf_of: Option<String>,
    pub address: Option<IpAddr>,
}

impl LoggedEvent {
    /// The payload as the source's event message.
    pub fn decode<M: prost::Message + Default>(&self) -> Result<M, prost::DecodeError> {
        M::decode(self.payload.clone())
    }

    pub fn to_proto(&self) -> proto::LoggedEvent {
        proto::LoggedEvent {
            position: Some(self.position.into()),
            key: self.key.to_string(),
            tenant_id: self.tenant.map(|tenant| tenant.to_string()).unwrap_or_default(),
            kind: self.kind.clone(),
            payload: self.payload.clone(),
            at: Some(kit_rpc::timestamp(self.at)),
            request_id: self.request_id.clone(),
            actor: self.actor.clone(),
            on_behalf_of: self.on_behalf_of.clone().unwrap_or_default(),
            address: self.address.map(|address| address.to_string()).unwrap_or_default(),
            change: self.change.as_ref().map(ToString::to_string).unwrap_or_default(),
        }
    }

    /// Reads an event that came over a link. `None` when it is not one of ours (no position, no key).
    pub fn from_proto(source: &str, cell: &str, event: proto::LoggedEvent) -> Option<Self> {
        Some(Self {
            source: source.to_owned(),
            cell: cell.to_owned(),
            position: event.position?.into(),
            key: event.key.parse().ok()?,
            tenant: event.tenant_id.parse().ok(),
            kind: event.kind,
            payload: event.payload,
            change: serde_json::from_str(&event.change).ok(),
            at: event.at.as_ref().map(kit_rpc::time).unwrap_or_default(),
            request_id: event.request_id,
            actor: event.actor,
            on_behalf_of: Some(event.on_behalf_of).filter(|text| !text.is_empty()),
            address: event.address.parse().ok(),
        })
    }
}

impl From<Position> for proto::Position {
    fn from(position: Position) -> Self {
        Self { transaction: position.transaction, number: position.number }
    }
}

impl From<proto::Position> for Position {
    fn from(position: proto::Position) -> Self {
        Self { transaction: position.transaction, number: position.number }
    }
}

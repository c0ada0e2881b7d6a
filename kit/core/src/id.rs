//! Typed ids: a UUIDv7 inside, a prefixed text outside (`ord_0198f0d1…`), so that ids of two kinds never mix.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use uuid::Uuid;

/// A kind of thing that has ids; one empty enum and one line each.
pub trait Kind: 'static {
    const PREFIX: &'static str;
}

pub enum TenantKind {}
impl Kind for TenantKind {
    const PREFIX: &'static str = "ten";
}
pub type TenantId = Id<TenantKind>;

pub enum UserKind {}
impl Kind for UserKind {
    const PREFIX: &'static str = "usr";
}
/// A person (buyer, seller, operator) or a guest.
pub type UserId = Id<UserKind>;

pub struct Id<K: Kind> {
    uuid: Uuid,
    kind: PhantomData<fn() -> K>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid id: expected \"{prefix}_\" followed by 32 hexadecimal digits")]
pub struct InvalidId {
    pub prefix: &'static str,
}

impl<K: Kind> Id<K> {
    pub const fn uuid(self) -> Uuid {
        self.uuid
    }
}

impl<K: Kind> From<Uuid> for Id<K> {
    fn from(uuid: Uuid) -> Self {
        Self { uuid, kind: PhantomData }
    }
}

impl<K: Kind> FromStr for Id<K> {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = InvalidId { prefix: K::PREFIX };
        let hex = text.strip_prefix(K::PREFIX).and_then(|rest| rest.strip_prefix('_'));
        // Only the canonical spelling is accepted, so that an id has one text form and texts can be compared.
        let canonical = hex.filter(|hex| hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
        let uuid = canonical.and_then(|hex| Uuid::try_parse(hex).ok());
        uuid.map(Self::from).ok_or(invalid)
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", K::PREFIX, self.uuid.simple())
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K: Kind> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K: Kind> Copy for Id<K> {}
impl<K: Kind> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}
impl<K: Kind> Eq for Id<K> {}
impl<K: Kind> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K: Kind> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.uuid.cmp(&other.uuid)
    }
}
impl<K: Kind> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}
impl<K: Kind> serde::Serialize for Id<K> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de, K: Kind> serde::Deserialize<'de> for Id<K> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_what_it_wrote_and_refuses_another_kind() {
        let id = TenantId::from(Uuid::from_u128(0x0198_f0d1_0000_7000_8000_0000_0000_0001));
        assert_eq!(id.to_string(), "ten_0198f0d1000070008000000000000001");
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in
            ["", "ten_", "usr_0198f0d1000070008000000000000001", "ten_0198F0D1000070008000000000000001", "ten_0198f0d1-0000-7000-8000-000000000001"]
        {
            assert_eq!(wrong.parse::<TenantId>(), Err(InvalidId { prefix: "ten" }), "{wrong}");
        }
    }
}

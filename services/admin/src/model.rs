//! The chain: what an entry is, and how its hash follows from it and the one before. Pure.

use kit_core::{TenantId, Time};
use kit_db::LoggedEvent;
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub(crate) type Hash = [u8; 32];

/// One thing that happened, without its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Happening {
    pub(crate) at: Time,
    pub(crate) actor: String,
    pub(crate) on_behalf_of: String,
    pub(crate) address: String,
    pub(crate) service: String,
    pub(crate) kind: String,
    pub(crate) key: Uuid,
    pub(crate) tenant: Option<TenantId>,
    /// JSON text, kept as it was hashed.
    pub(crate) change: String,
    pub(crate) request_id: String,
}

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) sequence: i64,
    pub(crate) audit_id: Uuid,
    pub(crate) what: Happening,
    pub(crate) prev_hash: Hash,
    pub(crate) hash: Hash,
}

/// The end of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) sequence: i64,
    pub(crate) hash: Hash,
}

impl Head {
    /// Before the first entry: number 0, a hash of zeros.
    pub(crate) const START: Self = Self { sequence: 0, hash: [0; 32] };

    /// The next entry, and the end of the chain after it.
    pub(crate) fn append(self, audit_id: Uuid, what: Happening) -> (Entry, Self) {
        let sequence = self.sequence + 1;
        let hash = link(self.hash, sequence, audit_id, &what);
        (Entry { sequence, audit_id, what, prev_hash: self.hash, hash }, Self { sequence, hash })
    }

    /// The end of the chain after an entry that fits, or what does not fit.
    pub(crate) fn accept(self, entry: &Entry) -> Result<Self, &'static str> {
        if entry.sequence != self.sequence + 1 {
            return Err("an entry is missing before this one");
        }
        if entry.prev_hash != self.hash {
            return Err("it does not follow from the entry before it");
        }
        if entry.hash != link(self.hash, entry.sequence, entry.audit_id, &entry.what) {
            return Err("its content does not match its hash");
        }
        Ok(Self { sequence: entry.sequence, hash: entry.hash })
    }
}

impl Happening {
    pub(crate) fn of(event: &LoggedEvent) -> Self {
        Self {
            at: event.at,
            actor: event.actor.clone(),
            on_behalf_of: event.on_behalf_of.clone().unwrap_or_default(),
            address: event.address.map(|address| address.to_string()).unwrap_or_default(),
            service: event.source.clone(),
            kind: event.kind.clone(),
            key: event.key,
            tenant: event.tenant,
            change: event.change.as_ref().map(ToString::to_string).unwrap_or_default(),
            request_id: event.request_id.clone(),
        }
    }
}

/// SHA-256 over the hash before and a JSON array of the entry's fields in the order of the contract; JSON keeps one field from
/// running into the next, and is easy to rebuild in any language.
fn link(before: Hash, sequence: i64, audit_id: Uuid, what: &Happening) -> Hash {
    let tenant = what.tenant.map(|tenant| tenant.to_string()).unwrap_or_default();
    let fields = json!([
        sequence,
        audit_id.simple().to_string(),
        what.at.timestamp_micros(),
        what.actor,
        what.on_behalf_of,
        what.address,
        what.service,
        what.kind,
        what.key.simple().to_string(),
        tenant,
        what.change,
        what.request_id
    ]);
    let mut hasher = Sha256::new();
    hasher.update(before);
    hasher.update(fields.to_string());
    hasher.finalize().into()
}

pub(crate) fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn happening(text: &str) -> Happening {
        Happening {
            at: Time::from_timestamp(1_800_000_000, 0).unwrap(),
            actor: "usr_1".to_owned(),
            on_behalf_of: String::new(),
            address: "127.0.0.1".to_owned(),
            service: "orders".to_owned(),
            kind: "order_placed".to_owned(),
            key: Uuid::from_u128(7),
            tenant: None,
            change: text.to_owned(),
            request_id: "req_1".to_owned(),
        }
    }

    fn chain(texts: &[String]) -> Vec<Entry> {
        let mut head = Head::START;
        texts
            .iter()
            .zip(1..)
            .map(|(text, number)| {
                let (entry, next) = head.append(Uuid::from_u128(number), happening(text));
                head = next;
                entry
            })
            .collect()
    }

    fn verify(entries: &[Entry]) -> Result<Head, &'static str> {
        entries.iter().try_fold(Head::START, Head::accept)
    }

    proptest! {
        #[test]
        fn a_chain_holds_until_anything_in_it_changes(texts in prop::collection::vec(".{0,12}", 2..12), at in any::<prop::sample::Index>(), new in ".{0,12}") {
            let entries = chain(&texts);
            prop_assert_eq!(verify(&entries).map(|head| head.sequence), Ok(i64::try_from(texts.len()).unwrap()));
            let at = at.index(entries.len());
            let mut altered = entries.clone();
            altered[at].what.change = format!("{}{new}!", altered[at].what.change);
            prop_assert!(verify(&altered).is_err());
            let mut cut = entries.clone();
            cut.remove(at);
            prop_assert!(at == entries.len() - 1 || verify(&cut).is_err());
            let mut swapped = entries;
            let other = (at + 1) % texts.len();
            swapped.swap(at, other);
            prop_assert!(verify(&swapped).is_err());
        }
    }

    #[test]
    fn a_field_cannot_run_into_the_next() {
        let mut one = happening("");
        (one.service, one.kind) = ("ab".to_owned(), "c".to_owned());
        let mut other = happening("");
        (other.service, other.kind) = ("a".to_owned(), "bc".to_owned());
        let id = Uuid::from_u128(1);
        assert_ne!(Head::START.append(id, one).0.hash, Head::START.append(id, other).0.hash);
    }
}

//! What is decided without a database: who a pseudonym is, which events are valid, whose they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use api_analytics::{BehaviourEvent, BehaviourKind, RecordEventsRequest, SubjectId};
use hmac::{Hmac, Mac};
use kit_core::{Time, Violation};
use sha2::Sha256;
use uuid::Builder;

use crate::config::Config;

/// A visitor id must be long enough that nobody guesses another's.
const SHORTEST_VISITOR_ID: usize = 16;

/// The secret that makes pseudonyms: without it nobody can tell whether a visitor id or an order is a subject's.
#[derive(Clone)]
pub(crate) struct Pepper(Arc<[u8]>);

impl Pepper {
    pub(crate) fn new(secret: &[u8]) -> Self {
        Self(secret.into())
    }

    /// The subject of a device that has no account.
    pub(crate) fn visitor(&self, visitor_id: &str) -> SubjectId {
        self.subject("visitor", visitor_id)
    }

    /// A subject for one order alone, for goods bought together by somebody who is not recorded.
    pub(crate) fn basket(&self, order_id: &str) -> SubjectId {
        self.subject("order", order_id)
    }

    fn subject(&self, purpose: &str, text: &str) -> SubjectId {
        // HMAC takes a key of any length; the error case cannot occur.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).unwrap_or_else(|_| Hmac::new(&Default::default()));
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(text.as_bytes());
        let mut first = [0; 16];
        first.iter_mut().zip(mac.finalize().into_bytes()).for_each(|(byte, of)| *byte = of);
        Builder::from_custom_bytes(first).into_uuid().into()
    }
}

/// Whether a text can name a device.
pub(crate) fn is_visitor_id(text: &str) -> bool {
    text.len() >= SHORTEST_VISITOR_ID && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// What is wrong with the events of a request that comes from outside, beyond what the contract's rules say of each field.
pub(crate) fn violations(request: &RecordEventsRequest, now: Time, config: &Config) -> Vec<Violation> {
    let oldest = now - chrono::Duration::days(i64::from(config.oldest_event_days));
    let newest = now + chrono::Duration::minutes(i64::from(config.clock_skew_minutes));
    let mut found = Vec::new();
    if !request.visitor_id.is_empty() && !is_visitor_id(&request.visitor_id) {
        found.push(violation("visitor_id".to_owned(), VISITOR_ID));
    }
    for (place, event) in request.events.iter().enumerate() {
        let mut wrong = |field: &str, message: &str| found.push(violation(format!("events[{place}].{field}"), message));
        match event.kind() {
            BehaviourKind::Unspecified => wrong("kind", "is required"),
            BehaviourKind::Purchase => wrong("kind", "purchases are told by orders alone"),
            BehaviourKind::Search if event.query.trim().is_empty() => wrong("query", "a search has words"),
            BehaviourKind::Search => {}
            BehaviourKind::View | BehaviourKind::Click | BehaviourKind::AddToCart | BehaviourKind::RemoveFromCart => {
                if event.product_id.is_empty() {
                    wrong("product_id", "this kind of event is about a product");
                }
            }
        }
        if event.occurred_at.as_ref().map(kit_rpc::time).is_some_and(|at| at < oldest || at > newest) {
            wrong("occurred_at", "is too long ago or in the future");
        }
        if !event.visitor_id.is_empty() && !is_visitor_id(&event.visitor_id) {
            wrong("visitor_id", VISITOR_ID);
        }
    }
    found
}

const VISITOR_ID: &str = "must be at least 16 letters, digits, - or _";

fn violation(field: String, message: &str) -> Violation {
    Violation { field, message: message.to_owned() }
}

/// The events of each subject, in order, timed, and without what tells who they are. Other visitors than the caller are left out unless the
/// pepper is given, which is when they agreed.
pub(crate) fn by_subject(
    events: Vec<BehaviourEvent>,
    own: Option<SubjectId>,
    others: Option<&Pepper>,
    now: Time,
) -> BTreeMap<SubjectId, Vec<BehaviourEvent>> {
    let mut found: BTreeMap<SubjectId, Vec<BehaviourEvent>> = BTreeMap::new();
    for mut event in events {
        let visitor = std::mem::take(&mut event.visitor_id);
        let subject = if visitor.is_empty() { own } else { others.map(|pepper| pepper.visitor(&visitor)) };
        if let Some(subject) = subject {
            event.occurred_at.get_or_insert_with(|| kit_rpc::timestamp(now));
            found.entry(subject).or_default().push(event);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Time {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_pseudonym_is_stable_and_tells_nothing_without_the_secret() {
        let (ours, theirs) = (Pepper::new(&[1; 32]), Pepper::new(&[2; 32]));
        let visitor = "a-visitor-of-the-market";
        assert_eq!(ours.visitor(visitor), ours.visitor(visitor));
        assert_ne!(ours.visitor(visitor), theirs.visitor(visitor));
        assert_ne!(ours.visitor(visitor), ours.basket(visitor));
    }

    #[test]
    fn each_kind_of_event_says_what_it_lacks() {
        let event = |kind: BehaviourKind| BehaviourEvent { kind: kind.into(), ..Default::default() };
        let old = BehaviourEvent {
            occurred_at: Some(kit_rpc::timestamp(now() - chrono::Duration::days(8))),
            query: "lamp".to_owned(),
            ..event(BehaviourKind::Search)
        };
        let kinds = [BehaviourKind::View, BehaviourKind::Search, BehaviourKind::Purchase, BehaviourKind::Unspecified];
        let events = kinds.into_iter().map(event).chain([old]).collect();
        let request = RecordEventsRequest { visitor_id: "short".to_owned(), consented: true, events };
        let fields: Vec<String> = violations(&request, now(), &Config::default()).into_iter().map(|violation| violation.field).collect();
        assert_eq!(fields, ["visitor_id", "events[0].product_id", "events[1].query", "events[2].kind", "events[3].kind", "events[4].occurred_at"]);
    }

    #[test]
    fn events_are_parted_by_subject_and_lose_the_visitors_name() {
        let pepper = Pepper::new(&[1; 32]);
        let of = |visitor: &str| BehaviourEvent { visitor_id: visitor.to_owned(), ..Default::default() };
        let own = pepper.basket("own");
        let events = vec![of(""), of("another-visitor-id"), of("")];
        let parted = by_subject(events.clone(), Some(own), Some(&pepper), now());
        assert_eq!(parted[&own].len(), 2);
        let other = &parted[&pepper.visitor("another-visitor-id")];
        assert_eq!(other.len(), 1);
        assert!(other.iter().all(|event| event.visitor_id.is_empty() && event.occurred_at.is_some()));
        assert_eq!(by_subject(events.clone(), None, Some(&pepper), now()).len(), 1);
        assert_eq!(by_subject(events, Some(own), None, now()).into_keys().collect::<Vec<_>>(), [own]);
    }
}

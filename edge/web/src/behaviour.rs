//! What visitors do, told to analytics beside the request: a page never waits for it, and nothing is lost to the visitor when it fails.

use api_analytics::{BehaviourEvent, BehaviourKind, RecordEventsRequest};

use crate::site::Site;
use crate::visit::Visit;

impl Site {
    /// Tells what somebody did. Of those who did not agree analytics records nothing; visitors without a name are not even told of.
    pub(crate) fn note(&self, visit: &Visit, events: Vec<BehaviourEvent>) {
        if events.is_empty() || (visit.ctx.user().is_none() && visit.visitor.is_empty()) {
            return;
        }
        let request = RecordEventsRequest { visitor_id: visit.visitor.clone(), consented: !visit.visitor.is_empty(), events };
        let (mut analytics, request) = (self.analytics.clone(), visit.ctx.request(request));
        tokio::spawn(async move {
            if let Err(status) = analytics.record_events(request).await {
                tracing::debug!(error = status.message(), "what a visitor did was not recorded");
            }
        });
    }
}

pub(crate) fn about_product(kind: BehaviourKind, product_id: &str, source: &str) -> BehaviourEvent {
    BehaviourEvent { kind: kind.into(), product_id: product_id.to_owned(), source: source.to_owned(), ..Default::default() }
}

/// A product's page was opened, from a shelf when `source` names one.
pub(crate) fn opened(product_id: &str, source: &str) -> Vec<BehaviourEvent> {
    let mut events = vec![about_product(BehaviourKind::View, product_id, "")];
    if source.starts_with("shelf:") && source.len() < 30 {
        events.push(about_product(BehaviourKind::Click, product_id, source));
    }
    events
}

pub(crate) fn searched(words: &str) -> Vec<BehaviourEvent> {
    let query: String = words.trim().chars().take(300).collect();
    if query.is_empty() { Vec::new() } else { vec![BehaviourEvent { kind: BehaviourKind::Search.into(), query, ..Default::default() }] }
}

//! Open product pages follow price and stock. One task per product looks at the listing (which the search service holds in memory)
//! however many pages show it, and ends with the last of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api_search::{GetListingRequest, Listing};
use axum::extract::{Path, Query as UrlQuery, State};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use http::StatusCode;
use kit_rpc::Ctx;
use serde::Deserialize;
use tokio::sync::watch;

use crate::buyer::product::{self, ProductPage};
use crate::session::Here;
use crate::site::Web;

/// How often a listing that somebody looks at is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(400);
/// Products followed at one time; pages of others are as they were when loaded.
const MAX_PRODUCTS: usize = 2000;
/// A stream ends after this, and the browser asks again, so that what nobody looks at any more is not followed for long.
const STREAM_SECONDS: u64 = 25;

type Seen = Option<Arc<Listing>>;

/// The products that open pages follow now.
#[derive(Default)]
pub(crate) struct Followed(Mutex<HashMap<String, watch::Receiver<Seen>>>);

impl Followed {
    fn forget(&self, product_id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(product_id);
    }
}

fn follow(site: &Web, product_id: &str) -> Option<watch::Receiver<Seen>> {
    let mut followed = site.followed.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = followed.get(product_id) {
        return Some(known.clone());
    }
    if followed.len() >= MAX_PRODUCTS {
        return None;
    }
    let (sender, receiver) = watch::channel(None);
    followed.insert(product_id.to_owned(), receiver.clone());
    tokio::spawn(look(Arc::clone(site), product_id.to_owned(), sender));
    Some(receiver)
}

/// Looks until no page is left; the one receiver that remains is the one in `Followed`.
async fn look(site: Web, product_id: String, sender: watch::Sender<Seen>) {
    while sender.receiver_count() > 1 {
        let request = Ctx::anonymous("live").request(GetListingRequest { product_id: product_id.clone() });
        if let Ok(answer) = site.search.clone().get_listing(request).await {
            let listing = answer.into_inner();
            sender.send_if_modified(|seen| {
                let newer = seen.as_ref().is_none_or(|seen| seen.revision != listing.revision);
                if newer {
                    *seen = Some(Arc::new(listing));
                }
                newer
            });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    site.followed.forget(&product_id);
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Shown {
    /// The variant the page shows.
    v: String,
    /// The revision of the listing it was made from.
    r: i64,
}

/// The buying part of the page, again after each change.
pub(crate) async fn product(
    State(site): State<Web>,
    here: Here,
    Path((_word, id)): Path<(String, String)>,
    UrlQuery(shown): UrlQuery<Shown>,
) -> Response {
    let Some(receiver) = follow(&site, &id) else { return StatusCode::NO_CONTENT.into_response() };
    let changes = changes(receiver, shown.r).map(move |listing| {
        let chosen = listing.variants.iter().position(|variant| variant.variant_id == shown.v).unwrap_or(0);
        let page = ProductPage { listing: Arc::unwrap_or_clone(listing), chosen, elsewhere: Vec::new(), more_of_shop: Vec::new() };
        Event::default().event("update").data(product::buying(&here, &page).0)
    });
    let until = tokio::time::sleep(Duration::from_secs(STREAM_SECONDS));
    site.live(changes.take_until(until))
}

/// Each listing that differs from the one before, beginning with the revision the page has.
fn changes(receiver: watch::Receiver<Seen>, revision: i64) -> impl Stream<Item = Arc<Listing>> {
    stream::unfold((receiver, revision), |(mut receiver, revision)| async move {
        loop {
            let newest = receiver.borrow_and_update().clone();
            if let Some(listing) = newest.filter(|listing| listing.revision != revision) {
                let revision = listing.revision;
                return Some((listing, (receiver, revision)));
            }
            receiver.changed().await.ok()?;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_page_hears_of_changes_and_not_of_what_it_shows() {
        let (sender, receiver) = watch::channel(Some(Arc::new(Listing { revision: 7, ..Listing::default() })));
        let mut heard = Box::pin(changes(receiver, 7));
        assert!(futures::poll!(heard.next()).is_pending());
        sender.send_replace(Some(Arc::new(Listing { revision: 8, ..Listing::default() })));
        assert_eq!(heard.next().await.unwrap().revision, 8);
        drop(sender);
        assert!(heard.next().await.is_none());
    }
}

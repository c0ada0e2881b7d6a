//! Which listings of other sellers are the same product: each is the other's best match in its shop, and it is sure enough.

use std::collections::BTreeMap;
use std::sync::Arc;

use api_search as api;
use tantivy::query::{ConstScoreQuery, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocAddress, DocSet, Searcher, TERMINATED, Term};

use super::Search;
use super::comparing::described;
use crate::error::Error;
use crate::index::document::Card;
use crate::index::feeder::blocking;
use crate::query::collect::{Collect, Found};
use crate::query::plan::Reader;
use crate::query::profile::Profile;
use crate::query::rank::COMPARED;
use crate::query::same::certainty;
use crate::query::spelling::Vocabulary;
use crate::query::walk::{Walk, Walked};
use crate::text;

/// Sellers whose best match is looked at.
const SELLERS: usize = 20;
/// What a listing is asked for by.
const QUERY_CHARACTERS: usize = 300;

/// A listing to compare.
struct Side {
    found: Found,
    card: Arc<Card>,
    profile: Arc<Profile>,
}

impl Side {
    fn hit(&self) -> api::Hit {
        self.card.hit.clone().unwrap_or_default()
    }

    fn seller(&self) -> &str {
        self.card.hit.as_ref().map_or("", |hit| &hit.tenant_id)
    }
}

/// One look at the index.
struct Look<'a> {
    search: &'a Search,
    searcher: Searcher,
    vocabulary: Arc<Vocabulary>,
}

impl Search {
    /// The surest first.
    pub(crate) async fn same_products(&self, request: api::ListSameProductsRequest) -> Result<api::ListSameProductsResponse, Error> {
        let least = request.least_certainty.unwrap_or(self.0.config.same_product_certainty);
        let slot = Arc::clone(&self.0.slots).acquire_owned().await.map_err(|_| Error::Index("searching has ended".to_owned()))?;
        let search = self.clone();
        blocking(move || {
            let _slot = slot;
            let look = Look { searcher: search.0.home.live().searcher(), vocabulary: search.vocabulary(), search: &search };
            let products = look.same_products(&request.product_id, &request.tenant_id, least)?;
            Ok(api::ListSameProductsResponse { products, least_certainty: least })
        })
        .await
    }
}

impl Look<'_> {
    fn same_products(&self, product: &str, seller: &str, least: f64) -> Result<Vec<api::SameProduct>, Error> {
        let address = self.address(product)?.ok_or(Error::ListingNotFound)?;
        let one = self.side(Found::at(address))?;
        let mut best: BTreeMap<String, (f64, Side)> = BTreeMap::new();
        for (certainty, other) in self.alike(&one, seller)? {
            let surest = best.get(other.seller()).map_or(least, |(surest, _)| *surest);
            if other.seller() != one.seller() && certainty >= surest {
                best.insert(other.seller().to_owned(), (certainty, other));
            }
        }
        let mut best: Vec<(f64, Side)> = best.into_values().collect();
        best.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut same = Vec::new();
        for (certainty, other) in best.into_iter().take(SELLERS) {
            let back = self.alike(&other, one.seller())?.into_iter().max_by(|a, b| a.0.total_cmp(&b.0));
            if back.is_some_and(|(_, back)| back.found.address == one.found.address) {
                same.push(api::SameProduct { hit: Some(other.hit()), certainty });
            }
        }
        Ok(same)
    }

    fn address(&self, product: &str) -> Result<Option<DocAddress>, Error> {
        let term = Term::from_field_text(self.search.0.home.fields.product, product);
        for (ordinal, reader) in (0..).zip(self.searcher.segment_readers()) {
            let inverted = reader.inverted_index(self.search.0.home.fields.product)?;
            let Some(mut listings) = inverted.read_postings(&term, IndexRecordOption::Basic)? else { continue };
            while listings.doc() != TERMINATED {
                if reader.alive_bitset().is_none_or(|alive| alive.is_alive(listings.doc())) {
                    return Ok(Some(DocAddress::new(ordinal, listings.doc())));
                }
                listings.advance();
            }
        }
        Ok(None)
    }

    fn side(&self, found: Found) -> Result<Side, Error> {
        let card = self.search.card(&self.searcher, found.address)?;
        let profile = self.search.profile(&self.searcher, found.address, &self.vocabulary.lexicon)?;
        Ok(Side { found, card, profile })
    }

    /// What a seller's shop, or any, has that is named alike, with how sure it is that it is the same.
    fn alike(&self, one: &Side, seller: &str) -> Result<Vec<(f64, Side)>, Error> {
        let fields = &self.search.0.home.fields;
        let synonyms = self.search.synonyms();
        let (spelling, max_words) = (&self.vocabulary.spelling, self.search.0.config.query_words);
        let reader = Reader { searcher: &self.searcher, fields, spelling, synonyms: &synonyms, max_words };
        let name: String = one.card.name().chars().take(QUERY_CHARACTERS).collect();
        let plan = reader.plan(&name);
        let conditions: Vec<Box<dyn Query>> = (!seller.is_empty()).then(|| of_seller(fields.seller, seller)).into_iter().collect();
        let walk = Walk { searcher: &self.searcher, plan: &plan, conditions: &conditions };
        let collect = Collect { limit: COMPARED, ..Collect::everything(Arc::clone(&self.search.0.opened)) };
        let (_, Walked { found, .. }) = walk.relaxing(&collect, None)?;
        let top = found.top;
        let by_others = described(&self.searcher, fields.description, &one.profile, &top)?;
        let mut alike = Vec::with_capacity(top.len());
        for (found, by_other) in top.into_iter().zip(by_others) {
            let other = self.side(found)?;
            let by_one = described(&self.searcher, fields.description, &other.profile, std::slice::from_ref(&one.found))?;
            let by_one = by_one.first().map(Vec::as_slice).unwrap_or_default();
            alike.push((certainty(&one.profile, &other.profile, [&by_other, by_one]), other));
        }
        Ok(alike)
    }
}

fn of_seller(field: Field, seller: &str) -> Box<dyn Query> {
    let term = TermQuery::new(Term::from_field_u64(field, text::hash(seller)), IndexRecordOption::Basic);
    Box::new(ConstScoreQuery::new(Box::new(term), 0.0))
}

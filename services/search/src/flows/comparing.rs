//! Puts the best hits of a wordy query in the order of their likeness to it.

use std::sync::Arc;

use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocAddress, DocSet, Searcher, Term};

use super::Search;
use crate::error::Error;
use crate::query::collect::Found;
use crate::query::lexicon::Lexicon;
use crate::query::plan::Plan;
use crate::query::profile::Profile;
use crate::query::rank::{COMPARED, Likeness, blended};

/// A query to compare with.
pub(crate) struct Asked<'a> {
    pub(crate) profile: Profile,
    pub(crate) words: usize,
    pub(crate) lexicon: &'a Lexicon,
}

impl<'a> Asked<'a> {
    /// The query as it was probably meant.
    pub(crate) fn of(query: &str, plan: &Plan, lexicon: &'a Lexicon) -> Self {
        let meant = plan.corrected();
        Self { profile: Profile::of(meant.as_deref().unwrap_or(query), "", lexicon), words: plan.clauses.len(), lexicon }
    }
}

/// Hits come as BM25 has them; the best are compared and put first, the others follow as they are.
pub(crate) fn put_in_order(asked: &Asked<'_>, top: &mut [Found], likenesses: &[Likeness]) {
    let (best, _) = top.split_at_mut(top.len().min(COMPARED));
    for (found, like) in best.iter_mut().zip(likenesses) {
        found.compared(blended(asked.words, f64::from(found.text), like.total()) * found.factor());
    }
    best.sort_unstable_by(|a, b| b.cmp(a));
}

/// How like the query the best hits are.
pub(crate) fn likenesses(
    searcher: &Searcher,
    descriptions: Field,
    asked: &Asked<'_>,
    top: &[Found],
    profile: impl Fn(DocAddress) -> Result<Arc<Profile>, Error>,
) -> Result<Vec<Likeness>, Error> {
    let best = top.get(..COMPARED).unwrap_or(top);
    let highest = best.iter().map(|found| f64::from(found.text)).fold(f64::MIN_POSITIVE, f64::max);
    let described = described(searcher, descriptions, &asked.profile, best)?;
    let each = best.iter().zip(described);
    each.map(|(found, described)| Ok(Likeness::between(&asked.profile, &*profile(found.address)?, f64::from(found.text) / highest, &described)))
        .collect()
}

impl Search {
    pub(crate) fn likenesses(&self, searcher: &Searcher, asked: &Asked<'_>, top: &[Found]) -> Result<Vec<Likeness>, Error> {
        likenesses(searcher, self.0.home.fields.description, asked, top, |address| self.profile(searcher, address, asked.lexicon))
    }

    pub(crate) fn profile(&self, searcher: &Searcher, address: DocAddress, lexicon: &Lexicon) -> Result<Arc<Profile>, Error> {
        let key = (searcher.segment_reader(address.segment_ord).segment_id(), address.doc_id);
        if let Some(profile) = self.0.profiles.get(&key) {
            return Ok(profile);
        }
        let profile = Arc::new(Profile::of_card(&*self.card(searcher, address)?, lexicon));
        self.0.profiles.insert(key, Arc::clone(&profile));
        Ok(profile)
    }
}

/// For each hit, which of the query's stems its description has.
pub(crate) fn described(searcher: &Searcher, field: Field, asked: &Profile, hits: &[Found]) -> Result<Vec<Vec<bool>>, Error> {
    let mut described = vec![vec![false; asked.stems.len()]; hits.len()];
    let mut places: Vec<usize> = (0..hits.len()).collect();
    let address = |place: &usize| hits.get(*place).map(|hit| hit.address);
    places.sort_unstable_by_key(address);
    for (ordinal, reader) in (0..).zip(searcher.segment_readers()) {
        let here: Vec<usize> = places.iter().copied().filter(|place| address(place).is_some_and(|address| address.segment_ord == ordinal)).collect();
        if here.is_empty() {
            continue;
        }
        let inverted = reader.inverted_index(field)?;
        for (word, stem) in asked.stems.iter().enumerate() {
            let Some(mut listings) = inverted.read_postings(&Term::from_field_text(field, &stem.text), IndexRecordOption::Basic)? else { continue };
            for place in &here {
                let Some(address) = address(place) else { continue };
                if listings.doc() < address.doc_id {
                    listings.seek(address.doc_id);
                }
                if listings.doc() == address.doc_id
                    && let Some(has) = described.get_mut(*place).and_then(|words| words.get_mut(word))
                {
                    *has = true;
                }
            }
        }
    }
    Ok(described)
}

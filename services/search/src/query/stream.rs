//! Where a word is found: its terms in the fields, looked up once, and a walk over the listings that have some of them. Scores are BM25,
//! added up over the terms.

use tantivy::fieldnorm::FieldNormReader;
use tantivy::postings::{Postings, SegmentPostings, TermInfo};
use tantivy::query::{Bm25StatisticsProvider, Bm25Weight, Scorer, Weight};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, DocSet, Score, Searcher, SegmentReader, TERMINATED, Term};

use crate::error::Error;

/// A way to have a word.
pub(crate) enum Way {
    Term(Box<Found>),
    /// Terms that stand together, or words that are all there.
    Several(Box<dyn Weight>),
}

/// A term and where each segment has it.
pub(crate) struct Found {
    field: Field,
    places: Vec<Option<TermInfo>>,
    pub(crate) listings: u64,
    /// Whether it counts how often the listing has it.
    counted: bool,
    weight: Bm25Weight,
}

impl Found {
    /// `None` when no listing has the term. `boost`: what having it is worth.
    pub(crate) fn of(searcher: &Searcher, term: &Term, counted: bool, boost: f32) -> Result<Option<Self>, Error> {
        let mut places = Vec::with_capacity(searcher.segment_readers().len());
        let (mut listings, mut tokens) = (0, 0);
        for reader in searcher.segment_readers() {
            let inverted = reader.inverted_index(term.field())?;
            let place = inverted.get_term_info(term)?;
            listings += place.as_ref().map_or(0, |place| u64::from(place.doc_freq));
            tokens += inverted.total_num_tokens();
            places.push(place);
        }
        if listings == 0 {
            return Ok(None);
        }
        let all = searcher.total_num_docs()?;
        let weight = Bm25Weight::for_one_term_without_explain(listings, all, mean(tokens, all)).boost_by(boost);
        Ok(Some(Self { field: term.field(), places, listings, counted, weight }))
    }

    fn in_segment(&self, ordinal: usize, reader: &SegmentReader) -> Result<Option<Part>, Error> {
        let Some(place) = self.places.get(ordinal).and_then(Option::as_ref) else { return Ok(None) };
        let option = if self.counted { IndexRecordOption::WithFreqs } else { IndexRecordOption::Basic };
        let postings = reader.inverted_index(self.field)?.read_postings_from_terminfo(place, option)?;
        let lengths = reader.fieldnorms_readers().get_field(self.field)?;
        let lengths = lengths.unwrap_or_else(|| FieldNormReader::constant(reader.max_doc(), 1));
        Ok(Some(Part::Term { postings, lengths, weight: self.weight.clone() }))
    }
}

/// The mean number of words in a field.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "there is no other way from a count to f32, and BM25 bears the rounding")]
fn mean(tokens: u64, listings: u64) -> Score {
    tokens as Score / listings as Score
}

impl Way {
    /// Whether some listing of a segment may have the word this way.
    pub(crate) fn may_be_in(&self, ordinal: usize) -> bool {
        match self {
            Self::Term(found) => found.places.get(ordinal).is_some_and(Option::is_some),
            Self::Several(_) => true,
        }
    }
}

enum Part {
    Term { postings: SegmentPostings, lengths: FieldNormReader, weight: Bm25Weight },
    Several(Box<dyn Scorer>),
}

impl Part {
    fn doc(&self) -> DocId {
        match self {
            Self::Term { postings, .. } => postings.doc(),
            Self::Several(scorer) => scorer.doc(),
        }
    }

    fn seek(&mut self, to: DocId) {
        match self {
            Self::Term { postings, .. } => postings.seek(to),
            Self::Several(scorer) => scorer.seek(to),
        };
    }

    fn score(&mut self) -> Score {
        match self {
            Self::Term { postings, lengths, weight } => weight.score(lengths.fieldnorm_id(postings.doc()), postings.term_freq()),
            Self::Several(scorer) => scorer.score(),
        }
    }
}

/// A word's listings in a segment, in order.
pub(crate) struct Stream {
    /// What having the word counts.
    pub(crate) mass: f64,
    parts: Vec<Part>,
    doc: DocId,
}

impl Stream {
    pub(crate) fn open(ways: &[Way], mass: f64, ordinal: usize, reader: &SegmentReader) -> Result<Self, Error> {
        let mut parts = Vec::with_capacity(ways.len());
        for way in ways {
            match way {
                Way::Term(found) => parts.extend(found.in_segment(ordinal, reader)?),
                Way::Several(weight) => parts.push(Part::Several(weight.scorer(reader, 1.0)?)),
            }
        }
        parts.retain(|part| part.doc() != TERMINATED);
        let doc = parts.iter().map(Part::doc).min().unwrap_or(TERMINATED);
        Ok(Self { mass, parts, doc })
    }

    pub(crate) const fn doc(&self) -> DocId {
        self.doc
    }

    /// Moves to the first listing from `to` on; stays when it is there or beyond already.
    pub(crate) fn seek(&mut self, to: DocId) {
        if self.doc >= to {
            return;
        }
        self.doc = TERMINATED;
        for part in &mut self.parts {
            if part.doc() < to {
                part.seek(to);
            }
            self.doc = self.doc.min(part.doc());
        }
    }

    /// What the listing's terms are worth.
    pub(crate) fn score(&mut self) -> Score {
        let doc = self.doc;
        self.parts.iter_mut().filter(|part| part.doc() == doc).map(Part::score).sum()
    }
}

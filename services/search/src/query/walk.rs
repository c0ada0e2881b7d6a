//! Walks the listings that have enough of the words. Enough is a share of what the best listing has, weighed by how rare the words
//! are, so that rare words are kept and common ones may lack. Listings that cannot have enough are never looked at.

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::query::{BooleanQuery, EnableScoring, Occur, Query, Scorer, Weight};
use tantivy::{DocId, DocSet, Score, Searcher, SegmentReader, TERMINATED};

use super::collect::{Collect, Collected};
use super::plan::Plan;
use crate::error::Error;

/// Sums of weights are compared with this much tolerance.
const ALMOST: f64 = 1e-6;

/// Fewer listings with all the words are followed by some with fewer of them.
const HARDLY_ANY: u64 = 10;
const SOME: f64 = 0.4;

/// A listing that has some of the words.
struct Match {
    doc: DocId,
    score: Score,
    /// The weight of the words it has.
    mass: f64,
}

/// What a walk found, and whether some listing has all the words.
#[derive(Default)]
pub(crate) struct Walked {
    pub(crate) found: Collected,
    pub(crate) complete: bool,
}

/// One word's matches in a segment.
struct Stream {
    mass: f64,
    scorer: Box<dyn Scorer>,
}

pub(crate) struct Walk<'a> {
    pub(crate) searcher: &'a Searcher,
    pub(crate) plan: &'a Plan,
    /// What every match must meet whatever its words: the category, the store.
    pub(crate) conditions: &'a [Box<dyn Query>],
}

impl Walk<'_> {
    /// Asks for ever fewer of the words until something is found, and not hardly any while fewer of them may find more. Or only for
    /// as few as an earlier page did, told by its step.
    pub(crate) fn relaxing(&self, collect: &Collect, as_in: Option<u32>) -> Result<(u32, Walked), Error> {
        let shares = self.plan.shares();
        if let Some((step, share)) = as_in.and_then(|step| Some((step, shares.get(usize::try_from(step).ok()?)?))) {
            return Ok((step, self.collect(*share, collect)?));
        }
        let mut found = (0, Walked::default());
        for (step, share) in (0..).zip(&shares) {
            if found.1.found.total > 0 && (found.1.found.seen >= HARDLY_ANY || *share <= 0.0) {
                break;
            }
            found = (step, self.collect(*share, collect)?);
        }
        Ok(found)
    }

    /// The listings that have at least `share` of the weight that the best of them has. When all of it is asked for and hardly any
    /// listing has it, those that have some of it follow.
    fn collect(&self, share: f64, collect: &Collect) -> Result<Walked, Error> {
        let mut share = share;
        if share >= 1.0 - ALMOST {
            let found = self.searcher.search(&*self.plan.strict(self.conditions), collect)?;
            if found.seen >= HARDLY_ANY || self.plan.clauses.len() < 2 {
                return Ok(Walked { found, complete: self.plan.is_known() });
            }
            share = SOME;
        }
        let total = self.plan.mass();
        let mut matches = self.matches(share * total)?;
        if matches.iter().all(Vec::is_empty) {
            matches = self.matches(0.0)?;
        }
        let best = matches.iter().flatten().map(|found| found.mass).fold(0.0, f64::max);
        let cut = share * best - ALMOST;
        let mut fruits = Vec::new();
        for (ordinal, (reader, matches)) in (0..).zip(self.searcher.segment_readers().iter().zip(matches)) {
            let mut segment = collect.for_segment(ordinal, reader)?;
            matches.iter().filter(|found| found.mass >= cut).for_each(|found| segment.collect(found.doc, found.score));
            fruits.push(segment.harvest());
        }
        Ok(Walked { found: collect.merge_fruits(fruits)?, complete: self.plan.is_known() && best >= total - ALMOST })
    }

    /// The matches of each segment that have words of at least this weight.
    fn matches(&self, needed: f64) -> Result<Vec<Vec<Match>>, Error> {
        let scoring = EnableScoring::enabled_from_searcher(self.searcher);
        let weigh = |query: &dyn Query| query.weight(scoring);
        let clauses = self.plan.clauses.iter().filter(|clause| clause.mass > 0.0);
        let mut clauses = clauses.map(|clause| Ok((clause.mass, weigh(&*clause.query)?))).collect::<Result<Vec<_>, Error>>()?;
        clauses.sort_by(|a, b| b.0.total_cmp(&a.0));
        let extras = self.plan.extras.iter().map(|extra| Ok(weigh(&**extra)?)).collect::<Result<Vec<_>, Error>>()?;
        let conditions = (!self.conditions.is_empty())
            .then(|| BooleanQuery::new(self.conditions.iter().map(|condition| (Occur::Must, condition.box_clone())).collect()));
        let conditions = conditions.map(|conditions| conditions.weight(EnableScoring::disabled_from_searcher(self.searcher))).transpose()?;
        let segments = self.searcher.segment_readers().iter();
        segments.map(|reader| in_segment(reader, &clauses, &extras, conditions.as_deref(), needed)).collect()
    }
}

type Weighed = (f64, Box<dyn Weight>);

fn in_segment(
    reader: &SegmentReader,
    clauses: &[Weighed],
    extras: &[Box<dyn Weight>],
    conditions: Option<&dyn Weight>,
    needed: f64,
) -> Result<Vec<Match>, Error> {
    let mut streams = Vec::with_capacity(clauses.len());
    for (mass, weight) in clauses {
        streams.push(Stream { mass: *mass, scorer: weight.scorer(reader, 1.0)? });
    }
    let mut extras = extras.iter().map(|weight| weight.scorer(reader, 1.0)).collect::<Result<Vec<_>, _>>()?;
    let mut condition = conditions.map(|weight| weight.scorer(reader, 1.0)).transpose()?;
    let leading = leading(&streams, needed);
    let mut matches = Vec::new();
    loop {
        let doc = streams.iter().take(leading).map(|stream| stream.scorer.doc()).min().unwrap_or(TERMINATED);
        if doc == TERMINATED {
            return Ok(matches);
        }
        let allowed = reader.alive_bitset().is_none_or(|alive| alive.is_alive(doc))
            && condition.as_mut().is_none_or(|condition| stands_on(&mut **condition, doc));
        if allowed && let Some(found) = weighed(&mut streams, doc, needed) {
            let bonus: Score = extras.iter_mut().map(|extra| if stands_on(&mut **extra, doc) { extra.score() } else { 0.0 }).sum();
            matches.push(Match { score: found.score + bonus, ..found });
        }
        for stream in streams.iter_mut().take(leading).filter(|stream| stream.scorer.doc() == doc) {
            stream.scorer.advance();
        }
    }
}

/// How many of the heaviest words there are of which every match has at least one: the others together weigh too little.
fn leading(streams: &[Stream], needed: f64) -> usize {
    let mut rest: f64 = streams.iter().map(|stream| stream.mass).sum();
    let mut leading = 0;
    for stream in streams {
        if rest < needed - ALMOST {
            break;
        }
        rest -= stream.mass;
        leading += 1;
    }
    leading
}

/// Score and weight of a listing, or `None` as soon as it cannot have enough.
fn weighed(streams: &mut [Stream], doc: DocId, needed: f64) -> Option<Match> {
    let mut found = Match { doc, score: 0.0, mass: 0.0 };
    let mut possible: f64 = streams.iter().map(|stream| stream.mass).sum();
    for stream in streams {
        if stands_on(&mut *stream.scorer, doc) {
            found.score += stream.scorer.score();
            found.mass += stream.mass;
        } else {
            possible -= stream.mass;
            if possible < needed - ALMOST {
                return None;
            }
        }
    }
    Some(found)
}

/// Moves forward to a listing; whether it has it.
fn stands_on(scorer: &mut dyn Scorer, doc: DocId) -> bool {
    if scorer.doc() < doc {
        scorer.seek(doc);
    }
    scorer.doc() == doc
}

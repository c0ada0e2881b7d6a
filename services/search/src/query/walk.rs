//! Walks the listings that have enough of the words. Enough is a share of what the best listing has, weighed by how rare the words
//! are, so that rare words are kept and common ones may lack. Listings that cannot have enough are never looked at.

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::query::{AllQuery, BooleanQuery, EnableScoring, Occur, Query, Scorer};
use tantivy::{DocId, Score, Searcher, SegmentReader, TERMINATED};

use super::collect::{Collect, Collected};
use super::plan::{Clause, Plan};
use super::stream::Stream;
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
        if self.plan.clauses.is_empty() {
            return Ok(Walked { found: self.searcher.search(&self.any(), collect)?, complete: true });
        }
        let (total, known) = (self.plan.mass(), self.plan.is_known());
        let mut share = share;
        if share >= 1.0 - ALMOST {
            let found = self.strictly(collect)?;
            if found.seen >= HARDLY_ANY || self.plan.clauses.len() < 2 {
                return Ok(Walked { found, complete: known });
            }
            share = SOME;
        }
        let mut matches = self.matches(share * total)?;
        if matches.iter().all(Vec::is_empty) {
            matches = self.matches(0.0)?;
        }
        let best = matches.iter().flatten().map(|found| found.mass).fold(0.0, f64::max);
        Ok(Walked { found: self.gather(&matches, share * best - ALMOST, collect)?, complete: known && best >= total - ALMOST })
    }

    /// The listings that have every word.
    pub(crate) fn strictly(&self, collect: &Collect) -> Result<Collected, Error> {
        let matches = if self.plan.is_known() { self.matches(self.plan.mass())? } else { Vec::new() };
        self.gather(&matches, 0.0, collect)
    }

    /// All listings that meet the conditions.
    fn any(&self) -> BooleanQuery {
        let all: Box<dyn Query> = Box::new(AllQuery);
        BooleanQuery::new(self.conditions.iter().map(|condition| condition.box_clone()).chain([all]).map(|part| (Occur::Must, part)).collect())
    }

    /// Collects the matches that have words of at least this weight.
    fn gather(&self, matches: &[Vec<Match>], least: f64, collect: &Collect) -> Result<Collected, Error> {
        let mut fruits = Vec::with_capacity(matches.len());
        for (ordinal, (reader, matches)) in (0..).zip(self.searcher.segment_readers().iter().zip(matches)) {
            if matches.is_empty() {
                continue;
            }
            let mut segment = collect.for_segment(ordinal, reader)?;
            matches.iter().filter(|found| found.mass >= least).for_each(|found| segment.collect(found.doc, found.score));
            fruits.push(segment.harvest());
        }
        Ok(collect.merge_fruits(fruits)?)
    }

    /// The matches of each segment that have words of at least this weight.
    fn matches(&self, needed: f64) -> Result<Vec<Vec<Match>>, Error> {
        let mut clauses: Vec<&Clause> = self.plan.clauses.iter().filter(|clause| clause.mass > 0.0).collect();
        clauses.sort_by(|a, b| b.mass.total_cmp(&a.mass));
        let conditions = (!self.conditions.is_empty())
            .then(|| BooleanQuery::new(self.conditions.iter().map(|condition| (Occur::Must, condition.box_clone())).collect()));
        let conditions = conditions.map(|conditions| conditions.weight(EnableScoring::disabled_from_searcher(self.searcher))).transpose()?;
        let segments = (0..).zip(self.searcher.segment_readers());
        let total: f64 = clauses.iter().map(|clause| clause.mass).sum();
        let lacks = |clause: &&Clause, ordinal| is_must(clause.mass, total, needed) && !clause.ways.iter().any(|way| way.may_be_in(ordinal));
        let in_each = segments.map(|(ordinal, reader)| {
            if clauses.iter().any(|clause| lacks(clause, ordinal)) {
                return Ok(Vec::new());
            }
            let streams = clauses.iter().map(|clause| Stream::open(&clause.ways, clause.mass, ordinal, reader)).collect::<Result<_, _>>()?;
            let bonus = Stream::open(&self.plan.extras, 0.0, ordinal, reader)?;
            let condition = conditions.as_ref().map(|weight| weight.scorer(reader, 1.0)).transpose()?;
            Ok(in_segment(reader, streams, bonus, condition, needed))
        });
        in_each.collect()
    }
}

fn in_segment(
    reader: &SegmentReader,
    mut streams: Vec<Stream>,
    mut bonus: Stream,
    mut condition: Option<Box<dyn Scorer>>,
    needed: f64,
) -> Vec<Match> {
    let mut matches = Vec::new();
    let total: f64 = streams.iter().map(|stream| stream.mass).sum();
    let musts = streams.iter().take_while(|stream| is_must(stream.mass, total, needed)).count();
    if streams.iter().take(musts).any(|stream| stream.doc() == TERMINATED) {
        return matches;
    }
    let leading = leading(&streams, needed);
    let alive = reader.alive_bitset();
    loop {
        let doc = streams.iter().take(leading).map(Stream::doc).min().unwrap_or(TERMINATED);
        if doc == TERMINATED {
            return matches;
        }
        // Where the next match can be at the earliest: what every match needs stands there or beyond.
        let mut next = doc;
        if let Some(condition) = &mut condition {
            next = next.max(moved(&mut **condition, doc));
        }
        for stream in streams.iter_mut().take(musts) {
            stream.seek(next);
            next = next.max(stream.doc());
        }
        if next == doc {
            next = doc + 1;
            if alive.is_none_or(|alive| alive.is_alive(doc))
                && let Some(found) = weighed(&mut streams, doc, total, needed)
            {
                bonus.seek(doc);
                let more = if bonus.doc() == doc { bonus.score() } else { 0.0 };
                matches.push(Match { score: found.score + more, ..found });
            }
        }
        streams.iter_mut().take(leading).for_each(|stream| stream.seek(next));
    }
}

/// Whether no match may lack a word of this weight.
fn is_must(mass: f64, total: f64, needed: f64) -> bool {
    total - mass < needed - ALMOST
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
fn weighed(streams: &mut [Stream], doc: DocId, total: f64, needed: f64) -> Option<Match> {
    let mut found = Match { doc, score: 0.0, mass: 0.0 };
    let mut possible = total;
    for stream in streams {
        stream.seek(doc);
        if stream.doc() == doc {
            found.score += stream.score();
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

/// Where a scorer stands that was moved forward to a listing.
fn moved(scorer: &mut dyn Scorer, doc: DocId) -> DocId {
    if scorer.doc() < doc { scorer.seek(doc) } else { scorer.doc() }
}

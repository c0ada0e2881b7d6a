//! All methods together: what is recommended where, and why.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use api_recommendations::{ReasonKind, Strategy};
use uuid::Uuid;

use super::content::Content;
use super::learnt::Learnt;
use super::rows::Cell;

/// What each method's best counts in the blend for somebody with a trail. A product nobody's behaviour speaks of is found by content alone.
const AFFINITY: f32 = 1.0;
const SESSION: f32 = 0.7;
const CONTENT: f32 = 0.35;
/// Of what was done last, the n-th thing counts this much less than the one after it.
const FADING: f32 = 0.85;
/// What a session is to the session method: the newest so many.
const SESSION_LENGTH: usize = 20;
/// Found by each method, for each product asked for.
const WIDER: usize = 3;

/// Everything that is for sale.
#[derive(Debug, Default)]
pub(crate) struct Goods {
    pub(crate) products: Vec<Uuid>,
    pub(crate) places: HashMap<Uuid, u32>,
    pub(crate) content: Content,
}

/// What recommendations are made from, at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Blend {
    pub(crate) goods: Arc<Goods>,
    pub(crate) learnt: Option<Arc<Learnt>>,
    /// What is looked at and bought most, most first.
    pub(crate) popular: Arc<Vec<(Uuid, f32)>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pick {
    pub(crate) product: Uuid,
    pub(crate) score: f32,
    pub(crate) reason: ReasonKind,
    pub(crate) because: Option<Uuid>,
}

/// A product somebody did something with, and how much that says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Did {
    pub(crate) product: Uuid,
    pub(crate) weight: f32,
}

impl Blend {
    /// For somebody who did this, newest first.
    pub(crate) fn for_you(&self, trail: &[Did], strategy: Strategy, count: usize) -> Vec<Pick> {
        let seen: HashSet<Uuid> = trail.iter().map(|did| did.product).collect();
        let mut found = HashMap::<Uuid, Pick>::new();
        if matches!(strategy, Strategy::Hybrid | Strategy::Collaborative | Strategy::Unspecified) {
            self.by_affinity(trail, count * WIDER).into_iter().for_each(|pick| add(&mut found, pick));
            self.by_session(trail, count * WIDER).into_iter().for_each(|pick| add(&mut found, pick));
        }
        if matches!(strategy, Strategy::Hybrid | Strategy::Content | Strategy::Unspecified) {
            let whole = if strategy == Strategy::Content { 1.0 } else { CONTENT };
            self.by_content(trail, whole, count * WIDER).into_iter().for_each(|pick| add(&mut found, pick));
        }
        let mut picks = best(found.into_values().filter(|pick| !seen.contains(&pick.product)).collect(), count);
        // Too little is known to fill the shelf: the rest is what everybody likes.
        let rest = self.popular(count + seen.len() + picks.len());
        for pick in rest {
            if picks.len() < count && !seen.contains(&pick.product) && picks.iter().all(|known| known.product != pick.product) {
                picks.push(Pick { score: pick.score * picks.last().map_or(1.0, |last| last.score), ..pick });
            }
        }
        picks
    }

    /// What everybody likes, most first.
    pub(crate) fn popular(&self, count: usize) -> Vec<Pick> {
        let most = self.popular.first().map_or(1.0, |(_, most)| *most);
        let pick = |(product, score): &(Uuid, f32)| Pick { product: *product, score: score / most, reason: ReasonKind::Popular, because: None };
        self.popular.iter().take(count).map(pick).collect()
    }

    /// What is like these by what the catalog says.
    pub(crate) fn similar(&self, products: &[Uuid], count: usize) -> Vec<Pick> {
        let trail: Vec<Did> = products.iter().map(|product| Did { product: *product, weight: 1.0 }).collect();
        best(self.by_content(&trail, 1.0, count), count)
    }

    /// What people look at next who looked at these, newest last.
    pub(crate) fn also_viewed(&self, products: &[Uuid], count: usize) -> Vec<Pick> {
        let trail: Vec<Did> = products.iter().rev().map(|product| Did { product: *product, weight: 1.0 }).collect();
        let mut picks = self.by_session(&trail, count + products.len());
        picks.retain(|pick| !products.contains(&pick.product));
        best(picks, count)
    }

    /// What is bought together with these.
    pub(crate) fn also_bought(&self, products: &[Uuid], count: usize) -> Vec<Pick> {
        let Some(learnt) = &self.learnt else { return Vec::new() };
        let mut found = HashMap::<Uuid, Pick>::new();
        for because in products {
            let Some(place) = learnt.place(*because) else { continue };
            for (other, score) in learnt.baskets.row(place) {
                let product = learnt.products[*other as usize];
                if !products.contains(&product) {
                    add(&mut found, Pick { product, score: *score, reason: ReasonKind::AlsoBought, because: Some(*because) });
                }
            }
        }
        best(found.into_values().collect(), count)
    }

    fn by_affinity(&self, trail: &[Did], count: usize) -> Vec<Pick> {
        let Some(learnt) = &self.learnt else { return Vec::new() };
        let history = faded(trail, |product| learnt.place(product));
        let found = learnt.affinity.likes(&history, count);
        let pick = |(place, score): (u32, f32)| {
            let (from, _) = strongest(&history, |own| learnt.affinity.weight(own, place))?;
            let together = learnt.baskets.row(from).iter().any(|(other, _)| *other == place);
            let reason = if together { ReasonKind::AlsoBought } else { ReasonKind::AlsoViewed };
            Some(Pick { product: learnt.products[place as usize], score, reason, because: Some(learnt.products[from as usize]) })
        };
        scaled(found.into_iter().filter_map(pick).collect(), AFFINITY)
    }

    fn by_session(&self, trail: &[Did], count: usize) -> Vec<Pick> {
        let Some(learnt) = &self.learnt else { return Vec::new() };
        let mut visit: Vec<u32> = trail.iter().filter_map(|did| learnt.place(did.product)).take(SESSION_LENGTH).collect();
        visit.reverse();
        let Some(last) = visit.last().map(|last| learnt.products[*last as usize]) else { return Vec::new() };
        let found = learnt.sessions.next(&visit, count);
        let pick =
            |(place, score): Cell| Pick { product: learnt.products[place as usize], score, reason: ReasonKind::AlsoViewed, because: Some(last) };
        scaled(found.into_iter().map(pick).collect(), SESSION)
    }

    fn by_content(&self, trail: &[Did], whole: f32, count: usize) -> Vec<Pick> {
        let goods = &self.goods;
        let wanted = faded(trail, |product| goods.places.get(&product).copied());
        let pick = |(place, score): Cell| {
            let (because, _) = strongest(&wanted, |own| goods.content.likeness(own, place))?;
            Some(Pick {
                product: goods.products[place as usize],
                score,
                reason: ReasonKind::Similar,
                because: Some(goods.products[because as usize]),
            })
        };
        scaled(goods.content.like(&wanted, count).into_iter().filter_map(pick).collect(), whole)
    }
}

/// A trail by places, each product once, with what is left of its weight.
fn faded(trail: &[Did], place: impl Fn(Uuid) -> Option<u32>) -> Vec<Cell> {
    let mut found: Vec<Cell> = Vec::new();
    let mut left = 1.0;
    for did in trail {
        let Some(place) = place(did.product) else { continue };
        match found.iter_mut().find(|(known, _)| *known == place) {
            Some((_, weight)) => *weight = weight.max(left * did.weight),
            None => found.push((place, left * did.weight)),
        }
        left *= FADING;
    }
    found
}

/// Which of these a thing owes most to.
fn strongest(of: &[Cell], tie: impl Fn(u32) -> f32) -> Option<Cell> {
    let ties = of.iter().map(|(place, weight)| (*place, weight * tie(*place))).filter(|(_, tie)| *tie > 0.0);
    ties.max_by(|a, b| a.1.total_cmp(&b.1))
}

/// Scores so that the best is `whole`.
fn scaled(mut picks: Vec<Pick>, whole: f32) -> Vec<Pick> {
    let most = picks.iter().map(|pick| pick.score).fold(0.0, f32::max);
    if most > 0.0 {
        picks.iter_mut().for_each(|pick| pick.score *= whole / most);
    }
    picks
}

/// Found twice: the scores add up, the stronger reason is told.
fn add(found: &mut HashMap<Uuid, Pick>, pick: Pick) {
    match found.get_mut(&pick.product) {
        None => {
            found.insert(pick.product, pick);
        }
        Some(known) => {
            let sum = known.score + pick.score;
            if pick.score > known.score {
                *known = pick;
            }
            known.score = sum;
        }
    }
}

fn best(mut picks: Vec<Pick>, count: usize) -> Vec<Pick> {
    picks.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.product.cmp(&b.product)));
    picks.truncate(count);
    picks
}

/// The most frequent first.
pub(crate) fn ranked(counts: HashMap<Uuid, f32>, kept: usize) -> Vec<(Uuid, f32)> {
    let mut products: Vec<(Uuid, f32)> = counts.into_iter().collect();
    products.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    products.truncate(kept);
    products
}

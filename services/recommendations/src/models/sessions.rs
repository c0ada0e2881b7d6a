//! What comes next in a visit: what followed in visits like it (vector session nearest neighbours, Ludewig and Jannach 2018, with the weighting of
//! STAN, Garg et al. 2019), blended with where visits go from its products in one step and in two.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::rows::{Cell, Rows, Sums, largest};

/// Of a visit's products, newest first, each counts exp(−1 / FADE) of the one before; rare products count more.
const FADE: f32 = 1.24;
const RARE_IN_VISIT: f32 = 1.08;
const RARE_IN_ANSWER: f32 = 0.84;
/// Long visits share products by chance.
const LENGTH: f32 = 0.18;
/// Old visits count less: the first of all visits exp(−1 / AGE) of the last.
const AGE: f32 = 0.9;
/// The newest visits looked at for each product of the visit, and the likest of them that are used.
const SAMPLE: usize = 1_000;
const NEIGHBOURS: usize = 500;
/// In a neighbour, a product so many places from the shared one counts exp(−places / REACH).
const REACH: f32 = 3.0;
/// What was looked at already is wanted again, the last thing most.
const AGAIN: f32 = 1.1;
const LAST_AGAIN: f32 = 1.45;

/// Paths: places ahead count exp(−1 / AHEAD) each, back half of that; damped by how often either end occurs.
const AHEAD: f32 = 3.0;
const BACK: f32 = 0.5;
const PATH_FROM: f32 = 0.28;
const PATH_TO: f32 = 0.3;
const LONGEST_PATH: usize = 12;
/// What a second step counts beside the first, and how many steps of each are followed.
const SECOND: f32 = 16.0;
const FIRST_STEPS: usize = 50;
const SECOND_STEPS: usize = 100;
const PATHS_KEPT: usize = 300;
/// Of the visit's products, newest first, paths from each count exp(−1 / PATH_FADE) of the one before.
const PATH_FADE: f32 = 2.4;
/// What the best of paths counts beside the best of neighbours.
const PATHS: f32 = 0.3;

/// Lists in one piece of memory.
#[derive(Debug)]
struct Lists {
    starts: Vec<usize>,
    items: Vec<u32>,
}

impl Lists {
    fn of(lists: impl IntoIterator<Item = Vec<u32>>) -> Self {
        let mut made = Self { starts: vec![0], items: Vec::new() };
        for list in lists {
            made.items.extend(list);
            made.starts.push(made.items.len());
        }
        made
    }

    fn get(&self, list: u32) -> &[u32] {
        let list = list as usize;
        &self.items[self.starts[list]..self.starts[list + 1]]
    }

    fn iter(&self) -> impl Iterator<Item = &[u32]> {
        self.starts.windows(2).map(|pair| &self.items[pair[0]..pair[1]])
    }
}

#[derive(Debug)]
pub(crate) struct Sessions {
    visits: Lists,
    /// By product, the visits that have it, oldest first.
    holders: Lists,
    /// By visit, what its age and length leave of it.
    worth: Vec<f32>,
    rare_in_visit: Vec<f32>,
    rare_in_answer: Vec<f32>,
    /// exp(−places / REACH)
    reach: Vec<f32>,
    paths: Rows,
    desks: Mutex<Vec<Desk>>,
}

/// Room to work in, kept between uses.
#[derive(Debug)]
struct Desk {
    visits: Sums,
    products: Sums,
    paths: Sums,
}

impl Sessions {
    /// Visits, oldest first, each in order; products are below `products`.
    pub(crate) fn learn(visits: Vec<Vec<u32>>, products: usize) -> Self {
        let count = visits.len() as f32;
        let longest = visits.iter().map(Vec::len).max().unwrap_or_default();
        let mut holders = vec![Vec::new(); products];
        for (visit, number) in visits.iter().zip(0..) {
            for product in visit {
                let holding: &mut Vec<u32> = &mut holders[*product as usize];
                if holding.last() != Some(&number) {
                    holding.push(number);
                }
            }
        }
        let worth = |(visit, number): (&Vec<u32>, u32)| {
            let age = (count - number as f32) / count;
            (-age / AGE).exp() / (visit.len().max(1) as f32).powf(LENGTH)
        };
        let worth = visits.iter().zip(0..).map(worth).collect();
        let rarity: Vec<f32> = holders.iter().map(|holding| (count / holding.len().max(1) as f32).ln().max(0.01)).collect();
        let paths = paths(&visits, products);
        Self {
            worth,
            rare_in_visit: rarity.iter().map(|rarity| rarity.powf(RARE_IN_VISIT)).collect(),
            rare_in_answer: rarity.iter().map(|rarity| rarity.powf(RARE_IN_ANSWER)).collect(),
            reach: (0..=longest).map(|places| (-(places as f32) / REACH).exp()).collect(),
            paths,
            visits: Lists::of(visits),
            holders: Lists::of(holders),
            desks: Mutex::default(),
        }
    }

    pub(crate) fn visits(&self) -> impl Iterator<Item = &[u32]> {
        self.visits.iter()
    }

    /// The likeliest next products of a visit given in order, best first, those looked at already among them.
    pub(crate) fn next(&self, visit: &[u32], count: usize) -> Vec<Cell> {
        let mut newest_first: Vec<u32> = Vec::with_capacity(visit.len());
        for product in visit.iter().rev().filter(|product| (**product as usize) < self.rare_in_visit.len()) {
            if !newest_first.contains(product) {
                newest_first.push(*product);
            }
        }
        let mut desk = self.desks.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_else(|| self.desk());
        let neighbours = self.neighbours(&newest_first, &mut desk.visits);
        self.follow(&newest_first, &neighbours, &mut desk.products);
        let mut fading = 1.0;
        for product in &newest_first {
            desk.paths.add_row(self.paths.row(*product), fading);
            fading *= (-1.0 / PATH_FADE).exp();
        }
        let (mut found, by_paths) = (desk.products.take(), desk.paths.take());
        scale(&mut found, 1.0);
        found.iter().for_each(|(product, score)| desk.products.add(*product, *score));
        let mut by_paths = by_paths;
        scale(&mut by_paths, PATHS);
        desk.products.add_row(&by_paths, 1.0);
        let mut found = desk.products.take();
        self.desks.lock().unwrap_or_else(PoisonError::into_inner).push(desk);
        for (product, score) in &mut found {
            match newest_first.iter().position(|seen| seen == product) {
                Some(0) => *score *= LAST_AGAIN,
                Some(_) => *score *= AGAIN,
                None => {}
            }
        }
        largest(found, count)
    }

    fn desk(&self) -> Desk {
        let products = self.rare_in_visit.len();
        Desk { visits: Sums::new(self.worth.len()), products: Sums::new(products), paths: Sums::new(products) }
    }

    /// The visits most like this one.
    fn neighbours(&self, newest_first: &[u32], shared: &mut Sums) -> Vec<Cell> {
        let mut fading = 1.0;
        for product in newest_first {
            let holders = self.holders.get(*product);
            let weight = fading * self.rare_in_visit[*product as usize];
            holders[holders.len().saturating_sub(SAMPLE)..].iter().for_each(|visit| shared.add(*visit, weight));
            fading *= (-1.0 / FADE).exp();
        }
        let mut found = shared.take();
        found.iter_mut().for_each(|(visit, likeness)| *likeness *= self.worth[*visit as usize]);
        largest(found, NEIGHBOURS)
    }

    /// What stands in the neighbours near what they share with the visit.
    fn follow(&self, newest_first: &[u32], neighbours: &[Cell], scores: &mut Sums) {
        for (visit, likeness) in neighbours {
            let visit = self.visits.get(*visit);
            let shared = newest_first.iter().find_map(|product| visit.iter().rposition(|other| other == product));
            let Some(shared) = shared else { continue };
            for (place, product) in visit.iter().enumerate() {
                scores.add(*product, likeness * self.reach[place.abs_diff(shared)] * self.rare_in_answer[*product as usize]);
            }
        }
    }
}

fn scale(cells: &mut [Cell], to: f32) {
    let most = cells.iter().map(|(_, score)| *score).fold(0.0, f32::max);
    if most > 0.0 {
        cells.iter_mut().for_each(|(_, score)| *score *= to / most);
    }
}

/// From each product, where visits go in one step and in two.
fn paths(visits: &[Vec<u32>], products: usize) -> Rows {
    let count = visits.len() as f32;
    let mut steps = vec![HashMap::<u32, f32>::new(); products];
    let mut occurs = vec![0_f32; products];
    for (visit, number) in visits.iter().zip(0_u32..) {
        let worth = (-(count - number as f32) / count).exp();
        for (place, from) in visit.iter().enumerate() {
            occurs[*from as usize] += 1.0;
            for (ahead, to) in visit.iter().skip(place + 1).take(LONGEST_PATH - 1).enumerate() {
                let weight = worth * (-(ahead as f32) / AHEAD).exp();
                *steps[*from as usize].entry(*to).or_default() += weight;
                *steps[*to as usize].entry(*from).or_default() += weight * BACK;
            }
        }
    }
    let first = Rows::of(steps.into_iter().enumerate().map(|(from, steps)| {
        let from = occurs[from].max(1.0).powf(PATH_FROM);
        let damped = |(to, weight): (u32, f32)| (to, weight / (from * occurs[to as usize].powf(PATH_TO)));
        let mut row = largest(steps.into_iter().map(damped).collect(), PATHS_KEPT);
        let sum: f32 = row.iter().map(|(_, weight)| weight).sum();
        row.iter_mut().for_each(|(_, weight)| *weight /= sum.max(f32::MIN_POSITIVE));
        row
    }));
    let mut sums = Sums::new(products);
    Rows::of((0..products as u32).map(|from| {
        let row = first.row(from);
        sums.add_row(row, 1.0);
        for (between, weight) in row.iter().take(FIRST_STEPS) {
            let second = first.row(*between);
            sums.add_row(&second[..second.len().min(SECOND_STEPS)], weight * SECOND);
        }
        largest(sums.take(), PATHS_KEPT)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learnt() -> Sessions {
        let often = std::iter::repeat_n(vec![0, 1, 2], 4);
        Sessions::learn(often.chain([vec![0, 1], vec![3, 4], vec![4, 3], vec![1, 5]]).collect(), 7)
    }

    #[test]
    fn what_followed_in_like_visits_comes_first() {
        let sessions = learnt();
        let next: Vec<u32> = sessions.next(&[0, 1], 3).into_iter().map(|(product, _)| product).filter(|product| ![0, 1].contains(product)).collect();
        assert_eq!(next.first(), Some(&2));
        assert!(sessions.next(&[3], 10).iter().all(|(product, _)| [3, 4].contains(product)), "nothing leads elsewhere from there");
    }

    #[test]
    fn two_steps_reach_what_one_does_not() {
        let reached: Vec<u32> = learnt().next(&[5], 10).into_iter().map(|(product, _)| product).collect();
        assert!(reached.contains(&1) && reached.contains(&2) && !reached.contains(&3), "{reached:?}");
    }

    #[test]
    fn an_answer_does_not_depend_on_those_before_it() {
        let sessions = learnt();
        let alone = sessions.next(&[0], 5);
        sessions.next(&[3, 4], 5);
        assert_eq!(sessions.next(&[0], 5), alone);
        assert!(sessions.next(&[6], 5).is_empty() && sessions.next(&[], 5).is_empty() && sessions.next(&[99], 5).is_empty());
    }
}

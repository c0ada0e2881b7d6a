//! What somebody with a history likes: a linear autoencoder over the graph of subjects and products.
//!
//! Two steps along the graph, from product to subject to product, tell how close two products are. How much a subject's step counts falls with
//! the length of its history, and popular products are damped at both ends: a linear graph filter with asymmetric normalisation
//! (Shen et al., "How Powerful is Graph Convolution for Recommendation?", CIKM 2021). Products are then read off with one sparse product, and somebody's
//! newest steps count at once, without learning anew.

use super::rows::{Cell, Rows, Sums, largest};

/// A subject's steps are worth 1 / length^SUBJECT.
const SUBJECT: f32 = 1.0;
/// How much a product's popularity damps what follows from it, and what leads to it.
const FROM: f32 = 0.7;
const TO: f32 = 0.2;
/// What is kept for each product, closest first.
const KEPT: usize = 600;

#[derive(Debug, Clone, Default)]
pub(crate) struct Affinity {
    pub(crate) kernel: Rows,
}

impl Affinity {
    /// Histories are lists of products without repetition, each below `products`.
    pub(crate) fn learn(histories: &[Vec<u32>], products: usize) -> Self {
        let subjects = Rows::ones(histories);
        let holders = subjects.transposed(products);
        let damped = |power: f32| holders.iter().map(|row| (row.len().max(1) as f32).powf(-power)).collect::<Vec<f32>>();
        let (from, to) = (damped(FROM), damped(TO));
        let step: Vec<f32> = subjects.iter().map(|row| (row.len().max(1) as f32).powf(-SUBJECT)).collect();
        let mut sums = Sums::new(products);
        let kernel = Rows::of((0..products as u32).map(|product| {
            holders.row(product).iter().for_each(|(subject, _)| sums.add_row(subjects.row(*subject), step[*subject as usize]));
            let mut close = sums.take();
            close.retain(|(other, _)| *other != product);
            close.iter_mut().for_each(|(other, weight)| *weight *= from[product as usize] * to[*other as usize]);
            largest(close, KEPT)
        }));
        Self { kernel }
    }

    /// What somebody with this history likes, best first, nothing of it again.
    pub(crate) fn likes(&self, history: &[Cell], count: usize) -> Vec<Cell> {
        let mut sums = Sums::new(self.kernel.len());
        history.iter().for_each(|(product, weight)| sums.add_row(self.kernel.row(*product), *weight));
        let mut found = sums.take();
        let mut known: Vec<u32> = history.iter().map(|(product, _)| *product).collect();
        known.sort_unstable();
        found.retain(|(product, _)| known.binary_search(product).is_err());
        largest(found, count)
    }

    /// How strongly one product speaks for another.
    pub(crate) fn weight(&self, from: u32, to: u32) -> f32 {
        self.kernel.row(from).iter().find(|(product, _)| *product == to).map_or(0.0, |(_, weight)| *weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_shares_a_history_shares_likes() {
        let affinity = Affinity::learn(&[vec![0, 1, 2], vec![0, 1], vec![3, 4], vec![3, 4, 5]], 6);
        let liked: Vec<u32> = affinity.likes(&[(0, 1.0)], 10).into_iter().map(|(product, _)| product).collect();
        assert_eq!(liked, [1, 2]);
        assert!(affinity.likes(&[(9, 1.0)], 10).is_empty());
        assert!(affinity.weight(0, 1) > affinity.weight(0, 2));
    }
}

//! The measures, pure.

/// Ranks of the right answers of many queries.
#[derive(Debug, Default)]
pub(super) struct Ranks {
    /// From 0; none when it was not among those looked at.
    ranks: Vec<Option<usize>>,
}

impl Ranks {
    pub(super) fn add(&mut self, rank: Option<usize>) {
        self.ranks.push(rank);
    }

    pub(super) fn len(&self) -> usize {
        self.ranks.len()
    }

    /// The share of queries whose right answer is among the first `k`.
    pub(super) fn recall_at(&self, k: usize) -> f64 {
        self.mean(|rank| f64::from(rank < k))
    }

    /// The mean of 1/rank, counted from 1; 0 beyond the first ten.
    pub(super) fn mean_reciprocal_rank(&self) -> f64 {
        self.mean(|rank| if rank < 10 { 1.0 / (number(rank) + 1.0) } else { 0.0 })
    }

    fn mean(&self, worth: impl Fn(usize) -> f64) -> f64 {
        self.ranks.iter().map(|rank| rank.map_or(0.0, &worth)).sum::<f64>() / number(self.ranks.len()).max(1.0)
    }
}

/// nDCG@10 with gains of 2^rating − 1: `found` are the ratings as they were ranked, `all` those of every rated product.
/// None when nothing is relevant.
pub(super) fn ndcg(found: &[f64], all: &[f64]) -> Option<f64> {
    let gained = |ratings: &[f64]| {
        let gain = |(place, rating): (usize, &f64)| (rating.exp2() - 1.0) / (number(place) + 2.0).log2();
        ratings.iter().take(10).enumerate().map(gain).sum::<f64>()
    };
    let mut ideal = all.to_vec();
    ideal.sort_by(|a, b| b.total_cmp(a));
    let best = gained(&ideal);
    (best > 0.0).then(|| gained(found) / best)
}

/// Precision, recall and their harmonic mean.
pub(super) fn f1(right: usize, predicted: usize, wanted: usize) -> (f64, f64, f64) {
    let precision = number(right) / number(predicted).max(1.0);
    let recall = number(right) / number(wanted).max(1.0);
    let f1 = if right == 0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) };
    (precision, recall, f1)
}

pub(super) fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_counted_as_the_literature_does() {
        let mut ranks = Ranks::default();
        for rank in [Some(0), Some(1), None, Some(12)] {
            ranks.add(rank);
        }
        assert_eq!((ranks.recall_at(1), ranks.recall_at(10), ranks.mean_reciprocal_rank()), (0.25, 0.5, 0.375));
    }

    #[test]
    fn the_ideal_order_is_worth_one() {
        assert_eq!(ndcg(&[3.0, 1.0, 0.0], &[0.0, 1.0, 3.0]), Some(1.0));
        assert_eq!(ndcg(&[], &[0.0, 0.0]), None);
        assert!(ndcg(&[0.0, 3.0], &[0.0, 3.0]).unwrap() < 0.64);
    }

    #[test]
    fn f1_punishes_both_kinds_of_error() {
        assert_eq!(f1(5, 10, 5), (0.5, 1.0, 2.0 / 3.0));
        assert_eq!(f1(0, 0, 5).2, 0.0);
    }
}

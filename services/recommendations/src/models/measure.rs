//! How good recommendations are, by the definitions of the field.

/// How many recommendations are looked at.
pub(crate) const TOP: usize = 20;

/// Sums over cases.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Measured {
    pub(crate) cases: u64,
    recall: f64,
    ndcg: f64,
    reciprocal_rank: f64,
}

impl Measured {
    /// Adds one case: what was recommended, best first, and what was wanted.
    ///
    /// Recall@20 is the share of what was wanted that is among the first twenty; nDCG@20 sums 1/log2(1 + rank) over the hits and divides
    /// by the sum of an ideal list; MRR@20 is 1/rank of the first hit. With one thing wanted, recall is the share of hits, P@20 in papers on sessions.
    pub(crate) fn add(&mut self, recommended: impl IntoIterator<Item = u32>, wanted: &[u32]) {
        self.cases += 1;
        if wanted.is_empty() {
            return;
        }
        let (mut hits, mut gain, mut first) = (0, 0.0, 0.0);
        for (rank, product) in recommended.into_iter().take(TOP).enumerate() {
            if wanted.contains(&product) {
                hits += 1;
                gain += discount(rank);
                if first == 0.0 {
                    first = 1.0 / (rank as f64 + 1.0);
                }
            }
        }
        let ideal: f64 = (0..wanted.len().min(TOP)).map(discount).sum();
        self.recall += f64::from(hits) / wanted.len() as f64;
        self.ndcg += gain / ideal;
        self.reciprocal_rank += first;
    }

    pub(crate) fn recall(&self) -> f64 {
        self.mean(self.recall)
    }

    pub(crate) fn ndcg(&self) -> f64 {
        self.mean(self.ndcg)
    }

    pub(crate) fn mrr(&self) -> f64 {
        self.mean(self.reciprocal_rank)
    }

    fn mean(&self, sum: f64) -> f64 {
        if self.cases == 0 { 0.0 } else { sum / self.cases as f64 }
    }
}

/// The worth of a hit at a rank counted from 0.
fn discount(rank: usize) -> f64 {
    1.0 / (rank as f64 + 2.0).log2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_follow_their_definitions() {
        let mut measured = Measured::default();
        measured.add([7, 3, 9], &[3, 8]);
        assert_eq!((measured.recall(), measured.mrr()), (0.5, 0.5));
        let (gain, ideal) = (1.0 / 3_f64.log2(), 1.0 + 1.0 / 3_f64.log2());
        assert!((measured.ndcg() - gain / ideal).abs() < 1e-12);
        measured.add([1], &[1]);
        assert_eq!((measured.cases, measured.recall(), measured.mrr()), (2, 0.75, 0.75));
    }

    #[test]
    fn what_comes_after_the_twentieth_does_not_count() {
        let mut measured = Measured::default();
        measured.add(0..30, &[20]);
        assert_eq!((measured.recall(), measured.ndcg(), measured.mrr()), (0.0, 0.0, 0.0));
    }
}

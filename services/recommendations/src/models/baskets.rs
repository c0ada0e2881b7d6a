//! What is bought together: how much more often than either is bought without the other.

use super::rows::{Rows, Sums, largest};

/// What is kept for each product.
const KEPT: usize = 50;
/// A basket of more different products than this is a stock-up, not a taste.
const LARGEST_BASKET: usize = 60;
/// So many baskets' worth of doubt is held against every pair, so that one coincidence does not look certain.
const DOUBT: f32 = 1.0;

/// For each product, those bought with it: the cosine of their baskets, shrunk where there are few.
pub(crate) fn learn(baskets: &[Vec<u32>], products: usize) -> Rows {
    let mut baskets: Vec<Vec<u32>> = baskets.to_vec();
    baskets.iter_mut().for_each(|basket| {
        basket.sort_unstable();
        basket.dedup();
    });
    baskets.retain(|basket| (2..=LARGEST_BASKET).contains(&basket.len()));
    let by_basket = Rows::ones(&baskets);
    let by_product = by_basket.transposed(products);
    let bought: Vec<f32> = by_product.iter().map(|row| row.len() as f32).collect();
    let mut together = Sums::new(products);
    Rows::of((0..products as u32).map(|product| {
        by_product.row(product).iter().for_each(|(basket, _)| together.add_row(by_basket.row(*basket), 1.0));
        let mut pairs = together.take();
        pairs.retain(|(other, _)| *other != product);
        for (other, count) in &mut pairs {
            let cosine = *count / (bought[product as usize] * bought[*other as usize]).sqrt();
            *count = cosine * *count / (*count + DOUBT);
        }
        largest(pairs, KEPT)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_often_bought_together_comes_before_what_once_was() {
        let baskets = [vec![0, 1], vec![0, 1], vec![1, 0, 1], vec![0, 2], vec![3]];
        let learnt = learn(&baskets, 4);
        assert_eq!(learnt.row(0).iter().map(|(other, _)| *other).collect::<Vec<_>>(), [1, 2]);
        assert!(learnt.row(3).is_empty(), "alone in its basket");
        assert_eq!(learnt.row(0)[0].1, learnt.row(1)[0].1, "it holds both ways");
    }
}

//! What is alike by what its sellers say of it: words, brand, category, weighted by how rare they are. Needs nobody's behaviour, so it
//! serves products that are new.

use std::collections::HashMap;

use super::rows::{Cell, Rows, Sums, largest};

/// A feature of more than this share of the products says nothing, unless there are few products.
const COMMONEST_SHARE: f32 = 0.1;
const COMMON_FROM: f32 = 50.0;
/// Words of a title that are looked at.
const MOST_WORDS: usize = 24;
/// What a feature weighs beside a word of the title.
const BRAND: f32 = 1.5;
const CATEGORY: f32 = 2.0;

/// What a product is known by.
#[derive(Debug, Clone, Default)]
pub(crate) struct Described<'a> {
    pub(crate) title: &'a str,
    pub(crate) brand: &'a str,
    /// From the root down.
    pub(crate) categories: &'a [String],
}

/// All products by their features: unit vectors, and who has each feature.
#[derive(Debug, Default)]
pub(crate) struct Content {
    vectors: Rows,
    holders: Rows,
}

impl Content {
    pub(crate) fn learn<'a>(products: impl Iterator<Item = Described<'a>>) -> Self {
        let mut known = HashMap::<String, u32>::new();
        let raw: Vec<Vec<Cell>> = products.map(|product| features(&product, &mut known)).collect();
        let mut holders = vec![0_f32; known.len()];
        raw.iter().flatten().for_each(|(feature, _)| holders[*feature as usize] += 1.0);
        let products = raw.len() as f32;
        let commonest = (products * COMMONEST_SHARE).max(COMMON_FROM);
        let weight = |(feature, weight): &Cell| {
            let having = holders[*feature as usize];
            (having <= commonest).then(|| (*feature, weight * (1.0 + products / having).ln()))
        };
        let vectors = Rows::of(raw.iter().map(|product| unit(product.iter().filter_map(weight).collect())));
        let holders = vectors.transposed(known.len());
        Self { vectors, holders }
    }

    /// The products most like these together, each with how alike it is, from 0 to 1; never these themselves.
    pub(crate) fn like(&self, products: &[Cell], count: usize) -> Vec<Cell> {
        let mut wanted = Sums::new(self.holders.len());
        products.iter().for_each(|(product, weight)| wanted.add_row(self.vectors.row(*product), *weight));
        let wanted = unit(wanted.take());
        let mut alike = Sums::new(self.vectors.len());
        wanted.iter().for_each(|(feature, weight)| alike.add_row(self.holders.row(*feature), *weight));
        let mut found = alike.take();
        found.retain(|(product, _)| products.iter().all(|(own, _)| own != product));
        largest(found, count)
    }

    /// How alike two products are, from 0 to 1.
    pub(crate) fn likeness(&self, one: u32, other: u32) -> f32 {
        let other = self.vectors.row(other);
        let shared = self.vectors.row(one).iter().filter_map(|(feature, weight)| {
            let at = other.binary_search_by_key(feature, |(feature, _)| *feature).ok()?;
            Some(weight * other[at].1)
        });
        shared.sum()
    }
}

fn features(product: &Described, known: &mut HashMap<String, u32>) -> Vec<Cell> {
    let mut found = Vec::new();
    let mut add = |feature: String, weight: f32| {
        let next = known.len() as u32;
        let id = *known.entry(feature).or_insert(next);
        if found.iter().all(|(known, _)| *known != id) {
            found.push((id, weight));
        }
    };
    words(product.title).take(MOST_WORDS).for_each(|word| add(word, 1.0));
    if !product.brand.is_empty() {
        add(format!("brand:{}", product.brand.to_lowercase()), BRAND);
    }
    for category in product.categories {
        add(format!("category:{category}"), CATEGORY);
    }
    found
}

/// Lower-case words of two letters or more, without a plural's s.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let words = text.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
    words.filter(|word| word.chars().count() > 1).map(|word| match word.strip_suffix('s') {
        Some(stem) if stem.len() > 3 && !stem.ends_with('s') => stem.to_owned(),
        _ => word,
    })
}

fn unit(mut cells: Vec<Cell>) -> Vec<Cell> {
    cells.sort_unstable_by_key(|(feature, _)| *feature);
    let length = cells.iter().map(|(_, value)| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        cells.iter_mut().for_each(|(_, value)| *value /= length);
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goods() -> Content {
        let audio = ["Electronics".to_owned(), "Audio".to_owned()];
        let kitchen = ["Home".to_owned(), "Kitchen".to_owned()];
        let of = |title, brand, categories| Described { title, brand, categories };
        Content::learn(
            [
                of("Wireless Headphones, black", "Norden", &audio[..]),
                of("Wireless headphone with noise cancelling", "Kestrel", &audio),
                of("Travel mug", "Norden", &kitchen),
                of("Coffee mugs, set of four", "Ostara", &kitchen),
            ]
            .into_iter(),
        )
    }

    #[test]
    fn alike_is_what_shares_rare_words_and_categories() {
        let goods = goods();
        assert_eq!(goods.like(&[(0, 1.0)], 1)[0].0, 1);
        assert_eq!(goods.like(&[(3, 1.0)], 1)[0].0, 2, "a plural is the same word");
        assert!(goods.like(&[(0, 1.0)], 10).iter().all(|(product, _)| *product != 0));
    }

    #[test]
    fn likeness_is_symmetric_and_between_nothing_and_one() {
        let goods = goods();
        for one in 0..4 {
            assert!((goods.likeness(one, one) - 1.0).abs() < 1e-5);
            for other in 0..4 {
                let (there, back) = (goods.likeness(one, other), goods.likeness(other, one));
                assert!((there - back).abs() < 1e-6 && (0.0..=1.0001).contains(&there));
            }
        }
    }

    #[test]
    fn products_without_words_are_like_nothing() {
        let goods = Content::learn([Described::default(), Described::default()].into_iter());
        assert!(goods.like(&[(0, 1.0)], 10).is_empty());
        assert!(Content::default().like(&[(3, 1.0)], 10).is_empty());
    }
}

//! All that one training learnt, and how it is written down.

use std::collections::HashMap;

use prost::Message;
use uuid::Uuid;

use super::affinity::Affinity;
use super::baskets;
use super::rows::Rows;
use super::sessions::Sessions;

/// What a training learns from, products by their places in `products`.
#[derive(Debug, Default)]
pub(crate) struct Lessons {
    pub(crate) products: Vec<Uuid>,
    /// Visits, oldest first, products in the order they were looked at.
    pub(crate) visits: Vec<Vec<u32>>,
    /// What each subject is drawn to, without repetition.
    pub(crate) histories: Vec<Vec<u32>>,
    /// Bought together.
    pub(crate) baskets: Vec<Vec<u32>>,
}

#[derive(Debug)]
pub(crate) struct Learnt {
    pub(crate) products: Vec<Uuid>,
    places: HashMap<Uuid, u32>,
    /// How often each product occurred.
    pub(crate) popularity: Vec<f32>,
    pub(crate) affinity: Affinity,
    pub(crate) sessions: Sessions,
    /// Product by product, what is bought with it.
    pub(crate) baskets: Rows,
}

impl Learnt {
    pub(crate) fn learn(lessons: Lessons) -> Self {
        let count = lessons.products.len();
        let mut popularity = vec![0.0; count];
        lessons.visits.iter().flatten().chain(lessons.baskets.iter().flatten()).for_each(|product| popularity[*product as usize] += 1.0);
        let affinity = Affinity::learn(&lessons.histories, count);
        let baskets = baskets::learn(&lessons.baskets, count);
        Self::of(lessons.products, popularity, affinity, Sessions::learn(lessons.visits, count), baskets)
    }

    fn of(products: Vec<Uuid>, popularity: Vec<f32>, affinity: Affinity, sessions: Sessions, baskets: Rows) -> Self {
        let places = products.iter().zip(0..).map(|(product, place)| (*product, place)).collect();
        Self { products, places, popularity, affinity, sessions, baskets }
    }

    pub(crate) fn place(&self, product: Uuid) -> Option<u32> {
        self.places.get(&product).copied()
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        Written {
            products: self.products.iter().flat_map(|product| *product.as_bytes()).collect(),
            popularity: self.popularity.clone(),
            affinity: Some((&self.affinity.kernel).into()),
            visit_lengths: self.sessions.visits().map(|visit| visit.len() as u32).collect(),
            visits: self.sessions.visits().flatten().copied().collect(),
            baskets: Some((&self.baskets).into()),
        }
        .encode_to_vec()
    }

    /// `None` when the bytes are not what [`Learnt::encode`] wrote.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let written = Written::decode(bytes).ok()?;
        let products: Vec<Uuid> = written.products.chunks_exact(16).filter_map(|bytes| Uuid::from_slice(bytes).ok()).collect();
        let count = products.len();
        let matrix = |written: Option<WrittenRows>| written?.read(count);
        let (affinity, baskets) = (matrix(written.affinity)?, matrix(written.baskets)?);
        let mut rest = written.visits.as_slice();
        let mut visits = Vec::with_capacity(written.visit_lengths.len());
        for length in written.visit_lengths {
            let (visit, after) = rest.split_at_checked(length as usize)?;
            visits.push(visit.to_vec());
            rest = after;
        }
        let known = visits.iter().flatten().all(|product| (*product as usize) < count);
        (known && written.popularity.len() == count)
            .then(|| Self::of(products, written.popularity, Affinity { kernel: affinity }, Sessions::learn(visits, count), baskets))
    }
}

#[derive(Clone, PartialEq, Message)]
struct Written {
    /// Sixteen bytes each.
    #[prost(bytes = "vec", tag = "1")]
    products: Vec<u8>,
    #[prost(float, repeated, tag = "2")]
    popularity: Vec<f32>,
    #[prost(message, optional, tag = "3")]
    affinity: Option<WrittenRows>,
    #[prost(uint32, repeated, tag = "4")]
    visit_lengths: Vec<u32>,
    #[prost(uint32, repeated, tag = "5")]
    visits: Vec<u32>,
    #[prost(message, optional, tag = "6")]
    baskets: Option<WrittenRows>,
}

#[derive(Clone, PartialEq, Message)]
struct WrittenRows {
    #[prost(uint32, repeated, tag = "1")]
    lengths: Vec<u32>,
    #[prost(uint32, repeated, tag = "2")]
    columns: Vec<u32>,
    #[prost(float, repeated, tag = "3")]
    values: Vec<f32>,
}

impl From<&Rows> for WrittenRows {
    fn from(rows: &Rows) -> Self {
        let (lengths, columns, values) = rows.parts();
        Self { lengths, columns, values }
    }
}

impl WrittenRows {
    /// A matrix over so many products.
    fn read(self, count: usize) -> Option<Rows> {
        let fits = self.lengths.len() == count && self.columns.iter().all(|column| (*column as usize) < count);
        if fits { Rows::from_parts(&self.lengths, &self.columns, &self.values) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_learnt_survives_being_written_down() {
        let visits = vec![vec![0, 1, 2], vec![1, 2], vec![2, 3], vec![0, 2, 3]];
        let lessons =
            Lessons { products: (0..4).map(Uuid::from_u128).collect(), histories: visits.clone(), baskets: vec![vec![0, 3], vec![0, 3]], visits };
        let learnt = Learnt::learn(lessons);
        let read = Learnt::decode(&learnt.encode()).unwrap();
        assert_eq!((&read.products, &read.popularity, &read.baskets), (&learnt.products, &learnt.popularity, &learnt.baskets));
        assert_eq!(read.affinity.kernel, learnt.affinity.kernel);
        assert_eq!(read.place(Uuid::from_u128(3)), Some(3));
        assert!(Learnt::decode(b"something else").is_none());
    }
}

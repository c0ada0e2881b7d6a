//! The models: pure, without I/O, clock or chance, the same code for serving, for measuring in training and for the benchmarks.
//!
//! Things are counted through: a product is its place in a list, a subject or session is a list of places. Methods, best first for each use:
//! - [`affinity`]: what somebody with a history likes (a linear autoencoder over the graph of subjects and products);
//! - [`sessions`]: what comes next in a visit (session neighbours and transitions);
//! - [`content`]: what is alike by its words, for products nobody has looked at yet;
//! - [`blend`]: all of them together, with the reason for each product.
#![expect(
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "places are made by the models themselves and lie within their matrices; counts become floats, where rounding does not matter"
)]

pub(crate) mod affinity;
pub(crate) mod baskets;
pub(crate) mod blend;
pub(crate) mod content;
pub(crate) mod learnt;
pub(crate) mod measure;
pub(crate) mod rows;
pub(crate) mod sessions;

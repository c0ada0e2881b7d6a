//! The stories: each function is one thing somebody does.

pub(crate) mod methods;
pub(crate) mod quote;
pub(crate) mod work;

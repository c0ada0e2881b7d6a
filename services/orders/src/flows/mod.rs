//! The stories: each function is one thing somebody does with orders.

pub(crate) mod address;
pub(crate) mod cancel;
pub(crate) mod checkout;
pub(crate) mod place;
pub(crate) mod read;
pub(crate) mod return_read;
pub(crate) mod returns;
pub(crate) mod sell;

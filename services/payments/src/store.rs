//! What is remembered: one function per query. All of it lies in the home cell, because payments cross tenants.

pub(crate) mod ledger;
pub(crate) mod methods;
pub(crate) mod payments;
pub(crate) mod webhooks;

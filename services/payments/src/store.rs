//! What is remembered: one function per query. All of it lies in the home cell, because payments cross tenants.

pub(crate) mod disputes;
pub(crate) mod ledger;
pub(crate) mod methods;
pub(crate) mod payments;
pub(crate) mod payouts;
pub(crate) mod proof;
pub(crate) mod reports;
pub(crate) mod settlement;
pub(crate) mod statements;
pub(crate) mod webhooks;

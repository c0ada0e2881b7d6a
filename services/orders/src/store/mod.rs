//! What the service remembers: one function per query. Rows are what the tables hold; sums and states are checked by SQL as well.

pub(crate) mod cancellations;
pub(crate) mod checkouts;
pub(crate) mod lists;
pub(crate) mod orders;
pub(crate) mod returns;
pub(crate) mod rows;

pub(crate) use cancellations::CancellationRow;
pub(crate) use returns::ReturnRow;
pub(crate) use rows::{ItemRow, OrderRow, SubRow, TimelineRow};

//! Placing and cancelling orders as durable sagas: pure machines decide, the driver asks, every step is stored before and after.

mod attempt;
pub(crate) mod cancel;
pub(crate) mod drive;
#[cfg(test)]
mod explore;
mod give_back;
pub(crate) mod machine;
pub(crate) mod part;
pub(crate) mod undo;

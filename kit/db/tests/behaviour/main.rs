//! What kit-db promises, on a real database.

mod events;
mod isolation;
mod jobs;
mod support;

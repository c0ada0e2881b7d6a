//! What kit-db promises, on a real database.
#![expect(clippy::unwrap_used, reason = "a test that cannot begin ends here")]

mod events;
mod isolation;
mod jobs;
mod support;

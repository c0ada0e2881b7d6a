//! Black-box tests of identity, through the generated client on a real database.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test tells by panicking")]

mod accounts;
mod people;
mod support;

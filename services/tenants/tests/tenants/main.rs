//! Black-box tests of tenants, through the generated client, with identity running for real.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test tells by panicking")]

mod life;
mod staff;
mod stores;
mod support;

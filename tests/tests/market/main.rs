//! The market as its users have it: the real binary, started on a data directory of its own and used over HTTP only.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod crash;
mod feeds;
mod harness;
mod input;
mod payments;
mod running;
mod story;
mod tenancy;

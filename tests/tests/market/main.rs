//! The market as its users have it: the real binary, started on a data directory of its own and used over HTTP only.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod cell;
mod crash;
mod disk;
mod feeds;
mod grpc;
mod harness;
mod input;
mod payments;
mod replay;
mod running;
mod rush;
mod starting;
mod storm;
mod story;
mod tenancy;

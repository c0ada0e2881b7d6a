//! Rules of the house that a compiler does not know. Each test names every sinner at once; the list must be empty.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a rule that cannot be checked is broken")]

mod crates;
mod modules;
mod sql;
mod texts;
mod tree;

/// Fails with all sins, one per line.
#[track_caller]
fn none(rule: &str, sins: &[String]) {
    assert!(sins.is_empty(), "{rule}:\n  {}\n", sins.join("\n  "));
}

//! What makes a folder of code a service of the market: its row in the table of modules (`Module`), what it is given when it
//! starts (`Start`), and the process that runs a set of them (`House`).
//!
//! What must stay true: a service reaches only the services its row declares; every call, local or remote, passes the same
//! layers (access, rules, replay, deadline, panics, metrics); a process that stops drains first.

pub mod crash;
mod graph;
mod guard;
mod house;
mod module;
mod replay;
mod rules;
mod table;

pub use graph::{GraphError, check_calls, in_call_order};
pub use house::{House, Settings};
pub use module::{Module, Service, Start, read, reads, reads_nothing};

//! Where MarketHub keeps what it knows: PostgreSQL (its own embedded cluster, or one by URL), cells, migrations, row-level
//! security, the event log with its consumers, background jobs and batched transactions.
//!
//! What must stay true: no acknowledged write is lost; no transaction sees a tenant it was not opened for; an event is
//! applied exactly once per consumer, in commit order, or lies visibly among the dead letters.

mod batch;
mod db;
mod embedded;
mod error;
mod event;
mod follow;
mod idempotency;
mod job;
pub mod log;
mod migrate;
mod placement;
mod serve;
mod storage;
mod tail;
pub mod testing;
mod upkeep;

pub use batch::{Batch, BatchFailed, Limits};
pub use db::{Cell, Db, Scope, Tx};
pub use embedded::{Embedded, EmbeddedError};
pub use error::{DbError, OpenError};
pub use event::{Event, LoggedEvent, Position};
pub use follow::Handler;
pub use idempotency::Earlier;
pub use job::Job;
pub use serve::{EventLogService, UpkeepService};
pub use storage::{Schema, Settings, Storage};
pub use upkeep::{ConsumerState, JobState, Upkeep};

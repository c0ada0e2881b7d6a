//! The vocabulary every part of MarketHub shares: ids, money, time, addresses, error codes and parsed text.
//! Pure: no I/O, no async, no clock of its own beyond the injected one.

mod address;
mod code;
mod id;
mod money;
mod text;
mod time;

pub use address::{Address, Country};
pub use code::{Code, Fault, Violation};
pub use id::{Id, InvalidId, Kind, TenantId, TenantKind, UserId, UserKind};
pub use money::{Currency, Money, MoneyError, allocate};
pub use text::{Email, InvalidText, Sku, Slug, is_visible};
pub use time::{Clock, Ids, Time};

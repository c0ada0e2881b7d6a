//! Starts markets and speaks to them.

mod http;
mod market;
mod people;
mod process;

use std::time::{Duration, Instant};

use serde_json::Value;

pub(crate) use http::{Answer, Caller, Http};
pub(crate) use market::{Market, Ports, configure, data_of, directory};
pub(crate) use people::{Buyer, Goods, PASSWORD, Seller, address};
pub(crate) use process::{World, attempt};

/// What takes longer than this does not happen. Generous, because tests share their machine.
const PATIENCE: Duration = Duration::from_secs(60);
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Asks until there is an answer.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// A text inside an answer.
#[track_caller]
pub(crate) fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no text at {pointer} of {value}")).to_owned()
}

/// A whole number inside an answer.
#[track_caller]
pub(crate) fn number(value: &Value, pointer: &str) -> i64 {
    value.pointer(pointer).and_then(Value::as_i64).unwrap_or_else(|| panic!("no number at {pointer} of {value}"))
}

/// A list inside an answer; an absent one is empty.
pub(crate) fn list(value: &Value, pointer: &str) -> Vec<Value> {
    value.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default()
}

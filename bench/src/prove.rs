//! Claims put to the test on a running market, through its public API, with the evidence printed.

use anyhow::ensure;
use serde_json::Value;

use crate::http::Http;
use crate::{Claim, ProveArgs, demo, scenarios};

pub(crate) async fn run(args: &ProveArgs) -> anyhow::Result<()> {
    let http = Http::new(&args.url);
    match args.claim {
        Claim::Oversell => oversell(args, &http).await,
        Claim::Ledger => ledger(&http).await,
        Claim::Stock => stock(&http).await,
    }
}

async fn oversell(args: &ProveArgs, http: &Http) -> anyhow::Result<()> {
    println!("claim: {} buyers at once for {} pieces buy exactly the pieces there are", args.buyers, args.pieces);
    let sale = scenarios::hot_sku::run(args.buyers, args.pieces, http).await?;
    for (name, value) in &sale.figures {
        println!("  {name}: {value}");
    }
    ensure!(sale.sound(), "the claim does not hold: {}", sale.unsound_because());
    stock(http).await?;
    ledger(http).await?;
    println!("holds: never oversold");
    Ok(())
}

async fn ledger(http: &Http) -> anyhow::Result<()> {
    println!("claim: the ledger sums to zero");
    let operator = demo::sign_in(http, demo::OPERATOR).await?;
    let balance = http.get("/v1/ledger/trial-balance", &operator).await?;
    for account in list(&balance, "/accounts") {
        println!("  {}", summary(&account));
    }
    let sums = list(&balance, "/sums");
    for sum in &sums {
        println!("  sum of all accounts: {}", summary(sum));
    }
    let zero = sums.iter().all(|sum| sum.get("amount_minor").and_then(Value::as_i64) == Some(0));
    ensure!(zero && balance.get("balanced") == Some(&Value::Bool(true)), "the claim does not hold: {balance}");
    println!("holds: every currency sums to zero");
    Ok(())
}

async fn stock(http: &Http) -> anyhow::Result<()> {
    println!("claim: every count of stock equals what its journal adds up to");
    let operator = demo::sign_in(http, demo::OPERATOR).await?;
    let proof = http.get("/v1/operator/stock/proof", &operator).await?;
    let count = |name: &str| proof.get(name).and_then(Value::as_i64).unwrap_or_default();
    println!("  {} counts, {} journal entries", count("rows"), count("entries"));
    let mismatches = list(&proof, "/mismatches");
    for mismatch in &mismatches {
        println!("  differs: {mismatch}");
    }
    ensure!(mismatches.is_empty(), "the claim does not hold for {} counts", mismatches.len());
    println!("holds: no count differs from its journal");
    Ok(())
}

fn list(value: &Value, pointer: &str) -> Vec<Value> {
    value.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default()
}

/// An object on one line: its texts and numbers, without braces and quotes.
fn summary(value: &Value) -> String {
    let parts = value.as_object().into_iter().flatten().map(|(name, value)| match value {
        Value::String(text) => format!("{name} {text}"),
        Value::Object(_) => summary(value),
        other => format!("{name} {other}"),
    });
    parts.collect::<Vec<_>>().join(", ")
}

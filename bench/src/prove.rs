//! Claims put to the test on a running market, through its public API, with the evidence printed.

use anyhow::ensure;
use serde_json::Value;

use crate::http::Http;
use crate::{Claim, ProveArgs, crash, demo, scenarios};

pub(crate) async fn run(args: &ProveArgs) -> anyhow::Result<()> {
    let http = Http::new(&args.url);
    match args.claim {
        Claim::Oversell => oversell(args, &http).await,
        Claim::Ledger => ledger(&http).await,
        Claim::Stock => stock(&http).await,
        Claim::Crash => crash::run(args.rounds, &args.steps).await,
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

pub(crate) async fn ledger(http: &Http) -> anyhow::Result<()> {
    println!("claim: the books hold: every invariant of ledger, statements, payouts and reports");
    let operator = demo::sign_in(http, demo::OPERATOR).await?;
    // First the reports are read, so that what PSPs and banks say is part of what is checked.
    let compared = http.post("/v1/open-items/reconcile", &operator, &serde_json::json!({})).await?;
    for report in list(&compared, "/reports") {
        println!("  report: {}", summary(&report));
    }
    println!("  open items: {}", compared.get("open").and_then(Value::as_i64).unwrap_or_default());
    let proof = http.get("/v1/ledger/proof", &operator).await?;
    let mut broken = Vec::new();
    for check in list(&proof, "/checks") {
        let holds = check.get("holds") == Some(&Value::Bool(true));
        let claim = check.get("claim").and_then(Value::as_str).unwrap_or_default().to_owned();
        println!("  {}  {claim}", if holds { "holds " } else { "BROKEN" });
        for evidence in list(&check, "/evidence") {
            println!("            {}", evidence.as_str().unwrap_or_default());
        }
        if !holds {
            broken.push(claim);
        }
    }
    ensure!(proof.get("holds") == Some(&Value::Bool(true)) && broken.is_empty(), "the claim does not hold: {}", broken.join("; "));
    println!("holds: the books are proved");
    Ok(())
}

pub(crate) async fn stock(http: &Http) -> anyhow::Result<()> {
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

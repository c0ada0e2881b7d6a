//! The market seen from outside, as a client of its API: the demo market, the load generator (`markethub bench <scenario>`) and proofs.
//!
//! Open loop: requests start on a fixed schedule whatever the server does, and each latency is measured from the moment the
//! request was due, so that a slow server cannot hide behind a waiting client (no coordinated omission). Latencies go into an
//! HDR histogram. Each run prints its set-up and writes a table (Markdown), the figures (JSON) and a plot (SVG).

mod crash;
pub mod demo;
mod engine;
pub mod eval;
mod http;
mod invented;
mod market;
mod plot;
mod prove;
pub mod replay;
mod report;
mod scenarios;
mod statements;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// Product pages as a browser gets them.
    Page,
    /// Searches with facets through the API.
    Search,
    /// Requests of all kinds, as buyers' apps make them.
    Api,
    /// A new guest puts one thing into a new cart.
    Cart,
    /// Cart, checkout, payment, placed: three sellers in each basket.
    Checkout,
    /// Many buyers at once for the few pieces of one SKU.
    HotSku,
    /// Feeds of invented products, uploaded, validated, saved and indexed.
    Import,
    /// From a change at the seller to its appearance in search.
    Events,
    /// From a change of stock to the search that shows it.
    Freshness,
    /// Behaviour events, many in each request.
    Behaviour,
}

#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    pub scenario: Scenario,
    /// The running market to measure. The demo market's accounts are used.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// Operations started per second.
    #[arg(long)]
    pub rate: Option<u32>,
    /// Seconds measured, after the warm-up.
    #[arg(long, default_value_t = 20)]
    pub seconds: u32,
    /// Seconds before measuring begins.
    #[arg(long, default_value_t = 3)]
    pub warm_up: u32,
    /// Operations under way at once, at most; a schedule that would need more is reported as overload.
    #[arg(long, default_value_t = 2000)]
    pub in_flight: usize,
    /// Buyers for `hot-sku`.
    #[arg(long, default_value_t = 500)]
    pub buyers: u32,
    /// Pieces for `hot-sku`.
    #[arg(long, default_value_t = 100)]
    pub pieces: u32,
    /// Products for `import`, all invented; a feed of another seller for every hundred thousand.
    #[arg(long, default_value_t = 20_000)]
    pub rows: u32,
    /// Other changes per second beside those that `freshness` follows.
    #[arg(long, default_value_t = 0)]
    pub beside: u32,
    /// Where the results go.
    #[arg(long, default_value = "bench-results")]
    pub out: PathBuf,
}

/// A claim to put to the test on a running market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Claim {
    /// Many buyers at once for few pieces: as many are sold as there were, none more, and stock and ledger agree.
    Oversell,
    /// The ledger sums to zero in every currency, and no account says otherwise.
    Ledger,
    /// Every count of stock equals what its journal adds up to.
    Stock,
    /// Whenever MarketHub or PostgreSQL is killed, nothing promised is lost and nothing happens twice. On a market of its own.
    Crash,
}

#[derive(Debug, Clone, Args)]
pub struct ProveArgs {
    pub claim: Claim,
    /// The running demo market.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// Buyers for `oversell`.
    #[arg(long, default_value_t = 500)]
    pub buyers: u32,
    /// Pieces for `oversell`.
    #[arg(long, default_value_t = 100)]
    pub pieces: u32,
    /// Kills at random moments for `crash`; every second one is of PostgreSQL.
    #[arg(long, default_value_t = 20)]
    pub rounds: u32,
    /// Steps for `crash` to die at, as `orders.capture.answered`; without it every one there is.
    #[arg(long, value_delimiter = ',')]
    pub steps: Vec<String>,
}

/// Puts a claim to the test and prints the evidence; fails when the claim does not hold.
pub async fn prove(args: ProveArgs) -> anyhow::Result<()> {
    prove::run(&args).await
}

/// Runs one scenario and prints where its results are.
pub async fn run(args: BenchArgs) -> anyhow::Result<()> {
    let report = scenarios::run(&args).await?;
    print!("{}", report.table());
    let written = report.write(&args.out)?;
    println!("written: {}", written.display());
    anyhow::ensure!(report.sound(), "the run does not count: {}", report.unsound_because());
    Ok(())
}

//! A year of a real shop, lived again: invoices become carts, orders and payments, cancellations become cancelled items and refunds, each on
//! its day of a clock that runs as fast as the market answers. Then every sum is put beside the file's.
//!
//! The clock is the replay's own: the market keeps the time of day, because sessions, signatures and holds need it.

mod compare;
mod drive;
mod file;
mod journal;
mod plan;
mod shop;

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use self::drive::Drive;
use self::file::decimal;
use self::journal::{Begun, Entry, Journal};
use self::plan::Plan;
use self::shop::Shop;
use crate::http::Http;
use crate::prove;

#[derive(Debug, Clone, Args)]
pub struct ReplayArgs {
    /// The history: tab-separated with the columns InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice and CustomerID; packed with
    /// zstd if its name ends in `.zst`.
    pub file: PathBuf,
    /// The running demo market; its rate limits must be off.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// Only so many invoices, from the beginning.
    #[arg(long, value_name = "INVOICES")]
    pub limit: Option<usize>,
    /// What was done so far; a replay that was stopped goes on from it.
    #[arg(long, default_value = "replay.journal", value_name = "FILE")]
    pub journal: PathBuf,
    /// Orders under way at once.
    #[arg(long, default_value_t = 64)]
    pub in_flight: usize,
}

pub async fn run(args: ReplayArgs) -> anyhow::Result<()> {
    let invoices = file::read(&args.file, args.limit)?;
    let plan = Plan::of(&invoices);
    println!(
        "{} invoices, {} lines, {} in all, from {} to {}; {} orders, {} cancellations of orders, {} goods",
        invoices.len(),
        plan.all.lines,
        decimal(plan.all.sum),
        plan.days.keys().next().map_or("", String::as_str),
        plan.days.keys().next_back().map_or("", String::as_str),
        plan.days.values().map(|day| day.sales.len()).sum::<usize>(),
        plan.days.values().map(|day| day.takes.len()).sum::<usize>(),
        plan.goods.len(),
    );
    let http = Http::new(&args.url).patient();
    let journal = Journal::open(&args.journal)?;
    let mark = format!("{:x}", std::process::id());
    let begun = journal.begin(Begun { mark, invoices: invoices.len(), lines: plan.all.lines, sum: plan.all.sum })?;
    let mut shop = Shop::open(&http, &begun.mark).await?;
    if !journal.past(|past| past.stocked) {
        shop.stock(&http, &plan.goods).await.context("the shop could not be filled")?;
        journal.write(Entry::Stocked)?;
    }
    shop.look(&http).await?;
    let drive = Drive { http: &http, shop: &shop, journal: &journal, mark: &begun.mark, in_flight: args.in_flight.max(1) };
    drive.run(&plan).await?;
    compare::compare(&http, &mut shop, &plan).await?;
    prove::stock(&http).await?;
    prove::ledger(&http).await
}

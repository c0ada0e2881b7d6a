//! How good the market is at finding: `markethub eval search|matching` fills shops with feeds that nobody here wrote, asks the public
//! search for what is known to be there, and prints the figures with their definitions. One configuration for all data: the market's own.

mod data;
mod matching;
mod measure;
mod search;
mod shop;
mod typing;

use std::path::{Path, PathBuf};

use clap::Args;

use crate::demo;
use crate::http::Http;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Search,
    Matching,
}

#[derive(Debug, Clone, Args)]
pub struct EvalArgs {
    /// A running market with the demo's operator to use instead of a private one.
    #[arg(long)]
    pub url: Option<String>,
    /// Write queries whose answer is not first into this folder.
    #[arg(long, value_name = "DIR")]
    pub misses: Option<PathBuf>,
}

/// Fills the market at `url`, which must have the demo's operator, with the data and prints the figures.
pub async fn run(subject: Subject, args: &EvalArgs, data: &Path, url: &str) -> anyhow::Result<()> {
    let http = Http::new(url).patient();
    let operator = demo::sign_in(&http, demo::OPERATOR).await?;
    match subject {
        Subject::Search => search::run(args, data, &http, &operator).await,
        Subject::Matching => matching::run(data, &http, &operator).await,
    }
}

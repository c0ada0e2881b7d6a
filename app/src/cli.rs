//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "markethub", version, about = "A marketplace: many sellers, one checkout.", max_term_width = 110)]
pub(crate) struct Cli {
    /// The configuration file; without it `markethub.toml`, if there is one.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where everything is kept.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Where pages and REST are served.
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub(crate) http: Option<String>,
    /// Where gRPC is served.
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub(crate) grpc: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Starts a market with everything in one process, fills it with a demo, and says how to sign in.
    Up(Up),
    /// Serves, all services or some of them.
    Serve(Serve),
    /// Fills a running market with the demo shops.
    Demo(Demo),
    /// Shows or checks the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Looks at what MarketHub needs on this machine and says what to do.
    Doctor,
    /// The audit log.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Sellers' tenants.
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Makes sure that a person is a platform administrator; reads the password from standard input.
    Operator(Operator),
    /// Imports a product feed (CSV, Excel, JSON lines) for a seller.
    Import(Import),
    /// Measures a running market.
    Bench(bench::BenchArgs),
    /// Puts a claim about a running market to the test.
    Prove(bench::ProveArgs),
    /// Lives the order history of a real shop again, against a running market, and compares every sum with the file.
    Replay(bench::replay::ReplayArgs),
    /// Measures what is found and recommended on public data sets, with the code that serves; `--data` is their folder.
    #[command(subcommand)]
    Eval(Eval),
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Start without the demo market.
    #[arg(long)]
    pub(crate) no_demo: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The services that run in this process; without it all.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) services: Vec<String>,
    /// Where services of other processes are: `catalog,search=http://127.0.0.1:9001`.
    #[arg(long, value_name = "NAMES=URL")]
    pub(crate) remote: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// The running market.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Prints what is in force, secrets hidden.
    Print,
    /// Checks file and environment without starting anything.
    Check,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Recomputes the hash chain of the audit log.
    Verify {
        /// Start after this entry, trusting it.
        #[arg(long, default_value_t = 0)]
        after: i64,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TenantCommand {
    /// Decides where a tenant's data lives, before it has any.
    Place {
        /// The tenant's id or slug.
        tenant: String,
        /// In a cell of its own.
        #[arg(long, conflicts_with = "cell", required_unless_present = "cell")]
        dedicated: bool,
        /// In this cell.
        #[arg(long)]
        cell: Option<String>,
    },
}

/// `--data` names the folder that holds the sets.
#[derive(Debug, Subcommand)]
pub(crate) enum Eval {
    /// The models of recommendations, on `rec-gowalla` and `rec-sessions`.
    Recommendations,
    /// Products looked up as other shops call them, with and without typing errors, and rated results, on `offers` and `search-chorus-icecat`.
    Search(bench::eval::EvalArgs),
    /// The same products found in two shops of `offers`: each is the other's first hit.
    Matching(bench::eval::EvalArgs),
}

#[derive(Debug, Args)]
pub(crate) struct Operator {
    pub(crate) email: String,
    #[arg(long, default_value = "Operator")]
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file.
    pub(crate) file: PathBuf,
    /// The seller's tenant, by id or slug.
    #[arg(long)]
    pub(crate) tenant: String,
    /// A saved mapping; with --map or --set, the name to save the mapping under.
    #[arg(long)]
    pub(crate) preset: Option<String>,
    /// Which column becomes which field: `--map price=Preis`. Without any, the columns are guessed by their names.
    #[arg(long, value_name = "FIELD=COLUMN")]
    pub(crate) map: Vec<String>,
    /// A value for every row that lacks the field: `--set currency=USD --set stock=10`.
    #[arg(long, value_name = "FIELD=VALUE")]
    pub(crate) set: Vec<String>,
    /// Only say what would happen.
    #[arg(long, conflicts_with = "errors")]
    pub(crate) dry_run: bool,
    /// Write every rejected row, and every value that was left out, to this file as CSV.
    #[arg(long, value_name = "FILE")]
    pub(crate) errors: Option<PathBuf>,
}

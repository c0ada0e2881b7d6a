//! `markethub eval`: the models and the search of the shop, measured on data nobody here made. The search is asked in a market of its own,
//! in a folder that is removed afterwards, with the settings in force but for where it keeps and serves things.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use anyhow::Context;
use bench::demo;
use bench::eval::{EvalArgs, Subject};

use crate::cli::Eval;
use crate::modules::Plan;
use crate::serve::Serving;
use crate::settings::{DataDir, Settings};
use crate::up::ensure_operator;

pub(crate) async fn run(settings: &Settings, what: &Eval, data: Option<&Path>) -> anyhow::Result<()> {
    let data = data.context("say with --data where the data sets are")?;
    match what {
        Eval::Recommendations => {
            print!("{}", service_recommendations::eval::run(data)?);
            Ok(())
        }
        Eval::Search(args) => in_market(settings, Subject::Search, args, data).await,
        Eval::Matching(args) => in_market(settings, Subject::Matching, args, data).await,
    }
}

async fn in_market(settings: &Settings, subject: Subject, args: &EvalArgs, data: &Path) -> anyhow::Result<()> {
    if let Some(url) = &args.url {
        return bench::eval::run(subject, args, data, url).await;
    }
    let folder = tempfile::tempdir().context("cannot make a folder for the market")?;
    let settings = private(settings, folder.path())?;
    let serving = Serving::start(&settings, &Plan::all_here()).await?;
    ensure_operator(&serving.market.house.links(), demo::OPERATOR, demo::PASSWORD, "Operator").await?;
    let url = settings.http.public_url();
    serving.while_doing(bench::eval::run(subject, args, data, &url)).await
}

/// The same market elsewhere, asked by one client without limits.
fn private(settings: &Settings, folder: &Path) -> anyhow::Result<Settings> {
    let mut settings = settings.clone();
    settings.data_dir = DataDir(folder.to_owned());
    settings.database.url.clear();
    settings.objects = Default::default();
    settings.http.public_url.clear();
    let [http, grpc, sandbox] = free_addresses()?;
    (settings.http.listen, settings.grpc.listen, settings.sandbox.listen) = (http, grpc, sandbox);
    settings.rest.address_per_second = 0;
    settings.rest.account_per_second = 0;
    Ok(settings)
}

fn free_addresses() -> anyhow::Result<[SocketAddr; 3]> {
    let any = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listeners = [any()?, any()?, any()?];
    let [http, grpc, sandbox] = &listeners;
    Ok([http.local_addr()?, grpc.local_addr()?, sandbox.local_addr()?])
}

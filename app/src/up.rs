//! `markethub up`: a whole market in one process, with a demo to look at, and how to sign in.

use std::convert::Infallible;

use anyhow::Context;
use api_identity::EnsureOperatorRequest;
use api_identity::identity_client::IdentityClient;
use bench::demo;
use kit_rpc::{Ctx, Links};

use crate::cli::Up;
use crate::modules::Plan;
use crate::serve::Serving;
use crate::settings::Settings;

pub(crate) async fn run(settings: &Settings, args: &Up) -> anyhow::Result<()> {
    let serving = Serving::start(settings, &Plan::all_here()).await?;
    let url = settings.http.public_url();
    if args.no_demo {
        println!("\n  MarketHub is open:  {url}\n  REST:               {url}/docs\n  Stop it with Ctrl-C.\n");
        return serving.until_stopped().await;
    }
    ensure_operator(&serving.market.house.links(), demo::OPERATOR, demo::PASSWORD, "Demo Operator").await?;
    let local = format!("http://{}", settings.http.listen);
    let stopping = serving.market.house.stopping();
    let filling = async {
        match demo::fill(&local).await {
            Ok(()) => println!("{}", welcome(&url)),
            Err(_) if stopping.is_cancelled() => {}
            Err(error) => println!("{}\n  The demo market is not complete: {error:#}\n", welcome(&url)),
        }
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        served = serving.until_stopped() => served,
        never = filling => match never {},
    }
}

fn welcome(url: &str) -> String {
    let password = demo::PASSWORD;
    let (operator, buyer, seller, applicant) = (demo::OPERATOR, demo::BUYER, demo::seller(1), demo::APPLICANT);
    format!(
        "\n  MarketHub is open:  {url}\n\n  Sign in at          {url}/sign-in   (password of all: {password})\n    operator          {operator}\n    seller            {seller}  … {last}\n    buyer             {buyer}\n    waits for approval {applicant}\n\n  REST                {url}/docs\n  Stop it with Ctrl-C; the next start continues where this one ends.\n",
        last = demo::seller(demo::SHOPS)
    )
}

/// Idempotent: an account that exists keeps its password.
pub(crate) async fn ensure_operator(links: &Links, email: &str, password: &str, name: &str) -> anyhow::Result<bool> {
    let request = EnsureOperatorRequest { email: email.to_owned(), password: password.to_owned(), name: name.to_owned() };
    let answer = IdentityClient::new(links.to("identity")?).ensure_operator(Ctx::service("cli", "cli").request(request)).await;
    let answer = answer.map_err(|status| anyhow::anyhow!("{}", status.message())).context("the operator account could not be made")?;
    Ok(answer.into_inner().created)
}

//! The one binary of MarketHub: reads the command line and the configuration, then serves, or does what a command says.

mod cli;
mod commands;
mod doctor;
mod eval;
mod figures;
mod grpc;
mod http;
mod import;
mod lingering;
mod logs;
mod market;
mod modules;
mod serve;
mod settings;
mod up;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{AuditCommand, Cli, Command, ConfigCommand, TenantCommand};
use crate::commands::Access;
use crate::modules::Plan;
use crate::serve::Serving;
use crate::settings::Settings;

// The system's allocator keeps what a burst took (password hashes, pictures): five times the memory when idle.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("markethub: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let settings = Settings::load(&cli, &modules::names())?;
    logs::start(&settings.log);
    match &cli.command {
        Command::Up(args) => up::run(&settings, args).await,
        Command::Serve(args) => {
            let plan = Plan::new(&args.services, &args.remote)?;
            if !settings.proof.die_at.is_empty() {
                kit_module::crash::dies_at(&settings.proof.die_at);
            }
            Serving::start(&settings, &plan).await?.until_stopped().await
        }
        Command::Demo(args) => bench::demo::fill(&args.url).await,
        Command::Config(ConfigCommand::Print) => {
            print!("{}", settings.print()?);
            Ok(())
        }
        Command::Config(ConfigCommand::Check) => {
            settings.check_services(modules::MODULES)?;
            println!("the configuration is in order");
            Ok(())
        }
        Command::Doctor => doctor::run(&settings).await,
        Command::Bench(args) => bench::run(args.clone()).await,
        Command::Prove(args) => bench::prove(args.clone()).await,
        Command::Replay(args) => bench::replay::run(args.clone()).await,
        Command::Eval(what) => eval::run(&settings, what, cli.data.as_deref()).await,
        Command::Audit(_) | Command::Tenant(_) | Command::Operator(_) | Command::Import(_) => act(&settings, &cli.command).await,
    }
}

/// Commands that need the services.
async fn act(settings: &Settings, command: &Command) -> anyhow::Result<()> {
    let access = Access::open(settings).await?;
    let done = match command {
        Command::Audit(AuditCommand::Verify { after }) => commands::verify_audit(&access.links, *after).await,
        Command::Tenant(TenantCommand::Place { tenant, dedicated: _, cell }) => {
            commands::place_tenant(&access.links, tenant, cell.as_deref().unwrap_or("dedicated")).await
        }
        Command::Operator(args) => commands::add_operator(&access.links, args).await,
        Command::Import(args) => import::run(&access.links, args).await,
        _ => Ok(()),
    };
    access.close().await;
    done
}

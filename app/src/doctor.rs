//! `markethub doctor`: what MarketHub needs on this machine, one line each, with the way out where something is missing.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::bail;
use kit_db::Storage;
use tokio::net::{TcpListener, TcpStream};

use crate::modules::MODULES;
use crate::settings::Settings;

const OLDEST_POSTGRES: u32 = 15;
const ROOM_WANTED_BYTES: u64 = 2 << 30;
const KNOCK: Duration = Duration::from_millis(500);

struct Finding {
    about: &'static str,
    fine: bool,
    told: String,
}

pub(crate) async fn run(settings: &Settings) -> anyhow::Result<()> {
    let running = is_running(settings.grpc.listen).await;
    let mut findings = vec![configuration(settings), database(settings).await, data_dir(&settings.data_dir.0), room(&settings.data_dir.0)];
    for (about, address) in [("HTTP port", settings.http.listen), ("gRPC port", settings.grpc.listen), ("sandbox port", settings.sandbox.listen)] {
        findings.push(port(about, address, running).await);
    }
    for finding in &findings {
        println!("{}  {:<16} {}", if finding.fine { "ok  " } else { "!!  " }, finding.about, finding.told);
    }
    let bad = findings.iter().filter(|finding| !finding.fine).count();
    if bad > 0 {
        bail!("{bad} of {} checks need attention", findings.len());
    }
    println!("\nMarketHub {} can run here{}.", env!("CARGO_PKG_VERSION"), if running { " and is running" } else { "" });
    Ok(())
}

async fn is_running(address: SocketAddr) -> bool {
    matches!(tokio::time::timeout(KNOCK, TcpStream::connect(address)).await, Ok(Ok(_)))
}

fn configuration(settings: &Settings) -> Finding {
    let checked = settings.check_services(MODULES);
    let told = checked.as_ref().err().map_or_else(|| "every service can start with it".to_owned(), |error| format!("{error:#}"));
    Finding { about: "configuration", fine: checked.is_ok(), told }
}

async fn database(settings: &Settings) -> Finding {
    if settings.database.url.is_empty() {
        let found = newest_postgres();
        let told = match &found {
            Some((version, path)) if *version >= OLDEST_POSTGRES => format!("PostgreSQL {version} in {}", path.display()),
            Some((version, _)) => format!("PostgreSQL {version} is too old: install {OLDEST_POSTGRES} or newer, or set DATABASE_URL"),
            None => "PostgreSQL was not found: apt-get install postgresql, or set DATABASE_URL to a database that exists".to_owned(),
        };
        return Finding { about: "database", fine: found.is_some_and(|(version, _)| version >= OLDEST_POSTGRES), told };
    }
    match Storage::open(settings.storage()).await {
        Ok(storage) => {
            storage.close().await;
            Finding { about: "database", fine: true, told: "the configured database answers".to_owned() }
        }
        Err(error) => Finding { about: "database", fine: false, told: error.to_string() },
    }
}

/// The newest server on the search path or where Debian puts them.
fn newest_postgres() -> Option<(u32, PathBuf)> {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin/postgres"));
    let on_path =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).map(|dir| dir.join("postgres")).collect::<Vec<_>>()).unwrap_or_default();
    let versions = debian.chain(on_path).filter(|path| path.exists()).filter_map(|path| Some((version(&path)?, path)));
    versions.max()
}

/// "postgres (PostgreSQL) 15.6 (Debian …)" → 15
fn version(binary: &Path) -> Option<u32> {
    let told = Command::new(binary).arg("--version").output().ok()?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    told.split(')').nth(1)?.trim().split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn data_dir(dir: &Path) -> Finding {
    let probe = dir.join(".probe");
    let tried = std::fs::create_dir_all(dir).and_then(|()| std::fs::write(&probe, b"")).and_then(|()| std::fs::remove_file(&probe));
    let told = match &tried {
        Ok(()) => format!("{} can be written", dir.display()),
        Err(error) => format!("{} cannot be written ({error}): choose another with --data", dir.display()),
    };
    Finding { about: "data directory", fine: tried.is_ok(), told }
}

/// Free space, as `df` tells it.
fn room(dir: &Path) -> Finding {
    let told =
        Command::new("df").args(["--output=avail", "-B1"]).arg(dir).output().ok().map(|told| String::from_utf8_lossy(&told.stdout).into_owned());
    let free: Option<u64> = told.and_then(|told| told.lines().nth(1)?.trim().parse().ok());
    match free {
        Some(free) if free < ROOM_WANTED_BYTES => {
            Finding { about: "disk", fine: false, told: format!("only {} MiB are free: make room", free >> 20) }
        }
        Some(free) => Finding { about: "disk", fine: true, told: format!("{} GiB are free", free >> 30) },
        None => Finding { about: "disk", fine: true, told: "the free space could not be found out".to_owned() },
    }
}

async fn port(about: &'static str, address: SocketAddr, running: bool) -> Finding {
    match TcpListener::bind(address).await {
        Ok(_) => Finding { about, fine: true, told: format!("{address} is free") },
        Err(_) if running => Finding { about, fine: true, told: format!("{address} is used, by the running market") },
        Err(error) => Finding { about, fine: false, told: format!("{address} cannot be used ({error}): stop what uses it, or choose another") },
    }
}

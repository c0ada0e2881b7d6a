//! A market of its own to be killed: this same binary, on ports and a data directory of its own.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use http::Method;
use hyper::body::Bytes;
use serde_json::Value;

use crate::demo;
use crate::http::{Caller, Http, text};

/// Longer than PostgreSQL needs to recover.
const START_TIMEOUT: Duration = Duration::from_secs(180);
const ASK_EVERY: Duration = Duration::from_millis(50);
const SANDBOX_KEY: &str = "sk_test_crash";
/// How long the process that places an order is left alone, and how often recovery looks: shorter than built in, so that rounds are short.
const LEASE_SECONDS: u32 = 2;
const RECOVERY_SECONDS: u32 = 1;

pub(super) struct World {
    dir: PathBuf,
    child: Child,
    pub http: Http,
    sandbox: String,
}

impl World {
    /// Starts a market in a new directory.
    pub(super) async fn open() -> anyhow::Result<Self> {
        let dir = std::env::temp_dir().join(format!("markethub-crash-{}", std::process::id()));
        fs::create_dir(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let [http, grpc, sandbox] = [free_port()?, free_port()?, free_port()?];
        fs::write(dir.join("market.toml"), configuration(&dir, http, grpc, sandbox))?;
        let child = serve(&dir, None)?;
        let mut world = Self { http: Http::new(&format!("http://127.0.0.1:{http}")), sandbox: format!("http://127.0.0.1:{sandbox}"), child, dir };
        world.ready().await?;
        world.command(&["operator", demo::OPERATOR], demo::PASSWORD)?;
        Ok(world)
    }

    /// Kills the market and starts it again; how long it was away.
    pub(super) async fn kill(&mut self) -> anyhow::Result<Duration> {
        self.child.kill()?;
        self.restart(None).await
    }

    /// Kills the database server under the running market; how long until it serves again.
    pub(super) async fn kill_database(&mut self) -> anyhow::Result<Duration> {
        let begin = Instant::now();
        self.end_database().await?;
        self.ready().await?;
        Ok(begin.elapsed())
    }

    /// Kills the market and its database server, as a power cut would, and starts them again; how long they were away.
    pub(super) async fn kill_both(&mut self) -> anyhow::Result<Duration> {
        self.child.kill()?;
        self.end_database().await?;
        self.restart(None).await
    }

    async fn end_database(&self) -> anyhow::Result<()> {
        let pid = fs::read_to_string(self.dir.join("data/pg/data/postmaster.pid")).context("the market has no PostgreSQL of its own")?;
        let pid = pid.lines().next().unwrap_or_default().trim().to_owned();
        ensure!(Command::new("kill").args(["-KILL", &pid]).status()?.success(), "PostgreSQL could not be killed");
        while Path::new(&format!("/proc/{pid}/fd")).read_dir().is_ok_and(|mut open| open.next().is_some()) {
            tokio::time::sleep(ASK_EVERY).await;
        }
        Ok(())
    }

    /// Starts it again after it has died; with a step at which it dies next.
    pub(super) async fn restart(&mut self, die_at: Option<&str>) -> anyhow::Result<Duration> {
        let begin = Instant::now();
        self.child.wait()?;
        self.child = serve(&self.dir, die_at)?;
        self.ready().await?;
        Ok(begin.elapsed())
    }

    /// Stops it in order, to start it with a step at which it dies.
    pub(super) async fn restart_to_die(&mut self, step: &str) -> anyhow::Result<()> {
        self.stop();
        self.restart(Some(step)).await.map(drop)
    }

    pub(super) fn is_dead(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_some())
    }

    fn stop(&mut self) {
        // Whoever cannot be told to stop has stopped.
        let _told = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ended = self.child.wait();
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let begin = Instant::now();
        loop {
            if self.http.send(Method::GET, "/readyz", &Caller::default(), "", Bytes::new()).await.is_ok_and(|answer| answer.status.is_success()) {
                return Ok(());
            }
            ensure!(!self.is_dead(), "the market did not start; see {}", self.dir.join("log").display());
            ensure!(begin.elapsed() < START_TIMEOUT, "the market does not get ready; see {}", self.dir.join("log").display());
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Runs a command of the binary on this market; what it printed.
    pub(super) fn command(&self, arguments: &[&str], input: &str) -> anyhow::Result<String> {
        let mut child = binary(&self.dir)?.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        child.stdin.take().context("no input")?.write_all(input.as_bytes())?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "markethub {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// From now on the payment service provider has these faults, and no others.
    pub(super) async fn psp_behaves(&self, faults: &Value) -> anyhow::Result<()> {
        let key = Caller { token: Some(SANDBOX_KEY.to_owned()), ..Caller::default() };
        let path = format!("{}/v1/faults", self.sandbox);
        self.http.send(Method::PUT, &path, &key, "application/json", Bytes::from(serde_json::to_vec(faults)?)).await?.ok(&path).map(drop)
    }

    /// All payments the provider has, as they are now.
    pub(super) async fn psp_payments(&self) -> anyhow::Result<Vec<Value>> {
        let key = Caller { token: Some(SANDBOX_KEY.to_owned()), ..Caller::default() };
        let (mut payments, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.http.get(&format!("{}/v1/payments?limit=1000&after={after}", self.sandbox), &key).await?;
            let found = page.pointer("/payments").and_then(Value::as_array).cloned().unwrap_or_default();
            let Some(last) = found.last() else { return Ok(payments) };
            after = text(last, "/id")?;
            payments.extend(found);
        }
    }

    /// Stops it and removes its directory.
    pub(super) fn remove(mut self) -> anyhow::Result<()> {
        self.stop();
        fs::remove_dir_all(&self.dir).with_context(|| format!("cannot remove {}", self.dir.display()))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !self.is_dead() {
            self.stop();
        }
    }
}

fn binary(dir: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("where this program is")?);
    command.current_dir(dir).arg("--config").arg(dir.join("market.toml"));
    Ok(command)
}

fn serve(dir: &Path, die_at: Option<&str>) -> anyhow::Result<Child> {
    let log = File::options().create(true).append(true).open(dir.join("log"))?;
    let mut command = binary(dir)?;
    command.arg("serve").stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    if let Some(step) = die_at {
        command.env("MARKETHUB__PROOF__DIE_AT", step);
    }
    command.spawn().context("the market could not be started")
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Quick password hashes and no rate limits: the buyers are a crowd at one address.
fn configuration(dir: &Path, http: u16, grpc: u16, sandbox: u16) -> String {
    format!(
        r#"data_dir = "{}"
[http]
listen = "127.0.0.1:{http}"
[grpc]
listen = "127.0.0.1:{grpc}"
[sandbox]
listen = "127.0.0.1:{sandbox}"
[rest]
address_per_second = 0
account_per_second = 0
[services.identity]
hash_memory_kib = 1024
hash_passes = 1
free_sign_ups_per_address = 10000
[services.orders]
lease_seconds = {LEASE_SECONDS}
recovery_seconds = {RECOVERY_SECONDS}
[services.payments.sandbox]
secret_key = "{SANDBOX_KEY}"
"#,
        dir.join("data").display()
    )
}

//! The configuration: `markethub.toml`, then the environment (`MARKETHUB__HTTP__LISTEN`), then the command line. What is unknown is
//! refused with its place and what was probably meant.

mod known;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use kit_module::Module;
use kit_rpc::CtxKey;
use serde::{Deserialize, Serialize};

use crate::cli::Cli;
use crate::market;

const FILE: &str = "markethub.toml";
const PREFIX: &str = "MARKETHUB__";
/// A shorter secret could be found by trying.
const SHORTEST_KEY_BYTES: usize = 16;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Where everything is kept that has no other place.
    pub(crate) data_dir: DataDir,
    pub(crate) http: Http,
    pub(crate) grpc: Grpc,
    pub(crate) sandbox: Sandbox,
    pub(crate) database: Database,
    pub(crate) objects: Objects,
    pub(crate) cluster: Cluster,
    pub(crate) log: Log,
    pub(crate) proof: Proof,
    pub(crate) rest: edge_rest::Config,
    pub(crate) web: toml::Table,
    /// One section per service.
    pub(crate) services: toml::Table,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct DataDir(pub(crate) PathBuf);

impl Default for DataDir {
    fn default() -> Self {
        Self("data".into())
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Http {
    pub(crate) listen: SocketAddr,
    /// How people reach the market; empty: the address it listens on.
    pub(crate) public_url: String,
    /// How long requests may take to finish when the process stops.
    pub(crate) drain_seconds: u64,
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8080)), public_url: String::new(), drain_seconds: 20 }
    }
}

impl Http {
    pub(crate) fn public_url(&self) -> String {
        if self.public_url.is_empty() { format!("http://{}", self.listen) } else { self.public_url.trim_end_matches('/').to_owned() }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Grpc {
    pub(crate) listen: SocketAddr,
}

impl Default for Grpc {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8081)) }
    }
}

/// The sandbox payment provider; its keys are in `[services.payments.sandbox]`, like any provider's.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Sandbox {
    pub(crate) run: bool,
    pub(crate) listen: SocketAddr,
    /// How browsers reach its pages; empty: the address it listens on.
    pub(crate) public_url: String,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self { run: true, listen: SocketAddr::from(([127, 0, 0, 1], 8082)), public_url: String::new() }
    }
}

impl Sandbox {
    pub(crate) fn public_url(&self) -> String {
        if self.public_url.is_empty() { format!("http://{}", self.listen) } else { self.public_url.trim_end_matches('/').to_owned() }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Database {
    /// An owner's address of a PostgreSQL database; empty: a cluster of its own in the data directory. `DATABASE_URL` does the same.
    pub(crate) url: String,
    /// The most connections of one service.
    pub(crate) pool_connections: u32,
    /// The most connections of one service to one dedicated cell.
    pub(crate) cell_connections: u32,
    /// Addresses of the databases of dedicated cells.
    pub(crate) cells: BTreeMap<String, String>,
}

impl Default for Database {
    fn default() -> Self {
        let built_in = kit_db::Settings::in_dir("");
        Self { url: String::new(), pool_connections: built_in.pool_connections, cell_connections: built_in.cell_connections, cells: BTreeMap::new() }
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Objects {
    /// Where files and pictures go: empty: the data directory; or `s3://bucket/prefix`.
    pub(crate) url: String,
    /// Options of that store: `aws_region`, `aws_access_key_id`, …
    pub(crate) options: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Cluster {
    /// The secret under which the processes of one market believe each other; empty: one in the data directory.
    pub(crate) key: String,
}

/// For `markethub prove crash`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Proof {
    /// The step at which the process dies, as in `orders.capture.answered`; empty: it lives.
    pub(crate) die_at: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// Pretty on a terminal, JSON elsewhere.
    Auto,
    Pretty,
    Json,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    /// As in `info` or `info,service_orders=debug`.
    pub(crate) level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Auto, level: "info,sqlx=warn,hyper=warn,h2=warn,tower=warn,tantivy=error".to_owned() }
    }
}

impl Settings {
    /// Everything that is set, checked as far as it can be without starting.
    pub(crate) fn load(cli: &Cli, services: &[&str]) -> anyhow::Result<Self> {
        let (mut table, place) = match &cli.config {
            Some(path) => (read(path, services)?, path.display().to_string()),
            None if Path::new(FILE).exists() => (read(Path::new(FILE), services)?, FILE.to_owned()),
            None => (toml::Table::new(), FILE.to_owned()),
        };
        for (name, value) in std::env::vars() {
            if let Some(path) = name.strip_prefix(PREFIX) {
                let path: Vec<String> = path.split("__").map(str::to_lowercase).collect();
                known::check_path(&path, services).with_context(|| format!("in the environment variable {name}"))?;
                set(&mut table, &path, parse(&value)).with_context(|| format!("in the environment variable {name}"))?;
            } else if name == "DATABASE_URL" {
                set(&mut table, &["database".to_owned(), "url".to_owned()], toml::Value::String(value))?;
            }
        }
        let mut settings: Self = table.try_into().with_context(|| format!("in {place} or the environment"))?;
        settings.apply(cli)?;
        settings.check()?;
        Ok(settings)
    }

    fn apply(&mut self, cli: &Cli) -> anyhow::Result<()> {
        if let Some(data) = &cli.data {
            self.data_dir.0.clone_from(data);
        }
        if let Some(http) = &cli.http {
            self.http.listen = address("--http", http)?;
        }
        if let Some(grpc) = &cli.grpc {
            self.grpc.listen = address("--grpc", grpc)?;
        }
        self.data_dir.0 = std::path::absolute(&self.data_dir.0).context("the data directory has no absolute path")?;
        Ok(())
    }

    fn check(&self) -> anyhow::Result<()> {
        for (name, url) in [("http.public_url", &self.http.public_url), ("sandbox.public_url", &self.sandbox.public_url)] {
            if !(url.is_empty() || url.starts_with("http://") || url.starts_with("https://")) {
                bail!("{name} must begin with http:// or https://, not {url:?}");
            }
        }
        for (name, number) in [("rest.json_body_bytes", self.rest.json_body_bytes), ("rest.raw_body_bytes", self.rest.raw_body_bytes)] {
            if number == 0 {
                bail!("{name} must be more than 0");
            }
        }
        if self.rest.request_timeout_seconds == 0 {
            bail!("rest.request_timeout_seconds must be more than 0");
        }
        if let Err(error) = self.log.level.parse::<tracing_subscriber::EnvFilter>() {
            bail!("log.level {:?} is not a filter like \"info,service_orders=debug\": {error}", self.log.level);
        }
        let pools = [("database.pool_connections", self.database.pool_connections), ("database.cell_connections", self.database.cell_connections)];
        for (name, number) in pools {
            ensure!(number > 0, "{name} must be at least 1");
        }
        let key = &self.cluster.key;
        ensure!(
            key.is_empty() || key.len() >= SHORTEST_KEY_BYTES,
            "cluster.key must be at least {SHORTEST_KEY_BYTES} bytes of a secret, as `openssl rand -hex 32` makes one; left empty, it is made in the data directory"
        );
        self.check_ports()?;
        self.storage().check()?;
        market::configured_objects(&self.objects)?;
        self.web()?;
        Ok(())
    }

    /// Each of these services can start with its section. Not part of loading, because a process may lack the secrets of services it does not run.
    pub(crate) fn check_services(&self, modules: &[&Module]) -> anyhow::Result<()> {
        let sections = market::sections(self, &CtxKey::new(self.cluster.key.as_bytes()));
        modules.iter().try_for_each(|module| module.section(&sections).map(drop))
    }

    /// Those that listen at once listen in different places.
    fn check_ports(&self) -> anyhow::Result<()> {
        let mut taken = vec![("http.listen", self.http.listen), ("grpc.listen", self.grpc.listen)];
        if self.sandbox.run {
            taken.push(("sandbox.listen", self.sandbox.listen));
        }
        while let Some((name, address)) = taken.pop() {
            let collides = |other: &SocketAddr| {
                other.port() == address.port()
                    && address.port() != 0
                    && (other.ip() == address.ip() || other.ip().is_unspecified() || address.ip().is_unspecified())
            };
            if let Some((other, _)) = taken.iter().find(|(_, other)| collides(other)) {
                bail!("{other} and {name} are both at port {}: give one of them another", address.port());
            }
        }
        Ok(())
    }

    pub(crate) fn web(&self) -> anyhow::Result<edge_web::Settings> {
        let web: edge_web::Settings = toml::Value::Table(self.web.clone()).try_into().context("in the section [web]")?;
        Ok(edge_web::Settings { public_url: self.http.public_url(), ..web })
    }

    pub(crate) fn storage(&self) -> kit_db::Settings {
        kit_db::Settings {
            database_url: Some(self.database.url.clone()).filter(|url| !url.is_empty()),
            pool_connections: self.database.pool_connections,
            cell_connections: self.database.cell_connections,
            cells: self.database.cells.clone(),
            ..kit_db::Settings::in_dir(self.data_dir.0.clone())
        }
    }

    /// As TOML, secrets hidden.
    pub(crate) fn print(&self) -> anyhow::Result<String> {
        let mut table = toml::Table::try_from(self)?;
        hide(&mut table);
        Ok(toml::to_string_pretty(&table)?)
    }
}

fn address(flag: &str, text: &str) -> anyhow::Result<SocketAddr> {
    let with_host = if text.contains(':') { text.to_owned() } else { format!("127.0.0.1:{text}") };
    with_host.parse().with_context(|| format!("{flag} {text:?} is not an address like 127.0.0.1:8080"))
}

fn read(path: &Path, services: &[&str]) -> anyhow::Result<toml::Table> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the configuration {}", path.display()))?;
    let table = text.parse::<toml::Table>().with_context(|| format!("{} is not TOML", path.display()))?;
    known::check(&table, &text, services).with_context(|| format!("in {}", path.display()))?;
    Ok(table)
}

/// An environment variable is what it would be in TOML: a number, true, a list; anything else is text.
fn parse(text: &str) -> toml::Value {
    let value = format!("value = {text}").parse::<toml::Table>().ok().and_then(|mut table| table.remove("value"));
    value.filter(|value| !value.is_table() && !value.is_datetime()).unwrap_or_else(|| toml::Value::String(text.to_owned()))
}

fn set(table: &mut toml::Table, path: &[String], value: toml::Value) -> anyhow::Result<()> {
    let Some((first, rest)) = path.split_first() else { return Ok(()) };
    if rest.is_empty() {
        table.insert(first.clone(), value);
        return Ok(());
    }
    match table.entry(first.clone()).or_insert_with(|| toml::Value::Table(toml::Table::new())) {
        toml::Value::Table(inner) => set(inner, rest, value),
        _ => bail!("{first} is a value, not a section"),
    }
}

fn hide(table: &mut toml::Table) {
    for (name, value) in table {
        let secret = ["key", "secret", "password", "token"].iter().any(|word| name.contains(word)) && !name.starts_with("publishable");
        match value {
            toml::Value::Table(inner) => hide(inner),
            toml::Value::String(text) if secret && !text.is_empty() => "(hidden)".clone_into(text),
            toml::Value::String(text) => {
                // The password of an address.
                if let Some((scheme, rest)) = text.split_once("://")
                    && let Some((login, host)) = rest.split_once('@')
                    && let Some((user, _)) = login.split_once(':')
                {
                    *text = format!("{scheme}://{user}:(hidden)@{host}");
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::{MODULES, names};
    use clap::Parser;

    fn load(text: &str) -> anyhow::Result<Settings> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("markethub.toml");
        std::fs::write(&file, text)?;
        let cli = Cli::try_parse_from(["markethub", "doctor", "--config", &file.display().to_string()])?;
        Settings::load(&cli, &names())
    }

    fn refusal(text: &str) -> String {
        format!("{:#}", load(text).unwrap_err())
    }

    #[test]
    fn what_is_set_is_in_force_and_the_rest_is_as_built() {
        let settings = load("[http]\nlisten = \"127.0.0.1:9999\"\n[services.orders]\nstock_hold_minutes = 5\n").unwrap();
        assert_eq!((settings.http.listen.port(), settings.grpc.listen.port()), (9999, 8081));
        assert_eq!(settings.http.public_url(), "http://127.0.0.1:9999");
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place_and_what_was_meant() {
        let told = refusal("[http]\nlisten = \"127.0.0.1:1\"\ndrain_secconds = 3\n");
        assert!(told.contains("line 3") && told.contains("http.drain_secconds") && told.contains("did you mean drain_seconds?"), "{told}");
        let told = refusal("[services.ordrs]\nx = 1\n");
        assert!(told.contains("services.ordrs") && told.contains("did you mean orders?"), "{told}");
    }

    #[test]
    fn a_wrong_value_is_refused_by_its_name() {
        assert!(refusal("[http]\nlisten = \"here\"\n").contains("listen"), "{}", refusal("[http]\nlisten = \"here\"\n"));
        assert!(refusal("[log]\nlevel = \"=&\"\n").contains("log.level"));
        assert!(refusal("[http]\npublic_url = \"market.example\"\n").contains("http.public_url"));
        assert!(refusal("not toml at all").contains("is not TOML"));
    }

    #[test]
    fn what_no_market_could_start_with_is_refused_by_its_name() {
        for (text, told) in [
            ("[services.orders]\nx = 1\n", &["services.orders", "unknown field `x`", "stock_hold_minutes"][..]),
            ("[services.orders]\nstock_hold_minutes = \"abc\"\n", &["services.orders", "stock_hold_minutes", "u32"]),
            ("[services.notifications]\nx = 1\n", &["services.notifications", "unknown field `x`"]),
            ("[services.identity]\nhashes_at_once = 0\n", &["services.identity", "hashes_at_once", "at least 1"]),
            ("[services.payments]\ndefault_psp = \"stripe\"\n", &["services.payments.default_psp", "\"stripe\""]),
            ("[services.payments]\nreconcile_every_ms = 0\n", &["services.payments", "reconcile_every_ms", "more than 0"]),
            ("[services.payments.settlement]\nsettle_every_seconds = 0\n", &["services.payments", "settlement", "settle_every_seconds"]),
            ("[services]\norders = 3\n", &["services.orders"]),
            ("[database]\nurl = \"notaurl\"\n", &["database.url", "postgres://"]),
            ("[database]\nurl = \"mysql://a@b/c\"\n", &["database.url", "postgres://"]),
            ("[database.cells]\nnorth = \"mysql://a@b/c\"\n", &["database.cells.north", "postgres://"]),
            ("[database]\npool_connections = 0\n", &["database.pool_connections", "at least 1"]),
            ("[objects]\nurl = \"ftp://x\"\n", &["objects.url", "s3://"]),
            ("[objects]\nurl = \"nothing\"\n", &["objects.url", "s3://"]),
            ("[cluster]\nkey = \"a\"\n", &["cluster.key", "at least 16"]),
            ("[sandbox]\nlisten = \"127.0.0.1:8080\"\n", &["http.listen", "sandbox.listen", "8080"]),
            ("[grpc]\nlisten = \"0.0.0.0:8080\"\n", &["http.listen", "grpc.listen", "8080"]),
        ] {
            let checked = load(text).and_then(|settings| settings.check_services(MODULES));
            let refused = format!("{:#}", checked.unwrap_err());
            assert!(told.iter().all(|part| refused.contains(part)), "{text}: {refused}");
        }
        load("[sandbox]\nrun = false\nlisten = \"127.0.0.1:8080\"\n").unwrap();
        load("[http]\nlisten = \"127.0.0.1:0\"\n[grpc]\nlisten = \"127.0.0.1:0\"\n").unwrap();
    }

    #[test]
    fn the_example_shows_what_is_in_force() {
        let settings = load(include_str!("../../markethub.toml.example")).unwrap();
        let (mut shown, mut built) = (toml::Table::try_from(settings).unwrap(), toml::Table::try_from(Settings::default()).unwrap());
        shown.remove("data_dir");
        built.remove("data_dir");
        assert_eq!(shown, built);
    }

    #[test]
    fn secrets_are_not_printed() {
        let settings = load("[cluster]\nkey = \"sesame sesame sesame\"\n[database]\nurl = \"postgres://anna:sesame@db/market\"\n").unwrap();
        let printed = settings.print().unwrap();
        assert!(!printed.contains("sesame") && printed.contains("postgres://anna:(hidden)@db/market"), "{printed}");
    }
}

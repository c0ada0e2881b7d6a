//! A market: its processes, its operator, and what must hold in it at any time.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kit_db::Embedded;
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tempfile::TempDir;

use super::people::{self, Buyer, PASSWORD, Seller};
use super::process::{self, Process, World, free_port};
use super::{Caller, Http, eventually, list, number, text};

const OPERATOR: &str = "operator@test.example";
/// Longer than PostgreSQL needs to recover.
const START_TIMEOUT: Duration = Duration::from_secs(180);
const SANDBOX_KEY: &str = "sk_test_sandbox";

/// Services of the second process of a split market.
const APART: &str = "orders,payments,fulfillment";
const TOGETHER: &str = "identity,tenants,catalog,inventory,search,analytics,recommendations,cart,notifications,admin";

/// One process: where it is configured and reached, and what it was started with.
struct Node {
    config: PathBuf,
    arguments: Vec<String>,
    base: String,
    world: Option<World>,
    process: Process,
}

impl Node {
    fn start(config: PathBuf, ports: &Ports, arguments: Vec<String>, world: Option<World>) -> Self {
        let process = Process::serve(&config, &arguments, &[], world.as_ref());
        Self { config, arguments, base: format!("http://127.0.0.1:{}", ports.http), world, process }
    }

    fn restart(&mut self, environment: &[(&str, &str)]) {
        self.process = Process::serve(&self.config, &self.arguments, environment, self.world.as_ref());
    }
}

pub(crate) struct Market {
    // Dropped in this order: processes before the database and the directory they use.
    nodes: Vec<Node>,
    database: Option<Embedded>,
    _dir: TempDir,
    pub(crate) http: Http,
    /// Where the first process takes gRPC.
    pub(crate) grpc: String,
    pub(crate) operator: Caller,
    pub(crate) sandbox: Sandbox,
}

/// The payment provider's side of things, asked like its merchants' servers do.
pub(crate) struct Sandbox {
    http: Http,
    key: Caller,
}

#[derive(Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) http: u16,
    pub(crate) grpc: u16,
    pub(crate) sandbox: u16,
}

impl Ports {
    pub(crate) fn free() -> Self {
        Self { http: free_port(), grpc: free_port(), sandbox: free_port() }
    }
}

pub(crate) fn directory() -> TempDir {
    use std::os::unix::fs::PermissionsExt;
    // PostgreSQL may run as another user, who has to get in.
    tempfile::Builder::new().prefix("markethub-test-").permissions(fs::Permissions::from_mode(0o755)).tempdir().unwrap()
}

/// Quick password hashes and no rate limits: tests are a crowd at one address.
pub(crate) fn configure(file: &Path, ports: &Ports, database: &str) {
    let data = data_of(file);
    let text = format!(
        r#"
data_dir = "{data}"
[http]
listen = "127.0.0.1:{http}"
[grpc]
listen = "127.0.0.1:{grpc}"
[sandbox]
listen = "127.0.0.1:{sandbox}"
[database]
url = "{database}"
[cluster]
key = "one key for all processes of this test"
[rest]
address_per_second = 0
account_per_second = 0
[services.identity]
hash_memory_kib = 1024
hash_passes = 1
free_sign_ups_per_address = 10000
[services.payments.sandbox]
secret_key = "{SANDBOX_KEY}"
"#,
        data = data.display(),
        http = ports.http,
        grpc = ports.grpc,
        sandbox = ports.sandbox
    );
    fs::write(file, text).unwrap();
}

/// The data directory of a configuration.
pub(crate) fn data_of(config: &Path) -> PathBuf {
    config.with_extension("data")
}

impl Market {
    /// Everything in one process.
    pub(crate) async fn open() -> Self {
        Self::open_on(None).await
    }

    /// The same with its data on a disk of this size.
    pub(crate) async fn open_on_a_disk_of(mib: u32) -> Self {
        Self::open_on(Some(mib)).await
    }

    async fn open_on(disk_mib: Option<u32>) -> Self {
        let (dir, ports) = (directory(), Ports::free());
        let config = dir.path().join("market.toml");
        configure(&config, &ports, "");
        let world = disk_mib.map(|mib| {
            let mounted = data_of(&config);
            fs::create_dir(&mounted).unwrap();
            World { mounted, mib }
        });
        let nodes = vec![Node::start(config, &ports, Vec::new(), world)];
        Self::started(dir, nodes, None, &ports).await
    }

    /// Everything in one process, configured before.
    pub(crate) async fn on(dir: TempDir, config: PathBuf, ports: &Ports) -> Self {
        let nodes = vec![Node::start(config, ports, Vec::new(), None)];
        Self::started(dir, nodes, None, ports).await
    }

    /// Two processes on one database: orders, payments and fulfillment in the second.
    pub(crate) async fn split() -> Self {
        let (dir, first, second) = (directory(), Ports::free(), Ports::free());
        let database = Embedded::start(&dir.path().join("database"), false).await.unwrap();
        let socket = database.owner().get_socket().unwrap().display().to_string();
        let url = format!("postgres://postgres@localhost:5432/markethub?host={socket}");
        let services = |names: &str, others: &str, at: u16| {
            vec!["--services".to_owned(), names.to_owned(), "--remote".to_owned(), format!("{others}=http://127.0.0.1:{at}")]
        };
        let mut nodes = Vec::new();
        for (name, ports, arguments) in
            [("first", &first, services(TOGETHER, APART, second.grpc)), ("second", &second, services(APART, TOGETHER, first.grpc))]
        {
            let config = dir.path().join(format!("{name}.toml"));
            configure(&config, ports, &url);
            nodes.push(Node::start(config, ports, arguments, None));
        }
        // The sandbox runs where payments are.
        let ports = Ports { sandbox: second.sandbox, ..first };
        Self::started(dir, nodes, Some(database), &ports).await
    }

    async fn started(dir: TempDir, nodes: Vec<Node>, database: Option<Embedded>, ports: &Ports) -> Self {
        let http = Http::new(&format!("http://127.0.0.1:{}", ports.http));
        let grpc = format!("http://127.0.0.1:{}", ports.grpc);
        let sandbox = Http::new(&format!("http://127.0.0.1:{}", ports.sandbox));
        let sandbox = Sandbox { http: sandbox, key: Caller { token: Some(SANDBOX_KEY.to_owned()), tenant: None } };
        let mut market = Self { nodes, database, _dir: dir, http, grpc, operator: Caller::default(), sandbox };
        market.ready().await;
        market.command(&["operator", OPERATOR], PASSWORD).await;
        market.sign_operator_in().await;
        market
    }

    /// Runs a command of the binary on this market, which must succeed, and returns what it printed.
    pub(crate) async fn command(&self, arguments: &[&str], input: &str) -> String {
        let config = self.nodes[0].config.clone();
        let (arguments, input): (Vec<String>, String) = (arguments.iter().map(ToString::to_string).collect(), input.to_owned());
        tokio::task::spawn_blocking(move || process::run(&config, &arguments, &input)).await.unwrap()
    }

    /// The same for a command that may fail.
    pub(crate) async fn attempt(&self, arguments: &[&str]) -> std::process::Output {
        let config = self.nodes[0].config.clone();
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        tokio::task::spawn_blocking(move || process::attempt(&config, &arguments, &[], None)).await.unwrap()
    }

    /// The database as its owner sees it.
    pub(crate) async fn database(&self) -> PgConnection {
        let own = PgConnectOptions::new_without_pgpass().socket(self.data().join("pg/run")).username("postgres").database("markethub");
        self.database.as_ref().map_or(own, Embedded::owner).connect().await.unwrap()
    }

    /// The first process's data directory, as that process sees it.
    pub(crate) fn data(&self) -> PathBuf {
        let node = &self.nodes[0];
        let data = data_of(&node.config);
        if node.world.is_some() { node.process.sees(&data) } else { data }
    }

    pub(crate) async fn sign_operator_in(&mut self) {
        self.operator = people::sign_in(&self.http, OPERATOR).await;
    }

    async fn ready(&mut self) {
        let begin = Instant::now();
        for node in &mut self.nodes {
            loop {
                let answer = self.http.ask("GET", &format!("{}/readyz", node.base), &Caller::default(), &Value::Null).await;
                if answer.is_ok_and(|answer| answer.status == 200) {
                    break;
                }
                assert!(!node.process.has_ended(), "the market did not start:\n{}", node.process.complaints());
                assert!(begin.elapsed() < START_TIMEOUT, "the market does not get ready:\n{}", node.process.complaints());
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    pub(crate) fn kill(&mut self) {
        for node in &mut self.nodes {
            node.process.kill();
        }
    }

    /// Asks every process to stop and waits until it has.
    pub(crate) async fn stop(&mut self) {
        for node in &mut self.nodes {
            node.process.ask_to_stop();
        }
        for node in &mut self.nodes {
            while !node.process.has_ended() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// Kills the process of a split market that has orders, payments and fulfillment.
    pub(crate) fn kill_second(&mut self) {
        self.nodes[1].process.kill();
    }

    pub(crate) async fn restart_second(&mut self) {
        self.nodes[1].restart(&[]);
        self.ready().await;
    }

    /// Kills the database server, with its process going on.
    pub(crate) fn kill_database(&self) {
        let pid = fs::read_to_string(self.data().join("pg/data/postmaster.pid")).unwrap();
        let killed = std::process::Command::new("kill").args(["-KILL", pid.lines().next().unwrap().trim()]).status().unwrap();
        assert!(killed.success());
    }

    pub(crate) async fn restart(&mut self) {
        self.restart_with(&[]).await;
    }

    pub(crate) async fn restart_with(&mut self, environment: &[(&str, &str)]) {
        for node in &mut self.nodes {
            node.restart(environment);
        }
        self.ready().await;
    }

    pub(crate) fn complaints(&self) -> String {
        self.nodes.iter().map(|node| node.process.complaints()).collect::<Vec<_>>().join("\n")
    }

    /// A shop of this name, open for business.
    pub(crate) async fn seller(&self, name: &str) -> Seller {
        self.applicant(name).await.admitted(&self.operator).await
    }

    /// A shop that waits for the operator's word.
    pub(crate) async fn applicant(&self, name: &str) -> Seller {
        Seller::applied(&self.http, name).await
    }

    /// Somebody without an account.
    pub(crate) async fn guest(&self) -> Buyer {
        Buyer::guest(&self.http).await
    }

    pub(crate) async fn buyer(&self, name: &str) -> Buyer {
        let mut buyer = self.guest().await;
        buyer.sign_up(name).await;
        buyer
    }

    /// Every count of stock is what its journal adds up to.
    pub(crate) async fn stock_is_sound(&self) {
        // Counted while goods move, so a difference must last to be one.
        eventually("stock that agrees with its journal", async || {
            let proof = self.http.get("/v1/operator/stock/proof", &self.operator).await;
            (list(&proof, "/mismatches").is_empty() && number(&proof, "/rows") > 0).then_some(())
        })
        .await;
    }

    /// Every currency's accounts add up to nothing.
    pub(crate) async fn ledger_is_sound(&self) {
        let balance = self.http.get("/v1/ledger/trial-balance", &self.operator).await;
        assert_eq!(balance["balanced"], json!(true), "{balance}");
        assert!(list(&balance, "/sums").iter().all(|sum| number(sum, "/amount_minor") == 0), "{balance}");
        assert!(list(&balance, "/differences").is_empty(), "{balance}");
    }

    pub(crate) async fn audit_is_intact(&self) {
        let verified = self.http.post("/v1/admin/audit/verify", &self.operator, &json!({})).await;
        assert_eq!(verified["intact"], json!(true), "{verified}");
        assert!(number(&verified, "/checked") > 0, "{verified}");
    }

    /// All payments of an order.
    pub(crate) async fn payments(&self, order: &str) -> Vec<Value> {
        list(&self.http.get(&format!("/v1/payments?limit=100&order_id={order}"), &self.operator).await, "/payments")
    }

    /// What a buyer was charged for an order and got back, as the provider tells it.
    pub(crate) async fn charged(&self, order: &str) -> (i64, i64) {
        let mut sums = (0, 0);
        for payment in self.payments(order).await {
            let reference = text(&payment, "/psp_reference");
            if !reference.is_empty() {
                let told = self.sandbox.payment(&reference).await;
                sums = (sums.0 + number(&told, "/captured_minor"), sums.1 + number(&told, "/refunded_minor"));
            }
        }
        sums
    }
}

impl Sandbox {
    pub(crate) async fn payment(&self, id: &str) -> Value {
        self.http.get(&format!("/v1/payments/{id}"), &self.key).await
    }

    /// From now on it has these faults, and no others.
    pub(crate) async fn behaves(&self, faults: &Value) {
        self.http.must("PUT", "/v1/faults", &self.key, faults).await;
    }

    /// The buyer's answer to the bank's question.
    pub(crate) async fn answer_challenge(&self, url: &str, decision: &str) {
        let form = format!("decision={decision}").into_bytes();
        let asked = self.http.send("GET", url, &Caller::default(), &[], Vec::new()).await.unwrap();
        assert_eq!(asked.status, 200, "{url}");
        let answer = self.http.send("POST", url, &Caller::default(), &[("content-type", "application/x-www-form-urlencoded")], form).await.unwrap();
        assert!(answer.status < 400, "{url}: {}", answer.status);
    }

    /// Every event the provider told, oldest first.
    pub(crate) async fn events(&self) -> Vec<Value> {
        let (mut events, mut after) = (Vec::new(), String::new());
        loop {
            let page = list(&self.http.get(&format!("/v1/events?limit=100&after={after}"), &self.key).await, "/events");
            let Some(last) = page.last() else { return events };
            after = text(last, "/id");
            events.extend(page);
        }
    }
}

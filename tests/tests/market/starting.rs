//! Starting where something is missing, taken or full: a sentence that says what and the way out, an exit code, no panic, and nothing
//! left behind that hinders the next start.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Output;

use tempfile::TempDir;

use crate::harness::{Http, Market, Ports, World, attempt, configure, data_of, directory};

/// A market that is configured and not started.
struct Place {
    _dir: TempDir,
    config: PathBuf,
    ports: Ports,
}

fn place() -> Place {
    let (dir, ports) = (directory(), Ports::free());
    let config = dir.path().join("market.toml");
    configure(&config, &ports, "");
    Place { _dir: dir, config, ports }
}

impl Place {
    fn tries(&self, arguments: &[&str], environment: &[(&str, &str)], world: Option<&World>) -> Output {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        attempt(&self.config, &arguments, environment, world)
    }

    /// The start fails and says all of this.
    fn is_refused(&self, output: &Output, wanted: &[&str]) {
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("markethub: ") && !told.contains("panicked"), "{told}");
        for wanted in wanted {
            assert!(told.contains(wanted), "{wanted:?} is not in: {told}");
        }
    }

    /// A later start on the same directory finds nothing in its way.
    async fn starts(self) {
        let Self { _dir: dir, config, ports } = self;
        let market = Market::on(dir, config, &ports).await;
        let ready = market.http.get("/readyz", &market.operator).await;
        assert_eq!(ready["ready"], true, "{ready}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_postgresql_the_start_says_how_to_get_it() {
    // Debian's place is covered, and the search path leads nowhere.
    let debian = Path::new("/usr/lib/postgresql");
    let nowhere = World { mounted: debian.to_owned(), mib: 1 };
    let world = debian.is_dir().then_some(&nowhere);
    let place = place();
    let output = place.tries(&["serve"], &[("PATH", "/usr/sbin")], world);
    place.is_refused(&output, &["PostgreSQL 15 or newer was not found", "apt-get install postgresql", "DATABASE_URL"]);

    let output = place.tries(&["doctor"], &[("PATH", "/usr/sbin")], world);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success() && told.contains("PostgreSQL was not found: apt-get install postgresql"), "{told}");
    place.starts().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_there_is_named() {
    let place = place();
    let url = format!("postgres://market:sesame@127.0.0.1:{}/market", Ports::free().grpc);
    let output = place.tries(&["serve"], &[("MARKETHUB__DATABASE__URL", &url)], None);
    place.is_refused(&output, &["cannot connect to the database at 127.0.0.1", "refused"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("sesame"), "a password is not told");
    let output = place.tries(&["serve"], &[("MARKETHUB__DATABASE__URL", "mysql://market@127.0.0.1/market")], None);
    place.is_refused(&output, &["is not a PostgreSQL address", "postgres://"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named_with_the_flag_that_chooses_another() {
    let place = place();
    for (port, flag, key) in [
        (place.ports.http, "--http", "http.listen"),
        (place.ports.grpc, "--grpc", "grpc.listen"),
        (place.ports.sandbox, "MARKETHUB__SANDBOX__LISTEN", "sandbox.listen"),
    ] {
        let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let output = place.tries(&["serve"], &[], None);
        place.is_refused(&output, &[&format!("port {port} is taken"), flag, key]);
        assert!(!data_of(&place.config).exists(), "nothing was begun");
    }
    place.starts().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_at_the_start_and_forgotten_when_there_is_room() {
    let place = place();
    let mounted = data_of(&place.config);
    std::fs::create_dir(&mounted).unwrap();
    let full = World { mounted, mib: 8 };
    let output = place.tries(&["serve"], &[], Some(&full));
    place.is_refused(&output, &["the disk that holds", "is full", "Make room and start again"]);
    place.starts().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_data_is_refused_and_the_first_goes_on() {
    let market = Market::open().await;
    let second = place();
    let data = market.data();
    let output = second.tries(&["--data", &data.display().to_string(), "serve"], &[], None);
    second.is_refused(&output, &["another MarketHub (process", "--data"]);
    let first: &Http = &market.http;
    assert_eq!(first.get("/readyz", &market.operator).await["ready"], true);
}

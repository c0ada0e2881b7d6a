//! The embedded cluster under what happens to processes: stopped, killed, killed with their server, started twice.
#![expect(clippy::unwrap_used, reason = "a test that cannot begin ends here")]

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::time::{Duration, Instant};

use kit_db::{OpenError, Schema, Scope, Settings, Storage};

const SCHEMA: Schema = Schema { service: "notes", in_cells: false, migrations: &[("0001.sql", "create table note (text text primary key)")] };

/// Not durable, because these tests kill processes and not the machine.
async fn open(dir: &Path) -> Storage {
    let storage = Storage::open(Settings { durable: false, ..Settings::in_dir(dir) }).await.unwrap();
    storage.migrate(&[SCHEMA]).await.unwrap();
    storage
}

async fn write(storage: &Storage, text: &str) {
    let db = storage.db(SCHEMA).await.unwrap();
    let mut tx = db.begin(&Scope::Platform).await.unwrap();
    sqlx::query("insert into note (text) values ($1)").bind(text).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
}

async fn notes(storage: &Storage) -> Vec<String> {
    let db = storage.db(SCHEMA).await.unwrap();
    sqlx::query_scalar("select text from note order by text").fetch_all(db.pool()).await.unwrap()
}

fn postmaster(dir: &Path) -> u32 {
    let text = std::fs::read_to_string(dir.join("pg/data/postmaster.pid")).unwrap();
    text.lines().next().unwrap().parse().unwrap()
}

fn kill(pid: u32) {
    assert!(std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

fn runs(pid: u32) -> bool {
    // A killed child that nobody waits for stays as a zombie, which has no command line.
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|text| !text.is_empty())
}

#[tokio::test]
async fn a_cluster_is_made_once_and_found_again_in_less_than_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    write(&storage, "first").await;
    let server = postmaster(dir.path());
    storage.close().await;
    assert!(!runs(server), "the server stops with us");
    let started = Instant::now();
    let storage = open(dir.path()).await;
    let took = started.elapsed();
    assert_eq!(notes(&storage).await, ["first"]);
    storage.close().await;
    // Measured, not promised: machines are shared. The promise is kept by the benchmark; this only catches a gross slip.
    println!("start on an existing data directory: {took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn a_second_markethub_on_the_same_directory_is_told_who_is_first() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    let second = Storage::open(Settings::in_dir(dir.path())).await.err().unwrap();
    assert!(matches!(second, OpenError::Embedded(_)));
    assert!(second.to_string().contains(&format!("another MarketHub (process {})", std::process::id())), "{second}");
    storage.close().await;
}

#[tokio::test]
async fn a_killed_server_recovers_at_the_next_start_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    write(&storage, "kept").await;
    kill(postmaster(dir.path()));
    storage.close().await;
    assert!(dir.path().join("pg/data/postmaster.pid").exists(), "the dead server left its pid file");
    let storage = open(dir.path()).await;
    assert_eq!(notes(&storage).await, ["kept"]);
    storage.close().await;
}

#[tokio::test]
async fn a_killed_server_is_started_again_under_a_running_markethub() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    let db = storage.db(SCHEMA).await.unwrap();
    write(&storage, "before").await;
    let since: String = sqlx::query_scalar("select pg_postmaster_start_time()::text").fetch_one(db.pool()).await.unwrap();
    kill(postmaster(dir.path()));
    let started = Instant::now();
    let mut tx = loop {
        assert!(started.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(20)).await;
        let Ok(mut tx) = db.begin(&Scope::Platform).await else { continue };
        // A session may outlive its server for a moment.
        let now: Result<String, _> = sqlx::query_scalar("select pg_postmaster_start_time()::text").fetch_one(&mut *tx).await;
        if now.is_ok_and(|now| now != since) {
            break tx;
        }
    };
    let notes: Vec<String> = sqlx::query_scalar("select text from note").fetch_all(&mut *tx).await.unwrap();
    assert_eq!(notes, ["before"]);
    tx.rollback().await.unwrap();
    println!("served again after {:?}", started.elapsed());
    storage.close().await;
}

#[tokio::test]
async fn a_server_that_outlived_its_markethub_is_adopted_and_stopped_in_the_end() {
    let dir = tempfile::tempdir().unwrap();
    // The way a killed process leaves things: the lock is free, the server runs.
    let orphan = orphaned(dir.path()).await;
    let storage = open(dir.path()).await;
    assert_eq!(postmaster(dir.path()), orphan, "the same server goes on");
    assert_eq!(notes(&storage).await, ["orphaned"]);
    storage.close().await;
    assert!(!runs(orphan));
}

/// Starts a MarketHub in a process of its own, which writes and is killed.
async fn orphaned(dir: &Path) -> u32 {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "as_another_process", "--ignored", "--nocapture"])
        .env("TEST_DATA_DIR", dir)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !dir.join("written").exists() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    kill(child.id());
    child.wait().unwrap();
    postmaster(dir)
}

#[tokio::test]
#[ignore = "runs in a process of its own, started and killed by another test"]
async fn as_another_process() {
    let Some(dir) = std::env::var_os("TEST_DATA_DIR") else { return };
    let dir = Path::new(&dir);
    let storage = open(dir).await;
    write(&storage, "orphaned").await;
    std::fs::write(dir.join("written"), "").unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_stale_pid_file_with_a_number_that_another_program_has_now_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    write(&storage, "here").await;
    kill(postmaster(dir.path()));
    storage.close().await;
    let pid_file = dir.path().join("pg/data/postmaster.pid");
    let text = std::fs::read_to_string(&pid_file).unwrap();
    let other = std::process::id().to_string();
    let lines: Vec<&str> = std::iter::once(other.as_str()).chain(text.lines().skip(1)).collect();
    std::fs::write(&pid_file, lines.join("\n")).unwrap();
    let storage = open(dir.path()).await;
    assert_eq!(notes(&storage).await, ["here"]);
    storage.close().await;
}

#[tokio::test]
async fn a_stale_lock_of_the_socket_with_a_number_that_another_program_of_the_same_user_has_now_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    write(&storage, "here").await;
    kill(postmaster(dir.path()));
    storage.close().await;
    let user = std::fs::metadata(dir.path().join("pg/data")).unwrap();
    let mut other = std::process::Command::new("sleep").arg("600").uid(user.uid()).gid(user.gid()).spawn().unwrap();
    let lock = dir.path().join("pg/run/.s.PGSQL.5432.lock");
    let text = std::fs::read_to_string(&lock).unwrap();
    let number = other.id().to_string();
    let lines: Vec<&str> = std::iter::once(number.as_str()).chain(text.lines().skip(1)).collect();
    std::fs::write(&lock, lines.join("\n")).unwrap();
    let storage = open(dir.path()).await;
    assert_eq!(notes(&storage).await, ["here"]);
    storage.close().await;
    other.kill().unwrap();
    other.wait().unwrap();
}

#[tokio::test]
async fn a_long_path_gets_its_socket_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let long = dir.path().join("a".repeat(100)).join("data");
    let storage = open(&long).await;
    write(&storage, "far").await;
    assert_eq!(notes(&storage).await, ["far"]);
    storage.close().await;
}

#[tokio::test]
async fn a_directory_closed_to_the_servers_user_holds_a_link_to_one_that_is_not() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let closed = dir.path().join("root-home");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
    let data = closed.join("data");
    let storage = open(&data).await;
    write(&storage, "reached").await;
    storage.close().await;
    let storage = open(&data).await;
    assert_eq!(notes(&storage).await, ["reached"]);
    storage.close().await;
    let base = data.join("pg").canonicalize().unwrap();
    if base.starts_with("/var/lib/markethub") {
        std::fs::remove_dir_all(base).unwrap();
    }
}

//! A PostgreSQL cluster of MarketHub's own, under the data directory: `<data>/pg/{data,run,postgres.log}`.
//!
//! One MarketHub per data directory (a lock file that the kernel frees when the process dies, however it dies). The server
//! listens on a Unix socket in a directory only its user enters. It stops with the process; after a `kill -9` of MarketHub it runs
//! on and is adopted by the next start; after a `kill -9` of the server the next start lets PostgreSQL recover.

mod account;
mod binaries;
mod running;
mod tuning;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};

pub(crate) use account::own_uid;

use account::Account;
use binaries::Binaries;

/// The longest path of a Unix socket that Linux takes.
const LONGEST_SOCKET_PATH: usize = 107;
const SOCKET_FILE: &str = ".s.PGSQL.5432";
/// Recovery after a crash replays what was written since the last checkpoint, which may take a while.
const START_TIMEOUT: Duration = Duration::from_secs(300);
const STOP_TIMEOUT: Duration = Duration::from_secs(60);
const ORPHANS_TIMEOUT: Duration = Duration::from_secs(10);
const SUPERVISE_EVERY: Duration = Duration::from_millis(200);
/// A server that has run this long has nothing to do with what its predecessor died of.
const STEADY_AFTER: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(10);
/// What PostgreSQL asks of the disk at once.
const PAGE: usize = 8192;
const DATABASE: &str = "markethub";
/// The server's log starts anew when it has grown beyond this.
const LONGEST_LOG: u64 = 10 << 20;

/// The embedded cluster could not be used; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    #[error(
        "PostgreSQL 15 or newer was not found in PATH or /usr/lib/postgresql. Install it (Debian, Ubuntu: apt-get install postgresql), \
         or set DATABASE_URL to a database that exists"
    )]
    NoBinaries,
    #[error(
        "{path} was made by PostgreSQL {wanted}, which is not installed. Install it (Debian: apt-get install postgresql-{wanted}) or choose another data directory"
    )]
    WrongVersion { path: PathBuf, wanted: u32 },
    #[error("another MarketHub (process {pid}) is using {path}. Stop it, or choose another directory with --data")]
    InUse { path: PathBuf, pid: String },
    #[error(
        "PostgreSQL does not run as root, and no unprivileged user could be found or made. Run MarketHub as another user, or create one: useradd --system markethub"
    )]
    NoAccount,
    #[error(
        "{path} belongs to another user (number {uid}): MarketHub was started there by that user, or by root. Start it as that user or as root, or choose another directory with --data"
    )]
    NotOurs { path: PathBuf, uid: u32 },
    #[error("the disk that holds {path} is full. Make room and start again; nothing is lost")]
    DiskFull { path: PathBuf },
    #[error("PostgreSQL could not be prepared in {path}: {told}")]
    Prepare { path: PathBuf, told: String },
    #[error("PostgreSQL did not start; the end of {log} says:\n{told}")]
    Start { log: PathBuf, told: String },
    #[error("cannot use {path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("the database of the embedded cluster could not be reached: {0}")]
    Connect(#[from] sqlx::Error),
}

/// What the cluster is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The market's data: stops with the process.
    Market,
    /// The same without waiting for the disk.
    Fleeting,
    /// Shared by all test processes of a machine: keeps running.
    Tests,
}

/// A running cluster. Should its server die, it is started again.
pub struct Embedded(Arc<Running>);

struct Running {
    server: Server,
    /// Held as long as the cluster is used.
    lock: File,
    purpose: Purpose,
    /// `None` once stopped, or when the server was adopted.
    child: Mutex<Option<Child>>,
    stopped: AtomicBool,
}

/// Where the cluster is and how its programs are run.
#[derive(Debug, Clone)]
struct Server {
    base: PathBuf,
    run: PathBuf,
    binaries: Binaries,
    account: Option<Account>,
}

impl Embedded {
    /// Starts the cluster of a data directory, making it first if need be, or adopts the one that a killed MarketHub left running.
    pub async fn start(data_dir: &Path, durable: bool) -> Result<Self, EmbeddedError> {
        Self::open(data_dir, if durable { Purpose::Market } else { Purpose::Fleeting }).await
    }

    /// The cluster that all tests of a machine share: fast, not durable, left running for the next test. Waits while another
    /// process starts it.
    pub async fn for_tests(dir: &Path) -> Result<PgConnectOptions, EmbeddedError> {
        let opened = match Self::open(dir, Purpose::Tests).await {
            // A machine that lost power has broken a cluster that never waits for the disk; it holds nothing worth keeping.
            Err(EmbeddedError::Start { .. }) => {
                let base = dir.join("pg");
                fs::remove_dir_all(&base).map_err(io(&base))?;
                Self::open(dir, Purpose::Tests).await
            }
            opened => opened,
        };
        opened.map(|cluster| cluster.owner())
    }

    async fn open(data_dir: &Path, purpose: Purpose) -> Result<Self, EmbeddedError> {
        make_dir(data_dir)?;
        let data_dir = data_dir.canonicalize().map_err(io(data_dir))?;
        let lock = lock(&data_dir, purpose)?;
        let server = Server::locate(&data_dir)?;
        server.initialize(purpose).await?;
        let adopted = server.adopt().await?;
        let child = if adopted { None } else { Some(server.spawn(purpose)?) };
        let running = Arc::new(Running { server, lock, purpose, child: Mutex::new(child), stopped: AtomicBool::new(false) });
        running.wait_until_ready().await?;
        if purpose != Purpose::Tests {
            tokio::spawn(supervise(Arc::downgrade(&running)));
        }
        Ok(Self(running))
    }

    /// How the owner of everything in it connects.
    pub fn owner(&self) -> PgConnectOptions {
        self.0.server.options(DATABASE)
    }

    /// Stops the server: it ends what runs, writes a checkpoint and exits.
    pub async fn stop(&self) {
        let running = Arc::clone(&self.0);
        // The work is in another process; a blocking wait keeps this the same code as in `drop`.
        let _stopped = tokio::task::spawn_blocking(move || running.stop()).await;
    }
}

impl Running {
    fn stop(&self) {
        if self.purpose == Purpose::Tests || self.stopped.swap(true, Ordering::SeqCst) {
            return;
        }
        let asked = Instant::now();
        for again in 0_u32.. {
            if self.has_exited() {
                break;
            }
            if asked.elapsed() > STOP_TIMEOUT {
                tracing::error!("PostgreSQL does not stop; it is left running and will be adopted by the next start");
                break;
            }
            // Asked more than once, because a server that is just starting has not told its number yet.
            if again % 100 == 0 {
                self.server.signal("INT");
            }
            std::thread::sleep(POLL);
        }
        // The next one need not wait until the last handle on us is dropped.
        let _freed = self.lock.unlock();
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the server is gone. Asking a child also buries it, so that its number means nobody.
    fn has_exited(&self) -> bool {
        match self.child().as_mut() {
            Some(child) => child.try_wait().ok().flatten().is_some(),
            // Its pid file goes a moment before it does.
            None => running::postmaster(&self.server.data()).is_none() && !running::anyone_in(&self.server.data()),
        }
    }

    async fn wait_until_ready(&self) -> Result<(), EmbeddedError> {
        let started = Instant::now();
        loop {
            match self.server.options(DATABASE).connect().await {
                Ok(connection) => return Ok(connection.close().await?),
                Err(error) if is_state(&error, "3D000") => self.server.create_database().await?,
                Err(_) if self.has_exited() => return Err(self.server.start_error()),
                Err(error) if started.elapsed() > START_TIMEOUT => return Err(error.into()),
                Err(_) => {}
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// Starts the server again when it has died; what was committed is there again when it has recovered.
async fn supervise(running: Weak<Running>) {
    let (mut started, mut pause) = (Instant::now(), Duration::ZERO);
    loop {
        tokio::time::sleep(SUPERVISE_EVERY).await;
        if running.upgrade().is_some_and(|running| running.has_exited()) {
            // One that dies again and again (a full disk) is given time.
            pause = if started.elapsed() > STEADY_AFTER { Duration::ZERO } else { (pause * 2).clamp(SUPERVISE_EVERY, LONGEST_PAUSE) };
            tokio::time::sleep(pause).await;
        }
        let Some(running) = running.upgrade() else { return };
        if running.stopped.load(Ordering::SeqCst) {
            return;
        }
        if !running.has_exited() {
            continue;
        }
        tracing::error!(log = %running.server.log().display(), "PostgreSQL has died; starting it again");
        running.server.clear_remains().await;
        let mut child = running.child();
        // Under the lock, so that a stop that comes meanwhile either sees the new server or prevents it.
        if running.stopped.load(Ordering::SeqCst) {
            return;
        }
        match running.server.spawn(running.purpose) {
            Ok(spawned) => *child = Some(spawned),
            Err(error) => tracing::error!(%error, "PostgreSQL could not be started again"),
        }
        started = Instant::now();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Server {
    /// Finds the directory, the programs and the user of a data directory's cluster; makes the directory.
    fn locate(data_dir: &Path) -> Result<Self, EmbeddedError> {
        let link = data_dir.join("pg");
        let exists = link.canonicalize().is_ok();
        let account = if exists { Account::owning(&link)? } else { Account::for_new()? };
        if !exists {
            make_base(&link, data_dir, account.as_ref())?;
        }
        let base = link.canonicalize().map_err(io(&link))?;
        let wanted = fs::read_to_string(base.join("data/PG_VERSION")).ok().and_then(|text| text.trim().parse().ok());
        let binaries = Binaries::find(wanted).ok_or_else(|| match wanted {
            Some(wanted) => EmbeddedError::WrongVersion { path: base.clone(), wanted },
            None => EmbeddedError::NoBinaries,
        })?;
        let run = socket_dir(&base, account.as_ref())?;
        Ok(Self { base, run, binaries, account })
    }

    fn data(&self) -> PathBuf {
        self.base.join("data")
    }

    fn log(&self) -> PathBuf {
        self.base.join("postgres.log")
    }

    fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass().socket(&self.run).port(5432).username("postgres").database(database)
    }

    /// One of PostgreSQL's programs, run as its user, in its directory, with none of our environment's settings for it.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.program(program));
        command
            .current_dir(&self.base)
            .stdin(Stdio::null())
            .env_clear()
            .env("LC_ALL", "C")
            .env("PATH", "/usr/bin:/bin")
            .env("TZ", "UTC")
            .process_group(0);
        if let Some(account) = &self.account {
            command.uid(account.uid).gid(account.gid);
        }
        command
    }

    /// Sends the server a signal: INT asks it to end all sessions and stop, QUIT to stop at once and recover later.
    fn signal(&self, signal: &str) {
        if let Some(pid) = running::postmaster(&self.data()) {
            let sent = self.command("pg_ctl").args(["kill", signal, &pid.to_string()]).stdout(Stdio::null()).stderr(Stdio::null()).status();
            if let Err(error) = sent {
                tracing::warn!(%error, "pg_ctl could not be run");
            }
        }
    }

    /// Makes the cluster if there is none. Done beside and renamed, so that a half-made one is never used.
    async fn initialize(&self, purpose: Purpose) -> Result<(), EmbeddedError> {
        if self.data().join("PG_VERSION").exists() {
            return Ok(());
        }
        let fresh = self.base.join("data.new");
        let mut told = String::new();
        for locale in ["C.UTF-8", "C"] {
            if fresh.exists() {
                fs::remove_dir_all(&fresh).map_err(io(&fresh))?;
            }
            let mut command = self.command("initdb");
            command.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale", locale, "-D"]).arg(&fresh);
            command.arg(if purpose == Purpose::Market { "--data-checksums" } else { "--no-sync" });
            let output = tokio::task::spawn_blocking(move || command.output()).await.map_err(|error| self.unprepared(error.to_string()))?;
            let output = output.map_err(io(&self.base))?;
            if output.status.success() {
                fs::rename(&fresh, self.data()).map_err(io(&fresh))?;
                return Ok(());
            }
            told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            if !told.contains("invalid locale") {
                break;
            }
        }
        let _half_made = fs::remove_dir_all(&fresh);
        Err(self.unprepared(told))
    }

    fn unprepared(&self, told: String) -> EmbeddedError {
        let path = self.base.clone();
        if told.contains("No space left on device") { EmbeddedError::DiskFull { path } } else { EmbeddedError::Prepare { path, told } }
    }

    /// Whether a server already runs on this directory and answers; one that does not answer is stopped, and what a dead one
    /// left behind is waited for and cleared.
    async fn adopt(&self) -> Result<bool, EmbeddedError> {
        if let Some(pid) = running::postmaster(&self.data()) {
            for _ in 0..200 {
                match self.options("postgres").connect().await {
                    Ok(connection) => {
                        connection.close().await?;
                        tracing::info!(pid, "adopted the PostgreSQL that an earlier MarketHub left running");
                        return Ok(true);
                    }
                    // It is just starting or recovering.
                    Err(error) if is_state(&error, "57P03") => tokio::time::sleep(POLL * 5).await,
                    Err(_) => break,
                }
            }
            tracing::warn!(pid, "the PostgreSQL that an earlier MarketHub left running does not answer; stopping it");
            self.signal("QUIT");
        }
        self.clear_remains().await;
        Ok(false)
    }

    /// Waits for the last processes of a dead server and removes its pid file and the lock of its socket. Without its postmaster, each backend
    /// exits as soon as it notices; only then may a new server touch the files, and PostgreSQL itself refuses to start before. It also
    /// refuses while either file names a process of its user, which the dead server's number may be: a zombie's, or another program's by now.
    async fn clear_remains(&self) {
        let waited = Instant::now();
        while running::anyone_in(&self.data()) && waited.elapsed() < ORPHANS_TIMEOUT {
            tokio::time::sleep(POLL).await;
        }
        if !running::anyone_in(&self.data()) {
            for left in [self.data().join("postmaster.pid"), self.run.join(format!("{SOCKET_FILE}.lock"))] {
                let _absent = fs::remove_file(left);
            }
        }
    }

    fn spawn(&self, purpose: Purpose) -> Result<Child, EmbeddedError> {
        let log = self.log();
        let anew = fs::metadata(&log).is_ok_and(|metadata| metadata.len() > LONGEST_LOG);
        let output = OpenOptions::new().create(true).append(!anew).write(true).truncate(anew).open(&log).map_err(io(&log))?;
        let errors = output.try_clone().map_err(io(&log))?;
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(&self.run);
        for setting in tuning::settings(purpose, self.binaries.counts_statements()) {
            command.arg("-c").arg(setting);
        }
        command.stdout(output).stderr(errors).spawn().map_err(io(&self.base))
    }

    async fn create_database(&self) -> Result<(), EmbeddedError> {
        let mut connection: PgConnection = self.options("postgres").connect().await?;
        let created = sqlx::raw_sql("create database markethub").execute(&mut connection).await;
        connection.close().await?;
        match created {
            Err(error) if !is_state(&error, "42P04") => return Err(error.into()),
            _ => {}
        }
        let mut connection = self.options(DATABASE).connect().await?;
        // Only counts statements for benchmarks; a PostgreSQL without it serves as well.
        let _counted = sqlx::raw_sql("create extension if not exists pg_stat_statements schema public").execute(&mut connection).await;
        Ok(connection.close().await?)
    }

    fn start_error(&self) -> EmbeddedError {
        let log = self.log();
        let text = fs::read(&log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let told = lines.iter().skip(lines.len().saturating_sub(12)).copied().collect::<Vec<_>>().join("\n");
        // On a full disk the server cannot even say so in its log.
        if told.contains("No space left on device") || is_full(&self.base) {
            EmbeddedError::DiskFull { path: self.base.clone() }
        } else {
            EmbeddedError::Start { log, told }
        }
    }
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> EmbeddedError {
    let path = path.to_owned();
    move |source| if source.kind() == std::io::ErrorKind::StorageFull { EmbeddedError::DiskFull { path } } else { EmbeddedError::Io { path, source } }
}

fn is_full(dir: &Path) -> bool {
    let probe = dir.join("room");
    let written = fs::write(&probe, [0; PAGE]);
    let _gone = fs::remove_file(&probe);
    written.is_err_and(|error| error.kind() == std::io::ErrorKind::StorageFull)
}

fn make_dir(path: &Path) -> Result<(), EmbeddedError> {
    fs::create_dir_all(path).map_err(io(path))
}

fn is_state(error: &sqlx::Error, state: &str) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == state)
}

/// Takes the data directory for this process.
fn lock(data_dir: &Path, purpose: Purpose) -> Result<File, EmbeddedError> {
    let path = data_dir.join("markethub.lock");
    let mut file = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(&path).map_err(io(&path))?;
    if purpose == Purpose::Tests {
        file.lock().map_err(io(&path))?;
        return Ok(file);
    }
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _unreadable = file.read_to_string(&mut pid);
            return Err(EmbeddedError::InUse { path: data_dir.to_owned(), pid: pid.trim().to_owned() });
        }
        Err(TryLockError::Error(source)) => return Err(io(&path)(source)),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(io(&path))?;
    Ok(file)
}

/// Makes the cluster's directory, where its user can reach it: below the data directory, or, when a parent of that shuts the
/// user out (a root's home), in /var/lib/markethub with a link to it.
fn make_base(link: &Path, data_dir: &Path, account: Option<&Account>) -> Result<(), EmbeddedError> {
    let _dangling = fs::remove_file(link);
    let Some(account) = account else {
        return make_private(link, None);
    };
    if account.can_reach(data_dir) {
        return make_private(link, Some(account));
    }
    let home = Path::new("/var/lib/markethub");
    make_dir(home)?;
    fs::set_permissions(home, fs::Permissions::from_mode(0o755)).map_err(io(home))?;
    let now = Instant::now();
    let elsewhere = home.join(hash(&format!("{} {} {now:?}", data_dir.display(), std::process::id())));
    make_private(&elsewhere, Some(account))?;
    std::os::unix::fs::symlink(&elsewhere, link).map_err(io(link))?;
    tracing::info!(user = account.name, "{} is closed to the database's user; the database lives in {}", data_dir.display(), elsewhere.display());
    Ok(())
}

fn make_private(path: &Path, account: Option<&Account>) -> Result<(), EmbeddedError> {
    make_dir(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(io(path))?;
    if let Some(account) = account {
        std::os::unix::fs::chown(path, Some(account.uid), Some(account.gid)).map_err(io(path))?;
    }
    Ok(())
}

/// A directory for the socket: beside the data, or in the temporary directory when that path is too long for a socket.
fn socket_dir(base: &Path, account: Option<&Account>) -> Result<PathBuf, EmbeddedError> {
    let beside = base.join("run");
    let dir = if beside.join(SOCKET_FILE).as_os_str().len() <= LONGEST_SOCKET_PATH {
        beside
    } else {
        Path::new("/tmp").join(format!("markethub-{}", hash(&base.display().to_string())))
    };
    make_private(&dir, account)?;
    let metadata = fs::symlink_metadata(&dir).map_err(io(&dir))?;
    let ours = account.map_or_else(own_uid, |account| account.uid);
    if metadata.is_dir() && metadata.uid() == ours { Ok(dir) } else { Err(EmbeddedError::NotOurs { path: dir, uid: metadata.uid() }) }
}

fn hash(text: &str) -> String {
    Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

//! A process of the market: the binary that Cargo made beside this test.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long a process may take to finish what is under way before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// The binary, built if it is not there yet.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        // …/target/debug/deps/market-0123 → …/target/debug/markethub
        let test = std::env::current_exe().unwrap();
        let profile = test.ancestors().nth(2).unwrap();
        let binary = profile.join("markethub");
        if !binary.exists() {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(["build", "--package", "markethub", "--target-dir"]).arg(profile.parent().unwrap());
            if profile.ends_with("release") {
                cargo.arg("--release");
            }
            assert!(cargo.status().unwrap().success(), "markethub cannot be built");
        }
        binary
    })
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A world of its own for a process: what is mounted there is seen by it and its children only, and gone with them.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) mounted: PathBuf,
    pub(crate) mib: u32,
}

impl World {
    /// What starts a program in this world. Without root, a user namespace gives the right to mount, and a second one the own user back.
    fn launcher(&self) -> Command {
        let mut command = Command::new("/usr/bin/unshare");
        let own = fs::metadata("/proc/self").unwrap();
        let (user, group) = (own.uid(), own.gid());
        let back = if user == 0 { String::new() } else { format!("/usr/bin/unshare --user --map-user={user} --map-group={group} ") };
        if user != 0 {
            command.args(["--user", "--map-root-user"]);
        }
        let script = format!("/bin/mount -t tmpfs -o size={}m,mode=755 tmpfs {} && exec {back}\"$@\"", self.mib, self.mounted.display());
        command.args(["--mount", "/bin/sh", "-c", &script, "sh"]);
        command
    }
}

/// The binary with none of the surrounding configuration.
fn command(config: &Path, world: Option<&World>) -> Command {
    let mut command = match world {
        None => Command::new(binary()),
        Some(world) => {
            let mut command = world.launcher();
            command.arg(binary());
            command
        }
    };
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MARKETHUB__") || name == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    command.current_dir(config.parent().unwrap()).arg("--config").arg(config);
    command
}

/// Runs a command of the binary to its end and returns what it printed.
pub(crate) fn run(config: &Path, arguments: &[String], input: &str) -> String {
    let mut child = command(config, None).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "markethub {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a command of the binary that may fail.
pub(crate) fn attempt(config: &Path, arguments: &[String], environment: &[(&str, &str)], world: Option<&World>) -> Output {
    command(config, world).args(arguments).envs(environment.iter().copied()).stdin(Stdio::null()).output().unwrap()
}

/// A serving process; stopped when dropped.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    pub(crate) fn serve(config: &Path, arguments: &[String], environment: &[(&str, &str)], world: Option<&World>) -> Self {
        let log = config.with_extension("log");
        let output = File::options().create(true).append(true).open(&log).unwrap();
        let mut command = command(config, world);
        command.arg("serve").args(arguments).envs(environment.iter().copied());
        let child = command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
        Self { child, log }
    }

    /// A path as this process sees it.
    pub(crate) fn sees(&self, path: &Path) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.child.id())).join(path.strip_prefix("/").unwrap())
    }

    /// As a power cut would: nothing is finished, nothing is closed.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn ask_to_stop(&self) {
        let _asked = Command::new("kill").arg(self.child.id().to_string()).status();
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// What it logged as an error, to be shown when a test fails.
    pub(crate) fn complaints(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("ERROR") || line.contains("panicked") || !line.starts_with('{')).collect();
        lines.iter().rev().take(20).rev().copied().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.has_ended() {
            return;
        }
        self.ask_to_stop();
        let asked = Instant::now();
        while !self.has_ended() {
            if asked.elapsed() > STOP_TIMEOUT {
                let _killed = self.child.kill();
                let _buried = self.child.wait();
                return;
            }
            std::thread::sleep(POLL);
        }
    }
}

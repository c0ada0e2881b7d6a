//! Where PostgreSQL's server programs are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const OLDEST: u32 = 15;

/// The programs of one PostgreSQL version.
#[derive(Debug, Clone)]
pub(super) struct Binaries {
    dir: PathBuf,
}

impl Binaries {
    /// The newest installed version, or exactly `wanted` when a cluster of that version exists.
    pub(super) fn find(wanted: Option<u32>) -> Option<Self> {
        let mut dirs = Vec::new();
        for parent in ["/usr/lib/postgresql", "/usr/local/lib/postgresql"] {
            dirs.extend(fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path().join("bin")));
        }
        dirs.extend(
            fs::read_dir("/usr")
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.path())
                .filter(|path| path.to_string_lossy().starts_with("/usr/pgsql-"))
                .map(|path| path.join("bin")),
        );
        // PATH is how the operating system finds programs, not a setting of ours.
        dirs.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
        // A link in PATH leads to where the programs' libraries are too.
        let real = |dir: PathBuf| dir.join("postgres").canonicalize().ok().and_then(|program| program.parent().map(Path::to_owned));
        let complete = |dir: &PathBuf| ["postgres", "initdb", "pg_ctl"].iter().all(|program| dir.join(program).exists());
        let versions = dirs.into_iter().filter_map(real).filter(complete).filter_map(|dir| Some((version(&dir)?, dir)));
        let fitting = versions.filter(|(version, _)| wanted.map_or(*version >= OLDEST, |wanted| *version == wanted));
        fitting.max_by_key(|(version, _)| *version).map(|(_, dir)| Self { dir })
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Whether the extension that counts statements is installed beside the programs.
    pub(super) fn counts_statements(&self) -> bool {
        self.dir.parent().is_some_and(|prefix| prefix.join("lib/pg_stat_statements.so").exists())
    }
}

/// The major version of the programs in a directory, from its name where that tells it.
fn version(dir: &Path) -> Option<u32> {
    let named = dir.parent().and_then(Path::file_name).and_then(|name| name.to_str()?.trim_start_matches("pgsql-").parse().ok());
    named.or_else(|| {
        let output = Command::new(dir.join("postgres")).arg("--version").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        text.split_whitespace().find_map(|word| word.split('.').next()?.parse().ok())
    })
}

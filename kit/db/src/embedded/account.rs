//! Under which user the server runs: PostgreSQL refuses to be root, so a MarketHub that is root gives it one.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{EmbeddedError, io};

/// An unprivileged user; only needed when we are root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

const OURS: &str = "markethub";
const OTHERS: [&str; 2] = ["postgres", "nobody"];

/// The user this process acts as.
pub(crate) fn own_uid() -> u32 {
    fs::metadata("/proc/self").map_or(0, |metadata| metadata.uid())
}

impl Account {
    /// For a new cluster: `None` when we are not root and the server simply runs as we do.
    pub(super) fn for_new() -> Result<Option<Self>, EmbeddedError> {
        if own_uid() != 0 {
            return Ok(None);
        }
        let ours = Self::named(OURS).or_else(|| {
            let made = Command::new("useradd")
                .args(["--system", "--no-create-home", "--shell", "/usr/sbin/nologin", OURS])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            made.ok().filter(std::process::ExitStatus::success).and_then(|_| Self::named(OURS))
        });
        ours.or_else(|| OTHERS.iter().find_map(|name| Self::named(name))).map(Some).ok_or(EmbeddedError::NoAccount)
    }

    /// For a cluster that exists: the user that owns it.
    pub(super) fn owning(path: &Path) -> Result<Option<Self>, EmbeddedError> {
        let metadata = fs::metadata(path).map_err(io(path))?;
        let (own, uid, gid) = (own_uid(), metadata.uid(), metadata.gid());
        match (own, uid) {
            (0, 0) => {
                // Made by root and never given away, because that start was broken off: give it away now.
                let account = Self::for_new()?.ok_or(EmbeddedError::NoAccount)?;
                std::os::unix::fs::chown(path, Some(account.uid), Some(account.gid)).map_err(io(path))?;
                Ok(Some(account))
            }
            (0, _) => Ok(Some(Self { name: format!("number {uid}"), uid, gid })),
            (own, uid) if own == uid => Ok(None),
            _ => Err(EmbeddedError::NotOurs { path: path.to_owned(), uid }),
        }
    }

    fn named(name: &str) -> Option<Self> {
        let users = fs::read_to_string("/etc/passwd").ok()?;
        Self::in_passwd(&users, name)
    }

    fn in_passwd(users: &str, name: &str) -> Option<Self> {
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let found = fields.next()? == name;
            let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
            (found && uid != 0).then(|| Self { name: name.to_owned(), uid, gid })
        })
    }

    /// Whether every directory down to `path` lets this user through.
    pub(super) fn can_reach(&self, path: &Path) -> bool {
        path.ancestors().all(|dir| {
            let Ok(metadata) = fs::metadata(dir) else { return false };
            let bit = if metadata.uid() == self.uid {
                0o100
            } else if metadata.gid() == self.gid {
                0o010
            } else {
                0o001
            };
            metadata.mode() & bit != 0
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_read_from_passwd_and_root_is_never_one() {
        let users = "root:x:0:0:root:/root:/bin/bash\npostgres:x:101:104::/var/lib/postgresql:/bin/bash\ntoor:x:0:0::/root:/bin/sh\nbroken\n";
        assert_eq!(Account::in_passwd(users, "postgres"), Some(Account { name: "postgres".into(), uid: 101, gid: 104 }));
        assert_eq!(Account::in_passwd(users, "toor"), None);
        assert_eq!(Account::in_passwd(users, "markethub"), None);
    }
}

//! Which processes work on a cluster's files. Each of PostgreSQL's processes has the data directory as its working directory.

use std::fs;
use std::path::Path;

/// The postmaster that runs on this data directory, if one does. A stale pid file, even one whose number another program has
/// now, is not one.
pub(super) fn postmaster(data: &Path) -> Option<u32> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid: u32 = text.lines().next()?.trim().parse().ok()?;
    works_in(pid, data).then_some(pid)
}

/// Whether any process still works in this data directory.
pub(super) fn anyone_in(data: &Path) -> bool {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.any(|pid| works_in(pid, data))
}

fn works_in(pid: u32, data: &Path) -> bool {
    fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == data)
}

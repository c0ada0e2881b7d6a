//! The server's settings, given on its command line at every start, so that they follow the machine and the version.

use std::fs;

use super::Purpose;

const MIB: u64 = 1 << 20;

pub(super) fn settings(purpose: Purpose, counts_statements: bool) -> Vec<String> {
    let mut settings: Vec<String> = COMMON.iter().map(|setting| (*setting).to_owned()).collect();
    let by_purpose: &[&str] = match purpose {
        Purpose::Market => {
            &["max_connections=200", "fsync=on", "synchronous_commit=on", "full_page_writes=on", "max_wal_size=4GB", "min_wal_size=256MB"]
        }
        // Commits still reach the operating system, so that killing processes loses nothing; only a power cut does.
        Purpose::Fleeting => &["max_connections=200", "fsync=off", "full_page_writes=off", "max_wal_size=2GB"],
        Purpose::Tests => &[
            "max_connections=600",
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "max_wal_size=2GB",
            "autovacuum=off",
            "wal_level=minimal",
            "max_wal_senders=0",
        ],
    };
    settings.extend(by_purpose.iter().map(|setting| (*setting).to_owned()));
    let buffers = if purpose == Purpose::Tests { 128 } else { shared_buffers_mib(memory_bytes()) };
    settings.push(format!("shared_buffers={buffers}MB"));
    if counts_statements && purpose != Purpose::Tests {
        settings.push("shared_preload_libraries=pg_stat_statements".to_owned());
        settings.push("pg_stat_statements.max=2000".to_owned());
        settings.push("pg_stat_statements.track_utility=on".to_owned());
    }
    settings
}

/// Short transactions from many services: plans from an index, no compilation, no parallel workers, steady background writing.
const COMMON: [&str; 21] = [
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "password_encryption=scram-sha-256",
    "timezone=UTC",
    "log_timezone=UTC",
    "lc_messages=C",
    "log_line_prefix=%m [%p] %q%a: ",
    "log_min_duration_statement=1s",
    "log_checkpoints=off",
    "wal_buffers=16MB",
    "checkpoint_timeout=15min",
    "checkpoint_completion_target=0.9",
    "random_page_cost=1.1",
    "effective_io_concurrency=64",
    "work_mem=8MB",
    "maintenance_work_mem=128MB",
    "jit=off",
    "max_parallel_workers_per_gather=0",
    "autovacuum_naptime=20s",
    "autovacuum_vacuum_scale_factor=0.05",
    "track_activity_query_size=4kB",
];

/// A sixteenth of the memory, because MarketHub and the operating system's cache share the machine.
fn shared_buffers_mib(memory_bytes: u64) -> u64 {
    (memory_bytes / 16 / MIB).clamp(128, 4096)
}

/// What this machine, or the container we are in, has; 2 GiB when nobody tells.
fn memory_bytes() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemTotal:"))?.to_owned();
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
    });
    let container = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse::<u64>().ok());
    machine.unwrap_or(2048 * MIB).min(container.unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_follow_the_memory_within_bounds() {
        assert_eq!(shared_buffers_mib(512 * MIB), 128);
        assert_eq!(shared_buffers_mib(24 * 1024 * MIB), 1536);
        assert_eq!(shared_buffers_mib(1024 * 1024 * MIB), 4096);
    }

    #[test]
    fn the_markets_cluster_is_durable() {
        let settings = settings(Purpose::Market, true);
        for wanted in ["fsync=on", "synchronous_commit=on", "full_page_writes=on"] {
            assert!(settings.iter().any(|setting| setting == wanted), "{wanted}");
        }
    }
}

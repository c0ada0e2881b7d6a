//! Databases for tests: real PostgreSQL, one cluster for all tests of a machine, each test with a database of its own that is
//! cloned from a migrated template in some tens of milliseconds and dropped afterwards.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use tokio::sync::OnceCell;

use crate::{Embedded, OpenError, Schema, Settings, Storage};

/// The lock under which one process makes a template while others wait for it.
const TEMPLATE_LOCK: i64 = 0x6d68_7465_7374;

/// A database of one test; dropped with it.
#[derive(Debug)]
pub struct TestDatabase {
    options: PgConnectOptions,
    name: String,
}

impl TestDatabase {
    /// The owner's address.
    pub fn url(&self) -> String {
        self.options.clone().database(&self.name).to_url_lossy().to_string()
    }

    /// Storage on this database, with few connections to each cell.
    pub fn settings(&self) -> Settings {
        Settings { pool_connections: 8, cell_connections: 4, ..Settings::at(self.url()) }
    }

    /// A fresh database with these schemas.
    pub async fn create(schemas: &[Schema]) -> Result<Self, OpenError> {
        let options = cluster().await?;
        let template = template(&options, schemas).await?;
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        execute(&options, &format!("create database {name} template {template}")).await?;
        Ok(Self { options, name })
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (options, name) = (self.options.clone(), self.name.clone());
        // A test's runtime may be ending, so the drop brings its own.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(execute(&options, &format!("drop database if exists {name} with (force)"))))
        });
        let _dropped = dropping.join();
    }
}

/// The cluster of all tests of this user; started when it is not running, and left running for the next test.
async fn cluster() -> Result<PgConnectOptions, OpenError> {
    static CLUSTER: OnceCell<PgConnectOptions> = OnceCell::const_new();
    let start = async || {
        let options = Embedded::for_tests(&dir()).await?;
        sweep(&options).await?;
        Ok::<_, OpenError>(options)
    };
    CLUSTER.get_or_try_init(start).await.cloned()
}

fn dir() -> PathBuf {
    std::env::temp_dir().join(format!("markethub-tests-{}", crate::embedded::own_uid()))
}

/// Drops what test processes that were killed have left.
async fn sweep(options: &PgConnectOptions) -> Result<(), OpenError> {
    let mut connection = options.connect().await?;
    let names: Vec<String> =
        sqlx::query_scalar("select datname::text from pg_database where datname like 'test\\_%'").fetch_all(&mut connection).await?;
    connection.close().await?;
    for name in names {
        let pid = name.split('_').nth(1).unwrap_or_default();
        if !PathBuf::from("/proc").join(pid).exists() {
            execute(options, &format!("drop database if exists {name} with (force)")).await?;
        }
    }
    Ok(())
}

/// The name of the template with these schemas, which is made when it is not there.
async fn template(options: &PgConnectOptions, schemas: &[Schema]) -> Result<String, OpenError> {
    let mut hash = Sha256::new();
    for text in crate::migrate::common_texts() {
        hash.update(text);
    }
    for schema in schemas {
        hash.update(schema.service);
        for (file, text) in schema.migrations {
            hash.update(file);
            hash.update(text);
        }
    }
    let name = format!("template_{}", hash.finalize().iter().take(10).map(|byte| format!("{byte:02x}")).collect::<String>());
    let mut connection: PgConnection = options.connect().await?;
    sqlx::query("select pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut connection).await?;
    let there: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)").bind(&name).fetch_one(&mut connection).await?;
    if !there {
        let making = format!("making_{name}");
        execute(options, &format!("drop database if exists {making} with (force)")).await?;
        execute(options, &format!("create database {making}")).await?;
        let storage = Storage::open(Settings::at(options.clone().database(&making).to_url_lossy().to_string())).await?;
        storage.migrate(schemas).await?;
        storage.close().await;
        drop(storage);
        // Connections that are just closing would forbid the rename.
        execute(options, &format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{making}'")).await?;
        while let Err(error) = execute(options, &format!("alter database {making} rename to {name}")).await {
            if !error.to_string().contains("being accessed") {
                return Err(error);
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
    connection.close().await?;
    Ok(name)
}

/// Database names are ours: lower-case letters, digits and underscores.
async fn execute(options: &PgConnectOptions, statement: &str) -> Result<(), OpenError> {
    let mut connection = options.connect().await?;
    let done = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await;
    connection.close().await?;
    done?;
    Ok(())
}

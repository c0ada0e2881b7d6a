//! One process's access to storage: the home database, dedicated cells in other databases, the services' schemas in both.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::db::{Cell, Db, HOME};
use crate::embedded::Embedded;
use crate::migrate::{self, Target};
use crate::placement::Directory;
use crate::tail::Hub;
use crate::{DbError, OpenError};

/// How to reach storage.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the embedded cluster lives, unless `database_url` is set.
    pub data_dir: PathBuf,
    /// An owner's address of a PostgreSQL database; without one, the process runs a cluster of its own.
    pub database_url: Option<String>,
    /// Owners' addresses of the databases of dedicated cells; a cell that is not named here is schemas in the home database.
    pub cells: BTreeMap<String, String>,
    /// The most connections of one service to its home cell.
    pub pool_connections: u32,
    /// The most connections of one service to one dedicated cell.
    pub cell_connections: u32,
    /// fsync and synchronous commit. False only for databases that tests throw away.
    pub durable: bool,
}

impl Settings {
    pub fn in_dir(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into(), database_url: None, cells: BTreeMap::new(), pool_connections: 12, cell_connections: 4, durable: true }
    }

    pub fn at(database_url: impl Into<String>) -> Self {
        Self { database_url: Some(database_url.into()), ..Self::in_dir(PathBuf::new()) }
    }

    /// Every address is one of PostgreSQL. Connects to none.
    pub fn check(&self) -> Result<(), OpenError> {
        let cells = self.cells.iter().map(|(cell, url)| (format!("database.cells.{cell}"), url));
        let home = self.database_url.iter().map(|url| ("database.url (DATABASE_URL)".to_owned(), url));
        home.chain(cells).try_for_each(|(key, url)| parse(&key, url).map(drop))
    }
}

/// One service's schema: its name, its migrations in order, and whether it exists in dedicated cells too.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    pub service: &'static str,
    pub in_cells: bool,
    /// (file name, text)
    pub migrations: &'static [(&'static str, &'static str)],
}

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A statement, a wait for a lock and a transaction left open each end by themselves, so that one stuck client cannot hold up
/// the others, the logs (which are read up to the oldest running transaction) or vacuum.
const GUARDS: [(&str, &str); 4] =
    [("statement_timeout", "30s"), ("lock_timeout", "10s"), ("idle_in_transaction_session_timeout", "30s"), ("client_min_messages", "warning")];

/// Open storage. Cheap to clone.
#[derive(Clone)]
pub struct Storage(Arc<Inner>);

struct Inner {
    settings: Settings,
    embedded: Option<Embedded>,
    home: Database,
    others: Mutex<HashMap<String, Database>>,
    directory: Arc<Directory>,
    stop: CancellationToken,
    /// Every pool made, to be closed before the server stops.
    pools: std::sync::Mutex<Vec<PgPool>>,
    /// The schemas that exist in cells, to be made when a cell is.
    in_cells: std::sync::Mutex<Vec<Schema>>,
}

/// One database: its owner's way in (migrations), the application's, and its wake-ups.
#[derive(Clone)]
pub(crate) struct Database {
    owner: PgConnectOptions,
    app: PgConnectOptions,
    pub(crate) hub: Hub,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Storage {
    /// Opens the home database, starting the embedded cluster when there is no address, and prepares its roles.
    pub async fn open(settings: Settings) -> Result<Self, OpenError> {
        let (embedded, owner) = match &settings.database_url {
            Some(url) => (None, parse("database.url (DATABASE_URL)", url)?),
            None => {
                let embedded = Embedded::start(&settings.data_dir, settings.durable).await?;
                let owner = embedded.owner();
                (Some(embedded), owner)
            }
        };
        let stop = CancellationToken::new();
        let home = Database::open(owner, &stop).await?;
        let directory = Arc::new(Directory::default());
        let inner = Inner {
            settings,
            embedded,
            home,
            others: Mutex::default(),
            directory,
            stop,
            pools: std::sync::Mutex::default(),
            in_cells: std::sync::Mutex::default(),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Brings the schemas of the home database up to date. Does nothing, in one round trip, when they are.
    pub async fn migrate(&self, schemas: &[Schema]) -> Result<(), OpenError> {
        let targets: Vec<Target> = schemas.iter().map(|schema| Target::home(*schema)).collect();
        let mut connection = self.0.home.connect_owner().await?;
        migrate::run(&mut connection, &targets).await?;
        connection.close().await?;
        Ok(())
    }

    /// One service's databases; its schema must have been migrated.
    pub async fn db(&self, schema: Schema) -> Result<Db, OpenError> {
        if schema.in_cells {
            let mut in_cells = self.0.in_cells.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            in_cells.retain(|known| known.service != schema.service);
            in_cells.push(schema);
        }
        let pool = self.pool(&self.0.home, schema.service, schema.service, self.0.settings.pool_connections);
        self.0.directory.follow(&pool, &self.0.home.hub, &self.0.stop).await?;
        let home = Cell::new(HOME, schema.service, pool, &self.0.home.hub, schema.service, self.0.stop.clone());
        Ok(Db::new(self.clone(), schema, home))
    }

    /// The owner's address of the home database, for tools and for other processes that share it.
    pub fn url(&self) -> String {
        self.0.home.owner.to_url_lossy().to_string()
    }

    /// SQL statements executed in the home database so far; `None` where PostgreSQL does not count them.
    pub async fn statements(&self) -> Option<u64> {
        let mut connection = self.0.home.connect_owner().await.ok()?;
        let counted: Result<i64, _> = sqlx::query_scalar(
            "select coalesce(sum(calls), 0)::bigint from public.pg_stat_statements where dbid = (select oid from pg_database where datname = current_database())",
        )
        .fetch_one(&mut connection)
        .await;
        u64::try_from(counted.ok()?).ok()
    }

    /// Waits a while for open transactions, closes every connection and stops the embedded cluster.
    pub async fn close(&self) {
        self.0.stop.cancel();
        let pools = std::mem::take(&mut *self.0.pools.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        let closed = futures::future::join_all(pools.iter().map(PgPool::close));
        if tokio::time::timeout(CLOSE_TIMEOUT, closed).await.is_err() {
            tracing::warn!("some transactions were still open after {CLOSE_TIMEOUT:?}; they are rolled back");
        }
        if let Some(embedded) = &self.0.embedded {
            embedded.stop().await;
        }
    }

    pub(crate) fn directory(&self) -> &Arc<Directory> {
        &self.0.directory
    }

    /// Opens a service's schema in a dedicated cell, migrating it first.
    pub(crate) async fn open_cell(&self, schema: Schema, cell: &str) -> Result<Cell, DbError> {
        let database = self.database_of(cell).await?;
        let target = Target::in_cell(schema, cell);
        let name = target.schema.clone();
        let mut connection = database.connect_owner().await.map_err(open_error)?;
        migrate::run(&mut connection, &[target]).await.map_err(open_error)?;
        connection.close().await?;
        let pool = self.pool(&database, schema.service, &name, self.0.settings.cell_connections);
        Ok(Cell::new(cell, schema.service, pool, &database.hub, &name, self.0.stop.clone()))
    }

    /// Makes every schema that exists in cells, in this one.
    pub(crate) async fn prepare_cell(&self, cell: &str) -> Result<(), DbError> {
        let schemas = self.0.in_cells.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let targets: Vec<Target> = schemas.into_iter().map(|schema| Target::in_cell(schema, cell)).collect();
        let mut connection = self.database_of(cell).await?.connect_owner().await.map_err(open_error)?;
        migrate::run(&mut connection, &targets).await.map_err(open_error)?;
        connection.close().await?;
        Ok(())
    }

    pub(crate) fn cell_has_address(&self, cell: &str) -> bool {
        self.0.settings.cells.contains_key(cell)
    }

    async fn database_of(&self, cell: &str) -> Result<Database, DbError> {
        let Some(url) = self.0.settings.cells.get(cell) else {
            return Ok(self.0.home.clone());
        };
        let mut others = self.0.others.lock().await;
        if let Some(database) = others.get(url) {
            return Ok(database.clone());
        }
        let owner = parse(&format!("database.cells.{cell}"), url).map_err(open_error)?;
        let database = Database::open(owner, &self.0.stop).await.map_err(open_error)?;
        others.insert(url.clone(), database.clone());
        Ok(database)
    }

    fn pool(&self, database: &Database, service: &'static str, schema: &str, connections: u32) -> PgPool {
        let path = format!("{schema},kit");
        let options = database.app.clone().application_name(service).options([("search_path", path.as_str())]).options(GUARDS);
        // No ping before use: `Db::begin` tries a second connection when the first turns out to be gone.
        let pool = PgPoolOptions::new()
            .max_connections(connections.max(2))
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .idle_timeout(IDLE_TIMEOUT)
            .test_before_acquire(false)
            .connect_lazy_with(options);
        self.0.pools.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(pool.clone());
        pool
    }
}

fn open_error(error: OpenError) -> DbError {
    DbError::Open(Arc::new(error))
}

fn parse(key: &str, url: &str) -> Result<PgConnectOptions, OpenError> {
    let unfit = |why: String| OpenError::Url { key: key.to_owned(), why };
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(unfit("it begins with another scheme".to_owned()));
    }
    PgConnectOptions::from_str(url).map_err(|error| unfit(error.to_string()))
}

impl Database {
    async fn open(owner: PgConnectOptions, stop: &CancellationToken) -> Result<Self, OpenError> {
        let mut connection = connect(&owner).await?;
        let app = migrate::prepare(&mut connection, &owner).await?;
        let name: String = sqlx::query_scalar("select current_database()::text").fetch_one(&mut connection).await?;
        connection.close().await?;
        let hub = Hub::new(&name, app.clone(), stop.clone());
        Ok(Self { owner, app, hub })
    }

    async fn connect_owner(&self) -> Result<PgConnection, OpenError> {
        connect(&self.owner).await
    }
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, OpenError> {
    let place = || {
        format!(
            "{}/{}",
            options.get_socket().map_or_else(|| options.get_host().to_owned(), |socket| socket.display().to_string()),
            options.get_database().unwrap_or_default()
        )
    };
    let options_quiet = options.clone().options([("client_min_messages", "warning")]);
    match tokio::time::timeout(CONNECT_TIMEOUT, options_quiet.connect()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(source)) => Err(OpenError::Connect { place: place(), source }),
        Err(_) => Err(OpenError::Connect { place: place(), source: sqlx::Error::PoolTimedOut }),
    }
}

//! One service's databases: its home cell, the dedicated cells of some tenants, and transactions that see only whom they are for.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use futures::Stream;
use kit_core::{TenantId, UserId};
use kit_rpc::proto;
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, SqlSafeStr};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::storage::{Schema, Storage};
use crate::tail::{Hub, Tail, Watchers};
use crate::{DbError, LoggedEvent};

pub(crate) const HOME: &str = "home";

/// Idle connections may have died with their server; nothing has been done on them yet, so others are tried, as many as a pool
/// may hold.
const STALE_TRIES: usize = 16;

fn is_stale(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code == "57P01" || code == "57P02"),
        _ => false,
    }
}

pub type Tx = sqlx::Transaction<'static, sqlx::Postgres>;

/// Whom a transaction is for. Row-level security shows it their rows and no others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    Tenant(TenantId),
    Tenants(Vec<TenantId>),
    Buyer(UserId),
    /// Everybody: jobs, consumers, operators.
    Platform,
}

impl Scope {
    /// The statement that opens a transaction for this scope, in one round trip. Only ids are written into it.
    fn begin(&self) -> String {
        let mut sql = String::from("begin; ");
        let written = match self {
            Self::Tenant(tenant) => write!(sql, "set local mh.tenants = '{}'", tenant.uuid().hyphenated()),
            Self::Tenants(tenants) => {
                sql.push_str("set local mh.tenants = '");
                let listed = tenants.iter().try_for_each(|tenant| write!(sql, "{} ", tenant.uuid().hyphenated()));
                sql.push('\'');
                listed
            }
            Self::Buyer(buyer) => write!(sql, "set local mh.buyer = '{}'", buyer.uuid().hyphenated()),
            Self::Platform => write!(sql, "set local mh.scope = 'platform'"),
        };
        // Writing to a string does not fail; were it to, the transaction would be for nobody.
        if written.is_err() { "begin".to_owned() } else { sql }
    }
}

/// One service's databases. Cheap to clone.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    storage: Storage,
    schema: Schema,
    home: Cell,
    cells: Mutex<HashMap<String, Cell>>,
    watchers: Watchers,
}

/// One place a service's tenant-owned data lives in.
#[derive(Clone)]
pub struct Cell(Arc<CellInner>);

struct CellInner {
    name: String,
    service: &'static str,
    pool: PgPool,
    tail: Tail,
}

impl Db {
    pub(crate) fn new(storage: Storage, schema: Schema, home: Cell) -> Self {
        let watchers = Watchers::default();
        home.tail().watched_by(&watchers);
        Self(Arc::new(Inner { storage, schema, home, cells: Mutex::default(), watchers }))
    }

    pub fn service(&self) -> &'static str {
        self.0.schema.service
    }

    /// A transaction in the home cell.
    pub async fn begin(&self, scope: &Scope) -> Result<Tx, DbError> {
        self.0.home.begin(scope).await
    }

    /// A transaction for one tenant, in that tenant's cell.
    pub async fn begin_for(&self, tenant: TenantId) -> Result<Tx, DbError> {
        self.cell_of(tenant).await?.begin(&Scope::Tenant(tenant)).await
    }

    /// The home cell's pool, for tables without row-level security.
    pub fn pool(&self) -> &PgPool {
        self.0.home.pool()
    }

    pub fn home(&self) -> &Cell {
        &self.0.home
    }

    /// The cell a tenant lives in. A service whose schema does not exist in cells keeps everybody at home.
    pub async fn cell_of(&self, tenant: TenantId) -> Result<Cell, DbError> {
        match self.0.storage.directory().cell_of(tenant) {
            Some(cell) if self.0.schema.in_cells => self.cell(&cell).await,
            _ => Ok(self.0.home.clone()),
        }
    }

    /// All cells, home first.
    pub async fn cells(&self) -> Result<Vec<Cell>, DbError> {
        let mut cells = vec![self.0.home.clone()];
        if self.0.schema.in_cells {
            for name in self.0.storage.directory().cells() {
                cells.push(self.cell(&name).await?);
            }
        }
        Ok(cells)
    }

    /// A cell by name; `home` is the home cell.
    pub async fn cell(&self, name: &str) -> Result<Cell, DbError> {
        if name == HOME {
            return Ok(self.0.home.clone());
        }
        let mut cells = self.0.cells.lock().await;
        if let Some(cell) = cells.get(name) {
            return Ok(cell.clone());
        }
        let directory = self.0.storage.directory();
        let by_address = directory.by_address(name).filter(|_| self.0.schema.in_cells).ok_or_else(|| DbError::UnknownCell(name.to_owned()))?;
        if by_address && !self.0.storage.cell_has_address(name) {
            return Err(DbError::UnknownCell(format!("{name} (its address is missing from this process's configuration)")));
        }
        let cell = self.0.storage.open_cell(self.0.schema, name).await?;
        cell.tail().watched_by(&self.0.watchers);
        cells.insert(name.to_owned(), cell.clone());
        Ok(cell)
    }

    /// Gives a tenant a cell of its own (or one it shares), making the cell if it does not exist. To be done before the
    /// tenant has data: nothing is moved. Placing it again in the same cell changes nothing.
    pub async fn place(&self, tenant: TenantId, cell: &str) -> Result<(), DbError> {
        if cell == HOME {
            return match self.0.storage.directory().cell_of(tenant) {
                None => Ok(()),
                Some(elsewhere) => Err(DbError::PlacedElsewhere(elsewhere)),
            };
        }
        let named = (1..=30).contains(&cell.len()) && cell.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !named || !cell.starts_with(|c: char| c.is_ascii_lowercase()) {
            return Err(DbError::InvalidCellName);
        }
        self.0.storage.prepare_cell(cell).await?;
        self.0.storage.directory().place(self.pool(), tenant, cell, self.0.storage.cell_has_address(cell)).await
    }

    /// Completes when something was appended to the home cell's log since the last call, or soon after.
    pub async fn woken(&self) {
        self.0.home.tail().next_change().await;
    }

    /// What happens to one thing from now on, in every cell. Ends when its reader falls far behind; it should then read
    /// the present state and watch again.
    pub fn watch(&self, key: Uuid) -> impl Stream<Item = LoggedEvent> + Send + Unpin + 'static {
        self.0.watchers.watch(key)
    }
}

impl Cell {
    pub(crate) fn new(name: &str, service: &'static str, pool: PgPool, hub: &Hub, schema: &str, stop: CancellationToken) -> Self {
        let tail = Tail::start(service, name, pool.clone(), hub, schema, stop);
        Self(Arc::new(CellInner { name: name.to_owned(), service, pool, tail }))
    }

    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub fn pool(&self) -> &PgPool {
        &self.0.pool
    }

    pub(crate) fn tail(&self) -> &Tail {
        &self.0.tail
    }

    /// A transaction in this cell. One round trip.
    pub async fn begin(&self, scope: &Scope) -> Result<Tx, DbError> {
        let begin = scope.begin();
        for _ in 0..STALE_TRIES {
            match self.open(begin.clone()).await {
                Err(error) if is_stale(&error) => {}
                begun => return Ok(begun?),
            }
        }
        Ok(self.open(begin).await?)
    }

    /// Opens the transaction in a task of its own. sqlx forgets one whose opening is dropped half-way (a deadline, a client that left):
    /// the connection would go back to the pool inside it, with its scope.
    async fn open(&self, begin: String) -> Result<Tx, sqlx::Error> {
        let connection = self.0.pool.acquire().await?;
        let opening = tokio::spawn(Tx::begin(connection, Some(AssertSqlSafe(begin).into_sql_str())));
        opening.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
    }

    /// Tells the metrics how busy the pool is.
    pub(crate) fn record(&self) {
        let gauge = |state: &'static str, count: u32| {
            metrics::gauge!("db_pool_connections", "service" => self.0.service, "cell" => self.0.name.clone(), "state" => state)
                .set(f64::from(count));
        };
        let idle = self.idle();
        gauge("idle", idle);
        gauge("used", self.0.pool.size().saturating_sub(idle));
    }

    pub(crate) fn pool_status(&self) -> proto::PoolStatus {
        let busy = self.0.pool.size().saturating_sub(self.idle());
        proto::PoolStatus { cell: self.0.name.clone(), busy, limit: self.0.pool.options().get_max_connections() }
    }

    fn idle(&self) -> u32 {
        u32::try_from(self.0.pool.num_idle()).unwrap_or(u32::MAX)
    }
}

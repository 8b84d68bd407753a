//! The pools, the macro that runs one SQL text on whichever driver is open, and the one door through which all writes go.

use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, Postgres};
use sqlx::sqlite::{
    Sqlite, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use super::error::asks_for_a_rerun;
use super::wake::Wakes;
use super::{StoreError, feed_head, migrate};
use crate::clock::{Clock, UnixTime};
use crate::domain::audit::Source;
use crate::domain::ids::Tick;

/// How long anything waits for a connection or a lock.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Runs one SQL text: `sql!(conn, execute, "…", binds…)` answers the affected rows, `sql!(conn, all|one|optional as Row, "…",
/// binds…)` answers rows.
macro_rules! sql {
    ($conn:expr, execute, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $conn.driver() {
            $crate::store::db::Conn::Sqlite(conn) => {
                sqlx::query($sql)$(.bind($bind))*.execute(&mut **conn).await.map(|done| done.rows_affected())
            }
            $crate::store::db::Conn::Postgres(conn) => {
                sqlx::query($sql)$(.bind($bind))*.execute(&mut **conn).await.map(|done| done.rows_affected())
            }
        }
        .map_err($crate::store::StoreError::from)
    };
    ($conn:expr, all as $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => { sql!(@fetch fetch_all, $conn, $row, $sql $(, $bind)*) };
    ($conn:expr, one as $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => { sql!(@fetch fetch_one, $conn, $row, $sql $(, $bind)*) };
    ($conn:expr, optional as $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        sql!(@fetch fetch_optional, $conn, $row, $sql $(, $bind)*)
    };
    (@fetch $fetch:ident, $conn:expr, $row:ty, $sql:expr $(, $bind:expr)*) => {
        match $conn.driver() {
            $crate::store::db::Conn::Sqlite(conn) => sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.$fetch(&mut **conn).await,
            $crate::store::db::Conn::Postgres(conn) => sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.$fetch(&mut **conn).await,
        }
        .map_err($crate::store::StoreError::from)
    };
}

/// Where the database is.
#[derive(Clone)]
pub enum Location {
    /// A file, made when it is missing.
    Sqlite(PathBuf),
    /// A `postgres://` URL and the most connections to hold.
    Postgres {
        /// The URL; it may carry a password.
        url: String,
        /// The most connections.
        connections: u32,
    },
}

/// An open, migrated database.
#[derive(Clone)]
pub struct Db {
    pools: Pools,
    clock: Arc<dyn Clock>,
    source: Arc<Source>,
    wakes: Arc<Wakes>,
}

#[derive(Clone)]
pub(super) enum Pools {
    Sqlite { read: SqlitePool, write: SqlitePool },
    Postgres(PgPool),
}

/// A connection, lent by a pool or by a transaction.
pub enum Conn<'c> {
    /// SQLite's.
    Sqlite(&'c mut SqliteConnection),
    /// Postgres's.
    Postgres(&'c mut PgConnection),
}

impl<'c> Conn<'c> {
    /// Itself: by way of auto-deref the macro reaches a [`Tx`]'s connection as well.
    pub(super) fn driver(&mut self) -> &mut Conn<'c> {
        self
    }
}

/// A connection inside a write transaction. Only [`Db::write`] makes one, so a function that asks for it cannot write past the
/// door.
pub struct Tx<'c> {
    conn: Conn<'c>,
    source: &'c Source,
    /// The tick that it raised.
    pub(super) raised: Option<Tick>,
}

impl Tx<'_> {
    /// On whose behalf it writes.
    pub(super) fn source(&self) -> &Source {
        self.source
    }
}

impl<'c> std::ops::Deref for Tx<'c> {
    type Target = Conn<'c>;

    fn deref(&self) -> &Conn<'c> {
        &self.conn
    }
}

impl<'c> std::ops::DerefMut for Tx<'c> {
    fn deref_mut(&mut self) -> &mut Conn<'c> {
        &mut self.conn
    }
}

/// A connection for reading, given back to its pool on drop.
pub enum Reader {
    /// SQLite's.
    Sqlite(PoolConnection<Sqlite>),
    /// Postgres's.
    Postgres(PoolConnection<Postgres>),
}

impl Reader {
    /// Lends the connection.
    pub fn conn(&mut self) -> Conn<'_> {
        match self {
            Self::Sqlite(conn) => Conn::Sqlite(conn),
            Self::Postgres(conn) => Conn::Postgres(conn),
        }
    }
}

impl Db {
    /// Opens the database, migrates it, and appends the feed's empty entry of this start.
    pub async fn open(location: &Location, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let pools = match location {
            Location::Sqlite(path) => open_sqlite(path).await?,
            Location::Postgres { url, connections } => open_postgres(url, *connections).await?,
        };
        let db = Self { pools, clock, source: Arc::new(Source::PASSANT), wakes: Arc::default() };
        feed_head::begin(&db).await?;
        Ok(db)
    }

    /// Looks into a database for reading alone: nothing is made, migrated or appended. `None` where there is none yet; otherwise with
    /// the number of migrations that the next start would apply.
    pub async fn look(location: &Location, clock: Arc<dyn Clock>) -> Result<Option<(Self, usize)>, StoreError> {
        let pools = match location {
            Location::Sqlite(path) if !path.exists() => return Ok(None),
            Location::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path).busy_timeout(PATIENCE).pragma("query_only", "ON");
                let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(PATIENCE).connect_with(options).await?;
                Pools::Sqlite { read: pool.clone(), write: pool }
            }
            Location::Postgres { url, .. } => {
                let options = postgres_options(url)?.options([("default_transaction_read_only", "on")]);
                Pools::Postgres(PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE).connect_with(options).await?)
            }
        };
        let db = Self { pools, clock, source: Arc::new(Source::PASSANT), wakes: Arc::default() };
        let pending = migrate::pending(&mut db.reader().await?.conn()).await?;
        Ok(pending.map(|pending| (db, pending)))
    }

    /// The same database, on behalf of somebody: the audit trail names this source for all that is written through it. Without it,
    /// Passant itself acts.
    pub fn by(&self, source: Source) -> Self {
        Self { source: Arc::new(source), ..self.clone() }
    }

    /// Lends a connection for reading.
    pub async fn reader(&self) -> Result<Reader, StoreError> {
        Ok(match &self.pools {
            Pools::Sqlite { read, .. } => Reader::Sqlite(read.acquire().await?),
            Pools::Postgres(pool) => Reader::Postgres(pool.acquire().await?),
        })
    }

    /// The one door for writes: runs the operation in a transaction and commits what it answers. An error rolls back; a deadlock
    /// or serialization failure runs it all again. The operation awaits SQL and nothing else, hashes and signs nothing, and has no
    /// effect outside, so that it can be repeated and, later, share its commit with others.
    ///
    /// It runs in a task of its own: a client that hangs up takes the waiter away and not the transaction, or hanging up would be
    /// the way to undo a revocation.
    pub async fn write<I, T>(
        &self,
        input: I,
        operation: impl for<'a, 'c> Fn(&'a mut Tx<'c>, &'a I) -> BoxFuture<'a, Result<T, StoreError>> + Send + Sync + 'static,
    ) -> Result<T, StoreError>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
    {
        const ATTEMPTS: usize = 8;
        let db = self.clone();
        let written = tokio::spawn(async move {
            let mut attempt = 1;
            loop {
                match db.write_once(&input, &operation).await {
                    Err(error) if asks_for_a_rerun(&error) && attempt < ATTEMPTS => attempt += 1,
                    outcome => return outcome,
                }
            }
        });
        written.await.unwrap_or_else(|fault| Err(StoreError::Unavailable(format!("a write broke off: {fault}"))))
    }

    async fn write_once<I, T>(
        &self,
        input: &I,
        operation: &(impl for<'a, 'c> Fn(&'a mut Tx<'c>, &'a I) -> BoxFuture<'a, Result<T, StoreError>> + Send + Sync),
    ) -> Result<T, StoreError>
    where
        I: Send + Sync,
    {
        match &self.pools {
            Pools::Sqlite { write, .. } => {
                let mut transaction = write.begin_with("BEGIN IMMEDIATE").await?;
                let mut tx = Tx { conn: Conn::Sqlite(&mut transaction), source: &self.source, raised: None };
                let (outcome, raised) = (operation(&mut tx, input).await?, tx.raised);
                transaction.commit().await?;
                self.wakes.committed(raised);
                Ok(outcome)
            }
            Pools::Postgres(pool) => {
                let mut transaction = pool.begin().await?;
                let mut tx = Tx { conn: Conn::Postgres(&mut transaction), source: &self.source, raised: None };
                let (outcome, raised) = (operation(&mut tx, input).await?, tx.raised);
                transaction.commit().await?;
                self.wakes.committed(raised);
                Ok(outcome)
            }
        }
    }

    /// What has been raised, here or by others.
    pub(super) fn wakes(&self) -> &Wakes {
        &self.wakes
    }

    /// The pools, for what is one engine's alone.
    pub(super) fn pools(&self) -> &Pools {
        &self.pools
    }

    /// The time of the clock this database was opened with.
    pub(super) fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// How far the database's clock is from ours; nothing on SQLite, where they are one. This is the one place that asks a
    /// database for the time.
    pub async fn clock_difference(&self) -> Result<Option<Duration>, StoreError> {
        let Pools::Postgres(pool) = &self.pools else { return Ok(None) };
        let theirs = match self.clock.database() {
            Some(theirs) => theirs,
            None => {
                let (millis,): (i64,) =
                    sqlx::query_as("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)").fetch_one(pool).await?;
                UnixTime::from_millis(millis)
            }
        };
        let ours = self.clock.now();
        Ok(Some(ours.since(theirs).max(theirs.since(ours))))
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let mut reader = self.reader().await?;
        sql!(&mut reader.conn(), one as (i64,), "SELECT tick FROM feed_head WHERE id = 1").map(drop)
    }

    /// Closes every connection, after the work in flight.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

async fn open_sqlite(path: &Path) -> Result<Pools, StoreError> {
    make_private(path)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A power cut under NORMAL would bring revoked tokens back to life.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(PATIENCE);
    let write =
        retry_while_busy(|| SqlitePoolOptions::new().max_connections(1).acquire_timeout(PATIENCE).connect_with(options.clone()))
            .await?;
    migrate::sqlite(&write).await?;
    let read = SqlitePoolOptions::new()
        .max_connections(4)
        .acquire_timeout(PATIENCE)
        .connect_with(options.create_if_missing(false).pragma("query_only", "ON"))
        .await?;
    Ok(Pools::Sqlite { read, write })
}

/// Makes the file with an owner alone, where there is none; SQLite gives its companions the same mode.
fn make_private(path: &Path) -> Result<(), StoreError> {
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(fault) if fault.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(StoreError::Refused(format!("the database {} cannot be made: {fault}", path.display())))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Several processes that start at once on an empty file race to switch it to WAL, and SQLite's own patience does not cover that
/// step.
async fn retry_while_busy<F, Fut>(connect: F) -> Result<SqlitePool, StoreError>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<SqlitePool, sqlx::Error>>,
{
    const ATTEMPTS: usize = 50;
    let mut attempt = 1;
    loop {
        match connect().await.map_err(StoreError::from) {
            Err(StoreError::Unavailable(_)) if attempt < ATTEMPTS => attempt += 1,
            outcome => return outcome,
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn postgres_options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| StoreError::Refused(format!("the database URL cannot be read: {error}")))?;
    let limits = [("lock_timeout", "5s"), ("statement_timeout", "15s"), ("idle_in_transaction_session_timeout", "15s")];
    Ok(options.application_name("passant").options(limits))
}

async fn open_postgres(url: &str, connections: u32) -> Result<Pools, StoreError> {
    let options = postgres_options(url)?;
    let pool = PgPoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE).connect_with(options).await?;
    let (synchronous_commit,): (String,) = sqlx::query_as("SHOW synchronous_commit").fetch_one(&pool).await?;
    if synchronous_commit == "off" {
        let why = "synchronous_commit is off on this Postgres: a crash would bring revoked tokens back to life; turn it on";
        return Err(StoreError::Refused(why.to_owned()));
    }
    migrate::postgres(&pool).await?;
    Ok(Pools::Postgres(pool))
}

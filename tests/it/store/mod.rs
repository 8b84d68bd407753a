//! The store, function by function on both engines: one file for each of its own. Every compare-and-set is also raced.

use std::future::Future;
use std::sync::Arc;

use passant::clock::{Clock, ManualClock, UnixTime};
use passant::domain::ids::Tick;
use passant::store::{Conn, Db};
use passant_tests::postgres;
use passant_tests::world::{BEGINNING, Engine, Storage};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Encode, FromRow, Postgres, Sqlite, Type};
use tokio::sync::Barrier;
use tokio::task::JoinHandle;

/// Makes a module of each test, with one case for each engine.
macro_rules! on_both_databases {
    ($(async fn $name:ident($replicas:ident) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports, reason = "not every test names something of its file")]
            use super::*;

            async fn case($replicas: $crate::store::Replicas) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                case($crate::store::Replicas::open(passant_tests::world::Engine::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                case($crate::store::Replicas::open(passant_tests::world::Engine::Postgres).await).await;
            }
        }
    )*};
}

/// Reads: `read!(db, conn => users::find(conn, &id))`.
macro_rules! read {
    ($db:expr, $conn:ident => $call:expr) => {{
        let mut reader = $db.reader().await.unwrap();
        let mut conn = reader.conn();
        let $conn = &mut conn;
        $call.await.unwrap()
    }};
}

/// Writes in a transaction of its own: `write!(db, (id, user), |tx, (id, user)| users::insert(tx, user))`.
macro_rules! commit {
    ($db:expr, $input:expr, |$tx:ident, $given:pat_param| $call:expr) => {{
        use futures_util::FutureExt;
        $db.write($input, |$tx, $given| async move { $call.await }.boxed()).await
    }};
}

mod accounts;
mod anew;
mod applications;
mod attempts;
mod audit;
mod authorization_requests;
mod causes;
mod client_secrets;
mod clients;
mod codes;
mod consents;
mod coverage;
mod db;
mod everything;
mod evidence;
mod feed_alarms;
mod feed_head;
mod feed_tail;
mod followers;
mod grants;
mod master_keys;
mod migrate;
mod refresh_tokens;
mod registrations;
mod rows;
mod session_list;
mod sessions;
mod set_up_tokens;
mod signing_keys;
mod status_lists;
mod sweep;
mod users;
mod wake;

/// When everything here happens, unless a test says otherwise.
const NOW: UnixTime = BEGINNING;

/// One database, opened twice, as two processes would.
struct Replicas {
    db: Db,
    other: Db,
    clock: ManualClock,
    engine: Engine,
    storage: Storage,
}

impl Replicas {
    async fn open(engine: Engine) -> Self {
        let (clock, storage) = (ManualClock::at(NOW), Storage::new(engine).await);
        let (db, other) = (storage.open(&clock).await, storage.open(&clock).await);
        Self { db, other, clock, engine, storage }
    }

    /// Lets two tasks do the same at once: twenty times on two connections of one process, twenty times in two processes. What
    /// each round was about, and both outcomes.
    async fn race<S, T, F>(&self, about: impl AsyncFn() -> S, act: impl Fn(Db, S, usize) -> F) -> Vec<(S, [T; 2])>
    where
        S: Clone,
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let mut rounds = Vec::new();
        for round in 0..40 {
            let rival = if round % 2 == 0 { &self.db } else { &self.other };
            let subject = about().await;
            let outcomes = at_once(act(self.db.clone(), subject.clone(), 0), act(rival.clone(), subject.clone(), 1)).await;
            rounds.push((subject, outcomes));
        }
        rounds
    }

    /// Races, and demands one winner in each round.
    async fn one_wins<S, F>(&self, about: impl AsyncFn() -> S, act: impl Fn(Db, S, usize) -> F)
    where
        S: Clone,
        F: Future<Output = bool> + Send + 'static,
    {
        for (_, outcomes) in self.race(about, act).await {
            assert!(outcomes[0] != outcomes[1], "one wins and one loses: {outcomes:?}");
        }
    }

    async fn tick(&self) -> Tick {
        read!(self.db, conn => passant::store::feed_head::read(conn)).tick
    }

    fn now(&self) -> UnixTime {
        self.clock.now()
    }
}

/// Runs both, released together.
async fn at_once<T: Send + 'static>(
    one: impl Future<Output = T> + Send + 'static,
    other: impl Future<Output = T> + Send + 'static,
) -> [T; 2] {
    let start = Arc::new(Barrier::new(2));
    let (one, other) = (released(Arc::clone(&start), one), released(start, other));
    [one.await.unwrap(), other.await.unwrap()]
}

fn released<T: Send + 'static>(start: Arc<Barrier>, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(async move {
        start.wait().await;
        work.await
    })
}

/// The rows of a query that is no part of the store.
async fn rows<T>(db: &Db, sql: &'static str) -> Vec<T>
where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    match db.reader().await.unwrap().conn() {
        Conn::Sqlite(conn) => sqlx::query_as(sql).fetch_all(conn).await.unwrap(),
        Conn::Postgres(conn) => sqlx::query_as(sql).fetch_all(conn).await.unwrap(),
    }
}

/// How many rows a query counts.
async fn count(db: &Db, sql: &'static str) -> i64 {
    let counts: Vec<(i64,)> = rows(db, sql).await;
    counts[0].0
}

/// Runs a statement that is no part of the store.
async fn execute(db: &Db, sql: &'static str) {
    execute_with(db, sql, 0_i64).await;
}

/// Runs a statement with `$1`.
async fn execute_with<B>(db: &Db, sql: &'static str, bind: B)
where
    B: Clone + Send + Sync + Type<Sqlite> + Type<Postgres> + for<'q> Encode<'q, Sqlite> + for<'q> Encode<'q, Postgres> + 'static,
{
    let bound = sql.contains("$1");
    commit!(db, (sql, bind, bound), |tx, (sql, bind, bound)| async {
        let (sql, bind) = (*sql, bind.clone());
        match &mut **tx {
            Conn::Sqlite(conn) if *bound => sqlx::query(sql).bind(bind).execute(&mut **conn).await.map(drop)?,
            Conn::Sqlite(conn) => sqlx::query(sql).execute(&mut **conn).await.map(drop)?,
            Conn::Postgres(conn) if *bound => sqlx::query(sql).bind(bind).execute(&mut **conn).await.map(drop)?,
            Conn::Postgres(conn) => sqlx::query(sql).execute(&mut **conn).await.map(drop)?,
        }
        Ok(())
    })
    .unwrap();
}

/// A database nobody has opened yet: no file, or no table.
async fn untouched(engine: Engine) -> Storage {
    match engine {
        Engine::Sqlite => Storage::new(engine).await,
        Engine::Postgres => Storage::Postgres(postgres::database("empty", async |_| ()).await),
    }
}

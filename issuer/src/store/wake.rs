//! How the feed's tail learns that the tick was raised: at once by this process itself, and by `LISTEN` from other processes on one
//! Postgres. Whatever is lost on the way, the tail looks again by itself.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::Notify;

use super::db::{PATIENCE, Pools};
use super::{Conn, Db, StoreError, Tx};
use crate::domain::ids::Tick;

const CHANNEL: &str = "passant_feed";
/// How long after the connection that listens was lost another one is tried.
const AGAIN: Duration = Duration::from_secs(1);

/// What was raised, as far as this process knows.
#[derive(Default)]
pub(super) struct Wakes {
    highest: AtomicI64,
    news: Notify,
}

impl Wakes {
    /// Takes note of a transaction that committed.
    pub(super) fn committed(&self, raised: Option<Tick>) {
        if let Some(tick) = raised {
            self.saw(tick);
            self.news.notify_one();
        }
    }

    fn saw(&self, tick: Tick) {
        self.highest.fetch_max(tick.get(), Ordering::SeqCst);
    }
}

/// Notes the tick that a transaction raised. Here alone the two engines differ: Postgres tells the other processes, once the
/// transaction has committed.
pub(super) async fn announce(tx: &mut Tx<'_>, tick: Tick) -> Result<(), StoreError> {
    tx.raised = Some(tick);
    match tx.driver() {
        Conn::Sqlite(_) => Ok(()),
        Conn::Postgres(conn) => {
            sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(&mut **conn).await?;
            Ok(())
        }
    }
}

/// The largest tick that this process has committed or read. A head that is read afterwards is not below it, unless the database
/// was put back in time.
pub fn highest(db: &Db) -> Tick {
    Tick::new(db.wakes().highest.load(Ordering::SeqCst))
}

/// Notes a tick that was read.
pub fn saw(db: &Db, tick: Tick) {
    db.wakes().saw(tick);
}

/// Returns when something was raised since it returned the last time. Nothing is lost by dropping the future.
pub async fn news(db: &Db) {
    db.wakes().news.notified().await;
}

/// How often to look whether something was raised that nobody told of: on SQLite by another process, on Postgres while no
/// connection listens.
pub fn look_every(db: &Db) -> Duration {
    match db.pools() {
        Pools::Sqlite { .. } => Duration::from_millis(100),
        Pools::Postgres(_) => Duration::from_secs(1),
    }
}

/// Turns what other processes raise on the same Postgres into [`news`], for as long as it is polled. It has a connection of its own,
/// beside the pool.
pub async fn listen(db: &Db) {
    let Pools::Postgres(pool) = db.pools() else { return std::future::pending().await };
    loop {
        let options = pool.connect_options().as_ref().clone();
        let own = PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE).max_lifetime(None).idle_timeout(None);
        let Err(fault) = forward(db, own.connect_lazy_with(options)).await;
        tracing::debug!(%fault, "nothing listens for revocations of other processes just now");
        tokio::time::sleep(AGAIN).await;
    }
}

async fn forward(db: &Db, own: sqlx::PgPool) -> Result<std::convert::Infallible, sqlx::Error> {
    let mut listener = PgListener::connect_with(&own).await?;
    listener.listen(CHANNEL).await?;
    loop {
        // Whatever was raised while nothing listened is news as well.
        db.wakes().news.notify_one();
        listener.try_recv().await?;
    }
}

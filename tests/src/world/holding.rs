//! A transaction of the test's own on Postgres, for which others wait: what happens between two statements of theirs is certain then,
//! and no matter of luck.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::Storage;

/// How long somebody may take to come to wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// An open transaction that holds something.
pub struct Holding {
    transaction: PgConnection,
    watching: PgConnection,
}

impl Holding {
    /// Begins with a statement that locks. `None` on SQLite, whose readers wait for nobody and whose writers follow each other.
    pub async fn begin(storage: &Storage, lock: &str) -> Option<Self> {
        let Storage::Postgres(database) = storage else { return None };
        let mut transaction = PgConnection::connect(database.url()).await.expect("the database opens");
        let watching = PgConnection::connect(database.url()).await.expect("the database opens");
        // Where nobody comes who should, the test fails by this and does not stand still for good.
        let begin = "SET idle_in_transaction_session_timeout = '60s'; BEGIN";
        sqlx::raw_sql(begin).execute(&mut transaction).await.expect("a transaction begins");
        let mut holding = Self { transaction, watching };
        holding.execute(lock).await;
        Some(holding)
    }

    /// Runs statements in it.
    pub async fn execute(&mut self, sql: &str) {
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut self.transaction).await;
        done.expect("the statements work, and nobody kept this transaction waiting for a minute");
    }

    /// Returns when somebody waits for it, who has to come before long.
    pub async fn is_waited_for(&mut self) {
        let somebody = async { while !self.makes_wait().await {} };
        tokio::time::timeout(PATIENCE, somebody).await.expect("somebody waits for what is held");
    }

    /// Whether somebody waits for it now.
    pub async fn makes_wait(&mut self) -> bool {
        let waits =
            "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database())";
        sqlx::query_scalar(waits).fetch_one(&mut self.watching).await.expect("the activity can be read")
    }

    /// Whether another transaction could lock what this statement locks, without waiting.
    pub async fn could_lock(&mut self, sql: &str) -> bool {
        sqlx::raw_sql(AssertSqlSafe(format!("{sql} NOWAIT"))).execute(&mut self.watching).await.is_ok()
    }

    /// Lets those who wait go on.
    pub async fn commit(mut self) {
        self.execute("COMMIT").await;
    }
}

//! Migrations under a lock of our own, so that any number of processes may start at once on one empty database. Each records the
//! oldest Passant that may still run on its schema.

use sqlx::postgres::PgPool;
use sqlx::sqlite::SqlitePool;

use super::StoreError;
use super::db::Conn;

struct Migration {
    number: i64,
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration { number: 1, name: "spine", sql: include_str!("../../../migrations/0001_spine.sql") },
    Migration { number: 2, name: "everyday", sql: include_str!("../../../migrations/0002_everyday.sql") },
    Migration { number: 3, name: "intake", sql: include_str!("../../../migrations/0003_intake.sql") },
    Migration { number: 4, name: "feed", sql: include_str!("../../../migrations/0004_feed.sql") },
    Migration { number: 5, name: "status_lists", sql: include_str!("../../../migrations/0005_status_lists.sql") },
    Migration { number: 6, name: "master_keys", sql: include_str!("../../../migrations/0006_master_keys.sql") },
    Migration { number: 7, name: "codes", sql: include_str!("../../../migrations/0007_codes.sql") },
];

/// Any number, but the same in every Passant: the advisory lock that runners wait for.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7305804385)";

pub(super) async fn sqlite(pool: &SqlitePool) -> Result<(), StoreError> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    run(&mut Conn::Sqlite(&mut transaction), MIGRATIONS).await?;
    Ok(transaction.commit().await?)
}

pub(super) async fn postgres(pool: &PgPool) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await?;
    // Waiting for another runner is no fault, however long it takes.
    sqlx::query("SET LOCAL lock_timeout = 0").execute(&mut *transaction).await?;
    sqlx::query("SET LOCAL statement_timeout = 0").execute(&mut *transaction).await?;
    sqlx::query(LOCK).execute(&mut *transaction).await?;
    run(&mut Conn::Postgres(&mut transaction), MIGRATIONS).await?;
    Ok(transaction.commit().await?)
}

/// How many migrations a database still waits for; `None` where it is empty. Nothing is changed.
pub(super) async fn pending(conn: &mut Conn<'_>) -> Result<Option<usize>, StoreError> {
    let tables: Option<(String,)> = match conn {
        Conn::Sqlite(conn) => {
            let named = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'migrations'";
            sqlx::query_as(named).fetch_optional(&mut **conn).await?
        }
        Conn::Postgres(conn) => {
            let named = "SELECT CAST(table_name AS TEXT) FROM information_schema.tables
                         WHERE table_schema = current_schema() AND table_name = 'migrations'";
            sqlx::query_as(named).fetch_optional(&mut **conn).await?
        }
    };
    if tables.is_none() {
        return Ok(None);
    }
    let applied = sql!(conn, all as Applied, "SELECT number, oldest_passant FROM migrations")?;
    may_run_on(&applied)?;
    Ok(Some(MIGRATIONS.iter().filter(|known| applied.iter().all(|applied| applied.number != known.number)).count()))
}

#[derive(sqlx::FromRow)]
struct Applied {
    number: i64,
    oldest_passant: String,
}

async fn run(conn: &mut Conn<'_>, known: &[Migration]) -> Result<(), StoreError> {
    sql!(
        conn,
        execute,
        "CREATE TABLE IF NOT EXISTS migrations (number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, oldest_passant TEXT NOT NULL)",
    )?;
    let applied = sql!(conn, all as Applied, "SELECT number, oldest_passant FROM migrations ORDER BY number")?;
    may_run_on(&applied)?;
    for migration in known.iter().filter(|known| applied.iter().all(|applied| applied.number != known.number)) {
        match conn {
            Conn::Sqlite(conn) => sqlx::raw_sql(migration.sql).execute(&mut **conn).await.map(drop),
            Conn::Postgres(conn) => sqlx::raw_sql(migration.sql).execute(&mut **conn).await.map(drop),
        }?;
        sql!(
            conn,
            execute,
            "INSERT INTO migrations (number, name, oldest_passant) VALUES ($1, $2, $3)",
            migration.number,
            migration.name,
            oldest_passant(migration.sql),
        )?;
    }
    Ok(())
}

/// Whether this Passant is new enough for what others made of the database.
fn may_run_on(applied: &[Applied]) -> Result<(), StoreError> {
    let this = env!("CARGO_PKG_VERSION");
    match applied.iter().find(|migration| version(&migration.oldest_passant) > version(this)) {
        Some(Applied { oldest_passant, .. }) => Err(StoreError::Refused(format!(
            "this database was changed by a newer Passant and asks for at least {oldest_passant}; this is {this}"
        ))),
        None => Ok(()),
    }
}

/// The version after `-- oldest passant:` on the file's first line.
fn oldest_passant(sql: &'static str) -> &'static str {
    sql.lines().next().and_then(|line| line.strip_prefix("-- oldest passant: ")).unwrap_or(env!("CARGO_PKG_VERSION"))
}

fn version(text: &str) -> Vec<u64> {
    text.split('.').map(|part| part.parse().unwrap_or(u64::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_is_listed_numbered_and_says_what_it_asks_for() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations");
        let mut files: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        let listed: Vec<String> =
            MIGRATIONS.iter().map(|migration| format!("{:04}_{}.sql", migration.number, migration.name)).collect();
        assert_eq!(files, listed);
        for migration in MIGRATIONS {
            assert!(migration.sql.starts_with("-- oldest passant: "), "{}", migration.name);
            assert!(version(oldest_passant(migration.sql)) <= version(env!("CARGO_PKG_VERSION")));
        }
    }

    #[test]
    fn versions_compare_by_number() {
        assert!(version("0.10.0") > version("0.9.1") && version("1.0.0") > version("0.99.0"));
    }
}

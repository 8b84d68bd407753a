//! Secrets are found wherever a database may keep them.

use passant_tests::postgres::database;
use passant_tests::secrets::{SecretCollector, dump_postgres, dump_sqlite};
use sqlx::{Connection, PgConnection, SqliteConnection};

const PLANTED: &str = "pss_a_session_that_was_stored_in_clear";
const DELETED: &str = "pss_a_session_that_was_stored_and_deleted";

const TABLES: &str = r#"
CREATE TABLE innocent (id BIGINT, name TEXT);
INSERT INTO innocent VALUES (1, 'Ada');
CREATE TABLE "odd ""name" (id BIGINT, "the ""value" TEXT, spare TEXT);
INSERT INTO "odd ""name" VALUES (7, 'cookie=pss_a_session_that_was_stored_in_clear; Path=/', NULL);
"#;

fn labels_found(dump: &[u8]) -> Vec<String> {
    let secrets = SecretCollector::default();
    secrets.collect("planted", PLANTED);
    secrets.collect("deleted", DELETED);
    secrets.collect("unrelated", "pss_a_session_that_was_hashed_as_it_should_be");
    let mut labels: Vec<String> = secrets.scan("the database", dump).into_iter().map(|leak| leak.label).collect();
    labels.sort();
    labels.dedup();
    labels
}

#[tokio::test]
async fn a_secret_in_any_table_of_postgres_is_found() {
    let database = database("leaky", async |url: String| {
        let mut connection = PgConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(TABLES).execute(&mut connection).await.unwrap();
    })
    .await;
    assert_eq!(labels_found(&dump_postgres(database.url()).await), ["planted"]);
}

#[tokio::test]
async fn a_secret_in_any_table_of_sqlite_or_once_deleted_is_found() {
    let file = std::env::temp_dir().join(format!("passant-tests-{}.db", std::process::id()));
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}?mode=rwc", file.display())).await.unwrap();
    sqlx::raw_sql(TABLES).execute(&mut connection).await.unwrap();
    sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(&mut connection).await.unwrap();
    let table_only = labels_found(&dump_sqlite(&file).await);
    for sql in ["INSERT INTO innocent VALUES (2, $1)", "DELETE FROM innocent WHERE name = $1"] {
        sqlx::query(sql).bind(DELETED).execute(&mut connection).await.unwrap();
    }
    let with_log = labels_found(&dump_sqlite(&file).await);
    connection.close().await.unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(table_only, ["planted"]);
    assert_eq!(with_log, ["deleted", "planted"]);
}

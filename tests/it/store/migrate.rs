//! Migrations: any number of processes may come first, and an old Passant keeps off a newer database.

use std::sync::Arc;

use passant::clock::ManualClock;
use passant::store::{Db, StoreError};
use passant_tests::world::{Engine, Storage};

use super::{NOW, Replicas, count, execute, untouched};

async fn open(storage: &Storage) -> Result<Db, StoreError> {
    Db::open(&storage.location(), Arc::new(ManualClock::at(NOW))).await
}

async fn four_processes_come_up_on_an_empty_database(engine: Engine) {
    for _ in 0..3 {
        let storage = untouched(engine).await;
        let starts = tokio::join!(open(&storage), open(&storage), open(&storage), open(&storage));
        let (one, _, _, _) = (starts.0.unwrap(), starts.1.unwrap(), starts.2.unwrap(), starts.3.unwrap());
        let migrations = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations")).unwrap().count();
        assert_eq!(count(&one, "SELECT COUNT(*) FROM migrations").await, i64::try_from(migrations).unwrap(), "each once");
        assert_eq!(count(&one, "SELECT COUNT(*) FROM feed_head").await, 1);
        assert_eq!(count(&one, "SELECT COUNT(*) FROM feed_entries").await, 4, "an empty entry for each start");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_processes_come_up_on_an_empty_sqlite() {
    four_processes_come_up_on_an_empty_database(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_processes_come_up_on_an_empty_postgres() {
    four_processes_come_up_on_an_empty_database(Engine::Postgres).await;
}

fn refusal(outcome: Result<Db, StoreError>) -> String {
    match outcome {
        Err(StoreError::Refused(why)) => why,
        Err(other) => panic!("not refused but {other}"),
        Ok(_) => panic!("not refused"),
    }
}

on_both_databases! {
    async fn a_database_that_asks_for_a_newer_passant_is_refused(it) {
        execute(&it.db, "UPDATE migrations SET oldest_passant = '99.0.0'").await;
        let why = refusal(open(&it.storage).await);
        assert!(why.contains("asks for at least 99.0.0") && why.contains("newer Passant"), "{why}");
        it.db.ping().await.unwrap();
    }

    async fn a_migration_that_is_not_known_but_asks_for_nothing_newer_is_no_obstacle(it) {
        execute(&it.db, "INSERT INTO migrations (number, name, oldest_passant) VALUES (9999, 'later', '0.1.0')").await;
        open(&it.storage).await.unwrap().ping().await.unwrap();
    }
}

#[tokio::test]
async fn a_postgres_that_may_forget_commits_is_refused() {
    let it = Replicas::open(Engine::Postgres).await;
    let forget = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$";
    execute(&it.db, forget).await;
    let why = refusal(open(&it.storage).await);
    assert!(why.starts_with("synchronous_commit is off"), "{why}");
}

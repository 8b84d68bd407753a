//! The pools and the one door for writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use passant::clock::SystemClock;
use passant::store::db::Location;
use passant::store::{Conn, Db, StoreError, feed_head, grants, users};
use passant_tests::world::Engine;
use tokio::sync::Barrier;

use super::rows::{approval, new_user};
use super::{NOW, Replicas, count, execute, rows, untouched};

on_both_databases! {
    async fn an_opened_database_answers_until_it_is_closed(it) {
        it.db.ping().await.unwrap();
        it.db.close().await;
        assert!(matches!(it.db.ping().await, Err(StoreError::Unavailable(_))));
        assert!(matches!(it.db.reader().await, Err(StoreError::Unavailable(_))));
        it.other.ping().await.unwrap();
    }

    async fn a_look_finds_what_is_there_and_changes_nothing(it) {
        let tick = it.tick().await;
        let (seen, pending) = Db::look(&it.storage.location(), Arc::new(it.clock.clone())).await.unwrap().unwrap();
        assert_eq!((read!(seen, conn => feed_head::read(conn)).tick, pending), (tick, 0));
        let written = users::create(&seen, new_user("ada")).await;
        assert!(written.is_err() && it.tick().await == tick, "{written:?}");
        seen.close().await;
        let nothing = untouched(it.engine).await;
        assert!(Db::look(&nothing.location(), Arc::new(it.clock.clone())).await.unwrap().is_none());
        assert!(Db::look(&nothing.location(), Arc::new(it.clock.clone())).await.unwrap().is_none(), "the first look made nothing");
    }

    async fn a_database_that_waits_for_migrations_says_so(it) {
        execute(&it.db, "DELETE FROM migrations WHERE number = 2").await;
        let (_, pending) = Db::look(&it.storage.location(), Arc::new(it.clock.clone())).await.unwrap().unwrap();
        assert_eq!(pending, 1);
    }

    async fn a_look_at_a_database_of_a_newer_passant_refuses_it(it) {
        execute(&it.db, "UPDATE migrations SET oldest_passant = '999.0.0' WHERE number = 2").await;
        let refused = Db::look(&it.storage.location(), Arc::new(it.clock.clone())).await.map(drop).unwrap_err();
        assert!(matches!(&refused, StoreError::Refused(why) if why.contains("at least 999.0.0")), "{refused}");
    }

    async fn a_closed_database_keeps_what_was_written(it) {
        let ada = new_user("ada");
        assert!(users::create(&it.db, ada.clone()).await.unwrap());
        it.db.close().await;
        it.other.close().await;
        let again = it.storage.open(&it.clock).await;
        assert!(read!(again, conn => users::find(conn, &ada.id)).is_some());
    }

    async fn an_error_rolls_back_what_came_before_it(it) {
        let before = it.tick().await;
        let failed = commit!(it.db, new_user("ada"), |tx, user| async {
            assert!(users::insert(tx, user).await?);
            feed_head::raise(tx, NOW, &[]).await?;
            Err::<(), _>(StoreError::Superseded)
        });
        assert!(matches!(failed, Err(StoreError::Superseded)));
        assert_eq!((count(&it.db, "SELECT COUNT(*) FROM users").await, it.tick().await), (0, before));
    }

    async fn an_ordinary_fault_is_not_tried_again(it) {
        let runs = Arc::new(AtomicUsize::new(0));
        let failed = commit!(it.db, Arc::clone(&runs), |_tx, runs| async {
            runs.fetch_add(1, Ordering::SeqCst);
            Err::<(), _>(StoreError::Superseded)
        });
        assert!(failed.is_err());
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }

    async fn the_clocks_of_database_and_process_are_compared(it) {
        let difference = async || it.db.clock_difference().await.unwrap();
        let of = |millis| (it.engine == Engine::Postgres).then_some(Duration::from_millis(millis));
        assert_eq!(difference().await, of(0));
        it.clock.set_database_ahead(1_500);
        assert_eq!(difference().await, of(1_500));
        it.clock.set_database_ahead(-1_500);
        assert_eq!(difference().await, of(1_500), "a database behind differs as much");
    }
}

#[tokio::test]
async fn a_reader_of_sqlite_cannot_write() {
    let it = Replicas::open(Engine::Sqlite).await;
    let mut reader = it.db.reader().await.unwrap();
    let Conn::Sqlite(conn) = reader.conn() else { panic!("this is SQLite") };
    let refused = sqlx::query("DELETE FROM feed_head").execute(conn).await.unwrap_err();
    assert!(refused.to_string().contains("readonly"), "{refused}");
}

#[tokio::test]
async fn sqlite_syncs_each_commit_and_holds_foreign_keys() {
    let it = Replicas::open(Engine::Sqlite).await;
    let pragmas = commit!(it.db, (), |tx, _unused| async {
        let Conn::Sqlite(conn) = &mut **tx else { panic!("this is SQLite") };
        let query = "SELECT (SELECT synchronous FROM pragma_synchronous), (SELECT foreign_keys FROM pragma_foreign_keys)";
        Ok(sqlx::query_as::<_, (i64, i64)>(query).fetch_one(&mut **conn).await?)
    });
    assert_eq!(pragmas.unwrap(), (2, 1));
    assert_eq!(rows::<(String,)>(&it.db, "SELECT journal_mode FROM pragma_journal_mode").await, [("wal".to_owned(),)]);
}

#[tokio::test]
async fn the_real_clocks_of_one_machine_agree() {
    let storage = untouched(Engine::Postgres).await;
    let db = Db::open(&storage.location(), Arc::new(SystemClock::new())).await.unwrap();
    assert!(db.clock_difference().await.unwrap().unwrap() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_url_that_is_none_is_refused() {
    let location = Location::Postgres { url: "nonsense".to_owned(), connections: 1 };
    assert!(matches!(Db::open(&location, Arc::new(SystemClock::new())).await, Err(StoreError::Refused(_))));
}

/// Two transactions lock two rows in opposite order, certainly: each waits for the other's first lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadlock_runs_the_loser_again() {
    let it = Replicas::open(Engine::Postgres).await;
    let (a, b) = (approval(&it.db).await.grant.id, approval(&it.db).await.grant.id);
    let (meeting, runs) = (Arc::new(Barrier::new(2)), Arc::new(AtomicUsize::new(0)));
    let lock_both = |db: Db, first, second| {
        let input = (first, second, Arc::clone(&meeting), Arc::clone(&runs));
        async move {
            commit!(db, input, |tx, (first, second, meeting, runs)| async {
                grants::lock(tx, first, NOW).await?;
                if runs.fetch_add(1, Ordering::SeqCst) < 2 {
                    meeting.wait().await;
                }
                grants::lock(tx, second, NOW).await
            })
            .unwrap()
        }
    };
    let both = super::at_once(lock_both(it.db.clone(), a.clone(), b.clone()), lock_both(it.other.clone(), b, a)).await;
    assert_eq!(both, [true, true]);
    assert!(runs.load(Ordering::SeqCst) > 2, "one of them ran again, or both did");
}

/// Both read, both write what the other read: under SERIALIZABLE one of them cannot be put in any order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_serialization_failure_runs_the_loser_again() {
    let it = Replicas::open(Engine::Postgres).await;
    let (meeting, runs) = (Arc::new(Barrier::new(2)), Arc::new(AtomicUsize::new(0)));
    let skew = |db: Db, name: &'static str| {
        let input = (name, Arc::clone(&meeting), Arc::clone(&runs));
        async move {
            commit!(db, input, |tx, (name, meeting, runs)| async {
                let Conn::Postgres(conn) = &mut **tx else { panic!("this is Postgres") };
                sqlx::query("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE").execute(&mut **conn).await?;
                sqlx::query("SELECT COUNT(*) FROM users").execute(&mut **conn).await?;
                if runs.fetch_add(1, Ordering::SeqCst) < 2 {
                    meeting.wait().await;
                }
                users::insert(tx, &new_user(name)).await
            })
            .unwrap()
        }
    };
    let both = super::at_once(skew(it.db.clone(), "ada"), skew(it.other.clone(), "bob")).await;
    assert_eq!(both, [true, true]);
    assert!(runs.load(Ordering::SeqCst) > 2, "one of them ran again, or both did");
}

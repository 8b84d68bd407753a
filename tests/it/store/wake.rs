//! How what was raised is noticed.

use std::time::Duration;

use passant::domain::audit::{Action, Event};
use passant::domain::cutoff::Target;
use passant::domain::ids::TokenId;
use passant::store::{StoreError, feed_head, wake};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

async fn raise(db: &Db) -> Tick {
    let target = Target::Token(TokenId::random());
    feed_head::cut_off(db, vec![target], Event::done(Action::TokenRevoke), NOW).await.unwrap()
}

async fn news(db: &Db) {
    tokio::time::timeout(PATIENCE, wake::news(db)).await.expect("something was raised");
}

/// Whether something is news without waiting.
async fn is_news(db: &Db) -> bool {
    tokio::select! {
        biased;
        () = wake::news(db) => true,
        () = std::future::ready(()) => false,
    }
}

on_both_databases! {
    async fn a_raise_is_news_once_it_is_committed_and_counts_for_the_highest_tick(it) {
        news(&it.db).await;
        let tick = raise(&it.db).await;
        assert_eq!(wake::highest(&it.db), tick);
        assert!(is_news(&it.db).await && !is_news(&it.db).await, "once");
        let failed = commit!(it.db, (), |tx, _nothing| async {
            feed_head::raise(tx, NOW, &[]).await?;
            Err::<(), _>(StoreError::Superseded)
        });
        assert!(failed.is_err() && !is_news(&it.db).await);
        assert_eq!(wake::highest(&it.db), tick, "what was rolled back never was");
        wake::saw(&it.db, Tick::new(tick.get() + 7));
        wake::saw(&it.db, tick);
        assert_eq!(wake::highest(&it.db).get(), tick.get() + 7);
        assert!(wake::look_every(&it.db) <= Duration::from_secs(1));
    }

    async fn on_postgres_other_processes_are_heard(it) {
        if it.engine == Engine::Sqlite {
            let listening = tokio::time::timeout(Duration::from_millis(1), wake::listen(&it.db));
            assert!(listening.await.is_err(), "there is nothing to hear, which is no reason to return");
            return;
        }
        news(&it.db).await;
        let listening = tokio::spawn({
            let db = it.db.clone();
            async move { wake::listen(&db).await }
        });
        news(&it.db).await;
        for _ in 0..3 {
            raise(&it.other).await;
            news(&it.db).await;
        }
        // Its connection is lost, and comes back by itself.
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()";
        execute(&it.other, end).await;
        news(&it.db).await;
        raise(&it.other).await;
        news(&it.db).await;
        listening.abort();
    }
}

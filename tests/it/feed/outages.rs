//! A process that cannot read its database vouches for nothing.

use passant::app::rotation;
use passant::keys::{MasterKeyPlace, master_file};
use passant_tests::follower::Took;
use passant_tests::on_both_engines;
use passant_tests::world::Storage;
use sqlx::{Connection, PgConnection};

use super::*;

on_both_engines! {
    async fn without_its_database_the_feed_is_silent_and_answers_503_until_it_is_back(world) {
        let node = Node::first(&world);
        let mut follower = node.follower().await;
        let mut stream = node.stream(Some(&follower.position())).await;
        assert_eq!(follower.take(&stream.message().await), Took::Current);
        let mut messages = node.app.feed.subscribe();
        node.step().await;
        assert_eq!(sent(&mut messages), [(Kind::Heartbeat, 0)]);
        assert_eq!(follower.take(&stream.message().await), Took::Current);

        world.execute("ALTER TABLE feed_head RENAME TO feed_head_away").await;
        for _ in 0..3 {
            world.advance(Duration::from_secs(10));
            assert!(node.app.feed.step(&node.app.feed_sources()).await.is_err());
        }
        assert_eq!(sent(&mut messages), [], "no heartbeat vouches for what was not read");
        let after = format!("/revocations?after={}", follower.position());
        for path in ["/revocations", &after, "/revocations/stream"] {
            let answer = node.ask(path, &[]).await;
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
            assert!(answer.headers().contains_key("retry-after"), "{path}");
        }

        world.execute("ALTER TABLE feed_head_away RENAME TO feed_head").await;
        node.step().await;
        let heartbeat = stream.message().await;
        assert_eq!(follower.take(&heartbeat), Took::Current);
        assert_eq!(payload(&heartbeat)["iat"], world.clock_seconds());
        for path in ["/revocations", &after] {
            assert_eq!(node.status(path).await, StatusCode::OK, "{path}");
        }
    }

    async fn a_message_is_dated_before_the_read_for_which_it_vouches(world) {
        let Storage::Postgres(database) = world.storage() else {
            // SQLite's readers wait for nobody: there is no read that could be held.
            return;
        };
        let node = Arc::new(Node::first(&world));
        node.get("/revocations").await;
        world.advance(Duration::from_secs(30));
        let begun = world.clock_seconds();
        let mut locking = PgConnection::connect(database.url()).await.unwrap();
        sqlx::raw_sql("BEGIN; LOCK TABLE feed_head IN ACCESS EXCLUSIVE MODE").execute(&mut locking).await.unwrap();
        let reading = tokio::spawn({
            let node = Arc::clone(&node);
            async move { node.get("/revocations").await }
        });
        let mut watching = PgConnection::connect(database.url()).await.unwrap();
        let waits = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
        while sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut watching).await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
        world.advance(Duration::from_secs(3));
        sqlx::raw_sql("COMMIT").execute(&mut locking).await.unwrap();
        assert_eq!(payload(&reading.await.unwrap())["iat"], begun);
    }

    async fn a_process_whose_clock_is_off_signs_no_message(world) {
        if !matches!(world.storage(), Storage::Postgres(_)) {
            // SQLite has no clock of its own.
            return;
        }
        let node = Node::first(&world);
        world.clock.set_database_ahead(61_000);
        world.app.compare_clocks().await.unwrap();
        assert!(node.app.feed.step(&node.app.feed_sources()).await.is_err());
        assert_eq!(node.status("/revocations").await, StatusCode::SERVICE_UNAVAILABLE);
        world.clock.set_database_ahead(0);
        world.app.compare_clocks().await.unwrap();
        assert_eq!(node.status("/revocations").await, StatusCode::OK);
    }

    async fn a_missing_master_key_silences_no_feed_that_has_a_key_to_sign_with(world) {
        rotation::rotate_now(&world.app).await.unwrap();
        let keys = master_file::load(&world.master_key()).unwrap();
        let place = MasterKeyPlace::Given { name: "a variable".to_owned(), keys };
        let node = Node::of(&world.replica_from(place).await);
        let mut messages = node.app.feed.subscribe();
        node.step().await;
        sent(&mut messages);
        let kid = node.app.keys.signing_kid(node.app.now()).unwrap();
        world.command(&["keys", "rotate-master"]);
        world.command(&["keys", "revoke", kid.as_str()]);
        node.step().await;
        assert!(!node.app.masters.at_hand());
        assert!(matches!(*sent(&mut messages), [(Kind::Delta, 1..)]), "the feed tells of the end of the key");
        assert_ne!(node.app.keys.signing_kid(node.app.now()).unwrap(), kid, "what was revoked signs no more");
    }

    async fn readers_of_one_moment_share_a_read_and_its_failure(world) {
        let node = Arc::new(Node::first(&world));
        world.execute("ALTER TABLE feed_head RENAME TO feed_head_away").await;
        let asking = (0..20).map(|_| {
            let node = Arc::clone(&node);
            tokio::spawn(async move { node.status("/revocations").await })
        });
        for answer in asking.collect::<Vec<_>>() {
            assert_eq!(answer.await.unwrap(), StatusCode::SERVICE_UNAVAILABLE);
        }
        world.execute("ALTER TABLE feed_head_away RENAME TO feed_head").await;
        assert_eq!(node.status("/revocations").await, StatusCode::OK);
    }
}

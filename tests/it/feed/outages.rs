//! A process that cannot read its database vouches for nothing.

use passant::app::rotation;
use passant::keys::{MasterKeyPlace, master_file};
use passant_tests::follower::Took;
use passant_tests::on_both_engines;
use passant_tests::world::{Holding, Storage};
use serde_json::json;

use super::*;

/// Keeps everybody who reads the head waiting.
const HOLD_THE_HEAD: &str = "LOCK TABLE feed_head IN ACCESS EXCLUSIVE MODE";

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
        let node = Arc::new(Node::first(&world));
        node.get("/revocations").await;
        world.advance(Duration::from_secs(30));
        let begun = world.clock_seconds();
        // SQLite's readers wait for nobody: there is no read that could be held.
        let Some(mut holding) = Holding::begin(world.storage(), HOLD_THE_HEAD).await else { return };
        let reading = tokio::spawn({
            let node = Arc::clone(&node);
            async move { node.get("/revocations").await }
        });
        holding.is_waited_for().await;
        world.advance(Duration::from_secs(3));
        holding.commit().await;
        assert_eq!(payload(&reading.await.unwrap())["iat"], begun);
    }

    async fn a_snapshot_has_every_cut_off_up_to_the_head_that_it_names(world) {
        let node = Arc::new(Node::first(&world));
        let Some(mut holding) = Holding::begin(world.storage(), HOLD_THE_HEAD).await else { return };
        let reading = tokio::spawn({
            let node = Arc::clone(&node);
            async move { node.get("/revocations").await }
        });
        holding.is_waited_for().await;
        holding
            .execute(
                "INSERT INTO feed_entries (tick, feed_id, previous_tick, chain) SELECT tick + 1, feed_id, tick, 'link' FROM feed_head;
                 INSERT INTO cutoffs (tick, level, identifier) SELECT tick + 1, 'gid', 'the cut-off between' FROM feed_head;
                 INSERT INTO audit (id, at, action, outcome, actor_kind, tick)
                 SELECT 'between', 0, 'grant_end', 'done', 'passant', tick + 1 FROM feed_head;
                 UPDATE feed_head SET previous_tick = tick, tick = tick + 1, chain = 'link'",
            )
            .await;
        holding.commit().await;
        let message = payload(&reading.await.unwrap());
        assert_eq!((&message["chain"], &message["cutoffs"]["gid"]), (&json!("link"), &json!(["the cut-off between", 0])));
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

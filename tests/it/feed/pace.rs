//! When messages go out, by a clock that the test owns.

use passant::domain::audit::{Action, Event};
use passant::feed::{GATHER, HEARTBEAT};
use passant_tests::on_both_engines;

use super::*;

on_both_engines! {
    async fn first_change_goes_out_at_once_and_those_that_follow_are_gathered(world) {
        let node = Node::first(&world);
        let mut messages = node.app.feed.subscribe();
        node.step().await;
        assert_eq!(sent(&mut messages), [(Kind::Heartbeat, 0)]);
        node.revoke().await;
        node.step().await;
        assert_eq!(sent(&mut messages), [(Kind::Delta, 1)], "at once");
        for _ in 0..3 {
            node.revoke().await;
            node.step().await;
        }
        world.advance(GATHER - Duration::from_millis(1));
        node.step().await;
        assert_eq!(sent(&mut messages), [], "gathered");
        world.advance(Duration::from_millis(1));
        node.step().await;
        assert_eq!(sent(&mut messages), [(Kind::Delta, 3)], "together");
        world.advance(Duration::from_secs(1));
        node.step().await;
        node.revoke().await;
        node.step().await;
        assert_eq!(sent(&mut messages), [(Kind::Delta, 1)], "after a quiet moment at once again");
    }

    async fn heartbeat_comes_ten_seconds_after_whatever_was_said_last(world) {
        let node = Node::first(&world);
        let mut messages = node.app.feed.subscribe();
        node.step().await;
        world.advance(Duration::from_secs(6));
        node.revoke().await;
        node.step().await;
        world.advance(HEARTBEAT - Duration::from_millis(1));
        node.step().await;
        assert_eq!(sent(&mut messages), [(Kind::Heartbeat, 0), (Kind::Delta, 1)]);
        world.advance(Duration::from_millis(1));
        node.step().await;
        assert_eq!(sent(&mut messages), [(Kind::Heartbeat, 0)]);
    }

    async fn nothing_is_signed_while_nobody_follows_and_nobody_who_comes_then_misses_anything(world) {
        let node = Node::first(&world);
        node.revoke().await;
        node.step().await;
        let mut messages = node.app.feed.subscribe();
        node.step().await;
        assert_eq!(sent(&mut messages), [(Kind::Heartbeat, 0)], "what was revoked before is the snapshot's");
        node.revoke().await;
        node.step().await;
        assert_eq!(sent(&mut messages), [(Kind::Delta, 1)]);
    }

    async fn more_than_is_kept_is_left_to_the_snapshot(world) {
        let node = Node::first(&world);
        let mut follower = node.follower().await;
        let mut messages = node.app.feed.subscribe();
        node.step().await;
        let many: Vec<Target> = (0..9000).map(|_| Target::Token(TokenId::random())).collect();
        let told = Event::done(Action::TokenRevoke);
        feed_head::cut_off(&node.app.db, many, told, node.app.now()).await.unwrap();
        node.revoke().await;
        node.step().await;
        assert_eq!(sent(&mut messages), [(Kind::Heartbeat, 0), (Kind::Heartbeat, 0)]);
        assert_eq!(follower.take(&node.news(&follower.position()).await), passant_tests::follower::Took::Mismatch);
        follower.take_snapshot(&node.get("/revocations").await);
        assert_eq!(follower.cutoffs.len(), 9001);
    }

    async fn follower_that_takes_nothing_is_dropped_and_resumes(world) {
        let node = Node::first(&world);
        let mut follower = node.follower().await;
        let (mut slow, mut quick) = (node.stream(Some(&follower.position())).await, node.stream(None).await);
        quick.message().await;
        for _ in 0..65 {
            node.revoke().await;
            world.advance(GATHER);
            node.step().await;
            quick.message().await;
        }
        slow.message().await;
        assert!(slow.next().await.is_none(), "it is 65 messages behind");
        assert_eq!(follower.take(&node.stream(Some(&follower.position())).await.message().await), passant_tests::follower::Took::Adopted);
        assert_eq!(follower.cutoffs.len(), 65);
        node.revoke().await;
        world.advance(GATHER);
        node.step().await;
        quick.message().await;
    }

    async fn catch_ups_are_signed_on_a_budget_and_past_it_a_heartbeat_sends_to_the_snapshot(world) {
        let node = Node::first(&world);
        let mut positions = vec![node.follower().await.position()];
        for _ in 0..60 {
            node.revoke().await;
            world.advance(Duration::from_secs(1));
            positions.push(node.app.feed.snapshot(&node.app.feed_sources()).await.unwrap().head.to_string());
        }
        positions.pop();
        let mut kinds = Vec::new();
        for position in &positions {
            kinds.push(payload(&node.news(position).await).get("entries").is_some());
        }
        assert_eq!((kinds.iter().filter(|delta| **delta).count(), kinds.len()), (50, 60));
        assert!(kinds[..50].iter().all(|delta| *delta));
        world.advance(Duration::from_secs(1));
        assert!(payload(&node.news(&positions[59]).await).get("entries").is_some(), "the next second has its own");
    }
}

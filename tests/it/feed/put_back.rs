//! A database that was put back in time under a running process: no number is used twice, and followers find out.

use passant::domain::ids::UserId;
use passant::store::{Db, users, wake};
use passant_tests::follower::Took;
use passant_tests::on_both_engines;
use passant_tests::world::{Engine, Storage};

use super::*;

/// Puts head and entries back to where they were at a tick.
async fn put_back(world: &World, head: &passant::store::feed_head::FeedHead) {
    world.execute(&format!("DELETE FROM feed_entries WHERE tick > {}", head.tick)).await;
    let (tick, link) = (head.tick, &head.chain);
    world.execute(&format!("UPDATE feed_head SET tick = {tick}, chain = '{link}'")).await;
}

async fn head(db: &Db) -> passant::store::feed_head::FeedHead {
    feed_head::read(&mut db.reader().await.unwrap().conn()).await.unwrap()
}

on_both_engines! {
    async fn a_head_below_what_was_seen_is_raised_past_it_under_a_new_name(world) {
        let node = Node::first(&world);
        node.revoke().await;
        let before = head(world.db()).await;
        for _ in 0..5 {
            node.revoke().await;
        }
        let mut follower = node.follower().await;
        let mut stream = node.stream(Some(&follower.position())).await;
        assert_eq!(follower.take(&stream.message().await), Took::Current);
        let (known, seen) = (follower.cutoffs.clone(), head(world.db()).await);

        put_back(&world, &before).await;
        node.step().await;
        let after = head(world.db()).await;
        assert!(after.tick > seen.tick && after.feed_id != seen.feed_id && after.salt == seen.salt);
        assert_eq!(follower.take(&stream.message().await), Took::Mismatch);
        follower.take_snapshot(&node.get("/revocations").await);
        for (target, tick) in known {
            assert_eq!(follower.cutoffs.get(&target), Some(&tick), "what was revoked in the lost hour stays revoked");
        }
        assert_eq!(follower.cut_off("iss", &[]), Some(after.tick.get()), "and all else from before is dead as well");
        node.step().await;
        assert_eq!(head(world.db()).await, after, "once is enough");
        node.revoke().await;
        assert_eq!(follower.take(&node.news(&follower.position()).await), Took::Adopted);
    }

    async fn a_head_that_was_read_last_is_no_head_any_more_after_this_process_has_raised_it(world) {
        let node = Node::first(&world);
        node.revoke().await;
        node.step().await;
        let read = head(world.db()).await;
        // Committed by this process, and gone before its feed has looked.
        node.revoke().await;
        let committed = wake::highest(world.db());
        assert!(committed > read.tick);
        put_back(&world, &read).await;
        node.step().await;
        let after = head(world.db()).await;
        assert!(after.tick > committed && after.feed_id != read.feed_id, "{read:?} {after:?}");
    }

    async fn followers_of_a_process_that_started_on_the_old_database_are_told_of_the_contradiction(world) {
        let node = Node::first(&world);
        let before = head(world.db()).await;
        let mut followers = vec![];
        for _ in 0..3 {
            node.revoke().await;
            followers.push(node.follower().await);
        }
        put_back(&world, &before).await;
        // A process that has seen nothing of what is gone raises the tick when it starts, and then again.
        let other = Node::of(&world.replica().await);
        world.advance(Duration::from_secs(5));
        other.revoke().await;
        for follower in followers {
            let position = follower.position();
            for path in [format!("/revocations?after={position}"), format!("/revocations/stream?after={position}")] {
                assert_eq!(other.status(&path).await, StatusCode::CONFLICT, "{path}");
            }
        }
    }
}

/// The file itself, as an operator would copy it: not even the connections that are open notice at first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_put_back_under_a_running_process_is_raised_past_what_it_saw() {
    let world = World::new(Engine::Sqlite).await;
    let Storage::Sqlite(directory) = world.storage() else { panic!("it is SQLite") };
    let node = Node::first(&world);
    node.revoke().await;
    let (file, backup) = (directory.0.join("passant.sqlite"), directory.0.join("backup"));
    world.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
    std::fs::copy(&file, &backup).unwrap();
    for _ in 0..5 {
        node.revoke().await;
    }
    node.step().await;
    let seen = head(world.db()).await;
    assert_eq!(wake::highest(world.db()), seen.tick);

    world.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
    std::fs::copy(&backup, &file).unwrap();
    // Somebody runs a command on it, which raises the tick without knowing what was lost.
    let command = world.storage().open(&world.clock).await;
    assert!(users::find(&mut command.reader().await.unwrap().conn(), &UserId::random()).await.unwrap().is_none());
    assert!(head(&command).await.tick < seen.tick, "the old file is back");
    node.step().await;
    let after = head(world.db()).await;
    assert!(after.tick > seen.tick && after.feed_id != seen.feed_id, "{seen:?} {after:?}");
    command.close().await;
}

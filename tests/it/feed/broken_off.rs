//! A tail that stands still or breaks off: it shows, and it begins anew by itself.

use passant::app::checkpoint::Checkpoint;
use passant::jobs::Jobs;
use passant_tests::follower::Took;
use passant_tests::on_both_engines;

use super::*;
use crate::follow::eventually;

async fn readiness(node: &Node) -> (StatusCode, Value) {
    let answer = node.ask("/readyz", &[]).await;
    let status = answer.status();
    (status, serde_json::from_str::<Value>(&text(answer).await).unwrap()["feed"].clone())
}

on_both_engines! {
    async fn a_silent_tail_takes_the_replica_out_of_the_traffic_until_it_goes_on(world) {
        let node = Node::first(&world);
        let mut hold = world.held.next(Checkpoint::TailTurn);
        let jobs = Jobs::start(&world.app);
        hold.arrived().await;
        world.advance(Duration::from_secs(30));
        assert_eq!(readiness(&node).await, (StatusCode::OK, "ok".into()));
        world.advance(Duration::from_millis(1));
        // Whoever asks is told the truth all the same; it is those who wait that hear nothing.
        assert_eq!(node.status("/revocations").await, StatusCode::OK);
        assert_eq!(readiness(&node).await, (StatusCode::SERVICE_UNAVAILABLE, "failing".into()));
        hold.release();
        eventually("the tail goes on", || node.app.feed.last_step().is_some()).await;
        assert_eq!(readiness(&node).await, (StatusCode::OK, "ok".into()));
        jobs.stop().await;
    }

    async fn a_tail_that_broke_off_begins_anew_and_its_followers_miss_nothing(world) {
        let node = Node::first(&world);
        let mut follower = node.follower().await;
        let mut stream = node.stream(Some(&follower.position())).await;
        assert_eq!(follower.take(&stream.message().await), Took::Current);
        let mut hold = world.held.next(Checkpoint::TailTurn);
        let jobs = Jobs::start(&world.app);
        hold.arrived().await;
        // Whoever is held and can never be let go panics.
        drop(hold);
        node.revoke().await;
        world.advance(Duration::from_secs(10));
        while follower.cutoffs.is_empty() {
            let took = follower.take(&stream.message().await);
            assert!(matches!(took, Took::Adopted | Took::Current), "{took:?}");
        }
        assert!(node.app.measures.text().lines().any(|line| line == "passant_feed_restarts_total 1"));
        jobs.stop().await;
    }
}

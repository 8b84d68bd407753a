//! What many ask for is read, signed and written once.

use axum::body::Bytes;
use passant_tests::follower::Took;
use passant_tests::on_both_engines;
use tokio::task::JoinSet;

use super::*;

/// The next piece of a stream, as it lies in memory.
async fn piece(body: &mut Body) -> Bytes {
    let frame = tokio::time::timeout(PATIENCE, body.frame()).await.expect("something comes").expect("the stream goes on");
    frame.unwrap().into_data().unwrap()
}

on_both_engines! {
    async fn a_snapshot_that_many_ask_for_is_signed_once(world) {
        let node = Arc::new(Node::first(&world));
        node.get("/revocations").await;
        for _ in 0..3 {
            node.revoke().await;
            let mut asking = JoinSet::new();
            for _ in 0..40 {
                let node = Arc::clone(&node);
                asking.spawn(async move { node.app.feed.snapshot(&node.app.feed_sources()).await.unwrap() });
            }
            let all = asking.join_all().await;
            assert!(all.iter().all(|message| Arc::ptr_eq(message, &all[0])), "one message, and so one signature");
            let head = feed_head::read(&mut world.db().reader().await.unwrap().conn()).await.unwrap();
            assert_eq!(all[0].head.tick, head.tick);
        }
    }

    async fn an_event_is_written_once_for_all_who_follow(world) {
        let node = Node::first(&world);
        let mut follower = node.follower().await;
        let mut bodies = Vec::new();
        for _ in 0..3 {
            let answer = node.ask("/revocations/stream", &[("last-event-id", &follower.position())]).await;
            bodies.push(answer.into_body());
        }
        for sent in 0..3 {
            let mut pieces = Vec::new();
            for body in &mut bodies {
                pieces.push(piece(body).await);
            }
            assert!(pieces.iter().all(|piece| piece.as_ptr() == pieces[0].as_ptr()), "one text in memory");
            let event = str::from_utf8(&pieces[0]).unwrap();
            let message = event.split_once("data: ").unwrap().1.trim_end();
            assert_eq!(follower.take(message), if sent == 0 { Took::Current } else { Took::Adopted });
            node.revoke().await;
            world.advance(Duration::from_secs(1));
            node.step().await;
        }
    }
}

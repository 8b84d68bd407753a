//! What following costs in bytes: counted on real messages, so that it depends on no machine.

use passant::domain::audit::{Action, Event};
use passant::feed::{GATHER, HEARTBEAT};
use passant_tests::on_both_engines;

use super::*;

/// What HTTP/1.1 puts around a piece of a stream: its length in hexadecimal and two line ends.
fn on_the_wire(event: &str) -> usize {
    format!("{:x}\r\n{event}\r\n", event.len()).len()
}

on_both_engines! {
    async fn following_is_cheap(world) {
        let node = Node::first(&world);
        let mut messages = node.app.feed.subscribe();
        node.step().await;
        let heartbeat = on_the_wire(messages.try_recv().unwrap().event());
        let idle = heartbeat * 1000 / usize::try_from(HEARTBEAT.as_millis()).unwrap();
        println!("idle: {heartbeat} bytes a heartbeat, {idle} a second");
        assert!(idle <= 120, "{idle} bytes a second, idle");

        // Seventeen revocations a second for four seconds, as they fall into the moments at which a message may go out.
        let (mut whole, mut deltas) = (0, 0);
        for millis in (0..4000).step_by(10) {
            if (millis * 17 / 1000) != ((millis + 10) * 17 / 1000) {
                node.revoke().await;
            }
            node.step().await;
            while let Ok(message) = messages.try_recv() {
                whole += on_the_wire(message.event());
                deltas += 1;
            }
            world.advance(Duration::from_millis(10));
        }
        let busy = whole / 4;
        println!("17 revocations a second: {deltas} messages in 4 s, {} bytes each, {busy} a second", whole / deltas);
        assert!(busy <= 6_000, "{busy} bytes a second at 17 revocations a second");
        assert!(deltas <= 4000 / usize::try_from(GATHER.as_millis()).unwrap() + 1, "{deltas}");
    }

    async fn snapshot_of_ten_thousand_cut_offs_has_half_a_megabyte_at_most(world) {
        let node = Node::first(&world);
        for _ in 0..10 {
            let many: Vec<Target> = (0..1000).map(|_| Target::Token(TokenId::random())).collect();
            feed_head::cut_off(&node.app.db, many, Event::done(Action::TokenRevoke), node.app.now()).await.unwrap();
        }
        // As old as they ever get.
        world.advance(Duration::from_secs(70 * 60));
        node.revoke().await;
        let snapshot = node.get("/revocations").await;
        println!("snapshot: {} bytes", snapshot.len());
        assert!(snapshot.len() <= 500_000, "{}", snapshot.len());
        assert_eq!(node.follower().await.cutoffs.len(), 10_001);
    }
}

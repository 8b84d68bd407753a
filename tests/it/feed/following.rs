//! Whatever way a message comes, and wherever it is resumed, followers come to the same end.

use passant::domain::ids::{ClientId, GrantId, KeyId, SessionId, UserId};
use passant_tests::follower::Took;
use passant_tests::on_both_engines;
use tokio::task::JoinHandle;

use super::*;

/// One target of each level, with its identifiers.
fn targets() -> Vec<(Target, Vec<String>)> {
    let (user, client) = (UserId::random(), ClientId::new("shop"));
    let (session, grant, token, key) = (SessionId::random(), GrantId::random(), TokenId::random(), KeyId::new("dead-key"));
    let named = |ids: &[&dyn std::fmt::Display]| ids.iter().map(|id| id.to_string()).collect::<Vec<String>>();
    vec![
        (Target::Issuer, vec![]),
        (Target::Client(client.clone()), named(&[&client])),
        (Target::User(user.clone()), named(&[&user])),
        (Target::Consent(user.clone(), client.clone()), named(&[&user, &client])),
        (Target::Session(session.clone()), named(&[&session])),
        (Target::Grant(grant.clone()), named(&[&grant])),
        (Target::Token(token.clone()), named(&[&token])),
        (Target::Key(key.clone()), named(&[&key])),
    ]
}

/// A long poll from where a follower is. It waits from when it has subscribed, and it reads the head after that.
async fn waiting_poll(node: &Arc<Node>, follower: &Follower) -> JoinHandle<String> {
    let path = format!("/revocations?after={}&wait=25", follower.position());
    let waiting = tokio::spawn({
        let node = Arc::clone(node);
        async move { node.get(&path).await }
    });
    while node.app.feed.followers() == 0 {
        tokio::task::yield_now().await;
    }
    waiting
}

on_both_engines! {
    async fn snapshot_stream_and_long_poll_agree(world) {
        let node = Node::first(&world);
        let (mut streaming, mut polling) = (node.follower().await, node.follower().await);
        let mut stream = node.stream(Some(&streaming.position())).await;
        assert_eq!(streaming.take(&stream.message().await), Took::Current);
        for (target, ids) in targets() {
            let tick = node.cut_off(target.clone()).await.get();
            world.advance(Duration::from_millis(200));
            node.step().await;
            assert_eq!(streaming.take(&stream.message().await), Took::Adopted);
            assert_eq!(polling.take(&node.news(&polling.position()).await), Took::Adopted);
            let fresh = node.follower().await;
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            for follower in [&streaming, &polling, &fresh] {
                assert_eq!(follower.cut_off(target.level(), &ids), Some(tick), "{target:?}");
                assert_eq!((follower.position(), &follower.cutoffs), (fresh.position(), &fresh.cutoffs));
            }
        }
    }

    async fn a_follower_resumes_at_any_message_and_at_any_process(world) {
        let (node, other) = (Node::first(&world), Node::of(&world.replica().await));
        let mut follower = node.follower().await;
        let mut stages = vec![follower.clone()];
        for count in 1..=8 {
            for _ in 0..count % 3 + 1 {
                node.revoke().await;
            }
            assert_eq!(follower.take(&node.news(&follower.position()).await), Took::Adopted);
            stages.push(follower.clone());
        }
        // The other process has read nothing of it yet.
        for from in stages {
            for node in [&other, &node] {
                let (mut streaming, mut polling) = (from.clone(), from.clone());
                let mut stream = node.stream(Some(&from.position())).await;
                let behind = from.position() != follower.position();
                let expected = if behind { Took::Adopted } else { Took::Current };
                assert_eq!(streaming.take(&stream.message().await), expected);
                assert_eq!(polling.take(&node.news(&from.position()).await), expected);
                for reached in [streaming, polling] {
                    assert_eq!((reached.position(), &reached.cutoffs), (follower.position(), &follower.cutoffs));
                }
            }
        }
    }

    async fn a_stream_that_was_resumed_ahead_of_the_tail_goes_on_without_a_gap(world) {
        let node = Node::first(&world);
        let (mut early, mut late) = (node.follower().await, node.follower().await);
        let mut early_stream = node.stream(Some(&early.position())).await;
        early.take(&early_stream.message().await);
        node.step().await;
        early.take(&early_stream.message().await);
        node.revoke().await;
        // Reads the head before the tail has sent anything of it.
        let mut late_stream = node.stream(Some(&late.position())).await;
        assert_eq!(late.take(&late_stream.message().await), Took::Adopted);
        node.revoke().await;
        node.step().await;
        assert_eq!(early.take(&early_stream.message().await), Took::Adopted);
        assert_eq!(late.take(&late_stream.message().await), Took::Adopted);
        assert_eq!(early.position(), late.position());
        node.revoke().await;
        world.advance(Duration::from_secs(1));
        node.step().await;
        for (follower, stream) in [(&mut early, &mut early_stream), (&mut late, &mut late_stream)] {
            assert_eq!(follower.take(&stream.message().await), Took::Adopted);
        }
        assert_eq!((early.position(), &early.cutoffs), (late.position(), &late.cutoffs));
    }

    async fn a_long_poll_is_answered_as_soon_as_something_is_revoked(world) {
        let node = Arc::new(Node::first(&world));
        let mut follower = node.follower().await;
        let waiting = waiting_poll(&node, &follower).await;
        node.revoke().await;
        world.advance(Duration::from_millis(200));
        node.step().await;
        let message = tokio::time::timeout(PATIENCE, waiting).await.unwrap().unwrap();
        assert_eq!(follower.take(&message), Took::Adopted);
    }

    async fn a_long_poll_ends_with_a_heartbeat_when_its_time_is_over(world) {
        let node = Arc::new(Node::first(&world));
        let mut follower = node.follower().await;
        let waiting = waiting_poll(&node, &follower).await;
        world.advance(Duration::from_secs(25));
        let message = tokio::time::timeout(PATIENCE, waiting).await.unwrap().unwrap();
        assert_eq!(follower.take(&message), Took::Current);
    }

    async fn a_tail_at_work_tells_what_any_process_revokes(world) {
        let (node, other) = (Node::first(&world), Node::of(&world.replica().await));
        let _tailing = passant_tests::world::Tailing::start(&node.app);
        let mut follower = node.follower().await;
        let mut stream = node.stream(Some(&follower.position())).await;
        for number in 0..6 {
            let tick = if number % 2 == 0 { &node } else { &other }.revoke().await.get();
            world.advance(Duration::from_millis(200));
            while payload(&stream_until(&mut follower, &mut stream).await)["tick"].as_i64() != Some(tick) {}
        }
        assert_eq!(follower.cutoffs.len(), 6);
    }

    async fn a_key_that_another_process_revoked_signs_no_message(world) {
        let (node, other) = (Node::first(&world), Node::of(&world.replica().await));
        let mut messages = node.app.feed.subscribe();
        node.step().await;
        let dead = node.app.keys.signing_kid(node.app.now()).unwrap();
        passant::app::rotation::revoke(&other.app, &dead).await.unwrap().expect("it lived");
        let snapshot = node.get("/revocations").await;
        node.step().await;
        let mut all = vec![snapshot, node.get("/revocations").await];
        let mut last = None;
        while let Ok(message) = messages.try_recv() {
            last = Some(message.jws.clone());
        }
        all.extend(last);
        assert_eq!(all.len(), 3);
        let keys: Value = serde_json::from_str(&node.get("/jwks.json").await).unwrap();
        let mut follower = Follower::new(ISSUER, keys);
        follower.take_snapshot(&all[0]);
        assert!(follower.cut_off("kid", &[dead.as_str()]).is_some());
        for message in &all {
            let payload = follower.checked(message);
            assert_eq!(payload["keys"].as_str(), Some(&*node.app.keys.digest(node.app.now()).unwrap()));
        }
    }
}

/// The next message, taken.
async fn stream_until(follower: &mut Follower, stream: &mut Events) -> String {
    let message = stream.message().await;
    assert!([Took::Adopted, Took::Current].contains(&follower.take(&message)));
    message
}

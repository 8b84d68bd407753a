//! A feed that is well, and one whose servers lie, stall, redirect or flood: what is held stays, what is wrong shows in the health,
//! and no attempt goes on for long.

use std::time::Duration;

use passant_verifier::{Reason, RevocationState, Verifier};
use serde_json::json;

use crate::feed::{Feed, header, signed};
use crate::feed_server::{FeedServer, SOON, event, eventually};
use crate::key_server::{Answer, KeyServer, published};
use crate::support::{NOW, TestKey, jwks, reason};

const HOUR: Duration = Duration::from_secs(3_600);

fn last_failure(verifier: &Verifier) -> String {
    verifier.health().revocations.unwrap().last_failure.unwrap_or_default()
}

/// Sends these bytes down the stream of a verifier that holds a revoked session; it must say why it refuses them, hold what it
/// held, and go on with what is good.
async fn refused_yet_followed(bytes: impl Fn(&Feed) -> String, why: &str) {
    let issuer = FeedServer::start().await;
    issuer.feed.lock().unwrap().revoke("sid", &["known"]);
    issuer.publish();
    let (verifier, _) = issuer.followed().await;
    // What comes next is all that can be heard: nothing else answers.
    issuer.server.answer("GET /revocations?", Answer::with("503 Down", "", ""));
    issuer.server.answer("GET /revocations ", Answer::with("503 Down", "", ""));
    issuer.server.answer("GET /revocations/stream", Answer::with("503 Down", "", ""));
    let position = verifier.health().revocations.unwrap().position;
    let bytes = bytes(&issuer.feed.lock().unwrap());
    let seen = std::cell::RefCell::new(Vec::new());
    issuer.send(&bytes);
    eventually(why, || {
        let failure = last_failure(&verifier);
        seen.borrow_mut().push(failure.clone());
        failure.contains(why) || failure.contains("status 503")
    })
    .await;
    assert!(seen.borrow().iter().any(|failure| failure.contains(why)), "{why}: {:?}", seen.borrow().last());
    assert_eq!(verifier.health().revocations.unwrap().position, position, "{why}");
    assert_eq!(reason(&verifier, &issuer.token("known")), Some(Reason::Revoked), "{why}");
    assert_eq!(reason(&verifier, &issuer.token("new")), None, "{why}");
    issuer.feed.lock().unwrap().revoke("sid", &["new"]);
    issuer.publish();
    issuer.server.answer("GET /revocations?", Answer::ok(&signed(&TestKey::first(), &issuer.feed.lock().unwrap().delta(1))));
    issuer.until_refused(&verifier, "new").await;
}

#[tokio::test]
async fn a_revocation_reaches_the_verifier_by_the_stream() {
    let issuer = FeedServer::start().await;
    let (verifier, _) = issuer.followed().await;
    assert_eq!(reason(&verifier, &issuer.token("s")), None);
    let position = issuer.feed.lock().unwrap().position();
    issuer.revoke("s");
    issuer.until_refused(&verifier, "s").await;
    let health = verifier.health().revocations.unwrap();
    assert_eq!((health.state, health.lag, health.age), (RevocationState::Current, 0, Some(Duration::ZERO)));
    assert_eq!(health.tick, Some(issuer.feed.lock().unwrap().head().tick));
    let streams = issuer.heads("GET /revocations/stream");
    assert!(streams[0].contains(&format!("last-event-id: {position}")) && streams.len() == 1, "{streams:?}");
    assert!(!streams[0].contains("authorization"));
}

#[tokio::test]
async fn messages_that_are_forged_or_of_another_issuer_are_refused() {
    let next = |feed: &Feed| {
        let mut feed = feed.clone();
        feed.revoke("sid", &["new"]);
        feed.delta(feed.entries.len() - 1)
    };
    let forged = |feed: &Feed| TestKey::second().sign_text(&header(&TestKey::first()).to_string(), &next(feed).to_string());
    refused_yet_followed(|feed| format!("data: {}\n\n", forged(feed)), "signature is wrong").await;
    let foreign = |feed: &Feed| event(&next(&Feed { issuer: "https://other.example".into(), ..feed.clone() }));
    refused_yet_followed(foreign, "of another issuer").await;
    let future = |feed: &Feed| event(&next(&Feed { iat: NOW + 61, ..feed.clone() }));
    refused_yet_followed(future, "from the future").await;
    refused_yet_followed(|_| "data: <html>\n\n".into(), "not a JWS").await;
}

#[tokio::test]
async fn messages_that_are_withheld_reordered_or_far_ahead_do_not_join() {
    let ahead = |entries: usize| {
        move |feed: &Feed| {
            let mut feed = feed.clone();
            (0..entries).for_each(|_| feed.append(feed.head().tick + 1, &[]));
            event(&feed.delta(feed.entries.len() - 1))
        }
    };
    refused_yet_followed(ahead(2), "did not join").await;
    let far = |feed: &Feed| {
        let mut message = feed.heartbeat();
        message["tick"] = json!(1_u64 << 53);
        event(&message)
    };
    refused_yet_followed(far, "did not join").await;
}

#[tokio::test]
async fn a_stream_that_breaks_off_floods_or_is_no_text_is_left() {
    refused_yet_followed(|_| format!("data: {}", "x".repeat(4 * 1024 * 1024)), "larger than 4 MiB").await;
    refused_yet_followed(|_| "data: a\ndata: b\n\n".into(), "more than one line").await;
    let issuer = FeedServer::start().await;
    let endless = b"HTTP/1.1 200 OK\r\n\r\ndata: ".to_vec();
    issuer.server.answer("GET /revocations/stream", Answer::Endless(endless, 64 * 1024, Duration::ZERO));
    let verifier = issuer.builder().build().unwrap();
    eventually("the endless line", || verifier.health().revocations.is_some() && last_failure(&verifier).contains("4 MiB")).await;
    let feed = issuer.feed.lock().unwrap().clone();
    let whole = event(&feed.heartbeat());
    let cut = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{}", whole.len(), &whole[..whole.len() / 2]);
    issuer.server.answer("GET /revocations/stream", Answer::Raw(cut.into()));
    eventually("the broken message", || last_failure(&verifier).contains("broke off")).await;
    assert_eq!((verifier.is_ready(), reason(&verifier, &issuer.token("s"))), (true, None));
}

#[tokio::test]
async fn replayed_messages_make_nothing_younger() {
    let issuer = FeedServer::start().await;
    let (verifier, clock) = issuer.followed().await;
    let feed = issuer.feed.lock().unwrap().clone();
    issuer.revoke("s");
    issuer.until_refused(&verifier, "s").await;
    let replays = [event(&feed.snapshot()), event(&feed.heartbeat()), event(&issuer.feed.lock().unwrap().heartbeat())];
    clock.advance(HOUR + Duration::from_millis(1));
    for replay in replays {
        issuer.send(&replay);
    }
    issuer.revoke("t");
    let health = || verifier.health().revocations.unwrap();
    eventually("the message after them", || health().cutoffs.contains(&("sid", 2))).await;
    assert_eq!((health().state, health().age), (RevocationState::Stale, Some(HOUR + Duration::from_millis(1))));
    clock.set(NOW);
    let error = verifier.verify(&issuer.token("u")).unwrap_err();
    assert_eq!((error.code(), error.http_status(), verifier.is_ready()), ("revocations_stale", 503, false));
}

#[tokio::test]
async fn a_snapshot_of_gigabytes_a_redirect_and_a_refusal_bring_nothing() {
    let elsewhere = KeyServer::start(&[TestKey::first()]).await;
    let location = format!("location: {}/revocations\r\n", elsewhere.issuer);
    for (answer, why) in [
        (Answer::Endless(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), 256 * 1024, Duration::ZERO), "larger than 16384 KiB"),
        (Answer::with("302 Found", &location, ""), "status 302"),
        (Answer::with("308 Permanent", &location, ""), "status 308"),
        (Answer::with("401 Unauthorized", "", ""), "status 401"),
        (Answer::Raw(b"HTTP/1.1 200 OK\r\n\r\n\xff\xff".to_vec()), "not text"),
        (Answer::ok("eyJ"), "not a JWS"),
    ] {
        let issuer = FeedServer::start().await;
        issuer.server.answer("GET /revocations ", answer);
        let verifier = issuer.builder().build().unwrap();
        eventually(why, || verifier.health().revocations.is_some_and(|_| last_failure(&verifier).contains(why))).await;
        assert_eq!(verifier.health().revocations.unwrap().state, RevocationState::Missing);
        let error = verifier.verify(&issuer.token("s")).unwrap_err();
        assert_eq!((error.code(), error.http_status(), verifier.is_ready()), ("revocations_missing", 503, false));
        let not_ready = verifier.ready(Duration::from_millis(1)).await.unwrap_err().to_string();
        assert!(not_ready.contains(why), "{not_ready}");
        issuer.publish();
        verifier.ready(SOON).await.unwrap();
    }
    assert_eq!(elsewhere.requests(), 0);
}

#[tokio::test]
async fn discovery_that_stops_announcing_or_announces_elsewhere_changes_nothing() {
    let issuer = FeedServer::start().await;
    let (verifier, clock) = issuer.followed().await;
    let at = &issuer.server.issuer;
    clock.advance(HOUR);
    issuer.server.answer_discovery(Answer::ok(&json!({ "issuer": at, "jwks_uri": format!("{at}/jwks") }).to_string()));
    verifier.refresh().await.unwrap();
    issuer.feed.lock().unwrap().iat += 3_600;
    issuer.revoke("s");
    eventually("the revocation", || verifier.health().revocations.unwrap().cutoffs.contains(&("sid", 1))).await;

    let elsewhere = FeedServer::start().await;
    let document =
        json!({ "issuer": at, "jwks_uri": format!("{at}/jwks"), "passant_revocations_uri": elsewhere.server.feed_uri() });
    issuer.server.answer_discovery(Answer::ok(&document.to_string()));
    clock.advance(HOUR);
    let failure = verifier.refresh().await.unwrap_err().to_string();
    assert!(failure.contains("passant_revocations_uri"), "{failure}");
    assert!(verifier.health().revocations.is_some() && elsewhere.server.requests() == 0);
    let newcomer = issuer.builder().build().unwrap();
    assert!(newcomer.refresh().await.is_err() && !newcomer.is_ready(), "and nobody starts without the feed because of it");
}

#[tokio::test]
async fn an_issuer_without_a_feed_and_a_service_that_waives_it_are_not_judged_by_one() {
    let plain = KeyServer::start(&[TestKey::first()]).await;
    let verifier = crate::support::builder_at(&plain.issuer).build().unwrap();
    verifier.ready(SOON).await.unwrap();
    assert!(verifier.health().revocations.is_none() && reason(&verifier, &plain.token(&TestKey::first())).is_none());
    let issuer = FeedServer::start().await;
    issuer.revoke("s");
    let verifier = issuer.builder().dangerous_without_revocations().build().unwrap();
    verifier.ready(SOON).await.unwrap();
    assert!(verifier.health().revocations.is_none() && reason(&verifier, &issuer.token("s")).is_none());
    assert_eq!(issuer.heads("GET /revocations").len(), 0);
}

#[tokio::test]
async fn where_the_stream_fails_polls_bring_the_news() {
    let issuer = FeedServer::start().await;
    issuer.server.answer("GET /revocations/stream", Answer::with("404 Not Found", "", ""));
    let position = issuer.feed.lock().unwrap().position().replace('.', "%2E");
    let verifier = issuer.builder().build().unwrap();
    verifier.ready(SOON).await.unwrap();
    let message = {
        let mut feed = issuer.feed.lock().unwrap();
        feed.revoke("sid", &["s"]);
        feed.delta(1)
    };
    issuer.server.answer("GET /revocations?", Answer::ok(&signed(&TestKey::first(), &message)));
    issuer.until_refused(&verifier, "s").await;
    let polls = issuer.heads("GET /revocations?");
    let asked = polls[0].lines().next().unwrap().replace('.', "%2E");
    assert!(asked.contains(&format!("after={position}&wait=25")), "{asked}");
}

#[tokio::test]
async fn an_issuer_whose_database_went_back_is_shown_its_own_message() {
    let issuer = FeedServer::start().await;
    issuer.server.answer("POST /revocations/proof", Answer::ok("{\"contradiction\":true}"));
    let (verifier, _) = issuer.followed().await;
    issuer.revoke("s");
    issuer.until_refused(&verifier, "s").await;
    let signed_before = signed(&TestKey::first(), &issuer.feed.lock().unwrap().delta(1));
    issuer.server.answer("GET /revocations/stream", Answer::with("409 Conflict", "", ""));
    issuer.server.answer("GET /revocations?", Answer::with("409 Conflict", "", ""));
    let mut back = issuer.feed.lock().unwrap().before(1);
    back.append(back.head().tick + 100, &[("iss", &[])]);
    issuer.server.answer("GET /revocations ", Answer::ok(&signed(&TestKey::first(), &back.snapshot())));
    issuer.send("data: a\ndata: b\n\n");
    eventually("the proof", || !issuer.heads("POST /revocations/proof").is_empty()).await;
    let proof = issuer.heads("POST /revocations/proof").remove(0);
    assert!(proof.ends_with(&signed_before) && proof.contains("content-type: application/passant-revocations+jwt"), "{proof}");
    issuer.until_refused(&verifier, "everything").await;
    assert_eq!(verifier.health().revocations.unwrap().position, Some(back.position()));
    assert_eq!(reason(&verifier, &issuer.token("s")), Some(Reason::Revoked));
}

#[tokio::test]
async fn a_new_key_or_key_set_in_a_message_is_fetched_at_once() {
    let issuer = FeedServer::start().await;
    let (verifier, _) = issuer.followed().await;
    assert_eq!(issuer.server.key_requests().len(), 1);
    issuer.server.answer_keys(Answer::ok(&published(&[TestKey::second(), TestKey::first()])));
    let message = {
        let mut feed = issuer.feed.lock().unwrap();
        feed.revoke("sid", &["s"]);
        feed.delta(1)
    };
    issuer.send(&format!("data: {}\n\n", signed(&TestKey::second(), &message)));
    issuer.until_refused(&verifier, "s").await;
    assert_eq!(issuer.server.key_requests().len(), 2, "for the unknown key");

    issuer.server.answer_keys(Answer::ok(&published(&[TestKey::second()])));
    let heartbeat = {
        let mut feed = issuer.feed.lock().unwrap();
        let keys = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, jwks(&[TestKey::second().jwk()]).as_bytes());
        feed.keys = crate::support::b64(keys.as_ref());
        feed.heartbeat()
    };
    for _ in 0..20 {
        issuer.send(&format!("data: {}\n\n", signed(&TestKey::second(), &heartbeat)));
    }
    let withdrawn = issuer.token("t");
    eventually("the key that was taken out", || reason(&verifier, &withdrawn) == Some(Reason::UnknownKey)).await;
    verifier.refresh().await.unwrap();
    assert!((4..=5).contains(&issuer.server.key_requests().len()), "{}", issuer.server.key_requests().len());
}

#[tokio::test]
async fn a_feed_that_is_not_public_is_shown_its_token_and_nobody_else_is() {
    let issuer = FeedServer::start().await;
    issuer.server.answer("POST /revocations/followers", Answer::with("204 No Content", "", ""));
    let builder = issuer.builder().feed_bearer("s3cret").follower_name("orders", "orders-7f9c");
    assert!(!format!("{builder:?}").contains("s3cret"));
    let verifier = builder.build().unwrap();
    verifier.ready(SOON).await.unwrap();
    assert!(!format!("{verifier:?}").contains("s3cret"));
    eventually("the report", || !issuer.heads("POST /revocations/followers").is_empty()).await;
    eventually("the stream", || !issuer.heads("GET /revocations/stream").is_empty()).await;
    for head in ["GET /revocations ", "GET /revocations/stream", "POST /revocations/followers"] {
        assert!(issuer.heads(head)[0].contains("authorization: Bearer s3cret"), "{head}");
    }
    assert!(issuer.heads("GET /jwks").iter().chain(&issuer.heads("GET /.well")).all(|head| !head.contains("s3cret")));
    let report = issuer.heads("POST /revocations/followers").remove(0);
    let report: serde_json::Value = serde_json::from_str(report.split_once("\r\n\r\n").unwrap().1).unwrap();
    let feed = issuer.feed.lock().unwrap();
    let (position, keys) = (feed.position(), &feed.keys);
    let expected = json!({ "name": "orders", "instance": "orders-7f9c", "position": position, "keys": keys, "keys_age": 0 });
    assert_eq!(report, expected);
}

#[tokio::test]
async fn fixed_keys_and_a_given_address_need_no_discovery() {
    let issuer = FeedServer::start().await;
    issuer.revoke("s");
    let keys = jwks(&[TestKey::first().jwk()]);
    let verifier = issuer.builder().static_jwks(keys).revocations(issuer.server.feed_uri()).build().unwrap();
    assert_eq!(reason(&verifier, &issuer.token("s")), Some(Reason::RevocationsMissing));
    issuer.until_refused(&verifier, "s").await;
    assert_eq!(issuer.heads("GET /.well-known").len() + issuer.heads("GET /jwks").len(), 0);
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    drop(verifier);
    eventually("its task ends", || tasks() < before).await;
}

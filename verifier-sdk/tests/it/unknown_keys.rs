//! What a stranger's tokens may cost the issuer (V80, V81).

use std::time::Duration;

use passant_verifier::{Reason, Verifier};
use serde_json::{Value, json};

use crate::key_server::{Answer, KeyServer, published};
use crate::support::{NOW, TestKey, b64, builder_at, claims, reason};

const SOON: Duration = Duration::from_secs(10);

async fn holding_the_first_key() -> (Verifier, KeyServer) {
    let server = KeyServer::start(&[TestKey::first()]).await;
    let verifier = builder_at(&server.issuer).build().unwrap();
    verifier.ready(SOON).await.unwrap();
    (verifier, server)
}

/// An unsigned token with one claim and one header member of choice.
fn forged(server: &KeyServer, kid: &str, header: (&str, Value), claim: (&str, Value)) -> String {
    let mut head = json!({ "alg": "RS256", "typ": "at+jwt", "kid": kid });
    head[header.0] = header.1;
    let mut payload = claims();
    payload["iss"] = json!(server.issuer);
    payload[claim.0] = claim.1;
    format!("{}.{}.QUFB", b64(head.to_string().as_bytes()), b64(payload.to_string().as_bytes()))
}

#[tokio::test]
async fn a_new_key_is_found_because_a_token_names_it() {
    let (verifier, server) = holding_the_first_key().await;
    server.answer_keys(Answer::ok(&published(&[TestKey::second(), TestKey::first()])));
    let token = server.token(&TestKey::second());
    assert_eq!(reason(&verifier, &token), Some(Reason::UnknownKey));
    let found = async {
        while reason(&verifier, &token).is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, found).await.unwrap();
    assert_eq!(server.key_requests().len(), 2);
}

#[tokio::test]
async fn a_new_key_is_found_because_a_message_handed_in_names_it() {
    let server = KeyServer::start(&[TestKey::first()]).await;
    let verifier = builder_at(&server.issuer).revocations_handed_in().build().unwrap();
    verifier.refresh().await.unwrap();
    server.answer_keys(Answer::ok(&published(&[TestKey::second(), TestKey::first()])));
    let feed = crate::feed::Feed { issuer: server.issuer.clone(), ..crate::feed::Feed::new() };
    let message = crate::feed::signed(&TestKey::second(), &feed.snapshot());
    assert!(matches!(verifier.take_revocations(&message), Err(passant_verifier::FeedError::UnknownKey(_))));
    let found = async {
        while verifier.take_revocations(&message).is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, found).await.unwrap();
}

#[tokio::test]
async fn a_new_key_set_is_found_because_a_message_handed_in_has_its_digest() {
    let server = KeyServer::start(&[TestKey::first()]).await;
    let verifier = builder_at(&server.issuer).revocations_handed_in().build().unwrap();
    verifier.refresh().await.unwrap();
    let feed = crate::feed::Feed { issuer: server.issuer.clone(), ..crate::feed::Feed::new() };
    let tell = |feed: &crate::feed::Feed, message: &Value| {
        assert_eq!(feed.issuer, server.issuer);
        verifier.take_revocations(&crate::feed::signed(&TestKey::first(), message)).unwrap();
    };
    tell(&feed, &feed.snapshot());
    tell(&feed, &feed.heartbeat());
    let newer = published(&[TestKey::second(), TestKey::first()]);
    server.answer_keys(Answer::ok(&newer));
    assert_eq!(verifier.health().usable_keys, 1);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, newer.as_bytes());
    let later = crate::feed::Feed { keys: b64(digest.as_ref()), iat: NOW + 1, ..feed };
    tell(&later, &later.heartbeat());
    let found = async {
        while verifier.health().usable_keys < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, found).await.unwrap();
    assert_eq!(server.key_requests().len(), 2, "the same digest asks for nothing, and another one once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v80_a_flood_of_invented_kids_costs_three_fetches_and_valid_tokens_nothing() {
    let (verifier, server) = holding_the_first_key().await;
    let good = server.token(&TestKey::first());
    let (_, payload_and_signature) = good.split_once('.').unwrap();
    for i in 0..100_000 {
        let header = b64(format!(r#"{{"alg":"RS256","typ":"at+jwt","kid":"invented-{i}"}}"#).as_bytes());
        let token = format!("{header}.{payload_and_signature}");
        assert_eq!(reason(&verifier, &token), Some(Reason::UnknownKey));
        if i % 1_000 == 0 {
            assert_eq!(reason(&verifier, &good), None);
            tokio::task::yield_now().await;
        }
    }
    verifier.refresh().await.unwrap();
    let fetches = server.key_requests().len();
    assert!((2..=5).contains(&fetches), "one at the start, one asked for, and at most three for the flood: {fetches}");
}

#[tokio::test]
async fn a_message_of_the_feed_is_heard_however_many_strangers_wait_before_it() {
    let server = KeyServer::start(&[TestKey::first()]).await;
    let verifier = builder_at(&server.issuer).revocations_handed_in().build().unwrap();
    verifier.refresh().await.unwrap();
    let feed = crate::feed::Feed { issuer: server.issuer.clone(), ..crate::feed::Feed::new() };
    verifier.take_revocations(&crate::feed::signed(&TestKey::first(), &feed.snapshot())).unwrap();
    server.answer_keys(Answer::ok(&published(&[TestKey::second(), TestKey::first()])));
    // The task has no turn before all of these wait for it, and the message after them.
    for i in 0..1_000 {
        let token = forged(&server, &format!("invented-{i}"), ("typ", json!("at+jwt")), ("sub", json!("u")));
        assert_eq!(reason(&verifier, &token), Some(Reason::UnknownKey));
    }
    let before = server.key_requests().len();
    let message = crate::feed::signed(&TestKey::second(), &feed.heartbeat());
    assert!(matches!(verifier.take_revocations(&message), Err(passant_verifier::FeedError::UnknownKey(_))));
    let found = async {
        while verifier.take_revocations(&message).is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, found).await.unwrap();
    assert_eq!(server.key_requests().len(), before + 1, "one fetch is enough for all of them");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v81_many_threads_that_miss_one_kid_cause_one_fetch() {
    let (verifier, server) = holding_the_first_key().await;
    let token = server.token(&TestKey::second());
    std::thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| assert_eq!(reason(&verifier, &token), Some(Reason::UnknownKey)));
        }
    });
    verifier.refresh().await.unwrap();
    verifier.refresh().await.unwrap();
    assert!(
        server.key_requests().len() <= 4,
        "the start, the two asked for and one for the kid: {:?}",
        server.key_requests().len()
    );
}

#[tokio::test]
async fn implausible_tokens_and_bad_signatures_cause_no_fetch() {
    let (verifier, server) = holding_the_first_key().await;
    let fine = || ("typ", json!("at+jwt"));
    for (token, expected) in [
        (forged(&server, "new", ("typ", json!("JWT")), ("sub", json!("u"))), Reason::TypNotAllowed),
        (forged(&server, "new", ("alg", json!("ES256")), ("sub", json!("u"))), Reason::AlgNotAllowed),
        (forged(&server, "new", fine(), ("iss", json!("https://evil.example"))), Reason::WrongIssuer),
        (forged(&server, "new", fine(), ("aud", json!("elsewhere"))), Reason::WrongAudience),
        (forged(&server, "new", fine(), ("exp", json!(NOW - 61))), Reason::Expired),
        (forged(&server, "new", fine(), ("iat", json!(NOW + 61))), Reason::IssuedInFuture),
        (forged(&server, &"x".repeat(129), fine(), ("sub", json!("u"))), Reason::UnknownKey),
        (forged(&server, "first", fine(), ("sub", json!("u"))), Reason::BadSignature),
    ] {
        assert_eq!(reason(&verifier, &token), Some(expected));
    }
    verifier.refresh().await.unwrap();
    assert_eq!(server.key_requests().len(), 2, "one at the start and the one asked for");
}

//! Keys grow old in three ages (V90–V92), and tags spare the issuer its own bytes.

use std::time::Duration;

use passant_verifier::{KeyState, ManualClock, Reason};

use crate::key_server::{Answer, KeyServer, published};
use crate::support::{NOW, TestKey, builder_at, reason};

const SOON: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn v92_keys_are_fresh_then_stale_then_dead_and_come_back_to_life() {
    let server = KeyServer::start(&[TestKey::first()]).await;
    let clock = ManualClock::at(NOW);
    let verifier = builder_at(&server.issuer).clock(clock.clone()).build().unwrap();
    assert_eq!((verifier.health().keys, verifier.is_ready()), (KeyState::Missing, false));
    let token = server.token(&TestKey::first());
    verifier.ready(SOON).await.unwrap();
    assert_eq!(verifier.health().keys, KeyState::Fresh);

    server.answer_keys(Answer::Raw(Vec::new()));
    for (passed, state, refused) in [
        (Duration::from_secs(301), KeyState::Stale, None),
        (24 * HOUR - Duration::from_secs(301), KeyState::Stale, None),
        (Duration::from_millis(1), KeyState::Dead, Some(Reason::KeysTooOld)),
        (7 * 24 * HOUR, KeyState::Dead, Some(Reason::KeysTooOld)),
    ] {
        clock.advance(passed);
        clock.set(NOW);
        verifier.refresh().await.unwrap_err();
        assert_eq!((verifier.health().keys, reason(&verifier, &token)), (state, refused));
    }
    assert!(!verifier.verify(&token).unwrap_err().is_token_fault() && !verifier.is_ready());
    assert_eq!(reason(&verifier, "junk"), Some(Reason::NotCompact), "junk stays the token's fault");

    server.answer_keys(Answer::ok(&published(&[TestKey::first()])));
    verifier.refresh().await.unwrap();
    assert_eq!((verifier.health().keys, verifier.health().last_failure), (KeyState::Fresh, None));
}

#[tokio::test]
async fn v90_a_key_taken_out_of_the_set_is_unknown_after_the_next_refresh() {
    let server = KeyServer::start(&[TestKey::first(), TestKey::second()]).await;
    let verifier = builder_at(&server.issuer).build().unwrap();
    verifier.ready(SOON).await.unwrap();
    let token = server.token(&TestKey::first());
    assert_eq!(reason(&verifier, &token), None);
    server.answer_keys(Answer::ok(&published(&[TestKey::second()])));
    verifier.refresh().await.unwrap();
    assert_eq!(reason(&verifier, &token), Some(Reason::UnknownKey));
}

#[tokio::test]
async fn v91_an_older_set_that_comes_back_is_believed_until_the_next_attempt() {
    let (older, newer) = (published(&[TestKey::first()]), published(&[TestKey::second(), TestKey::first()]));
    let server = KeyServer::start(&[TestKey::first()]).await;
    let verifier = builder_at(&server.issuer).build().unwrap();
    let token = server.token(&TestKey::second());
    // Nothing in a set says when it was made, so a stale proxy cannot be told from an issuer that took a key back.
    for (answer, refused) in [(&newer, None), (&older, Some(Reason::UnknownKey)), (&newer, None)] {
        server.answer_keys(Answer::ok(answer));
        verifier.refresh().await.unwrap();
        assert_eq!((reason(&verifier, &token), reason(&verifier, &server.token(&TestKey::first()))), (refused, None));
    }
}

#[tokio::test]
async fn v93_a_name_that_leads_nowhere_is_a_failure_like_any_other() {
    let verifier = builder_at("https://issuer.invalid").build().unwrap();
    assert!(verifier.refresh().await.is_err());
    assert!(verifier.health().last_failure.is_some() && !verifier.is_ready());
}

#[tokio::test]
async fn an_issuer_that_comes_up_late_is_found_without_being_asked_again() {
    let server = KeyServer::start(&[TestKey::first()]).await;
    server.answer_discovery(Answer::with("503 Service Unavailable", "", ""));
    let verifier = builder_at(&server.issuer).clock(passant_verifier::SystemClock::new()).build().unwrap();
    let failure = verifier.ready(Duration::from_millis(50)).await.unwrap_err().to_string();
    assert!(failure.contains("503"), "{failure}");
    let token = server.token(&TestKey::first());
    assert!(!verifier.is_ready() && reason(&verifier, &token).is_some());
    server.answer_discovery(Answer::ok(&format!(r#"{{"issuer":"{0}","jwks_uri":"{0}/jwks"}}"#, server.issuer)));
    verifier.ready(SOON).await.unwrap();
}

#[tokio::test]
async fn an_unchanged_set_is_confirmed_by_its_tag() {
    let server = KeyServer::start(&[]).await;
    server.answer_keys(Answer::with("200 OK", "etag: \"one\"\r\n", &published(&[TestKey::first()])));
    let clock = ManualClock::at(NOW);
    let verifier = builder_at(&server.issuer).clock(clock.clone()).build().unwrap();
    verifier.ready(SOON).await.unwrap();
    clock.advance(HOUR);
    assert_eq!(verifier.health().keys, KeyState::Stale);
    server.answer_keys(Answer::with("304 Not Modified", "", ""));
    verifier.refresh().await.unwrap();
    assert!(server.key_requests().last().unwrap().to_lowercase().contains("if-none-match: \"one\""));
    assert_eq!((verifier.health().keys, verifier.health().usable_keys), (KeyState::Fresh, 1));
}

#[tokio::test]
async fn dropping_the_last_verifier_ends_its_task_even_amid_an_attempt() {
    let server = KeyServer::start(&[TestKey::first()]).await;
    server.answer_keys(Answer::Silence);
    let verifier = builder_at(&server.issuer).build().unwrap();
    while server.key_requests().is_empty() {
        tokio::task::yield_now().await;
    }
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    drop(verifier);
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert!(tasks() < before, "{} of {before}", tasks());
}

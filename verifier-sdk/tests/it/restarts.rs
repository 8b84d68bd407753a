//! What a restart must not forget: keys, dead keys, cut-offs, and that there is a feed at all, each as old as it really is.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use passant_verifier::{KeyState, ManualClock, Reason, RevocationState, Verifier};
use serde_json::json;

use crate::feed::{Feed, signed};
use crate::feed_server::{FeedServer, SOON, eventually};
use crate::key_server::Answer;
use crate::support::{AUDIENCE, ISSUER, NOW, TestKey, builder_at, claims, claims_with, jwks, reason};

const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("passant-verifier-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("last-known-good.json")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap_or_default()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn started(issuer: &str, folder: &Folder, now: i64) -> (Verifier, ManualClock) {
    let clock = ManualClock::at(now);
    (builder_at(issuer).clock(clock.clone()).last_known_good(folder.file()).build().unwrap(), clock)
}

/// An issuer that has revoked `s` and a key, a file that says so, and then silence.
async fn kept(name: &str) -> (FeedServer, Folder) {
    let (issuer, folder) = (FeedServer::start().await, Folder::new(name));
    {
        let mut feed = issuer.feed.lock().unwrap();
        feed.revoke("sid", &["s"]);
        feed.revoke("kid", &["second"]);
    }
    issuer.publish();
    let (verifier, _) = started(&issuer.server.issuer, &folder, NOW);
    verifier.ready(SOON).await.unwrap();
    eventually("the file", || folder.text().contains("\"cutoffs\"")).await;
    drop(verifier);
    for answer in ["GET /revocations ", "GET /revocations/stream", "GET /revocations?"] {
        issuer.server.answer(answer, Answer::Silence);
    }
    issuer.server.answer_keys(Answer::Silence);
    (issuer, folder)
}

#[tokio::test]
async fn a_service_that_starts_while_the_issuer_is_down_knows_all_that_it_knew() {
    let (issuer, folder) = kept("down").await;
    let (verifier, _) = started(&issuer.server.issuer, &folder, NOW + 60);
    assert!(verifier.is_ready());
    assert_eq!(reason(&verifier, &issuer.token("s")), Some(Reason::Revoked));
    assert_eq!(reason(&verifier, &issuer.token("other")), None);
    let health = verifier.health();
    assert_eq!((health.keys, health.age), (KeyState::Stale, Some(MINUTE)));
    let revocations = health.revocations.unwrap();
    assert_eq!((revocations.state, revocations.age), (RevocationState::Current, Some(MINUTE)));
    assert_eq!(revocations.position, Some(issuer.feed.lock().unwrap().position()));
    assert!(revocations.cutoffs.contains(&("sid", 1)) && revocations.cutoffs.contains(&("kid", 1)));
    eventually("it resumes where it was", || {
        let streams = issuer.heads("GET /revocations/stream");
        streams.last().is_some_and(|head| head.contains(&issuer.feed.lock().unwrap().position()))
    })
    .await;
}

#[tokio::test]
async fn nothing_grows_younger_in_a_file_whatever_the_clock_does_meanwhile() {
    let (issuer, folder) = kept("young").await;
    let ages = |now: i64| {
        let (verifier, clock) = started(&issuer.server.issuer, &folder, now);
        clock.advance(MINUTE);
        let health = verifier.health();
        (health.age.unwrap(), health.revocations.unwrap().age.unwrap())
    };
    assert_eq!(ages(NOW + 3_600), (HOUR + MINUTE, HOUR + MINUTE));
    assert_eq!(ages(NOW - 3_600), (MINUTE, MINUTE), "a clock put back is taken to stand where it stood");
    let (verifier, _) = started(&issuer.server.issuer, &folder, NOW + 3_601);
    assert_eq!(verifier.health().revocations.unwrap().state, RevocationState::Stale);
    let (verifier, _) = started(&issuer.server.issuer, &folder, NOW + 24 * 3_600 + 1);
    assert_eq!((verifier.health().keys, verifier.is_ready()), (KeyState::Dead, false));
}

#[tokio::test]
async fn a_cutoff_from_a_file_counts_for_seventy_minutes_more() {
    let (issuer, folder) = kept("counts").await;
    let (verifier, clock) = started(&issuer.server.issuer, &folder, NOW);
    clock.advance(69 * MINUTE);
    clock.set(NOW);
    assert_eq!(reason(&verifier, &issuer.token("s")), Some(Reason::Revoked));
}

#[tokio::test]
async fn what_was_handed_in_is_kept_though_nothing_is_fetched() {
    let folder = Folder::new("handed-in");
    let started = || {
        let builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).clock(ManualClock::at(NOW)).revocations_handed_in();
        builder
            .static_jwks(jwks(&[TestKey::first().jwk(), TestKey::second().jwk()]))
            .last_known_good(folder.file())
            .build()
            .unwrap()
    };
    let mut feed = Feed::new();
    feed.revoke("sid", &["s-1"]);
    feed.revoke("kid", &["second"]);
    let token = TestKey::first().sign(&claims());
    let verifier = started();
    assert_eq!(reason(&verifier, &token), Some(Reason::RevocationsMissing));
    verifier.take_revocations(&signed(&TestKey::first(), &feed.snapshot())).unwrap();
    eventually("the file", || folder.text().contains("\"cutoffs\"")).await;
    assert!(!folder.text().contains("jwks"), "keys that were given are not kept");
    drop(verifier);

    let verifier = started();
    assert_eq!(reason(&verifier, &token), Some(Reason::Revoked));
    assert_eq!(reason(&verifier, &TestKey::second().sign(&claims())), Some(Reason::Revoked));
    // What comes after the last write is written by whoever drops the last clone.
    feed.revoke("sub", &["u-2"]);
    verifier.take_revocations(&signed(&TestKey::first(), &feed.delta(feed.entries.len() - 1))).unwrap();
    drop(verifier);
    let other = TestKey::first().sign(&claims_with("sub", json!("u-2")));
    assert_eq!(reason(&started(), &other), Some(Reason::Revoked));
}

#[tokio::test]
async fn a_feed_once_announced_is_followed_after_a_restart_though_discovery_is_silent_about_it() {
    let (issuer, folder) = kept("sticky").await;
    let at = &issuer.server.issuer;
    issuer.server.answer_discovery(Answer::ok(&json!({ "issuer": at, "jwks_uri": format!("{at}/jwks") }).to_string()));
    issuer.server.answer_keys(Answer::ok(&crate::key_server::published(&[TestKey::first()])));
    issuer.publish();
    let (verifier, _) = started(at, &folder, NOW);
    verifier.refresh().await.unwrap();
    eventually("it reads the stream", || issuer.readers() > 0).await;
    issuer.revoke("later");
    issuer.until_refused(&verifier, "later").await;
}

#[tokio::test]
async fn a_file_that_cannot_be_trusted_is_not_read() {
    let (issuer, folder) = kept("trust").await;
    let (good, at) = (folder.text(), issuer.server.issuer.clone());
    let spoiled = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    let mut texts = vec![
        spoiled(&at, "https://other.example"),
        spoiled("_good\":2", "_good\":3"),
        spoiled("\"as_of\":1", "\"as_of\":9"),
        spoiled("\"confirmed_at\":1", "\"confirmed_at\":9"),
        spoiled("\"sid\"", "\"device\""),
        spoiled("\"issuer\"", "\"issuer\":\"x\",\"issuer\""),
        String::new(),
    ];
    texts.extend((1..good.len()).step_by(97).map(|end| good[..end].to_owned()));
    for text in texts {
        fs::write(folder.file(), &text).unwrap();
        let (verifier, _) = started(&at, &folder, NOW);
        assert_eq!((verifier.health().keys, verifier.is_ready()), (KeyState::Missing, false), "{text}");
    }
    fs::write(folder.file(), &good).unwrap();
    assert!(started(&at, &folder, NOW).0.is_ready());
    let mode = |mode| fs::set_permissions(folder.file(), std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    mode(0o644);
    assert!(!started(&at, &folder, NOW).0.is_ready());
    mode(0o600);
    let elsewhere = folder.0.join("elsewhere");
    fs::rename(folder.file(), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, folder.file()).unwrap();
    assert!(!started(&at, &folder, NOW).0.is_ready());
}

#[tokio::test]
async fn what_came_in_just_before_the_end_is_in_the_file() {
    let (issuer, folder) = (FeedServer::start().await, Folder::new("end"));
    let (verifier, _) = started(&issuer.server.issuer, &folder, NOW);
    verifier.ready(SOON).await.unwrap();
    eventually("it reads the stream", || issuer.readers() > 0).await;
    for sid in ["s", "t"] {
        issuer.revoke(sid);
        issuer.until_refused(&verifier, sid).await;
    }
    drop(verifier);
    for answer in ["GET /revocations ", "GET /revocations/stream", "GET /revocations?"] {
        issuer.server.answer(answer, Answer::Silence);
    }
    issuer.server.answer_keys(Answer::Silence);
    let (verifier, _) = started(&issuer.server.issuer, &folder, NOW);
    for sid in ["s", "t"] {
        assert_eq!(reason(&verifier, &issuer.token(sid)), Some(Reason::Revoked), "{sid}");
    }
}

#[tokio::test]
async fn what_comes_while_it_runs_is_in_the_file_soon() {
    let (issuer, folder) = (FeedServer::start().await, Folder::new("soon"));
    let (verifier, _) = started(&issuer.server.issuer, &folder, NOW);
    verifier.ready(SOON).await.unwrap();
    eventually("it reads the stream", || issuer.readers() > 0).await;
    issuer.revoke("s");
    let name = issuer.feed.lock().unwrap().name("sid", &["s"]);
    eventually("the name in the file", || folder.text().contains(&name)).await;
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1, "and nothing beside it");
}

//! Tokens that were verified before: what is remembered saves the signature, and nothing else is taken on trust (V94).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use passant_verifier::{CacheKey, ManualClock, Reason, TokenCache, Verifier};
use serde_json::{Value, json};

use crate::feed::{Feed, signed};
use crate::support::{AUDIENCE, ISSUER, NOW, TestKey, claims, claims_with, jwks, reason};

const ALL: [TokenCache; 3] = [
    TokenCache::OFF,
    TokenCache::OFF.entries(100).bytes(1 << 20),
    TokenCache::OFF.entries(100).bytes(1 << 20).key(CacheKey::Sha256),
];

/// A verifier that has followed this feed so far.
fn following(feed: &Feed, cache: TokenCache) -> (Verifier, ManualClock) {
    let clock = ManualClock::at(NOW);
    let builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).clock(clock.clone()).token_cache(cache);
    let verifier = builder.static_jwks(jwks(&[TestKey::first().jwk()])).revocations_handed_in().build().unwrap();
    tell(&verifier, &feed.snapshot());
    (verifier, clock)
}

fn tell(verifier: &Verifier, message: &Value) {
    verifier.take_revocations(&signed(&TestKey::first(), message)).unwrap();
}

fn pass(verifier: &Verifier, token: &str) {
    for turn in 0..3 {
        assert_eq!(reason(verifier, token), None, "{turn}");
    }
}

#[test]
fn a_token_that_passed_before_tells_the_same_again() {
    let mut all = claims();
    all["auth_time"] = json!(NOW - 5);
    all["acr"] = json!("p\u{e9}");
    all["aud"] = json!(["other", AUDIENCE]);
    let token = TestKey::first().sign(&all);
    for cache in ALL {
        let (verifier, clock) = following(&Feed::new(), cache);
        for turn in 0..3_u64 {
            let verified = verifier.verify(&token).unwrap();
            assert_eq!(verified.claims::<Value>().unwrap(), all);
            assert_eq!((verified.subject(), verified.client_id(), verified.issuer()), ("u-1", "shop-web", ISSUER));
            assert_eq!((verified.sid(), verified.gid(), verified.jti()), (Some("s-1"), Some("g-1"), Some("t-1")));
            assert_eq!((verified.acr(), verified.key_id(), verified.auth_time()), (Some("pé"), "first", Some(NOW - 5)));
            assert_eq!(verified.scopes().collect::<Vec<_>>(), ["openid", "orders:read"]);
            assert_eq!(verified.audience().collect::<Vec<_>>(), ["other", AUDIENCE]);
            assert_eq!(verified.revocations_age(), Some(Duration::from_secs(turn)), "the age is of this call");
            clock.advance(Duration::from_secs(1));
        }
    }
}

#[test]
fn a_revocation_reaches_a_remembered_token_at_once_at_every_level() {
    for cache in ALL {
        for (level, identifiers) in [
            ("iss", &[][..]),
            ("client_id", &["shop-web"]),
            ("sub", &["u-1"]),
            ("sub+client_id", &["u-1", "shop-web"]),
            ("sid", &["s-1"]),
            ("gid", &["g-1"]),
            ("jti", &["t-1"]),
            ("kid", &["first"]),
        ] {
            let mut feed = Feed::new();
            let (verifier, _) = following(&feed, cache);
            let token = TestKey::first().sign(&claims());
            pass(&verifier, &token);
            for (other, _) in [("sid", 0), ("jti", 1), ("client_id", 2)] {
                feed.revoke(other, &["somebody-elses"]);
                tell(&verifier, &feed.delta(feed.entries.len() - 1));
                pass(&verifier, &token);
            }
            feed.revoke(level, identifiers);
            tell(&verifier, &feed.delta(feed.entries.len() - 1));
            for _ in 0..3 {
                let error = verifier.verify(&token).unwrap_err();
                assert_eq!((error.reason(), error.detail().map(|detail| detail.contains(level))), (Reason::Revoked, Some(true)));
            }
        }
    }
}

#[test]
fn a_revocation_under_a_new_salt_reaches_a_remembered_token() {
    let feed = Feed::new();
    let (verifier, _) = following(&feed, TokenCache::default());
    let token = TestKey::first().sign(&claims());
    pass(&verifier, &token);
    let mut other = Feed { id: "feed-2".into(), salt: "cGVwcGVy".into(), iat: NOW + 1, ..Feed::new() };
    other.revoke("sid", &["another"]);
    tell(&verifier, &other.snapshot());
    pass(&verifier, &token);
    other.revoke("sid", &["s-1"]);
    tell(&verifier, &other.delta(other.entries.len() - 1));
    assert_eq!(reason(&verifier, &token), Some(Reason::Revoked));
}

#[test]
fn once_a_revocation_was_taken_in_no_thread_accepts_the_token() {
    let (mut feed, told) = (Feed::new(), AtomicBool::new(false));
    let (verifier, _) = following(&feed, TokenCache::default());
    let token = TestKey::first().sign(&claims());
    pass(&verifier, &token);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let must_refuse = told.load(Ordering::SeqCst);
                    let answer = reason(&verifier, &token);
                    if must_refuse {
                        break assert_eq!(answer, Some(Reason::Revoked));
                    }
                }
            });
        }
        for other in 0..50 {
            feed.revoke("sid", &[&format!("other-{other}")]);
            tell(&verifier, &feed.delta(feed.entries.len() - 1));
        }
        feed.revoke("gid", &["g-1"]);
        tell(&verifier, &feed.delta(feed.entries.len() - 1));
        told.store(true, Ordering::SeqCst);
    });
}

#[test]
fn time_is_judged_anew_and_in_both_directions() {
    for cache in ALL {
        let (verifier, clock) = following(&Feed::new(), cache);
        let token = TestKey::first().sign(&claims_with("nbf", json!(NOW - 10)));
        pass(&verifier, &token);
        for (now, refused) in [
            (NOW + 659, None),
            (NOW + 660, Some(Reason::Expired)),
            (NOW - 60, None),
            (NOW - 61, Some(Reason::IssuedInFuture)),
            (NOW - 71, Some(Reason::NotYetValid)),
            (NOW, None),
        ] {
            clock.set(now);
            assert_eq!(reason(&verifier, &token), refused, "{now}");
        }
    }
}

#[test]
fn revocations_that_grow_old_stop_remembered_tokens_too() {
    let feed = Feed { life: 600, ..Feed::new() };
    let (verifier, clock) = following(&feed, TokenCache::default());
    let token = TestKey::first().sign(&claims());
    pass(&verifier, &token);
    clock.advance(Duration::from_secs(600));
    pass(&verifier, &token);
    clock.advance(Duration::from_millis(1));
    assert_eq!(reason(&verifier, &token), Some(Reason::RevocationsStale));
}

#[test]
fn v94_a_token_that_differs_from_a_remembered_one_in_any_character_is_refused() {
    for cache in ALL {
        let (verifier, _) = following(&Feed::new(), cache);
        let token = TestKey::first().sign(&claims());
        pass(&verifier, &token);
        for at in 0..token.len() {
            for other in ['A', 'B', '.', '='] {
                let mut changed = token.clone();
                changed.replace_range(at..=at, &other.to_string());
                assert_eq!(reason(&verifier, &changed).is_none(), changed == token, "{at}");
            }
        }
        assert!(reason(&verifier, &token[..token.len() - 1]).is_some() && reason(&verifier, &format!("{token}A")).is_some());
        pass(&verifier, &token);
    }
}

#[test]
fn tokens_that_were_refused_are_not_remembered_as_good() {
    for cache in ALL {
        let (verifier, clock) = following(&Feed::new(), cache);
        let (ahead, forged) = (TestKey::first().sign(&claims_with("iat", json!(NOW + 61))), TestKey::second().sign(&claims()));
        let forged =
            forged.replacen(forged.split('.').next().unwrap(), TestKey::first().sign(&claims()).split('.').next().unwrap(), 1);
        for _ in 0..3 {
            assert_eq!(reason(&verifier, &ahead), Some(Reason::IssuedInFuture));
            assert_eq!(reason(&verifier, &forged), Some(Reason::BadSignature));
        }
        clock.advance(Duration::from_secs(1));
        assert_eq!((reason(&verifier, &ahead), reason(&verifier, &forged)), (None, Some(Reason::BadSignature)));
    }
}

#[test]
fn more_tokens_than_there_is_room_for_are_all_verified() {
    let (verifier, _) = following(&Feed::new(), TokenCache::default().entries(16).bytes(10_000));
    let tokens: Vec<_> = (0..50).map(|id| TestKey::first().sign(&claims_with("jti", json!(format!("t-{id}"))))).collect();
    for turn in 0..3 {
        for (id, token) in tokens.iter().enumerate() {
            assert_eq!(verifier.verify(token).unwrap().jti(), Some(&*format!("t-{id}")), "{turn}");
        }
    }
}

#[cfg(feature = "http")]
#[tokio::test]
async fn a_key_that_was_taken_away_or_exchanged_no_longer_vouches_for_remembered_tokens() {
    use crate::key_server::{Answer, KeyServer, published};
    use crate::support::builder_at;

    let server = KeyServer::start(&[TestKey::first(), TestKey::second()]).await;
    let verifier = builder_at(&server.issuer).build().unwrap();
    verifier.ready(Duration::from_secs(10)).await.unwrap();
    let token = server.token(&TestKey::first());
    pass(&verifier, &token);
    let impostor = TestKey::second().called("first");
    for (keys, refused) in [
        (published(&[TestKey::second()]), Some(Reason::UnknownKey)),
        (published(&[impostor]), Some(Reason::BadSignature)),
        (published(&[TestKey::second(), TestKey::first()]), None),
    ] {
        server.answer_keys(Answer::ok(&keys));
        verifier.refresh().await.unwrap();
        for _ in 0..3 {
            assert_eq!(reason(&verifier, &token), refused);
        }
    }
}

//! What was verified and is kept, for as long as a connection lives: judged again by whatever may have changed since.

use std::time::Duration;

use passant_verifier::{ManualClock, Reason, TokenCache, Verified, Verifier};
use serde_json::json;

use crate::feed::{Feed, signed};
use crate::support::{AUDIENCE, ISSUER, NOW, TestKey, claims, claims_with, jwks};

fn builder() -> passant_verifier::VerifierBuilder<passant_verifier::Given, passant_verifier::Given> {
    Verifier::builder().issuer(ISSUER).audience(AUDIENCE).static_jwks(jwks(&[TestKey::first().jwk()]))
}

fn following(feed: &Feed, cache: TokenCache) -> (Verifier, ManualClock) {
    let clock = ManualClock::at(NOW);
    let verifier = builder().clock(clock.clone()).token_cache(cache).revocations_handed_in().build().unwrap();
    verifier.take_revocations(&signed(&TestKey::first(), &feed.snapshot())).unwrap();
    (verifier, clock)
}

fn again(verifier: &Verifier, kept: &Verified) -> Option<Reason> {
    verifier.verify_again(kept).err().map(|refused| refused.reason())
}

#[test]
fn what_is_kept_is_refused_once_it_is_revoked_at_any_level() {
    for cache in [TokenCache::default(), TokenCache::OFF] {
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
            let kept = verifier.verify(&TestKey::first().sign(&claims())).unwrap();
            feed.revoke("sid", &["somebody-elses"]);
            verifier.take_revocations(&signed(&TestKey::first(), &feed.delta(feed.entries.len() - 1))).unwrap();
            assert_eq!(again(&verifier, &kept), None);
            feed.revoke(level, identifiers);
            verifier.take_revocations(&signed(&TestKey::first(), &feed.delta(feed.entries.len() - 1))).unwrap();
            assert_eq!(again(&verifier, &kept), Some(Reason::Revoked), "{level}");
        }
    }
}

#[test]
fn what_is_kept_grows_old_and_so_does_what_is_known_of_it() {
    let (verifier, clock) = following(&Feed { life: 600, ..Feed::new() }, TokenCache::OFF);
    let kept = verifier.verify(&TestKey::first().sign(&claims())).unwrap();
    clock.advance(Duration::from_secs(31));
    let (fresh, now) = (Duration::from_secs(30), verifier.verify_again(&kept).unwrap());
    assert_eq!(
        (kept.require_fresh(fresh).is_ok(), now.require_fresh(fresh).is_ok()),
        (true, false),
        "the age is of the judgement"
    );
    clock.advance(Duration::from_secs(600));
    assert_eq!(again(&verifier, &kept), Some(Reason::RevocationsStale));
    clock.set(NOW + 660);
    assert_eq!(again(&verifier, &kept), Some(Reason::Expired));
    clock.set(NOW - 61);
    assert_eq!(again(&verifier, &kept), Some(Reason::IssuedInFuture));
}

#[test]
fn another_verifier_judges_by_its_own_issuer_audience_and_keys() {
    let (verifier, clock) = following(&Feed::new(), TokenCache::OFF);
    let kept = verifier.verify(&TestKey::first().sign(&claims_with("aud", json!([AUDIENCE, "other"])))).unwrap();
    let at = |audience: &str, issuer: &str, key: TestKey| {
        let builder = Verifier::builder().issuer(issuer).audience(audience).clock(clock.clone());
        again(&builder.static_jwks(jwks(&[key.jwk()])).build().unwrap(), &kept)
    };
    assert_eq!(at("other", ISSUER, TestKey::first()), None);
    assert_eq!(at("another", ISSUER, TestKey::first()), Some(Reason::WrongAudience));
    assert_eq!(at("other", "https://login.example.net", TestKey::first()), Some(Reason::WrongIssuer));
    assert_eq!(at("other", ISSUER, TestKey::second()), Some(Reason::UnknownKey));
    assert_eq!(at("other", ISSUER, TestKey::second().called("first")), Some(Reason::UnknownKey), "a namesake proves nothing");
    let of_both = Verifier::any_of([
        Verifier::builder()
            .issuer("https://login.example.net")
            .audience("x")
            .clock(clock.clone())
            .static_jwks(jwks(&[TestKey::second().jwk()]))
            .build()
            .unwrap(),
        verifier.clone(),
    ]);
    assert_eq!(again(&of_both.unwrap(), &kept), None);
}

#[test]
fn another_verifier_judges_by_the_revocations_that_it_knows_of() {
    let (mut feed, token) = (Feed::new(), TestKey::first().sign(&claims()));
    feed.revoke("sid", &["somebody-elses"]);
    let (verifier, _) = following(&feed, TokenCache::OFF);
    let kept = verifier.verify(&token).unwrap();
    let mut other = Feed::new();
    other.revoke("sid", &["s-1"]);
    assert_eq!(again(&following(&other, TokenCache::OFF).0, &kept), Some(Reason::Revoked));
    assert_eq!(again(&verifier, &kept), None);
}

#[cfg(feature = "http")]
#[tokio::test]
async fn what_is_kept_lasts_as_long_as_its_key_is_published_in_whatever_set() {
    use crate::key_server::{Answer, KeyServer, published};
    use crate::support::builder_at;

    let server = KeyServer::start(&[TestKey::first()]).await;
    let verifier = builder_at(&server.issuer).build().unwrap();
    verifier.ready(Duration::from_secs(10)).await.unwrap();
    let kept = verifier.verify(&server.token(&TestKey::first())).unwrap();
    for (keys, refused) in [
        (published(&[TestKey::second(), TestKey::first()]), None),
        (published(&[TestKey::second()]), Some(Reason::UnknownKey)),
        (published(&[TestKey::second().called("first")]), Some(Reason::UnknownKey)),
        (published(&[TestKey::first()]), None),
    ] {
        server.answer_keys(Answer::ok(&keys));
        verifier.refresh().await.unwrap();
        assert_eq!(again(&verifier, &kept), refused);
    }
}

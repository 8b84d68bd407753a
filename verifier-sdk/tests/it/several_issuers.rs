//! Several issuers in one verifier: what is one issuer's stays that issuer's (V26, V28).

use std::time::Duration;

use passant_verifier::{BuildError, FeedError, FeedOutcome, Given, ManualClock, Reason, Verifier, VerifierBuilder};
use serde_json::{Value, json};

use crate::feed::{Feed, signed};
use crate::support::{AUDIENCE, ISSUER, NOW, TestKey, claims, jwks, reason};

const OTHER: &str = "https://login.example.net";

/// The second key, under the name that the first one has.
fn namesake() -> TestKey {
    let mut key = TestKey::second();
    key.kid = "first";
    key
}

fn builder(issuer: &str, key: &TestKey) -> VerifierBuilder<Given, Given> {
    let builder = Verifier::builder().issuer(issuer).audience(AUDIENCE).clock(ManualClock::at(NOW));
    builder.static_jwks(jwks(&[key.jwk()]))
}

fn one() -> Verifier {
    builder(ISSUER, &TestKey::first()).build().unwrap()
}

fn other() -> Verifier {
    builder(OTHER, &namesake()).build().unwrap()
}

fn claims_of(issuer: &str) -> Value {
    let mut claims = claims();
    claims["iss"] = json!(issuer);
    claims
}

#[test]
fn v26_a_key_speaks_for_its_own_issuer_alone_whatever_its_kid_is() {
    for both in [Verifier::any_of([one(), other()]).unwrap(), Verifier::any_of([other(), one()]).unwrap()] {
        for (issuer, key, refused) in [
            (ISSUER, TestKey::first(), None),
            (OTHER, namesake(), None),
            (ISSUER, namesake(), Some(Reason::BadSignature)),
            (OTHER, TestKey::first(), Some(Reason::BadSignature)),
        ] {
            assert_eq!(reason(&both, &key.sign(&claims_of(issuer))), refused, "{issuer}");
        }
        let verified = both.verify(&namesake().sign(&claims_of(OTHER))).unwrap();
        assert_eq!((verified.issuer(), verified.key_id()), (OTHER, "first"));
    }
    let another = builder(OTHER, &TestKey::second()).build().unwrap();
    let both = Verifier::any_of([one(), another]).unwrap();
    assert_eq!(reason(&both, &TestKey::second().sign(&claims_of(ISSUER))), Some(Reason::UnknownKey));
}

#[test]
fn v28_an_issuer_that_was_not_named_is_refused() {
    let both = Verifier::any_of([one(), other()]).unwrap();
    for issuer in ["https://evil.example", "https://id.example.com/", "https://login.example.net.evil.example"] {
        for key in [TestKey::first(), namesake()] {
            assert_eq!(reason(&both, &key.sign(&claims_of(issuer))), Some(Reason::WrongIssuer), "{issuer}");
        }
    }
    let mut nobody = claims();
    nobody.as_object_mut().unwrap().remove("iss");
    assert_eq!(reason(&both, &TestKey::first().sign(&nobody)), Some(Reason::ClaimMissing));
    nobody["iss"] = json!([ISSUER, OTHER]);
    assert_eq!(reason(&both, &TestKey::first().sign(&nobody)), Some(Reason::ClaimMalformed));
}

#[test]
fn every_setting_is_its_own_issuers() {
    let other = Verifier::builder().issuer(OTHER).audience("stock-api").leeway(Duration::ZERO);
    let other = other.max_lifetime(Duration::from_secs(60)).clock(ManualClock::at(NOW + 70));
    let both = Verifier::any_of([one(), other.static_jwks(jwks(&[namesake().jwk()])).build().unwrap()]).unwrap();
    let judged = |issuer: &str, aud: &str, life: i64| {
        let mut claims = claims_of(issuer);
        (claims["aud"], claims["exp"]) = (json!(aud), json!(NOW + life));
        let key = if issuer == ISSUER { TestKey::first() } else { namesake() };
        reason(&both, &key.sign(&claims))
    };
    assert_eq!((judged(ISSUER, AUDIENCE, 10), judged(ISSUER, AUDIENCE, 600)), (None, None));
    assert_eq!(
        (judged(ISSUER, "stock-api", 10), judged(OTHER, AUDIENCE, 71)),
        (Some(Reason::WrongAudience), Some(Reason::WrongAudience))
    );
    assert_eq!(
        (judged(OTHER, "stock-api", 60), judged(OTHER, "stock-api", 80)),
        (Some(Reason::Expired), Some(Reason::LivesTooLong))
    );
}

#[test]
fn verifiers_that_would_speak_for_each_other_are_not_put_together() {
    let refused = |verifiers: &[Verifier]| Verifier::any_of(verifiers.iter().cloned()).unwrap_err();
    assert_eq!(refused(&[]), BuildError::NoIssuer);
    assert_eq!(refused(&[one(), other(), one()]), BuildError::SameIssuer(ISSUER.to_owned()));
    let any = Verifier::builder().dangerous_accept_any_issuer().audience(AUDIENCE).static_jwks(jwks(&[TestKey::first().jwk()]));
    let any = any.build().unwrap();
    assert_eq!(refused(&[any.clone(), one()]), BuildError::AnyIssuerAmongOthers);
    assert_eq!(refused(&[one(), any]), BuildError::AnyIssuerAmongOthers);
    let optional = |issuer| builder(issuer, &TestKey::first()).optional().build().unwrap();
    assert_eq!(refused(&[optional(ISSUER), optional(OTHER)]), BuildError::AllOptional);
    assert!(Verifier::any_of([optional(ISSUER), other()]).is_ok());

    let nested = Verifier::any_of([Verifier::any_of([one(), other()]).unwrap()]).unwrap();
    let issuers: Vec<_> = nested.health_of_each().into_iter().map(|health| health.issuer.unwrap()).collect();
    assert_eq!(issuers, [ISSUER, OTHER]);
    assert_eq!(refused(&[nested, one()]), BuildError::SameIssuer(ISSUER.to_owned()));
}

#[test]
fn a_message_of_a_feed_reaches_the_issuer_that_signed_it_and_no_other() {
    let following = |issuer, key: &TestKey| builder(issuer, key).revocations_handed_in().build().unwrap();
    let both = Verifier::any_of([following(ISSUER, &TestKey::first()), following(OTHER, &namesake())]).unwrap();
    assert!(!both.is_ready());
    let feed_of = |issuer: &str, sid: &str| {
        let mut feed = Feed { issuer: issuer.to_owned(), ..Feed::new() };
        feed.revoke("sid", &[sid]);
        feed.snapshot()
    };
    let take = |key: &TestKey, message: &Value| both.take_revocations(&signed(key, message));
    assert_eq!(take(&namesake(), &feed_of(ISSUER, "s-1")), Err(FeedError::BadSignature));
    assert_eq!(take(&TestKey::first(), &feed_of("https://evil.example", "s-1")), Err(FeedError::OtherIssuer));
    assert!(matches!(both.take_revocations("junk"), Err(FeedError::NotAMessage(_))));
    assert_eq!(take(&TestKey::first(), &feed_of(ISSUER, "s-1")), Ok(FeedOutcome::Moved));
    let refused = |issuer: &str, key: &TestKey| reason(&both, &key.sign(&claims_of(issuer)));
    assert_eq!(refused(ISSUER, &TestKey::first()), Some(Reason::Revoked));
    assert_eq!(refused(OTHER, &namesake()), Some(Reason::RevocationsMissing));
    assert!(!both.is_ready() && both.health().issuer.as_deref() == Some(OTHER), "the worst off is told");
    assert_eq!(take(&namesake(), &feed_of(OTHER, "s-2")), Ok(FeedOutcome::Moved));
    assert_eq!((refused(ISSUER, &TestKey::first()), refused(OTHER, &namesake())), (Some(Reason::Revoked), None));
    assert!(both.is_ready());
}

#[cfg(feature = "http")]
mod fetched {
    use passant_verifier::KeyState;

    use super::*;
    use crate::key_server::{Answer, KeyServer, published};
    use crate::support::builder_at;

    const SOON: Duration = Duration::from_secs(10);

    /// Two issuers, the second of which gives no keys.
    async fn one_of_two_is_down() -> (KeyServer, KeyServer) {
        let (up, down) = (KeyServer::start(&[TestKey::first()]).await, KeyServer::start(&[namesake()]).await);
        down.answer_keys(Answer::with("503 Service Unavailable", "", ""));
        (up, down)
    }

    #[tokio::test]
    async fn each_issuers_keys_are_fetched_and_all_are_needed_unless_one_is_optional() {
        let (up, down) = one_of_two_is_down().await;
        let built = |server: &KeyServer| builder_at(&server.issuer).build().unwrap();
        let (one, other) = (built(&up), built(&down));
        let both = Verifier::any_of([one.clone(), other]).unwrap();
        one.ready(SOON).await.unwrap();
        assert!(both.ready(Duration::from_millis(50)).await.unwrap_err().to_string().contains("503"));
        assert!(!both.is_ready());
        assert_eq!((both.health().keys, both.health().issuer), (KeyState::Missing, Some(down.issuer.clone())));
        assert_eq!(reason(&both, &up.token(&TestKey::first())), None, "the other's trouble is the other's");
        assert_eq!(reason(&both, &down.token(&namesake())), Some(Reason::KeysMissing));

        let optional = builder_at(&down.issuer).optional().build().unwrap();
        let lenient = Verifier::any_of([one, optional.clone()]).unwrap();
        lenient.ready(SOON).await.unwrap();
        assert!(lenient.is_ready() && !optional.is_ready(), "alone it is needed all the same");

        both.refresh().await.unwrap_err();
        let before = (up.key_requests().len(), down.key_requests().len());
        down.answer_keys(Answer::ok(&published(&[namesake()])));
        both.refresh().await.unwrap();
        assert!(both.is_ready() && up.key_requests().len() > before.0 && down.key_requests().len() > before.1);
        assert_eq!(reason(&both, &down.token(&namesake())), None);
    }

    #[tokio::test]
    async fn v28_a_token_makes_nobody_be_asked_but_the_issuer_that_it_is_plausibly_of() {
        let (one, other) = (KeyServer::start(&[TestKey::first()]).await, KeyServer::start(&[TestKey::first()]).await);
        let both = [&one, &other].map(|server| builder_at(&server.issuer).build().unwrap());
        let both = Verifier::any_of(both).unwrap();
        both.ready(SOON).await.unwrap();
        let before = (one.requests(), other.requests());
        let elsewhere = KeyServer::start(&[TestKey::second()]).await;
        assert_eq!(reason(&both, &elsewhere.token(&TestKey::second())), Some(Reason::WrongIssuer));
        assert_eq!(reason(&both, &other.token(&TestKey::second())), Some(Reason::UnknownKey));
        other.answer_keys(Answer::ok(&published(&[TestKey::second()])));
        crate::feed_server::eventually("the new key", || reason(&both, &other.token(&TestKey::second())).is_none()).await;
        assert_eq!((one.requests(), elsewhere.requests()), (before.0, 0));
        assert!(other.requests() > before.1);
    }

    #[tokio::test]
    async fn two_issuers_do_not_keep_one_file() {
        let path = std::env::temp_dir().join(format!("passant-verifier-two-{}", std::process::id()));
        let keeping = |issuer: &str| builder_at(issuer).last_known_good(&path).build().unwrap();
        let together = [keeping("http://127.0.0.1:9/one"), keeping("http://127.0.0.1:9/other")];
        assert!(matches!(Verifier::any_of(together).unwrap_err(), BuildError::LastKnownGood(_)));
    }

    #[tokio::test]
    async fn an_issuer_put_together_with_others_is_followed_on_when_its_own_verifier_goes() {
        let server = KeyServer::start(&[TestKey::first()]).await;
        let one = builder_at(&server.issuer).build().unwrap();
        let both = Verifier::any_of([one.clone(), other()]).unwrap();
        both.ready(SOON).await.unwrap();
        drop(one);
        both.refresh().await.unwrap();
    }
}

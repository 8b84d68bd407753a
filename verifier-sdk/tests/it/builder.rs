//! What the builder refuses.

use std::time::Duration;

use passant_verifier::{BuildError, TokenCache, Verifier};

use crate::support::{AUDIENCE, ISSUER, TestKey, jwks};

#[test]
fn settings_that_make_no_sense_are_refused() {
    let keys = jwks(&[TestKey::first().jwk()]);
    let builder = || Verifier::builder().issuer(ISSUER).audience(AUDIENCE).static_jwks(keys.clone());
    assert!(builder().leeway(Duration::from_secs(300)).build().is_ok());
    assert_eq!(builder().leeway(Duration::from_secs(301)).build().unwrap_err(), BuildError::Leeway);
    assert_eq!(builder().max_lifetime(Duration::ZERO).build().unwrap_err(), BuildError::MaxLifetime);
    assert_eq!(builder().max_stale(Duration::ZERO).build().unwrap_err(), BuildError::MaxStale);
    assert_eq!(builder().max_stale(Duration::MAX).build().unwrap_err(), BuildError::MaxStale);
    assert_eq!(builder().also_audience("").build().unwrap_err(), BuildError::Audience);
    let plain = Verifier::builder().issuer("http://id.example.com").audience(AUDIENCE).static_jwks(keys.clone());
    assert!(matches!(plain.build().unwrap_err(), BuildError::Issuer(_)));
}

#[test]
fn keys_must_come_from_somewhere() {
    let nowhere = Verifier::builder().dangerous_accept_any_issuer().audience(AUDIENCE).build();
    assert_eq!(nowhere.unwrap_err(), BuildError::NoKeys);
    let no_runtime = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).build().unwrap_err();
    assert_eq!(no_runtime, if cfg!(feature = "http") { BuildError::NoRuntime } else { BuildError::NoKeys });
    let plain = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).jwks_uri("http://id.example.com/jwks").build();
    assert!(matches!(plain.unwrap_err(), BuildError::JwksUri(_)));
}

#[test]
fn a_further_audience_is_one_more_and_not_another() {
    use crate::support::{NOW, claims, claims_with, reason};
    let builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).also_audience("stock-api");
    let builder = builder.static_jwks(jwks(&[TestKey::first().jwk()])).clock(passant_verifier::ManualClock::at(NOW));
    let verifier = builder.build().unwrap();
    for claims in [claims(), claims_with("aud", "stock-api".into())] {
        assert_eq!(reason(&verifier, &TestKey::first().sign(&claims)), None);
    }
}

#[test]
fn settings_of_revocations_that_make_no_sense_are_refused() {
    let keys = jwks(&[TestKey::first().jwk()]);
    let builder = || Verifier::builder().issuer(ISSUER).audience(AUDIENCE).static_jwks(keys.clone());
    for age in [Duration::ZERO, Duration::from_millis(3_600_001), Duration::MAX] {
        let refused = builder().revocations_max_age(age).revocations_handed_in().build().unwrap_err();
        assert_eq!(refused, BuildError::RevocationsMaxAge, "{age:?}");
    }
    assert!(builder().revocations_max_age(Duration::from_secs(3_600)).revocations_handed_in().build().is_ok());
    assert!(builder().revocations_max_age(Duration::from_secs(1)).revocations_handed_in().build().is_ok());
    let any = Verifier::builder().dangerous_accept_any_issuer().audience(AUDIENCE).static_jwks(keys.clone());
    assert_eq!(any.revocations_handed_in().build().unwrap_err(), BuildError::RevocationsWithoutIssuer);
}

#[cfg(feature = "http")]
#[test]
fn addresses_secrets_and_names_of_the_feed_are_judged_before_anything_is_fetched() {
    let keys = jwks(&[TestKey::first().jwk()]);
    let builder = || Verifier::builder().issuer(ISSUER).audience(AUDIENCE).static_jwks(keys.clone());
    for uri in ["", "id.example.com/revocations", "http://id.example.com/revocations", "ftp://id.example.com"] {
        assert!(matches!(builder().revocations(uri).build().unwrap_err(), BuildError::RevocationsUri(_)), "{uri}");
    }
    for secret in ["", "a b", "a\nb", "\u{e4}", &"x".repeat(4_097)] {
        assert_eq!(builder().feed_bearer(secret).build().unwrap_err(), BuildError::FeedBearer, "{secret}");
    }
    for (name, instance) in [("", "i"), ("n", ""), ("n n", "i"), ("n", "i\n"), (&*"n".repeat(65), "i"), ("\u{e4}", "i")] {
        assert_eq!(builder().follower_name(name, instance).build().unwrap_err(), BuildError::FollowerName, "{name} {instance}");
    }
    assert!(matches!(builder().last_known_good("kept").build().unwrap_err(), BuildError::LastKnownGood(_)));
    let nameless = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).last_known_good("/");
    assert!(matches!(nameless.build().unwrap_err(), BuildError::LastKnownGood(_)));
}

#[test]
fn no_more_than_a_million_tokens_are_remembered() {
    let build = |entries| {
        let builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).static_jwks(jwks(&[TestKey::first().jwk()]));
        builder.token_cache(TokenCache::default().entries(entries)).build().err()
    };
    assert_eq!((build(1_000_000), build(1_000_001)), (None, Some(BuildError::TokenCache)));
}

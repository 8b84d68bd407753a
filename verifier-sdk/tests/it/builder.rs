//! What the builder refuses.

use std::time::Duration;

use passant_verifier::{BuildError, Verifier};

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

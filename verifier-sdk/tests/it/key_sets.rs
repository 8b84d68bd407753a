//! Which published keys are used (V09–V14, V27, V56–V59, V85, V86).

use passant_verifier::{BuildError, JwksError, KeyState, Reason, SkipReason, Verifier};
use serde_json::{Value, json};

use crate::support::{AUDIENCE, ISSUER, NOW, TestKey, b64, claims, jwks, reason};

fn build(document: &str) -> Result<Verifier, BuildError> {
    let clock = passant_verifier::ManualClock::at(NOW);
    Verifier::builder().issuer(ISSUER).audience(AUDIENCE).clock(clock).static_jwks(document).build()
}

/// The first key with one member changed; `null` takes the member away.
fn spoiled(member: &str, value: Value) -> Value {
    let mut jwk = TestKey::first().jwk();
    let members = jwk.as_object_mut().unwrap();
    if value.is_null() {
        members.remove(member)
    } else {
        members.insert(member.to_owned(), value)
    };
    jwk
}

#[test]
fn v86_a_bad_key_is_left_out_and_named_and_the_others_stay() {
    let token = TestKey::first().sign(&claims());
    for (member, value, why) in [
        ("use", json!("enc"), SkipReason::OtherUse),
        ("key_ops", json!(["sign"]), SkipReason::OtherUse),
        ("key_ops", json!(["encrypt", "wrapKey"]), SkipReason::OtherUse),
        ("key_ops", json!("verify"), SkipReason::Malformed),
        ("alg", json!("RS384"), SkipReason::OtherAlgorithm),
        ("alg", json!("PS256"), SkipReason::OtherAlgorithm),
        ("alg", json!(7), SkipReason::Malformed),
        ("kty", json!("oct"), SkipReason::Symmetric),
        ("kty", json!("EC"), SkipReason::Malformed),
        ("kty", json!("rsa"), SkipReason::OtherType),
        ("kty", Value::Null, SkipReason::Malformed),
        ("d", json!("AQAB"), SkipReason::Private),
        ("p", json!("AQAB"), SkipReason::Private),
        ("kid", Value::Null, SkipReason::NoKid),
        ("kid", json!(""), SkipReason::NoKid),
        ("kid", json!("x".repeat(129)), SkipReason::NoKid),
        ("n", Value::Null, SkipReason::Malformed),
        ("n", json!(65537), SkipReason::Malformed),
        ("n", json!(format!("{}=", b64(&TestKey::first().modulus()))), SkipReason::Malformed),
        ("n", json!(b64(&[&[0][..], &TestKey::first().modulus()].concat())), SkipReason::Malformed),
        ("n", json!(b64(&TestKey::first().modulus()[1..])), SkipReason::WeakModulus),
        ("e", json!("Aw"), SkipReason::WeakExponent),
        ("e", json!("AQAB="), SkipReason::Malformed),
        ("e", Value::Null, SkipReason::Malformed),
    ] {
        let what = format!("{member} {value}");
        let verifier = build(&jwks(&[spoiled(member, value.clone()), TestKey::second().jwk()])).unwrap();
        let health = verifier.health();
        assert_eq!((health.keys, health.usable_keys), (KeyState::Fresh, 1), "{what}");
        assert_eq!(health.skipped_keys.iter().map(|key| key.reason).collect::<Vec<_>>(), [why], "{what}");
        assert_eq!(reason(&verifier, &token), Some(Reason::UnknownKey), "{what}");
        assert_eq!(reason(&verifier, &TestKey::second().sign(&claims())), None, "{what}");
        assert_eq!(
            build(&jwks(&[spoiled(member, value)])).unwrap_err(),
            BuildError::StaticJwks(JwksError::NoUsableKey),
            "{what}"
        );
    }
}

#[test]
fn v08_v38_members_that_may_be_absent_or_are_unknown_do_no_harm() {
    for (member, value) in [("use", Value::Null), ("alg", Value::Null), ("x5c", json!(["MII"])), ("key_ops", json!(["verify"]))] {
        let verifier = build(&jwks(&[spoiled(member, value)])).unwrap();
        assert_eq!(reason(&verifier, &TestKey::first().sign(&claims())), None, "{member}");
    }
}

#[test]
fn v27_two_keys_of_one_kid_are_both_left_out() {
    let mut twin = TestKey::second().jwk();
    twin["kid"] = json!("first");
    assert_eq!(
        build(&jwks(&[TestKey::first().jwk(), twin.clone()])).unwrap_err(),
        BuildError::StaticJwks(JwksError::NoUsableKey)
    );
    let verifier = build(&jwks(&[TestKey::first().jwk(), twin, TestKey::second().jwk()])).unwrap();
    assert_eq!(verifier.health().usable_keys, 1);
    assert_eq!(reason(&verifier, &TestKey::first().sign(&claims())), Some(Reason::UnknownKey));
}

#[test]
fn v82_v85_what_is_no_key_set_is_refused_whole() {
    let good = jwks(&[TestKey::first().jwk()]);
    for text in
        ["", "{}", "null", "[]", "<html>", r#"{"keys":{}}"#, r#"{"keys":null}"#, &format!("{good}x"), r#"{"keys":[],"keys":[]}"#]
    {
        assert_eq!(build(text).unwrap_err(), BuildError::StaticJwks(JwksError::NotAKeySet), "{text}");
    }
    for end in 0..good.len() {
        assert_eq!(build(&good[..end]).unwrap_err(), BuildError::StaticJwks(JwksError::NotAKeySet), "cut at {end}");
    }
    assert_eq!(build(r#"{"keys":[]}"#).unwrap_err(), BuildError::StaticJwks(JwksError::NoUsableKey));
    assert_eq!(build(r#"{"keys":[1,null,"x",[]]}"#).unwrap_err(), BuildError::StaticJwks(JwksError::NoUsableKey));
    let keys: Vec<_> = (0..65).map(|i| spoiled("kid", json!(format!("k{i}")))).collect();
    assert!(build(&jwks(&keys[..64])).is_ok());
    assert_eq!(build(&jwks(&keys)).unwrap_err(), BuildError::StaticJwks(JwksError::TooManyKeys));
    assert_eq!(build(&format!("{good}{}", " ".repeat(256 * 1024))).unwrap_err(), BuildError::StaticJwks(JwksError::TooLarge));
}

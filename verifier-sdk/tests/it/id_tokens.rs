//! ID tokens against the request that they answer (V34, V74), and by the same clocks and forms as access tokens (V60–V66, V76).

use std::time::Duration;

use passant_verifier::{IdTokenExpectations, ManualClock, Nonce, Reason, VerifiedIdToken, Verifier, VerifyError};
use serde_json::{Value, json};

use crate::feed::{Feed, signed};
use crate::support::{AUDIENCE, ISSUER, NOW, TestKey, claims, fixed, jwks, typed};

const CLIENT: &str = "shop-web";

/// The hashes of "access-token" and "code", computed by other means: `printf code | sha256sum`, the first half.
const AT_HASH: &str = "Pxa-1wifRlPl7yG_0oJNfw";
const C_HASH: &str = "VpTQii5T_8rgwxA-Wtb2Bw";

fn id_claims() -> Value {
    json!({ "iss": ISSUER, "sub": "u-1", "aud": CLIENT, "iat": NOW, "exp": NOW + 300, "nonce": "n-1", "auth_time": NOW - 100,
        "acr": "pwd", "amr": ["pwd", "otp"], "sid": "s-1", "at_hash": AT_HASH, "c_hash": C_HASH })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = id_claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = id_claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn expected() -> IdTokenExpectations<'static> {
    IdTokenExpectations::new(CLIENT, Nonce::sent("n-1"))
}

fn verify(claims: &Value, expected: &IdTokenExpectations<'_>) -> Result<VerifiedIdToken, VerifyError> {
    fixed().0.verify_id_token(&typed(Some("JWT"), claims), expected)
}

fn refused(claims: &Value, expected: &IdTokenExpectations<'_>) -> Option<Reason> {
    verify(claims, expected).err().map(|error| error.reason())
}

#[test]
fn a_good_id_token_passes_and_tells_of_the_sign_in() {
    let verified = verify(&id_claims(), &expected()).unwrap();
    assert_eq!((verified.issuer(), verified.subject(), verified.key_id()), (ISSUER, "u-1", "first"));
    assert_eq!((verified.audience(), verified.amr()), (&[CLIENT.to_owned()][..], &["pwd".to_owned(), "otp".to_owned()][..]));
    assert_eq!((verified.auth_time(), verified.acr(), verified.sid()), (Some(NOW - 100), Some("pwd"), Some("s-1")));
    assert_eq!((verified.issued_at(), verified.expires_at()), (NOW, NOW + 300));
    assert_eq!(verified.claims::<Value>().unwrap(), id_claims());
    let bare = json!({ "iss": ISSUER, "sub": "u-1", "aud": [CLIENT], "iat": NOW, "exp": NOW + 300 });
    let verified = verify(&bare, &IdTokenExpectations::new(CLIENT, Nonce::not_sent())).unwrap();
    assert_eq!((verified.auth_time(), verified.acr(), verified.sid(), verified.amr().len()), (None, None, None, 0));
}

#[test]
fn v34_neither_kind_passes_for_the_other() {
    let (verifier, _) = fixed();
    assert_eq!(verifier.verify(&typed(Some("JWT"), &id_claims())).unwrap_err().reason(), Reason::TypNotAllowed);
    for typ in ["at+jwt", "application/at+jwt", "logout+jwt", "dpop+jwt", "id+jwt", ""] {
        let answer = verifier.verify_id_token(&typed(Some(typ), &id_claims()), &expected());
        assert_eq!(answer.unwrap_err().reason(), Reason::TypNotAllowed, "{typ}");
    }
    for typ in [Some("JWT"), Some("jwt"), Some("application/jwt"), None] {
        assert!(verifier.verify_id_token(&typed(typ, &id_claims()), &expected()).is_ok(), "{typ:?}");
    }
    for (name, value) in [
        ("events", json!({ "http://schemas.openid.net/event/backchannel-logout": {} })),
        ("token_use", json!("access")),
        ("typ", json!("Bearer")),
        ("typ", json!("Refresh")),
    ] {
        assert_eq!(refused(&with(name, value), &expected()), Some(Reason::TypNotAllowed), "{name}");
    }
    assert_eq!(refused(&with("typ", json!("ID")), &expected()), None);
    assert_eq!(refused(&with("token_use", json!("id")), &expected()), None);
    let access = IdTokenExpectations::new(AUDIENCE, Nonce::dangerous_unchecked());
    assert!(refused(&claims(), &access).is_none(), "only the type tells them apart where all else is waived");
}

#[test]
fn v74_the_nonce_is_the_one_that_was_sent() {
    let by = |nonce| IdTokenExpectations::new(CLIENT, nonce);
    for (claims, nonce, reason) in [
        (id_claims(), Nonce::sent("n-1"), None),
        (id_claims(), Nonce::sent("N-1"), Some(Reason::WrongNonce)),
        (id_claims(), Nonce::sent(""), Some(Reason::WrongNonce)),
        (id_claims(), Nonce::not_sent(), Some(Reason::WrongNonce)),
        (id_claims(), Nonce::sent_before("n-1"), None),
        (id_claims(), Nonce::sent_before("n-0"), Some(Reason::WrongNonce)),
        (id_claims(), Nonce::dangerous_unchecked(), None),
        (without("nonce"), Nonce::sent("n-1"), Some(Reason::ClaimMissing)),
        (without("nonce"), Nonce::sent(""), Some(Reason::ClaimMissing)),
        (without("nonce"), Nonce::not_sent(), None),
        (without("nonce"), Nonce::sent_before("n-1"), None),
        (without("nonce"), Nonce::dangerous_unchecked(), None),
        (with("nonce", json!("")), Nonce::sent(""), Some(Reason::ClaimMalformed)),
        (with("nonce", json!(["n-1"])), Nonce::sent("n-1"), Some(Reason::ClaimMalformed)),
    ] {
        assert_eq!(refused(&claims, &by(nonce)), reason, "{claims}");
    }
}

#[test]
fn v65_v74_the_token_is_for_this_client_and_for_nobody_unknown() {
    for (aud, azp, reason) in [
        (json!(CLIENT), None, None),
        (json!(CLIENT), Some(CLIENT), None),
        (json!(CLIENT), Some("evil"), Some(Reason::WrongClient)),
        (json!("shop-web2"), None, Some(Reason::WrongAudience)),
        (json!("Shop-web"), None, Some(Reason::WrongAudience)),
        (json!("evil"), Some(CLIENT), Some(Reason::WrongAudience)),
        (json!([CLIENT, "evil"]), Some(CLIENT), Some(Reason::WrongAudience)),
        (json!([CLIENT, CLIENT]), Some(CLIENT), None),
        (json!([CLIENT, CLIENT]), None, Some(Reason::ClaimMissing)),
        (json!([]), None, Some(Reason::ClaimMalformed)),
        (json!([CLIENT, 7]), None, Some(Reason::ClaimMalformed)),
        (json!({}), None, Some(Reason::ClaimMalformed)),
    ] {
        let mut claims = with("aud", aud);
        if let Some(azp) = azp {
            claims["azp"] = json!(azp);
        }
        assert_eq!(refused(&claims, &expected()), reason, "{claims}");
    }
    let mut two = with("aud", json!(["partner", CLIENT]));
    let trusting = expected().trusted_audience("partner");
    assert_eq!(refused(&two, &trusting), Some(Reason::ClaimMissing));
    two["azp"] = json!("partner");
    assert_eq!(refused(&two, &trusting), Some(Reason::WrongClient));
    two["azp"] = json!(CLIENT);
    assert_eq!((refused(&two, &trusting), refused(&two, &expected())), (None, Some(Reason::WrongAudience)));
    let phone = with("azp", json!("shop-app"));
    let from_phone = expected().authorized_party("shop-app");
    assert_eq!((refused(&phone, &from_phone), refused(&phone, &expected())), (None, Some(Reason::WrongClient)));
    assert_eq!(refused(&with("azp", json!("shop-tv")), &from_phone), Some(Reason::WrongClient));
}

#[test]
fn v74_hashes_fit_what_came_with_the_token() {
    for (claims, expected, reason) in [
        (id_claims(), expected().access_token("access-token"), None),
        (id_claims(), expected().access_token("another-token"), Some(Reason::WrongHash)),
        (id_claims(), expected().access_token(""), Some(Reason::WrongHash)),
        (without("at_hash"), expected().access_token("access-token"), None),
        (without("at_hash"), expected().access_token_of_front_channel("access-token"), Some(Reason::ClaimMissing)),
        (id_claims(), expected().access_token_of_front_channel("access-token"), None),
        (id_claims(), expected().access_token_of_front_channel("another-token"), Some(Reason::WrongHash)),
        (id_claims(), expected().code_of_front_channel("code"), None),
        (id_claims(), expected().code_of_front_channel("another"), Some(Reason::WrongHash)),
        (without("c_hash"), expected().code_of_front_channel("code"), Some(Reason::ClaimMissing)),
        (with("at_hash", json!(format!("{AT_HASH}="))), expected().access_token("access-token"), Some(Reason::WrongHash)),
        (with("at_hash", json!(&AT_HASH[..21])), expected().access_token("access-token"), Some(Reason::WrongHash)),
        (with("at_hash", json!(7)), expected(), Some(Reason::ClaimMalformed)),
        (with("at_hash", json!("")), expected(), Some(Reason::ClaimMalformed)),
    ] {
        assert_eq!(refused(&claims, &expected), reason, "{claims}");
    }
}

#[test]
fn v74_the_sign_in_is_recent_and_strong_enough() {
    let (verifier, clock) = fixed();
    let token = typed(None, &with("exp", json!(NOW + 3_600)));
    let judged = |max_age: u64| {
        let expected = expected().max_age(Duration::from_secs(max_age));
        verifier.verify_id_token(&token, &expected).err().map(|error| error.reason())
    };
    assert_eq!((judged(40), judged(39)), (None, Some(Reason::SignInTooOld)));
    clock.advance(Duration::from_millis(1));
    assert_eq!((judged(41), judged(40)), (None, Some(Reason::SignInTooOld)));
    assert_eq!(judged(u64::MAX), None);
    let aged = || expected().max_age(Duration::ZERO);
    assert_eq!(refused(&without("auth_time"), &aged()), Some(Reason::ClaimMissing));
    assert_eq!(refused(&with("auth_time", json!(NOW + 60)), &aged()), None);
    assert_eq!(refused(&with("auth_time", json!(NOW + 61)), &aged()), Some(Reason::IssuedInFuture));
    assert_eq!(refused(&with("auth_time", json!("yesterday")), &expected()), Some(Reason::ClaimMalformed));

    assert_eq!(refused(&id_claims(), &expected().acr_values(["mfa", "pwd"])), None);
    assert_eq!(refused(&id_claims(), &expected().acr_values(["mfa"])), Some(Reason::WrongAcr));
    assert_eq!(refused(&id_claims(), &expected().acr_values(["pw"])), Some(Reason::WrongAcr));
    assert_eq!(refused(&without("acr"), &expected().acr_values(["pwd"])), Some(Reason::ClaimMissing));
    for odd in [json!("pwd"), json!(["pwd", 1]), json!({}), Value::Null] {
        assert_eq!(refused(&with("amr", odd.clone()), &expected()), Some(Reason::ClaimMalformed), "{odd}");
    }
}

#[test]
fn v60_v66_required_claims_are_required_and_of_their_own_type() {
    for name in ["iss", "sub", "aud", "iat", "exp"] {
        assert_eq!(refused(&without(name), &expected()), Some(Reason::ClaimMissing), "{name}");
        assert_eq!(refused(&with(name, Value::Null), &expected()), Some(Reason::ClaimMalformed), "{name}");
    }
    for (name, value) in [("exp", json!("1900000300")), ("exp", json!(1.9e9)), ("iat", json!(-1)), ("sub", json!(""))] {
        assert_eq!(refused(&with(name, value.clone()), &expected()), Some(Reason::ClaimMalformed), "{name} {value}");
    }
    assert_eq!(refused(&with("iss", json!("https://id.example.com/")), &expected()), Some(Reason::WrongIssuer));
    assert_eq!(refused(&with("cnf", json!({ "jkt": "x" })), &expected()), Some(Reason::UnsupportedBinding));
}

#[test]
fn v62_v63_v76_an_id_token_counts_within_its_time_and_the_leeway() {
    let (verifier, clock) = fixed();
    let token = typed(None, &id_claims());
    for (now, reason) in [
        (NOW - 61, Some(Reason::IssuedInFuture)),
        (NOW - 60, None),
        (NOW + 359, None),
        (NOW + 360, Some(Reason::Expired)),
        (i64::MIN, Some(Reason::IssuedInFuture)),
        (i64::MAX, Some(Reason::Expired)),
    ] {
        clock.set(now);
        let answer = verifier.verify_id_token(&token, &expected().max_age(Duration::MAX));
        assert_eq!(answer.err().map(|error| error.reason()), reason, "{now}");
    }
}

#[test]
fn v64_how_long_an_id_token_may_live_is_a_setting_of_its_own() {
    let life = |seconds: i64| with("exp", json!(NOW + seconds));
    assert_eq!((refused(&life(86_400), &expected()), refused(&life(86_401), &expected())), (None, Some(Reason::LivesTooLong)));
    let builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).static_jwks(jwks(&[TestKey::first().jwk()]));
    let builder = builder.clock(ManualClock::at(NOW)).max_lifetime(Duration::from_secs(1));
    let verifier = builder.id_token_max_lifetime(Duration::from_secs(600)).build().unwrap();
    let judged = |seconds| {
        let answer = verifier.verify_id_token(&typed(None, &life(seconds)), &expected());
        answer.err().map(|error| error.reason())
    };
    assert_eq!((judged(600), judged(601)), (None, Some(Reason::LivesTooLong)));
}

#[test]
fn a_signature_is_demanded_and_a_revoked_key_refused_whatever_the_feed_says_of_the_user() {
    let builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).revocations_handed_in().clock(ManualClock::at(NOW));
    let keys = jwks(&[TestKey::first().jwk(), TestKey::second().jwk()]);
    let verifier = builder.static_jwks(keys).build().unwrap();
    let token = typed(Some("JWT"), &id_claims());
    assert!(verifier.verify_id_token(&token, &expected()).is_ok(), "the feed need not have been heard");
    let mut feed = Feed::new();
    feed.revoke("sub", &["u-1"]);
    feed.revoke("sid", &["s-1"]);
    verifier.take_revocations(&signed(&TestKey::first(), &feed.snapshot())).unwrap();
    assert!(verifier.verify_id_token(&token, &expected()).is_ok(), "it tells of what was");
    feed.revoke("kid", &["first"]);
    verifier.take_revocations(&signed(&TestKey::second(), &feed.snapshot())).unwrap();
    let refusal = verifier.verify_id_token(&token, &expected()).unwrap_err();
    assert_eq!(refusal.reason(), Reason::Revoked);

    let forged = format!("{}.{}", token.rsplit_once('.').unwrap().0, "A".repeat(342));
    let refusal = fixed().0.verify_id_token(&forged, &expected()).unwrap_err();
    assert_eq!(refusal.reason(), Reason::BadSignature);
}

#[test]
fn what_is_secret_in_a_request_is_not_shown() {
    let expected = IdTokenExpectations::new(CLIENT, Nonce::sent("s3cret")).access_token("s3cret").code_of_front_channel("s3cret");
    let shown = format!("{expected:?} {:?} {:?}", Nonce::sent("s3cret"), verify(&id_claims(), &self::expected()).unwrap());
    assert!(!shown.contains("s3cret") && !shown.contains("n-1"), "{shown}");
}

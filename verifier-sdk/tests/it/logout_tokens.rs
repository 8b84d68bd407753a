//! Logout tokens (V75): OpenID Connect Back-Channel Logout 1.0, sections 2.4 to 2.6.

use std::time::Duration;

use passant_verifier::{LogoutTokenExpectations, Reason, Verifier};
use serde_json::{Value, json};

use crate::feed::{Feed, signed};
use crate::support::{AUDIENCE, ISSUER, NOW, TestKey, fixed, jwks, typed};

const CLIENT: &str = "shop-web";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

fn logout() -> Value {
    json!({ "iss": ISSUER, "sub": "u-1", "sid": "s-1", "aud": CLIENT, "iat": NOW, "exp": NOW + 120, "jti": "l-1",
        "events": { EVENT: {} } })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = logout();
    claims[name] = value;
    claims
}

fn without(names: &[&str]) -> Value {
    let mut claims = logout();
    names.iter().for_each(|name| drop(claims.as_object_mut().unwrap().remove(*name)));
    claims
}

fn expected() -> LogoutTokenExpectations<'static> {
    LogoutTokenExpectations::new(CLIENT)
}

fn heard(verifier: &Verifier, token: &str) -> Option<Reason> {
    verifier.verify_logout_token(token, &expected()).err().map(|error| error.reason())
}

fn refused(claims: &Value) -> Option<Reason> {
    heard(&fixed().0, &typed(Some("logout+jwt"), claims))
}

#[test]
fn a_good_logout_token_tells_which_session_of_whom_has_ended() {
    let logout = fixed().0.verify_logout_token(&typed(Some("logout+jwt"), &logout()), &expected()).unwrap();
    assert_eq!((logout.issuer(), logout.subject(), logout.sid(), logout.jti()), (ISSUER, Some("u-1"), Some("s-1"), "l-1"));
    assert_eq!((logout.issued_at(), logout.expires_at()), (NOW, NOW + 120));
    for (lacking, found) in [("sub", (None, Some("s-1"))), ("sid", (Some("u-1"), None))] {
        let token = typed(Some("application/logout+jwt"), &without(&[lacking]));
        let logout = fixed().0.verify_logout_token(&token, &expected()).unwrap();
        assert_eq!((logout.subject(), logout.sid()), found);
    }
}

#[test]
fn v75_what_is_no_logout_token_is_refused() {
    assert_eq!(refused(&without(&["sub", "sid"])), Some(Reason::ClaimMissing));
    for (name, value) in [("nonce", json!("n")), ("nonce", Value::Null), ("events", json!({})), ("events", json!({ "x": {} }))] {
        assert_eq!(refused(&with(name, value.clone())), Some(Reason::TypNotAllowed), "{name} {value}");
    }
    for odd in [json!([EVENT]), json!(EVENT), json!({ EVENT: true }), json!({ EVENT: null }), json!({ EVENT: [] })] {
        assert_eq!(refused(&with("events", odd.clone())), Some(Reason::ClaimMalformed), "{odd}");
    }
    assert_eq!(refused(&with("events", json!({ EVENT: { "more": 1 }, "x": 7 }))), None);
    for name in ["iss", "aud", "iat", "exp", "jti", "events"] {
        assert_eq!(refused(&without(&[name])), Some(Reason::ClaimMissing), "{name}");
        assert_eq!(refused(&with(name, Value::Null)), Some(Reason::ClaimMalformed), "{name}");
    }
    assert_eq!(refused(&with("aud", json!("shop-web2"))), Some(Reason::WrongAudience));
    assert_eq!(refused(&with("aud", json!(["other", CLIENT]))), None);
    assert_eq!(refused(&with("iss", json!("https://evil.example"))), Some(Reason::WrongIssuer));
}

#[test]
fn v75_the_type_may_be_left_out_only_where_that_is_accepted() {
    for typ in [Some("JWT"), None] {
        let token = typed(typ, &logout());
        assert_eq!(heard(&fixed().0, &token), Some(Reason::TypNotAllowed), "{typ:?}");
        assert!(fixed().0.verify_logout_token(&token, &expected().accept_untyped()).is_ok(), "{typ:?}");
    }
    for typ in ["at+jwt", "secevent+jwt", ""] {
        let answer = fixed().0.verify_logout_token(&typed(Some(typ), &logout()), &expected().accept_untyped());
        assert_eq!(answer.unwrap_err().reason(), Reason::TypNotAllowed, "{typ}");
    }
    let refusal = fixed().0.verify(&typed(Some("logout+jwt"), &logout())).unwrap_err();
    assert_eq!(refusal.reason(), Reason::TypNotAllowed);
}

#[test]
fn v75_a_logout_token_lives_for_two_minutes_at_most() {
    assert_eq!(refused(&with("exp", json!(NOW + 121))), Some(Reason::LivesTooLong));
    let longer = expected().max_lifetime(Duration::from_secs(300));
    for (life, reason) in [(300, None), (301, Some(Reason::LivesTooLong))] {
        let token = typed(Some("logout+jwt"), &with("exp", json!(NOW + life)));
        let answer = fixed().0.verify_logout_token(&token, &longer);
        assert_eq!(answer.err().map(|error| error.reason()), reason, "{life}");
    }
    for (now, reason) in [(NOW - 61, Some(Reason::IssuedInFuture)), (NOW + 179, None), (NOW + 180, Some(Reason::Expired))] {
        let (verifier, clock) = fixed();
        clock.set(now);
        assert_eq!(heard(&verifier, &typed(Some("logout+jwt"), &logout())), reason, "{now}");
    }
}

#[test]
fn v75_a_logout_token_is_heard_once_while_it_lives() {
    let (verifier, clock) = fixed();
    let token = typed(Some("logout+jwt"), &logout());
    let forged = format!("{}.{}", token.rsplit_once('.').unwrap().0, "A".repeat(342));
    assert_eq!(heard(&verifier, &forged), Some(Reason::BadSignature), "and nothing is remembered of it");
    assert_eq!(heard(&verifier, &token), None);
    assert_eq!(heard(&verifier, &token), Some(Reason::Replayed));
    assert_eq!(heard(&verifier, &typed(Some("logout+jwt"), &with("sid", json!("s-2")))), Some(Reason::Replayed));
    assert_eq!(heard(&verifier, &typed(Some("logout+jwt"), &with("jti", json!("l-2")))), None);
    clock.set(NOW + 179);
    assert_eq!(heard(&verifier.clone(), &token), Some(Reason::Replayed));
    clock.set(NOW + 180);
    assert_eq!(heard(&verifier, &token), Some(Reason::Expired));
}

#[test]
fn a_logout_that_could_not_be_carried_out_can_be_heard_again() {
    let (verifier, _) = fixed();
    let token = typed(Some("logout+jwt"), &logout());
    let logout = verifier.verify_logout_token(&token, &expected()).unwrap();
    verifier.hear_again(logout);
    assert_eq!((heard(&verifier, &token), heard(&verifier, &token)), (None, Some(Reason::Replayed)));
}

#[test]
fn two_issuers_may_use_one_jti() {
    const OTHER: &str = "https://login.example.net";
    let built = |issuer: &str| {
        let builder = Verifier::builder().issuer(issuer).audience(AUDIENCE).clock(passant_verifier::ManualClock::at(NOW));
        builder.static_jwks(jwks(&[TestKey::first().jwk()])).build().unwrap()
    };
    let both = Verifier::any_of([built(ISSUER), built(OTHER)]).unwrap();
    let theirs = typed(Some("logout+jwt"), &with("iss", json!(OTHER)));
    assert_eq!((heard(&both, &typed(Some("logout+jwt"), &logout())), heard(&both, &theirs)), (None, None));
    assert_eq!(heard(&both, &theirs), Some(Reason::Replayed));
}

#[test]
fn a_revoked_key_ends_no_sessions() {
    let builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).revocations_handed_in();
    let builder = builder.clock(passant_verifier::ManualClock::at(NOW));
    let verifier = builder.static_jwks(jwks(&[TestKey::first().jwk(), TestKey::second().jwk()])).build().unwrap();
    let mut feed = Feed::new();
    feed.revoke("kid", &["first"]);
    verifier.take_revocations(&signed(&TestKey::second(), &feed.snapshot())).unwrap();
    assert_eq!(heard(&verifier, &typed(Some("logout+jwt"), &logout())), Some(Reason::Revoked));
}

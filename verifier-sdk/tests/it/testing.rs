//! The issuer for tests: what a test can bring about with it comes about.

use std::time::Duration;

use passant_verifier::testing::{Target, TestIssuer};
use passant_verifier::{
    Algorithm, IdTokenExpectations, KeyState, LogoutTokenExpectations, Nonce, Reason, RevocationState, Verifier,
};
use serde_json::json;

use crate::support::reason;

const AUDIENCE: &str = "orders-api";
const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_token_of_every_algorithm_passes_and_forged_or_unknown_ones_do_not() {
    for algorithm in Algorithm::ALL {
        let issuer = TestIssuer::named("https://login.test", *algorithm);
        let verifier = issuer.verifier(AUDIENCE);
        let token = || issuer.token(AUDIENCE);
        assert_eq!(reason(&verifier, &token().sign()), None, "{algorithm}");
        assert_eq!(reason(&verifier, &token().forged().sign()), Some(Reason::BadSignature), "{algorithm}");
        assert_eq!(reason(&verifier, &token().of_an_unknown_key().sign()), Some(Reason::UnknownKey), "{algorithm}");
    }
}

#[test]
fn a_token_says_what_it_is_told_to_say() {
    let issuer = TestIssuer::new();
    let verifier = issuer.verifier(AUDIENCE);
    let token =
        issuer.token(AUDIENCE).subject("ada").client("shop").scope("a b").claim("tenant", json!({ "id": 7 })).claim("sid", "s-1");
    let verified = verifier.verify(&token.sign()).unwrap();
    assert_eq!(
        (verified.issuer(), verified.subject(), verified.client_id(), verified.sid()),
        (issuer.url(), "ada", "shop", Some("s-1"))
    );
    assert!(verified.has_scope("a") && verified.has_scope("b"));
    assert_eq!(verified.claims::<serde_json::Value>().unwrap()["tenant"]["id"], 7);
    let token = || issuer.token(AUDIENCE);
    for (token, refused) in [
        (token().without("jti"), Reason::ClaimMissing),
        (token().claim("exp", "soon"), Reason::ClaimMalformed),
        (token().claim("aud", "elsewhere"), Reason::WrongAudience),
        (token().header("typ", "JWT"), Reason::TypNotAllowed),
        (token().header("alg", "none"), Reason::AlgNotAllowed),
        (token().lasting(61 * MINUTE), Reason::LivesTooLong),
    ] {
        assert_eq!(reason(&verifier, &token.sign()), Some(refused));
    }
    let [one, other] = [token().sign(), token().sign()].map(|token| verifier.verify(&token).unwrap().jti().map(str::to_owned));
    assert_ne!(one, other, "each has an id of its own");
}

#[test]
fn what_is_revoked_is_dead_and_what_comes_after_lives() {
    for (target, cause) in [
        (Target::Everything, "iss"),
        (Target::Client("shop"), "client_id"),
        (Target::User("ada"), "sub"),
        (Target::Consent { user: "ada", client: "shop" }, "sub+client_id"),
        (Target::Session("s-1"), "sid"),
        (Target::Grant("g-1"), "gid"),
        (Target::Token("t-1"), "jti"),
        (Target::CurrentKey, "kid"),
    ] {
        let issuer = TestIssuer::new();
        let verifier = issuer.verifier(AUDIENCE);
        let token = |user| {
            issuer.token(AUDIENCE).subject(user).client("shop").claim("sid", "s-1").claim("gid", "g-1").claim("jti", "t-1").sign()
        };
        let before = token("ada");
        assert_eq!(reason(&verifier, &before), None);
        issuer.revoke(target);
        let error = verifier.verify(&before).unwrap_err();
        assert_eq!(
            (error.reason(), error.detail().map(|detail| detail.contains(cause))),
            (Reason::Revoked, Some(true)),
            "{cause}"
        );
        assert_eq!(reason(&verifier, &token("ada")), None, "{cause}");
    }
}

#[test]
fn keys_rotate_and_old_ones_are_withdrawn() {
    let issuer = TestIssuer::new();
    let verifier = issuer.verifier(AUDIENCE);
    let before = issuer.token(AUDIENCE).sign();
    issuer.rotate();
    let after = issuer.token(AUDIENCE).sign();
    assert_eq!((reason(&verifier, &before), reason(&verifier, &after)), (None, None));
    assert_ne!(verifier.verify(&before).unwrap().key_id(), verifier.verify(&after).unwrap().key_id());
    issuer.withdraw_old_keys();
    assert_eq!((reason(&verifier, &before), reason(&verifier, &after)), (Some(Reason::UnknownKey), None));
}

#[test]
fn an_issuer_that_is_down_is_not_heard_until_it_comes_back() {
    let issuer = TestIssuer::new();
    let verifier = issuer.verifier(AUDIENCE);
    issuer.advance(60 * MINUTE);
    assert_eq!(verifier.health().keys, KeyState::Fresh, "it was heard at the end");
    issuer.go_down();
    let token = issuer.token(AUDIENCE).subject("ada").lasting(59 * MINUTE).sign();
    issuer.revoke(Target::User("ada"));
    issuer.advance(10 * MINUTE);
    let health = verifier.health();
    assert_eq!((health.keys, health.revocations.unwrap().state), (KeyState::Stale, RevocationState::Current));
    assert_eq!(reason(&verifier, &token), None, "nobody has told it");
    let late = issuer.verifier(AUDIENCE);
    assert_eq!(reason(&late, &token), Some(Reason::KeysMissing));
    issuer.come_back();
    for verifier in [&verifier, &late] {
        assert_eq!(reason(verifier, &token), Some(Reason::Revoked));
        assert_eq!(reason(verifier, &issuer.token(AUDIENCE).subject("ada").sign()), None);
    }
    issuer.go_down();
    issuer.advance(61 * MINUTE);
    assert_eq!(reason(&verifier, &issuer.token(AUDIENCE).sign()), Some(Reason::RevocationsStale));
    issuer.advance(24 * 60 * MINUTE);
    assert_eq!(reason(&verifier, &issuer.token(AUDIENCE).sign()), Some(Reason::KeysTooOld));
}

#[test]
fn several_issuers_stand_beside_each_other() {
    let (one, other) =
        (TestIssuer::named("https://one.test", Algorithm::Es256), TestIssuer::named("https://other.test", Algorithm::EdDsa));
    let both = Verifier::any_of([one.builder(AUDIENCE).build().unwrap(), other.builder(AUDIENCE).build().unwrap()]).unwrap();
    one.connect(&both);
    assert_eq!(reason(&both, &other.token(AUDIENCE).sign()), Some(Reason::KeysMissing));
    other.connect(&both);
    for issuer in [&one, &other] {
        let token = issuer.token(AUDIENCE).sign();
        assert_eq!(reason(&both, &token), None);
        issuer.revoke(Target::Everything);
        assert_eq!(reason(&both, &token), Some(Reason::Revoked));
    }
}

#[test]
fn id_tokens_and_logout_tokens_are_what_a_client_takes_and_an_api_does_not() {
    let issuer = TestIssuer::new();
    let verifier = issuer.verifier(AUDIENCE);
    let id_token = issuer.id_token("shop").claim("nonce", "n-1").sign();
    let expected = IdTokenExpectations::new("shop", Nonce::sent("n-1")).max_age(MINUTE);
    assert_eq!(verifier.verify_id_token(&id_token, &expected).unwrap().subject(), "user-1");
    let logout = issuer.logout_token("shop").sign();
    assert_eq!(verifier.verify_logout_token(&logout, &LogoutTokenExpectations::new("shop")).unwrap().sid(), Some("session-1"));
    for other in [id_token, logout] {
        assert_eq!(reason(&verifier, &other), Some(Reason::TypNotAllowed));
    }
}

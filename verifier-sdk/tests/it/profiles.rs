//! What access tokens may look like: RFC 9068, and the lenient profile on what well-known providers issue (V24, V33, V34).

use passant_verifier::{LenientAccessToken, ManualClock, Profile, Reason, Verifier, VerifierBuilder};
use serde_json::{Value, json};

use crate::support::{AUDIENCE, ISSUER, NOW, TestKey, claims, claims_with, claims_without, fixed, jwks, reason, typed};

fn builder() -> VerifierBuilder<passant_verifier::Given, passant_verifier::NeedsAudience> {
    Verifier::builder().issuer(ISSUER).static_jwks(jwks(&[TestKey::first().jwk()])).clock(ManualClock::at(NOW))
}

fn lenient() -> Verifier {
    builder().audience(AUDIENCE).profile(LenientAccessToken::new()).build().unwrap()
}

fn auth0() -> Value {
    json!({ "iss": ISSUER, "sub": "auth0|5f7c", "aud": [AUDIENCE, "https://t.auth0.com/userinfo"], "iat": NOW, "exp": NOW + 86_400,
        "azp": "shop-web", "scope": "openid orders:read", "permissions": ["orders:write", "orders:list"] })
}

fn keycloak() -> Value {
    json!({ "iss": ISSUER, "sub": "u-1", "aud": [AUDIENCE, "account"], "iat": NOW, "exp": NOW + 300, "auth_time": NOW - 9,
        "jti": "onrtac:7a0e", "typ": "Bearer", "azp": "shop-web", "sid": "s-1", "acr": "1", "scope": "openid orders:read",
        "realm_access": { "roles": ["admin"] } })
}

fn entra_id() -> Value {
    json!({ "iss": ISSUER, "sub": "u-1", "aud": AUDIENCE, "iat": NOW, "nbf": NOW, "exp": NOW + 4_500, "aio": "x", "azp": "shop-web",
        "azpacr": "0", "oid": "o", "scp": "orders:read orders:list", "tid": "t", "uti": "u", "ver": "2.0" })
}

fn okta() -> Value {
    json!({ "iss": ISSUER, "sub": "jane@example.com", "aud": AUDIENCE, "iat": NOW, "exp": NOW + 3_600, "ver": 1, "jti": "AT.0mP",
        "cid": "shop-web", "uid": "00u", "scp": ["openid", "orders:read"] })
}

fn cognito() -> Value {
    json!({ "iss": ISSUER, "sub": "u-1", "client_id": "shop-web", "token_use": "access", "scope": "openid orders:read",
        "auth_time": NOW, "iat": NOW, "exp": NOW + 3_600, "jti": "j", "username": "jane", "version": 2 })
}

#[test]
fn the_lenient_profile_takes_what_well_known_providers_issue() {
    for (provider, claims) in [("Auth0", auth0()), ("Keycloak", keycloak()), ("Entra ID", entra_id()), ("Okta", okta())] {
        for typ in [Some("JWT"), Some("jwt"), Some("at+jwt"), None] {
            let verified = lenient().verify(&typed(typ, &claims)).unwrap();
            assert_eq!(verified.client_id(), "shop-web", "{provider}");
            assert!(verified.has_scope("orders:read") && verified.scopes().count() == 2, "{provider}");
            assert_eq!(verified.jti(), claims["jti"].as_str(), "{provider}");
        }
        let strict = reason(&fixed().0, &typed(Some("at+jwt"), &claims));
        assert!(strict.is_some(), "{provider} keeps to RFC 9068 after all");
    }
    assert_eq!(reason(&lenient(), &TestKey::first().sign(&claims())), None);
}

#[test]
fn v65_a_missing_audience_passes_only_where_it_is_lenient_and_waived() {
    let waived = || builder().dangerous_accept_any_audience();
    let token = typed(None, &cognito());
    assert_eq!(reason(&lenient(), &token), Some(Reason::ClaimMissing));
    let verifier = waived().profile(LenientAccessToken::new()).build().unwrap();
    assert_eq!(verifier.verify(&token).unwrap().audience().count(), 0);
    assert_eq!(reason(&verifier, &typed(None, &claims_with("aud", json!([])))), Some(Reason::ClaimMalformed));
    let strict = waived().profile(Profile::AccessToken).build().unwrap();
    assert_eq!(reason(&strict, &typed(Some("at+jwt"), &claims_without("aud"))), Some(Reason::ClaimMissing));

    let bound = waived().profile(LenientAccessToken::new()).issued_to("other").issued_to("shop-web").build().unwrap();
    assert_eq!(reason(&bound, &token), None);
    let mut stranger = cognito();
    stranger["client_id"] = json!("shop-web2");
    assert_eq!(reason(&bound, &typed(None, &stranger)), Some(Reason::WrongClient));
}

#[test]
fn v33_the_lenient_profile_does_not_take_every_type() {
    for typ in ["logout+jwt", "dpop+jwt", "secevent+jwt", "id+jwt", "application/x", ""] {
        assert_eq!(reason(&lenient(), &typed(Some(typ), &auth0())), Some(Reason::TypNotAllowed), "{typ}");
    }
    assert_eq!(reason(&lenient(), &typed(Some("application/JWT"), &auth0())), None);
}

#[test]
fn v34_an_id_token_is_no_access_token_where_that_can_be_told() {
    for (name, value) in [
        ("nonce", json!("n")),
        ("nonce", Value::Null),
        ("at_hash", json!("x")),
        ("c_hash", json!("x")),
        ("events", json!({})),
        ("token_use", json!("id")),
        ("typ", json!("ID")),
        ("typ", json!("Refresh")),
        ("typ", json!("Offline")),
        ("typ", json!("logout")),
    ] {
        let mut claims = keycloak();
        claims[name] = value.clone();
        assert_eq!(reason(&lenient(), &typed(Some("JWT"), &claims)), Some(Reason::TypNotAllowed), "{name} {value}");
    }
    for (name, value) in [("token_use", json!("access")), ("typ", json!("Bearer")), ("typ", json!("DPoP"))] {
        let mut claims = keycloak();
        claims[name] = value.clone();
        assert_eq!(reason(&lenient(), &typed(Some("JWT"), &claims)), None, "{name} {value}");
    }
    let mut id_token = auth0();
    id_token["aud"] = json!("shop-web");
    assert_eq!(reason(&lenient(), &typed(Some("JWT"), &id_token)), Some(Reason::WrongAudience));
}

#[test]
fn what_the_lenient_profile_does_not_name_is_demanded_all_the_same() {
    for name in ["iss", "sub", "aud", "iat", "exp"] {
        let mut claims = okta();
        claims.as_object_mut().unwrap().remove(name);
        assert_eq!(reason(&lenient(), &typed(None, &claims)), Some(Reason::ClaimMissing), "{name}");
    }
    let mut nobodys = okta();
    nobodys.as_object_mut().unwrap().remove("cid");
    assert_eq!(reason(&lenient(), &typed(None, &nobodys)), Some(Reason::ClaimMissing));
    for (name, value) in [("cid", json!("")), ("cid", json!(7)), ("azp", Value::Null), ("jti", json!(""))] {
        let mut claims = okta();
        claims[name] = value.clone();
        assert_eq!(reason(&lenient(), &typed(None, &claims)), Some(Reason::ClaimMalformed), "{name} {value}");
    }
    let long = |life: i64| {
        let mut claims = auth0();
        claims["exp"] = json!(NOW + life);
        typed(None, &claims)
    };
    assert_eq!((reason(&lenient(), &long(86_400)), reason(&lenient(), &long(86_401))), (None, Some(Reason::LivesTooLong)));
    let short = builder().audience(AUDIENCE).profile(LenientAccessToken::new()).max_lifetime(std::time::Duration::from_secs(600));
    assert_eq!(reason(&short.build().unwrap(), &long(601)), Some(Reason::LivesTooLong));
}

#[test]
fn v72_scopes_stand_where_they_are_said_to_and_one_entry_is_one_scope() {
    for odd in [json!(["a b"]), json!([""]), json!([1]), json!([["a"]]), json!({}), json!(7), Value::Null] {
        let mut claims = okta();
        claims["scp"] = odd.clone();
        assert_eq!(reason(&lenient(), &typed(None, &claims)), Some(Reason::ClaimMalformed), "{odd}");
    }
    let scopes = |profile: LenientAccessToken, claims: &Value| {
        let verifier = builder().audience(AUDIENCE).profile(profile).build().unwrap();
        verifier.verify(&typed(None, claims)).unwrap().scopes().map(str::to_owned).collect::<Vec<_>>()
    };
    let by = |names: &[&str]| LenientAccessToken::new().scope_claims(names.iter().copied());
    assert_eq!(scopes(by(&["permissions", "scope"]), &auth0()), ["orders:write", "orders:list"]);
    assert_eq!(scopes(by(&["permissions", "scp"]), &okta()), ["openid", "orders:read"]);
    assert_eq!(scopes(by(&["permissions"]), &okta()), [""; 0]);
    let client = LenientAccessToken::new().client_claims(["uid"]);
    let verifier = builder().audience(AUDIENCE).profile(client).build().unwrap();
    assert_eq!(verifier.verify(&typed(None, &okta())).unwrap().client_id(), "00u");
}

#[test]
fn v24_a_missing_kid_is_made_up_for_by_name_and_by_the_only_key() {
    let nameless = |key: &TestKey| key.sign_text(r#"{"alg":"RS256","typ":"at+jwt"}"#, &claims().to_string());
    let verifier = |keys: &[Value]| {
        let builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).clock(ManualClock::at(NOW));
        builder.static_jwks(jwks(keys)).dangerous_accept_missing_kid().build().unwrap()
    };
    assert_eq!(reason(&fixed().0, &nameless(&TestKey::first())), Some(Reason::MissingKid));
    let one = verifier(&[TestKey::first().jwk()]);
    assert_eq!(one.verify(&nameless(&TestKey::first())).unwrap().key_id(), "first");
    assert_eq!(reason(&one, &nameless(&TestKey::second())), Some(Reason::BadSignature));
    assert_eq!(reason(&one, &TestKey::second().sign(&claims())), Some(Reason::UnknownKey), "a kid that is there counts");
    let two = verifier(&[TestKey::first().jwk(), TestKey::second().jwk()]);
    for key in [TestKey::first(), TestKey::second()] {
        assert_eq!(reason(&two, &nameless(&key)), Some(Reason::MissingKid), "no key is tried");
        assert_eq!(reason(&two, &key.sign(&claims())), None);
    }
}

#[test]
fn a_followed_feed_needs_the_claims_that_its_cutoffs_speak_of() {
    use crate::feed::{Feed, signed};
    let verifier = builder().audience(AUDIENCE).profile(LenientAccessToken::new()).revocations_handed_in().build().unwrap();
    let mut feed = Feed::new();
    feed.revoke("client_id", &["shop-web"]);
    verifier.take_revocations(&signed(&TestKey::first(), &feed.snapshot())).unwrap();
    assert_eq!(reason(&verifier, &typed(None, &claims_without("jti"))), Some(Reason::ClaimMissing));
    assert_eq!(reason(&verifier, &typed(None, &claims_without("born"))), Some(Reason::ClaimMissing));
    let mut elsewhere = claims_without("client_id");
    elsewhere["azp"] = json!("shop-web");
    assert_eq!(reason(&verifier, &typed(None, &elsewhere)), Some(Reason::Revoked));
}

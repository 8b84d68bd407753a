//! The claims of well-signed tokens (V60–V76).

use std::time::Duration;

use passant_verifier::{ManualClock, Reason, Verifier};
use serde_json::{Value, json};

use crate::support::{AUDIENCE, ISSUER, NOW, TestKey, claims, claims_with, claims_without, fixed, jwks, reason};

fn refused(claims: &Value) -> Option<Reason> {
    reason(&fixed().0, &TestKey::first().sign(claims))
}

#[test]
fn every_required_claim_is_required_and_null_is_not_absence() {
    for name in ["iss", "sub", "aud", "client_id", "jti", "iat", "exp"] {
        assert_eq!(refused(&claims_without(name)), Some(Reason::ClaimMissing), "{name}");
        assert_eq!(refused(&claims_with(name, Value::Null)), Some(Reason::ClaimMalformed), "{name}");
    }
    for name in ["nbf", "scope", "born", "sid", "gid", "auth_time", "acr"] {
        assert_eq!(refused(&claims_without(name)), None, "{name}");
        assert_eq!(refused(&claims_with(name, Value::Null)), Some(Reason::ClaimMalformed), "{name}");
    }
}

#[test]
fn v60_v61_a_date_is_a_whole_number_that_is_not_negative() {
    let (verifier, _) = fixed();
    let key = TestKey::first();
    for name in ["exp", "iat", "nbf", "auth_time"] {
        for value in [
            "\"1900000000\"",
            "\"never\"",
            "true",
            "[]",
            "{}",
            "-1",
            "1e300",
            "1.9e9",
            "1900000000.0",
            "1900000000.999",
            "9007199254740993",
            "9223372036854775808",
            "18446744073709551616",
        ] {
            let payload = claims_with(name, json!("SPOT")).to_string().replace("\"SPOT\"", value);
            let token = key.sign_text(&key.header().to_string(), &payload);
            assert_eq!(reason(&verifier, &token), Some(Reason::ClaimMalformed), "{name} {value}");
        }
        for value in ["1e999", "NaN", "Infinity", "0x10", "01", "+1", ".5"] {
            let payload = claims_with(name, json!("SPOT")).to_string().replace("\"SPOT\"", value);
            let token = key.sign_text(&key.header().to_string(), &payload);
            assert_eq!(reason(&verifier, &token), Some(Reason::BadJson), "{name} {value}");
        }
    }
    assert_eq!(refused(&claims_with("exp", json!(0))), Some(Reason::Expired));
    assert_eq!(refused(&claims_with("exp", json!(1_u64 << 53))), Some(Reason::LivesTooLong));
}

#[test]
fn v62_a_token_ends_at_exp_plus_leeway_and_not_a_millisecond_later() {
    let (verifier, clock) = fixed();
    let token = TestKey::first().sign(&claims());
    clock.set(NOW + 600 + 59);
    clock.advance(Duration::from_millis(999));
    assert_eq!(reason(&verifier, &token), None);
    clock.advance(Duration::from_millis(1));
    assert_eq!(reason(&verifier, &token), Some(Reason::Expired));
}

#[test]
fn v63_what_lies_ahead_by_more_than_the_leeway_is_refused() {
    let ahead = |name: &str, seconds: i64| {
        let mut claims = claims_with("exp", json!(NOW + 600));
        claims[name] = json!(NOW + seconds);
        refused(&claims)
    };
    assert_eq!((ahead("iat", 60), ahead("iat", 61)), (None, Some(Reason::IssuedInFuture)));
    assert_eq!((ahead("nbf", 60), ahead("nbf", 61)), (None, Some(Reason::NotYetValid)));
    let mut backwards = claims_with("iat", json!(NOW + 10));
    backwards["exp"] = json!(NOW + 10);
    assert_eq!(refused(&backwards), Some(Reason::ClaimMalformed));
}

#[test]
fn v64_a_token_lives_an_hour_at_most() {
    assert_eq!(refused(&claims_with("exp", json!(NOW + 3_600))), None);
    assert_eq!(refused(&claims_with("exp", json!(NOW + 3_601))), Some(Reason::LivesTooLong));
}

#[test]
fn v65_one_audience_equals_ours_byte_for_byte() {
    for good in [json!("orders-api"), json!(["orders-api"]), json!(["other", "orders-api"])] {
        assert_eq!(refused(&claims_with("aud", good.clone())), None, "{good}");
    }
    for other in [json!("Orders-api"), json!("orders-ap"), json!("orders-api/"), json!("orders-api orders-api"), json!(["other"])]
    {
        assert_eq!(refused(&claims_with("aud", other.clone())), Some(Reason::WrongAudience), "{other}");
    }
    for odd in [
        json!(""),
        json!([]),
        json!([""]),
        json!(["orders-api", 1]),
        json!([["orders-api"]]),
        json!({ "a": "orders-api" }),
        json!(1),
    ] {
        assert_eq!(refused(&claims_with("aud", odd.clone())), Some(Reason::ClaimMalformed), "{odd}");
    }
}

#[test]
fn v66_the_issuer_equals_ours_byte_for_byte() {
    for other in [
        "https://id.example.com/",
        "http://id.example.com",
        "https://ID.example.com",
        "https://id.example.com:443",
        "id.example.com",
        "https://id.example.com.evil.example",
    ] {
        assert_eq!(refused(&claims_with("iss", json!(other))), Some(Reason::WrongIssuer), "{other}");
    }
    assert_eq!(refused(&claims_with("iss", json!([ISSUER]))), Some(Reason::ClaimMalformed));
}

#[test]
fn v67_identifiers_are_texts_of_sensible_length() {
    for name in ["sub", "client_id", "jti", "sid", "gid", "acr"] {
        for odd in [json!(""), json!(7), json!(["u"]), json!("x".repeat(513))] {
            assert_eq!(refused(&claims_with(name, odd.clone())), Some(Reason::ClaimMalformed), "{name} {odd}");
        }
    }
}

#[test]
fn v70_v73_deep_or_other_payloads_are_refused() {
    let (verifier, _) = fixed();
    let key = TestKey::first();
    for payload in ["[]", "\"x\"", "1", "null", "", "{", &format!("{{\"a\":{}{}}}", "[".repeat(2_000), "]".repeat(2_000))] {
        let token = key.sign_text(&key.header().to_string(), payload);
        assert!(matches!(reason(&verifier, &token), Some(Reason::BadJson | Reason::NotCompact)), "{payload}");
    }
}

#[test]
fn v72_scope_is_one_text_and_a_missing_scope_is_told_by_name() {
    for odd in [json!(["orders:read"]), json!(1), json!({})] {
        assert_eq!(refused(&claims_with("scope", odd.clone())), Some(Reason::ClaimMalformed), "{odd}");
    }
    let verified = fixed().0.verify(&TestKey::first().sign(&claims_with("scope", json!("orders:readx  profile")))).unwrap();
    let error = verified.require_scope("orders:read").unwrap_err();
    assert_eq!((error.http_status(), error.code()), (403, "insufficient_scope"));
    assert!(error.challenge().unwrap().ends_with(", scope=\"orders:read\""));
    assert_eq!(verified.scopes().count(), 2);
}

#[test]
fn v76_no_clock_makes_it_panic_or_pass() {
    let (verifier, clock) = fixed();
    let token = TestKey::first().sign(&claims());
    for (now, expected) in [
        (NOW - 61, Reason::IssuedInFuture),
        (NOW - 86_400, Reason::IssuedInFuture),
        (NOW + 86_400, Reason::Expired),
        (-1, Reason::IssuedInFuture),
        (i64::MIN, Reason::IssuedInFuture),
        (i64::from(u32::MAX) + 1, Reason::Expired),
        (i64::MAX, Reason::Expired),
    ] {
        clock.set(now);
        assert_eq!(reason(&verifier, &token), Some(expected), "{now}");
    }
}

#[test]
fn born_is_an_integer_up_to_two_to_the_53rd() {
    assert_eq!(refused(&claims_with("born", json!(1_u64 << 53))), None);
    for odd in [json!((1_u64 << 53) + 1), json!(-1), json!(1.0), json!("1"), json!(true)] {
        assert_eq!(refused(&claims_with("born", odd.clone())), Some(Reason::ClaimMalformed), "{odd}");
    }
}

#[test]
fn a_token_bound_to_a_key_is_refused_since_nobody_checks_the_binding() {
    for cnf in [json!({ "jkt": "x" }), json!({}), Value::Null] {
        assert_eq!(refused(&claims_with("cnf", cnf)), Some(Reason::UnsupportedBinding));
    }
}

#[test]
fn what_is_waived_by_name_is_waived_and_nothing_else() {
    let keys = jwks(&[TestKey::first().jwk()]);
    let clock = ManualClock::at(NOW);
    let foreign = TestKey::first().sign(&claims_with("iss", json!("https://other.example")));
    let elsewhere = TestKey::first().sign(&claims_with("aud", json!("elsewhere")));
    let any_issuer = Verifier::builder().dangerous_accept_any_issuer().audience(AUDIENCE).static_jwks(keys.clone());
    let any_issuer = any_issuer.clock(clock.clone()).build().unwrap();
    assert_eq!((reason(&any_issuer, &foreign), reason(&any_issuer, &elsewhere)), (None, Some(Reason::WrongAudience)));
    let any_audience = Verifier::builder().issuer(ISSUER).dangerous_accept_any_audience().static_jwks(keys);
    let any_audience = any_audience.clock(clock).build().unwrap();
    assert_eq!((reason(&any_audience, &elsewhere), reason(&any_audience, &foreign)), (None, Some(Reason::WrongIssuer)));
}

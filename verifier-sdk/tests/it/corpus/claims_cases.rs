//! What the claims may say.

use serde_json::{Value, json};

use super::{Case, with_claims, with_payload};
use crate::support::{AUDIENCE, ISSUER, NOW, claims, claims_with, claims_without};
use crate::vectors::canonical;

pub(super) fn all() -> Vec<Case> {
    [times(), odd_times(), issuers(), audiences(), identifiers(), scopes(), kinds(), lenient(), others()]
        .into_iter()
        .flatten()
        .collect()
}

/// The claims with a text in place of a value, which no JSON writer would write.
fn raw(name: &str, text: &str) -> String {
    let marked = canonical(&claims_with(name, json!("MARK")), 0, false);
    with_payload(&marked.replace("\"MARK\"", text))
}

fn times() -> Vec<Case> {
    let good = || with_claims(&claims());
    let at = |name: &str, expect, source, now: i64| Case::new(name, good(), expect, source).at(now);
    let exp = "RFC 7519 section 4.1.4, V62";
    let mut cases = vec![
        at("a second before exp", "accept", exp, NOW + 599),
        at("at exp", "accept", exp, NOW + 600),
        at("the last second of the leeway", "accept", exp, NOW + 659),
        at("at the end of the leeway", "expired", exp, NOW + 660),
        at("a day after exp", "expired", exp, NOW + 86_400),
        at("a minute before iat", "accept", "RFC 7519 section 4.1.6, V63", NOW - 60),
        at("more than a minute before iat", "issued_in_future", "RFC 7519 section 4.1.6, V63", NOW - 61),
        at("a day before iat", "issued_in_future", "V76", NOW - 86_400),
        at("before 1970", "issued_in_future", "V76", -1),
        at("after 2106", "expired", "V76", (1 << 32) + 1),
        at("after 2262", "expired", "V76", 9_223_372_037),
        at("a second before exp, without leeway", "accept", exp, NOW + 599).policy("no leeway"),
        at("at exp, without leeway", "expired", exp, NOW + 600).policy("no leeway"),
        at("a second before iat, without leeway", "issued_in_future", "RFC 7519 section 4.1.6, V63", NOW - 1).policy("no leeway"),
    ];
    let of = |changes: &[(&str, i64)]| {
        let mut claims = claims();
        for (name, value) in changes {
            claims[*name] = json!(value);
        }
        with_claims(&claims)
    };
    let nbf = "RFC 7519 section 4.1.5, V63";
    for (what, changes, expect, source) in [
        ("nbf now", vec![("nbf", NOW)], "accept", nbf),
        ("nbf within the leeway", vec![("nbf", NOW + 60)], "accept", nbf),
        ("nbf beyond the leeway", vec![("nbf", NOW + 61)], "not_yet_valid", nbf),
        ("exp as late as iat", vec![("exp", NOW)], "claim_malformed", "V63"),
        ("exp before iat", vec![("exp", NOW - 1)], "claim_malformed", "V63"),
        ("exp of zero", vec![("exp", 0)], "expired", "V60"),
        ("iat of zero", vec![("iat", 0)], "lives_too_long", "V64"),
        ("a life of an hour", vec![("exp", NOW + 3_600)], "accept", "V64"),
        ("a life of more than an hour", vec![("exp", NOW + 3_601)], "lives_too_long", "V64"),
        ("an exp of 2^53", vec![("exp", 1 << 53)], "lives_too_long", "V60"),
    ] {
        cases.push(Case::new(what, of(&changes), expect, source));
    }
    cases.push(
        Case::new("a life of a day, where a day is allowed", of(&[("exp", NOW + 86_400)]), "accept", "V64").policy("a day"),
    );
    cases.push(
        Case::new("a life of more than a day, where a day is allowed", of(&[("exp", NOW + 86_401)]), "lives_too_long", "V64")
            .policy("a day"),
    );
    cases
}

fn odd_times() -> Vec<Case> {
    let mut cases = Vec::new();
    for name in ["exp", "iat", "nbf", "auth_time"] {
        if matches!(name, "exp" | "iat") {
            cases.push(Case::new(
                format!("no {name}"),
                with_claims(&claims_without(name)),
                "claim_missing",
                "RFC 9068 section 2.2, V60, V63",
            ));
        }
        for (what, text) in [
            ("null", "null"),
            ("a text", "\"1900000000\""),
            ("a word", "\"never\""),
            ("true", "true"),
            ("an array", "[1900000000]"),
            ("an object", "{}"),
            ("below zero", "-1"),
            ("a fraction", "1900000000.5"),
            ("a fraction of nothing", "1900000000.0"),
            ("an exponent", "1.9e9"),
            ("1e300", "1e300"),
            ("above 2^53", "9007199254740993"),
            ("2^63", "9223372036854775808"),
            ("2^64", "18446744073709551616"),
        ] {
            cases.push(Case::new(
                format!("{name} that is {what}"),
                raw(name, text),
                "claim_malformed",
                "RFC 7519 section 2, V60, V61, V63",
            ));
        }
        cases.push(Case::new(format!("{name} that is 1e999"), raw(name, "1e999"), "bad_json", "RFC 8259 section 6, V60"));
    }
    cases
}

fn issuers() -> Vec<Case> {
    let rfc = "RFC 7519 section 4.1.1, RFC 9207 section 2.4, V66";
    let mut cases = vec![Case::new("no iss", with_claims(&claims_without("iss")), "claim_missing", rfc)];
    for iss in [
        "https://id.example.com/",
        "http://id.example.com",
        "https://ID.example.com",
        "https://id.example.com:443",
        "https://id.example.co",
        "https://id.example.com.evil.example",
        "https://evil.example/https://id.example.com",
        "id.example.com",
        " https://id.example.com",
        "https://id.example.com\0",
        "https://other.example.com",
    ] {
        cases.push(Case::new(format!("iss {iss:?}"), with_claims(&claims_with("iss", json!(iss))), "wrong_issuer", rfc));
    }
    for (what, iss) in
        [("an array with the right one", json!([ISSUER])), ("null", Value::Null), ("a number", json!(1)), ("empty", json!(""))]
    {
        cases.push(Case::new(format!("iss that is {what}"), with_claims(&claims_with("iss", iss)), "claim_malformed", rfc));
    }
    cases
}

fn audiences() -> Vec<Case> {
    let rfc = "RFC 7519 section 4.1.3, RFC 8725 section 3.9, V65";
    let with = |aud: Value| with_claims(&claims_with("aud", aud));
    let mut cases = vec![
        Case::new("no aud", with_claims(&claims_without("aud")), "claim_missing", rfc),
        Case::new("aud in an array", with(json!([AUDIENCE])), "accept", rfc),
        Case::new("aud among others", with(json!(["other", AUDIENCE])), "accept", rfc),
        Case::new("aud with our name twice", with(json!([AUDIENCE, AUDIENCE])), "accept", rfc),
        Case::new("the other name of a service with two", with(json!("billing-api")), "accept", rfc).policy("two names"),
        Case::new("neither name of a service with two", with(json!("other")), "wrong_audience", rfc).policy("two names"),
        Case::new("another client than the one that is accepted", with_claims(&claims()), "wrong_client", "RFC 9068 section 2.2")
            .policy("another client"),
        Case::new("the one client that is accepted", with_claims(&claims()), "accept", "RFC 9068 section 2.2")
            .policy("one client"),
    ];
    for aud in
        ["other", "Orders-api", "orders-ap", "orders-api2", "xorders-api", "orders-api ", "orders-api/", "*", "orders-api,other"]
    {
        cases.push(Case::new(format!("aud {aud:?}"), with(json!(aud)), "wrong_audience", rfc));
    }
    cases.push(Case::new("an array of others", with(json!(["a", "b"])), "wrong_audience", rfc));
    for (what, aud) in [
        ("an empty array", json!([])),
        ("empty", json!("")),
        ("a number in an array", json!([AUDIENCE, 1])),
        ("a number", json!(1)),
        ("null", Value::Null),
        ("an object", json!({ AUDIENCE: true })),
        ("a nested array", json!([[AUDIENCE]])),
        ("null in an array", json!([AUDIENCE, null])),
        ("true", json!(true)),
    ] {
        cases.push(Case::new(format!("aud that is {what}"), with(aud), "claim_malformed", rfc));
    }
    cases
}

fn identifiers() -> Vec<Case> {
    let rfc = "RFC 9068 section 2.2, V67";
    let mut cases = Vec::new();
    for name in ["sub", "client_id", "jti", "sid", "gid", "acr"] {
        let required = matches!(name, "sub" | "client_id" | "jti");
        let missing = if required { "claim_missing" } else { "accept" };
        cases.push(Case::new(format!("no {name}"), with_claims(&claims_without(name)), missing, rfc));
        for (what, value) in [
            ("a number", json!(1)),
            ("null", Value::Null),
            ("an array", json!(["x"])),
            ("an object", json!({})),
            ("empty", json!("")),
            ("longer than 512 bytes", json!("x".repeat(513))),
        ] {
            cases.push(Case::new(
                format!("{name} that is {what}"),
                with_claims(&claims_with(name, value)),
                "claim_malformed",
                rfc,
            ));
        }
        cases.push(Case::new(
            format!("{name} of 512 bytes"),
            with_claims(&claims_with(name, json!("x".repeat(512)))),
            "accept",
            rfc,
        ));
    }
    cases.push(Case::new("sub that is not ASCII", with_claims(&claims_with("sub", json!("\u{1f511}\u{e9}"))), "accept", rfc));
    for (what, text, expect) in [
        ("no integer", "1.5", "claim_malformed"),
        ("a text", "\"1\"", "claim_malformed"),
        ("below zero", "-1", "claim_malformed"),
        ("null", "null", "claim_malformed"),
        ("2^53", "9007199254740992", "accept"),
        ("above 2^53", "9007199254740993", "claim_malformed"),
        ("zero", "0", "accept"),
    ] {
        cases.push(Case::new(format!("born that is {what}"), raw("born", text), expect, "FEED.md"));
    }
    cases.push(Case::new("no born, where no feed is followed", with_claims(&claims_without("born")), "accept", "FEED.md"));
    cases
}

fn scopes() -> Vec<Case> {
    let rfc = "RFC 9068 section 2.2.3, V72";
    let mut cases = vec![
        Case::new("no scope", with_claims(&claims_without("scope")), "accept", rfc),
        Case::new("an empty scope", with_claims(&claims_with("scope", json!(""))), "accept", rfc),
    ];
    for (what, scope) in
        [("an array", json!(["openid"])), ("a number", json!(1)), ("null", Value::Null), ("an object", json!({}))]
    {
        cases.push(Case::new(format!("scope that is {what}"), with_claims(&claims_with("scope", scope)), "claim_malformed", rfc));
    }
    cases
}

/// Other kinds of tokens of the same issuer.
fn kinds() -> Vec<Case> {
    let mut cases = Vec::new();
    let cnf = |cnf: Value| with_claims(&claims_with("cnf", cnf));
    for (what, value) in [
        ("a key's thumbprint", json!({ "jkt": "A".repeat(43) })),
        ("a certificate's thumbprint", json!({ "x5t#S256": "A".repeat(43) })),
        ("nothing", json!({})),
        ("null", Value::Null),
    ] {
        cases.push(Case::new(
            format!("bound to {what}"),
            cnf(value),
            "unsupported_binding",
            "RFC 7800 section 3.1, RFC 9449 section 7.1",
        ));
    }
    let typed = |typ: &str, claims: &Value| {
        let mut header = super::first().header();
        header["typ"] = json!(typ);
        super::signed(&canonical(&header, 0, false), &canonical(claims, 0, false))
    };
    let id_token = json!({ "iss": ISSUER, "sub": "u-1", "aud": "shop-web", "iat": NOW, "exp": NOW + 600, "nonce": "n", "at_hash": "A".repeat(22), "auth_time": NOW });
    cases.push(Case::new("an ID token", typed("JWT", &id_token), "typ_not_allowed", "RFC 9068 section 5, V34"));
    let logout = json!({ "iss": ISSUER, "sub": "u-1", "aud": "shop-web", "iat": NOW, "exp": NOW + 120, "jti": "l-1", "events": { "http://schemas.openid.net/event/backchannel-logout": {} } });
    cases.push(Case::new(
        "a logout token",
        typed("logout+jwt", &logout),
        "typ_not_allowed",
        "OpenID Connect Back-Channel Logout 1.0 section 2.4, V75",
    ));
    for name in ["nonce", "at_hash", "c_hash", "events"] {
        let token = typed("JWT", &claims_with(name, json!("x")));
        cases.push(
            Case::new(
                format!("{name}, which only other kinds have, where typ tells nothing"),
                token,
                "typ_not_allowed",
                "RFC 8725 section 3.12, V34",
            )
            .policy("lenient"),
        );
    }
    for (name, value, expect) in [
        ("token_use", "id", "typ_not_allowed"),
        ("token_use", "access", "accept"),
        ("typ", "ID", "typ_not_allowed"),
        ("typ", "Refresh", "typ_not_allowed"),
        ("typ", "Bearer", "accept"),
    ] {
        let token = typed("JWT", &claims_with(name, json!(value)));
        cases.push(
            Case::new(format!("{name} {value} where typ tells nothing"), token, expect, "RFC 8725 section 3.12")
                .policy("lenient"),
        );
    }
    cases
}

/// For issuers that do not keep to RFC 9068.
fn lenient() -> Vec<Case> {
    let without = |names: &[&str], more: Value| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().retain(|name, _| !names.contains(&name.as_str()));
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        with_claims(&claims)
    };
    let source = "RFC 7519 section 4";
    let mut cases = vec![
        Case::new("lenient: no jti", without(&["jti"], json!({})), "accept", source),
        Case::new("lenient: the client in azp", without(&["client_id"], json!({ "azp": "shop-web" })), "accept", source),
        Case::new("lenient: the client in cid", without(&["client_id"], json!({ "cid": "shop-web" })), "accept", source),
        Case::new("lenient: the client in appid", without(&["client_id"], json!({ "appid": "shop-web" })), "accept", source),
        Case::new("lenient: no client", without(&["client_id"], json!({})), "claim_missing", source),
        Case::new("lenient: scopes in scp, an array", without(&["scope"], json!({ "scp": ["a", "b"] })), "accept", source),
        Case::new("lenient: scp with numbers", without(&["scope"], json!({ "scp": [1] })), "claim_malformed", source),
        Case::new("lenient: no sub", without(&["sub"], json!({})), "claim_missing", source),
        Case::new("lenient: no aud", without(&["aud"], json!({})), "claim_missing", source),
        Case::new("lenient: a life of a day", without(&[], json!({ "exp": NOW + 86_400 })), "accept", source),
    ];
    cases.iter_mut().for_each(|case| case.policy = "lenient");
    cases.push(
        Case::new("lenient: no aud where none is asked for", without(&["aud"], json!({})), "accept", source)
            .policy("lenient, any audience"),
    );
    cases.push(
        Case::new("another audience where none is asked for", with_claims(&claims_with("aud", json!("other"))), "accept", source)
            .policy("lenient, any audience"),
    );
    for (what, names, more) in
        [("no jti", ["jti"], json!({})), ("the client in azp", ["client_id"], json!({ "azp": "shop-web" }))]
    {
        cases.push(Case::new(
            format!("{what}, where the issuer keeps to RFC 9068"),
            without(&names, more),
            "claim_missing",
            "RFC 9068 section 2.2",
        ));
    }
    cases
}

fn others() -> Vec<Case> {
    let mut many = claims();
    for id in 0..40 {
        many[format!("claim-{id}")] = json!(id);
    }
    vec![
        Case::new("forty more claims", with_claims(&many), "accept", "RFC 7519 section 4"),
        Case::new("no claims at all", with_payload("{}"), "claim_missing", "RFC 9068 section 2.2"),
        Case::new("a claim of 4 KiB", with_claims(&claims_with("x", json!("x".repeat(4_096)))), "accept", "V48"),
    ]
}

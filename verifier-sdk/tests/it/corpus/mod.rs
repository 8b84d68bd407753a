//! Writes and checks `vectors/claims.json`: single tokens, each with the keys, the policy and the time to judge it by, and what comes of
//! it. What comes of it is stated from the standards in `cases.rs`; here it is held against the crate.
//!
//! `PASSANT_WRITE_VECTORS=1 cargo test -p passant-verifier --test it corpus` writes it anew.

mod cases;
mod claims_cases;
mod header_cases;
mod key_cases;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use passant_verifier::{Algorithm, LenientAccessToken, ManualClock, Reason, Verifier};
use serde_json::{Map, Value, json};

use crate::support::{AUDIENCE, ISSUER, NOW, TestKey, b64};
use crate::vectors::canonical;

/// Keys and tokens of every algorithm, made by OpenSSL.
const MADE_ELSEWHERE: &str = include_str!("../../fixtures/openssl.json");

/// One token and what comes of it.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) token: String,
    /// Which of [`key_sets`].
    pub(super) keys: String,
    /// Which of [`policies`].
    pub(super) policy: &'static str,
    pub(super) now: i64,
    /// `accept`, or the code of a [`Reason`].
    pub(super) expect: &'static str,
    pub(super) source: &'static str,
}

impl Case {
    /// Judged by the usual keys, policy and time.
    pub(super) fn new(name: impl Into<String>, token: String, expect: &'static str, source: &'static str) -> Self {
        Self { name: name.into(), token, keys: "first".into(), policy: "default", now: NOW, expect, source }
    }

    pub(super) fn keys(self, keys: impl Into<String>) -> Self {
        Self { keys: keys.into(), ..self }
    }

    pub(super) fn policy(self, policy: &'static str) -> Self {
        Self { policy, ..self }
    }

    pub(super) fn at(self, now: i64) -> Self {
        Self { now, ..self }
    }
}

/// The first key, read once: that takes longer than to sign with it.
pub(super) fn first() -> &'static TestKey {
    static FIRST: OnceLock<TestKey> = OnceLock::new();
    FIRST.get_or_init(TestKey::first)
}

/// Signs texts as they are with the first key.
pub(super) fn signed(header: &str, payload: &str) -> String {
    first().sign_text(header, payload)
}

/// Signs a header, with the usual claims below it.
pub(super) fn with_header(header: &Value) -> String {
    signed(&canonical(header, 0, false), &canonical(&crate::support::claims(), 0, false))
}

/// Signs claims below the usual header.
pub(super) fn with_claims(claims: &Value) -> String {
    signed(&canonical(&first().header(), 0, false), &canonical(claims, 0, false))
}

/// Signs a payload below the usual header.
pub(super) fn with_payload(payload: &str) -> String {
    signed(&canonical(&first().header(), 0, false), payload)
}

/// The usual header and claims with this signature.
pub(super) fn with_signature(signature: &[u8]) -> String {
    let good = with_claims(&crate::support::claims());
    format!("{}.{}", good.rsplit_once('.').unwrap().0, b64(signature))
}

fn policies() -> BTreeMap<&'static str, Value> {
    let default = json!({
        "issuer": ISSUER, "audiences": [AUDIENCE], "algorithms": ["RS256"], "leeway": 60, "max_lifetime": 3600,
        "profile": "rfc9068", "clients": null, "accept_missing_kid": false,
    });
    let with = |changes: &[(&str, Value)]| {
        let mut policy = default.clone();
        for (name, value) in changes {
            policy[*name] = value.clone();
        }
        policy
    };
    let all: Vec<&str> = Algorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
    BTreeMap::from([
        ("default", default.clone()),
        ("every algorithm", with(&[("algorithms", json!(all))])),
        ("RS384 or PS256", with(&[("algorithms", json!(["RS384", "PS256"]))])),
        ("no leeway", with(&[("leeway", json!(0))])),
        ("a day", with(&[("max_lifetime", json!(86_400))])),
        ("two names", with(&[("audiences", json!([AUDIENCE, "billing-api"]))])),
        ("one client", with(&[("clients", json!(["shop-web"]))])),
        ("another client", with(&[("clients", json!(["back-office"]))])),
        ("key not named", with(&[("accept_missing_kid", json!(true))])),
        ("lenient", with(&[("profile", json!("lenient")), ("max_lifetime", json!(86_400))])),
        (
            "lenient, any audience",
            with(&[("profile", json!("lenient")), ("max_lifetime", json!(86_400)), ("audiences", Value::Null)]),
        ),
    ])
}

/// The verifier that judges by a policy and keys as the file has them.
fn verifier(policy: &Value, keys: &Value, now: i64) -> Verifier {
    let texts = |name: &str| policy[name].as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned());
    let seconds = |name: &str| Duration::from_secs(policy[name].as_u64().unwrap());
    let builder = Verifier::builder().issuer(policy["issuer"].as_str().unwrap());
    let mut audiences = texts("audiences");
    let mut builder = match audiences.next() {
        None => builder.dangerous_accept_any_audience(),
        Some(first) => audiences.fold(builder.audience(first), |builder, next| builder.also_audience(next)),
    };
    builder = builder
        .algorithms(texts("algorithms").map(|name| Algorithm::ALL.iter().copied().find(|known| known.name() == name).unwrap()))
        .leeway(seconds("leeway"))
        .max_lifetime(seconds("max_lifetime"))
        .static_jwks(keys.to_string())
        .clock(ManualClock::at(now));
    if policy["profile"] == "lenient" {
        builder = builder.profile(LenientAccessToken::new());
    }
    if policy["accept_missing_kid"] == true {
        builder = builder.dangerous_accept_missing_kid();
    }
    texts("clients").fold(builder, |builder, client| builder.issued_to(client)).build().unwrap()
}

fn all() -> Vec<Case> {
    [cases::all(), header_cases::all(), claims_cases::all(), key_cases::all()].into_iter().flatten().collect()
}

fn generated() -> Value {
    let cases: Vec<Value> = all()
        .iter()
        .map(|case| {
            let Case { name, token, keys, policy, now, expect, source } = case;
            json!({ "name": name, "token": token, "keys": keys, "policy": policy, "now": now, "expect": expect, "source": source })
        })
        .collect();
    json!({ "key_sets": key_cases::key_sets(), "policies": policies(), "cases": cases })
}

fn committed() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/claims.json");
    if std::env::var_os("PASSANT_WRITE_VECTORS").is_some() {
        std::fs::write(&path, canonical(&generated(), 0, true) + "\n").unwrap();
    }
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn the_corpus_is_what_the_generator_writes() {
    let (written, generated) = (committed(), generated());
    for part in ["key_sets", "policies"] {
        assert_eq!(written[part], generated[part], "{part}: write it anew as the head of this file says");
    }
    let (written, generated) = (written["cases"].as_array().unwrap(), generated["cases"].as_array().unwrap());
    for (written, generated) in written.iter().zip(generated) {
        assert_eq!(written, generated, "write it anew as the head of this file says");
    }
    assert_eq!(written.len(), generated.len());
}

#[test]
fn every_case_comes_out_as_the_corpus_says() {
    let corpus = committed();
    let codes: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    let (mut names, mut wrong) = (BTreeSet::new(), Vec::new());
    for case in corpus["cases"].as_array().unwrap() {
        let text = |member: &str| case[member].as_str().unwrap();
        assert!(names.insert(text("name")), "{} is there twice", text("name"));
        assert!(text("expect") == "accept" || codes.contains(text("expect")), "{}", text("expect"));
        let (policy, keys) = (&corpus["policies"][text("policy")], &corpus["key_sets"][text("keys")]);
        let needs_es512 = keys.to_string().contains("P-521");
        if needs_es512 && !cfg!(any(feature = "aws-lc-rs", feature = "rust-crypto")) {
            continue;
        }
        let outcome = verifier(policy, keys, case["now"].as_i64().unwrap()).verify(text("token"));
        let outcome = outcome.as_ref().map_or_else(|refused| refused.code(), |_| "accept");
        if outcome != text("expect") {
            wrong.push(format!("{}: {outcome}, not {} ({})", text("name"), text("expect"), text("source")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(names.len() >= 300, "{} cases", names.len());
    let described = include_str!("../../../vectors/README.md");
    for (member, _) in corpus["policies"]["default"].as_object().unwrap_or(&Map::new()) {
        assert!(described.contains(&format!("`{member}`")), "{member} is not described");
    }
}

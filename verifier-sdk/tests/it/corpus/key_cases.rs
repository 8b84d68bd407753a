//! What a published key may be. A good token is refused as of an unknown key where the key that signed it must not be used.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Case, MADE_ELSEWHERE, with_claims};
use crate::support::{TestKey, b64, claims};

/// Each odd key stands beside a good one of another name, so that the set can be used at all.
pub(super) fn key_sets() -> BTreeMap<String, Value> {
    let set = |keys: Vec<Value>| json!({ "keys": keys });
    let (first, second) = (TestKey::first().jwk(), TestKey::second().jwk());
    let made: Value = serde_json::from_str(MADE_ELSEWHERE).unwrap();
    let mut nameless = first.clone();
    nameless.as_object_mut().unwrap().remove("alg");
    let mut sets = BTreeMap::from([
        ("first".to_owned(), set(vec![first.clone()])),
        ("first and second".to_owned(), set(vec![first.clone(), second.clone()])),
        ("first without alg".to_owned(), set(vec![nameless])),
        ("OpenSSL's".to_owned(), made["jwks"].clone()),
    ]);
    for (what, key, _) in odd_keys() {
        sets.insert(what.to_owned(), set(vec![second.clone(), key]));
    }
    sets.insert("first twice under one name".to_owned(), set(vec![first.clone(), first, second]));
    sets
}

fn with(name: &str, value: Value) -> Value {
    let mut jwk = TestKey::first().jwk();
    jwk[name] = value;
    jwk
}

fn without(name: &str) -> Value {
    let mut jwk = TestKey::first().jwk();
    jwk.as_object_mut().unwrap().remove(name);
    jwk
}

/// The first key, changed, and whether it can be used.
fn odd_keys() -> Vec<(&'static str, Value, (bool, &'static str))> {
    let n = TestKey::first().modulus();
    let mut even = n.clone();
    even[255] &= 0xfe;
    let refused = |source| (false, source);
    let used = |source| (true, source);
    vec![
        ("with use enc", with("use", json!("enc")), refused("RFC 7517 section 4.2, V10")),
        ("without use", without("use"), used("RFC 7517 section 4.2")),
        ("with key_ops verify", with("key_ops", json!(["verify"])), used("RFC 7517 section 4.3")),
        ("with key_ops sign", with("key_ops", json!(["sign"])), refused("RFC 7517 section 4.3, V11")),
        ("with key_ops encrypt", with("key_ops", json!(["encrypt"])), refused("RFC 7517 section 4.3, V11, V12")),
        ("with no key_ops at all in them", with("key_ops", json!([])), refused("RFC 7517 section 4.3, V11")),
        ("for RS512", with("alg", json!("RS512")), refused("RFC 7517 section 4.4, V09")),
        ("for RSA-OAEP", with("alg", json!("RSA-OAEP")), refused("RFC 7517 section 4.4")),
        ("without kty", without("kty"), refused("RFC 7517 section 4.1")),
        ("that is symmetric", json!({ "kty": "oct", "kid": "first", "alg": "RS256", "k": b64(&n) }), refused("V13")),
        ("that is private", with("d", json!("AQAB")), refused("RFC 7517 section 9.3, V14")),
        ("with a prime", with("p", json!("AQAB")), refused("RFC 7517 section 9.3, V14")),
        ("without kid", without("kid"), refused("RFC 7517 section 4.5")),
        ("with a number for a kid", with("kid", json!(1)), refused("RFC 7517 section 4.5")),
        ("of 2040 bits", with("n", json!(b64(&n[1..]))), refused("RFC 7518 section 3.3, V56")),
        ("of 1024 bits", with("n", json!(b64(&n[128..]))), refused("RFC 7518 section 3.3, V56")),
        ("of 8200 bits", with("n", json!(b64(&[&[0x80_u8][..], &[1; 1_024]].concat()))), refused("V56")),
        ("of 16384 bits", with("n", json!(b64(&[0xff_u8; 2_048]))), refused("V56")),
        ("with an even modulus", with("n", json!(b64(&even))), refused("V58")),
        ("with a modulus of zero", with("n", json!("AA")), refused("V58")),
        ("with a padded modulus", with("n", json!(format!("{}==", b64(&n)))), refused("RFC 7518 section 6.3.1.1, V59")),
        ("with a number for a modulus", with("n", json!(7)), refused("RFC 7518 section 6.3.1.1, V59")),
        ("without a modulus", without("n"), refused("RFC 7518 section 6.3.1.1, V59")),
        ("with the exponent 1", with("e", json!("AQ")), refused("V57")),
        ("with the exponent 2", with("e", json!("Ag")), refused("V57")),
        ("with the exponent 3", with("e", json!("Aw")), refused("V57")),
        ("with the exponent 65536", with("e", json!("AQAA")), refused("V57")),
        ("with the exponent 0", with("e", json!("AA")), refused("V57")),
        ("with the exponent 2^32 + 1", with("e", json!("AQAAAAE")), refused("V57")),
        ("without an exponent", without("e"), refused("RFC 7518 section 6.3.1.2, V59")),
        ("with members that nobody knows", with("x", json!({ "y": 1 })), used("RFC 7517 section 4")),
    ]
}

pub(super) fn all() -> Vec<Case> {
    let token = || with_claims(&claims());
    let mut cases: Vec<Case> = odd_keys()
        .into_iter()
        .map(|(what, _, (can_be_used, source))| {
            let expect = if can_be_used { "accept" } else { "unknown_key" };
            Case::new(format!("signed by a key {what}"), token(), expect, source).keys(what)
        })
        .collect();
    cases.push(
        Case::new("signed by a key whose name two keys have", token(), "unknown_key", "V27").keys("first twice under one name"),
    );
    cases
}

//! Header, encoding and signature of hostile tokens (V01–V55).

use passant_verifier::Reason;
use serde_json::{Value, json};

use crate::support::{NOW, TestKey, b64, claims, claims_with, fixed, reason};

#[test]
fn a_good_token_passes_and_tells_everything_in_it() {
    let (verifier, _) = fixed();
    let mut all = claims();
    all["auth_time"] = json!(NOW - 5);
    all["acr"] = json!("pwd");
    all["tenant"] = json!({ "id": 7 });
    let verified = verifier.verify(&TestKey::first().sign(&all)).unwrap();
    assert_eq!(
        (verified.subject(), verified.client_id(), verified.jti().unwrap(), verified.key_id()),
        ("u-1", "shop-web", "t-1", "first")
    );
    assert_eq!((verified.issuer(), verified.audience().collect()), ("https://id.example.com", vec!["orders-api"]));
    assert_eq!((verified.sid(), verified.gid(), verified.born()), (Some("s-1"), Some("g-1"), Some(1_900_000_000_000)));
    assert_eq!((verified.issued_at(), verified.expires_at()), (NOW, NOW + 600));
    assert_eq!((verified.auth_time(), verified.acr()), (Some(NOW - 5), Some("pwd")));
    assert_eq!(verified.scopes().collect::<Vec<_>>(), ["openid", "orders:read"]);
    assert!(verified.has_scope("orders:read") && !verified.has_scope("orders") && !verified.has_scope(""));
    assert_eq!(verified.claims::<Value>().unwrap(), all);
    assert!(verified.claims::<Vec<u8>>().is_err());
}

#[test]
fn v01_v03_unsigned_tokens_are_refused_whatever_stands_for_the_signature() {
    let (verifier, _) = fixed();
    let good = TestKey::first().sign(&claims());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let payload = message.split_once('.').unwrap().1;
    for alg in ["none", "None", "NONE", "nOnE"] {
        let header = b64(json!({ "alg": alg, "typ": "at+jwt", "kid": "first" }).to_string().as_bytes());
        assert_eq!(reason(&verifier, &format!("{header}.{payload}.")), Some(Reason::NotCompact));
        for signature in [signature, "AAAA"] {
            assert_eq!(reason(&verifier, &format!("{header}.{payload}.{signature}")), Some(Reason::AlgNotAllowed), "{alg}");
        }
    }
}

#[test]
fn v04_v06_v52_a_right_signature_under_another_algorithms_name_is_refused() {
    let (verifier, _) = fixed();
    for alg in ["HS256", "HS384", "HS512", "RS384", "RS512", "PS256", "ES256", "EdDSA"] {
        let header = json!({ "alg": alg, "typ": "at+jwt", "kid": "first" }).to_string();
        let token = TestKey::first().sign_text(&header, &claims().to_string());
        assert_eq!(reason(&verifier, &token), Some(Reason::AlgNotAllowed), "{alg}");
    }
}

#[test]
fn v15_v16_other_serializations_are_refused() {
    let (verifier, _) = fixed();
    let good = TestKey::first().sign(&claims());
    let parts: Vec<_> = good.split('.').collect();
    let flattened = json!({ "protected": parts[0], "payload": parts[1], "signature": parts[2] }).to_string();
    let general = json!({ "payload": parts[1], "signatures": [{ "protected": parts[0], "signature": parts[2] }] }).to_string();
    for token in
        [flattened, general, format!("\"{good}\""), format!("Bearer {good}"), format!("{good}\n"), good.replace('.', "%2E")]
    {
        assert!(matches!(reason(&verifier, &token), Some(Reason::NotCompact | Reason::BadBase64)), "{token}");
    }
    assert_eq!(reason(&verifier, &format!("{good}.QUFB.QUFB")), Some(Reason::Encrypted));
}

#[test]
fn v20_a_key_offered_by_the_token_is_never_used() {
    let (verifier, _) = fixed();
    let thief = TestKey::second();
    for kid in ["first", "second"] {
        let header =
            json!({ "alg": "RS256", "typ": "at+jwt", "kid": kid, "jwk": thief.jwk(), "jku": "https://evil.example/jwks" });
        let token = thief.sign_text(&header.to_string(), &claims().to_string());
        let expected = if kid == "first" { Reason::BadSignature } else { Reason::UnknownKey };
        assert_eq!(reason(&verifier, &token), Some(expected));
    }
}

#[test]
fn v23_v25_a_kid_is_compared_byte_for_byte_and_told_escaped() {
    let (verifier, _) = fixed();
    for kid in ["First", "first ", "../../dev/null", "' OR 1=1--", "*)(uid=*", "|sleep 10", "fi\u{FB01}", "a\nb", ""] {
        let header = json!({ "alg": "RS256", "typ": "at+jwt", "kid": kid }).to_string();
        let error = verifier.verify(&TestKey::first().sign_text(&header, &claims().to_string())).unwrap_err();
        assert_eq!(error.reason(), Reason::UnknownKey, "{kid:?}");
        assert!(error.detail().unwrap().bytes().all(|b| (b' '..=b'~').contains(&b)));
        assert_eq!(error.to_string(), Reason::UnknownKey.sentence());
    }
}

#[test]
fn v34_an_id_token_is_no_access_token() {
    let (verifier, _) = fixed();
    for header in [json!({ "alg": "RS256", "typ": "JWT", "kid": "first" }), json!({ "alg": "RS256", "kid": "first" })] {
        let token = TestKey::first().sign_text(&header.to_string(), &claims().to_string());
        assert_eq!(reason(&verifier, &token), Some(Reason::TypNotAllowed));
    }
}

#[test]
fn v36_v68_members_named_twice_are_refused_before_the_signature_counts() {
    let (verifier, _) = fixed();
    let (key, good) = (TestKey::first(), claims().to_string());
    for header in [
        r#"{"alg":"RS256","alg":"RS256","typ":"at+jwt","kid":"first"}"#,
        r#"{"alg":"none","typ":"at+jwt","kid":"first","\u0061lg":"RS256"}"#,
        r#"{"alg":"RS256","typ":"at+jwt","kid":"first","kid":"second"}"#,
    ] {
        assert_eq!(reason(&verifier, &key.sign_text(header, &good)), Some(Reason::DuplicateMember), "{header}");
    }
    for extra in [r#""exp":9999999999"#, r#""aud":"x""#, r#""\u0065xp":9999999999"#, r#""nested":{"a":1,"a":2}"#] {
        let payload = format!("{},{extra}}}", good.trim_end_matches('}'));
        assert_eq!(
            reason(&verifier, &key.sign_text(&key.header().to_string(), &payload)),
            Some(Reason::DuplicateMember),
            "{extra}"
        );
    }
}

#[test]
fn v39_v48_size_is_bounded() {
    let (verifier, _) = fixed();
    let key = TestKey::first();
    let many: serde_json::Map<_, _> = (0..1_000).map(|i| (format!("m{i}"), json!(0))).collect();
    assert_eq!(reason(&verifier, &key.sign_text(&Value::Object(many).to_string(), "{}")), Some(Reason::TooLarge));
    assert_eq!(reason(&verifier, &key.sign(&claims_with("note", json!("x".repeat(5_000))))), None);
    assert_eq!(reason(&verifier, &key.sign(&claims_with("note", json!("x".repeat(6_000))))), Some(Reason::TooLarge));
    assert_eq!(reason(&verifier, &"A".repeat(100 << 20)), Some(Reason::TooLarge));
}

#[test]
fn v44_v50_every_changed_signature_is_refused() {
    let (verifier, _) = fixed();
    let key = TestKey::first();
    let token = key.sign(&claims());
    let message = token.rsplit_once('.').unwrap().0;
    let right = key.signature(message.as_bytes());
    let refused = |signature: &[u8]| reason(&verifier, &format!("{message}.{}", b64(signature)));
    assert_eq!(refused(&right), None);
    for position in 0..right.len() {
        let mut wrong = right.clone();
        wrong[position] ^= 1 << (position % 8);
        assert_eq!(refused(&wrong), Some(Reason::BadSignature), "{position}");
    }
    let plus_modulus = sum(&right, &key.modulus());
    let wrong: [&[u8]; 8] = [
        &right[1..],
        &right[..255],
        &[&right[..], &[0]].concat(),
        &[&[0], &right[..]].concat(),
        &[0; 256],
        &[1],
        &key.modulus(),
        &plus_modulus,
    ];
    for signature in wrong {
        assert_eq!(refused(signature), Some(Reason::BadSignature));
    }
}

#[test]
fn v53_parts_of_two_tokens_do_not_mix() {
    let (verifier, _) = fixed();
    let key = TestKey::first();
    let (one, two) = (key.sign(&claims()), key.sign(&claims_with("sub", json!("admin"))));
    let (one, two): (Vec<_>, Vec<_>) = (one.split('.').collect(), two.split('.').collect());
    assert_eq!(reason(&verifier, &format!("{}.{}.{}", one[0], two[1], one[2])), Some(Reason::BadSignature));
    assert_eq!(reason(&verifier, &format!("{}.{}.{}", one[0], one[1], two[2])), Some(Reason::BadSignature));
    let spaced = b64(format!(" {}", key.header()).as_bytes());
    assert_eq!(reason(&verifier, &format!("{spaced}.{}.{}", one[1], one[2])), Some(Reason::BadSignature));
}

#[test]
fn v55_a_refused_signature_is_told_without_the_right_one() {
    let (verifier, _) = fixed();
    let token = TestKey::first().sign(&claims());
    let (message, signature) = token.rsplit_once('.').unwrap();
    let error = verifier.verify(&format!("{message}.{}", b64(&[7; 256]))).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(signature));
}

fn sum(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let mut digits: Vec<u8> = a
        .iter()
        .rev()
        .zip(b.iter().rev())
        .map(|(a, b)| {
            let digit = u16::from(*a) + u16::from(*b) + carry;
            carry = digit >> 8;
            digit.to_le_bytes()[0]
        })
        .collect();
    digits.extend((carry > 0).then_some(1));
    digits.reverse();
    digits
}

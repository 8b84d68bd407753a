//! Algorithms beyond RS256: what is listed, and which key is used with what (V06, V08, V09, V52, V54).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    RSA_PKCS1_SHA384, RSA_PSS_SHA256, RsaEncoding,
};
use passant_verifier::{Algorithm, BuildError, ManualClock, Reason, SkipReason, Verifier};
use serde_json::{Value, json};

use crate::support::{AUDIENCE, ISSUER, NOW, TestKey, b64, claims, jwks, reason};

const MADE_ELSEWHERE: &str = include_str!("../fixtures/openssl.json");

fn verifier(algorithms: &[Algorithm], keys: &[Value]) -> Verifier {
    let builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).clock(ManualClock::at(NOW));
    builder.algorithms(algorithms.iter().copied()).static_jwks(jwks(keys)).build().unwrap()
}

fn skipped(verifier: &Verifier) -> Vec<SkipReason> {
    verifier.health().skipped_keys.iter().map(|key| key.reason).collect()
}

/// A token with this `alg`, naming this key, whose signature is made of the signing input.
fn token(alg: &str, kid: &str, signature: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let header = json!({ "alg": alg, "typ": "at+jwt", "kid": kid }).to_string();
    let message = format!("{}.{}", b64(header.as_bytes()), b64(claims().to_string().as_bytes()));
    let signature = b64(&signature(message.as_bytes()));
    format!("{message}.{signature}")
}

fn by_rsa(alg: &str, encoding: &'static dyn RsaEncoding) -> String {
    token(alg, "first", |message| TestKey::first().signature_by(encoding, message))
}

/// The first key with another `alg`, or with none.
fn rsa_jwk(alg: Option<&str>) -> Value {
    let mut jwk = TestKey::first().jwk();
    match alg {
        Some(alg) => jwk["alg"] = json!(alg),
        None => drop(jwk.as_object_mut().unwrap().remove("alg")),
    }
    jwk
}

struct P256(EcdsaKeyPair);

impl P256 {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn jwk(&self) -> Value {
        let (x, y) = self.0.public_key().as_ref()[1..].split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "kid": "ec", "x": b64(x), "y": b64(y) })
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }
}

#[test]
fn v06_a_token_made_elsewhere_passes_where_its_algorithm_is_listed_and_nowhere_else() {
    let made: Value = serde_json::from_str(MADE_ELSEWHERE).unwrap();
    let keys = made["jwks"]["keys"].as_array().unwrap();
    let all = verifier(Algorithm::ALL, keys);
    assert_eq!((all.health().usable_keys, skipped(&all)), (10, vec![]));
    for algorithm in Algorithm::ALL {
        let token = made["tokens"][algorithm.name()].as_str().unwrap();
        assert_eq!(reason(&all, token), None, "{algorithm}");
        let alone = verifier(&[*algorithm], keys);
        assert_eq!((alone.health().usable_keys, skipped(&alone)), (1, vec![SkipReason::OtherAlgorithm; 9]), "{algorithm}");
        assert_eq!(reason(&alone, token), None, "{algorithm}");
        for other in Algorithm::ALL.iter().filter(|other| *other != algorithm) {
            let token = made["tokens"][other.name()].as_str().unwrap();
            assert_eq!(reason(&alone, token), Some(Reason::AlgNotAllowed), "{other} by {algorithm}");
        }
    }
}

#[test]
fn only_rs256_is_listed_where_nothing_is() {
    let made: Value = serde_json::from_str(MADE_ELSEWHERE).unwrap();
    let builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).clock(ManualClock::at(NOW));
    let verifier = builder.static_jwks(made["jwks"].to_string()).build().unwrap();
    for (name, token) in made["tokens"].as_object().unwrap() {
        let expected = if name == "RS256" { None } else { Some(Reason::AlgNotAllowed) };
        assert_eq!(reason(&verifier, token.as_str().unwrap()), expected, "{name}");
    }
}

#[test]
fn an_empty_list_is_refused() {
    let builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).static_jwks(jwks(&[TestKey::first().jwk()]));
    assert_eq!(builder.algorithms([]).build().unwrap_err(), BuildError::NoAlgorithm);
}

#[test]
fn es512_is_refused_where_ring_is_alone() {
    let made: Value = serde_json::from_str(MADE_ELSEWHERE).unwrap();
    let builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).static_jwks(made["jwks"].to_string());
    let built = builder.algorithms([Algorithm::Es512]).build();
    if cfg!(any(feature = "aws-lc-rs", feature = "rust-crypto")) {
        assert!(built.is_ok());
    } else {
        assert_eq!(built.unwrap_err(), BuildError::UnsupportedAlgorithm(Algorithm::Es512));
    }
}

#[test]
fn v08_a_key_without_alg_is_used_with_the_first_listed_algorithm_of_its_family_alone() {
    let (pkcs1, pss) = (by_rsa("RS384", &RSA_PKCS1_SHA384), by_rsa("PS256", &RSA_PSS_SHA256));
    let listed = [Algorithm::Es256, Algorithm::Ps256, Algorithm::Rs384];
    let nameless = verifier(&listed, &[rsa_jwk(None)]);
    assert_eq!((reason(&nameless, &pss), reason(&nameless, &pkcs1)), (None, Some(Reason::AlgMismatch)));
    let nameless = verifier(&[Algorithm::Rs384, Algorithm::Ps256], &[rsa_jwk(None)]);
    assert_eq!((reason(&nameless, &pss), reason(&nameless, &pkcs1)), (Some(Reason::AlgMismatch), None));
    let named = verifier(&listed, &[rsa_jwk(Some("RS384"))]);
    assert_eq!((reason(&named, &pss), reason(&named, &pkcs1)), (Some(Reason::AlgMismatch), None));
}

#[test]
fn v09_a_key_is_never_used_with_another_algorithm_than_its_own() {
    let ec = P256::new();
    let keys = verifier(&[Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256], &[rsa_jwk(Some("RS256")), ec.jwk()]);
    for (alg, kid) in [("PS256", "first"), ("ES256", "first"), ("RS256", "ec"), ("PS256", "ec")] {
        let signed = |message: &[u8]| if kid == "ec" { ec.signature(message) } else { TestKey::first().signature(message) };
        assert_eq!(reason(&keys, &token(alg, kid, signed)), Some(Reason::AlgMismatch), "{alg} {kid}");
    }
    assert_eq!(reason(&keys, &token("RS256", "first", |message| TestKey::first().signature(message))), None);
    assert_eq!(reason(&keys, &token("ES256", "ec", |message| ec.signature(message))), None);
}

#[test]
fn v04_no_shared_secret_is_ever_accepted_whatever_is_listed() {
    let keys = verifier(Algorithm::ALL, &[TestKey::first().jwk()]);
    for alg in ["HS256", "HS384", "HS512", "none", "ES256K", "RSA-OAEP", "A256GCMKW", "dir"] {
        assert_eq!(reason(&keys, &token(alg, "first", |_| vec![0; 32])), Some(Reason::AlgNotAllowed), "{alg}");
    }
}

#[test]
fn v52_a_signature_of_one_padding_is_none_of_the_other() {
    let (pkcs1, pss) = (by_rsa("PS256", &aws_lc_rs::signature::RSA_PKCS1_SHA256), by_rsa("RS256", &RSA_PSS_SHA256));
    let of_pss = verifier(&[Algorithm::Ps256], &[rsa_jwk(Some("PS256"))]);
    let of_pkcs1 = verifier(&[Algorithm::Rs256], &[rsa_jwk(Some("RS256"))]);
    assert_eq!((reason(&of_pss, &pkcs1), reason(&of_pkcs1, &pss)), (Some(Reason::BadSignature), Some(Reason::BadSignature)));
}

/// What becomes of a message's good signature.
type Change<'a> = &'a dyn Fn(&[u8], Vec<u8>) -> Vec<u8>;

#[test]
fn v54_an_ecdsa_signature_has_two_integers_of_32_bytes_between_0_and_the_order() {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
        0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let ec = P256::new();
    let keys = verifier(&[Algorithm::Es256], &[ec.jwk()]);
    let judged = |change: Change<'_>| reason(&keys, &token("ES256", "ec", |message| change(message, ec.signature(message))));
    assert_eq!(judged(&|_, right| right), None);
    let der = |message: &[u8], _: Vec<u8>| {
        let pkcs8 = ec.0.to_pkcs8v1().unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).unwrap();
        pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    };
    let parts = |r: &[u8], s: &[u8]| [r, s].concat();
    let wrong: [(&str, Change<'_>); 12] = [
        ("r = s = 0", &|_, _| vec![0; 64]),
        ("r = 0", &|_, right| parts(&[0; 32], &right[32..])),
        ("s = 0", &|_, right| parts(&right[..32], &[0; 32])),
        ("r = n", &|_, right| parts(&ORDER, &right[32..])),
        ("s = n", &|_, right| parts(&right[..32], &ORDER)),
        ("all ones", &|_, _| vec![0xff; 64]),
        ("swapped", &|_, right| parts(&right[32..], &right[..32])),
        ("DER", &der),
        ("a byte short", &|_, right| right[..63].to_vec()),
        ("a byte long", &|_, right| parts(&right, &[0])),
        ("each a byte long", &|_, right| [&[0][..], &right[..32], &[0], &right[32..]].concat()),
        ("one byte", &|_, _| vec![1]),
    ];
    for (what, change) in wrong {
        assert_eq!(judged(change), Some(Reason::BadSignature), "{what}");
    }
    for position in 0..64 {
        let flipped = judged(&|_, mut right| {
            right[position] ^= 1 << (position % 8);
            right
        });
        assert_eq!(flipped, Some(Reason::BadSignature), "{position}");
    }
}

#[test]
fn both_names_of_eddsa_mean_the_same() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let jwk =
        |alg: &str| json!({ "kty": "OKP", "crv": "Ed25519", "kid": "ed", "alg": alg, "x": b64(pair.public_key().as_ref()) });
    for (of_key, of_token) in [("EdDSA", "EdDSA"), ("EdDSA", "Ed25519"), ("Ed25519", "EdDSA"), ("Ed25519", "Ed25519")] {
        let keys = verifier(&[Algorithm::EdDsa], &[jwk(of_key)]);
        let token = token(of_token, "ed", |message| pair.sign(message).as_ref().to_vec());
        assert_eq!(reason(&keys, &token), None, "{of_key} {of_token}");
    }
}

#[test]
fn v13_v14_v58_v59_keys_on_curves_are_judged_as_strictly_as_rsa_keys() {
    let ec = P256::new();
    let ed = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": b64(Ed25519KeyPair::generate().unwrap().public_key().as_ref()) });
    let with = |jwk: &Value, member: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk[member] = value;
        jwk
    };
    let x = ec.jwk()["x"].as_str().unwrap().to_owned();
    let listed = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];
    for (jwk, why) in [
        (with(&ec.jwk(), "d", json!("AQAB")), SkipReason::Private),
        (with(&ed, "d", json!("AQAB")), SkipReason::Private),
        (json!({ "kty": "OKP", "crv": "X25519", "kid": "k", "x": "AA", "d": "AA" }), SkipReason::Private),
        (json!({ "kty": "oct", "kid": "k", "k": "AA" }), SkipReason::Symmetric),
        (with(&ec.jwk(), "use", json!("enc")), SkipReason::OtherUse),
        (with(&ed, "key_ops", json!(["sign"])), SkipReason::OtherUse),
        (with(&with(&ec.jwk(), "use", json!("sig")), "key_ops", json!(["deriveKey"])), SkipReason::OtherUse),
        (with(&ec.jwk(), "alg", json!("ES384")), SkipReason::OtherAlgorithm),
        (with(&ec.jwk(), "alg", json!("ECDH-ES")), SkipReason::OtherAlgorithm),
        (with(&ec.jwk(), "alg", json!("RS256")), SkipReason::Malformed),
        (with(&TestKey::first().jwk(), "alg", json!("ES256")), SkipReason::Malformed),
        (with(&ed, "alg", json!("ES256")), SkipReason::Malformed),
        (with(&ec.jwk(), "crv", json!("P-384")), SkipReason::OtherAlgorithm),
        (with(&ec.jwk(), "crv", json!("secp256k1")), SkipReason::OtherType),
        (with(&ec.jwk(), "crv", json!("p-256")), SkipReason::OtherType),
        (with(&ec.jwk(), "crv", Value::Null), SkipReason::Malformed),
        (with(&ed, "crv", json!("Ed448")), SkipReason::OtherType),
        (with(&ed, "crv", json!("X25519")), SkipReason::OtherType),
        (with(&ec.jwk(), "y", json!(x)), SkipReason::InvalidPoint),
        (with(&ec.jwk(), "y", Value::Null), SkipReason::Malformed),
        (with(&ec.jwk(), "y", json!(&x[..42])), SkipReason::Malformed),
        (with(&ec.jwk(), "x", json!(format!("{x}="))), SkipReason::Malformed),
        (with(&ec.jwk(), "x", json!(b64(&[0; 33]))), SkipReason::Malformed),
        (with(&ed, "x", json!(b64(&[0; 32]))), SkipReason::InvalidPoint),
        (with(&ed, "x", json!(b64(&[1; 31]))), SkipReason::Malformed),
        (with(&ec.jwk(), "kid", Value::Null), SkipReason::Malformed),
        (with(&ec.jwk(), "kid", json!("\u{e4}")), SkipReason::NoKid),
    ] {
        let keys = verifier(&listed, &[jwk.clone(), TestKey::second().jwk()]);
        assert_eq!((keys.health().usable_keys, skipped(&keys)), (1, vec![why]), "{jwk}");
    }
    let keys =
        verifier(&listed, &[with(&ec.jwk(), "x5c", json!(["MII"])), with(&ed, "use", json!("sig")), TestKey::first().jwk()]);
    assert_eq!((keys.health().usable_keys, skipped(&keys)), (3, vec![]));
}

#[test]
fn v27_a_kid_counts_as_shared_only_among_keys_that_could_be_used() {
    let mut twin = P256::new().jwk();
    twin["kid"] = json!("first");
    let both = [TestKey::first().jwk(), twin, TestKey::second().jwk()];
    let tolerant = verifier(&[Algorithm::Rs256], &both);
    assert_eq!((tolerant.health().usable_keys, skipped(&tolerant)), (2, vec![SkipReason::OtherAlgorithm]));
    let strict = verifier(&[Algorithm::Rs256, Algorithm::Es256], &both);
    assert_eq!((strict.health().usable_keys, skipped(&strict)), (1, vec![SkipReason::DuplicateKid; 2]));
}

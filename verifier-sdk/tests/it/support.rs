//! An issuer in miniature: two fixed test keys, and tokens that are good except for what a test spoils.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaEncoding};
use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use passant_verifier::{ManualClock, Reason, Verifier};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://id.example.com";
pub(crate) const AUDIENCE: &str = "orders-api";
pub(crate) const NOW: i64 = 1_900_000_000;

pub(crate) struct TestKey {
    pub(crate) kid: &'static str,
    pair: KeyPair,
}

impl TestKey {
    pub(crate) fn first() -> Self {
        Self::load("first", include_str!("../fixtures/first.pem"))
    }

    pub(crate) fn second() -> Self {
        Self::load("second", include_str!("../fixtures/second.pem"))
    }

    fn load(kid: &'static str, pem: &str) -> Self {
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        Self { kid, pair: KeyPair::from_pkcs8(&Base64::decode_vec(&body).unwrap()).unwrap() }
    }

    /// The same key under another name.
    #[cfg(feature = "http")]
    pub(crate) fn called(self, kid: &'static str) -> Self {
        Self { kid, ..self }
    }

    pub(crate) fn modulus(&self) -> Vec<u8> {
        self.pair.public_key().modulus().big_endian_without_leading_zero().to_vec()
    }

    /// Its public half in PKCS #1.
    pub(crate) fn public_der(&self) -> Vec<u8> {
        self.pair.public_key().as_ref().to_vec()
    }

    pub(crate) fn jwk(&self) -> Value {
        json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": b64(&self.modulus()), "e": "AQAB" })
    }

    pub(crate) fn signature(&self, message: &[u8]) -> Vec<u8> {
        self.signature_by(&RSA_PKCS1_SHA256, message)
    }

    pub(crate) fn signature_by(&self, encoding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    }

    pub(crate) fn header(&self) -> Value {
        json!({ "alg": "RS256", "typ": "at+jwt", "kid": self.kid })
    }

    /// Signs texts as they are, so that a test can put in what no JSON writer would.
    pub(crate) fn sign_text(&self, header: &str, payload: &str) -> String {
        let message = format!("{}.{}", b64(header.as_bytes()), b64(payload.as_bytes()));
        let signature = b64(&self.signature(message.as_bytes()));
        format!("{message}.{signature}")
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_text(&self.header().to_string(), &claims.to_string())
    }
}

/// Signs claims with the first key below a header with this `typ`, or without any.
pub(crate) fn typed(typ: Option<&str>, claims: &Value) -> String {
    let mut header = TestKey::first().header();
    match typ {
        Some(typ) => header["typ"] = json!(typ),
        None => drop(header.as_object_mut().unwrap().remove("typ")),
    }
    TestKey::first().sign_text(&header.to_string(), &claims.to_string())
}

pub(crate) fn b64(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "u-1", "aud": AUDIENCE, "client_id": "shop-web", "jti": "t-1",
        "iat": NOW, "exp": NOW + 600, "scope": "openid orders:read", "born": 1_900_000_000_000_u64, "sid": "s-1", "gid": "g-1",
    })
}

/// The usual claims with one of them replaced; JSON `null` stands for itself.
pub(crate) fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

pub(crate) fn claims_without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

/// Byte for byte the same however serde_json was compiled: with josekit in the workspace it keeps the order of members.
pub(crate) fn jwks(keys: &[Value]) -> String {
    let mut set = json!({ "keys": keys });
    set.sort_all_objects();
    set.to_string()
}

/// A verifier that holds the first key for good, and the clock it goes by.
pub(crate) fn fixed() -> (Verifier, ManualClock) {
    let clock = ManualClock::at(NOW);
    let builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).clock(clock.clone());
    (builder.static_jwks(jwks(&[TestKey::first().jwk()])).build().unwrap(), clock)
}

pub(crate) fn reason(verifier: &Verifier, token: &str) -> Option<Reason> {
    verifier.verify(token).err().map(|error| error.reason())
}

/// A builder for an issuer elsewhere than [`ISSUER`], as a test's own server is.
#[cfg(feature = "http")]
pub(crate) fn builder_at(issuer: &str) -> passant_verifier::VerifierBuilder<passant_verifier::Given, passant_verifier::Given> {
    Verifier::builder().issuer(issuer).audience(AUDIENCE).clock(ManualClock::at(NOW))
}

//! RSA keys as JWKs (RFC 7517): the public form, written one way only, and the private form, wiped when it goes.

use base64ct::{Base64UrlUnpadded, Encoding};
use josekit::jwk::Jwk;
use josekit::{Map, Value};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroize;

use super::KeyError;
use crate::domain::ids::KeyId;
use crate::secret::Secret;

/// A public key with the six members that Passant publishes, in the order in which it writes them.
#[derive(Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(super) struct PublicJwk {
    kty: String,
    #[serde(rename = "use")]
    purpose: String,
    alg: String,
    pub(super) kid: KeyId,
    n: String,
    e: String,
}

impl PublicJwk {
    pub(super) fn parse(text: &str) -> Result<Self, KeyError> {
        serde_json::from_str(text).map_err(|_| KeyError::Malformed("its public half is not a JWK of kty, use, alg, kid, n, e"))
    }

    pub(super) fn canonical(&self) -> Result<String, KeyError> {
        serde_json::to_string(self).map_err(|_| KeyError::Malformed("its public half cannot be written"))
    }

    pub(super) fn to_josekit(&self) -> Jwk {
        let mut jwk = Jwk::new("RSA");
        for (name, value) in [("n", &self.n), ("e", &self.e)] {
            // josekit checks only members whose form it knows; `n` and `e` are not among them.
            let _unchecked = jwk.set_parameter(name, Some(Value::String(value.clone())));
        }
        jwk
    }
}

/// A private key, held as josekit holds it. Its strings are wiped on drop; what OpenSSL keeps it wipes itself.
pub(super) struct PrivateJwk(Jwk);

impl PrivateJwk {
    pub(super) fn new(jwk: Jwk) -> Self {
        Self(jwk)
    }

    pub(super) fn parse(text: &Secret<String>) -> Result<Self, KeyError> {
        Jwk::from_bytes(text.expose()).map(Self).map_err(|_| KeyError::Malformed("its private half is not a JWK"))
    }

    pub(super) fn josekit(&self) -> &Jwk {
        &self.0
    }

    /// The public half, after the checks that make the key fit to sign: RSA with at least 2048 bits, e = 65537, p ≠ q.
    pub(super) fn public(&self) -> Result<PublicJwk, KeyError> {
        if self.0.key_type() != "RSA" {
            return Err(KeyError::Malformed("it is not an RSA key"));
        }
        let (n, e) = (self.text("n")?, self.text("e")?);
        if e != "AQAB" {
            return Err(KeyError::Malformed("its exponent is not 65537"));
        }
        let modulus = Base64UrlUnpadded::decode_vec(n).map_err(|_| KeyError::Malformed("its modulus is not base64url"))?;
        if modulus.len() < 256 || (modulus.len() == 256 && modulus.first().is_none_or(|byte| *byte < 0x80)) {
            return Err(KeyError::Malformed("it has fewer than 2048 bits"));
        }
        if self.text("p")? == self.text("q")? {
            return Err(KeyError::Malformed("its two primes are one"));
        }
        let (kty, purpose, alg) = ("RSA".to_owned(), "sig".to_owned(), "RS256".to_owned());
        Ok(PublicJwk { kty, purpose, alg, kid: key_id(n, e), n: n.to_owned(), e: e.to_owned() })
    }

    /// The private JWK as text, to be sealed.
    pub(super) fn to_text(&self) -> Result<Secret<String>, KeyError> {
        let text = serde_json::to_string(&self.0).map_err(|_| KeyError::Malformed("its private half cannot be written"))?;
        Ok(Secret::new(text))
    }

    fn text(&self, member: &'static str) -> Result<&str, KeyError> {
        self.0.parameter(member).and_then(Value::as_str).ok_or(KeyError::Malformed("a member of its RSA numbers is missing"))
    }
}

impl Drop for PrivateJwk {
    fn drop(&mut self) {
        let members: Map<String, Value> = std::mem::replace(&mut self.0, Jwk::new("RSA")).into();
        for (_, value) in members {
            if let Value::String(mut text) = value {
                text.zeroize();
            }
        }
    }
}

/// The first 16 characters (96 bits) of the RFC 7638 thumbprint.
fn key_id(n: &str, e: &str) -> KeyId {
    let canonical = format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#);
    let thumbprint = Base64UrlUnpadded::encode_string(&Sha256::digest(canonical.as_bytes()));
    KeyId::new(thumbprint.chars().take(16).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_id_begins_the_thumbprint_of_rfc_7638_section_3_1() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        assert_eq!(key_id(n, "AQAB").as_str(), "NzbLsXh8uDCcd-6M");
    }

    #[test]
    fn a_public_jwk_with_any_other_member_is_refused() {
        let six = r#"{"kty":"RSA","use":"sig","alg":"RS256","kid":"k","n":"AQ","e":"AQAB"}"#;
        assert_eq!(PublicJwk::parse(six).unwrap().canonical().unwrap(), six);
        assert!(PublicJwk::parse(&six.replace("{", r#"{"d":"AQ","#)).is_err());
    }
}

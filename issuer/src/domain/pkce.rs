//! Proof Key for Code Exchange (RFC 7636), method S256 alone.

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};

use crate::secret::constant_time_eq;

/// A `code_challenge` of method S256: 43 characters of base64url.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeChallenge(String);

/// Why a text is not an S256 challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("code_challenge must be the base64url SHA-256 of the verifier, 43 characters")]
pub struct BadChallenge;

impl CodeChallenge {
    /// Parses a challenge: exactly the unpadded base64url of 32 bytes.
    pub fn parse(text: &str) -> Result<Self, BadChallenge> {
        let mut bytes = [0_u8; 32];
        match Base64UrlUnpadded::decode(text, &mut bytes) {
            Ok(decoded) if decoded.len() == 32 => Ok(Self(text.to_owned())),
            _ => Err(BadChallenge),
        }
    }

    /// The challenge as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the challenge of the verifier. A verifier has 43–128 unreserved characters (RFC 7636, section 4.1).
    pub fn proved_by(&self, verifier: &str) -> bool {
        let well_formed = (43..=128).contains(&verifier.len())
            && verifier.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'));
        let computed = Base64UrlUnpadded::encode_string(&Sha256::digest(verifier.as_bytes()));
        constant_time_eq(computed.as_bytes(), self.0.as_bytes()) && well_formed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7636_appendix_b_holds() {
        let challenge = CodeChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap();
        assert!(challenge.proved_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert!(!challenge.proved_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl"));
    }

    #[test]
    fn only_43_characters_of_canonical_base64url_are_a_challenge() {
        for text in ["", "short", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM=", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cN"] {
            assert_eq!(CodeChallenge::parse(text), Err(BadChallenge), "{text:?}");
        }
    }

    #[test]
    fn a_verifier_out_of_its_bounds_proves_nothing() {
        for verifier in ["x".repeat(42), "x".repeat(129), format!("{} ", "x".repeat(50))] {
            let hash = Base64UrlUnpadded::encode_string(&Sha256::digest(verifier.as_bytes()));
            assert!(!CodeChallenge::parse(&hash).unwrap().proved_by(&verifier));
        }
    }
}

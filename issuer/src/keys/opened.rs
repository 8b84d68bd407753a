//! A signing key that is ready to use: its row checked against its private half, and proved by a signature.

use josekit::jws::RS256;
use josekit::jws::alg::rsassa::{RsassaJwsSigner, RsassaJwsVerifier};
use zeroize::Zeroize;

use super::jwk::{PrivateJwk, PublicJwk};
use super::{KeyError, MasterKey, seal};
use crate::domain::ids::KeyId;
use crate::domain::signing_key::SigningKey;
use crate::secret::Secret;

pub(super) struct OpenedKey {
    pub(super) kid: KeyId,
    pub(super) public_jwk: String,
    signer: RsassaJwsSigner,
    verifier: RsassaJwsVerifier,
}

impl OpenedKey {
    /// Opens a row. The sealed half decides: a row whose public half was exchanged does not open.
    pub(super) fn open(row: &SigningKey, masters: &[MasterKey]) -> Result<Self, KeyError> {
        let Some(master) = masters.iter().find(|master| master.id() == row.master_key_id) else {
            let (sealed_under, given) = (row.master_key_id.clone(), super::master::names(masters));
            return Err(KeyError::OtherMasterKey { kid: row.kid.clone(), sealed_under, given });
        };
        let opened = Self::from_private(&seal::open(&row.sealed_private_key, &row.kid, master)?)?;
        if opened.kid != row.kid || opened.public_jwk != row.public_jwk {
            return Err(KeyError::Mismatch { kid: row.kid.clone() });
        }
        Ok(opened)
    }

    /// A key from its private JWK. The full CRT key goes to OpenSSL, with `n` and `e`, so that it checks every CRT result
    /// before it lets it out: one faulty signature would reveal the key (I111).
    pub(super) fn from_private(text: &Secret<String>) -> Result<Self, KeyError> {
        let private = PrivateJwk::parse(text)?;
        let public = private.public()?;
        let unfit = |_| KeyError::Mismatch { kid: public.kid.clone() };
        let signer = RS256.signer_from_jwk(private.josekit()).map_err(unfit)?;
        let verifier = RS256.verifier_from_jwk(&public.to_josekit()).map_err(unfit)?;
        let opened = Self { kid: public.kid.clone(), public_jwk: public.canonical()?, signer, verifier };
        opened.prove()?;
        Ok(opened)
    }

    /// An RS256 signature over the bytes.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.signer.sign(message).map_err(|_| KeyError::Sign { kid: self.kid.clone() })
    }

    /// Whether the signature over the bytes is this key's.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.verifier.verify(message, signature).is_ok()
    }

    /// The row's public half as it is published.
    pub(super) fn public(&self) -> Result<PublicJwk, KeyError> {
        PublicJwk::parse(&self.public_jwk)
    }

    fn prove(&self) -> Result<(), KeyError> {
        const PROBE: &[u8] = b"passant: do both halves belong together?";
        let mut signature = self.sign(PROBE)?;
        let proved = self.verifies(PROBE, &signature);
        signature.zeroize(); // a wrong one may reveal the key
        if proved { Ok(()) } else { Err(KeyError::Mismatch { kid: self.kid.clone() }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::tests::FIXTURES;

    /// A fault in one half of the CRT computation, simulated by one wrong number, would give a signature from which anybody
    /// factors the modulus (Boneh, DeMillo, Lipton). OpenSSL must notice and compute it without the CRT.
    #[test]
    fn a_fault_in_the_crt_never_reaches_a_signature() {
        let other: serde_json::Value = serde_json::from_str(FIXTURES[1]).unwrap();
        let good = OpenedKey::from_private(&Secret::new(FIXTURES[0].to_owned())).unwrap();
        for member in ["p", "dp", "dq", "qi"] {
            let mut jwk: serde_json::Value = serde_json::from_str(FIXTURES[0]).unwrap();
            jwk[member] = other[member].clone();
            let faulty = OpenedKey::from_private(&Secret::new(jwk.to_string())).unwrap();
            assert_eq!(faulty.sign(b"message").unwrap(), good.sign(b"message").unwrap(), "{member}");
        }
    }
}

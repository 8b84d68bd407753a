//! Signatures, behind a seam as narrow as it can be: a backend turns key material into a parsed key that is good for exactly
//! one algorithm. Which backends exist is decided by features; nothing else in the crate names one.

use std::fmt::Debug;

use crate::algorithm::{Algorithm, Hash};

#[cfg(feature = "aws-lc-rs")]
mod aws_lc;
#[cfg(feature = "ring")]
mod ring;
#[cfg(feature = "rust-crypto")]
mod rust_crypto;
#[cfg(test)]
mod wycheproof;

/// A public key's material that has been found strong and well-formed, as the module [`keys`](crate::keys) does it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Material<'m> {
    /// Both big-endian and without leading zeros.
    Rsa { modulus: &'m [u8], exponent: &'m [u8] },
    /// An uncompressed point (SEC 1, section 2.3.3) for ECDSA, the 32 bytes of RFC 8032, section 5.1.2 for Ed25519.
    Point(&'m [u8]),
}

impl Material<'_> {
    /// All of it in one text, and the algorithm that it is for.
    fn whole(&self, algorithm: Algorithm) -> Vec<u8> {
        let parts = match self {
            Self::Rsa { modulus, exponent } => [*modulus, exponent],
            Self::Point(point) => [*point, &[]],
        };
        let mut whole = Vec::from(algorithm.name());
        for part in parts {
            whole.extend_from_slice(&(part.len() as u64).to_be_bytes());
            whole.extend_from_slice(part);
        }
        whole
    }
}

/// A parsed public key, bound to one algorithm.
#[derive(Debug)]
pub(crate) struct VerificationKey {
    algorithm: Algorithm,
    /// SHA-256 of what the key is made of: the same key in another set has the same.
    fingerprint: [u8; 32],
    key: Box<dyn PublicKey>,
}

/// Why a signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignatureFault {
    /// The key is used with another algorithm than the one that is claimed.
    OtherAlgorithm,
    Wrong,
}

impl VerificationKey {
    /// What tells it from every other key.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// Verifies a signature that claims to be made by `algorithm`. The key decides how it is verified, the claim may only agree
    /// (RFC 8725, section 3.1).
    pub(crate) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Result<(), SignatureFault> {
        if algorithm != self.algorithm {
            return Err(SignatureFault::OtherAlgorithm);
        }
        if self.key.verify(message, signature) { Ok(()) } else { Err(SignatureFault::Wrong) }
    }
}

/// Parses a key for one algorithm; `None` where no backend can do the algorithm, or the backend refuses the key.
pub(crate) fn verification_key(algorithm: Algorithm, material: Material<'_>) -> Option<VerificationKey> {
    let backend = backend(algorithm)?;
    let fingerprint = sha256(&material.whole(algorithm));
    Some(VerificationKey { algorithm, fingerprint, key: (backend.parse)(algorithm, material)? })
}

/// Whether a backend that can do the algorithm is compiled in.
pub(crate) fn is_supported(algorithm: Algorithm) -> bool {
    backend(algorithm).is_some()
}

/// SHA-256. Without a backend no verifier can be built, and so nothing asks for it.
pub(crate) fn sha256(message: &[u8]) -> [u8; 32] {
    BACKENDS.first().map_or([0; 32], |backend| (backend.sha256)(message))
}

/// A hash of the SHA-2 family, of as many bytes as it has.
pub(crate) fn hash(by: Hash, message: &[u8]) -> Vec<u8> {
    BACKENDS.first().map(|backend| (backend.hash)(by, message)).unwrap_or_default()
}

/// Whether any backend is compiled in.
pub(crate) const AVAILABLE: bool = !BACKENDS.is_empty();

/// A key that a backend has parsed for one algorithm.
trait PublicKey: Debug + Send + Sync {
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool;
}

/// What a cryptographic library does for this crate.
struct Backend {
    #[cfg_attr(not(test), expect(dead_code, reason = "tests run over every backend and say which one failed"))]
    name: &'static str,
    supports: fn(Algorithm) -> bool,
    parse: fn(Algorithm, Material<'_>) -> Option<Box<dyn PublicKey>>,
    sha256: fn(&[u8]) -> [u8; 32],
    hash: fn(Hash, &[u8]) -> Vec<u8>,
}

/// Those compiled in. For each algorithm the first that can do it counts, so that one fills the gaps of another.
const BACKENDS: &[Backend] = &[
    #[cfg(feature = "aws-lc-rs")]
    aws_lc::BACKEND,
    #[cfg(feature = "ring")]
    self::ring::BACKEND,
    #[cfg(feature = "rust-crypto")]
    rust_crypto::BACKEND,
];

fn backend(algorithm: Algorithm) -> Option<&'static Backend> {
    BACKENDS.iter().find(|backend| (backend.supports)(algorithm))
}

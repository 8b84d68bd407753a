//! Signatures, behind a seam as narrow as it can be: a backend turns key material into a parsed key that is good for exactly
//! one algorithm. Which backends exist is decided by features; nothing else in the crate names one.

use std::fmt::Debug;

#[cfg(feature = "aws-lc-rs")]
mod aws_lc;

/// A parsed public key, bound to one algorithm.
pub(crate) trait PublicKey: Debug + Send + Sync {
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool;
}

/// Parses an RSA key for RS256; `None` where no backend is compiled in or the backend refuses the key.
pub(crate) fn rs256_key(modulus: &[u8], exponent: &[u8]) -> Option<Box<dyn PublicKey>> {
    #[cfg(feature = "aws-lc-rs")]
    return aws_lc::rs256_key(modulus, exponent);
    #[cfg(not(feature = "aws-lc-rs"))]
    {
        let _ = (modulus, exponent);
        None
    }
}

/// SHA-256. Without a backend no verifier can be built, and so nothing asks for it.
pub(crate) fn sha256(message: &[u8]) -> [u8; 32] {
    #[cfg(feature = "aws-lc-rs")]
    return aws_lc::sha256(message);
    #[cfg(not(feature = "aws-lc-rs"))]
    {
        let _ = message;
        [0; 32]
    }
}

/// Whether any backend is compiled in.
pub(crate) const AVAILABLE: bool = cfg!(feature = "aws-lc-rs");

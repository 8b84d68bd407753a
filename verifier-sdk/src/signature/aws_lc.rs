//! RS256 by AWS-LC. Keys are parsed once, when a set arrives, since parsing costs a good part of a verification.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};

use super::PublicKey;

pub(super) fn rs256_key(modulus: &[u8], exponent: &[u8]) -> Option<Box<dyn PublicKey>> {
    let components = RsaPublicKeyComponents { n: modulus, e: exponent };
    let parsed = components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).ok()?;
    Some(Box::new(parsed))
}

pub(super) fn sha256(message: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, message).as_ref());
    bytes
}

impl PublicKey for ParsedPublicKey {
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.verify_sig(message, signature).is_ok()
    }
}

//! RS256 by AWS-LC. Keys are parsed once, when a set arrives, since parsing costs a good part of a verification.

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};

use super::PublicKey;

pub(super) fn rs256_key(modulus: &[u8], exponent: &[u8]) -> Option<Box<dyn PublicKey>> {
    let components = RsaPublicKeyComponents { n: modulus, e: exponent };
    let parsed = components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).ok()?;
    Some(Box::new(parsed))
}

impl PublicKey for ParsedPublicKey {
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.verify_sig(message, signature).is_ok()
    }
}

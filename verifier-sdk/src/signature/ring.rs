//! All algorithms but ES512 by *ring*. It keeps no parsed keys, so each verification parses its key anew.

use ring::digest::{SHA256, SHA384, SHA512, digest};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

use super::{Backend, Material, PublicKey};
use crate::algorithm::{Algorithm, Hash};

pub(super) const BACKEND: Backend =
    Backend { name: "ring", supports: |algorithm| algorithm != Algorithm::Es512, parse, sha256, hash };

fn parse(algorithm: Algorithm, material: Material<'_>) -> Option<Box<dyn PublicKey>> {
    match material {
        Material::Rsa { modulus, exponent } => {
            let components = RsaPublicKeyComponents { n: modulus.into(), e: exponent.into() };
            Some(Box::new(RsaKey { parameters: rsa(algorithm)?, components }))
        }
        Material::Point(point) => Some(Box::new(UnparsedPublicKey::new(curve(algorithm)?, Box::<[u8]>::from(point)))),
    }
}

fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&RSA_PSS_2048_8192_SHA512),
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 | Algorithm::EdDsa => None,
    }
}

fn curve(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    match algorithm {
        Algorithm::Es256 => Some(&ECDSA_P256_SHA256_FIXED),
        Algorithm::Es384 => Some(&ECDSA_P384_SHA384_FIXED),
        Algorithm::EdDsa => Some(&ED25519),
        Algorithm::Es512
        | Algorithm::Rs256
        | Algorithm::Rs384
        | Algorithm::Rs512
        | Algorithm::Ps256
        | Algorithm::Ps384
        | Algorithm::Ps512 => None,
    }
}

fn sha256(message: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, message).as_ref());
    bytes
}

fn hash(by: Hash, message: &[u8]) -> Vec<u8> {
    let by = match by {
        Hash::Sha256 => &SHA256,
        Hash::Sha384 => &SHA384,
        Hash::Sha512 => &SHA512,
    };
    digest(by, message).as_ref().to_vec()
}

#[derive(Debug)]
struct RsaKey {
    parameters: &'static RsaParameters,
    components: RsaPublicKeyComponents<Box<[u8]>>,
}

impl PublicKey for RsaKey {
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.components.verify(self.parameters, message, signature).is_ok()
    }
}

impl PublicKey for UnparsedPublicKey<Box<[u8]>> {
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::verify(self, message, signature).is_ok()
    }
}

//! A key pair of any algorithm, made on the spot.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use serde_json::{Value, json};

use crate::algorithm::Algorithm;
use crate::base64url;

/// A key pair for one algorithm.
pub(super) struct Key {
    pub(super) kid: String,
    pub(super) algorithm: Algorithm,
    pair: Pair,
}

enum Pair {
    Rsa(Box<RsaKeyPair>, &'static dyn RsaEncoding),
    Ec(Box<EcdsaKeyPair>, &'static str),
    Ed25519(Ed25519KeyPair),
}

impl Key {
    pub(super) fn new(kid: &str, algorithm: Algorithm) -> Self {
        let pair = Pair::generate(algorithm).unwrap_or_else(|| panic!("a key for {algorithm} cannot be made"));
        Self { kid: kid.to_owned(), algorithm, pair }
    }

    pub(super) fn jwk(&self) -> Value {
        let (kid, alg) = (&self.kid, self.algorithm.name());
        match &self.pair {
            Pair::Rsa(pair, _) => {
                let modulus = pair.public_key().modulus().big_endian_without_leading_zero().to_vec();
                let n = base64url::encode(&modulus);
                json!({ "kty": "RSA", "use": "sig", "kid": kid, "alg": alg, "n": n, "e": "AQAB" })
            }
            Pair::Ec(pair, curve) => {
                let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                let (x, y) = (base64url::encode(x), base64url::encode(y));
                json!({ "kty": "EC", "use": "sig", "kid": kid, "alg": alg, "crv": curve, "x": x, "y": y })
            }
            Pair::Ed25519(pair) => {
                let x = base64url::encode(pair.public_key().as_ref());
                json!({ "kty": "OKP", "use": "sig", "kid": kid, "alg": alg, "crv": "Ed25519", "x": x })
            }
        }
    }

    /// Signs texts as they are.
    pub(super) fn sign(&self, header: &str, payload: &str) -> String {
        let message = format!("{}.{}", base64url::encode(header.as_bytes()), base64url::encode(payload.as_bytes()));
        let signature = self.pair.sign(message.as_bytes()).unwrap_or_else(|| panic!("{} cannot sign", self.kid));
        format!("{message}.{}", base64url::encode(&signature))
    }
}

impl Pair {
    fn generate(algorithm: Algorithm) -> Option<Self> {
        let rsa = |encoding: &'static dyn RsaEncoding| {
            Some(Self::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).ok()?), encoding))
        };
        let ec = |algorithm: &'static EcdsaSigningAlgorithm, curve| {
            Some(Self::Ec(Box::new(EcdsaKeyPair::generate(algorithm).ok()?), curve))
        };
        match algorithm {
            Algorithm::Rs256 => rsa(&RSA_PKCS1_SHA256),
            Algorithm::Rs384 => rsa(&RSA_PKCS1_SHA384),
            Algorithm::Rs512 => rsa(&RSA_PKCS1_SHA512),
            Algorithm::Ps256 => rsa(&RSA_PSS_SHA256),
            Algorithm::Ps384 => rsa(&RSA_PSS_SHA384),
            Algorithm::Ps512 => rsa(&RSA_PSS_SHA512),
            Algorithm::Es256 => ec(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256"),
            Algorithm::Es384 => ec(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
            Algorithm::Es512 => ec(&ECDSA_P521_SHA512_FIXED_SIGNING, "P-521"),
            Algorithm::EdDsa => Some(Self::Ed25519(Ed25519KeyPair::generate().ok()?)),
        }
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).ok()?;
                Some(signature)
            }
            Self::Ec(pair, _) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
            Self::Ed25519(pair) => Some(pair.sign(message).as_ref().to_vec()),
        }
    }
}

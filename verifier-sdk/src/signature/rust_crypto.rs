//! All algorithms in pure Rust, for wherever no C compiler or assembler reaches, such as wasm32. Keys are parsed once.
//!
//! The `rsa` crate's private-key operations leak time (RUSTSEC-2023-0071); only public keys are touched here.

use std::fmt::Debug;
use std::marker::PhantomData;

use rsa::signature::Verifier;
use rsa::{BoxedUint, pkcs1v15, pss};
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::{Backend, Material, PublicKey};
use crate::algorithm::{Algorithm, Hash};

pub(super) const BACKEND: Backend = Backend { name: "rust-crypto", supports: |_| true, parse, sha256, hash };

fn parse(algorithm: Algorithm, material: Material<'_>) -> Option<Box<dyn PublicKey>> {
    match material {
        Material::Rsa { modulus, exponent } => {
            let key = rsa::PublicKey::new(integer(modulus), integer(exponent)).ok()?;
            match algorithm {
                Algorithm::Rs256 => parsed::<pkcs1v15::Signature>(pkcs1v15::VerifyingKey::<Sha256>::new(key)),
                Algorithm::Rs384 => parsed::<pkcs1v15::Signature>(pkcs1v15::VerifyingKey::<Sha384>::new(key)),
                Algorithm::Rs512 => parsed::<pkcs1v15::Signature>(pkcs1v15::VerifyingKey::<Sha512>::new(key)),
                Algorithm::Ps256 => parsed::<pss::Signature>(pss::VerifyingKey::<Sha256>::new(key)),
                Algorithm::Ps384 => parsed::<pss::Signature>(pss::VerifyingKey::<Sha384>::new(key)),
                Algorithm::Ps512 => parsed::<pss::Signature>(pss::VerifyingKey::<Sha512>::new(key)),
                Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 | Algorithm::EdDsa => None,
            }
        }
        Material::Point(point) => match algorithm {
            Algorithm::Es256 => parsed::<p256::ecdsa::Signature>(p256::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()?),
            Algorithm::Es384 => parsed::<p384::ecdsa::Signature>(p384::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()?),
            Algorithm::Es512 => parsed::<p521::ecdsa::Signature>(p521::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()?),
            Algorithm::EdDsa => parsed::<ed25519_dalek::Signature>(ed25519_dalek::VerifyingKey::try_from(point).ok()?),
            Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 | Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 => {
                None
            }
        },
    }
}

fn integer(big_endian: &[u8]) -> BoxedUint {
    BoxedUint::from_be_slice_vartime(big_endian)
}

fn sha256(message: &[u8]) -> [u8; 32] {
    Sha256::digest(message).into()
}

fn hash(by: Hash, message: &[u8]) -> Vec<u8> {
    match by {
        Hash::Sha256 => Sha256::digest(message).to_vec(),
        Hash::Sha384 => Sha384::digest(message).to_vec(),
        Hash::Sha512 => Sha512::digest(message).to_vec(),
    }
}

fn parsed<S>(key: impl Verifier<S> + Debug + Send + Sync + 'static) -> Option<Box<dyn PublicKey>>
where
    S: for<'s> TryFrom<&'s [u8]> + Debug + Send + Sync + 'static,
{
    Some(Box::new(Parsed { key, signature: PhantomData::<S> }))
}

/// A key, with the form that its signatures have.
#[derive(Debug)]
struct Parsed<K, S> {
    key: K,
    signature: PhantomData<S>,
}

impl<K, S> PublicKey for Parsed<K, S>
where
    K: Verifier<S> + Debug + Send + Sync,
    S: for<'s> TryFrom<&'s [u8]> + Debug + Send + Sync,
{
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        S::try_from(signature).is_ok_and(|signature| self.key.verify(message, &signature).is_ok())
    }
}

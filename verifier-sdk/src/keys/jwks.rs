//! A published key set (RFC 7517), filtered: tolerant of what it does not understand, strict with what it does. A key that
//! cannot be used, or must not be, is left out and named; the others stay usable.

use std::collections::HashMap;
use std::fmt;

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::escape::escaped;
use crate::json::tree::{Value, parse_object};
use crate::keys::jwk;
use crate::signature::{VerificationKey, sha256};

/// Larger documents are refused.
pub(crate) const MAX_JWKS_LEN: usize = 256 * 1024;

const MAX_KEYS: usize = 64;

/// The usable keys of one issuer by their `kid`; never empty.
#[derive(Debug)]
pub(crate) struct KeySet {
    keys: HashMap<Box<str>, VerificationKey>,
    skipped: Vec<SkippedKey>,
    document: Box<[u8]>,
}

impl KeySet {
    /// Reads a set; each of its keys is bound to one of the algorithms, or left out.
    pub(crate) fn parse(text: &[u8], algorithms: &[Algorithm]) -> Result<Self, JwksError> {
        if text.len() > MAX_JWKS_LEN {
            return Err(JwksError::TooLarge);
        }
        let document = parse_object(text).map_err(|_| JwksError::NotAKeySet)?;
        let Some(Value::Array(entries)) = document.get("keys") else {
            return Err(JwksError::NotAKeySet);
        };
        if entries.len() > MAX_KEYS {
            return Err(JwksError::TooManyKeys);
        }
        let mut uses_of_kid: HashMap<&str, usize> = HashMap::new();
        for kid in entries.iter().filter_map(|entry| jwk::contender(entry, algorithms)) {
            *uses_of_kid.entry(kid).or_default() += 1;
        }
        let mut set = Self { keys: HashMap::new(), skipped: Vec::new(), document: text.into() };
        let is_shared = |kid: &str| uses_of_kid.get(kid).is_some_and(|uses| *uses > 1);
        for entry in entries {
            match jwk::usable(entry, algorithms, is_shared) {
                Ok((kid, key)) => {
                    set.keys.insert(kid.into(), key);
                }
                Err(reason) => set.skipped.push(SkippedKey { kid: jwk::kid(entry).map(escaped), reason }),
            }
        }
        if set.keys.is_empty() { Err(JwksError::NoUsableKey) } else { Ok(set) }
    }

    pub(crate) fn get(&self, kid: &str) -> Option<&VerificationKey> {
        self.keys.get(kid)
    }

    /// The key and its `kid`, where there is no other.
    pub(crate) fn only(&self) -> Option<(&str, &VerificationKey)> {
        let mut keys = self.keys.iter().map(|(kid, key)| (&**kid, key));
        keys.next().filter(|_| self.keys.len() == 1)
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn kids(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(|kid| &**kid)
    }

    pub(crate) fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// The text that it was read from.
    pub(crate) fn document(&self) -> &[u8] {
        &self.document
    }
}

#[cfg_attr(
    not(any(feature = "http", feature = "testing")),
    expect(dead_code, reason = "only what fetches keys compares and keeps them")
)]
impl KeySet {
    /// The text's SHA-256 in base64url, by which the revocation feed says which set is published.
    pub(crate) fn digest(&self) -> String {
        base64url::encode(&sha256(&self.document))
    }
}

/// A key of the published set that is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SkippedKey {
    /// Its `kid`, escaped and cut, where it has one.
    pub kid: Option<String>,
    /// Why it is not used.
    pub reason: SkipReason,
}

/// Why a published key is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SkipReason {
    /// Of a type, or on a curve, that no algorithm of this crate uses.
    OtherType,
    /// A symmetric key: a secret that must never be published.
    Symmetric,
    /// A private key: a secret that must never be published.
    Private,
    /// `kid` is missing or odd.
    NoKid,
    /// Another key has the same `kid`.
    DuplicateKid,
    /// `use` or `key_ops` is not for verifying signatures.
    OtherUse,
    /// None of the accepted algorithms can use it, or its `alg` is not one of them.
    OtherAlgorithm,
    /// The modulus is too short, too long, even, has a small factor, or was made by the generator of CVE-2017-15361 (ROCA).
    WeakModulus,
    /// The exponent is not 65537.
    WeakExponent,
    /// The point is not on its curve, or of small order.
    InvalidPoint,
    /// Something about the key is not as RFC 7517 and RFC 7518 have it.
    Malformed,
    /// The revocation feed says that the key was revoked.
    Revoked,
}

impl SkipReason {
    /// Whether the issuer has published a secret, which is worth waking somebody.
    pub fn is_leak(self) -> bool {
        matches!(self, Self::Private | Self::Symmetric)
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherType => "it is of a type or on a curve that is not supported",
            Self::Symmetric => "it is a symmetric key, a secret that must not be published",
            Self::Private => "it is a private key, a secret that must not be published",
            Self::NoKid => "its kid is missing or odd",
            Self::DuplicateKid => "another key has the same kid",
            Self::OtherUse => "it is not meant for verifying signatures",
            Self::OtherAlgorithm => "it is for none of the accepted algorithms",
            Self::WeakModulus => "its modulus is weak",
            Self::WeakExponent => "its exponent is not 65537",
            Self::InvalidPoint => "its point is not on its curve, or of small order",
            Self::Malformed => "it is malformed",
            Self::Revoked => "it was revoked",
        })
    }
}

/// Why a whole document is not a usable key set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwksError {
    /// The document is larger than 256 KiB.
    #[error("the key set is larger than 256 KiB")]
    TooLarge,
    /// The document is not a JSON object with an array `keys`, or names a member twice.
    #[error("the document is not a JWK set")]
    NotAKeySet,
    /// There are more than 64 keys.
    #[error("the key set has more than 64 keys")]
    TooManyKeys,
    /// No key of the set can be used.
    #[error("the key set has no usable key")]
    NoUsableKey,
}

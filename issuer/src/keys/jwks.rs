//! The JWKS (RFC 7517, section 5) as bytes that are ready to be sent.

use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::KeyError;
use super::jwk::PublicJwk;
use crate::clock::UnixTime;
use crate::domain::signing_key::{self, SigningKey};

/// A key set with what HTTP says about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JwksDocument {
    /// The JSON text.
    pub bytes: Vec<u8>,
    /// SHA-256 of the bytes in base64url, which the revocation feed announces so that verifiers learn of a rotation.
    pub digest: String,
    /// The digest as a strong entity tag, in its quotes.
    pub etag: String,
    /// What `Cache-Control: max-age` may promise. Whole seconds.
    pub max_age: Duration,
}

#[derive(Serialize)]
struct KeySet {
    keys: Vec<PublicJwk>,
}

/// The digest of the key set that these rows publish now. It needs no private key.
pub fn published_digest(rows: &[SigningKey], now: UnixTime) -> Result<String, KeyError> {
    let published = signing_key::published(rows, now);
    let keys = published.iter().map(|row| PublicJwk::parse(&row.public_jwk)).collect::<Result<_, _>>()?;
    Ok(JwksDocument::new(keys, Duration::ZERO)?.digest)
}

impl JwksDocument {
    /// The document of these keys, in this order. They pass through the type that has no private members.
    pub(super) fn new(keys: Vec<PublicJwk>, max_age: Duration) -> Result<Self, KeyError> {
        let bytes = serde_json::to_vec(&KeySet { keys }).map_err(|_| KeyError::Malformed("the key set cannot be written"))?;
        let digest = Base64UrlUnpadded::encode_string(&Sha256::digest(&bytes));
        Ok(Self { bytes, etag: format!("\"{digest}\""), digest, max_age })
    }
}

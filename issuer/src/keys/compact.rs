//! Compact JWS (RFC 7515) in the one shape that this issuer writes: RS256, a header of exactly `alg typ kid`, an object inside.
//! Reading is as narrow as writing, so `crit`, `jku`, `jwk` and whatever comes next have nowhere to stand.

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::opened::OpenedKey;
use super::{KeyError, NotOurs};
use crate::domain::ids::KeyId;

/// Longer than any token of ours.
pub(super) const LONGEST_TOKEN: usize = 8 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: KeyId,
}

/// Signs the claims.
pub(super) fn sign(key: &OpenedKey, typ: &str, claims: &impl Serialize) -> Result<String, KeyError> {
    let fault = |_| KeyError::Sign { kid: key.kid.clone() };
    let header = Header { alg: "RS256".to_owned(), typ: typ.to_owned(), kid: key.kid.clone() };
    let header = serde_json::to_vec(&header).map_err(fault)?;
    let claims = serde_json::to_vec(claims).map_err(fault)?;
    let mut token = format!("{}.{}", Base64UrlUnpadded::encode_string(&header), Base64UrlUnpadded::encode_string(&claims));
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    token.push_str(&Base64UrlUnpadded::encode_string(&signature));
    Ok(token)
}

/// A token of the right shape and type, whose signature nobody has checked yet.
pub(super) struct Unverified<'t> {
    pub(super) kid: KeyId,
    signed: &'t str,
    payload: &'t str,
    signature: Vec<u8>,
}

impl<'t> Unverified<'t> {
    /// Takes a token apart. The type is compared as RFC 7515, section 4.1.9 says: without case and without `application/`.
    pub(super) fn parse(token: &'t str, typ: &str, longest: usize) -> Result<Self, NotOurs> {
        if token.len() > longest {
            return Err(NotOurs::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(NotOurs::NotCompact)?;
        let (header, payload) = signed.split_once('.').ok_or(NotOurs::NotCompact)?;
        if payload.contains('.') {
            return Err(NotOurs::NotCompact);
        }
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| NotOurs::Header)?;
        if header.alg != "RS256" {
            return Err(NotOurs::Algorithm);
        }
        if !without_prefix(&header.typ).eq_ignore_ascii_case(without_prefix(typ)) {
            return Err(NotOurs::Type);
        }
        Ok(Self { kid: header.kid, signed, payload, signature: decode(signature)? })
    }

    /// The payload, once the signature has proved to be the key's.
    pub(super) fn verify<P: DeserializeOwned>(self, key: &OpenedKey) -> Result<P, NotOurs> {
        if !key.verifies(self.signed.as_bytes(), &self.signature) {
            return Err(NotOurs::Signature);
        }
        serde_json::from_slice(&decode(self.payload)?).map_err(|_| NotOurs::Payload)
    }
}

fn decode(part: &str) -> Result<Vec<u8>, NotOurs> {
    Base64UrlUnpadded::decode_vec(part).map_err(|_| NotOurs::NotCompact)
}

fn without_prefix(typ: &str) -> &str {
    const PREFIX: &str = "application/";
    match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) => rest,
        _ => typ,
    }
}

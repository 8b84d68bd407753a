//! The levels at which something can be revoked, and the salted names under which the feed lists it: 128 bits of SHA-256, so
//! that whoever reads the feed learns of nobody.

use std::fmt;

use crate::base64url;
use crate::signature::sha256;

/// What a cut-off kills: all that its target had, or all that a key signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Level {
    Issuer,
    Client,
    User,
    Consent,
    Session,
    Grant,
    Token,
    Key,
}

impl Level {
    pub(crate) const ALL: [Self; 8] =
        [Self::Issuer, Self::Client, Self::User, Self::Consent, Self::Session, Self::Grant, Self::Token, Self::Key];

    /// The level's name in the feed.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Issuer => "iss",
            Self::Client => "client_id",
            Self::User => "sub",
            Self::Consent => "sub+client_id",
            Self::Session => "sid",
            Self::Grant => "gid",
            Self::Token => "jti",
            Self::Key => "kid",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

/// A target's salted name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name(u128);

/// Where salt and identifiers are as short as ours, nothing is allocated to hash them.
const SHORT: usize = 256;

impl Name {
    pub(crate) fn salted(salt: &str, level: Level, identifiers: &[&str]) -> Self {
        let parts = || [salt, level.name()].into_iter().chain(identifiers.iter().copied());
        let len = parts().map(|part| 8 + part.len()).sum();
        let digest = if len <= SHORT {
            let mut buffer = [0; SHORT];
            let mut rest = buffer.as_mut_slice();
            for part in parts() {
                rest = put(rest, &(part.len() as u64).to_be_bytes());
                rest = put(rest, part.as_bytes());
            }
            sha256(buffer.get(..len).unwrap_or_default())
        } else {
            let mut text = Vec::with_capacity(len);
            for part in parts() {
                text.extend_from_slice(&(part.len() as u64).to_be_bytes());
                text.extend_from_slice(part.as_bytes());
            }
            sha256(&text)
        };
        Self(u128::from_be_bytes(*digest.first_chunk().unwrap_or(&[0; 16])))
    }

    pub(super) fn halves(self) -> [u64; 2] {
        [(self.0 >> 64) as u64, self.0 as u64]
    }

    pub(super) fn from_halves([high, low]: [u64; 2]) -> Self {
        Self(u128::from(high) << 64 | u128::from(low))
    }

    /// Reads the 22 characters that the feed writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(Self(u128::from_be_bytes(base64url::decode(text)?.try_into().ok()?)))
    }
}

/// Fills the front of `room`, which is large enough, and returns what is left of it.
fn put<'r>(room: &'r mut [u8], bytes: &[u8]) -> &'r mut [u8] {
    let (front, rest) = room.split_at_mut_checked(bytes.len()).unwrap_or_default();
    front.copy_from_slice(bytes);
    rest
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(&self.0.to_be_bytes()))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest;
    use base64ct::{Base64UrlUnpadded, Encoding as _};

    use super::*;

    #[test]
    fn a_name_is_what_the_feed_says_it_is_however_long_its_parts() {
        for id in ["", "u-1", &"x".repeat(231), &"x".repeat(232), &"x".repeat(10_000)] {
            let mut hash = digest::Context::new(&digest::SHA256);
            for part in ["salt", "sub", id] {
                hash.update(&(part.len() as u64).to_be_bytes());
                hash.update(part.as_bytes());
            }
            let text = Base64UrlUnpadded::encode_string(&hash.finish().as_ref()[..16]);
            let name = Name::salted("salt", Level::User, &[id]);
            assert_eq!((name.to_string(), Name::parse(&text)), (text, Some(name)));
        }
    }

    #[test]
    fn names_of_different_targets_differ() {
        let names = [
            Name::salted("salt", Level::User, &["x"]),
            Name::salted("pepper", Level::User, &["x"]),
            Name::salted("salt", Level::Client, &["x"]),
            Name::salted("salt", Level::Consent, &["ab", "c"]),
            Name::salted("salt", Level::Consent, &["a", "bc"]),
            Name::salted("salt", Level::Issuer, &[]),
        ];
        assert_eq!(std::collections::HashSet::from(names).len(), names.len());
    }

    #[test]
    fn only_sixteen_bytes_are_a_name() {
        for text in ["", "A", &"A".repeat(21), &"A".repeat(23), "AAAAAAAAAAAAAAAAAAAAAB", "AAAAAAAAAAAAAAAAAAAA=="] {
            assert_eq!(Name::parse(text), None, "{text}");
        }
    }
}

//! Secrets and randomness: values that do not print themselves, opaque tokens, their hashes, derived keys. Apart from `keys`
//! this is the only user of the operating system's random source, so its strength is decided once.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// A value that must not be printed: `Debug` shows none of it, and its memory is wiped on drop.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Wraps a secret.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The secret itself. Every call is a place to look at in a review.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Fills an array from the operating system's random source.
///
/// Aborts the process when there is no such source: nothing Passant does is safe without it.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0_u8; N];
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the OS random source")]
    let filled = getrandom::fill(&mut bytes);
    if filled.is_err() {
        std::process::abort();
    }
    bytes
}

/// A public identifier: 96 random bits in 16 characters of base64url.
pub fn random_id() -> String {
    Base64UrlUnpadded::encode_string(&random_bytes::<12>())
}

/// A bearer secret that is handed out once: 256 random bits in base64url behind a prefix that says what it is.
pub struct OpaqueToken(Secret<String>);

impl OpaqueToken {
    /// A new token with the prefix, for instance `psr_`.
    pub fn random(prefix: &str) -> Self {
        Self::from_bytes(prefix, &random_bytes::<32>())
    }

    /// The token that encodes these bytes, for tokens that are derived rather than drawn.
    pub fn from_bytes(prefix: &str, bytes: &[u8; 32]) -> Self {
        Self(Secret::new(format!("{prefix}{}", Base64UrlUnpadded::encode_string(bytes))))
    }

    /// A token as a client or a browser presents it; anything goes, an unknown one just has an unknown hash.
    pub fn presented(text: &str) -> Self {
        Self(Secret::new(text.to_owned()))
    }

    /// The text that its holder gets, once.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// What the database keeps of it.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(self.expose())
    }
}

impl fmt::Debug for OpaqueToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpaqueToken(…)")
    }
}

/// SHA-256 of a bearer secret in base64url: all that rests of it in the database. The secrets have 256 bits, so a slow hash
/// would only cost (and let a stranger make us pay).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TokenHash(String);

impl TokenHash {
    /// The hash of a presented secret.
    pub fn of(presented: &str) -> Self {
        Self(Base64UrlUnpadded::encode_string(&Sha256::digest(presented.as_bytes())))
    }

    /// A hash that the database or a configuration file holds.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text that the database holds.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Compares without telling by its time how much of the two agrees.
    pub fn matches(&self, other: &Self) -> bool {
        constant_time_eq(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// Compares two byte strings in time that depends on their lengths only.
pub fn constant_time_eq(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

/// A 256-bit key for one purpose, derived from the master key (RFC 5869) under a label of its own.
#[derive(Clone)]
pub struct DerivedKey(Secret<[u8; 32]>);

impl DerivedKey {
    /// HKDF-SHA256 of the master key with the label as `info`.
    pub fn derive(master: &Secret<[u8; 32]>, label: &str) -> Self {
        let mut key = [0_u8; 32];
        // 32 bytes are far below HKDF's limit of 255 hashes, so this cannot fail; were it to, the zero key must not survive.
        if Hkdf::<Sha256>::new(None, master.expose()).expand(label.as_bytes(), &mut key).is_err() {
            std::process::abort();
        }
        Self(Secret::new(key))
    }

    /// The key as text, to be sealed.
    pub fn to_text(&self) -> Secret<String> {
        Secret::new(Base64UrlUnpadded::encode_string(self.0.expose()))
    }

    /// The key of such a text; nothing where it is none.
    pub fn from_text(text: &Secret<String>) -> Option<Self> {
        let mut room = [0_u8; 32];
        let whole = Base64UrlUnpadded::decode(text.expose(), &mut room).is_ok_and(|bytes| bytes.len() == 32);
        let key = Self(Secret::new(room));
        room.zeroize();
        whole.then_some(key)
    }

    /// HMAC-SHA256 over the parts, each preceded by its length so that no two lists of parts read the same.
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = match Hmac::<Sha256>::new_from_slice(self.0.expose()) {
            Ok(mac) => mac,
            Err(_) => std::process::abort(), // HMAC takes a key of any length
        };
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// The key's bytes, for a cipher.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }
}

impl fmt::Debug for DerivedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DerivedKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_a_secret() {
        let token = OpaqueToken::random("psr_");
        let shown = format!("{token:?} {:?} {:?}", token.hash(), Secret::new("hunter2".to_owned()));
        assert!(!shown.contains(token.expose()) && !shown.contains(token.hash().as_str()) && !shown.contains("hunter2"));
    }

    #[test]
    fn opaque_tokens_carry_256_bits_and_differ() {
        let (one, other) = (OpaqueToken::random("psr_"), OpaqueToken::random("psr_"));
        assert_eq!(one.expose().len(), "psr_".len() + 43);
        assert_ne!(one.expose(), other.expose());
        assert!(one.hash().matches(&TokenHash::of(one.expose())) && !one.hash().matches(&other.hash()));
    }

    #[test]
    fn derived_keys_differ_by_label_and_macs_by_how_parts_are_cut() {
        let master = Secret::new([7_u8; 32]);
        let (one, other) = (DerivedKey::derive(&master, "one"), DerivedKey::derive(&master, "other"));
        assert_ne!(one.mac(&[b"x"]), other.mac(&[b"x"]));
        assert_ne!(one.mac(&[b"ab", b"c"]), one.mac(&[b"a", b"bc"]));
        assert_eq!(DerivedKey::from_text(&one.to_text()).unwrap().mac(&[b"x"]), one.mac(&[b"x"]));
        assert!(DerivedKey::from_text(&Secret::new("short".to_owned())).is_none());
    }
}

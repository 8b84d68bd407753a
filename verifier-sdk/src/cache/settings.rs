//! What an operator may decide about the memory of verified tokens.

/// How many verified tokens a verifier remembers, so that it need not check a signature twice.
///
/// Remembered is that a signature was good and what the token says, never a decision: time, key, audience and revocation are
/// judged anew on each call, and a revoked token is refused at once, remembered or not.
///
/// ```
/// use passant_verifier::{CacheKey, TokenCache};
/// let cache = TokenCache::default().entries(50_000).bytes(64 << 20).key(CacheKey::Sha256);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "hand it to the builder's `token_cache`"]
pub struct TokenCache {
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
    pub(crate) key: CacheKey,
}

/// By what a remembered token is recognised. Both stand for the whole token, to its last character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum CacheKey {
    /// By itself: a keyed hash finds its place, and then all of it is compared. The quickest, but the tokens stay in memory until others
    /// take their places.
    #[default]
    WholeToken,
    /// By its SHA-256, which costs about half a microsecond more: the token itself is not kept. What it says is.
    Sha256,
}

impl TokenCache {
    /// Remembers nothing: each call checks the signature.
    pub const OFF: Self = Self { entries: 0, bytes: 0, key: CacheKey::WholeToken };

    pub(crate) const MOST_ENTRIES: usize = 1_000_000;

    /// How many tokens are remembered at most, up to a million; rounded down to a multiple of 16, but at least 16. Default 10,000.
    pub const fn entries(self, entries: usize) -> Self {
        Self { entries, ..self }
    }

    /// How many bytes the remembered tokens take at most. A token takes about twice its length and 500 bytes, or 500 bytes and
    /// once its length under [`CacheKey::Sha256`]. Default 16 MiB.
    ///
    /// Places and bytes are dealt out to sets of 16 tokens each; a token that would take more than its set's share is not
    /// remembered.
    pub const fn bytes(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }

    /// By what a token is recognised. Default [`CacheKey::WholeToken`].
    pub const fn key(self, key: CacheKey) -> Self {
        Self { key, ..self }
    }
}

impl TokenCache {
    /// The more roomy of both, and SHA-256 if one of them asks for it.
    pub(crate) fn larger(self, other: Self) -> Self {
        let key = if self.key == CacheKey::Sha256 { self.key } else { other.key };
        Self { entries: self.entries.max(other.entries), bytes: self.bytes.max(other.bytes), key }
    }
}

impl Default for TokenCache {
    fn default() -> Self {
        Self { entries: 10_000, bytes: 16 << 20, key: CacheKey::WholeToken }
    }
}

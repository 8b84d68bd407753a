//! The memory of verified tokens: facts — a signature that was good, and what the token says — and never decisions. A hit is
//! judged like any other token by time, key, audience and revocation; all that it saves is the signature and the parsing.

pub(crate) mod headers;
pub(crate) mod settings;
mod table;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use crate::compact::MAX_TOKEN_LEN;
use crate::signature::sha256;
use settings::{CacheKey, TokenCache};
use table::{Table, WAYS};

/// The facts about verified tokens, found again by the whole token.
pub(crate) struct Cache<T> {
    table: Option<Table<T>>,
    key: CacheKey,
    hasher: RandomState,
}

/// What the cache asks of what it holds.
pub(crate) trait Cached {
    /// Whether they are about this token.
    fn are_about(&self, token: &Identity<'_>) -> bool;

    /// How many bytes they take.
    fn cost(&self) -> usize;

    /// Whether the token can never pass again.
    fn are_spent(&self, now_millis: i64) -> bool;
}

/// A whole token, as the cache recognises it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity<'t> {
    Token(&'t str),
    Digest([u8; 32]),
}

/// A token on its way into or out of the cache.
pub(crate) struct Looked<'t> {
    pub(crate) identity: Identity<'t>,
    hash: u64,
}

impl Looked<'_> {
    /// How many bytes the facts will need for what identifies the token.
    pub(crate) fn room(&self) -> usize {
        if let Identity::Token(token) = self.identity { token.len() } else { 0 }
    }
}

impl<T: Cached> Cache<T> {
    pub(crate) fn new(settings: TokenCache) -> Self {
        let TokenCache { entries, bytes, key } = settings;
        Self { table: (entries > 0).then(|| Table::new(entries, bytes)), key, hasher: RandomState::new() }
    }

    /// What to look for; `None` where nothing is remembered, or nothing so long.
    pub(crate) fn look<'t>(&self, token: &'t str) -> Option<Looked<'t>> {
        self.table.as_ref().filter(|_| token.len() <= MAX_TOKEN_LEN)?;
        Some(match self.key {
            CacheKey::WholeToken => Looked { identity: Identity::Token(token), hash: self.hasher.hash_one(end(token)) },
            CacheKey::Sha256 => {
                let digest = sha256(token.as_bytes());
                Looked { identity: Identity::Digest(digest), hash: self.hasher.hash_one(digest) }
            }
        })
    }

    pub(crate) fn get(&self, looked: &Looked<'_>) -> Option<Arc<T>> {
        self.table.as_ref()?.get(looked.hash, |facts| facts.are_about(&looked.identity))
    }

    /// Remembers the facts about a token whose signature was good.
    pub(crate) fn insert(&self, looked: &Looked<'_>, facts: Arc<T>, now_millis: i64) {
        let Some(table) = &self.table else { return };
        let cost = facts.cost();
        let is_it = |held: &T| held.are_about(&looked.identity);
        table.insert(looked.hash, facts, cost, is_it, |held| held.are_spent(now_millis));
    }
}

/// So much of a token decides its place.
const END: usize = 32;

/// The end of a token, which belongs to the signature. Who cannot sign cannot choose it, and tokens that share it would only
/// share a set of [`WAYS`] places: the whole token is compared there.
fn end(token: &str) -> &[u8] {
    const { assert!(WAYS > 1) };
    token.as_bytes().last_chunk::<END>().map_or(token.as_bytes(), |end| end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Note(String, i64);

    impl Cached for Note {
        fn are_about(&self, token: &Identity<'_>) -> bool {
            match token {
                Identity::Token(token) => self.0 == *token,
                Identity::Digest(digest) => sha256(self.0.as_bytes()) == *digest,
            }
        }

        fn cost(&self) -> usize {
            self.0.len()
        }

        fn are_spent(&self, now_millis: i64) -> bool {
            now_millis > self.1
        }
    }

    fn remember(cache: &Cache<Note>, token: &str, now: i64) {
        if let Some(looked) = cache.look(token) {
            cache.insert(&looked, Arc::new(Note(token.into(), 100)), now);
        }
    }

    fn recalls(cache: &Cache<Note>, token: &str) -> bool {
        cache.look(token).and_then(|looked| cache.get(&looked)).is_some_and(|note| note.0 == token)
    }

    #[test]
    fn v94_a_token_is_recognised_by_every_character_of_it() {
        let end = "e".repeat(2 * END);
        for key in [CacheKey::WholeToken, CacheKey::Sha256] {
            let cache = Cache::new(TokenCache::default().key(key));
            let token = format!("head.body.{end}");
            remember(&cache, &token, 0);
            assert!(recalls(&cache, &token));
            for at in 0..token.len() {
                let mut other = token.clone().into_bytes();
                other[at] ^= 1;
                assert!(!recalls(&cache, std::str::from_utf8(&other).unwrap()), "{at}");
            }
            assert!(!recalls(&cache, &token[1..]) && !recalls(&cache, &token[..token.len() - 1]) && !recalls(&cache, ""));
        }
    }

    #[test]
    fn tokens_that_end_alike_are_told_apart() {
        let (cache, end) = (Cache::new(TokenCache::default()), "e".repeat(END));
        (0..WAYS).for_each(|id| remember(&cache, &format!("{id:02}{end}"), 0));
        assert!((0..WAYS).all(|id| recalls(&cache, &format!("{id:02}{end}"))));
        assert!(!recalls(&cache, &format!("99{end}")));
    }

    #[test]
    fn a_cache_that_is_off_remembers_nothing() {
        let cache = Cache::new(TokenCache::OFF);
        remember(&cache, "token", 0);
        assert!(!recalls(&cache, "token"));
    }

    #[test]
    fn two_caches_put_the_same_tokens_into_different_places() {
        let places = || {
            let cache: Cache<Note> = Cache::new(TokenCache::default());
            (0..64).map(|id| cache.look(&format!("token {id}")).unwrap().hash).collect::<Vec<_>>()
        };
        assert_ne!(places(), places());
    }
}

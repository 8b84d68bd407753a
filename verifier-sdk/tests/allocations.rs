//! What verification allocates, counted. A test binary of its own, since counting replaces the allocator.

#[cfg(test)]
#[expect(dead_code, reason = "the other tests' issuer, of which this needs a part")]
#[path = "it/feed.rs"]
mod feed;
#[cfg(test)]
#[expect(dead_code, reason = "the other tests' issuer, of which this needs a part")]
#[path = "it/support.rs"]
mod support;

#[cfg(test)]
mod tests {
    use allocation_counter::measure;
    use passant_verifier::{CacheKey, ManualClock, TokenCache, Verifier};
    use serde_json::json;

    use crate::feed::{Feed, signed};
    use crate::support::{AUDIENCE, ISSUER, NOW, TestKey, claims_with, jwks};

    const LEVELS: [(&str, &[&str]); 7] = [
        ("client_id", &["other"]),
        ("sub", &["other"]),
        ("sub+client_id", &["u-1", "other"]),
        ("sid", &["other"]),
        ("gid", &["other"]),
        ("jti", &["other"]),
        ("kid", &["other"]),
    ];

    fn verifier(cache: TokenCache, feed: Option<&Feed>) -> Verifier {
        let builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).clock(ManualClock::at(NOW)).token_cache(cache);
        let builder = builder.static_jwks(jwks(&[TestKey::first().jwk()]));
        match feed {
            None => builder.build().unwrap(),
            Some(feed) => {
                let verifier = builder.revocations_handed_in().build().unwrap();
                verifier.take_revocations(&signed(&TestKey::first(), &feed.snapshot())).unwrap();
                verifier
            }
        }
    }

    fn token(id: usize) -> String {
        TestKey::first().sign(&claims_with("jti", json!(format!("t-{id}"))))
    }

    fn allocations(verifier: &Verifier, token: &str) -> u64 {
        measure(|| drop(std::hint::black_box(verifier.verify(token).unwrap()))).count_total
    }

    #[test]
    fn a_repeat_allocates_nothing() {
        let (quiet, mut busy) = (Feed::new(), Feed::new());
        let tick = busy.head().tick;
        busy.append(tick + 1, &LEVELS);
        for key in [CacheKey::WholeToken, CacheKey::Sha256] {
            for feed in [None, Some(&quiet), Some(&busy)] {
                let (verifier, token) = (verifier(TokenCache::default().key(key), feed), token(1));
                assert!(allocations(&verifier, &token) > 0, "the first is counted, so a repeat would be");
                for _ in 0..3 {
                    assert_eq!(allocations(&verifier, &token), 0, "{key:?}");
                }
                let header = format!("Bearer {token}");
                let verified = measure(|| drop(verifier.verify_authorization([header.as_bytes()]).unwrap().clone()));
                assert_eq!(verified.count_total, 0);
            }
        }
    }

    #[test]
    fn a_repeat_allocates_nothing_after_news_of_revocations() {
        let mut feed = Feed::new();
        let (verifier, token) = (verifier(TokenCache::default(), Some(&feed)), token(1));
        verifier.verify(&token).unwrap();
        for level in LEVELS {
            let tick = feed.head().tick;
            feed.append(tick + 1, &[level]);
            let news = feed.delta(feed.entries.len() - 1);
            verifier.take_revocations(&signed(&TestKey::first(), &news)).unwrap();
            assert_eq!(allocations(&verifier, &token), 0, "{level:?}");
        }
    }

    #[test]
    fn a_first_verification_allocates_three_times_once_the_header_is_known() {
        let mut feed = Feed::new();
        let tick = feed.head().tick;
        feed.append(tick + 1, &LEVELS);
        for cache in [TokenCache::default(), TokenCache::default().key(CacheKey::Sha256), TokenCache::OFF] {
            for feed in [None, Some(&feed)] {
                let verifier = verifier(cache, feed);
                verifier.verify(&token(0)).unwrap();
                for id in 1..4 {
                    assert_eq!(allocations(&verifier, &token(id)), 3, "{cache:?}");
                }
            }
        }
    }
}

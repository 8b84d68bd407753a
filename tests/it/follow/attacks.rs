//! Feeds that are not for this verifier.

use passant::config::FeedAccess;
use passant::secret::TokenHash;

use super::*;

on_each_engine! {
    async fn the_feed_of_another_issuer_is_refused_even_when_its_key_is_the_same(engine) {
        // The fixtures give both issuers one and the same key, under one kid.
        let (site, stranger) = (Site::new(engine, |_| {}).await, Site::new(engine, |_| {}).await);
        let kid = |tokens: Tokens| tokens.header()["kid"].clone();
        assert_eq!(kid(site.own_token().await), kid(stranger.own_token().await));
        let verifier = site.builder().revocations(format!("{}/revocations", stranger.served.issuer)).build().unwrap();
        eventually("it refuses", || health(&verifier).refused_messages > 0).await;
        assert_eq!(reason(&verifier, &site.own_token().await), Some(Reason::RevocationsMissing));
        assert!(health(&verifier).last_failure.is_some() && health(&verifier).position.is_none() && !verifier.is_ready());
    }

    async fn a_feed_that_is_not_public_is_followed_with_its_secret_and_with_nothing_else(engine) {
        let secret = "f".repeat(43);
        let hash = TokenHash::of(&secret);
        let site = Site::new(engine, |config| config.feed.access = FeedAccess::Bearer(vec![hash])).await;
        let with = site.builder().feed_bearer(&secret).build().unwrap();
        with.ready(PATIENCE).await.unwrap();
        let tokens = site.own_token().await;
        assert_eq!(reason(&with, &tokens), None);
        for without in [site.builder().build().unwrap(), site.builder().feed_bearer("g".repeat(43)).build().unwrap()] {
            let refused = || without.health().revocations.and_then(|it| it.last_failure).is_some_and(|why| why.contains("401"));
            eventually("it is turned away", refused).await;
            assert_eq!(reason(&without, &tokens), Some(Reason::RevocationsMissing));
        }
    }
}

//! The issuer is away, or has no database: what is known stays known, its age shows, and past the limit a token is unavailable.

use passant_tests::world::Directory;
use passant_verifier::RevocationState;

use super::*;

const LIMIT: Duration = Duration::from_secs(30);

on_each_engine! {
    async fn while_the_issuer_is_away_knowledge_ages_and_a_restarted_service_has_what_was_known(engine) {
        let mut site = Site::new(engine, |_| {}).await;
        let directory = Directory::new();
        let file = directory.0.join("last-known-good");
        let build = |site: &Site| site.builder().revocations_max_age(LIMIT).last_known_good(&file).build().unwrap();
        let verifier = build(&site);
        verifier.ready(PATIENCE).await.unwrap();
        let (good, later, bad) = (site.tokens().await, site.tokens().await, site.tokens().await);
        site.client.post(&site.served.world, "/revoke", &[("token", bad.access())]).await;
        site.pass();
        eventually("it is refused", || reason(&verifier, &bad) == Some(Reason::Revoked)).await;
        let link = health(&verifier).position.unwrap().rsplit('.').next().unwrap().to_owned();
        eventually("it is in the file", || std::fs::read_to_string(&file).is_ok_and(|text| text.contains(&link))).await;

        site.served.stop().await;
        site.client.post(&site.served.world, "/revoke", &[("token", later.access())]).await;
        let restarted = build(&site);
        for verifier in [&verifier, &restarted] {
            assert_eq!([&good, &later, &bad].map(|tokens| reason(verifier, tokens)), [None, None, Some(Reason::Revoked)]);
        }
        site.served.world.advance(Duration::from_secs(28));
        for verifier in [&verifier, &restarted] {
            let verified = verifier.verify(good.access()).unwrap();
            assert_eq!(verified.require_fresh(Duration::from_secs(10)).unwrap_err().http_status(), 503);
            assert!(verified.require_fresh(LIMIT).is_ok());
        }
        site.served.world.advance(Duration::from_secs(3));
        for verifier in [&verifier, &restarted] {
            let error = verifier.verify(good.access()).unwrap_err();
            assert_eq!((error.reason(), error.http_status(), error.oauth_error()), (Reason::RevocationsStale, 503, None));
            assert_eq!((verifier.is_ready(), health(verifier).state), (false, RevocationState::Stale));
            assert_eq!(reason(verifier, &bad), Some(Reason::Revoked), "what is known to be dead stays so");
        }

        site.served.answer_again().await;
        for verifier in [&verifier, &restarted] {
            eventually("it has caught up", || verifier.is_ready()).await;
            let reasons = [&good, &later, &bad].map(|tokens| reason(verifier, tokens));
            assert_eq!(reasons, [None, Some(Reason::Revoked), Some(Reason::Revoked)], "{:?}", health(verifier));
        }
    }

    async fn followers_of_a_process_without_its_database_go_stale_and_recover(engine) {
        let site = Site::new(engine, |_| {}).await;
        let world = &site.served.world;
        let verifier = site.builder().revocations_max_age(LIMIT).build().unwrap();
        verifier.ready(PATIENCE).await.unwrap();
        let (good, bad) = (site.tokens().await, site.tokens().await);
        world.execute("ALTER TABLE feed_head RENAME TO feed_head_away").await;
        world.advance(Duration::from_secs(31));
        assert_eq!(health(&verifier).state, RevocationState::Stale);
        assert_eq!(reason(&verifier, &good), Some(Reason::RevocationsStale));
        let fresh = site.builder().build().unwrap();
        eventually("its attempts fail", || fresh.health().revocations.is_some_and(|it| it.last_failure.is_some())).await;
        assert_eq!(health(&fresh).state, RevocationState::Missing);
        assert!(health(&fresh).last_failure.unwrap().contains("503"), "{:?}", health(&fresh));
        world.execute("ALTER TABLE feed_head_away RENAME TO feed_head").await;
        eventually("it hears again", || reason(&verifier, &good).is_none()).await;
        site.client.post(world, "/revoke", &[("token", bad.access())]).await;
        site.pass();
        for verifier in [&verifier, &fresh] {
            eventually("it follows", || reason(verifier, &bad) == Some(Reason::Revoked)).await;
            assert_eq!(reason(verifier, &good), None);
        }
    }
}

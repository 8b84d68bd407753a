//! Signing keys as the world sees them: one key's whole life by the manual clock, a revocation noticed by a running server, and a
//! clock that cannot be trusted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use passant::app::rotation;
use passant::jobs::{CompareClocks, Job, RotateKeys};
use passant_tests::on_both_engines;
use passant_tests::world::{Agent, Engine, Tokens, World};

const ADA: (&str, &str) = ("ada", "an engine that weaves algebra");
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn published(agent: &mut Agent) -> Vec<String> {
    let jwks = agent.get("/jwks.json").await.json();
    jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// The key that signs now.
async fn signing(world: &Arc<World>) -> String {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let client = world.client(&format!("batch-{}", ASKED.fetch_add(1, Ordering::Relaxed)), |_| {}).await;
    let tokens = Tokens::of(&client.token(world, &[("grant_type", "client_credentials")]).await);
    tokens.header()["kid"].as_str().unwrap().to_owned()
}

on_both_engines! {
    async fn one_key_is_published_ahead_signs_retires_and_leaves(world) {
        let (mut agent, mut job) = (world.agent(), RotateKeys::default());
        let first = signing(&world).await;
        assert_eq!(published(&mut agent).await, [first.as_str()], "the first key signs and is published at once");

        world.advance(29 * DAY - MINUTE);
        job.step(&world.app).await;
        assert_eq!(published(&mut agent).await.len(), 1, "its successor is not due yet");

        world.advance(MINUTE);
        job.step(&world.app).await;
        let both = published(&mut agent).await;
        assert_eq!(both.len(), 2, "a day before it is needed the successor is published");
        let second = both[0].clone();
        assert_eq!((both[1].as_str(), signing(&world).await.as_str()), (first.as_str(), first.as_str()), "the first still signs");

        world.advance(DAY - Duration::from_millis(1));
        assert_eq!(signing(&world).await, first);
        let last_token = {
            world.user(ADA.0, ADA.1).await;
            let client = world.client("shop-web", |_| {}).await;
            agent.tokens(&client, ADA, &[]).await
        };
        world.advance(Duration::from_millis(1));
        assert_eq!(signing(&world).await, second, "without a word between replicas the successor signs from its instant");
        assert_eq!(published(&mut agent).await, [second.as_str(), first.as_str()], "the first's tokens can still be checked");
        assert_eq!(agent.userinfo(last_token.access()).await.status, StatusCode::OK);

        world.advance(HOUR + 5 * MINUTE);
        assert_eq!(published(&mut agent).await, [second.as_str()], "the last token has expired: the first is gone");
    }

    async fn after_a_long_downtime_the_old_key_signs_on_and_readiness_says_so(world) {
        let (mut agent, first) = (world.agent(), signing(&world).await);
        world.advance(90 * DAY);
        assert_eq!(signing(&world).await, first, "there is never no signer");
        assert_eq!(published(&mut agent).await, [first.as_str()], "and it is always published");
        let ready = agent.get("/readyz").await;
        assert_eq!((ready.status, ready.json()["rotation"].as_str()), (StatusCode::SERVICE_UNAVAILABLE, Some("failing")));
        RotateKeys::default().step(&world.app).await;
        assert_eq!(signing(&world).await, first, "the successor is published before it signs");
        world.advance(10 * MINUTE);
        assert_ne!(signing(&world).await, first);
        assert_eq!(agent.get("/readyz").await.json()["rotation"].as_str(), Some("ok"));
    }

    async fn a_revocation_by_another_process_is_noticed_by_the_next_look(world) {
        let (other, mut agent, mut job) = (world.replica().await, world.agent(), RotateKeys::default());
        job.step(&world.app).await;
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let tokens = agent.tokens(&client, ADA, &[]).await;
        let first = signing(&world).await;
        rotation::revoke(&other, &passant::domain::ids::KeyId::new(&first)).await.unwrap().expect("it lived");
        assert_eq!(rotation::revoke(&other, &passant::domain::ids::KeyId::new(&first)).await.unwrap(), None, "it was revoked before");
        assert_eq!(agent.userinfo(tokens.access()).await.status, StatusCode::UNAUTHORIZED, "what it signed is dead at once");
        world.advance(Duration::from_secs(1));
        job.step(&world.app).await;
        assert!(!published(&mut agent).await.contains(&first));
        let second = signing(&world).await;
        assert!(published(&mut agent).await.contains(&second) && second != first);
        assert_eq!(agent.userinfo(tokens.access()).await.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_whose_clock_is_a_minute_off_the_databases_signs_nothing() {
    let world = Arc::new(World::new(Engine::Postgres).await);
    let client = world.client("batch", |_| {}).await;
    let (mut agent, mut job) = (world.agent(), CompareClocks::default());
    for (ahead, signs) in [(60_000, true), (60_001, false), (0, true), (-60_001, false)] {
        world.clock.set_database_ahead(ahead);
        job.step(&world.app).await;
        let answer = client.token(&world, &[("grant_type", "client_credentials")]).await;
        let expected = if signs { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        assert_eq!((answer.status, agent.get("/readyz").await.status), (expected, expected), "{ahead} ms");
    }
}

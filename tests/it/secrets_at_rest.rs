//! The search for secrets at rest can fail: an honest flow leaves none, a planted one is caught, on both engines.

use std::sync::Arc;

use passant_tests::world::{Engine, World};

const ADA: (&str, &str) = ("ada", "an engine that weaves algebra");

async fn plant(engine: Engine) {
    let world = Arc::new(World::new(engine).await);
    world.user(ADA.0, ADA.1).await;
    let client = world.client("shop-web", |it| it.first_party = false).await;
    let tokens = world.agent().tokens(&client, ADA, &[("scope", "openid offline_access")]).await;
    world.search_for_leaks().await;

    world.client("leaky", |it| it.name = tokens.refresh().to_owned()).await;
    let leaks = world.secrets.scan("the database", &world.storage().dump().await);
    assert!(leaks.iter().any(|leak| leak.label == "refresh_token"), "the planted token is found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planted_secret_is_caught_in_sqlite() {
    plant(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planted_secret_is_caught_in_postgres() {
    plant(Engine::Postgres).await;
}
